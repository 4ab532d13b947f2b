"""A device needs nothing of what training needs, and is told so where it does."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FreshPython = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = """
import sys
HEAVY = (
    "tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "h5py", "matplotlib",
    "jinja2", "markupsafe",
)
"""
SHOW = """
print("loaded:", *[name for name in HEAVY if name in sys.modules])
"""
RUN = """
from edgeclf.cli import main
try:
    main()
except SystemExit as end:
    print("code:", end.code)
"""
BLOCK = """
for name in HEAVY:
    sys.modules[name] = None
"""


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "doctor",
        "help",
        "help of service",
        "help of train",
        "help of evaluate",
        "help of convert",
    ],
)
def test_the_device_loads_nothing_heavy(
    fresh_python: FreshPython, tiny_models: Path, surfaces: Path, command: str
) -> None:
    arguments, output = {
        "run": (["run", tiny_models / "int8.tflite", surfaces / "oil/oil_0001.png"], "oil_0001"),
        "doctor": (["doctor", tiny_models / "int8.tflite"], "self-test"),
        "help": (["--help"], "benchmark"),
        "help of service": (["service", "--help"], "--install"),
        "help of train": (["train", "--help"], "--epochs"),
        "help of evaluate": (["evaluate", "--help"], "--recall"),
        "help of convert": (["convert", "--help"], "--recipes"),
    }[command]
    done = fresh_python(HEAVY + RUN + SHOW, *arguments)
    assert done.stderr == ""
    assert output in done.stdout
    assert done.stdout.endswith("code: 0\nloaded:\n")


def test_run_loads_no_other_command(
    fresh_python: FreshPython, tiny_models: Path, surfaces: Path
) -> None:
    packages = ("benchmarks", "convert", "models", "train")
    show = f"print([p for p in {packages} if f'edgeclf.{{p}}' in sys.modules])"
    image = surfaces / "oil/oil_0001.png"
    done = fresh_python(f"import sys{RUN}{show}", "run", tiny_models / "int8.tflite", image)
    assert done.stdout.endswith("code: 0\n[]\n")


def test_importing_the_runtime_loads_nothing_heavy(fresh_python: FreshPython) -> None:
    done = fresh_python(HEAVY + "import edgeclf.edge_runtime\n" + SHOW)
    assert done.stderr == ""
    assert done.stdout == "loaded:\n"


def test_the_check_sees_what_is_loaded(fresh_python: FreshPython) -> None:
    assert fresh_python(HEAVY + "import h5py\n" + SHOW).stdout == "loaded: h5py\n"


def test_run_works_where_nothing_heavy_is_installed(
    fresh_python: FreshPython, tiny_models: Path, surfaces: Path
) -> None:
    image = surfaces / "oil/oil_0001.png"
    done = fresh_python(HEAVY + BLOCK + RUN, "run", tiny_models / "int8.tflite", image)
    assert done.stderr == ""
    assert str(image) in done.stdout
    assert done.stdout.endswith("code: 0\n")


@pytest.mark.parametrize("command", ["train", "convert", "fit"])
def test_training_names_the_extra_it_needs(
    fresh_python: FreshPython, tiny_run: Path, surfaces: Path, tmp_path: Path, command: str
) -> None:
    source, *options = {
        "train": (surfaces,), "convert": (tiny_run,), "fit": (surfaces, "--budget", "5ms")
    }[command]  # fmt: skip
    out = ("--out", tmp_path / "out")
    done = fresh_python(HEAVY + BLOCK + RUN, command, source, *options, *out)
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "pip install 'edgeclf[train]'" in line
    assert done.stdout == "code: 1\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["benchmark", "data check"])
def test_a_report_names_the_extra_it_needs_before_the_work(
    fresh_python: FreshPython, tiny_models: Path, surfaces: Path, tmp_path: Path, command: str
) -> None:
    arguments = {
        "benchmark": ["benchmark", tiny_models / "int8.tflite", "--data", surfaces],
        "data check": ["data", "check", surfaces],
    }[command]
    page = tmp_path / "page.html"
    done = fresh_python(HEAVY + BLOCK + RUN, *arguments, "--report", page)
    assert re.fullmatch(
        r"Error: an HTML report needs (jinja2|markupsafe): pip install 'edgeclf\[report\]'\n",
        done.stderr,
    )
    assert done.stdout == "code: 1\n"
    assert not page.exists()
