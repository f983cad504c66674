# %% [markdown]
# # 13 · U-Net
#
# **Question:** An image of the sky has no class: it has hundreds of objects, half of which touch their neighbours. Can a
# network say for every single pixel what it is, and whose light it holds?
#
# **You build:** IoU and Dice that are right for every kind of mask, three losses and what they do with rare pixels, the
# U-Net and its twin without skips, pairs of overlapping galaxies and what a network should answer for them, the matching
# of sources with galaxies, and a way through images of any size without seams.
#
# **Time:** 180 minutes of work, 3 minutes of CPU · **Before:** labs 03, 07 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/13_unet.ipynb)
#
# **Papers:** Ronneberger, Fischer & Brox 2015, MICCAI, 234 (U-Net); Hausen & Robertson 2020, ApJS 248, 20 (Morpheus);
# Boucaud et al. 2020, MNRAS 491, 2481 (blends)

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

lab.start("13")

# %% tags=["imports"]
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from matplotlib.colors import ListedColormap
from scipy import ndimage
from skimage.data import hubble_deep_field
from skimage.feature import peak_local_max
from skimage.segmentation import find_boundaries, watershed

from utils import compare, datasets, extraction, metrics, plotting, results, sky, training
from utils.checks import check, hint, reference, solution
from utils.datasets import fields

# %% [markdown]
# ## 1 · What is the class of this image?
#
# Here is a piece of the real sky, seen by the Hyper Suprime-Cam of the Subaru telescope in the bands g, r and i. The
# whole tile is 2.9 arcminutes wide, a tenth of the full moon, and has a catalogue of 454 objects.

# %%
tile = datasets.load("hsc")
survey = tile.survey
sky_tile = tile.test.images[0, :1024, :1024]
owner = tile.test.segmentation[0, :1024, :1024]
unlabelled = tile.test.unlabelled[0, :1024, :1024]

part = slice(420, 700), slice(560, 840)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6))
for axis, title in zip(axes, ("what the telescope saw", "what the catalogue says"), strict=True):
    axis.imshow(sky.colour(sky_tile, survey)[part])
    axis.set_title(title)
    axis.axis("off")
axes[1].imshow(np.ma.masked_equal(owner[part] % 19 + (owner[part] > 0), 0), cmap="tab20", alpha=0.7);

# %% [markdown]
# *Figure: a piece of the tile, 280 pixels or 47 arcseconds wide, in colour, and the same with the pixels of each object
# of the catalogue in a colour of their own.* A classifier gives one answer for an image. Here we want one for every
# pixel. That is **semantic segmentation**: galaxy or sky? spiral or star? my light or my neighbour's?
#
# It matters. In the deep images of the coming surveys more than half of the galaxies overlap with another one, and who
# measures the light of a pair as if it were one galaxy gets everything wrong that follows: colour, mass, shape, distance.
#
# Real sky has no truth, only catalogues. So we simulate fields like it, with the telescope's own sharpness and noise,
# train on them, and come back to this tile at the end.
#
# ## 2 · How well do two masks agree?
#
# A **mask** says for each pixel whether it belongs to something. Take a predicted mask $P$ and a true one $T$, and
# count pixels:
#
# $$ \mathrm{IoU} = \frac{|P \cap T|}{|P \cup T|}, \qquad \mathrm{Dice} = \frac{2\,|P \cap T|}{|P| + |T|} . $$
#
# IoU is *intersection over union*; both are 1 where the masks agree wholly and 0 where they do not meet. The pixels of
# sky that both leave out, most of the image, do not count.
#
# **Predict:** A mask is shifted by one pixel against the true one. Does a galaxy of 5 × 5 pixels or one of 50 × 50
# suffer more? By how much?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# A square of side $s$ keeps $s(s-1)$ pixels in both, of $s(s+1)$ in the union: $\mathrm{IoU} = (s-1)/(s+1)$, that is
# 0.67 and 0.96. An edge costs the small ones most.
# </details>

# %% [markdown]
# Write both. Beware of one trap that sits in published code for taking overlapping galaxies apart: the union as
# `(p + t).sum() - both`. Of two bool arrays `p + t` is *or*, and a perfect mask then scores infinity.

# %% exercise="13.1"
# Exercise 13.1
def overlap(predicted, true):
    """IoU and Dice of masks, one value of each for each image.

    Parameters
    ----------
    predicted, true : (n, height, width) arrays
        Of bool, integers or floats: a pixel is in the mask where the value is above 0.5.

    Returns
    -------
    iou, dice : (n,) arrays
        Two empty masks agree wholly: 1.

    Example
    -------
    overlap(np.array([[[1, 1, 0]]]), np.array([[[0, 1, 1]]])) is (array([0.333...]), array([0.5])).
    """
    ### BEGIN SOLUTION
    p, t = predicted > 0.5, true > 0.5
    both = (p & t).sum(axis=(1, 2))
    union = (p | t).sum(axis=(1, 2))
    iou = np.where(union > 0, both / np.maximum(union, 1), 1.0)
    return iou, 2 * iou / (1 + iou)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.1", overlap)

# %%
for side in (5, 50):
    square = np.zeros((1, 80, 80), bool)
    square[:, 10 : 10 + side, 10 : 10 + side] = True
    iou_of_squares, dice_of_squares = overlap(square, np.roll(square, 1, axis=2))
    print(f"a square of {side:2} pixels, shifted by one: IoU {iou_of_squares[0]:.2f}, Dice {dice_of_squares[0]:.2f}")

# %% [markdown]
# Now simulated fields of 128 × 128 pixels, with the numbers, sizes and colours of galaxies and stars as on the tile. All
# images are in units of the sky noise: a pixel of empty sky scatters by 1. Here everything is known. The true mask of a
# field holds the pixels where an object's own light, without any noise, is above 1.5.
#
# The oldest way to a mask is a threshold on the **detection image**, the sum of the bands divided by the root of their
# number, so that its noise is 1 again. Before, one can smooth it. That makes the noise smaller, and blurs the edges.
#
# **Predict:** What is best: not to smooth, with a Gaussian of 1 pixel, or of 2? And how high is the best threshold then?

# %%
field_data = datasets.load("fields", n_train=240, n_validation=0, n_test=40, seed=lab.seed)
test_fields = field_data.test
true_sources = test_fields.segmentation > 0

thresholds = np.arange(0.5, 4.1, 0.25)
detection = sky.detection(test_fields.images)
figure, axis = plt.subplots(figsize=(6, 3.4))
threshold_iou = {}
for width in (0.0, 1.0, 2.0):
    smooth = ndimage.gaussian_filter(detection, (0, width, width))
    line = [overlap(smooth > threshold, true_sources)[0].mean() for threshold in thresholds]
    axis.plot(thresholds, line, "o-", markersize=3, label=f"smoothed, width {width:.0f}" if width else "as it is")
    threshold_iou[width] = max(line)
    if width == 1:
        smoothed_iou = line
axis.set(xlabel="threshold (sky noise of the image before smoothing)", ylabel="IoU, mean of 40 fields", ylim=(0, 1))
axis.legend();

# %% [markdown]
# *Figure: how well a simple threshold on the detection image finds the pixels of all objects, without smoothing and
# after smoothing with a Gaussian of a standard deviation of 1 and 2 pixels.* Without smoothing, noise is cut out as
# sources, or faint sources are lost. With a little of it, a threshold is very good at telling source from sky; so
# SExtractor, the programme that most catalogues come from, smooths first. Remember the best value: a network that just
# tells source from sky has to compete with *that*. What a threshold cannot do is to say what a source is, and which of
# two galaxies the light belongs to.
#
# ## 3 · A loss for each pixel
#
# For each pixel the network gives a **logit** $z$; the probability of "source" is $p = \sigma(z) = 1/(1 + e^{-z})$. With
# the truth $t$, the **binary cross-entropy** of a pixel is
#
# $$ \ell = -w\,t \ln p - (1 - t) \ln (1 - p), $$
#
# here with a weight $w$ for pixels of the source, to be used where these are rare. Compute it from the logits, not from
# $p$: in single precision $\sigma(20)$ is 1, and $\ln 0$ ends the training. A helpful function is
# $\mathrm{softplus}(z) = \ln(1 + e^z)$, which Keras computes without overflow.
#
# **Think:** Write $-\ln \sigma(z)$ and $-\ln(1 - \sigma(z))$ with softplus.

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# $-\ln \sigma(z) = \ln(1 + e^{-z}) = \mathrm{softplus}(-z)$, and with $1 - \sigma(z) = \sigma(-z)$ the other one is
# $\mathrm{softplus}(z)$.
# </details>

