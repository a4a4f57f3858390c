"""`unmetal reduce`: in memory, file to file, with a report, an archive of many."""
