# %% [markdown]
# # 06 · Initialisation
#
# **Question:** A deep network multiplies its input once in every layer. How large may the first weights be, so that a
# galaxy arrives at the end and a gradient at the beginning?
#
# **You build:** the way forward and the way back through thirty layers, the recursion that predicts both, the starts of
# LeCun, Glorot and He, an orthogonal one, two instruments that find broken starts, and a start that measures instead of
# calculating.
#
# **Time:** 175 minutes of work, 1.5 minutes of CPU · **Before:** lab 03 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/06_initialisation.ipynb)
#
# **Papers:** Glorot & Bengio 2010, PMLR 9, 249; He et al. 2015, ICCV, 1026; Saxe et al. 2014, ICLR (orthogonal starts);
# Mishkin & Matas 2016, ICLR (measured starts)

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

lab.start("06")

# %% tags=["imports"]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from utils import compare, datasets, plotting, probes, results, stamps, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · One galaxy, thirty layers
#
# Before it has seen a single galaxy, a network has weights already: random numbers, drawn when it is made. That is its
# **initialisation**. Nobody would think that it matters much, since training changes the weights anyway. Let us look.
#
# Our galaxies are simulated, of four kinds, as in lab 03: elliptical, spiral, edge-on and irregular. Below, a spiral
# goes through 30 convolutions of 64 channels, each followed by a ReLU. Nothing is trained. The kernels are drawn from a
# normal distribution of mean 0, and the three rows differ in nothing but its standard deviation σ. Each picture is one
# channel (at first, one band), stretched from its own darkest to its own brightest pixel. The number above it is the
# **RMS** of all channels, the root of the mean of the squares: how large the values of this layer are.

# %% tags=["showcase"]
data = datasets.load("morphology", seed=lab.seed)


spiral = stamps.large_spiral(data.train)
galaxy = stamps.binned(data.train.images[spiral : spiral + 1], 32)
galaxy = ((galaxy - galaxy.mean()) / galaxy.std()).astype("float32")

shown, pictures, titles = (1, 5, 10, 20, 30), [], []
for sigma in (0.01, np.sqrt(2 / (9 * 64)), 0.3):
    rng = np.random.default_rng([lab.seed, 6])
    image = galaxy
    pictures.append(image[0, :, :, 1])
    titles.append(f"σ = {sigma:.3g}\nthe galaxy, RMS {probes.rms(image):.1f}")
    for number in range(1, 31):
        n_inputs = image.shape[-1]  # 3 bands, then 64 channels; where fewer are added up, the weights are larger
        kernel = np.float32(sigma * np.sqrt(64 / n_inputs)) * rng.standard_normal((3, 3, n_inputs, 64), "float32")
        framed = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")  # a mirror at the edges, no border of zeros
        image = keras.ops.convert_to_numpy(keras.ops.relu(keras.ops.conv(framed, kernel)))
        if number in shown:
            channel = np.argmax(image[0].std(axis=(0, 1), dtype="float64"))
            pictures.append(image[0, :, :, channel])
            titles.append(f"layer {number}\nRMS {probes.rms(image):.0e}")
plotting.gallery(pictures, titles, columns=6, size=1.5);

# %% [markdown]
# *Figure: a galaxy (its r band) and the channel of the largest contrast after 1, 5, 10, 20 and 30 layers, with kernels
# of σ = 0.01, 0.0589 and 0.3.* The three rows look alike, for a ReLU does not mind a common factor: first a galaxy,
# light or dark, in the end patches and noise. The numbers are not alike. In the first row the values shrink to a sixth
# in each layer, in the last they grow fivefold, and in the middle row they lose a little on the way, but stay within a
# factor of ten or so. Single-precision numbers end at $3 \cdot 10^{38}$: some fifty layers of the last row. And long
# before small numbers end, a network whose output is some $10^{-24}$ for every galaxy has nothing to say, and what it
# could learn from its mistakes, the gradient, is as small.
#
# Where does the 0.0589 come from? You will derive it.
#
# ## 2 · A product of thirty factors
#
# Take the simplest of all deep networks: one neuron a layer, no activation, all weights $w$. What goes in as $x$ comes
# out as $w^{30} x$.
#
# **Predict:** How much is $w^{30}$ for $w = 0.5$, $0.9$, $1.1$, $2$?

# %%
for w in (0.5, 0.9, 1.0, 1.1, 2.0):
    print(f"{w} to the power of 30 is {w**30:.2g}")

# %% [markdown]
# Even 10 % off, a factor of about 20 is lost or gained. With many neurons the weights become matrices, and the size of
# what comes out is again a product with one factor for each layer. Let us measure that factor. A **dense stack** is a
# list of weight matrices; layer $l$ computes
#
# $$h_l = a_{l-1} W_l, \qquad a_l = \varphi(h_l), \qquad a_0 = x,$$
#
# with the **activation** $\varphi$. We leave out the biases, which are 0 at the start in nearly every network.

# %% exercise="6.1"
# Exercise 6.1
def forward(x, weights, activation):
    """The activations of every layer of a dense stack.

    Parameters
    ----------
    x : (n, n_0) array
        One row for each galaxy.
    weights : list of arrays
        Layer l has the shape (n_{l-1}, n_l).
    activation : function
        From an array to an array of the same shape, applied after each multiplication.

    Returns
    -------
    list of (n, n_l) arrays
        What leaves layer 1, 2, …; x itself is not among them.

    Example
    -------
    With np.abs for the activation: forward(np.array([[1.0, 2.0]]), [np.array([[1.0], [-3.0]]), np.array([[2.0]])], np.abs)
    is [array([[5.0]]), array([[10.0]])].
    """
    ### BEGIN SOLUTION
    activations = []
    a = x
    for w in weights:
        a = activation(a @ w)
        activations.append(a)
    return activations
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.1", forward)

# %% [markdown]
# Our galaxies are now lists of 1024 numbers: the r band, stretched, averaged to 32 × 32 pixels and scaled so that the
# mean of their squares is 1. Thirty layers of 1024 neurons follow. First without activation.

# %%
n_neurons, n_layers, n_galaxies = 1024, 30, 100
x = stamps.binned(data.train.images[:n_galaxies, :, :, 1:2], 32).reshape(n_galaxies, n_neurons).astype("float32")
x = (x - x.mean()) / x.std()


def identity(h):
    return h


def relu(h):
    return np.maximum(h, 0)


rng = np.random.default_rng([lab.seed, 1])
normal_stack = [rng.standard_normal((n_neurons, n_neurons), "float32") for _ in range(n_layers)]


def stack_with(sigma):
    """Thirty matrices of normally distributed weights, in single precision as in any network."""
    return [np.float32(sigma) * w for w in normal_stack]


with np.errstate(all="ignore"):  # overflow is what we are looking for
    sizes = {
        f"σ = {sigma:.3g}": [probes.rms(a) for a in forward(x, stack_with(sigma), identity)]
        for sigma in (0.01, 1 / np.sqrt(n_neurons), 1)
    }
for name, line in sizes.items():
    growth = (line[9] / line[0]) ** (1 / 9)
    print(f"{name}: RMS after layer 1 {line[0]:.2g}, after layer 10 {line[9]:.2g}: times {growth:.3g} in each layer")

# %%
plotting.by_layer(sizes, "RMS of the activations")
plt.legend();

