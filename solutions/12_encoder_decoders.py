# %% [markdown]
# # 12 · Encoder–decoders: back up to images
#
# **Question:** A network that classifies shrinks an image to one word. How does it get back up to an image, and can what it paints there be trusted?
#
# **You build:** four ways to make images larger; the convolution as a matrix, and its transpose, equal to Keras' layer;
# Wiener's filter and an encoder–decoder that compete for blurred galaxies; a power spectrum and periodic edges, to paint
# gas on dark matter.
#
# **Time:** 240 minutes of work, 2 minutes of CPU · **Before:** labs 02, 03 and 07 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/12_encoder_decoders.ipynb)
#
# It falls into two sittings: sections 1 to 3, sections 4 to 7.
#
# **Papers:** Long, Shelhamer & Darrell 2015, CVPR (fully convolutional networks); Odena, Dumoulin & Olah 2016, Distill
# (checkerboards); Harrington et al. 2021, arXiv:2106.12662 (painting gas); Buck & Wolf 2021, arXiv:2111.01154 (maps of stellar
# populations)

# %% tags=["setup"]
# Set-up: finds the course's files or, on Colab, fetches them. Run this cell first.
import os
import subprocess
import sys
from pathlib import Path

places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "course"]
if not any((place / "utils/lab.py").is_file() for place in places):
    address = os.environ.get("COURSE_REPOSITORY", "https://github.com/your-name/neural-networks-for-computer-vision")
    subprocess.run(["git", "clone", "-q", "--depth", "1", "--branch", "main", address, "course"], check=True)
course = str(next(place for place in places if (place / "utils/lab.py").is_file()))
if course not in sys.path:
    sys.path.insert(0, course)

from utils import lab

lab.start("12")

# %% tags=["imports"]
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import skimage
from keras import layers
from scipy.ndimage import uniform_filter

from utils import compare, density, masses, plotting, results, sky, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · Which class has this image?

# %%
picture = skimage.data.hubble_deep_field()  # (872, 1000, 3), red, green, blue
plt.figure(figsize=(7, 3.6))
plt.imshow(picture[250:550, 300:900])
plt.axis("off");

# %% [markdown]
# *Figure: a part of the Hubble eXtreme Deep Field (NASA/ESA, in scikit-image).* Spiral or elliptical? The question
# makes no sense: there are dozens of galaxies. A classifier says one word for the whole image. What astronomers want
# from such an image is most often another image: the same sky without noise; a map that says which galaxy each pixel
# belongs to (lab 13); the mass of the stars in each pixel; the gas that goes with a map of dark matter.
#
# The networks of labs 03 to 11 cannot do that, because on their way down they forget *where*: each pooling and each
# stride halves the sides, and at the end stands a list of probabilities. They have good reasons to go down: deep layers
# see large parts of the image, and they are cheap. So let them go down, and find a way back up. The way down is called
# the **encoder**, the way up the **decoder**.
#
# ## 2 · Ways up without weights
#
# Pooling with a size of 2 makes one pixel of four. How do you make four pixels of one? Two answers that need no
# thought: write the value into all four (**unpooling by copy**); or write it into the upper left one and 0 into the
# three others (**bed of nails**).
#
# **Predict:** which of the two keeps the mean of the image, and which keeps the sum?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Copying keeps the mean, and so multiplies the sum (the flux!) by size². The bed of nails keeps the sum.
#
# </details>

# %% exercise="12.1"
# Exercise 12.1
def unpool(images, size):
    """Each pixel becomes a square of size × size equal pixels.

    Parameters
    ----------
    images : (n, height, width, channels) array
    size : int

    Returns
    -------
    (n, height * size, width * size, channels) array
        The numbers keep their type.

    Example
    -------
    A row of two pixels, size 2: np.array([[[[1], [5]]]]) becomes [[[[1], [1], [5], [5]], [[1], [1], [5], [5]]]].
    """
    ### BEGIN SOLUTION
    return images.repeat(size, axis=1).repeat(size, axis=2)
    ### END SOLUTION


def bed_of_nails(images, size):
    """Each pixel becomes the upper left pixel of a square of size × size pixels that are 0 otherwise.

    Parameters and result as in `unpool`.

    Example
    -------
    np.array([[[[1], [5]]]]) with size 2 becomes [[[[1], [0], [5], [0]], [[0], [0], [0], [0]]]].
    """
    ### BEGIN SOLUTION
    n, height, width, channels = images.shape
    result = np.zeros((n, height * size, width * size, channels), images.dtype)
    result[:, ::size, ::size] = images
    return result
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.1", (unpool, bed_of_nails))

# %% [markdown]
# Both forget something that was known on the way down. Max pooling (lab 02) keeps the largest of four pixels; *which of
# the four* it was is thrown away. One can keep it: a small map of **switches**, one number for each square, that says
# where the maximum was. **Max-unpooling** puts every value back to its own place (Zeiler & Fergus 2014).
#
# We number the places in a square row by row: with a size of 2 the upper two are 0 and 1, the lower two 2 and 3.

