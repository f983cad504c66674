"""The slope of a number with respect to the array it was computed from, on whichever back end Keras runs."""

import keras
import numpy as np


def input_gradient(function, x):
    """Gradient of ``function(x)``, one number, with respect to x.

    Parameters
    ----------
    function : callable
        Takes a tensor, returns one number as a tensor, computed by ``keras.ops`` and Keras models alone.
    x : array

    Returns
    -------
    array of float32, of the shape of x

    Examples
    --------
    >>> input_gradient(lambda x: keras.ops.sum(x**2), np.array([1.0, 2.0, 3.0])).tolist()
    [2.0, 4.0, 6.0]
    """
    x = np.asarray(x, "float32")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensor = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = function(tensor)
        return tape.gradient(value, tensor).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    if backend == "torch":
        import torch

        tensor = keras.ops.convert_to_tensor(x).requires_grad_(True)
        return torch.autograd.grad(function(tensor), tensor)[0].cpu().numpy()
    raise ValueError(f"no gradients for the back end {backend!r}: use tensorflow, jax or torch")
