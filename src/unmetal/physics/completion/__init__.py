"""Filling in the metal trace of a sinogram: LI, NMAR, BHC and any prior image."""
