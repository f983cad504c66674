# %% [markdown]
# # 02 · Convolution
#
# **Question:** How can a handful of weights serve a whole image, and what does a network gain by using the same ones everywhere?
#
# **You build:** a filter that finds emission lines in noisy spectra, then the convolutional layer of a neural network by hand,
# equal to Keras' to 1e-5, with padding, stride, dilation, channels and pooling, and the tools that measure what
# it can see and what moves with the image.
#
# **Time:** 300 minutes of work, 1 minute of CPU · **Before:** lab 00, Python and NumPy ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/02_convolution.ipynb)
#
# It falls into three sittings: sections 1 to 3, sections 4 and 5, sections 6 to 10.
#
# **Papers:** LeCun et al. 1998, Proc. IEEE 86, 2278 (convolutional networks); Turin 1960, IRE Trans. Inf. Theory 6, 311 (matched
# filters); Dumoulin & Visin 2016, arXiv:1603.07285 (the arithmetic of convolution); Luo et al. 2016, NeurIPS (receptive fields)

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

lab.start("02")

# %% tags=["imports"]
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
import skimage
from keras import layers
from matplotlib.patches import Rectangle
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import median_filter

from utils import datasets, gradients, metrics, plotting, results, spectra, stepper, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · Too many weights, and what images are like
#
# Here are two pictures that come with scikit-image: the Hubble eXtreme Deep Field of lab 00, and the Moon. The third is the
# Hubble picture with its pixels in random order.

# %%
hubble = skimage.data.hubble_deep_field().mean(axis=2)  # (872, 1000), the mean of the three colours
moon = skimage.data.moon().astype(float)  # (512, 512)
rng = np.random.default_rng(lab.seed)
shuffled = rng.permutation(hubble.ravel()).reshape(hubble.shape)

patch = (slice(200, 456), slice(350, 606))
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4))
panels = {"Hubble": hubble[patch], "Moon": moon, "Hubble, shuffled": shuffled[patch]}
for axis, (name, image) in zip(axes, panels.items(), strict=True):
    axis.imshow(np.sqrt(image))
    axis.set(title=name, xlabel="x (pixels)")
axes[0].set_ylabel("y (pixels)");

# %% [markdown]
# *Figure: a patch of the Hubble picture, the Moon, and shuffled pixels, which look like noise.*
#
# Suppose a network shall turn an image of 512 × 512 pixels into another one, and every pixel of the output is a **neuron**
# that may look at every pixel of the input: a sum of all pixels, each times a **weight**. Such a layer is called **dense**.
#
# **Predict:** How many weights has it? How much memory do they need, at four bytes each?

# %%
dense_weights = (512 * 512) ** 2
print(f"{dense_weights:,} weights, {4 * dense_weights / 1e9:.0f} GB")

# %% [markdown]
# Seventy billion numbers to be learnt, and that is not even the worst of it. Shuffle all images in the same way, and this layer
# learns from them just as well, for it treats no two pixels as neighbours. It throws away two things that we know about images:
#
# - **locality**: what belongs together lies together. A pixel tells you much about its neighbour and little about one far off;
# - **translation invariance**: what holds in one corner holds in the other. A galaxy is a galaxy wherever it is. (For the
#   statistics of a signal one also says *stationary*.)
#
# Are they true? Both can be measured. Take all pairs of pixels that lie, say, 4 columns apart, and compute how well the
# first predicts the second. That is Pearson's correlation coefficient
#
# $$r = \frac{\operatorname{mean}\left[(a - \bar a)(b - \bar b)\right]}{\sigma_a\, \sigma_b},$$
#
# where $a$ runs over the first and $b$ over the second pixels of the pairs, $\bar a$, $\bar b$ are their means and $\sigma_a$,
# $\sigma_b$ their standard deviations. As a function of the shift it is called the **autocorrelation**.

# %% exercise="2.1"
# Exercise 2.1
def neighbour_correlation(images, down, right):
    """Correlation of the pixels of a pair, over all pairs that lie a given shift apart.

    Parameters
    ----------
    images : (n, height, width) array, of float or of uint8
        Pairs lie within one image; those of all images are thrown together.
    down, right : int
        Shift from the first to the second pixel of a pair, in rows and in columns, 0 or more.

    Returns
    -------
    float

    Example
    -------
    In the image [[1, 2, 4], [3, 9, 7]] the pairs one column apart are (1, 2), (2, 4), (3, 9) and (9, 7), with means 3.75 and
    5.5: neighbour_correlation(np.array([[[1, 2, 4], [3, 9, 7]]]), 0, 1) is 0.593.
    """
    ### BEGIN SOLUTION
    images = images.astype(float)
    height, width = images.shape[1:]
    first = images[:, : height - down, : width - right]
    second = images[:, down:, right:]
    product = np.mean((first - first.mean()) * (second - second.mean()))
    return product / (first.std() * second.std())
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.1", neighbour_correlation)

# %% [markdown]
# **Predict** the autocorrelation of the three pictures, for shifts from 0 to 40 columns. Will the left half of the Hubble
# picture have the same curve as the right half?

# %%
shifts = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40])
pictures = {
    "Hubble, left half": hubble[:, :500],
    "Hubble, right half": hubble[:, 500:],
    "Moon": moon,
    "Hubble, shuffled": shuffled,
}
correlations = {
    name: [neighbour_correlation(image[None], 0, shift) for shift in shifts] for name, image in pictures.items()
}
figure, axis = plt.subplots(figsize=(7, 3.6))
for (name, values), line in zip(correlations.items(), ("o-", "s--", "^:", ".-"), strict=True):
    axis.plot(shifts, values, line, label=name)
axis.set(xlabel="shift (columns)", ylabel="correlation of the pixels")
axis.legend()

hubble_neighbours = neighbour_correlation(hubble[None], 0, 1)
hubble_far = neighbour_correlation(hubble[None], 0, 40)
print(f"whole Hubble picture: neighbours {hubble_neighbours:.3f}, 40 columns apart {hubble_far:.3f}")

# %% [markdown]
# *Figure: autocorrelation against shift.* Locality: next neighbours are almost the same, and beyond 30 pixels, larger than
# most galaxies here, nothing is left. Translation invariance: the two halves, which share no pixel, have curves of the same
# shape. They are not equal (at a shift of 4 columns 0.62 and 0.54), as each half has galaxies of its own; the Moon's is another thing
# altogether. In the shuffled picture neighbours know nothing of each other: locality is gone, although it has the same pixels. The Moon
# is one large thing, so its pixels know of each other from far away.
#
# A layer that uses what we have just seen looks at a small window, and computes the same sum with the same weights in every
# window. We build it in one dimension first, where an astronomer has used it all along.
#
# ## 2 · One dimension: a line in a spectrum
#
# A galaxy that forms stars shines in **emission lines** of its hot gas, at wavelengths known from the laboratory. The
# expansion of the universe stretches all of them by the same factor, $1 + z$, where $z$ is the redshift. These spectra are
# simulated, with the real lines. Their pixels are steps in the logarithm of the wavelength, as in the Sloan survey, and
# $\log \lambda (1 + z) = \log \lambda + \log (1 + z)$: so a redshift moves all lines by the same number of pixels, and every line is
# as wide as any other. Translation invariance again! The numbers below the figure show it.

# %%
wavelength = spectra.log_wavelengths()  # (3841,), vacuum wavelengths in ångström
noise = spectra.noise(wavelength)  # (3841,), standard deviation of the noise in each pixel
bright = spectra.draw_galaxies(1, np.random.default_rng(4), redshift=(0.12, 0.12), halpha=(300, 300))
clean, seen = spectra.render(bright, wavelength)[0], spectra.render(bright, wavelength, rng)[0]

figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, height_ratios=[3, 1.2])
axes[0].plot(wavelength, seen, color="0.7", linewidth=0.6, label="as observed")
axes[0].plot(wavelength, clean, linewidth=1, label="without noise")
for name in ("[O II] 3729", "Hβ", "[O III] 5007", "Hα", "[S II] 6716"):
    at = spectra.LINES[name] * (1 + bright["redshift"][0])
    axes[0].text(at, clean[np.argmin(abs(wavelength - at))] + 5, name, ha="center", fontsize="small")
