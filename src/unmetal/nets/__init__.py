"""Network architectures: layers only, no losses, no optimizers."""
