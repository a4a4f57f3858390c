"""What metal there can be in a body."""
