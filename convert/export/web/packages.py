"""LiteRT.js from npm's registry: pinned by version and digest, fetched once."""

import base64
import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.files import write_bytes

VERSION = "2.5.3"

# Name and SHA-512 of a package, as npm's lock files have it.
_PACKAGES = {
    "core": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ"
    "==",
    "wasm-utils": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ"
    "/sI1kQ==",
}
_REGISTRY = "https://registry.npmjs.org"
_REGISTRY_VARIABLE = "NPM_CONFIG_REGISTRY"
_TIMEOUT_S = 60
_LARGEST_PACKAGE = 1 << 26  # bytes, packed
_LARGEST_MEMBER = 1 << 26

_BUILDS = ("", "compat_", "threaded_")
MODULE = "core.js"
_UTILS = "wasm-utils.js"


def litert_files(*, offline: bool) -> dict[str, bytes]:
    """Return the files of LiteRT.js that a page needs, by their names.

    The module imports its one dependency by a path instead of a name, as a page without a bundler
    must; all else is as it was published.

    Args:
        offline: whether only the cache of an earlier call may be used.

    Raises:
        EdgeclfError: they are not in the cache and cannot be fetched, or are not what is pinned.
    """
    core = _members(_package("core", offline=offline))
    utils = _members(_package("wasm-utils", offline=offline))
    module = core["dist/index.js"].replace(b'"@litertjs/wasm-utils"', b'"./wasm-utils.js"')
    files = {MODULE: module, _UTILS: utils["dist/index.js"]}
    for build in _BUILDS:
        for suffix in ("js", "wasm"):
            name = f"litert_wasm_{build}internal.{suffix}"
            files[name] = core[f"wasm/{name}"]
    return files


def _package(name: str, *, offline: bool) -> bytes:
    file = _cache() / f"{name}-{VERSION}.tgz"
    if file.is_file() and _is_pinned(packed := file.read_bytes(), name):
        return packed
    if offline:
        raise EdgeclfError(f"--offline: {file} is missing; export once with a network")
    packed = _fetch(name)
    if not _is_pinned(packed, name):
        raise EdgeclfError(
            f"@litertjs/{name} {VERSION}: what {_registry()} sent has another SHA-512 than the "
            "package that edgeclf pins; use another registry or network"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, packed)
    return packed


def _fetch(name: str) -> bytes:
    url = f"{_registry()}/@litertjs/{name}/-/{name}-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            return bytes(response.read(_LARGEST_PACKAGE))
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise EdgeclfError(
            f"@litertjs/{name} {VERSION} cannot be fetched ({reason}); connect to a network, or "
            f"name a registry in {_REGISTRY_VARIABLE}"
        ) from None


def _registry() -> str:
    return (os.environ.get(_REGISTRY_VARIABLE) or _REGISTRY).rstrip("/")


def _cache() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "edgeclf" / "litertjs"


def _is_pinned(packed: bytes, name: str) -> bool:
    return base64.b64encode(hashlib.sha512(packed).digest()).decode() == _PACKAGES[name]


def _members(packed: bytes) -> dict[str, bytes]:
    """Return the files of a package whose digest was checked, by their paths in it."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.size <= _LARGEST_MEMBER else None
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files
