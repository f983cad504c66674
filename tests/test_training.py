"""Training with a progress bar that leaves one line behind."""

import keras
import numpy as np
import pytest

from utils.training import fit


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
