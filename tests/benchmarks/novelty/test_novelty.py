"""`edgeclf benchmark novelty`: what it counts, what it writes, what it refuses."""

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from schemas import valid_file

from edgeclf.benchmarks.novelty.disturbances import DISTURBANCES, distinct
from edgeclf.benchmarks.novelty.scores import Answers, score_foreign, score_known
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image
from edgeclf.models.metrics.detection import group_numbers


def answers(deviations: list[float], labels: str) -> Answers:
    doubts = np.linspace(0, 1, len(deviations))
    return Answers(np.asarray(deviations), doubts, tuple(labels))


def test_what_is_counted() -> None:
    known = answers([0.0, 1.0, 3.0, 0.5], "aaub")
    groups = group_numbers(["x", "x", "y", "z"])
    counted = score_known(known, groups, limit=2.0)
    assert (counted.images, counted.groups) == (4, 3)
    assert counted.unknown.value == pytest.approx(1 / 3)
    assert counted.said == {"a": 2, "u": 1, "b": 1}
    foreign = score_foreign(known, answers([4.0, 1.0], "ub"), name="hands", limit=2.0)
    assert foreign.caught.value == 0.5
    assert foreign.auroc == pytest.approx((4 + 2.5) / 8)
    assert foreign.curve[0] == (0, 0)
    assert foreign.curve[-1] == (1, 1)


def test_disturbances_are_what_their_names_say() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    made = {name: disturb(rgb) for name, disturb in DISTURBANCES.items()}
    assert {image.shape for image in made.values()} == {rgb.shape}
    assert {image.dtype for image in made.values()} == {np.dtype(np.uint8)}
    assert (made["black frame"].max(), made["white frame"].min()) == (0, 255)
    np.testing.assert_array_equal(made["upside down"][0], rgb[-1, ::-1])
    assert made["strong blur"].std() < rgb.std() / 4
    red, _, blue = made["colour cast"].mean((0, 1)) / rgb.mean((0, 1))
    assert red > 1.1
    assert blue < 0.7
    red, green, blue = made["finger on the lens"].mean((0, 1))
    assert red > green > blue
    repeated = np.stack([made["noise"], DISTURBANCES["noise"](rgb), made["black frame"]])
    assert len(distinct(repeated)) == 2


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six pictures of noise."""
    folder = tmp_path_factory.mktemp("foreign") / "noise"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), pixels)
    return folder


def test_the_command_writes_a_table_a_page_and_figures(
    cli, tiny_models: Path, tiny_run: Path, foreign: Path, tmp_path: Path
) -> None:
    path = tiny_models / "int8.tflite"
    figures, page = tmp_path / "novelty.json", tmp_path / "novelty.html"
    command = ("benchmark", "novelty", path, "--run", tiny_run, "--foreign", foreign)
    shown = cli(*command, "--json", figures, "--report", page).stdout
    report = valid_file("models/benchmark-novelty", figures)
    assert [one["name"] for one in report["foreign"]] == ["noise"]
    assert [one["name"] for one in report["disturbed"]] == list(DISTURBANCES)
    assert report["foreign"][0]["images"] == 6
    classifier = Classifier(path)
    novel = [
        classifier.classify(read_image(each)).novelty_reason is not None
        for each in foreign.iterdir()
    ]
    assert report["foreign"][0]["caught"]["value"] == pytest.approx(np.mean(novel))
    spec = json.dumps(report["threshold"])
    assert spec == json.dumps(classifier.spec.novelty.threshold)
    for name in ("known", "noise", *DISTURBANCES):
        assert name in shown
    text = page.read_text()
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    assert "AUROC" in text


def test_known_images_can_be_a_folder(cli, tiny_models: Path, surfaces: Path) -> None:
    shown = cli("benchmark", "novelty", tiny_models / "int8.tflite", "--data", surfaces).stdout
    [known] = [line for line in shown.splitlines() if line.startswith("known ")]
    assert known.split()[1] == "96"


def test_what_is_missing_is_named(cli, tiny_models: Path, tmp_path: Path) -> None:
    command = ("benchmark", "novelty", tiny_models / "int8.tflite")
    assert "no known images; add --run RUN, or --data FOLDER" in cli(*command, code=1).output
    missing = tmp_path / "nothing"
    result = cli(*command, "--data", missing, code=1)
    assert str(missing) in result.output
