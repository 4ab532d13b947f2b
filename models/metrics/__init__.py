"""Metrics of classifiers, with intervals and tests of significance."""
