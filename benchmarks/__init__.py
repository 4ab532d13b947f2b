"""Benchmarks: accuracy, latency and memory of models side by side."""
