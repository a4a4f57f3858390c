"""`unmetal evaluate`: methods on test sets, rows of numbers, tables and a figure.

Public: `cases.load_cases` and `load_real`, `conditions.EvalConfig`, `evaluate.evaluate`, which
yields rows, `folder.Evaluation`, which keeps them, and `tables`.
"""
