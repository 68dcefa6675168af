"""Effects: what executions want done outside is derived from the log, handed to handlers, and told back to the log."""
