"""unmetal: metal artifact reduction for CT."""
