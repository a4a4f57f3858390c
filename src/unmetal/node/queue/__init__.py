"""The queue on disk; knows nothing of networks or methods."""
