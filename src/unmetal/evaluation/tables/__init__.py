"""Rows of numbers to tables; knows neither methods nor cases.

Public: `means.summarize` and `compare_to`, `markdown.page`, `latex.latex`.
"""
