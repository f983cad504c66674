# %% [markdown]
# # 09 · Data augmentation
#
# **Question:** A galaxy that is turned over is the same galaxy. How does a network learn that, when nobody has enough
# labels to show it every galaxy from every side?
#
# **You build:** eight exact views of an image and a turn by any angle, with its interpolation; labels that follow; an
# input pipeline that shows every galaxy anew in each epoch; averages over views, after the network and inside it.
#
# **Time:** 150 minutes of work, 2 minutes of CPU · **Before:** lab 03 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/09_augmentation.ipynb)
#
# **Papers:** Dieleman, Willett & Dambre 2015, MNRAS 450, 1441 (galaxies); Simard et al. 2003, ICDAR, 958 (moved and bent
# digits); Cohen & Welling 2016, ICML, PMLR 48, 2990 (networks that know a symmetry)

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

lab.start("09")

# %% tags=["imports"]
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from utils import compare, datasets, metrics, moving, plotting, results, sky, stamps, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · One galaxy, eight opinions
#
# Space has no up and no down. An elliptical galaxy stays elliptical when it is turned, mirrored or moved by a few
# pixels: the class is **invariant** under these changes. You know that. Does a network?
#
# We take a small network of lab 03's kind and a *small* training set: 500 galaxies. Labels are expensive, for people
# have to look; the other numbers of labels come later. The images are binned to 32 × 32 pixels, stretched by arcsinh,
# and divided by the spread of each band in those 500 images. This time no mean is subtracted: so the empty sky stays at
# 0, and we can fill in a 0 where an image has no data.

# %%
data = datasets.load("morphology", n_train=2000, n_validation=8, n_test=2000, seed=900 + lab.seed)
n_classes = len(data.class_names)
spread = stamps.binned(data.train.images[:500], 32).std(axis=(0, 1, 2))


def prepared(images):
    """Stretched by arcsinh, binned to 32 × 32 pixels, divided by the spread of each band."""
    return (stamps.binned(images, 32) / spread).astype("float32")


x_train, x_test = prepared(data.train.images), prepared(data.test.images)
y_train, y_test = data.train.labels, data.test.labels
print(data.description)
print("classes:", ", ".join(data.class_names))
print(f"labels to learn from: 500, and up to {len(y_train)} later; to test: {len(y_test)}")


# %% [markdown]
# `train` makes a new network and trains it for a number of **steps**, one batch of 16 galaxies each. All networks of
# this lab that learn from the same labels see them in the same order; what differs is whether `augment` does something
# to the images on the way. The learning rate sinks to 0 along half a cosine. There is no validation set, as nothing is
# chosen here: the number of steps, the learning rate and the size of the network were chosen beforehand, with other
# galaxies from the same simulator. None of those below had a part in that.

# %%
def network(n_outputs=n_classes):
    """Three blocks of convolution and pooling, dropout, and a probability for each class."""
    x = inputs = keras.Input((32, 32, 3))
    for filters in (8, 24, 48):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(n_outputs, activation="softmax")(x))


def train(images, labels, augment=None, steps=600, rate=0.004, batch_size=16, make=network):
    """A network, trained on images that `augment(images, rng)` changes in every batch."""
    keras.utils.set_random_seed(lab.seed)
    model = make()
    sinking = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(sinking), "sparse_categorical_crossentropy", jit_compile=training.jit_compile())
    training.prepare(model, labels)  # it saves time and changes no number
    rng = np.random.default_rng([lab.seed, 9])
    for chosen in compare.batches(len(labels), batch_size, steps, seed=lab.seed):
        batch = images[chosen] if augment is None else augment(images[chosen], rng)
        model.train_on_batch(batch, labels[chosen])
    return model


def predict(model, images):
    """Probabilities (n, classes), 500 images at a time; like model.predict, but without its preparations."""
    images = np.ascontiguousarray(images)
    pieces = [model(images[i : i + 500], training=False) for i in range(0, len(images), 500)]
    return np.concatenate([keras.ops.convert_to_numpy(piece) for piece in pieces])


def error(probabilities, labels):
    return np.mean(probabilities.argmax(axis=1) != labels)


plain = train(x_train[:500], y_train[:500])
plain_probabilities = predict(plain, x_test)
plain_error = error(plain_probabilities, y_test)
training_error = error(predict(plain, x_train[:500]), y_train[:500])
print(f"500 labels, no augmentation: error {training_error:.1%} on its training set, {plain_error:.1%} on the test set")

# %% [markdown]
# It knows its 500 galaxies by heart. Now we turn one galaxy of the test set, in steps of 30°. Not its image: we ask the
# *simulator* to turn the galaxy on the sky (`moving.moved`) and to take a new picture, with the noise of a new night.
#
# **Predict:** What will the network say?

# %%
turns = np.arange(0, 360, 30)
spirals = np.flatnonzero((y_test == 1) & (data.test.truth["magnitude"] < 20))
chosen = spirals[:40]
noise = np.random.default_rng([lab.seed, 1])
taken = [sky.render(moving.moved(data.test.truth[chosen], angle=a), data.survey, 64, noise) for a in turns]
opinions = np.array([predict(plain, prepared(images)) for images in taken])  # (angles, galaxies, classes)
undecided = np.argmax(opinions[:, :, 1].std(axis=0))
plotting.gallery(
    [sky.colour(images[undecided], data.survey) for images in taken],
    [
        f"{angle}°\n{data.class_names[p.argmax()]} {p.max():.2f}"
        for angle, p in zip(turns, opinions[:, undecided], strict=True)
    ],
    columns=6,
    size=1.5,
);

# %% [markdown]
# *Figure: one galaxy of the test set, turned on the sky in steps of 30°, each time with new noise; above each picture
# the class that the network gives it and the probability.* We chose the galaxy whose answers scatter most, so most
# galaxies are steadier. Still: nothing about the galaxy has changed.
#
# ## 2 · How sensitive is it?
#
# Let us measure this. How much does an answer change? We add up by how much the probabilities move,
#
# $$\text{change} = \tfrac12 \sum_k |p_k - p'_k|,$$
#
# the probability that is taken away from one class and given to others: 0 if nothing happens, 1 if the network goes
# from sure of one class to sure of another. Below it is averaged over 100 test galaxies that are turned, shifted and
# zoomed on the sky, and mirrored. (A zoom at constant surface brightness is what you get when a galaxy is nearer.
# Shifts are counted in pixels of the stamp; of the binned image that the network sees, it is half as many.)
#
# **Predict:** Even a galaxy that is not moved at all will not get exactly the same answer twice. Why not? Which of the
# four will do most harm? The network pools three times.

# %%
truth = data.test.truth[:100]
pixel = data.survey.pixel_scale  # arcsec


def photographed(night, **change):
    """Images of the moved galaxies, ready for a network, with the noise of a night of their own."""
    noise = np.random.default_rng([lab.seed, 2, night])
    return prepared(sky.render(moving.moved(truth, **change), data.survey, 64, noise))


