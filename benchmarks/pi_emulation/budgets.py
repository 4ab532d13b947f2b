"""What each model may cost on each board: instructions, and by how much they may grow."""

from collections.abc import Iterable
from pathlib import Path

from edgeclf.edge_runtime.files import read_json, write_json

from .boards import BOARDS
from .measure import Measurement

BUDGETS = Path(__file__).with_name("budgets.json")
ALLOWED_GROWTH = 0.02

# Model, recipe, board, and what is counted: `inference` or `start`, in instructions.
Budgets = dict[str, dict[str, dict[str, dict[str, int]]]]

_COUNTED = {"inference": "per inference", "start": "from start to answer"}
_TITLES = {board.name: board.title for board in BOARDS}


def read_budgets(path: Path = BUDGETS) -> Budgets:
    """Return the budgets in the file."""
    budgets: Budgets = read_json(path)
    return budgets


def over_budget(measured: Iterable[Measurement], budgets: Budgets) -> list[str]:
    """Return a line for each figure that exceeds its budget by over 2 %, or has none."""
    lines = []
    for one in measured:
        allowed = budgets.get(one.model, {}).get(one.recipe, {}).get(one.board, {})
        for counted, words in _COUNTED.items():
            count = getattr(one, counted)
            figure = f"{one.model} {one.recipe} on {_TITLES[one.board]}: {_millions(count)} {words}"
            if counted not in allowed:
                lines.append(
                    f"{figure}, without a budget; give it one: make pi PI=--update-budgets"
                )
            elif count > allowed[counted] * (1 + ALLOWED_GROWTH):
                lines.append(
                    f"{figure}, {count / allowed[counted] - 1:.1%} over its budget of "
                    f"{_millions(allowed[counted])} ({ALLOWED_GROWTH:.0%} allowed); make it "
                    "cheaper, or accept it: make pi PI=--update-budgets"
                )
    return lines


def update_budgets(measured: Iterable[Measurement], path: Path = BUDGETS) -> None:
    """Make the measured counts the budgets of their models, and keep all others."""
    budgets = read_budgets(path) if path.exists() else {}
    for one in measured:
        recipes = budgets.setdefault(one.model, {})
        recipes.setdefault(one.recipe, {})[one.board] = {
            counted: getattr(one, counted) for counted in _COUNTED
        }
    write_json(path, budgets)


def _millions(count: int) -> str:
    return f"{count / 1e6:.3f} million instructions"
