"""Systems of Debian packages and wheels for a Pi's architectures, in a folder, without root."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from platform import machine

from edgeclf.edge_runtime.errors import EdgeclfError

from .boards import ARM64, Board
from .cache import keep_folder
from .debian import KEYRING, UnavailableError, run_online, unpack

ROOT = Path(__file__).resolve().parents[2]
COUNTER = Path(__file__).with_name("count.c")

PYTHON, _GLIBC = "3.11", "2_36"  # of bookworm
_EMULATOR = ("qemu-user",)  # not the static one, which takes no plugins
_PYTHON_PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6")
# PyPI has no armv7l wheels of NumPy and OpenCV: Debian's own packages stand in.
_ARMHF_PACKAGES = ("python3-numpy", "python3-opencv", "python3-click")
ARMHF_RUNTIME, _ARMHF_PLATFORM = "tflite-runtime==2.14.0", "manylinux_2_34_armv7l"
_TOOLS = ("apt-get", "apt-config", "dpkg-deb", "tar", "gcc")
_NEEDED_BYTES = 1_500_000_000


def pins() -> tuple[str | Path, ...]:
    """Return everything that decides what `make_system` makes."""
    here = Path(__file__)
    return (
        ROOT / "pyproject.toml",
        ROOT / "constraints.txt",
        here,
        here.with_name("boards.py"),
        here.with_name("debian.py"),
        COUNTER,
    )


def check_machine() -> None:
    """Complain of a machine on which no system can be made or run.

    Raises:
        UnavailableError: with what is missing.
    """
    if sys.platform != "linux" or machine() != "x86_64":
        raise UnavailableError(
            f"this is {sys.platform} on {machine()}; the emulation needs x86-64 Linux"
        )
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise UnavailableError(
            f"{', '.join(missing)} not found; the emulation needs Debian and gcc"
        )
    if not KEYRING.is_file():
        raise UnavailableError(f"{KEYRING} not found; apt-get install debian-archive-keyring")


def keep_system(folder: Path, boards: Sequence[Board]) -> None:
    """Make sure that `folder` holds a system for the boards, which have one architecture.

    Raises:
        UnavailableError: a server cannot be reached.
        EdgeclfError: a step failed, or there is no room.
    """
    guest = boards[0].guest
    keep_folder(
        folder,
        f"Setting up an {guest.debian} system",
        pins=(*pins(), guest.debian),
        make=lambda empty: make_system(empty, boards),
    )


def make_system(folder: Path, boards: Sequence[Board]) -> None:
    """Fill `folder`: `qemu/`, `root/` and `site/` of the guest, `boards/` and `count.so`.

    Raises:
        UnavailableError: a server cannot be reached.
        EdgeclfError: a step failed, or there is no room.
    """
    guest = boards[0].guest
    if shutil.disk_usage(folder).free < _NEEDED_BYTES:
        raise EdgeclfError(
            f"{folder}: less than {_NEEDED_BYTES // 10**6} MB are free there; free some, or give "
            "another folder with --work"
        )
    unpack(_EMULATOR, "amd64", folder / "qemu")
    for program in (folder / "qemu/usr/bin").iterdir():
        if program.name != guest.qemu:
            program.unlink()
    if guest == ARM64:
        unpack(_PYTHON_PACKAGES, guest.debian, folder / "root")
        install("--requirement", ROOT / "pyproject.toml", into=folder / "site")
    else:
        unpack((*_PYTHON_PACKAGES, *_ARMHF_PACKAGES), guest.debian, folder / "root")
        _select_linear_algebra(folder / "root/usr/lib/arm-linux-gnueabihf")
        _install_armhf_wheel(folder / "site")
    command = ("gcc", "-O2", "-shared", "-fPIC", "-o", folder / "count.so", COUNTER)
    run_online("compiling the counter", command)
    for board in boards:
        _make_board(folder / "boards" / board.name, board.cpuinfo())


def install(*what: str | Path, into: Path, pinned: bool = True) -> None:
    """Install aarch64 wheels into the folder `into`, of the pinned versions unless `pinned` is off.

    uv reads the packages' markers as the guest would; pip would read them as this machine does.
    """
    target = (
        *("--target", into, "--python", sys.executable, "--python-version", PYTHON),
        *("--python-platform", f"aarch64-manylinux_{_GLIBC}", "--only-binary", ":all:"),
    )
    command = (sys.executable, "-m", "uv", "pip", "install", "--quiet", *target)
    constraint = ("--constraint", ROOT / "constraints.txt") if pinned else ()
    run_online("installing the wheels", (*command, *constraint, *what))


def _install_armhf_wheel(into: Path) -> None:
    """Install TFLite's wheel; uv knows no platform of 32-bit ARM with a glibc."""
    target = ("--target", into, "--python-version", PYTHON, "--platform", _ARMHF_PLATFORM)
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", *target)
    command = (sys.executable, "-m", "pip", "install", *options, ARMHF_RUNTIME)
    run_online("installing the wheels", command)


def _select_linear_algebra(libraries: Path) -> None:
    """Do what the packages' scripts do with update-alternatives: they do not run here."""
    for name in ("blas", "lapack"):
        library = f"lib{name}.so.3"
        (libraries / library).symlink_to(f"{name}/{library}")


def build_wheel(folder: Path) -> Path:
    """Build this repository's wheel in `folder` and return its path.

    By way of the source distribution, so that no build folder is left in the repository.
    """
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    run_online("building the wheel", command)
    return next(folder.glob("*.whl"))


def _make_board(folder: Path, cpuinfo: str) -> None:
    """Make the root that the guest sees: the system, and the /proc/cpuinfo of the board.

    What is not there (/sys above all, without which XNNPACK drops out) is the machine's own.
    """
    (folder / "proc").mkdir(parents=True)
    (folder / "proc/cpuinfo").write_text(cpuinfo)
    for name in ("bin", "lib", "usr"):
        (folder / name).symlink_to(f"../../root/{name}")
