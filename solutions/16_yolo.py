# %% [markdown]
# # 16 · YOLO: from the grid to the real sky
#
# **Question:** Can one network, in one look, find, box and classify every star and galaxy of a field, and does what it
# learned on simulations hold on the real sky?
#
# **You build:** targets on a grid and the way back, overlaps, the responsible box and the five terms of YOLO's loss; then
# what turns its numbers into objects (suppression, detection) and what judges them (matching, average precision).
#
# **Time:** 210 minutes of work, 3 minutes of CPU · **Before:** labs 03, 08 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/16_yolo.ipynb)
#
# **Papers:** Redmon et al. 2016, CVPR, 779 (YOLO v1); Lin et al. 2014, ECCV, 740 (COCO and its average precision);
# Barbary 2016, JOSS 1, 58 (SEP)

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

lab.start("16")

# %% tags=["imports"]
import time
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from skimage.data import hubble_deep_field

from utils import boxes, compare, datasets, extraction, plotting, results, sky, thresholds, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · A field of many
#
# So far every picture held one galaxy, and a network had one thing to say about it. A picture of the sky holds stars and
# galaxies, three here and thirty there. What we want for each of them is a **box**, the smallest rectangle with sides
# along rows and columns around its light, and its class.
#
# We write a box as $(x_0, y_0, x_1, y_1)$ in pixels, x to the right and y downwards along the rows. These are places of
# edges: the box that holds nothing but the pixel in row 3 and column 7 is (7, 3, 8, 4).
#
# Our fields are simulated as the Hyper Suprime-Cam of the Subaru telescope sees them, in the bands g, r and i, with
# pixels of 0.168″. Objects are drawn down to i magnitudes of 26.5 (the fainter, the larger the number; 5 magnitudes are a
# factor of 100); down there they drown in the noise, and a box says little. We train on objects with i < 24. To have more
# of them, the fields for training hold four times as many of these as the sky does: who simulates may choose.

# %%
CLASSES = ("star", "galaxy")
COLOURS = ("#F0E442", "#56B4E9")
SIZE, TRAINED = 128, 24.0  # side of a field [pixels]; faintest i magnitude of the objects that we train on

crowded = datasets.load("fields", n_train=300, n_validation=0, n_test=40, crowding=4, seed=lab.seed)
natural = datasets.load("fields", n_train=0, n_validation=0, n_test=200, seed=lab.seed)
survey = natural.survey


def objects_of(split, field, faintest=TRAINED):
    """Rows of the truth table that belong to a field and are bright enough, from bright to faint."""
    rows = split.truth[(split.truth["field"] == field) & (split.truth["magnitude"] < faintest)]
    return np.sort(rows, order="magnitude")


def classes_of(rows):
    """0 for a star, 1 for a galaxy."""
    return (rows["kind"] != "star").astype(int)


figure, axes = plt.subplots(1, 2, figsize=(6.2, 3.3))
for axis, (split, title) in zip(axes, ((crowded.train, "for training"), (natural.test, "as on the sky")), strict=True):
    counts = np.bincount(split.truth["field"][split.truth["magnitude"] < TRAINED], minlength=len(split.images))
    typical = np.abs(counts - counts.mean()).argmin()  # a field with as many objects as the mean has
    rows, picture = objects_of(split, typical), sky.colour(split.images[typical], survey)
    plotting.boxed(picture, rows["box"], classes_of(rows), CLASSES, axis, colours=COLOURS)
    axis.set_title(f"{title}: {counts.mean():.1f} with i < 24 a field", fontsize="small")

# %% [markdown]
# *Figure: two simulated fields of 21″, with the boxes of stars (yellow) and galaxies (blue) brighter than i = 24.* A box
# holds the pixels in which the object's own light exceeds 1.5 times the noise. Small blobs without a box are fainter
# objects. They are in the picture, as they are on the sky; nobody asks for them.
#
# ## 2 · A list of boxes, and why it gets messy
#
# A network returns a fixed number of numbers. So let it return a list: 16 places of seven numbers each, x and y of the
# centre, width, height, two class numbers, and 1 where the place is taken, 0 where it is not. The brightest object comes
# first. The loss is the mean squared error. What could go wrong?
#
# **Predict:** Which boxes will this network draw?

# %%
N_PLACES = 16


def as_list(split):
    """(n, 16 · 7) numbers: for the 16 brightest objects of each field x, y, w, h, star, galaxy, taken."""
    lists = np.zeros((len(split.images), N_PLACES, 7), "float32")
    for field in range(len(lists)):
        rows = objects_of(split, field)[:N_PLACES]
        lists[field, : len(rows), :4] = boxes.convert(rows["box"], "xyxy", "center_xywh") / SIZE
        lists[field, : len(rows), 4:6] = np.eye(2)[classes_of(rows)]
        lists[field, : len(rows), 6] = 1
    return lists.reshape(len(lists), -1)


def stretched(images):
    """Faint and bright light in numbers that a network likes."""
    return np.arcsinh(images / 3) / 3


def convolution(x, filters, size=3, **options):
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, kernel_initializer="he_normal", **options)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


keras.utils.set_random_seed(lab.seed)
x = inputs = keras.Input((SIZE, SIZE, 3))
for filters, stride in ((8, 4), (16, 2), (16, 2)):
    x = convolution(x, filters, size=5, strides=stride)
x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
list_network = keras.Model(inputs, layers.Dense(N_PLACES * 7)(x), name="list")
list_network.compile(keras.optimizers.Adam(0.002), loss="mean_squared_error", jit_compile=training.jit_compile())
x_train = stretched(crowded.train.images)
training.fit(list_network, x_train, as_list(crowded.train), epochs=25, batch_size=32)


def listed(prediction):
    """Detections of one field from its list."""
    places = prediction.reshape(N_PLACES, 7)
    corners = boxes.convert(places[:, :4] * SIZE, "center_xywh", "xyxy")
    return boxes.Detections(corners, places[:, 6] * places[:, 4:6].max(axis=1), places[:, 4:6].argmax(axis=1))


list_found = [listed(p) for p in list_network.predict(stretched(crowded.test.images), verbose=0)]

# %%
figure, axes = plt.subplots(1, 2, figsize=(6.2, 3.1))
for axis, field in zip(axes, (0, 1), strict=True):
    picture, found = sky.colour(crowded.test.images[field], survey), list_found[field]
    plotting.boxed(picture, found.boxes, found.classes, axis=axis, colours=COLOURS)

# %% [markdown]
# *Figure: two fields that the network has not seen, with the sixteen boxes of its list.* Heaps of boxes near the
# middle, and nearly the same in both fields. Squared error asks for the mean: if the third brightest object may be
# anywhere, the best single guess is the middle of the field, with the mean size. And "the third brightest" is no
# property that can be seen where the object is. If two objects have nearly the same brightness, a little noise swaps
# their places in the list, and the right answer jumps from one to the other. The best answer to a coin toss is the mean
# of both sides, a box between two galaxies, around nothing.
#
# So the place in the list has to follow from something that can be seen. YOLO's answer: from the place in the picture.
#
# ## 3 · The grid
#
# Lay a grid over the picture. Each cell answers for the object whose **centre** lies in it. A cell says where in it the
# centre is, how large the box is, how sure it is that there is one, and which class. All cells are asked at once, by one
# network, in one pass: You Only Look Once.
#
# Our cells are 8 pixels wide (the **stride** of the network: it halves the picture three times), so a field of 128
# pixels has $S \times S = 16 \times 16$ of them. In numbers, for each cell:
#
# $$ x, y, w, h, 1, \underbrace{0, 1}_{\text{classes}} $$
#
# and zeros where there is no object. x and y are the distance of the centre from the upper left corner of its cell, w
# and h the size of the box. **All four are in cells**: 0.5 is half a cell, 4 pixels, and a box of 20 × 12 pixels has w =
# 2.5 and h = 1.5. (The paper measures w and h in units of the picture. Its objects fill a good part of a picture; ours are
# a dozen pixels in 128, and an error of 20 % would be a number that a loss does not notice. One unit for all four also
# saves us from mixing two, a slip that has been printed.)
#
# **Predict:** If two centres lie in one cell, one object is lost. Of the objects in our crowded fields, how many are lost
# with cells of 8 pixels, and how many with cells of 32?

