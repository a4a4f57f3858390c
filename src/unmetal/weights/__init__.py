"""Released weights, one folder each: safetensors in parts under 16 MiB, and their card.

Nothing here is imported to list or check them; see `unmetal.weights.load`.
"""
