"""The compatibility table: the cheap rows on a tiny model, the comparison, and what fails a run."""

import base64
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT
from click.testing import CliRunner
from schemas import valid, valid_file
from skips import skip_without

from edgeclf.benchmarks.compat import compat, interpreters, vela_rows
from edgeclf.benchmarks.compat.cases import Case, read_case, write_case
from edgeclf.benchmarks.compat.comparison import compare, outcome, run_row
from edgeclf.benchmarks.compat.environments import read_environments
from edgeclf.benchmarks.compat.rows import Row
from edgeclf.benchmarks.compat.table import deviations, markdown_table, text_table
from edgeclf.edge_runtime import Classifier, EdgeclfError
from edgeclf.edge_runtime.model_file.container import read_model
from edgeclf.edge_runtime.model_file.self_test import synthetic_input

WORK = Path(sys.prefix) / "compat"
ROWS = {row.name: row for row in interpreters.rows()}
INSTALLED = [name for name in ROWS if "(Python" not in name]
PINS = "# why\n[one] python 3.11\na==1\nb<2  # why\n\n[two] python 3.10\nc\n"
OLD = [name for name in ROWS if name.startswith(("ai-edge-litert 1.", "tflite-runtime"))]


@pytest.fixture(scope="module")
def files(tiny_models: Path, tiny_heatmaps: Path, tmp_path_factory) -> Path:
    """A folder of the tiny int8 file, and the one with a heatmap."""
    folder = tmp_path_factory.mktemp("compat") / "tiny"
    (folder / "heatmap").mkdir(parents=True)
    shutil.copy(tiny_models / "int8.tflite", folder)
    shutil.copy(tiny_heatmaps / "int8.tflite", folder / "heatmap")
    return folder


@pytest.fixture(scope="module")
def case(files: Path, tmp_path_factory) -> Case:
    """The case of the file with a heatmap."""
    folder = tmp_path_factory.mktemp("case")
    return write_case(folder, name="tiny", model=files / "heatmap" / "int8.tflite")


def run_compat(*options: object) -> Any:
    return CliRunner().invoke(compat.main, [*map(str, options), "--work", str(WORK)])


def encoded(*values: Any) -> list[str]:
    return [base64.b64encode(np.asarray(value, np.uint8).tobytes()).decode() for value in values]


def test_a_case_holds_the_inputs_of_the_self_test(case: Case) -> None:
    spec = read_model(case.model)[1]
    assert spec.self_test is not None
    (seed, grid), *_ = spec.self_test.inputs
    assert case == read_case(case.folder)
    assert case.images().shape == (len(spec.self_test.inputs), *case.shape[1:])
    assert (case.images()[0] == synthetic_input(seed, grid=grid, size_hw=case.shape[1:3])).all()
    assert (case.recipe, case.tolerance, len(case.tensors)) == ("int8", 0.0, 2)
    assert [tensor.dtype for tensor in case.tensors] == ["uint8", "uint8"]


def test_the_probe_gives_what_the_device_runtime_gives(case: Case, tmp_path: Path) -> None:
    seen = interpreters.reference_row().run(case.folder, tmp_path)
    scores = np.frombuffer(base64.b64decode(seen["outputs"][0]), np.uint8).reshape(case.inputs, -1)
    classifier = Classifier(case.model, threads=1)
    ours = np.stack([classifier.scores(image) for image in case.images()])
    assert scores * case.tensors[0].scale == pytest.approx(ours, abs=1e-6)
    assert len(np.unique(scores)) > 2
    assert seen["delegated"] >= 1
    assert seen["ms"] > 0


def test_the_installed_runtimes_give_what_they_must(files: Path, tmp_path: Path) -> None:
    rows = [option for name in INSTALLED for option in ("--row", name)]
    result = run_compat("--models", files, *rows, "--json", tmp_path / "compat.json")
    assert result.exit_code == 0, result.exception
    report = valid_file("models/compatibility", tmp_path / "compat.json")
    assert list(report["cases"]) == ["tiny int8", "tiny heatmap int8"]
    assert list(report["rows"]) == INSTALLED
    for name in INSTALLED:
        for one in report["rows"][name]["cases"].values():
            assert one["passed"]
            # What runs without XNNPACK must not have been XNNPACK after all.
            assert bool(one["delegated"]) == ("XNNPACK" in name and "without" not in name) or (
                name.startswith("ai-edge-litert")
            )
        assert f"{name} " in result.output