# %% exercise="12.2"
# Exercise 12.2
def max_pool_with_switches(images, size):
    """The largest pixel of each square, and where in the square it stood.

    Parameters
    ----------
    images : (n, height, width, channels) array
        Height and width are multiples of size. Every channel for itself.
    size : int

    Returns
    -------
    pooled : (n, height / size, width / size, channels) array
    switches : array of int, of the same shape
        From 0 to size² - 1, row by row; of equal pixels the first one counts.

    Example
    -------
    Of one square [[1, 7], [3, 4]] the maximum is 7, and the switch 1.
    """
    ### BEGIN SOLUTION
    n, height, width, channels = images.shape
    squares = images.reshape(n, height // size, size, width // size, size, channels)
    squares = squares.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // size, width // size, size * size, channels)
    return squares.max(axis=3), squares.argmax(axis=3)
    ### END SOLUTION


def max_unpool(pooled, switches, size):
    """Each value at the place in its square that the switch says, 0 elsewhere.

    Parameters
    ----------
    pooled : (n, rows, columns, channels) array
    switches : array of int, of the same shape
    size : int

    Returns
    -------
    (n, rows * size, columns * size, channels) array

    Example
    -------
    The value 7 with the switch 1 and size 2 becomes [[0, 7], [0, 0]].
    """
    ### BEGIN SOLUTION
    n, rows, columns, channels = pooled.shape
    places = np.arange(size * size)[:, None]
    squares = np.where(switches[:, :, :, None] == places, pooled[:, :, :, None], 0)  # (n, rows, columns, size², channels)
    squares = squares.reshape(n, rows, columns, size, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return squares.reshape(n, rows * size, columns * size, channels)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.2", (max_pool_with_switches, max_unpool))

# %% [markdown]
# The third way is smooth. **Bilinear** interpolation asks where the middle of each new pixel lies between the middles
# of the old ones, and takes a weighted mean of its neighbours. In one dimension, with pixels counted from 0 and `size`
# times as many of them, the middle of the new pixel $i$ lies at the old place
#
# $$x = \frac{i + \frac12}{\text{size}} - \frac12 .$$
#
# A place $x$ between the old pixels $a$ and $a + 1$ gets $(a + 1 - x)$ of the first and $(x - a)$ of the second. A
# place before the first pixel or behind the last takes that pixel.
#
# All of this is a weighted sum of old pixels, so it can be written as a **matrix**: one row for each new pixel, one
# column for each old one. Remember this thought, we need it in a minute. In two dimensions the matrix works on the rows
# and on the columns of the image: $A_\text{rows}\, I\, A_\text{columns}^T$.

# %% exercise="12.3"
# Exercise 12.3
def interpolation_matrix(n, size):
    """Weights of linear interpolation from n pixels to n * size.

    Parameters
    ----------
    n : int
        Number of old pixels.
    size : int

    Returns
    -------
    (n * size, n) array

    Example
    -------
    interpolation_matrix(2, 2) is [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]].
    """
    ### BEGIN SOLUTION
    place = (np.arange(n * size) + 0.5) / size - 0.5
    place = np.clip(place, 0, n - 1)
    return np.maximum(1 - abs(place[:, None] - np.arange(n)), 0)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.3", interpolation_matrix)

# %% [markdown]
# Here are the four side by side. A stamp of 48 × 48 pixels goes down to 12 × 12 by max pooling of 4, and up again.

# %%
truth = sky.empty_truth(1)
truth["radius_arcsec"], truth["axis_ratio"], truth["position_angle"], truth["magnitude"] = 1.4, 0.7, 30, 18.5
truth["arm_strength"], truth["arm_count"], truth["arm_sharpness"], truth["bulge_fraction"] = 0.8, 2, 4, 0.15
truth["bulge_radius_arcsec"] = 0.3
spiral = np.arcsinh(sky.render(truth, sky.SURVEYS["HSC"], 48)[..., 1:2])  # (1, 48, 48, 1)
small, switches = max_pool_with_switches(spiral, 4)
A = interpolation_matrix(12, 4)
ups = {
    "the galaxy": spiral,
    "max pooling of 4": small,
    "copy": unpool(small, 4),
    "bed of nails": bed_of_nails(small, 4),
    "with switches": max_unpool(small, switches, 4),
    "bilinear": (A @ small[0, :, :, 0] @ A.T)[None, :, :, None],
}
plotting.gallery([image[0, :, :, 0] for image in ups.values()], list(ups), columns=6, size=1.6)

layer = layers.UpSampling2D(4)
smooth = layers.UpSampling2D(4, interpolation="bilinear")
for name, made_by_keras in {"copy": layer(small), "bilinear": smooth(small)}.items():
    difference = np.abs(keras.ops.convert_to_numpy(made_by_keras) - ups[name]).max()
    print(f"{name}: largest difference from keras.layers.UpSampling2D {difference:.0e}")

# %% [markdown]
# *Figure: down and up again in four ways.* Copying leaves blocks, nails leave holes. With switches the largest values
# stand where they stood, so that edges keep their place, but there are holes as well: a convolution has to fill them.
# None of them has a weight to learn. For that we need a layer.
#
# ## 3 · A convolution is a matrix, so it has a transpose
#
# A convolution, too, is a weighted sum. Write all pixels of the image one below the other, row by row, as a vector $x$
# of height · width numbers. Then each output is the product of $x$ with a row of a matrix $C$, in which the kernel's
# weights stand where the kernel lies on the image, and zeros elsewhere:
#
# $$y = C\,x .$$
#
# $C$ goes from many pixels to few. Its **transpose** $C^T$ goes from few to many: that is the whole idea.
#
# (As in lab 02, what networks call convolution does not turn the kernel round. `padding` is a number of zeros around
# the image, on all four sides; they need no column, as they add nothing.)

# %% exercise="12.4"
# Exercise 12.4
def convolution_matrix(height, width, kernel, stride=1, padding=0):
    """The matrix C of a convolution: its output, row by row, is C @ image.ravel().

    Parameters
    ----------
    height, width : int
        Of the image.
    kernel : (kernel_height, kernel_width) array
        Not turned round.
    stride : int
    padding : int
        Rows and columns of zeros on each side of the image.

    Returns
    -------
    (outputs, height * width) array
        The outputs are numbered row by row, as the pixels are.

    Example
    -------
    convolution_matrix(1, 4, np.array([[7, 8]])) is [[7, 8, 0, 0], [0, 7, 8, 0], [0, 0, 7, 8]]; with stride 2 the
    middle row is missing.
    """
    ### BEGIN SOLUTION
    rows = (height + 2 * padding - kernel.shape[0]) // stride + 1
    columns = (width + 2 * padding - kernel.shape[1]) // stride + 1
    matrix = np.zeros((rows, columns, height + 2 * padding, width + 2 * padding))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            matrix[row, column, top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    inside = matrix[:, :, padding : padding + height, padding : padding + width]
    return inside.reshape(rows * columns, height * width)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.4", convolution_matrix)

# %%
kernel = np.arange(1.0, 10).reshape(3, 3)
C = convolution_matrix(6, 6, kernel, stride=2, padding=1)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), width_ratios=[36, 9, 9], height_ratios=[1])
for axis, (name, matrix) in zip(axes, {"C": C, "Cᵀ": C.T, "C Cᵀ": C @ C.T}.items(), strict=True):
    axis.imshow(np.where(matrix == 0, np.nan, matrix), cmap="viridis")
    axis.set(title=f"{name}: {matrix.shape[0]} × {matrix.shape[1]}")
axes[0].set(xlabel="pixel of the image", ylabel="output")
axes[1].set(xlabel="output", ylabel="pixel of the image")
axes[2].set(xlabel="output", ylabel="output");

# %% [markdown]
# *Figure: the matrix of a 3 × 3 convolution with stride 2 and padding 1 on a 6 × 6 image, its transpose, and the
# product of both; zeros are white.* In each row of $C$ stand the same nine weights (fewer where the kernel hangs over
# the edge), moved on by two pixels from one output to the next, and by two rows of the image from one row of outputs to
# the next: that is what "shared weights" looks like.
#
# Look at the third. Were the transpose the **inverse**, $C\,C^T$ would be 1 on the diagonal and 0 elsewhere. It is not.
# People call this layer "deconvolution"; it does not undo a convolution, and nobody can: 9 numbers do not hold 36. (The
# best way back would lose three quarters of a random image; we measure what $C^T$ loses. To undo a blur is the business
# of section 4.) It has the *shape* of the way back, and weights of its own to learn.
#
# Does Keras mean the same by "transposed"? `keras.ops.conv_transpose` wants kernels of shape (rows, columns, output
# channels, input channels): the last two swapped, as the data go the other way.

# %%
rng = np.random.default_rng(lab.seed)
differences = []
for kernel_side in (2, 3, 4, 5):
    for stride in (1, 2, 3):
        for padding in ("valid", "same"):
            if kernel_side < stride:
                continue
            kernel = rng.normal(size=(kernel_side, kernel_side))
            # an image for which the strides come out even, so that Keras finds the size that we started from
            side = 4 * stride if padding == "same" else 3 * stride + kernel_side
            if padding == "valid":
                C = convolution_matrix(side, side, kernel, stride)
            else:  # Keras pads the side of the end more where the number is odd
                total = max(kernel_side - stride, 0)
                wide = convolution_matrix(side + total, side + total, kernel, stride)
                keep = slice(total // 2, total // 2 + side)
                C = wide.reshape(-1, side + total, side + total)[:, keep, keep].reshape(-1, side * side)
            y = rng.normal(size=(1, 4, 4, 1)).astype("float32")
            by_hand = (C.T @ y.ravel()).reshape(side, side)
            kernel = kernel[:, :, None, None].astype("float32")
            by_keras = keras.ops.conv_transpose(y, kernel, strides=stride, padding=padding)
            by_keras = keras.ops.convert_to_numpy(by_keras)[0, :, :, 0]
            differences.append(np.abs(by_hand - by_keras).max() / np.abs(by_hand).max())
transpose_difference = max(differences)
x = rng.normal(size=(200, 36))
C = convolution_matrix(6, 6, np.full((3, 3), 1 / 9), stride=2, padding=1)
scaled = (x @ C.T @ C) * np.sum(x * (x @ C.T @ C)) / np.sum((x @ C.T @ C) ** 2)
lost = np.sum((x - scaled) ** 2) / np.sum(x**2)
agrees = transpose_difference < 1e-5
print(f"{len(differences)} kernels, strides and paddings: largest relative difference below 1e-5: {agrees}")
print(f"down by C and up by Cᵀ, at the best scale: {lost:.0%} of random images is lost")

# %% [markdown]
# So `Conv2DTranspose` is $C^T$, but for the rounding of numbers with 32 bits. In practice nobody builds the matrix: it
# is nearly all zeros. What does $C^T$ do to an image? A column of $C^T$ is a row of $C$, one kernel at its place. So
# each pixel of the small image puts down a *copy of the kernel*, multiplied by its value, `stride` pixels beside its
# neighbour's copy; where copies overlap, they add up. Write it so, with channels. And how large is the result? Turn
# round lab 02's formula:
#
# $$N_\text{out} = (N - 1)\, s + k - 2 p .$$

# %% exercise="12.5"
# Exercise 12.5
def transposed_size(size, kernel, stride, padding):
    """Pixels along a side of what a transposed convolution makes.

    Parameters
    ----------
    size : int
        Pixels along a side of what it is given.
    kernel, stride, padding : int
        Of the convolution whose transpose it is.

    Returns
    -------
    int

    Example
    -------
    transposed_size(4, 3, 2, 0) is 9: copies of 3 pixels that begin at 0, 2, 4 and 6.
    """
    ### BEGIN SOLUTION
    return (size - 1) * stride + kernel - 2 * padding
    ### END SOLUTION


def conv2d_transpose(images, kernels, stride=1):
    """Transposed convolution without padding: every pixel puts down its value times the kernel.

    Parameters
    ----------
    images : (n, height, width, channels_in) array
    kernels : (kernel_height, kernel_width, channels_out, channels_in) array
    stride : int
        At most as large as the kernel.

    Returns
    -------
    (n, out_height, out_width, channels_out) array of float

    Example
    -------
    One channel, the row [1, 2] with the kernel [[10, 20, 30]] and stride 1: [10, 20 + 20, 30 + 40, 60].
    """
    ### BEGIN SOLUTION
    n, height, width, _ = images.shape
    kernel_height, kernel_width, channels, _ = kernels.shape
    out_height = transposed_size(height, kernel_height, stride, 0)
    out_width = transposed_size(width, kernel_width, stride, 0)
    result = np.zeros((n, out_height, out_width, channels))
    for row in range(kernel_height):
        for column in range(kernel_width):
            rows = slice(row, row + (height - 1) * stride + 1, stride)
            columns = slice(column, column + (width - 1) * stride + 1, stride)
            result[:, rows, columns] += images @ kernels[row, column].T
    return result
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.5", (transposed_size, conv2d_transpose))

# %% [markdown]
# ### Checkerboards
#
# Give it the dullest of all images, all ones, and the dullest of kernels, all ones as well. What comes out counts by
# how many copies each pixel is covered.
#
# **Predict** the picture for a kernel of 3 and a stride of 2. And for a kernel of 4?

# %%
ones = np.ones((1, 8, 8, 1))


def random_decoder(kernel_size, seed):
    """Two layers up with random weights, applied to ones: what an untrained decoder makes of a constant image."""
    rng = np.random.default_rng(seed)
    x = np.ones((1, 8, 8, 8))
    for _ in range(2):
        x = conv2d_transpose(x, rng.normal(size=(kernel_size, kernel_size, 8, 8)) / (2 * kernel_size), stride=2)
    return x[0, 8:-8, 8:-8, 0]  # without the border


def resize_convolution(seed):
    """The same with copies and a plain convolution of 3 × 3 in the place of each transposed one."""
    rng = np.random.default_rng(seed)
    x = np.ones((1, 8, 8, 8))
    for _ in range(2):
        x = conv2d_transpose(unpool(x, 2), rng.normal(size=(3, 3, 8, 8)) / 6, stride=1)
    return x[0, 8:-8, 8:-8, 0]


coverage = {k: conv2d_transpose(ones, np.ones((k, k, 1, 1)), stride=2)[0, 2:-2, 2:-2, 0] for k in (3, 4)}
unevenness = {k: counts.max() / counts.min() for k, counts in coverage.items()}
drawn = {
    "kernel 3, stride 2": [random_decoder(3, [lab.seed, i]) for i in range(200)],
    "kernel 4, stride 2": [random_decoder(4, [lab.seed, i]) for i in range(200)],
    "copy, then convolution": [resize_convolution([lab.seed, i]) for i in range(200)],
}
figure, axes = plt.subplots(2, 4, figsize=(10, 5.2))
for axis, (k, counts) in zip(axes[:, 0], coverage.items(), strict=True):
    image = axis.imshow(counts, vmin=0, vmax=4, cmap="viridis")
    axis.set(title=f"copies over each pixel,\nkernel {k}, stride 2")
    figure.colorbar(image, ax=axis, shrink=0.8)
for column, (name, pictures) in zip(axes.T[1:], drawn.items(), strict=True):
    strength = np.sqrt(np.mean(np.square(pictures), axis=0))
    column[0].imshow(pictures[0][:16, :16], vmin=-2 * strength.max(), vmax=2 * strength.max())
    column[0].set(title=f"{name}:\none random decoder")
    column[1].imshow(strength[:16, :16], vmin=0, vmax=1.5 * strength.max())
    column[1].set(title="rms of 200 of them")
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
print(", ".join(f"kernel {k}: from {c.min():.0f} to {c.max():.0f} copies" for k, c in coverage.items()))

# %% [markdown]
# *Figure: left, how many copies of the kernel cover each pixel. Right, what two layers with random weights make of a
# constant image: one example (above), and the root of the mean square of 200 (below).* With 3 and 2 the copies overlap
# here and not there: some pixels get four times as much as others. That is a **checkerboard** (Odena, Dumoulin & Olah
# 2016). A network can learn weights that even it out, but it has to, at every brightness. With a kernel that the stride
# divides, all pixels are covered alike. That does not forbid patterns (the single decoder with kernel 4 shows one: the
# four places in a square still have different weights), but it no longer forces any. Copy and convolve cannot make one
# at all: a constant stays constant. It pays with a convolution on the large image, which costs four times as much as
# the same one on the small image.
#
# From here on we take `Conv2DTranspose` with a kernel of 4 and a stride of 2, or copies and a convolution.
#
# ## 4 · Down and up: a task
#
# A telescope gives us a blurred and noisy image $y$ of the sky $x$:
#
# $$y = h * x + \text{noise}.$$
#
# $h$ is the **point-spread function** (PSF), the image of a star. We want $x$ back. The blurring is a convolution, so a
# Fourier transform turns it into a product, and one would like to divide by it. But fine details are what the blurring
# has suppressed most, and the noise has not: dividing multiplies that noise, with the blur below for the shortest waves
# by more than a hundred million.
#
# Our galaxies are ellipticals and spirals of 48 × 48 pixels of 0.2″, as a good telescope would see them (FWHM 0.45″).
# Each is divided by the root of its mean square, so that every galaxy has a root mean square of 1. Then they are
# blurred by a Gaussian with σ of 2 pixels (FWHM 0.94″), and noise of a standard deviation between 0.02 and 0.5 is
# added. Besides those on which we train there are two kinds of galaxies that no network of this section ever sees in
# training: edge-on discs, and irregular galaxies, half of them pairs that merge.

# %%
SIDE = 48
space = sky.Survey(
    name="sharp",
    bands=("r",),
    wavelengths=(620.0,),
    pixel_scale=0.2,
    psf_fwhm=(0.45,),
    psf_beta=3.0,
    depth=(30.0,),
    sky_brightness=(21.0,),
    zero_point=27.0,
)
rng = np.random.default_rng([lab.seed, 12])


def draw_sharp(n, kinds):
    """Images without noise of galaxies of some kinds, each with a root mean square of 1: (n, 48, 48) array."""
    images = sky.render(sky.draw_galaxies(n, rng, kinds=kinds, magnitude=(19, 22)), space, SIDE)[..., 0]
    return images / np.sqrt(np.mean(images**2, axis=(1, 2), keepdims=True))


row, column = np.mgrid[:SIDE, :SIDE] - SIDE // 2
psf = np.exp(-(row**2 + column**2) / (2 * 2.0**2))
psf = psf / psf.sum()  # (48, 48), its middle at row and column 24


def blurred(images):
    """Convolved with the PSF; what leaves on one side comes back on the other, as the Fourier transform has it."""
    return np.fft.ifft2(np.fft.fft2(images) * np.fft.fft2(np.fft.ifftshift(psf))).real


sharp_train = draw_sharp(1500, ("elliptical", "spiral"))
sharp_test = {
    "elliptical, spiral": draw_sharp(120, ("elliptical", "spiral")),
    "edge-on": draw_sharp(120, ("edge-on",)),
    "irregular": draw_sharp(120, ("irregular",)),
}
blurred_train = blurred(sharp_train)
noises = (0.02, 0.05, 0.1, 0.2, 0.5)
seen_test = {
    (kind, noise): blurred(images) + noise * rng.normal(size=images.shape)
    for kind, images in sharp_test.items()
    for noise in noises
}

some = (4, 7, 12)
shown = [("what is there", sharp_test["elliptical, spiral"])]
shown += [(f"seen, noise {noise}", seen_test["elliptical, spiral", noise]) for noise in (0.05, 0.5)]
panels = [np.arcsinh(3 * images[i]) for _, images in shown for i in some]
plotting.gallery(panels, [title for title, _ in shown for _ in some], columns=3, size=1.7)

# %% [markdown]
# *Figure: three galaxies as they are, and as they are seen with little noise and with much.*
#
# ### The best straight line: Wiener's filter
#
# Before networks there was an answer, and one has to beat it before one may boast. Among all *linear* filters that
# treat each wave by itself, the one with the smallest mean square error is (Wiener 1949)
#
# $$\hat x(k) = \frac{H^*(k)}{|H(k)|^2 + N(k) / S(k)}\; y(k),$$
#
# where $H$, $\hat x$ and $y$ are Fourier transforms, $N(k)$ is the mean power of the noise in a wave with wave vector
# $k$ and $S(k)$ that of the galaxies. Where the signal is strong it divides by $H$; where noise prevails it gives up
# and returns 0. It needs to know how noisy the image is, and what galaxies look like on average: we give it both.
#
# **Careful:** a Fourier transform counts pixels from the first. A PSF whose middle is at pixel (24, 24) would move the
# image by 24 pixels. `np.fft.ifftshift` moves that middle to (0, 0).

# %% exercise="12.6"
# Exercise 12.6
def wiener(images, psf, noise_to_signal):
    """Wiener's filter for each image.

    Parameters
    ----------
    images : (n, height, width) array
    psf : (height, width) array
        Its middle is at row height // 2 and column width // 2. Take it as it is: its sum need not be 1.
    noise_to_signal : number, or (height, width) array
        N / S for each element of np.fft.fft2 of an image.

    Returns
    -------
    (n, height, width) array of float

    Example
    -------
    With a PSF that is 1 in its middle and 0 elsewhere, and noise_to_signal = 1, every image is halved.
    """
    ### BEGIN SOLUTION
    transfer = np.fft.fft2(np.fft.ifftshift(psf))
    gain = np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal)
    return np.fft.ifft2(np.fft.fft2(images) * gain).real
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.6", wiener)

# %%
signal = np.mean(np.abs(np.fft.fft2(sharp_train)) ** 2, axis=0)  # mean power of each wave, from the training set
noise_power = SIDE**2  # of noise with a standard deviation of 1


def restore(noise):
    """Wiener's filter for noise of this standard deviation, as a function of images."""
    return lambda images: wiener(images, psf, noise**2 * noise_power / signal)


one = seen_test["elliptical, spiral", 0.1][0]
flat = noise_power * 0.1**2 / signal.mean()
ours = wiener(one[None], psf, flat)[0]
theirs = skimage.restoration.wiener(one, psf, balance=flat, reg=np.ones((1, 1)), clip=False)
print(f"skimage.restoration.wiener with the same constant N/S differs by {np.abs(ours - theirs).max():.0e} at most")

# %% [markdown]
# ### Encoder–decoder
#
# Now the network. It goes down by convolutions of 4 × 4 with a stride of 2, and up by the same number of transposed
# ones; at the lowest place, the **bottleneck**, stands a convolution of 3 × 3. `keras.Input((None, None, 1))` leaves
# height and width open: no layer asks for them, as there is nothing dense and nothing flat. Such a network is called
# **fully convolutional**. Its sides need to be multiples of $2^n$ for $n$ steps down, that is all.

# %% exercise="12.7"
# Exercise 12.7
def encoder_decoder(filters, bands=1):
    """A fully convolutional network from images to images of the same size.

    Parameters
    ----------
    filters : list of int
        Channels after each step down, e.g. [16, 32]. The caller's list: leave it as it is.
    bands : int
        Channels of the images, before and after.

    Returns
    -------
    keras.Model
        Input of any height and width. For each number in filters a Conv2D with that many filters, kernel 4, strides 2.
        Then a Conv2D with the last number of filters and kernel 3. Then as many Conv2DTranspose with kernel 4 and
        strides 2, with the numbers of filters in reverse order. All of these have padding "same" and ReLU. At last a
        Conv2D with `bands` filters, kernel 3, padding "same" and no activation.

    Example
    -------
    encoder_decoder([16, 32]) has six layers with weights, and 42 513 weights.
    """
    ### BEGIN SOLUTION
    inputs = x = keras.Input((None, None, bands))
    for n in filters:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(filters[-1], 3, padding="same", activation="relu")(x)
    for n in reversed(filters):
        x = layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(bands, 3, padding="same")(x))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.7", encoder_decoder)