# %% exercise="16.1"
# Exercise 16.1
def encode(corners, classes, height, width, stride, n_classes):
    """What each cell of a grid should say.

    Parameters
    ----------
    corners : (n, 4) array
        Boxes x0, y0, x1, y1 [pixels]. They may reach beyond the picture: clip them to it, from 0 to width and height,
        before you take centre and size, and leave out those of which nothing is left.
    classes : (n,) array of int
        From 0 to n_classes - 1.
    height, width : int
        Of the picture [pixels], multiples of the stride.
    stride : int
        Side of a cell [pixels].
    n_classes : int

    Returns
    -------
    (height // stride, width // stride, 5 + n_classes) array
        For the cell that holds the centre of a box: x and y of the centre from the cell's corner, w, h, all in cells; 1;
        then 1 at the place of its class. Zeros elsewhere. A centre on the edge of two cells lies in the one that begins
        there. Where the centres of several boxes lie in one cell, the first of the list keeps it.

    Example
    -------
    encode([[4, 8, 16, 12]], [1], 16, 24, 8, 2) has zeros but for row 1, column 1: [0.25, 0.25, 1.5, 0.5, 1, 0, 1].
    """
    ### BEGIN SOLUTION
    target = np.zeros((height // stride, width // stride, 5 + n_classes))
    for (x0, y0, x1, y1), of_class in zip(corners, classes, strict=True):
        x0, x1 = np.clip([x0, x1], 0, width) / stride
        y0, y1 = np.clip([y0, y1], 0, height) / stride
        if x1 <= x0 or y1 <= y0:
            continue
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        row, column = int(y), int(x)
        if target[row, column, 4] == 0:
            target[row, column, :5] = x - column, y - row, x1 - x0, y1 - y0, 1
            target[row, column, 5 + of_class] = 1
    return target
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.1", encode)

# %%
STRIDE = 8


def targets_of(split, stride=STRIDE):
    """Targets of all fields, the brighter object first: (n, rows, columns, 7)."""
    grids = []
    for field in range(len(split.images)):
        rows = objects_of(split, field)
        grids.append(encode(rows["box"], classes_of(rows), SIZE, SIZE, stride, len(CLASSES)))
    return np.array(grids, "float32")


y_train = targets_of(crowded.train)
wanted = (crowded.train.truth["magnitude"] < TRAINED).sum()
for stride in (32, 16, 8, 4):
    kept = targets_of(crowded.train, stride)[..., 4].sum()
    print(f"cells of {stride:2} pixels, S = {SIZE // stride:2}: {1 - kept / wanted:6.1%} of the objects share a cell and are lost")

# %%
pairs = []  # of objects in one cell: magnitude of the fainter one, field, rows of both
for field in range(len(crowded.train.images)):
    rows = objects_of(crowded.train, field)
    middles = boxes.convert(boxes.clip(rows["box"], SIZE, SIZE), "xyxy", "center_xywh")[:, :2]
    for second in range(len(rows)):
        same = (middles[:second] // STRIDE == middles[second] // STRIDE).all(axis=1)
        largest = np.ptp(rows["box"][: second + 1].reshape(-1, 2, 2), axis=1).max(axis=1)  # sides
        if rows["box"][second].min() <= 0 or rows["box"][second].max() >= SIZE:
            continue  # cut by the edge
        same &= largest[:second] < 6 * STRIDE  # to fit into the figure
        pairs += [(rows["magnitude"][second], field, first, second) for first in np.flatnonzero(same)]

figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3))
for axis, (_, field, first, second) in zip(axes, sorted(pairs)[:3], strict=True):
    rows = objects_of(crowded.train, field)
    picture = sky.colour(crowded.train.images[field], survey)
    plotting.boxed(picture, rows["box"][[first]], classes_of(rows[[first]]), axis=axis, colours=COLOURS)
    plotting.boxed(picture, rows["box"][[second]], axis=axis, style=":", colours=("white",))
    column, row = np.clip(rows["box"][first].reshape(2, 2).mean(axis=0) // STRIDE, 3, SIZE // STRIDE - 4).astype(int)
    lines = np.arange(0, SIZE + 1, STRIDE) - 0.5
    axis.hlines(lines, -0.5, SIZE - 0.5, color="gray", linewidth=0.5)
    axis.vlines(lines, -0.5, SIZE - 0.5, color="gray", linewidth=0.5)
    axis.set(xlim=((column - 3) * STRIDE - 0.5, (column + 4) * STRIDE - 0.5))
    axis.set(ylim=((row + 4) * STRIDE - 0.5, (row - 3) * STRIDE - 0.5))

# %% [markdown]
# *Figure: pairs of objects whose centres lie in one cell; the brighter one keeps the cell (coloured), the other one is not
# among the targets (dotted). Gray: the grid.*
#
# The grid costs something before the network has seen a photon: of two objects in one cell one is lost. With 4 × 4 cells
# it would be a third of ours; with 16 × 16 it is a few per cent, in fields four times as crowded as the sky. (The paper
# has 7 × 7 cells for photographs with two or three objects.)
#
# ## 4 · The way back
#
# The network will return the same numbers, with one addition. In each cell it draws not one box but $B = 2$, and each
# comes with a **confidence**. So a cell gives
#
# $$ \underbrace{x, y, w, h, c}_{\text{first box}}, \underbrace{x, y, w, h, c}_{\text{second box}},
# \underbrace{p_\text{star}, p_\text{galaxy}}_{\text{classes, once for the cell}}, $$
#
# and the whole output has $S \times S \times (C + 5B)$ numbers. The score of a box for a class is confidence times
# probability: is there something here, and if so, is it this?

# %% exercise="16.2"
# Exercise 16.2
def decode(prediction, stride, n_boxes):
    """Boxes in pixels, and their scores.

    Parameters
    ----------
    prediction : (rows, columns, 5 * n_boxes + n_classes) array
        For each cell: n_boxes times x, y, w, h, confidence, then the probabilities of the classes. x, y, w, h are in
        cells, x and y from the corner of the cell.
    stride : int
        Side of a cell [pixels].
    n_boxes : int

    Returns
    -------
    (rows, columns, n_boxes, 4) array
        Boxes x0, y0, x1, y1 [pixels].
    (rows, columns, n_boxes, n_classes) array
        Confidence of the box times probability of the class.

    Example
    -------
    One row, two columns, one box and class, stride 8. decode(np.array([[[0, 0, 1, 1, 0, 1], [0.5, 0.5, 2, 1, 0.9, 1]]]),
    8, 1) has the box [4, 0, 20, 8] in its second cell, with the score 0.9.
    """
    ### BEGIN SOLUTION
    rows, columns = prediction.shape[:2]
    each = prediction[..., : 5 * n_boxes].reshape(rows, columns, n_boxes, 5)
    x = (each[..., 0] + np.arange(columns)[None, :, None]) * stride
    y = (each[..., 1] + np.arange(rows)[:, None, None]) * stride
    w, h = each[..., 2] * stride, each[..., 3] * stride
    corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=-1)
    return corners, each[..., 4:5] * prediction[..., None, 5 * n_boxes :]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.2", decode)

# %% [markdown]
# A target has the layout of a prediction with one box. So there is a test that needs no answer key: there and back again
# has to give the boxes we began with.

# %%
rows = objects_of(natural.test, typical)
corners, scores = decode(encode(rows["box"], classes_of(rows), SIZE, SIZE, STRIDE, 2), STRIDE, 1)
there = scores.max(axis=-1) > 0
print("overlap of each box with its return:", np.round(boxes.iou(rows["box"], corners[there]).max(axis=1), 6))

# %% [markdown]
# ## 5 · How well do two boxes agree?
#
# By the area they share, divided by the area they cover together: the **intersection over union**, IoU. 1 for equal
# boxes, 0 for boxes apart. We need it inside the loss, so it has to be written in `keras.ops`, for many pairs at once.
# All boxes of a cell count from the same corner, so there is no need to know which cell it is.
#
# A training is compiled before it runs. While that happens a tensor has a shape and a type, but no values: NumPy, `if`,
# `len` and loops over the cells of a tensor stop there, even though they work on a tensor at hand. This holds for
# exercises 16.3 to 16.5.

# %% exercise="16.3"
# Exercise 16.3
def iou(a, b):
    """Intersection over union of boxes, pair by pair, in keras.ops.

    Parameters
    ----------
    a, b : (..., 4) tensors
        Boxes x, y, w, h: centre and size, all in one unit. The shapes may differ as far as broadcasting allows: (2, 4)
        and (1, 4) are two boxes compared with one.

    Returns
    -------
    (...) tensor, of the type of a and b
        0 where boxes have no area.

    Example
    -------
    Boxes [1, 1, 2, 2] and [2, 1, 2, 2] share 2 of 6: 0.333.
    """
    ### BEGIN SOLUTION
    first = ops.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    last = ops.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    sides = ops.maximum(last - first, 0)
    both = sides[..., 0] * sides[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - both
    return both / (union + 1e-9)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.3", iou)

# %% [markdown]
# Keras has the same for lists of boxes, every one with every other, and `utils.boxes.iou` does it in NumPy:

# %%
square = np.array([[0, 0, 10, 10]], "float32")
moved = square + np.arange(0, 11)[:, None] * np.float32([1, 0, 1, 0])
ours = iou(*(ops.cast(boxes.convert(corners, "xyxy", "center_xywh"), "float32") for corners in (square, moved)))
theirs = keras.utils.bounding_boxes.compute_iou(square, moved, bounding_box_format="xyxy")[0]
print("a box of 10 pixels moved by 0, 1, 2, … pixels")
print("yours:", np.round(ops.convert_to_numpy(ours), 2))
print("Keras:", np.round(ops.convert_to_numpy(theirs), 2))

# %% [markdown]
# A box of 10 pixels that is 3 pixels off has an IoU of .54, one that is 4 pixels off .43. In the world of detectors, .5
# counts as found. A galaxy of 40 pixels may be 13 pixels off. Small objects are hard.
#
# ## 6 · Who is responsible?
#
# In a cell with an object, two boxes are drawn and one is enough. The one that overlaps best with the object is
# **responsible** for it: it learns its place and size. The other learns to be quiet. So with time one box may become good
# at small round things and the other at large ones, without anybody saying so.

# %% exercise="16.4"
# Exercise 16.4
def responsible(target, prediction, n_boxes):
    """Overlap of each box with the object of its cell, and which box is responsible.

    Parameters
    ----------
    target : (n, rows, columns, 5 + n_classes) tensor
        As of exercise 16.1: x, y, w, h, 1 or 0, classes.
    prediction : (n, rows, columns, 5 * n_boxes + n_classes) tensor
        As in exercise 16.2.
    n_boxes : int

    Returns
    -------
    (n, rows, columns, n_boxes) tensor
        IoU of the box with the object of the cell.
    (n, rows, columns, n_boxes) tensor
        In cells with an object 1 for the box with the largest IoU (the first of equals); 0 for all others. Of the type
        of the prediction, so that a loss can be multiplied by it.
    """
    ### BEGIN SOLUTION
    each = ops.reshape(prediction[..., : 5 * n_boxes], (*ops.shape(prediction)[:3], n_boxes, 5))
    overlaps = iou(each[..., :4], target[..., None, :4])
    best = ops.one_hot(ops.argmax(overlaps, axis=-1), n_boxes)
    return overlaps, best * target[..., 4:5]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.4", responsible)

# %% [markdown]
# ## 7 · Five terms
#
# Now the loss. It is a sum of squared errors with five terms; $\mathbb 1^\text{resp}$ is 1 for responsible boxes and 0
# for all others, $\mathbb 1^\text{obj}$ is 1 for cells with an object. The aims have no hat:
#
# $$
# \begin{aligned}
# L ={} & \lambda_\text{coord} \sum \mathbb 1^\text{resp} \left[ (x - \hat x)^2 + (y - \hat y)^2 \right]
# + \lambda_\text{coord} \sum \mathbb 1^\text{resp} \left[ (\sqrt w - \sqrt{\hat w})^2 + (\sqrt h - \sqrt{\hat h})^2 \right] \\
# & + \sum \mathbb 1^\text{resp} (\mathrm{IoU} - \hat c)^2
# + \lambda_\text{noobj} \sum (1 - \mathbb 1^\text{resp})\, \hat c^2
# + \sum \mathbb 1^\text{obj} \sum_k (p_k - \hat p_k)^2
# \end{aligned}
# $$
#
# Three things to see.
#
# - **The roots.** 2 pixels too many are a bad error for a box of 8 and none for a box of 60. Roots make the same absolute
#   error weigh more where the box is small.
# - **The IoU** is not the loss. It is the *aim of the confidence*: a box should be as sure as it is good. It is an aim, so
#   no gradient may go through it (`ops.stop_gradient`), or the network could also move the box until it fits the
#   confidence.
# - **The weights.** Nearly all boxes are not responsible (in our fields about 498 of 512), and their pull to 0 would drown
#   the rest; so $\lambda_\text{noobj} = 0.5$. And $\lambda_\text{coord} = 5$, so that places are learnt well.
#
# **Predict:** What is left of the loss for a field without any object?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The fourth term alone: all boxes should be quiet. Nothing is divided by the number of objects, so nothing is NaN.
#
# </details>

# %% exercise="16.5"
# Exercise 16.5
def loss_terms(target, prediction, n_boxes, roots=True):
    """The five sums of YOLO's loss, without their weights.

    Parameters
    ----------
    target, prediction, n_boxes
        As in exercise 16.4.
    roots : bool
        False: the squared errors of w and h themselves, without square roots.

    Returns
    -------
    list of five (n,) tensors
        x and y; w and h; confidence of responsible boxes; confidence of all others; classes. Sums over cells and boxes,
        one number for each picture.
    """
    ### BEGIN SOLUTION
    each = ops.reshape(prediction[..., : 5 * n_boxes], (*ops.shape(prediction)[:3], n_boxes, 5))
    aim = target[..., None, :4]
    overlaps, mine = responsible(target, prediction, n_boxes)
    overlaps = ops.stop_gradient(overlaps)
    sizes, aimed_sizes = each[..., 2:4], aim[..., 2:4]
    if roots:
        sizes, aimed_sizes = ops.sqrt(sizes), ops.sqrt(aimed_sizes)
    xy = mine * ops.sum((each[..., :2] - aim[..., :2]) ** 2, axis=-1)
    wh = mine * ops.sum((sizes - aimed_sizes) ** 2, axis=-1)
    sure = mine * (each[..., 4] - overlaps) ** 2
    unsure = (1 - mine) * each[..., 4] ** 2
    classes = target[..., 4] * ops.sum((prediction[..., 5 * n_boxes :] - target[..., 5:]) ** 2, axis=-1)
    return [*(ops.sum(term, axis=(1, 2, 3)) for term in (xy, wh, sure, unsure)), ops.sum(classes, axis=(1, 2))]
    ### END SOLUTION


def yolo_loss(target, prediction, n_boxes, lambda_coord=5.0, lambda_noobj=0.5, roots=True):
    """YOLO's loss of each picture, the weighted sum of the terms: (n,) tensor. `roots` is for `loss_terms`."""
    ### BEGIN SOLUTION
    xy, wh, sure, unsure, classes = loss_terms(target, prediction, n_boxes, roots)
    return lambda_coord * (xy + wh) + sure + lambda_noobj * unsure + classes
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.5", (loss_terms, yolo_loss))

# %% [markdown]
# (A field without any object leaves one term, the fourth: be quiet. The check has tried it.)
#
# ## 8 · One network, one look
#
# The network is small: three times it halves the picture, then four **residual** blocks (lab 08) look around, half of
# them with a **dilation** of 2 (lab 02), since a cell has to see all of a galaxy to know how large it is. The last
# convolution is 1 × 1: the same for each cell. No layer asks how large the picture is. The raw numbers of the last one go
# through functions that keep them where they belong: the sigmoid between 0 and 1 for places and confidences, the softplus
# $\ln(1 + e^z)$ above 0 for sizes, the softmax for classes. (In the paper the last layer is linear.)
#
# Its weights begin close to 0, so that nothing is sure from the start. A softmax that says "galaxy" with certainty has a
# slope of nearly 0, and a squared error does not bring it back: begun with larger weights, as layers are by default, this
# network never said "star" in some of our trainings.

# %%
N_BOXES = 2


def yolo(filters=(12, 24, 48), n_blocks=4, name="yolo"):
    """A network that returns (rows, columns, 5 · 2 + 2) numbers for a picture of any size."""
    keras.utils.set_random_seed(lab.seed)
    inputs = keras.Input((None, None, 3))
    x = convolution(inputs, filters[0], size=6, strides=2)
    x = convolution(x, filters[1], strides=2)
    x = x + convolution(x, filters[1])
    x = convolution(x, filters[2], strides=2)
    for block in range(n_blocks):
        x = x + convolution(x, filters[2], dilation_rate=1 + block % 2)
    small = keras.initializers.RandomNormal(stddev=0.01)
    raw = layers.Conv2D(5 * N_BOXES + len(CLASSES), 1, kernel_initializer=small)(x)
    parts = []
    for start in range(0, 5 * N_BOXES, 5):
        parts.append(ops.sigmoid(raw[..., start : start + 2]))
        parts.append(ops.softplus(raw[..., start + 2 : start + 4]))
        parts.append(ops.sigmoid(raw[..., start + 4 : start + 5] - 2))  # few boxes hold an object: begin with doubt
    parts.append(ops.softmax(raw[..., 5 * N_BOXES :]))
    return keras.Model(inputs, ops.concatenate(parts, axis=-1), name=name)

# %% [markdown]
# A galaxy seen in a mirror is a galaxy. So we flip pictures, and swap rows and columns, at random; and their targets with
# them. Mind what happens to a target: the grid flips, and in each cell that has an object x becomes $1 - x$.

# %%
def turned(images, targets, mirror_x, mirror_y, swap):
    """Pictures and targets flipped left–right, up–down, and with x and y swapped."""
    targets = targets.copy()
    if mirror_x:
        images, targets = images[:, :, ::-1], targets[:, :, ::-1]
        targets[..., 0] = np.where(targets[..., 4] == 1, 1 - targets[..., 0], 0)
    if mirror_y:
        images, targets = images[:, ::-1], targets[:, ::-1]
        targets[..., 1] = np.where(targets[..., 4] == 1, 1 - targets[..., 1], 0)
    if swap:
        images, targets = images.swapaxes(1, 2), targets.swapaxes(1, 2)
        targets = targets[..., [1, 0, 3, 2, *range(4, targets.shape[-1])]]
    return np.ascontiguousarray(images), np.ascontiguousarray(targets)


def train(model, images, targets, steps, rate=0.005, loss=yolo_loss, **options):
    """Train with YOLO's loss, or another; the loss of each step."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=lambda target, prediction: loss(target, prediction, **options),
        jit_compile=training.jit_compile(),
    )
    rng, losses, started = np.random.default_rng([lab.seed, 16]), [], time.perf_counter()
    for chosen in compare.draws(len(images), 16, steps, seed=lab.seed):
        losses.append(model.train_on_batch(*turned(images[chosen], targets[chosen], *rng.integers(2, size=3))))
    print(f"{model.name}: {steps} steps in {time.perf_counter() - started:.0f} s, loss {np.mean(losses[-50:]):.1f}")
    return np.array(losses)


model = yolo()
print(f"{model.count_params()} weights")
losses = train(model, x_train, y_train, steps=300, n_boxes=N_BOXES)

# %%
plt.plot(np.convolve(losses, np.ones(20) / 20, "valid"))
plt.gca().set(xlabel="step", ylabel="loss of a field", ylim=(0, 60), title="Training, a mean over 20 steps");

# %% [markdown]
# *Figure: the loss during training.*
#
# ## 9 · One object, one box
#
# What does the network say? Let us look at all boxes with a score above .1, as they come.

# %%
predictions = model.predict(stretched(natural.test.images), verbose=0, batch_size=20)
fields, counts = np.unique(natural.test.truth["field"][natural.test.truth["magnitude"] < 23.5], return_counts=True)
busy = fields[np.argsort(-counts, kind="stable")]  # fields with many bright objects first
corners, scores = decode(predictions[busy[1]][2:14, 2:14], STRIDE, N_BOXES)  # a part of the grid
loud = scores.max(axis=-1) > 0.1
picture = sky.colour(natural.test.images[busy[1]][16:112, 16:112], survey)
plotting.boxed(picture, corners[loud], scores[loud].argmax(axis=-1), CLASSES, colours=COLOURS)

# %% [markdown]
# *Figure: all boxes with a score above .1 in a part of one field.* Some galaxies have two or more: the second box of the
# cell is not always quiet, and where the centre is near the edge of a cell the neighbour raises its hand, too. To keep one
# of them there is **non-maximum suppression**: the box with the best score stays; all that overlap it by more than a
# threshold go; the best of the rest stays; and so on.

# %% exercise="16.6"
# Exercise 16.6
def suppress(corners, scores, threshold):
    """Keep the best box, drop those that overlap it by more than the threshold, and so on.

    Parameters
    ----------
    corners : (n, 4) array
        x0, y0, x1, y1. `boxes.iou(a, b)` is the IoU of each box of a with each of b, of shape (len(a), len(b)).
    scores : (n,) array
    threshold : float

    Returns
    -------
    (kept,) array of int
        Where the boxes that are kept stand in `corners`, the best score first; of equal scores the first comes first.

    Example
    -------
    suppress(np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]), np.array([0.6, 0.8, 0.7]), 0.5) is [1, 2].
    """
    ### BEGIN SOLUTION
    left, stay = np.argsort(-scores, kind="stable"), []
    while len(left):
        stay.append(left[0])
        overlap = boxes.iou(corners[left[:1]], corners[left[1:]])[0]
        left = left[1:][overlap <= threshold]
    return np.array(stay, int)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.6", suppress)

# %% [markdown]
# **Think:** Two galaxies on one line of sight, one in front of the other, overlap by .6. What becomes of them? What would
# help?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The one with the lower score is dropped, however well the network saw it. A higher threshold keeps both, and with them the doubles
# of everything else. Soft suppression (`boxes.soft_nms`) lowers the score of what overlaps instead of dropping it.
#
# </details>

# %% [markdown]
# Now put it together: decode, choose, suppress. A star does not suppress a galaxy, so each class is suppressed by
# itself. One box may even be in the list twice, as a star with .4 and as a galaxy with .3; the score says which to
# believe.

# %% exercise="16.7"
# Exercise 16.7
def detect(prediction, stride, n_boxes, least, threshold):
    """The objects that the network sees in one picture.

    Parameters
    ----------
    prediction : (rows, columns, 5 * n_boxes + n_classes) array
    stride, n_boxes : int
        As in exercise 16.2.
    least : float
        Boxes count for a class where their score for it is at least this.
    threshold : float
        Of the suppression, which looks at one class at a time.

    Returns
    -------
    (n, 4) array, (n,) array, (n,) array of int
        Boxes [pixels], scores and classes, in any order.

    Example
    -------
    detect(prediction, 8, 2, least=0.3, threshold=0.5) with `decode` and `suppress` of above.
    """
    ### BEGIN SOLUTION
    corners, scores = decode(prediction, stride, n_boxes)
    found = []
    for of_class in range(scores.shape[-1]):
        chosen = scores[..., of_class] >= least
        there, values = corners[chosen], scores[..., of_class][chosen]
        kept = suppress(there, values, threshold)
        found.append((there[kept], values[kept], np.full(len(kept), of_class)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.7", detect)

# %% tags=["showcase"]
LEAST, OVERLAP = 0.3, 0.4

figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4))
for axis, field in zip(axes, busy[:3], strict=True):
    found, scores, classes = detect(predictions[field], STRIDE, N_BOXES, LEAST, OVERLAP)
    texts = [f"{score:.2f}" for score in scores]
    names = CLASSES if field == busy[1] else None
    plotting.boxed(sky.colour(natural.test.images[field], survey), found, classes, names, axis, texts, colours=COLOURS)
    rows = objects_of(natural.test, field, 23.5)
    plotting.boxed(natural.test.images[field], rows["box"], axis=axis, style=":", colours=("white",))

# %% [markdown]
# *Figure: three fields that the network has not seen, its boxes with their scores, and the true boxes of objects with i
# < 23.5 (dotted).*
#
# Two thresholds were chosen here, .3 for the score and .4 for the overlap. What do they do?

# %%
def find(least, overlap):  # in a part of the first field
    return detect(predictions[busy[0]][5:15, :10], STRIDE, N_BOXES, least, overlap)


picture = sky.colour(natural.test.images[busy[0]][40:120, :80], survey)
thresholds.strip(picture, find, leasts=(0.1, 0.3, 0.5), overlaps=(0.4, 0.9), names=CLASSES, colours=COLOURS)

# %% [markdown]
# *Figure: what is left of the boxes in a part of the first field for three least scores (columns) and two overlaps that are
# allowed (rows).* From left to right the network is asked to be surer, and loses the faint ones. From top to bottom
# neighbours are allowed to overlap more, and doubles come back. The sliders below let you look for a better pair.

# %%
thresholds.play(picture, find, LEAST, OVERLAP, CLASSES, COLOURS)

# %% [markdown]
# ## 10 · How good is it? Matching
#
# A detection is right if it overlaps an object by at least .5, say. But two detections of one object are one find and one
# false alarm, and a detection may fit two neighbours. The rule of COCO, a large collection of photographs on which
# detectors are compared: the detection with the best score chooses first, and
# takes the object that it overlaps most **among those that are still free**.

# %% exercise="16.8"
# Exercise 16.8
def match(corners, scores, truth, threshold):
    """Which object each detection has found.

    Parameters
    ----------
    corners : (n, 4) array
        Detections.
    scores : (n,) array
        The best detection chooses first.
    truth : (m, 4) array
        Objects.
    threshold : float
        Of the IoU, at least. (`boxes.iou(corners, truth)` has the shape (n, m).)

    Returns
    -------
    (n,) array of int
        For each detection, as they came, the position of the object in `truth`; -1: a false alarm.

    Example
    -------
    match(np.array([[0, 0, 10, 9], [0, 0, 10, 10]]), np.array([0.9, 0.8]), np.array([[0, 0, 10, 10]]), 0.5) is [0, -1].
    """
    ### BEGIN SOLUTION
    overlaps = boxes.iou(corners, truth)
    answer, taken = np.full(len(corners), -1), np.zeros(len(truth), bool)
    for k in np.argsort(-scores, kind="stable"):
        still = np.where(taken, -1, overlaps[k])
        if len(truth) and still.max() >= threshold:
            answer[k] = still.argmax()
            taken[answer[k]] = True
    return answer
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.8", match)

# %% [markdown]
# ## 11 · Average precision
#
# Let detections through from the best score down. After each, the **recall** is the share of all objects found so far,
# and the **precision** the share of the detections so far that are right. The more we let through, the higher the recall
# and, as a rule, the lower the precision. One number for the whole curve is the area below it, the **average precision**
# (AP). COCO reads it at 101 recalls, 0, .01, …, 1, and takes at each the best precision reached *at this recall or
# beyond*, 0 where the recall is never reached.

# %% exercise="16.9"
# Exercise 16.9
def average_precision(scores, right, n_objects):
    """Area under precision over recall, by COCO's rule.

    Parameters
    ----------
    scores : (n,) array
        All detections of all pictures, in any order.
    right : (n,) array of bool
        Whether the detection has found an object.
    n_objects : int
        How many there were to find.

    Returns
    -------
    float
        nan where there was nothing to find.

    Example
    -------
    Two objects, one found by the best detection, one never: 51 of 101 recalls have precision 1, so
    average_precision(np.array([0.9]), np.array([True]), 2) is 0.505.
    """
    ### BEGIN SOLUTION
    if n_objects == 0:
        return np.nan
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / n_objects
    read = [precision[recall >= r].max(initial=0.0) for r in np.linspace(0, 1, 101)]
    return np.mean(read)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("16.9", average_precision)

# %% [markdown]
# The mean over classes is the **mAP**, and mAP50 means: an overlap of .5 is enough. (COCO's first figure, called AP without
# a number, is the mean over ten overlaps as well: .5, .55, …, .95.) `utils.boxes` holds the same functions, compared with
# COCO's own tools, and one thing more: objects that need **not** be found. A detection of one of them is neither right nor
# wrong. For us these are objects fainter than i = 23.5 (trained on to 24: no sharp limit should stand where we judge) and
# those that the edge of the field cuts.

# %%
def judged(split, faintest=23.5):
    """What has to be found in each field."""
    there = []
    for field in range(len(split.images)):
        rows = objects_of(split, field, np.inf)
        cut = (rows["box"][:, :2] <= 0).any(axis=1) | (rows["box"][:, 2:] >= SIZE).any(axis=1)
        there.append(boxes.Objects(rows["box"], classes_of(rows), cut | (rows["magnitude"] >= faintest)))
    return there


def detections_of(predictions, least=0.02):
    return [boxes.Detections(*detect(p, STRIDE, N_BOXES, least, OVERLAP)) for p in predictions]


found, there = detections_of(predictions), judged(natural.test)
asked = np.linspace(0.3, 0.95, 14)
precisions = boxes.average_precisions(found, there, len(CLASSES), asked)
map50, map75 = (precisions[np.isclose(asked, t)].mean() for t in (0.5, 0.75))
list_map50 = boxes.average_precisions(list_found, judged(crowded.test), len(CLASSES), [0.5]).mean()
print(f"grid: mAP50 {map50:.3f}, mAP75 {map75:.3f}; list of section 2: mAP50 {list_map50:.3f}")

scores, right, wanted = [], [], 0
for detections, objects in zip(found, there, strict=True):  # by your functions: galaxies, nothing ignored
    mine = detections.classes == 1
    scores.append(detections.scores[mine])
    right.append(match(detections.boxes[mine], scores[-1], objects.boxes[objects.classes == 1], 0.5) >= 0)
    wanted += (objects.classes == 1).sum()
yours = average_precision(np.concatenate(scores), np.concatenate(right), wanted)
everything = [boxes.Objects(objects.boxes, objects.classes) for objects in there]
theirs = boxes.average_precisions(found, everything, len(CLASSES), [0.5])[0, 1]
print(f"galaxies, the faintest ones included: AP50 by your functions {yours:.4f}, by the library {theirs:.4f}")

# %%
for k, name in enumerate(CLASSES):
    plt.plot(asked, precisions[:, k], "o-", color=plotting.COLOURS[k], label=name)
plt.gca().set(xlabel="overlap that counts as found (IoU)", ylabel="average precision", ylim=(0, 1))
plt.legend();

# %% [markdown]
# *Figure: average precision of both classes against the overlap that is asked for.* Finding is nearly solved; the exact
# place is not. mAP75 lies clearly below mAP50, as in the paper: a coarse grid finds well and draws roughly. And a
# detector's figure says little without its threshold.
#
# (The last line above it: with objects of all magnitudes to be found, the AP is poor. Nobody can find what the noise has
# swallowed. Always ask what was to be found.)
#
# ## 12 · What is missed
#
# An object counts as found where a detection of its class with a score above .3 overlaps it by .5.

# %%
table = []
for field, objects in enumerate(there):
    rows = objects_of(natural.test, field, np.inf)
    cut = (rows["box"][:, :2] <= 0).any(axis=1) | (rows["box"][:, 2:] >= SIZE).any(axis=1)
    sure = found[field].scores >= LEAST
    hit = np.zeros(len(rows), bool)
    for k in range(len(CLASSES)):
        of_class, detected = np.flatnonzero(objects.classes == k), sure & (found[field].classes == k)
        which = boxes.match(found[field].boxes[detected], found[field].scores[detected], objects.boxes[of_class])
        hit[of_class[which[which >= 0]]] = True
    side = np.sqrt(boxes.area(rows["box"]))
    covered = boxes.iou(rows["box"], rows["box"]) - np.eye(len(rows))
    for k in np.flatnonzero(~cut):
        table.append((rows["magnitude"][k], side[k], covered[k].max(initial=0), hit[k]))
magnitude, side, covered, hit = np.array(table).T


def recall_by(values, edges, chosen):
    """Recall in bins, and its standard error."""
    shares, errors = [], []
    for low, high in pairwise(edges):
        inside = hit[chosen & (values >= low) & (values < high)]
        shares.append(inside.mean() if len(inside) else np.nan)
        errors.append(np.sqrt((shares[-1] * (1 - shares[-1]) + 0.25 / max(len(inside), 1)) / max(len(inside), 1)))
    return shares, errors


panels = {
    "i magnitude": (magnitude, np.array([18, 20, 21, 22, 23, 23.5, 24, 24.5, 25, 26]), magnitude < 99),
    "side of the box [pixels]": (side, np.array([12, 16, 20, 25, 30, 40, 80]), magnitude < 23.5),
    "largest overlap with another object's box": (covered, np.array([0, 0.02, 0.1, 0.2, 0.4, 1]), magnitude < 23.5),
}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), sharey=True)
for axis, (label, (values, edges, chosen)) in zip(axes, panels.items(), strict=True):
    shares, errors = recall_by(values, edges, chosen)
    axis.errorbar((edges[:-1] + edges[1:]) / 2, shares, errors, np.diff(edges) / 2, fmt="o")
    axis.set(xlabel=label, ylim=(0, 1.05))
axes[0].set_ylabel("share of objects found");

# %% [markdown]
# *Figure: recall against magnitude (all objects), and against size and crowding (objects with i < 23.5), with standard
# errors.* The network finds some nine of ten down to about i = 23.5 and lets go where its training ended. Of bright objects
# it misses more among those with small boxes, where a pixel more or less costs much overlap, and among those that others lie
# upon: the more two boxes overlap, the fewer are found. (There are few of these, so the errors are large.) Suppression can
# drop one of two neighbours, and the light of two is hard to take apart.
#
# ## 13 · Is the confidence honest?
#
# The confidence was to be the overlap. Is it? For the more confident box of each cell, here is its overlap with the object
# of the cell; 0 where there is none.

# %%
def calibration(split, predictions):
    """Mean confidence and mean overlap of the more confident box of each cell, in bins of the confidence, and how many."""
    grid = targets_of(split)
    overlaps = ops.convert_to_numpy(responsible(grid, predictions, N_BOXES)[0]) * grid[..., 4:5]
    confidences = predictions[..., 4 : 5 * N_BOXES : 5]
    surer = confidences.argmax(axis=-1)[..., None]
    confidence, overlap = (np.take_along_axis(values, surer, axis=-1).ravel() for values in (confidences, overlaps))
    bins = [(confidence >= low) & (confidence < high) for low, high in pairwise(np.linspace(0, 1, 11))]
    return np.array([(confidence[b].mean(), overlap[b].mean(), b.sum()) for b in bins if b.sum() >= 10]).T


crowded_predictions = model.predict(stretched(crowded.test.images), verbose=0, batch_size=20)
honest = {
    "crowded fields, as in training": calibration(crowded.test, crowded_predictions),
    "fields as on the sky": calibration(natural.test, predictions),
}
plt.plot([0, 1], [0, 1], color="gray", linewidth=1)
for name, (confidence, overlap, count) in honest.items():
    plt.plot(confidence, overlap, "o-", label=name)
    away = np.average(np.abs(confidence - overlap)[1:], weights=count[1:])
    print(f"{name}: mean distance from the diagonal, confidences above 0.1: {away:.3f}")
plt.gca().set(xlabel="mean confidence of the box", ylabel="mean overlap with the object of the cell", xlim=(0, 1), ylim=(0, 1))
plt.legend(loc="upper left");

# %% [markdown]
# *Figure: mean overlap against mean confidence, in bins of the confidence, for fields as crowded as those for training and
# for fields as on the sky; the diagonal is an honest network.* A confidence is a mean over the fields that the network
# was trained on. There, something faint in a cell is often worth a box. On the sky it rarely is: most faint things are
# beyond i = 24, and the same evidence should move us less. What it says in doubt, it says too loudly.
#
# ## 14 · What each term does
#
# Take parts away. A smaller network is trained three times on the same fields: with the loss as it is; without the square
# roots; and with $\lambda_\text{noobj} = 5$ in place of 0.5.
#
# **Predict:** Whose boxes get worse without roots, the small or the large ones? What does the heavier weight on empty
# boxes do to the confidences of boxes that are *not* empty?

# %%
variants = {"as above": {}, "no square roots": {"roots": False}, "λ_noobj = 5": {"lambda_noobj": 5.0}}
y_crowded = targets_of(crowded.test)
ablation = {}
for name, weights in variants.items():
    small_model = yolo((8, 16, 32), n_blocks=2, name=f"variant_{len(ablation) + 1}")
    train(small_model, x_train, y_train, steps=200, n_boxes=N_BOXES, **weights)
    prediction = ops.convert_to_numpy(small_model(stretched(crowded.test.images), training=False))
    overlaps, mine = (ops.convert_to_numpy(part) for part in responsible(y_crowded, prediction, N_BOXES))
    has = y_crowded[..., 4] == 1
    sides = STRIDE * np.sqrt(y_crowded[..., 2] * y_crowded[..., 3])[has]
    confidences = (mine * prediction[..., 4 : 5 * N_BOXES : 5]).sum(axis=-1)[has]
    ablation[name] = {"side": sides, "overlap": overlaps.max(axis=-1)[has], "confidence": confidences}

# %%
edges = np.array([4, 9, 12, 16, 22, 32, 90])
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.5))
for name in ("as above", "no square roots"):
    values = ablation[name]
    bins = np.digitize(values["side"], edges)
    axes[0].plot(range(1, 7), [values["overlap"][bins == k].mean() for k in range(1, 7)], "o-", label=name)
axes[0].set_xticks(range(1, 7), [f"{low}–{high}" for low, high in pairwise(edges)])
axes[0].set(xlabel="side of the true box [pixels]", ylabel="mean overlap of responsible boxes")
axes[0].legend()
for name in ("as above", "λ_noobj = 5"):
    axes[1].hist(ablation[name]["confidence"], np.linspace(0, 1, 21), histtype="step", linewidth=1.6, label=name)
axes[1].set(xlabel="confidence of responsible boxes", ylabel="number of objects")
axes[1].legend();

# %% [markdown]
# *Figure: left, the overlap of responsible boxes against the size of the object, with and without square roots; right,
# the confidences of responsible boxes with two weights of the others.* Without roots the loss belongs to the largest
# galaxies, whose errors of ten pixels drown all else, and small boxes get worse. (The large ones need not get better
# for it: these are short trainings, and there are few large galaxies to learn from.) With $\lambda_\text{noobj} = 5$ it
# pays to say no to everything: the confidences of boxes that hold an object pile up near 0.
#
# ## 15 · The real sky
#
# All this was simulated. Here is a tile of the real sky, 1050 × 1025 pixels, with a catalogue of stars and galaxies made
# by others (its sources are in `data/README.md`). The network has never seen a real photon. It has no layer that knows how
# large a picture is, so the whole tile goes through in one pass.
#
# **Predict:** Will it find more or fewer of the objects brighter than i = 23.5 than in the simulated fields?

# %%
real = datasets.load("hsc").test
tile, catalogue, height, width = real.images[0], real.truth, *real.images[0].shape[:2]
padded = np.pad(tile, ((0, -height % STRIDE), (0, -width % STRIDE), (0, 0)))  # 0 is the sky


def on_tile(model, stride=STRIDE, n_boxes=N_BOXES, least=0.1):
    """Detections on the whole tile in one pass."""
    prediction = model(stretched(padded)[None], training=False)[0]
    return boxes.Detections(*detect(ops.convert_to_numpy(prediction), stride, n_boxes, least, OVERLAP))


before = on_tile(model)
sure = before.scores >= LEAST
figure, axis = plt.subplots(figsize=(5.8, 5.9))
picture = sky.colour(tile, survey)
plotting.boxed(picture, before.boxes[sure], before.classes[sure], CLASSES, axis, colours=COLOURS)

# %% [markdown]
# *Figure: the tile, 2.9′ wide, with the stars and galaxies that the network sees in it, drawn from one pass.* Some of the
# largest galaxies have no box: in 300 simulated fields there were not many like them.
#
# How many of these are right? The catalogue's outlines were made by another method, so we do not ask for the overlap of
# boxes here, but for centres: a detection has found an object of the catalogue if they are less than 1″ (6 pixels) apart,
# the best score choosing first. What is found in light that the catalogue does not label is neither right nor wrong. We
# judge on the right half, and keep the left one for later.
#
# Beside it stands **SEP**, the method of SExtractor that astronomers have used for decades: threshold, neighbours,
# deblending, that is, cutting apart what hangs together and has several peaks. It does not know classes and has not been
# trained. Its score is the flux.

# %%
RIGHT = 520  # from this column on we judge; what lies left of 512 may be trained on


def i_magnitude(corners):
    """Magnitude from the i light in each box."""
    light = []
    for x0, y0, x1, y1 in np.clip(np.round(corners), 0, [width, height, width, height]).astype(int):
        light.append(tile[y0:y1, x0:x1, 2].sum() * survey.sky_noise[2])
    return survey.zero_point - 2.5 * np.log10(np.maximum(light, 1e-3))


def score_on_tile(x, y, scores, corners, reach=6):
    """Detections of the right half: score, magnitude, which object was found (-1: none), and whether it is judged."""
    objects = catalogue[catalogue["x"] >= RIGHT]
    chosen = x >= RIGHT
    x, y, scores, corners = x[chosen], y[chosen], scores[chosen], corners[chosen]
    apart = np.hypot(x[:, None] - objects["x"], y[:, None] - objects["y"])
    which, free = np.full(len(x), -1), np.ones(len(objects), bool)
    for k in np.argsort(-scores):
        still = np.where(free, apart[k], np.inf)
        if still.min() < reach:
            which[k] = still.argmin()
            free[which[k]] = False
    unlabelled = real.unlabelled[0][np.clip(np.round(y), 0, height - 1).astype(int), np.clip(np.round(x), 0, width - 1).astype(int)]
    counts = (which >= 0) | ~unlabelled
    magnitudes = i_magnitude(corners)
    return {"scores": scores, "magnitudes": magnitudes, "which": which, "counts": counts, "objects": objects, "chosen": chosen}


def right_or_wrong(scored, least, low=0.0, high=23.5):
    """Of the objects between two magnitudes, which were found; of the detections between them, which are right."""
    sure = scored["scores"] >= least
    found = np.isin(np.arange(len(scored["objects"])), scored["which"][sure])
    asked = (scored["objects"]["magnitude"] >= low) & (scored["objects"]["magnitude"] < high)
    counts = sure & scored["counts"] & (scored["magnitudes"] >= low) & (scored["magnitudes"] < high)
    return found[asked], scored["which"][counts] >= 0


def recall_and_precision(scored, least):
    """Of objects and detections brighter than i = 23.5, at a least score."""
    found, right = right_or_wrong(scored, least)
    return found.mean(), right.mean() if len(right) else 1.0


def scored_boxes(detections):
    middle = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2 - 0.5
    return score_on_tile(*middle.T, detections.scores, detections.boxes)


sources = extraction.sep_sources(sky.detection(tile)).table
sep_boxes = np.stack([sources[name] for name in ("x0", "y0", "x1", "y1")], axis=1)
sep = score_on_tile(sources["x"], sources["y"], sources["flux"], sep_boxes)
network = scored_boxes(before)
sep_recall, sep_precision = recall_and_precision(sep, -np.inf)
recall_before, precision_before = recall_and_precision(network, LEAST)
simulated = hit[magnitude < 23.5].mean()
print(f"i < 23.5, network on simulated fields:    recall {simulated:.3f} (section 12)")
print(f"i < 23.5, network on the real tile:       recall {recall_before:.3f}, precision {precision_before:.3f}")
print(f"i < 23.5, SEP on the real tile:           recall {sep_recall:.3f}, precision {sep_precision:.3f}")

# %% [markdown]
# What was learnt on simulated fields carries over to a real telescope's picture. (The first line asks for more, an
# overlap of .5 and the right class.) SEP, which cannot be fooled by what a simulation got wrong, finds about as many,
# with fewer false alarms. But it does not know stars from galaxies. The network does:

# %%
kinds = (network["objects"]["kind"] != "star").astype(int)
pairs = (network["which"] >= 0) & (network["scores"] >= LEAST)
confusion = np.zeros((2, 2), int)
np.add.at(confusion, (kinds[network["which"][pairs]], before.classes[network["chosen"]][pairs]), 1)
plotting.confusion({"real tile, right half": confusion}, CLASSES)

# %% [markdown]
# *Figure: classes of the catalogue against those of the network, objects found in the right half.*
#
# ### Too bright
#
# Look for the two brightest objects of the tile, blue and on its right side. Has the network boxed them? Here they are,
# beside a fainter star from the left half.

# %%
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8))
for axis, (x, y) in zip(axes, ((940, 292), (934, 917), (391, 162)), strict=True):
    plotting.boxed(picture, before.boxes[sure], before.classes[sure], axis=axis, colours=COLOURS)
    axis.set(xlim=(x - 28, x + 28), ylim=(y + 28, y - 28))
    core = tile[y - 8 : y + 9, x - 8 : x + 9].max(axis=(0, 1))
    print(f"x {x}, y {y}: at most {', '.join(f'{value:.0f}' for value in core)} sky noises in g, r, i")

# %% [markdown]
# *Figure: the two brightest stars of the tile and a fainter one, each in 9″ of sky, with the boxes of the network, if
# any.* The two are the brightest things in the tile, and yet in r and i their largest values are below those of the
# fainter star: the detector was full, its pixels could not count any further, and what stands there now measures
# nothing. They are **saturated**. A simulated star never is, so the network has not seen a thing like this; nor has it
# seen many halos that wide. They are not in the catalogue either (its brightest star has i = 19.3), so they count for
# nothing in the figures above. A score is silent about what nobody has put on the list.
#
# ### Fine-tuning
#
# The left half has labels, too. Let us train on, with a tenth of the learning rate, on 200 cut-outs of it: once with these
# alone, and once with as many simulated fields among them, and cut-outs where little shines without a label.
#
# **Predict:** Will that help?

# %%
bright = np.sort(catalogue[catalogue["magnitude"] < TRAINED], order="magnitude")


def cutouts(n, most):
    """Pictures and targets cut from the left half, with at most this share of the pixels in light without a label."""
    rng = np.random.default_rng([lab.seed, 17])
    images, targets = [], []
    while len(images) < n:
        x0, y0 = rng.integers(0, 512 - SIZE + 1), rng.integers(0, height - SIZE + 1)
        if real.unlabelled[0, y0 : y0 + SIZE, x0 : x0 + SIZE].mean() <= most:
            images.append(tile[y0 : y0 + SIZE, x0 : x0 + SIZE])
            corners = bright["box"] - [x0, y0, x0, y0]
            targets.append(encode(corners, (bright["kind"] != "star").astype(int), SIZE, SIZE, STRIDE, 2))
    return stretched(np.array(images)), np.array(targets, "float32")


def copied(name):
    """The trained network again, to be trained further."""
    copy = yolo(name=name)
    copy.set_weights(model.get_weights())
    return copy


def tuned(images, targets, name):
    copy = copied(name)
    train(copy, images, targets, steps=60, rate=0.0005, n_boxes=N_BOXES)
    return scored_boxes(on_tile(copy))


images, targets = cutouts(200, most=1)
alone = tuned(images, targets, "alone")
images, targets = cutouts(200, most=0.04)
mixed = tuned(np.concatenate([images, x_train[:200]]), np.concatenate([targets, y_train[:200]]), "mixed")
recall_alone, precision_alone = recall_and_precision(alone, LEAST)
recall_mixed, precision_mixed = recall_and_precision(mixed, LEAST)
print(f"fine-tuned on cut-outs alone:     recall {recall_alone:.3f}, precision {precision_alone:.3f}")
print(f"fine-tuned with simulated fields: recall {recall_mixed:.3f}, precision {precision_mixed:.3f}")


def balance(scored):
    """The largest value that recall and precision reach both, over all least scores."""
    return max(min(recall_and_precision(scored, least)) for least in np.linspace(0.1, 0.6, 51))


balances = {"before": balance(network), "alone": balance(alone), "mixed": balance(mixed)}
print("recall and precision both at least:", {name: f"{value:.3f}" for name, value in balances.items()})

# %%
curves = {"trained on simulations": network, "fine-tuned on cut-outs alone": alone, "… with simulated fields": mixed}
for (name, scored), colour in zip(curves.items(), plotting.COLOURS, strict=False):
    plt.plot(*np.transpose([recall_and_precision(scored, least) for least in np.linspace(0.1, 0.6, 26)]), color=colour, label=name)
    plt.plot(*recall_and_precision(scored, LEAST), "o", color=colour)
by_flux = [recall_and_precision(sep, least) for least in np.quantile(sep["scores"], np.linspace(0, 0.98, 50))]
plt.plot(*np.transpose(by_flux), color="black", label="SEP, by its flux")
plt.plot(sep_recall, sep_precision, "s", color="black")
plt.gca().set(xlabel="recall, i < 23.5", ylabel="precision, i < 23.5", xlim=(0.3, 1), ylim=(0.7, 1.01))
plt.legend(loc="lower left");

# %% [markdown]
# *Figure: precision against recall on the right half of the tile as the least score goes from .1 to .6 (dots: .3), and for
# SEP as the least flux grows (square: all sources).* Real labels alone did harm. Two things changed besides the sky being real. There are four times fewer objects in a
# cut-out than in our crowded fields, so all confidences fall, and the dot slides to the left. And where bright light has no
# label, the network is taught to be silent before something that anybody can see: that lowers the curve. With simulated
# fields in the mix, and without the worst cut-outs, no harm is done; little is gained either. A few dozen bright objects
# tell nothing that thousands of simulated ones have not told, as long as the simulation is like the sky.
#
# ### From bright to faint
#
# **Predict:** The network was taught to be silent about what is fainter than i = 24; SEP was taught nothing. Whose recall
# falls first?

# %%
edges = np.array([18, 21, 22, 22.5, 23, 23.5, 24, 24.5, 25, 25.5])
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
methods = {"trained on simulations": (network, LEAST), "… then with real cut-outs": (mixed, LEAST), "SEP": (sep, -np.inf)}
for shift, (name, (scored, least)), colour in zip((-0.06, 0, 0.06), methods.items(), ("C0", "C2", "black"), strict=True):
    by_bin = [right_or_wrong(scored, least, low, high) for low, high in pairwise(edges)]
    for axis, values in zip(axes, zip(*by_bin, strict=True), strict=True):
        count = np.array([max(len(v), 1) for v in values])
        share = np.array([v.mean() if len(v) else np.nan for v in values])
        error = np.sqrt((share * (1 - share) + 0.25 / count) / count)
        axis.errorbar((edges[:-1] + edges[1:]) / 2 + shift, share, error, fmt="o-", color=colour, label=name)
axes[0].set(xlabel="i magnitude in the catalogue", ylabel="recall", ylim=(0, 1.05))
axes[1].set(xlabel="i magnitude measured in the box", ylabel="precision")
axes[0].legend(loc="lower left");

# %% [markdown]
# *Figure: left, the share of the catalogue's objects that are found, right, the share of detections that are right,
# against magnitude, for the right half of the tile; with standard errors.* From i = 21 to 23 all three are alike within
# the errors. (The brightest are a dozen; the network has seen few of that kind, and may miss one.) From there on the
# network finds less and less: what it was taught to leave out begins at 24, and in doubt its scores stay below .3. SEP
# finds nine of ten down to the end of the catalogue. So a comparison of detectors has to say down to which magnitude.
#
# And a precision has to say what can be wrong. SEP marks light above a threshold and nothing else; where such light has no
# label, nobody is judged. What is left to be wrong are the pieces of galaxies that it has torn apart.
#
# ### A sky it was never meant for
#
# The Hubble eXtreme Deep Field. As it comes here it is a picture for the eye, 8 bits a colour, stretched and cut, with
# pixels of about 0.14″. They are nearly as wide as ours, but no air lies before Hubble: its stars are sharp. Blue stands in
# for g, green for r, red for i; we subtract the sky and divide by its noise, and hope.
#
# **Predict:** Stars or galaxies: where will the network go wrong?

# %%
display = hubble_deep_field()
deep = display[..., ::-1].astype("float32")  # from blue to red
deep -= np.median(deep, axis=(0, 1))
deep /= np.sqrt(2 * np.mean(np.minimum(deep, 0) ** 2, axis=(0, 1)))  # the noise, from what is below the sky's median
prediction = ops.convert_to_numpy(model(stretched(deep)[None], training=False))[0]
found, _, classes = detect(prediction, STRIDE, N_BOXES, LEAST, OVERLAP)
figure, axis = plt.subplots(figsize=(6.2, 5))
plotting.boxed(display, found, classes, CLASSES, axis, colours=COLOURS)
axis.set(xlim=(100, 820), ylim=(650, 80));

# %% [markdown]
# *Figure: a part of the Hubble eXtreme Deep Field (NASA, ESA, G. Illingworth, D. Magee, P. Oesch, R. Bouwens and the HUDF09
# team), and what a network trained on simulated Subaru fields sees in it.* Most of the large galaxies have fine boxes, in a
# picture from another telescope, at another depth, with other filters and an unknown stretch. But most of what it
# calls a star is a small galaxy, and the true stars, those with four spikes, it calls galaxies. What it has learnt is not
# what a star is, but what one looks like through air: a round blob three or four pixels wide. Nobody here told it that the air
# had gone.
#
# ## 16 · Speed
#
# How many pictures a second? The same weights, in batches of tiles, and on the whole tile at once.

# %%
def seconds(function, repeats=8):
    """The shortest of some calls: other work on the machine can only make them longer."""
    taken = []
    for _ in range(repeats):  # the first one builds the graph
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return min(taken)


tiles = stretched(padded[:1024, :1024].reshape(8, 128, 8, 128, 3).swapaxes(1, 2).reshape(64, 128, 128, 3))
pixels_per_second = {}
for batch in (1, 8, 64):
    cost = seconds(lambda batch=batch: model.predict_on_batch(tiles[:batch]))
    pixels_per_second[f"batches of {batch}"] = batch * SIZE**2 / cost
cost = seconds(lambda: model.predict_on_batch(stretched(padded)[None]))
pixels_per_second["one pass"] = padded.shape[0] * padded.shape[1] / cost
for name, value in pixels_per_second.items():
    print(f"{name:14} {value / 1e6:6.2f} million pixels a second, {value / SIZE**2:6.0f} fields of 128 pixels")

# %% [markdown]
# Single fields are slow: most of the time goes into calling, not into computing. In large batches it is the pixels that
# cost, and whether they come as tiles or as one picture hardly matters. One pass has another advantage: no object is cut
# by the edge of a tile.
#
# ## 17 · After v1
#
# Later versions of YOLO let each box of a cell begin from an **anchor**: a width and height chosen beforehand, by
# clustering the boxes of the training set. The network returns only by how much to change it, and the anchor whose shape
# fits an object best is responsible, so that this is settled before training begins. But how many anchors, and of which
# sizes, are knobs that fit one data set and not the next, and many detectors of today have none.
#
# These **anchor-free** ones have one box a cell, and finer grids. Ours is to have cells of 4 pixels: two objects hardly ever
# share one (section 3). Deep features, which know what is there, are enlarged and laid beside shallow ones, which know
# where (the skip connection of lab 13). And the loss asks for what we judge by, the overlap, in place of the squared errors
# of four numbers. The overlap alone is 0 for all boxes apart, near or far, and tells them nothing about where to go. Complete
# IoU does:
#
# $$ \mathrm{CIoU} = \mathrm{IoU} - \frac{d^2}{D^2} - \alpha v, \quad
# v = \frac{4}{\pi^2} \left( \arctan \frac{w}{h} - \arctan \frac{\hat w}{\hat h} \right)^2, \quad
# \alpha = \frac{v}{1 - \mathrm{IoU} + v} $$
#
# with d the distance of the centres and D the diagonal of the smallest box around both. It does not change when both boxes
# are enlarged, so there is no need for roots. Keras has it. Confidences and classes are learnt by cross-entropy; the aim
# of the confidence is the overlap, as before.
#
# To save time the new network begins with the trained layers of the old one, and the old one is trained for as many steps
# more, to be fair.
#
# **Predict:** Which will gain more, mAP50 or mAP75?

# %%
def finer(trunk):
    """A network with cells of 4 pixels and one box in each, on the layers of another."""
    shallow = [layer.output for layer in trunk.layers if layer.output.shape[-1] == 24][-1]  # at a stride of 4
    deep = [layer.output for layer in trunk.layers if layer.output.shape[-1] == 48][-1]  # at a stride of 8
    x = layers.UpSampling2D(2)(convolution(deep, 32, size=1))
    x = convolution(layers.Concatenate()([x, shallow]), 32)
    x = x + convolution(x, 32)
    small = keras.initializers.RandomNormal(stddev=0.01)
    raw = layers.Conv2D(5 + len(CLASSES), 1, kernel_initializer=small)(x)
    parts = [2 * ops.sigmoid(raw[..., :2]) - 0.5]  # a little more than the cell, so that its edges are in reach
    parts += [ops.softplus(raw[..., 2:4] + 2), ops.sigmoid(raw[..., 4:5] - 4), ops.softmax(raw[..., 5:])]
    return keras.Model(trunk.input, ops.concatenate(parts, axis=-1), name="finer")


def finer_loss(target, prediction):
    """CIoU, and cross-entropy of classes, in cells with an object; cross-entropy of confidences in all."""
    has = target[..., 4]
    agreement = keras.utils.bounding_boxes.compute_ciou(target[..., :4], prediction[..., :4], "center_xywh")
    aim = has * ops.stop_gradient(iou(target[..., :4], prediction[..., :4]))
    sure = keras.losses.binary_crossentropy(aim[..., None], prediction[..., 4:5])
    classes = keras.losses.categorical_crossentropy(target[..., 5:], prediction[..., 5:])
    return ops.sum(has * (5 * (1 - agreement) + classes) + sure, axis=(1, 2))


def precisions_of(model, stride, n_boxes):
    """Mean over the classes of the average precision, for each overlap that is asked for."""
    predictions = model.predict(stretched(natural.test.images), verbose=0, batch_size=20)
    found = [boxes.Detections(*detect(p, stride, n_boxes, 0.02, OVERLAP)) for p in predictions]
    return boxes.average_precisions(found, there, len(CLASSES), asked).mean(axis=1)


finer_model, longer = finer(copied("trunk")), copied("longer")
train(longer, x_train, y_train, steps=250, n_boxes=N_BOXES)
train(finer_model, x_train, targets_of(crowded.train, stride=4), steps=250, loss=finer_loss)
modern = {
    "v1": precisions.mean(axis=1),
    "v1, 250 steps more": precisions_of(longer, STRIDE, N_BOXES),
    "finer grid, CIoU, 250 steps": precisions_of(finer_model, 4, 1),
}
at50, at75 = (np.flatnonzero(np.isclose(asked, t))[0] for t in (0.5, 0.75))
for name, values in modern.items():
    plt.plot(asked, values, "o-", label=name)
    print(f"{name:27}: mAP50 {values[at50]:.3f}, mAP75 {values[at75]:.3f}")
plt.gca().set(xlabel="overlap that counts as found (IoU)", ylabel="mean average precision", ylim=(0, 1))
plt.legend()

for name, network_here, stride, n_boxes in (("v1", longer, STRIDE, N_BOXES), ("finer grid", finer_model, 4, 1)):
    cost = seconds(lambda network_here=network_here: network_here.predict_on_batch(tiles))
    reached = balance(scored_boxes(on_tile(network_here, stride, n_boxes)))
    print(f"{name:10}: {tiles[..., 0].size / cost / 1e6:5.1f} million pixels a second, real tile {reached:.3f}")

# %% [markdown]
# *Figure: mean average precision of both classes against the overlap that is asked for.* The finer grid, the cells with
# one box and the loss that is the overlap gain a little where a rough box is enough, and much where it has to be exact.
# Your `encode`, `decode` and `detect` did not change: they took another stride, and one box in place of two. (Which of
# the three changes gained how much, this experiment does not say. You know how to find out.) More time alone does not
# help: v1 with 720 steps came to a mAP75 of .75 as well, in the mean of five seeds. But the new layers need theirs:
# after 120 steps they had only drawn level. The finer grid also costs time when it is used, since its last convolutions
# see four times as many cells. The numbers of the last two lines are what recall and precision reach both on the right
# half of the real tile, as in section 15: centres within 1″ are enough there, so exact boxes gain nothing.
#
# ## What you measured
#
# Beside each of your values stands the band in which 99 of 100 runs with other seeds should fall, as estimated from five,
# and the aim that the mean of the five had to meet.

# %%
small = ablation["as above"]["side"] < 12
results.record(
    "16",
    map50=map50,
    map75=map75,
    map_drop=map50 - map75,
    list_map50=list_map50,
    roots_help_small=(ablation["as above"]["overlap"] - ablation["no square roots"]["overlap"])[small].mean(),
    noobj_lowers=(ablation["as above"]["confidence"] - ablation["λ_noobj = 5"]["confidence"]).mean(),
    tile_recall_before=recall_before,
    tile_recall_mixed=recall_mixed,
    sep_recall=sep_recall,
    tile_precision_before=precision_before,
    tile_precision_mixed=precision_mixed,
    sep_precision=sep_precision,
    balance_before=balances["before"],
    balance_alone=balances["alone"],
    balance_mixed=balances["mixed"],
    longer_map75=modern["v1, 250 steps more"][at75],
    finer_map50=modern["finer grid, CIoU, 250 steps"][at50],
    finer_map75=modern["finer grid, CIoU, 250 steps"][at75],
    finer_gain=(modern["finer grid, CIoU, 250 steps"] - modern["v1, 250 steps more"])[at75],
)
results.table("16")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - One network in one pass finds, boxes and classifies. The grid says who answers for what, so that there is no list whose
#   order has to be guessed.
# - The loss is five squared errors with masks. The IoU is the aim of the confidence, not the loss; roots protect the small
#   boxes; weights keep the empty ones from drowning the rest.
# - A figure like mAP50 means nothing without: which overlap, which objects, which of them need not be found.
#
# **Where to go on:** lab 17 draws the outline of each object, not its box.
#
# **Stretch tasks**
#
# 1. **What gained?** Change one thing at a time on the way from v1 to section 17: the grid, the loss of the boxes, the number
#    of boxes. Which of them does mAP75 owe most to?
# 2. **Anchors.** Cluster the sizes of the boxes (k-means on √w and √h, k = 2) and let each of the two boxes begin from one
#    of the sizes. Who becomes responsible for what?
# 3. **Light without a label.** Leave cells with unlabelled light out of the fourth term when you fine-tune. Does the curve
#    of section 15 rise?
# 4. **Full pixels.** Saturate simulated stars: where g, r or i exceeds 2000 times the noise, set r and i to less. Train on
#    these. Does the network see the two stars of the tile?
#
# **References**
#
# - Barbary 2016, JOSS 1, 58: SEP, Source Extractor as a library.
# - Bertin & Arnouts 1996, A&AS 117, 393: SExtractor.
# - Bodla et al. 2017, ICCV: Soft-NMS.
# - Lin et al. 2014, ECCV, 740: Microsoft COCO.
# - Redmon & Farhadi 2017, CVPR: YOLO9000, with anchors.
# - Redmon, Divvala, Girshick & Farhadi 2016, CVPR, 779: You only look once.
# - Tian, Shen, Chen & He 2019, ICCV: FCOS, a detector without anchors.
# - Zheng et al. 2020, AAAI: Distance-IoU and Complete IoU.
