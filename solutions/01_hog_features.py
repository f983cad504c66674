# %% [markdown]
# # 01 · HoG features
#
# **Question:** Before networks learnt their own features, people designed them. How far do designed features carry us
# in telling galaxies apart, and what happens when an important one is left out?
#
# **You build:** a colour histogram, a histogram of oriented gradients (HoG) from its four steps, and two of the numbers
# by which astronomers describe shapes. With each of them a support vector machine learns to tell four kinds of galaxies
# apart. At the end you look at real galaxies in a Hubble picture.
#
# **Time:** 160 minutes of work, 2 minutes of CPU · **Before:** lab 00, NumPy slices and axes ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/01_hog_features.ipynb)
#
# **Papers:** Dalal & Triggs 2005, CVPR, 886 (HoG); Lowe 2004, IJCV 60, 91 (SIFT); Ojala et al. 2002, IEEE TPAMI 24, 971
# and Haralick et al. 1973, IEEE Trans. SMC 3, 610 (texture); Conselice 2003, ApJS 147, 1 and Lotz et al. 2004, AJ 128, 163
# (astronomers' shape numbers); Huertas-Company et al. 2008, A&A 478, 971 (such numbers in a support vector machine)

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

lab.start("01")

# %% tags=["imports"]
import time

import matplotlib.pyplot as plt
import numpy as np
import skimage
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from utils import datasets, metrics, plotting, results, sky, svm
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · Four kinds of galaxies
#
# A **stamp** is a small picture cut out around one object. Ours are simulated: 64 × 64 pixels in three bands, as the
# Subaru telescope's HSC survey would see them. Four kinds of galaxies are equally frequent. Values are in units of the
# sky noise: 1 is as much as an empty sky fluctuates from pixel to pixel. (In a corner of a stamp we shall find a little more,
# for some galaxies reach that far.)
#
# We begin with an easy world: every galaxy lies *upright*, its long axis along the picture's x axis. Telescopes are not
# so kind. The second set holds galaxies in random orientation, and we come back to it in part 9.

# %%
N_TRAIN = 2000
upright = datasets.load("morphology", n_train=N_TRAIN, upright=True, seed=lab.seed)
turned = datasets.load("morphology", seed=lab.seed)
class_names = upright.class_names
print(upright.description)

some = np.concatenate([np.flatnonzero(upright.train.labels == label)[:6] for label in range(4)])
titles = [f"{class_names[upright.train.labels[i]]}, r = {upright.train.truth['magnitude'][i]:.1f}" for i in some]
plotting.gallery(sky.colour(upright.train.images[some], upright.survey), titles, columns=6)
plt.show()

# %% [markdown]
# *Four rows: ellipticals, spirals, edge-on discs, irregulars and mergers. The number is the brightness in magnitudes:
# larger is fainter, and 2.5 magnitudes are a factor of ten.*
#
# **Predict:** Which two kinds will be mixed up most often? Which will be easy? Write it down; a confusion matrix in part
# 10 answers it.
#
# ### What we are allowed to look at
#
# The **training** set is what a machine learns from. The **validation** set decides between settings. The **test** set
# is looked at once, at the end of each experiment: it says what to expect of galaxies that nobody has seen. Whatever is
# computed to prepare the data, a mean or a scale, comes from the training set alone.

# %%
SPLITS = ("train", "validation", "test")
ORIENTATIONS = ("upright", "turned")
parts = {
    "upright": {split: getattr(upright, split) for split in SPLITS},
    "turned": {split: getattr(turned, split) for split in SPLITS},
}
colours_of = {o: {s: parts[o][s].images[:N_TRAIN] for s in SPLITS} for o in ORIENTATIONS}  # (n, 64, 64, 3)
labels_of = {o: {s: parts[o][s].labels[:N_TRAIN] for s in SPLITS} for o in ORIENTATIONS}  # (n,)
for split in SPLITS:
    print(f"{split:10}  {len(labels_of['upright'][split])} galaxies")

# %% [markdown]
# Shapes need no colour, so for them we average the bands into one grey picture. The atmosphere has blurred the light to a
# width at half its height of 4 to 5 pixels (0.75″ at 0.168″ per pixel), which is a Gaussian of sigma = 1.9 pixels, while the
# noise changes from one pixel to the next. Smoothing with a narrower Gaussian, sigma = 1.5 pixels, removes much noise
# and little galaxy.


# %%
def grey_picture(images):
    """Mean of the bands, smoothed: (n, height, width, bands) to (n, height, width), in units of the sky noise."""
    return ndimage.gaussian_filter(images.mean(axis=-1), sigma=(0, 1.5, 1.5))


grey_of = {o: {s: grey_picture(colours_of[o][s]) for s in SPLITS} for o in ORIENTATIONS}


def noise_in_the_corner(pictures):
    """Standard deviation of the sky, robust: a bright corner here and there does not matter."""
    corner = pictures[:, :8, :8]
    return 1.4826 * np.median(np.abs(corner - np.median(corner)))


sky_noise = noise_in_the_corner(grey_of["upright"]["train"])
before = noise_in_the_corner(upright.train.images[..., 1])
print(f"noise of a pixel: {before:.2f} in one band, {sky_noise:.2f} after averaging and smoothing")

figure, axes = plt.subplots(1, 2, figsize=(6, 3))
for axis, picture, title in zip(
    axes,
    (upright.train.images[some[7]].mean(axis=-1), grey_of["upright"]["train"][some[7]]),
    ("mean of the bands", "smoothed"),
    strict=True,
):
    axis.imshow(np.arcsinh(picture / sky_noise), cmap="gray")
    axis.set(title=title, xlabel="x [pixel]", ylabel="y [pixel]")
plt.show()

# %% [markdown]
# *The same spiral before and after smoothing, stretched to show faint light: the noise goes, the arms stay.*
#
# ## 2 · A first model, and a bad one
#
# The simplest features are no features: write all pixels one after the other. This is called **pixel concatenation**. As
# the pictures are smooth, we average 2 × 2 pixels first, lose nothing, and have a vector of 32 · 32 = 1024 numbers. Galaxies span a factor of hundreds in brightness, so we also try pixels after an
# arcsinh stretch, which leaves faint values alone and compresses bright ones.
#
# A **support vector machine** (SVM) draws the boundary between two classes that leaves the widest margin on both sides. A
# **linear** SVM draws a hyperplane; for four classes it draws four, each class against the rest, and the largest score
# wins. Its setting $C$ says how dearly training examples on the wrong side are paid for.
#
# Three things are done to features before. They are scaled to mean 0 and standard deviation 1, so that no feature counts
# more because of its unit. Of a long vector the first 100 **principal components** are kept, the directions in which the
# training examples differ most. And $C$ is chosen on the validation set.


# %%
def halve(picture):
    """Means of 2 × 2 pixels: (..., height, width) to (..., height / 2, width / 2)."""
    rows, columns = picture.shape[-2] // 2, picture.shape[-1] // 2
    return picture.reshape(*picture.shape[:-2], rows, 2, columns, 2).mean(axis=(-3, -1))


stretched = {split: np.arcsinh(halve(grey_of["upright"][split]) / sky_noise) for split in SPLITS}
rows = {split: stretched[split].reshape(len(stretched[split]), -1) for split in SPLITS}