# %% [markdown]
# We train two. One goes down twice, to 12 × 12 pixels of 32 channels: that is 4608 numbers for an image of 2304, no
# lack of room. The other goes down three times, to 6 × 6 pixels of 8 channels: 288 numbers, an eighth of what comes in.
# Both learn to make the sharp image of the blurred one, by the mean square error; each batch gets new noise of a new
# strength. Nobody tells them how strong it is.
#
# **Predict:** which one will be better at little noise? Which at much noise? Where will Wiener win?

# %%
def train(model, make_batch, n, steps, rate=0.004, batch_size=16):
    """Train on batches that make_batch(chosen) returns: images, targets and, if it likes, weights of the pixels."""
    sinking = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(sinking), "mse", jit_compile=training.jit_compile())
    for chosen in compare.batches(n, batch_size, steps, seed=lab.seed):
        model.train_on_batch(*make_batch(chosen))
    return model


def apply(model, images):
    """The model's output for (n, height, width, channels) images, 100 at a time."""
    pieces = [model(np.float32(images[i : i + 100]), training=False) for i in range(0, len(images), 100)]
    return np.concatenate([keras.ops.convert_to_numpy(piece) for piece in pieces])


def pick(*arrays):
    """The function that takes the chosen rows of each array, as `train` wants it."""
    return lambda chosen: tuple(array[chosen] for array in arrays)


