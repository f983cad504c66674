"""Support vector machines on sets of features."""

import numpy as np
import pytest

from utils import svm


def rings(n, rng):
    """Two classes that no straight line parts: an inner disc and a ring around it."""
    labels = np.arange(n) % 2
    radius, angle = labels + rng.uniform(0, 0.8, n), rng.uniform(0, 2 * np.pi, n)
    return {"position": np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)}, labels


def test_a_kernel_parts_what_a_line_cannot():
    rng = np.random.default_rng(0)
    sets = [rings(200, rng) for _ in range(3)]
    (train, labels), (validation, validation_labels), (test, test_labels) = sets
    linear = svm.fit(train, labels, validation, validation_labels, kernel="linear")
    kernel = svm.fit(train, labels, validation, validation_labels, kernel="rbf")
    assert np.mean(linear.predict(test) == test_labels) < 0.7
    assert np.mean(kernel.predict(test) == test_labels) > 0.95
    assert kernel.settings in svm.KERNEL_SETTINGS
    assert kernel.validation_accuracy == np.mean(kernel.predict(validation) == validation_labels)


def test_every_set_has_the_same_say_whatever_its_length_and_unit():
    rng = np.random.default_rng(1)
    features = {
        "long": 1000 * rng.normal(size=(120, 200)),
        "short": rng.normal(size=(120, 2)),
        "constant": np.ones((120, 1)),
    }
    model = svm.fit(features, np.arange(120) % 3, features, np.arange(120) % 3)
    inputs = model.inputs(features)
    assert inputs.shape == (120, 100 + 2 + 1)
    assert np.allclose([inputs[:, :100].var(axis=0).sum(), inputs[:, 100:102].var(axis=0).sum()], 1 / 3)
    assert model.scores(features).shape == (120, 3)


def test_statistics_come_from_the_training_part_alone():
    rng = np.random.default_rng(2)
    train, labels = {"x": rng.normal(size=(40, 3))}, np.arange(40) % 2
    one = svm.fit(train, labels, {"x": rng.normal(size=(9, 3))}, np.zeros(9, int))
    other = svm.fit(train, labels, {"x": 100 + rng.normal(size=(9, 3))}, np.zeros(9, int))
    assert np.array_equal(one.inputs(train), other.inputs(train))


def test_unknown_kernels_and_missing_sets_are_named():
    x, y = {"x": np.arange(4.0)[:, None]}, np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="'linear' or 'rbf', got 'poly'"):
        svm.fit(x, y, x, y, kernel="poly")
    with pytest.raises(ValueError, match="train has the feature sets x, validation z"):
        svm.fit(x, y, {"z": x["x"]}, y)


def test_known_reductions_are_used():
    rng = np.random.default_rng(3)
    train, labels = {"x": rng.normal(size=(40, 3))}, np.arange(40) % 2
    known = {"x": svm.Reduction(10 * train["x"])}
    model = svm.fit(train, labels, train, labels, reductions=known)
    assert model.reductions is known
    assert np.array_equal(model.inputs(train), known["x"](train["x"]))
