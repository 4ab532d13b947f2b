"""Where latency is measured: this machine, or a device over SSH that has edgeclf.

Both run `edgeclf benchmark`, on an image of noise: no photograph leaves this machine.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from ...edge_runtime.errors import EdgeclfError
from ...models.metrics.statistics import Estimate
from ..report.charts.scatter import p50_interval
from ..results.reading import check_consistency
from ..results.schema import Benchmark
from .results import Latency

_QUERIES, _ROUNDS = 60, 3
_OPTIONS = ("--queries", str(_QUERIES), "--rounds", str(_ROUNDS))
_SECONDS = 900  # of one measurement
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
_ADDRESS = re.compile(r"[A-Za-z0-9_][\w.+-]*(@[A-Za-z0-9_\[][\w.:%\[\]-]*)?", re.ASCII)
_FOLDER = re.compile(r"/[\w./-]+", re.ASCII)
# Where docs/device/raspberry-pi.md puts it; a shell without a terminal reads no profile.
_FIND = 'PATH="$PATH:$HOME/edgeclf/bin:$HOME/.local/bin"; export PATH'


Measure = Callable[[Path], Latency]


@contextmanager
def local_place(*, label: str) -> Iterator[Measure]:
    """Yield what measures how long an inference of a .tflite file takes on this machine.

    Args:
        label: a class of the models that will be measured.

    Raises:
        EdgeclfError: when asked: a file cannot be measured.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_noise(folder / "images" / label / "noise.png")

        def measure(file: Path) -> Latency:
            started = perf_counter()
            answer = folder / "benchmark.json"
            program = (sys.executable, "-m", "edgeclf", "benchmark")
            words = (file, "--data", folder / "images", *_OPTIONS, "--json", answer)
            done = _run([*program, *map(str, words)], name=str(file))
            if done.returncode:
                raise EdgeclfError(f"{file}: cannot be measured ({_last_line(done.stderr)})")
            return _latency(answer.read_bytes(), name=str(file), started=started)

        yield measure


@contextmanager
def remote_place(address: str, *, label: str) -> Iterator[Measure]:
    """Yield what measures how long an inference of a .tflite file takes on a device.

    Its files lie in a temporary folder of the device, which is removed at the end.

    Args:
        address: `user@host`, or a host that SSH's configuration knows; `ssh` must reach it without
            a question.
        label: a class of the models that will be measured.

    Raises:
        EdgeclfError: the address cannot be one, the device cannot be reached or has no edgeclf;
            when asked, it refuses the file.
    """
    if not _ADDRESS.fullmatch(address):
        raise EdgeclfError(
            f"--on {address!r:.60}: expected user@host, or a host of ~/.ssh/config, as "
            "pi@raspberrypi.local"
        )
    said = _ask(address, f"{_FIND}; edgeclf --version >&2 && mktemp -d").decode(errors="replace")
    folder = said.strip().split("\n")[-1]
    if not _FOLDER.fullmatch(folder):
        raise EdgeclfError(
            f"{address}: `mktemp -d` answered {folder!r:.60}; give a device whose shell "
            "prints nothing else at a login"
        )

    def send(file: Path, path: str) -> None:
        parent = shlex.quote(path.rpartition("/")[0])
        command = f"mkdir -p {parent} && cat > {shlex.quote(path)}"
        _ask(address, command, given=file.read_bytes())

    def measure(file: Path) -> Latency:
        started = perf_counter()
        model, answer = f"{folder}/model.tflite", f"{folder}/benchmark.json"
        send(file, model)
        command = f"edgeclf benchmark {model} --data {folder}/images {' '.join(_OPTIONS)}"
        said = _ask(address, f"{_FIND}; {command} --json {answer} >&2 && cat {answer}")
        return _latency(said, name=f"{address}: {file.name}", started=started)

    try:
        with TemporaryDirectory() as here:
            noise = Path(here) / "noise.png"
            _write_noise(noise)
            send(noise, f"{folder}/images/{label}/noise.png")
        yield measure
    finally:
        remove = [*_SSH, address, f"rm -rf {folder}"]
        subprocess.run(remove, capture_output=True, check=False, timeout=_SECONDS)


def _ask(address: str, command: str, *, given: bytes = b"") -> bytes:
    """Return what a shell command on the device prints."""
    done = _run([*_SSH, address, command], name=address, given=given)
    if done.returncode == 255:  # ssh's own failure
        raise EdgeclfError(
            f"{address}: cannot be reached ({_last_line(done.stderr)}); `ssh {address}` must log "
            "in by a key, without a question"
        )
    if done.returncode == 127:
        raise EdgeclfError(
            f"{address}: has no `edgeclf` on its PATH or in ~/edgeclf/bin; install it there, as "
            "docs/device/raspberry-pi.md says"
        )
    if done.returncode:
        raise EdgeclfError(f"{address}: {_last_line(done.stderr)}")
    return done.stdout


def _run(
    command: Sequence[str], *, name: str, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            command, input=given, capture_output=True, check=False, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise EdgeclfError(f"{name}: there is no program `{command[0]}`; install it") from None
    except subprocess.TimeoutExpired:
        raise EdgeclfError(f"{name}: no answer within {_SECONDS} seconds; try again") from None


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").split("\n") if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else "no message"


def _latency(said: bytes, *, name: str, started: float) -> Latency:
    try:
        value = json.loads(said)
    except ValueError:
        raise EdgeclfError(f"{name}: answered no benchmark; is edgeclf of this version?") from None
    benchmark = Benchmark.from_json(value, name=name)
    check_consistency(benchmark, name=name)
    [model] = benchmark.models
    if model.error is not None:
        raise EdgeclfError(f"{name}: {model.error}")
    timing = model.timings[0]
    return Latency(
        p50_ms=Estimate(timing.p50_ms, p50_interval(timing)),
        threads=timing.threads,
        queries=timing.queries,
        background_load=benchmark.machine.background_load,
        seconds=round(perf_counter() - started, 1),
    )


def _write_noise(path: Path) -> None:
    import cv2

    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
