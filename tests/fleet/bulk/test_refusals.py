"""What a bulk run does with outputs and inputs that cannot serve, and beside another run."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from bulk_rows import read_manifest, read_rows
from click.testing import Result

Cli = Callable[..., Result]


def copies(images: list[Path], folder: Path) -> Path:
    folder.mkdir()
    for path in images:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_second_run_on_the_same_output_is_refused(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    other = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        result = cli("bulk", model, images[0], "--out", out, "--resume", code=1)
    finally:
        os.close(other)
    assert result.stderr == (
        f"Error: {out}: another `edgeclf bulk` writes there; wait for its end, or choose another "
        "folder\n"
    )
    assert not list(out.iterdir())
    cli("bulk", model, images[0], "--out", out)
    assert len(read_rows(out)) == 1


def test_an_output_in_its_own_input_is_refused(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    folder = copies(images[:2], tmp_path / "in")
    for out in (folder, folder / "rows"):
        result = cli("bulk", model, folder, "--out", out, code=1)
        assert f"{out}: lies in the input {folder}" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == [one.name for one in images[:2]]


def test_parquet_files_of_a_folder_that_hold_no_images_are_counted(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    folder = copies(images[:2], tmp_path / "in")
    earlier = tmp_path / "earlier"
    cli("bulk", model, folder, "--out", earlier)
    earlier.rename(folder / "earlier")
    pyarrow.parquet.write_table(pyarrow.table({"n": [1]}), folder / "numbers.parquet")
    result = cli("bulk", model, folder, "--out", tmp_path / "out")
    skipped = read_manifest(tmp_path / "out")["inputs"]["skipped"]
    assert skipped["rows of a bulk run"] == 1
    assert skipped["Parquet file without one column of images"] == 2  # with that run's plan
    assert "1 rows of a bulk run" in result.stderr
    assert len(read_rows(tmp_path / "out")) == 2
    named = cli("bulk", model, folder / "numbers.parquet", "--out", tmp_path / "named", code=1)
    assert "no column of images' bytes or paths" in named.stderr


def test_a_path_of_a_pipe_is_a_row_with_an_error(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    table = pyarrow.table({"path": [str(images[0]), "pipe.png", "/dev/zero"]})
    pyarrow.parquet.write_table(table, tmp_path / "paths.parquet")
    cli("bulk", model, tmp_path / "paths.parquet", "--out", tmp_path / "out")
    errors = [row["error"] for row in read_rows(tmp_path / "out")]
    assert errors == [None, "no regular file", "no regular file"]


@pytest.mark.parametrize("command", ["classify", "report"])
def test_an_output_that_cannot_be_reached_is_one_line(
    cli: Cli, model: Path, images: list[Path], command: str
) -> None:
    url = "s3://me:secret-word@bucket/rows?endpoint_override=localhost:1&scheme=http"
    arguments = ("report", url) if command == "report" else (model, images[0], "--out", url)
    result = cli("bulk", *arguments, code=1)
    [line] = [line for line in result.stderr.splitlines() if line]
    assert line.startswith("Error: s3://bucket/rows: cannot be reached (")
    assert "secret-word" not in result.output


def test_a_run_of_damaged_images_alone_has_a_report(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.png").write_bytes(images[0].read_bytes()[:-20])
    cli("bulk", model, tmp_path / "cut.png", images[0], "--out", tmp_path / "out",
        "--rows-per-part", 1)  # fmt: skip
    cli("bulk", "report", tmp_path / "out")
    assert (tmp_path / "out" / "report.html").exists()


def test_a_novelty_threshold_of_0_makes_all_unknown(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    cli("bulk", model, *images[:3], "--out", tmp_path / "out", "--novelty-threshold", 0)
    assert [row["label"] for row in read_rows(tmp_path / "out")] == ["unknown"] * 3
