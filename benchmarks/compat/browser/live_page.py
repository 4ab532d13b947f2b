"""Draws the README's picture: the live page of `edgeclf run --serve` on a film of drawn surfaces.

python benchmarks/compat/browser/live_page.py demo-run/models/int8.tflite docs/images/live-page.webp
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import cv2
import numpy as np

from edgeclf.benchmarks.compat.browser.chromium import find_browser, open_browser
from edgeclf.benchmarks.demo.surfaces import draw_surface
from edgeclf.edge_runtime.command_line.option_types import SEED
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import write_bytes

_FPS = 5
_SECONDS = (("good", 8), ("scratch", 120))
_SIZE = 640
_PATIENCE_S = 90.0


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seed", default=7, type=SEED, help="Seed of the surfaces.")
def live_page(model: Path, out: Path, seed: int) -> None:
    """Film surfaces, show them on the live page of MODEL, and write OUT, a picture of it."""
    browser = find_browser()
    if browser is None:
        raise EdgeclfError("no Chromium on the PATH; apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copyfile(model, work / model.name)
        _film(work / "surfaces.avi", seed=seed)
        with _served(work, model.name) as url, open_browser(browser) as page:
            page.resize(1000, 570)
            page.open(url)
            page.until("document.getElementById('label').textContent !== ''")
            time.sleep(_SECONDS[0][1] + 12)  # past the change of surface, to a calm curve
            page.run("document.documentElement.style.overflow = 'hidden'")
            page.screenshot(work / "page.png")
        picture = cv2.imread(str(work / "page.png"))
        if picture is None:
            raise EdgeclfError("the browser's picture cannot be read")
        write_bytes(out, cv2.imencode(out.suffix, picture)[1].tobytes())


def _film(path: Path, *, seed: int) -> None:
    """Film the surfaces of _SECONDS one after another, from a hand that is not quite calm."""
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    film = cv2.VideoWriter(str(path), codec, _FPS, (_SIZE, _SIZE * 3 // 4))
    for defect, seconds in _SECONDS:
        surface, _ = draw_surface(defect, size=_SIZE, rng=np.random.default_rng(seed))
        for number in range(seconds * _FPS):
            moved = np.roll(surface, (number % 3 - 1, number % 2), axis=(0, 1))
            film.write(np.ascontiguousarray(moved[_SIZE // 8 : -_SIZE // 8, :, ::-1]))
    film.release()


@contextmanager
def _served(work: Path, model: str) -> Iterator[str]:
    """Run `edgeclf run --serve` on the film in `work`, and yield the page's address."""
    log = work / "log.txt"
    command = [sys.executable, "-m", "edgeclf", "run", model, "surfaces.avi"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--realtime", "--threads", "1", "--serve", "127.0.0.1:0"],
            cwd=work,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            yield _address(log, process)
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)


def _address(log: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := re.search(r"http://\S+", log.read_text(encoding="utf-8"))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EdgeclfError(f"edgeclf run serves no page: {log.read_text(encoding='utf-8')}")
        time.sleep(0.2)
    return found[0]


if __name__ == "__main__":
    live_page()
