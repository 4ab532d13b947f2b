"""What a run is worth as a page, and as a model card."""
