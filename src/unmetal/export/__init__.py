"""`unmetal export`: a learned method as a file that other programs run."""
