"""Train a Keras model with one progress bar that leaves one line behind."""

import sys
import time

import keras
from tqdm import tqdm


def fit(model, x, y, validation=None, epochs=10, batch_size=64, name=None, callbacks=(), **options):
    """``model.fit`` with a progress bar; returns the learning curves.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    x, y : array_like
        What ``model.fit`` takes.
    validation : tuple of array_like, optional
        (x, y) on which the loss and the metrics are computed after each epoch.
    epochs, batch_size : int
    name : str, optional
        What the line left behind calls the model; its own name otherwise.
    callbacks : sequence of keras.callbacks.Callback
    **options
        Handed to ``model.fit``.

    Returns
    -------
    dict of str to list of float
        ``loss``, ``accuracy``, …, and the same with ``val_`` in front: one number an epoch.
    """
    if y is not None:
        prepare(model, y)
    bar = ProgressBar(name or model.name)
    history = model.fit(
        x,
        y,
        validation_data=validation,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[*callbacks, bar],
        **options,
    )
    return history.history


def prepare(model, y):
    """Make the variables of optimiser and metrics before the first step. It saves time and changes no number.

    TensorFlow translates the training step into a graph when it is taken first; and if a variable came into being in
    it, as happens when Keras is left to itself, it translates it once more. That takes seconds for a deep network.

    Parameters
    ----------
    model : keras.Model
        Compiled. One that has been trained stays as it is.
    y : (n, ...) array
        Labels, at least one: metrics learn from them what they have to compare.
    """
    if not model.built or model.optimizer is None or model.optimizer.built:
        return
    model.optimizer.build(model.trainable_variables)
    shape = model.output_shape
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape[1:]):
        model.compute_metrics(None, keras.ops.convert_to_tensor(y[:1]), keras.ops.zeros((1, *shape[1:])))
        model.reset_metrics()


def evaluation(x, y, batch_size=256):
    """What to hand to ``model.evaluate(**…)`` if one and the same set is to be evaluated many times.

    From arrays, Keras makes a pipeline of TensorFlow each time, which takes longer than a small network. This makes it
    once; the batches are the same.

    Parameters
    ----------
    x, y : array
    batch_size : int

    Returns
    -------
    dict
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": x, "y": y, "batch_size": batch_size}
    import tensorflow as tf

    x, y = (values.astype(keras.config.floatx()) if values.dtype.kind == "f" else values for values in (x, y))
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)}


def jit_compile():
    """What to hand to ``model.compile(jit_compile=…)``: Keras' own choice, but no XLA for TensorFlow on a CPU.

    There, compiling a small convolutional network with XLA makes its training three times slower.

    Returns
    -------
    str or bool
        ``"auto"`` or False.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False


class ProgressBar(keras.callbacks.Callback):
    """One bar over all steps of all epochs, with loss and metrics; a single line of text remains.

    Parameters
    ----------
    name : str
        What the line calls the model.
    """

    def __init__(self, name):
        super().__init__()
        self.name = name

    def on_train_begin(self, logs=None):
        self.started, self.epochs_done, self.last = time.perf_counter(), 0, {}
        steps = self.params.get("steps")
        total = steps * self.params["epochs"] if steps else None
        self.bar = tqdm(total=total, desc=self.name, file=sys.stdout, leave=False, mininterval=0.5, unit="step")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(1)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_done += 1
        self.last = dict(logs or {})
        self.bar.set_postfix_str(_in_words(self.last), refresh=False)

    def on_train_end(self, logs=None):
        self.bar.close()
        seconds = time.perf_counter() - self.started
        epochs = f"{self.epochs_done} epoch{'s' if self.epochs_done != 1 else ''}"
        print(f"{self.name}: {epochs} in {seconds:.0f} s, {_in_words(self.last)}")


def _in_words(logs):
    """ "loss 0.12, accuracy 0.96, validation loss …": the loss first, training before validation."""
    keys = sorted(logs, key=lambda key: (key.startswith("val_"), not key.endswith("loss")))
    return ", ".join(f"{key.replace('val_', 'validation ')} {logs[key]:.3f}" for key in keys)