# %% [markdown]
# *Figure: RMS of the activations of 100 galaxies in each of 30 layers without activation function, on a logarithmic
# scale; a cross marks the last layer that can be computed in single precision.* Straight lines: each layer multiplies
# by the same factor. With σ = 1 the numbers overflow and the rest is `inf` and `nan`.
#
# ## 3 · The factor, calculated
#
# Neuron $j$ adds up $n$ products, $h_j = \sum_i x_i w_{ij}$. The weights are independent, with mean 0 and variance
# $\sigma^2$; the $x_i$ are what they are. The mean of $h_j$ over many draws of the weights is 0. In its square, the
# mixed terms $w_{ij} w_{kj}$ have mean 0 too, and what remains is
#
# $$\langle h^2 \rangle = \sum_i x_i^2 \sigma^2 = n \sigma^2 \langle x^2 \rangle .$$
#
# The mean square grows by $n \sigma^2$ in each layer, the RMS by $\sqrt n \sigma$: with 1024 inputs by 0.32, 1 and 32
# for the three values above. It stays where it is for $\sigma^2 = 1/n$. Note what was *not* needed: that pixels are
# independent.
#
# Now the activation. $h$ is the sum of many terms, so it is close to normally distributed, with mean 0 and mean square
# $q$. The next layer receives $\varphi(h)$, with the mean square
#
# $$\langle \varphi(h)^2 \rangle = \int \varphi(\sqrt q\, z)^2\, \frac{e^{-z^2/2}}{\sqrt{2\pi}}\, \mathrm d z .$$
#
# An integral is a sum over a fine grid of $z$, with weights $e^{-z^2/2}$ that are divided by their sum. Write this as a
# function, and then the **recursion**: multiply by $n \sigma^2$, apply the activation, thirty times.
#
# **Predict:** Which part of the mean square does a ReLU let through? Which variance makes up for it?

# %% exercise="6.2"
# Exercise 6.2
def mean_square(activation, q):
    """Mean square of activation(h), for normally distributed h of mean 0 and mean square q.

    Parameters
    ----------
    activation : function
        From an array to an array of the same shape.
    q : float
        The mean of h².

    Returns
    -------
    float
        Accurate to 1 %, for q from 0 to 10 000.

    Example
    -------
    mean_square(np.abs, 4.0) is 4.0: without their signs the squares stay the same.
    """
    ### BEGIN SOLUTION
    z = np.linspace(-8, 8, 20001)
    probability = np.exp(-(z**2) / 2)
    probability /= probability.sum()
    return (probability * activation(np.sqrt(q) * z) ** 2).sum()
    ### END SOLUTION


def mean_squares(q, n_inputs, sigma, activation, n_layers):
    """Mean square of the activations after each layer, predicted without drawing a single weight.

    Parameters
    ----------
    q : float
        Mean square of the input.
    n_inputs : int
        Inputs of each neuron, the same in all layers.
    sigma : float
        Standard deviation of the weights.
    activation : function
    n_layers : int

    Returns
    -------
    list of float
        After layer 1, 2, …

    Example
    -------
    mean_squares(1.0, 100, 0.2, np.abs, 3) is [4.0, 16.0, 64.0]: each layer multiplies by 100 × 0.2².
    """
    ### BEGIN SOLUTION
    predicted = []
    for _ in range(n_layers):
        q = mean_square(activation, n_inputs * sigma**2 * q)
        predicted.append(q)
    return predicted
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.2", (mean_square, mean_squares))

# %% [markdown]
# For the ReLU no integral is needed. $h$ is as often negative as positive, so half of the squares remain:
# $\langle a^2 \rangle = \tfrac12 n \sigma^2 \langle x^2 \rangle$, and the size is kept for
#
# $$\sigma^2 = \frac 2 n \qquad \text{(He et al. 2015).}$$
#
# Mind that this is about the mean *square*. The outputs of a ReLU have a positive mean, and their variance is smaller
# than their mean square; the next layer adds up squares, not variances.
#
# Now set the prediction beside a measurement.

# %%
activation_functions = {"ReLU": relu, "tanh": np.tanh}
sigmas = {"σ = 0.01": 0.01, "σ² = 1/n": np.sqrt(1 / n_neurons), "σ² = 2/n": np.sqrt(2 / n_neurons), "σ = 1": 1.0}

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8))
for axis, (title, activation) in zip(axes, activation_functions.items(), strict=True):
    measured_sizes, predicted = {}, {}
    for name, sigma in sigmas.items():
        with np.errstate(all="ignore"):
            measured_sizes[name] = [probes.rms(a) for a in forward(x, stack_with(sigma), activation)]
        predicted[name] = np.sqrt(mean_squares(1.0, n_neurons, sigma, activation, n_layers))
    plotting.by_layer(predicted, "RMS of the activations", axis)
    for colour, line in zip(plotting.COLOURS, measured_sizes.values(), strict=False):
        axis.plot(range(1, n_layers + 1), line, "o", color=colour, markersize=4)
    axis.set(title=title)
axes[0].axhline(np.finfo("float32").max, color="black", linestyle=":", linewidth=1)
axes[0].text(1, np.finfo("float32").max / 100, "the largest number of single precision", fontsize="small", va="top")
axes[0].set_ylim(1e-22, 1e41)
axes[1].set(ylim=(1e-17, 1e2), ylabel="")
axes[1].legend(loc="lower left");

# %% [markdown]
# *Figure: RMS of the activations in each layer, predicted (lines) and measured (dots), for four scales of the weights,
# with ReLU on the left and tanh on the right.* The prediction fits, and it took no network at all. Only the dots of σ =
# 1 with ReLU stop, where single precision ends.
#
# **Think:** With tanh, σ = 1 seems as good as $\sigma^2 = 2/n$: the RMS is 1 in all layers. What do the values look
# like? (`forward(x, stack_with(1), np.tanh)[0]` shows you.) And what is the slope of tanh there?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Nearly all are +1 or −1: the neurons are **saturated**. What enters the tanh has an RMS of 32 after the first layer,
# and there the slope of tanh is 0 for all practical purposes. A change of a weight changes nothing, except in the few
# neurons that happen to be near zero. Section 4 shows what that does to gradients; it is not what most people expect.
#
# </details>

# %% [markdown]
# Nearly all of its values are +1 or −1: the tanh is **saturated**, and its slope there is 0. A healthy size of the
# activations is necessary; it is not sufficient. To learn, a network also needs the way back.
#
# ## 4 · The way back
#
# Training needs to know how the loss changes with each weight. It finds out from the last layer to the first, by the
# chain rule. Let $\delta_l$ be the gradient with respect to $h_l$, what enters the activation of layer $l$. Then
#
# $$\delta_l = \varphi'(h_l) \cdot \big(\delta_{l+1} W_{l+1}^\mathsf T\big)$$
#
# (· means element by element). At the last layer, where there is no next one, the gradient with respect to what leaves
# the network stands in place of the bracket. The $\delta_l$ are what you compute now. (The gradient with respect to the
# weights, $a_{l-1}^\mathsf T\, \delta_l$, follows from them; we come back to it in section 9.) Again one multiplication
# by a weight matrix in each layer, now by its transpose, and one factor $\varphi'$, the slope of the activation. It can
# be had from what *leaves* the activation,
# $a = \varphi(h)$, which we have kept: the slope of tanh is $1 - a^2$, that of a ReLU is 1 where $a > 0$ and 0
# elsewhere.

