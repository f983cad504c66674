# %% [markdown]
# # 00 · Start here
#
# **Question:** How does a picture of the sky become numbers that a network can learn from?
#
# **You build:** five small functions that lead from a picture to a gallery of galaxies, and meet on the way how every
# lab of this course works: predict, write, check, ask for a hint, compare.
#
# **Time:** 75 minutes of work, 1 minute of CPU · **Before:** some Python and NumPy ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/00_start_here.ipynb)
#
# **Papers:** Illingworth et al. 2013, ApJS 209, 6 (the picture); Lupton et al. 2004, PASP 116, 133 (its colours)

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

lab.start("00")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage
import skimage

from utils import environment, plotting, results
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · Is everything in place?
#
# The set-up cell printed your versions, the device that will do the computing, and the *seed*: the number from which all
# random numbers of a lab follow, so that the same seed gives the same galaxies. The next cell looks closer. Each line should
# begin with ✔; below a ✘ stands what to do about it.

# %%
environment.report()

# %% [markdown]
# ## 2 · A first picture
#
# In September 2012 NASA released the *eXtreme Deep Field*: a patch of sky in the constellation Fornax to which Hubble had
# returned for ten years, two million seconds of exposure in all. It is about two arcminutes wide, one fifteenth of the
# diameter of the full Moon. A small version of the public picture comes with scikit-image, where it is called
# `hubble_deep_field`.

# %%
picture = skimage.data.hubble_deep_field()
figure, axis = plt.subplots(figsize=(7.5, 6.6))
axis.imshow(picture)
axis.set(xlabel="x (pixels)", ylabel="y (pixels)", title="The Hubble eXtreme Deep Field")
print(f"shape {picture.shape}, type {picture.dtype}, values {picture.min()} to {picture.max()}")

# %% [markdown]
# Almost every smudge is a galaxy; the few with spikes are stars of our own Milky Way. The array has shape
# `(height, width, colours)`. Its **first** index is the row, which is *y*, and the **second** the column, which is *x*.
# Each colour is a whole number from 0 to 255, a `uint8`.
#
# > **Predict, then run.** Two pixels have the red values 200 and 100. What is their sum?

# %%
np.uint8([200]) + np.uint8([100])

# %% [markdown]
# 200 and 100 make 44: a `uint8` has room for 256 values, and what does not fit wraps around, 300 − 256 = 44, without a word of
# warning. Turn pixels into floating-point numbers before you calculate with them.
#
# ## 3 · Your first exercise
#
# Detection works on brightness alone, so the three colours have to become one number per pixel. We take their mean, and
# scale it so that black is 0 and white is 1:
#
# $$g = \frac{R + G + B}{3 \cdot 255}.$$
#
# An exercise is a cell that starts with `# Exercise`. It holds a function with its name, its arguments and a docstring that
# says what goes in and what comes out. Replace the line `raise NotImplementedError(…)` by your code; leave the names of the
# function and its arguments as they are. The cell below it checks your function, on other pictures than this one. Run that
# check now, before you write anything, and see what it says.


# %% exercise="0.1"
# Exercise 0.1
def to_grey(picture):
    """Mean of the colours of each pixel, from 0 (black) to 1 (white).

    Parameters
    ----------
    picture : (height, width, 3) array of uint8, 0 to 255

    Returns
    -------
    (height, width) array of float

    Examples
    --------
    A picture of one pixel with R = 255, G = 255, B = 0 gives [[0.667]].
    """
    ### BEGIN SOLUTION
    return picture.mean(axis=2) / 255
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("0.1", to_grey)

# %% [markdown]
# A check ends in one of three ways: *not attempted*, *not yet*, or *correct*. *Not yet* lists what already works, what
# does not, and what came out instead; what your function prints is shown too. The points count your best try. When you are
# stuck there are three ways on, in this order:
#
# - `hint("0.1")` gives a nudge; call it again for the approach, and a third time for almost the code;
# - `to_grey = reference("0.1")` puts a ready-made function in the place of yours, so that you can go on (it earns no points);
# - `solution("0.1")` shows our way of writing it, if your copy of the course has the solutions.
#
# (A class may hand out a copy that does not judge: there a check says whether your function ran, and the rest comes with your
# marks.)

