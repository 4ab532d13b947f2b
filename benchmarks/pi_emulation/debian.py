"""Debian packages of any architecture, unpacked into a folder, without root."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeclf.edge_runtime.errors import EdgeclfError

from .processes import FailedError, run_quietly

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Raspberry Pi OS of 2023 and 2024. Its QEMU 7.2 is what the counts were checked on.
_SUITE = "bookworm"
_APT_FOLDERS = (
    *("etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"),
)
_UNUSED = ("doc", "man", "locale", "info", "lintian", "bug")

# How apt, pip and uv say that a server could not be reached.
_AWAY = re.compile(
    r"failed to fetch|could not resolve|name resolution|dns error|connection (failed|refused)|"
    r"error sending request|network is unreachable|timed out|unable to connect",
    re.IGNORECASE,
)


class UnavailableError(EdgeclfError):
    """The emulation cannot be had on this machine or now; nothing is wrong with the harness."""


def unpack(packages: Sequence[str], architecture: str, target: Path) -> None:
    """Unpack the packages and all that they depend on; no script of theirs runs."""
    apt = target.with_name(f"{target.name}.apt")
    for name in _APT_FOLDERS:
        (apt / name).mkdir(parents=True)
    (apt / "var/lib/dpkg/status").touch()
    (apt / "etc/apt/sources.list").write_text(
        f"deb [signed-by={KEYRING}] {_mirror()} {_SUITE} main\n"
    )
    (apt / "apt.conf").write_text(_apt_settings(apt, architecture))
    ours = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    run_online("apt-get update", ("apt-get", "-qq", "update"), env=ours)
    download = ("apt-get", "-qq", "install", "--download-only", "--yes", *packages)
    run_online("apt-get install", download, env=ours)
    for name in ("bin", "lib", "lib64", "sbin"):
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$0" | tar --extract "$@"'
    options = [f"--directory={target}", "--no-same-owner", "--keep-directory-symlink"]
    options += [f"--exclude=./usr/share/{name}" for name in _UNUSED]
    for package in sorted((apt / "var/cache/apt/archives").glob("*.deb")):
        run_online(f"unpacking {package.name}", ("bash", "-c", script, package, *options))
    shutil.rmtree(apt)


def run_online(
    what: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> None:
    """Run the command `what`; raise UnavailableError where a server cannot be reached."""
    try:
        run_quietly(what, command, env=env)
    except FailedError as error:
        away = unreachable(error.output)
        if away is None:
            raise
        raise UnavailableError(f"{what}: no connection ({away}); try again later") from None


def unreachable(output: str) -> str | None:
    """Return the line in which a client says that it cannot reach its server; None if none does."""
    away = next((line for line in output.splitlines() if _AWAY.search(line)), None)
    return None if away is None else away.strip()


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
