"""The model file: TFLite with labels, spec, metadata and self-test."""
