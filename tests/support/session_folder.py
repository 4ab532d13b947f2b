"""Folders that are made once a session, whichever of pytest-xdist's workers needs them first."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MakeOnce = Callable[[str, Callable[[Path], object]], Path]


def session_folder(factory: pytest.TempPathFactory) -> MakeOnce:
    """Return what makes a folder of the session: its name, and what fills it, given its path."""
    of_worker = "PYTEST_XDIST_WORKER" in os.environ
    base = factory.getbasetemp()
    root = base.parent if of_worker else base

    def make_once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, finished = root / name, root / f"{name}.finished"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the others wait until it is whole
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                fill(folder)
                finished.touch()
        return folder

    return make_once
