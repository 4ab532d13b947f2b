"""Files are written whole, and are there after a power cut."""

import os
import stat
from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import (
    check_file,
    read_json,
    replacing,
    write_bytes,
    write_json,
    write_text,
)


def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record in which order names and contents go to the disk."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        steps.append(f"sync {'folder' if stat.S_ISDIR(os.fstat(handle).st_mode) else 'file'}")
        sync(handle)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    return steps


def test_a_file_is_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = traced(monkeypatch)
    for write in (
        lambda path: write_bytes(path, b"x"),
        lambda path: write_text(path, "x"),
        lambda path: write_json(path, {}),
    ):
        steps.clear()
        write(tmp_path / "x")
        assert steps == ["sync file", "rename", "sync folder"]
    steps.clear()
    with replacing(tmp_path / "picture") as temporary:
        temporary.write_bytes(b"x")
    assert steps == ["rename"]


def test_text_of_any_name_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "M\udcfcller")
    assert (tmp_path / "x").read_text() == r"M\udcfcller"
    write_json(tmp_path / "y", {"name": "M\udcfcller"})
    assert (tmp_path / "y").read_text() == '{\n  "name": "M\\udcfcller"\n}\n'


def test_a_link_stays_one_and_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EdgeclfError, match=r"cannot be written \(Is a directory\)"):
        write_bytes(tmp_path, b"x")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(EdgeclfError, match=f"^{path}: not a file that can be written anew"):
            write_bytes(path, b"x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ("9" * 5000, "a whole number with thousands of digits"),
        ("[1, NaN]", "NaN is no number of JSON"),
        ("[-1e999]", "-1e999 is no number of JSON, or too large"),
        ("{", "Expecting property name"),
    ],
)
def test_json_is_read_strictly(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(EdgeclfError, match=rf"x\.json: not valid JSON \({reason}") as error:
        read_json(path)
    assert len(str(error.value)) < 300
    path.write_text('{"a": [1, 2.5, "b", null]}')
    assert read_json(path) == {"a": [1, 2.5, "b", None]}
    with pytest.raises(EdgeclfError, match="cannot be read"):
        read_json(tmp_path)


def test_what_could_not_be_written_later_is_known_now(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")
    for name in ("new.json", "file", "deep/new.json", "link"):
        check_file(tmp_path / name)
    (tmp_path / "folder").mkdir()
    for name, reason in (
        ("folder", "is a folder; give the name of a file"),
        ("link", "is a folder; give the name of a file"),
        ("pipe", "not a file that can be written anew"),
        ("file/new.json", "file is a file"),
    ):
        with pytest.raises(EdgeclfError, match=reason):
            check_file(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "link", "pipe"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("benchmark", "gone.tflite", "--json"),
        ("benchmark", "gone.tflite", "--markdown"),
        ("benchmark", "report", "gone.json", "--markdown"),
        ("benchmark", "heatmaps", "gone.tflite", "--masks", ".", "--json"),
        ("data", "check", "gone", "--json"),
        ("data", "check", "gone", "--propose-groups"),
    ],
    ids=" ".join,
)
def test_an_output_is_checked_before_the_work(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    result = cli(*arguments, "pipe", code=1)
    assert result.stderr == "Error: pipe: not a file that can be written anew; give another name\n"
