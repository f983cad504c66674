"""Gradients with respect to an input agree with differences."""

import keras
import numpy as np

from utils.gradients import input_gradient


def test_a_layers_gradient_agrees_with_differences():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Conv2D(2, 3, activation="tanh")
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype("float32")

    def function(x):
        return keras.ops.sum(layer(x) ** 2)

    function(x)
    got = input_gradient(function, x)
    assert got.shape == x.shape
    step = 1e-2
    for place in ((0, 0, 0, 0), (0, 2, 3, 1), (0, 4, 5, 0)):
        moved = np.zeros_like(x)
        moved[place] = step
        slope = (float(function(x + moved)) - float(function(x - moved))) / (2 * step)
        assert np.isclose(got[place], slope, rtol=2e-2, atol=1e-3)