def test_a_row_that_goes_wrong_is_an_outcome(case: Case, tmp_path: Path) -> None:
    def run(_folder: Path, _work: Path) -> dict[str, Any]:
        raise EdgeclfError("no boot")

    row = Row("broken", "bit-equal", run)
    one = run_row(row, case, {}, tmp_path)
    report = compat._record([row], [case], {"broken": {"tiny": one}})
    valid("models/compatibility", json.loads(json.dumps(report)))
    assert (one.state, one.passed, one.reason) == ("failed", False, "no boot")
    assert deviations({"broken": {"tiny": one}}) == [
        "broken: tiny: failed (expected bit-equal): no boot"
    ]


@pytest.mark.parametrize("name", OLD)
def test_the_oldest_runtimes_run_the_file(name: str, case: Case, tmp_path: Path) -> None:
    row = ROWS[name]
    seen = row.run(case.folder, WORK)
    if "unavailable" in seen:
        skip_without("network", seen["unavailable"])
    reference = interpreters.reference_row().run(case.folder, tmp_path)
    assert outcome(seen, reference, row=row, case=case).passed, seen


def test_an_old_runtime_refuses_a_newer_operator(case: Case, tmp_path: Path) -> None:
    # ai-edge-litert takes version 12 of the dense layer from 1.0 on.
    [row] = [row for name, row in ROWS.items() if name.startswith("tflite-runtime")]
    reference = interpreters.reference_row().run(case.folder, tmp_path)
    newer = with_newer_operator(case, tmp_path / "newer")
    assert interpreters.reference_row().run(newer.folder, tmp_path)["outputs"]
    seen = row.run(newer.folder, WORK)
    if "unavailable" in seen:
        skip_without("network", seen["unavailable"])
    refused = outcome(seen, reference, row=row, case=newer)
    assert (refused.state, refused.passed) == ("refused", False)
    assert "version '12'" in refused.reason


def with_newer_operator(case: Case, folder: Path) -> Case:
    """The same network, whose dense layer claims to be of a version that old runtimes lack."""
    write_case(folder, name="newer", model=case.model)
    model = ModelT.InitFromPackedBuf(case.model.read_bytes(), 0)
    for code in model.operatorCodes:
        if code.builtinCode == BuiltinOperator.FULLY_CONNECTED:
            code.version = 12
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / "model.tflite").write_bytes(builder.Output())
    return read_case(folder)


