"""utils.stamps: stretched and averaged stamps, and the spiral that the labs show."""

from types import SimpleNamespace

import numpy as np
import pytest

from utils import sky
from utils.stamps import binned, large_spiral


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_block_is_the_mean_of_its_stretched_pixels(dtype):
    images = np.random.default_rng(0).normal(0, 30, (3, 12, 12, 2)).astype(dtype)
    small = binned(images, 4)
    assert small.shape == (3, 4, 4, 2) and small.dtype == dtype
    assert small[1, 2, 3, 1] == pytest.approx(np.arcsinh(images[1, 6:9, 9:12, 1]).mean(), rel=1e-5)
    np.testing.assert_allclose(binned(images, 12), np.arcsinh(images))


@pytest.mark.parametrize(("shape", "size"), [((2, 8, 8), 4), ((2, 8, 6, 1), 2), ((2, 8, 8, 1), 3), ((2, 8, 8, 1), 0)])
def test_a_shape_that_cannot_be_averaged_is_named(shape, size):
    with pytest.raises(ValueError, match=r"images of shape .* not \("):
        binned(np.zeros(shape), size)


def test_the_large_spiral_is_bright_and_the_largest_on_the_sky():
    truth = sky.empty_truth(5)
    truth["magnitude"] = [18, 18, 18, 20, 18]
    truth["radius_arcsec"] = [9, 3, 4, 9, 2]
    truth["axis_ratio"] = [1, 1, 0.5, 1, 1]
    split = SimpleNamespace(truth=truth, labels=np.array([0, 1, 1, 1, 1]))
    assert large_spiral(split) == 1
    assert large_spiral(split, brighter=21) == 3
    with pytest.raises(ValueError, match="no spiral brighter than magnitude 17 among 5"):
        large_spiral(split, brighter=17)
