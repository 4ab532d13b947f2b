"""One name for a technique: in its module, on the command line and in the documentation."""

import importlib
from pathlib import Path

import pytest

from edgeclf.benchmarks.peers.figures import TITLES
from edgeclf.convert.techniques.catalogue import NAMES, markdown_table, parse_names
from edgeclf.convert.techniques.registry import TECHNIQUES
from edgeclf.edge_runtime.errors import EdgeclfError

PAGE = Path(__file__).resolve().parents[3] / "docs/convert/quantization.md"


def test_the_documentation_has_the_table_that_the_catalogue_makes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    begin = page.index("| technique |")
    assert page[begin : page.index("\n\n", begin)] == markdown_table()


@pytest.mark.parametrize("name", NAMES)
def test_a_module_holds_the_function_of_its_name(name: str) -> None:
    module = importlib.import_module(f"edgeclf.convert.techniques.{name}")
    assert getattr(module, name).__module__ == module.__name__
    assert TECHNIQUES[name].name == name


def test_every_technique_in_the_folder_is_in_the_catalogue() -> None:
    folder = Path(importlib.import_module("edgeclf.convert.techniques").__path__[0])
    modules = {path.stem for path in folder.glob("*.py")}
    assert modules - {"__init__", "catalogue", "registry", "technique"} == set(NAMES)


def test_the_help_and_the_titles_of_the_peers_name_every_technique(cli) -> None:
    shown = "".join(cli("convert", "--help").stdout.split())
    assert ",".join(NAMES) in shown
    assert [name for name in TITLES if name in NAMES] == list(NAMES)
    assert all(name in TITLES[name] for name in NAMES)


def test_names_are_read_in_the_order_of_application() -> None:
    assert parse_names("gptq, pixel_pairs") == ("pixel_pairs", "gptq")
    assert parse_names("all") == NAMES
    assert parse_names("none") == ()


@pytest.mark.parametrize("old", ["pixels", "averages", "concatenations", "layers", "biases"])
def test_an_earlier_name_is_an_error_that_names_the_valid_set(old: str) -> None:
    with pytest.raises(EdgeclfError, match=f"unknown technique '{old}'; known: input_zero, .*all"):
        parse_names(f"gptq,{old}")
