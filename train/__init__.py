"""Photographs to a float model. Data flows: data → fitting → evaluation → report."""
