"""What was acknowledged is there, whatever happens: after kill -9, and with two teachers."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.teach.photographs import read_photograph
from edgeclf.edge_runtime.teach.teaching import Teaching, taught_before

# Teaches lesson after lesson, and says each that is acknowledged.
TEACHER = """
import sys
from pathlib import Path
import cv2, numpy as np
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.teach.photographs import read_photograph
from edgeclf.edge_runtime.teach.teaching import Teaching, taught_before
model, out, start = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
classifier = Classifier(taught_before(model, out), threads=1)
teaching = Teaching(classifier, out)
for number in range(start, 10_000):
    image = np.random.default_rng(number).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    photograph = read_photograph(classifier, data, name="a.png")
    teaching.teach("noise", [photograph])
    print(photograph.sha256, flush=True)
"""


@pytest.fixture
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def noise(classifier: Classifier, seed: int):
    import cv2
    import numpy as np

    image = np.random.default_rng(seed).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    return read_photograph(classifier, data, name=f"{seed}.png")


def teacher(model: Path, out: Path, *, start: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", TEACHER, str(model), str(out), str(start)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def digests(path: Path) -> list[str]:
    taught = Classifier(path).spec.taught
    return [] if taught is None else [digest for digest, _, _ in taught.photographs]


def test_kill_9_loses_nothing_that_was_acknowledged(model: Path, tmp_path: Path) -> None:
    out, acknowledged, draw = tmp_path / "new.tflite", [], random.Random(0)
    for round_ in range(2):
        process = teacher(model, out, start=1000 * round_)
        assert process.stdout is not None
        for _ in range(4):
            acknowledged.append(process.stdout.readline().strip())
        time.sleep(draw.random() / 50)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.read().split()
        process.wait()
        known = digests(out)
        assert set(acknowledged) <= set(known)
        kept = {path.stem for path in (tmp_path / "new.photos" / "noise").glob("*.png")}
        assert {digest[:16] for digest in known} <= kept
        assert Classifier(out).self_test().passed


def test_killed_between_the_photograph_and_the_file(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.tflite"
    code = TEACHER.replace(
        "teaching = Teaching(classifier, out)",
        "import os, edgeclf.edge_runtime.teach.teaching as module\n"
        "module.write_bytes = lambda path, data: os.kill(os.getpid(), 9)\n"
        "teaching = Teaching(classifier, out)",
    )
    done = subprocess.run([sys.executable, "-c", code, str(model), str(out), "0"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    [photograph] = (tmp_path / "new.photos" / "noise").iterdir()
    process = teacher(model, out)
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    process.kill()
    process.communicate()
    assert photograph.stem == first[:16]
    assert first in digests(out)


def test_two_teachers_of_a_file_lose_nothing(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.tflite"
    one, other = Classifier(model, threads=1), Classifier(model, threads=1)
    first, second = Teaching(one, out), Teaching(other, out)
    photographs = [noise(one, seed) for seed in range(4)]
    for place, photograph in enumerate(photographs):
        (first, second)[place % 2].teach("noise", [photograph])
    assert digests(out) == [photograph.sha256 for photograph in photographs]
    assert other.spec == Classifier(out).spec
    second.undo()
    assert digests(out) == [photograph.sha256 for photograph in photographs[:3]]


def test_a_full_disk_changes_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new.tflite"
    classifier = Classifier(model, threads=1)
    teaching = Teaching(classifier, out)
    teaching.teach("noise", [noise(classifier, 0)])
    before, spec = out.read_bytes(), classifier.spec

    def full(path: Path, _data: bytes) -> None:
        raise EdgeclfError(f"{path}: cannot be written (No space left on device); free some")

    monkeypatch.setattr("edgeclf.edge_runtime.teach.teaching.write_bytes", full)
    with pytest.raises(EdgeclfError, match="No space left"):
        teaching.teach("noise", [noise(classifier, 1)])
    assert out.read_bytes() == before
    assert classifier.spec is spec


def test_a_file_holds_so_many_photographs(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclf.edge_runtime.teach.lessons.MOST_PHOTOGRAPHS", 2)
    classifier = Classifier(model, threads=1)
    with pytest.raises(EdgeclfError, match="3 taught photographs; a file holds 2 at most"):
        Teaching(classifier, tmp_path / "new.tflite").teach(
            "noise", [noise(classifier, seed) for seed in range(3)]
        )
    assert list(tmp_path.iterdir()) == []


def test_another_model_is_not_written_over(model: Path, tiny_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.tflite"
    assert taught_before(model, out) == model
    out.write_bytes((tiny_models / "float32.tflite").read_bytes())
    with pytest.raises(EdgeclfError, match="of another model than"):
        taught_before(model, out)
    with pytest.raises(EdgeclfError, match="as it was converted, it stays as it is"):
        taught_before(model, model)
