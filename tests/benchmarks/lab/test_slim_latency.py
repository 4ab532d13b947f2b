"""The measurement of slim networks, on the tiny DenseNet."""

import re

from click.testing import CliRunner

from edgeclf.benchmarks.lab.slim_latency import slim_latency


def test_fewer_channels_make_a_smaller_file_and_zeros_do_not() -> None:
    options = ["--arch", "densenet-tiny", "--keep", "0.5", "--rounds", "2"]
    done = CliRunner().invoke(slim_latency, options, catch_exceptions=False)
    assert done.exit_code == 0
    sizes = {}
    for line in done.stdout.splitlines():
        if row := re.match(r"(whole|slim|0\.8 of weights zero).*? (\d\.\d{3}) +(\d+\.\d+) ", line):
            sizes[row[1]] = float(row[2]), float(row[3])
    assert sizes["0.8 of weights zero"] == sizes["whole"]
    assert sizes["slim"][0] < 0.9
    assert sizes["slim"][1] <= sizes["whole"][1]