for C in (1e-4, 1e-3, 1e-2):
    model = make_pipeline(
        StandardScaler(),
        PCA(100, svd_solver="randomized", random_state=lab.seed),
        LinearSVC(C=C, dual=False),
    )
    model.fit(rows["train"], labels_of["upright"]["train"])
    reached = metrics.accuracy(labels_of["upright"]["validation"], model.predict(rows["validation"]))
    print(f"pixels + linear SVM, C = {C:g}: accuracy {reached:.3f} on the validation set (guessing: 0.25)")

# %% [markdown]
# **Predict:** The weights of a linear SVM form a picture too, one number per pixel. What does it compare, if a galaxy is
# moved by five pixels?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# It multiplies each pixel by its own weight and adds up. After a shift other weights meet the light, and the score can be
# anything. Pixels know nothing of their neighbours: shuffle all pixels of all galaxies in the same way, and a linear SVM
# reaches exactly the same accuracy. Where light is, counts; what shape it makes, does not.
#
# </details>

# %% [markdown]
# From here on `svm.fit` in `utils/svm.py` does these steps for us. It takes one or several sets of features by name, and
# gives each set the same say. Besides the linear one it knows the **kernel** SVM with
# $k(a, b) = \exp(-\gamma\,|a - b|^2)$ (called RBF, radial basis function), which compares a galaxy with training galaxies
# one by one and so draws curved boundaries; $C$ and $\gamma$ are chosen on the validation set.
#
# The next cell holds two short functions: one computes a feature for all pictures, the other trains and tests.


# %%
def extract(function, pictures):
    """Apply `function` to every picture: orientation -> split -> (n, length), and the reduction of the training part."""
    extracted = {}
    for orientation, splits in pictures.items():
        found = {split: np.stack([function(picture) for picture in splits[split]]) for split in splits}
        extracted[orientation] = {**found, "reduction": svm.Reduction(found["train"], seed=lab.seed)}
    return extracted


def train_and_test(sets, orientation="upright", kernel="linear"):
    """Train an SVM on sets of features, name -> what `extract` returned; gives it and its accuracy on the test set."""
    labels = labels_of[orientation]
    train, validation, test, reductions = (
        {name: extracted[orientation][part] for name, extracted in sets.items()} for part in (*SPLITS, "reduction")
    )
    model = svm.fit(train, labels["train"], validation, labels["validation"], kernel, reductions)
    return model, metrics.accuracy(labels["test"], model.predict(test))


pixels = extract(lambda picture: halve(picture).ravel(), grey_of)
stretched_pixels = extract(lambda picture: np.arcsinh(halve(picture) / sky_noise).ravel(), grey_of)

_, pixels_accuracy = train_and_test({"pixels": pixels})
_, stretched_accuracy = train_and_test({"pixels, stretched": stretched_pixels})
print(f"pixels            + linear SVM: accuracy {pixels_accuracy:.3f} on the test set")
print(f"pixels, stretched + linear SVM: accuracy {stretched_accuracy:.3f} on the test set")

# %% [markdown]
# ## 3 · Colour histograms
#
# A **histogram** counts how many values fall into each of a few ranges, the *bins*. A colour histogram (Swain & Ballard
# 1991) does so in every band. It forgets where a value was, so turning or moving the galaxy changes nothing.
#
# Write it. The values of an image are clipped to a range first: what is brighter than the range counts in the last bin,
# what is fainter in the first. The shares of each band add up to one, whatever the size of the picture.


# %% exercise="1.1"
# Exercise 1.1
def colour_histogram(image, bins=8, value_range=(0.0, 1.0)):
    """Share of the pixels in each bin of brightness, band after band.

    Parameters
    ----------
    image : (height, width, bands) array
    bins : int
        Number of bins, equally wide, from the lower to the upper end of the range.
    value_range : (float, float)
        Values outside count in the first or the last bin.

    Returns
    -------
    (bands * bins,) array
        First all bins of the first band, then those of the second, ... Each band adds up to one.

    Examples
    --------
    >>> image = np.array([[[0.1], [0.1]], [[0.6], [7.0]]])    # four pixels, one band
    >>> colour_histogram(image, bins=2)
    array([0.5, 0.5])
    """
    ### BEGIN SOLUTION
    low, high = value_range
    shares = []
    for band in range(image.shape[-1]):
        values = np.clip(image[..., band], low, high)
        counts, _ = np.histogram(values, bins=bins, range=value_range)
        shares.append(counts / values.size)
    return np.concatenate(shares)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.1", colour_histogram)

# %% [markdown]
# Stuck? `hint("1.1")` in a new cell helps, a little more each time. `colour_histogram = reference("1.1")` lets you go on.
#
# We stretch the bands first, so that the bins divide faint and bright light fairly.

# %%
stretched_colours = {o: {s: np.arcsinh(colours_of[o][s]) for s in SPLITS} for o in ORIENTATIONS}
colour_histograms = extract(lambda image: colour_histogram(image, 8, (-1.0, 7.0)), stretched_colours)
_, reached = train_and_test({"colour histogram": colour_histograms})
print(f"colour histogram + linear SVM: accuracy {reached:.3f} on the test set")

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
edges = np.linspace(-1, 7, 9)
for band, axis in enumerate(axes):
    for label, name in enumerate(class_names):
        own = colour_histograms["upright"]["train"][labels_of["upright"]["train"] == label]
        axis.stairs(own[:, 8 * band : 8 * band + 8].mean(axis=0), edges, label=name, linewidth=1.5)
    axis.set(title=f"band {upright.bands[band]}", xlabel="arcsinh(brightness / sky noise)", yscale="log")
axes[0].set_ylabel("mean share of pixels")
axes[2].legend(fontsize="small")
plt.show()

# %% [markdown]
# *Mean histograms of the four kinds: how many bright pixels there are in each band differs a little from kind to kind,
# and 24 numbers tell nearly as much as 1024 pixels.*
#
# ## 4 · Texture
#
# **Texture** describes how neighbouring pixels go together. Two classical descriptions, both from scikit-image:
#
# - **Local binary patterns** (LBP): compare a pixel with its eight neighbours; brighter or not makes eight bits. Patterns
#   that are the same up to a rotation share one number, and the feature is a histogram of these numbers.
# - The **co-occurrence matrix**: entry $(i, j)$ says how often a pixel of grey level $i$ has, at a fixed distance and
#   direction, a neighbour of level $j$. Four numbers summarise it: contrast, homogeneity, energy, correlation.

# %%
DIRECTIONS = np.deg2rad([0, 45, 90, 135])


