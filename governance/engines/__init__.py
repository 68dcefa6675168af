"""Engines: what time, or what others did, makes possible is found and performed here, one engine for each kind."""
