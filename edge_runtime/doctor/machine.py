"""The machine: what it is, and what slows it."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..machine import (
    ROOT,
    MachineState,
    board,
    machine_state,
    memory_bytes,
    processor,
    read_text,
    system_name,
)
from ..tflite.interpreter import usable_cores
from .check import Check, ok, skipped

# A DenseNet121 in int8 peaks at 90 MB on a photograph (docs/develop/pi.md); a camera comes on top.
_LEAST_MEMORY = 256 << 20
_LEAST_DISK = 500 << 20
# A Raspberry Pi begins to throttle here:
# https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#frequency-management-and-thermal-control
_HOT = 80.0
# With these, `powersave` only means that the processor itself chooses.
_OWN_CHOICE = ("intel_pstate", "amd-pstate-epp")
_TIME_ERROR = 5  # of adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # more than any system's struct timex


def machine_checks(folder: Path, *, root: Path = ROOT) -> Iterator[Check]:
    """Yield what the machine is and how it is now.

    Args:
        folder: where files are going to be written.
        root: where /proc, /sys and /etc are.
    """
    state = machine_state(root=root)
    yield ok("system", system_name(root))
    yield ok("board", ", ".join(filter(None, (board(root), processor(root)))) or "unknown")
    yield _memory(root, state)
    yield _governor(root, state)
    yield _temperature(state)
    yield _throttled(state)
    yield _load(state)
    yield _disk(folder)
    yield _clock()


def _memory(root: Path, state: MachineState) -> Check:
    total, available = memory_bytes(root), state.available_memory_bytes
    if total is None or available is None:
        return skipped("memory")
    detail = f"{available / 1e9:.1f} of {total / 1e9:.1f} GB available"
    if available < _LEAST_MEMORY:
        mend = "end other programs; without a desktop Raspberry Pi OS needs far less"
        return Check("memory", "warning", detail, mend)
    return ok("memory", detail)


def _governor(root: Path, state: MachineState) -> Check:
    cores = usable_cores()
    detail = f"{cores} core{'' if cores == 1 else 's'}"
    if state.frequency_mhz is not None:
        detail += f" at {state.frequency_mhz:.0f} MHz"
    if state.governor is None:
        return ok("cores", f"{detail}; no governor here")
    detail += f", governor {state.governor}"
    driver = read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver")
    if state.governor == "powersave" and driver not in _OWN_CHOICE:
        mend = (
            "`echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`; "
            "powersave keeps the lowest frequency"
        )
        return Check("cores", "warning", detail, mend)
    return ok("cores", detail)


def _temperature(state: MachineState) -> Check:
    if state.temperature_c is None:
        return skipped("temperature")
    detail = f"{state.temperature_c:.1f} °C"
    if state.temperature_c >= _HOT:
        mend = "a heat sink or a fan; a Raspberry Pi slows down from 80 °C"
        return Check("temperature", "warning", detail, mend)
    return ok("temperature", detail)


def _throttled(state: MachineState) -> Check:
    flags = state.throttled
    if flags is None:
        return skipped("throttling")
    if not flags:
        return ok("throttling", "none since the start")
    mends = []
    if any("under-voltage" in flag for flag in flags):
        mends.append("the Raspberry Pi's own power supply, and no thin cable")
    if any("under-voltage" not in flag for flag in flags):
        mends.append("a heat sink or a fan")
    # The soft limit of a Pi 3B+ at 60 °C is usual, and costs little.
    now = any(flag.endswith(" now") and not flag.startswith("soft") for flag in flags)
    return Check("throttling", "failed" if now else "warning", ", ".join(flags), "; ".join(mends))


def _load(state: MachineState) -> Check:
    if state.load is None:
        return skipped("load")
    detail = f"{state.load:.2f} over the last minute"
    if state.load >= usable_cores():
        return Check("load", "warning", detail, "see in `top` what else is running, and end it")
    return ok("load", detail)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        mend = "run in a folder of your own"
        return Check("disk", "warning", f"{folder} is not writable", mend)
    if free < _LEAST_DISK:
        mend = "remove what is not needed: `sudo apt clean`, `journalctl --vacuum-size=50M`"
        return Check("disk", "warning", detail, mend)
    return ok("disk", detail)


def _clock() -> Check:
    synchronised = clock_synchronised()
    if synchronised is None:
        return skipped("clock")
    if not synchronised:
        mend = (
            "sudo timedatectl set-ntp true; without a network a Raspberry Pi needs an RTC battery"
        )
        return Check("clock", "warning", "not synchronised; events get wrong times", mend)
    return ok("clock", "synchronised")


def clock_synchronised() -> bool | None:
    """Return whether the kernel's clock follows a time server; None where nobody says."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):  # no Linux
        return None
    status = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))  # zeros: only asks
    return None if status < 0 else status != _TIME_ERROR
