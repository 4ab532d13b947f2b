"""The ground: numpy, OpenCV and a TFLite runtime. All that a device needs; imports nothing of ours.

Data flows: sources → images → preprocess → classifier (interpreter, container, spec) → command.
"""

from .classifier import Classifier, Prediction
from .errors import EdgeclfError
from .images import read_image
from .preprocess import preprocess
from .spec import ModelSpec

__all__ = ["Classifier", "EdgeclfError", "ModelSpec", "Prediction", "preprocess", "read_image"]
