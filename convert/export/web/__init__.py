"""A static web page that classifies with the very .tflite file, in the browser."""
