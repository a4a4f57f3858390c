"""The node: a CT series in by the network, its derived series out, and nothing lost between."""
