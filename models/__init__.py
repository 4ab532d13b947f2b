"""What an architecture is, and the float model as a run keeps it."""
