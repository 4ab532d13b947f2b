"""Photographs to a float model. Data flows: dataset (split) → batches (augment) → fit → report."""