axes[0].set(ylabel="flux density\n(1e-17 erg/s/cm²/Å)", ylim=(-8, 65), title="A bright galaxy at redshift 0.12")
axes[0].legend(loc="upper right")
axes[1].plot(wavelength, noise, linewidth=0.8)
axes[1].set(xlabel="wavelength (Å, vacuum)", ylabel="noise σ", ylim=(0, None))

for name in ("[O II] 3729", "Hβ", "Hα"):
    rest, at = spectra.LINES[name], spectra.LINES[name] * 1.12
    moved = spectra.pixel(wavelength, at) - spectra.pixel(wavelength, rest)
    print(f"redshift 0.12 moves {name} by {at - rest:.0f} Å, that is by {moved:.0f} pixels")

# %% [markdown]
# *Figure: a spectrum, and below it the standard deviation of its noise.* The spikes in the noise are lines of our own
# night sky, from oxygen, sodium and hydroxyl in the air. They can be subtracted, but the noise they leave cannot.
#
# Slide a small **kernel** $k$ of $n$ weights along a signal $s$, and compute at each place
#
# $$\text{correlation:}\quad c_i = \sum_{j=0}^{n-1} s_{i+j}\, k_j \qquad\qquad \text{convolution:}\quad
# (s * k)_i = \sum_{j=0}^{n-1} s_{i+n-1-j}\, k_j .$$
#
# The two differ in one thing: the convolution of mathematics turns the kernel round. It is the right one where light is
# smeared: a telescope's blur is a convolution. The "convolutional" layers of neural networks compute the
# *correlation*. As their kernels are learnt, it does not matter to them; but it will to you, the first time you put in
# a kernel by hand.
#
# Only places where the whole kernel lies on the signal count; this is called **valid**. A kernel of $n$ weights has
# $N - n + 1$ of them on $N$ pixels. `sliding_window_view(signal, n)` shows all windows at once, as an array of shape $(N - n + 1,
# n)$, without copying anything; with it you need no loop.

# %% exercise="2.2"
# Exercise 2.2
def correlate(signal, kernel):
    """Correlation of a signal with a kernel, where the kernel lies on the signal with all of its weights.

    Without a loop over the pixels.

    Parameters
    ----------
    signal : (pixels,) array
    kernel : (n,) array, not longer than the signal

    Returns
    -------
    (pixels - n + 1,) array

    Example
    -------
    correlate(np.array([1, 2, 4, 8]), np.array([1, 0, 10])) is [41, 82].
    """
    ### BEGIN SOLUTION
    return sliding_window_view(signal, len(kernel)) @ kernel
    ### END SOLUTION


def convolve(signal, kernel):
    """Convolution of a signal with a kernel, at the same places, without a loop over the pixels.

    Parameters
    ----------
    signal : (pixels,) array
    kernel : (n,) array, not longer than the signal

    Returns
    -------
    (pixels - n + 1,) array

    Example
    -------
    convolve(np.array([1, 2, 4, 8]), np.array([1, 0, 10])) is [14, 28].
    """
    ### BEGIN SOLUTION
    return correlate(signal, kernel[::-1])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.2", correlate, convolve)

# %% [markdown]
# ### A neuron with shared weights
#
# A neuron multiplies its inputs by weights and adds them up (then comes an **activation** function, about which lab 03). So the
# kernel *is* a neuron with $n$ inputs: one that is copied to every place, with the same weights. That is all there is to
# a convolutional layer. In Keras: the same five weights as a `Dense(1)` that is shown one window after the other, and
# as a `Conv1D`.

# %%
kernel = np.array([0.5, 1.0, -2.0, 0.0, 3.0])
signal = rng.normal(size=60)

# On the CPU: a GPU may round what it multiplies to 10 bits (TF32), faster, but too coarse to compare.
with keras.device("cpu:0"):
    neuron = layers.Dense(1, use_bias=False)
    neuron.build((None, 5))
    neuron.set_weights([kernel[:, None]])
    by_neuron = keras.ops.convert_to_numpy(neuron(sliding_window_view(signal, 5)))[:, 0]

    convolution = layers.Conv1D(1, 5, use_bias=False)
    convolution.build((None, 60, 1))
    convolution.set_weights([kernel[:, None, None]])
    by_convolution = keras.ops.convert_to_numpy(convolution(signal[None, :, None]))[0, :, 0]

yours = correlate(signal, kernel)
difference_1d = max(abs(yours - by_neuron).max(), abs(yours - by_convolution).max())
print(f"largest difference between yours, the neuron and Conv1D: {difference_1d:.0e}")
print(f"weights: one shared neuron {kernel.size}, a dense layer of the same shape {60 * 56}")

# %% [markdown]
# ### The best kernel for a known shape
#
# A faint line, a few pixels wide and hardly higher than the noise: what is the best way to find it? Say its shape is $k$ and its
# strength $A$, so that around its place $i$ the flux is $f_{i+j} = A\, k_j +$ noise, with $j = -h \ldots h$ counted from the
# kernel's middle, and the noise of pixel $i$ has standard deviation $\sigma_i$. The value of $A$ that fits best (least squares,
# each pixel weighted by $1/\sigma^2$) and its error are
#
# $$A_i = \frac{\sum_j f_{i+j}\, k_j / \sigma_{i+j}^2}{\sum_j k_j^2 / \sigma_{i+j}^2}, \qquad
# \sigma_{A,i} = \frac{1}{\sqrt{\sum_j k_j^2 / \sigma_{i+j}^2}} .$$
#
# The numerator is a correlation with the line's own shape: the **matched filter**. Where the noise of one pixel does not depend on
# that of the others, no linear filter makes a larger ratio of signal to noise, $A / \sigma_A$. The denominator is a
# correlation too: of which two arrays?
#
# At the ends of the spectrum, the kernel's weights that hang over the edge do not count.

# %% exercise="2.3"
# Exercise 2.3
def matched_filter(flux, noise, kernel):
    """Strength of a line of known shape, and its error, if its middle were in each of the pixels.

    Parameters
    ----------
    flux : (pixels,) array
    noise : (pixels,) array
        Standard deviation of each pixel's noise; infinite where a pixel is not to be used.
    kernel : (n,) array, n odd
        Shape of the line; its middle is kernel[n // 2].

    Returns
    -------
    strength : (pixels,) array
        A of the formula.
    error : (pixels,) array
        Its standard deviation.

    Example
    -------
    matched_filter(np.array([0, 0, 2, 4, 2, 0]), np.ones(6), np.array([0.5, 1, 0.5])) has a strength of 4 in pixel 3, with
    an error of 0.816, and in pixel 5, where one weight hangs over the edge, a strength of 0.8.
    """
    ### BEGIN SOLUTION
    half = len(kernel) // 2
    weight = np.pad(1 / noise**2, half)
    weighted_flux = np.pad(flux / noise**2, half)
    information = correlate(weight, kernel**2)
    return correlate(weighted_flux, kernel) / information, 1 / np.sqrt(information)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.3", matched_filter)

# %% [markdown]
# Now 400 faint galaxies, whose redshifts nobody tells you. The continuum, the smooth light of the stars, is subtracted by a
# running median. The shape of a line is known: a Gaussian, as wide as the spectrograph and the motion of the gas make it, about
# 1.5 pixels. In one spectrum:

# %%
faint = spectra.draw_galaxies(400, rng, halpha=(10, 40))
flux = spectra.render(faint, wavelength, rng)
flux -= median_filter(flux, size=(1, 151))

line_shape = np.exp(-0.5 * (np.arange(-6, 7) / spectra.line_width(85.0)) ** 2)  # (13,)
example = np.argsort(faint["halpha"])[350]  # one of the brighter ones
strength, error = matched_filter(flux[example], noise, line_shape)