def uint8(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


def test_outputs_are_compared_bit_by_bit(case: Case) -> None:
    same = compare(uint8(1, 2, 3), uint8(1, 2, 3), case=case)
    assert (same.state, same.different, same.largest) == ("bit-equal", 0, 0)
    step = compare(uint8(0, 2, 3), uint8(1, 2, 3), case=case)
    assert (step.state, step.values, step.different, step.largest) == ("last bit", 3, 1, 1)
    assert compare(uint8(12, 0), uint8(0, 0), case=case).state == "close"
    assert compare(uint8(13, 0), uint8(0, 0), case=case).state == "differs"
    assert compare(uint8(255, 0), uint8(0, 0), case=case).state == "differs"
    with pytest.raises(EdgeclfError, match="2 values where 3 belong"):
        compare(uint8(1, 2), uint8(1, 2, 3), case=case)
    floats = replace(case, tolerance=1e-4)
    given = np.array([0.5, 0.5], np.float32)
    assert compare(given, given + np.float32(5e-5), case=floats).state == "close"
    assert compare(given, given + np.float32(5e-4), case=floats).state == "differs"
    nothing = np.array([np.nan, 0.5], np.float32)
    assert compare(nothing, given, case=floats).state == "differs"


@pytest.mark.parametrize(
    ("state", "expected", "passed"),
    [
        ("bit-equal", "bit-equal", True),
        ("bit-equal", "last bit", True),
        ("last bit", "bit-equal", False),
        ("differs", "last bit", False),
        ("bit-equal", "refused", False),
    ],
)
def test_a_row_may_be_better_than_expected_and_no_worse(
    state: str, expected: str, passed: bool, case: Case
) -> None:
    case = replace(case, tensors=case.tensors[:1])
    given = {"bit-equal": [7], "last bit": [8], "differs": [99]}[state]
    row = Row("a runtime", expected, lambda *_: {})
    seen = {"version": "1", "outputs": encoded(given), "ms": 2.0}
    found = outcome(seen, {"outputs": encoded([7])}, row=row, case=case)
    assert (found.state, found.passed, found.ms) == (state, passed, 2.0)


def test_what_is_no_output_has_a_state_of_its_own(case: Case) -> None:
    row = Row("a compiler", "compiled", lambda *_: {}, recipes={"float32": None})
    compiled = outcome({"version": "1", "cpu_operators": 0, "ms": 1.5}, {}, row=row, case=case)
    partly = outcome({"version": "1", "cpu_operators": 3, "ms": 9.0}, {}, row=row, case=case)
    refused = outcome({"version": "1", "refused": "too new"}, {}, row=row, case=case)
    away = outcome({"unavailable": "no network"}, {}, row=row, case=case)
    assert [one.state for one in (compiled, partly, refused, away)] == [
        *("compiled", "partly", "refused", "unavailable")
    ]
    assert [one.passed for one in (compiled, partly, refused, away)] == [True, False, False, True]
    assert row.expected_of("float32") is None
    for name, one in (("partly", partly), ("refused", refused)):
        [line] = deviations({row.name: {"tiny": one}})
        assert line.startswith(f"a compiler: tiny: {name} (expected compiled): ")


def test_a_missing_output_is_an_error_unless_the_runtime_gives_scores_only(case: Case) -> None:
    reference = {"outputs": encoded([1, 2], [3, 4])}
    seen = {"version": "1", "outputs": encoded([1, 2])}
    row = Row("a runtime", "bit-equal", lambda *_: {})
    with pytest.raises(EdgeclfError, match="gave 1 outputs for tiny, which has 2"):
        outcome(seen, reference, row=row, case=case)
    scores = replace(row, scores_only=True)
    assert outcome(seen, reference, row=scores, case=case).state == "bit-equal"


def test_the_table_shows_each_state_and_its_reasons(case: Case) -> None:
    row = Row("a runtime", "last bit", lambda *_: {}, note="an estimate")
    other = Row("another", "bit-equal", lambda *_: {})
    reference = {"outputs": encoded([1, 2], [3, 4])}
    seen = {"version": "1", "outputs": encoded([1, 2], [3, 5]), "ms": 12.345}
    outcomes = {
        "a runtime": {"tiny": outcome(seen, reference, row=row, case=case)},
        "another": {"tiny": outcome({"version": "2", "refused": "old"}, {}, row=other, case=case)},
    }
    assert markdown_table([row, other], [case], outcomes).splitlines() == [
        "| runtime | tiny | ms of tiny |",
        "| --- | --- | --- |",
        "| a runtime | bit-equal; last bit | 12.35 |",
        "| another | refused (expected bit-equal) | — |",
        "",
        "- a runtime: the milliseconds are an estimate",
        "- another: refused: old",
    ]
    assert "bit-equal; last bit" in text_table([row, other], [case], outcomes)


def test_the_pins_are_read_by_section() -> None:
    found = read_environments(PINS)
    assert [(one.name, one.python, one.requirements) for one in found.values()] == [
        ("one", "3.11", ("a==1", "b<2")),
        ("two", "3.10", ("c",)),
    ]


@pytest.mark.parametrize(
    ("options", "report"),
    [
        (("--row", "nobody"), "no row holds 'nobody'; known: ai-edge-litert"),
        (("--row", "reference", "--models", "nowhere"), "nowhere: holds no .tflite file"),
    ],
)
def test_what_cannot_be_run_is_named(options: tuple[str, ...], report: str) -> None:
    result = run_compat(*options)
    assert isinstance(result.exception, EdgeclfError)
    assert report in str(result.exception)


def test_vela_is_asked_for_every_generation() -> None:
    rows = vela_rows.rows()
    assert [row.name.split("-")[1] for row in rows] == ["u55", "u65", "u85"]
    assert all(row.expected == "compiled" and row.expected_of("float32") is None for row in rows)
