"""The machine that a benchmark runs on, as far as the system tells; what it does not is None."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic

from .. import __version__
from .results import Machine, MachineState

_ROOT = Path("/")
_LIBRARIES = (
    "ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless", "tensorflow", "keras",
)  # fmt: skip
# Kinds of thermal zones that are the processor: Raspberry Pi, Intel, AMD and others on ARM.
_PROCESSOR_ZONES = ("cpu-thermal", "cpu_thermal", "x86_pkg_temp", "k10temp", "soc-thermal")
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
_PI_FLAGS = {
    0: "under-voltage now",
    1: "frequency capped now",
    2: "throttled now",
    3: "soft temperature limit now",
    16: "under-voltage since the start",
    17: "frequency capped since the start",
    18: "throttled since the start",
    19: "soft temperature limit since the start",
}
# Implementer and part of the main ID register, as the Linux kernel names them in cputype.h.
_ARM_PARTS = {
    "0x41 0xd03": "Cortex-A53",
    "0x41 0xd04": "Cortex-A35",
    "0x41 0xd05": "Cortex-A55",
    "0x41 0xd07": "Cortex-A57",
    "0x41 0xd08": "Cortex-A72",
    "0x41 0xd09": "Cortex-A73",
    "0x41 0xd0b": "Cortex-A76",
    "0x41 0xd0c": "Neoverse-N1",
    "0x41 0xd40": "Neoverse-V1",
    "0x41 0xd41": "Cortex-A78",
    "0x41 0xc07": "Cortex-A7",
    "0x41 0xb76": "ARM1176",
}


class Others:
    """What other processes do on this machine from now on: they slow ours, and not all alike."""

    def __init__(self, *, root: Path = _ROOT) -> None:
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
        line = (_text(self._root / "proc/stat") or "").split("\n", maxsplit=1)[0].split()
        if line[:1] != ["cpu"]:
            return None
        # user, nice, system, (idle, iowait,) irq, softirq, steal: proc(5); guests are in user.
        ticks = [int(field) for field in line[1:9]]
        busy = (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK")
        return monotonic(), busy, sum(os.times()[:4])


def describe_machine(
    before: MachineState, after: MachineState, *, others: float | None, root: Path = _ROOT
) -> Machine:
    """Return the machine with its two states, and how many cores `others` kept busy in between;
    `root` is where /proc, /sys and /etc are."""
    return Machine(
        board=_text(root / "proc/device-tree/model"),
        cpu=_cpu(root),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_bytes=_memory(root, "MemTotal"),
        system=_system(root),
        versions={"python": platform.python_version(), "edgeclf": __version__} | _libraries(),
        others=others,
        before=before,
        after=after,
    )


def machine_state(*, root: Path = _ROOT) -> MachineState:
    """Return the state of the machine now; `root` is where /proc and /sys are."""
    cpus = root / "sys/devices/system/cpu"
    frequencies = [
        number / 1000
        for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        if (number := _number(path)) is not None
    ] or [float(value) for value in _cpuinfo(root, "cpu MHz")]
    load = _text(root / "proc/loadavg")
    return MachineState(
        temperature_c=_temperature(root),
        frequency_mhz=round(sum(frequencies) / len(frequencies), 1) if frequencies else None,
        governor=_text(cpus / "cpu0/cpufreq/scaling_governor"),
        load=float(load.split()[0]) if load else None,
        available_memory_bytes=_memory(root, "MemAvailable"),
        throttled=_throttled(root),
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


def _cpu(root: Path) -> str | None:
    parts = zip(_cpuinfo(root, "CPU implementer"), _cpuinfo(root, "CPU part"), strict=False)
    names = [_ARM_PARTS.get(" ".join(part), " ".join(part)) for part in parts]
    return " + ".join(dict.fromkeys(names or _cpuinfo(root, "model name"))) or None


def _system(root: Path) -> str:
    lines = (_text(root / "etc/os-release") or "").splitlines()
    named = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return f"{named[0] if named else platform.system()}, {platform.system()} {platform.release()}"


def _libraries() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _temperature(root: Path) -> float | None:
    zones = {
        _text(zone / "type"): degrees / 1000
        for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        if (degrees := _number(zone / "temp")) is not None
    }
    known = [zones[kind] for kind in _PROCESSOR_ZONES if kind in zones]
    return next(iter([*known, *zones.values()]), None)


def _throttled(root: Path) -> tuple[str, ...] | None:
    """Return the flags of a Raspberry Pi, or how often a processor of Intel throttled."""
    flags = _text(root / "sys/devices/platform/soc/soc:firmware/get_throttled") or _vcgencmd(root)
    if flags:
        bits = int(flags.rpartition("=")[2], 16)
        return tuple(word for bit, word in _PI_FLAGS.items() if bits >> bit & 1)
    counters = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [number for path in counters if (number := _number(path)) is not None]
    if not counts:
        return None
    return (f"{sum(counts):.0f} thermal events since the start",) if sum(counts) else ()


def _vcgencmd(root: Path) -> str | None:
    command = shutil.which("vcgencmd")
    if command is None or root != _ROOT:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _memory(root: Path, name: str) -> int | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _cpuinfo(root: Path, key: str) -> list[str]:
    lines = [line.partition(":") for line in (_text(root / "proc/cpuinfo") or "").splitlines()]
    return [value.strip() for name, _, value in lines if name.strip() == key]


def _number(path: Path) -> float | None:
    text = _text(path)
    return float(text) if text and text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
