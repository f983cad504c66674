"""Run a function as a training runs it: compiled, on tensors that have no values yet."""

import keras


def compiled(function, *arrays):
    """``function(*tensors)``, compiled for tensors of these shapes and types.

    While Keras compiles the step of a training, a tensor has a shape and a type and no values. What asks for values, as
    NumPy, ``if`` and ``len`` do, works on a tensor at hand and fails there.

    Parameters
    ----------
    function : callable
        Takes tensors, returns a tensor or a list or tuple of tensors, computed by ``keras.ops``.
    *arrays : array_like

    Returns
    -------
    tensor, or list or tuple of tensors

    Examples
    --------
    >>> import numpy as np
    >>> keras.ops.convert_to_numpy(compiled(lambda x: keras.ops.sum(x**2), np.float32([1, 2, 3]))).item()
    14.0
    """
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        kinds = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]
        return tf.function(function, autograph=False).get_concrete_function(*kinds)(*tensors)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)(*tensors)
    return function(*tensors)  # others compile nothing
