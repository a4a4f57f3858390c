"""The node: a CT series in by the network, its derived series out, and no image lost in between.

Public: `config.Config` and `node.Node(config).run()`.
"""
