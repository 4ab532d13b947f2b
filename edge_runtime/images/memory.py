"""How large an image may be: as the memory allows that is free."""

import os
import resource
from pathlib import Path

# The largest sensors in phones have 200 megapixels.
MOST_PIXELS = 250_000_000
_SHARE = 0.5
# What takes less is decoded without a question to the system.
_SMALL_BYTES = 16_000_000
_ROOT = Path("/")


def available_bytes(root: Path = _ROOT) -> int | None:
    """Return how much memory this process can still take; None where the system does not say.

    The least of what is free in the machine, what its control group (a container, a systemd unit)
    has left, and what its own limit of addresses has left.
    """
    found = [_free(root), _control_group(root), _addresses(root)]
    return min((each for each in found if each is not None), default=None)


def refusal(size_wh: tuple[int, int], bytes_a_pixel: int) -> str | None:
    """Return why an image of that size is not decoded; None if it may be.

    Args:
        size_wh: width and height in pixels.
        bytes_a_pixel: what its decoder takes at most, the decoded image included.
    """
    width, height = size_wh
    if width * height > MOST_PIXELS:
        return (
            f"{width}×{height} pixels; at most {MOST_PIXELS / 1e6:.0f} megapixels are decoded, "
            "make it smaller"
        )
    needed = width * height * bytes_a_pixel
    free = available_bytes() if needed > _SMALL_BYTES else None
    if free is not None and needed > _SHARE * free:
        return (
            f"{width}×{height} pixels take {needed / 1e6:.0f} MB to decode, and of the "
            f"{free / 1e6:.0f} MB of memory that are free at most half is used; make it smaller"
        )
    return None


def _free(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _control_group(root: Path) -> int | None:
    """Return what the groups of this process have left (cgroup v2, memory.max and above it)."""
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line[:3] == "0::"), None)
    if own is None:
        return None
    top = root / "sys/fs/cgroup"
    left = []
    for folder in (top / own.lstrip("/"), *(top / own.lstrip("/")).parents):
        limit, used = _lines(folder / "memory.max"), _lines(folder / "memory.current")
        if limit and used and limit[0].isdecimal():
            # Pages of files that were read count as used, and are given up when others need them.
            cached = [int(line.split()[1]) for line in _lines(folder / "memory.stat")
                      if line.startswith("inactive_file ")]  # fmt: skip
            left.append(int(limit[0]) - int(used[0]) + sum(cached))
        if folder == top:
            break
    return max(0, min(left)) if left else None


def _addresses(root: Path) -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _lines(root / "proc/self/statm")
    if limit == resource.RLIM_INFINITY or not used:
        return None
    return max(0, limit - int(used[0].split()[0]) * os.sysconf("SC_PAGE_SIZE"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
