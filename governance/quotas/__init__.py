"""Quotas: so many tokens in each window of time, taken first come first served, and given back by what does not run."""
