"""The package as it is shipped: complete, layered, and installable on a bare device."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from setuptools.config.pyprojecttoml import read_configuration

from edgeclf import __version__
from edgeclf.benchmarks.demo.surfaces import draw_surface

REPOSITORY = Path(__file__).resolve().parents[1]
NOT_SHIPPED = {
    *("tests", "build", "dist", "docs", "examples"),
    *("benchmarks/compat", "benchmarks/peers", "benchmarks/pi_emulation"),
}


def code_folders() -> set[str]:
    found = {
        path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("*/**/*.py")
    }
    return {
        folder
        for folder in found
        if not any(f"{folder}/".startswith(f"{name}/") for name in NOT_SHIPPED)
        and not folder.startswith(".")
    }


def test_every_package_is_listed() -> None:
    settings = read_configuration(REPOSITORY / "pyproject.toml")["tool"]["setuptools"]
    expected = {"edgeclf"} | {f"edgeclf.{folder.replace('/', '.')}" for folder in code_folders()}
    assert set(settings["packages"]) == expected


def test_the_root_holds_no_other_module() -> None:
    assert {path.name for path in REPOSITORY.glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "cli.py",
    }


def test_the_layers_hold_and_no_circle_is_imported() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "12 kept, 0 broken" in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: building in place would leave a build folder in the repository.
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        source = REPOSITORY / name
        if source.is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, folder / "source"]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_no_test(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"edgeclf", f"edgeclf-{__version__}.dist-info"}
    shipped = {name for name in names if name.endswith(".py")}
    folders = {"", *(f"{folder}/" for folder in code_folders())}
    assert {name.removeprefix("edgeclf/").rpartition("/")[0] for name in shipped} == {
        folder.rstrip("/") for folder in folders
    }
    assert {"edgeclf/py.typed", "edgeclf/models/report/style.css"} <= set(names)
    templates = {
        "benchmarks/report/benchmark.html",
        "models/report/base.html",
        "models/report/parts.html",
        "train/data_check/report/data_check.html",
        "train/report/run.html",
    }
    assert {f"edgeclf/{name}" for name in templates} <= set(names)
    page = {"door.html", "icon.svg", "page.css", "page.html", "page.js", "photographs.js"}
    assert {f"edgeclf/edge_runtime/live/web/static/{name}" for name in page} <= set(names)


def test_a_bare_install_classifies_without_tensorflow(
    wheel: Path, tiny_models: Path, tmp_path: Path
) -> None:
    import cv2
    import numpy as np

    home = tmp_path / "device"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    pins = REPOSITORY / "constraints.txt"
    subprocess.run([*pip, "install", "-q", "-c", pins, wheel], check=True, capture_output=True)
    listed = json.loads(subprocess.check_output([*pip, "list", "--format", "json"]))
    installed = {package["name"].lower() for package in listed}
    assert installed.isdisjoint({"tensorflow", "keras", "tf-keras", "tf_keras", "matplotlib"})

    image, _ = draw_surface("scratch", size=48, rng=np.random.default_rng(0))
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    done = subprocess.run(
        [home / "bin" / "edgeclf", "run", tiny_models / "int8.tflite", "photo.png", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in ("good", "oil", "scratch", "stain")
    assert done.stderr == ""


def test_pre_commit_pins_the_ruff_of_the_constraints() -> None:
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    pinned = re.search(r"^ruff==([\d.]+)", constraints, flags=re.MULTILINE)
    assert pinned is not None
    assert set(re.findall(r"\bruff==([\d.]+)", hooks)) == {pinned[1]}
