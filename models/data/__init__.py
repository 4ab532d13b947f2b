"""Labelled images, their augmentation, and the batches that Keras is fed."""
