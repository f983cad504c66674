"""Training again and again from the same weights, each layer at its own rate."""

import keras
import numpy as np
import pytest

from utils import transfer


def network():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, activation="relu", name="early")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x))


def compiled(optimizer):
    keras.utils.set_random_seed(0)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    return model


def examples(n=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def test_each_layer_moves_at_its_own_rate():
    model = compiled(transfer.LayerwiseAdam({"early": 0.001, "head": 0.05}))
    before = {name: model.get_layer(name).get_weights()[0] for name in ("early", "head")}
    model.train_on_batch(*examples())
    moved = {name: np.abs(model.get_layer(name).get_weights()[0] - old).max() for name, old in before.items()}
    assert moved["early"] == pytest.approx(0.001, rel=0.02)  # Adam's first step has the length of its rate
    assert moved["head"] == pytest.approx(0.05, rel=0.02)


def test_with_one_rate_it_is_adam():
    models = [compiled(keras.optimizers.Adam(0.01)), compiled(transfer.LayerwiseAdam({"early": 0.01, "head": 0.01}))]
    for model in models:
        for _ in range(5):
            model.train_on_batch(*examples())
    for one, two in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_it_is_adam_with_the_rate_of_the_layer_step_by_step_and_has_no_variables_but_adams():
    def variables():
        return [keras.Variable(np.zeros(3, "float32"), name="kernel") for _ in range(2)]

    gradients = np.random.default_rng(0).normal(size=(6, 2, 3)).astype("float32")
    wanted = []
    for number, rate in enumerate((0.001, 0.05)):
        (variable, _), adam = variables(), keras.optimizers.Adam(rate)
        for step in gradients:
            adam.apply([keras.ops.convert_to_tensor(step[number])], [variable])
        wanted.append(keras.ops.convert_to_numpy(variable))
    model = compiled(transfer.LayerwiseAdam({"early": 0.001, "head": 0.05}))
    biases = [model.get_layer(name).bias for name in ("early", "head")]
    ours = model.optimizer
    shapes = [(5,), (2,)]
    ours.build(biases)
    for step in gradients:
        ours.apply([keras.ops.convert_to_tensor(np.resize(g, n)) for g, n in zip(step, shapes, strict=True)])
    for bias, want in zip(biases, wanted, strict=True):
        got = keras.ops.convert_to_numpy(bias)
        np.testing.assert_allclose(got[: len(want)], want[: len(got)], rtol=1e-4, atol=1e-7)
    assert len(ours.variables) == 2 + 2 * 2


def test_a_layer_without_a_rate_is_named_and_a_frozen_one_needs_none():
    with pytest.raises(ValueError, match="no learning rate for head"):
        compiled(transfer.LayerwiseAdam({"early": 0.01})).train_on_batch(*examples())
    model = compiled(transfer.LayerwiseAdam({"head": 0.01}))
    model.get_layer("early").trainable = False
    model.compile(transfer.LayerwiseAdam({"head": 0.01}), model.loss, jit_compile=False)
    model.train_on_batch(*examples())
    with pytest.raises(ValueError, match="rates must be positive"):
        transfer.LayerwiseAdam({"head": 0.0})
    with pytest.raises(ValueError, match="rates must be positive"):
        transfer.LayerwiseAdam({})


@pytest.mark.parametrize(
    "make", [lambda: keras.optimizers.Adam(0.02), lambda: transfer.LayerwiseAdam({"early": 0.01, "head": 0.02})]
)
def test_training_forgets_what_was_before(make):
    model = compiled(make())
    start, (x, y) = model.get_weights(), examples()
    transfer.train(model, start, x, y, steps=8, batch_size=16, seed=1)
    first = model.get_weights()
    transfer.train(model, start, x[::-1], y[::-1], steps=5, batch_size=16, seed=2)
    transfer.train(model, start, x, y, steps=8, batch_size=16, seed=1)
    for one, two, old in zip(first, model.get_weights(), start, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        assert np.any(one != old)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.02)


def test_fewer_examples_than_fill_a_batch():
    model = compiled(keras.optimizers.Adam(0.01))
    seen = []
    model.train_on_batch = lambda x, y: seen.append(x[:, 0])
    x, y = examples(5)
    transfer.train(model, model.get_weights(), x, y, steps=3, batch_size=8)
    assert [len(batch) for batch in seen] == [8, 8, 8]
    assert all(set(batch) == set(x[:, 0]) for batch in seen)
    with pytest.raises(ValueError, match="no examples"):
        transfer.train(model, model.get_weights(), x[:0], y[:0], steps=3)


def test_every_example_comes_once_before_any_comes_again():
    model = compiled(keras.optimizers.Adam(0.01))
    seen = []
    model.train_on_batch = lambda x, y: seen.extend(x[:, 0])
    x, y = examples(12)
    transfer.train(model, model.get_weights(), x, y, steps=6, batch_size=4)
    assert sorted(seen[:12]) == sorted(seen[12:]) == sorted(x[:, 0])
