"""The windows that ONNX is told of are those of TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from edgeclf.benchmarks.peers.quantize.windows import windows_of
from edgeclf.convert.graph.nodes import Conv, Depthwise, Pool, ZeroPad

IMAGE = (11, 16)

# Around an image without any: what TensorFlow puts there for `same` is what must be told.
NO_ZEROS = ((0, 0), (0, 0))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "strides", "dilation"),
    [
        ((3, 3), (1, 1), (1, 1)),
        ((3, 3), (2, 2), (1, 1)),
        ((5, 5), (2, 2), (1, 1)),
        ((2, 4), (1, 2), (1, 1)),
        ((1, 1), (2, 2), (1, 1)),
        ((3, 3), (1, 1), (2, 3)),
    ],
)
@pytest.mark.parametrize("zeros", [NO_ZEROS, ((0, 1), (3, 2))])
def test_a_convolution_sees_what_it_sees_in_tensorflow(
    size: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    zeros: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(*size, 1, 1)).astype(np.float32)
    image = rng.normal(size=(1, *IMAGE, 1)).astype(np.float32)
    node = Conv("conv", ("zeros",), kernel, np.zeros(1, np.float32), strides, padding, dilation)
    before = ZeroPad("zeros", ("image",), zeros) if zeros != NO_ZEROS else None
    windows = windows_of(node, IMAGE, zeros=before)
    padded = np.pad(image, ((0, 0), *zeros, (0, 0)))
    options = {"strides": strides, "dilations": dilation}
    wanted = tf.nn.conv2d(padded, kernel, padding=padding.upper(), **options).numpy()
    top, left, bottom, right = windows.padding
    told = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)))
    shown = tf.nn.conv2d(
        told, kernel, padding="VALID", strides=windows.strides, dilations=windows.dilation
    ).numpy()
    np.testing.assert_allclose(shown, wanted, rtol=1e-5, atol=1e-5)
    assert windows.count == wanted.shape[1:3]
    assert windows.size == size


def test_two_steps_at_a_time_leave_the_odd_zero_below_and_to_the_right() -> None:
    kernel, bias = np.ones((5, 3, 4, 1), np.float32), np.zeros(4, np.float32)
    depthwise = Depthwise("depthwise", ("image",), kernel, bias, (2, 2), "same")
    windows = windows_of(depthwise, (224, 112), zeros=None)
    assert windows.padding == (1, 0, 2, 1)
    assert windows.count == (112, 56)


def test_a_pooling_takes_the_zeros_before_it_as_its_own() -> None:
    pool = Pool("pool", ("zeros",), "max", (3, 3), (2, 2), "valid")
    windows = windows_of(pool, (112, 112), zeros=ZeroPad("zeros", ("image",), ((1, 1), (1, 1))))
    assert windows.padding == (1, 1, 1, 1)
    assert windows.count == (56, 56)
    assert windows.dilation == (1, 1)
