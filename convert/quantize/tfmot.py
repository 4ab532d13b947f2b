"""All that is used of tensorflow-model-optimization, whose last release takes Keras 2 alone."""

from collections.abc import Callable
from typing import Any

from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2
from tensorflow_model_optimization.quantization.keras.quantizers import FixedQuantizer, Quantizer


def wrap(layer: Any, rounding: "Rounding") -> Any:
    """Return the tf_keras `layer` with its kernel, bias and output rounded."""
    return QuantizeWrapperV2(layer, rounding, name_prefix="")


def over_range(low: float, high: float) -> Quantizer:
    """Return a quantizer to the 256 steps from `low` to `high`, which TFLite's converter reads."""
    return FixedQuantizer(num_bits=8, init_min=low, init_max=high, narrow_range=False)


class Rounding(QuantizeConfig):  # type: ignore[misc]
    """What of one layer is rounded: its kernel, its bias and its output."""

    def __init__(
        self,
        *,
        kernel: tuple[str, Quantizer] | None = None,
        bias: Quantizer | None = None,
        output: Quantizer | None = None,
    ) -> None:
        self.kernel = kernel
        self.output = output
        self._weights = [kernel] if kernel else []
        if bias is not None:
            self._weights.append(("bias", bias))

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        return [(getattr(layer, name), quantizer) for name, quantizer in self._weights]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        for (name, _), weight in zip(self._weights, quantize_weights, strict=True):
            setattr(layer, name, weight)

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:  # noqa: ARG002
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002
        return [self.output] if self.output else []

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("the graph and its ranges are what is saved")


class By(Quantizer):  # type: ignore[misc]
    """Rounds by a function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:  # noqa: ARG002
        return self._function(inputs)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("the graph and its ranges are what is saved")
