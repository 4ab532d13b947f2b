"""A camera that is watched: newest frame, steady label, and whoever wants to know."""