# %% exercise="13.2"
# Exercise 13.2
def cross_entropy(logits, target, weight=1.0):
    """Mean binary cross-entropy of all pixels, from logits.

    Parameters
    ----------
    logits, target : (n, height, width, masks) tensors
        The target is 0, 1, or a share between.
    weight : float
        Stands before the term of the target's pixels.

    Returns
    -------
    Tensor, one number
        Computed with keras.ops (imported as ops), so that it has a gradient.

    Example
    -------
    A logit of 0 costs ln 2 = 0.693, whatever the target, if the weight is 1.
    """
    ### BEGIN SOLUTION
    source = target * ops.softplus(-logits)
    background = (1 - target) * ops.softplus(logits)
    return ops.mean(weight * source + background)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.2", cross_entropy)

# %% [markdown]
# Cross-entropy asks each pixel alone. But we judge whole masks, by IoU or Dice. Counts have no gradient; sums of
# probabilities have. The **soft Dice loss** of an image puts them in the place of the counts:
#
# $$ L = 1 - \frac{2 \sum p\,t + s}{\sum p + \sum t + s} $$
#
# The sums run over all pixels of an image; the loss of a batch is the mean over its images. The **smoothing** $s$ keeps
# the fraction finite where there is nothing to see.

# %% exercise="13.3"
# Exercise 13.3
def dice_loss(probability, target, smooth=1.0):
    """One minus the soft Dice coefficient of each image, averaged over the batch.

    Parameters
    ----------
    probability, target : (n, height, width, masks) tensors
        From 0 to 1.
    smooth : float

    Returns
    -------
    Tensor, one number
        Computed with keras.ops.

    Example
    -------
    An empty image, for which the network says 0 everywhere, costs 0.
    """
    ### BEGIN SOLUTION
    axes = (1, 2, 3)
    both = ops.sum(probability * target, axis=axes)
    sizes = ops.sum(probability, axis=axes) + ops.sum(target, axis=axes)
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.3", dice_loss)

# %% [markdown]
# Before it knows anything, a network learns which *constant* is best. Where few pixels are of the source, that constant
# decides how it begins. The pixels of stars ("point sources") are few: less than 2 % of a field.
#
# **Predict:** Which constant probability is best for cross-entropy, if 2 % of the pixels are stars? Which one if these
# weigh 49 times as much? Which one for Dice?

# %%
star_like = field_data.class_names.index("point source")
shares = {name: fields.class_shares(split.segmentation, split.truth) for name, split in
          (("train", field_data.train), ("test", field_data.test))}
rare = float(np.mean(shares["train"][..., star_like] > 0.5, dtype="float64"))
heavy = (1 - rare) / rare
print(f"{rare:.1%} of the pixels belong to stars; the others are {heavy:.0f} times as many")

pixels = np.zeros((1, 100, 100, 1), "float32")
pixels.reshape(-1)[: round(1e4 * rare)] = 1
constants = np.linspace(0.002, 0.998, 250)
lines = {"cross-entropy": [], "weighted cross-entropy": [], "Dice": []}
for p in constants:
    logit = np.full(pixels.shape, np.log(p / (1 - p)), "float32")
    lines["cross-entropy"].append(float(cross_entropy(logit, pixels)))
    lines["weighted cross-entropy"].append(float(cross_entropy(logit, pixels, weight=heavy)))
    lines["Dice"].append(float(dice_loss(np.full(pixels.shape, p, "float32"), pixels)))

figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.8))
for axis, (name, line) in zip(axes, lines.items(), strict=True):
    axis.plot(constants, line)
    axis.plot(constants[np.argmin(line)], min(line), "o", color=plotting.COLOURS[5])
    axis.set(title=name, xlabel="constant probability", ylabel="loss")

# %% [markdown]
# *Figure: what a network pays that says the same probability for each pixel, with the best constant as a dot.* Cross-
# entropy likes best to say what is frequent: with the share of the stars, below 2 %, it is content. Weights make both
# kinds equally frequent, and 0.5 is best. Dice takes no notice of sky that is called sky, and its best constant is
# "everything is a star". (But look at its axis: the loss hardly differs. That is a weak pull, and it ends far too high.)
#
# ## 4 · The U-Net
#
# What a pixel is, depends on its surroundings: a star and a knot in a spiral arm, a clump of young stars, look alike. So
# the network has to look far, and the cheap way is to pool. But after three poolings, one pixel stands for 8 × 8 of the
# image, and edges are lost. The **U-Net** goes down and up again, and at each scale on the way up it puts the picture
# that was seen there on the way down beside the one that comes from below: the **skip connection**.
#
# ```
#   image ─ block 8 ───────────────────── beside ─ block 8 ─ logits
#              └ pool ─ block 16 ────── beside ─ block 16 ┘ enlarge
#                          └ pool ─ block 32 ┘ enlarge
# ```
#
# A block is twice a convolution of 3 × 3, batch normalisation (lab 07) and a **leaky ReLU**: $x$ above 0, and $0.1\,x$
# below. It is given. Why leaky? The last block has eight channels only. With plain ReLUs it happened that, from some first
# weights, all eight became 0 on every source: all that was left there was the bias, the same for each of them, and no
# gradient came through. Such a network says "sky" everywhere, and nothing tells it why. A small slope keeps the way open.

# %%
def block(x, n_filters):
    """Twice: convolution, batch normalisation, leaky ReLU."""
    for _ in range(2):
        x = layers.Conv2D(n_filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)  # with few steps, 0.99 would lag behind
        x = layers.LeakyReLU(0.1)(x)
    return x

