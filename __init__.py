"""edgeclf: labelled photographs in, a quantized classifier for the edge out."""

__version__ = "0.1.0"
