"""One series or an archive of many."""
