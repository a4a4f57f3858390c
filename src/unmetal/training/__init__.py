"""`unmetal train`: an experiment, its data, the loop, a run folder."""
