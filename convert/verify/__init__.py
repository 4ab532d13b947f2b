"""A converted file against its float model: scores, the gate, and the summary."""
