"""Latency and temperature of a model that works without a pause."""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from time import monotonic

import click

from ...edge_runtime.machine import machine_state
from ..results.estimates import median
from ..results.schema import Moment, Sustained
from .model_files import ModelFile
from .processes import Worker

_MOMENT_SECONDS = 1.0


def measure_sustained(
    model_file: ModelFile, images: Sequence[Path], *, name: str, threads: int, minutes: float
) -> Sustained:
    """Return what becomes of the latency of a model while the machine warms up.

    Args:
        model_file: the model.
        images: photographs, taken in turn: decoding and preprocessing are part of the work.
        name: how tables call it.
        threads: of an inference.
        minutes: how long.
    """
    moments: list[Moment] = []
    turn = cycle(images)
    with Worker(
        model_file.path,
        threads=threads,
        runtime=model_file.runtime,
        accelerator=model_file.accelerator,
    ) as worker:
        worker.wait_until_ready()
        worker.open(images[0])
        start, at_once = monotonic(), 1
        with click.progressbar(length=round(minutes * 60), label=f"Sustained, {name}") as bar:
            while (begin := monotonic() - start) < minutes * 60:
                query_ms = worker.query(list(islice(turn, at_once)))[:, 2:].sum(1)
                seconds = monotonic() - start
                state = machine_state()
                moments.append(
                    Moment(
                        seconds=round(seconds, 3),
                        latency_ms=median(query_ms),
                        temperature_c=state.temperature_c,
                        frequency_mhz=state.frequency_mhz,
                    )
                )
                at_once = max(1, round(at_once * _MOMENT_SECONDS / (seconds - begin)))
                bar.update(round(seconds) - round(begin))
    return Sustained(name=name, threads=threads, moments=tuple(moments))
