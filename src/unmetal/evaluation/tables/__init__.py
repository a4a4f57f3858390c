"""Rows of numbers to tables; knows neither methods nor cases."""
