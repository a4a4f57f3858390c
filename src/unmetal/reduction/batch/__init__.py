"""Many series of an archive, each by `reduce_series`: a plan, worker processes, a summary."""
