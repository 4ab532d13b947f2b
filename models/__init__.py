"""What an architecture is, the float model as a run keeps it, and the images to train it on."""
