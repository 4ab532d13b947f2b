"""The notebook and the pictures in it: executed as Jupyter would, and on a folder with flaws."""

from pathlib import Path
from typing import Any

import cv2
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbclient import NotebookClient
from repository import REPOSITORY

from edgeclf.benchmarks.demo.surfaces import draw_surface, write_surfaces
from edgeclf.train.data_check.checking import DataCheck, check_data
from edgeclf.train.data_check.report import pictures

NOTEBOOK = REPOSITORY / "notebooks" / "exploration.ipynb"


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Surfaces, one of good also under oil, saved anew, and one that is large and bright."""
    data = tmp_path_factory.mktemp("flawed") / "data"
    write_surfaces(data, per_class=12, size=48, seed=1)
    again = cv2.imread(str(data / "good" / "good_0003.png"))
    cv2.imwrite(str(data / "oil" / "again.jpg"), again, [cv2.IMWRITE_JPEG_QUALITY, 90])
    rgb, _ = draw_surface("stain", size=96, rng=np.random.default_rng(0))
    cv2.imwrite(str(data / "stain" / "bright.png"), np.maximum(rgb, 200))
    return data


@pytest.fixture(scope="module")
def found(flawed: Path) -> DataCheck:
    masks = flawed.with_name("data-masks")
    return check_data(flawed, masks=masks, scenes=False)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_stored_without_outputs_and_keeps_its_logic_in_the_package() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None)
        assert len(cell.source.splitlines()) <= 8


def test_it_runs_in_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=300, startup_timeout=300, resources=where).execute()
    drawn = [cell for cell in code_cells(notebook) if "pictures.draw_" in cell.source]
    assert len(drawn) == 8
    for cell in drawn:
        assert "image/png" in cell.outputs[-1].data, cell.source
    answer = "".join(
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream"
    )
    assert (
        "fine: nothing to mend or to look at in 160 images; scenes were not searched for" in answer
    )


def test_a_folder_of_ones_own_is_one_variable(
    flawed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for cell in code_cells(nbformat.read(NOTEBOOK, as_version=4)):
        source = cell.source.replace("%matplotlib inline\n", "")
        exec(source.replace("DATA = None", f"DATA = {str(flawed)!r}"), names)
    assert names["found"].data == str(flawed)
    assert "50 images" in capsys.readouterr().out
    assert names["found"].masks.masks == 36


def texts(figure: Figure) -> list[str]:
    """Return what is written at the pictures of a figure: titles, then what is below and left."""
    axes = figure.get_axes()
    return [
        *(axis.get_title() for axis in axes),
        *(axis.get_xlabel() for axis in axes),
        *(axis.get_ylabel() for axis in axes),
    ]


def shown(figure: Figure) -> list[int]:
    """Return the places of the cells that hold a picture."""
    return [place for place, axis in enumerate(figure.get_axes()) if axis.get_images()]


def test_each_class_has_its_bar(found: DataCheck) -> None:
    (axis,) = pictures.draw_balance(found).get_axes()
    assert [bar.get_width() for bar in axis.patches] == [12, 13, 12, 13]


def test_sizes_are_those_of_the_photographs(found: DataCheck) -> None:
    (axis,) = pictures.draw_sizes(found).get_axes()
    points = np.concatenate([each.get_offsets() for each in axis.collections])
    assert np.unique(points, axis=0).tolist() == [[48, 48], [96, 96]]
    assert len(points) == 50


def test_light_is_measured_a_class_a_box(found: DataCheck) -> None:
    brightness, _ = pictures.draw_light(found).get_axes()
    boxes = [line.get_xdata() for line in brightness.lines]
    assert max(float(np.max(x)) for x in boxes if len(x)) > 195  # the bright one
    assert brightness.get_yticklabels()[0].get_text() == "good"


def test_colours_are_shares_of_all_pixels(found: DataCheck) -> None:
    axes = pictures.draw_colours(found).get_axes()
    curves = [line.get_ydata() for axis in axes for line in axis.lines]
    assert len(curves) == 12
    assert [float(np.sum(curve)) for curve in curves] == pytest.approx([1.0] * 12)


def test_samples_are_seeded_and_of_their_class(found: DataCheck) -> None:
    first, again, other = (
        pictures.draw_samples(found, per_class=3, seed=seed) for seed in (0, 0, 1)
    )

    def pixels(figure: Figure) -> list[Any]:
        return [figure.get_axes()[place].get_images()[0].get_array() for place in shown(figure)]

    assert shown(first) == list(range(12))
    assert all(np.array_equal(*pair) for pair in zip(pixels(first), pixels(again), strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(pixels(first), pixels(other), strict=True))


def test_the_same_under_two_classes_comes_first(found: DataCheck) -> None:
    figure = pictures.draw_duplicates(found, most=1)
    assert {"good/good_0003.png", "oil/again.jpg"} <= set(texts(figure))
    assert shown(figure) == [0, 1]


def test_what_is_unlike_the_others_is_shown_with_the_reason(found: DataCheck) -> None:
    written = texts(pictures.draw_outliers(found))
    assert "stain/bright.png" in written
    assert any(text.startswith("brightness") for text in written)


def test_masks_are_outlined_and_good_has_none(found: DataCheck, flawed: Path) -> None:
    figure = pictures.draw_masks(found, flawed.with_name("data-masks"), per_class=3)
    written = texts(figure)
    assert "good" not in written
    assert {"oil", "scratch", "stain"} <= set(written)
    outlined = [axis for axis in figure.get_axes() if axis.collections]
    assert len(outlined) == 9
    assert sum("covered" in text for text in written) == 3


def test_nothing_found_says_so(surfaces: Path) -> None:
    found = check_data(surfaces, scenes=False)
    for figure in (pictures.draw_duplicates(found), pictures.draw_outliers(found)):
        assert figure.get_axes()[0].texts[0].get_text().startswith("no photograph")


def test_of_many_classes_the_largest_are_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(14):
        folder = tmp_path / f"class{number:02d}"
        folder.mkdir()
        for image in range(1 if number in (3, 5) else 2):
            noise = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{image}.png"), noise)
    found = check_data(tmp_path, scenes=False)
    rows = [text for text in texts(pictures.draw_samples(found, per_class=1)) if text]
    assert rows == [f"class{number:02d}" for number in range(14) if number not in (3, 5)]
    (axis,) = pictures.draw_balance(found).get_axes()
    assert len(axis.patches) == 14
