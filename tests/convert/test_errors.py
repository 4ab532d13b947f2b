"""`edgeclf convert` on what is damaged, missing or full, and Ctrl-C: a line, and nothing half."""

import errno
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import Result

from edgeclf.convert import conversion
from edgeclf.convert.quantize import emit, qat
from edgeclf.convert.techniques import registry
from edgeclf.edge_runtime import files
from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.models import photographs

CHECKPOINT = "int8-qat.checkpoint.npz"


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run, to damage."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def data(surfaces: Path, tmp_path: Path) -> Path:
    """A copy of the data, to damage."""
    return Path(shutil.copytree(surfaces, tmp_path / "data"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def bare(tiny_run: Path) -> tuple[object, ...]:
    """The command for the tiny run's weights and labels, without the run."""
    return (
        *("convert", "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--labels", tiny_run / "labels.txt", "--input-size", 48, "--recipes", "float32"),
    )


def only_line(result: Result, start: str = "Error: ") -> str:
    [line] = result.stderr.splitlines()
    assert line.startswith(start)
    return line


def left_in(folder: Path) -> set[str]:
    """Return the names in `folder`, hidden ones too."""
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def assert_described(out: Path, *recipes: str, beside: tuple[str, ...] = ()) -> None:
    """Nothing but the models of `recipes` lies in `out`, each as conversion.json describes it."""
    names = [f"{recipe}.tflite" for recipe in recipes]
    assert left_in(out) == {*names, *beside, *(["conversion.json"] if names else [])}
    if names:
        report = json.loads((out / "conversion.json").read_text())["models"]
        assert [model["file"] for model in report] == names
        for model in report:
            data = (out / model["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == model["sha256"]


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(3000))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [half, noise, empty])
def test_damaged_weights(cli, run: Path, bare, out: Path, damage: Callable[[Path], None]) -> None:
    model = run / "model.keras"
    damage(model)
    for command in (("convert", run), (*bare, "--weights", model)):
        line = only_line(cli(*command, "--out", out, code=1))
        assert f"{model}: no readable Keras weights: cut short, damaged or another format" in line
    assert left_in(out) == set()


def test_weights_that_are_damaged_inside(cli, bare, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/predictions/vars")
        group.attrs["name"] = "predictions"
        group["0"] = np.zeros(3)
    whole = path.read_bytes()
    for name in (b"TREE", b"SNOD", b"HEAP"):
        path.write_bytes(whole.replace(name, b"????"))
        line = only_line(cli(*bare, "--weights", path, "--out", out, code=1))
        assert f"{path}: no readable Keras weights" in line
    for missing in (tmp_path / "no.h5", tmp_path):
        line = only_line(cli(*bare, "--weights", missing, "--out", out, code=1))
        assert f"{missing}: no readable Keras weights: no such file; give a .keras" in line


@pytest.mark.parametrize(
    ("value", "report"),
    [
        (np.nan, "layer 'predictions' has weights that are not numbers (NaN or infinite)"),
        (np.inf, "layer 'predictions' has weights that are not numbers (NaN or infinite)"),
        (3e38, "recipe float32: its file would compute scores that are not numbers"),
    ],
)
def test_what_computes_no_numbers_is_not_written(
    cli, bare, tiny_run: Path, out: Path, tmp_path: Path, value: float, report: str
) -> None:
    path = tmp_path / "a.weights.h5"
    with zipfile.ZipFile(tiny_run / "model.keras") as archive:
        path.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(path, "a") as file:
        file["layers/dense/vars/0"][...] = value
    line = only_line(cli(*bare, "--weights", path, "--out", out, code=1))
    assert report in line
    assert left_in(out) == set()


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("good\noil\n", "expected labels for 4 classes, got 2; give the labels of these weights"),
        ("a\nb\nc\nd\ne\n", "expected labels for 4 classes, got 5"),
        ("good\n\n\ngood\nstain\noil\n", "label 'good' stands there twice"),
        ("\n \n", "holds no label; write one class a line"),
    ],
)
def test_labels_of_the_wrong_length(
    cli, bare, out: Path, tmp_path: Path, text: str, report: str
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(text)
    assert report in only_line(cli(*bare, "--labels", labels, "--out", out, code=1))
    assert left_in(out) == set()


def test_empty_lines_are_no_labels(cli, bare, out: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("good\n\noil\nscratch\nstain\n\n")
    cli(*bare, "--labels", tmp_path / "labels.txt", "--out", out)
    assert Classifier(out / "float32.tflite").spec.labels == ("good", "oil", "scratch", "stain")


def without(split: str) -> Callable[[str], str]:
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.endswith(f",{split}\n")
    )


@pytest.mark.parametrize(
    ("name", "change", "report"),
    [
        ("labels.txt", lambda _: "good\noil\n", "split.csv: line "),
        ("labels.txt", lambda text: text + "rust\n", "expected labels for 4 classes, got 5; give"),
        ("split.csv", lambda text: text[: text.index(",oil") + 2], "expected a split of train, "),
        ("split.csv", lambda text: text.replace(",oil,", ",,"), "class '' is none of the 4 in"),
        ("split.csv", lambda _: "", "split.csv: cut short: it names no train image"),
        ("split.csv", without("test"), "split.csv: cut short: it names no test image"),
        ("split.csv", lambda _: "\0\n\0", "split.csv: "),
        ("metrics.json", lambda _: "{}", "metrics.json: damaged"),
        ("metrics.json", lambda _: "[]", "metrics.json: damaged"),
        ("metrics.json", lambda _: '{"test": null}', "metrics.json: damaged"),
    ],
)
def test_a_run_that_was_cut_or_edited(
    cli, run: Path, out: Path, name: str, change: Callable[[str], str], report: str
) -> None:
    (run / name).write_text(change((run / name).read_text()))
    assert report in only_line(cli("convert", run, "--out", out, code=1))
    assert left_in(out) == set()


@pytest.mark.parametrize("name", ["model.keras", "config.json", "labels.txt", "split.csv"])
def test_a_run_that_lacks_a_file(cli, run: Path, out: Path, name: str) -> None:
    (run / name).unlink()
    line = only_line(cli("convert", run, "--out", out, code=1))
    assert f"{run}: no run: it holds no {name}; give the --out folder of `edgeclf train`" in line


def test_data_without_a_class(cli, tiny_run: Path, bare, data: Path, out: Path) -> None:
    shutil.rmtree(data / "oil")
    line = only_line(cli("convert", tiny_run, "--data", data, "--out", out, code=1))
    assert f"{data}: lacks 5 of the run's 20 test images, all of class 'oil' among them" in line
    assert left_in(out) == set()
    # Without a run, other images may score: what they cannot tell is said.
    result = cli(*bare, "--data", data, "--out", out)
    line = only_line(result, "Warning: ")
    assert "no image to score on of class 'oil'; what is lost there is not measured" in line
    assert "Gate on 72 images of 3 of 4 classes" in result.stdout


def test_a_class_without_an_image(cli, bare, data: Path, out: Path) -> None:
    shutil.rmtree(data / "oil")
    (data / "oil").mkdir()
    line = only_line(cli(*bare, "--data", data, "--out", out, code=1))
    assert f"{data / 'oil'}: class 'oil' holds no image" in line
    for path in (data, data / "nowhere"):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        line = only_line(cli(*bare, "--data", path, "--out", out, code=1))
        assert f"{path}: holds no class" in line


def test_an_image_of_the_run_that_is_gone(cli, tiny_run: Path, data: Path, out: Path) -> None:
    split = (tiny_run / "split.csv").read_text().splitlines()
    gone = next(line.split(",")[0] for line in split if line.endswith(",test"))
    (data / gone).unlink()
    line = only_line(cli("convert", tiny_run, "--data", data, "--out", out, code=1))
    assert f"lacks 1 of the run's 20 test images, the first {gone}; put them back" in line


def test_images_of_the_run_that_are_damaged(cli, tiny_run: Path, data: Path, out: Path) -> None:
    command = ("convert", tiny_run, "--data", data, "--out", out, "--recipes", "float32")
    for path in sorted((data / "oil").iterdir())[:24]:
        noise(path)
    result = cli(*command)
    skip = f"Warning: skipped {data / 'oil'}"
    lines = result.stderr.splitlines()
    skipped = [line for line in lines if line.startswith(skip)]
    assert len(skipped) == len(set(skipped)) == 24  # of the test images, and of the others
    [absent] = [line for line in lines if not line.startswith(skip)]
    assert "no image to score on of class 'oil'" in absent
    shutil.rmtree(out)
    for path in data.rglob("*.png"):
        noise(path)
    assert "none of 20 images can be read; replace them (the first is " in only_line(
        cli(*command, code=1)
    )
    assert left_in(out) == set()


def test_calibrating_on_one_image(cli, bare, surfaces: Path, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    command = (*bare, "--recipes", "int8", "--techniques", "none", "--out", out)
    command = (*command, "--calibration", folder)
    assert f"{folder}: holds no image; give a folder" in only_line(cli(*command, code=1))
    noise(folder / "damaged.png")
    assert "none of 1 images can be read" in only_line(cli(*command, code=1))
    assert left_in(out) == set()
    (folder / "damaged.png").unlink()
    shutil.copy(surfaces / "oil" / "oil_0001.png", folder)
    line = only_line(cli(*command), "Warning: ")
    assert "ranges from fewer than 30 images may cut off what others hold" in line
    assert json.loads((out / "conversion.json").read_text())["calibration"]["images"] == 1
    nowhere = (*command, "--calibration", tmp_path / "nowhere")
    assert "nowhere: no such folder" in only_line(cli(*nowhere, code=1))


def test_what_images_are_needed_is_said_before_anything_is_made(cli, bare, out: Path) -> None:
    result = cli(*bare, "--recipes", "float32,int8", "--out", out, code=1)
    assert "recipe int8 needs images to calibrate on" in only_line(result)
    assert left_in(out) == set()


def test_an_out_that_is_no_folder(cli, tiny_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below" / "it"):
        line = only_line(cli("convert", tiny_run, "--out", out, code=1))
        assert f"{out}: cannot be a folder for files ({file} is a file); choose another" in line
    assert file.read_text() == "mine"


def test_a_folder_where_a_model_should_be(cli, tiny_run: Path, out: Path) -> None:
    (out / "float32.tflite").mkdir(parents=True)
    result = cli("convert", tiny_run, "--out", out, "--recipes", "float32", code=1)
    assert "float32.tflite: cannot be written (Is a directory)" in only_line(result)
    assert left_in(out) == {"float32.tflite"}


@pytest.fixture
def disk_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the disk full once so many files have been begun."""

    def limit(count: int) -> None:
        make, made = files.tempfile.mkstemp, []

        def full(*arguments: Any, **options: Any) -> Any:
            made.append(arguments)
            if len(made) > count:
                raise OSError(errno.ENOSPC, "No space left on device")
            return make(*arguments, **options)

        monkeypatch.setattr(files.tempfile, "mkstemp", full)

    return limit


def test_a_disk_that_fills_up(cli, tiny_run: Path, out: Path, disk_for) -> None:
    command = ("convert", tiny_run, "--out", out, "--recipes")
    disk_for(3)  # a report and a model each
    line = only_line(cli(*command, "float32,float16", code=1))
    assert f"{out / 'float16.tflite'}: cannot be written (No space left on device)" in line
    assert line.endswith("; free some and run again")
    assert_described(out, "float32")
    disk_for(0)
    line = only_line(cli(*command, "float16", code=1))
    assert f"{out / 'conversion.json'}: cannot be written (No space left on device)" in line
    assert_described(out, "float32")


EDGECLF = (sys.executable, "-m", "edgeclf")


def test_a_file_that_grows_too_large(tiny_run: Path, out: Path) -> None:
    """The real thing: the kernel refuses to write on in the midst of a file."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = (*EDGECLF, "convert", tiny_run, "--out", out, "--recipes", "float32")
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Error: {out / 'float32.tflite'}: cannot be written (File too large)")
    assert left_in(out) == set()


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what runs in its background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def press_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Press Ctrl-C when a function is called for the n-th time."""

    def press(owner: object, name: str, *, at_call: int = 1) -> None:
        function, calls = getattr(owner, name), []

        def pressed(*arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            if len(calls) == at_call:
                signal.raise_signal(signal.SIGINT)
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, pressed)

    return press


@pytest.mark.usefixtures("ctrl_c_is_heard")
@pytest.mark.parametrize(
    ("where", "at_call", "finished"),
    [
        ((photographs, "load_images"), 1, ()),
        ((emit, "_one_by_one"), 1, ("float32",)),  # called back out of the converter's C++
        ((registry, "calibrate_ranges"), 1, ("float32", "int16x8")),
        ((Classifier, "observe"), 3, ()),
    ],
)
def test_ctrl_c(
    cli, tiny_run: Path, out: Path, press_ctrl_c, where, at_call: int, finished: tuple[str, ...]
) -> None:
    press_ctrl_c(*where, at_call=at_call)
    recipes = ("--recipes", "float32,int16x8,int8", "--techniques", "none")
    result = cli("convert", tiny_run, "--out", out, *recipes, code=130)
    message = f"the models that {out / 'conversion.json'} describes are whole"
    line = only_line(result, "Interrupted: ")
    assert line == f"Interrupted: {message if finished else 'no model is finished'}"
    assert_described(out, *finished)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_in_a_training_keeps_its_epochs(cli, tiny_run: Path, out: Path, monkeypatch) -> None:
    command = (
        *("convert", tiny_run, "--out", out, "--recipes", "int8-qat", "--qat-epochs", 1),
        *("--techniques", "none", "--max-drop", 100, "--max-class-drop", 100),
    )
    with monkeypatch.context() as patch:  # after the training, while the file is scored
        patch.setattr(conversion, "verify", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        line = only_line(cli(*command, code=130), "Interrupted: ")
    assert f"finished epochs of int8-qat are kept in {out / CHECKPOINT}" in line
    assert line.endswith("the same command goes on after them")
    assert_described(out, beside=(CHECKPOINT,))
    assert "Going on after epoch 1" in cli(*command).stdout
    assert_described(out, "int8-qat")


@pytest.mark.parametrize("damage", [half, noise, empty])
def test_a_damaged_checkpoint(tmp_path: Path, capsys, damage: Callable[[Path], None]) -> None:
    path = tmp_path / CHECKPOINT

    def state() -> qat._State:
        variable, optimizer = qat.tf.Variable([0.0] * 1000), qat.tf_keras.optimizers.Adam()
        optimizer.build([variable])
        return qat._State([variable], optimizer, path, key="this training")

    state().keep(qat.QatEpoch(0, 1.0, 0.5))
    assert state().resume()
    damage(path)
    anew = state()
    capsys.readouterr()
    assert not anew.resume()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Warning: {path}: damaged (")
    assert line.endswith("; starting anew")
    anew.keep(qat.QatEpoch(0, 1.0, 0.5))
    assert state().resume()


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_as_a_shell_sees_it(tiny_run: Path, out: Path) -> None:
    command = (*EDGECLF, "convert", tiny_run, "--out", out, "--recipes", "float32,int8")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdout is not None
        assert "Reading" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, report = process.communicate()
    assert process.returncode == 130
    [line] = report.splitlines()
    assert line.startswith("Interrupted")
    assert left_in(out) <= {"float32.tflite", "conversion.json"}
