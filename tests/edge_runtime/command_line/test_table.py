"""Tables for the terminal."""

from edgeclf.edge_runtime.command_line.table import format_table


def test_text_stands_left_and_figures_right() -> None:
    table = format_table(
        ["model", "drop", "p50 ms"], [["int8", "+0.25", "3.1"], ["a", "−10.00", "12.0"]]
    )
    assert table.splitlines() == [
        "model    drop  p50 ms",
        "─────  ──────  ──────",
        "int8    +0.25     3.1",
        "a      −10.00    12.0",
    ]


def test_a_dash_counts_as_a_figure_and_a_word_does_not() -> None:
    figures = format_table(["drop (points)"], [["—"], ["+1.00"]])
    assert figures.splitlines()[2] == "            —"
    words = format_table(["drop (points)"], [["none"], ["+1.00"]])
    assert words.splitlines()[2:] == ["none", "+1.00"]


def test_no_rows_leave_the_header() -> None:
    assert format_table(["a", "long name"], []).splitlines() == ["a  long name", "─  ─────────"]
