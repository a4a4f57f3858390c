"""What came out, for people: figures and tables."""
