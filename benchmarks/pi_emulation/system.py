"""An arm64 system of Debian packages and aarch64 wheels, unpacked into a folder, without root."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from platform import machine

from edgeclf.edge_runtime.errors import EdgeclfError

from .boards import BOARDS
from .processes import FailedError, run_quietly

ROOT = Path(__file__).resolve().parents[2]
COUNTER = Path(__file__).with_name("count.c")

# Raspberry Pi OS of 2023 and 2024. Its QEMU 7.2 is what the counts were checked on.
_SUITE, PYTHON, _GLIBC = "bookworm", "3.11", "2_36"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_EMULATOR = ("qemu-user",)  # not the static one, which takes no plugins
_GUEST = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6")
_APT_FOLDERS = (
    *("etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"),
)
_UNUSED = ("doc", "man", "locale", "info", "lintian", "bug")
_TOOLS = ("apt-get", "apt-config", "dpkg-deb", "tar", "gcc")
_NEEDED_BYTES = 1_000_000_000

# How apt and uv say that a server could not be reached.
_AWAY = re.compile(
    r"failed to fetch|could not resolve|name resolution|dns error|connection (failed|refused)|"
    r"error sending request|network is unreachable|timed out|unable to connect",
    re.IGNORECASE,
)


class UnavailableError(EdgeclfError):
    """The emulation cannot be had on this machine or now; nothing is wrong with the harness."""


def pins() -> tuple[str | Path, ...]:
    """Return everything that decides what `make_system` makes."""
    here = Path(__file__)
    return (
        ROOT / "pyproject.toml",
        ROOT / "constraints.txt",
        here,
        here.with_name("boards.py"),
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
    if not _KEYRING.is_file():
        raise UnavailableError(f"{_KEYRING} not found; apt-get install debian-archive-keyring")


def make_system(folder: Path) -> None:
    """Fill `folder`: `qemu/`, `root/` and `site/` of the guest, `boards/` and `count.so`.

    Raises:
        UnavailableError: a server cannot be reached.
        EdgeclfError: a step failed, or there is no room.
    """
    if shutil.disk_usage(folder).free < _NEEDED_BYTES:
        raise EdgeclfError(
            f"{folder}: less than {_NEEDED_BYTES // 10**6} MB are free there; free some, or give "
            "another folder with --work"
        )
    _unpack(_EMULATOR, "amd64", folder / "qemu")
    for program in (folder / "qemu/usr/bin").iterdir():
        if program.name != "qemu-aarch64":
            program.unlink()
    _unpack(_GUEST, "arm64", folder / "root")
    install("--requirement", ROOT / "pyproject.toml", into=folder / "site")
    command = ("gcc", "-O2", "-shared", "-fPIC", "-o", folder / "count.so", COUNTER)
    _do("compiling the counter", command)
    for board in BOARDS:
        _make_board(folder / "boards" / board.name, board.cpuinfo())


def install(*what: str | Path, into: Path) -> None:
    """Install aarch64 wheels of the pinned versions into the folder `into`.

    uv reads the packages' markers as the guest would; pip would read them as this machine does.
    """
    target = (
        *("--target", into, "--python", sys.executable, "--python-version", PYTHON),
        *("--python-platform", f"aarch64-manylinux_{_GLIBC}", "--only-binary", ":all:"),
    )
    command = (sys.executable, "-m", "uv", "pip", "install", "--quiet", *target)
    _do("installing the wheels", (*command, "--constraint", ROOT / "constraints.txt", *what))


def build_wheel(folder: Path) -> Path:
    """Build this repository's wheel in `folder` and return its path.

    By way of the source distribution, so that no build folder is left in the repository.
    """
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    _do("building the wheel", command)
    return next(folder.glob("*.whl"))


def _make_board(folder: Path, cpuinfo: str) -> None:
    """Make the root that the guest sees: the system, and the /proc/cpuinfo of the board.

    What is not there (/sys above all, without which XNNPACK drops out) is the machine's own.
    """
    (folder / "proc").mkdir(parents=True)
    (folder / "proc/cpuinfo").write_text(cpuinfo)
    for name in ("bin", "lib", "usr"):
        (folder / name).symlink_to(f"../../root/{name}")


def _unpack(packages: Sequence[str], architecture: str, target: Path) -> None:
    """Unpack the packages and all that they depend on; no script of theirs runs."""
    apt = target.with_name(f"{target.name}.apt")
    for name in _APT_FOLDERS:
        (apt / name).mkdir(parents=True)
    (apt / "var/lib/dpkg/status").touch()
    (apt / "etc/apt/sources.list").write_text(
        f"deb [signed-by={_KEYRING}] {_mirror()} {_SUITE} main\n"
    )
    (apt / "apt.conf").write_text(_apt_settings(apt, architecture))
    ours = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    _do("apt-get update", ("apt-get", "-qq", "update"), env=ours)
    download = ("apt-get", "-qq", "install", "--download-only", "--yes", *packages)
    _do("apt-get install", download, env=ours)
    for name in ("bin", "lib", "lib64", "sbin"):
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$0" | tar --extract "$@"'
    options = [f"--directory={target}", "--no-same-owner", "--keep-directory-symlink"]
    options += [f"--exclude=./usr/share/{name}" for name in _UNUSED]
    for package in sorted((apt / "var/cache/apt/archives").glob("*.deb")):
        _do(f"unpacking {package.name}", ("bash", "-c", script, package, *options))
    shutil.rmtree(apt)


def _apt_settings(apt: Path, architecture: str) -> str:
    """Return the settings of an apt of its own, which reaches servers as this machine's does."""
    acquire = run_quietly("apt-config", ("apt-config", "dump", "Acquire"))
    return acquire + "".join(
        f'{name} "{value}";\n'
        for name, value in {
            "Dir": apt,
            "Dir::State::status": apt / "var/lib/dpkg/status",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",  # that is, nobody else: it need not be root
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }.items()
    )


def _mirror() -> str:
    """Return the address of the Debian archive that this machine uses."""
    folder = Path("/etc/apt")
    for path in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))):
        if path.is_file():
            lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            found = re.search(r"https?://\S+/debian/?(?=\s|$)", "\n".join(lines))
            if found:
                return found[0]
    raise UnavailableError(f"{folder}: names no Debian archive; the emulation needs Debian")


def _do(what: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
    try:
        run_quietly(what, command, env=env)
    except FailedError as error:
        away = unreachable(error.output)
        if away is None:
            raise
        raise UnavailableError(f"{what}: no connection ({away}); try again later") from None


def unreachable(output: str) -> str | None:
    """Return the line in which apt or uv says that a server cannot be reached, if there is one."""
    away = next((line for line in output.splitlines() if _AWAY.search(line)), None)
    return None if away is None else away.strip()
