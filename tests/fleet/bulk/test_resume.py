"""A bulk run that is killed goes on with --resume: each image has one row, the same as without."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bulk_rows import lasting_table, read_manifest
from click.testing import Result

Cli = Callable[..., Result]

# Ends itself, as `kill -9` does, when it is about to write its nth file, or has just written it.
KILL = """
import os, signal, sys
from edgeclf.fleet.bulk.output import OutputFolder
nth, after = int(sys.argv.pop(1)), sys.argv.pop(1) == "after"
write, written = OutputFolder.write, []
def write_and_die(self, name, data):
    if len(written) == nth and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, name, data)
    written.append(name)
    if len(written) > nth:
        os.kill(os.getpid(), signal.SIGKILL)
OutputFolder.write = write_and_die
from edgeclf.cli import main
main()
"""


@pytest.fixture(scope="module")
def whole(cli: Cli, model: Path, surfaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has interrupted."""
    out = tmp_path_factory.mktemp("whole") / "out"
    cli("bulk", model, surfaces, "--out", out, "--rows-per-part", 20)
    return out


@pytest.mark.parametrize(
    ("nth", "moment", "there"),
    [
        (0, "before", set()),
        (0, "after", {"plan.parquet"}),
        (2, "before", {"plan.parquet", "rows/part-000000.parquet"}),
        (6, "after", None),
    ],
)
def test_a_killed_run_goes_on(
    cli: Cli,
    whole: Path,
    model: Path,
    surfaces: Path,
    tmp_path: Path,
    nth: int,
    moment: str,
    there: set[str] | None,
) -> None:
    out = tmp_path / "out"
    options = [str(model), str(surfaces), "--out", str(out), "--rows-per-part", "20"]
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(nth), moment, "bulk", *options],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    if there is not None:
        assert {path.relative_to(out).as_posix() for path in out.rglob("*.*")} == there
    leftover = out / "rows" / ".abcd1234.parquet"
    if there:
        leftover.parent.mkdir(exist_ok=True)
        leftover.write_bytes(b"half a part")
    untouched = {path: path.stat().st_mtime_ns for path in out.glob("rows/part-*")}
    cli("bulk", *options, "--resume")
    assert lasting_table(out) == lasting_table(whole)
    assert read_manifest(out)["images"] == 96
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched
    assert not leftover.exists()


def test_ctrl_c_says_how_to_go_on(model: Path, surfaces: Path, tmp_path: Path) -> None:
    # A shell's background job ignores SIGINT, and so would the process.
    handle = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = handle + KILL.replace("SIGKILL", "SIGINT")
    options = ["--out", str(tmp_path / "out"), "--rows-per-part", "20"]
    done = subprocess.run(
        [sys.executable, "-c", code, "2", "after", "bulk", str(model), str(surfaces), *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 130
    [line] = done.stderr.splitlines()
    assert line.endswith("/out; the same command with --resume goes on")
    assert "Traceback" not in done.stderr


def test_a_part_of_another_run_is_refused(
    cli: Cli, whole: Path, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "rows").mkdir(parents=True)
    options = ("--out", out, "--rows-per-part", 20, "--resume")
    data = (whole / "plan.parquet").read_bytes()
    (out / "plan.parquet").write_bytes(data)
    part = out / "rows/part-000001.parquet"
    for content in (b"no part", (whole / "rows/part-000002.parquet").read_bytes()):
        part.write_bytes(content)
        result = cli("bulk", model, surfaces, *options, code=1)
        assert "part-000001.parquet: damaged, or of another run; delete it" in result.stderr
    part.unlink()
    cli("bulk", model, surfaces, *options)
    assert lasting_table(out) == lasting_table(whole)
