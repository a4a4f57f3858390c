"""Released weights, one folder each: safetensors in parts under 16 MiB, and their card."""
