"""A folder is read once, whatever links lead to it, and what is skipped is counted."""

import os
from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images.folders import find_images, find_matches, scan_folder


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def relative(paths: list[Path] | tuple[Path, ...], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_what_is_skipped_is_counted_by_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/2.JFIF", "a/x.heic", "b/y.HEIC", "README", ".DS_Store", "a/n.txt")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    os.mkfifo(tmp_path / "pipe.png")
    scan = scan_folder(tmp_path)
    assert relative(scan.files, tmp_path) == ["a/1.png", "a/2.JFIF"]
    assert scan.skipped == {
        ".heic": 2, ".txt": 1, "without a suffix": 1, "hidden": 1, "broken link": 2,
        "no regular file": 1,
    }  # fmt: skip
    (line,) = scan.warnings(tmp_path)
    assert line == (
        f"{tmp_path}: skipped 2 .heic, 2 broken link, 1 .txt, 1 hidden, 1 no regular file, "
        "1 without a suffix"
    )


def test_a_link_to_a_folder_is_followed_once(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    touch(inside, "a/1.png", "z/2.png")
    touch(outside, "3.png", "deep/4.png")
    (inside / "a" / "batch").symlink_to(outside)
    (inside / "a" / "again").symlink_to(inside / "z")
    (inside / "z" / "loop").symlink_to(inside)
    (outside / "back").symlink_to(outside)
    scan = scan_folder(inside)
    assert relative(scan.files, inside) == [
        "a/1.png", "a/batch/3.png", "a/batch/deep/4.png", "z/2.png",
    ]  # fmt: skip
    assert sorted(relative(scan.loops, inside)) == ["a/again", "a/batch/back", "z/loop"]
    assert all("read already" in line for line in scan.warnings(inside))


def test_a_folder_deeper_than_the_stack_is_read(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(600):  # a path of 1200 characters, and more calls than two a level allow
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "x.png").touch()
    assert find_images(tmp_path) == [folder / "x.png"]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.png", "closed/2.png")
    list_folder = os.scandir

    def scandir(path: Path) -> object:  # root may read everything
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    scan = scan_folder(tmp_path)
    assert relative(scan.files, tmp_path) == ["a/1.png"]
    assert scan.warnings(tmp_path) == [
        f"{tmp_path / 'closed'}: cannot be read (Permission denied); change its permissions"
    ]
    with pytest.raises(EdgeclfError, match="closed: cannot be read"):
        scan_folder(tmp_path / "closed")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.png", ["a/1.png", "a/b/2.png", "top.png"]),
        ("a/**/*.png", ["a/1.png", "a/b/2.png"]),
        ("a/**", ["a/1.png", "a/b/2.png", "a/b/3.txt"]),
        ("*/*.png", ["a/1.png"]),
        ("**/b/?.t?t", ["a/b/3.txt"]),
        ("**/[12].png", ["a/1.png", "a/b/2.png"]),
        ("**/[!1t]*.png", ["a/b/2.png"]),
        ("**/c/*.png", []),
    ],
)
def test_patterns_with_a_link_loop(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    touch(tmp_path, "top.png", "a/1.png", "a/b/2.png", "a/b/3.txt", ".hidden/4.png", "a/.5.png")
    for number in range(12):  # the standard library goes through 12 to the power of 40 paths
        (tmp_path / "a" / "b" / f"loop{number}").symlink_to(tmp_path)
    assert relative(find_matches(str(tmp_path / pattern)), tmp_path) == expected


def test_patterns_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/1.png", "2.png")
    monkeypatch.chdir(tmp_path)
    assert find_matches("**/*.png") == [Path("2.png"), Path("a/1.png")]
    assert find_matches("*.png") == [Path("2.png")]
