"""Whether a model knows what it does not know: foreign images, and spoilt ones."""
