"""`gov audit export` and `import`."""
