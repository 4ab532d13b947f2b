"""`edgeclf bulk` on every kind of input: one row an image, and a manifest."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from bulk_rows import lasting_table, read_manifest, read_rows
from click.testing import Result
from schemas import valid, valid_file

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.images import read_image

Cli = Callable[..., Result]
FreshPython = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def bulk_run(
    cli: Cli, model: Path, surfaces: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bulk run over the data folder, in parts of 40 rows."""
    out = tmp_path_factory.mktemp("bulk") / "out"
    cli("bulk", model, surfaces, "--out", out, "--rows-per-part", 40)
    return out


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_700_000_000
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_folder_gives_a_row_an_image(bulk_run: Path, model: Path, images: list[Path]) -> None:
    rows = read_rows(bulk_run)
    assert [row["path"] for row in rows] == [str(path) for path in images]
    classifier = Classifier(model)
    for path, row in zip(images, rows, strict=True):
        prediction = classifier.classify(read_image(path))
        assert (row["label"], row["score"]) == (prediction.label, prediction.score)
        assert [(one["label"], one["score"]) for one in row["top"]] == list(prediction.top)
        assert (row["novelty"], row["novelty_reason"]) == (
            prediction.novelty,
            prediction.novelty_reason,
        )
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["model"] == hashlib.sha256(model.read_bytes()).hexdigest()
        assert row["error"] is None
        assert row["ms"] > 0
        valid("fleet/bulk-row", row)


def test_the_manifest_sums_up_what_is_there(bulk_run: Path, images: list[Path]) -> None:
    manifest = valid_file("fleet/bulk-manifest", bulk_run / "manifest.json")
    rows = read_rows(bulk_run)
    assert manifest["images"] == len(rows) == len(images)
    assert manifest["labels"] == dict(sorted(Counter(row["label"] for row in rows).items()))
    assert [part["rows"] for part in manifest["parts"]] == [40, 40, 16]
    for part in (manifest["plan"], *manifest["parts"]):
        data = (bulk_run / part["path"]).read_bytes()
        assert part["sha256"] == hashlib.sha256(data).hexdigest()
    assert [node["images"] for node in manifest["nodes"]] == [96]


def test_tar_shards_and_parquet_give_the_same_as_the_files(
    cli: Cli, bulk_run: Path, model: Path, images: list[Path], tmp_path: Path
) -> None:
    contents = {path.name: path.read_bytes() for path in images}
    members = contents | {"notes.txt": b"no image", "._oil.png": b"no image"}
    shard = write_tar(tmp_path / "shard.tar", members)
    tables = {
        "bytes.parquet": {"id": range(96), "image": list(contents.values())},
        "nested.parquet": {"image": [{"bytes": data, "path": "x"} for data in contents.values()]},
        "paths.parquet": {"path": [str(path) for path in images], "note": ["x"] * 96},
    }
    expected = [
        (row["sha256"], row["label"], row["score"], row["top"]) for row in read_rows(bulk_run)
    ]
    for name, columns in tables.items():
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / name, row_group_size=25)
    for source in (shard, *(tmp_path / name for name in tables)):
        out = tmp_path / f"{source.name}-out"
        cli("bulk", model, source, "--out", out, "--rows-per-part", 37)
        rows = read_rows(out)
        assert [(row["sha256"], row["label"], row["score"], row["top"]) for row in rows] == expected
        assert [part["rows"] for part in read_manifest(out)["parts"]] == [37, 37, 22]
    rows = read_rows(tmp_path / "shard.tar-out")
    assert rows[0]["path"] == f"{shard}#{images[0].name}"
    assert rows[0]["modified"] == "2023-11-14T22:13:20.000Z"
    assert read_manifest(tmp_path / "shard.tar-out")["inputs"]["skipped"] == {
        ".txt": 1,
        "hidden": 1,
    }
    assert read_rows(tmp_path / "bytes.parquet-out")[30]["path"] == f"{tmp_path}/bytes.parquet#30"
    assert read_rows(tmp_path / "paths.parquet-out")[5]["path"] == str(images[5])