def texture(picture):
    """Ten shares of local binary patterns, and four numbers of the co-occurrence matrix in four directions: (26,)."""
    levels = np.clip(32 * np.arcsinh(picture / sky_noise), 0, 255).astype(np.uint8)
    patterns = skimage.feature.local_binary_pattern(levels, P=8, R=1, method="uniform")
    shares = np.bincount(patterns.astype(int).ravel(), minlength=10) / patterns.size
    matrix = skimage.feature.graycomatrix(levels // 16, [2], DIRECTIONS, levels=16, symmetric=True, normed=True)
    summary = [
        skimage.feature.graycoprops(matrix, name).ravel()
        for name in ("contrast", "homogeneity", "energy", "correlation")
    ]
    return np.concatenate([shares, *summary])


textures = extract(texture, {"upright": grey_of["upright"]})  # slow: upright galaxies will do
_, reached = train_and_test({"texture": textures})
print(f"texture + linear SVM: accuracy {reached:.3f} on the test set")

# %% [markdown]
# ## 5 · HoG, step by step
#
# Shape is where brightness changes, and in which direction. The **histogram of oriented gradients** (Dalal & Triggs 2005)
# turns this into numbers in four steps:
#
# 1. the **gradient** in each pixel: how strongly, and in which direction, does the brightness rise?
# 2. each pixel **votes** for the orientation of its gradient, the stronger the gradient the heavier the vote;
# 3. the picture is cut into **cells** of 8 × 8 pixels, and each cell sums its votes: one histogram with 9 orientations;
# 4. neighbouring cells form **blocks**, and each block is **normalised**, so that a brighter lamp changes nothing.
#
# scikit-image draws the histograms as little stars: a bright line means many votes for an edge along
# that line.

# %%
galaxy = grey_of["upright"]["train"][some[13]]
_, stars = skimage.feature.hog(galaxy, 9, (8, 8), (2, 2), visualize=True)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.5))
axes[0].imshow(np.arcsinh(galaxy / sky_noise), cmap="gray")
axes[1].imshow(stars, cmap="magma")
for axis, title in zip(axes, ("an edge-on galaxy", "votes of its cells"), strict=True):
    axis.set(title=title, xlabel="x [pixel]", ylabel="y [pixel]")
plt.show()

# %% [markdown]
# *The votes, before normalisation: cells in the middle see edges along the disc, cells on the sky next to nothing.*
#
# ### 5.1 The gradient
#
# Derivatives of a picture are differences of neighbours. We take the pixel on the right minus the one on the left, and the
# one below minus the one above (rows count downwards), without dividing by the distance of two pixels:
#
# $$ g_x = I[y, x+1] - I[y, x-1], \qquad g_y = I[y+1, x] - I[y-1, x] $$
#
# $$ m = \sqrt{g_x^2 + g_y^2}, \qquad \theta = \operatorname{arctan2}(g_y, g_x) \bmod 180° $$
#
# Pixels at the border lack a neighbour: the difference across the border is zero there. The remainder modulo 180° makes
# the orientation *unsigned*: an edge from dark to bright and one from bright to dark are the same.
#
# **Predict:** The brightness rises to the right by 3 per pixel. What are $m$ and $\theta$? And if it falls to the right?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Right minus left is 3 − (−3) = 6, below minus above is 0: m = 6, θ = 0°. If it falls, $g_x$ = −6 and arctan2 gives 180°,
# whose remainder is 0° again: the same orientation, by design.
#
# </details>


# %% exercise="1.2"
# Exercise 1.2
def gradients(image):
    """Magnitude and orientation of the gradient in each pixel.

    Parameters
    ----------
    image : (height, width) array, of floats or of whole numbers (uint8 too)

    Returns
    -------
    magnitude : (height, width) array of float
        In units of the image's brightness.
    orientation : (height, width) array of float
        In degrees from 0 to 180: 0 where the brightness changes along a row, 90 where it changes along a column.

    Examples
    --------
    >>> magnitude, orientation = gradients(np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))
    >>> print(magnitude[1, 1].round(3), orientation[1, 1].round(1))    # right - left = 2, below - above = 6
    6.325 71.6
    """
    ### BEGIN SOLUTION
    image = np.asarray(image, dtype=float)
    along_rows, along_columns = np.zeros(image.shape), np.zeros(image.shape)
    along_rows[1:-1] = image[2:] - image[:-2]
    along_columns[:, 1:-1] = image[:, 2:] - image[:, :-2]
    magnitude = np.hypot(along_rows, along_columns)
    orientation = np.rad2deg(np.arctan2(along_rows, along_columns)) % 180
    return magnitude, orientation
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.2", gradients)

# %% tags=["showcase"]
disc = np.hypot(*(np.indices((64, 64)) - 31.5)) < 20
magnitude, orientation = gradients(ndimage.gaussian_filter(disc.astype(float), 2))
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3))
axes[0].imshow(disc, cmap="gray")
strength = axes[1].imshow(magnitude, cmap="magma")
angle = axes[2].imshow(np.where(magnitude > 0.02, orientation, np.nan), cmap="twilight", vmin=0, vmax=180)
figure.colorbar(strength, ax=axes[1], label="brightness per two pixels")
figure.colorbar(angle, ax=axes[2], label="orientation [degrees]")
for axis, title in zip(axes, ("a round disc", "magnitude", "orientation"), strict=True):
    axis.set(title=title, xlabel="x [pixel]", ylabel="y [pixel]")
plt.show()

# %% [markdown]
# *Only the rim has a gradient; opposite sides of the disc have the same orientation.*
#
# ### 5.2 Votes
#
# Divide the 180° into 9 bins of 20°, with centres at 10°, 30°, … 170°. The simple way is a **hard vote**: the whole
# magnitude goes to the bin in which the orientation lies.


# %%
def hard_votes(magnitude, orientation, bins=9):
    """The whole magnitude of each pixel to one bin: (height, width) twice, to (height, width, bins)."""
    own_bin = (orientation / (180 / bins)).astype(int) % bins
    return magnitude[..., np.newaxis] * (own_bin[..., np.newaxis] == np.arange(bins))


# %% [markdown]
# A galaxy with an orientation of 19.9° and one with 20.1° look the same, but their votes go to different bins. So Dalal and
# Triggs share each vote between the *two nearest bin centres*, in proportion to how near they are. Half-way between two
# centres each gets half; at a centre this bin gets all.
#
# Orientations form a ring: 180° is 0°. The first bin (centre 10°) and the last (170°) are neighbours, 20° apart, and
# share the votes in between.
#
# **Predict:** Where does a vote of weight 1 at 15° go? And at 0°?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# 15° is a quarter of the way from 10° to 30°: 0.75 to the bin of 10°, 0.25 to that of 30°. 0° is half-way between 170° and
# 10°: 0.5 each.
#
# </details>


# %% exercise="1.3"
# Exercise 1.3
def shared_votes(magnitude, orientation, bins=9):
    """Share each pixel's magnitude between the two bins whose centres are nearest to its orientation.

    Parameters
    ----------
    magnitude : (height, width) array
    orientation : (height, width) array
        Degrees, from 0 to 180; both ends are the same orientation.
    bins : int
        Their centres are at half a bin width, one and a half, ... (9 bins: 10, 30, ... 170 degrees).

    Returns
    -------
    (height, width, bins) array of float
        The votes of a pixel add up to its magnitude.

    Examples
    --------
    >>> shared_votes(np.array([[1.0]]), np.array([[15.0]]))
    array([[[0.75, 0.25, 0.  , 0.  , 0.  , 0.  , 0.  , 0.  , 0.  ]]])
    """
    ### BEGIN SOLUTION
    position = orientation * (bins / 180) - 0.5  # in units of bins, 0 at the first centre
    below = np.floor(position).astype(int)
    share = position - below
    votes = np.zeros((*magnitude.shape, bins))
    rows, columns = np.indices(magnitude.shape, sparse=True)
    votes[rows, columns, below % bins] = magnitude * (1 - share)
    votes[rows, columns, (below + 1) % bins] = magnitude * share
    return votes
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.3", shared_votes)

