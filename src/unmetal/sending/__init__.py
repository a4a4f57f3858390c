"""Sending DICOM files to where they shall go: who can, the node and the viewer.

Public: `destination.parse_destination`, and `c_store.CStore(...).send`.
"""