def noisy_batch(chosen):
    noise = np.exp(rng.uniform(np.log(0.02), np.log(0.5), size=(len(chosen), 1, 1)))
    seen = blurred_train[chosen] + noise * rng.normal(size=(len(chosen), SIDE, SIDE))
    return np.float32(seen[..., None]), np.float32(sharp_train[chosen][..., None])


networks = {}
settings = {"wide bottleneck": ([16, 32], 600, 0.003), "narrow bottleneck": ([16, 32, 8], 350, 0.002)}
for name, (filters, steps, rate) in settings.items():
    keras.utils.set_random_seed(lab.seed)
    networks[name] = train(encoder_decoder(filters), noisy_batch, len(sharp_train), steps, rate, batch_size=8)
    print(f"{name}: {networks[name].count_params()} weights")


def relative_error(restored, right):
    """Root mean square of the difference, in units of the galaxies' own."""
    return np.sqrt(np.mean((restored - right) ** 2) / np.mean(right**2))


errors = {}
for (kind, noise), images in seen_test.items():
    right = sharp_test[kind]
    errors[kind, "nothing done", noise] = relative_error(images, right)
    errors[kind, "Wiener", noise] = relative_error(restore(noise)(images), right)
    for name, model in networks.items():
        errors[kind, name, noise] = relative_error(apply(model, images[..., None])[..., 0], right)

