"""Memory of this process."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Return the most resident memory that this process has held, in bytes."""
    # ru_maxrss would remember the parent that forked us.
    return _from_status("VmHWM") or _peak_of_usage()


def steady_memory() -> int:
    """Return the resident memory that this process holds now, in bytes; the peak elsewhere than on
    Linux, which alone says."""
    return _from_status("VmRSS") or _peak_of_usage()


def _from_status(name: str) -> int | None:
    if not _STATUS.exists():
        return None
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


def _peak_of_usage() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
