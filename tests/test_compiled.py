"""utils.compiled: what works in a training, and what does not."""

import numpy as np
import pytest
from keras import ops

from utils.compiled import compiled

X, Y = np.arange(6, dtype="float32").reshape(2, 3), np.float32([1, 2, 3])


def test_gives_what_the_function_gives():
    np.testing.assert_allclose(ops.convert_to_numpy(compiled(lambda x, y: x * y, X, Y)), X * Y)


def test_takes_lists_of_tensors():
    first, second = compiled(lambda x: [ops.sum(x), x + 1], X)
    assert float(first) == X.sum()
    np.testing.assert_allclose(ops.convert_to_numpy(second), X + 1)


@pytest.mark.parametrize("function", [np.asarray, len, lambda x: x if ops.sum(x) > 0 else -x, float])
def test_values_are_not_there_yet(function):
    with pytest.raises(Exception, match=r"\S"):
        compiled(lambda x: ops.sum(function(x[0])), X)
