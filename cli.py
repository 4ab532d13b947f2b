"""The command line: each folder brings its commands, which load TensorFlow only if they need it."""

import errno
from typing import Any

import click

from . import __version__
from .benchmarks.command import benchmark
from .benchmarks.demo import demo
from .convert.command import convert
from .edge_runtime.command import run
from .edge_runtime.errors import EdgeclfError
from .edge_runtime.inspect_command import inspect
from .edge_runtime.quiet import quiet_opencv
from .train.command import train

# What the user can mend is no bug: one line instead of a traceback.
_USERS_OS_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.ENOSPC,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
}
_TRAIN_EXTRA = {
    "keras",
    "tensorflow",
    "tf_keras",
    "h5py",
    "matplotlib",
    "tensorflow_model_optimization",
}


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeclfError as error:
            raise click.ClickException(str(error)) from None
        except ModuleNotFoundError as error:
            if error.name not in _TRAIN_EXTRA:
                raise
            raise click.ClickException(
                f"this command needs {error.name}: pip install 'edgeclf[train]'"
            ) from None
        except OSError as error:
            if error.errno not in _USERS_OS_ERRORS:
                raise
            raise click.ClickException(f"{error.filename or 'output'}: {error.strerror}") from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeclf")
def main() -> None:
    """From a folder of labelled photographs to a quantized classifier on the edge."""
    quiet_opencv()


for command in (train, convert, run, inspect, benchmark, demo):
    main.add_command(command)
