"""Rows of numbers to tables; knows neither methods nor cases.

Public: `means.summarize`, `compare_to` and `write_summary`, `markdown.page`, `latex.latex`.
"""
