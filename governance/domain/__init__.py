"""Pure rules: no I/O, no clock, no randomness. Imports the standard library, pydantic and rfc8785, nothing of ours."""