# %% exercise="13.4"
# Exercise 13.4
def unet(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    """A U-Net, or its twin without skips.

    Parameters
    ----------
    block : function
        block(x, n_filters) gives a tensor of the same height and width.
    input_shape : tuple
        (height, width, bands); height and width may be None. They are multiples of 2 to the power of the number of
        poolings.
    n_outputs : int
        Logits for each pixel.
    filters : sequence of int
        Of the blocks on the way down, the last one at the bottom. Between two blocks there is MaxPooling2D on the way
        down, and UpSampling2D on the way up. The blocks on the way up have the filters of their scale.
    skips : bool
        Whether, after enlarging, Concatenate puts what the block on the way down gave at this scale beside it.

    Returns
    -------
    keras.Model
        Ends with a convolution of 1 × 1 without activation.

    Example
    -------
    unet(block, (32, 32, 3), 1).output_shape is (None, 32, 32, 1). With three numbers of filters it has five blocks.
    """
    ### BEGIN SOLUTION
    x = inputs = keras.Input(input_shape)
    kept = []
    for n_filters in filters[:-1]:
        x = block(x, n_filters)
        kept.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = block(x, filters[-1])
    for n_filters, skip in zip(reversed(filters[:-1]), reversed(kept), strict=True):
        x = layers.UpSampling2D(2)(x)
        if skips:
            x = layers.Concatenate()([x, skip])
        x = block(x, n_filters)
    return keras.Model(inputs, layers.Conv2D(n_outputs, 1)(x))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.4", unet)

# %% [markdown]
# Input height and width are `None`: a network of convolutions alone runs on any size (that can be halved so often).
# We train on pieces of 64 × 64 pixels and run on 128, and at the end on more than 400.
#
# Pixels of galaxies reach from 1 to some thousands in units of the noise, so we hand over
# $\operatorname{arcsinh}(x/3)/3$: linear in the noise, logarithmic far above it.
#
# First a rare thing: the pixels of stars, with the three losses, and everything else equal.
#
# The learning rate rises over the first tenth of the steps: the first gradients of a network come from guesses.
#
# **Predict:** With which loss is **recall** highest, the share of star pixels that are found? And **precision**, the share
# of found pixels that are of stars?

# %%
def stretched(images):
    return (np.arcsinh(images / 3) / 3).astype("float32")


def pieces(images, size=64):
    """Cut (n, height, width, bands) into pieces of size × size."""
    n, height, width, bands = images.shape
    cut = images.reshape(n, height // size, size, width // size, size, bands)
    return cut.swapaxes(2, 3).reshape(-1, size, size, bands)


def compiled(network, loss, steps, rate=0.01):
    """Adam, with a learning rate that rises for a tenth of the steps, and then sinks to 0 along a cosine."""
    warm = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(rate / 10, steps - warm, warmup_target=rate, warmup_steps=warm)
    network.compile(keras.optimizers.Adam(schedule), loss, jit_compile=training.jit_compile())
    return network


x_fields = pieces(stretched(field_data.train.images))
share_pieces = pieces(shares["train"]).astype("float32")
x_test_fields = stretched(test_fields.images)

losses = {
    "cross-entropy": lambda t, z: cross_entropy(z, t),
    "weighted": lambda t, z: cross_entropy(z, t, weight=heavy),
    "Dice": lambda t, z: dice_loss(ops.sigmoid(z), t),
}
steps, star_networks = 60, {}


def star_network(name):
    star_networks[name] = compiled(unet(block, (None, None, 3), 1, (8, 16, 32)), losses[name], steps)
    return star_networks[name]


compare.train(
    {name: lambda name=name: star_network(name) for name in losses},
    (x_fields, share_pieces[..., star_like : star_like + 1]),
    None,
    steps=steps,
    batch_size=8,
    seeds=[lab.seed],
)
true_stars = shares["test"][..., star_like] > 0.5
star_masks, star_scores = {}, {}
for name, network in star_networks.items():
    mask = star_masks[name] = network.predict(x_test_fields, batch_size=8, verbose=0)[..., 0] > 0
    both = (mask & true_stars).sum()
    star_scores[name] = both / true_stars.sum(), both / max(mask.sum(), 1)
    print(f"{name:14} recall {star_scores[name][0]:.2f}  precision {star_scores[name][1]:.2f}  "
          f"says star for {mask.mean():.1%} of the pixels, true are {true_stars.mean():.1%}")

# %%
number = int(np.argmax(true_stars.sum(axis=(1, 2))))
pictures = [sky.colour(test_fields.images[number], survey), true_stars[number]]
pictures += [mask[number] for mask in star_masks.values()]
plotting.gallery(pictures, ["a field", "pixels of stars", *star_masks], columns=5, size=1.9);

# %% [markdown]
# *Figure: the test field with most star pixels, the truth, and what the three networks call a star after 60 steps.* With
# plain cross-entropy the network misses many pixels of stars. With weights it finds nearly all of them,
# and many galaxies besides: a missed star costs more than a few false ones. Dice also hunts for stars. None of the three
# is wrong. They answer different questions, and the loss is where you say which one you ask.
#
# ## 5 · Five classes, and labels that are shares
#
# Morpheus (Hausen & Robertson 2020) gives five probabilities for each pixel: spheroid, disc, irregular, point source and
# background. A spheroid is a smooth ball of stars, an irregular galaxy has neither disc nor ball, and a point source is
# a star. Its labels are **soft**: where people disagreed, the share of their votes. Here, a spiral's pixels are a
# spheroid to the share of its *bulge*, the ball in its middle, and a disc for the rest.
#
# The loss of a pixel is the cross-entropy of shares $q_c$ and the softmax $p_c$ of five logits. It is weighted by how
# rare the pixel's **dominant** class $d$ is, the one with the largest share: with the frequency $f_d$ of pixels that
# class $d$ dominates, and $C$ classes that occur,
#
# $$ w_d = \frac{1}{C f_d}, \qquad L = \Big\langle -w_d \sum_c q_c \ln p_c \Big\rangle + L_\mathrm{Dice}(\text{background}) . $$
#
# A pixel then weighs 1 in the mean. The Dice loss, of the probability of the background (the *last* class), is there to
# keep the edges.

# %% exercise="13.5"
# Exercise 13.5
def class_weights(target):
    """Weight of each class: the rarer it dominates a pixel, the heavier.

    Parameters
    ----------
    target : (n, height, width, classes) NumPy array
        Shares, whose sum over the classes is 1.

    Returns
    -------
    (classes,) array
        1 / (number of classes that occur × frequency); 0 for a class that dominates no pixel.

    Example
    -------
    Of two classes, one that dominates 3 of 4 pixels weighs 0.667, the other one 2.
    """
    ### BEGIN SOLUTION
    counts = np.bincount(target.argmax(axis=-1).ravel(), minlength=target.shape[-1])
    occurring = (counts > 0).sum()
    return np.where(counts > 0, counts.sum() / (occurring * np.maximum(counts, 1)), 0.0)
    ### END SOLUTION


def class_loss(logits, target, weights):
    """Weighted cross-entropy of shares, plus the Dice loss of the background, which is the last class.

    Parameters
    ----------
    logits, target : (n, height, width, classes) tensors
    weights : (classes,) float32 array

    Returns
    -------
    Tensor, one number
        Computed with keras.ops (ops.log_softmax gives the logarithms without ln 0); the mean runs over all pixels.
    """
    ### BEGIN SOLUTION
    cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    pixel_weight = ops.take(ops.convert_to_tensor(weights, dtype="float32"), ops.argmax(target, axis=-1), axis=0)
    background = ops.softmax(logits, axis=-1)[..., -1:]
    return ops.mean(pixel_weight * cost) + dice_loss(background, target[..., -1:])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.5", (class_weights, class_loss))

# %% [markdown]
# Weights have a price, as you saw with the stars: edges of rare classes grow over the sky. So our network has two
# answers from the same pixels. Five logits say *what* it is, with the square root of the weights, halfway between fair
# to pixels and fair to classes. A sixth logit says *whether* there is a source, with plain cross-entropy.

# %%
weights = class_weights(share_pieces)
for name, weight in zip(field_data.class_names, weights, strict=True):
    print(f"{name:13} weighs {weight:5.2f}, its root {np.sqrt(weight):.2f}")
root_weights = np.sqrt(weights).astype("float32")  # as the logits: TensorFlow does not multiply float32 by float64


def two_answers(target, logits):
    what = class_loss(logits[..., :5], target[..., :5], root_weights)
    whether = cross_entropy(logits[..., 5:], target[..., 5:])
    return what + whether


source_pieces = pieces((field_data.train.segmentation > 0)[..., None])
y_fields = np.concatenate([share_pieces, source_pieces], axis=-1)
steps = 160
keras.utils.set_random_seed(lab.seed)
sky_network = compiled(unet(block, (None, None, 3), 6, (8, 16, 32, 32)), two_answers, steps)
compare.train({"five classes": lambda: sky_network}, (x_fields, y_fields), None, steps=steps, batch_size=16, seeds=[lab.seed])

logits = sky_network.predict(x_test_fields, batch_size=8, verbose=0)
preferred, true_class = logits[..., :5].argmax(axis=-1), shares["test"].argmax(axis=-1)
source_iou = overlap(logits[..., 5] > 0, true_sources)[0].mean()
print(f"IoU of source against sky: network {source_iou:.3f}, best threshold {max(threshold_iou.values()):.3f}")

# %%
class_colours = ListedColormap(["#E69F00", "#56B4E9", "#CC79A7", "#F0E442", "#10101c"])
shown = np.argsort([len(np.unique(image)) + 1e-5 * (image != 4).sum() for image in true_class])[-2:]
figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.8))
for row, number in zip(axes, shown, strict=True):
    row[0].imshow(sky.colour(test_fields.images[number], survey))
    for axis, classes in zip(row[1:], (true_class, preferred), strict=True):
        axis.imshow(classes[number], cmap=class_colours, vmin=0, vmax=4)
for axis, title in zip(axes[0], ("field", "dominant class", "what the network says"), strict=True):
    axis.set_title(title)
for axis in axes.flat:
    axis.axis("off")
handles = [plt.Rectangle((0, 0), 1, 1, color=class_colours(k)) for k in range(5)]
figure.legend(handles, field_data.class_names, loc="outside lower center", ncols=5, fontsize="small");

# %%
counts = metrics.confusion_matrix(true_class.ravel(), preferred.ravel(), 5)
plotting.confusion({"pixels of 40 test fields": counts}, field_data.class_names);

