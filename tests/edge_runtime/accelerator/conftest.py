"""A delegate made of `delegate.c`, with what it has to answer to a trial and to a photograph."""

import subprocess
from pathlib import Path

import cv2
import pytest
from delegates import Delegates, recording_of
from session_folder import MakeOnce
from skips import require_linux, require_program

from edgeclf.edge_runtime.accelerator.trial_process import trial_inputs
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.self_test import synthetic_input

SOURCE = Path(__file__).with_name("delegate.c")


@pytest.fixture(scope="session")
def delegates(tiny_models: Path, make_once: MakeOnce) -> Delegates:
    """The delegate for the tiny int8 model."""
    require_linux()
    compiler = require_program("gcc")

    def make(folder: Path) -> None:
        folder.mkdir()
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(SOURCE)]
        subprocess.run([*command, "-o", str(folder / "libfake.so")], check=True)
        classifier = Classifier(tiny_models / "int8.tflite")
        drawn = synthetic_input(7, grid=16, size_hw=(60, 80))
        assert cv2.imwrite(str(folder / "photo.png"), drawn)
        photo = classifier.preprocess(read_image(folder / "photo.png"))
        spec = classifier.spec
        assert spec.self_test is not None
        tested = [
            synthetic_input(seed, grid=grid, size_hw=spec.input_hw)
            for seed, grid in spec.self_test.inputs
        ]
        short = recording_of(classifier, [*tested, photo])
        (folder / "short").write_bytes(short)
        trial = recording_of(classifier, trial_inputs(spec.input_hw))
        (folder / "recording").write_bytes(short + trial)

    folder = make_once("delegates", make)
    return Delegates(
        model=tiny_models / "int8.tflite",
        photograph=folder / "photo.png",
        library=folder / "libfake.so",
        recording=folder / "recording",
        short=folder / "short",
    )
