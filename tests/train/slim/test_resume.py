"""`edgeclf slim --resume`: a fine-tuning that was killed goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from killed_training import kill
from schemas import valid_file

from edgeclf.models.networks.weights import read_weights

Cli = Callable[..., Result]


def command(tiny_run: Path, out: Path) -> tuple[object, ...]:
    return ("slim", tiny_run, "--out", out, "--keep", 0.7, "--images", 20, "--epochs", 2)


@pytest.fixture(scope="module")
def killed(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed in the last epoch of its fine-tuning."""
    out = tmp_path_factory.mktemp("killed") / "run"
    assert "multiply-accumulates stay" in kill("fine-tune", 2, "in a step", command(tiny_run, out))
    return out


@pytest.fixture
def copy(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "run"))


def begun(run: Path) -> dict[str, object]:
    """Return what the checkpoint says that the training began with."""
    with np.load(run / "checkpoint.npz") as archive:
        key: dict[str, object] = json.loads(str(archive["state"]))["key"]
    return key


def test_it_goes_on_without_choosing_channels_again(
    cli: Cli, tiny_run: Path, copy: Path, tmp_path: Path
) -> None:
    key, history = begun(copy), (copy / "history.csv").read_text()
    before = valid_file("training/config", copy / "config.json")
    result = cli(*command(tiny_run, copy), code=1)
    assert "holds a training that was interrupted; go on with --resume" in result.stderr
    result = cli(*command(tiny_run, copy), "--resume")
    assert "Going on after epoch 1 of" in result.output
    assert "Removing channels" not in result.output
    assert valid_file("training/config", copy / "config.json") == before
    metrics = valid_file("training/metrics", copy / "metrics.json")
    assert metrics["trained_with"] == key
    assert not metrics["interrupted"]
    whole = tmp_path / "whole"
    cli(*command(tiny_run, whole))
    assert (copy / "history.csv").read_text().startswith(history)
    assert losses(copy) == pytest.approx(losses(whole), rel=1e-3)
    for name, arrays in read_weights(whole / "model.keras").items():
        for one, other in zip(arrays, read_weights(copy / "model.keras")[name], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
    assert {path.name for path in copy.iterdir()} == {path.name for path in whole.iterdir()}
    result = cli(*command(tiny_run, copy), "--resume")
    assert f"{copy}: finished already" in result.output


def losses(run: Path) -> list[float]:
    header, *rows = (run / "history.csv").read_text().splitlines()
    place = header.split(",").index("val_loss")
    return [float(row.split(",")[place]) for row in rows]


def test_it_goes_on_from_no_other_slimming(cli: Cli, tiny_run: Path, copy: Path) -> None:
    files = {path: path.read_bytes() for path in copy.iterdir()}
    for other, expected in (
        (("--keep", 0.8), "of a training with slim.keep 0.7, now it is 0.8; repeat"),
        (("--images", 10), "of a training with slim.images 20, now it is 10; repeat"),
        (("--epochs", 3), "of a training with phases.1.epochs 2, now it is 3; repeat"),
        (("--seed", 1), "of a training with seed 0, now it is 1; repeat"),
    ):
        result = cli(*command(tiny_run, copy), "--resume", *other, code=1)
        assert expected in result.stderr
        assert len(result.stderr.splitlines()[-1].split("Error: ")) == 2
    assert {path: path.read_bytes() for path in copy.iterdir()} == files


def test_it_goes_on_with_a_run_that_has_moved(
    cli: Cli, tiny_run: Path, copy: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(tiny_run, tmp_path / "moved"))
    result = cli(*command(moved, copy), "--resume")
    assert "Going on after epoch 1 of" in result.output
    result = cli(*command(tiny_run, copy), "--resume")
    assert f"{copy}: finished already" in result.output


def test_it_goes_on_with_no_run_that_says_something_else(
    cli: Cli, tiny_run: Path, copy: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(tiny_run, tmp_path / "other"))
    calibration = json.loads((other / "calibration.json").read_text())
    (other / "calibration.json").write_text(json.dumps(calibration | {"temperature": 9.0}))
    result = cli(*command(other, copy), "--resume", code=1)
    assert "of a training with other scores of the run that teaches than now;" in result.stderr


def test_without_fine_tuning_it_is_finished(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = (*command(tiny_run, out), "--epochs", 0, "--resume")
    assert "multiply-accumulates stay" in cli(*asked).output
    assert f"{out}: finished already" in cli(*asked).output


def test_it_goes_on_from_no_training(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny_run, tmp_path / "other"))
    result = cli(*command(tiny_run, other), "--resume", code=1)
    assert f"{other}: holds what `edgeclf train` left" in result.stderr


def test_with_nothing_to_go_on_from_it_begins(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    result = cli(*command(tiny_run, tmp_path / "new"), "--resume")
    assert "multiply-accumulates stay" in result.output
