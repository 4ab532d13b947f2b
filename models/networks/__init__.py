"""The architectures, built in code, and their weights."""
