"""Contenders side by side: each in a process of its own, one of them computing at a time."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from subprocess import PIPE
from threading import Timer
from time import monotonic, sleep
from typing import Any

import click
import numpy as np

_BLOCK = 10
_PATIENCE_S = 300.0

# Until the threads of the one before sleep: ONNX Runtime's spin for some 30 ms.
_PAUSE_S = 0.05

Command = Sequence[str]


@dataclass
class Heat:
    """What a contender did in one round, in one process.

    Attributes:
        version: its runtime, with the version.
        load_ms: from importing the runtime to a model that is ready.
        first_ms: the first inference.
        ms: every timed query, in milliseconds.
        cpu_ms: processor time of all its threads during these queries.
        peak_bytes: peak memory of its process.
        best: the class index that it gave each image, by the image's place.
    """

    version: str
    load_ms: float
    first_ms: float
    peak_bytes: int
    ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0
    best: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Race:
    """What came of a field.

    Attributes:
        heats: of each contender that did not fail, round by round.
        failures: why the others did, in a line.
    """

    heats: dict[str, list[Heat]]
    failures: dict[str, str]

    def drop(self, name: str, why: str) -> None:
        """Take out a contender: what it did before is no fair comparison any more."""
        del self.heats[name]
        self.failures[name] = why


def race(
    fields: Mapping[int, Mapping[str, Command]],
    places: Sequence[int],
    *,
    rounds: int,
    queries: int,
    env: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[int, Race]:
    """Run fields of contenders, in turn, for some rounds, each in fresh processes.

    In a round they take turns in short blocks, whose order is drawn anew each time: when the
    machine slows down for a while, it slows all of them alike. One that fails is out.

    Args:
        fields: by the number of threads, what starts each contender; it must speak as `worker.py`
            says.
        places: of the images, which are taken in turn.
        rounds: how many.
        queries: timed in each round, per contender.
        env: the contenders' environment variables.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    races = {threads: Race({name: [] for name in field}, {}) for threads, field in fields.items()}
    with click.progressbar(length=rounds * len(fields) * queries, label="Racing") as bar:
        for number in range(rounds):
            turns = [places[(number * queries + i) % len(places)] for i in range(queries)]
            for threads, done in races.items():
                commands = {name: fields[threads][name] for name in done.heats}
                with _workers(commands, env, done) as workers:
                    for start in range(0, queries, _BLOCK):
                        block = turns[start : start + _BLOCK]
                        _take_turns(workers, block, rng.permutation(list(workers)), done)
                        bar.update(len(block))
                for name, worker in workers.items():
                    done.heats[name].append(worker.heat)
    return races


def _take_turns(
    workers: dict[str, "_Worker"],
    block: list[int],
    order: Iterable[str],
    done: Race,
) -> None:
    for name in order:
        try:
            workers[name].run(block)
        except _FailedError as error:
            done.drop(name, str(error))
            workers.pop(name).end()
        sleep(_PAUSE_S)


@contextmanager
def _workers(
    commands: Mapping[str, Command], env: Mapping[str, str] | None, done: Race
) -> Iterator[dict[str, "_Worker"]]:
    """Start all contenders, one after the other; those that cannot are out."""
    workers: dict[str, _Worker] = {}
    try:
        for name, command in commands.items():
            try:
                workers[name] = _Worker(command, env)
            except _FailedError as error:
                done.drop(name, str(error))
            sleep(_PAUSE_S)
        yield workers
    finally:
        for worker in workers.values():
            worker.end()


class _FailedError(Exception):
    """A contender is out: why, in a line."""


class _Worker:
    """The process of a contender, and what it has done so far."""

    def __init__(self, command: Command, env: Mapping[str, str] | None) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        try:
            self._process = subprocess.Popen(
                command, stdin=PIPE, stdout=PIPE, stderr=self._stderr, text=True, env=env
            )
        except OSError as error:
            raise _FailedError(f"cannot be started: {error}") from None
        try:
            self.heat = Heat(**self._hear())
        except _FailedError:
            self.end()
            raise

    def run(self, block: list[int]) -> None:
        """Have the images of the block classified."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # what is not heard then says more
            self._process.stdin.write(f"{block}\n")
            self._process.stdin.flush()
        told, heat = self._hear(), self.heat
        heat.ms += told["ms"]
        heat.cpu_ms += told["cpu_ms"]
        heat.peak_bytes = told["peak_bytes"]
        heat.best.update(zip(block, told["best"], strict=True))

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        watch, begin = Timer(_PATIENCE_S, self._process.kill), monotonic()
        watch.start()
        line = self._process.stdout.readline()
        watch.cancel()
        if line:
            told: dict[str, Any] = json.loads(line)
            return told
        if monotonic() - begin >= _PATIENCE_S:
            raise _FailedError(f"no answer within {_PATIENCE_S:.0f} s")
        code = self._process.wait()
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        raise _FailedError(f"its process ended with {code} ({last[0] if last else 'no message'})")
