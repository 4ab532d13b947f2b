"""When a test is skipped: the helpers that skip, CI's rule, and the lines at the end of a run.

With `CI=true` a skipped test is a failure, unless `prerequisites.py` says why CI may lack what the
test needs. It is a pytest plugin, which `conftest.py` registers.
"""

import os
import sys
from collections import Counter
from collections.abc import Generator
from typing import NoReturn, TypeVar

import pytest
from prerequisites import PREREQUISITES, Prerequisite

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def skip_without(name: str, detail: str = "") -> NoReturn:
    """Skip the test, because what the table of prerequisites calls `name` is missing."""
    reason = PREREQUISITES[name].reason
    pytest.skip(f"{reason} ({detail})" if detail else reason)


def require_program(name: str) -> str:
    """Return the path of a program of the table, or skip the test."""
    return PREREQUISITES[name].find() or skip_without(name)


def require_linux() -> None:
    """Skip the test on another system than Linux."""
    if sys.platform != "linux":
        skip_without("Linux")


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Return why the test was skipped; None if it was not, or if it is an expected failure."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")


def _prerequisite(reason: str) -> Prerequisite | None:
    return next((each for each in PREREQUISITES.values() if reason.startswith(each.reason)), None)


def _checked(report: Report) -> Report:
    """Make a failure of a skip that CI does not accept."""
    reason = _skip_reason(report)
    if reason is not None and os.environ.get("CI") == "true":
        missing = _prerequisite(reason)
        if missing is None or not missing.allowed:
            report.outcome = "failed"
            report.longrepr = f"skipped, which is a failure with CI=true: {reason}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Apply CI's rule to a test."""
    return _checked((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Apply CI's rule to a file that is skipped as a whole."""
    return _checked((yield))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for everything that tests were skipped without."""
    reports = terminalreporter.getreports("skipped")
    reasons = [reason for reason in map(_skip_reason, reports) if reason is not None]
    known = Counter(missing.name for missing in map(_prerequisite, reasons) if missing)
    unknown = Counter(reason for reason in reasons if _prerequisite(reason) is None)
    if reasons:
        terminalreporter.section("skipped")
    for name, count in known.items():
        terminalreporter.line(_summary_line(PREREQUISITES[name], count))
    for reason, count in unknown.items():
        terminalreporter.line(f"{_tests(count)} skipped: {reason}")


def _summary_line(missing: Prerequisite, count: int) -> str:
    line = f"{missing.name} is missing: {_tests(count, missing.covers)} skipped; {missing.mend}"
    return f"{line} (allowed in CI: {missing.allowed})" if missing.allowed else line


def _tests(count: int, covers: str = "") -> str:
    of = f" of {covers}" if covers else ""
    return f"1 test{of} was" if count == 1 else f"{count} tests{of} were"
