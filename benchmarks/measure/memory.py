"""Memory of this process."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def memory_of_process() -> tuple[int, int]:
    """Return the most resident memory that this process has held, and what it holds now, in bytes.

    Only Linux tells the latter; elsewhere both are the most.
    """
    if _STATUS.exists():
        # ru_maxrss would remember the parent that forked us.
        status = _read_status()  # once, so that the most is not of a moment before
        return status["VmHWM"], status["VmRSS"]
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return peak, peak


def memory_of_our_own() -> int:
    """Return the resident memory that this process alone has filled, in bytes.

    Pages of program files come and go with what other processes need; where the system does not
    tell them apart, they are in it.
    """
    return _read_status()["RssAnon"] if _STATUS.exists() else memory_of_process()[1]


def _read_status() -> dict[str, int]:
    """Return what the system tells of our memory, in bytes."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return {
        name: int(text.split()[0]) * 1024
        for name, text in lines.items()
        if name in {"VmHWM", "VmRSS", "RssAnon"}
    }
