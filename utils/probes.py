"""Look into a Keras model layer by layer: the activations that leave a layer, the gradients that arrive at its weights.

A probe changes nothing in the model: within a ``keras.StatelessScope``, what a pass in training mode counts (moving
averages, states of random generators) is forgotten. All is written in Keras and runs on each of its back ends.
"""

import keras
import numpy as np

from utils.gradients import gradients_of

STATISTICS = np.dtype([("name", "U40"), ("mean", "f8"), ("std", "f8"), ("rms", "f8"), ("zeros", "f8"), ("dead", "f8")])


def weighted_layers(model):
    """The layers of a model that have a kernel (dense layers and convolutions), in order.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    list of keras.Layer
    """
    return [layer for layer in model.layers if getattr(layer, "kernel", None) is not None]


def activations(model, x, layers=None, training=False):
    """What leaves each layer, its activation function included.

    Parameters
    ----------
    model : keras.Model
        Functional or Sequential.
    x : array
        A batch, as the model takes it; all of it goes through the model at once.
    layers : sequence of keras.Layer, optional
        Those to look at; by default :func:`weighted_layers`.
    training : bool
        Dropout and batch normalisation as in training.

    Returns
    -------
    dict of str to (n, ...) array
        By the layer's name.
    """
    chosen = weighted_layers(model) if layers is None else list(layers)
    looker = keras.Model(model.inputs, [layer.output for layer in chosen])
    with keras.StatelessScope():
        outputs = looker(keras.ops.convert_to_tensor(x), training=training)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return {layer.name: keras.ops.convert_to_numpy(output) for layer, output in zip(chosen, outputs, strict=True)}


def rms(values):
    """Root of the mean square, in double precision: squares of large or small numbers leave single precision.

    Parameters
    ----------
    values : array

    Returns
    -------
    float

    Examples
    --------
    >>> print(f"{rms(np.float32([3e30, 4e30, 0, 0])):.3g}")
    2.5e+30
    """
    return np.sqrt(np.mean(np.square(values, dtype="float64")))


def statistics(values):
    """Figures that describe each layer's activations.

    Parameters
    ----------
    values : dict of str to (n, ..., units) array
        What :func:`activations` returns, or arrays by any other name.

    Returns
    -------
    (layers,) structured array
        ``name``; ``mean``; ``std``; ``rms``, the root of the mean square; ``zeros``, the share of values that are 0;
        ``dead``, the share of units (neurons, or channels of a convolution) that are 0 for every input at every place.

    Examples
    --------
    >>> table = statistics({"dense": np.array([[0.0, 3.0], [0.0, 0.0]])})
    >>> float(table["mean"][0]), float(table["rms"][0]), float(table["zeros"][0]), float(table["dead"][0])
    (0.75, 1.5, 0.75, 0.5)
    """
    rows = []
    for name, array in values.items():
        array = np.asarray(array, "float64")  # squares of what a float32 holds may overflow
        with np.errstate(all="ignore"):
            dead = np.mean(np.all(array == 0, axis=tuple(range(array.ndim - 1))))
            rows.append((name, array.mean(), array.std(), rms(array), np.mean(array == 0), dead))
    return np.array(rows, STATISTICS)


def gradients(model, x, y, layers=None, training=True):
    """Gradients of the compiled loss with respect to the kernels.

    Parameters
    ----------
    model : keras.Model
        Compiled with one loss; penalties on weights are left out.
    x, y : array
        A batch and its labels.
    layers : sequence of keras.Layer, optional
        Those to look at, each with a kernel; by default :func:`weighted_layers`.
    training : bool
        Dropout and batch normalisation as in a training step.

    Returns
    -------
    dict of str to array
        Of the kernel's shape, by the layer's name.
    """
    chosen = weighted_layers(model) if layers is None else list(layers)
    kernels = [layer.kernel for layer in chosen]
    loss_function = keras.losses.get(model.loss)
    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)

    def loss(values):
        with keras.StatelessScope(state_mapping=list(zip(kernels, values, strict=True))):
            return keras.ops.mean(loss_function(y, model(x, training=training)))

    found = gradients_of(loss, [kernel.value for kernel in kernels])
    return {layer.name: gradient for layer, gradient in zip(chosen, found, strict=True)}


def gradient_norms(model, x, y, layers=None, training=True):
    """Length (root of the sum of squares) of each layer's gradient; the arguments are those of :func:`gradients`.

    Returns
    -------
    dict of str to float
    """
    found = gradients(model, x, y, layers, training)
    return {name: float(np.sqrt(np.sum(np.square(g, dtype="float64")))) for name, g in found.items()}
