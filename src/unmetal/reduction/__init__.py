"""`unmetal reduce`: `reduce_series` reads and writes, `reduce_volume` is the main line between."""
