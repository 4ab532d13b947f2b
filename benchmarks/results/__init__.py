"""The results of a benchmark: their schema, intervals, verdict, and changes between two."""
