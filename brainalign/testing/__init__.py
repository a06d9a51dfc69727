"""Miniatures and contract suites: may import any room, imported by none."""