# %% [markdown]
# *Figures: two test fields, the class that dominates each pixel and the one the network prefers; and how the network
# classifies the pixels of each class, each row adding up to 1.* Sky is told apart from sources: about as well as the best
# threshold of section 2 does it, which is a single number. With nearly all seeds, most pixels of stars are called so. But
# which kind of galaxy a pixel gets is uncertain, and differs from run to run: with another seed, what is called a spheroid
# here is called a disc, and "irregular" is said often, or never. Most galaxies are a few pixels across, smeared by the
# atmosphere over the width of a star, and where nothing can be seen the weights and the start decide what is said; not
# even a large spiral, clear to the eye, is safe. Morpheus had the sharp eyes of Hubble, and learnt for much longer.
#
# ## 6 · Pairs of galaxies
#
# Galaxies whose images overlap are a **blend**, and to take them apart is **deblending**. Boucaud et al. (2020) made
# theirs from isolated galaxies of a real survey: two images, added. What is seen is the sum, and the truth is known,
# since both parts are. We do the same with simulated galaxies.
#
# The galaxies are split *before* they are paired. If one galaxy could be in a pair of the training set and another one
# of the test set, the network could recognise it.
#
# The rules: the magnitudes of a pair differ by less than 2 (a factor of 6.3 in brightness). The separation is uniform
# between the larger of the two radii and four times the smaller one, but not above a given largest one; where this
# leaves no room, the pair is not used. The direction is random.

# %% exercise="13.6"
# Exercise 13.6
def draw_pairs(magnitudes, radii, n, largest, rng):
    """Pairs of galaxies that overlap.

    Parameters
    ----------
    magnitudes, radii : (n_galaxies,) arrays
        Radii in pixels.
    n : int
        Number of pairs.
    largest : float
        No separation is larger [pixels].
    rng : numpy.random.Generator

    Returns
    -------
    pairs : (n, 2) int array
        Positions of central galaxy and companion in the arrays; both are drawn at random, either may be any galaxy.
    offsets : (n, 2) array
        Of the companion from the central one, down and to the right [pixels].

    Example
    -------
    Two galaxies with radii of 3 and 4 pixels are from 4 to 12 pixels apart, if `largest` is not below 12.
    """
    ### BEGIN SOLUTION
    pairs, offsets = [], []
    while len(pairs) < n:
        a, b = rng.integers(len(magnitudes), size=2)
        low = max(radii[a], radii[b])
        high = min(4 * min(radii[a], radii[b]), largest)
        if a == b or abs(magnitudes[a] - magnitudes[b]) >= 2 or low > high:
            continue
        separation, angle = rng.uniform(low, high), rng.uniform(0, 2 * np.pi)
        pairs.append((a, b))
        offsets.append((separation * np.sin(angle), separation * np.cos(angle)))
    return np.array(pairs), np.array(offsets)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.6", draw_pairs)

# %% [markdown]
# What should the network answer for a blend? Three numbers for each pixel: is it in the mask of the central galaxy, the
# one in the middle? In that of its companion? And which **share** of the light there is the central one's? A mask says
# where a galaxy is; masks may overlap. With the share, the light can be handed out: the flux of the central galaxy is
# the sum of image × share, that of the companion the sum of image × (1 − share).

# %% exercise="13.7"
# Exercise 13.7
def blend_targets(central, companion, threshold):
    """What a network should answer for blends.

    Parameters
    ----------
    central, companion : (n, height, width, bands) arrays
        The light of each galaxy alone, without noise, never negative.
    threshold : float
        For the masks, in the detection image: the sum of the bands over the root of their number.

    Returns
    -------
    (n, height, width, 3) float32 array
        Mask of the central galaxy's own light, mask of the companion's (1 above the threshold, else 0), and the central
        galaxy's share of both detection images; 0.5 where there is no light at all.

    Example
    -------
    One band, light of 3 and of 1, threshold 2: the answer is 1, 0, 0.75.
    """
    ### BEGIN SOLUTION
    a, b = (galaxy.sum(axis=-1) / np.sqrt(galaxy.shape[-1]) for galaxy in (central, companion))
    total = a + b
    share = np.where(total > 0, a / np.where(total > 0, total, 1), 0.5)
    return np.stack([a > threshold, b > threshold, share], axis=-1).astype("float32")
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.7", blend_targets)

# %% [markdown]
# Galaxies from magnitude 20 to 23 in i (the larger, the fainter; 2.5 more are a tenth of the light), with the sizes and
# colours of the real ones, through the same telescope. Each is turned and mirrored at random before it is put into a
# pair. Noise is added once, to the sum: that of the sky alone. The network gets pixels of twice the size (the
# telescope's are much smaller than its blur), so that with four scales it sees the whole stamp: which galaxy is the
# central one cannot be told from a small piece.

# %%
SIDE, STAMP, LARGEST = 96, 64, 24  # pixels: of an isolated galaxy, of a blend; the largest separation


def isolated(n, rng):
    """Magnitudes, radii as seen through the atmosphere [pixels], and light without noise."""
    magnitudes = rng.uniform(20, 23, n)
    galaxies = sky.draw_population(magnitudes, rng)
    radii = np.hypot(galaxies["radius_arcsec"], np.median(survey.psf_fwhm) / 2) / survey.pixel_scale
    return magnitudes, radii, sky.render(galaxies, survey, SIDE).astype("float16")


def turned(image, rng):
    return np.rot90(image[:, ::-1] if rng.random() < 0.5 else image, rng.integers(4))


def blend(magnitudes, radii, light, n, rng):
    """Images (n, 64, 64, bands), the light of both galaxies alone (n, 2, 64, 64, bands), pairs and offsets."""
    pairs, offsets = draw_pairs(magnitudes, radii, n, LARGEST, rng)
    offsets = np.rint(offsets).astype(int)
    alone = np.zeros((n, 2, STAMP, STAMP, light.shape[-1]), "float16")
    edge = (SIDE - STAMP) // 2
    for (central, companion), (down, right), place in zip(pairs, offsets, alone, strict=True):
        place[0] = turned(light[central], rng)[edge:-edge, edge:-edge]
        wide = np.pad(turned(light[companion], rng), ((LARGEST, LARGEST), (LARGEST, LARGEST), (0, 0)))
        top, left = LARGEST + edge - down, LARGEST + edge - right
        place[1] = wide[top : top + STAMP, left : left + STAMP]
    images = alone.sum(axis=1, dtype="float32")
    images += rng.standard_normal(images.shape, "float32")
    return images, alone, pairs, offsets


