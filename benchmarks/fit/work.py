"""The steps of a fit on one candidate, each a command in a process of its own."""

import shlex
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import click

from ...edge_runtime.files import read_json
from ...models.run import METRICS_NAME
from ...train.command import train
from ...train.slim.command import slim
from .candidates import Candidate, option_default
from .child import failure, run_child
from .place import Measure
from .results import Finished, Rung, Search
from .scoring import score_file

_INT8 = "int8.tflite"
_SLIM = "slim"
_REPORT = "conversion.json"

Tick = Callable[[], object]


def train_arguments(candidate: Candidate, search: Search, run: Path) -> list[str]:
    """Return the command line of the candidate's training, after `edgeclf`."""
    options = {
        "--out": str(run),
        "--arch": candidate.architecture,
        "--weights": None if candidate.weights == "imagenet" else candidate.weights,
        "--groups": search.groups,
        "--input-size": str(candidate.input_size),
        "--epochs": _unless_default(train, "epochs", search.epochs),
        "--seed": _unless_default(train, "seed", search.seed),
    }
    return ["train", search.data, *_words(options)]


def slim_arguments(candidate: Candidate, search: Search, *, run: Path, out: Path) -> list[str]:
    """Return the command line that slims the candidate's run, after `edgeclf`."""
    epochs = min(search.epochs, option_default(slim, "epochs"))
    options = {
        "--out": str(out),
        "--keep": f"{candidate.keep:g}",
        "--epochs": _unless_default(slim, "epochs", epochs),
        "--seed": _unless_default(slim, "seed", search.seed),
    }
    return ["slim", str(run), *_words(options)]


def _unless_default(command: click.Command, name: str, value: int) -> str | None:
    return None if value == option_default(command, name) else str(value)


def _words(options: dict[str, str | None]) -> list[str]:
    return [word for name, value in options.items() if value for word in (name, value)]


def train_rung(
    candidate: Candidate, search: Search, *, root: Path, epochs: int, log: Path, tick: Tick
) -> Rung:
    """Train a candidate up to `epochs` epochs of all phases.

    Args:
        candidate: the network.
        search: what decides the figures.
        root: folder of the fit.
        epochs: where to stop.
        log: file that gets all that the training says.
        tick: is called about every second.

    Raises:
        EdgeclfError: the training fails.
    """
    started = perf_counter()
    answer = root / candidate.name / "rung.json"
    arguments = [epochs, answer, *train_arguments(candidate, search, _run(candidate, root))[1:]]
    if run_child("edgeclf.benchmarks.fit.rung", arguments, log=log, tick=tick):
        raise failure(log)
    best = read_json(answer)
    return Rung(
        epochs=epochs,
        val_loss=best["val_loss"],
        val_accuracy=best["val_accuracy"],
        seconds=round(perf_counter() - started, 1),
    )


def finish(
    candidate: Candidate,
    search: Search,
    *,
    root: Path,
    measure: Measure,
    log: Path,
    tick: Tick,
) -> Finished:
    """Train a candidate to its end, slim it where it says so, convert it to int8, score and time
    the file.

    Args:
        candidate: the network.
        search: what decides the figures.
        root: folder of the fit.
        measure: measures a file.
        log: file that gets all that the training says.
        tick: is called about every second.

    Raises:
        EdgeclfError: one of the steps fails.
    """
    started = perf_counter()
    run, models = _run(candidate, root), root / candidate.name / "models"
    arguments = [*train_arguments(candidate, search, run), "--resume"]
    if run_child("edgeclf", arguments, log=log, tick=tick):
        raise failure(log)
    if candidate.keep < 1:
        whole, run = run, root / candidate.name / _SLIM
        # Before its first epoch there is nothing to go on from: then it is made anew.
        slimming = slim_arguments(candidate, search, run=whole, out=run)
        arguments = [*slimming, "--resume", "--overwrite"]
        log = log.with_name("slim.log")
        if not (run / METRICS_NAME).is_file() and run_child(
            "edgeclf", arguments, log=log, tick=tick
        ):
            raise failure(log)
    report = models / _REPORT
    if not report.is_file():
        log = log.with_name("convert.log")
        arguments = ["convert", str(run), "--out", str(models), "--recipes", "int8"]
        run_child("edgeclf", arguments, log=log, tick=tick)
        # A file that fails the gate is there, and its verdict is in the report.
        if not report.is_file():
            raise failure(log)
    [converted] = [one for one in read_json(report)["models"] if one["recipe"] == "int8"]
    file = models / _INT8
    test = score_file(file, run=run, split="test")
    return Finished(
        file=file.relative_to(root).as_posix(),
        bytes=file.stat().st_size,
        latency=measure(file),
        val_loss=score_file(file, run=run, split="val").log_loss,
        accuracy=test.accuracy,
        images=test.images,
        largest_class=test.largest_class,
        drop_points=converted["drop_points"],
        gate=None if converted["gate"] is None else converted["gate"]["verdict"],
        seconds=round(perf_counter() - started, 1),
    )


def _run(candidate: Candidate, root: Path) -> Path:
    """Return the folder of the whole network's training, which its shares have in common."""
    return root / candidate.whole / "run"


def recommended_command(candidate: Candidate, search: Search) -> str:
    """Return the commands that make the candidate's file anew, as one types them."""
    run = Path("run")
    commands = [train_arguments(candidate, search, run)]
    if candidate.keep < 1:
        whole, run = run, Path(_SLIM)
        commands.append(slim_arguments(candidate, search, run=whole, out=run))
    commands.append(["convert", str(run), "--out", "models", "--recipes", "int8"])
    return " && ".join(shlex.join(["edgeclf", *command]) for command in commands)