# %%
hint("0.1")

# %% [markdown]
# ## 4 · See the faint ones
#
# Most of this sky is nearly black. Show the grey values as they are, and you see a few bright galaxies; multiply them all
# by ten, and the bright ones burn out to white discs. Astronomers use the inverse hyperbolic sine instead:
#
# $$s(g) = \frac{\operatorname{arcsinh}(g / a)}{\operatorname{arcsinh}(1 / a)}.$$
#
# It is a straight line for $g \ll a$, a logarithm for $g \gg a$, and leaves 0 at 0 and 1 at 1. The *softening* $a$ says where
# the one turns into the other.
#
# > **Predict.** Does a smaller $a$ make the faint galaxies brighter or darker?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Brighter. At g = 0.02, a = 1 gives 0.02 and a = 0.01 gives arcsinh(2) / arcsinh(100) = 0.27.
#
# </details>


# %% exercise="0.2"
# Exercise 0.2
def stretch(grey, softening):
    """Arcsinh stretch that leaves 0 at 0 and 1 at 1.

    Parameters
    ----------
    grey : array of float, any shape
    softening : float
        Brightness at which the stretch turns from linear to logarithmic.

    Returns
    -------
    array of float, of the same shape

    Examples
    --------
    stretch(0.02, softening=0.01) is 0.272.
    """
    ### BEGIN SOLUTION
    return np.arcsinh(grey / softening) / np.arcsinh(1 / softening)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("0.2", stretch)

# %%
grey = to_grey(picture)
figure, axes = plt.subplots(1, 4, figsize=(10, 3), sharey=True)
shown = {"as it is": grey, "ten times brighter": 10 * grey, "a = 0.5": stretch(grey, 0.5), "a = 0.05": stretch(grey, 0.05)}
for axis, (title, values) in zip(axes, shown.items(), strict=True):
    axis.imshow(values[600:750, 440:590], vmin=0, vmax=1, extent=(440, 590, 750, 600))
    axis.set(title=title, xlabel="x (pixels)")
axes[0].set_ylabel("y (pixels)");

# %% [markdown]
# The smaller $a$ lifts the faint galaxies out of the dark, as the factor of ten does, and still shows the inner parts of
# the bright ones, which the factor of ten burns out.
#
# ## 5 · What is noise, and what is a galaxy?
#
# To call something a galaxy it has to stand out from the sky. Two numbers describe the sky: its level, and how much it
# scatters from pixel to pixel. The mean and the standard deviation of all pixels will not do, for the galaxies spoil both.
# The median hardly notices them, and neither does the *median absolute deviation*,
#
# $$\mathrm{MAD} = \operatorname{median}\left(|g - \operatorname{median}(g)|\right), \qquad \sigma = 1.4826\ \mathrm{MAD}.$$
#
# The factor makes σ equal to the standard deviation when the scatter is Gaussian.


# %% exercise="0.3"
# Exercise 0.3
def sky_level_and_noise(grey):
    """Level of the sky and the scatter about it, hardly touched by the objects in the picture.

    Parameters
    ----------
    grey : (height, width) array of float

    Returns
    -------
    level : float
        Median of all pixels.
    noise : float
        1.4826 times the median absolute deviation from that level.

    Examples
    --------
    For the pixels [[1, 2, 3, 4, 100]] the level is 3 and the noise 1.4826.
    """
    ### BEGIN SOLUTION
    level = np.median(grey)
    return level, 1.4826 * np.median(np.abs(grey - level))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("0.3", sky_level_and_noise)

