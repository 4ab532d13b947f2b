"""`edgeclf bulk --ray`: a local cluster gives the rows of one process, and reports no use of it."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bulk_rows import lasting_table, read_manifest
from click.testing import Result
from skips import skip_without

Cli = Callable[..., Result]

# The address of a cluster stands in the process that asks.
SHOW = """
import atexit, os
from edgeclf.cli import main
atexit.register(lambda: print("usage", os.environ["RAY_USAGE_STATS_ENABLED"]))
main()
"""


@pytest.fixture
def ray_environment() -> dict[str, str]:
    """Time for Ray on a machine that is busy with other tests."""
    if importlib.util.find_spec("ray") is None:
        skip_without("Ray")
    return os.environ | {
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_agent_register_timeout_ms": "600000",
        "RAY_worker_register_timeout_seconds": "400",
        "RAY_health_check_initial_delay_ms": "300000",
        "RAY_worker_niceness": "0",
    }


def test_a_cluster_gives_the_rows_of_one_process(
    cli: Cli, model: Path, surfaces: Path, tmp_path: Path, ray_environment: dict[str, str]
) -> None:
    alone, cluster = tmp_path / "alone", tmp_path / "cluster"
    options = [str(model), str(surfaces), "--rows-per-part", "20", "--threads", "1"]
    cli("bulk", *options, "--out", alone)
    done = subprocess.run(
        [sys.executable, "-c", SHOW, "bulk", *options, "--out", str(cluster), "--ray"],
        capture_output=True,
        text=True,
        check=False,
        env=ray_environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("usage 0\n")
    assert lasting_table(cluster) == lasting_table(alone)
    assert [part["rows"] for part in read_manifest(cluster)["parts"]] == [20] * 4 + [16]


def test_an_address_without_a_cluster_is_one_line(
    model: Path, surfaces: Path, tmp_path: Path, ray_environment: dict[str, str]
) -> None:
    out = str(tmp_path / "out")
    command = [sys.executable, "-m", "edgeclf", "bulk", str(model), str(surfaces), "--out", out]
    done = subprocess.run(
        [*command, "--ray=127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        env=ray_environment,
    )
    assert done.returncode == 1
    assert "--ray 127.0.0.1:1: Ray cannot be started or reached" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
