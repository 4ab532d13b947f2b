"""edgeclf: labelled photographs in, a quantized classifier for the edge out.

The names of `__all__` are the public API (docs/reference/api.md); each is loaded when first used.
"""

TYPE_CHECKING = False  # to type checkers True; importing typing takes longer than all else here

if TYPE_CHECKING:
    from .benchmarks.api import benchmark_models
    from .convert.api import Conversion, convert_model
    from .edge_runtime.classifier import Classifier
    from .edge_runtime.errors import EdgeclfError
    from .edge_runtime.images import decode_image, read_image
    from .edge_runtime.images.folders import find_images
    from .edge_runtime.prediction import Prediction, Refusal
    from .train.api import evaluate_run, train_classifier

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "Conversion",
    "EdgeclfError",
    "Prediction",
    "Refusal",
    "benchmark_models",
    "convert_model",
    "decode_image",
    "evaluate_run",
    "find_images",
    "read_image",
    "train_classifier",
]

if not TYPE_CHECKING:
    _MODULES = {
        "Classifier": "edge_runtime.classifier",
        "Conversion": "convert.api",
        "EdgeclfError": "edge_runtime.errors",
        "Prediction": "edge_runtime.prediction",
        "Refusal": "edge_runtime.prediction",
        "benchmark_models": "benchmarks.api",
        "convert_model": "convert.api",
        "decode_image": "edge_runtime.images",
        "evaluate_run": "train.api",
        "find_images": "edge_runtime.images.folders",
        "read_image": "edge_runtime.images",
        "train_classifier": "train.api",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
