"""What people run: demo, test, bench."""