def coarse(images):
    """Pixels of twice the size, again in units of their noise: the sum of 2 × 2 over the root of 4."""
    *n, height, width, bands = images.shape
    return images.reshape(*n, height // 2, 2, width // 2, 2, bands).sum(axis=(-4, -2), dtype="float32") / 2


def network_input(images):
    return stretched(coarse(images))


def network_target(alone, threshold=1.5):
    """The three answers, and how much a pixel's share should count: the more, the more light there is."""
    central, companion = coarse(alone[:, 0]), coarse(alone[:, 1])
    counts = np.log1p(sky.detection(central + companion))[..., None]
    return np.concatenate([blend_targets(central, companion, threshold), counts], axis=-1)


rng = np.random.default_rng([lab.seed, 13])
magnitudes, radii, light = isolated(3000, rng)
images, alone, *_ = blend(magnitudes, radii, light, 6000, rng)
x_train, y_train = network_input(images), network_target(alone)
magnitudes, radii, light = isolated(1000, rng)  # others than those of the training set
test_images, test_alone, pairs, offsets = blend(magnitudes, radii, light, 500, rng)
x_test, y_test = network_input(test_images), network_target(test_alone)
del images, alone, light

pictures, titles = [], []
for k in range(5):
    pictures += [sky.colour(test_images[k], survey), y_test[k, ..., 0] + 2 * y_test[k, ..., 1], y_test[k, ..., 2]]
    titles += [f"{np.hypot(*offsets[k]):.0f} pixels apart", "masks", "share"]
order = [3 * k + kind for kind in range(3) for k in range(5)]
plotting.gallery([pictures[k] for k in order], [titles[k] for k in order], columns=5, size=1.35);

# %% [markdown]
# *Figure: five blends; their masks (dark grey the central galaxy alone, light grey the companion alone, white both); and
# the central galaxy's share of the light, from 0, black, to 1, white.*
#
# **Predict:** The twin has the same blocks and the same scales, but no skips (and fewer weights, since less enters the
# blocks on the way up). What will it get wrong, and where?

# %%
def blend_loss(target, logits):
    masks = cross_entropy(logits[..., :2], target[..., :2])
    share, z = target[..., 2:3], logits[..., 2:]
    of_pixels = share * ops.softplus(-z) + (1 - share) * ops.softplus(z)
    return masks + ops.mean(target[..., 3:] * of_pixels)


steps, filters, networks = 330, (12, 24, 48, 64), {}


def blend_network(name, skips):
    networks[name] = compiled(unet(block, (None, None, 3), 3, filters, skips), blend_loss, steps)
    return networks[name]


compare.train(
    {"U-Net": lambda: blend_network("U-Net", True), "no skips": lambda: blend_network("no skips", False)},
    (x_train, y_train),
    None,
    steps=steps,
    seeds=[lab.seed],
);

# %%
answers = {name: network.predict(x_test, batch_size=100, verbose=0) for name, network in networks.items()}
truth = y_test[..., :2] > 0.5
iou = {}
for name, answer in answers.items():
    masks = answer[..., :2] > 0
    central, companion = (overlap(masks[..., k], truth[..., k])[0] for k in (0, 1))
    met = truth.all(axis=-1).any(axis=(1, 2))
    common = overlap(masks.all(axis=-1)[met], truth.all(axis=-1)[met])[0]
    iou[name] = (central.mean() + companion.mean()) / 2
    print(f"{name:9} IoU of the central galaxy {central.mean():.3f}, companion {companion.mean():.3f}, "
          f"pixels in both {common.mean():.3f}")

# %%
def edge_distance(mask):
    """Distance of each pixel from the edge of a mask: positive outside, negative inside [pixels]."""
    outside, inside = (ndimage.distance_transform_edt(pixels) for pixels in (~mask, mask))
    return outside - inside - 0.5 * np.sign(outside - inside)  # the edge runs between two pixels


distance = np.array([[edge_distance(mask[..., k]) for k in (0, 1)] for mask in truth])
bins = np.arange(-6, 7)
where = np.digitize(distance, bins)
wrong = {name: (answer[..., :2] > 0) != truth for name, answer in answers.items()}
figure, axis = plt.subplots(figsize=(6, 3.2))
for name, pixels in wrong.items():
    pixels = np.moveaxis(pixels, -1, 1)
    rate = [pixels[where == k].mean() for k in range(1, len(bins))]
    axis.plot((bins[1:] + bins[:-1]) / 2, rate, "o-", markersize=3, label=name)
axis.set(xlabel="distance from the true edge (pixels; negative: inside)", ylabel="share of wrong pixels", ylim=(0, None))
axis.legend()

pictures, titles = [], []
for k in np.argsort(wrong["no skips"].sum(axis=(1, 2, 3)))[[-20, -60, -120]]:
    pictures += [sky.colour(test_images[k], survey), truth[k, ..., 0], *(pixels[k, ..., 0] for pixels in wrong.values())]
    titles += ["blend", "central galaxy", *(f"wrong: {name}" for name in wrong)]
plotting.gallery(pictures, titles, columns=4, size=1.4);

# %% [markdown]
# *Figures: how often a pixel of a mask is wrong, by its distance from the mask's true edge; and three blends with the
# true mask of the central galaxy and the pixels that each network gets wrong, in white.* Far from the edge both are
# right. At the edge the twin errs more often: it knows that there is a galaxy, but it has to draw its outline from a
# picture with pixels eight times as large. The skips bring the sharp one back.
#
# ## 7 · Fluxes, and what astronomers use
#
# SExtractor (Bertin & Arnouts 1996) finds pixels above a threshold, joins them to objects, and cuts an object apart
# where, at higher thresholds, it falls into pieces with enough light. SEP is its method as a Python library. The
# astropy package photutils works in a similar way and ends with a watershed: two hills, flooded from their peaks, are
# parted where the waters meet. Neither learns anything. Both give a list of sources, so we have to find out which
# source is which galaxy.
#
# The rule: the nearest pair of all, galaxy and source, is matched first. Both are then taken. Then the nearest pair of
# what is left, and so on, as long as a pair is not farther apart than `reach`.

# %% exercise="13.8"
# Exercise 13.8
def match_centres(true, found, reach):
    """Which source is which galaxy: the nearest pair first, each only once.

    Parameters
    ----------
    true : (n, 2) array
        Places of galaxies [pixels].
    found : (m, 2) array
        Places of sources [pixels]. n and m may be 0.
    reach : float
        Pairs farther apart are no match [pixels].

    Returns
    -------
    (n,) int array
        For each galaxy the row of its source in `found`, or -1.

    Example
    -------
    match_centres(np.array([[5.0, 5.0], [9.0, 5.0]]), np.array([[8.0, 5.0]]), 4.0) is array([-1, 0]).
    """
    ### BEGIN SOLUTION
    match = np.full(len(true), -1)
    distance = np.hypot(true[:, None, 0] - found[None, :, 0], true[:, None, 1] - found[None, :, 1])
    distance[distance > reach] = np.inf
    while distance.size and np.isfinite(distance).any():
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        match[row] = column
        distance[row], distance[:, column] = np.inf, np.inf
    return match
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.8", match_centres)

# %% [markdown]
# Before measuring, say what will be compared. We settle it as follows.
#
# - The *flux* of a galaxy is the sum of its own light in the stamp, in the detection image. The *error* is the distance
#   of the measured flux from it, divided by it. A galaxy that was *not found*, with no source within 5 pixels of its
#   centre, has a measured flux of 0: an error of 1.
# - *The classical way* is SEP with SExtractor's settings, on the telescope's own fine pixels, and its flux in Kron's
#   aperture (SExtractor calls it FLUX_AUTO), an ellipse around the source, two and a half times as large as the mean
#   distance of its light from its centre. SExtractor is what Boucaud et al. compared with. The number is the mean error of
#   all galaxies, central and companion; the median, which a few bad ones do not move, is printed too. photutils stands
#   beside it.
# - The network's flux is the sum over all pixels of the stamp of image × share. It has no list of sources, and nothing
#   is ever "not found".
#
# The network has an advantage that you should know of: it was trained on stamps that hold exactly two galaxies, one in
# the middle. The others know nothing of that.

# %%
detection = sky.detection(test_images)
fluxes = sky.detection(test_alone.astype("float32")).sum(axis=(2, 3))  # (n, 2), central and companion
centres = np.stack([np.zeros_like(offsets), offsets], axis=1) + (STAMP - 1) / 2


def measured(extract):
    """Fluxes (n, 2) of the sources matched with central galaxy and companion, 0 where there is none."""
    found_fluxes = np.zeros(fluxes.shape)
    for image, places, row in zip(detection, centres, found_fluxes, strict=True):
        table = extract(image).table
        match = match_centres(places, np.stack([table["y"], table["x"]], axis=1), 5.0)
        row[match >= 0] = table["kron_flux"][match[match >= 0]]
    return found_fluxes


share = np.repeat(np.repeat(1 / (1 + np.exp(-answers["U-Net"][..., 2])), 2, axis=1), 2, axis=2)
measurements = {
    "U-Net": np.stack([(detection * share).sum(axis=(1, 2)), (detection * (1 - share)).sum(axis=(1, 2))], axis=1),
    "SEP": measured(extraction.sep_sources),
    "photutils": measured(extraction.photutils_sources),
}
errors = {name: np.abs(flux - fluxes) / fluxes for name, flux in measurements.items()}
found_both = {name: (flux != 0).all(axis=1) for name, flux in measurements.items()}
print(f"{'':10} all galaxies                blends in which SEP finds both")
for name, error in errors.items():
    easy = error[found_both["SEP"]]
    print(f"{name:10} mean {error.mean():.3f}, median {np.median(error):.3f}   mean {easy.mean():.3f}, median {np.median(easy):.3f}"
          f"   finds both in {found_both[name].mean():.0%}")

rng = np.random.default_rng([lab.seed, 14])
lonely = test_alone[:, 0] + rng.standard_normal(test_images.shape, "float32")
lonely_errors = []
for image, flux in zip(sky.detection(lonely), fluxes[:, 0], strict=True):
    table = extraction.sep_sources(image).table
    lonely_errors.append(abs(table["kron_flux"].max(initial=0) - flux) / flux)
print(f"SEP, the central galaxies alone: mean {np.mean(lonely_errors):.3f}, median {np.median(lonely_errors):.3f}")
halves = np.abs(detection.sum(axis=(1, 2))[:, None] / 2 / fluxes - 1)
print(f"half of all light for each: mean {halves.mean():.3f}, median {np.median(halves):.3f}")

# %%
separation = np.hypot(*offsets.T)
fainter = np.diff(magnitudes[pairs], axis=1)[:, 0]  # magnitude of the companion minus that of the central galaxy
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.5))
for axis, x, edges, label in (
    (axes[0], separation, np.quantile(separation, np.linspace(0, 1, 7)), "separation (pixels)"),
    (axes[1], fainter, np.linspace(-2, 2, 7), "magnitude of the companion − central galaxy"),
):
    for name, error in errors.items():
        which = error[:, 1] if axis is axes[1] else error.mean(axis=1)
        inside = [(x >= low) & (x <= high) for low, high in pairwise(edges)]
        axis.plot((edges[1:] + edges[:-1]) / 2, [which[one].mean() for one in inside], "o-", label=name)
    axis.set(xlabel=label)
    axis.set_ylim(bottom=0)
