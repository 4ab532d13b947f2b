"""Heatmaps against drawn defects: the pointing game, overlap, and masks that follow the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from schemas import valid_file

from edgeclf.benchmarks.demo.surfaces import write_surfaces
from edgeclf.benchmarks.heatmaps.scores import Maps, score_model
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.preprocess import RESIZE_RULES, preprocess
from edgeclf.models.masks import MaskedImage, fit_mask, load_masked_images
from edgeclf.models.photographs import Photographs, folder_photographs
from edgeclf.models.pointing import CUTS, choose_cut, hottest_places, on_defect, overlaps
from edgeclf.models.run import read_run


def masked(mask: np.ndarray, label: str = "oil") -> MaskedImage:
    return MaskedImage(label, np.zeros((*mask.shape, 3), np.uint8), mask, Path("a.png"))


def square(size: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask


def rgb(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask[..., np.newaxis], 3, axis=2).astype(np.uint8) * 255


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("shape", [(60, 90), (200, 130), (32, 32), (20, 50)])
def test_a_mask_goes_where_the_picture_goes(rule, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    blob = cv2.GaussianBlur(rng.random(shape), (0, 0), 6)
    mask = blob > np.quantile(blob, 0.6)
    picture = np.where(rgb(mask) > 0, np.uint8(240), np.uint8(16))
    seen = preprocess(picture, size_hw=(32, 32), rule=rule)[..., 0]
    fitted = fit_mask(rgb(mask), size_hw=(32, 32), rule=rule)
    assert fitted.dtype == np.bool_
    assert fitted.any()
    clear = np.abs(seen.astype(int) - 128) > 4  # not half defect, half picture
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(fitted[clear], seen[clear] > 128)


def test_a_fine_defect_is_not_lost() -> None:
    line = square(320, slice(None), slice(100, 101))
    fitted = fit_mask(rgb(line), size_hw=(32, 32), rule="stretch")
    assert fitted[:, 9:12].any(1).all()
    assert not np.delete(fitted, (9, 10, 11), axis=1).any()
    nothing = fit_mask(rgb(np.zeros((64, 64), bool)), size_hw=(32, 32), rule="crop")
    assert not nothing.any()


def test_a_point_on_the_limit_is_near() -> None:
    """OpenCV 4.9's distances differ by a last bit from call to call, (9, 12) being 15 or more."""
    point = masked(square(64, slice(20, 21), slice(20, 21)))
    across = np.arange(64) - 20
    within = np.hypot(across[:, np.newaxis], across) <= 15
    for row, column in np.ndindex(64, 64):
        heatmap = np.zeros((1, 64, 64), np.float32)
        heatmap[0, row, column] = 1
        [near] = on_defect(heatmap, [point], tolerance=15)
        assert near == within[row, column], (row, column)


def test_half_brightness_parts_defect_and_noise() -> None:
    grey = np.full((32, 32, 3), 127, np.uint8)
    assert not fit_mask(grey, size_hw=(32, 32), rule="stretch").any()
    grey[:16] = 128
    assert fit_mask(grey, size_hw=(32, 32), rule="stretch")[:16].all()


def test_the_hottest_place_points_with_its_middle() -> None:
    maps = np.zeros((3, 4, 4), np.float32) - 9
    maps[0, 1, 2] = maps[1, 3, 0] = maps[2, 3, 0] = -1  # also where nothing speaks for the class
    np.testing.assert_array_equal(hottest_places(maps), [[1, 2], [3, 0], [3, 0]])
    # Places of 8 pixels: their middles are the pixels (12, 20) and (28, 4).
    images = [
        masked(square(32, slice(12, 13), slice(20, 21))),
        masked(square(32, slice(12, 13), slice(20, 21))),
        masked(square(32, slice(28, 29), slice(8, 9))),
    ]
    assert on_defect(maps, images).tolist() == [True, False, False]
    assert on_defect(maps, images, tolerance=3.9).tolist() == [True, False, False]
    assert on_defect(maps, images, tolerance=4.0).tolist() == [True, False, True]


def test_overlap_is_that_of_the_marked_part() -> None:
    half = square(32, slice(None), slice(0, 16))
    heatmap = np.zeros((1, 32, 32), np.float32)
    heatmap[0, :, :8], heatmap[0, :, 8:16], heatmap[0, :, 16:24] = 4.0, 2.0, 1.0
    for cut, expected in ((0.25, 16 / 24), (0.3, 1.0), (0.51, 0.5), (1.0, 0.5)):
        assert overlaps(heatmap, [masked(half)], cut=cut).tolist() == [expected]
    assert choose_cut(heatmap, [masked(half)]) in [cut for cut in CUTS if 0.25 < cut <= 0.5]
    against = -heatmap - 1
    assert overlaps(against, [masked(half)], cut=0.0).tolist() == [0.0]


