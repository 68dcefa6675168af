"""Policies and directories written down as data: read without running anything that they say."""
