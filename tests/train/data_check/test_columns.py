"""CSV files of groups and splits: each row is read, or named."""

from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.train.data_check.columns import read_column


def groups(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    return read_column(path, "group")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("group,path\ng1,a.png\ng2\n", 3),
        ("path,group\na.png,g1\nb.png\n", 3),
        ("path,group\na.png\nb.png,g1\n", 2),
        ("path,group\na.png,g1,more\n", 2),
    ],
)
def test_a_row_of_another_length_is_named(tmp_path: Path, text: str, row: int) -> None:
    with pytest.raises(EdgeclfError, match=f"groups.csv: row {row} has not the 2 columns"):
        groups(tmp_path, text)


@pytest.mark.parametrize("second", ["a/1.png,g2", "a\\1.png,g2", '"a/1.png","g2"', "a/1.png,"])
def test_a_path_with_two_groups_is_named(tmp_path: Path, second: str) -> None:
    with pytest.raises(EdgeclfError, match=r"row 3 gives a/1.png the group '(g2)?', and"):
        groups(tmp_path, f"path,group\na/1.png,g1\n{second}\n")


def test_the_same_row_twice_does_no_harm(tmp_path: Path) -> None:
    assert groups(tmp_path, "path,group\na.png,g1\na.png,g1\nb.png,\n") == {
        "a.png": "g1",
        "b.png": "",
    }


def test_what_a_spreadsheet_must_not_compute_comes_back(tmp_path: Path) -> None:
    assert groups(tmp_path, "path,group\n'=a/1.png,'+g1\n") == {"=a/1.png": "+g1"}


def test_names_in_latin_1_come_back(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_bytes(b"path,group\nM\xfcller.png,g1\n")
    assert read_column(tmp_path / "groups.csv", "group") == {"M\udcfcller.png": "g1"}
