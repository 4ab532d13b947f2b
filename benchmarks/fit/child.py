"""A module of edgeclf in a process of its own, which ends when whoever started it does.

python -m edgeclf.benchmarks.fit.child MODULE ARGUMENT...
"""

import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ...edge_runtime.errors import EdgeclfError

_ERROR = "Error: "
_POLL_S = 1.0


def run_child(
    module: str, arguments: Sequence[object], *, log: Path, tick: Callable[[], object]
) -> int:
    """Run `python -m MODULE ARGUMENT...` until it ends, and return its exit code.

    Args:
        module: below `edgeclf`, or that itself.
        arguments: of its command line.
        log: file that gets all that it says.
        tick: is called about every second.
    """
    command = [sys.executable, "-m", "edgeclf.benchmarks.fit.child", module, *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        # Its standard input is how it learns of our end. In a session of its own Ctrl-C comes to
        # us alone, and we end it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    return process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    tick()
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()


def failure(log: Path) -> EdgeclfError:
    """Return why a child failed: its own error, else the last line that it said."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    errors = [line.removeprefix(_ERROR) for line in said if line.startswith(_ERROR)]
    reason = errors[-1] if errors else said[-1] if said else "no message"
    return EdgeclfError(f"{reason} (all it said is in {log})")


def warnings_of(log: Path) -> list[str]:
    """Return the warnings that a child wrote, each once."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return list(dict.fromkeys(line for line in lines if line.startswith("Warning: ")))


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock the interpreter wants at its end.
    while os.read(0, 1):
        pass
    os._exit(1)


def main() -> None:
    """Run the module that the command line names."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
