"""What the numbers of options may be, in every command."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgeclf.cli import main
from edgeclf.edge_runtime.command_line.option_types import FiniteRange, whole_number
from edgeclf.edge_runtime.live.options import live_parameters

PACKAGE = Path(__file__).resolve().parents[2]


def numbers(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The options of a command, and of those below it, that take a number."""
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from numbers(below, (*path, name))
    for option in (*command.params, *(live_parameters() if path == ("run",) else ())):
        if isinstance(option.type, click.types.FloatParamType):
            yield path, option.opts[0]


NUMBERS = sorted(set(numbers(main, ())))


def test_the_numbers_of_all_commands_are_found() -> None:
    assert len(NUMBERS) > 30
    assert {("run",), ("train",), ("convert",), ("evaluate",), ("benchmark", "compare")} <= {
        path for path, _ in NUMBERS
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(("path", "option"), NUMBERS)
def test_a_number_is_finite(path: tuple[str, ...], option: str, value: str) -> None:
    result = CliRunner().invoke(main, [*path, f"{option}={value}"])
    assert result.exit_code == 2
    shown = " ".join(result.output.split())
    assert option in shown
    assert f"{value} is not a finite number." in shown or "is not in the range" in shown


def test_no_other_type_of_number_is_used() -> None:
    for part in ("benchmarks", "convert", "edge_runtime", "train"):
        for path in (PACKAGE / part).rglob("*.py"):
            if path.name == "option_types.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                assert not (isinstance(node, ast.Attribute) and "Float" in node.attr and (
                    ast.unparse(node.value) == "click")), path  # fmt: skip
                assert not (isinstance(node, ast.keyword) and node.arg == "type" and (
                    ast.unparse(node.value) == "float")), path  # fmt: skip


def test_a_range_without_an_end_ends_before_infinity() -> None:
    kind = FiniteRange(min=0)
    assert kind.convert("1e300", None, None) == 1e300
    with pytest.raises(click.BadParameter, match="inf is not a finite number"):
        kind.convert("inf", None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("65535", 65535), ("65536", None), ("9" * 5000, None), ("\u0663", None)],
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole_number(text, most=65535) == number
    assert whole_number(f"-{text}", most=65535) is None


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        ("--size", "9" * 5000 + "x1", "65535 at most, like 1280x720"),
        ("--size", "1x2x3", "65535 at most, like 1280x720"),
        ("--vote", f"1/{10**30}", "N at most 1000"),
        ("--prometheus", "x:" + "9" * 5000, "give HOST:PORT"),
        ("--timeout", "1e9", "0.1<=x<=3600"),
    ],
)
def test_huge_numbers_of_a_live_run(option: str, value: str, mend: str) -> None:
    result = CliRunner().invoke(main, ["run", "x.tflite", "0", option, value])
    assert result.exit_code == 2
    assert mend in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["train", "convert", "benchmark", "demo"])
def test_a_seed_is_one_that_all_generators_take(command: str) -> None:
    result = CliRunner().invoke(main, [command, "x", "--seed", str(2**32)])
    assert result.exit_code == 2
    assert "0<=x<=4294967295" in " ".join(result.output.split())
