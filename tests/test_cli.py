"""What every command does, whatever its terminal is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def edgeclf(
    *arguments: str, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command; `shell` is what a shell adds, as `2>&-`."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {shell}', sys.executable, "-m", "edgeclf", *arguments],
        capture_output=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("closed", ["2>&-", "0<&-", "0<&- 2>&-"])
def test_closed_descriptors_do_no_harm(tmp_path: Path, closed: str) -> None:
    done = edgeclf("--version", shell=closed)
    assert done.returncode == 0
    assert done.stdout.startswith(b"edgeclf, version")
    (tmp_path / "x.tflite").write_bytes(b"no model")
    refused = edgeclf("run", str(tmp_path / "x.tflite"), "x.png", shell=closed)
    assert refused.returncode == 1
    # Nobody's error has gone into a file that took the descriptor's place.
    assert (tmp_path / "x.tflite").read_bytes() == b"no model"


def test_no_temporary_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"no model")
    refused = edgeclf("run", str(tmp_path / "x.tflite"), "x.png", TMPDIR="/nowhere")
    assert refused.returncode == 1
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8:strict"])
def test_any_encoding_takes_any_name(encoding: str) -> None:
    for name in ("油.tflite", "M\udcfcller.tflite", "…—×.tflite"):
        done = edgeclf("run", name, "x.png", PYTHONIOENCODING=encoding)
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        assert b".tflite" in done.stderr


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\x1b]0;x\x07", "\u202e", "\x9b2J", "\r"])
def test_an_error_holds_nothing_that_a_terminal_obeys(hostile: str) -> None:
    done = edgeclf("run", f"a{hostile}b.tflite", "x.png", PYTHONIOENCODING="utf-8")
    assert done.returncode == 1
    text = done.stderr.decode()
    assert hostile not in text
    assert text.rstrip("\n").replace("\n", "").isprintable()
