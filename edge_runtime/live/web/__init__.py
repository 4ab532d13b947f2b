"""A page that shows a live run: picture, decisions, and how the camera is."""