styles = {"nothing done": ":", "Wiener": "s--", "wide bottleneck": "o-", "narrow bottleneck": "^-"}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), sharey=True)
for axis, kind in zip(axes, sharp_test, strict=True):
    for name, style in styles.items():
        axis.plot(noises, [errors[kind, name, noise] for noise in noises], style, label=name)
    axis.set(title=kind, xlabel="noise (rms of the galaxy = 1)", xscale="log", ylim=(0, 0.8))
    axis.set_xticks(noises, [str(noise) for noise in noises])
    axis.minorticks_off()
axes[0].set_ylabel("relative error")
axes[0].legend(fontsize="small", loc="upper left")
denoise_ratio = errors["elliptical, spiral", "wide bottleneck", 0.1] / errors["elliptical, spiral", "Wiener", 0.1]
unlike_ratio = errors["irregular", "wide bottleneck", 0.02] / errors["irregular", "Wiener", 0.02]
narrow_ratio = errors["irregular", "narrow bottleneck", 0.1] / errors["irregular", "Wiener", 0.1]
print(f"error, network (wide) / Wiener: like its training set, noise 0.1: {denoise_ratio:.2f}; ", end="")
print(f"irregular, noise 0.02: {unlike_ratio:.2f}")

# %% [markdown]
# *Figure: relative error against the noise, for galaxies like those of the training set (left) and for two kinds it
# never saw.* On its own kind the wide network beats Wiener's filter at every noise, and by half where the noise is
# strong. It has a floor, though: as the noise goes to 0 its error does not follow, because what was not learnt in 600
# steps, or does not fit through, is missing at any noise. The narrow network has a higher floor, and beats Wiener only
# where there is much noise. (It was trained less, too. That is a small part of it: with the steps and the rate of the
# wide one, its error on irregular galaxies was 0.50 in place of 0.54 when we tried.)
#
# On other kinds the tables turn. With little noise Wiener's filter wins: it knows nothing but averages, and has no
# galaxy in mind. With much noise the wide network wins there, too. The narrow one is worse than Wiener at every noise,
# and on irregular galaxies mostly worse than doing nothing. Let us look at what it does.

# %%
kind, noise = "irregular", 0.05
images, right = seen_test[kind, noise], sharp_test[kind]
restored = {"seen": images, "Wiener": restore(noise)(images)}
restored |= {name: apply(model, images[..., None])[..., 0] for name, model in networks.items()}
restored["what is there"] = right
misled = np.mean((restored["narrow bottleneck"] - right) ** 2, axis=(1, 2))
worst = np.argsort(-misled)[[2, 6, 10]]
panels = [np.arcsinh(3 * version[i]) for i in worst for version in restored.values()]
plotting.gallery(panels, list(restored) * 3, columns=5, size=1.8)

# %% [markdown]
# *Figure: three irregular galaxies on which the narrow network errs much: seen (noise 0.05), restored in three ways,
# and the truth.* Two or three galaxies come back as one, with its centre where none of them has any: the narrow network
# says what it knows, and it knows ellipticals and spirals, one in the middle of each image. Nothing in its picture
# tells you so. A narrow bottleneck is a strong **prior**, an opinion held before looking: a help where it is right, and
# an inventor where it is not. **So never show a restored image without the test that shows what the method does to
# objects unlike its training set.**
#
# One more thing: to the eye the wide network beats Wiener's filter here, to the mean square it does not (the figure
# before, at 0.05). The eye sees the ripples in the dark sky; the mean square counts the bright pixels. Which of the two
# matters hangs on what you want to measure.
#
# ## 5 · Train small, run large: painting gas on dark matter
#
# A simulation of dark matter alone is cheap: nothing but gravity. One that follows the gas as well, with its pressure
# and its heat, costs far more, so that its boxes are small. Harrington et al. (2021) train a network on small boxes
# where both are known, and let it *paint* the gas into large ones where only the dark matter is. They do so in three
# dimensions with a simulation; we do it in two, with a toy whose rules you can read in `utils/density.py`:
#
# - the dark matter is **log-normal**: the exponential of a Gaussian random field with a known spectrum;
# - the gas is the matter, smoothed by its pressure over 0.3 Mpc/h;
# - gas is hotter where it is dense, and hotter still where there is much matter within about a Mpc;
# - what we paint is the share of a quasar's light that gets through the gas (its neutral hydrogen absorbs in the
#   Lyman-α line).
#
# The boxes are **periodic**: what leaves on the right comes back on the left, as in all such simulations. A small box
# has 32 × 32 pixels and is 8 Mpc/h wide, a large one has 16 times the area. (1 Mpc is 3.26 million light years; $h$,
# about 0.7, is Hubble's constant in units of 100 km/s/Mpc. Distances that are measured by redshifts come in Mpc/h.)

# %%
rng = np.random.default_rng([lab.seed, 5])
matter, large_matter = density.dark_matter(400, 32, rng), density.dark_matter(12, 128, rng)
light, large_light = density.transmitted(matter), density.transmitted(large_matter)
figure, axes = plt.subplots(1, 4, figsize=(10, 3.4), width_ratios=[1, 1, 3, 3])
for axis, (title, box, options) in zip(
    axes,
    (
        ("small: matter", np.log10(matter[0]), {"vmin": -1, "vmax": 1}),
        ("light", light[0], {"vmin": 0, "vmax": 1}),
        ("large box: matter (log₁₀)", np.log10(large_matter[0]), {"vmin": -1, "vmax": 1}),
        ("share of light that gets through", large_light[0], {"vmin": 0, "vmax": 1}),
    ),
    strict=True,
):
    width = density.PIXEL * len(box)
    axis.imshow(box, cmap="magma" if "matter" in title else "viridis", extent=(0, width, 0, width), **options)
    axis.set(title=title, xlabel="Mpc/h")

# %% [markdown]
# *Figure: a small periodic box and a large one, matter and light.* Where there is matter, the light is taken away.
#
# ### Statistics to judge by: the power spectrum
#
# Whether each pixel is right is one question. Cosmologists ask another one: are there as many structures of each size
# as there should be? The **power spectrum** $P(k)$ says how much of the variance comes from waves with wave number $k =
# 2\pi / \lambda$. For a map $m$ of $n \times n$ pixels of side $p$
#
# $$P(k) = \frac{p^2}{n^2}\; \big\langle\, |\tilde m(\boldsymbol k)|^2 \,\big\rangle_{|\boldsymbol k| \approx k} ,$$
#
# with the Fourier transform $\tilde m$ as `np.fft.fft2` gives it, and the mean over all maps and all wave vectors
# $\boldsymbol k$ whose length falls into a bin (all directions alike: the *azimuthal* mean). Wave numbers along an axis
# are $2\pi$ times `np.fft.fftfreq(n, p)`. Parseval's theorem is a test: the sum of $|\tilde m|^2$ over all waves is
# $n^2$ times the sum of $m^2$ over all pixels.

