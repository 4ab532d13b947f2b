"""The documentation site is whole, asks no other host for anything, and has every command."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FreshPython = Callable[..., subprocess.CompletedProcess[str]]

# What a browser fetches by itself: in HTML and in style sheets.
_FETCHED = re.compile(
    r"""<(?:link|script|img|source|iframe|video)\b[^>]*?\b(?:href|src|srcset)=["']([^"']+)"""
    r"""|url\(["']?([^"')]+)|@import\s+["']([^"']+)"""
)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--nitpicky"]
    command += ["--conf-dir", str(source / "docs/site"), "--doctree-dir", str(out / "doctrees")]
    return subprocess.run(
        [*command, str(source), str(out / "site")], capture_output=True, text=True, check=False
    )


def test_no_page_of_the_site_fetches_from_another_host(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.glob("site/**/*.html"))
    assert len(pages) > 20
    texts = [path.read_text(encoding="utf-8") for path in (*pages, *tmp_path.glob("site/**/*.css"))]
    fetched = {"".join(parts) for text in texts for parts in _FETCHED.findall(text)}
    assert any(name.endswith("furo.css") or "furo.css?" in name for name in fetched)
    assert {name for name in fetched if "//" in name and not name.startswith("data:")} == set()
    reference = (tmp_path / "site/docs/reference/commands.html").read_text(encoding="utf-8")
    assert "--mqtt" in reference  # an option of live runs, which `run` leaves out elsewhere


def test_a_broken_link_fails_the_site(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "site").mkdir(parents=True)
    (docs / "site/conf.py").write_text(
        'extensions = ["myst_parser"]\nroot_doc = "docs/index"\nmyst_heading_anchors = 4\n'
    )
    (docs / "index.md").write_text("# Index\n\n[a page](missing.md), [a part](#missing)\n")
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "missing.md" in done.stderr


def test_the_reference_has_every_command_without_tensorflow(fresh_python: FreshPython) -> None:
    script = f"""
import sys
for name in ("tensorflow", "keras", "tf_keras", "h5py", "matplotlib"):
    sys.modules[name] = None
sys.path.insert(0, {str(ROOT / "docs/site")!r})
from command_reference import reference
print(reference())
"""
    done = fresh_python(script)
    assert done.stderr == ""
    sections = re.findall(r"^## edgeclf (.+)$", done.stdout, flags=re.MULTILINE)
    assert {"benchmark", "benchmark compare", "convert", "data check", "run", "train"} <= set(
        sections
    )
    assert len(sections) == len(set(sections))
    for command in ("train", "convert"):
        assert re.search(
            rf"^## edgeclf {command}$.*?^`--out", done.stdout, re.MULTILINE | re.DOTALL
        )
