"""The rows of MediaPipe's ImageClassifier in Python."""

from pathlib import Path
from typing import Any

from edgeclf.benchmarks.peers.entries import NO_NETWORK, no_network_failure

from .environments import environment
from .interpreters import in_environment, run_probe
from .rows import BIT_EQUAL, CLOSE_RECIPES, LAST_BIT, Row

_PROBE = Path(__file__).parent / "probes" / "mediapipe_task.py"


def rows() -> list[Row]:
    """Return a row of the oldest MediaPipe with wheels for a supported Python, and the newest."""
    return [_row("mediapipe-oldest", LAST_BIT), _row("mediapipe-newest", BIT_EQUAL)]


def _row(name: str, expected: str) -> Row:
    pinned = environment(name)

    def run(case: Path, work: Path) -> dict[str, Any]:
        failure = no_network_failure()
        if failure is not None:
            return {"runtime": "mediapipe", "unavailable": failure}
        out = work / f"{name}.json"

        def in_python(python: Path) -> dict[str, Any]:
            command = (*NO_NETWORK, python, _PROBE, case, out)
            return run_probe(command, out, runtime="mediapipe")

        return in_environment(name, in_python, work=work, runtime="mediapipe")

    title = pinned.requirements[0].replace("mediapipe==", "MediaPipe ")
    return Row(
        f"{title} ImageClassifier (Python {pinned.python})",
        expected,
        run,
        recipes=CLOSE_RECIPES,
        scores_only=True,
        note="with MediaPipe's own steps",
    )