def test_several_inputs_name_each_file_once(
    cli: Cli, model: Path, surfaces: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    glob = f"{surfaces}/o*/*_000?.png"
    result = cli("bulk", model, glob, (surfaces / "oil").as_uri(), images[0], "--out", out)
    rows = [row["path"] for row in read_rows(out)]
    assert len(rows) == len(set(rows)) == 25
    assert read_manifest(out)["inputs"]["skipped"] == {"given twice": 9}
    assert "skipped 9 given twice" in result.stderr


def test_what_is_damaged_becomes_a_row(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    good = images[0].read_bytes()
    (folder / "cut.png").write_bytes(good[:-20])
    (folder / "empty.jpg").touch()
    (folder / "good.png").write_bytes(good)
    (folder / os.fsdecode(b"na\xffme.png")).write_bytes(good)
    whole = write_tar(tmp_path / "whole.tar", {"a.png": good, "b.png": good, "c.png": good})
    (folder / "shard.tar").write_bytes(whole.read_bytes()[: 1400 + len(good)])
    (folder / "table.parquet").write_bytes(b"PAR1 no table")
    pyarrow.parquet.write_table(
        pyarrow.table({"image": [good, None, good[:99]]}), folder / "cells.parquet"
    )
    (folder / "notes.txt").write_text("not an image")
    out = tmp_path / "out"
    result = cli("bulk", model, folder, "--out", out)
    rows = {row["path"].removeprefix(f"{folder}/"): row for row in read_rows(out)}
    good_rows = {"good.png", "na\\udcffme.png", "cells.parquet#0", "shard.tar#a.png"}
    assert {name for name, row in rows.items() if row["error"] is None} == good_rows
    errors = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert errors == {
        "cells.parquet#1": "no image: the cell is empty",
        "cells.parquet#2": "the image is cut short",
        "cut.png": "the image is cut short",
        "empty.jpg": "the file is empty",
        "shard.tar": "cannot be read to its end (unexpected end of data)",
        "shard.tar#b.png": "the tar shard is cut short",
        "table.parquet": errors["table.parquet"],
    }
    assert errors["table.parquet"].startswith("no Parquet file that can be read")
    for row in rows.values():
        valid("fleet/bulk-row", row)
        assert (row["label"] is None) == (row["error"] is not None)
    manifest = read_manifest(out)
    assert (manifest["images"], manifest["errors"]) == (11, 7)
    assert "7 of 11 images have an error instead of a label" in result.stderr


def test_input_that_changes_is_noticed(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeclf.fleet.bulk import run

    folder = tmp_path / "photographs"
    folder.mkdir()
    for path in images[:8]:
        shutil.copy(path, folder)
    names = sorted(path.name for path in folder.iterdir())
    make_plan = run.make_plan

    def plan_and_change(*arguments: object, **options: object) -> object:
        plan = make_plan(*arguments, **options)  # type: ignore[arg-type]
        (folder / names[0]).unlink()
        (folder / names[1]).write_bytes(images[20].read_bytes())
        shutil.copy(images[30], folder / "new.png")
        return plan

    monkeypatch.setattr(run, "make_plan", plan_and_change)
    out = tmp_path / "out"
    result = cli("bulk", model, folder, "--out", out)
    rows = read_rows(out)
    assert [Path(row["path"]).name for row in rows] == names
    assert [row["error"] for row in rows] == [
        "cannot be read (No such file or directory)",
        "changed since it was listed",
        *[None] * 6,
    ]
    assert read_manifest(out)["inputs"]["changed"] is True
    assert (
        "the inputs changed while this ran: 8 files were listed, 8 are there now" in result.stderr
    )


def test_an_output_that_holds_something_is_refused(
    cli: Cli, bulk_run: Path, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = cli("bulk", model, surfaces, "--out", tmp_path, code=1)
    assert "holds other files (notes.txt); give a new or an empty folder" in result.stderr
    result = cli("bulk", model, surfaces, "--out", bulk_run, code=1)
    assert "holds a bulk run; --resume goes on with it" in result.stderr
    options = ("--resume", "--rows-per-part", 40)
    result = cli("bulk", model, surfaces, "--out", bulk_run, *options, "--top", 2, code=1)
    assert "its run has another top: 3, not 2" in result.stderr
    result = cli("bulk", model, surfaces / "oil", "--out", bulk_run, *options, code=1)
    assert "its run has another inputs" in result.stderr
    before = lasting_table(bulk_run)
    cli("bulk", model, surfaces, "--out", bulk_run, *options)
    assert lasting_table(bulk_run) == before


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("/nowhere/*.jpg", "/nowhere/*.jpg: no such file, or nothing in it to classify"),
        ("nix://user:secret@host/x", "nix://"),
        ("sftp://user:secret@host/a/b.jpg", "sftp://host/a/b.jpg: a package is missing"),
    ],
)
def test_an_input_that_is_none_is_one_line(
    cli: Cli, model: Path, tmp_path: Path, source: str, says: str
) -> None:
    result = cli("bulk", model, source, "--out", tmp_path / "out", code=1)
    assert says in result.stderr
    assert "secret" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_column_must_be_plain(cli: Cli, model: Path, tmp_path: Path) -> None:
    table = pyarrow.table({"a": [b"x"], "b": [b"y"], "n": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    command = ("bulk", model, tmp_path / "t.parquet", "--out", tmp_path / "out")
    result = cli(*command, code=1)
    assert "2 columns may hold the images: a, b; choose one with --column" in result.stderr
    result = cli(*command, "--column", "n", code=1)
    assert "no column 'n' of bytes or texts; it has: a, b" in result.stderr
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), np.zeros((8, 8, 3), np.uint8))
    nothing = ("bulk", model, images, "--out", tmp_path / "none", "--column", "b")
    assert "--column b: the inputs hold no Parquet file" in cli(*nothing, code=1).stderr
    cli(*command, "--column", "b")
    assert [row["error"] for row in read_rows(tmp_path / "out")] == [
        "not an image that OpenCV can decode"
    ]


def test_without_pyarrow_it_names_the_extra(
    fresh_python: FreshPython, model: Path, surfaces: Path, tmp_path: Path
) -> None:
    code = "import sys\nsys.modules['pyarrow'] = None\nfrom edgeclf.cli import main\nmain()\n"
    done = fresh_python(code, "bulk", model, surfaces, "--out", tmp_path / "out")
    assert done.stderr == "Error: this needs pyarrow: pip install 'edgeclf[bulk]'\n"
    assert done.returncode == 1
    assert "--resume" in fresh_python(code, "bulk", "classify", "--help").stdout
