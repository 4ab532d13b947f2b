"""A training's images: the split, the frozen features, and the streams of batches."""
