"""The public API: what `import edgeclf` loads, and that its page and the examples are true."""

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import edgeclf

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)

FreshPython = Callable[..., subprocess.CompletedProcess[str]]


def test_importing_the_package_loads_nothing_else(fresh_python: FreshPython) -> None:
    code = (
        "import sys\n"
        "import edgeclf\n"
        "heavy = ('numpy', 'cv2', 'click', 'tensorflow', 'keras', 'ai_edge_litert')\n"
        "print([name for name in sys.modules if name.split('.')[0] in heavy])\n"
        "print([name for name in sys.modules if name.startswith('edgeclf.')])\n"
        "print(sorted(edgeclf.__all__) == [n for n in dir(edgeclf) if n in edgeclf.__all__])\n"
    )
    done = fresh_python(code)
    assert done.stderr == ""
    assert done.stdout == "[]\n[]\nTrue\n"


def test_the_names_load_no_tensorflow(fresh_python: FreshPython) -> None:
    code = (
        "import sys\n"
        "from edgeclf import *\n"
        "import edgeclf\n"
        "print([n for n in edgeclf.__all__ if n not in globals()])\n"
        "print([n for n in ('tensorflow', 'keras', 'matplotlib') if n in sys.modules])\n"
    )
    done = fresh_python(code)
    assert done.stderr == ""
    assert done.stdout == "[]\n[]\n"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'edgeclf' has no attribute 'classify'"):
        edgeclf.classify  # noqa: B018


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    """Two lists that must not part: what is imported for them, and what is loaded when used."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.level == 1
    }
    assert imported == edgeclf._MODULES
    assert sorted(imported) == sorted(edgeclf.__all__)
    assert all(getattr(edgeclf, name).__doc__ for name in edgeclf.__all__)


def test_every_name_is_documented() -> None:
    listed = re.findall(r"^### `(\w+)", PAGE, flags=re.MULTILINE)
    assert sorted(listed) == sorted(edgeclf.__all__)


def test_no_tensorflow_is_one_line(fresh_python: FreshPython, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from edgeclf import EdgeclfError, train_classifier\n"
        "try: train_classifier(sys.argv[1], out=sys.argv[2], arch='densenet-tiny')\n"
        "except EdgeclfError as error: print(error)\n"
    )
    done = fresh_python(code, tmp_path, tmp_path / "run")
    assert re.fullmatch(r"this needs \w+: pip install 'edgeclf\[train\]'\n", done.stdout)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"epochs": -1}, "Invalid value for '--epochs': -1 is not in the range"),
        ({"colour": 1}, "No such option:? '?--colour"),
        ({"folds": 5}, "cross-validation is a command"),
        ({"epochs": 0, "head_epochs": 0}, "nothing to train"),
        ({"arch": "densenet-9"}, "densenet-9"),
    ],
)
def test_options_are_checked_as_on_the_command_line(
    tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(edgeclf.EdgeclfError, match=reason):
        edgeclf.train_classifier(tmp_path, out=tmp_path / "run", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def workplace(tiny_models: Path, surfaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page and the examples name."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "models").symlink_to(tiny_models)
    (folder / "photographs").symlink_to(surfaces)
    (folder / "photo.jpg").write_bytes((surfaces / "oil/oil_0001.png").read_bytes())
    return folder


def test_the_page_runs_from_top_to_bottom(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block goes on where the one before ended, as on the page."""
    monkeypatch.chdir(workplace)
    names: dict[str, object] = {}
    assert len(BLOCKS) >= 4
    for block in BLOCKS:
        exec(compile(block, "docs/reference/api.md", "exec"), names)
    assert set(edgeclf.__all__) <= names.keys()
    assert (workplace / "run" / "model.keras").exists()
    assert "int8" in capsys.readouterr().out
