"""States that live in another system: read there, written there by compare-and-set, and mirrored in the log."""
