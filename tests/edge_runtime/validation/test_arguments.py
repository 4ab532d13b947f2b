"""The public API refuses what is of another type in one line, and takes the numbers of NumPy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeclf import (
    Classifier,
    EdgeclfError,
    benchmark_models,
    convert_model,
    decode_image,
    evaluate_run,
    find_images,
    read_image,
    train_classifier,
)

PIXELS = np.zeros((8, 8, 3), np.uint8)


def refused(call: Callable[[], object], reason: str) -> None:
    """The call must end with one line."""
    with pytest.raises(EdgeclfError, match=reason) as error:
        call()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.fixture(scope="module")
def classifier(tiny_models: Path) -> Classifier:
    return Classifier(tiny_models / "int8.tflite", threads=np.int64(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [None, 5, b"a.tflite", "a\0b", "", ["a.tflite"]])
def test_what_is_no_path(path: Any, tmp_path: Path) -> None:
    calls: list[Callable[[], object]] = [
        lambda: Classifier(path),
        lambda: find_images(path),
        lambda: train_classifier(path, out=tmp_path / "run"),
        lambda: evaluate_run(path),
        lambda: evaluate_run(tmp_path, data=path or 5),
        lambda: convert_model(path, out=tmp_path / "models"),
        lambda: convert_model(tmp_path, out=path or 5),
        lambda: benchmark_models([path]),
        lambda: benchmark_models([tmp_path], data=path or 5),
    ]
    for call in calls:
        refused(call, "give the path of a file or folder, a str or pathlib.Path")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("models", ["int8.tflite", Path("int8.tflite"), 5, None])
def test_models_that_are_no_list(models: Any) -> None:
    refused(lambda: benchmark_models(models), "give a list of paths, also for one model")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"threads": "1"}, "threads '1': give 1 to 1024"),
        ({"threads": True}, "threads True: give 1 to 1024"),
        ({"threads": 10**5000}, "threads of type int: give 1 to 1024"),
        ({"thresholds": 0.5}, "thresholds 0.5: give scores by label, as a dict"),
        ({"thresholds": {"oil": "0.5"}}, "a threshold of '0.5' for 'oil'; give one from 0 to 1"),
        ({"thresholds": {"oil": None}}, "a threshold of None for 'oil'"),
        ({"runtime": "onnx"}, "runtime 'onnx': give one of interpreter, compiled"),
        ({"runtime": None}, "runtime None: give one of interpreter, compiled"),
    ],
)
def test_options_of_a_classifier(tiny_models: Path, options: dict[str, Any], reason: str) -> None:
    refused(lambda: Classifier(tiny_models / "int8.tflite", **options), reason)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"top": "2"}, "top '2': give the number of classes to list, 1 or more"),
        ({"top": True}, "top True: give the number"),
        ({"top": None}, "top None: give the number"),
        ({"threshold": "0.5"}, "threshold '0.5': give a score from 0 to 1"),
        ({"threshold": 10**5000}, "threshold of type int: give a score"),
        ({"threshold": None}, "threshold None: give a score"),
        ({"threshold": float("nan")}, "threshold nan: give a score"),
        ({"threshold": np.array([0.5, 0.5])}, "threshold array.*: give a score"),
        ({"threshold": {"oil": 0.5}}, "threshold {'oil': 0.5}: give a score"),
    ],
)
def test_options_of_a_prediction(
    classifier: Classifier, options: dict[str, Any], reason: str
) -> None:
    refused(lambda: classifier.classify(PIXELS, **options), reason)
    refused(lambda: classifier.classify_frame(PIXELS, **options), reason)
    refused(lambda: classifier.classify_batch([PIXELS], **options), reason)


def test_the_numbers_of_numpy_are_taken(classifier: Classifier) -> None:
    plain = classifier.classify(PIXELS, top=2, threshold=0.5)
    numpy: Any = {"top": np.int64(2), "threshold": np.float32(0.5)}
    found = classifier.classify(PIXELS, **numpy)
    assert (found.label, found.top) == (plain.label, plain.top)
    assert len(found.top) == 2


def test_what_is_no_batch_and_no_output(classifier: Classifier) -> None:
    nothing: Any = 5
    refused(lambda: classifier.classify_batch(nothing), "images 5: give a list")
    refused(lambda: classifier.classify_batch("ab"), "image 0 of the batch: an image of type str")  # type: ignore[arg-type]
    refused(lambda: classifier.dequantize(nothing), "an output 5: give what `infer` returns")
    refused(lambda: classifier.scores(nothing), "an image of type int")


@pytest.mark.parametrize("data", [None, 5, "text", [1, 2]])
def test_what_are_no_bytes(data: Any) -> None:
    refused(lambda: decode_image(data), "image: data of type .*; give the bytes of an image file")


@pytest.mark.parametrize("background", [-1, 256, "white", None, 1.5])
def test_what_is_no_grey(background: Any) -> None:
    refused(lambda: decode_image(b"x", background=background), "give a grey from 0 to 255")


def test_what_is_no_photograph() -> None:
    for path in (None, 5, b"a.png"):
        wrong: Any = path
        refused(lambda wrong=wrong: read_image(wrong), "give the path of a file")
    refused(lambda: read_image("a\0b"), "not empty and without a null character")


def test_options_of_another_type(tmp_path: Path) -> None:
    def train(**options: Any) -> object:
        return train_classifier(tmp_path, out=tmp_path / "run", **options)

    refused(lambda: train(epochs=[]), "--epochs")
    refused(lambda: train(learning_rate=float("nan")), "nan is not a finite number")
    refused(lambda: train(seed=b"1"), "seed b'1': give a text, a number, or a list of these")
    refused(lambda: train(seed=object()), "give a text, a number")
    refused(lambda: train(mixup="9" * 400), "99 is not a finite number")
    refused(lambda: train(mixup=10**5000), "mixup: a number of more than 64 bits")
    assert list(tmp_path.iterdir()) == []
