"""The plan of a measurement: turns, rounds and warming up, with workers that only take notes."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.benchmarks.measure.assembly import assemble_models, describe_data
from edgeclf.benchmarks.measure.model_files import ModelFile
from edgeclf.benchmarks.measure.rounds import Measured, Trial, measure_models
from edgeclf.benchmarks.results.conditions import Settings
from edgeclf.benchmarks.results.verdict import decide
from edgeclf.models.photographs import Photographs

LABELS = ("a", "b", "c", "d")
PATHS = tuple(Path(f"{i}.png") for i in range(7))
WARM_UP, LEAD = 5, 1


def model_file(name: str, recipe: str = "int8") -> ModelFile:
    return ModelFile(
        path=Path(f"{name}.tflite"),
        recipe=recipe,
        labels=LABELS,
        input_hw=(8, 8),
        resize="stretch",
        sha256="0" * 64,
        bytes=1000,
        run=None,
        runtime="interpreter",
    )


class Noting:
    """A worker whose queries take 1, 2, 4 and 8 ms in their stages, and that notes its calls."""

    calls: ClassVar[list[tuple[str, str, list[Path]]]] = []
    scored: ClassVar[list[str]] = []

    def __init__(self, path: Path, *, threads: int, runtime: str, accelerator: None) -> None:
        self._name = path.stem
        assert (runtime, accelerator) == ("interpreter", None)
        self.calls.append((self._name, f"start {threads}", []))

    def __enter__(self) -> "Noting":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait_until_ready(self) -> bool:
        return True

    def open(self, image: Path) -> dict[str, Any]:
        self.calls.append((self._name, "open", [image]))
        return {"delegate": {"parts": 2, "xnnpack": True}, "load_ms": 3.0, "first_ms": 5.0}

    def query(self, images: list[Path]) -> NDArray[np.float64]:
        self.calls.append((self._name, "query", images))
        return np.tile([1.0, 2.0, 4.0, 8.0], (len(images), 1))

    def score(self, inputs: NDArray[np.uint8], *, classes: int) -> NDArray[np.float32]:
        self.scored.append(self._name)
        return np.full((len(inputs), classes), 0.25, np.float32)

    def memory(self) -> dict[str, int]:
        return {"peak_memory_bytes": 2000, "steady_memory_bytes": 1500}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("edgeclf.benchmarks.measure.rounds.Worker", Noting)
    monkeypatch.setattr(Noting, "calls", [])
    monkeypatch.setattr(Noting, "scored", [])

    def measure(seed: int = 0, **settings: Any) -> list[Measured]:
        values = {"queries": 45, "rounds": 2, "min_seconds": 0.0, "threads": (1,)} | settings
        return measure_models(
            [model_file("x"), model_file("y")],
            Photographs(PATHS, ("a",) * 7),
            np.zeros((7, 8, 8, 3), np.uint8),
            settings=Settings(**values, seed=seed, sustained_minutes=0),
            watch=lambda: Noting.calls.append(("", "watch", [])),
        )

    return measure


def timed_images(name: str) -> list[Path]:
    """The images whose queries count, without those that warm up."""
    blocks = [images for who, what, images in Noting.calls if who == name and what == "query"]
    return [image for block in blocks if len(block) != WARM_UP for image in block[LEAD:]]


def test_queries_are_spread_over_rounds_and_all_models_see_the_same_images(measured: Any) -> None:
    models = measured()
    for model in models:
        assert [len(trial.stages) for trial in model.trials[1]] == [23, 22]
        assert np.array_equal(model.trials[1][0].query_ms, np.full(23, 12.0))
    assert timed_images("x") == timed_images("y")
    assert len(timed_images("x")) == 45
    assert set(timed_images("x")[:7]) == set(PATHS)
    assert Noting.scored == ["x", "y"]  # once, not in every round
    assert [what for _, what, _ in Noting.calls].count("watch") == 2


def test_models_take_turns_in_an_order_that_changes(measured: Any) -> None:
    measured(queries=400)
    turns = [
        who for who, what, images in Noting.calls if what == "query" and len(images) != WARM_UP
    ]
    pairs = [tuple(turns[i : i + 2]) for i in range(0, len(turns), 2)]
    assert set(pairs) == {("x", "y"), ("y", "x")}
    first = timed_images("x")
    Noting.calls.clear()
    measured(queries=400)
    assert timed_images("x") == first
    Noting.calls.clear()
    measured(queries=400, seed=1)
    assert timed_images("x") != first


def test_every_round_and_number_of_threads_starts_afresh(measured: Any) -> None:
    models = measured(threads=(1, 4), rounds=3)
    starts = [what for who, what, _ in Noting.calls if who == "x" and what.startswith("start")]
    assert starts == ["start 1"] * 3 + ["start 4"] * 3
    assert [len(trials) for trials in models[0].trials.values()] == [3, 3]


def test_a_minimum_of_seconds_adds_queries(measured: Any) -> None:
    [model, _] = measured(queries=10, min_seconds=1.2)  # a query takes 12 ms
    assert (
        sum(len(trial.stages) for trial in model.trials[1]) == 110
    )  # in tens, 0.6 s in each round


def known(name: str, recipe: str, answers: list[int], ms: float) -> Measured:
    trial = Trial(
        load_ms=1.0,
        first_ms=2.0,
        stages=np.tile([0.1, 0.1, ms, 0.0], (50, 1)),
        peak_memory_bytes=2_000_000,
        steady_memory_bytes=1_000_000,
    )
    return Measured(
        model_file(name, recipe),
        scores=np.eye(4, dtype=np.float32)[answers],
        trials={1: [trial, trial]},
    )


@pytest.mark.parametrize("recipes", [("int8", "float32", "float16"), ("float32", "keras", "int8")])
def test_drop_and_agreement_of_models_that_differ(
    tmp_path: Path, recipes: tuple[str, str, str]
) -> None:
    paths = tuple(tmp_path / f"{i}.png" for i in range(5))
    for path in paths:
        path.write_bytes(path.name.encode())
    photographs = Photographs(paths, ("a", "a", "b", "b", "c"))
    data = describe_data(photographs, folder=tmp_path, labels=LABELS)
    assert data.truth == (0, 0, 1, 1, 2)
    models = assemble_models(
        [
            known("worse", recipes[0], [0, 1, 1, 2, 2], 1.0),
            known("reference", recipes[1], [0, 0, 1, 2, 2], 4.0),
            known("better", recipes[2], [0, 0, 1, 1, 2], 2.0),
        ],
        photographs,
        names=["worse", "reference", "better"],
        data=data,
        groups=["", "", "", "", ""],
    )
    assert [model.reference for model in models] == [False, True, False]
    assert [model.metrics and model.metrics.accuracy.value for model in models] == [0.6, 0.8, 1.0]
    against = [model.against for model in models]
    assert [one and one.drop.points for one in against] == [20, None, -20]
    assert [one and one.agreement.value for one in against] == [0.8, None, 0.8]
    ratios = [model.timings[0].ratio for model in models]
    assert [ratio and ratio.value for ratio in ratios] == pytest.approx([0.25, None, 0.5])
    [shown] = against[0].shown if against[0] else ()
    assert (shown.path, shown.truth, shown.reference_guess, shown.guess) == ("1.png", "a", "a", "b")
    verdict = decide(models)
    assert verdict
    # Of five images one more or less is no significant loss, and it is the fastest.
    assert (verdict.model, verdict.loses, verdict.bytes_ratio) == ("worse", False, 1.0)
    assert verdict.worst_class
    assert (verdict.worst_class.label, verdict.worst_class.points) == ("a", 50)


def test_another_image_or_another_class_is_another_data_set(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"1")
    one = describe_data(Photographs((path,), ("a",)), folder=tmp_path, labels=LABELS)
    other = describe_data(Photographs((path,), ("b",)), folder=tmp_path, labels=LABELS)
    moved = path.rename(tmp_path / "y.png")
    same = describe_data(Photographs((moved,), ("a",)), folder=tmp_path, labels=LABELS)
    moved.write_bytes(b"2")
    changed = describe_data(Photographs((moved,), ("a",)), folder=tmp_path, labels=LABELS)
    assert one.digest == same.digest
    assert len({one.digest, other.digest, changed.digest}) == 3
