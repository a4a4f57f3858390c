"""Artifacts put into clean series: by physics, or from another series.

From outside: `simulate_volume` and `setting_of`, `transfer_volume`, `write_simulated`.
"""
