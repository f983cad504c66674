"""Training with a progress bar that leaves one line behind."""

import keras
import numpy as np
import pytest

from utils.training import evaluation, fit, prepare


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(130, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_one_line_remains_and_the_curves_come_back(model, problem, capsys):
    curves = fit(model, *problem, validation=problem, epochs=3, name="line")
    assert {len(curve) for curve in curves.values()} == {3}
    assert set(curves) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    printed, errors = capsys.readouterr()
    assert errors == ""
    last = printed.split("\r")[-1]
    assert last.count("\n") == 1
    assert last.startswith("line: 3 epochs in")
    assert f"loss {curves['loss'][-1]:.3f}, accuracy" in last


def test_the_line_says_how_many_epochs_an_early_stop_left(model, problem, capsys):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    fit(model, *problem, epochs=5, callbacks=[Stop()])
    assert "1 epoch in" in capsys.readouterr().out


def test_a_prepared_model_is_translated_once_and_trains_as_any_other(problem):
    passes = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            passes.append(x)
            return x

    def make():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), Counted(), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
        return model

    prepared, other = make(), make()
    prepare(prepared, problem[1])
    passes.clear()
    found = [prepared.train_on_batch(*problem, return_dict=True) for _ in range(3)]
    if keras.backend.backend() == "tensorflow":
        assert len(passes) == 1
    assert found == [other.train_on_batch(*problem, return_dict=True) for _ in range(3)]


def test_preparing_leaves_a_trained_model_as_it_is_and_forgives_one_that_is_not_built(model, problem):
    model.train_on_batch(*problem)
    before = [keras.ops.convert_to_numpy(v) for v in (*model.optimizer.variables, *model.metrics_variables)]
    prepare(model, problem[1])
    after = [keras.ops.convert_to_numpy(v) for v in (*model.optimizer.variables, *model.metrics_variables)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    unbuilt.compile("adam", "mse")
    prepare(unbuilt, problem[1])
    assert not unbuilt.built


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_evaluation_that_is_made_once_says_what_evaluate_says(model, problem, dtype):
    x, y = problem[0].astype(dtype), problem[1]
    wanted = model.evaluate(x, y, batch_size=50, verbose=0)
    made = evaluation(x, y, batch_size=50)
    assert model.evaluate(**made, verbose=0) == wanted
    assert model.evaluate(**made, verbose=0) == wanted
