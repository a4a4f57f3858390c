"""The physics: tensors in, tensors out; usable alone in a notebook."""
