"""The folder of a page: its own files, the model, LiteRT.js, and what ties them together."""

import base64
import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .... import __version__
from ....edge_runtime.classifier import Classifier
from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.files import json_text, write_error
from ....edge_runtime.live.web.files import content as live_page_file
from ....edge_runtime.model_file.self_test import synthetic_colours

SCHEMA = 1
MODEL_NAME = "model.tflite"
_STATIC = Path(__file__).with_name("static")
_LICENCE = "litert-license.txt"
_WORKER = "service_worker.js"
_ICON_SIZES = (192, 512)
_LARGEST_SMALL = 1 << 18  # bytes of a file that the page loads before all others


@dataclass(frozen=True)
class Site:
    """A page that was written.

    Attributes:
        files: how many.
        size: of all of them, in bytes.
        first_visit: what a browser with relaxed SIMD loads at first, in bytes.
    """

    files: int
    size: int
    first_visit: int


def write_site(model: Path, *, out: Path, name: str, runtime: Mapping[str, bytes]) -> Site:
    """Write a page that runs `model` to the folder `out`, whole or not at all.

    Args:
        model: a .tflite file of `edgeclf convert` with a self-test, which must pass here.
        out: a folder that does not exist, or is empty.
        name: title of the page.
        runtime: the files of LiteRT.js.

    Raises:
        EdgeclfError: the model is none of edgeclf's or fails its self-test, or `out` holds files or
            cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EdgeclfError(f"{out}: exists already; give a new folder, or remove it")
    description = _description(model, name=name)
    files = _own_files(name)
    files["site.json"] = json_text(description).encode()
    files[MODEL_NAME] = model.read_bytes()
    files["litert/LICENSE"] = (_STATIC / _LICENCE).read_bytes()
    for file, data in runtime.items():
        packed = file.endswith(".wasm")
        files[f"litert/{file}" + ".gz" * packed] = gzip.compress(data, mtime=0) if packed else data
    files[_WORKER] = _service_worker(files)
    _write(files, out)
    return Site(
        files=len(files),
        size=sum(map(len, files.values())),
        first_visit=sum(len(data) for file, data in files.items() if not _is_later(file)),
    )


def _is_later(file: str) -> bool:
    """Whether a browser with relaxed SIMD loads a file at most at its second visit."""
    return any(part in file for part in ("_compat_", "_threaded_", "icon-", "LICENSE"))


def _own_files(name: str) -> dict[str, bytes]:
    files = {
        file.relative_to(_STATIC).as_posix(): file.read_bytes()
        for file in sorted(_STATIC.rglob("*"))
        if file.is_file() and file.name != _LICENCE
    }
    for shared in ("page.css", "icon.svg"):
        files[shared] = live_page_file(shared)
    icons = [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}]
    for size in _ICON_SIZES:
        file = f"icon-{size}.png"
        files[file] = _icon(size)
        icons.append({"src": file, "sizes": f"{size}x{size}", "type": "image/png"})
    manifest = {
        "name": name,
        "short_name": name[:12],
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#14161a",
        "theme_color": "#17191c",
        "icons": icons,
    }
    return files | {"manifest.webmanifest": json.dumps(manifest, ensure_ascii=False).encode()}


def _icon(size: int) -> bytes:
    """Return the icon as PNG: a lens, dark up to the edge, since devices cut icons to a shape."""
    scale, middle = size / 32, (size // 2, size // 2)
    image = np.full((size, size, 3), (0x1C, 0x19, 0x17), np.uint8)
    cv2.circle(image, middle, round(8 * scale), (0xEB, 0xEC, 0xEC), round(2.5 * scale), cv2.LINE_AA)
    cv2.circle(image, middle, round(3 * scale), (0x9C, 0xC7, 0x38), cv2.FILLED, cv2.LINE_AA)
    return cv2.imencode(".png", image)[1].tobytes()


def _description(model: Path, *, name: str) -> dict[str, Any]:
    """Return what the page must know beyond what stands in the file."""
    classifier = Classifier(model, threads=1)
    test = classifier.spec.self_test
    if classifier.spec.flatbuffer_sha256 is None or test is None:
        raise EdgeclfError(f"{model}: carries no digest or no self-test; convert the model again")
    if classifier.spec.taught is not None:
        raise EdgeclfError(
            f"{model}: was taught classes, which a page does not know; give the file from before"
        )
    if not classifier.self_test().passed:
        raise EdgeclfError(
            f"{model}: its self-test fails on this machine; run `edgeclf doctor {model}`"
        )
    outputs = [
        {
            "scale": float(output["quantization"][0]),
            "zero_point": int(output["quantization"][1]),
            "shape": [int(side) for side in output["shape"][1:]],
            "channels": int(output["shape"][-1]),
        }
        for output in classifier.interpreter.get_output_details()
    ]
    rasters = [synthetic_colours(seed, grid=grid) for seed, grid in test.inputs]
    return {
        "schema": SCHEMA,
        "edgeclf_version": __version__,
        "name": name,
        "model": MODEL_NAME,
        "outputs": outputs,
        "self_test": [base64.b64encode(raster.tobytes()).decode() for raster in rasters],
    }


def _service_worker(files: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for file, data in sorted(files.items()):
        digest.update(f"{file} {len(data)}\n".encode() + data)
    small = [
        file
        for file, data in files.items()
        if len(data) <= _LARGEST_SMALL and file != _WORKER and not _is_later(file)
    ]
    text = files[_WORKER].decode()
    text = text.replace("@VERSION@", digest.hexdigest()[:16])
    return text.replace('["@SMALL@"]', json.dumps(["./", *sorted(small)])).encode()


def _write(files: Mapping[str, bytes], out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            whole = Path(folder) / "site"
            for file, data in files.items():
                path = whole / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            if out.exists():
                out.rmdir()
            shutil.move(whole, out)
    except OSError as error:
        raise write_error(out, error) from None
