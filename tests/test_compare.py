"""Several models trained on the same batches."""

import keras
import numpy as np
import pytest

from utils import compare


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


def maker(rate, metrics=("accuracy",)):
    def make():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(rate), loss, metrics=list(metrics))
        return model

    return make


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(problem):
    curves = compare.train({"a": maker(0.5), "b": maker(0.5)}, problem, problem, steps=6, seeds=(3, 4))
    assert np.array_equal(curves["a"].loss, curves["b"].loss)
    assert not np.array_equal(curves["a"].loss[0], curves["a"].loss[1])
    assert curves["a"].loss.shape == (2, 6)


def test_checks_stand_at_the_beginning_every_few_steps_and_at_the_end(problem):
    seen = []
    curve = compare.train(
        {"a": maker(0.5)}, problem, problem, steps=25, every=10, watch=lambda model: seen.append(1) or len(seen)
    )["a"]
    assert curve.steps.tolist() == [0, 10, 20, 25]
    assert curve.validation_accuracy.shape == (1, 4)
    assert curve.watched == [[1, 2, 3, 4]]
    assert curve.validation_loss[0, -1] < curve.validation_loss[0, 0]


def test_a_batch_is_what_the_loss_says(problem):
    x, y = problem
    keras.utils.set_random_seed(0)
    model = maker(0.5)()
    (first,) = compare.batches(len(x), 32, 1, seed=0)
    want = float(model.loss(y[first], model(x[first])))
    curve = compare.train({"a": maker(0.5)}, problem, problem, steps=2)["a"]
    assert curve.loss[0, 0] == pytest.approx(want, rel=1e-5)


def test_batches_use_every_example_before_any_comes_again():
    chosen = np.concatenate(list(compare.batches(10, 4, 5, seed=1)))
    assert sorted(chosen[:10]) == sorted(chosen[10:]) == list(range(10))
    assert not np.array_equal(chosen[:10], chosen[10:])
    with pytest.raises(ValueError, match="batch_size"):
        next(compare.batches(10, 11, 1, seed=0))


def test_a_model_that_diverges_ends_in_nan_and_the_others_go_on(problem):
    curves = compare.train({"wild": maker(float("inf")), "tame": maker(0.1)}, problem, problem, steps=8, every=4)
    assert np.isfinite(curves["wild"].loss[0, 0])
    assert np.isnan(curves["wild"].loss[0, -1])
    assert np.isfinite(curves["tame"].loss).all()
    assert np.isinf(curves["wild"].steps_to(1.1)).all()


def test_steps_to_an_accuracy():
    nothing = np.zeros((2, 3))
    curve = compare.Curves(
        loss=np.array([[4.0, 2.0, 0.0], [1.0, 1.0, np.nan]]),
        steps=np.array([0, 10, 20]),
        validation_loss=nothing,
        validation_accuracy=np.array([[0.2, 0.7, 0.9], [0.2, 0.3, np.nan]]),
        watched=[],
        seconds=np.zeros(2),
    )
    assert curve.steps_to(0.6).tolist() == [10, np.inf]
    assert curve.smooth_loss(2)[0].tolist() == [4, 3, 1]
    assert np.isnan(curve.smooth_loss(2)[1, 2])


def test_one_line_remains(problem, capsys):
    compare.train({"a": maker(0.5, metrics=())}, problem, problem, steps=2, seeds=(0, 1))
    printed, errors = capsys.readouterr()
    assert errors == ""
    assert printed.split("\r")[-1].startswith("1 model × 2 seeds, 2 steps each, in ")


def test_without_a_validation_set_the_training_loss_is_the_same_and_checks_are_nan(problem):
    with_checks = compare.train({"a": maker(0.5)}, problem, problem, steps=5)["a"]
    without = compare.train({"a": maker(0.5)}, problem, None, steps=5, watch=lambda model: "seen")["a"]
    assert np.array_equal(with_checks.loss, without.loss)
    assert np.isnan(without.validation_loss).all() and np.isnan(without.validation_accuracy).all()
    assert without.watched == [["seen", "seen"]]
