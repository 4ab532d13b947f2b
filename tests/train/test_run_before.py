"""The run that `edgeclf train --overwrite` replaces is kept until the new one is finished."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from edgeclf.models.run import RUN_NAMES, read_run
from edgeclf.train import training
from edgeclf.train.fitting.history import History

Train = Callable[..., Result]


@pytest.fixture
def finished(train_quick: Train, surfaces: Path, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    train_quick(surfaces, run)
    return run


def digest(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RUN_NAMES}


def test_it_stands_until_the_new_one_does(
    train_quick: Train, finished: Path, surfaces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(finished)

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(training, "fit", fail)
        result = train_quick(surfaces, finished, "--overwrite", "--seed", 1, code=1)
    assert f"The run before is in {finished / 'previous'}" in result.output
    assert digest(finished / "previous") == before
    assert read_run(finished / "previous").seed == 0
    train_quick(surfaces, finished, "--overwrite", "--seed", 1)
    assert not (finished / "previous").exists()
    assert read_run(finished).seed == 1


def test_an_interrupted_one_does_not_take_its_place(
    train_quick: Train, finished: Path, surfaces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(finished)
    record = History.on_epoch_end

    def interrupted(self: History, epoch: int, logs: dict[str, float]) -> None:
        record(self, epoch, logs)
        raise KeyboardInterrupt

    for seed in (1, 2):
        with monkeypatch.context() as patched:
            patched.setattr(History, "on_epoch_end", interrupted)
            more = ("--overwrite", "--seed", seed, "--epochs", 2)
            result = train_quick(surfaces, finished, *more)
        assert f"The run before is in {finished / 'previous'}" in result.output
        assert (finished / "metrics.json").exists()
        assert digest(finished / "previous") == before
    train_quick(surfaces, finished, "--seed", 2, "--epochs", 2, "--resume")
    assert not (finished / "previous").exists()


@pytest.mark.parametrize("moment", ["copy2", "rmtree"])
def test_stopped_while_it_is_kept_aside(
    train_quick: Train,
    finished: Path,
    surfaces: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    before = digest(finished)
    real = getattr(shutil, moment)
    calls: list[object] = []

    def stop(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, moment, stop)
        train_quick(surfaces, finished, "--overwrite", "--seed", 1, code=130)
    assert digest(finished) == before
    train_quick(surfaces, finished, "--overwrite", "--seed", 1)
    assert not list(finished.glob("*previous*"))


@pytest.mark.parametrize("place", ["", "previous"])
def test_it_is_not_its_own_teacher(
    train_quick: Train, finished: Path, surfaces: Path, place: str
) -> None:
    teacher = finished / place
    if place:
        shutil.copytree(finished, teacher)
    before = digest(teacher)
    more = ("--overwrite", "--distill-from", teacher)
    result = train_quick(surfaces, finished, *more, code=1)
    assert f"{teacher}: is learned from, and would go once {finished} is written" in result.output
    assert digest(teacher) == before
