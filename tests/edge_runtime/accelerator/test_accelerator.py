"""No accelerator is believed: what is wrong, slow, crashes or hangs leaves the CPU at work."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT
from click.testing import Result
from delegates import Delegates, recording_of
from flatbuffers import Builder
from schemas import valid, valid_file

from edgeclf.edge_runtime.accelerator import selection, trial
from edgeclf.edge_runtime.accelerator.accelerator import Accelerator, parse_accelerator
from edgeclf.edge_runtime.accelerator.trial import Trial
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.container import read_model, write_model
from edgeclf.edge_runtime.service import command as service

Cli = Callable[..., Result]

GOOD = Trial(
    self_test=True, inputs=9, other_class=0, largest_difference=0.01, ms=1.0, cpu_ms=4.0,
    ratio=0.25, whole=True,
)  # fmt: skip


def _run(cli: Cli, delegates: Delegates, value: str) -> tuple[dict[str, object], str]:
    """Classify the photograph; return the record, without what differs each time, and stderr."""
    done = cli("run", delegates.model, delegates.photograph, "--accelerator", value, "--json")
    record = valid("device/run", json.loads(done.stdout))
    return {key: record[key] for key in record.keys() - {"ms", "time"}}, done.stderr


def test_one_that_is_right_and_faster_computes(cli: Cli, delegates: Delegates) -> None:
    record, said = _run(cli, delegates, delegates.value())
    assert said.startswith("accelerator libfake.so: ")
    assert said.endswith(" on the CPU; scores and features within 0\n")
    assert record == _run(cli, delegates, "cpu")[0]
    classifier = Classifier(delegates.model, accelerator=delegates.value())
    assert classifier.acceleration is not None
    assert classifier.acceleration.used == parse_accelerator(delegates.value())
    assert classifier.self_test().passed
    with pytest.raises(RuntimeError, match="not recorded"):  # it is the delegate that computes
        classifier.infer(classifier.preprocess(255 - delegates.pixels()))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong", "it computes wrongly: the self-test fails"),
        ("slow", "it is slower than the CPU: "),
        ("crash", "it crashes when it computes (SIGSEGV)"),
        ("dies", "it crashes when it ends (SIGABRT)"),
        ("refuses", "it does not open the model: no such device"),
        ("idle", "it does not open the model: it takes no operator of it"),
    ],
)
def test_one_with_a_fault_is_refused_and_the_cpu_goes_on(
    cli: Cli, delegates: Delegates, fault: str, reason: str
) -> None:
    record, said = _run(cli, delegates, delegates.value(fault))
    assert said.startswith(f"Warning: accelerator libfake.so: refused, {reason}")
    assert said.endswith("; the CPU computes\n")
    assert len(said.splitlines()) == 1
    assert record == _run(cli, delegates, "cpu")[0]


def test_one_that_hangs_is_ended_and_the_cpu_goes_on(
    cli: Cli, delegates: Delegates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 4.0)
    record, said = _run(cli, delegates, delegates.value("hang"))
    assert "refused, it hangs or is very slow: it still computes after 4 s; the CPU" in said
    assert record == _run(cli, delegates, "cpu")[0]


def test_one_that_is_right_on_the_self_test_alone_is_refused(
    cli: Cli, delegates: Delegates
) -> None:
    said = _run(cli, delegates, delegates.value(recording=delegates.short))[1]
    assert "refused, it fails when it computes: an input that was not recorded" in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"self_test": None}, None),
        ({"largest_difference": 0.2, "other_class": 3}, "up to 0.2 off the CPU's, and 3 of 9"),
        ({"largest_difference": float("nan")}, "it computes wrongly"),
        ({"ratio": 0.95}, "hardly faster than the CPU"),
        ({"ratio": 0.6, "whole": False}, "the CPU, which may compute the model in its stead"),
        ({"ratio": 0.4, "whole": False}, None),
        ({"inputs": 0, "cpu_ms": None, "ratio": None}, None),
        ({"inputs": 0, "self_test": None}, "neither a self-test nor the CPU can check it"),
    ],
)
def test_the_figures_of_a_trial_decide(changes: dict[str, object], reason: str | None) -> None:
    fault = replace(GOOD, **changes).fault  # type: ignore[arg-type]
    assert (fault is None) == (reason is None)
    assert (reason or "") in (fault or "")


def test_a_file_that_only_the_accelerator_computes(delegates: Delegates, tmp_path: Path) -> None:
    data, spec = read_model(delegates.model)
    graph = ModelT.InitFromPackedBuf(data)
    for code in graph.operatorCodes:
        if code.builtinCode == BuiltinOperator.SOFTMAX:
            code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.CUSTOM
            code.customCode = "of-the-accelerator"
    builder = Builder(0)
    builder.Finish(graph.Pack(builder), b"TFL3")
    model = tmp_path / "compiled.tflite"
    write_model(model, bytes(builder.Output()), spec)
    with pytest.raises(EdgeclfError, match=r"compiled\.tflite"):
        Classifier(model)
    accelerated = Classifier(model, accelerator=delegates.value())
    assert accelerated.acceleration is not None
    assert "the CPU cannot compute the file" in accelerated.acceleration.reason
    with pytest.raises(EdgeclfError, match=r"the self-test fails; .*compiled\.tflite"):
        Classifier(model, accelerator=delegates.value("wrong"))


def test_auto_takes_what_passes(delegates: Delegates, monkeypatch: pytest.MonkeyPatch) -> None:
    right = parse_accelerator(delegates.value())
    found = [parse_accelerator(delegates.value("refuses")), right]
    monkeypatch.setattr(selection, "candidates", lambda: found)
    taken = Classifier(delegates.model, accelerator="auto").acceleration
    assert taken is not None
    assert taken.used == right
    assert str(taken).startswith("accelerator auto: libfake.so, ")
    del found[1]
    left = Classifier(delegates.model, accelerator="auto").acceleration
    assert str(left) == (
        "accelerator auto: libfake.so is refused (it does not open the model: no such device); "
        "the CPU computes"
    )
    assert left is not None
    assert not left.is_refused


def test_auto_finds_delegates_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libvx_delegate.so").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    expected = Accelerator("delegate", str(tmp_path / "libvx_delegate.so"))
    assert expected in selection.candidates()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tpu", "accelerator 'tpu': give auto, cpu, gpu, npu, or the path of"),
        ("/nowhere/x.so", "accelerator /nowhere/x.so: no such file; give auto, cpu"),
        ("x.so;device", "options of a delegate are LIBRARY;KEY:VALUE"),
    ],
)
def test_what_is_no_accelerator_is_one_line(
    cli: Cli, tiny_models: Path, value: str, message: str
) -> None:
    done = cli("run", tiny_models / "int8.tflite", "x.png", "--accelerator", value, code=1)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_library_that_is_no_delegate_is_one_line(
    cli: Cli, tiny_models: Path, tmp_path: Path
) -> None:
    library = tmp_path / "text.so"
    library.write_text("no library")
    done = cli("run", tiny_models / "int8.tflite", "x.png", "--accelerator", library, code=1)
    assert f"accelerator {library}: no TFLite delegate (" in done.stderr
    assert "; give auto, cpu, gpu, npu" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_accelerator_costs_nothing_unless_it_is_asked_for(
    tiny_models: Path, fresh_python: Callable[..., object]
) -> None:
    code = (
        "import sys; from edgeclf.edge_runtime.classifier import Classifier\n"
        "import edgeclf.edge_runtime.run_command\n"
        "Classifier(sys.argv[1])\n"
        "print([name for name in sys.modules if 'edge_runtime.accelerator' in name])"
    )
    done = fresh_python(code, tiny_models / "int8.tflite")
    assert done.stdout.strip() == "[]"  # type: ignore[attr-defined]


def test_doctor_says_what_became_of_it(cli: Cli, delegates: Delegates) -> None:
    for fault, state in (("none", "ok"), ("wrong", "warning")):
        value = delegates.value(fault)
        done = cli("doctor", delegates.model, "--accelerator", value, "--json")
        checks = valid("device/doctor", json.loads(done.stdout))["checks"]
        [check] = [check for check in checks if check["name"] == "accelerator"]
        assert check["state"] == state
        assert bool(check["mend"]) == (state == "warning")
    assert "give MODEL, too" in cli("doctor", "--accelerator", "auto", code=1).stderr


def test_benchmark_measures_it_beside_the_cpu(
    cli: Cli, delegates: Delegates, surfaces: Path, tmp_path: Path
) -> None:
    classifier = Classifier(delegates.model)
    images = [classifier.preprocess(read_image(path)) for path in surfaces.rglob("*.png")]
    recording, file = tmp_path / "recording", tmp_path / "benchmark.json"
    recording.write_bytes(delegates.recording.read_bytes() + recording_of(classifier, images))
    value = delegates.value(recording=recording)
    options = ["--data", surfaces, "--queries", 10, "--rounds", 2, "--threads", 1, "--json", file]
    cli("benchmark", delegates.model, "--accelerator", value, *options)
    cpu, other = valid_file("models/benchmark", file)["models"]
    assert (cpu["name"], other["name"]) == ("int8", "int8 (libfake.so)")
    assert (cpu["accelerator"], other["accelerator"]) == (None, "libfake.so")
    assert (cpu["error"], other["error"]) == (None, None)
    assert other["metrics"]["guesses"] == cpu["metrics"]["guesses"]
    assert other["against"]["agreement"]["value"] == 1
    said = cli("benchmark", delegates.model, "--accelerator", "gpu", "--runtime", "compiled",
               *options, code=1)  # fmt: skip
    assert "leave out --runtime compiled" in said.stderr


def test_a_service_may_open_the_devices(
    cli: Cli, delegates: Delegates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_TEMPORARY", ())
    monkeypatch.setattr(service, "is_below_home", lambda _: True)  # pytest's folders are closed
    given = (delegates.model, "/dev/video0", "--accelerator")
    done = cli("service", *given, delegates.value())
    for device in ("drm", "accel", "apex", "usb_device", "video4linux"):
        assert f"DeviceAllow=char-{device} rw" in done.stdout
    assert "PrivateDevices" not in done.stdout
    assert str(delegates.library) in done.stdout
    assert "accelerator libfake.so: " in done.stderr
    assert "char-drm" not in cli("service", *given, "cpu").stdout
    monkeypatch.chdir(delegates.library.parent)
    assert "give an absolute path" in cli("service", *given, "libfake.so", code=1).stderr


def test_a_gpu_computes_or_is_refused(cli: Cli, delegates: Delegates) -> None:
    record, said = _run(cli, delegates, "gpu")
    assert said.startswith(("accelerator gpu: ", "Warning: accelerator gpu: refused, "))
    assert len(said.splitlines()) == 1
    assert record["label"] == _run(cli, delegates, "cpu")[0]["label"]
