"""`edgeclf fit` from the command line to the page."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from benchmark_page import parsed, text_of
from fit_simulation import latency
from schemas import valid_file

from edgeclf.benchmarks.fit import measuring, place, rung, work
from edgeclf.benchmarks.fit.place import Measure
from edgeclf.benchmarks.fit.probe import make_probe
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.model_file.container import read_model
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite


def operators(path: Path) -> Counter[str]:
    """How often each operator is in a file, but for those that bring a tensor to another scale."""
    names = (one.name for one in parse_tflite(read_model(path)[0]).operators)
    return Counter(name for name in names if name != "QUANTIZE")


class Converter:
    """The process that makes untrained files, in this process."""

    made: ClassVar[list[Counter[str]]] = []
    sizes: ClassVar[list[int]] = []

    def __init__(self, *_: object, **__: object) -> None:
        self.made.clear()
        self.sizes.clear()

    def __enter__(self) -> "Converter":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, message: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        make_probe(message)
        spec = Classifier(message["file"]).spec
        assert spec.labels == ("good", "oil", "scratch", "stain")
        assert spec.input_hw == (32, 32)
        self.made.append(operators(Path(message["file"])))
        self.sizes.append(Path(message["file"]).stat().st_size)
        return {"done": True}, b""


@pytest.fixture
def in_process(cli, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Do the work in this process, which has TensorFlow; return what was run."""
    ran: list[str] = []

    def run(
        module: str, arguments: Sequence[object], *, log: Path, tick: Callable[[], object]
    ) -> int:
        words = [str(word) for word in arguments]
        ran.append(words[0] if module == "edgeclf" else module)
        log.parent.mkdir(parents=True, exist_ok=True)
        if module == "edgeclf":
            log.write_text(cli(*words).output)
        else:
            log.write_text("")
            monkeypatch.setattr(sys, "argv", [module, *words])
            rung.main()
        tick()
        return 0

    monkeypatch.setattr(work, "run_child", run)
    monkeypatch.setattr(measuring, "Process", Converter)
    return ran