# %% exercise="12.8"
# Exercise 12.8
def power_spectrum(maps, pixel, edges):
    """Azimuthally averaged power spectrum of square periodic maps.

    Parameters
    ----------
    maps : (n, side, side) array
    pixel : float
        Side of a pixel [Mpc/h].
    edges : (bins + 1,) array
        A bin reaches from one edge (included) to the next (not included) [h/Mpc]. Every bin has a wave in it. The one
        with k = 0 counts like any other.

    Returns
    -------
    (bins,) array
        Mean power of the waves in each bin, and of all maps [(Mpc/h)²].

    Example
    -------
    Noise with a standard deviation of 3 and independent pixels of 0.5 Mpc/h has the power 3² · 0.5² = 2.25 at every k.
    """
    ### BEGIN SOLUTION
    side = maps.shape[-1]
    power = np.mean(np.abs(np.fft.fft2(maps)) ** 2, axis=0) * pixel**2 / side**2
    k = 2 * np.pi * np.fft.fftfreq(side, pixel)
    length = np.hypot(k[:, None], k[None, :])
    return np.array([power[(length >= low) & (length < high)].mean() for low, high in pairwise(edges)])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.8", power_spectrum)

# %% [markdown]
# The logarithm of our matter is a Gaussian field, and we know the spectrum that it was drawn from.

# %%
edges = np.linspace(0.5, 8, 16)  # h/Mpc
middle = (edges[:-1] + edges[1:]) / 2
measured = power_spectrum(np.log(large_matter), density.PIXEL, edges)
lengths = density.wavenumbers(128)
put_in = [density.input_spectrum(lengths[(lengths >= a) & (lengths < b)]).mean() for a, b in pairwise(edges)]
figure, axis = plt.subplots(figsize=(6, 3.6))
axis.plot(middle, put_in, "k-", label="put in: log of the matter")
axis.plot(middle, measured, "o", label="measured: log of the matter")
axis.plot(middle, power_spectrum(large_light, density.PIXEL, edges), "s--", label="measured: light")
axis.set(xlabel="k (h/Mpc)", ylabel="P(k) ((Mpc/h)²)", yscale="log", xlim=(0, None))
axis.legend()
parseval = np.sum(np.abs(np.fft.fft2(light[0])) ** 2) / (32**2 * np.sum(light[0] ** 2))
spectrum_error = np.mean(np.abs(measured / put_in - 1))
print(f"Parseval: {parseval:.12f}; mean deviation from the spectrum that was put in: {spectrum_error:.1%}")

# %% [markdown]
# *Figure: the power spectrum of the logarithm of the matter, as drawn and as measured, and that of the light.* The gas
# has hardly any small structures: its pressure has smoothed them away. Beyond $k$ = 5 h/Mpc the light has about one
# percent of the power that it has at the left end, or less. So we judge up to there.
#
# ### A bad model first
#
# The simplest idea: look up for each density which share of the light gets through. As a network that is a stack of 1 ×
# 1 convolutions, a **pointwise** mapping. The second idea is a convolutional network with padding "same", which
# surrounds the box with zeros. The third one knows that the box is periodic.
#
# Keras has no periodic padding, so write it, with `keras.ops`: it has to work inside a model whose height and width are
# `None`. Slices such as `x[:, -2:]` and `keras.ops.concatenate` do.

# %% exercise="12.9"
# Exercise 12.9
def periodic_pad(x, margin):
    """A periodic box, continued beyond its edges.

    Parameters
    ----------
    x : tensor of (n, height, width, channels)
        Also one inside a keras.Model, of unknown height and width.
    margin : int
        Pixels on each of the four sides, 1 or more, at most the side of the box.

    Returns
    -------
    tensor of (n, height + 2 margin, width + 2 margin, channels)

    Example
    -------
    A box of one row, 1 2 3, with margin 1 becomes three equal rows 3 1 2 3 1.
    """
    ### BEGIN SOLUTION
    x = keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1)
    return keras.ops.concatenate([x[:, :, -margin:], x, x[:, :, :margin]], axis=2)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("12.9", periodic_pad)

# %% [markdown]
# **Think:** The five convolutions below have dilations 1, 2, 4, 2, 1 (lab 02). How far does the network see? The heat
# comes from a window whose standard deviation is 3 pixels: is that far enough?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Each 3 × 3 convolution with dilation $d$ adds $d$ pixels on each side: 1 + 2 + 4 + 2 + 1 = 10 pixels, more than three
# standard deviations. But the network also reaches the edge of a box of 32 pixels from every pixel but the innermost 12
# × 12: with zeros around the box, nearly all of what it is trained on is spoilt.
#
# </details>

# %%
def painter(edge):
    """A fully convolutional network from the log of the matter to the light, with one of three ways to treat edges."""
    inputs = x = keras.Input((None, None, 1))
    for dilation in (1, 2, 4, 2, 1):
        if edge == "pointwise":
            x = layers.Conv2D(12, 1, activation="relu")(x)
        elif edge == "zeros":
            x = layers.Conv2D(12, 3, dilation_rate=dilation, padding="same", activation="relu")(x)
        else:
            x = layers.Conv2D(12, 3, dilation_rate=dilation, activation="relu")(periodic_pad(x, dilation))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


x_small, y_small = np.float32(np.log(matter)[..., None]), np.float32(light[..., None])
painters = {}
for edge in ("pointwise", "zeros", "periodic"):
    keras.utils.set_random_seed(lab.seed)
    painters[edge] = painter(edge)

painted = {}
for edge, model in painters.items():
    train(model, pick(x_small, y_small), len(x_small), steps=250, rate=0.008)
    painted[edge] = np.concatenate([apply(model, np.log(box)[None, ..., None]) for box in large_matter])[..., 0]
    error = np.sqrt(np.mean((painted[edge] - large_light) ** 2)) / large_light.std()
    print(f"{edge}: {model.count_params()} weights; error on the large boxes {error:.2f} of the light's spread")

# %%
power_right = power_spectrum(large_light, density.PIXEL, edges)
judged = edges[1:] <= 5.01
deviation = {edge: power_spectrum(maps, density.PIXEL, edges) / power_right - 1 for edge, maps in painted.items()}
worst_deviation = {edge: np.abs(values[judged]).max() for edge, values in deviation.items()}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for (edge, values), style in zip(deviation.items(), ("^:", "s--", "o-"), strict=True):
    axes[0].plot(middle[judged], values[judged], style, label=edge)
    across = np.sqrt(np.mean((painted[edge] - large_light) ** 2, axis=(0, 1)))
    axes[1].plot(0.25 * np.arange(128), across / large_light.std(), style[1:], label=edge)
axes[0].axhspan(-0.1, 0.1, color="0.9")
axes[0].set(xlabel="k (h/Mpc)", ylabel="P(k) of the painted map / true one − 1", ylim=(-0.75, 1))
axes[1].set(xlabel="column (Mpc/h)", ylabel="error (spread of the light = 1)", ylim=(0, None))
axes[0].legend()
edge_columns = [0, 1, -2, -1]


def edge_error(edge):
    return np.sqrt(np.mean((painted[edge] - large_light)[:, :, edge_columns] ** 2))


zero_edge_ratio = edge_error("zeros") / edge_error("periodic")
for edge, worst in worst_deviation.items():
    print(f"{edge}: P(k) off by {worst:.1%} at most, up to 5 h/Mpc")
print(f"error in the outermost two columns, zeros / periodic: {zero_edge_ratio:.1f}")

# %% [markdown]
# *Figure: left, how far the power spectrum of the painted large maps is from the true one (grey: 10 %); right, the
# error along the box.* The pointwise mapping cannot work: the light depends on the surroundings, and one number per
# pixel does not know them. It has far too much small structure and too little of the large. The network with zeros is
# nearly right in the middle of the large box and wrong along its edges. Its power spectrum does not show it: a mean
# over the whole box hides an error in a few columns. The periodic one, trained on boxes of 8 Mpc/h, paints boxes of 32
# Mpc/h with the same weights. Nothing had to be changed: a convolution does not know how large the image is.

