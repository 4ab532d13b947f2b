"""The peers side by side: processes, figures, table and errors, without the peers themselves."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from repository import REPOSITORY
from scipy import stats

from edgeclf.benchmarks.peers import comparison, environment
from edgeclf.benchmarks.peers.comparison import Comparison, Round
from edgeclf.benchmarks.peers.entries import ENTRIES, REFERENCE, no_network_failure
from edgeclf.benchmarks.peers.figures import TITLES
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.quantize.preparation import NETWORKS, exchange_key, prepare
from edgeclf.benchmarks.peers.report import markdown_table, of_another_network, rows_of
from edgeclf.benchmarks.peers.runtimes import RUNTIMES
from edgeclf.benchmarks.peers.side_by_side import main
from edgeclf.convert.techniques.registry import TECHNIQUES
from edgeclf.edge_runtime import Classifier, EdgeclfError

Stub = Callable[..., list[str]]


# An entry that speaks as worker.py does, and writes down when it computes.
STUB = """
import json, os, sys, time
name, log, fails_in_block = sys.argv[1], sys.argv[2], int(sys.argv[3])
def say(**measured):
    print(json.dumps(measured | {"peak_bytes": 1000, "bytes": 0}), flush=True)
say(version=f"stub {os.getpid()}", load_ms=1.0, first_ms=2.0)
for number, line in enumerate(sys.stdin):
    places = json.loads(line)["images"]
    if number == fails_in_block:
        sys.exit("stub: out of memory")
    with open(log, "a") as file:
        file.write(json.dumps(["begins", name, places]) + "\\n")
    time.sleep(0.002)
    with open(log, "a") as file:
        file.write(json.dumps(["ends", name, places]) + "\\n")
    say(ms=[3.0] * len(places), best=[place % 7 for place in places], cpu_ms=6.0 * len(places))
