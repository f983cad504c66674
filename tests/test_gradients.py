"""Gradients agree with differences and with calculus."""

import keras
import numpy as np
import pytest

from utils.gradients import gradients_of, input_gradient


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


def test_each_value_has_a_gradient_of_its_own():
    values = [np.ones(2, "float32"), np.full(2, 3.0, "float32")]
    first, second = gradients_of(lambda tensors: keras.ops.sum(tensors[0] * tensors[1] ** 2), values)
    assert (first.tolist(), second.tolist()) == ([9.0, 9.0], [6.0, 6.0])


def test_a_back_end_without_gradients_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(ValueError, match="no gradients for the back end 'numpy': use tensorflow, jax or torch"):
        input_gradient(keras.ops.sum, np.ones(2))
