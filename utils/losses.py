"""What a training asks of a loss, tried out for a check: that it can be compiled, and that it has a slope."""

import keras
import numpy as np

from utils.gradients import input_gradient


def compiled(function, *arrays):
    """``function(*tensors)``, compiled for tensors of these shapes and types.

    While Keras compiles the step of a training, a tensor has a shape and a type and no values. What asks for values, as
    NumPy, ``if`` and ``len`` do, works on a tensor at hand and fails there.

    Parameters
    ----------
    function : callable
        Takes tensors, returns a tensor or a list or tuple of tensors, computed by ``keras.ops``. To be called on the
        arrays themselves before: what fails there, too, then says so in its own words.
    *arrays : array_like

    Returns
    -------
    tensor, or list or tuple of tensors

    Raises
    ------
    TypeError
        Where it fails; the text says what a training does not allow.

    Examples
    --------
    >>> keras.ops.convert_to_numpy(compiled(lambda x: keras.ops.sum(x**2), np.float32([1, 2, 3]))).item()
    14.0
    """
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    try:
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            kinds = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
            return tf.function(function, autograph=False).get_concrete_function(*kinds)(*tensors)
        if keras.backend.backend() == "jax":
            import jax

            return jax.jit(function)(*tensors)
        return function(*tensors)  # others compile nothing
    except Exception as error:  # whatever it is, there was none outside of a training
        if isinstance(error, NotImplementedError) and str(error).startswith("Exercise "):
            raise
        text = " ".join(str(error).split())[:120]
        raise TypeError(
            "works on values at hand, but not in a training: there Keras compiles the loss, and tensors have a shape "
            "and no values yet. keras.ops alone, on the whole batch: no NumPy on tensors, no loop over images or "
            "cells, no `if`, `len` or `float` of a tensor, no tensor as a position in an array (ops.take does that). "
            f"Keras says: {type(error).__name__}: {text}"
        ) from None


def slope_of(function, values):
    """Gradient of ``function(values)``, one number, with respect to the values.

    Parameters
    ----------
    function : callable
        See :func:`utils.gradients.input_gradient`.
    values : array

    Returns
    -------
    array of float32, of the shape of the values

    Raises
    ------
    TypeError
        Where there is none. What fails without a slope, too, says so in its own words.

    Examples
    --------
    >>> slope_of(lambda x: keras.ops.sum(x**2), np.float32([1, 2])).tolist()
    [2.0, 4.0]
    """
    function(values)
    try:
        found = np.asarray(input_gradient(function, values))
    except (AttributeError, TypeError, ValueError, NotImplementedError):
        found = None
    if found is None or found.dtype.kind != "f":
        raise TypeError(
            "the loss has no slope, so nothing could be learnt: compute with keras.ops, not with NumPy, and round "
            "nothing"
        )
    return found
