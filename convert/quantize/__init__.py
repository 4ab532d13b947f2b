"""A graph to a TFLite file: calibrated ranges, fake quantization, QAT, and the emitted file."""
