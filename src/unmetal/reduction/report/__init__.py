"""The report of a reduction: one HTML page, and its numbers as JSON."""
