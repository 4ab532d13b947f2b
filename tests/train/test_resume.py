"""`edgeclf train --resume`: a training that was killed ends as if it had not been."""

import csv
import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from killed_training import kill

from edgeclf.models.networks.weights import read_weights


def options(tiny_run: Path, data: Path, out: Path) -> tuple[object, ...]:
    """Return a training in two phases, each of whose schedules has something to remember."""
    return (
        *("train", data, "--out", out, "--arch", "densenet-tiny"),
        *("--weights", tiny_run / "model.keras", "--schedule", "plateau", "--patience", 2),
        *("--head-epochs", 4, "--head-draws", 2, "--epochs", 4, "--tensorboard"),
    )


def shown(run: Path) -> tuple[Any, ...]:
    """Return all that a run tells of its training but the time it took."""
    with (run / "history.csv").open(newline="") as file:
        history = [{**row, "seconds": None} for row in csv.DictReader(file)]
    metrics = json.loads((run / "metrics.json").read_text()) | {"seconds": None}
    metrics["best_epoch"]["seconds"] = None
    return history, metrics, {path.name for path in run.iterdir()}


def curves(run: Path) -> dict[tuple[str, str, int], float]:
    """Return what TensorBoard finds of a run: the value of each part, figure and epoch."""
    found = {}
    for path in sorted(run.glob("logs/*/events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                figure = (path.parent.name, value.tag, event.step)
                found[figure] = float(tf.make_ndarray(value.tensor))
    return {figure: value for figure, value in found.items() if figure[1] != "seconds"}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_same(run: Path, other: Path) -> None:
    assert shown(run) == shown(other)
    weights = read_weights(other / "model.keras")
    for name, arrays in read_weights(run / "model.keras").items():
        for one, two in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.fixture(scope="module")
def whole(cli, tiny_run: Path, surfaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a training that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    cli(*options(tiny_run, surfaces, out))
    return out


def test_killed_in_either_phase(cli, whole, tiny_run, surfaces: Path, tmp_path: Path) -> None:
    killed = options(tiny_run, surfaces, tmp_path / "killed")
    assert "Features of the backbone" in kill("head", 3, "in a step", killed)
    output = kill("fine-tune", 2, "in the checkpoint", (*killed, "--resume"))
    assert "Going on after epoch 2 of" in output
    assert "Features of the backbone" not in output
    assert list((tmp_path / "killed").glob(".*.npz"))
    result = cli(*killed, "--resume")
    assert "Going on after epoch 1 of" in result.output
    assert_same(tmp_path / "killed", whole)
    assert curves(tmp_path / "killed") == curves(whole)


def test_killed_from_scratch(train_tiny, tiny_run: Path, surfaces: Path, tmp_path: Path) -> None:
    killed = ("train", surfaces, "--out", tmp_path / "run", "--arch", "densenet-tiny")
    killed = (*killed, "--weights", "none", "--epochs", 2)
    kill("scratch", 2, "before the checkpoint", killed)
    train_tiny(surfaces, tmp_path / "run", "--resume")
    assert_same(tmp_path / "run", tiny_run)


@pytest.fixture(scope="module")
def unfinished(cli, tiny_run, surfaces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a training whose disk was full between its phases."""
    out = tmp_path_factory.mktemp("unfinished") / "run"
    save, calls = np.savez, []

    def full(*arguments: Any, **arrays: Any) -> None:
        calls.append(arguments)
        if len(calls) > 6:  # the features, the beginning, and the head's four epochs
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*arguments, **arrays)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "savez", full)
        result = cli(*options(tiny_run, surfaces, out), code=1)
    expected = f"{out}/checkpoint.npz: cannot be written (No space left on device); free some"
    assert expected in result.stderr
    return out


@pytest.fixture
def copy(unfinished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(unfinished, tmp_path / "run"))


def test_after_a_full_disk(cli, whole, tiny_run, surfaces: Path, copy: Path) -> None:
    command = options(tiny_run, surfaces, copy)
    result = cli(*command, code=1)
    assert "holds a training that was interrupted; go on with --resume" in result.stderr
    cli(*command, "--resume")
    assert_same(copy, whole)
    before = contents(copy)
    assert f"{copy}: finished already\n" in cli(*command, "--resume").output
    shown = cli(*command, "--resume", "--recall", 0.9).output
    assert f"left as they are, edgeclf evaluate {copy} --recall 0.9" in shown
    result = cli(*command, "--resume", "--dropout", 0.3, code=1)
    assert "metrics.json: of a training with dropout 0.2, now it is 0.3; repeat" in result.stderr
    assert contents(copy) == before
    result = cli(*command, code=1)
    assert "holds a run already" in result.stderr
    (copy / "metrics.json").unlink()
    result = cli(*command, "--resume", code=1)
    assert "holds a run already" in result.stderr


def test_folds_go_on_in_the_one_that_was_killed(
    train_quick, surfaces: Path, tmp_path: Path
) -> None:
    options = ("--epochs", 2, "--folds", 2)
    train_quick(surfaces, tmp_path / "whole", *options)
    killed = ("train", surfaces, "--arch", "densenet-tiny", "--weights", "none", *options)
    killed = (*killed, "--out", tmp_path / "killed", "--resume")
    kill("scratch", 2, "in a step", killed, eager=True)
    output = kill("scratch", 1, "in a step", killed, eager=True)  # the first fold is beyond that
    assert "Going on after epoch 1 of" in output
    assert "Fold 2 of 2" in output
    first = contents(tmp_path / "killed" / "fold-1")
    result = train_quick(surfaces, tmp_path / "killed", *options, "--resume")
    assert "fold-1: finished already" in result.output
    assert contents(tmp_path / "killed" / "fold-1") == first
    for name in ("fold-1", "fold-2"):
        assert_same(tmp_path / "killed" / name, tmp_path / "whole" / name)
    one, two = ((tmp_path / run / "folds.json").read_text() for run in ("killed", "whole"))
    assert one == two


def test_no_training_goes_on_from_another_s(cli, tiny_run, surfaces: Path, copy: Path) -> None:
    before = contents(copy)
    for other, expected in (
        (("--dropout", 0.3), "of a training with dropout 0.2, now it is 0.3; repeat"),
        (("--val-fraction", 0.2), "of a training with val_fraction 0.15, now it is 0.2; repeat"),
        (("--seed", 1), "of a training with seed 0, now it is 1; repeat"),
    ):
        result = cli(*options(tiny_run, surfaces, copy), "--resume", *other, code=1)
        assert expected in result.stderr
        assert contents(copy) == before


@pytest.mark.parametrize("damage", ["empty", "no archive", "a few bytes"])
def test_a_damaged_checkpoint_is_one_line(
    cli, tiny_run, surfaces: Path, copy: Path, damage: str
) -> None:
    path = copy / "checkpoint.npz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "no archive": b"no archive",
            "a few bytes": whole[:middle] + b"?" * 64 + whole[middle + 64 :],
        }[damage]
    )
    result = cli(*options(tiny_run, surfaces, copy), "--resume", code=1)
    assert f"{path}: no readable checkpoint, damaged" in result.stderr.splitlines()[-1]


def test_the_curves_are_those_of_the_history(whole: Path) -> None:
    found = curves(whole)
    with (whole / "history.csv").open(newline="") as file:
        for step, row in enumerate(csv.DictReader(file), 1):
            assert found["train", "loss", step] == pytest.approx(float(row["loss"]))
            assert found["validation", "accuracy", step] == pytest.approx(
                float(row["val_accuracy"])
            )
    assert len(found) == 8 * 5


def test_curves_that_cannot_be_written_are_one_line(train_tiny, surfaces, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    result = train_tiny(surfaces, tmp_path, "--tensorboard", code=1)
    assert f"{tmp_path}/logs: cannot be written (" in result.stderr.splitlines()[-1]
