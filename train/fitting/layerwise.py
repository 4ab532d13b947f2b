"""Learning rates that fall from the head towards the image."""

from typing import Any

import keras


def layer_shares(model: keras.Model, decay: float) -> list[float]:
    """Return what share of the learning rate each of `model.trainable_variables` gets.

    The last layer has all of it, the first `decay`, and between them each layer the same factor
    less than the next (the discriminative fine-tuning of Howard and Ruder 2018,
    https://arxiv.org/abs/1801.06146, stretched over however many layers there are).
    """
    learning = [layer for layer in model.layers if layer.trainable_variables]
    depth = {
        id(variable): place
        for place, layer in enumerate(learning)
        for variable in layer.trainable_variables
    }
    last = max(1, len(learning) - 1)
    return [decay ** (1 - depth[id(variable)] / last) for variable in model.trainable_variables]


class LayerwiseAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with a share of the learning rate for each variable."""

    def __init__(self, *arguments: Any, shares: list[float], **options: Any) -> None:
        """Take Adam's arguments, and `shares` in the order of the variables."""
        super().__init__(*arguments, **options)
        self._shares = shares

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        share = self._shares[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * share)