figure, axes = plt.subplots(3, 1, figsize=(9, 5.4), sharex=True)
panels = {
    "flux": flux[example],
    "pixel / noise": flux[example] / noise,
    "matched filter:\nstrength / error": strength / error,
}
lines_at = [at * (1 + faint["redshift"][example]) for at in spectra.LINES.values()]
for axis, (label, values) in zip(axes, panels.items(), strict=True):
    axis.plot(wavelength, values, linewidth=0.6)
    axis.plot(wavelength[np.argmax(values)], values.max(), "o", color=plotting.COLOURS[5], label="highest")
    axis.plot(lines_at, np.full(len(lines_at), values.min()), "^", color="black", markersize=5, label="true lines")
    axis.set_ylabel(label)
axes[0].legend(ncols=2, fontsize="small")
axes[2].set_xlabel("wavelength (Å, vacuum)");

# %% [markdown]
# *Figure: a faint spectrum without its continuum; the same in units of the noise; and after the matched filter. Triangles
# mark the true lines, a circle the highest point.* The flux is highest wherever the night sky is loud. The filter gathers what
# a line has spread over several pixels, and the strongest lines stand out. The weak ones stay among the peaks of the noise, of
# which the highest reach 3 to 4.
#
# How often is the highest point within two pixels of a true line? **Predict** for four methods: the highest flux; the highest
# ratio of flux to noise; a filter that does not know the noise; the matched filter.

# %%
lines_at = spectra.pixel(wavelength, np.outer(1 + faint["redshift"], list(spectra.LINES.values())))  # (400, 12)
everywhere_one = np.ones(len(wavelength))
scores = {"flux": flux, "flux / noise": flux / noise}
scores["filter, noise ignored"] = np.array([matched_filter(one, everywhere_one, line_shape)[0] for one in flux])
scores["matched filter"] = np.array([np.divide(*matched_filter(one, noise, line_shape)) for one in flux])

found = {}
for name, score in scores.items():
    highest = score.argmax(axis=1)
    found[name] = np.mean(abs(lines_at - highest[:, None]).min(axis=1) <= 2)
plotting.bars(found, "share of the spectra in which a line is found")

# %% [markdown]
# *Figure: share of 400 faint spectra in which each method's highest point is a line.* Knowing the noise and knowing the shape
# both help, and the matched filter knows both. It finds lines where no single pixel stands out.
#
# ## 3 · Dense or shared?
#
# Here we *told* the filter the shape. Can a network find it by itself? And what becomes of translation invariance if we do not
# build it in? The question for the networks: *is there a line in this piece of spectrum?* The pieces have 80 pixels, around 5250
# Å where the night sky is calm, in units of the noise. Half of them hold the Hβ line of a galaxy. In the training set
# that line lies always in the left half of the piece.

# %%
size = 80
start = round(float(spectra.pixel(wavelength, 5200.0)))
piece = wavelength[start : start + size]


