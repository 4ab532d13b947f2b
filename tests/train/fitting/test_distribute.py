"""One training over two workers: what a single process learns, learned together."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

# Runs the command line, and tells the weights that the shared fit ended with.
WORKER = """
import hashlib, sys
from edgeclf.edge_runtime.quiet import quiet_tensorflow
quiet_tensorflow()
from edgeclf.cli import main
from edgeclf.train.fitting import fit
shared = fit.fit_shared

def reporting(model, *arguments, **options):
    shared(model, *arguments, **options)
    digest = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights()))
    print("replicas", arguments[0].num_replicas_in_sync, "weights", digest.hexdigest())

fit.fit_shared = reporting
main(sys.argv[1:])
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def losses(run: Path) -> list[float]:
    with (run / "history.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) for name in ("loss", "val_loss")]


def test_two_workers_learn_what_one_process_does(
    cli, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    options = (
        *("train", surfaces, "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--head-epochs", 0, "--epochs", 2, "--dropout", 0),
    )
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    runs = [tmp_path / "chief", tmp_path / "other"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, options), "--out", str(run)],
            env=os.environ
            | {
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": i}}
                )
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i, run in enumerate(runs)
    ]
    try:
        ended = [worker.communicate(timeout=240) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], ended
    shown = [
        [line for line in output.splitlines() if line.startswith("replicas 2 weights ")]
        for output, _ in ended
    ]
    assert len(shown[0]) == 1
    assert shown[0] == shown[1]
    assert (runs[0] / "metrics.json").exists()
    assert not runs[1].exists()

    cli(*options, "--out", tmp_path / "alone")
    assert losses(runs[0]) == pytest.approx(losses(tmp_path / "alone"), abs=1e-4)


def test_a_useless_tf_config_is_one_line(
    train_tiny, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", "no JSON")
    result = train_tiny(surfaces, tmp_path / "run", code=1)
    assert "TF_CONFIG: names no workers to train with (" in result.stderr.splitlines()[-1]
