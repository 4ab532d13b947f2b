"""`edgeclf train --distill-from RUN --unlabelled FOLDER`: what only the teacher scores."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from schemas import valid_file

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.models.data.augment import AugmentConfig
from edgeclf.models.data.batches import TrainBatches
from edgeclf.models.data.examples import NO_CLASS, Split, image_weights
from edgeclf.train.fitting.losses import DistillationLoss, accuracy

STILL = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0)


def test_what_has_no_label_is_taught_by_the_teacher_alone() -> None:
    student = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]], np.float32)
    teacher = np.array([[0.1, 0.8, 0.1], [0.5, 0.25, 0.25]], np.float32)
    without = np.concatenate([np.zeros((2, 3), np.float32), teacher], 1)
    labelled = np.concatenate([np.eye(3, dtype=np.float32)[:2], teacher], 1)
    loss = DistillationLoss(weight=0.6, temperature=1, label_smoothing=0.1)
    divergence = (teacher * np.log(teacher / student)).sum(1)
    np.testing.assert_allclose(loss.call(without, student), 0.6 * divergence, rtol=1e-5)
    assert (np.asarray(loss.call(labelled, student)) > 0.6 * divergence).all()
    np.testing.assert_array_equal(accuracy(labelled, student), [1, 1])
    np.testing.assert_array_equal(accuracy(without, student), [0, 0])


def test_an_epoch_shows_what_has_no_label_with_a_weight_of_one() -> None:
    classes = np.array([0, 0, 0, 1, NO_CLASS, NO_CLASS])
    weights = image_weights(classes, rule="balanced")
    np.testing.assert_allclose(weights[:4], image_weights(classes[:4], rule="balanced"))
    np.testing.assert_array_equal(weights[4:], 1)
    pixels = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 4, 4, 3), np.uint8)
    batches = TrainBatches(
        Split(pixels, classes), classes=2, batch_size=6, config=STILL, class_weights="balanced",
        seed=(0,), teacher=lambda images: np.full((len(images), 2), 0.5, np.float32),
    )  # fmt: skip
    images, targets, shown = batches[0]
    place = images[:, 0, 0, 0].astype(int)
    assert sorted(place) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(targets[:, :2].sum(1), place < 4)
    np.testing.assert_array_equal(targets[:, 2:], 0.5)
    np.testing.assert_array_equal(shown, weights[place])


def test_a_student_learns_from_photographs_without_labels(
    train_quick, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    write_surfaces(more, per_class=3, size=48, seed=9)
    (more / "torn.png").write_bytes(b"torn")
    (more / "notes.txt").write_text("of the camera")
    with (tiny_run / "split.csv").open(newline="") as file:
        known = {row["split"]: row["path"] for row in csv.DictReader(file)}
    for split in ("train", "test"):
        shutil.copy(surfaces / known[split], more / f"again-{split}.png")
    command = (
        *("--weights", tiny_run / "model.keras", "--head-epochs", 2, "--head-draws", 1),
        *("--distill-from", tiny_run, "--unlabelled", more),
    )
    out = tmp_path / "student"
    said = train_quick(surfaces, out, *command).output
    for line in (
        "skipped 1 .txt",
        "torn.png",
        f"{more}: near-duplicates of test images left out: 1",
        f"{more}: near-duplicates of train images left out: 1",
    ):
        assert line in said
    assert (out / "split.csv").read_text() == (tiny_run / "split.csv").read_text()
    metrics = valid_file("training/metrics", out / "metrics.json")
    images = json.loads((tiny_run / "metrics.json").read_text())["images"]
    assert metrics["images"] == images | {"unlabelled": 12}
    config = valid_file("training/config", out / "config.json")
    assert config["distill"]["unlabelled"] == str(more.resolve())

    again = train_quick(surfaces, out, *command, "--resume").output
    assert "finished already" in again
    write_surfaces(more / "new", per_class=1, size=48, seed=10)
    other = train_quick(surfaces, out, *command, "--resume", code=1).output
    assert "of a training with other unlabelled images than now; bring those back" in other


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (("--unlabelled", "more"), 2, "--unlabelled needs a teacher; add --distill-from RUN"),
        (("--unlabelled", "none", "--distill-from"), 1, "none: no such folder"),
        (("--unlabelled", "more", "--distill-from"), 1, "more: holds no photograph that can be"),
        (("--distill-temperature", "2"), 2, "--distill-temperature needs a teacher; add --distill"),
        (
            ("--unlabelled", "more", "--distill-weight", "0", "--distill-from"),
            *(2, "give a --distill-weight above 0"),
        ),
        (
            ("--distill-temperature", "1000", "--distill-from"),
            *(2, "1000.0 is not in the range 0.1<=x<=100"),
        ),
        (
            ("--unlabelled", "more", "--out", "more/run", "--distill-from"),
            *(1, "more/run: lies in the folder of images more"),
        ),
        (
            ("--unlabelled", "more", "--sampling", "balanced", "--distill-from"),
            *(2, "--sampling balanced needs labels; leave out --unlabelled"),
        ),
    ],
)
def test_photographs_that_cannot_serve_are_refused(
    train_quick, tiny_run: Path, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...], code: int, expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    words = [*options, tiny_run] if options[-1] == "--distill-from" else options
    said = train_quick(surfaces, tmp_path / "out", *words, code=code).output
    assert expected in " ".join(said.split())
    assert not (tmp_path / "out").exists()