axes[0].set_ylabel("mean flux error, both galaxies")
axes[1].set_ylabel("mean flux error, companion")
axes[1].legend();

# %% [markdown]
# *Figure: mean relative error of the flux against the separation of the pair (left, both galaxies), and against how
# much fainter the companion is (right, the companion alone).* The last printed line is the yardstick, from someone who
# does not look and gives half of the light to each. SEP's mean is not far below that: a galaxy not found costs 1. The
# U-Net's error is about three tenths of SEP's. Two things make the gap. One is detection: where SEP sees one source, one
# galaxy has no flux and the other one has that of both. The other is light: even where it sees both, its apertures hold
# some of the neighbour's. On the same galaxies, alone, SEP is good: it is the neighbour that spoils the measurement. In
# Boucaud et al. it was the same: errors of 7 to 8 % for networks, of 30 to 44 % for SExtractor (means, recomputed from
# their catalogue, for the galaxies SExtractor found).
#
# photutils cuts blends apart more readily, and mends the pixels under the neighbour when it sums up the light: it is
# much better than SEP here, and for pairs that are easily found nearly as good as the network. Over all, the U-Net still
# has the lowest mean, by a factor of about two and not three. "Better than the classical way" depends on which one you
# choose, and that is why we had to choose before.
#
# All have trouble with a companion that is much fainter: its error is relative to its own small flux. There the network
# loses most of its lead over photutils.
#
# And the masks? The segmentation maps of both libraries, and a plain watershed on the pixels above the threshold, on the
# same pixels as the network's:

# %%
coarse_detection = sky.detection(coarse(test_images))


