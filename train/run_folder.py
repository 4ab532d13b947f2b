"""The folder of a run: what a training may replace there, and what it keeps until it is done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..edge_runtime.errors import EdgeclfError, Interrupted
from ..edge_runtime.files import check_folder, remove_leftovers
from ..models.run import METRICS_NAME, MODEL_NAME, RUN_NAMES
from ..models.score_calibration import CALIBRATION_NAME
from .config import RunOptions
from .data.features import FEATURES_FILE
from .fitting.checkpoint import CHECKPOINT_NAME
from .fitting.event_log import LOGS_NAME, remove_events
from .fitting.history import HISTORY_NAME

CURVES_NAME = "curves.png"

# Where a run lies that is replaced, until the new one is finished.
PREVIOUS_NAME = "previous"

# Of the files that a training writes whole.
_SUFFIXES = (".csv", ".html", ".json", ".keras", ".md", ".npz", ".png", ".txt")


def check_out(out: Path, options: RunOptions, *, teacher: Path | None = None) -> None:
    """Raise EdgeclfError if `out` holds what `options` do not allow to replace or to finish, holds
    the run that teaches, or cannot be a folder."""
    check_folder(out)
    previous = out / PREVIOUS_NAME
    if teacher is not None and teacher.resolve() in (out.resolve(), previous.resolve()):
        raise EdgeclfError(
            f"{teacher}: is learned from, and would go once {out} is written; choose another --out"
        )
    unfinished = (out / CHECKPOINT_NAME).exists()
    if unfinished and not options.resume and not options.overwrite:
        raise EdgeclfError(
            f"{out}: holds a training that was interrupted; go on with --resume, or start anew "
            "with --overwrite"
        )
    asked = options.overwrite or (options.resume and (out / METRICS_NAME).exists())
    if (out / MODEL_NAME).exists() and not unfinished and not asked:
        raise EdgeclfError(f"{out}: holds a run already; choose another --out, or add --overwrite")


def make_room(out: Path, *, resume: bool) -> None:
    """Remove what an earlier training has left, but nothing that is needed to go on.

    A run that is finished is kept aside until the new one is.
    """
    if not resume and all((out / name).is_file() for name in (MODEL_NAME, METRICS_NAME)):
        # An interrupted one has scores, too: then what lies aside is the one that is finished.
        if not (out / CHECKPOINT_NAME).exists():
            _keep_aside(out)
        if (out / PREVIOUS_NAME).is_dir():
            where = out / PREVIOUS_NAME
            click.echo(f"The run before is in {where} until this one is finished", err=True)
    drawn = (HISTORY_NAME, CURVES_NAME)
    own = (MODEL_NAME, METRICS_NAME, CHECKPOINT_NAME, FEATURES_FILE, *drawn)
    of_another = () if resume else own
    for name in (*of_another, CALIBRATION_NAME):
        (out / name).unlink(missing_ok=True)
    if not resume:
        remove_events(out / LOGS_NAME)
    for suffix in _SUFFIXES:
        remove_leftovers(out, suffix)


def _keep_aside(out: Path) -> None:
    """Copy the run: at no time is there none that is whole, even if the process is killed."""
    previous, unfinished = out / PREVIOUS_NAME, out / f".{PREVIOUS_NAME}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in RUN_NAMES:
        if (out / name).is_file():
            shutil.copy2(out / name, unfinished)
    shutil.rmtree(previous, ignore_errors=True)
    unfinished.replace(previous)


@contextmanager
def interruption_says_how_to_go_on(out: Path) -> Iterator[None]:
    """Have Ctrl-C while the block runs say that --resume goes on, once there is a checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        if not (out / CHECKPOINT_NAME).exists():
            raise
        raise Interrupted("the same command with --resume goes on") from None


def remove_intermediate(out: Path) -> None:
    """Remove what a finished training needs no longer: the run before, and what --resume takes."""
    shutil.rmtree(out / PREVIOUS_NAME, ignore_errors=True)
    for name in (CHECKPOINT_NAME, FEATURES_FILE):
        (out / name).unlink(missing_ok=True)
