"""Each metric against scikit-learn or scipy."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import binomtest

from utils import metrics


@pytest.fixture(params=range(5))
def labelled(request):
    rng = np.random.default_rng(request.param)
    return rng.integers(0, 4, 200), rng.integers(0, 4, 200)


def test_accuracy(labelled):
    assert metrics.accuracy(*labelled) == pytest.approx(sklearn.metrics.accuracy_score(*labelled))


def test_confusion_matrix(labelled):
    expected = sklearn.metrics.confusion_matrix(*labelled, labels=range(5))
    np.testing.assert_array_equal(metrics.confusion_matrix(*labelled, 5), expected)


@pytest.mark.parametrize(("right", "n"), [(0, 7), (7, 7), (3, 10), (480, 500)])
@pytest.mark.parametrize(("z", "level"), [(1.0, 0.6826894921), (1.959963985, 0.95)])
def test_wilson_interval(right, n, z, level):
    interval = binomtest(right, n).proportion_ci(level, method="wilson")
    assert metrics.wilson_interval(right, n, z) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_wilson_interval_holds_the_share():
    n = np.arange(1, 400)
    for right in (np.zeros_like(n), n):
        low, high = metrics.wilson_interval(right, n)
        assert np.all(low <= right / n)
        assert np.all(right / n <= high)


def test_wilson_interval_of_nothing_is_nan():
    low, high = metrics.wilson_interval(np.array([0, 1]), np.array([0, 1]))
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert high[1] == pytest.approx(1)


@pytest.mark.parametrize(("labels", "predictions"), [([0, 1], [0]), ([], []), ([[0]], [[0]])])
def test_unequal_lists_get_a_clear_error(labels, predictions):
    with pytest.raises(ValueError, match="two lists of one length"):
        metrics.accuracy(labels, predictions)


def test_a_class_that_does_not_exist_gets_a_clear_error():
    with pytest.raises(ValueError, match="predictions must be from 0 to 1, got values from 0 to 2"):
        metrics.confusion_matrix([0, 1], [0, 2], 2)
