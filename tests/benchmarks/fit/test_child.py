"""The processes that do the work of a fit: what they say, and that none outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeclf.benchmarks.fit.child import failure, run_child, warnings_of

SLEEPER = """
import os, sys, time
print("Warning: once", flush=True)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""
# A shell's background job, and what it starts, ignores Ctrl-C.
PARENT = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgeclf.benchmarks.fit.child import run_child
run_child("sleeper", [sys.argv[1]], log=Path(sys.argv[2]), tick=lambda: None)
"""


def test_a_child_says_why_it_failed(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "child.log"
    code = run_child("edgeclf", ["inspect", tmp_path / "none"], log=log, tick=lambda: None)
    assert code == 1
    assert str(failure(log)).startswith(str(tmp_path / "none"))
    assert "No such file" in str(failure(log))
    assert run_child("edgeclf", ["--version"], log=log, tick=lambda: None) == 0
    assert "edgeclf, version" in log.read_text()


def test_warnings_are_found_once(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    log.write_text("one\nWarning: a\nWarning: a\nno Warning: b\nWarning: c\n")
    assert warnings_of(log) == ["Warning: a", "Warning: c"]
    log.write_text("")
    assert "no message" in str(failure(log))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_child_ends_when_its_parent_does(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(pid_file), str(tmp_path / "log")],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.send_signal(how)
    parent.wait(30)
    child = int(pid_file.read_text())
    while Path(f"/proc/{child}").exists() and "Z" not in state(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
