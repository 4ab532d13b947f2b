"""Peak memory of a model, measured in a process of its own.

python -m edgeclf.benchmarks.memory MODEL THREADS
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..edge_runtime.errors import EdgeclfError
from .contenders import open_contender


def measure_peak_memory(path: Path, *, threads: int) -> int:
    """Return the peak memory in bytes of a fresh process that loads the model and runs it.

    The interpreter of Python and its libraries are in it: it is what the device must spare.
    """
    command = [sys.executable, "-m", __name__, str(path), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EdgeclfError(
            f"{path}: its memory cannot be measured: process ended with {done.returncode} ({last})"
        )
    return int(done.stdout)


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would remember the parent that forked us.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    contender = open_contender(Path(sys.argv[1]), threads=int(sys.argv[2]))
    for _ in range(3):
        contender.scores(np.zeros((*contender.input_hw, 3), np.uint8))
    print(peak_memory())