def flooded(mask, image, apart=2, width=1.0):
    """Sources and a map of their pixels: hills of the smoothed image inside a mask, parted by a watershed."""
    smooth = ndimage.gaussian_filter(image, width)
    peaks = peak_local_max(smooth, min_distance=apart, labels=mask.astype(int), exclude_border=False)
    markers = np.zeros(mask.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return peaks, watershed(-smooth, markers, mask=mask)


def by_watershed(image):
    return flooded(ndimage.gaussian_filter(image, 0.7) > 1.5, image)


def by_library(extract):
    def places_and_map(image):
        sources = extract(image)
        return np.stack([sources.table["y"], sources.table["x"]], axis=1), sources.segmentation

    return places_and_map


finders = {
    "watershed": by_watershed,
    "SEP": by_library(extraction.sep_sources),
    "photutils": by_library(extraction.photutils_sources),
}
for name, finder in finders.items():
    masks, exactly_two = np.zeros(truth.shape, bool), 0
    for image, places, mask in zip(coarse_detection, centres, masks, strict=True):
        found, segmentation = finder(image)
        exactly_two += len(found) == 2
        for k, source in enumerate(match_centres((places - 0.5) / 2, np.reshape(found, (-1, 2)), 2.5)):
            mask[..., k] = segmentation == source + 1 if source >= 0 else False
    central, companion = (overlap(masks[..., k], truth[..., k])[0].mean() for k in (0, 1))
    iou[name] = (central + companion) / 2
    print(f"{name:9} IoU of the central galaxy {central:.3f}, companion {companion:.3f}; "
          f"exactly two sources in {exactly_two / len(masks):.0%}")
larger = y_test[..., 2:3] > 0.5
no_overlap = truth & np.concatenate([larger, ~larger], axis=-1)
shown = iou | {"truth, no overlap": np.mean([overlap(no_overlap[..., k], truth[..., k])[0].mean() for k in (0, 1)])}
plotting.bars(shown, "IoU, mean of central galaxy and companion")

# %% [markdown]
# *Figure: mean IoU of the masks of both galaxies; a galaxy that was not found counts as 0.* Part of the gap is a matter
# of definition: a segmentation map gives each pixel to one object, so that two masks cannot overlap, and true ones do.
# How large a part? The last bar is the best such map: the true masks, but each pixel only in that of the galaxy with more
# light there. A map can hardly get higher than that; the rest of the gap is that of the programs.
#
# Where is the network most wrong? Its largest errors:

# %%
worst = np.argsort(errors["U-Net"].max(axis=1))[::-1][:6]
pictures, titles = [], []
for k in worst:
    pictures.append(sky.colour(test_images[k], survey))
    titles.append(f"true {fluxes[k, 0]:.0f} + {fluxes[k, 1]:.0f}\nU-Net {measurements['U-Net'][k, 0]:.0f} + {measurements['U-Net'][k, 1]:.0f}")
for k in worst:
    pictures += [np.repeat(np.repeat(y_test[k, ..., 2], 2, 0), 2, 1)]
    titles.append("true share")
for k in worst:
    pictures += [share[k]]
    titles.append("the network's")
plotting.gallery(pictures, titles, columns=6, size=1.25);

# %% [markdown]
# *Figure: the six blends with the largest relative error of a flux; fluxes of central galaxy and companion in units of
# the noise; the true share of the light and the network's.* Look for the reasons: a galaxy drowned in the other's light, two
# so close that they look like one, a knot in a spiral arm that is taken for the companion. A little of a bright galaxy's
# halo is much light for a faint neighbour. At the border of the stamp the network's share has a frame: there its
# convolutions see zeros, which is the next section's subject.
#
# ## 8 · Large images, without seams
#
# The tile of the sky has a million pixels; a survey's images have a hundred times as many and do not fit into memory as
# they go through a network. So one cuts them into pieces, and puts the predictions together. At the borders of a piece
# the network sees zeros where the sky goes on, its answer there is worse, and the seams show.
#
# The cure: let the pieces overlap, and take the weighted mean of their predictions, with weights that fade out towards
# the borders. Where nothing from beyond the border can be felt, a piece says the same as the whole image would. Give the
# **margin**, the pixels next to the border that are spoilt, as good as no weight, and the result is *exactly* that of
# one pass, on two conditions. Steps are at most as long as the size less twice the margin: each pixel then lies in the
# middle part of some tile. And tiles begin at least a margin apart: at the border of the image all weights are 1e-6, and
# a second tile, spoilt there, would count as much as the first, which is not.

# %% exercise="13.9"
# Exercise 13.9
def window(size, margin):
    """Weights of the pixels of a tile: as good as nothing in the margin, then rising towards the middle.

    Parameters
    ----------
    size, margin : int
        Of the tile, and of the border that is not to be trusted [pixels].

    Returns
    -------
    (size, size) array
        The product of one value for the row and one for the column: the distance to the nearer end (1 for the first and
        for the last pixel) less the margin, but at least 1e-6.

    Example
    -------
    The middle row of window(5, 1) is [2e-6, 2.0, 4.0, 2.0, 2e-6]: distances of 1, 2, 3, 2, 1, less 1, times the row's
    own 2.
    """
    ### BEGIN SOLUTION
    pixel = np.arange(size)
    ramp = np.maximum(np.minimum(pixel + 1, size - pixel) - margin, 1e-6)
    return np.outer(ramp, ramp)
    ### END SOLUTION


def in_tiles(predict, image, size, step, margin):
    """Predict a large image in tiles that overlap, and blend them.

    Parameters
    ----------
    predict : function
        From (n, size, size, bands) to (n, size, size, outputs). Each tile is handed over once.
    image : (height, width, bands) array
        Neither side is smaller than `size`.
    size, step, margin : int
        Tiles begin at 0, step, 2 step, … as long as they fit, and the last one where it ends with the image.

    Returns
    -------
    (height, width, outputs) array
        The mean of the predictions, weighted by `window`.

    Example
    -------
    in_tiles(lambda tiles: tiles, image, 8, 4, 1) gives the image back.
    """
    ### BEGIN SOLUTION
    height, width = image.shape[:2]
    weight = window(size, margin)[..., None]
    total = weights = None
    for row in sorted({*range(0, height - size + 1, step), height - size}):
        for column in sorted({*range(0, width - size + 1, step), width - size}):
            here = slice(row, row + size), slice(column, column + size)
            predicted = np.asarray(predict(image[here][None])[0])
            if total is None:
                total, weights = np.zeros((height, width, predicted.shape[-1])), np.zeros((height, width, 1))
            total[here] += weight * predicted
            weights[here] += weight
    return total / weights
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("13.9", (window, in_tiles))

# %% [markdown]
# How far does the network of section 5 see? At scale $s$ one of its pixels is $2^s$ of the image wide, and each of the
# two convolutions of a block reaches one of them further. On the way down that makes $2(1 + 2 + 4 + 8) = 30$ pixels, on
# the way up $2(4 + 2 + 1) = 14$, and poolings and enlargements add a few more. A margin of 56 is on the safe side.
#
# **Predict:** Poolings start counting at the border of a tile. What happens if tiles begin at multiples of 60 pixels
# and not of 80?

# %%
def says(tiles):
    """Probabilities of the five classes, and, last, of a source."""
    what_and_whether = sky_network(stretched(tiles), training=False)
    what, whether = what_and_whether[..., :5], what_and_whether[..., 5:]
    return ops.convert_to_numpy(ops.concatenate([ops.softmax(what, axis=-1), ops.sigmoid(whether)], axis=-1))


cut = sky_tile[256:688, 256:688]
one_pass = says(cut[None])[0][..., -1]
ways = {
    "side by side": in_tiles(says, cut, size=192, step=192, margin=0),
    "overlapping, by 80": in_tiles(says, cut, size=192, step=80, margin=56),
    "overlapping, by 60": in_tiles(says, cut, size=192, step=60, margin=56),
}
differences = {name: np.abs(way[..., -1] - one_pass) for name, way in ways.items()}
for name, difference in differences.items():
    print(f"{name:20} difference from one pass: largest {difference.max():.1g}, mean {difference.mean():.1g}")
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
axes[0].imshow(one_pass)
axes[0].set_title("probability of a source", fontsize="small")
for axis, (name, difference) in zip(axes[1:], differences.items(), strict=True):
    picture = axis.imshow(difference, vmin=0, vmax=0.05, cmap="magma")
    axis.set_title(f"difference: {name}", fontsize="small")
for axis in axes:
    axis.axis("off")
figure.colorbar(picture, ax=axes[-1]);

# %% [markdown]
# *Figure: the probability of a source on a piece of the real sky, predicted in one pass, and the difference from it for
# tiles of 192 pixels side by side (but for the last ones, which have to end with the image), with overlap in steps of 80
# pixels, and in steps of 60.* Side by side, there is a seam. Overlap and margin remove it, down to rounding errors. With
# steps of 60 there is no sharp seam, but a lattice of wide bands with differences at the edges of sources, where tiles
# count that begin at 60 or 180: a network with three poolings gives the same answer for a shifted image only if it is
# shifted by a multiple of 8 pixels (lab 02).

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# 60 and 180 are not multiples of 8. The blocks of 8 × 8 pixels that the network pools in these tiles are others than in
# one pass, and so are its answers, a little. Tiles that begin at 0, 120 and 240 say the same as one pass.
# </details>

# %% [markdown]
# ## 9 · The real sky
#
# Now to the tile, with a network that has seen simulations only. Sources are hills in the network's mask, parted by a
# watershed, and get matched with the catalogue's objects. Beside it, the same watershed in the mask of a simple
# threshold (the best one of section 2), and SEP. **Completeness** is the share of the
# catalogue's objects that are found, **purity** the share of found sources that are in the catalogue.
#
# The catalogue is not the truth. It was made by another programme, leaves out bright stars, and is incomplete for
# objects fainter than about 24.5. More than half of all sources lie on light that belongs to none of its outlines. Is such
# a source false, or did the catalogue leave it out? Nobody can say, so that our purity is that of the *others*; how many
# are left out is printed, and what purity would be if they all counted as false.

# %%
said = in_tiles(says, sky_tile, size=384, step=256, margin=56)
probability = said[..., -1]
tile_detection = sky.detection(sky_tile)
objects = tile.test.truth
objects = objects[(objects["x"] < 1016) & (objects["y"] < 1016) & (objects["x"] > 8) & (objects["y"] > 8)]
tested = objects["x"] > 444  # the right part; the left one is for training, below


def on_tile(places):
    """How a list of sources compares with the catalogue, in the right part of the tile."""
    places = places[(places[:, 1] > 444) & (places[:, 1] < 1016) & (places[:, 0] > 8) & (places[:, 0] < 1016)]
    known = objects[tested]
    match = match_centres(np.stack([known["y"], known["x"]], axis=1), places, 5.0)
    rows, columns = np.rint(places).astype(int).T
    counts = ~unlabelled[rows, columns]
    matched = np.zeros(len(places), bool)
    matched[match[match >= 0]] = True
    judged = counts | matched
    return match >= 0, matched[judged].mean(), (~judged).sum(), matched.mean()


def pixels_iou(mask):
    """IoU with the catalogue's pixels, in the right part, light that nobody labelled left out."""
    right = slice(0, 1016), slice(444, 1016)
    free = ~unlabelled[right]
    return overlap((mask[right] & free)[None], ((owner[right] > 0) & free)[None])[0][0]


def hills(mask):
    """Peaks of the smoothed detection image in a mask, one for each hill of at least 5 pixels."""
    peaks, segmentation = flooded(mask, tile_detection, apart=4, width=1.5)
    big = np.bincount(segmentation.ravel(), minlength=len(peaks) + 1)[1:] >= 5
    return peaks[big]


sep_found = extraction.sep_sources(tile_detection)
sep_places = np.stack([sep_found.table["y"], sep_found.table["x"]], axis=1)
threshold_mask = ndimage.gaussian_filter(tile_detection, 1.0) > thresholds[np.argmax(smoothed_iou)]
unet_places = hills(probability > 0.5)
scores = {
    "U-Net": on_tile(unet_places),
    "threshold": on_tile(hills(threshold_mask)),
    "SEP": on_tile(sep_places),
}
tile_iou = {
    "U-Net": pixels_iou(probability > 0.5),
    "threshold": pixels_iou(threshold_mask),
    "SEP": pixels_iou(sep_found.segmentation > 0),
}

# %% [markdown]
# And with a few labels of the real sky? The left part of the tile, with its labels, is used to train the same network on
# for a few steps more; the right part, with a gap between, is for the test. That is a split in space, and a mild one: both
# parts are of the same image, with the same sharpness and noise.

# %%
left = slice(0, 1024), slice(0, 384)
labels = np.stack([owner[left] > 0, ~unlabelled[left]], axis=-1)[None].astype("float32")
real_x, real_y = pieces(stretched(sky_tile[left])[None]), pieces(labels)


def labelled_loss(target, logits):
    """Cross-entropy of source against sky where somebody said what it is."""
    source, known, z = target[..., :1], target[..., 1:], logits[..., 5:]
    return ops.mean(known * (source * ops.softplus(-z) + (1 - source) * ops.softplus(z)))


before = sky_network.get_weights()
steps = 40
compiled(sky_network, labelled_loss, steps, rate=0.0005)
training.prepare(sky_network, real_y)  # it saves time and changes no number
for chosen in compare.batches(len(real_x), 16, steps, seed=lab.seed):
    sky_network.train_on_batch(real_x[chosen], real_y[chosen])
tuned = in_tiles(says, sky_tile, size=384, step=256, margin=56)[..., -1] > 0.5
sky_network.set_weights(before)
scores["U-Net, tuned"], tile_iou["U-Net, tuned"] = on_tile(hills(tuned)), pixels_iou(tuned)
known = objects[tested]
brighter = known["magnitude"] < 24
for name, (found, purity, n_left_out, of_all) in scores.items():
    print(f"{name:13} completeness to magnitude 24: {found[brighter].mean():.3f}, all: {found.mean():.3f}; "
          f"purity {purity:.3f} ({n_left_out} left out; {of_all:.2f} with them); IoU of pixels {tile_iou[name]:.3f}")
by_chance = on_tile(unet_places + 37)[0].mean()
print(f"by chance: the U-Net's list, moved by 37 pixels in both directions, finds {by_chance:.3f} of all")

rows, columns = (np.rint(objects[axis]).astype(int) for axis in ("y", "x"))
called_star = said[rows, columns, star_like] > said[rows, columns, :star_like].max(axis=-1)
for kind in ("star", "galaxy"):
    these = (objects["kind"] == kind) & (objects["magnitude"] < 23)
    print(f"the catalogue's kind is {kind}, brighter than 23: {these.sum()} objects, the U-Net calls {called_star[these].mean():.0%} "
          "of them stars")

# %%
edges = np.array([18, 21, 22, 23, 24, 25, 26])
figure, axis = plt.subplots(figsize=(6.5, 3.4))
for (name, (found, *_)), marker, width in zip(scores.items(), "osv^", (7, 4, 1.5, 1.5), strict=True):
    between = [(known["magnitude"] >= low) & (known["magnitude"] < high) for low, high in pairwise(edges)]
    axis.plot((edges[1:] + edges[:-1]) / 2, [found[one].mean() for one in between], f"{marker}-", label=name, linewidth=width)
axis.set(xlabel="magnitude in i", ylabel="completeness", ylim=(0, 1.05))
axis.legend();

# %% tags=["showcase"]
part = slice(420, 740), slice(560, 880)
figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.1))
for axis, title in zip(axes, ("the real sky", "U-Net: sources", "galaxies (blue), stars (yellow)"), strict=True):
    axis.imshow(sky.colour(sky_tile, survey)[part])
    axis.set_title(title)
    axis.axis("off")
