"""Runtimes side by side: each in a process of its own, one of them computing at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Timer
from time import sleep

import click
import numpy as np

from edgeclf.benchmarks.measure.messages import Message
from edgeclf.benchmarks.measure.processes import Process, WorkerError
from edgeclf.edge_runtime.command_line.warning import echo_warning

_BLOCK = 10
_PATIENCE_S = 300.0

# Until the threads of the one before sleep: ONNX Runtime's spin for some 30 ms.
_PAUSE_S = 0.05

Command = Sequence[str]


@dataclass
class Round:
    """What an entry did in one round, in one process.

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
class Comparison:
    """What came of a field.

    Attributes:
        rounds_of: of each entry that did not fail, round by round.
        failures: why the others did, in a line.
    """

    rounds_of: dict[str, list[Round]]
    failures: dict[str, str]

    def drop(self, name: str, error: WorkerError) -> None:
        """Take out an entry: what it did before is no fair comparison any more."""
        del self.rounds_of[name]
        self.failures[name] = str(error).removeprefix(f"{name}: ")
        echo_warning(f"given up: {error}")


def compare(
    fields: Mapping[int, Mapping[str, Command]],
    places: Sequence[int],
    *,
    rounds: int,
    queries: int,
    env: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[int, Comparison]:
    """Run fields of entries, in turn, for some rounds, each in fresh processes.

    In a round they take turns in short blocks, whose order is drawn anew each time: when the
    machine slows down for a while, it slows all of them alike. One that fails is out.

    Args:
        fields: by the number of threads, what starts each entry; it must speak as `worker.py`
            says.
        places: of the images, which are taken in turn.
        rounds: how many.
        queries: timed in each round, per entry.
        env: the entries' environment variables.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    comparisons = {
        threads: Comparison({name: [] for name in field}, {}) for threads, field in fields.items()
    }
    with click.progressbar(length=rounds * len(fields) * queries, label="Racing") as bar:
        for number in range(rounds):
            turns = [places[(number * queries + i) % len(places)] for i in range(queries)]
            for threads, done in comparisons.items():
                commands = {name: fields[threads][name] for name in done.rounds_of}
                with ExitStack() as stack:
                    workers = _start(commands, env, done, stack)
                    for start in range(0, queries, _BLOCK):
                        block = turns[start : start + _BLOCK]
                        _take_turns(workers, block, rng.permutation(list(workers)), done)
                        bar.update(len(block))
                for name, worker in workers.items():
                    done.rounds_of[name].append(worker.measured)
    return comparisons


def _take_turns(
    workers: dict[str, "_EntryProcess"], block: list[int], order: Iterable[str], done: Comparison
) -> None:
    for name in order:
        try:
            workers[name].run(block)
        except WorkerError as error:
            done.drop(name, error)
            del workers[name]
        sleep(_PAUSE_S)


def _start(
    commands: Mapping[str, Command],
    env: Mapping[str, str] | None,
    done: Comparison,
    stack: ExitStack,
) -> dict[str, "_EntryProcess"]:
    """Start all entries, one after the other; those that cannot are out."""
    entries = {}
    for name, command in commands.items():
        try:
            entries[name] = stack.enter_context(_EntryProcess(command, name=name, env=env))
            entries[name].get_ready()
        except WorkerError as error:
            done.drop(name, error)
            entries.pop(name, None)
        sleep(_PAUSE_S)
    return entries


class _EntryProcess(Process):
    """The process of an entry, and what it has done so far."""

    measured: Round

    def get_ready(self) -> None:
        """Wait until the model is open and warm."""
        self.measured = Round(**self._patiently(self.answer))

    def run(self, block: list[int]) -> None:
        """Have the images of the block classified."""
        answer, measured = self._patiently(lambda: self.ask({"images": block})), self.measured
        measured.ms += answer["ms"]
        measured.cpu_ms += answer["cpu_ms"]
        measured.peak_bytes = answer["peak_bytes"]
        measured.best.update(zip(block, answer["best"], strict=True))

    def _patiently(self, wait: Callable[[], tuple[Message, bytes]]) -> Message:
        """Return the message that `wait` returns; end the process if that takes for ever."""
        watch = Timer(_PATIENCE_S, self._process.kill)
        watch.start()
        try:
            message, _ = wait()
        except WorkerError:
            if watch.is_alive():
                raise
            raise WorkerError(f"{self._name}: no answer within {_PATIENCE_S:.0f} s") from None
        finally:
            watch.cancel()
        return {key: value for key, value in message.items() if key != "bytes"}
