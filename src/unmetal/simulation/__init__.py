"""Artifacts put into clean series: by physics, or from another series."""