def test_the_figures_of_a_model_and_its_chances() -> None:
    quarter = square(32, slice(0, 16), slice(0, 16))
    centre = square(32, slice(8, 24), slice(8, 24))
    images = [masked(quarter), masked(quarter), masked(centre, "stain"), masked(centre, "stain")]
    maps = np.zeros((4, 4, 4), np.float32)
    maps[0, 0, 0] = maps[1, 3, 3] = maps[2, 1, 1] = maps[3, 2, 2] = 1
    first = maps.copy()
    first[1] = first[0]
    result = score_model(
        Maps(maps, 10.0, 0.1), images, reference=Maps(first, 20.0, 0.1),
        name="int8", recipe="int8", cut=0.5, tolerance=2.0,
    )  # fmt: skip
    every, oil, stain = result.scores
    assert [score.label for score in result.scores] == [None, "oil", "stain"]
    assert [score.on_defect.value for score in result.scores] == [0.75, 0.5, 1.0]
    assert every.on_defect.value in every.on_defect.interval
    assert every.chance == 0.25
    assert (oil.centre, stain.centre, every.centre) == (0.0, 1.0, 0.5)
    assert 0.25 < every.near_chance < 0.5
    assert every.overlap.value in every.overlap.interval
    assert result.same_place == 0.75
    assert result.difference.value == -0.25
    assert result.difference.value in result.difference.interval
    assert result.map_hw == (4, 4)


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, Path]:
    """Photographs of each class, and the masks of those with a defect."""
    write_surfaces(tmp_path / "data", per_class=3, size=48, seed=0)
    return tmp_path / "data", tmp_path / "data-masks"


def load(data: Path, masks: Path):
    found = folder_photographs(data)
    labels = tuple(path.parent.name for path in found.paths)
    return load_masked_images(
        Photographs(found.paths, labels), folder=data, masks=masks, size_hw=(32, 32), rule="crop"
    )


def test_what_has_no_mask_is_counted(drawn: tuple[Path, Path]) -> None:
    data, masks = drawn
    cv2.imwrite(str(masks / "oil/oil_0001.png"), np.zeros((48, 48), np.uint8))
    (masks / "stain/stain_0003.png").unlink()
    loaded = load(data, masks)
    assert (len(loaded.images), loaded.without, loaded.empty) == (7, 4, 1)
    assert [image.label for image in loaded.images] == ["oil"] * 2 + ["scratch"] * 3 + ["stain"] * 2
    first = read_image(data / "oil/oil_0002.png")
    expected = preprocess(first, size_hw=(32, 32), rule="crop")
    np.testing.assert_array_equal(loaded.images[0].pixels, expected)


def test_masks_that_do_not_fit_are_one_line(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    data, masks = drawn
    with pytest.raises(EdgeclfError, match="no such folder; give one with a mask"):
        load(data, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EdgeclfError, match=r"holds no mask for any of 12 photographs, the first "):
        load(data, tmp_path / "empty")
    cv2.imwrite(str(masks / "oil/oil_0001.png"), np.zeros((48, 47), np.uint8))
    with pytest.raises(EdgeclfError, match=r"47×48 pixels for a photograph of 48×48"):
        load(data, masks)


def test_the_command_scores_a_folder(cli, tiny_heatmaps: Path, drawn, tmp_path: Path) -> None:
    data, masks = drawn
    models = [tiny_heatmaps / f"{name}.tflite" for name in ("float32", "int8")]
    command = ("benchmark", "heatmaps", *models, "--masks", masks, "--data", data)
    shown = cli(*command, "--json", tmp_path / "maps.json").output
    assert "9 images; 3 without a mask and 0 with an empty one were left out" in shown
    assert "float32: maps of 4×4, cut at 0.2 of the maximum (set); " in shown
    assert "int8 against float32: the same hottest place in " in shown
    report = valid_file("models/benchmark-heatmaps", tmp_path / "maps.json")
    assert [model["name"] for model in report["models"]] == ["float32", "int8"]
    first, second = report["models"]
    assert [score["label"] for score in first["scores"]] == [None, "oil", "scratch", "stain"]
    assert [score["images"] for score in first["scores"]] == [9, 3, 3, 3]
    assert first["same_place"] == 1
    for model in (first, second):
        assert model["map_ms"] > 0
        every = model["scores"][0]
        assert 0 < every["chance"] < every["near_chance"] <= 1
        assert every["on_defect"]["value"] <= every["near"]["value"]


def test_a_run_gives_its_test_images_and_chooses_the_cut_on_others(
    cli, tiny_heatmaps: Path, tiny_run: Path, surfaces: Path
) -> None:
    run = read_run(tiny_run)
    tested, chosen_on = (
        sum(image.label != "good" for image in run.split(split)) for split in ("test", "val")
    )
    masks = surfaces.with_name(f"{surfaces.name}-masks")
    command = ("benchmark", "heatmaps", tiny_heatmaps / "int8.tflite", "--masks", masks)
    shown = cli(*command, "--run", tiny_run).output
    assert f"{tested} images; " in shown
    assert f" of the maximum (chosen on {chosen_on} other images); " in shown
    shown = cli(*command, "--run", tiny_run, "--cut", 0.35).output
    assert "cut at 0.35 of the maximum (set); " in shown


def test_what_cannot_be_scored_is_one_line(
    cli, tiny_heatmaps, tiny_models, tiny_run, drawn
) -> None:
    data, masks = drawn
    path = tiny_heatmaps / "int8.tflite"
    for models, options, expected in (
        ([tiny_models / "int8.tflite"], ("--data", data), "convert the model with --heatmap"),
        ([tiny_run], ("--data", data), "a folder; give .tflite files"),
        ([path], (), "no images to score on; add --run RUN, or --data FOLDER"),
        ([path], ("--data", masks.parent), "is none of the model's 4"),
    ):
        command = ("benchmark", "heatmaps", *models, "--masks", masks, *options)
        [line] = cli(*command, code=1).output.splitlines()
        assert line.startswith("Error: ")
        assert expected in line
