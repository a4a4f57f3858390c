"""The queue on disk; knows nothing of networks or methods. Public: `Spool`, `Arrivals`, `Job`."""
