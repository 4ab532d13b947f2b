"""A case: a model with synthetic inputs, in a folder that any runtime anywhere can read.

    model.tflite   the file as `edgeclf convert` made it
    inputs.bin     N images, uint8 RGB of H×W×3, back to back
    case.json      {"name": …, "inputs": N, "shape": [1, H, W, 3], "outputs": how many,
                    "tensors": [{"dtype": …, "shape": […], "scale": …, "zero_point": …}, …],
                    "recipe": …, "tolerance": …}

The outputs are in the model's order, the scores first. The scale of one that is not quantized is 0.
The tolerance is what the file's self-test allows of a float output.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.container import read_model
from edgeclf.edge_runtime.model_file.self_test import SelfTest, synthetic_input
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter


@dataclass(frozen=True)
class OutputTensor:
    """An output of a model.

    Attributes:
        dtype: as NumPy calls it.
        shape: of one inference.
        scale: of a step; 0 if it is not quantized.
        zero_point: the integer that stands for 0.
    """

    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Case:
    """A model with inputs; see above for the folder."""

    folder: Path
    name: str
    inputs: int
    shape: tuple[int, ...]
    tensors: tuple[OutputTensor, ...]
    recipe: str
    tolerance: float

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.tflite"

    def images(self) -> NDArray[np.uint8]:
        """Return the inputs, uint8 of shape (N, H, W, 3)."""
        pixels = np.frombuffer((self.folder / "inputs.bin").read_bytes(), np.uint8)
        return pixels.reshape(self.inputs, *self.shape[1:])


def write_case(folder: Path, *, name: str, model: Path) -> Case:
    """Write the case of `model` into `folder`: the inputs are those of the file's self-test.

    Raises:
        EdgeclfError: the file has no self-test, or this environment's runtime refuses it.
    """
    data, spec = read_model(model)
    if not isinstance(spec.self_test, SelfTest):
        raise EdgeclfError(f"{model}: holds no self-test; convert it again")
    interpreter = open_interpreter(data, name=str(model), threads=1)
    shape = tuple(int(size) for size in interpreter.get_input_details()[0]["shape"])
    tensors = tuple(_output_tensor(details) for details in interpreter.get_output_details())
    test = spec.self_test
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(model, folder / "model.tflite")
    size_hw = (shape[1], shape[2])
    images = [synthetic_input(seed, grid=grid, size_hw=size_hw) for seed, grid in test.inputs]
    (folder / "inputs.bin").write_bytes(np.stack(images).tobytes())
    described = {
        "name": name,
        "inputs": len(test.inputs),
        "shape": shape,
        "outputs": len(tensors),
        "tensors": [vars(tensor) for tensor in tensors],
        "recipe": spec.recipe,
        "tolerance": test.tolerance,
    }
    (folder / "case.json").write_text(json.dumps(described, indent=1))
    return read_case(folder)


def read_case(folder: Path) -> Case:
    """Return the case that `write_case` wrote into `folder`."""
    described = json.loads((folder / "case.json").read_text())
    tensors = tuple(
        OutputTensor(**(tensor | {"shape": tuple(tensor["shape"])}))
        for tensor in described["tensors"]
    )
    return Case(
        folder=folder,
        name=described["name"],
        inputs=described["inputs"],
        shape=tuple(described["shape"]),
        tensors=tensors,
        recipe=described["recipe"],
        tolerance=described["tolerance"],
    )


def _output_tensor(details: dict[str, Any]) -> OutputTensor:
    scale, zero_point = details["quantization"]
    return OutputTensor(
        dtype=np.dtype(details["dtype"]).name,
        shape=tuple(int(size) for size in details["shape"]),
        scale=float(scale),
        zero_point=int(zero_point),
    )
