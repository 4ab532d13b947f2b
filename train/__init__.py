"""Photographs to a float model. Data flows: dataset (split) → features → fit (record) → report."""
