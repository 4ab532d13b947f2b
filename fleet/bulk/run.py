"""A bulk run from its plan to its manifest, in one process or on a cluster."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Any

import click

from ... import __version__
from ...edge_runtime.errors import EdgeclfError, Interrupted
from ...edge_runtime.files import sha256_of
from ...edge_runtime.model_file.container import read_model
from ...edge_runtime.prediction import iso_time
from .chunk import ChunkClassifier, Job
from .inputs.places import Place, open_place
from .manifest import make_manifest, write_manifest
from .output import MANIFEST, PLAN, ROWS, OutputFolder, part_name
from .plan import Plan, Settings, list_again, make_plan, read_plan
from .rows import Part, read_part

Advance = Callable[[int], object]
# Classifies chunks in any order; says after each batch how many images are done.
Runner = Callable[[Sequence[int], Advance], Iterable[tuple[int, Part]]]


def make_job(
    model: Path,
    inputs: Sequence[str],
    out: str,
    *,
    top: int,
    threshold: float,
    novelty_threshold: float | None,
    rows_per_part: int,
    column: str | None,
    threads: int | None,
) -> Job:
    """Return what every process of a run must know, but for its plan.

    Raises:
        EdgeclfError: the model or an input cannot be read, or the output cannot be written.
    """
    read_model(model)
    places = list(map(open_place, inputs))
    _check_outside(OutputFolder(out), places)
    settings = Settings(
        inputs=tuple(place.name(place.path) for place in places),
        model=sha256_of(model),
        top=top,
        threshold=threshold,
        novelty_threshold=novelty_threshold,
        rows_per_part=rows_per_part,
        column=column,
    )
    return Job(model.absolute(), tuple(map(_absolute, inputs)), _absolute(out), settings, threads)


def _check_outside(out: OutputFolder, places: Sequence[Place]) -> None:
    for place in places:
        inside = PurePath(out.place.path).is_relative_to(place.path)
        if inside and out.place.prefix == place.prefix and place.files == out.place.files:
            raise EdgeclfError(
                f"{out.name}: lies in the input {place.name(place.path)}, which the rows would "
                "change; choose a folder outside of it"
            )


def run_bulk(
    job: Job, *, resume: bool, ray: str | None, warn: Callable[[str], object]
) -> dict[str, Any]:
    """Classify the images of the inputs, and return the manifest.

    Args:
        job: what is to be done.
        resume: whether a run that was stopped goes on; without one, a new one begins.
        ray: the cluster: its address, or `local` for one on this machine; None for this process.
        warn: called with lines on what is not read.

    Raises:
        EdgeclfError: an input, the model or the output cannot serve.
        Interrupted: Ctrl-C.
    """
    out = OutputFolder(job.out)
    with out.alone():
        return _run_alone(job, out, resume=resume, ray=ray, warn=warn)


def _run_alone(
    job: Job, out: OutputFolder, *, resume: bool, ray: str | None, warn: Callable[[str], object]
) -> dict[str, Any]:
    places = [open_place(where) for where in job.inputs]
    plan = _plan(job.settings, places, out, resume=resume, warn=warn)
    if out.holds(MANIFEST):
        manifest: dict[str, Any] = json.loads(out.read(MANIFEST))
        return manifest
    parts = _run(replace(job, plan=plan.sha256), plan, out, ray=ray)
    manifest = make_manifest(
        plan,
        parts,
        spec=read_model(job.model)[1],
        now=list_again(places),
        version=__version__,
        finished=iso_time(time.time()),
    )
    write_manifest(out, manifest)
    out.remove_leftovers()
    return manifest


def _plan(
    settings: Settings,
    places: Sequence[Place],
    out: OutputFolder,
    *,
    resume: bool,
    warn: Callable[[str], object],
) -> Plan:
    if not out.holds(PLAN):
        others = sorted(out.names())
        if others:
            raise EdgeclfError(
                f"{out.name}: holds other files ({others[0]}); give a new or an empty folder"
            )
        return make_plan(settings, places, out, warn=warn)
    if not resume:
        raise EdgeclfError(
            f"{out.name}: holds a bulk run; --resume goes on with it, or choose another folder"
        )
    plan = read_plan(out)
    for each in fields(Settings):
        before, now = getattr(plan.settings, each.name), getattr(settings, each.name)
        if before != now:
            raise EdgeclfError(
                f"{out.name}: its run has another {each.name.replace('_', ' ')}: {_shown(before)}, "
                f"not {_shown(now)}; give the same to resume, or another folder"
            )
    return plan


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _run(job: Job, plan: Plan, out: OutputFolder, *, ray: str | None) -> list[Part]:
    there = out.names(ROWS)
    parts = {
        chunk: read_part(out, chunk, plan=plan.sha256, images=images)
        for chunk, images in enumerate(plan.images)
        if part_name(chunk).rpartition("/")[2] in there
    }
    todo = [chunk for chunk in range(len(plan.images)) if chunk not in parts]
    length, done = sum(plan.images), sum(part.rows for part in parts.values())
    with click.progressbar(
        length=length, label="Classifying", show_pos=True, item_show_func=_shown_rate
    ) as bar:
        rate = _Rate()
        bar.update(done)

        def advance(images: int) -> None:
            bar.update(images, rate.after(images))

        try:
            if todo:
                for chunk, part in _runner(job, plan, ray)(todo, advance):
                    parts[chunk] = part
        except KeyboardInterrupt:
            raise Interrupted(
                f"{len(parts)} of {len(plan.images)} parts are whole in {out.name}; the same "
                "command with --resume goes on"
            ) from None
    return [parts[chunk] for chunk in sorted(parts)]


class _Rate:
    """Images a second, since the run began."""

    def __init__(self) -> None:
        self._start, self._images = time.monotonic(), 0

    def after(self, images: int) -> float:
        self._images += images
        return self._images / max(time.monotonic() - self._start, 1e-9)


def _shown_rate(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.1f} images/s"


def _runner(job: Job, plan: Plan, ray: str | None) -> Runner:
    if ray is not None:
        from .ray_cluster import ray_runner

        return ray_runner(job, plan.images, address=ray)
    classify = ChunkClassifier(job, job.model)
    return lambda chunks, advance: ((chunk, classify(chunk, advance=advance)) for chunk in chunks)


def _absolute(where: str) -> str:
    return where if "://" in where else str(Path(where).absolute())
