"""`edgeclf inspect`: what a .tflite file holds, and what is wrong with it."""
