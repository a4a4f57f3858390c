"""What runs methods: on volumes, on test sets, and later in training."""
