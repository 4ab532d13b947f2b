"""The ground: numpy, OpenCV and a TFLite runtime. All that a device needs; imports nothing of ours.

Data flows: sources → images → preprocess → classifier (interpreter, model_file) → run_command.
"""

from .classifier import Classifier, Prediction
from .errors import EdgeclfError
from .images import read_image
from .model_file.spec import ModelSpec
from .preprocess import preprocess

__all__ = ["Classifier", "EdgeclfError", "ModelSpec", "Prediction", "preprocess", "read_image"]