# %% tags=["showcase"]
figure, axes = plt.subplots(1, 4, figsize=(10, 3.1))
panels = {
    "matter (log)": np.log10(large_matter[1]),
    "light, true": large_light[1],
    "painted, periodic": painted["periodic"][1],
    "painted, pointwise": painted["pointwise"][1],
}
for axis, (name, box) in zip(axes, panels.items(), strict=True):
    options = {"cmap": "magma"} if "matter" in name else {"cmap": "viridis", "vmin": 0, "vmax": 1}
    axis.imshow(box, extent=(0, 32, 0, 32), **options)
    axis.set(title=name, xlabel="Mpc/h");

# %% [markdown]
# *Figure: a large box of matter, its light, and what two networks painted that never saw a box so large.*
#
# An honest word: the large boxes were drawn from the same rules as the small ones. Had they waves that change the
# physics itself (hot clusters that a small box is too small to hold), no network trained on small boxes could know.
#
# ## 6 · Maps of mass from colours
#
# How much mass is in the stars of each pixel? Mass is light times the **ratio of mass to light**. Young stars are
# bright and blue and short-lived, so a blue population has little mass for its light, an old red one has much. Hence a
# rule of thumb: the logarithm of the ratio is a straight line in colour (Bell et al. 2003),
#
# $$\log_{10} \frac{M}{L_r} = a + b\,(g - r).$$
#
# Buck & Wolf (2021) train a network to make such maps from images. It sees the whole galaxy: does it know a bulge when
# it sees one? Our galaxies have three populations, with ratios and colours of their own (`utils/masses.py`): a bulge; a
# disc whose old and young stars can make it nearly as red as the bulge although it is lighter; arms of young stars. We
# do not take $a$ and $b$ from the literature, which speaks of other stars: we fit them to the very training set of the
# network, on pixels with a signal in r of more than 10 times the noise.

# %%
rng = np.random.default_rng([lab.seed, 6])
train_set, test_set = masses.observe(1500, rng), masses.observe(300, rng)


def colours(images):
    """g - r [mag] of every pixel; where there is hardly any light, that of a flux of 0.3 times the noise."""
    flux = np.maximum(images[..., :2], 0.3) * masses.SURVEY.sky_noise[:2]
    return -2.5 * np.log10(flux[..., 0] / flux[..., 1])


def smoothed(images):
    """Each pixel the mean of the 5 × 5 around it."""
    return uniform_filter(images, size=(0, 5, 5, 0))


def log_light(images):
    return np.log10(np.maximum(images[..., 1], 0.3))


bright = train_set.clean[..., 1] > 10
log_mass = np.log10(np.maximum(train_set.mass, 1e-3))


def straight_line(images, coloured):
    """a and b of the rule, for light from the first images and colours from the second."""
    b, a = np.polyfit(colours(coloured)[bright], (log_mass - log_light(images))[bright], 1)
    return a, b


rules = {}
for name, prepare in {"rule": np.asarray, "rule, colours of 5 × 5": smoothed}.items():
    a, b = straight_line(train_set.images, prepare(train_set.images))
    rules[name] = log_light(test_set.images) + a + b * colours(prepare(test_set.images))
    print(f"{name}: log10(M/L) = {a:.2f} + {b:.2f} (g - r)")

# %% [markdown]
# The second rule is a stronger one. A colour is a difference of two noisy numbers and suffers most from noise;
# astronomers therefore average it over neighbours, here over 5 × 5 pixels.
#
# The network gets the logarithms of the three bands (by arcsinh, which takes negative numbers, too), goes down twice
# and comes back by copies and convolutions. Two things are borrowed from common sense. The image itself is handed to
# the last layers, so that not everything has to squeeze through the bottleneck (lab 13 makes a system of that). And the
# r band is added at the end, so that the network has to learn only the ratio. Batch normalisation (lab 07) makes 300
# steps suffice. Pixels in which the galaxy's light is below 3 times the noise do not count, neither in training nor in
# the test.

# %%
def mass_network(bands):
    """From the log of the light to the log of the mass; the first band is r."""

    def block(x, n, strides=1):
        x = layers.Conv2D(n, 3, strides=strides, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input((None, None, bands))
    x = block(block(block(inputs, 12), 24, strides=2), 32, strides=2)
    x = block(block(x, 32), 32)
    x = block(layers.UpSampling2D(2)(x), 12)
    x = layers.Concatenate()([layers.UpSampling2D(2)(x), inputs])
    x = layers.Conv2D(1, 1)(block(x, 12))
    return keras.Model(inputs, layers.Add()([x, inputs[..., :1]]))


def logarithms(images, bands):
    return np.float32(np.arcsinh(images[..., bands] / 2) / np.log(10))


counts = np.float32(train_set.clean[..., 1] > 3)
maps = dict(rules)
for name, bands in {"network, one band (r)": [1], "network, three bands": [1, 0, 2]}.items():
    keras.utils.set_random_seed(lab.seed)
    inputs = logarithms(train_set.images, bands)
    targets = np.float32(log_mass[..., None])
    model = mass_network(len(bands))
    train(model, pick(inputs, targets, counts), len(inputs), steps=300)
    maps[name] = apply(model, logarithms(test_set.images, bands))[..., 0]


def scatter(values):
    """Half of the range that holds the middle 68 %: the standard deviation, if they were normal."""
    return np.diff(np.percentile(values, [16, 84]))[0] / 2


right = np.log10(np.maximum(test_set.mass, 1e-3))
signal_to_noise = test_set.clean[..., 1]
usable = signal_to_noise > 3
scatters = {name: scatter((guess - right)[usable]) for name, guess in maps.items()}
a, b = straight_line(train_set.clean, train_set.clean)
noiseless = log_light(test_set.clean) + a + b * colours(test_set.clean)
scatters["rule, if there were no noise"] = scatter((noiseless - right)[usable])
plotting.bars(scatters, "scatter of log10(mass) per pixel (dex)")
mass_ratio = scatters["network, three bands"] / scatters["rule"]
smooth_ratio = scatters["network, three bands"] / scatters["rule, colours of 5 × 5"]
one_band_ratio = scatters["network, one band (r)"] / scatters["rule"]
noiseless_ratio = scatters["network, three bands"] / scatters["rule, if there were no noise"]
print(f"scatter of the network with three bands / rule: {mass_ratio:.2f}, / rule with colours of 5 × 5: ", end="")
print(f"{smooth_ratio:.2f}, / rule without noise: {noiseless_ratio:.2f}")

# %% [markdown]
# *Figure: scatter of the mass per pixel, in dex (0.3 dex is a factor of two), in pixels with a signal of more than 3
# times the noise.* The rule, pixel by pixel, errs by more than twice as much as the network. Most of that is noise:
# with averaged colours it catches up a good deal. The last bar is the rule on images without any noise, which nobody
# has: not even then is it better than the network on noisy ones. What remains is that the same colour means different
# things in a bulge and in a disc.
#
# **Predict:** at which brightness is the rule nearest to the network?

# %%
steps = np.array([3, 5, 8, 13, 20, 40, 80, 300])
inside = [(signal_to_noise > a) & (signal_to_noise <= b) for a, b in pairwise(steps)]
figure, axis = plt.subplots(figsize=(7, 3.6))
for (name, guess), style in zip(maps.items(), ("s:", "s--", "^--", "o-"), strict=True):
    values = [scatter((guess - right)[chosen]) for chosen in inside]
    axis.plot(np.sqrt(steps[1:] * steps[:-1]), values, style, label=name)
axis.set(xlabel="signal in r / noise", ylabel="scatter of log10(mass) (dex)", xscale="log", ylim=(0, 0.6))
axis.legend()

best_seen = np.argsort(test_set.truth["magnitude"] - 3 * test_set.truth["arm_strength"])[1]
panels = {"true": right, **maps}
figure, axes = plt.subplots(1, 6, figsize=(10, 2.1))
axes[0].imshow(sky.colour(test_set.images[best_seen], masses.SURVEY))
axes[0].set_title("g, r, i", fontsize="small")
for axis, (name, guess) in zip(axes[1:], panels.items(), strict=True):
    axis.imshow(np.where(usable[best_seen], guess[best_seen], np.nan), cmap="magma", vmin=0.3, vmax=2.8)
    axis.set_title(name.replace(", ", ",\n"), fontsize="small")
for axis in axes:
    axis.axis("off")

# %% [markdown]
# *Figure: scatter against the signal; below, a spiral and its map of mass, true and measured in four ways.* In the
# brightest pixels all four are alike; the network gains most where the light is faint, as it uses all pixels around.
# The one with a single band has no colour at all, and still does well: what looks like a bulge has the mass of a bulge.
# This should also make you cautious: it has learnt what bulges weigh *in our simulator*. The rule has two numbers that
# can be wrong on another sky; the network has more than thirty thousand.
#
# Look at the arms, too. They are bright, but have little mass: the true map hardly shows them. The measured ones all
# do, that of the network with three bands least.
#
# ## 7 · The real sky
#
# We have no truth for real galaxies, but we can make a test that has one: take the Hubble picture as the truth, blur it
# and add noise ourselves, and ask for it back. The same weights, trained on single galaxies of 48 × 48 pixels, now run
# on 872 × 1000 with hundreds of galaxies. It is an honest test in one respect: nobody simulated these galaxies. In
# another it is not: the blur and the noise are ours, and just those of the training. And the "truth" here is a display
# picture with a PSF, noise and a stretch of its own.

# %%
mean_colour = picture.mean(axis=2)
hubble = mean_colour - np.median(mean_colour)
bright_stamps = skimage.util.view_as_blocks(hubble[:864, :960], (48, 48)).reshape(-1, 48, 48)
strengths = np.sort(np.sqrt(np.mean(bright_stamps**2, axis=(1, 2))))
hubble = hubble / np.median(strengths[-80:])  # bright patches have a root mean square of 1
large_psf = np.zeros(hubble.shape)
middle_row, middle_column = hubble.shape[0] // 2, hubble.shape[1] // 2
large_psf[middle_row - 24 : middle_row + 24, middle_column - 24 : middle_column + 24] = psf
noise = 0.2
blurred_hubble = np.fft.ifft2(np.fft.fft2(hubble) * np.fft.fft2(np.fft.ifftshift(large_psf))).real
seen_hubble = blurred_hubble + noise * rng.normal(size=hubble.shape)

k_small = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.fftfreq(48), indexing="ij"))
k_large = np.hypot(*np.meshgrid(np.fft.fftfreq(872), np.fft.fftfreq(1000), indexing="ij"))
by_length = np.argsort(k_small.ravel())
signal_large = np.exp(np.interp(k_large, k_small.ravel()[by_length], np.log(signal.ravel()[by_length])))
wiener_hubble = wiener(seen_hubble[None], large_psf, noise**2 * noise_power / signal_large)[0]
network_hubble = apply(networks["wide bottleneck"], seen_hubble[None, ..., None])[0, ..., 0]
hubble_errors = {
    "nothing done": relative_error(seen_hubble, hubble),
    "Wiener": relative_error(wiener_hubble, hubble),
    "network": relative_error(network_hubble, hubble),
}
hubble_ratio = hubble_errors["network"] / hubble_errors["Wiener"]
print(", ".join(f"{name}: {error:.2f}" for name, error in hubble_errors.items()))
cut = (slice(250, 450), slice(560, 760))
panels = {"seen": seen_hubble, "Wiener": wiener_hubble, "network": network_hubble, "the Hubble picture": hubble}
stretched = [np.arcsinh(3 * np.maximum(image[cut], -0.3)) for image in panels.values()]
plotting.gallery(stretched, list(panels), columns=4, size=2.6)

