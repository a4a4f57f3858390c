"""How CT slices are shown: window, box, edges, colours."""
