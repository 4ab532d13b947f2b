"""The machine that this runs on, as far as the system tells; what it does not is None."""

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path("/")
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


@dataclass(frozen=True)
class MachineState:
    """The machine at one moment; None is what the system does not say.

    Attributes:
        temperature_c: of the processor, in degrees Celsius.
        frequency_mhz: mean of its cores.
        governor: who sets that.
        load: average number of processes that ran in the last minute.
        available_memory_bytes: left for processes.
        throttled: what slows it or has slowed it, in words; empty if nothing.
    """

    temperature_c: float | None
    frequency_mhz: float | None
    governor: str | None
    load: float | None
    available_memory_bytes: int | None
    throttled: tuple[str, ...] | None


def machine_state(*, root: Path = ROOT) -> MachineState:
    """Return the state of the machine now; `root` is where /proc and /sys are."""
    cpus = root / "sys/devices/system/cpu"
    frequencies = [
        number / 1000
        for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        if (number := _number(path)) is not None
    ] or [float(value) for value in _cpuinfo(root, "cpu MHz")]
    load = read_text(root / "proc/loadavg")
    return MachineState(
        temperature_c=_temperature(root),
        frequency_mhz=round(sum(frequencies) / len(frequencies), 1) if frequencies else None,
        governor=read_text(cpus / "cpu0/cpufreq/scaling_governor"),
        load=float(load.split()[0]) if load else None,
        available_memory_bytes=_memory(root, "MemAvailable"),
        throttled=_throttled(root),
    )


def board(root: Path = ROOT) -> str | None:
    """Return the model of the board, as `Raspberry Pi 5 Model B Rev 1.0`."""
    return read_text(root / "proc/device-tree/model")


def processor(root: Path = ROOT) -> str | None:
    """Return the name of the processor; several where its cores differ."""
    parts = zip(_cpuinfo(root, "CPU implementer"), _cpuinfo(root, "CPU part"), strict=False)
    names = [_ARM_PARTS.get(" ".join(part), " ".join(part)) for part in parts]
    return " + ".join(dict.fromkeys(names or _cpuinfo(root, "model name"))) or None


def memory_bytes(root: Path = ROOT) -> int | None:
    """Return the memory of the machine."""
    return _memory(root, "MemTotal")


def system_name(root: Path = ROOT) -> str:
    """Return name and version of the operating system."""
    lines = (read_text(root / "etc/os-release") or "").splitlines()
    named = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return f"{named[0] if named else platform.system()}, {platform.system()} {platform.release()}"


def library_versions() -> dict[str, str]:
    """Return the versions of the runtime and the libraries that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read_text(path: Path) -> str | None:
    """Return the stripped text of a file of the system; None if it is empty or cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _temperature(root: Path) -> float | None:
    zones = {
        read_text(zone / "type"): degrees / 1000
        for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        if (degrees := _number(zone / "temp")) is not None
    }
    known = [zones[kind] for kind in _PROCESSOR_ZONES if kind in zones]
    return next(iter([*known, *zones.values()]), None)


def _throttled(root: Path) -> tuple[str, ...] | None:
    """Return the flags of a Raspberry Pi, or how often a processor of Intel throttled."""
    flags = read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled") or _vcgencmd(
        root
    )
    if flags and re.fullmatch(r"(throttled=)?(0x)?[0-9a-fA-F]+", flags):
        bits = int(flags.rpartition("=")[2], 16)
        return tuple(word for bit, word in _PI_FLAGS.items() if bits >> bit & 1)
    counters = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [number for path in counters if (number := _number(path)) is not None]
    if not counts:
        return None
    return (f"{sum(counts):.0f} thermal events since the start",) if sum(counts) else ()


def _vcgencmd(root: Path) -> str | None:
    command = shutil.which("vcgencmd")
    if command is None or root != ROOT:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _memory(root: Path, name: str) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _cpuinfo(root: Path, key: str) -> list[str]:
    lines = [line.partition(":") for line in (read_text(root / "proc/cpuinfo") or "").splitlines()]
    return [value.strip() for name, _, value in lines if name.strip() == key]


def _number(path: Path) -> float | None:
    text = read_text(path)
    return float(text) if text and text.lstrip("-").isdigit() else None