angles, shifts, zooms = (0, 20, 45, 70, 90, 135, 180), (0, 1, 2, 4, 6), (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
series = {
    "turned by [degrees]": (angles, [{"angle": angle} for angle in angles]),
    "shifted by [pixels]": (shifts, [{"shift": (0, pixels * pixel)} for pixels in shifts]),
    "zoomed by": (zooms, [{"zoom": zoom} for zoom in zooms]),
    "mirrored": (("no", "yes"), [{"mirror": mirror} for mirror in (False, True)]),
}
first_night = photographed(0)
moved_images = {
    label: [photographed(1 + i, **change) for i, change in enumerate(list_of_changes)]
    for label, (_, list_of_changes) in series.items()
}


def mean_change(model, *versions):
    """Mean change of the probabilities from the first night to each version of the same galaxies."""
    answers = predict(model, np.concatenate([first_night, *versions])).reshape(-1, len(truth), n_classes)
    return np.abs(answers[1:] - answers[0]).sum(axis=2).mean(axis=1) / 2


def sensitivity(models):
    """The change of the answers against turn, shift, zoom and mirror, one line for each network."""
    _, axes = plt.subplots(1, 4, figsize=(10, 3.2), sharey=True, width_ratios=(3, 3, 3, 1))
    for axis, (label, (values, _)) in zip(axes, series.items(), strict=True):
        for name, model in models.items():
            axis.plot(values, mean_change(model, *moved_images[label]), "o-", markersize=4, label=name)
        axis.set(xlabel=label)
    axes[0].set(ylabel="change of the probabilities", ylim=(0, None))
    axes[-1].set(xlim=(-0.5, 1.5))
    axes[1].legend(loc="upper left", fontsize="small")


sensitivity({"no augmentation": plain})
noise_change = mean_change(plain, *moved_images["mirrored"])[0]
print(f"change of the probabilities of galaxies that are not moved, in another night: {noise_change:.3f}")

# %% [markdown]
# *Figure: mean change of the probabilities against turn, shift, zoom and mirror; at 0°, 0 pixels, a zoom of 1 and "no"
# nothing but the noise is new.* The noise alone moves the answers, as galaxies at the limit of the survey are hard to
# tell. That is the floor. Everything above it comes from moving the galaxy. A turn by 45° does about as much as one by
# 90° or 180°, and a mirror moves the answers, too: the network knows neither. A shift by a pixel or two costs little, which
# is what pooling is good for. A zoom is another matter: a larger galaxy is also a brighter one, and brightness *is*
# evidence.
#
# ## 3 · Eight views for free
#
# We could collect more labels, or make more of those we have: show the network every labelled galaxy in many versions,
# all with the same label. This is **data augmentation**. It tells the network what does not matter.
#
# Some versions cost nothing. A square image can be turned by 0°, 90°, 180° and 270°, and its mirror image too; that
# makes eight, and there is no ninth. Mathematicians call these eight the dihedral group of the square. No pixel changes
# its value, they only change places: no interpolation, no border, no light lost.

# %% exercise="9.1"
# Exercise 9.1
def eight_views(image):
    """The four quarter turns of an image, and those of its mirror image.

    Parameters
    ----------
    image : (height, width, bands) array
        Row 0 is the uppermost.

    Returns
    -------
    list of eight arrays
        View k, for k from 0 to 3: the image turned by k · 90°, counter-clockwise as you see it. View 4 + k: the image
        mirrored left to right, and then turned by k · 90° counter-clockwise. (A list, not an array: of an image that
        is not square, four views are as high as the others are wide.)

    Example
    -------
    One band, two rows: of np.array([[[1], [2]], [[3], [4]]]), view 1 is [[[2], [4]], [[1], [3]]] and view 4 is
    [[[2], [1]], [[4], [3]]].
    """
    ### BEGIN SOLUTION
    mirrored = image[:, ::-1]
    return [np.rot90(image, k) for k in range(4)] + [np.rot90(mirrored, k) for k in range(4)]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.1", eight_views)

# %%
spiral = stamps.large_spiral(data.test)
views = eight_views(data.test.images[spiral])
plotting.gallery(
    [sky.colour(view, data.survey) for view in views],
    [f"view {k}: {'mirrored, ' if k > 3 else ''}{k % 4 * 90}°" for k in range(8)],
    columns=4,
    size=1.8,
);

# %% [markdown]
# *Figure: the eight views of a spiral.* Look at the arms: in the upper row they wind one way, in the lower row the
# other. Keep that in mind until section 8.
#
# ## 4 · Any angle
#
# Other turns need more care, and so do zooms and shifts by parts of a pixel. The trick is to go **backwards**. Do not
# ask where a pixel of the old image goes: the answers would leave holes. Ask for each pixel of the *new* image which
# place of the old one it comes from. Then look up what is there.
#
# With the distances $d$ (down) and $r$ (right) from the middle of the image, a counter-clockwise turn by $a$ moves a
# pixel to
#
# $$d' = d \cos a - r \sin a, \qquad r' = r \cos a + d \sin a .$$
#
# That is the way there; you need the way back. (Which turn undoes a turn by $a$? And when a zoom, a turn and a shift
# have come one after the other, which of them has to be undone first?)
#
# **Think:** Where is the middle of an image of 4 pixels, counted 0, 1, 2, 3?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# At 1.5, between pixels 1 and 2: $(n - 1) / 2$. Turned about $n/2 = 2$, the image is shifted by up to 1.4 pixels, and in
# another direction for each angle. It is one of the most frequent bugs in code like this, and hard to see.
#
# </details>

# %% exercise="9.2"
# Exercise 9.2
def places(height, width, angle, zoom, shift):
    """Where each pixel of the new image comes from.

    The old image is first zoomed, then turned, both about its middle, and then shifted.

    Parameters
    ----------
    height, width : int
        Of both images [pixels].
    angle : float
        Degrees, counter-clockwise as you see it; rows run downwards.
    zoom : float
        2 makes everything twice as large.
    shift : (float, float)
        Down and right [pixels].

    Returns
    -------
    rows, columns : (height, width) arrays
        A place of the old image for each pixel of the new one, pixels counted from 0. Not rounded; may lie outside.

    Example
    -------
    places(2, 3, 0, 1, (0, 1)): what was in column 0 is now in column 1, so rows are [[0, 0, 0], [1, 1, 1]] and columns
    [[-1, 0, 1], [-1, 0, 1]]. places(1, 3, 0, 2, (0, 0)) has the columns [[0.5, 1, 1.5]].
    """
    ### BEGIN SOLUTION
    row, column = np.mgrid[:height, :width]
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down = row - middle_row - shift[0]
    right = column - middle_column - shift[1]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rows = middle_row + (down * cos + right * sin) / zoom
    columns = middle_column + (right * cos - down * sin) / zoom
    return rows, columns
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.2", places)

# %% [markdown]
# The places lie between the pixels. **Bilinear interpolation** takes a mean of the four pixels around: along the
# columns with weights $1 - f$ and $f$, where $f$ is the fraction of a pixel by which the place lies to the right of the
# left one, and along the rows likewise; the weight of a pixel is the product. All bands of a pixel have the same weight:
# `weight[..., None]` gives an array of weights an axis for them.
#
# And at the border? Outside there are no data. Zero, the mean of the empty sky, is an honest first choice.

# %% exercise="9.3"
# Exercise 9.3
def interpolate(image, rows, columns):
    """Values of an image at places between its pixels, by bilinear interpolation.

    Parameters
    ----------
    image : (height, width, bands) array
        Outside, all pixels are 0: half a pixel beyond the edge a value has faded to a half, and a pixel beyond to 0.
    rows, columns : (m, n) arrays of float
        The places, pixels counted from 0. Some may lie far outside.

    Returns
    -------
    (m, n, bands) array

    Example
    -------
    interpolate(np.array([[[2.0], [6.0]]]), np.array([[0.0, 0.0, 0.5]]), np.array([[0.25, 1.5, 0.0]])) is
    [[[3.0], [3.0], [1.0]]].
    """
    ### BEGIN SOLUTION
    height, width, _ = image.shape
    framed = np.pad(image, ((1, 1), (1, 1), (0, 0)))  # with a frame of sky, no index leaves the image
    rows, columns = np.clip(rows, -1, height) + 1, np.clip(columns, -1, width) + 1
    top, left = np.minimum(rows.astype(int), height), np.minimum(columns.astype(int), width)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = (1 - right) * framed[top, left] + right * framed[top, left + 1]
    lower = (1 - right) * framed[top + 1, left] + right * framed[top + 1, left + 1]
    return (1 - down) * upper + down * lower
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.3", interpolate)

# %% [markdown]
# Two functions, and you can turn, zoom and shift at once, with a single interpolation. Keras has a layer for each:
# `RandomRotation`, `RandomZoom`, `RandomTranslation`. They draw from a range, but one can ask for a range of a single
# value: `RandomRotation((30 / 360, 30 / 360))` turns by 30°, as it counts in full turns. And there is `RandomFlip`.
#
# **Predict:** `RandomZoom(0.25)` zooms by a number between −0.25 and 0.25. Is the galaxy larger or smaller with +0.25?
# How many of your eight views can `RandomFlip("horizontal_and_vertical")` make?

# %%
image = np.arcsinh(data.test.images[spiral]).astype("float32")


def moved_image(image, angle=0.0, zoom=1.0, shift=(0.0, 0.0)):
    return interpolate(image, *places(*image.shape[:2], angle, zoom, shift))


def by_keras(layer):
    return keras.ops.convert_to_numpy(layer(image[None], training=True))[0]


fill = {"fill_mode": "constant", "fill_value": 0.0}
theirs = {
    "turned by 30°": (dict(angle=30), layers.RandomRotation((30 / 360, 30 / 360), **fill)),
    "zoomed by 1 / 1.25": (dict(zoom=0.8), layers.RandomZoom((0.25, 0.25), **fill)),
    "shifted by 3.2 down": (dict(shift=(3.2, 0)), layers.RandomTranslation((0.05, 0.05), 0.0, **fill)),
}
pictures, titles = [image], ["the image"]
for name, (options, layer) in theirs.items():
    mine, keras_image = moved_image(image, **options), by_keras(layer)
    difference = np.abs(mine - keras_image)[2:-2, 2:-2].max()
    print(f"{name}: largest difference to {layer.__class__.__name__} {difference:.1e} (away from the border)")
    pictures.append(mine)
    titles.append(name)

for flips in (["horizontal_and_vertical"], ["horizontal", "vertical"]):
    flipped = np.repeat(image[None], 100, axis=0)
    for mode in flips:
        flipped = layers.RandomFlip(mode)(flipped, training=True)
    flipped = keras.ops.convert_to_numpy(flipped)
    found = [k for k, view in enumerate(eight_views(image)) if any(np.array_equal(view, copy) for copy in flipped)]
    print(f"RandomFlip {' and then '.join(flips)}: 100 copies of the image have become your views {found}")
plotting.gallery([picture[..., 1] for picture in pictures], titles, columns=4, size=2.1);

# %% [markdown]
# *Figure: the r band of the spiral, and the same turned, made smaller and shifted by your functions.* Yours and Keras'
# agree. And mind the sign: in `RandomZoom` a *positive* factor makes everything *smaller*. Two flips, one after the
# other, make four of your eight views. One with `"horizontal_and_vertical"` should make the same four; in Keras 3.5 it
# does, while Keras 3.15 draws once for both directions: the image as it is or turned by 180°, and never a mirror image.
# Which does yours? Look at what an augmentation makes of an image before you train with it for a night. (For quarter
# turns Keras has `RandomRotation` alone, which draws from all angles of a range, and interpolates.)
#
# What stands at the border matters too. Keras' default is not zero.

# %%
turn = (30 / 360, 30 / 360)
modes = ("constant", "nearest", "reflect", "wrap")
filled = {mode: by_keras(layers.RandomRotation(turn, fill_mode=mode)) for mode in modes}
plotting.gallery([picture[..., 1] for picture in filled.values()], list(filled), columns=4, size=2.1);

# %% [markdown]
# *Figure: what Keras' `RandomRotation` puts where there are no data: 0, the edge pixel repeated, the mirrored image,
# the other side of the image; "reflect" is the default.* Best is to cut the stamps larger than needed, move them, and
# cut out the middle: then there is no border at all. Otherwise each choice tells the network something that is not
# true: streaks, neighbours that appear twice, or a sky without noise in which the galaxy's faint outskirts end at a
# straight edge. A network uses whatever helps, a border too. Which is the smallest lie? We shall measure it in section 7.
#
# ## 5 · What interpolation does to noise
#
# A mean of four pixels is less noisy than one. Take an empty sky, every pixel independent noise of variance 1, and
# interpolate: the variance of a sum of independent numbers is the sum of their variances, each times its weight
# *squared*.
#
# **Predict:** How much of the variance is kept half way between two pixels? In the middle of four? On average, if the
# place may be anywhere?

# %% exercise="9.4"
# Exercise 9.4
def kept_variance(rows, columns):
    """Variance of bilinearly interpolated noise that has variance 1 and is independent from pixel to pixel.

    Parameters
    ----------
    rows, columns : arrays of float, of one shape
        Places between the pixels, far from the border. May be negative.

    Returns
    -------
    array of the same shape

    Example
    -------
    kept_variance(np.array([2.0, 2.0]), np.array([3.0, 3.5])) is [1.0, 0.5].
    """
    ### BEGIN SOLUTION
    down, right = rows - np.floor(rows), columns - np.floor(columns)
    return (down**2 + (1 - down) ** 2) * (right**2 + (1 - right) ** 2)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.4", kept_variance)

# %% [markdown]
# On average over all fractions $f$ from 0 to 1, one direction keeps $\int_0^1 \big(f^2 + (1 - f)^2\big)\, df =
# \frac23$, and two keep $\frac49$. A random shift or turn by bilinear interpolation takes more than half of the noise's
# variance away. Is that so for a turn by 10°?

# %%
angle, side = 10, 64
rows, columns = places(side, side, angle, 1, (0, 0))
inside = (abs(rows - 31.5) < 31) & (abs(columns - 31.5) < 31)
predicted = np.where(inside, kept_variance(rows, columns), np.nan)
empty_sky = np.random.default_rng([lab.seed, 3]).standard_normal((side, side, 600))  # 600 skies, as bands
turned_sky = interpolate(empty_sky, rows, columns)
measured = np.where(inside, turned_sky.var(axis=2), np.nan)
print(f"variance that is kept: predicted {np.nanmean(predicted):.3f}, measured {np.nanmean(measured):.3f}; 4/9 is {4 / 9:.3f}")


def binned_by_two(sky_images):
    return sky_images.reshape(side // 2, 2, side // 2, 2, -1).mean(axis=(1, 3))


middle = slice(8, 24)
before, after = (binned_by_two(skies)[middle, middle].var() for skies in (empty_sky, turned_sky))
print(f"binned 2 × 2 after the turn: {after / before:.3f} of the variance of a sky that was binned without a turn")

one_sky = moved_image(empty_sky[:, :, :1], angle)[..., 0]
pictures = {"an empty sky, turned by 10°": one_sky, "variance of 600 such skies": measured, "your prediction": predicted}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    look = {"vmin": -3, "vmax": 3} if picture is one_sky else {"vmin": 0.2, "vmax": 1, "cmap": "viridis"}
    shown = axis.imshow(picture, **look)
    axis.set_title(title)
    axis.axis("off")
figure.colorbar(shown, ax=axes[1:], label="variance (1 before the turn)");

# %% [markdown]
# *Figure: noise after a turn by 10°; the variance in each pixel, measured over 600 turned skies; the variance as
# predicted.* The noise is not only weaker, it has a pattern, a moiré of the old and the new pixel grid, and
# neighbouring pixels are no longer independent.
#
# Why care? The network is tested on images that were *not* interpolated. If it has learnt from smooth images alone,
# every real one looks odd to it. A measurement of noise, or a detection limit, on a turned image is simply wrong. Three
# ways out: exact views where they do; finer interpolation (cubic splines keep more); or turn on finer pixels than you
# need and bin afterwards, which leaves less of a trace: instead of 0.45 some 0.69 of the variance is kept. (What
# interpolation takes from a pixel it gives to its neighbours, and binning puts most of it together again.)
#
# ## 6 · Labels that follow
#
# A class stays as it is. Other labels do not. Suppose you want to measure galaxies: their position angle, the sense in
# which their arms wind, their magnitude, their radius. When the image is moved, the label has to be moved along.
#
# First look at what a zoom does to the light.

# %%
bright = np.flatnonzero(data.test.truth["magnitude"] < 19)
compact = bright[np.argmin(data.test.truth["radius_arcsec"][bright])]  # its light ends well within the stamp
light = data.test.images[compact]
for zoom in (0.8, 1.0, 1.25):
    flux = moved_image(light, zoom=zoom)[8:-8, 8:-8].sum()
    ratio = flux / light[8:-8, 8:-8].sum()
    print(f"zoom {zoom}: {ratio:.2f} times the light, zoom² = {zoom**2:.2f}, change {-2.5 * np.log10(ratio):+.2f} mag")

# %% [markdown]
# An interpolated zoom keeps the **surface brightness**: each pixel gets a value that was there before, and there are
# more bright pixels. So the flux grows with the area (a little less here, where light leaves the window). The picture
# is that of a nearer galaxy, almost: an interpolated zoom also enlarges the PSF, which a nearer galaxy would not.

# %% exercise="9.5"
# Exercise 9.5
def moved_labels(position_angle, winding, magnitude, radius, mirror, angle, zoom):
    """Labels of galaxies whose images are mirrored left to right (some of them), then turned, then zoomed.

    Parameters
    ----------
    position_angle : (n,) array
        Of the major axis, counter-clockwise from the horizontal as you see it [degrees].
    winding : (n,) array of int
        1 or -1: which way the arms wind.
    magnitude : (n,) array
        Of all the light.
    radius : (n,) array
        Half-light radius [arcsec].
    mirror : (n,) array of bool
        Which images are mirrored left to right.
    angle : (n,) array
        By how much each is then turned, counter-clockwise [degrees].
    zoom : (n,) array
        By how much each is then enlarged, at constant surface brightness.

    Returns
    -------
    position_angle, winding, magnitude, radius : (n,) arrays
        Position angles from 0 to below 180 degrees.

    Example
    -------
    A galaxy at 30°, winding 1, of magnitude 20 and radius 1, mirrored, turned by 0° and zoomed by 2: its labels become
    150, -1, 18.495 and 2.
    """
    ### BEGIN SOLUTION
    position_angle = (np.where(mirror, 180 - position_angle, position_angle) + angle) % 180
    winding = np.where(mirror, -winding, winding)
    magnitude = magnitude - 5 * np.log10(zoom)
    return position_angle, winding, magnitude, radius * zoom
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.5", moved_labels)

# %% [markdown]
# **Think:** You train a network to measure magnitudes, and `RandomZoom` is among your layers, as it was in the notebook
# that you copied. What does it learn? And for photometric redshifts: may you zoom?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# That the light in the image is not the magnitude: with zooms of ±20 % the flux is wrong by up to 0.4 or 0.5 mag in
# either direction while the label stays. Its predictions scatter accordingly and shrink towards the mean. Divide the image by
# zoom² to keep the flux (and mind that the noise is divided as well), or move the label.
#
# A redshift follows from colours, which a zoom leaves alone, but also from apparent size and brightness. A zoomed
# galaxy with the old redshift is a galaxy that there need not be. Turns and mirrors are safe.
#
# </details>

# %% [markdown]
# Turns and mirrors leave the light alone and are safe for photometry. A zoom is not: either move the label, or divide
# the image by zoom² (and the noise is divided along).
#
# ## 7 · A new view in every epoch
#
# We could make the eight views once and train on 4000 images instead of 500. Better is to draw: each time a galaxy
# comes up, it comes in a random view. The training set stays small in memory, and it works as well for changes of which
# there are infinitely many.

# %% exercise="9.6"
# Exercise 9.6
def augment(images, rng):
    """A random one of its eight views for each image of a batch.

    Parameters
    ----------
    images : (n, size, size, bands) array
        They stay as they are: write into a new array.
    rng : numpy.random.Generator
        The only source of chance.

    Returns
    -------
    (n, size, size, bands) array
        A new array of the same type (float32 stays float32). Image i is a view of image i: the labels need not be touched.

    Example
    -------
    augment(images, np.random.default_rng(0))[3] is one of the pictures in eight_views(images[3]), each with probability 1/8.
    """
    ### BEGIN SOLUTION
    augmented = np.empty_like(images)
    for i, k in enumerate(rng.integers(8, size=len(images))):
        augmented[i] = eight_views(images[i])[k]
    return augmented
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.6", augment)

# %%
rng = np.random.default_rng([lab.seed, 4])
some = spirals[np.argsort(data.test.truth["magnitude"][spirals])[:4]]
drawn = [augment(data.test.images[some], rng) for _ in range(3)]
plotting.gallery([sky.colour(image, data.survey) for batch in drawn for image in batch], columns=4, size=1.6);

# %% [markdown]
# *Figure: a batch of four galaxies, one in each column, in three epochs.* Each galaxy draws for itself. Were the whole
# batch turned alike, every step would push the network towards one direction, and the next step towards another.
#
# Keras trains from such a pipeline when it has the shape of a `keras.utils.PyDataset`: an object that says how many
# batches there are and hands out batch number `index`. Then `model.fit(batches)` is all.

# %% exercise="9.7"
# Exercise 9.7
class TrainingBatches(keras.utils.PyDataset):
    """Batches of a training set, in a new order and newly augmented in each epoch.

    Parameters
    ----------
    images : (n, height, width, bands) array
    labels : (n,) array
    batch_size : int
    augment : function
        augment(images, rng) returns a changed copy of a batch of images.
    seed : int

    Example
    -------
    Of 10 galaxies in batches of 4: len(batches) is 3, and batches[2] is (images, labels) of the last 2 in self.order.
    """

    def __init__(self, images, labels, batch_size, augment, seed):
        super().__init__()
        self.images, self.labels, self.batch_size, self.augment = images, labels, batch_size, augment
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(images))  # which galaxy comes first, second, … in this epoch

    def __len__(self):
        """Number of batches in an epoch. Every galaxy comes once; the last batch may be smaller."""
        ### BEGIN SOLUTION
        return -(-len(self.images) // self.batch_size)
        ### END SOLUTION

    def __getitem__(self, index):
        """Batch number `index`, counted from 0: augmented images (with self.rng) and their labels."""
        ### BEGIN SOLUTION
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.augment(self.images[chosen], self.rng), self.labels[chosen]
        ### END SOLUTION

    def on_epoch_end(self):
        """Keras calls this after each epoch: draw a new order from self.rng."""
        ### BEGIN SOLUTION
        self.order = self.rng.permutation(len(self.images))
        ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.7", TrainingBatches)

# %% [markdown]
# Three rules that published notebooks break:
#
# - **Split first, augment then.** If views of one galaxy end up in the training *and* the validation set, the network is
#   examined on what it has learnt by heart.
# - **Validation and test images stay as they are.** You want to know how well real images are classified.
# - **An epoch has n / batch size steps.** `steps_per_epoch=batch_size`, as one published
#   notebook has it, makes 32 steps of an epoch, however many galaxies there are.
#
# The other way to augment is with layers inside the model: `RandomFlip` and `RandomRotation` work in training and do
# nothing at inference. That travels with the model, and runs on a GPU. What does it cost here?

# %%
def framed(images, mode="reflect"):
    """The images with a frame around them of a third of their side: mirrored sky, or 0 with the mode "constant"."""
    frame = images.shape[1] // 3
    return frame, np.pad(images, ((0, 0), (frame, frame), (frame, frame), (0, 0)), mode=mode)


def any_angle(images, rng):
    """Each image mirrored or not, turned by any angle, zoomed by up to 10 % and shifted by up to 1.5 pixels."""
    changed = np.empty_like(images)
    frame, larger = framed(images)
    for i, image in enumerate(larger):
        image = image[:, ::-1] if rng.integers(2) else image
        zoom, shift = np.exp(rng.uniform(-0.1, 0.1)), rng.uniform(-1.5, 1.5, 2)
        rows, columns = places(*images.shape[1:3], rng.uniform(0, 360), zoom, shift)
        changed[i] = interpolate(image, rows + frame, columns + frame)
    return changed


keras_layers = [  # beyond the edge their default is "reflect", too
    layers.RandomFlip("horizontal"),
    layers.RandomRotation(0.5),  # half a turn to either side
    layers.RandomZoom(0.1),
    layers.RandomTranslation(0.05, 0.05),
]


def by_layers(images, rng):
    for layer in keras_layers:
        images = layer(images, training=True)
    return keras.ops.convert_to_numpy(images)


def milliseconds(function, batch=x_train[:32], repeats=6):
    function(batch, np.random.default_rng(0))  # the first call prepares things
    started = time.perf_counter()
    for _ in range(repeats):
        function(batch, np.random.default_rng(0))
    return 1000 * (time.perf_counter() - started) / repeats


print(f"a batch of 32: eight views {milliseconds(augment):.1f} ms, any angle {milliseconds(any_angle):.1f} ms, ", end="")
print(f"four Keras layers {milliseconds(by_layers):.1f} ms")

# %%
x_few, y_few = x_train[:320], y_train[:320]
outside = network()
inside = keras.Sequential([keras.Input((32, 32, 3)), *keras_layers, *network().layers[1:]])
for model in (outside, inside):
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=training.jit_compile())
    training.prepare(model, y_few)


def no_change(images, rng):
    return images


for name, model, change in (
    ("pipeline: images as they are", outside, no_change),
    ("pipeline: eight views", outside, augment),
    ("pipeline: any angle", outside, any_angle),
    ("layers inside the model: any angle", inside, no_change),
):
    batches = TrainingBatches(x_few, y_few, 32, change, lab.seed)
    model.fit(batches, verbose=0)  # the first epoch prepares things
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        model.fit(batches, verbose=0)
        seconds.append(time.perf_counter() - started)
    print(f"{name:35s} {1000 * min(seconds) / len(batches):5.1f} ms for each of the {len(batches)} steps")

# %% [markdown]
# Timings differ from machine to machine, and from run to run: do not believe differences of a few milliseconds. The
# exact views cost little. For turns by any angle you pay, in the pipeline as with layers. Keras layers are slow
# when they are called one by one, and cheaper inside a model, where they are compiled with it. What speaks for either:
# a pipeline runs on the CPU and can work ahead while a GPU trains (`super().__init__(workers=4)`; the workers then share
# `self.rng`, and no run is like the one before), it can do things that no layer does, such as your eight views, and it
# has the labels at hand; layers run on the GPU, travel with the model when it is saved, and keep quiet at inference by
# themselves. So measure.
#
# ### What is it worth?
#
# Now the experiment of this lab. Networks are trained on 100, 500 and 2000 labels, each without augmentation and with
# the eight views; same galaxies, same number of steps (600, and 300 for the 100 labels); and one network on 500 labels
# with turns by any angle.
#
# **Predict:** Where does augmentation help most? By how much would you have to enlarge the training set for the same
# gain? And which will be better, the eight views or any angle?

# %%
label_counts = {100: 300, 500: 600, 2000: 600}  # labels -> steps
trained = {("none", 500): plain}
for n, steps in label_counts.items():
    if n != 500:
        trained["none", n] = train(x_train[:n], y_train[:n], steps=steps)
    trained["eight views", n] = train(x_train[:n], y_train[:n], augment, steps=steps)
trained["any angle", 500] = train(x_train[:500], y_train[:500], any_angle)
models = trained  # only now, when all of them are there

probabilities = {key: predict(model, x_test) for key, model in models.items()}
errors = {key: error(p, y_test) for key, p in probabilities.items()}
for (name, n), value in errors.items():
    print(f"{n:5d} labels, {name:12s} test error {value:.1%}")

# %%
figure, axis = plt.subplots(figsize=(6.5, 4))
for name, marker in (("none", "o"), ("eight views", "s"), ("any angle", "^")):
    numbers = [n for n in label_counts if (name, n) in errors]
    wrong = np.array([errors[name, n] * len(y_test) for n in numbers])
    low, high = metrics.wilson_interval(wrong, np.full(len(wrong), len(y_test)))
    shares = wrong / len(y_test)
    axis.errorbar(numbers, shares, [shares - low, high - shares], fmt=marker + "-", capsize=3, label=name)
axis.set(xlabel="number of labels", ylabel="error on the test set", xscale="log", yscale="log")
axis.set_xticks(list(label_counts), label_counts)
axis.set_yticks([0.05, 0.1, 0.2, 0.3, 0.4], ["5 %", "10 %", "20 %", "30 %", "40 %"])
axis.minorticks_off()
axis.legend(title="augmentation");

# %% [markdown]
# *Figure: error on 2000 test galaxies against the number of labels, without augmentation and with two kinds; 68 %
# intervals, from the number of test galaxies alone.* With the eight views, 500 labels do about as well as 2000 without.
# With 100 labels the gain is as large, but no view replaces a kind of galaxy that the network has never met. With 2000
# labels nothing of the gain is left: then the training set itself shows galaxies from all sides, and 600 steps, not even
# five epochs, are too few to see all of it in all views. (Every point is one training: another seed moves it by more
# than its bar.)
#
# But what is this? Turns by any angle, with shifts and zooms on top, should teach the network *more* invariance than
# eight views. They help little or nothing, and with other seeds they do harm.
#
# **Think:** What differs between the images that this network was trained on and those that it is tested on? How would
# you find out which of the differences matters?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Every training image was interpolated, and has lost more than half of the variance of its noise. And every one has
# corners that are not sky, but a mirror image of it. The test images are as they came from the telescope. To find out,
# do each of these to the test images, one at a time.
#
# </details>

# %%
n_tried = 1000
x_tried, y_tried = x_test[:n_tried], y_test[:n_tried]
changed = any_angle(x_tried, np.random.default_rng([lab.seed, 7]))
crossed = {
    f"trained with {name}": [error(predict(models[name, 500], images), y_tried) for images in (x_tried, changed)]
    for name in ("none", "eight views", "any angle")
}
plotting.pairs(crossed, ("test images as they are", "test images after any_angle"), "error, 500 labels")

# %% [markdown]
# *Figure: test error of three networks on test images as they are, and on the same images after `any_angle`.* Each of
# the two augmented networks is the better one on images of its own kind. The best network on images as they are errs
# about twice as often on images that were turned, zoomed and shifted by interpolation, although nothing about the
# galaxies has changed that matters. What is it that puzzles it: the turn, the noise, or the border?
#
# **Predict:** Order these by the harm they do: a turn on the sky by 45°, photographed anew (nothing is interpolated); a
# turn of the image by 45°; no turn, but 0 in the corners; a shift by half a pixel, after which a quarter of the noise's
# variance is left.

# %%
def all_moved(images, mode="reflect", angle=0.0, shift=(0.0, 0.0)):
    """All images turned and shifted alike, by interpolation; the mode says what lies beyond the edge."""
    frame, larger = framed(images, mode)
    rows, columns = places(*images.shape[1:3], angle, 1.0, shift)
    return np.stack([interpolate(image, rows + frame, columns + frame) for image in larger])


noise = np.random.default_rng([lab.seed, 8])
on_the_sky = sky.render(moving.moved(data.test.truth[:n_tried], angle=45), data.survey, 64, noise)
row, column = np.mgrid[:32, :32] - 15.5
without_corners = x_tried * (np.hypot(row, column) < 16)[:, :, None]
suspects = {
    "as they are": x_tried,
    "turned on the sky by 45°": prepared(on_the_sky),
    "turned by 45°, 0 outside": all_moved(x_tried, "constant", angle=45),
    "turned by 45°, mirrored sky outside": all_moved(x_tried, angle=45),
    "not turned, 0 in the corners": without_corners,
    "shifted by half a pixel": all_moved(x_tried, shift=(0.5, 0.5)),
    "the same before binning": prepared(all_moved(data.test.images[:n_tried], shift=(0.5, 0.5))),
}
suspect_errors = {name: error(predict(models["eight views", 500], images), y_tried) for name, images in suspects.items()}
plotting.bars(suspect_errors, "error of the network trained with the eight views")

# %% [markdown]
# *Figure: error of one network, trained on 500 labels with the eight views, on seven versions of 1000 test galaxies.*
# A turn on the sky does no harm: of turns by 45° the network knows enough. A zero in the corners does much, without any
# turn: the outskirts of the galaxies reach into the corners, and a galaxy that ends at an edge, in a sky without
# noise, is like nothing in the training set. Mirrored sky is the smaller lie. And interpolation does harm by itself: a
# shift by half a pixel takes some of the sharpness and three quarters of the noise's variance, and the network errs more
# often. Done on the 64 × 64 pixels of the stamp and binned afterwards, it leaves little or no trace (section 5).
#
# So an augmentation has to keep the images what they are. Exact views first. If you must interpolate: mind the border,
# and move finer pixels than you need, from larger stamps than you need.
#
# Did the network become what we wanted, insensitive to turns?

# %% tags=["showcase"]
augmented = models["eight views", 500]
sensitivity({"no augmentation": plain, "eight views": augmented, "any angle": models["any angle", 500]})

turned = moved_images["turned by [degrees]"][1:]
turn_change = {name: mean_change(model, *turned).mean() for name, model in (("plain", plain), ("augmented", augmented))}
print(f"mean over all turns: {turn_change['plain']:.3f} without, {turn_change['augmented']:.3f} with the eight views")

# %% [markdown]
# *Figure: the curves of section 2 for three networks with 500 labels.* With the eight views the curve against the turn
# has come down and is flatter, also at angles between the quarter turns that the network was never shown. Mind the
# floor: it has come down too, as a network that has learnt better is less easily moved by noise.
#
# ## 8 · What must not be augmented
#
# Do spiral galaxies in the universe wind more often one way than the other? People have counted; the answer needs a
# classifier that tells the two apart. So a new task: bright spirals, 200 of them with the label 0 or 1 for the sense of
# winding. Three networks:
#
# - no augmentation,
# - the eight views, labels left as they are,
# - the eight views, and where the view is mirrored, the label is changed too.
#
# **Predict** the accuracy of each.

# %%
n_spirals, n_learn = 600, 200
rng = np.random.default_rng([lab.seed, 5])
spiral_truth = sky.draw_galaxies(n_spirals, rng, kinds="spiral", magnitude=(17, 19.5))
x_spirals = prepared(sky.render(spiral_truth, data.survey, 64, rng))
winding = (spiral_truth["arm_pitch"] > 0).astype(int)


def handedness_network(follow):
    """Trained on random views of 200 spirals; `follow` says whether the label follows the mirror. None: no views."""
    keras.utils.set_random_seed(lab.seed)
    model = network(n_outputs=2)
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", jit_compile=training.jit_compile())
    training.prepare(model, winding)
    rng = np.random.default_rng([lab.seed, 6])
    for chosen in compare.batches(n_learn, 32, 80, seed=lab.seed):
        images, labels = x_spirals[chosen], winding[chosen]
        if follow is not None:
            numbers = rng.integers(8, size=len(images))
            images = np.stack([eight_views(image)[k] for image, k in zip(images, numbers, strict=True)])
            if follow:
                labels = np.where(numbers >= 4, 1 - labels, labels)  # views 4 to 7 are mirrored
        model.train_on_batch(images, labels)
    return model


x_others = np.concatenate([x_spirals[n_learn:], x_spirals[n_learn:, :, ::-1]])  # and their mirror images
others = np.concatenate([winding[n_learn:], 1 - winding[n_learn:]])
handedness = {}
for name, follow in (("no augmentation", None), ("labels left as they are", False), ("labels that follow", True)):
    answers = predict(handedness_network(follow), x_others).argmax(axis=1)
    handedness[name] = np.mean(answers == others)
plotting.bars(handedness, "accuracy on 400 other spirals and their mirror images", baseline=("tossing a coin", 0.5));

# %% [markdown]
# *Figure: accuracy for the sense of winding, for three ways to train on 200 spirals.* With the mirror and the old
# label, the network sees each spiral as often with the right label as with the wrong one, and learns nothing: it tosses
# a coin. The loss would have told you nothing but that the task is hard. With labels that follow, the
# network tells the two apart, about as well as without any augmentation.
#
# Ask of every change, before you use it: *does the label know about it?* Parity for the winding, flux for photometry,
# position angles for weak lensing, "6" and "9" for digits.
#
# ## 9 · Eight opinions are better than one
#
# The augmented network still changes its mind a little when a galaxy is turned. Then let it vote: show it all eight
# views of a test galaxy and average the probabilities. This is **test-time averaging** (or test-time augmentation). No
# training is needed, only eight times the computing.

# %% exercise="9.8"
# Exercise 9.8
def average_views(predict, images):
    """Probabilities averaged over the eight views of each image.

    Parameters
    ----------
    predict : function
        From images (n, size, size, bands) to probabilities (n, classes).
    images : (n, size, size, bands) array

    Returns
    -------
    (n, classes) array
        Mean of the probabilities, not of the pictures.

    Example
    -------
    A predict that is sure of class 0 for six views of a galaxy, and of class 1 for the other two: [[0.75, 0.25]].
    """
    ### BEGIN SOLUTION
    mirrored = images[:, :, ::-1]
    views = [np.rot90(batch, k, axes=(1, 2)) for batch in (images, mirrored) for k in range(4)]
    return np.mean([predict(view) for view in views], axis=0)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.8", average_views)

# %%
def cross_entropy(probabilities, labels):
    return -np.mean(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)))