# %% [markdown]
# Try it where the truth is known: Gaussian noise of σ = 1, on which we put more and more bright pixels.

# %%
random = np.random.default_rng(lab.seed)
shares = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2])
robust, plain = [], []
for share in shares:
    sky = random.normal(0, 1, size=(300, 300))
    sky[random.random(sky.shape) < share] += 30
    robust.append(sky_level_and_noise(sky)[1])
    plain.append(sky.std())

figure, axis = plt.subplots(figsize=(6, 3.4))
axis.plot(100 * shares, plain, "s--", label="standard deviation")
axis.plot(100 * shares, robust, "o-", label="1.4826 MAD")
axis.axhline(1, color="black", linewidth=1, linestyle=":")
axis.set(xlabel="pixels covered by sources (%)", ylabel="measured noise (true value 1)")
axis.legend();

# %% [markdown]
# One pixel in a hundred is enough to triple the standard deviation. The MAD stays within 40 % of the truth even when one
# pixel in five belongs to a source.
#
# ## 6 · From pixels to objects
#
# A pixel belongs to an object when it is brighter than the level plus a few σ. Pixels that touch form one object.
# `scipy.ndimage.label` takes an array of True and False and returns two things: an array of the same shape, in which the
# pixels of the first group are 1, those of the second 2, and so on, with 0 in between; and the number of groups. Groups of
# very few pixels are mostly noise and are dropped.
#
# This picture has thousands of groups, most of them tiny. `np.bincount(labels.ravel())` counts the pixels of all groups at
# once, so that you need to look only at the large ones.


# %% exercise="0.4"
# Exercise 0.4
def detect(grey, level, noise, n_sigma=5.0, smallest=10):
    """Centres and brightnesses of the groups of pixels that stand out from the sky.

    Parameters
    ----------
    grey : (height, width) array of float
    level, noise : float
        Of the sky.
    n_sigma : float
        A pixel counts when it is brighter than ``level + n_sigma * noise``.
    smallest : int
        Objects of fewer pixels are dropped.

    Returns
    -------
    (n, 3) array of float
        x, y (mean pixel position, each pixel counting the same) and flux (sum of grey - level over its pixels) of each
        object, the brightest first. Pixels touch when they share an edge, as `scipy.ndimage.label` has it. Where nothing is
        found, an array of shape (0, 3).

    Examples
    --------
    A black picture (level 0, noise 0.01) with one square of 4 × 4 pixels of brightness 0.5, whose corner is in row 2 and
    column 10, gives [[11.5, 3.5, 8.0]].
    """
    ### BEGIN SOLUTION
    labels, n = scipy.ndimage.label(grey > level + n_sigma * noise)
    sizes = np.bincount(labels.ravel())
    objects = []
    for number in range(1, n + 1):
        if sizes[number] >= smallest:
            y, x = np.nonzero(labels == number)
            objects.append((x.mean(), y.mean(), np.sum(grey[y, x] - level)))
    objects = np.array(objects).reshape(-1, 3)
    return objects[np.argsort(-objects[:, 2])]
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("0.4", detect)

# %% [markdown]
# > **Predict.** The picture above has 872 × 1000 pixels. Count the objects in a corner of it by eye. How many do you expect in
# > the whole? The next cell takes a few seconds.

# %%
level, noise = sky_level_and_noise(grey)
objects = detect(grey, level, noise)
print(f"sky level {level:.4f}, noise {noise:.4f}, {len(objects)} objects")

figure, axis = plt.subplots(figsize=(8, 6))
axis.imshow(picture)
axis.plot(objects[:, 0], objects[:, 1], "o", markersize=12, markerfacecolor="none", markeredgecolor="yellow")
axis.set(xlim=(0, 360), ylim=(260, 0), xlabel="x (pixels)", ylabel="y (pixels)", title="Objects above 5 σ, upper left corner");

