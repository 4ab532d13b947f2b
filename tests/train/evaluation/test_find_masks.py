"""Where masks are looked for, whatever the data folder is called."""

from pathlib import Path

import pytest

from edgeclf.models.photographs import Photographs
from edgeclf.train.evaluation.saliency import find_masks


@pytest.mark.parametrize("name", [".", "../data", "inner/..", "data/inner/../../data"])
def test_a_folder_without_a_name_has_masks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "data").symlink_to(data)
    monkeypatch.chdir(data)
    asked = Photographs((Path(name) / "a" / "1.png",), ("a",))
    arguments = {"data": Path(name), "masks": None, "size_hw": (8, 8), "rule": "stretch"}
    assert find_masks(asked, **arguments) is None
    assert capsys.readouterr().err == ""
    (tmp_path / "data-masks").mkdir()
    assert find_masks(asked, **arguments) is None
    assert "no pointing game" in capsys.readouterr().err
