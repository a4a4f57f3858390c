"""How far an image is from the truth: single numbers, published protocols, intervals."""
