"""The sliding kernel: its sums are those of a library, and it draws and plays without a screen."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils import stepper


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
@pytest.mark.parametrize("kernel_size", [(3, 3), (2, 4), (1, 2)])
def test_the_sums_are_those_of_keras(padding, stride, dilation, kernel_size):
    import keras

    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(10, 13)), rng.normal(size=kernel_size)
    _, corners, sums = stepper.walk(image, kernel, stride, dilation, padding)
    with keras.device("cpu:0"):
        want = keras.ops.conv(
            image[None, :, :, None].astype("float32"),
            kernel[:, :, None, None].astype("float32"),
            strides=stride,
            padding=padding,
            dilation_rate=dilation,
        )
    assert np.allclose(sums, keras.ops.convert_to_numpy(want)[0, :, :, 0], atol=1e-5)
    assert len(corners) == sums.size


def test_a_kernel_too_large_and_an_unknown_padding_are_refused():
    with pytest.raises(ValueError, match="does not fit"):
        stepper.walk(np.ones((3, 3)), np.ones((2, 2)), dilation=3)
    with pytest.raises(ValueError, match="padding must be"):
        stepper.walk(np.ones((3, 3)), np.ones((2, 2)), padding="full")


def test_it_draws(monkeypatch):
    image, kernel = np.arange(25).reshape(5, 5), np.full((3, 3), 1 / 9)
    stepper.strip(image, kernel, (0, 1, 8))
    assert [axis.get_title() for axis in plt.gcf().axes[:3]] == [f"place {n} of 9" for n in (1, 2, 9)]
    stepper.draw(image, kernel, place=99, stride=2, dilation=2)
    assert plt.gcf().axes[0].get_title() == "place 1 of 1"
    plt.close("all")


def test_it_plays_with_and_without_widgets(monkeypatch, capsys):
    stepper.play(np.eye(5), np.eye(3))
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    stepper.play(np.eye(5), np.eye(3))
    assert "ipywidgets" in capsys.readouterr().out
    plt.close("all")
