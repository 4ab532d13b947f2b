"""Pruning of single weights, on the tiny run: as many zeros as were asked for, and no byte less."""

from pathlib import Path

from click.testing import CliRunner

from edgeclf.benchmarks.lab.pruning import pruning


def test_zeros_make_the_file_no_smaller(tiny_run: Path) -> None:
    options = [str(tiny_run), "--sparsity", "0.5", "--epochs", "1", "--rounds", "2"]
    done = CliRunner().invoke(pruning, options, catch_exceptions=False)
    assert done.exit_code == 0
    rows = {
        cells[0]: cells[1:]
        for line in done.stdout.splitlines()
        if len(cells := line.replace("tfmot 0.5", "tfmot").split()) == 7
    }
    assert (rows["whole"][0], rows["tfmot"][0]) == ("0.00", "0.50")
    assert rows["whole"][2] == rows["tfmot"][2]