averaged = {
    name: average_views(lambda images, model=models[name, 500]: predict(model, images), x_test)
    for name in ("none", "eight views")
}
average_errors = {name: (errors[name, 500], error(mean, y_test)) for name, mean in averaged.items()}
losses = {
    name: (cross_entropy(probabilities[name, 500], y_test), cross_entropy(mean, y_test))
    for name, mean in averaged.items()
}
for name in averaged:
    (one, mean), (one_loss, mean_loss) = average_errors[name], losses[name]
    print(f"augmentation: {name:12s} error {one:.1%} → {mean:.1%}, cross-entropy {one_loss:.3f} → {mean_loss:.3f}")
plotting.pairs(average_errors, ("one view", "mean of eight views"), "error on the test set, 500 labels")

# %% [markdown]
# *Figure: test error of two networks with 500 labels, from one view and from the mean of eight.* Both gain, the plain
# network in points the most: it has most to average out. Even so, its average does not catch up with that of the
# augmented one, which has learnt from the views and not only listened to them.
#
# **Think:** Why does the average of eight answers of the *same* network do better than one of them?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The answer to one view is the answer to the galaxy plus something that hangs on how it happens to lie, and which has
# nothing to do with its class. The mean over the views keeps the first and averages out the second: the same argument
# as for eight exposures. The less invariant a network is, the more there is to average out. The cross-entropy gains by
# Jensen's inequality in any case: $-\ln$ of a mean is at most the mean of $-\ln$; the error has no such guarantee.
#
# </details>