# %% [markdown]
# Faint smudges without a circle are groups of fewer than ten pixels: of the 3196 groups above 5 σ only 771 are larger. And look at
# (291, 110): two galaxies that touch share one circle. Where does one object end and the next begin? That question comes
# back when networks find and separate galaxies.
#
# ## 7 · Stamps
#
# Networks like pictures of one size. A *stamp* is a square cut-out with the object in its middle. At the edge of the picture a
# part of it is missing: that part is filled with zeros.


# %% exercise="0.5"
# Exercise 0.5
def cut_stamp(picture, x, y, size):
    """Square cut-out around a position, filled with zeros beyond the edge of the picture.

    Parameters
    ----------
    picture : (height, width) or (height, width, colours) array
    x, y : float
        Column and row of the centre; they are rounded to the nearest pixel.
    size : int
        Side in pixels, odd: the centre is the pixel at [size // 2, size // 2].

    Returns
    -------
    (size, size) or (size, size, colours) array, of the picture's type

    Examples
    --------
    For the picture [[1, 2, 3], [4, 5, 6]], x=2, y=0 and size 3 the stamp is [[0, 0, 0], [2, 3, 0], [5, 6, 0]].
    """
    ### BEGIN SOLUTION
    half = size // 2
    column, row = round(x), round(y)
    stamp = np.zeros((size, size, *picture.shape[2:]), dtype=picture.dtype)
    top, left = max(row - half, 0), max(column - half, 0)
    part = picture[top : max(row + half + 1, 0), left : max(column + half + 1, 0)]
    start_row, start_column = top - (row - half), left - (column - half)
    stamp[start_row : start_row + part.shape[0], start_column : start_column + part.shape[1]] = part
    return stamp
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("0.5", cut_stamp)

# %% tags=["showcase"]
stamps = [cut_stamp(picture, x, y, 41) for x, y, flux in objects[:24]]
plotting.gallery(stamps, columns=8, suptitle="The 24 brightest objects, 41 × 41 pixels each")
# %% [markdown]
# Ellipticals, smooth and yellowish; spirals, bluer and with arms; discs seen edge-on; irregular ones; and stars with spikes.
# You tell them apart at a glance. How would you explain to a machine what you look at? That is lab 01.
#
# ## 8 · What you measured
#
# Each lab ends like this: what is measured, your value, the mean of our own runs with five seeds, the *band* in which a run with
# another seed should fall, and the aim, if there is one. The first two rows involve no chance, so their bands have no width.

# %%
results.record(
    "00",
    objects=len(objects),
    sky_noise=noise,
    robust_noise=robust[3],
    plain_noise=plain[3],
)
results.table("00")

# %% [markdown]
# ## Take away
#
# 1. A picture is an array `[row, column, colour]`; turn `uint8` into float before calculating.
# 2. Stretch before you look; use medians where outliers live.
# 3. Detecting and cutting out come before learning, and their mistakes stay in the data.
#
# ## The map of the course

# %%
lab.overview()

# %% [markdown]
# Your own progress in this lab:

# %%
lab.progress()

# %% [markdown]
# ## Stretch tasks
#
# - Lower the threshold to 3 σ. How many more objects appear, and how many of them do you believe? To find out, run the
#   detection on pure noise of the same level and σ. Astronomers also use `2 * level - grey`, in which every real source is
#   negative. Why does that find nothing at all in *this* picture? (Where is its black?)
# - Measure the colour of each object, mean blue over mean red. Do the smooth galaxies differ from the ones with arms?
# - Replace `detect` by `skimage.measure.regionprops_table` and compare positions and fluxes.
#
# ## References
#
# - G. D. Illingworth et al. 2013, *The HST eXtreme Deep Field*, ApJS 209, 6
# - R. Lupton et al. 2004, *Preparing red-green-blue images from CCD data*, PASP 116, 133
# - Picture: NASA, ESA, G. Illingworth, D. Magee and P. Oesch, R. Bouwens and the HUDF09 team; public domain, in scikit-image
