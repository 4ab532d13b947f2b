"""The golden self-test: a few outputs of the converted model, which a device must compute again.

The inputs are drawn from seeds by SHA-3 and OpenCV's exact interpolation, which give the same bits
on every machine, so only the seeds and the outputs are stored.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError, ScoresError
from ..images import RGBImage
from ..novelty.features import mean_features
from ..tflite.interpreter import Interpreter, delegated_parts, float_operators, open_interpreter
from ..validation.strict_json import member, typed

# Pixels of the grid that is drawn and then enlarged: coarse, middle and fine structure.
GRIDS = (4, 16, 64)
_SEEDS = 4  # tried for each grid

# DenseNet121's scores on x86-64, Cortex-A72 and A76 lie 5e-7 apart in float. Where activations are
# quantized on the fly, a last bit can move one by a step: 0.003 there, 0.04 without XNNPACK.
FLOAT_TOLERANCE = 1e-4
HYBRID_TOLERANCE = 0.05

# Plain kernels round otherwise than XNNPACK. Over 45 photographs the int8 scores of DenseNet121
# with ImageNet's 1000 classes lay 10 steps of 1/256 apart at most, and the best class was the same.
PLAIN_STEPS = 12

# Of a self-test that is read.
_MOST_INPUTS, _LARGEST_GRID = 100, 1024


@dataclass(frozen=True)
class SelfTest:
    """What a model must answer to synthetic inputs.

    Attributes:
        inputs: seed and grid of each input, as `synthetic_input` takes them.
        dtype: of the model's first output, as NumPy calls it.
        outputs: that output for each input, one after the other: the bytes in base64.
        tolerance: by how much a value may differ; 0 means bit for bit.
        features: for each input the mean of the second output over its places, in that output's own
            unit: float32 in base64; None for a model of one output, and in older files.
    """

    inputs: tuple[tuple[int, int], ...]
    dtype: str
    outputs: str
    tolerance: float
    features: str | None = None

    def expected(self) -> NDArray[Any]:
        """Return the outputs, of shape (inputs, classes)."""
        stored = base64.b64decode(self.outputs, validate=True)
        values = np.frombuffer(stored, np.dtype(self.dtype).newbyteorder("<"))
        return values.reshape(len(self.inputs), -1)

    def expected_features(self) -> NDArray[np.float32] | None:
        """Return the features, of shape (inputs, channels), if it holds any."""
        if self.features is None:
            return None
        stored = base64.b64decode(self.features, validate=True)
        return np.frombuffer(stored, "<f4").reshape(len(self.inputs), -1)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SelfTest":
        """Read the JSON object of a self-test; a damaged one is a ValueError, Key- or TypeError."""
        test = cls(
            inputs=tuple(
                (typed("a seed", seed, int), typed("a grid", grid, int))
                for seed, grid in member(values, "inputs", list)
            ),
            dtype=member(values, "dtype", str),
            outputs=member(values, "outputs", str),
            tolerance=float(member(values, "tolerance", int, float)),
            features=member(values, "features", str) if "features" in values else None,
        )
        features = test.expected_features()
        if features is not None and not (features.size and np.isfinite(features).all()):
            raise ValueError("a self-test with features that are none")
        if not 1 <= len(test.inputs) <= _MOST_INPUTS or not test.expected().size:
            raise ValueError("a self-test that is empty or endless")
        if not all(1 <= grid <= _LARGEST_GRID for _, grid in test.inputs):
            raise ValueError("a self-test with grids of no size")
        if not 0 <= test.tolerance < np.inf:
            raise ValueError(f"a self-test with a tolerance of {test.tolerance}")
        return test


@dataclass(frozen=True)
class SelfTestResult:
    """How a runtime fared.

    Attributes:
        passed: whether every value lay within the tolerance.
        inputs: how many inputs there were.
        values: how many values were compared.
        different: how many of them were not the same.
        same_top: for how many inputs the highest value was that of the same class.
        largest_difference: of any value, in the output's own unit.
        tolerance: by how much a value was allowed to differ; 0 means bit for bit.
    """

    passed: bool
    inputs: int
    values: int
    different: int
    same_top: int
    largest_difference: float
    tolerance: float


def synthetic_input(seed: int, *, grid: int, size_hw: tuple[int, int]) -> RGBImage:
    """Return colours of a `grid` × `grid` raster, enlarged to an image: uint8 of shape (h, w, 3).

    The same bits on every machine: SHAKE-256 (FIPS 202) draws, INTER_LINEAR_EXACT enlarges.
    """
    colours = synthetic_colours(seed, grid=grid)
    enlarged = cv2.resize(colours, size_hw[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(enlarged, np.uint8)


def synthetic_colours(seed: int, *, grid: int) -> RGBImage:
    """Return the raster that `synthetic_input` enlarges: uint8 of shape (grid, grid, 3)."""
    drawn = hashlib.shake_256(f"edgeclf {seed}".encode()).digest(grid * grid * 3)
    return np.frombuffer(drawn, np.uint8).reshape(grid, grid, 3)


def make_self_test(model: bytes) -> SelfTest:
    """Return the self-test of the .tflite `model`, computed by the runtime of this machine.

    A model that is sure of its answer says the same if some small thing goes wrong. So of several
    inputs of each grid the one is kept whose scores have the highest entropy.

    Raises:
        ScoresError: the scores are not numbers.
    """
    interpreter = open_interpreter(model, name="the converted model", threads=1)
    inputs: list[tuple[int, int]] = []
    outputs: list[NDArray[Any]] = []
    features: list[NDArray[np.float32] | None] = []
    for grid in GRIDS:
        tried = [_outputs(interpreter, seed, grid) for seed in range(_SEEDS)]
        seed = int(np.argmax([_entropy(interpreter, output) for output, _ in tried]))
        inputs.append((seed, grid))
        outputs.append(tried[seed][0])
        features.append(tried[seed][1])
    stored = np.stack(outputs)
    if np.issubdtype(stored.dtype, np.floating) and not np.isfinite(stored).all():
        raise ScoresError("the converted model computes scores that are not numbers")
    little_endian = stored.astype(stored.dtype.newbyteorder("<"))
    return SelfTest(
        inputs=tuple(inputs),
        dtype=stored.dtype.name,
        outputs=base64.b64encode(little_endian.tobytes()).decode(),
        tolerance=_tolerance(interpreter),
        features=_encoded(features),
    )


def run_self_test(
    interpreter: Interpreter, test: SelfTest, *, accelerated: bool = False
) -> SelfTestResult:
    """Compute the outputs of `test` on this machine and compare.

    Without XNNPACK (32-bit systems have no runtime with it) 8-bit scores may differ by
    `PLAIN_STEPS`.

    Args:
        interpreter: holds the model.
        test: of its file.
        accelerated: whether no CPU computes: then 8-bit scores may differ by
            `PLAIN_STEPS`, floats by `HYBRID_TOLERANCE`.

    Raises:
        EdgeclfError: the model's output is of another type or size than the stored ones.
    """
    expected = test.expected()
    pairs = [_outputs(interpreter, seed, grid) for seed, grid in test.inputs]
    computed = np.stack([output for output, _ in pairs])
    if computed.dtype.name != test.dtype or computed.shape != expected.shape:
        raise EdgeclfError(
            f"the self-test holds {expected.shape[1]} values of {test.dtype}, the model gives "
            f"{computed.shape[1]} of {computed.dtype}; convert it again"
        )
    differences = np.abs(computed.astype(np.float64) - expected.astype(np.float64))
    tolerance = test.tolerance
    if computed.dtype.itemsize == 1 and (accelerated or delegated_parts(interpreter) == 0):
        tolerance = max(tolerance, PLAIN_STEPS)
    elif accelerated:
        tolerance = max(tolerance, HYBRID_TOLERANCE)
    apart = _features_apart(test, [features for _, features in pairs])
    return SelfTestResult(
        passed=bool((differences <= tolerance).all() and (apart <= tolerance).all()),  # NaN is not
        inputs=len(computed),
        values=computed.size + apart.size,
        different=int(np.count_nonzero(computed != expected) + np.count_nonzero(apart)),
        same_top=int(np.count_nonzero(computed.argmax(1) == expected.argmax(1))),
        largest_difference=float(max(differences.max(), apart.max(initial=0.0))),
        tolerance=tolerance,
    )


def _features_apart(
    test: SelfTest, computed: list[NDArray[np.float32] | None]
) -> NDArray[np.float64]:
    """Return how far features lie from the stored ones; floats as shares of the largest one.

    Raises:
        EdgeclfError: the model has other features than those, or none.
    """
    expected = test.expected_features()
    if expected is None:
        return np.zeros(0)
    found = [features for features in computed if features is not None]
    if len(found) < len(computed) or found[0].shape != expected.shape[1:]:
        raise EdgeclfError(
            f"the self-test holds {expected.shape[1]} features, the model gives another number; "
            "convert it again"
        )
    apart = np.abs(np.stack(found).astype(np.float64) - expected)
    return apart if test.dtype == "uint8" else apart / max(1.0, float(np.abs(expected).max()))


def _encoded(features: list[NDArray[np.float32] | None]) -> str | None:
    found = [each for each in features if each is not None]
    if not found:
        return None
    stacked = np.stack(found)
    if not np.isfinite(stacked).all():
        raise ScoresError("the converted model computes features that are not numbers")
    return base64.b64encode(stacked.astype("<f4").tobytes()).decode()


def _outputs(
    interpreter: Interpreter, seed: int, grid: int
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Return the scores of an input and the mean of the second output, each in its own unit."""
    image = interpreter.get_input_details()[0]
    height, width = (int(size) for size in image["shape"][1:3])
    pixels = synthetic_input(seed, grid=grid, size_hw=(height, width))
    interpreter.set_tensor(image["index"], pixels[np.newaxis])
    interpreter.invoke()
    scores, *further = interpreter.get_output_details()
    output = np.asarray(interpreter.get_tensor(scores["index"])[0])
    if not further:
        return output, None
    zero_point = further[0]["quantization"][1]
    return output, mean_features(interpreter.get_tensor(further[0]["index"]), (0.0, zero_point))


def _entropy(interpreter: Interpreter, output: NDArray[Any]) -> float:
    zero_point = interpreter.get_output_details()[0]["quantization"][1]
    scores = np.maximum(np.nan_to_num(output.astype(np.float64) - zero_point), 0)
    shares = scores[scores > 0] / max(scores.sum(), 1e-12)
    return float(-(shares * np.log(shares)).sum())


def _tolerance(interpreter: Interpreter) -> float:
    if not float_operators(interpreter):
        return 0.0
    output = interpreter.get_output_details()[0]
    if not np.issubdtype(output["dtype"], np.floating):
        return 1.0  # a step
    types = {tensor["index"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    hybrid = any(
        {np.float32, np.int8}
        <= {types.get(int(index)) for index in (*op["inputs"], *op["outputs"])}
        for op in interpreter._get_ops_details()
        if op["op_name"] != "DELEGATE"
    )
    return HYBRID_TOLERANCE if hybrid else FLOAT_TOLERANCE