peaks, segmentation = flooded(probability > 0.5, tile_detection, apart=4, width=1.5)
axes[1].imshow(np.ma.masked_equal(find_boundaries(segmentation)[part], False), cmap="autumn")
stars = said[..., star_like] > said[..., :star_like].max(axis=-1)
kind = np.where(probability > 0.5, np.where(stars, 2.0, 1.0), 0.0)[part]
axes[2].imshow(np.ma.masked_equal(kind, 0), cmap=ListedColormap(["#56B4E9", "#F0E442"]), alpha=0.6);

# %% [markdown]
# *Figures: completeness on the right part of the real tile, by magnitude; and a piece of the tile with the outlines of
# the sources, and with what the network takes for a galaxy and for a star.* A network that was never shown a real image
# finds nearly all objects of the catalogue. So does the threshold with the same watershed (its line and those of both
# networks lie on each other): simulations carry over here, and for finding what stands out of the noise no network is
# needed. SEP with its usual settings cuts less apart: most of what it misses lies within a brighter object's pixels.
# What only the network gives is the last picture, star or galaxy. How good it is, the catalogue's kinds say, in the lines
# above: most bright stars are called stars, and few bright galaxies. With seven seeds we had from 60 to 100 % of the stars
# and up to 20 % of the galaxies; it is as uncertain as section 5 made you expect.
#
# Beware of the IoU of pixels, and of what tuning does to it. The catalogue's outlines are wide; as an object's pixels we
# took those in its outline where smoothed light is above a threshold. SEP, too, takes a threshold on smoothed light. Tuning
# teaches the network *these* conventions. Whether its masks are more true, nobody can say here: on real sky, one measures
# agreement.
#
# Last, as a picture only: a Hubble deep field. It was made to be looked at: other colours, sharper by far, and stretched,
# so that faint light looks brighter than it is. The network is far from home.

# %%
picture = hubble_deep_field()[200:712, 200:712, ::-1].astype("float32")  # from blue to red
level = np.median(picture, axis=(0, 1))
hubble = (picture - level) / (1.4826 * np.median(np.abs(picture - level), axis=(0, 1)))
mask = says(hubble[None])[0][..., -1] > 0.5
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6))
for axis in axes:
    axis.imshow(picture[..., ::-1].astype("uint8"))
    axis.axis("off")
axes[1].imshow(np.ma.masked_equal(find_boundaries(mask), False), cmap="autumn");

# %% [markdown]
# *Figure: a piece of the Hubble eXtreme Deep Field (NASA/ESA), and the outlines of what the network calls a source.* It
# finds what the eye finds, and hundreds of faint spots besides. Are these galaxies, or grains of stretched noise? There is
# no catalogue here to ask.
#
# ## What you measured
#
# Beside each of your values stands the band in which 99 of 100 runs with other seeds should fall, as estimated from five
# (wide, where five differ much), and the aim that the mean of the five had to meet.

# %%
results.record(
    "13",
    unet_iou=iou["U-Net"],
    skip_gain=iou["U-Net"] - iou["no skips"],
    sep_iou=iou["SEP"],
    photutils_iou=iou["photutils"],
    watershed_iou=iou["watershed"],
    flux_error=errors["U-Net"].mean(),
    sep_flux_error=errors["SEP"].mean(),
    photutils_flux_error=errors["photutils"].mean(),
    flux_ratio=errors["U-Net"].mean() / errors["SEP"].mean(),
    flux_ratio_photutils=errors["U-Net"].mean() / errors["photutils"].mean(),
    sep_finds_both=found_both["SEP"].mean(),
    star_recall_gain=star_scores["weighted"][0] - star_scores["cross-entropy"][0],
    source_iou=source_iou,
    threshold_iou=max(threshold_iou.values()),
    seam=differences["overlapping, by 80"].max(),
    tile_completeness=scores["U-Net"][0][brighter].mean(),
    sep_tile_completeness=scores["SEP"][0][brighter].mean(),
    tile_purity=scores["U-Net"][1],
    sep_tile_purity=scores["SEP"][1],
    tuned_tile_iou=tile_iou["U-Net, tuned"] - tile_iou["U-Net"],
)
results.table("13")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - A network of convolutions alone answers for every pixel and runs on any size. Skips bring back the edges that pooling
#   lost: the gain is a few pixels' width, where all the errors are.
# - The loss says what you want. Cross-entropy is content with what is frequent; weights and Dice look for what is rare,
#   and pay with false ones.
# - Say what you compare before you measure it. Against SExtractor's method the network's fluxes are more than three times
#   as good, against photutils' twice; and for telling source from sky, a threshold is nearly all one needs.
#
# **Where to go on:** lab 14 asks what a network should say where it *cannot* know whose light it is; labs 15 to 17 find
# objects one by one, with boxes and masks.
#
# **Stretch tasks**
#
# 1. **Three galaxies.** Add a third one to the blends. What has to change in the targets? Which galaxy is which?
# 2. **The right contrast.** SEP's deblending has a parameter, `contrast`. Does another one than SExtractor's 0.005 close
#    the gap to photutils, and what does it do to single spiral galaxies?
# 3. **Two steps.** Train a small network on image × share to give fluxes, as Boucaud et al. did. Is it better than a sum?
# 4. **No middle.** Move the pairs about in the stamp, so that "central" means nothing. What does the network learn with
#    these losses, and what would you change?
# 5. **Upsampling.** Replace `UpSampling2D` by `Conv2DTranspose` with a kernel of 3 and stride 2. Do you see a
#    checkerboard?
#
# **References**
#
# - Aihara et al. 2022, PASJ 74, 247: Third data release of the Hyper Suprime-Cam Subaru Strategic Program.
# - Barbary 2016, JOSS 1, 58: SEP: Source Extractor as a library.
# - Bertin & Arnouts 1996, A&AS 117, 393: SExtractor: software for source extraction.
# - Boucaud et al. 2020, MNRAS 491, 2481: Photometry of high-redshift blended galaxies using deep learning.
# - Hausen & Robertson 2020, ApJS 248, 20: Morpheus: a deep learning framework for the pixel-level analysis of
#   astronomical image data.
# - Merz et al. 2023, MNRAS 526, 1122: Detection, instance segmentation, and classification for astronomical surveys with
#   deep learning.
# - Ronneberger, Fischer & Brox 2015, MICCAI, 234: U-Net: convolutional networks for biomedical image segmentation.
