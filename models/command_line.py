"""The commands as functions: their options, defaults and checks serve the Python API too."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ..edge_runtime.errors import EdgeclfError

# The extra that brings each package, by the name that is imported.
_EXTRAS = {
    "keras": "train",
    "tensorflow": "train",
    "tf_keras": "train",
    "h5py": "train",
    "matplotlib": "train",
    "tensorflow_model_optimization": "train",
    "jinja2": "report",
    "markupsafe": "report",
}


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return what to install for a missing package, as a line; None for a package of no extra."""
    if error.name not in _EXTRAS:
        return None
    extra = _EXTRAS[error.name]
    what = "an HTML report" if extra == "report" else "this"
    return f"{what} needs {error.name}: pip install 'edgeclf[{extra}]'"


@contextmanager
def command_values(
    command: click.Command,
    *arguments: str | os.PathLike[str],
    options: Mapping[str, object],
) -> Iterator[dict[str, Any]]:
    """Yield the values of a command's parameters, checked as on the command line.

    Args:
        command: the command.
        arguments: its arguments.
        options: its options, by name with underscores; None and False are left at their defaults,
            True is a flag, and a list or a tuple is separated by commas.

    Raises:
        EdgeclfError: an option does not exist or has no such value, or, while the block runs, a
            package of the extra `train` or `report` is missing.
    """
    words = [word for name, value in options.items() for word in _words(name, value)]
    words += ["--", *(str(argument) for argument in arguments)]
    try:
        with command.make_context(command.name or "", words) as context:
            yield context.params
    except click.UsageError as error:
        raise EdgeclfError(error.format_message()) from None
    except ModuleNotFoundError as error:
        if (line := missing_extra(error)) is None:
            raise
        raise EdgeclfError(line) from None


def _words(name: str, value: object) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    if value is True:
        return [option]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [f"{option}={','.join(map(str, value))}"]
    return [f"{option}={value}"]