# %% [markdown]
# The mean keeps what all views agree on and averages out what hangs on how a galaxy happens to lie. The cross-entropy
# of the mean is never larger than the mean of the eight cross-entropies (Jensen's inequality); for the error there is
# no such promise.
#
# ## 10 · Views and parts
#
# A competition asked for what the volunteers of Galaxy Zoo had said about 80 000 galaxies. Its winner (Dieleman et al.
# 2015) went a step further and built the views *into* the network. From each image he took four views: the image and its
# copy turned by 45°, each also mirrored. From each view four overlapping **parts**, the corners, each turned such that
# the middle of the galaxy lies in the same corner of the part. Sixteen small pictures, all seen by the same
# convolutional layers; what these found went together into dense layers. At test time he averaged over 60 changed
# versions of each galaxy, and over 17 networks.

# %% exercise="9.9"
# Exercise 9.9
def parts(image, size):
    """The four corners of an image, turned so that the image's middle is nearest to their lower right corner.

    Parameters
    ----------
    image : (height, width, bands) array
    size : int
        Side of a part [pixels], at most the height and the width.

    Returns
    -------
    (4, size, size, bands) array
        Of the upper left, upper right, lower right and lower left corner. The first is not turned.

    Example
    -------
    One band, size 1: parts(np.array([[[1], [2]], [[3], [4]]]), 1).ravel() is [1, 2, 4, 3].
    """
    ### BEGIN SOLUTION
    corners = [image[:size, :size], image[:size, -size:], image[-size:, -size:], image[-size:, :size]]
    return np.stack([np.rot90(corner, k) for k, corner in enumerate(corners)])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.9", parts)

