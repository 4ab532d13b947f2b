"""What a finished run is worth: temperature and thresholds from the validation images, and every
figure from the test images. Data flows: scores → temperature → thresholds → evaluate → card."""
