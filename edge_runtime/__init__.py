"""The ground: numpy, OpenCV and a TFLite runtime. All that a device needs; imports nothing of ours.

Data flows: sources → images → preprocess → classifier (interpreter, model_file) → run_command.
"""

from .classifier import Classifier
from .errors import EdgeclfError
from .images import read_image
from .model_file.spec import ModelSpec
from .prediction import Prediction, Refusal
from .preprocess import preprocess

__all__ = [
    "Classifier",
    "EdgeclfError",
    "ModelSpec",
    "Prediction",
    "Refusal",
    "preprocess",
    "read_image",
]
