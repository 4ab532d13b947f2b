"""One training over two workers: what a single process learns, learned together."""

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "cluster"

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
    replicas = arguments[0].num_replicas_in_sync
    # In one piece: both workers write to the same pipe.
    sys.stdout.write(f"replicas {replicas} weights {digest.hexdigest()}\\n")

fit.fit_shared = reporting
main(sys.argv[1:])
"""


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def slurm_of_this_machine(folder: Path, *, nodes: int) -> Path:
    """Write the programs that a job's script calls; all of its nodes are this machine."""
    everywhere = " ".join(["localhost"] * nodes)
    program(
        folder / "scontrol",
        f'[ "$*" = "show hostnames $SLURM_JOB_NODELIST" ]\nprintf "%s\\n" {everywhere}',
    )
    program(
        folder / "srun",
        f"""[ "$1" = --kill-on-bad-exit=1 ] && shift
for index in $(seq 0 {nodes - 1}); do SLURM_PROCID=$index "$@" & workers+=($!); done
for worker in "${{workers[@]}}"; do wait "$worker" || exit; done""",
    )
    (folder / "worker.py").write_text(WORKER)
    program(folder / "edgeclf", f'exec "{sys.executable}" "{folder / "worker.py"}" "$@"')
    return folder


def losses(run: Path) -> list[float]:
    with (run / "history.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) for name in ("loss", "val_loss")]


def test_two_workers_of_a_slurm_job_learn_what_one_process_does(
    cli, tiny_run: Path, surfaces: Path, tmp_path: Path
) -> None:
    options = (
        *("train", surfaces, "--arch", "densenet-tiny", "--weights", tiny_run / "model.keras"),
        *("--head-epochs", 0, "--epochs", 2, "--dropout", 0),
    )
    run = tmp_path / "shared"
    programs = slurm_of_this_machine(tmp_path / "bin", nodes=2)
    job = subprocess.Popen(
        ["bash", EXAMPLES / "slurm.sh", *map(str, options[1:]), "--out", str(run)],
        env=os.environ
        | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SLURM_JOB_ID": str(os.getpid() % 1200),  # its ports are none that Linux gives away
            "SLURM_JOB_NODELIST": "localhost[1-2]",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = job.communicate(timeout=240)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 0, errors
    shown = [line for line in output.splitlines() if line.startswith("replicas 2 weights ")]
    assert len(shown) == 2
    assert shown[0] == shown[1]
    assert (run / "metrics.json").exists()

    cli(*options, "--out", tmp_path / "alone")
    assert losses(run) == pytest.approx(losses(tmp_path / "alone"), abs=1e-4)


def test_kubernetes_accepts_the_example_and_its_workers_find_each_other(tmp_path: Path) -> None:
    service, job = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())
    for one in (service, job):
        kubernetes_validate.validate(one, "1.33", strict=True)
    pods = job["spec"]["template"]["spec"]
    [container] = pods["containers"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert pods["subdomain"] == service["metadata"]["name"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pods["volumes"]}
    program(tmp_path / "edgeclf", 'echo "$TF_CONFIG"')
    hosts = [
        f"{job['metadata']['name']}-{index}.{pods['subdomain']}:2222"
        for index in range(job["spec"]["completions"])
    ]
    assert job["spec"]["parallelism"] == len(hosts)
    for index in range(len(hosts)):
        variables = {one["name"]: one["value"] for one in container["env"]}
        done = subprocess.run(
            container["command"],
            env=variables
            | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        task = {"type": "worker", "index": index}
        assert json.loads(done.stdout) == {"cluster": {"worker": hosts}, "task": task}


def test_a_useless_tf_config_is_one_line(
    train_tiny, surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", "no JSON")
    result = train_tiny(surfaces, tmp_path / "run", code=1)
    assert "TF_CONFIG: names no workers to train with (" in result.stderr.splitlines()[-1]
