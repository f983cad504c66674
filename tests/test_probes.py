"""Activations and gradients of a network's layers, on whichever back end Keras runs."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from utils import probes


@pytest.fixture
def images():
    return np.random.default_rng(1).normal(size=(6, 8, 8, 2)).astype("float32")


@pytest.fixture
def labels():
    return np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="tanh", name="first")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x)
    model = keras.Model(inputs, layers.Dense(3, name="last")(x))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_activations_are_those_of_the_layers_by_hand(model, images):
    got = probes.activations(model, images)
    assert list(got) == ["first", "last"]
    assert got["first"] == pytest.approx(ops.convert_to_numpy(model.layers[1](images)), abs=1e-6)
    assert got["last"] == pytest.approx(ops.convert_to_numpy(model(images, training=False)), abs=1e-5)


def test_other_layers_can_be_asked_for(model, images):
    norm = model.get_layer("norm")
    assert [a.shape for a in probes.activations(model, images, [norm]).values()] == [(6, 8, 8, 4)]


def test_statistics_of_known_numbers():
    values = {
        "dead channel": np.stack([np.zeros((2, 3, 3)), np.ones((2, 3, 3))], axis=-1),
        "large": np.full((2, 2), 1e30, "float32"),
    }
    table = probes.statistics(values)
    assert list(table["name"]) == ["dead channel", "large"]
    assert table["mean"][0] == table["std"][0] == table["zeros"][0] == table["dead"][0] == 0.5
    assert table["rms"][0] == pytest.approx(0.5**0.5)
    assert table["rms"][1] == pytest.approx(1e30)


def test_a_unit_is_dead_only_when_it_is_zero_everywhere():
    one_alive = np.zeros((4, 5, 5, 3))
    one_alive[2, 1, 4, 1] = 0.1
    table = probes.statistics({"layer": one_alive})
    assert table["dead"][0] == pytest.approx(2 / 3)
    assert table["zeros"][0] == pytest.approx(299 / 300)


def test_gradients_are_the_slopes_of_the_loss(model, images, labels):
    kernel = model.get_layer("first").kernel
    found = probes.gradients(model, images, labels, training=False)
    assert found["first"].shape == tuple(kernel.shape)
    before = ops.convert_to_numpy(kernel).copy()

    def loss(values):
        kernel.assign(values)
        return float(ops.convert_to_numpy(model.loss(labels, model(images, training=False))))

    for place in ((0, 0, 0, 0), (2, 1, 1, 3), (1, 1, 0, 2)):
        step = np.zeros_like(before)
        step[place] = 1e-2
        slope = (loss(before + step) - loss(before - step)) / 2e-2
        assert found["first"][place] == pytest.approx(slope, rel=0.02, abs=1e-4)


def test_norms_are_lengths(model, images, labels):
    found = probes.gradients(model, images, labels, training=False)
    norms = probes.gradient_norms(model, images, labels, training=False)
    assert norms["last"] == pytest.approx(np.linalg.norm(found["last"]), rel=1e-5)


def test_a_probe_leaves_the_model_as_it_was(model, images, labels):
    before = [ops.convert_to_numpy(v).copy() for v in model.variables]
    probes.gradient_norms(model, images, labels, training=True)
    probes.activations(model, images, training=True)
    for old, variable in zip(before, model.variables, strict=True):
        assert np.array_equal(old, ops.convert_to_numpy(variable)), variable.path


def test_training_mode_is_what_a_training_step_sees(model, images):
    norm = [model.get_layer("norm")]
    (at_work,) = probes.activations(model, images, norm, training=True).values()
    assert at_work.mean(axis=(0, 1, 2)) == pytest.approx(np.zeros(4), abs=1e-5)
    (at_rest,) = probes.activations(model, images, norm, training=False).values()
    assert not np.allclose(at_rest, at_work, atol=1e-3)
