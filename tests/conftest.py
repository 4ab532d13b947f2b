"""What the tests share: a tiny data set, a tiny run and its conversion, made once a session."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import skips
from click.testing import CliRunner, Result
from repository import REPOSITORY
from session_folder import MakeOnce, session_folder

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.cli import main

SHARED = REPOSITORY.parent / "shared"

Cli = Callable[..., Result]


def pytest_configure(config: pytest.Config) -> None:
    """Have skipped tests judged and summed up."""
    config.pluginmanager.register(skips)


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run `edgeclf` as a user would, in this process; the exit code must be the expected one."""

    def invoke(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Make a folder that all workers of the session share, and that no test changes."""
    return session_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def surfaces(make_once: MakeOnce) -> Path:
    """A data folder: 24 drawn surfaces of each of four classes."""

    def draw(folder: Path) -> None:
        write_surfaces(folder / "data", per_class=24, size=48, seed=0)

    return make_once("surfaces", draw) / "data"


@pytest.fixture(scope="session")
def train_tiny(cli: Cli) -> Cli:
    """Train the tiny DenseNet from scratch on a data folder for seconds."""

    def train(data: Path, out: Path, *options: object, code: int = 0) -> Result:
        tiny = ("--arch", "densenet-tiny", "--weights", "none", "--epochs", 2)
        return cli("train", data, "--out", out, *tiny, *options, code=code)

    return train


@pytest.fixture(scope="session")
def eager_cli(cli: Cli) -> Cli:
    """Run `edgeclf` with the steps of a training in Python: for what it does beside its steps.

    To trace the graphs of the steps takes longer than these few steps do.
    """
    import tensorflow as tf

    def invoke(*arguments: object, code: int = 0) -> Result:
        tf.config.run_functions_eagerly(True)
        try:
            return cli(*arguments, code=code)
        finally:
            tf.config.run_functions_eagerly(False)

    return invoke


@pytest.fixture(scope="session")
def train_quick(eager_cli: Cli) -> Cli:
    """Train the tiny DenseNet from scratch for one epoch, step by step in Python."""

    def train(data: Path, out: Path, *options: object, code: int = 0) -> Result:
        tiny = ("--arch", "densenet-tiny", "--weights", "none", "--epochs", 1)
        return eager_cli("train", data, "--out", out, *tiny, *options, code=code)

    return train


@pytest.fixture(scope="session")
def tiny_run(train_tiny: Cli, surfaces: Path, make_once: MakeOnce) -> Path:
    """The run that a short training of the tiny DenseNet leaves."""
    return make_once("run", lambda out: train_tiny(surfaces, out))


@pytest.fixture(scope="session")
def tiny_models(cli: Cli, tiny_run: Path, make_once: MakeOnce) -> Path:
    """The folder of the tiny run's four TFLite files."""
    return make_once("models", lambda out: cli("convert", tiny_run, "--out", out))


@pytest.fixture(scope="session")
def tiny_heatmaps(cli: Cli, tiny_run: Path, make_once: MakeOnce) -> Path:
    """The folder of the tiny run's float32 and int8 files with heatmaps."""
    options = ("--heatmap", "--recipes", "float32,int8", "--max-drop", 100, "--max-class-drop", 100)
    return make_once("heatmaps", lambda out: cli("convert", tiny_run, "--out", out, *options))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and weights, which only some machines have."""
    if not SHARED.is_dir():
        skips.skip_without("shared/")
    return SHARED


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a fresh Python, outside the repository."""

    def run(
        code: str, *arguments: object, python: Path | str = sys.executable
    ) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    return run