# %% [markdown]
# *Figure: a part of the Hubble picture, blurred and with noise (left), restored by Wiener's filter and by the network,
# and as it was.* Measured by the mean square it is a draw. To the eye the network is far ahead: its sky is dark, where
# Wiener's is full of ripples as bright as faint galaxies. But look at the right: the sky is full of faint galaxies, and
# the network has swept away the faintest of them with the noise. A dark sky is no evidence that nothing is there.
#
# What is *not* known: whether a faint smudge that the network shows is a galaxy, and whether what it removed was noise.
# On a truly observed image nobody has the right panel. There one trusts such a network as far as tests such as this
# one, on galaxies like those in the image, have gone.
#
# ## What you measured

# %%
results.record(
    "12",
    transpose_difference=transpose_difference,
    lost=lost,
    uneven_three=unevenness[3],
    uneven_four=unevenness[4],
    denoise_ratio=denoise_ratio,
    unlike_ratio=unlike_ratio,
    narrow_ratio=narrow_ratio,
    spectrum_error=spectrum_error,
    power_periodic=worst_deviation["periodic"],
    power_pointwise=worst_deviation["pointwise"],
    zero_edge_ratio=zero_edge_ratio,
    mass_ratio=mass_ratio,
    smooth_ratio=smooth_ratio,
    one_band_ratio=one_band_ratio,
    noiseless_ratio=noiseless_ratio,
    hubble_ratio=hubble_ratio,
)
results.table("12")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - Every linear layer is a matrix. The transposed convolution is the transpose of a convolution's matrix: the shape of
#   the way back, not its inverse. Let the stride divide the kernel.
# - A bottleneck is a prior. What does not fit through it is replaced by what the network has seen before, without a
#   warning. Test on what it has *not* seen, and beside a filter that has no galaxy in mind.
# - A fully convolutional network runs on images of any size with the same weights, if the edges are treated as the
#   problem has them. A network sees surroundings; a rule per pixel does not.
#
# **Where to go on:** lab 13 hands the sharp image of every step down to the same step up, and so gets the details back
# that the bottleneck loses: the U-Net.
#
# **Stretch tasks**
#
# 1. **Skips.** Hand the input image to the last layer of `encoder_decoder`, as `mass_network` does. Does the floor at
#    little noise go away? Do irregular galaxies come back?
# 2. **Sum of both.** Give the network Wiener's result as a second channel.
# 3. **Checkerboards that survive training.** Train `encoder_decoder` with a kernel of 3 in the transposed layers, and
#    look at the power spectrum of its errors near the highest $k$.
# 4. **More than the spectrum.** Compare the histograms of the painted light, and the spectrum of painted minus true
#    light. Which of the two tells more?
# 5. **A different universe.** Change the exponent of `density.input_spectrum` for the large boxes alone. How far can
#    you go before P(k) is off by 10 %?
# 6. **Dust.** Redden half of the test galaxies by 0.2 mag in g − r. Which errs more now, the rule or the network?
#
# **References**
#
# - Wiener 1949, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (MIT Press).
# - Zeiler & Fergus 2014, ECCV: Visualizing and understanding convolutional networks (unpooling with switches).
# - Long, Shelhamer & Darrell 2015, CVPR: Fully convolutional networks for semantic segmentation.
# - Dumoulin & Visin 2016, arXiv:1603.07285: A guide to convolution arithmetic for deep learning.
# - Odena, Dumoulin & Olah 2016, Distill: Deconvolution and checkerboard artifacts.
# - Harrington et al. 2021, arXiv:2106.12662: painting baryons on dark matter.
# - Buck & Wolf 2021, arXiv:2111.01154: maps of stellar populations from images.
# - Bell, McIntosh, Katz & Weinberg 2003, ApJS 149, 289: colours and ratios of mass to light.
# - Coles & Jones 1991, MNRAS 248, 1: log-normal fields. Hui & Gnedin 1997, MNRAS 292, 27: density and temperature of
#   the gas. Gnedin & Hui 1998, MNRAS 296, 44: smoothing by pressure.
