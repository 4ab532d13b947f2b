"""The first epochs of a training, which can be taken up again from where they end."""

from .config import RunOptions, TrainConfig
from .data.dataset import read_dataset
from .fitting.checkpoint import is_finished
from .fitting.fit import build_model
from .fitting.history import read_history
from .fitting.training_key import training_key, weights_digest
from .run_folder import check_out
from .training import fit_dataset, plain_config


def train_until(config: TrainConfig, *, epochs: int) -> list[dict[str, str]]:
    """Train the first `epochs` epochs of all phases, and return the rows of the history.

    Nothing is scored on the test images. `config.out` keeps the checkpoint, from which this
    function, and `run_training` with `resume`, go on.

    Raises:
        EdgeclfError: the data or the weights cannot serve, or `config.out` holds another training.
    """
    options = RunOptions(resume=True)
    check_out(config.out, options)
    dataset = read_dataset(config)
    model = build_model(config, classes=len(dataset.labels))
    key = training_key(plain_config(config), dataset, start_weights=weights_digest(model))
    if not is_finished(config.out, key):
        fit_dataset(model, key, dataset, config, options, None, pause_after=epochs)
    return read_history(config.out)
