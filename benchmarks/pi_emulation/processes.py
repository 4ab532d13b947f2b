"""Other programs, run in silence until they fail."""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeclf.edge_runtime.errors import EdgeclfError


class FailedError(EdgeclfError):
    """A program failed: why, in a line, and all of its `output` for whoever looks closer."""

    def __init__(self, what: str, code: int, output: str) -> None:
        lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no message"]
        # A full disk is often reported early, and then what followed from it.
        full = [line for line in lines if os.strerror(errno.ENOSPC) in line]
        super().__init__(f"{what} ended with {code}: {(full or lines)[-1]}")
        self.output = output


def run_quietly(
    what: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> str:
    """Run `command` and return what it printed.

    Args:
        what: it is, for the error.
        command: and its arguments.
        env: its environment; None for ours.

    Raises:
        FailedError: its exit code was not 0.
    """
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(what, done.returncode, done.stdout + done.stderr)
    return done.stdout
