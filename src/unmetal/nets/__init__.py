"""Network architectures, one per file: layers only, no losses, no optimizers."""
