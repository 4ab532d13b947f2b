"""Training on good images only: a memory of their patches, and a limit of the distance from it."""
