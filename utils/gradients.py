"""Slopes of a number with respect to the arrays it was computed from, on whichever back end Keras runs."""

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
    (found,) = gradients_of(lambda tensors: function(tensors[0]), [np.asarray(x, "float32")])
    return found


def gradients_of(function, values):
    """Gradients of ``function(values)``, one number, with respect to each of the values.

    Parameters
    ----------
    function : callable
        Takes a list of tensors, returns one number as a tensor, computed by ``keras.ops`` and Keras models alone.
    values : list of arrays or tensors

    Returns
    -------
    list of arrays, of the shapes of the values

    Raises
    ------
    ValueError
        Where Keras runs on a back end that has no gradients.
    """
    backend = keras.backend.backend()
    tensors = [keras.ops.convert_to_tensor(value) for value in values]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            number = function(tensors)
        found = tape.gradient(number, tensors)
    elif backend == "jax":
        import jax

        found = jax.grad(function)(tensors)
    elif backend == "torch":
        import torch

        tensors = [tensor.detach().requires_grad_(True) for tensor in tensors]
        found = torch.autograd.grad(function(tensors), tensors)
    else:
        raise ValueError(f"no gradients for the back end {backend!r}: use tensorflow, jax or torch")
    return [keras.ops.convert_to_numpy(gradient) for gradient in found]
