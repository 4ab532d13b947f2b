"""The first epochs of a training, in a process of its own.

python -m edgeclf.benchmarks.fit.rung EPOCHS ANSWER DATA OPTION...

takes what `edgeclf train` takes, trains so many epochs of all phases, writes validation loss and
accuracy of the best of them to the JSON file ANSWER, and leaves the training to be taken up again
by itself or by `edgeclf train --resume`.
"""

import sys
from pathlib import Path

import click

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import write_json
from ...edge_runtime.quiet import quiet_opencv, quiet_tensorflow
from ...train.command import take_good_only, train, train_config
from ...train.config import RunOptions


def main() -> None:
    """Train what the command line says."""
    quiet_opencv()
    epochs, answer, arguments = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    with train.make_context("train", arguments) as context:
        values = dict(context.params)
        for name in ("folds", *vars(RunOptions())):
            values.pop(name)
        take_good_only(values)
        config = train_config(**values)
    quiet_tensorflow()
    from ...train.train_until import train_until

    try:
        rows = train_until(config, epochs=epochs)[:epochs]
    except EdgeclfError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    best = min(rows, key=lambda row: float(row["val_loss"]))
    names = ("val_loss", "val_accuracy")
    write_json(answer, {name: float(best[name]) for name in names})


if __name__ == "__main__":
    main()