# %%
four_views = [view[:, ::step] for view in (image, moved_image(image, angle=45)) for step in (1, -1)]
names = ("the image", "mirrored", "turned by 45°", "turned by 45°, mirrored")
pictures, titles = [], []
for name, view in zip(names, four_views, strict=True):
    pictures += [view[..., 1], *parts(view, 42)[..., 1]]
    titles += [name, "upper left", "upper right", "lower right", "lower left"]
plotting.gallery(pictures, titles, columns=5, size=1.6);

# %% [markdown]
# *Figure: four views of the spiral and the four parts of each, of 42 of 64 pixels.* In every part the middle of the
# image, and with it more or less that of the galaxy, is at the lower right. So whatever the network learns about the way from the middle outwards, it learns sixteen
# times.
#
# Let us build a small one: one view of each image, four parts of 21 of its 32 pixels, one convolutional part for all
# four, and a dense layer that gets what they found side by side. When the galaxy is turned by 90°, the same four
# findings arrive in another order. No augmentation, the same 500 labels, the same 600 steps.
#
# **Predict:** The plain network has seen each galaxy from one side only. Has this one?

# %%
def convolutions(x):
    for filters in (8, 24, 48):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D(2)(x)
    return layers.Flatten()(x)


def parts_network(size=21):
    """Four parts of an image, the same convolutions for each, and a dense layer on what they found."""
    part = keras.Input((size, size, 3))
    look = keras.Model(part, convolutions(part))  # a model can be called again and again, with the same weights
    turned = inputs = keras.Input((32, 32, 3))
    found = []
    for _ in range(4):
        found.append(look(turned[:, :size, :size]))
        turned = keras.ops.flip(keras.ops.transpose(turned, (0, 2, 1, 3)), axis=1)  # the next quarter turn
    x = layers.Dropout(0.25)(layers.Concatenate()(found))
    x = layers.Dropout(0.25)(layers.Dense(64, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax")(x))


parts_model = train(x_train[:500], y_train[:500], make=parts_network)
parts_error = error(predict(parts_model, x_test), y_test)
print(f"500 labels, no augmentation: four parts {parts_error:.1%}, plain network {errors['none', 500]:.1%}")

# %% [markdown]
# The same labels, the same images, no augmentation: over five runs with other galaxies this network errs by a fifth less
# than the plain one, in one run by two fifths and in another as often. It is dearer (the parts overlap), and it is not
# invariant: the dense layer has to learn by itself that the order of the four does not matter. One could leave it no
# choice, and average.
#
# ## 11 · Invariance inside
#
# Augmentation *asks* a network to be invariant. One can also build it such that it *has* to be. Call the network on all
# eight views and average inside the model: that is test-time averaging as an architecture, and it holds before
# training, during it and after. (One can go further and make every layer **equivariant**, so that a turned image gives
# turned feature maps: Cohen & Welling 2016.)
#
# Inside a model NumPy cannot turn images, `keras.ops` has to. Mirrors are `keras.ops.flip(x, axis=…)`, with 0 for the
# axis of the batch. A quarter turn is a transpose and a mirror, as you have just read; newer versions of Keras
# have `keras.ops.rot90`, too.

# %% exercise="9.10"
# Exercise 9.10
def invariant(network):
    """A model that gives the mean of the network's outputs for the eight views of its input.

    Parameters
    ----------
    network : keras.Model
        From square images (n, size, size, bands) to (n, classes).

    Returns
    -------
    keras.Model
        Of the same input and output, with the network's own weights and no others.

    Example
    -------
    invariant(network).count_params() equals network.count_params().
    """
    ### BEGIN SOLUTION
    inputs = keras.Input(network.input_shape[1:])
    views = []
    for view in (inputs, keras.ops.flip(inputs, axis=2)):
        for _ in range(4):
            views.append(view)
            view = keras.ops.flip(keras.ops.transpose(view, (0, 2, 1, 3)), axis=1)  # the next quarter turn
    return keras.Model(inputs, layers.Average()([network(view) for view in views]))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("9.10", invariant)

# %% [markdown]
# Made of a trained network, it is test-time averaging. But now one can go on and train *through* the average, without
# any augmentation: a network that gives the same answer to all eight views has nothing to learn from them. A step costs
# eight times as much, so we do not begin at the beginning: we take a copy of the plain network, put the average around
# it, and train it for 60 more steps of 8 galaxies, on the same 500 labels.
#
# **Predict:** Will it beat the plain network with test-time averaging, from which it starts? And the augmented one?

# %%
def averaging_network():
    twin = network()
    twin.set_weights(plain.get_weights())
    return invariant(twin)


made = predict(averaging_network(), x_test[:100])
print(f"before training, the difference to average_views: {np.abs(made - averaged['none'][:100]).max():.0e}")

inside_network = train(x_train[:500], y_train[:500], steps=60, rate=0.002, batch_size=8, make=averaging_network)
inside_error = error(predict(inside_network, x_test), y_test)
some_views = np.array([predict(inside_network, views) for views in zip(*map(eight_views, x_test[:50]), strict=True)])
largest_change = np.abs(some_views - some_views[0]).max()
print(f"plain network {errors['none', 500]:.1%}, with test-time averaging {average_errors['none'][1]:.1%}, ", end="")
print(f"trained on through the average {inside_error:.1%}")
print(f"largest change of a probability under the eight views: {largest_change:.0e}")

# %%
for name, model in (("no augmentation", plain), ("eight views", augmented), ("average inside", inside_network)):
    quarter, slanted = mean_change(model, turned[3], turned[1])  # by 90° and by 45°
    print(f"{name:15s} change of the probabilities when turned by 90° {quarter:.3f}, by 45° {slanted:.3f}")
print(f"(not moved but in another night, no augmentation: {noise_change:.3f})")

# %% [markdown]
# A turn by 90° is one of the views, so nothing but the new noise is left of the change. At 45°, which no view knows of,
# there is a little more. The average inside has made a better network of the plain one, and without any new label.
# Compare it with the augmented network and its test-time average (section 9), which cost an eighth as much to train.
#
# ## 12 · The real sky
#
# The galaxies of the Hubble picture have no labels, as in lab 03, and nobody can say who is right. But a galaxy that is
# turned should keep its class, and *that* can be measured without a single label.
#
# **Predict:** Are the networks steadier on real galaxies than on simulated ones, or less? Does the augmentation on
# *simulated* galaxies help on real ones?

# %%
hubble = datasets.load("hubble")
x_hubble = prepared(hubble.test.images)


def classes_by_view(model, images):
    """(8, n) predicted classes of the eight views of each image."""
    return np.array([predict(model, view).argmax(axis=1) for view in zip(*map(eight_views, images), strict=True)])


two = {"no augmentation": plain, "eight views": augmented}
simulated_classes = {name: classes_by_view(model, x_test[:300]) for name, model in two.items()}
hubble_classes = {name: classes_by_view(model, x_hubble) for name, model in two.items()}
steady = {
    name: [np.mean(np.all(classes[name] == classes[name][0], axis=0)) for classes in (simulated_classes, hubble_classes)]
    for name in two
}
plotting.pairs(steady, ("simulated", f"Hubble, {len(x_hubble)} galaxies"), "share that keeps its class in all eight views")

# %% [markdown]
# *Figure: share of the galaxies that keep their class in all eight views, simulated and real.* On simulated galaxies
# the augmented network is much steadier. On the real ones it is a matter of luck: with some seeds both networks keep the
# class of more than nine in ten, with others, as with seed 0, of fewer than of the simulated ones. The training has
# asked for nothing there. Nor has any error on simulated galaxies warned you.

# %%
votes = {
    name: np.array([np.bincount(eight, minlength=n_classes) for eight in classes.T])
    for name, classes in hubble_classes.items()
}
restless = np.argsort(votes["no augmentation"].max(axis=1), kind="stable")[:8]


def in_words(counts):
    return ", ".join(f"{data.class_names[k]} {counts[k]}" for k in np.argsort(-counts) if counts[k])


plotting.gallery(
    sky.colour(hubble.test.images[restless]),
    [f"{in_words(votes['no augmentation'][i])}\n→ {in_words(votes['eight views'][i])}" for i in restless],
    columns=4,
    size=2.3,
);

# %% [markdown]
# *Figure: the real galaxies on which the plain network is least steady: how many of the eight views got which class,
# from the plain network and (→) from the augmented one.* Steady is not the same as right. A network that calls
# everything a spiral is perfectly invariant. Whether it is right on the real sky, only labels there can tell (lab 10).
#
# ## What you measured

# %%
results.record(
    "09",
    error_without=errors["none", 500],
    error_with=errors["eight views", 500],
    error_ratio=errors["eight views", 500] / errors["none", 500],
    error_ratio_100=errors["eight views", 100] / errors["none", 100],
    error_ratio_2000=errors["eight views", 2000] / errors["none", 2000],
    any_angle_ratio=errors["any angle", 500] / errors["none", 500],
    sky_ratio=suspect_errors["turned on the sky by 45°"] / suspect_errors["as they are"],
    corners_ratio=suspect_errors["not turned, 0 in the corners"] / suspect_errors["as they are"],
    noise_ratio=suspect_errors["shifted by half a pixel"] / suspect_errors["as they are"],
    average_error_ratio=average_errors["eight views"][1] / average_errors["eight views"][0],
    average_loss_ratio=losses["eight views"][1] / losses["eight views"][0],
    turn_ratio=turn_change["augmented"] / turn_change["plain"],
    handedness_mirrored=handedness["labels left as they are"],
    handedness_followed=handedness["labels that follow"],
    parts_error_ratio=parts_error / errors["none", 500],
    inside_error=inside_error,
    invariant_difference=largest_change,
)
results.table("09")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - Invariance can be bought with data: views of what you have are labels for nothing, and worth most where labels are few.
# - Eight views of a square are exact. Everything else interpolates: about which middle, with which border, with how much
#   of the noise left? Where it goes wrong, try the suspects one at a time.
# - Ask of every change whether the label follows. Split first; leave validation and test images as they are; average
#   over views at the end.
#
# **Where to go on:** lab 10 reuses a network that has learnt from other images, the other way to live with few labels.
#
# **Stretch tasks**
#
# 1. **Sixteen parts.** Give `parts_network` the mirror image and the image turned by 45° as well, as Dieleman did. Where
#    do you turn by 45°, so that the noise survives it? Does it beat `invariant` at equal cost?
# 2. **Larger stamps.** Render the training galaxies on 96 × 96 pixels (`sky.render(data.train.truth, data.survey, 96,
#    rng)`), turn those, cut out the middle 64 × 64, and bin. Do turns by any angle beat the eight views now?
# 3. **Cubic.** Replace the bilinear interpolation by `scipy.ndimage.map_coordinates(order=3)`. How much of the noise's
#    variance is kept?
# 4. **The same labels, more noise.** Another augmentation for faint galaxies: add noise, or make a galaxy fainter
#    *before* the noise of the sky is added. What has to be done to the noise that is in the image already?
# 5. **Magnitudes.** Train a network to measure the magnitude, with zooms whose labels follow, and with zooms whose
#    labels do not.
# 6. **Equivariant layers.** Write a convolution that applies its kernel in four turns and returns four feature maps. What
#    has the next layer to do with them, so that a turned image still gives turned maps?
#
# **References**
#
# - Cohen & Welling 2016, ICML, PMLR 48, 2990: Group equivariant convolutional networks.
# - Dieleman, Willett & Dambre 2015, MNRAS 450, 1441: Rotation-invariant convolutional neural networks for galaxy morphology prediction.
# - Simard, Steinkraus & Platt 2003, ICDAR, 958: Best practices for convolutional neural networks applied to visual document analysis.
