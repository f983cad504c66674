"""What works in a training and what does not; where there is a slope and where there is none."""

import numpy as np
import pytest
from keras import ops

from utils.losses import compiled, slope_of

X, Y = np.arange(6, dtype="float32").reshape(2, 3), np.float32([1, 2, 3])


def test_gives_what_the_function_gives():
    np.testing.assert_allclose(ops.convert_to_numpy(compiled(lambda x, y: x * y, X, Y)), X * Y)


def test_takes_lists_of_tensors():
    first, second = compiled(lambda x: [ops.sum(x), x + 1], X)
    assert float(first) == X.sum()
    np.testing.assert_allclose(ops.convert_to_numpy(second), X + 1)


@pytest.mark.parametrize("function", [np.asarray, len, lambda x: x if ops.sum(x) > 0 else -x, lambda x: float(x[0])])
def test_values_are_not_there_yet(function):
    def loss(x):
        return ops.sum(function(x[0]))

    loss(ops.convert_to_tensor(X))  # at hand it works
    with pytest.raises(TypeError, match=r"not in a training: .*keras\.ops alone.* Keras says: \w+: \S"):
        compiled(loss, X)


def test_an_exercise_that_comes_first_is_named():
    def loss(x):
        raise NotImplementedError("Exercise 16.3 comes first")

    with pytest.raises(NotImplementedError, match="comes first"):
        compiled(loss, X)


def test_slopes():
    np.testing.assert_allclose(slope_of(lambda y: ops.sum(y**2), Y), 2 * Y)


@pytest.mark.parametrize("function", [lambda y: np.sum(np.asarray(y)), lambda y: ops.sum(ops.cast(y, "int32"))])
def test_no_slope_without_keras_or_after_rounding(function):
    with pytest.raises(TypeError, match="the loss has no slope"):
        slope_of(function, Y)


def test_what_fails_without_a_slope_says_so_itself():
    with pytest.raises(ZeroDivisionError):
        slope_of(lambda y: 1 / 0, Y)
