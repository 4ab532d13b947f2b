"""Limits on who connects to the page and to the metrics."""
