"""Video files: their frames, and how many of them there are."""
