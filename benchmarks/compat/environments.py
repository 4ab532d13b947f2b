"""The Python environments of the rows: made by uv, pinned, kept, and made anew for other pins."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeclf.benchmarks.pi_emulation.cache import keep_folder
from edgeclf.benchmarks.pi_emulation.debian import UnavailableError, unreachable
from edgeclf.benchmarks.pi_emulation.processes import FailedError, run_quietly

_PINS = Path(__file__).with_name("requirements.txt")
_NO_PYTHON = "No interpreter found"


@dataclass(frozen=True)
class Environment:
    """An environment of its own.

    Attributes:
        name: its section in requirements.txt.
        python: the version of Python, like 3.11.
        requirements: what is installed, each with its version.
    """

    name: str
    python: str
    requirements: tuple[str, ...]


def environment(name: str) -> Environment:
    """Return the environment that requirements.txt pins under `name`."""
    return read_environments(_PINS.read_text())[name]


def read_environments(text: str) -> dict[str, Environment]:
    """Return the environments of a pins file: `[name] python 3.11`, then a requirement a line."""
    found: dict[str, Environment] = {}
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        if line.startswith("["):
            name, _, python = line.removeprefix("[").partition("] python ")
            found[name] = Environment(name, python, ())
        elif line:
            name, last = found.popitem()
            found[name] = Environment(name, last.python, (*last.requirements, line))
    return found


def environment_python(environment: Environment, work: Path) -> Path:
    """Return the environment's interpreter; it is made below `work` if need be.

    Raises:
        UnavailableError: there is no such Python here, or the registry cannot be reached.
        EdgeclfError: the packages cannot be installed.
    """
    folder = work / "environments" / environment.name
    keep_folder(
        folder,
        f"Installing {', '.join(environment.requirements[:1])}",
        pins=[environment.python, *environment.requirements, sys.version],
        make=lambda empty: _make(environment, empty),
    )
    return folder / "venv" / "bin" / "python"


def _make(environment: Environment, folder: Path) -> None:
    uv = (sys.executable, "-m", "uv")
    place = folder / "venv"
    # keep_folder moves the folder once it is whole, which a relocatable environment survives.
    create = (*uv, "venv", "--quiet", "--relocatable", "--python", environment.python, place)
    install = (*uv, "pip", "install", "--quiet", "--python", place / "bin" / "python")
    commands: list[Sequence[str | Path]] = [create, (*install, *environment.requirements)]
    for command in commands:
        try:
            run_quietly(f"installing {environment.name}", command)
        except FailedError as error:
            shutil.rmtree(folder)
            if _NO_PYTHON in error.output:
                raise UnavailableError(f"there is no Python {environment.python} here") from None
            away = unreachable(error.output)
            if away is not None:
                raise UnavailableError(f"no connection ({away})") from None
            raise
