"""What training, conversion and benchmarks share: networks, data, metrics, reports, runs."""