def make_pieces(n, first, last, rng):
    """Pieces of spectra, half of them with Hβ between the pixels `first` and `last`.

    Returns
    -------
    x : (n, 80, 1) float32 array, in units of the noise, the median subtracted
    y : (n,) array, 1 where there is a line
    place : (n,) array, the line's pixel (NaN where there is none)
    """
    place = np.r_[rng.uniform(first, last, n // 2), np.full(n - n // 2, np.nan)]
    galaxies = spectra.draw_galaxies(n, rng, redshift=(0.005, 0.03), halpha=(40, 200))  # no line in the piece…
    wanted = piece[0] * 10 ** (spectra.STEP * place[: n // 2])
    galaxies["redshift"][: n // 2] = wanted / spectra.LINES["Hβ"] - 1  # …but in the first half, where Hβ is moved to its place
    flux = spectra.render(galaxies, piece, rng) / spectra.noise(piece)
    x = (flux - np.median(flux, axis=1, keepdims=True))[..., None].astype("float32")
    order = rng.permutation(n)
    return x[order], np.isfinite(place)[order].astype(int), place[order]


x_train, y_train, place_train = make_pieces(4000, 8, 34, rng)
x_validation, y_validation, _ = make_pieces(1000, 8, 34, rng)
x_test, y_test, place_test = make_pieces(6000, 8, 71, rng)

figure, axes = plt.subplots(2, 3, figsize=(9, 3.6), sharex=True, sharey=True)
for row, label in zip(axes, (1, 0), strict=True):
    for axis, i in zip(row, np.flatnonzero(y_train == label)[:3], strict=True):
        axis.plot(x_train[i, :, 0], drawstyle="steps-mid", linewidth=0.8)
        axis.set_title(f"line at pixel {place_train[i]:.0f}" if label else "no line")
figure.supxlabel("pixel")
figure.supylabel("flux / noise");

# %% [markdown]
# *Figure: six pieces of the training set, three with a line and three without.*
#
# Two networks. The first is dense: 32 neurons look at all 80 pixels, one more neuron decides. The second has **one** kernel of 13
# weights; the largest value that it finds anywhere (`GlobalMaxPooling1D`) decides. Its weights start all equal: a plain
# running mean, the dullest of kernels.
#
# You need not know Keras for this; lab 03 takes such a cell apart. In short: `Input` and the layers describe the network.
# `relu` replaces negative numbers by 0; `sigmoid` turns the last number into a probability between 0 and 1. `fit` shows the
# training set eight times (eight **epochs**), in groups of 64, and each time changes all weights a little so that the
# probabilities come closer to the labels. The **validation** set is only looked at.
#
# **Predict:** How well will each of them do on pieces whose line lies in the *right* half?

# %%
keras.utils.set_random_seed(lab.seed)
inputs = keras.Input(shape=(size, 1))
x = layers.Flatten()(inputs)
x = layers.Dense(32, activation="relu")(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
dense = keras.Model(inputs, outputs, name="dense")

inputs = keras.Input(shape=(size, 1))
x = layers.Conv1D(1, 13, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 13))(inputs)
x = layers.GlobalMaxPooling1D()(x)
outputs = layers.Dense(1, activation="sigmoid", kernel_initializer="ones")(x)
shared = keras.Model(inputs, outputs, name="shared")

for model in (dense, shared):
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        jit_compile=training.jit_compile(),
    )
    training.fit(model, x_train, y_train, validation=(x_validation, y_validation), epochs=8, batch_size=64)
    print(f"{model.name}: {model.count_params()} parameters")

# %%
predictions = {model.name: model.predict(x_test, verbose=0)[:, 0] > 0.5 for model in (dense, shared)}
seen_places = (y_test == 1) & (place_test < 34.5)
unseen_places = (y_test == 1) & (place_test > 45)
nothing = y_test == 0

figure, axis = plt.subplots(figsize=(7, 3.4))
axis.axvspan(8, 34, color="0.9", label="lines of the training set")
bins = np.linspace(8, 71, 22)
accuracies = {}
for (name, predicted), marker in zip(predictions.items(), "so", strict=True):
    share = [predicted[(place_test >= low) & (place_test < high)].mean() for low, high in pairwise(bins)]
    axis.plot((bins[:-1] + bins[1:]) / 2, share, marker + "-", label=name)
    for where, chosen in (("seen", seen_places), ("unseen", unseen_places)):
        # as many pieces with a line as without: the mean of the shares that are right in each group
        accuracies[name, where] = (predicted[chosen].mean() + (~predicted[nothing]).mean()) / 2
    left, right = accuracies[name, "seen"], accuracies[name, "unseen"]
    print(f"{name}: accuracy {left:.3f} with lines on the left, {right:.3f} on the right")
axis.set(xlabel="pixel of the line", ylabel="share of the lines recognised", ylim=(-0.02, 1.05))
axis.legend(loc="center right");

# %% [markdown]
# *Figure: share of the lines that each network recognises, by the place of the line; the training lines were in the grey
# range.* On the left both do well. On the right the dense network is blind: it has other weights there, and nothing taught them.
# Its accuracy is that of a coin, half right because half of the pieces are empty. The shared kernel does not notice where it
# is. It knows with 15 parameters what the other one does not with 2625. One could teach the dense network lines on the right, by
# showing it lines on the right: it has to learn everything again at every place.
#
# What did it learn?

# %%
learnt = keras.ops.convert_to_numpy(shared.layers[1].kernel)[:, 0, 0]
offsets = np.linspace(-3, 3, 121)  # where the line's middle lies in the kernel is the network's own choice
shapes = np.exp(-0.5 * ((np.arange(-6, 7) - offsets[:, None]) / spectra.line_width(85.0)) ** 2)
similarities = shapes @ learnt / np.linalg.norm(shapes, axis=1) / np.linalg.norm(learnt)
best = similarities.argmax()
kernel_similarity = similarities[best]

figure, axis = plt.subplots(figsize=(6, 3.2))
axis.plot(np.arange(-6, 7), learnt / np.linalg.norm(learnt), "o-", label="learnt kernel")
axis.plot(np.arange(-6, 7), shapes[best] / np.linalg.norm(shapes[best]), "--", label="shape of a line")
axis.axhline(1 / np.sqrt(13), color="0.6", linewidth=1, label="before training")
axis.set(xlabel="weight", ylabel="value (sum of squares 1)", ylim=(-0.1, None))
axis.legend()
print(f"cosine between the two: {kernel_similarity:.3f} (1 is the same shape)")

# %% [markdown]
# *Figure: the 13 weights before and after training, and the shape of a line.* The network has found the matched
# filter, a little wider than the line. Nobody told it what a line looks like: it had pieces and labels.
#
# Its most confident mistakes:

# %%
probability = shared.predict(x_test, verbose=0)[:, 0]
wrong = np.flatnonzero((probability > 0.5) != y_test)
worst = wrong[np.argsort(-abs(probability[wrong] - 0.5))][:6]
figure, axes = plt.subplots(2, 3, figsize=(9, 3.8), sharex=True, sharey=True)
for axis, i in zip(axes.flat, worst, strict=False):
    axis.plot(x_test[i, :, 0], drawstyle="steps-mid", linewidth=0.8)
    truth = "no line" if y_test[i] == 0 else f"line at {place_test[i]:.0f}"
    axis.set_title(f"{truth}; network: {probability[i]:.0%} sure of a line", fontsize="small")
    if y_test[i]:
        axis.axvline(place_test[i], color=plotting.COLOURS[5], linewidth=1, linestyle=":")
figure.supxlabel("pixel")
figure.supylabel("flux / noise");

# %% [markdown]
# *Figure: the six test pieces on which the network was wrong and surest of it; a dotted line marks a true line.* Would you have
# seen the lines? A matched filter is the best linear filter, but the faintest lines drown all the same.
#
# **A good place to stop.** Save the notebook; when you come back, run it from the top (about a minute).
#
# ## 4 · Two dimensions
#
# In an image the window has rows and columns, and nothing else changes:
#
# $$c_{y,x} = \sum_{i} \sum_{j} s_{y+i,\;x+j}\; k_{i,j} .$$
#
# The convolution turns the kernel by half a turn: rows *and* columns are reversed.
#
# **Predict** with pencil and paper. Here is an example from a lecture, five rows of five pixels. The kernel has 3 × 3 weights of
# 1/9: the mean. What is the first number of the output? (The slide that showed this example had 4.7 in that place. How do you see at
# once that this cannot be?)

# %%
lecture = np.array([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]])
mean_kernel = np.full((3, 3), 1 / 9)
stepper.strip(lecture, mean_kernel, places=(0, 1, 4, 8))

# %% [markdown]
# *Figure: the kernel (orange) in four of its nine places on the image, and below what is known of the output by then.* The first
# sum is 15 / 9 = 1.67. It is a mean of numbers from 0 to 3, so 4.7 is out of the question.
#
# If you run this notebook, the next cell is the same to play with: move the kernel place by place, and see what stride,
# dilation and padding do, which come in section 5.

# %%
stepper.play(lecture, mean_kernel)

# %% [markdown]
# Write both for images, without a loop over the pixels: `sliding_window_view(image, kernel.shape)` has four dimensions, the place
# (row, column) and what lies in the window there (row, column). Pixels are often whole numbers of 8 bits, which overflow at
# 255: turn them into floating-point numbers first.

# %% exercise="2.4"
# Exercise 2.4
def correlate_image(image, kernel):
    """Correlation of an image with a kernel, at all places where the kernel lies inside the image.

    Without a loop over the pixels.

    Parameters
    ----------
    image : (height, width) array, of float or of uint8
    kernel : (kernel height, kernel width) array

    Returns
    -------
    (height - kernel height + 1, width - kernel width + 1) array of float

    Example
    -------
    correlate_image(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 0], [0, 10]])) is [[51, 62]].
    """
    ### BEGIN SOLUTION
    windows = sliding_window_view(image.astype(float), kernel.shape)
    return np.einsum("yxij,ij->yx", windows, kernel)
    ### END SOLUTION


def convolve_image(image, kernel):
    """Convolution of an image with a kernel, at the same places, without a loop over the pixels.

    Parameters
    ----------
    image : (height, width) array, of float or of uint8
    kernel : (kernel height, kernel width) array

    Returns
    -------
    (height - kernel height + 1, width - kernel width + 1) array of float

    Example
    -------
    convolve_image(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 0], [0, 10]])) is [[15, 26]].
    """
    ### BEGIN SOLUTION
    return correlate_image(image, kernel[::-1, ::-1])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.4", correlate_image, convolve_image)

# %%
lecture_means = correlate_image(lecture, mean_kernel)
print(lecture_means.round(1))
printed = np.array([[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]])
worked_example = np.sum(lecture_means.round(1) == printed)
print(f"{worked_example} of the nine numbers are right")

# %% [markdown]
# ### Turned or not
#
# On the Moon you see the difference between the two. The kernel subtracts the pixels on the left from those on
# the right, so it makes a relief: where the brightness rises to the right, the correlation is bright; where it falls, dark.
#
# **Predict:** How will the two results differ?

# %%
relief = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
crop = moon[20:180, 30:230]
reliefs = {"correlation": correlate_image(crop, relief), "convolution": convolve_image(crop, relief)}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.5))
axes[0].imshow(crop)
axes[0].set_title("Moon")
for axis, (name, image) in zip(axes[1:], reliefs.items(), strict=True):
    axis.imshow(image, vmin=-120, vmax=120)
    axis.set_title(name)
for axis in axes:
    axis.axis("off")

# %% [markdown]
# *Figure: a part of the Moon, its correlation and its convolution with the same asymmetric kernel.* One is the negative of the
# other, for this kernel turned by half a turn is its own negative. A kernel that does
# not change when it is turned, such as a mean or a Gaussian, shows no difference at all. So test your code with one that does.
#
# ### Edges, spots, blur
#
# Four classical kernels on the Hubble picture. `relief` and its transpose answer to edges, upright and lying ones (they are known as
# the Sobel kernels); together they give the size of the **gradient**, that is, how steeply the brightness rises, in whatever
# direction. The **Laplacian**, the sum of four neighbours minus
# four times the middle, answers to spots. A Gaussian blurs.

# %%
laplacian = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
profile = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
blur = np.outer(profile, profile) / profile.sum() ** 2  # (9, 9), sum 1

scene = hubble[560:760, 400:620]
across, along = correlate_image(scene, relief), correlate_image(scene, relief.T)
blurred = correlate_image(scene, blur)
panels = {
    "Hubble": np.sqrt(scene),
    "edges: size of the gradient": np.sqrt(np.hypot(across, along)),
    "Gaussian blur": np.sqrt(blurred),
    "spots: minus the Laplacian\nof the blurred image": np.clip(-correlate_image(blurred, laplacian), -3, 6),
}
plotting.gallery(list(panels.values()), list(panels), columns=4, size=2.4);

# %% [markdown]
# *Figure: a part of the Hubble picture, its edges, blurred, and its spots.* The Laplacian alone would answer to every grain of the
# noise; after the blur it answers to what is about as large as the blur: small sources, and still some clumps of noise. The large
# galaxies answer weakly.
#
# Two kernels one after the other are not yet a deep network. Together they are a single kernel of 11 × 11 weights, as sums of
# sums are sums. Only an activation in between, such as `relu`, makes them more than that.
#
# **Predict:** By how much does the mean of 3 × 3 pixels lower the noise? Try it on a simulated sky, and on the sky of the Hubble
# picture. (As in lab 00, the scatter comes from the median absolute deviation, which galaxies hardly touch.)

# %%
def scatter(image):
    """Standard deviation of the sky, from the median absolute deviation."""
    return 1.4826 * np.median(abs(image - np.median(image)))


white_sky = rng.normal(size=(500, 500))
for name, image in (("independent noise", white_sky), ("Hubble picture", hubble)):
    print(f"{name}: falls by a factor of {scatter(image) / scatter(correlate_image(image, mean_kernel)):.2f}")

# %% [markdown]
# Nine *independent* values scatter three times less in their mean. The pixels of the Hubble picture were resampled when it was
# made, so neighbours share their noise, as the autocorrelation said (and faint galaxies add to it); averaging gains less.
# Real data are rarely as white as the noise of a simulation.
#
# ## 5 · Sizes: padding, stride, dilation
#
# Each valid layer eats a rim of the image. Three settings change the size of what comes out.
#
# - **padding**: `"valid"` has none. `"same"` puts zeros around the image, so that every pixel gets a place and, with a stride
#   of 1, the size stays.
# - **stride**: the step from one place to the next. With stride 2, every second place is used, in rows and in columns.
# - **dilation**: the distance of the pixels that a kernel's weights look at. A kernel of 3 weights with dilation 2 looks at
#   pixels 0, 2 and 4, so it reaches over 5: in general over $d\,(k-1) + 1$ pixels.
#
# Keras leaves the arithmetic to another library, its **back end**: TensorFlow, JAX or PyTorch. The rules for "same" are those of
# TensorFlow, whatever the back end: with stride $s$ the output has $\lceil N / s \rceil$ pixels (rounded up). As many
# zeros are put in as the last place needs, half of them before and half behind, and if their number is odd, the odd one
# behind.
#
# The third function counts what has to be learnt. A kernel looks at all **channels** of its input at once (the colours of an
# image, for instance), with weights of its own for each, and adds everything up into *one* image. Several kernels make an
# image each, the channels of the output; each has one **bias** besides, a number that is added at the end.

# %% exercise="2.5"
# Exercise 2.5
def output_size(size, kernel_size, stride=1, dilation=1, padding="valid"):
    """Number of places along one side of an image.

    Parameters
    ----------
    size : int
        Of the input [pixels].
    kernel_size : int
        Number of the kernel's weights along this side.
    stride, dilation : int
    padding : str
        "valid" or "same".

    Returns
    -------
    int

    Example
    -------
    output_size(10, 3) is 8, with stride=2 it is 4, with dilation=2 it is 6, with stride=3 and padding="same" it is 4.
    """
    ### BEGIN SOLUTION
    if padding == "same":
        return -(-size // stride)
    reach = dilation * (kernel_size - 1) + 1
    return (size - reach) // stride + 1
    ### END SOLUTION


def same_padding(size, kernel_size, stride=1, dilation=1):
    """How many zeros "same" puts before and behind the pixels.

    Parameters
    ----------
    size, kernel_size, stride, dilation : int

    Returns
    -------
    before, behind : int

    Example
    -------
    same_padding(10, 3) is (1, 1). With stride=2 the last of five places begins at pixel 8 and needs one zero:
    same_padding(10, 3, stride=2) is (0, 1).
    """
    ### BEGIN SOLUTION
    reach = dilation * (kernel_size - 1) + 1
    last = (output_size(size, kernel_size, stride, dilation, "same") - 1) * stride
    missing = max(last + reach - size, 0)
    return missing // 2, missing - missing // 2
    ### END SOLUTION


def count_parameters(kernel_height, kernel_width, channels, kernels):
    """Weights and biases of a convolutional layer.

    Parameters
    ----------
    kernel_height, kernel_width : int
    channels : int
        Of the input.
    kernels : int
        That is, channels of the output.

    Returns
    -------
    int

    Example
    -------
    One kernel of 3 × 3 on a grey image: count_parameters(3, 3, 1, 1) is 10.
    """
    ### BEGIN SOLUTION
    return (kernel_height * kernel_width * channels + 1) * kernels
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.5", output_size, same_padding, count_parameters)

# %% [markdown]
# Instead of 70 billion weights, 64 kernels of 5 × 5 on a grey image need

# %%
print(f"{count_parameters(5, 5, 1, 64)} parameters, and the size of the image does not matter")

# %% [markdown]
# **The second good place to stop.** What comes next puts everything so far together.
#
# ## 6 · The whole layer
#
# Now put it together: a **batch** of images, with channels, and several kernels, as every framework has it. Let $n$ be the
# image, $y, x$ the place, $c$ the channel of the input and $f$ the kernel; $s$ is the stride and $d$ the dilation:
#
# $$\text{out}_{n,y,x,f} = b_f + \sum_{i,j,c} \text{in}_{n,\;s y + d i,\;s x + d j,\;c}\;\; k_{i,j,c,f} .$$
#
# A correlation: nothing is turned round. It is a large step from section 4, so here are two ways; take the one you like. Both need
# no loop over the pixels, and both begin with the zeros (`np.pad`), where there are to be any. Get stride 1 and dilation 1 right first.
#
# **A loop over the few weights.** The weights `kernels[i, j]` are a small matrix (channels, filters), and they meet every place of
# one shifted image: `shifted_images @ kernels[i, j]` is the sum over $c$ for all places at once. Add these up over $i$ and $j$, and
# the biases at the end. Which rows and columns does the image shifted by $(d i, d j)$ begin with, with which step, and how many?
#
# **Windows.** `sliding_window_view(images, (3, 3), axis=(1, 2))` slides along rows and columns alone, and puts the window's own axes
# *last*: its result has the axes $(n, y, x, c, i, j)$. Take windows as large as the kernel *reaches*, of these every $s$-th place and
# inside them every $d$-th pixel, and let `np.einsum` do the sum. It names every axis by a letter and sums over the letters that are
# not in the result: `np.einsum("ab,b->a", matrix, vector)` is the product of a matrix and a vector.

# %% exercise="2.6"
# Exercise 2.6
def conv2d(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    """A convolutional layer as neural networks have it.

    Without a loop over the pixels; one over the few weights of a kernel is fine.

    Parameters
    ----------
    images : (n, height, width, channels) array
    kernels : (kernel height, kernel width, channels, filters) array
        `filters` kernels, each as many channels deep as the images.
    biases : (filters,) array
    stride, dilation : int
        The same in both directions.
    padding : str
        "valid" or "same".

    Returns
    -------
    (n, output height, output width, filters) array

    Example
    -------
    conv2d(np.ones((1, 5, 6, 3)), np.ones((2, 2, 3, 1)), np.array([0.5])) has the shape (1, 4, 5, 1), and every value is 12.5.
    """
    ### BEGIN SOLUTION
    height, width = kernels.shape[:2]
    if padding == "same":
        rows = same_padding(images.shape[1], height, stride, dilation)
        columns = same_padding(images.shape[2], width, stride, dilation)
        images = np.pad(images, [(0, 0), rows, columns, (0, 0)])
    reach = dilation * (height - 1) + 1, dilation * (width - 1) + 1
    windows = sliding_window_view(images, reach, axis=(1, 2))  # (n, y, x, channel, i, j)
    windows = windows[:, ::stride, ::stride, :, ::dilation, ::dilation]
    return np.tensordot(windows, kernels, axes=([4, 5, 3], [0, 1, 2])) + biases
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.6", conv2d)

# %% [markdown]
# Is it Keras' layer? The next cell compares the two for every combination of padding, stride, dilation, channels, number of
# kernels and kernel size in a list, on images that are not square. (Stride and dilation together Keras does not allow; your
# function does.)

# %%
differences, same_count = {}, 0
with keras.device("cpu:0"):
    for padding in ("valid", "same"):
        for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2), (1, 3)):
            for channels, filters in ((1, 1), (1, 4), (3, 1), (5, 4)):
                for height, width in ((1, 1), (2, 3), (3, 3), (4, 4), (5, 2)):
                    images = rng.normal(size=(2, 13, 17, channels)).astype("float32")
                    layer = layers.Conv2D(
                        filters, (height, width), strides=stride, dilation_rate=dilation, padding=padding,
                        bias_initializer="random_normal",
                    )
                    theirs = keras.ops.convert_to_numpy(layer(images))
                    yours = conv2d(images, *layer.get_weights(), stride, dilation, padding)
                    same_count += layer.count_params() == count_parameters(height, width, channels, filters)
                    case = padding, stride, dilation, channels, filters, height, width
                    differences[case] = abs(yours - theirs).max()
layers_agree = sum(difference < 1e-5 for difference in [difference_1d, *differences.values()])
largest = max(differences.values())
print(f"{len(differences)} layers; largest difference between yours and Keras': {largest:.0e}")
print(f"your number of parameters is right for {same_count} of them")

# %% [markdown]
# The difference is that of single precision: Keras computes with 7 digits. On the Moon, one kernel, the mean of 15 × 15 pixels,
# with four settings:

# %%
square = np.full((15, 15, 1, 1), 1 / 225)
settings = {
    "valid": {},
    "same": {"padding": "same"},
    "same, stride 16": {"padding": "same", "stride": 16},
    "valid, dilation 12": {"dilation": 12},
}
outputs = [
    conv2d(moon[None, :, :, None], square, np.zeros(1), **options)[0, :, :, 0] for options in settings.values()
]
titles = [f"{name}: {image.shape[0]} × {image.shape[1]}" for name, image in zip(settings, outputs, strict=True)]
plotting.gallery(outputs, titles, columns=4, size=2.4);

# %% [markdown]
# *Figure: the Moon after the same 225 weights with four settings.* The zeros of "same" darken the rim: a network can tell from it
# where the edge is. The stride leaves every sixteenth place. The dilated kernel reaches over 169 pixels, a third of the
# picture, with no weight more; its grid shows in the result.
#
# ### Channels are colours, at first
#
# Kernels of a single pixel, 1 × 1, still add up channels: each is a mixture of colours. Three of them on the Hubble picture
# in colour, followed by a blur:

# %%
colour = skimage.data.hubble_deep_field()[560:760, 400:620].astype(float)  # (200, 220, 3): red, green, blue
mixtures = np.array([[1 / 3, 1, -1], [1 / 3, 0, 0], [1 / 3, -1, 1]])  # channel by row, kernel by column
mixtures = mixtures.reshape(1, 1, 3, 3)
smoothing = np.zeros((9, 9, 3, 3))
for channel in range(3):
    smoothing[:, :, channel, channel] = blur
mixed = conv2d(conv2d(colour[None], mixtures, np.zeros(3)), smoothing, np.zeros(3), padding="same")[0]
panels = {
    "Hubble": colour.astype("uint8"),
    "mean of the colours": np.sqrt(np.maximum(mixed[..., 0], 0)),
    "red minus blue": np.clip(mixed[..., 1], -5, 25),
    "blue minus red": np.clip(mixed[..., 2], -5, 25),
}
plotting.gallery(list(panels.values()), list(panels), columns=4, size=2.4);

# %% [markdown]
# *Figure: the picture in colour and three mixtures of its channels, smoothed.* One kernel answers to red galaxies, one to blue
# ones. The bright galaxy near the top is a ring in both: in its middle all three colours are close to 255, the largest number that the
# picture can hold, so their differences say nothing there. In a deeper layer the channels are no longer colours but whatever the layer before has found: edges, spots, arms.
#
# ### A trap
#
# Ten years ago one wrote `Convolution2D(4, 5, 5)` for four kernels of 5 × 5, and you will meet this line in lectures and
# old notebooks. **Predict** what the Keras of today makes of `Conv2D(4, 5, 5)` on an image of 512 × 512.

# %% tags=["counter-example"]
image = keras.Input(shape=(512, 512, 1))
for layer, code in ((layers.Conv2D(4, 5), "Conv2D(4, 5)   "), (layers.Conv2D(4, 5, 5), "Conv2D(4, 5, 5)")):
    height, width = layer(image).shape[1:3]
    settings = f"kernel {layer.kernel_size}, stride {layer.strides}"
    print(f"{code} {settings}: {height} × {width} places, {layer.count_params()} parameters")
print("yours:", output_size(512, 5), "and", output_size(512, 5, stride=5))

# %% [markdown]
# No error and the right number of parameters; but the third number is the *stride*, and 24 of 25 places are left out. Give
# strides by name: `Conv2D(4, 5, strides=5)` if you mean it.
#
# ## 7 · Pooling
#
# A stride keeps one place of many and forgets the others. **Pooling** summarises them: the image is cut into squares of $p \times
# p$ pixels that do not overlap, and each becomes one number. Three ways are common, and the stride makes a fourth:
#
# - the sum (Keras has the mean, `AveragePooling2D`, which is the sum divided by $p^2$),
# - the root of the sum of the squares,
# - the largest value (`MaxPooling2D`, the one in most networks),
# - the first pixel, upper left, which is what a stride of $p$ keeps.
#
# Each channel is pooled by itself. Where the image does not divide by $p$, the last rows and columns are left out.

# %% exercise="2.7"
# Exercise 2.7
def pool(images, size, how):
    """Squares of size × size pixels become one number each.

    Parameters
    ----------
    images : (n, height, width, channels) array, of float or of uint8
    size : int
    how : str
        "sum", "root" (of the sum of the squares), "max" or "first".

    Returns
    -------
    (n, height // size, width // size, channels) array

    Example
    -------
    A single square with the pixels 3, 0, 4, 0 becomes 7 ("sum"), 5 ("root"), 4 ("max") or 3 ("first").
    """
    ### BEGIN SOLUTION
    n, height, width, channels = images.shape
    rows, columns = height // size, width // size
    cut = images[:, : rows * size, : columns * size].astype(float)
    squares = cut.reshape(n, rows, size, columns, size, channels)
    if how == "sum":
        return squares.sum(axis=(2, 4))
    if how == "root":
        return np.sqrt((squares**2).sum(axis=(2, 4)))
    if how == "max":
        return squares.max(axis=(2, 4))
    return squares[:, :, 0, :, 0]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.7", pool)

# %%
poolings = {"sum": "sum", "root": "root of the\nsum of squares", "max": "max", "first": "first (stride)"}
spots = np.maximum(-correlate_image(blurred, laplacian), 0)[88:176, 100:188]
pooled = [pool(spots[None, :, :, None], 4, how)[0, :, :, 0] for how in poolings]
titles = [
    f"{name}\n{image.shape[0]} × {image.shape[1]}"
    for name, image in zip(["spots of section 4", *poolings.values()], [spots, *pooled], strict=True)
]
panels = [np.sqrt(np.minimum(image, np.percentile(image, 99))) for image in [spots, *pooled]]  # or one spot outshines all
plotting.gallery(panels, titles, columns=5, size=2.0);

theirs = keras.ops.max_pool(spots[None, :, :, None].astype("float32"), 4, strides=4)
difference = abs(pooled[2] - keras.ops.convert_to_numpy(theirs)[0, :, :, 0]).max()
print(f"largest difference to Keras' max pooling: {difference:.1e}")

# %% [markdown]
# *Figure: spots in a part of the Hubble picture, negative values cut off, and four ways of pooling 4 × 4 of its pixels; each panel is
# stretched by itself.* The stride catches a spot or misses it, as luck has it. The other three remember *that* there was a spot, not
# where in the square it was. They look alike, since one spot makes most of a square's sum; what tells them apart comes in section 9.
#
# ## 8 · How far does it see?
#
# A kernel of 3 sees three pixels. A second such layer sees three results of the first: five pixels. The region of the input that a
# single number depends on is its **receptive field**. Along one side it grows layer by layer. Let the *jump* be the
# distance, in pixels of the input, between two neighbours of the present layer (at first 1). A layer with kernel $k$, stride $s$
# and dilation $d$ does two things:
#
# $$\text{field} \leftarrow \text{field} + (k - 1)\; d \;\cdot \text{jump}, \qquad \text{then}\quad \text{jump} \leftarrow \text{jump} \cdot s .$$
#
# A pooling of 2 is a kernel of 2 with stride 2.

# %% exercise="2.8"
# Exercise 2.8
def receptive_field(layers):
    """How many pixels of the input, along one side, a number of the output depends on.

    Parameters
    ----------
    layers : list of (kernel size, stride, dilation)
        Convolutions and poolings in the order in which they are applied.

    Returns
    -------
    field : int
        [pixels of the input]
    jump : int
        Distance of the fields of two neighbours in the output [pixels of the input].

    Example
    -------
    Two convolutions of 3: receptive_field([(3, 1, 1), (3, 1, 1)]) is (5, 1). If the first has stride 2, it is (7, 2).
    """
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel_size, stride, dilation in layers:
        field += (kernel_size - 1) * dilation * jump
        jump *= stride
    return field, jump
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.8", receptive_field)

# %% [markdown]
# You can *see* a receptive field: ask a network by how much a number in the middle of its output changes when a pixel of
# the input does. That is a derivative, one for each pixel; all together are the **gradient**, and computing gradients is the daily
# work of Keras' back end. Three networks of three layers, each of 3 × 3 weights and 16 channels, with random weights and without
# activations; the number in the middle is the sum over the 16 channels, and the picture the mean of ten such networks. The square's
# place is measured, its size is what your function predicts.

# %%
networks = {
    "three convolutions": [(3, 1, 1), (3, 1, 1), (3, 1, 1)],
    "strides 2, 2, 1": [(3, 2, 1), (3, 2, 1), (3, 1, 1)],
    "dilations 1, 2, 4": [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
}


def influence_on_the_middle(description, side, seed):
    """Size of the gradient of the middle output of a network with random weights: (side, side) array."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input(shape=(side, side, 1))
    for kernel_size, stride, dilation in description:
        x = layers.Conv2D(16, kernel_size, strides=stride, dilation_rate=dilation)(x)
    network = keras.Model(inputs, x)
    middle = x.shape[1] // 2

    def output(image):
        return keras.ops.sum(network(image)[0, middle, middle])

    return abs(gradients.input_gradient(output, np.zeros((1, side, side, 1))))[0, :, :, 0]


fields_right = 0
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.7))
for axis, (name, description) in zip(axes, networks.items(), strict=True):
    several = [influence_on_the_middle(description, 33, seed=100 * lab.seed + i) for i in range(10)]
    influence = np.mean(several, axis=0)
    field, jump = receptive_field(description)
    rows = np.flatnonzero(influence.any(axis=1))
    measured = rows[-1] - rows[0] + 1
    fields_right += field == measured
    axis.imshow(np.sqrt(influence), cmap="magma")
    corner = rows[0] - 0.5, rows[0] - 0.5
    axis.add_patch(Rectangle(corner, field, field, fill=False, edgecolor="white", linewidth=1.5))
    axis.set(title=f"{name}:\npredicted {field}, measured {measured}", xlabel="x (pixels)")
    inner = slice(rows[0] + field // 4, rows[-1] + 1 - field // 4)
    area, share = influence[inner, inner].size / field**2, influence[inner, inner].sum() / influence.sum()
    print(f"{name}: the inner part, {area:.0%} of the field, has {share:.0%} of the influence")
axes[0].set_ylabel("y (pixels)");

# %% [markdown]
# *Figure: how much each pixel of the input moves the middle of the output (root of the mean size of the gradient), for three networks,
# with the predicted field as a square.* Strides and dilation widen the view from 7 to 15 pixels with the same number of weights. Not
# all pixels of the field count alike: more paths lead through the middle, best seen in the first network. The more such layers are
# stacked, the smaller is the *effective* field compared with the field (Luo et al. 2016).
#
# **Think:** The galaxy network of lab 03 has convolutions of 3 × 3 with a pooling of 2 after each. How many such pairs does it take until
# one number sees a whole galaxy of 30 pixels? Ask your function.

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# `receptive_field([(3, 1, 1), (2, 2, 1)] * n)`: 4, 10, 22, 46 pixels for one to four pairs. Three pairs see 22 pixels, four 46.
# Lab 03's network averages 2 × 2 pixels first, which doubles everything.
#
# </details>

# %%
for n in (1, 2, 3, 4):
    print(f"{n} of convolution and pooling: a field of {receptive_field([(3, 1, 1), (2, 2, 1)] * n)[0]} pixels")

# %% [markdown]
# ## 9 · What moves with the image, and what stays
#
# The dense network failed where the line had moved. What exactly does a convolutional layer promise? Two words that are often mixed
# up:
#
# - **equivariant**: move the input, and the output moves along. $\text{layer}(\text{move}(x)) = \text{move}(\text{layer}(x))$;
# - **invariant**: move the input, and the output stays as it is. $\text{layer}(\text{move}(x)) = \text{layer}(x)$.
#
# To test the first without trouble at the edges, cut two frames out of one image: one at the upper left, the other by `shift`
# pixels further down and right. They show the same scene, in the second moved up and left by `shift`. If the layer is
# equivariant, its two outputs agree after moving by `output_shift`:

# %%
frame_shift, height, width = 30, 150, 150
figure, axes = plt.subplots(1, 2, figsize=(6, 3.2))
for axis, corner, title in ((axes[0], 0, "first frame"), (axes[1], frame_shift, "second frame, moved by 30")):
    axis.imshow(np.sqrt(scene[corner : corner + height, corner : corner + width]))
    circle = {"markersize": 30, "markerfacecolor": "none", "markeredgecolor": plotting.COLOURS[1]}
    axis.plot(114 - corner, 102 - corner, "o", **circle)
    axis.set_title(title)

# %% [markdown]
# *Figure: two frames of the same scene; a circle marks the same place.*

# %% exercise="2.9"
# Exercise 2.9
def equivariance_error(layer, image, shift, output_shift):
    """How far a layer is from moving its output along with its input; 0 is perfect.

    Parameters
    ----------
    layer : function
        From a (height, width) array to another, perhaps smaller one.
    image : (height, width) array
        Two frames are cut out of it, both of height - shift rows and width - shift columns: the first begins at row and
        column 0, the second at row and column `shift`.
    shift : int
        0 or more [pixels of the input].
    output_shift : int
        By how much the output should move, 0 or more [pixels of the output].

    Returns
    -------
    float
        Largest absolute difference between the output of the second frame and the output of the first, moved by output_shift,
        where both are known; divided by the largest absolute value of the first frame's output.

    Example
    -------
    Doubling every pixel is equivariant: for layer = lambda image: 2 * image and output_shift = shift the error is 0. With the
    image [[1, 1], [2, 8]], shift 1 and output_shift 0, the same layer makes [[2]] of the first frame and [[16]] of the
    second, and the error is 14 / 2 = 7.
    """
    ### BEGIN SOLUTION
    height, width = image.shape
    first = layer(image[: height - shift, : width - shift])
    second = layer(image[shift:, shift:])
    rows, columns = first.shape
    known = second[: rows - output_shift, : columns - output_shift]
    moved = first[output_shift:, output_shift:]
    return abs(known - moved).max() / abs(first).max()
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("2.9", equivariance_error)

# %% [markdown]
# Four layers: your convolution with strides 1, 2 and 4, and a small network of convolution, ReLU (negative values become 0), pooling,
# and all that once more, so that its jump is 4. The image is the Hubble picture.
#
# **Predict:** For which shifts will each of them be equivariant?

# %%
random_kernels = rng.normal(size=(2, 3, 3, 1, 1))


def convolution_layer(stride):
    """A layer for equivariance_error: one 3×3 kernel with the given stride."""
    return lambda image: conv2d(image[None, :, :, None], random_kernels[0], np.zeros(1), stride)[0, :, :, 0]


def small_network(image):
    """Twice: convolution, ReLU, max pooling of 2. Its jump is 4."""
    x = image[None, :, :, None]
    for kernels in random_kernels:
        x = pool(np.maximum(conv2d(x, kernels, np.zeros(1)), 0), 2, "max")
    return x[0, :, :, 0]


jumps = {"stride 1": 1, "stride 2": 2, "stride 4": 4, "small network, jump 4": 4}
tested = {f"stride {jump}": convolution_layer(jump) for jump in (1, 2, 4)}
tested["small network, jump 4"] = small_network
# Between two multiples of the jump, the output is moved by the nearest whole number (round(0.5) is 0 in Python: halves go to the
# even number).
errors = {
    name: [equivariance_error(tested[name], scene, shift, round(shift / jump)) for shift in range(9)]
    for name, jump in jumps.items()
}
figure, axis = plt.subplots(figsize=(7, 3.6))
for (name, values), marker in zip(errors.items(), "osD^", strict=True):
    axis.plot(values, marker + "-", label=name)
axis.set(xlabel="shift of the image (pixels)", ylabel="equivariance error")
axis.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))

by_the_jump = [errors[name][shift] for name, jump in jumps.items() for shift in range(0, 9, jump)]
in_between = [errors[name][shift] for name, jump in jumps.items() for shift in range(9) if shift % jump]
shifts_exact = sum(error < 1e-5 for error in by_the_jump)
print(f"shifts by a multiple of the jump: {shifts_exact} of {len(by_the_jump)} are exact (error below 1e-5)")
print(f"all other shifts: smallest error {min(in_between):.2f}")

# %% [markdown]
# *Figure: error of equivariance against the shift, for four layers.* Move the image by the stride, and the output moves by one: exactly.
# Move it by less, and the output becomes something else, for the layer looks at other pixels. A convolution of stride 1 is
# equivariant under every shift; each stride and each pooling takes most of that away. (All this inside the image: the zeros of "same"
# do not move along.)
#
# ### What pooling gives
#
# A class should not move at all: for "is this a spiral?" one wants *invariance*. It comes from pooling, and only in part. We take
# stamps of real galaxies, cut out of the Hubble picture, find their spots as in section 4, pool by 8 × 8, and move the
# galaxies by a few pixels. How much does the pooled array change, relative to its length?
#
# **Predict** the order of the four ways of pooling, and what happens if we take the one largest value of the whole stamp.

# %%
stamps = datasets.load("hubble").test.images[:200]  # (200, 64, 64, 3), units of the noise
stamps = stamps.mean(axis=-1, keepdims=True)
smoothed = conv2d(stamps, blur[:, :, None, None], np.zeros(1))
found_spots = np.maximum(conv2d(smoothed, -laplacian[:, :, None, None], np.zeros(1)), 0)  # (200, 54, 54, 1)

moves = np.arange(9)
changes = {}
for how in ("first", "max", "root", "sum", "largest of all"):
    kept = []
    for move in moves:
        top = 4 - move // 2  # moved by `move` columns and half as many rows
        window = found_spots[:, top : top + 40, move : move + 40]
        largest = window.max(axis=(1, 2, 3), keepdims=True)
        kept.append((largest if how == "largest of all" else pool(window, 8, how)).reshape(200, -1))
    lengths = np.linalg.norm(kept[0], axis=1)
    changes[how] = [np.median(np.linalg.norm(one - kept[0], axis=1) / lengths) for one in kept]

figure, axis = plt.subplots(figsize=(7, 3.6))
for (how, values), marker in zip(changes.items(), "osD^v", strict=True):
    axis.plot(moves, values, marker + "-", label={"first": "first (stride)"}.get(how, how))
axis.set(xlabel="shift of the galaxy (pixels)", ylabel="relative change (median)", ylim=(-0.02, None))
axis.legend(ncols=2)
pooling_ratio = changes["first"][2] / changes["max"][2]
for move in (2, 4, 8):
    print(f"after a shift of {move} pixels:", ", ".join(f"{how} {values[move]:.2f}" for how, values in changes.items()))

# %% [markdown]
# *Figure: relative change of the pooled spots of 200 real galaxies when they move, for five ways of pooling.* At 1 the difference
# is as long as the array itself. The order: with the stride, two pixels are enough to get there. The other three have by then
# changed by four tenths, root, maximum and sum close together; further on the maximum is best and the sum worst, and at 8 pixels,
# where each square shows what its neighbour showed before, all of them are at 1 or above. So pooling forgives shifts that are small
# against its squares, and in part, and no others. The largest value of the whole stamp
# stays, as long as the galaxy is in the frame: that is real invariance, and the shared kernel of section 3 owed its success to
# it. The price: it no longer knows *where*.
#
# So a classifier has equivariant layers first, which find things wherever they are, and pooling or a global maximum (or
# mean) towards the end, which forgets where. A network that has to point at things must not forget: labs 12 and 13.
#
# ## 10 · What you measured

# %%
results.record(
    "02",
    worked_example=worked_example,
    layers_agree=layers_agree,
    shifts_exact=shifts_exact,
    shift_between=min(in_between),
    pooling_ratio=pooling_ratio,
    fields_right=fields_right,
    dense_weights=dense_weights,
    hubble_neighbours=hubble_neighbours,
    hubble_far=hubble_far,
    lines_found=found["matched filter"],
    lines_gain=found["matched filter"] - found["flux / noise"],
    shared_unseen=accuracies["shared", "unseen"],
    dense_unseen=accuracies["dense", "unseen"],
    kernel_similarity=kernel_similarity,
)
results.table("02")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - A convolutional layer is one neuron per kernel, copied to every place. It needs few weights because images are local, and it
#   knows about every place what it has learnt at one.
# - What networks call convolution is a correlation, the kernel not turned round. The output has $\lfloor (N - d (k - 1) - 1) / s
#   \rfloor + 1$ places, with "same" $\lceil N / s \rceil$.
# - Convolution is equivariant, exactly, for shifts by the stride. Invariance comes from pooling, and all of it only from pooling
#   everything.
#
# **Where to go on:** lab 03 stacks these layers into a network that classifies galaxies, with kernels that it learns; lab 12 turns
# your layer round, into the transposed convolution.
#
# **Stretch tasks**
#
# 1. A redshift is a shift: make *one* long kernel of all lines of `spectra.LINES`, at redshift 0, and find each galaxy's redshift
#    from where the matched filter is highest (Tonry & Davis 1979). How many of the faint ones do you get right now?
# 2. A star's image is a known shape too. Use a Gaussian as a matched filter on the Hubble picture: how many more sources of
#    5 σ do you find than without?
# 3. A Gaussian kernel is the product of a row and a column. Show that two one-dimensional correlations give the same, and
#    count the multiplications.
# 4. Blur before you stride (Zhang 2019): how much of the error of equivariance goes away?
# 5. Give the shared network of section 3 random weights at the start, with one kernel and with eight, for ten seeds each. How often
#    does it fail? Lab 06 is about such starts.
#
# **References**
#
# - Turin 1960, IRE Transactions on Information Theory 6, 311: An introduction to matched filters.
# - LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86, 2278: Gradient-based learning applied to document recognition.
# - Dumoulin & Visin 2016, arXiv:1603.07285: A guide to convolution arithmetic for deep learning.
# - Luo, Li, Urtasun & Zemel 2016, NeurIPS: Understanding the effective receptive field in deep convolutional neural networks.
# - Tonry & Davis 1979, AJ 84, 1511: A survey of galaxy redshifts.
# - Zhang 2019, ICML: Making convolutional networks shift-invariant again.
# - van Hoof 2018, Galaxies 6, 63: the line list. Osterbrock et al. 1996, PASP 108, 277: the lines of the night sky.
