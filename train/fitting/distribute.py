"""One training on several GPUs, or on several machines: each step's images are shared out.

`keras.Model.fit` does not run on several machines (Keras 3.15 on TensorFlow 2.21 reduces what each
replica logs along an axis that it has not), so the loop is our own. It calls the same callbacks.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...edge_runtime.errors import EdgeclfError
from .losses import accuracy


def find_strategy() -> tf.distribute.Strategy | None:
    """Return how to share out the steps: by TF_CONFIG, over this machine's GPUs, or not at all.

    Call before anything computes: TensorFlow connects the machines at its start.
    """
    if os.environ.get("TF_CONFIG"):
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except (ValueError, KeyError, TypeError, AttributeError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())
            raise EdgeclfError(
                f"TF_CONFIG: names no workers to train with ({reason}); give the cluster's workers "
                "and this one's task, or unset it"
            ) from None
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return None


def is_chief(strategy: tf.distribute.Strategy | None) -> bool:
    """Tell whether this process is the one that writes the run."""
    resolver = strategy.cluster_resolver if strategy else None
    if resolver is None or resolver.task_type is None:
        return True
    workers = json.loads(os.environ["TF_CONFIG"])["cluster"]
    first = "chief" if "chief" in workers else "worker"
    return bool(resolver.task_type == first and resolver.task_id == 0)


def mirrored(model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """Return a copy of `model` with variables on every replica, all of them the chief's."""
    with strategy.scope():
        copy = keras.models.clone_model(model)
    for variable, array in zip(copy.weights, model.get_weights(), strict=True):
        variable.assign(_chief_s(strategy, array))
    return copy


def check_in_step(strategy: tf.distribute.Strategy, epochs_done: int) -> None:
    """Complain if another worker stands at another epoch: they would wait for each other."""
    apart = abs(epochs_done - _chief_s(strategy, np.int64(epochs_done)))
    if _sum(strategy, lambda _: apart):
        raise EdgeclfError(
            f"this worker stands at epoch {epochs_done}, others elsewhere; give all of them the "
            "chief's checkpoint in --out, and --resume"
        )


def fit_shared(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    batches: keras.utils.PyDataset,
    *,
    loss: keras.losses.Loss,
    validation_data: keras.utils.PyDataset,
    callbacks: Sequence[keras.callbacks.Callback],
    initial_epoch: int,
    epochs: int,
    verbose: int,
) -> None:
    """Do what `model.fit` does, each batch shared out over the replicas.

    All of them validate on all images, so that all take the same decisions.
    """

    def step(images: Any, targets: Any, weights: Any) -> tuple[Any, Any, Any]:
        count = tf.cast(tf.shape(images)[0], tf.float32)
        of_all = tf.distribute.get_replica_context().all_reduce("SUM", count)
        with tf.GradientTape() as tape:
            scores = model(images, training=True)
            total = tf.reduce_sum(loss.call(targets, scores) * weights)
            shared = total / of_all  # the optimizer adds up the replicas' gradients
        gradients = tape.gradient(shared, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return total, _hits(targets, scores), count

    @tf.function  # type: ignore[untyped-decorator]
    def shared_step(*arrays: Any) -> list[Any]:
        return [strategy.reduce("SUM", part, axis=None) for part in strategy.run(step, arrays)]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def validate(images: Any, targets: Any) -> list[Any]:
        scores = model(images, training=False)
        return [tf.reduce_sum(loss.call(targets, scores)), _hits(targets, scores), len(targets)]

    callback_list = keras.callbacks.CallbackList(
        list(callbacks), add_progbar=True, model=model, epochs=epochs, steps=len(batches),
        verbose=verbose,
    )  # fmt: skip
    model.stop_training = False
    batches.on_epoch_end()  # as `fit` has it
    callback_list.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callback_list.on_epoch_begin(epoch)
        sums = np.zeros(3)
        for index, batch in enumerate(_ahead(batches)):
            if len(batch[0]) < strategy.num_replicas_in_sync:
                continue  # the last one, and a replica would get none
            callback_list.on_train_batch_begin(index)
            sums += [float(part) for part in shared_step(*_parts(strategy, batch))]
            callback_list.on_train_batch_end(index, _logs(sums))
        batches.on_epoch_end()
        callback_list.on_test_begin()
        of_val = sum(
            np.asarray([float(part) for part in validate(*validation_data[index])])
            for index in range(len(validation_data))
        )
        callback_list.on_test_end()
        val_logs = {f"val_{name}": value for name, value in _logs(of_val).items()}
        callback_list.on_epoch_end(epoch, _logs(sums) | val_logs)
        if model.stop_training:
            break
    callback_list.on_train_end()


def _ahead(batches: keras.utils.PyDataset) -> Iterator[Any]:
    """Yield the batches in order, the next of them made while one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batches.__getitem__, 0)
        for index in range(len(batches)):
            batch = coming.result()
            if index + 1 < len(batches):
                coming = pool.submit(batches.__getitem__, index + 1)
            yield batch


def _parts(strategy: tf.distribute.Strategy, arrays: Sequence[Any]) -> list[Any]:
    """Return each array with every replica's share of it."""

    def shared(array: Any) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(
                array[replica.replica_id_in_sync_group :: replica.num_replicas_in_sync]
            )
        )

    return [shared(array) for array in arrays]


def _chief_s(strategy: tf.distribute.Strategy, array: Any) -> Any:
    """Return the chief's array to every worker."""
    zeros = np.zeros_like(array)
    return _sum(strategy, lambda replica: zeros if replica.replica_id_in_sync_group else array)


def _sum(strategy: tf.distribute.Strategy, value_of: Callable[[Any], Any]) -> Any:
    values = strategy.experimental_distribute_values_from_function(
        lambda replica: tf.constant(value_of(replica))
    )
    return strategy.reduce("SUM", values, axis=None).numpy()


def _hits(targets: Any, scores: Any) -> Any:
    return tf.reduce_sum(accuracy(targets, scores))


def _logs(sums: Any) -> dict[str, float]:
    loss, hits, count = sums
    return {"accuracy": hits / count, "loss": loss / count}
