"""Slices to learn from, by patient, and the samples that are drawn from them."""