def test_from_photographs_to_the_page(
    cli, in_process, tiny_run: Path, tiny_models: Path, surfaces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "fit"
    # Its training and conversion are those that all tests share.
    shutil.copytree(tiny_run, out / "densenet-tiny-32" / "run")
    shutil.copytree(tiny_models, out / "densenet-tiny-32" / "models")
    command = (
        *("fit", surfaces, "--out", out, "--arch", "densenet-tiny=none", "--input-size", 32),
        *("--epochs", 2),
    )
    said = cli(*command, "--budget", "1s").output
    assert in_process == ["edgeclf.benchmarks.fit.rung"] * 2 + ["train"]
    fit = valid_file("training/fit", out / "fit.json")
    assert fit["recommended"] == "densenet-tiny-32"
    [trial] = fit["trials"]
    assert trial["outcome"] == "finished"
    assert not list(out.glob("*.tflite"))
    assert Converter.made == [operators(tiny_models / "int8.tflite")]  # so the latency is the same
    report = json.loads((tiny_models / "conversion.json").read_text())
    [int8] = [one for one in report["models"] if one["recipe"] == "int8"]
    assert trial["finished"]["accuracy"]["value"] == int8["scores"]["accuracy"]
    assert trial["finished"]["gate"] == int8["gate"]["verdict"]
    page = text_of(parsed((out / "fit.html").read_text(encoding="utf-8")))
    for text in (said, page):
        assert "densenet-tiny at 32 pixels reaches an accuracy of" in text
        assert "--arch densenet-tiny --weights none --input-size 32 --epochs 2" in text
    in_process.clear()
    again = cli(*command, "--budget", "900ms").output
    assert in_process == []
    assert "within 900 ms on this machine" in again
    fastest = trial["finished"]["latency"]["p50_ms"]["value"]
    refused = cli(*command, "--budget", "0.001us", code=1).output
    assert f"the fastest, densenet-tiny-32, takes {fastest:.2f} ms" in refused
    other = cli(*command, "--budget", "1s", "--seed", 1, code=1).output
    assert "of a search with seed 0, now it is 1" in other


def test_a_network_that_is_too_slow_is_slimmed(
    cli, in_process, tiny_run: Path, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def slow_for_the_whole(**_: object) -> Iterator[Measure]:
        """A machine on which the whole network takes 9 ms, and a slim one 4."""
        yield lambda file: latency(9 if file.name == "densenet-tiny-32.untrained.tflite" else 4)

    monkeypatch.setattr(place, "local_place", slow_for_the_whole)
    out = tmp_path / "fit"
    shutil.copytree(tiny_run, out / "densenet-tiny-32" / "run")
    command = (
        *("fit", surfaces, "--out", out, "--arch", "densenet-tiny=none", "--input-size", 32),
        *("--keep", 0.3, "--keep", 0.6, "--epochs", 2),
    )
    refused = cli(*command, "--keep", 0.01, "--budget", "1us", code=1).output
    trials = json.loads((out / "fit.json").read_text())["trials"]
    assert trials[-1]["reason"].endswith("0.195 of its multiply-accumulates, no further; give more")
    assert "the fastest, densenet-tiny-32-keep-0.6, takes 4.00 ms" in refused
    assert "densenet-tiny-32-keep-0.01 failed: --keep 0.01" in refused
    assert Converter.sizes == sorted(Converter.sizes, reverse=True)
    assert len(set(Converter.sizes)) == 3
    said = cli(*command, "--budget", "5ms").output
    fit = valid_file("training/fit", out / "fit.json")
    assert [(one["candidate"]["name"], one["outcome"]) for one in fit["trials"]] == [
        ("densenet-tiny-32", "over budget"),
        ("densenet-tiny-32-keep-0.6", "finished"),
        ("densenet-tiny-32-keep-0.3", "not needed"),
    ]
    assert in_process == ["edgeclf.benchmarks.fit.rung"] * 2 + ["train", "slim", "convert"]
    assert "at 32 pixels, slimmed to 0.6 of its multiply-accumulates, reaches" in said
    assert "&& edgeclf slim run --out slim --keep 0.6 --epochs 2 && edgeclf convert slim" in said
    folder = out / "densenet-tiny-32-keep-0.6"
    slim = json.loads((folder / "slim" / "config.json").read_text())["slim"]
    assert slim["after"] <= 0.6 * slim["before"]
    spec = Classifier(folder / "models" / "int8.tflite").spec
    assert spec.labels == ("good", "oil", "scratch", "stain")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--budget", "5"), "with a unit, us, ms or s"),
        (("--budget", "5ms", "--arch", "densenet-tiny=none", "--epochs", 0), "give 1 or more"),
        (("--budget", "5ms", "--on", "-x"), "expected user@host"),
        (("--budget", "5ms", "--groups", "none.csv"), "none.csv"),
        (("--budget", "5ms", "--hours", 0), "--hours"),
    ],
)
def test_what_cannot_serve_is_refused_before_any_work(
    cli, in_process, surfaces: Path, tmp_path: Path, options: tuple[object, ...], reason: str
) -> None:
    code = 2 if options[1] == "5" or "--hours" in options else 1
    said = cli("fit", surfaces, "--out", tmp_path / "fit", *options, code=code).output
    assert reason in " ".join(said.split())
    assert in_process == []
    assert not (tmp_path / "fit").exists()


def test_the_folder_of_a_run_stays_as_it_is(cli, surfaces: Path, tiny_run: Path) -> None:
    before = sorted(tiny_run.iterdir())
    said = cli("fit", surfaces, "--budget", "5ms", "--out", tiny_run, code=1).output
    assert f"{tiny_run}: holds a run of `edgeclf train`; choose another --out" in said
    assert sorted(tiny_run.iterdir()) == before


def test_data_that_cannot_serve_is_refused(cli, surfaces: Path, tmp_path: Path) -> None:
    command = ("fit", "--budget", "5ms", "--out")
    assert "no such folder" in cli(*command, tmp_path / "o", tmp_path / "none", code=1).output
    inside = cli(*command, surfaces / "fit", surfaces, code=1).output
    assert "lies in the folder of images" in inside
    (tmp_path / "data" / "good").mkdir(parents=True)
    shutil.copy(next((surfaces / "good").iterdir()), tmp_path / "data" / "good")
    one = cli(*command, tmp_path / "o", tmp_path / "data", code=1).output
    assert "holds one class, good" in one
