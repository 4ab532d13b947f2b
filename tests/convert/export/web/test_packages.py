"""LiteRT.js from npm's registry: what is pinned, fetched and kept."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from edgeclf.convert.export.web import packages
from edgeclf.convert.export.web.packages import VERSION, litert_files
from edgeclf.convert.export.web.server import serve
from edgeclf.edge_runtime import EdgeclfError

Registry = Path


def packed(files: dict[str, bytes]) -> bytes:
    """A package as npm has it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A folder that looks like a registry, with small packages that are pinned instead."""
    builds = {
        f"wasm/litert_wasm_{build}internal.{suffix}": f"{build}{suffix}".encode()
        for build in ("", "compat_", "threaded_")
        for suffix in ("js", "wasm")
    }
    module = b'import { createWasmLib } from "@litertjs/wasm-utils";\n'
    pinned = {}
    for name, files in (
        ("core", {"dist/index.js": module, **builds}),
        ("wasm-utils", {"dist/index.js": b"export {};\n"}),
    ):
        file = tmp_path / "registry" / "@litertjs" / name / "-" / f"{name}-{VERSION}.tgz"
        file.parent.mkdir(parents=True)
        file.write_bytes(packed(files))
        digest = hashlib.sha512(file.read_bytes()).digest()
        pinned[name] = base64.b64encode(digest).decode()
    monkeypatch.setattr(packages, "_PACKAGES", pinned)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "registry"


def test_packages_are_fetched_once_and_then_offline(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EdgeclfError, match=r"core-.*\.tgz is missing; export once with a network"):
        litert_files(offline=True)
    with serve({"": registry}) as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{address}/")
        files = litert_files(offline=False)
    assert litert_files(offline=True) == litert_files(offline=False) == files
    assert files["core.js"] == b'import { createWasmLib } from "./wasm-utils.js";\n'
    assert files["litert_wasm_threaded_internal.wasm"] == b"threaded_wasm"
    assert len(files) == 8


def test_another_package_than_the_pinned_one_is_refused_and_not_kept(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [core] = registry.rglob("core-*.tgz")
    core.write_bytes(packed({"dist/index.js": b"steal();"}))
    with serve({"": registry}) as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        with pytest.raises(EdgeclfError, match="another SHA-512 than the package"):
            litert_files(offline=False)
    assert not list((tmp_path / "caches").rglob("*.tgz"))


def test_a_damaged_cache_is_fetched_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve({"": registry}) as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        files = litert_files(offline=False)
        [core] = (tmp_path / "caches").rglob("core-*.tgz")
        core.write_bytes(core.read_bytes()[:100])
        with pytest.raises(EdgeclfError, match="is missing"):
            litert_files(offline=True)
        assert litert_files(offline=False) == files


@pytest.mark.parametrize("registry_address", ["http://127.0.0.1:9", "no address"])
def test_without_a_registry_the_error_says_what_to_do(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, registry_address: str
) -> None:
    assert registry.is_dir()
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry_address)
    with pytest.raises(EdgeclfError, match=r"cannot be fetched .*NPM_CONFIG_REGISTRY"):
        litert_files(offline=False)
