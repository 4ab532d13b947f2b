"""The steps of a fit on one candidate, with commands that are written down instead of run."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fit_simulation import SEARCH, latency

from edgeclf.benchmarks.fit import work
from edgeclf.benchmarks.fit.candidates import Candidate
from edgeclf.benchmarks.fit.results import Finished
from edgeclf.benchmarks.fit.scoring import FileScore
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.metrics.statistics import share_estimate

SLIM = Candidate("net-96-keep-0.5", "net", "none", 96, 0.5)


class Commands:
    """Stands for `run_child`: notes each command line, and leaves what the command would."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failing = ""

    def __call__(
        self, module: str, arguments: Sequence[object], *, log: Path, tick: Callable[[], object]
    ) -> int:
        assert module == "edgeclf"
        words = [str(word) for word in arguments]
        self.lines.append(" ".join(words))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("Error: no such channel\n")
        tick()
        if words[0] == self.failing:
            return 1
        out = Path(words[words.index("--out") + 1])
        out.mkdir(parents=True, exist_ok=True)
        if words[0] == "convert":
            (out / "int8.tflite").write_bytes(b"12345")
            model = {"recipe": "int8", "drop_points": 0.5, "gate": None}
            (out / "conversion.json").write_text(json.dumps({"models": [model]}))
        else:
            (out / "metrics.json").write_text("{}")
        return 0


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    done = Commands()
    monkeypatch.setattr(work, "run_child", done)
    scores = FileScore(0.25, share_estimate(9, images=10), images=10, largest_class=0.5)
    monkeypatch.setattr(work, "score_file", lambda *_, **__: scores)
    return done


def finish(candidate: Candidate, root: Path) -> Finished:
    return work.finish(
        candidate,
        SEARCH,
        root=root,
        measure=lambda _: latency(3.0),
        log=root / candidate.name / "rung-3.log",
        tick=lambda: None,
    )


def test_a_slim_network_begins_with_the_training_of_the_whole(
    commands: Commands, tmp_path: Path
) -> None:
    done = finish(SLIM, tmp_path)
    run, folder = tmp_path / "net-96" / "run", tmp_path / SLIM.name
    assert commands.lines == [
        f"train photographs --out {run} --arch net --weights none --input-size 96 --epochs 16 "
        "--resume",
        f"slim {run} --out {folder / 'slim'} --keep 0.5 --resume --overwrite",
        f"convert {folder / 'slim'} --out {folder / 'models'} --recipes int8",
    ]
    assert (done.file, done.bytes) == (f"{SLIM.name}/models/int8.tflite", 5)
    assert (done.val_loss, done.drop_points, done.gate) == (0.25, 0.5, None)
    assert (done.images, done.largest_class) == (10, 0.5)
    commands.lines.clear()
    finish(SLIM, tmp_path)
    shutil.rmtree(folder / "models")
    finish(SLIM, tmp_path)
    assert [line.split()[0] for line in commands.lines] == ["train", "train", "convert"]
    finish(replace(SLIM, name="net-96", keep=1.0), tmp_path)
    assert commands.lines[-2:] == [
        f"train photographs --out {run} --arch net --weights none --input-size 96 --epochs 16 "
        "--resume",
        f"convert {run} --out {tmp_path / 'net-96' / 'models'} --recipes int8",
    ]


def test_a_slim_run_that_was_interrupted_goes_on(commands: Commands, tmp_path: Path) -> None:
    commands.failing = "slim"
    with pytest.raises(EdgeclfError, match=r"no such channel .*slim\.log"):
        finish(SLIM, tmp_path)
    (tmp_path / SLIM.name / "slim").mkdir()
    (tmp_path / SLIM.name / "slim" / "model.keras").write_bytes(b"half")
    commands.failing = ""
    finish(SLIM, tmp_path)
    assert [line.split()[0] for line in commands.lines] == [
        "train", "slim", "train", "slim", "convert",
    ]  # fmt: skip
    assert commands.lines[-2].endswith(" --resume --overwrite")


@pytest.mark.parametrize(
    ("epochs", "words"), [(0, ["--epochs", "0"]), (2, ["--epochs", "2"]), (10, []), (15, [])]
)
def test_slimming_takes_the_epochs_of_the_search_but_no_more_than_its_own(
    epochs: int, words: list[str]
) -> None:
    search = replace(SEARCH, epochs=epochs, seed=3)
    said = work.slim_arguments(SLIM, search, run=Path("run"), out=Path("slim"))
    assert said == ["slim", "run", "--out", "slim", "--keep", "0.5", *words, "--seed", "3"]