# %% [markdown]
# ### 5.3 Cells
#
# A cell sums the votes of its 8 × 8 pixels, bin by bin. 64 numbers become 9, and it no longer matters where in the cell
# an edge was: the first small step towards a description that survives small shifts.


# %% exercise="1.4"
# Exercise 1.4
def cell_histograms(votes, cell_size=8):
    """Sum the votes in square cells.

    Parameters
    ----------
    votes : (height, width, bins) array
    cell_size : int
        Side of a cell in pixels. Rows and columns at the lower and the right edge that fill no cell are left out.

    Returns
    -------
    (height // cell_size, width // cell_size, bins) array

    Examples
    --------
    >>> cell_histograms(np.ones((17, 24, 9))).shape       # 17 = 2 cells and one row
    (2, 3, 9)
    >>> print(cell_histograms(np.ones((17, 24, 9)))[0, 0, 0])
    64.0
    """
    ### BEGIN SOLUTION
    rows, columns = votes.shape[0] // cell_size, votes.shape[1] // cell_size
    whole = votes[: rows * cell_size, : columns * cell_size]
    return whole.reshape(rows, cell_size, columns, cell_size, -1).sum(axis=(1, 3))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.4", cell_histograms)

# %% [markdown]
# ### 5.4 Blocks
#
# A brighter galaxy has larger gradients everywhere. To get rid of this, 2 × 2 neighbouring cells are written as one vector
# $v$ of 36 numbers and divided by its length. Blocks overlap: they start at every cell, so 8 × 8 cells make 7 × 7 blocks.
#
# One very strong edge would still push all other numbers of its block to nearly zero. Therefore values are cut at 0.2, and
# the length is set to one again. The recipe is called **L2-Hys** and comes from SIFT (Lowe 2004):
#
# $$ v \leftarrow \frac{v}{\sqrt{|v|^2 + \epsilon^2}}, \qquad v \leftarrow \min(v, 0.2), \qquad
#    v \leftarrow \frac{v}{\sqrt{|v|^2 + \epsilon^2}} $$
#
# **Predict:** What is the small number $\epsilon$ good for?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Without it a block of an empty picture would be 0 / 0, which is NaN, and one NaN makes every SVM fail. With it, such a
# block stays zero.
#
# </details>


# %% exercise="1.5"
# Exercise 1.5
def normalise_blocks(cells, block_size=2, epsilon=1e-5):
    """Overlapping blocks of cells, each normalised by L2-Hys.

    Parameters
    ----------
    cells : (rows, columns, bins) array
    block_size : int
        Side of a block in cells.
    epsilon : float
        In units of the votes.

    Returns
    -------
    (rows - block_size + 1, columns - block_size + 1, block_size, block_size, bins) array
        The block that starts at cell (row, column) stands at [row, column]; inside it cells keep their places.

    Examples
    --------
    >>> blocks = normalise_blocks(np.ones((8, 8, 9)))
    >>> blocks.shape
    (7, 7, 2, 2, 9)
    >>> print(blocks[0, 0, 0, 0, 0].round(4))     # 36 equal numbers of length one: 1/6
    0.1667
    """
    ### BEGIN SOLUTION
    windows = np.lib.stride_tricks.sliding_window_view(cells, (block_size, block_size), axis=(0, 1))
    blocks = np.moveaxis(windows, 2, -1)  # the window's axes come last: move the bins behind them

    def divide_by_length(blocks):
        return blocks / np.sqrt((blocks**2).sum(axis=(2, 3, 4), keepdims=True) + epsilon**2)

    return divide_by_length(np.minimum(divide_by_length(blocks), 0.2))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.5", normalise_blocks)

# %% [markdown]
# ### 5.5 The whole descriptor
#
# Now put the four steps together. The function that distributes the votes is an argument, so that you can compare shared
# and hard votes.
#
# **Predict:** How many numbers describe a picture of 64 × 64 pixels?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# 8 × 8 cells, 7 × 7 blocks, each of 2 × 2 cells with 9 bins: 7 · 7 · 4 · 9 = 1764.
#
# </details>


# %% exercise="1.6"
# Exercise 1.6
def hog(image, vote=shared_votes, bins=9, cell_size=8, block_size=2):
    """Histogram of oriented gradients.

    Parameters
    ----------
    image : (height, width) array
    vote : function
        Called as vote(magnitude, orientation, bins), like `shared_votes` and `hard_votes`.
    bins, cell_size, block_size : int
        Orientations, pixels along a cell, cells along a block.

    Returns
    -------
    (number of blocks * block_size**2 * bins,) array of float

    Examples
    --------
    >>> hog(np.ones((64, 64))).shape
    (1764,)
    """
    ### BEGIN SOLUTION
    magnitude, orientation = gradients(image)
    votes = vote(magnitude, orientation, bins)
    cells = cell_histograms(votes, cell_size)
    return normalise_blocks(cells, block_size).ravel()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.6", hog)

# %% [markdown]
# ## 6 · Your HoG beside scikit-image's
#
# `skimage.feature.hog` does the same. Two programs agree only where their conventions do:
#
# | convention | yours | scikit-image |
# |---|---|---|
# | difference | right minus left, not halved | the same |
# | border | no difference across it | the same |
# | orientation | 0–180°, rows count downwards | the same |
# | bins | centres at 10°, 30°, … | the same |
# | a cell | sum of its votes | mean of its votes: the same after normalisation |
# | normalisation | L2-Hys, ε = 1e-5 | the same, if `block_norm="L2-Hys"` (its default) |
# | **votes** | **shared between two bins** | **hard: all to one bin** |
#
# So with `vote=hard_votes` your numbers must be those of the library, and without they must not.

# %%
pictures = grey_of["upright"]["train"][:200].astype(float)


def library_hog(picture):
    """The same descriptor from scikit-image."""
    return skimage.feature.hog(picture, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))


theirs = np.stack([library_hog(picture) for picture in pictures])
for votes in (hard_votes, shared_votes):
    ours = np.stack([hog(picture, vote=votes) for picture in pictures])
    print(f"{votes.__name__:12}  largest difference from scikit-image: {np.abs(ours - theirs).max():.1e}")


# %% [markdown]
# ### Which vote is better?
#
# Let us turn a pattern by one degree at a time and see how much the descriptor changes. The pattern is a plane wave, so that
# we can compute it at any angle instead of turning pixels.
#
# **Predict:** How does the change depend on the angle, for hard and for shared votes?


# %%
def wave(angle):
    """A plane wave of 64 × 64 pixels that runs in the direction `angle` [degrees]."""
    y, x = np.indices((64, 64))
    return np.sin(0.5 * (np.cos(np.deg2rad(angle)) * x + np.sin(np.deg2rad(angle)) * y))


angles = np.arange(0.25, 60, 1.0)
figure, axis = plt.subplots()
for votes, name in ((hard_votes, "hard votes, as in scikit-image"), (shared_votes, "shared votes, yours")):
    descriptors = np.stack([hog(wave(angle), vote=votes) for angle in angles])
    change = np.linalg.norm(np.diff(descriptors, axis=0), axis=1) / np.linalg.norm(descriptors[:-1], axis=1)
    axis.plot(angles[:-1], change, label=name)
