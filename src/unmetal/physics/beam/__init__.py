"""What the tube sends and matter takes away: spectra, attenuation, scatter."""
