"""The commands as functions: their options, defaults and checks serve the Python API too."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from os import PathLike
from typing import Any

import click

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.validation.arguments import as_path

_LARGEST = 2**63
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
    "fsspec": "bulk",
    "pyarrow": "bulk",
    "ray": "bulk",
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
    *arguments: str | PathLike[str],
    options: Mapping[str, object],
) -> Iterator[dict[str, Any]]:
    """Yield the values of a command's parameters, checked as on the command line.

    Args:
        command: the command.
        arguments: its arguments.
        options: its options, by name with underscores; None and False are left at their defaults,
            True is a flag, and a list or a tuple is separated by commas.

    Raises:
        EdgeclfError: an argument is no path, an option does not exist or has no such value, or,
            while the block runs, a package of the extra `train` or `report` is missing.
    """
    types = {option: each.type for each in command.params for option in each.opts}
    words = [word for name, value in options.items() for word in _words(name, value, types)]
    places = [str(as_path(each, name=command.params[0].name or "argument")) for each in arguments]
    words += ["--", *places]
    try:
        with command.make_context(command.name or "", words) as context:
            yield context.params
    except click.UsageError as error:
        raise EdgeclfError(error.format_message()) from None
    except ModuleNotFoundError as error:
        if (line := missing_extra(error)) is None:
            raise
        raise EdgeclfError(line) from None


def _words(name: str, value: object, types: Mapping[str, object]) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    if value is True:
        return [option]
    if isinstance(types.get(option), click.Path):
        return [f"{option}={as_path(value, name=name)}"]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [f"{option}={','.join(map(str, value))}"]
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise EdgeclfError(f"{name}: a number of more than 64 bits; give a smaller one")
    if not isinstance(value, str | PathLike | Real):
        raise EdgeclfError(f"{name} {value!r:.80}: give a text, a number, or a list of these")
    return [f"{option}={value}"]
