"""What `edgeclf bulk` costs beside a bare loop that decodes and classifies, and its memory.

`python -m edgeclf.fleet.bulk.overhead MODEL FOLDER` draws small images into FOLDER and classifies
each part of them in both ways, by turns.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
import cv2
import numpy as np

from ...benchmarks.demo.surfaces import SURFACE_CLASSES, draw_surface
from ...edge_runtime.classifier import Classifier
from ...edge_runtime.images import read_image
from .chunk import ChunkClassifier, Job
from .inputs.places import open_place
from .output import OutputFolder
from .plan import make_plan
from .run import make_job

_DRAWN, _SIDE = 200, 48
_FOLDER = 1000  # images of a folder


@click.command(context_settings={"show_default": True})
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=20_000, type=click.IntRange(min=100), help="Images to draw.")
@click.option("--rounds", default=10, type=click.IntRange(min=3), help="Parts, and so rounds.")
@click.option("--threads", default=2, type=click.IntRange(min=1), help="Threads of an inference.")
def overhead(model: Path, folder: Path, images: int, rounds: int, threads: int) -> None:
    """Classify the images of each part in bulk and in a bare loop, by turns."""
    draw_images(folder, images)
    paths = sorted(folder.rglob("*.png"))
    size = -(-len(paths) // rounds)
    with tempfile.TemporaryDirectory() as scratch:
        job = _planned_job(model, folder, f"{scratch}/out", size, threads)
        bulk, bare = ChunkClassifier(job, model), Classifier(model, threads=threads)
        ratios, memory = [], []
        for chunk in range(rounds):
            part = paths[chunk * size : (chunk + 1) * size]
            ways: list[Callable[[], object]] = [
                lambda chunk=chunk: bulk(chunk),  # type: ignore[misc]
                lambda part=part: [bare.classify(read_image(path)) for path in part],  # type: ignore[misc]
            ]
            order = (0, 1) if chunk % 2 else (1, 0)
            taken = {way: _timed(ways[way]) for way in order}
            ratios.append([taken[0][i] / taken[1][i] for i in range(2)])
            memory.append(_resident_mb())
            click.echo(
                f"part {chunk}: bulk {taken[0][0]:.2f} s, loop {taken[1][0]:.2f} s; CPU "
                f"{taken[0][1]:.2f} s, {taken[1][1]:.2f} s; {memory[-1]:.1f} MB"
            )
    for place, name in enumerate(("wall", "CPU")):
        each = sorted(ratio[place] for ratio in ratios)
        click.echo(
            f"{name}: bulk takes {median(each):.3f} times the loop (median of {rounds}; "
            f"{each[0]:.3f} to {each[-1]:.3f})"
        )
    late = memory[len(memory) // 3 :]
    slope = float(np.polyfit(np.arange(len(late)) * size, late, 1)[0]) * 10_000
    click.echo(f"memory: {slope:+.2f} MB in 10,000 images, after the first third")


def draw_images(folder: Path, number: int) -> None:
    """Write `number` small PNG files that all differ, of a few drawn surfaces; those there stay."""
    drawn = [
        draw_surface(
            SURFACE_CLASSES[i % len(SURFACE_CLASSES)], size=_SIDE, rng=np.random.default_rng(i)
        )[0]
        for i in range(_DRAWN)
    ]
    rng = np.random.default_rng(0)
    for i in range(number):
        pixels = drawn[i % _DRAWN].copy()
        pixels[i // _SIDE % _SIDE, i % _SIDE] = rng.integers(0, 256, 3)
        path = folder / f"{i // _FOLDER:04}" / f"{i:07}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _planned_job(model: Path, folder: Path, out: str, size: int, threads: int) -> Job:
    job = make_job(
        model, [str(folder)], out,
        top=3, threshold=0.0, novelty_threshold=None, rows_per_part=size, column=None,
        threads=threads,
    )  # fmt: skip
    make_plan(job.settings, [open_place(str(folder))], OutputFolder(out), warn=click.echo)
    return job


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _resident_mb() -> float:
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    overhead()