axis.set(xlabel="direction of the wave [degrees]", ylabel="change of the descriptor per degree\n[share of its length]")
axis.set_ylim(0, 1.8)
axis.legend(loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# *Hard votes stand still and then jump, where the direction crosses the edge of a bin; shared votes change gently.* Around 20°
# and 40°, in the middle between two bins, the shares of both exceed 0.2 and are cut to it: there nothing changes.
#
# A descriptor that jumps tells a classifier of differences that are not there. On galaxies, with their many directions at once, the
# difference is smaller than on a plane wave.
#
# ### And how fast is it?
#
# Your function works on whole arrays; the library's votes are compiled from Cython. A loop over pixels in Python would be
# about ten times slower than either.


# %%
def milliseconds_per_picture(function):
    """Shortest of five runs over 40 pictures: other programs can only slow a run down."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for picture in pictures[:40]:
            function(picture)
        runs.append(time.perf_counter() - start)
    return 1000 * min(runs) / 40


yours, library = milliseconds_per_picture(hog), milliseconds_per_picture(library_hog)
print(
    f"yours {yours:.2f} ms, scikit-image {library:.2f} ms a picture: yours takes {yours / library:.1f} times as long (aim: at most 3)"
)

# %% [markdown]
# ### Does it see galaxies?

# %%
hogs = extract(hog, grey_of)
_, hog_accuracy = train_and_test({"HoG": hogs})
better_pixels = max(pixels_accuracy, stretched_accuracy)
print(f"HoG    + linear SVM: accuracy {hog_accuracy:.3f} on the test set")
print(f"pixels + linear SVM: accuracy {better_pixels:.3f}, the better of the two versions")

# %% [markdown]
# The same SVM, the same grey pictures: only the features differ. The boundary between kinds is curved and entangled among
# pixels; among orientations a plane comes much closer to it.
#
# ## 7 · SIFT words
#
# HoG describes a picture on a fixed grid. **SIFT** (Lowe 2004) first looks for *keypoints*, spots that stand out at their
# own scale, and describes the surroundings of each by 128 numbers: a small HoG, turned into the keypoint's own direction. It
# was the best local feature there was until 2012.
#
# Pictures have different numbers of keypoints, so one more step is needed: group all descriptors of the training
# set into 32 clusters, the *words* (Csurka et al. 2004), and describe a picture by how often each word occurs. SIFT is
# slow, so we use fewer galaxies here: 500 to train, 150 to validate, 250 to test.


# %%
def sift_descriptors(picture):
    """(keypoints, 128) descriptors of one picture; none where nothing stands out."""
    extractor = skimage.feature.SIFT(upsampling=1, n_octaves=3, c_dog=0.004)
    try:
        extractor.detect_and_extract(np.clip(np.arcsinh(picture / sky_noise) / 8, 0, 1))
    except RuntimeError:  # SIFT's way to say that it found no keypoint
        return np.zeros((0, 128))
    return extractor.descriptors


FEWER = {"train": 500, "validation": 150, "test": 250}
keypoints = {s: [sift_descriptors(picture) for picture in grey_of["upright"][s][: FEWER[s]]] for s in SPLITS}
words = KMeans(32, n_init=1, random_state=lab.seed).fit(np.concatenate(keypoints["train"]).astype(float))


def word_counts(descriptors):
    """How often each word occurs in a picture: (32,)."""
    if len(descriptors) == 0:
        return np.zeros(32)
    return np.bincount(words.predict(descriptors.astype(float)), minlength=32)


sift = {split: np.stack([word_counts(d) for d in keypoints[split]]) for split in SPLITS}
few_labels = {split: labels_of["upright"][split][: FEWER[split]] for split in SPLITS}
sift_accuracy = {}
for kernel in ("linear", "rbf"):
    model = svm.fit(
        {"SIFT": sift["train"]}, few_labels["train"], {"SIFT": sift["validation"]}, few_labels["validation"], kernel
    )
    sift_accuracy[kernel] = metrics.accuracy(few_labels["test"], model.predict({"SIFT": sift["test"]}))
print(f"{np.mean([len(d) for d in keypoints['train']]):.1f} keypoints a galaxy")
print(f"SIFT words + linear SVM: accuracy {sift_accuracy['linear']:.3f}, from 500 training galaxies")

# %% [markdown]
# Keypoints are made for corners, letters and windows. A galaxy is smooth and has few of them, at places that noise moves
# about. It learnt from a quarter of the galaxies, so this is no fair race; what counts here is how SIFT works. It shines
# where the same object is to be found again in another picture.
#
# ## 8 · Astronomers' numbers
#
# Astronomers have condensed shapes into very few numbers, each with a meaning:
#
# - **colour**, the ratio of the fluxes in two bands as a difference of magnitudes, $g - r = -2.5 \log_{10}(F_g / F_r)$: old
#   stars are red (large), young ones blue;
# - **concentration** $C = 5 \log_{10}(r_{80} / r_{20})$, with the radii of the circles that hold 80 and 20 % of the light
#   (Conselice 2003);
# - **asymmetry** $A$, what is left after subtracting the picture turned by 180° (Conselice 2003);
# - **Gini coefficient** $G$: is the light in few pixels ($G$ near 1) or spread evenly (0)? (Lotz et al. 2004; the number
#   comes from economics, where it measures unequal incomes);
# - $M_{20}$, how far from the centre the brightest 20 % of the light lie (Lotz et al. 2004).
#
# In practice they need much preparation: which pixels belong to the galaxy, where its centre is, what the noise adds. You
# write two of them.
#
# ### 8.1 Asymmetry
#
# $$ A = \frac{\sum |I - I_{180}| \;-\; N\,\frac{2}{\sqrt{\pi}}\,\sigma}{\sum |I|} $$
#
# $I_{180}$ is the picture after half a turn about its middle. Pure noise is not symmetric: the difference of two
# independent Gaussian values of standard deviation $\sigma$ has a standard deviation of $\sqrt{2}\,\sigma$ and a mean
# absolute value of $2\sigma/\sqrt{\pi} \approx 1.13\,\sigma$. The second term takes this off, for all $N$ pixels.
# (Conselice measures it on a piece of empty sky.) The centre matters much: half a turn about a point beside the nucleus
# makes any galaxy asymmetric. So your function will be called for several centres, and the smallest $A$ counts, as in
# Conselice's definition.


# %% exercise="1.7"
# Exercise 1.7
def asymmetry(image, sky_noise=0.0):
    """How much an image differs from itself after half a turn.

    Parameters
    ----------
    image : (height, width) array, of floats or of whole numbers
    sky_noise : float
        Standard deviation of the noise of a pixel, in the units of the image.

    Returns
    -------
    float
        0 for a symmetric image without noise, 2 where no light falls onto light.

    Examples
    --------
    >>> print(asymmetry(np.array([[0.0, 1.0], [0.0, 0.0]])))
    2.0
    """
    ### BEGIN SOLUTION
    image = np.asarray(image, dtype=float)
    difference = np.abs(image - image[::-1, ::-1]).sum()
    from_noise = image.size * 2 / np.sqrt(np.pi) * sky_noise
    return (difference - from_noise) / np.abs(image).sum()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.7", asymmetry)

# %% [markdown]
# ### 8.2 Gini coefficient
#
# Sort the $n$ pixel values by their absolute value, $|x_1| \le |x_2| \le \dots \le |x_n|$. Then
#
# $$ G = \frac{1}{\overline{|x|}\; n (n - 1)} \sum_{i=1}^{n} (2 i - n - 1)\, |x_i| $$
#
# **Predict:** What is $G$ if all pixels are equal? And if all the light is in one pixel?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Equal pixels: the weights $2i - n - 1$ run symmetrically from $-(n-1)$ to $n-1$ and cancel, $G = 0$. One pixel: only $i = n$
# counts, with weight $n - 1$; the mean is $x_n / n$, so $G = 1$.
#
# </details>


# %% exercise="1.8"
# Exercise 1.8
def gini(values):
    """Gini coefficient of the pixels of a galaxy.

    Parameters
    ----------
    values : array of any shape, of floats or of whole numbers

    Returns
    -------
    float
        0 if all values are equal, 1 if one of them holds everything; 0 if there is no light at all.

    Examples
    --------
    >>> print(gini(np.array([1.0, 3.0])))
    0.5
    """
    ### BEGIN SOLUTION
    ordered = np.sort(np.abs(np.asarray(values, dtype=float)), axis=None)
    n = ordered.size
    if ordered.sum() == 0:
        return 0.0
    weights = 2 * np.arange(1, n + 1) - n - 1
    return (weights * ordered).sum() / (ordered.mean() * n * (n - 1))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check("1.8", gini)

# %% [markdown]
# The other numbers are here. As pixels of the galaxy we take all that stand out of the noise by a factor of five; Lotz et al.
# use a more careful aperture that does not depend on distance.


# %%
def galaxy_pixels(picture, noise):
    """True where a grey picture stands out of the noise, and always in the brightest 20 pixels: (height, width) bool."""
    return picture > min(5 * noise, np.sort(picture, axis=None)[-21])


def brightest_pixel(picture):
    """Row and column of the brightest pixel, not nearer to the edge than 22 pixels."""
    row, column = np.unravel_index(np.argmax(picture), picture.shape)
    return np.clip(row, 22, picture.shape[0] - 23), np.clip(column, 22, picture.shape[1] - 23)


def concentration(picture):
    """5 log10(r80 / r20), with circles about the brightest pixel, out to 22 pixels."""
    row, column = brightest_pixel(picture)
    y, x = np.indices(picture.shape)
    radius = np.hypot(y - row, x - column).ravel()
    order = np.argsort(radius)
    order = order[radius[order] < 22]
    inside = np.cumsum(picture.ravel()[order])
    r20, r80 = (max(radius[order][np.argmax(inside >= share * inside[-1])], 0.5) for share in (0.2, 0.8))
    return 5 * np.log10(r80 / r20)


def smallest_asymmetry(picture):
    """Asymmetry of 41 × 41 pixels, for the best of nine centres around the brightest pixel."""
    row, column = brightest_pixel(picture)
    squares = [
        picture[row + down - 20 : row + down + 21, column + right - 20 : column + right + 21]
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    ]
    return min(asymmetry(square, sky_noise) for square in squares)


def moment_20(picture, own):
    """M20: log10 of the second moment of the brightest 20 % of the light, in units of that of all the light."""
    y, x = np.nonzero(own)
    light = picture[own]
    x_centre, y_centre = np.average(x, weights=light), np.average(y, weights=light)
    moment = light * ((x - x_centre) ** 2 + (y - y_centre) ** 2)
    brightest = np.argsort(-light)
    core = np.cumsum(light[brightest]) <= 0.2 * light.sum()
    core[:2] = True
    return np.log10(moment[brightest][core].sum() / moment.sum())


def shape_numbers(picture):
    """Concentration, asymmetry, Gini coefficient, M20 of a grey picture: (4,)."""
    own = galaxy_pixels(picture, sky_noise)
    return np.array([concentration(picture), smallest_asymmetry(picture), gini(picture[own]), moment_20(picture, own)])


def colours(image):
    """Colours g - r and r - i in magnitudes, from the light in all pixels that stand out: (bands - 1,)."""
    grey = image.mean(axis=-1)
    flux = np.maximum(image[galaxy_pixels(grey, 0.6)].sum(axis=0), 1.0)
    return -2.5 * np.log10(flux[:-1] / flux[1:])


shapes = extract(shape_numbers, grey_of)
two_colours = extract(colours, colours_of)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.3))
labels = labels_of["upright"]["train"]
for label, name in enumerate(class_names):
    concentrations, asymmetries, ginis, moments = shapes["upright"]["train"][labels == label].T
    axes[0].plot(concentrations[:120], asymmetries[:120], ".", markersize=4, alpha=0.7)
    axes[1].plot(moments[:120], ginis[:120], ".", markersize=4, alpha=0.7)
    g_minus_r = two_colours["upright"]["train"][labels == label, 0]
    axes[2].hist(g_minus_r, np.linspace(-0.2, 1.2, 36), histtype="step", linewidth=1.5, label=name)
axes[0].set(xlabel="concentration C", ylabel="asymmetry A", ylim=(-0.1, 1.1))
axes[1].set(xlabel="$M_{20}$", ylabel="Gini coefficient G")
axes[2].set(xlabel="colour g − r [mag]", ylabel="galaxies")
axes[2].legend(fontsize="small", loc="upper left")
plt.show()

# %% [markdown]
# *Asymmetry and $M_{20}$ single out the irregulars; ellipticals are a little more concentrated and redder than the rest. No
# one number parts all four.*
#
# ### The table
#
# Now every set of features with a linear and with a kernel SVM, on upright galaxies.

# %%
sets_of = {
    "pixels": {"pixels": pixels},
    "pixels, stretched": {"pixels, stretched": stretched_pixels},
    "colour histogram": {"colour histogram": colour_histograms},
    "texture": {"texture": textures},
    "HoG": {"HoG": hogs},
    "C, A, Gini, M20": {"C, A, Gini, M20": shapes},
    "colours": {"colours": two_colours},
}
sets_of["astronomers' numbers"] = sets_of["C, A, Gini, M20"] | sets_of["colours"]
sets_of["HoG + colours"] = sets_of["HoG"] | sets_of["colours"]
sets_of["HoG + C, A, Gini, M20"] = sets_of["HoG"] | sets_of["C, A, Gini, M20"]
sets_of["HoG + astronomers' numbers"] = sets_of["HoG"] | sets_of["astronomers' numbers"]
sets_of["all together"] = (
    sets_of["pixels, stretched"]
    | sets_of["colour histogram"]
    | sets_of["texture"]
    | sets_of["HoG + astronomers' numbers"]
)

models, accuracy = {}, {}
for title, sets in sets_of.items():
    for kernel in ("linear", "rbf"):
        models[title, kernel], accuracy[title, kernel] = train_and_test(sets, "upright", kernel)
for kernel, reached in sift_accuracy.items():
    accuracy["SIFT words (500 galaxies)", kernel] = reached

titles = [*list(sets_of)[:5], "SIFT words (500 galaxies)", *list(sets_of)[5:]]
print(f"{'features':26} {'linear':>7} {'RBF':>7}    (accuracy on upright test galaxies)")
for title in titles:
    print(f"{title:26} {accuracy[title, 'linear']:7.3f} {accuracy[title, 'rbf']:7.3f}")
plotting.pairs(
    {title: (accuracy[title, "linear"], accuracy[title, "rbf"]) for title in titles},
    ("linear SVM", "kernel SVM (RBF)"),
    "accuracy on upright test galaxies",
)
plt.show()

# %% [markdown]
# *With a linear SVM, texture and HoG beat pixels clearly; the kernel helps pixels and colour histograms most; together the
# features are far better than any of them alone.*
#
# Three honest remarks. A kernel SVM on stretched pixels does about as well as a linear one on HoG: it compares a galaxy with
# training galaxies pixel by pixel, and since ours are upright, near the middle and alone on their stamp, that works. The 26
# numbers of the texture are as good as the 1764 of HoG for a linear SVM. And the test set holds 1000 galaxies: differences
# below about 0.015 are chance.
#
# ### The feature that was left out
#
# Our grey pictures left out the colour. Two numbers, $g - r$ and $r - i$, are the poorest features of the table when they
# stand alone.
#
# **Predict:** What do they add to HoG? And which other property of a galaxy does HoG not see, by its very construction?

# %%
steps = ("HoG", "HoG + colours", "HoG + C, A, Gini, M20", "HoG + astronomers' numbers")
print("galaxies that get a wrong label (%)     linear    RBF")
for title in steps:
    linear, rbf = (100 * (1 - accuracy[title, kernel]) for kernel in ("linear", "rbf"))
    print(f"{title:38} {linear:7.1f} {rbf:6.1f}")
gain = accuracy["HoG + colours", "linear"] - accuracy["HoG", "linear"]
print(f"two colours, 2 numbers beside 1764, raise the accuracy of HoG + linear SVM by {gain:.3f}")

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Colours take away a quarter to a third of the errors: a red smooth galaxy is an elliptical, however faint. The other property is how
# the brightness falls from the centre outwards: each block is normalised by itself, so HoG does not know which block is
# bright. Concentration, Gini coefficient and $M_{20}$ say just that, and help even more. (The kernel SVM gains
# less from colours: with an equal say for each set, two noisy numbers make up half of every distance.)
#
# </details>

# %% [markdown]
# For the linear SVM the colours take away a good part of the errors; how the light falls from the centre outwards, which HoG
# does not see either, takes away even more. The kernel SVM gets by without the colours, but not without the second. We knew
# what was missing, as we had thrown it away. With real data nobody tells you. This is the worry with designed features:
# *everything is in the features, and what if an important one was left out?*
#
# ## 9 · Turn the galaxies
#
# On the sky, orientation is chance. What do the SVMs that learnt from upright galaxies say to turned ones? We do not turn
# pixels, which would blur them: the simulator renders 300 test galaxies again at other position angles.
#
# **Predict:** Sketch accuracy against angle, from 0° to 90°, for HoG and for the colour histogram.

# %%
angles = np.arange(0, 91, 15)
truth = upright.test.truth[:300].copy()
sketches = {name: [] for name in ("HoG", "pixels, stretched", "texture", "colour histogram")}
for angle in angles:
    truth["position_angle"] = upright.test.truth["position_angle"][:300] + angle
    images = sky.render(truth, upright.survey, 64, np.random.default_rng([lab.seed, int(angle)]))
    grey = grey_picture(images)
    found = {
        "HoG": [hog(picture) for picture in grey],
        "pixels, stretched": np.arcsinh(halve(grey) / sky_noise).reshape(len(grey), -1),
        "texture": [texture(picture) for picture in grey],
        "colour histogram": [colour_histogram(np.arcsinh(image), 8, (-1.0, 7.0)) for image in images],
    }
    for name, reached in sketches.items():
        predicted = models[name, "linear"].predict({name: np.asarray(found[name])})
        reached.append(metrics.accuracy(upright.test.labels[:300], predicted))

figure, axis = plt.subplots()
for (name, reached), marker in zip(sketches.items(), "os^D", strict=True):
    axis.plot(angles, reached, marker=marker, label=name)
axis.axhline(0.25, color="black", linestyle="--", linewidth=1)
axis.text(1, 0.26, "guessing")
axis.set(xlabel="test galaxies turned by [degrees]", ylabel="accuracy, linear SVM", ylim=(0.2, 1), xticks=angles)
axis.legend(fontsize="small")
plt.show()

# %% [markdown]
# *HoG and pixels know directions, and what they learnt from upright galaxies is wrong for turned ones; texture counts
# neighbours in four directions and falls too, if less; the colour histogram knows no direction.* With 300 galaxies each point is
# uncertain by about 0.03.

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The colour histogram does not know where a pixel was, so its line is flat up to noise. HoG and pixels are tied to the grid:
# a turned galaxy puts its votes into other bins of other cells, that is, into other features. Shared votes help for a few
# degrees only.
#
# </details>

# %% [markdown]
# Would it help to *train* on galaxies in all orientations? The second data set has them, with as many training galaxies.

# %%
compared = ("pixels, stretched", "HoG", "colour histogram", "C, A, Gini, M20", "HoG + astronomers' numbers")
for title in compared:
    _, accuracy[title, "turned"] = train_and_test(sets_of[title], "turned", "linear")
plotting.pairs(
    {title: (accuracy[title, "linear"], accuracy[title, "turned"]) for title in compared},
    ("upright", "random orientation"),
    "accuracy on test galaxies like those trained on, linear SVM",
)
plt.show()

# %% [markdown]
# *Trained and tested on random orientations, pixels and HoG stay below what they reach on upright galaxies; features that
# do not know directions lose nothing beyond chance.*
#
# HoG must now learn every kind at every angle, from the same number of examples. How well can it do with all 4000 training
# galaxies of the set and a kernel SVM? The same galaxies wait for the network in lab 03, so note this number.

# %%
more = np.stack([hog(picture) for picture in grey_picture(turned.train.images[N_TRAIN:])])
all_turned = hogs["turned"] | {"train": np.concatenate([hogs["turned"]["train"], more])}
hog_model = svm.fit(
    {"HoG": all_turned["train"]},
    turned.train.labels,
    {"HoG": all_turned["validation"]},
    turned.validation.labels,
    kernel="rbf",
    seed=lab.seed,
)
hog_scores = hog_model.scores({"HoG": all_turned["test"]})
hog_predictions = hog_model.predict({"HoG": all_turned["test"]})
hog_all_accuracy = metrics.accuracy(turned.test.labels, hog_predictions)
print(f"HoG + kernel SVM, {len(turned.train.labels)} galaxies in random orientation: accuracy {hog_all_accuracy:.3f}")

# %% [markdown]
# ## 10 · Where it fails
#
# Numbers say how often a model fails, pictures say how. First which kinds are mixed up; then the galaxies for which the SVM
# was most sure and wrong, measured by how far the winning score lies above that of the right class.

# %%
plotting.confusion({"HoG + kernel SVM": metrics.confusion_matrix(turned.test.labels, hog_predictions, 4)}, class_names)
plt.show()

surplus = hog_scores.max(axis=1) - hog_scores[np.arange(len(hog_scores)), turned.test.labels]
worst = np.argsort(-surplus)[:12]
plotting.gallery(
    sky.colour(turned.test.images[worst], turned.survey),
    [
        f"{class_names[turned.test.labels[i]]}\nnot {class_names[hog_predictions[i]]}, r = {turned.test.truth['magnitude'][i]:.1f}"
        for i in worst
    ],
    columns=6,
    size=1.35,
)
plt.show()

# %% [markdown]
# *Above: each row is a true kind, each cell the share taken for the kind below. Below: confident mistakes; the first line is
# the truth, the second what HoG took it for.*
#
# **Look:** Which of them would you have got right, and what do you use that HoG does not see?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Mostly two things: colour (a red smooth galaxy is no irregular), and how the brightness falls off with radius, as
# normalising each block throws away how bright it is. Some are honest borderline cases, faint or nearly edge-on.
#
# </details>

# %% [markdown]
# ## 11 · The real sky
#
# Last, galaxies from the Hubble deep field picture that ships with scikit-image. Nobody has labelled them, so there is no
# accuracy. The picture differs from our simulations in sharpness, in bands, and in that it was made for the eye: bright parts
# are cut off.
#
# A test needs no labels: a quarter turn changes nothing about a galaxy. Turning pixels by 90° is exact, so a good classifier
# gives the same answer for all four orientations. How often does ours change its mind?

# %%
hubble = datasets.load("hubble")
hubble_images = hubble.test.images[:200]
hubble_grey = grey_picture(hubble_images)
quarter_turn = np.rot90(hubble_grey, axes=(1, 2))

upright_hubble = models["HoG", "linear"].predict({"HoG": np.stack([hog(p) for p in hubble_grey])})
upright_quarter = models["HoG", "linear"].predict({"HoG": np.stack([hog(p) for p in quarter_turn])})
turned_hubble = hog_model.predict({"HoG": np.stack([hog(p) for p in hubble_grey])})
turned_quarter = hog_model.predict({"HoG": np.stack([hog(p) for p in quarter_turn])})
changes = {
    "trained on upright galaxies": np.mean(upright_hubble != upright_quarter),
    "trained on random orientation": np.mean(turned_hubble != turned_quarter),
}
for name, share in changes.items():
    print(
        f"HoG {name}: {100 * share:.0f} % of {len(hubble_images)} Hubble galaxies get another label after a quarter turn"
    )

fickle = np.flatnonzero(upright_hubble != upright_quarter)[:12]
plotting.gallery(
    sky.colour(hubble_images[fickle]),
    [f"{class_names[upright_hubble[i]]}\nturned: {class_names[upright_quarter[i]]}" for i in fickle],
    columns=6,
    size=1.4,
    suptitle="Bright objects with another label after a quarter turn (SVM trained upright)",
)
plt.show()

# %% [markdown]
# *Above each object its label, and that of the same picture turned by 90°.* Not all of them are galaxies: where you see a cross of
# light, the telescope made it around a star of our own Milky Way. A black border is the edge of the picture.
#
# Four things differ from what the SVM knows: neighbours lie on the same stamp and add edges of their own, bright centres
# are cut off, the galaxies are seen more sharply, and they are other galaxies, much farther away. How often these labels are
# wrong we cannot say without labels; that they depend on how the camera was held, we have measured.
#
# Another look needs no classifier at all: which galaxies does HoG think are alike? Two pictures are near if their
# descriptors are.

# %%
descriptors = np.stack([hog(picture) for picture in hubble_grey])
bright = hubble.test.truth[:60]
chosen = [*np.argsort(-bright["ellipticity"])[:1], np.argmin(bright["ellipticity"])]  # a long object and a round one
shown = [k for i in chosen for k in np.argsort(np.linalg.norm(descriptors - descriptors[i], axis=1))[:6]]
titles = ["chosen" if k % 6 == 0 else f"neighbour {k % 6}" for k in range(len(shown))]
plotting.gallery(sky.colour(hubble_images[shown]), titles, columns=6, size=1.3)
plt.show()

# %% [markdown]
# *Left an object, to its right the five nearest in HoG space.* What is near in 1764 numbers need not look alike to you: some
# neighbours share the direction or the extent of the light, few share the colour, which HoG never saw, and some share the
# clutter around them.
#
# ## 12 · What you measured
#
# Differences of accuracies are meant as they stand: 0.1 is ten galaxies in a hundred.

# %%
results.record(
    "01",
    pixels_accuracy=better_pixels,
    hog_accuracy=hog_accuracy,
    hog_minus_pixels=hog_accuracy - better_pixels,
    rotation_loss=hog_accuracy - accuracy["HoG", "turned"],
    quarter_turn_loss=sketches["HoG"][0] - sketches["HoG"][-1],
    colour_gain=gain,
    all_accuracy=accuracy["all together", "linear"],
    hog_random_accuracy=hog_all_accuracy,
    hog_fast_enough=yours <= 3 * library,
)
results.table("01")

# %% [markdown]
# ### Three things to take away
#
# 1. Features decide. With the same SVM and the same galaxies the accuracy runs over a wide range, depending on the numbers
#    that we computed first.
# 2. HoG describes shape by orientations of edges, blind to brightness and to small shifts. It is tied to the grid: turn the
#    object, and the description is another.
# 3. What no feature tells, no classifier can bring back. Here it was colour, and how the light falls outwards; we had to know
#    that.
#
# ### Where to go on
#
# In lab 02 you build the operation that looks the same way at every place of a picture, the convolution. In lab 03 a network
# learns its own features from the same galaxies in random orientation, and you compare it with your HoG.
#
# ### If you want more
#
# - Make HoG robust: average its cell histograms over rings around the centre, or shift each histogram to its own strongest
#   direction. What do you gain on random orientation, and what do you lose on upright galaxies?
# - Add each training galaxy four times, turned by 0°, 90°, 180°, 270°. How far does this bring HoG?
# - Plot the accuracy of HoG against magnitude. Which galaxies are lost first? Try another sigma for the smoothing.
# - Dalal and Triggs also share votes between neighbouring *cells*. Add it to `cell_histograms` and measure shifts by 1 to 8
#   pixels before and after.
#
# ### References
#
# - Abraham, van den Bergh & Nair 2003, ApJ 588, 218: the Gini coefficient of galaxies
# - Conselice 2003, ApJS 147, 1: concentration, asymmetry, clumpiness
# - Cortes & Vapnik 1995, Machine Learning 20, 273: support vector machines
# - Csurka et al. 2004, ECCV workshop on statistical learning in computer vision: words from keypoints
# - Dalal & Triggs 2005, CVPR, 886: histograms of oriented gradients
# - Haralick, Shanmugam & Dinstein 1973, IEEE Trans. SMC 3, 610: co-occurrence matrices
# - Huertas-Company et al. 2008, A&A 478, 971: twelve shape numbers in a support vector machine
# - Lotz, Primack & Madau 2004, AJ 128, 163: Gini and M20
# - Lowe 2004, IJCV 60, 91: SIFT
# - Ojala, Pietikäinen & Mäenpää 2002, IEEE TPAMI 24, 971: local binary patterns
# - Swain & Ballard 1991, IJCV 7, 11: colour histograms