# %% exercise="6.3"
# Exercise 6.3
def backward(gradient, activations, weights, slope):
    """Gradients with respect to what enters the activation of each layer.

    Parameters
    ----------
    gradient : (n, n_L) array
        Gradient with respect to what leaves the last layer.
    activations : list of (n, n_l) arrays
        What leaves each layer, from `forward`.
    weights : list of (n_{l-1}, n_l) arrays
    slope : function
        Slope of the activation function, from what leaves it: slope(a) is φ'(h) for a = φ(h).

    Returns
    -------
    list of (n, n_l) arrays
        δ_1, δ_2, …: in the order of the layers, though they are computed from the last to the first.

    Example
    -------
    One layer of one neuron, tanh, which gave 0.5: backward(np.array([[2.0]]), [np.array([[0.5]])], [np.array([[3.0]])],
    lambda a: 1 - a**2) is [array([[1.5]])].
    """
    ### BEGIN SOLUTION
    deltas = []
    for a, w in zip(reversed(activations), reversed(weights), strict=True):
        delta = slope(a) * gradient
        deltas.append(delta)
        gradient = delta @ w.T
    return deltas[::-1]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.3", backward)

# %% [markdown]
# The size of $\delta$ follows from the same argument as before. Each $\delta_l$ is a sum over the $n_\text{out}$
# neurons that the value goes *to*, with the weights of layer $l+1$, which know nothing of the slopes in layer $l$:
#
# $$\langle \delta_l^2 \rangle = \langle \varphi'^2 \rangle\; n_\text{out}\, \sigma^2\; \langle \delta_{l+1}^2 \rangle .$$
#
# For a ReLU the mean of $\varphi'^2$ is ½. So the way back wants $\sigma^2 = 2/n_\text{out}$, as the way forward wants
# $2/n_\text{in}$.
#
# **Predict:** Thirty layers of tanh with σ = 1, where nearly every slope is 0. Do the gradients vanish on their way to
# the first layer?

# %%
def relu_slope(a):
    return (a > 0).astype(a.dtype)


def tanh_slope(a):
    return 1 - a**2


output_gradient = np.random.default_rng([lab.seed, 2]).standard_normal((n_galaxies, n_neurons), "float32")
slopes = {"ReLU": relu_slope, "tanh": tanh_slope}
for title, name in (("ReLU", "σ = 0.01"), ("ReLU", "σ² = 2/n"), ("tanh", "σ² = 1/n"), ("tanh", "σ = 1")):
    stack = stack_with(sigmas[name])
    layers_out = forward(x, stack, activation_functions[title])
    deltas = backward(output_gradient, layers_out, stack, slopes[title])
    print(f"{title}, {name}: RMS of δ in layer 30 {probes.rms(deltas[-1]):.2g}, in layer 1 {probes.rms(deltas[0]):.2g}", end="; ")
    print(f"mean square slope in layer 15 {np.mean(slopes[title](layers_out[14]) ** 2):.2g}")

# %% [markdown]
# With tanh and σ = 1 the gradients do not vanish, they **explode**. Only about two of a hundred neurons have a slope
# worth mentioning, but for these the weights are so large that $n \sigma^2 \langle \varphi'^2 \rangle \approx 17$, and
# the gradient grows fourfold in each layer. (With $\sigma^2 = 1/n$, tanh loses a factor of some six: section 7 comes
# back to it.) Such a network with σ = 1 is chaotic: after the least change of a galaxy, the signs at the end are as
# good as drawn anew.
#
# ## 5 · The recipes
#
# What we found has names. A layer's **fan-in** is the number of inputs of one of its outputs, its **fan-out** the
# number of outputs that one of its inputs goes to. For a dense layer these are the two sides of its matrix, which Keras
# calls its **kernel** too. For a convolution, count: an output pixel is a sum over all kernel places and all input
# channels; and an input pixel goes to as many output pixels as the kernel has places, in each output channel (with
# stride 1, away from the border).

# %% exercise="6.4"
# Exercise 6.4
def fans(shape):
    """Fan-in and fan-out of a layer, from the shape of its kernel.

    Parameters
    ----------
    shape : tuple of int
        (inputs, outputs) of a dense layer; (length, inputs, outputs) of a convolution of spectra; (height, width, inputs,
        outputs) of a convolution of images. Inputs and outputs of a convolution are channels.

    Returns
    -------
    fan_in, fan_out : int

    Example
    -------
    A dense layer from 10 numbers to 3: fans((10, 3)) is (10, 3). A convolution of 5×5 pixels from 3 bands to 8 channels:
    fans((5, 5, 3, 8)) is (75, 200).
    """
    ### BEGIN SOLUTION
    *places, inputs, outputs = shape
    n_places = int(np.prod(places))
    return n_places * inputs, n_places * outputs
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.4", fans)

# %% [markdown]
# | recipe | variance σ² | for | keeps |
# |---|---|---|---|
# | LeCun | $1/n_\text{in}$ | tanh | activations, as long as tanh is nearly linear |
# | Glorot | $2/(n_\text{in} + n_\text{out})$ | tanh | a compromise between activations and gradients |
# | He | $2/n_\text{in}$ | ReLU | activations |
#
# Which to take for a ReLU, where inputs and outputs are not equally many? Either will do. With $2/n_\text{in}$, the way
# back multiplies $\langle\delta^2\rangle$ by $n_\text{out}/n_\text{in}$ in each layer; and as the outputs of one layer are
# the inputs of the next, these factors cancel in a stack, but for the first and the last (He et al. 2015).
#
# The derivation asks for a mean of 0 and a variance, not for a normal distribution. A **uniform** distribution between
# $-r$ and $r$ has the variance $r^2/3$, and does as well.
#
# **Predict:** Where inputs and outputs of a layer are equally many, He's kernels have √2 times the standard deviation
# of Glorot's. In 30 layers with ReLU, what does that make?

