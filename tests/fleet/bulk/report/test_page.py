"""The page of a bulk run: true counts, thumbnails from every kind of input, and nothing fetched."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from benchmark_page import parsed, text_of
from bulk_rows import read_manifest, read_rows
from click.testing import Result

from edgeclf.edge_runtime.classifier import Classifier

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def photographs(images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images as files of two months, in a tar shard and in a Parquet file, one of them damaged."""
    folder = tmp_path_factory.mktemp("photographs")
    for i, path in enumerate(images[:20]):
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (1_700_000_000 + i % 2 * 2_600_000,) * 2)
    (folder / "cut<b>.png").write_bytes(images[0].read_bytes()[:-20])
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for path in images[20:40]:
            member = tarfile.TarInfo(f"inside/{path.name}")
            member.size = path.stat().st_size
            archive.addfile(member, io.BytesIO(path.read_bytes()))
    cells = [{"bytes": path.read_bytes()} for path in images[40:70]]
    pyarrow.parquet.write_table(
        pyarrow.table({"image": cells}), folder / "cells.parquet", row_group_size=7
    )
    return folder


def report(cli: Cli, out: Path) -> ElementTree.Element:
    result = cli("bulk", "report", out)
    assert result.output == f"{out}/report.html\n"
    return parsed((out / "report.html").read_text(encoding="utf-8"))


def section(page: ElementTree.Element, title: str) -> ElementTree.Element:
    found = [each for each in page.iter("section") if text_of(next(each.iter("h2"))) == title]
    assert len(found) == 1
    return found[0]


def cells_of(table: ElementTree.Element) -> list[list[str]]:
    rows = [[text_of(cell) for cell in row if cell.tag in {"th", "td"}] for row in table.iter("tr")]
    return rows[1:]


def test_the_page_shows_what_the_rows_say(
    cli: Cli, model: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli("bulk", model, photographs, "--out", out, "--rows-per-part", 30)
    page = report(cli, out)
    rows = [row for row in read_rows(out) if row["error"] is None]
    assert len(rows) == 70
    labels = {label: count for label, count, _ in cells_of(section(page, "Labels"))}
    counts = read_manifest(out)["labels"]
    assert labels == {label: str(count) for label, count in counts.items()}
    months = {month: total for month, total, *_ in cells_of(section(page, "By month"))}
    assert months == {"2023-11": "10", "2023-12": "10"}
    assert ["1", "the image is cut short"] in cells_of(section(page, "Errors and the run"))
    for title, key, sign in (("Lowest scores", "score", 1), ("Highest novelty", "novelty", -1)):
        part = section(page, title)
        first = sorted(rows, key=lambda row: (sign * row[key], row["path"]))[:12]
        shown = [text_of(each) for each in part.iter("p") if each.get("class") == "path"]
        names = [row["path"].rpartition("/")[2] for row in first]
        assert [name for name in shown if name in names] == names
        pictures = [each.get("src", "") for each in part.iter("img")]
        assert len(pictures) == 12
        assert all(each.startswith("data:image/jpeg;base64,") for each in pictures)


def test_drift_is_that_of_the_rows_of_each_month(
    cli: Cli, model: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli("bulk", model, photographs, "--out", out, "--novelty-threshold", 0.6)
    page = report(cli, out)
    expected, *months = cells_of(section(page, "Drift"))
    accuracy = (Classifier(model).spec.provenance or {})["test"]["accuracy"]
    assert expected == ["like the training", "—", f"{accuracy:.3f}", "0.50", "40.0%"]
    rows = [row for row in read_rows(out) if row["error"] is None and row["modified"]]
    assert [month for month, *_ in months] == ["2023-11", "2023-12"]
    for month, images, score, novelty, unlike in months:
        own = [row for row in rows if row["modified"].startswith(month)]
        assert images == str(len(own))
        assert float(score) == pytest.approx(np.mean([row["score"] for row in own]), abs=6e-4)
        # Of a histogram: to within a bin.
        assert abs(float(novelty) - np.median([row["novelty"] for row in own])) < 0.06
        assert unlike == f"{np.mean([bool(row['novelty_reason']) for row in own]):.1%}"


def test_an_image_that_is_gone_or_another_is_not_shown(
    cli: Cli, model: Path, images: list[Path], tmp_path: Path
) -> None:
    folder, out = tmp_path / "photographs", tmp_path / "out"
    folder.mkdir()
    for path in images[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    cli("bulk", model, folder, "--out", out)
    (folder / images[0].name).unlink()
    (folder / images[1].name).write_bytes(images[9].read_bytes())
    part = section(report(cli, out), "Lowest scores")
    assert len(list(part.iter("img"))) == 1
    assert text_of(part).count("cannot be read any more") == 2


def test_the_page_needs_nothing_else(
    cli: Cli, model: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli("bulk", model, photographs, "--out", out)
    page = report(cli, out)
    assert not [e for e in page.iter() if e.tag in {"script", "link", "iframe", "object"}]
    css = text_of(next(page.iter("style")))
    assert "http" not in css
    used = {name for e in page.iter() for name in (e.get("class") or "").split()}
    assert {name for name in used if f".{name}" not in css} == set()


def test_an_unfinished_run_has_no_report(cli: Cli, tmp_path: Path) -> None:
    result = cli("bulk", "report", tmp_path, code=1)
    assert "holds no manifest.json; give the folder of a finished `edgeclf bulk`" in result.stderr
    assert not (tmp_path / "report.html").exists()
