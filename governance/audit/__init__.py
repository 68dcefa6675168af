"""Audit: replay what happened from events alone, and prove that they are what was stored."""
