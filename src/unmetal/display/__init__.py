"""How CT slices are shown: window, box, letters at the edges, colours, figures.

Public: `look.PanelStyle`, `Window`, `Box` and `edges_of`, `comparison.comparison`, and `sheet`.
"""
