"""Benchmarks: limit, peer and product side by side, interleaved in one run, reported as medians and ratios."""
