"""The processes of `edgeclf benchmark`: one dies, or all are interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmark_command import QUICK, Cli, only_error
from skips import require_linux

from edgeclf.benchmarks.measure.processes import Worker
from edgeclf.benchmarks.results.reading import read_benchmark


def dying(name: str, when: str) -> type[Worker]:
    """A worker whose process is killed at a moment, if it holds the model of that name."""

    class Dying(Worker):
        def __init__(self, path: Path, **options: Any) -> None:
            super().__init__(path, **options)
            self._dies = path.stem == name

        def __getattribute__(self, attribute: str) -> Any:
            if attribute == when and self._dies:
                self._dies = False
                os.kill(self.pid, signal.SIGKILL)
            return super().__getattribute__(attribute)

    return Dying


@pytest.mark.parametrize("when", ["wait_until_ready", "open", "query", "score", "memory"])
def test_a_model_that_dies_costs_one_line_and_its_own_figures(
    cli: Cli,
    tiny_models: Path,
    surfaces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    monkeypatch.setattr("edgeclf.benchmarks.measure.rounds.Worker", dying("float32", when))
    files = [tiny_models / f"{name}.tflite" for name in ("float32", "float16", "int8")]
    json_file = tmp_path / "benchmark.json"
    options = ("--data", surfaces, *QUICK, "--json", json_file)
    result = cli("benchmark", *files, *options, code=1)
    line = only_error(result)
    assert line == f"Error: {files[0]}: its process was ended by SIGKILL; is the memory full?"
    measured = read_benchmark(json_file)
    dead, *alive = measured.models
    assert f"Error: {dead.error}" == line
    assert (dead.metrics, dead.against, dead.timings, dead.reference) == (None, None, (), False)
    for model in alive:
        assert model.metrics
        assert model.timings[0].queries == 10
        assert f"\n{model.name} " in result.stdout
    assert measured.reference is None


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()]


def test_ctrl_c_ends_all_workers(tiny_models: Path, surfaces: Path) -> None:
    require_linux()
    files = [tiny_models / f"{name}.tflite" for name in ("float32", "int8")]
    arguments = ["benchmark", *files, "--data", surfaces, "--queries", 10_000_000]
    # Where tests run in the background, the shell has them ignore Ctrl-C.
    main = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edgeclf.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", main, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stdout
    assert any("Round 1" in line for line in process.stdout)
    workers = children(process.pid)
    assert len(workers) == 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "Interrupted\n")
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
