"""A benchmark and its page."""

from xml.etree import ElementTree

import pytest
from benchmark_page import parsed
from benchmark_results import make_benchmark

from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.results.schema import Benchmark


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return make_benchmark()


@pytest.fixture(scope="module")
def root(benchmark: Benchmark) -> ElementTree.Element:
    return parsed(page(benchmark))
