"""The models that are measured, and the photographs that they see."""

import sys
from pathlib import Path

from edgeclf.benchmarks.demo.surfaces import SURFACE_CLASSES, write_surfaces
from edgeclf.models.networks.architectures import architecture

from .processes import run_quietly
from .system import ROOT

# A small one for `make test`, the default, and the fastest of those with ImageNet weights.
MODELS = ("densenet-tiny", "densenet121", "efficientnet-lite0")
RECIPES = ("float32", "int8")

_CALIBRATION_PER_CLASS = 2
_PHOTOGRAPHS = 3


def pins() -> list[str | Path]:
    """Return everything that decides what `make_model` makes."""
    code = (
        "edge_runtime/*.py",
        "edge_runtime/model_file/*.py",
        "edge_runtime/tflite/*.py",
        "models/**/*.py",
        "convert/**/*.py",
    )
    sources = [path for pattern in code for path in sorted(ROOT.glob(pattern))]
    return [
        *sources,
        ROOT / "constraints.txt",
        ROOT / "benchmarks/demo/surfaces.py",
        Path(__file__),
    ]


def make_model(name: str, folder: Path) -> None:
    """Convert the architecture `name` to every recipe, and draw photographs, into `folder`.

    Its weights are drawn from a seed: how many instructions an inference takes does not depend on
    them.
    """
    size = architecture(name).input_size
    source = draw_model(name, folder)
    write_surfaces(folder / "photographs", per_class=1, size=size * 3 // 2, seed=1)
    files = ("--recipes", ",".join(RECIPES), "--out", folder / "models")
    command = (sys.executable, "-m", "edgeclf", "convert", *source, *files)
    run_quietly(f"edgeclf convert --arch {name}", command)


def draw_model(name: str, folder: Path) -> tuple[str | Path, ...]:
    """Write weights drawn from a seed, labels and calibration images of `name` into `folder`.

    Returns:
        The options of `edgeclf convert` that name them.
    """
    weights, labels, calibration = (
        folder / "random.weights.h5", folder / "labels.txt", folder / "calibration"
    )  # fmt: skip
    _random_weights(name, weights)
    labels.write_text("\n".join(SURFACE_CLASSES))
    size = architecture(name).input_size
    write_surfaces(calibration, per_class=_CALIBRATION_PER_CLASS, size=size, seed=0)
    data = ("--labels", labels, "--calibration", calibration)
    return ("--arch", name, "--weights", weights, *data)


def photographs(folder: Path) -> list[Path]:
    """Return the photographs that `make_model` drew, larger than the model's input."""
    return sorted((folder / "photographs").glob("*/*.png"))[-_PHOTOGRAPHS:]


def model_file(folder: Path, recipe: str) -> Path:
    """Return the file of that recipe that `make_model` made."""
    return folder / "models" / f"{recipe}.tflite"


def _random_weights(name: str, path: Path) -> None:
    from edgeclf.edge_runtime.quiet import quiet_tensorflow

    quiet_tensorflow()
    import keras

    from edgeclf.models.networks.classifier import build_classifier

    network = architecture(name)
    keras.utils.set_random_seed(0)
    size_hw = (network.input_size, network.input_size)
    build_classifier(network, classes=len(SURFACE_CLASSES), input_hw=size_hw).save_weights(path)
