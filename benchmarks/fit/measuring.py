"""Latencies of candidates before any of them is trained."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from ...edge_runtime.errors import EdgeclfError
from ..measure.processes import Process
from .candidates import Candidate
from .place import Measure
from .results import Latency


class UnavailableError(EdgeclfError):
    """A candidate has no weights to start from, or cannot be built or slimmed so."""


@contextmanager
def measure_untrained(
    measure_file: Measure, *, labels: Sequence[str], out: Path
) -> Iterator[Callable[[Candidate], Latency]]:
    """Yield what measures a candidate: it makes an int8 file of it, untrained, and times that.

    One process makes all the files, and is not started before it is needed.

    Args:
        measure_file: measures a file.
        labels: classes of the data.
        out: folder of the fit; the file is removed once it is timed.

    Raises:
        UnavailableError: when asked: there is no file of the candidate.
        EdgeclfError: when asked: its file cannot be measured.
    """
    with ExitStack() as stack:
        started: list[Process] = []

        def measure(candidate: Candidate) -> Latency:
            start = perf_counter()
            if not started:
                command = [sys.executable, "-m", "edgeclf.benchmarks.fit.probe"]
                started.append(stack.enter_context(Process(command, name="the converter")))
            file = out / f"{candidate.name}.untrained.tflite"
            message = {
                "architecture": candidate.architecture,
                "weights": candidate.weights,
                "input_size": candidate.input_size,
                "keep": candidate.keep,
                "labels": list(labels),
                "file": str(file),
            }
            try:
                answer, _ = started[0].ask(message)
                if "refused" in answer:
                    raise UnavailableError(_refusal(answer["refused"], candidate))
                latency = measure_file(file)
            finally:
                file.unlink(missing_ok=True)
            return replace(latency, seconds=round(perf_counter() - start, 1))

        yield measure


def _refusal(reason: str, candidate: Candidate) -> str:
    """Return why there is no file, with a mend that `edgeclf fit` has."""
    if candidate.keep < 1:  # the whole network could be had
        return reason
    without_mend = reason.rpartition("; ")[0] or reason  # it names an option of `edgeclf train`
    return f"{without_mend}; mend that, or give --arch {candidate.architecture}=FILE"
