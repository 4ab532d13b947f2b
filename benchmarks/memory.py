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
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        peak, now = (int(lines[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS"))
        return peak, now
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return peak, peak
