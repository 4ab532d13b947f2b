"""What is classified: places, the files in them, their images, and how these are read."""
