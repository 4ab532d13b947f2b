"""The scripts of examples/, run as a reader would run them."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf import Classifier, find_images, read_image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="module")
def model(tiny_models: Path) -> Path:
    return tiny_models / "int8.tflite"


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_there_are_four() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"one_image.py", "folder.py", "camera_loop.py", "web_service.py"}


def test_one_image(model: Path, surfaces: Path) -> None:
    path = surfaces / "oil" / "oil_0001.png"
    expected = Classifier(model).classify(read_image(path), threshold=0.5)
    done = run("one_image.py", model, path)
    first, *others = done.stdout.splitlines()
    assert first.startswith(f"{expected.label}  {expected.score:.3f}  ")
    assert others[:3] == [f"  {score:.3f}  {label}" for label, score in expected.top]
    assert done.returncode == 0


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_missing_argument_is_a_line_on_the_usage(name: str) -> None:
    done = run(name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"usage: {name} [-h] model ")
    assert "the following arguments are required" in done.stderr


@pytest.mark.parametrize("name", ["one_image.py", "camera_loop.py"])
def test_a_model_that_is_not_there_is_one_line(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path / "gone.tflite", tmp_path / "photo.png")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")


def test_a_folder_is_sorted(model: Path, surfaces: Path, tmp_path: Path) -> None:
    photographs, out = tmp_path / "photos", tmp_path / "sorted"
    (photographs / "deeper").mkdir(parents=True)
    for place, path in enumerate(find_images(surfaces)[::8]):
        folder = photographs if place % 2 else photographs / "deeper"
        (folder / f"{place // 2}.png").write_bytes(path.read_bytes())
    (photographs / "deeper_0.png").write_bytes((photographs / "deeper" / "0.png").read_bytes())
    (photographs / "bad.png").write_bytes(b"no image")
    done = run("folder.py", model, photographs, out)
    assert done.returncode == 0
    assert "bad.png" in done.stderr
    classifier = Classifier(model)
    for path in find_images(photographs):
        is_bad = path.name == "bad.png"
        label = (
            "unreadable" if is_bad else classifier.classify(read_image(path), threshold=0.5).label
        )
        assert (out / label / path.relative_to(photographs)).read_bytes() == path.read_bytes()
    counts = dict(reversed(line.split()) for line in done.stdout.splitlines())
    assert counts == {folder.name: str(len(find_images(folder))) for folder in out.iterdir()}
    assert sum(map(int, counts.values())) == len(find_images(photographs))


def test_a_camera_loop(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for value in (0, 0, 255, 255, 255):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    done = run("camera_loop.py", model, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("frame 1: ")
    nothing = run("camera_loop.py", model, tmp_path / "gone.avi")
    assert nothing.returncode == 1
    assert "no frame comes" in nothing.stderr


@pytest.fixture
def service(model: Path) -> Iterator[str]:
    """The address of the service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, EXAMPLES / "web_service.py", model, str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/classify"
    finally:
        running.terminate()
        running.wait(20)


def post(address: str, data: bytes) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(address, data=data, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_web_service_answers_many_at_once(model: Path, surfaces: Path, service: str) -> None:
    paths = find_images(surfaces)[::6]
    classifier = Classifier(model)
    expected = [classifier.classify(read_image(path), threshold=0.5) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda path: post(service, path.read_bytes()), paths * 4))
    for (status, answer), prediction in zip(answers, expected * 4, strict=True):
        assert status == 200
        assert (answer["label"], answer["score"]) == (prediction.label, prediction.score)
    assert post(service, b"no image") == (
        400, {"error": "the upload: not an image that OpenCV can decode"}
    )  # fmt: skip
    assert post(service, bytes(20_000_001))[0] == 413
