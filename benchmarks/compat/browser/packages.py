"""The pinned npm packages, installed below a folder to work in."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from edgeclf.edge_runtime.errors import EdgeclfError

_PINS = tuple(Path(__file__).with_name(name) for name in ("package.json", "package-lock.json"))
_NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
_PATIENCE_S = 600


def versions() -> dict[str, str]:
    """Return the version of each pinned package, by name."""
    pins: dict[str, str] = json.loads(_PINS[0].read_text())["dependencies"]
    return pins


def installed_packages(work: Path) -> Path:
    """Return the folder node_modules of the pinned packages, which is made below `work` if missing.

    Raises:
        EdgeclfError: there is no npm, or it cannot get the packages.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise EdgeclfError("needs npm on the PATH: apt-get install npm")
    pins = b"".join(path.read_bytes() for path in _PINS)
    folder = work / f"npm-{hashlib.sha256(pins).hexdigest()[:12]}"
    packages = folder / "node_modules"
    if (folder / "installed").exists():
        return packages
    folder.mkdir(parents=True, exist_ok=True)
    for path in _PINS:
        shutil.copy(path, folder)
    _run_npm((npm, *_NPM_CI), folder)
    (folder / "installed").touch()
    return packages


def _run_npm(command: tuple[str, ...], folder: Path) -> None:
    try:
        npm = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except subprocess.TimeoutExpired as error:
        raise EdgeclfError(f"npm ci took longer than {_PATIENCE_S} s") from error
    if npm.returncode:
        lines = [line for line in npm.stderr.splitlines() if line.strip()]
        raise EdgeclfError(f"npm ci failed: {lines[0] if lines else npm.returncode}")
