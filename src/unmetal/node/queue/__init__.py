"""The queue on disk: a `Spool`, `Arrivals` into it and `Job`s in it; knows nothing of methods."""