# %% exercise="6.5"
# Exercise 6.5
def initialise(shape, recipe, rng, uniform=False):
    """Draw the first kernel of a layer.

    Parameters
    ----------
    shape : tuple of int
        Of the kernel, as for `fans`.
    recipe : str
        "lecun", "glorot" or "he".
    rng : numpy.random.Generator
    uniform : bool
        Draw from a uniform distribution around 0, otherwise from a normal one.

    Returns
    -------
    array of that shape
        With mean 0 and the variance of the recipe.

    Example
    -------
    The standard deviation of initialise((200, 300), "he", np.random.default_rng(0)) is 0.1, about; with uniform=True it is
    the same, and no value is farther from 0 than 0.1732.
    """
    ### BEGIN SOLUTION
    fan_in, fan_out = fans(shape)
    variance = {"lecun": 1 / fan_in, "glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in}[recipe]
    if uniform:
        limit = np.sqrt(3 * variance)
        return rng.uniform(-limit, limit, size=shape)
    return rng.normal(0, np.sqrt(variance), size=shape)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.5", initialise)

# %% [markdown]
# Beside the library. In Keras an **initialiser** is handed to the layer by name or as an object,
# `kernel_initializer="he_normal"`.

# %%
shape = (3, 3, 64, 128)
library = {
    ("lecun", False): keras.initializers.LecunNormal(lab.seed),
    ("glorot", False): keras.initializers.GlorotNormal(lab.seed),
    ("glorot", True): keras.initializers.GlorotUniform(lab.seed),
    ("he", False): keras.initializers.HeNormal(lab.seed),
    ("he", True): keras.initializers.HeUniform(lab.seed),
}
print("recipe                       yours: spread, largest    Keras: spread, largest")
for (recipe, uniform), initialiser in library.items():
    yours = initialise(shape, recipe, np.random.default_rng(lab.seed), uniform)
    theirs = keras.ops.convert_to_numpy(initialiser(shape))
    columns = [f"{kernel.std():.4f}  {abs(kernel).max():.4f}" for kernel in (yours, theirs)]
    print(f"{type(initialiser).__name__:28s} {columns[0]:25s} {columns[1]}")
convolution = layers.Conv2D(8, 3)
print("If you name none, Conv2D takes", type(convolution.kernel_initializer).__name__, "for the kernel", end=" ")
print("and", type(convolution.bias_initializer).__name__, "for the bias.")

# %% [markdown]
# The spreads agree. The largest values differ where yours are normally distributed: Keras cuts the tails of its normal
# distributions off at two standard deviations, and widens the rest so that the variance is right again.
#
# Look at the last line. Keras' default is **Glorot**, not He, whatever the activation. With ReLU it loses a factor √2
# of the RMS in each layer where inputs and outputs are equally many. In four layers that makes a factor of 4, which
# nobody notices; in thirty layers it makes 33 000.
#
# ## 6 · Thirty matrices are one matrix
#
# The mean square is an average over all directions that a galaxy may point to in the space of its 1024 numbers. On
# average, He and LeCun keep lengths. And each direction by itself? Without activation the stack is one matrix,
# $W_1 W_2 \cdots W_{30}$. Its **singular values** are the factors by which it stretches or shrinks: a ball of galaxies
# becomes an ellipsoid, and the singular values are its half-axes.
#
# A matrix that keeps the length of *every* vector has orthogonal columns (or rows) of length 1. To draw one at random,
# all directions equally likely: draw a matrix of normally distributed numbers and bring its columns to right angles.
# `np.linalg.qr` does this, $A = Q R$, with orthonormal columns in $Q$ and an upper triangle $R$. One flaw has to be
# mended: the algorithm chooses the signs of $Q$'s columns by a rule of its own, which makes some signs more likely than
# others. Multiply each column of $Q$ by the sign of $R$'s diagonal element in that column; then all directions are
# equally likely (Mezzadri 2007).

# %% exercise="6.6"
# Exercise 6.6
def orthogonal(shape, rng):
    """A random kernel that is an orthogonal matrix, or as close to one as its shape allows.

    Parameters
    ----------
    shape : tuple of int
        Of the kernel. For a convolution, all but the last are taken together: (height, width, inputs, outputs) is a matrix
        of height · width · inputs rows and `outputs` columns.
    rng : numpy.random.Generator

    Returns
    -------
    array of that shape
        As a matrix it has columns of length 1 at right angles to each other; where it has more columns than rows, its
        rows are so.

    Example
    -------
    For w = orthogonal((5, 3), np.random.default_rng(0)), w.T @ w is the 3×3 identity matrix; for orthogonal((3, 5), …) it is
    w @ w.T.
    """
    ### BEGIN SOLUTION
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.6", orthogonal)

# %%
side = 100
rng = np.random.default_rng([lab.seed, 7])
products = {"normal, σ² = 1/n": np.eye(side), "orthogonal": np.eye(side)}
figure, axis = plt.subplots(figsize=(7, 3.8))
for depth in range(1, 31):
    products["normal, σ² = 1/n"] = products["normal, σ² = 1/n"] @ initialise((side, side), "lecun", rng)
    products["orthogonal"] = products["orthogonal"] @ orthogonal((side, side), rng)
    if depth in (1, 5, 30):
        values = np.linalg.svd(products["normal, σ² = 1/n"], compute_uv=False)
        axis.plot(range(1, side + 1), values, label=f"normal, {depth} layer{'s' if depth > 1 else ''}")
axis.plot(range(1, side + 1), np.linalg.svd(products["orthogonal"], compute_uv=False), "k--", label="orthogonal, 30 layers")
axis.set(xlabel="singular values, from the largest", ylabel="stretched by", yscale="log", ylim=(1e-12, 1e2))
axis.legend(loc="lower left");

# %% [markdown]
# *Figure: the 100 singular values of products of 1, 5 and 30 random matrices of 100 × 100, and of 30 orthogonal ones
# (dashed).* The product of normal matrices is a needle: a few directions survive, and along most the galaxies lose all
# differences between them. The product of orthogonal ones is orthogonal again. Nothing is lost (Saxe et al. 2014).
#
# With an activation the theorem is gone: a ReLU sets half of the values to 0, whatever the matrix. Orthogonal kernels,
# times √2 for a ReLU, are a good start, as section 9 will show, and no miracle.
#
# ## 7 · All starts, both ways
#
# Now all of them, with 1024 neurons in each of 30 layers, forward and back, with ReLU and with tanh. In such square
# layers LeCun's and Glorot's recipe are the same. *Orthogonal* is multiplied by √2 where a ReLU follows. *Constant*
# gives all weights the value $1/n$.
#
# **Predict:** Which of the six keep both the activations and the gradients, with ReLU? With tanh?

# %%
starts = {
    "constant": lambda shape, rng: np.full(shape, 1 / fans(shape)[0]),
    "σ = 0.01": lambda shape, rng: rng.normal(0, 0.01, size=shape),
    "σ = 1": lambda shape, rng: rng.normal(0, 1, size=shape),
    "LeCun, Glorot": lambda shape, rng: initialise(shape, "glorot", rng),
    "He": lambda shape, rng: initialise(shape, "he", rng),
    "orthogonal": orthogonal,
}


def stack_from(name):
    """Thirty matrices from a start, in single precision."""
    rng = np.random.default_rng([lab.seed, 8])
    drawn = 6 if name == "orthogonal" else n_layers  # right angles take time: six matrices are used five times each
    stack = [starts[name]((n_neurons, n_neurons), rng).astype("float32") for _ in range(drawn)]
    return stack * (n_layers // drawn)


def both_ways(stack, title):
    """Activations and gradients of all layers."""
    with np.errstate(all="ignore"):
        layers_out = forward(x, stack, activation_functions[title])
        return layers_out, backward(output_gradient, layers_out, stack, slopes[title])


measured = {}
for name in starts:
    stack = stack_from(name)
    for title in activation_functions:
        gain = np.float32(np.sqrt(2) if (name, title) == ("orthogonal", "ReLU") else 1)
        layers_out, deltas = both_ways([gain * w for w in stack], title)
        measured[name, title] = [probes.rms(a) for a in layers_out], [probes.rms(delta) for delta in deltas]
        if (name, title) == ("He", "ReLU"):
            he_layers = layers_out
forward_sizes = {title: {name: measured[name, title][0] for name in starts} for title in activation_functions}
backward_sizes = {title: {name: measured[name, title][1] for name in starts} for title in activation_functions}

# %%
figure, axes = plt.subplots(2, 2, figsize=(9.5, 6.4), sharex=True, sharey=True)
styles = {
    name: {"marker": marker, "markevery": (place, 6), "markersize": 6}
    for place, (name, marker) in enumerate(zip(starts, "sv^oD*", strict=True))
}
for column, title in enumerate(activation_functions):
    plotting.by_layer(forward_sizes[title], "RMS of the activations" if column == 0 else "", axes[0, column], styles)
    plotting.by_layer(backward_sizes[title], "RMS of the gradients δ" if column == 0 else "", axes[1, column], styles)
    axes[0, column].set(title=title, xlabel="", ylim=(1e-24, 1e42))
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper");

# %% [markdown]
# *Figure: RMS of the activations (top, read from left to right) and of the gradients (bottom, read from right to left)
# in 30 layers with ReLU (left) and tanh (right), for six starts. A cross marks the last layer before the numbers
# overflow.* σ = 0.01 kills both, σ = 1 overflows with ReLU, so that no gradient can be computed at all, and with tanh
# its gradients explode behind a perfectly normal RMS. On an axis of 60 powers of ten the others look alike. Here they
# are as numbers.

# %%
print("                        activations              gradients")
print("                    layer 1  layer 30      layer 30  layer 1")
for title in activation_functions:
    for name in ("constant", "LeCun, Glorot", "He", "orthogonal"):
        a, delta = forward_sizes[title][name], backward_sizes[title][name]
        print(f"{title:5s} {name:14s} {a[0]:6.2f} {a[-1]:9.2g} {delta[-1]:13.2f} {delta[0]:8.2g}")

# %% [markdown]
# With ReLU, He and orthogonal × √2 keep both; LeCun's and Glorot's start lose both.
#
# With tanh the answer is less clear-cut than the table of section 5. From LeCun's and the orthogonal start activations
# and gradients sink to a fifth or a sixth, from He's the activations keep their size and the gradients grow threefold.
# In thirty layers, one is as good as the other. The recursion tells what happens in more. With $n\sigma^2 = 1$ tanh
# squeezes ever less, the smaller its input has become: the RMS falls as slowly as $1/\sqrt{2 l}$, and the gradient in
# like manner. With He's $n\sigma^2 = 2$ the activations settle at 0.56, and from there on each layer multiplies the
# gradient by 1.05: three or four times in 30 layers, more than a million times in 300. So $1/n$ is the largest scale at
# which nothing grows exponentially, and the recipe for tanh.
#
# And the constant start? Forward nothing seems amiss. The way back has one odd step: after the last layer, $\delta$
# drops to a thirtieth or less, and stays there. What layer 30 hands back to each of its inputs is the sum of its 1024
# gradients with equal weights $1/n$: their mean. They differ in sign, so their mean is small, and it is *the same for
# all neurons*.
#
# ## 8 · Two broken starts that look healthy
#
# ### Weights that never part
#
# If all weights of a layer are equal, all its neurons compute the same, get the same gradient, and stay the same: a
# layer of 1024 neurons is worth one. A useful instrument is therefore one that counts the *different* neurons.
#
# ### Neurons that are dead
#
# A ReLU whose input is negative for every galaxy gives 0 for every galaxy, and its slope is 0 too. No gradient reaches
# its weights: as long as what enters it does not change, it stays as it is. Such a unit is **dead**. Here a **unit** is
# a neuron or, in a convolution, a channel, which is dead if it is 0 at every place of every image. A second instrument
# measures their share.

# %% exercise="6.7"
# Exercise 6.7
def distinct_neurons(kernel, tolerance):
    """Number of different neurons (or channels) of a layer.

    Go through the neurons one by one: one counts if it differs from all that were counted before, by more than the tolerance
    in at least one weight.

    Parameters
    ----------
    kernel : array
        Its last axis counts the neurons, or the output channels of a convolution.
    tolerance : float

    Returns
    -------
    int

    Example
    -------
    Three neurons of two weights, two of them alike: distinct_neurons(np.array([[1, 2, 1], [5, 5, 5]]), 0.1) is 2.
    """
    ### BEGIN SOLUTION
    counted = []
    for neuron in kernel.reshape(-1, kernel.shape[-1]).T:
        if all(abs(neuron - other).max() > tolerance for other in counted):
            counted.append(neuron)
    return len(counted)
    ### END SOLUTION


def dead_share(activations):
    """Share of the units that give 0 for every input, at every place.

    Parameters
    ----------
    activations : (n, ..., units) array
        (n, units) of a dense layer, (n, height, width, units) of a convolution.

    Returns
    -------
    float
        From 0 to 1.

    Example
    -------
    Two galaxies, two neurons, of which the second is always 0: dead_share(np.array([[3.0, 0.0], [0.0, 0.0]])) is 0.5.
    """
    ### BEGIN SOLUTION
    everything_but_units = tuple(range(activations.ndim - 1))
    return np.mean(np.all(activations == 0, axis=everything_but_units))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.7", (distinct_neurons, dead_share))

# %% [markdown]
# First the weights. A small network learns to tell the four kinds of galaxies apart: 768 pixel values (16 × 16 in three
# bands), 32 neurons with a ReLU, four outputs. Its optimiser is **SGD**, stochastic gradient descent: each step goes
# downhill by the learning rate times the gradient. It learns three times. First, both layers start constant; then the
# hidden layer is constant and the output layer random; in the end both are random.
#
# **Predict:** How many different neurons does it have after each training?

# %%
x_train, x_validation = (stamps.binned(split.images, 16).astype("float32") for split in (data.train, data.validation))
mean, spread = x_train.mean(axis=(0, 1, 2)), x_train.std(axis=(0, 1, 2))
x_train, x_validation = (x_train - mean) / spread, (x_validation - mean) / spread
labels, validation_labels = data.train.labels, data.validation.labels


def begin(model, starts_of_layers):
    """The model with its first weights; one start serves all layers, or a list has one for each.

    What it had learnt before is forgotten: to use one model again is faster than to make and compile another.
    """
    rng = np.random.default_rng([lab.seed, 9])
    chosen = probes.weighted_layers(model)
    if not isinstance(starts_of_layers, list):
        starts_of_layers = [starts_of_layers] * len(chosen)
    for layer, start in zip(chosen, starts_of_layers, strict=True):
        layer.kernel.assign(start(tuple(layer.kernel.shape), rng))
        layer.bias.assign(np.zeros(layer.bias.shape))
    for variable in model.optimizer.variables:  # number of steps, averaged gradients
        if variable.name != "learning_rate":
            variable.assign(np.zeros(variable.shape))
    return model


def compiled(model, optimizer):
    """Ready to train on four classes."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=training.jit_compile())
    return model


def shallow():
    inputs = keras.Input(x_train.shape[1:])
    hidden = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(inputs))
    return compiled(keras.Model(inputs, layers.Dense(4)(hidden)), keras.optimizers.SGD(0.01))


constant, he = starts["constant"], starts["He"]
shallow_network = shallow()
shallow_curves = compare.train(
    {
        "both constant": lambda: begin(shallow_network, constant),
        "hidden constant, output random": lambda: begin(shallow_network, [constant, he]),
        "both random": lambda: begin(shallow_network, he),
    },
    (x_train, labels),
    (x_validation, validation_labels),
    steps=150,
    seeds=[lab.seed],
    watch=lambda model: distinct_neurons(keras.ops.convert_to_numpy(model.get_layer("hidden").kernel), 1e-5),
)
for name, curve in shallow_curves.items():
    before, after = curve.watched[0]
    print(f"{name}: {before} different neurons of 32 before, {after} after; accuracy {curve.validation_accuracy[0, -1]:.2f}")

# %% [markdown]
# Where both layers start constant, the 32 neurons are copies and stay copies, however long you train, and the network
# can do no more than one with a single neuron. The second case is instructive: random output weights are enough, for
# they hand a different gradient to each neuron. It is the *symmetry* that must be broken. (A late start it is, all the
# same: after so few steps the accuracy is behind that of the third.) Zero biases break none, and need not.
#
# **Think:** Between a random first and a random last layer lie two constant ones. Do the neurons of these two part?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Those of the second do, thanks to the random layer behind them. Those of the first do not: they are equal, so they
# hand equal values to the second; and each neuron of the second, whatever its own gradient, treats its inputs alike, so
# that the gradients which come back to the first are equal too, after every step. The neurons of a layer part if the
# weights differ with which they look at the layer before (the columns of their own matrix), or those with which the
# next layer takes them up (the rows of its matrix). The second layer's columns do part in training; its rows never do.
# Two constant layers in a row are one too many.
#
# </details>

# %% [markdown]
# Only those of the second. Neurons part if the weights differ with which they look at the layer before, or those with
# which the next layer takes them up; and the second layer takes up all neurons of the first alike.
#
# Now the dead. In the stack of section 7 with He's start, nothing has been trained.

# %%
def cosines(activations):
    """Cosine of the angle between each pair of galaxies."""
    unit = activations / np.linalg.norm(activations, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


print("layer   dead neurons   cosine between two galaxies, median")
for number in (1, 2, 5, 10, 20, 30):
    print(f"{number:5d} {dead_share(he_layers[number - 1]):11.1%} {np.median(cosines(he_layers[number - 1])):22.2f}")

low, middle, high = np.array([np.percentile(cosines(a), (5, 50, 95)) for a in [x, *he_layers]]).T
figure, axis = plt.subplots(figsize=(7, 3.2))
axis.fill_between(range(n_layers + 1), low, high, alpha=0.25, label="nine of ten pairs")
axis.plot(range(n_layers + 1), middle, "o-", markersize=4, label="median")
axis.set(xlabel="after this layer (0: the galaxies themselves)", ylabel="cosine of the angle", ylim=(None, 1))
axis.legend(loc="lower right");

# %% [markdown]
# *Figure: cosine of the angle between two galaxies, after each layer of He's start with ReLU; 1 is the same direction.*
# He keeps the *size* of the activations and not the *difference* between galaxies: deep inside, all galaxies point in
# nearly the same direction. A neuron is then on for all of them or off for all of them, which is why the share of dead
# ones grows. More depth makes this worse, not better. Labs 07 and 08 are about two ways out.
#
# Training can kill as well: one step that is too large pushes a neuron's weights to where no galaxy reaches it. Three
# times the same network with two hidden layers learns for 60 steps. Its optimiser is **Adam**, which divides the
# gradient of each weight by its usual size, so that its steps are about as large as the learning rate, whatever the
# gradient.

# %%
def two_hidden_layers():
    inputs = keras.Input(x_train.shape[1:])
    hidden = layers.Dense(128, activation="relu", name="first")(layers.Flatten()(inputs))
    hidden = layers.Dense(128, activation="relu", name="second")(hidden)
    return compiled(keras.Model(inputs, layers.Dense(4)(hidden)), keras.optimizers.Adam())


two_hidden = two_hidden_layers()


def with_rate(rate):
    two_hidden.optimizer.learning_rate = rate
    return begin(two_hidden, he)


def dead_in_hidden_layers(model):
    hidden = [model.get_layer("first"), model.get_layer("second")]
    return [dead_share(values) for values in probes.activations(model, x_validation, hidden).values()]


rate_curves = compare.train(
    {f"learning rate {rate}": lambda rate=rate: with_rate(rate) for rate in (0.001, 0.01, 0.1)},
    (x_train, labels),
    (x_validation, validation_labels),
    steps=60,
    seeds=[lab.seed],
    watch=dead_in_hidden_layers,
)
for name, curve in rate_curves.items():
    before, after = (" and ".join(f"{share:.0%}" for share in found) for found in curve.watched[0])
    print(f"{name}: dead in the two hidden layers {before} before, {after} after 60 steps", end="; ")
    print(f"accuracy {curve.validation_accuracy[0, -1]:.2f}")

# %% [markdown]
# The middle rate has killed about half of the first layer and still learns something; with the largest hardly anything
# is left, and the network can do nothing but guess. When a loss stands still, count the dead, and think of the learning
# rate.
#
# ## 9 · The same network from each start
#
# So far no network has gone deep and learnt. This one has twelve convolutions of 16 channels, a dense layer, and
# nothing of what labs 07 and 08 will bring to its help. It is trained from each start, on the same galaxies in the same
# order, for 250 steps of 32 galaxies. The optimiser is SGD with **momentum**: instead of the last gradient it
# takes a sum over the last ten or so, so it still feels how large a gradient is. The output layer gets a tenth of each
# start, so that a network whose activations have a sound size begins by guessing.
#
# We compare accuracies on the validation set and leave the test set alone; nothing here is a final result.
#
# **Predict:** Sketch the six curves of the training loss. At which value do they begin?

# %%
steps = 250


def deep():
    x = inputs = keras.Input(x_train.shape[1:])
    for number in range(12):
        x = layers.Conv2D(16, 3, padding="same", name=f"convolution_{number + 1}")(x)
        x = layers.ReLU()(x)  # a layer of its own, so that we can also look at what enters it
        if number == 0:
            x = layers.MaxPooling2D(2)(x)
    outputs = layers.Dense(4, name="output")(layers.Flatten()(x))
    rate = keras.optimizers.schedules.CosineDecay(0.003, steps)  # sinks to 0 along half a cosine
    return compiled(keras.Model(inputs, outputs), keras.optimizers.SGD(rate, momentum=0.9))


deep_network = deep()


def deep_from(start):
    return begin(deep_network, [start] * 12 + [lambda shape, rng: 0.1 * start(shape, rng)])


def gradients_by_layer(model):
    return list(probes.gradient_norms(model, x_train[:64], labels[:64]).values())


def orthogonal_relu(shape, rng):
    return np.sqrt(2) * orthogonal(shape, rng)


cnn_starts = {**starts, "orthogonal": orthogonal_relu}
cnn_starts["Glorot"] = cnn_starts.pop("LeCun, Glorot")
curves = compare.train(
    {name: lambda start=start: deep_from(start) for name, start in cnn_starts.items()},
    (x_train, labels),
    (x_validation, validation_labels),
    steps=steps,
    every=50,
    seeds=[lab.seed],
    watch=gradients_by_layer,
)

# %%
plotting.training_curves(curves)
plt.gcf().axes[0].set_ylim(0, 2.2);

# %% [markdown]
# *Figure: training loss (mean of the last 20 steps) and validation accuracy of the same network from six starts.* He
# and orthogonal learn. The others stand at $\ln 4 = 1.386$, the loss of someone who knows nothing, or close to it: σ =
# 0.01 and the constant start for good, Glorot's for nearly as long as we have waited. (Should the accuracy of one jump
# while its loss stands still, that is chance: where all galaxies have nearly the same four outputs, a trifle decides
# which is the largest.) σ = 1 has no line, only a cross at step 0 of the accuracy: its first loss is a number with ten
# digits or more, and after one step it is `nan`.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), sharey=True)
for axis, when, title in ((axes[0], 0, "before training"), (axes[1], 5, "after 250 steps")):
    norms = {name: curve.watched[0][when] for name, curve in curves.items() if len(curve.watched[0]) > when}
    colours = {name: {"color": colour} for name, colour in zip(curves, plotting.COLOURS, strict=False)}
    plotting.by_layer(norms, "norm of the gradient" if when == 0 else "", axis, colours)
    axis.set(title=title, ylim=(1e-17, 1e15))
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper");

# %% [markdown]
# *Figure: length of the gradient with respect to the weights of each layer (the thirteenth is the output), before and
# after training; a line is missing where the gradient is 0 or the training broke off.* From He's start and the
# orthogonal one it begins with some hundredths or tenths and has grown to 1 or so when training ends, in all layers
# alike. Glorot's begins fifty to a hundred times smaller: a factor √2 from each layer of 16 channels, 2.5 from the
# first, which has 3 bands and fewer inputs than outputs. σ = 1 begins with more than $10^{10}$, and σ = 0.01 with
# $10^{-13}$ or less: nothing but biases can move there, and with biases alone a network learns how frequent the classes
# are.
#
# The lines are flat, even those of bad starts. The gradient for $W_l$ is $a_{l-1}^\mathsf T \delta_l$: from layer to
# layer $a$ shrinks one way and $\delta$ the other way, and their product is equally small everywhere.
#
# Only the constant start has a step: about 1 at the output, and below it no more than rounding errors.
#
# **Think:** Where has its gradient gone? (With the loss of a classifier, the gradient with respect to the four outputs
# is the four predicted probabilities, minus 1 for the true class.) Once it has come back, why does the network still
# not learn?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The four probabilities sum to 1, so the four gradients sum to 0. What the output layer hands back is a sum of the four
# with its weights, and these are equal: 0, whatever the galaxy. The first steps change the output's own weights. From
# then on they differ from class to class, and a gradient comes back. But it is the same for all 16 channels of a layer,
# which have the same kernels. They are copies and stay copies, and the network can do what one with a single channel in
# each layer could do.
#
# </details>

# %% [markdown]
# The gradients of the four outputs sum to 0, and equal weights hand back nothing but their sum. When the output's
# weights have parted, a gradient comes back, the same for all 16 channels of a layer: they are copies and learn as one
# neuron, section 8.
#
# What does He's start give in the real network?

# %%
untrained = probes.statistics(probes.activations(deep_from(he), x_train[:200]))
print("RMS of what enters each ReLU:", " ".join(f"{value:.2f}" for value in untrained["rms"][:-1]))

# %% [markdown]
# By the recipe it should stay at √2, from which the ReLU makes 1. It wanders. Sixteen channels are few: the factor of a layer scatters about its mean, and a product of twelve such
# factors scatters a good deal.
#
# **Think:** There is also a drift, which the scatter may hide. He's derivation counts $n = 3 \cdot 3 \cdot 16$ inputs
# for every neuron. Which neurons have fewer?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Those at the border: their kernels reach over the edge, where padding puts zeros. In an image of 8 × 8 pixels 28 of
# the 64 places are at the border, and on average a neuron has $(22/24)^2 = 84\,\%$ of the nine places. On average over
# many draws, the mean square sinks by that factor in each layer.
#
# </details>

# %% [markdown]
# Those at the border, where padding puts zeros: a formula for $n$ inputs does not know about that. Hold the thought
# until section 11.
#
# ## 10 · Scale and learning rate
#
# Can a better learning rate not make up for a bad start? Here is a map. A dense network with ten hidden layers of 64
# neurons starts from He's weights times a factor, and is trained for 50 steps with a given learning rate, 42 times with
# plain SGD and 42 times with Adam, which hardly notices how large gradients are.
#
# **Predict:** Where on the map of SGD can one learn? Is the map of Adam different?

# %%
factors = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
optimisers = {
    "SGD": (keras.optimizers.SGD(0.01), (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)),
    "Adam": (keras.optimizers.Adam(0.01), (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)),
}


def loss_map(optimiser, rates):
    """Training loss after 50 steps: (factors, rates) array; inf or nan where it overflowed."""
    h = inputs = keras.Input(x_train.shape[1:])
    h = layers.Flatten()(h)
    for _ in range(10):
        h = layers.Dense(64, activation="relu")(h)
    model = compiled(keras.Model(inputs, layers.Dense(4)(h)), optimiser)
    found = np.full((len(factors), len(rates)), np.nan)
    for row, column in np.ndindex(found.shape):
        begin(model, lambda shape, rng, factor=factors[row]: factor * he(shape, rng))
        optimiser.learning_rate = rates[column]
        losses = []
        for chosen in compare.batches(len(labels), 64, 50, seed=lab.seed):
            losses.append(model.train_on_batch(x_train[chosen], labels[chosen], return_dict=True)["loss"])
            if not np.isfinite(losses[-1]):
                break
        found[row, column] = np.mean(losses[-15:])
    return found


maps = {name: loss_map(optimiser, rates) for name, (optimiser, rates) in optimisers.items()}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 4), sharey=True)
for axis, (name, losses) in zip(axes, maps.items(), strict=True):
    picture = axis.imshow(np.where(np.isfinite(losses), losses, np.nan), cmap="viridis_r", vmin=0.7, vmax=1.5, aspect="auto")
    for (row, column), value in np.ndenumerate(losses):
        text = f"{value:.2f}" if value < 10 else "large" if np.isfinite(value) else "nan"
        axis.text(column, row, text, ha="center", va="center", fontsize="small", color="white" if 1.2 < value < 1e9 else "black")
    axis.set_xticks(range(len(losses[0])), optimisers[name][1], rotation=40)
    axis.set_yticks(range(len(factors)), factors)
    axis.set(title=name, xlabel="learning rate")
axes[0].set_ylabel("weights, as multiples of He's")
figure.colorbar(picture, ax=axes, label="training loss (nats)");

# %% [markdown]
# *Figure: training loss at the end of 50 steps, for seven scales of the first weights and six learning rates, with SGD
# and with Adam; dark is bad, 1.39 is no knowledge at all.* With SGD one learns on an island around He's scale, and it
# is tilted: smaller weights want larger steps, larger ones smaller steps. Off the island no learning rate helps. (Where
# a 1.39 stands among the `nan`s, the neurons died before the loss could overflow. A **nat** is the unit of a loss with
# the natural logarithm.) Adam widens the island. The row 0.7 is Glorot's recipe: SGD learns little from it, Adam nearly
# as much as from He's. At a quarter of He's weights Adam is as lost as SGD, for larger steps cannot make up for what
# does not arrive at the output. At 1.4 times He's large steps repair some of the harm; at twice and four times, the
# loss is enormous with each of the learning rates.
#
# So Adam *hides* a poor start, in networks that are not too deep. That is how one gets away with Glorot's recipe for
# ReLUs.
#
# ## 11 · Measure instead of calculating
#
# All recipes rest on assumptions: no padding, the right activation, a number of inputs. There is a way that needs none
# of these. Send a batch of galaxies through the first layer, measure the standard deviation of $h$, what enters the
# activation, and divide the weights by it. Then the second layer, with what the *rescaled* first layer gives; and so on
# (Mishkin & Matas 2016 start so, from orthogonal weights).
#
# Section 3 warned of variances: what *leaves* a ReLU has a mean. What *enters* it, taken over all neurons, has a mean
# near 0, since the weights have; so its standard deviation is its RMS, but for a little, and we follow the paper.

# %% exercise="6.8"
# Exercise 6.8
def rescale(weights, x, activation):
    """Scale each layer's weights so that what enters its activation has standard deviation 1.

    Parameters
    ----------
    weights : list of (n_{l-1}, n_l) arrays
        Of a dense stack. They stay as they are.
    x : (n, n_0) array
        A batch of inputs.
    activation : function

    Returns
    -------
    list of arrays
        The weights, each layer multiplied by one number, such that the standard deviation of h = a W over all inputs and
        neurons is 1 in each layer.

    Example
    -------
    One layer, h = 3 and −3, with a standard deviation of 3: rescale([np.array([[3.0]])], np.array([[1.0], [-1.0]]), np.tanh)
    is [array([[1.0]])].
    """
    ### BEGIN SOLUTION
    rescaled = []
    a = x
    for w in weights:
        w = w / np.std(a @ w)
        rescaled.append(w)
        a = activation(a @ w)
    return rescaled
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("6.8", rescale)

# %%
sizes = {"σ = 0.01, ReLU": forward_sizes["ReLU"]["σ = 0.01"], "σ = 0.01, tanh": forward_sizes["tanh"]["σ = 0.01"]}
for title, activation in activation_functions.items():
    mended = rescale(stack_with(0.01), x, activation)
    sizes[f"σ = 0.01, rescaled, {title}"] = [probes.rms(a) for a in forward(x, mended, activation)]
    spreads = [w.std() * np.sqrt(n_neurons) for w in mended]
    print(f"{title}: the weights end with n σ² = {spreads[1] ** 2:.2f} in layer 2, {spreads[-1] ** 2:.2f} in layer 30")
plotting.by_layer(sizes, "RMS of the activations")
plt.legend();

# %% [markdown]
# *Figure: RMS of the activations in each layer, from σ = 0.01 and from the same start after rescaling on 100 galaxies.*
# Flat. And look at the printed numbers. For the ReLU the measurement found He's 2 by itself. For tanh it found 2.5,
# which no recipe has: with a standard deviation of 1 we asked it to enter the tanh where that bends. Measured forward,
# this is as good as any.
#
# **Predict:** And backward? (Section 7: where $n\sigma^2$ is 2, a tanh makes gradients grow by 5 % in each layer.)

# %%
for title, activation in activation_functions.items():
    _, deltas = both_ways(rescale(stack_with(0.01), x, activation), title)
    print(f"{title}: RMS of δ in layer 30 {probes.rms(deltas[-1]):.2f}, in layer 1 {probes.rms(deltas[0]):.2f}")

# %% [markdown]
# With ReLU the gradients keep their size. With tanh they grow about tenfold. No harm is done in thirty layers; but who
# measures forward alone knows about forward alone.
#
# Now the convolutional network of section 9, with the start that could not learn.

# %%
def rescaled_network():
    model = deep_from(starts["σ = 0.01"])
    for layer in probes.weighted_layers(model)[:-1]:
        (entering,) = probes.activations(model, x_train[:200], [layer]).values()
        layer.kernel.assign(layer.kernel / np.std(entering))
    return model


untrained = probes.statistics(probes.activations(rescaled_network(), x_train[:200]))
print("Standard deviation of what enters each ReLU:", " ".join(f"{value:.2f}" for value in untrained["std"][:-1]))
curves |= compare.train(
    {"σ = 0.01, rescaled": rescaled_network},
    (x_train, labels),
    (x_validation, validation_labels),
    steps=steps,
    every=50,
    seeds=[lab.seed],
    watch=gradients_by_layer,
)
chosen = ("σ = 0.01", "σ = 0.01, rescaled", "He")
plotting.training_curves({name: curves[name] for name in chosen});

# %% [markdown]
# *Figure: training loss and validation accuracy from σ = 0.01, from the same weights after rescaling, and from He's
# start.* Twelve numbers, one for each convolution, are all that was changed, and the network that could not learn
# learns.
#
# **Think:** The rescaling holds at the start. After a hundred steps the weights have changed. What would you do?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Measure and divide again, in every step, for every batch: make it a part of the network. That is batch normalisation,
# lab 07.
#
# </details>

# %% [markdown]
# One could measure and divide again in every step. Lab 07 does: it is called batch normalisation.
#
# ## What you measured
#
# Beside each of your values stands the band in which 99 of 100 runs with other seeds should fall, as estimated from five
# (wide, where five differ much), and the aim that the mean of the five had to meet.

# %%
he_line, small_line, one_line = (np.array(forward_sizes["ReLU"][name]) for name in ("He", "σ = 0.01", "σ = 1"))
he_back, small_back = (np.array(backward_sizes["ReLU"][name]) for name in ("He", "σ = 0.01"))
accuracy = {name: curve.validation_accuracy[0, -1] for name, curve in curves.items()}
results.record(
    "06",
    he_spread=he_line[-1] / he_line[0],
    small_spread=small_line[-1] / small_line[0],
    overflow_layer=1 + np.flatnonzero(~np.isfinite(one_line))[0],
    he_gradient=he_back[0] / he_back[-1],
    small_gradient=small_back[0] / small_back[-1],
    he_accuracy=accuracy["He"],
    orthogonal_accuracy=accuracy["orthogonal"],
    glorot_accuracy=accuracy["Glorot"],
    small_accuracy=accuracy["σ = 0.01"],
    constant_accuracy=accuracy["constant"],
    rescaled_accuracy=accuracy["σ = 0.01, rescaled"],
)
results.table("06")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - A deep network is a product. Each layer multiplies the mean square by $n \sigma^2$ and by the share that the
#   activation lets through, forward and back; any factor but 1 becomes huge, or nothing, by the power of the depth.
# - ReLU: He. tanh: Glorot, the largest scale at which gradients do not explode. Keras takes Glorot for everything unless you say `kernel_initializer="he_normal"`.
# - Size is not all. Look at gradients, at dead units, at copies, at the angle between two galaxies; and when in doubt,
#   measure and divide.
#
# **Where to go on:** lab 07 normalises in every step, lab 08 builds a way around each block, so that the product has a
# 1 in it.
#
# **Stretch tasks**
#
# 1. **The edge of chaos.** For tanh, plot $n \sigma^2 \langle \varphi'^2 \rangle$ at the fixed point of the recursion
#    against $n \sigma^2$. Where is it 1? What happens to the cosine between two galaxies on either side (Schoenholz et
#    al. 2017)?
# 2. **The angle.** Derive how a layer with ReLU changes the cosine between two galaxies (Cho & Saul 2009), and draw it
#    into the figure of section 8.
# 3. **Half precision.** Numbers of 16 bits end at 65 504. At which layer does He's start, times 1.4, overflow? Why do
#    people scale the loss by 1000 or more when they train in half precision?
# 4. **Leaky ReLU.** It keeps a slope of $\alpha$ on the negative side. Which variance does it need? Check it with
#    `mean_square`.
# 5. **Zero.** Start the *last* layer with zeros and the rest with He. Does the network learn? Why may this be a good
#    idea?
#
# **References**
#
# - Cho & Saul 2009, NIPS 22: Kernel methods for deep learning.
# - Glorot & Bengio 2010, PMLR 9, 249: Understanding the difficulty of training deep feedforward neural networks.
# - He, Zhang, Ren & Sun 2015, ICCV, 1026: Delving deep into rectifiers.
# - LeCun, Bottou, Orr & Müller 1998, in: Neural Networks: Tricks of the Trade, 9: Efficient BackProp.
# - Mezzadri 2007, Notices of the AMS 54, 592: How to generate random matrices from the classical compact groups.
# - Mishkin & Matas 2016, ICLR: All you need is a good init.
# - Saxe, McClelland & Ganguli 2014, ICLR: Exact solutions to the nonlinear dynamics of learning in deep linear neural
#   networks.
# - Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, ICLR: Deep information propagation.