"""


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """Return the command of an entry, which fails in that block if asked to."""
    (tmp_path / "stub.py").write_text(STUB)

    def command(name: str, *, fails_in_block: int = -1) -> list[str]:
        script, shown = tmp_path / "stub.py", tmp_path / "log"
        return [sys.executable, str(script), name, str(shown), str(fails_in_block)]

    return command


def test_entries_take_turns_in_fresh_processes(stub: Stub, tmp_path: Path) -> None:
    names = ("a", "b", "c")
    field = {name: stub(name) for name in names}
    comparisons = comparison.compare({1: field, 2: field}, range(5, 30), rounds=2, queries=25)
    done = comparisons[2]
    assert done.failures == {}
    shown = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    # One at a time: what begins ends before another begins.
    assert [what for what, _, _ in shown] == ["begins", "ends"] * (len(shown) // 2)
    assert all(a[1:] == b[1:] for a, b in zip(shown[::2], shown[1::2], strict=True))
    # Every block goes to each of them before the next one does, in an order that changes.
    turns = [shown[i : i + 6 : 2] for i in range(0, len(shown), 6)]
    assert [[len(places) for _, _, places in turn] for turn in turns] == [
        [length] * 3 for length in (10, 10, 5) * 4
    ]
    assert all(Counter(name for _, name, _ in turn) == Counter(names) for turn in turns)
    assert len({tuple(name for _, name, _ in turn) for turn in turns}) > 1
    assert comparisons[1].rounds_of["a"][0].version != comparisons[2].rounds_of["a"][0].version
    for rounds in done.rounds_of.values():
        assert len({round_.version for round_ in rounds}) == 2  # it tells its process
        assert [len(round_.ms) for round_ in rounds] == [25, 25]
        assert [round_.cpu_ms for round_ in rounds] == [150.0, 150.0]
        assert rounds[0].best == {place: place % 7 for place in range(5, 30)}


def test_an_entry_that_fails_costs_a_line_and_not_the_run(stub: Stub, tmp_path: Path) -> None:
    commands = {
        "steady": stub("steady"),
        "dies": stub("dies", fails_in_block=1),
        "missing": [str(tmp_path / "nothing")],
        "broken": [sys.executable, "-c", "raise SystemExit('no such model')"],
        "crashes": [sys.executable, "-c", "import os; os.abort()"],
    }
    done = comparison.compare({1: commands}, range(10), rounds=2, queries=30)[1]
    assert list(done.rounds_of) == ["steady"]
    assert [len(round_.ms) for round_ in done.rounds_of["steady"]] == [30, 30]
    assert done.failures["dies"] == "its process ended with 1 (stub: out of memory)"
    assert done.failures["broken"] == "its process ended with 1 (no such model)"
    assert done.failures["crashes"] == "its process was ended by SIGABRT"
    assert done.failures["missing"].startswith("cannot be started")
    assert "nothing" in done.failures["missing"]


def test_an_entry_that_hangs_is_ended(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_PATIENCE_S", 5.0)
    hangs = [sys.executable, "-c", "import time; time.sleep(600)"]
    done = comparison.compare({1: {"hangs": hangs, "a": stub("a")}}, [0], rounds=2, queries=10)[1]
    assert done.failures == {"hangs": "no answer within 5 s"}
    assert list(done.rounds_of) == ["a"]


@pytest.mark.parametrize("runtime", ["tflite", "edgeclf"])
def test_the_worker_says_what_the_model_says(
    runtime: str, tiny_models: Path, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 48, 48, 3), np.uint8)
    classifier = Classifier(tiny_models / "int8.tflite")
    height, width = classifier.spec.input_hw
    images = images[:, :height, :width]
    np.save(tmp_path / "inputs.npy", images)
    module = "edgeclf.benchmarks.peers.worker"
    files = (tiny_models / "int8.tflite", tmp_path / "inputs.npy", tmp_path / "none.json")
    command = [sys.executable, "-m", module, runtime, *map(str, files), "1"]
    done = comparison.compare({1: {"int8": command}}, range(12), rounds=1, queries=12)[1]
    assert done.failures == {}
    [round_] = done.rounds_of["int8"]
    assert round_.best == {i: int(classifier.scores(images[i]).argmax()) for i in range(12)}
    assert round_.version == RUNTIMES[runtime].version
    assert len(round_.ms) == 12
    assert min(*round_.ms, round_.load_ms, round_.first_ms, round_.cpu_ms) > 0
    assert round_.peak_bytes > 10e6


def test_the_worker_names_a_damaged_model_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\0" * 100)
    module = "edgeclf.benchmarks.peers.worker"
    files = (tmp_path / "model.tflite", tmp_path / "inputs.npy", tmp_path / "none.json")
    command = [sys.executable, "-m", module, "tflite", *map(str, files), "1"]
    done = comparison.compare({1: {"damaged": command}}, [0], rounds=1, queries=10)[1]
    assert "model.tflite: the runtime refuses the model" in done.failures["damaged"]


def rounds_of_medians(medians: list[float], *, best: dict[int, int] | None = None) -> list[Round]:
    return [
        Round("stub 1", 10.0, 5.0, 50_000_000, [ms] * 40, 80 * ms, best or {0: 1, 2: 1})
        for ms in medians
    ]


def test_a_row_is_what_the_rounds_say() -> None:
    ours, other = [10.0, 11.0, 9.0, 10.0], [20.0, 23.0, 18.0, 19.0]
    done = Comparison({REFERENCE: rounds_of_medians(ours), "other": rounds_of_medians(other)}, {})
    rows = rows_of(done, reference=REFERENCE, truth=[1, 0, 0], float_guess=[1, 0, 1])
    assert rows[REFERENCE].ratio is not None
    assert rows[REFERENCE].ratio.value == 1
    row = rows["other"]
    assert (row.queries, row.p50_ms, row.p90_ms, row.images) == (160, 19.0, 23.0, 2)
    assert (row.top1, row.agreement) == (0.5, 1.0)
    assert row.cores == pytest.approx(2)
    logs = [log(b / a) for a, b in zip(ours, other, strict=True)]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(logs), scale=stats.sem(logs))
    assert row.ratio is not None
    assert row.ratio.value == pytest.approx(exp(np.mean(logs)))
    assert row.ratio.interval.low == pytest.approx(exp(low))
    assert row.ratio.interval.high == pytest.approx(exp(high))


def test_no_ratio_without_a_reference_and_no_p90_of_few_queries() -> None:
    rounds = [Round("stub 1", 1.0, 1.0, 1, [1.0] * 20, 1.0, {0: 0}) for _ in range(2)]
    rows = rows_of(Comparison({"a": rounds}, {}), reference=REFERENCE, truth=[0], float_guess=[0])
    assert rows["a"].ratio is None
    assert rows["a"].p90_ms is None


def test_the_table_has_a_line_for_everyone() -> None:
    one = Comparison(
        {REFERENCE: rounds_of_medians([10, 10]), "client": rounds_of_medians([11, 11])},
        {"bad": "it died"},
    )
    two = Comparison(
        {REFERENCE: rounds_of_medians([6, 6])}, {"bad": "it died", "client": "runs on 1"}
    )
    table = markdown_table(
        {REFERENCE: "ours", "client": "a client", "bad": "a bad one"},
        {
            count: rows_of(done, reference=REFERENCE, truth=[1, 0, 1], float_guess=[1, 0, 0])
            for count, done in ((1, one), (2, two))
        },
        failures={1: one.failures, 2: two.failures},
        sizes={REFERENCE: 8_100_000, "client": 8_100_000, "bad": 1},
        absent={"nobody": "there is none"},
        reference=REFERENCE,
    )
    assert table.splitlines() == [
        "|  | top-1 | agreement | 1 thread: p50 (p90) ms | to ours | 2 threads: p50 (p90) ms "
        "| to ours | load ms | peak MB | file MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| **ours** | 1.000 | 0.500 | 10.0 (10.0) | 1.00 (1.00 to 1.00) | 6.0 (6.0) "
        "| 1.00 (1.00 to 1.00) | 10 | 50 | 8.1 |",
        "| a client | 1.000 | 0.500 | 11.0 (11.0) | 1.10 (1.10 to 1.10) | runs on 1 | — "
        "| 10 | 50 | 8.1 |",
        "| a bad one: it died | — | — | — | — | — | — | — | — | — |",
        "| nobody: there is none | — | — | — | — | — | — | — | — | — |",
    ]


@pytest.mark.parametrize(("drawn", "shown"), [(True, "| — | — |"), (False, "| 0.500 | — |")])
def test_another_network_need_not_agree_and_drawn_weights_are_not_scored(
    drawn: bool, shown: str
) -> None:
    done = Comparison(
        {REFERENCE: rounds_of_medians([5, 5]), "other": rounds_of_medians([4, 4])}, {}
    )
    rows = rows_of(done, reference=REFERENCE, truth=[1, 0, 0], float_guess=[1, 0, 1])
    rows["other"] = of_another_network(rows["other"], drawn=drawn)
    table = markdown_table(
        {REFERENCE: "ours", "other": "another"},
        {1: rows},
        failures={1: {}},
        sizes={REFERENCE: 1, "other": 1_000_000},
        absent={},
        reference=REFERENCE,
    )
    [line] = [line for line in table.splitlines() if "another" in line]
    assert line == f"| another {shown} 4.0 (4.0) | 0.80 (0.80 to 0.80) | 10 | 50 | 1.0 |"


def test_every_entry_has_a_runtime_and_every_technique_a_title() -> None:
    assert {entry.runtime for entry in ENTRIES.values()} == set(RUNTIMES)
    assert REFERENCE in ENTRIES
    assert set(TECHNIQUES) <= set(TITLES)


def test_what_is_made_anew_does_not_pass_for_made(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path)
    assert not exchange.is_made("seed0/ours", "a")
    exchange.note_made("seed0/ours", "a")
    assert exchange.is_made("seed0/ours", "a")
    assert not exchange.is_made("seed0/ours", "b")
    assert not exchange.is_made("seed0/ours", "a")  # half of it may be of b by now


def test_missing_weights_are_named_with_the_mend(tmp_path: Path) -> None:
    script = REPOSITORY / "benchmarks" / "peers" / "side_by_side.py"
    done = subprocess.run(
        [sys.executable, script, "--data", "photographs", "--weights", "none.h5", "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: none.h5: not there; give the ImageNet weights of densenet121 and photographs: "
        "make peers ARCH=densenet121 WEIGHTS=FILE DATA=FOLDER"
    ]
    assert not any(tmp_path.iterdir())


def test_an_architecture_that_cannot_be_written_is_refused() -> None:
    options = ["--arch", "resnet50", "--data", "x", "--weights", "x", "--out", "x"]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert "'resnet50' is not one of 'densenet121', 'efficientnet-lite0'" in result.output


def test_each_architecture_has_a_folder_of_its_own(tmp_path: Path) -> None:
    weights, images = tmp_path / "weights", np.zeros((3, 8, 8, 3), np.uint8)
    weights.write_bytes(b"a")
    keys = [exchange_key(arch, images, weights, 2) for arch in ("densenet121", *NETWORKS)]
    keys += [
        exchange_key(NETWORKS[0], images, weights, 1),
        exchange_key("a", images + 1, weights, 2),
    ]
    weights.write_bytes(b"b")
    keys.append(exchange_key(NETWORKS[0], images, weights, 2))
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(keys) - 1


@pytest.mark.parametrize("threads", ["0", "1,,2", "two"])
def test_threads_are_numbers(threads: str, tmp_path: Path) -> None:
    options = ["--data", "x", "--weights", "x", "--out", str(tmp_path), "--threads", threads]
    result = CliRunner().invoke(main, options)
    assert isinstance(result.exception, EdgeclfError)
    assert "give for example 1,2" in str(result.exception)


def test_a_python_without_wheels_of_the_peers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(EdgeclfError, match=r"no wheels for Python 3\.10; .* 3\.11 to 3\.13"):
        environment.peers_python(tmp_path)


def test_without_unshare_nobody_who_reports_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "no `unshare` here" in (no_network_failure() or "")


@pytest.mark.parametrize(
    ("table", "shown"),
    [
        (None, "cannot be read .*columns path and class_index"),
        ("file,class\na.jpg,3\n", "cannot be read .*columns path and class_index"),
        ("path,class_index\na.jpg,cat\n", "cannot be read .*'cat'.*columns path and class_index"),
        ("path,class_index\na.jpg,3\n", "1 images; give more than the 2 to calibrate"),
    ],
)
def test_a_table_of_classes_that_will_not_do_is_named(
    table: str | None, shown: str, tmp_path: Path
) -> None:
    if table is not None:
        (tmp_path / "photographs.labels.csv").write_text(table)
    with pytest.raises(EdgeclfError, match=rf"photographs\.labels\.csv: {shown}"):
        prepare(
            Path(sys.executable),
            arch="densenet121",
            data=tmp_path / "photographs",
            weights=tmp_path / "weights.h5",
            work=tmp_path / "work",
            seeds=1,
            calibration_images=2,
        )
