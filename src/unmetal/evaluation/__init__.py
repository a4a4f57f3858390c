"""`unmetal evaluate`: methods on test sets, rows of numbers, tables and a figure."""
