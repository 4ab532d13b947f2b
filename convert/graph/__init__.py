"""A Keras network as a small graph: read, rewritten, and built again."""
