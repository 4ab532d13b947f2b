"""What a benchmark says of the machine that it ran on."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from ... import __version__
from ...edge_runtime.machine import (
    ROOT,
    MachineState,
    board,
    library_versions,
    memory_bytes,
    processor,
    read_text,
    system_name,
)
from ...edge_runtime.tflite.interpreter import usable_cores
from ..results.conditions import Machine


class BackgroundLoad:
    """What other processes do on this machine from now on: they slow ours, and not all alike."""

    def __init__(self, *, root: Path = ROOT) -> None:
        """Start; `root` is where /proc is."""
        self._root = root
        self._start = self._now()

    def cores(self) -> float | None:
        """Return how many cores they have kept busy since, on average; None where nobody says.

        Children count as ours once they have ended.
        """
        if self._start is None or (now := self._now()) is None:
            return None
        seconds, busy, ours = (b - a for a, b in zip(self._start, now, strict=True))
        return round(max(busy - ours, 0.0) / seconds, 2) if seconds else None

    def _now(self) -> tuple[float, float, float] | None:
        """Return seconds: of the clock, of all work on all cores, and of ours."""
        line = (read_text(self._root / "proc/stat") or "").split("\n", maxsplit=1)[0].split()
        if line[:1] != ["cpu"]:
            return None
        # user, nice, system, (idle, iowait,) irq, softirq, steal: proc(5); guests are in user.
        ticks = [int(field) for field in line[1:9]]
        busy = (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK")
        return monotonic(), busy, sum(os.times()[:4])


def describe_machine(
    before: MachineState,
    after: MachineState,
    *,
    background_load: float | None,
    root: Path = ROOT,
) -> Machine:
    """Return the machine with its two states, and how many cores `others` kept busy in between;
    `root` is where /proc, /sys and /etc are."""
    return Machine(
        board=board(root),
        cpu=processor(root),
        architecture=platform.machine(),
        cores=usable_cores(),
        memory_bytes=memory_bytes(root),
        system=system_name(root),
        versions={"python": platform.python_version(), "edgeclf": __version__} | library_versions(),
        background_load=background_load,
        before=before,
        after=after,
    )


def void_reason(states: Sequence[MachineState]) -> str | None:
    """Return why the figures do not count if the machine throttled between the first state and the
    last; None if it did not, or nobody says."""
    known = set(states[0].throttled or ())
    reasons = {
        word: None
        for state in states
        for word in state.throttled or ()
        if word.endswith(" now") or word not in known
    }
    return f"the machine throttled: {', '.join(reasons)}" if reasons else None
