# %% [markdown]
# # 07 · Batch normalisation
#
# **Question:** Lab 06 chose weights so that activations begin with the right size. What happens if the network sets that
# size anew in every step, from the galaxies it has just been given?
#
# **You build:** batch normalisation, forward for training and for inference, its way back by hand with the instrument that
# checks it, a Keras layer, group normalisation beside it, and a convolution that swallows it.
#
# **Time:** 240 minutes of work, 2 minutes of CPU · **Before:** labs 03, 06 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/07_batch_norm.ipynb)
#
# **Papers:** Ioffe & Szegedy 2015, ICML, 448; Santurkar et al. 2018, NeurIPS 31 (why it works); Wu & He 2018, ECCV, 3
# (group normalisation)

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

lab.start("07")

# %% tags=["imports"]
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from utils import compare, datasets, plotting, probes, results, stamps, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · The same thirty layers, with one line more
#
# Lab 06 began with a galaxy that went through 30 untrained convolutions. With kernels of standard deviation σ = 0.01 its
# values faded away, with σ = 0.3 they exploded. Here are both again. In the two rows below them one line has been added
# between convolution and ReLU: from each channel its mean is subtracted, and what remains is divided by its standard
# deviation. Mean and standard deviation are taken over all places of 16 galaxies that go through together, a **batch**.
# The picture shows one galaxy of the 16.
#
# **Predict:** In what will the two last rows differ?

# %% tags=["showcase"]
data = datasets.load("morphology", seed=lab.seed)
spiral = stamps.large_spiral(data.train)
batch = stamps.binned(data.train.images[[spiral, *range(15)]], 32)
batch = ((batch - batch.mean()) / batch.std()).astype("float32")

shown, pictures, titles = (1, 5, 10, 20, 30), [], []
for normalised in (False, True):
    for sigma in (0.01, 0.3):
        rng = np.random.default_rng([lab.seed, 6])
        images = batch
        pictures.append(images[0, :, :, 1])
        titles.append(f"σ = {sigma}{', normalised' if normalised else ''}\nRMS {probes.rms(images[0]):.1f}")
        for number in range(1, 31):
            kernel = np.float32(sigma) * rng.standard_normal((3, 3, images.shape[-1], 16), "float32")
            images = keras.ops.convert_to_numpy(keras.ops.conv(images, kernel, padding="same"))
            if normalised:
                images = (images - images.mean(axis=(0, 1, 2))) / images.std(axis=(0, 1, 2))
            images = np.maximum(images, 0)
            if number in shown:
                pictures.append(images[0, :, :, np.argmax(images[0].std(axis=(0, 1)))])
                titles.append(f"layer {number}\nRMS {probes.rms(images[0]):.1g}")
plotting.gallery(pictures, titles, columns=6, size=1.5);

# %% [markdown]
# *Figure: a galaxy and its channel of the largest contrast after 1, 5, 10, 20 and 30 layers, for σ = 0.01 and 0.3, without
# (upper two rows) and with normalisation (lower two).* The two last rows are the same, picture by picture and number by
# number. The scale of the weights has no say any more: a kernel that is 30 times larger makes the channel 30 times larger,
# its standard deviation too, and the division takes it out again. (Deep inside, the galaxy is no longer to be seen: what is
# the same everywhere is taken out in every layer, what differs from place to place is kept and blown up. Section 7 comes back
# to that.) That one line is **batch normalisation** (Ioffe & Szegedy 2015), batch norm for short.
#
# Most convolutional networks of the years that followed have it. It also has a price, which the picture hides: what a
# network makes of one galaxy now hangs on the fifteen others. You will pay that price in sections 9 and 10.
#
# ## 2 · The formula
#
# Take one unit, a neuron or a channel. Over a batch, it receives the values $x_1 \dots x_n$. Batch norm makes of them
#
# $$\mu = \frac1n \sum_i x_i, \qquad v = \frac1n \sum_i (x_i - \mu)^2, \qquad
# \hat x_i = \frac{x_i - \mu}{\sqrt{v + \epsilon}}, \qquad y_i = \gamma\, \hat x_i + \beta .$$
#
# - $\mu$ and $v$ are mean and variance of *this* unit over *this* batch. The variance has $n$ below it, not $n - 1$.
# - $\epsilon$, a small number such as 0.001, stands **under the root**. A unit that is the same for all galaxies has $v =
#   0$, and without $\epsilon$ it would be divided by 0.
# - $\gamma$ and $\beta$ are learnt, one of each for each unit. They begin at 1 and 0. With them the network can choose any
#   mean and spread for the unit; even undo the normalisation, if that helps.
#
# First for a dense layer: a row for each galaxy, a column for each unit.

# %% exercise="7.1"
# Exercise 7.1
def batch_norm(x, gamma, beta, epsilon):
    """Batch normalisation of a dense layer, as in training.

    Parameters
    ----------
    x : (n, units) array
        A row for each galaxy of the batch.
    gamma, beta : (units,) arrays
    epsilon : float
        Added to the variance, under the root.

    Returns
    -------
    (n, units) array

    Example
    -------
    Two galaxies, one unit: batch_norm(np.array([[1.0], [5.0]]), np.array([3.0]), np.array([10.0]), 0.0) is [[7.0], [13.0]]:
    mean 3, variance 4, so that x̂ is −1 and 1.
    """
    ### BEGIN SOLUTION
    mean, variance = x.mean(axis=0), x.var(axis=0)
    normalised = (x - mean) / np.sqrt(variance + epsilon)
    return gamma * normalised + beta
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.1", batch_norm)

# %% [markdown]
# Now on galaxies: 64 of them, 768 pixel values each (16 × 16 in three bands), through one dense layer of 200 neurons. Its
# weights are He's, times a factor that should not matter.

# %%
x_train, x_validation = (stamps.binned(split.images, 16).astype("float32") for split in (data.train, data.validation))
mean, spread = x_train.mean(axis=(0, 1, 2)), x_train.std(axis=(0, 1, 2))
x_train, x_validation = (x_train - mean) / spread, (x_validation - mean) / spread
labels, validation_labels = data.train.labels, data.validation.labels

rows = x_train[:64].reshape(64, -1)
weights = np.random.default_rng([lab.seed, 1]).normal(0, np.sqrt(2 / rows.shape[1]), size=(rows.shape[1], 200))
one, zero = np.ones(200), np.zeros(200)
print("factor    spread of what enters    after batch norm, ε = 0.001: spread, change to factor 1")
for factor in (0.001, 0.01, 0.1, 1, 100):
    entering = rows @ (factor * weights)
    leaving = batch_norm(entering, one, zero, 1e-3)
    change = probes.rms(leaving - batch_norm(rows @ weights, one, zero, 1e-3))
    print(f"{factor:6g} {entering.std():19.3g} {leaving.std():34.3g} {change:10.1g}")

# %% [markdown]
# A factor of 100 is not noticed, and one of 0.1 hardly. For the smallest factors $\epsilon$ gets the upper hand: a unit with
# a variance far below $\epsilon$ is treated as a constant. Who starts with σ = 0.01 in a deep network should know that.
#
# ## 3 · Which axes?
#
# In a convolution, the unit is the **channel**: the same kernel at every place. So mean and variance of a channel are taken
# over the galaxies *and* over rows and columns, and there is one γ and one β for each channel, not for each pixel. In
# Keras the channels are on the last axis: (n, height, width, channels).
#
# This is where real code goes wrong. The published network of DeepMerge (Ćiprijanović et al.; lab 11) has convolutions of
# 8, 16 and 32 channels, each with batch norm. One of its notebooks keeps the channels on axis 1, and leaves batch norm at
# its default, the last axis, where the columns of the image are. No error is raised. Its summary counts 260 numbers that
# are not trainable, moving means and variances of 75, 37 and 18 *columns*. It should be 2 · (8 + 16 + 32) = 112.
#
# (NumPy takes a tuple of axes, no list: `x.mean(axis=(0, 1))`. The number of axes is `x.ndim`.)

# %% exercise="7.2"
# Exercise 7.2
def moments(x):
    """Mean and variance of each channel over a batch.

    Parameters
    ----------
    x : (n, ..., channels) array
        (n, units) of a dense layer, (n, length, channels) of spectra, (n, height, width, channels) of images.

    Returns
    -------
    mean, variance : (channels,) arrays
        Over all axes but the last.

    Example
    -------
    One image of two pixels and two channels: for x = np.array([[[[1.0, 5.0], [3.0, 5.0]]]]), of shape (1, 1, 2, 2),
    moments(x) is (array([2.0, 5.0]), array([1.0, 0.0])).
    """
    ### BEGIN SOLUTION
    all_but_the_last = tuple(range(x.ndim - 1))
    return x.mean(axis=all_but_the_last), x.var(axis=all_but_the_last)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.2", moments)

# %% [markdown]
# Beside the library. Keras' layer says which numbers it holds; put the channels in the wrong place and it says so too, if
# you ask.

# %%
for where, shape in (("the last axis", (75, 75, 8)), ("axis 1, not told", (8, 75, 75))):
    norm = layers.BatchNormalization()
    norm.build((None, *shape))
    held = {weight.name: tuple(weight.shape) for weight in norm.weights}
    print(f"8 channels on {where}: {held}")
sample = x_train[:32]
yours = moments(sample)
theirs = [keras.ops.convert_to_numpy(m) for m in keras.ops.moments(sample, axes=(0, 1, 2))]
apart = max(abs(a - b).max() for a, b in zip(yours, theirs, strict=True))
print(f"largest difference from keras.ops.moments: {apart:.0e}")

# %% [markdown]
# ## 4 · One galaxy alone
#
# The network is trained, and tonight the telescope sends one galaxy. Over which batch should its mean be taken? In a dense
# layer, the mean of a batch of one is the galaxy itself: $\hat x = 0$, and each galaxy gets $\beta$.
#
# So in **inference**, when the network is used and not trained, no mean is taken at all. One needs a fixed mean and
# variance for each unit, those of the training set, as the units are *now*. Since the weights change in every step, the
# usual way is to keep a **moving average** while training: after each batch
#
# $$\text{moving} \leftarrow m \cdot \text{moving} + (1 - m) \cdot \text{batch},$$
#
# once for the mean, beginning with 0, and once for the variance, beginning with 1. The number $m$ is called **momentum** and
# is 0.99 in Keras. (In PyTorch, `momentum=0.1` means $m = 0.9$, and its moving variance has $n - 1$ below. Both are
# frequent sources of confusion.)
#
# **Predict:** With $m = 0.99$, how many steps does it take until the start, 0 and 1, counts for less than 1 %?

# %% exercise="7.3"
# Exercise 7.3
def update_moving(moving, batch, momentum):
    """The moving average after one more batch.

    Parameters
    ----------
    moving, batch : (units,) arrays
        What is known so far, and what the new batch says.
    momentum : float

    Returns
    -------
    (units,) array

    Example
    -------
    update_moving(np.array([1.0]), np.array([3.0]), 0.9) is [1.2].
    """
    ### BEGIN SOLUTION
    return momentum * moving + (1 - momentum) * batch
    ### END SOLUTION


def inference(x, moving_mean, moving_variance, gamma, beta, epsilon):
    """Batch normalisation as the trained network uses it.

    Parameters
    ----------
    x : (n, ..., units) array
    moving_mean, moving_variance, gamma, beta : (units,) arrays
    epsilon : float

    Returns
    -------
    array of the shape of x

    Example
    -------
    inference(np.array([[5.0]]), np.array([1.0]), np.array([4.0]), np.array([3.0]), np.array([10.0]), 0.0) is [[16.0]].
    """
    ### BEGIN SOLUTION
    return gamma * (x - moving_mean) / np.sqrt(moving_variance + epsilon) + beta
    ### END SOLUTION


def steps_to_forget(momentum, share):
    """Number of updates after which the start counts for no more than this share of a moving average.

    Parameters
    ----------
    momentum : float
    share : float

    Returns
    -------
    int

    Example
    -------
    With momentum 0.5 the start counts for 1/2, 1/4, 1/8 after 1, 2, 3 updates: steps_to_forget(0.5, 0.2) is 3.
    """
    ### BEGIN SOLUTION
    return int(np.ceil(np.log(share) / np.log(momentum)))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.3", (update_moving, inference, steps_to_forget))

# %% [markdown]
# Watch it on 200 neurons such as those above, with weights three times as large, so that their variance is about 8 and the
# start, 1, is far off. Nothing is trained; batch after batch of 32 galaxies goes through, and two moving averages of the
# variance, with $m = 0.9$ and $0.99$, approach what the whole training set says.

# %%
entering = x_train.reshape(len(x_train), -1) @ (3 * weights)
true_variance = moments(entering)[1]
figure, axis = plt.subplots(figsize=(7, 3.6))
for momentum in (0.9, 0.99):
    moving, line = np.ones(200), []
    for chosen in compare.batches(len(entering), 32, 600, seed=lab.seed):
        moving = update_moving(moving, moments(entering[chosen])[1], momentum)
        line.append(np.median(moving / true_variance))
    forgotten = steps_to_forget(momentum, 0.01)
    axis.plot(range(1, 601), line, label=f"m = {momentum}: start forgotten to 1 % after {forgotten} steps")
    axis.axvline(forgotten, color=axis.lines[-1].get_color(), linestyle=":", linewidth=1)
axis.axhline(1, color="black", linewidth=1)
axis.set(xlabel="batches of 32 galaxies", ylabel="moving variance / true variance", ylim=(0, 1.5))
axis.legend(loc="lower right");

# %% [markdown]
# *Figure: moving variance, divided by the variance over all training galaxies (median over 200 neurons), against the number
# of batches; dotted, where the start has sunk to 1 %.* A trade: 0.9 is there at once and jitters, since it remembers some
# ten batches; 0.99 is steady and takes hundreds of steps. A large network that trains for 100 000 steps does not care. You,
# with 200 steps, will.
#
# (Both settle 3 % too low, and for good: a variance with $n$ below it, taken about the batch's own mean, is on average $(n -
# 1)/n = 31/32$ of the true one. With $n - 1$ below, as in PyTorch's moving variance, it is right.)
#
# ## 5 · The way back
#
# Training needs the slope of the loss with respect to $x$, to γ and to β. Before you derive it, build the instrument that
# will tell whether you are right.
#
# ### A gradient by trying
#
# The slope of a function with respect to one number is what a small change of this number does, divided by the change. Go
# a step $h$ to **both** sides:
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2 h},$$
#
# where $e_i$ is 1 at place $i$ and 0 elsewhere. The error sinks with $h^2$ (to one side only, with $h$), and for a parabola
# there is none. It is slow, two calls for each number. But it cannot be wrong in the way a derivation can.
#
# (A loop over `np.ndindex(x.shape)` runs through all places of an array of any shape, and `x[place]` is the number there.
# Writing `y = x` makes no new array, only a second name for the same one.)

# %% exercise="7.4"
# Exercise 7.4
def numeric_gradient(function, x, step=1e-5):
    """Slopes of a function by central differences.

    Parameters
    ----------
    function : callable
        From an array of the shape of x to one number.
    x : array of any shape
        It stays as it is. It may hold whole numbers; the steps are taken in double precision.
    step : float
        To both sides.

    Returns
    -------
    array of the shape of x

    Example
    -------
    numeric_gradient(lambda x: x[0] ** 2 + 5 * x[1], np.array([3.0, 1.0])) is [6.0, 5.0].
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.astype(float), x.astype(float)
        up[place] += step
        down[place] -= step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.4", numeric_gradient)

# %% [markdown]
# ### By hand
#
# Let $\delta_i$ be the slope of the loss with respect to $y_i$, which comes from the layer behind. Since $y_i = \gamma \hat
# x_i + \beta$, what arrives at $\hat x_i$ is $g_i = \gamma\, \delta_i$; and γ and β, which serve all $n$ values, collect
#
# $$\frac{\partial L}{\partial \gamma} = \sum_i \delta_i\, \hat x_i, \qquad \frac{\partial L}{\partial \beta} = \sum_i
# \delta_i .$$
#
# For $x_i$ there are **three ways** to the loss, with $s = \sqrt{v + \epsilon}$:
#
# 1. straight: $\hat x_i = (x_i - \mu)/s$ changes by $1/s$;
# 2. through the variance: $\partial v / \partial x_i = 2 (x_i - \mu) / n$, and $v$ changes *all* $\hat x_j$, by
#    $-\tfrac12 (x_j - \mu)\, s^{-3}$;
# 3. through the mean: $\partial \mu / \partial x_i = 1/n$, and $\mu$ changes all $\hat x_j$, by $-1/s$. (It changes $v$ as
#    well, by $-\tfrac2n \sum_j (x_j - \mu)$, which is 0.)
#
# Add them up. As in exercise 7.2, the sums run over all axes but the last, and $n$ is the number of values of a channel.
#
# **Predict:** What happens to the output if all $x_i$ of a batch grow by the same amount? So what must $\sum_i \partial L /
# \partial x_i$ be?

# %% exercise="7.5"
# Exercise 7.5
def batch_norm_backward(gradient, x, gamma, epsilon):
    """Slopes of the loss with respect to what batch normalisation got.

    Parameters
    ----------
    gradient : (n, ..., channels) array
        Slope with respect to the output y.
    x : (n, ..., channels) array
        What had come in.
    gamma : (channels,) array
    epsilon : float

    Returns
    -------
    d_x : array of the shape of x
    d_gamma, d_beta : (channels,) arrays

    Example
    -------
    With x = np.array([[0.0], [0.0], [3.0]]), epsilon = 2.0 (so that s is 2) and gamma = np.array([2.0]), the gradient
    np.array([[1.0], [0.0], [0.0]]) gives d_x = [[0.583], [-0.417], [-0.167]], d_gamma = [-0.5] and d_beta = [1.0].
    """
    ### BEGIN SOLUTION
    axes, n = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    centred = x - x.mean(axis=axes)
    s = np.sqrt(x.var(axis=axes) + epsilon)
    g = gamma * gradient
    d_variance = (g * centred).sum(axis=axes) * -0.5 / s**3
    d_mean = -(g / s).sum(axis=axes)
    d_x = g / s + d_variance * 2 * centred / n + d_mean / n
    return d_x, (gradient * centred / s).sum(axis=axes), gradient.sum(axis=axes)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.5", batch_norm_backward)

# %% [markdown]
# Now let your instrument judge your derivation, on ten galaxies and 20 of the neurons, with a made-up loss $L = \sum \delta
# y$ whose slope is $\delta$.

# %%
few = entering[:10, :20].astype(float)
delta = np.random.default_rng([lab.seed, 2]).normal(size=few.shape)
gamma, beta = np.linspace(0.5, 2, 20), np.zeros(20)
by_hand = batch_norm_backward(delta, few, gamma, 1e-3)[0]
by_trying = numeric_gradient(lambda x: np.sum(delta * batch_norm(x, gamma, beta, 1e-3)), few)
straight_only = gamma * delta / np.sqrt(few.var(axis=0) + 1e-3)
for name, found in (("all three ways", by_hand), ("straight only, mean and variance held fixed", straight_only)):
    print(f"{name}: off by {probes.rms(found - by_trying) / probes.rms(by_trying):.1g} of the gradient")

# %% [markdown]
# Look at your result once more. Put in $\hat x$, and it becomes short:
#
# $$\frac{\partial L}{\partial x_i} = \frac{\gamma}{s} \Big( \delta_i - \overline{\delta} - \hat x_i\, \overline{\delta\,
# \hat x} \Big),$$
#
# a bar being the mean over the batch. Two things are taken *out* of the gradient: its mean, and its part along $\hat x$. No
# wonder. Shifting the whole batch, or stretching it, changes nothing in the output, so there can be no slope in these two
# directions.
#
# It has a consequence for the weights in front. Multiply a kernel by 2, and the output stays the same; so the gradient has
# no part along the kernel: it stands at a **right angle** to it. A step at a right angle makes a vector *longer*, whatever
# its sign. The kernels in front of a batch norm grow while they are trained, the same step turns them less and less, and
# the network lowers its own learning rate. Remember that for section 8.

# %%
kernel = weights[:, :20].astype(float)
few_rows = rows[:10].astype(float)
d_kernel = few_rows.T @ batch_norm_backward(delta, few_rows @ kernel, gamma, 1e-8)[0]
cosine = (d_kernel * kernel).sum(axis=0) / np.linalg.norm(d_kernel, axis=0) / np.linalg.norm(kernel, axis=0)
longer = np.linalg.norm(kernel - 0.001 * d_kernel, axis=0) / np.linalg.norm(kernel, axis=0)
print(f"largest |cosine| between a neuron's weights and their gradient: {abs(cosine).max():.0e}")
print(f"length after one step along minus the gradient: times {longer.min():.5f} to {longer.max():.5f}")

# %% [markdown]
# ## 6 · A layer of Keras
#
# NumPy has no derivatives; Keras has, as long as all is written in `keras.ops`. Its layers come in three parts: `__init__`
# keeps the settings; `build` makes the weights, once the layer knows the shape of what comes in; `call` computes. Weights
# are made by `self.add_weight(shape=…, initializer="zeros" or "ones", name=…)`; with `trainable=False` the optimiser leaves
# them alone. A weight gets a new value by `.assign(value)`; with a plain `=` it would lose its name to something else, and
# stay as it is.
#
# `call` is told whether it is `training`. One more rule: in a layer that somebody has **frozen**, by `layer.trainable =
# False`, nothing may change. Then it is in inference mode, whatever the rest of the network does.
#
# You need `keras.ops.mean(x, axis)`, `keras.ops.var(x, axis)` and `keras.ops.sqrt`. Tensors have no `.ndim` on all back ends:
# `len(x.shape)` is the number of axes.

# %% exercise="7.6"
# Exercise 7.6
class BatchNorm(layers.Layer):
    """Batch normalisation, channels on the last axis.

    Parameters
    ----------
    momentum : float
        Of the moving averages.
    epsilon : float

    After `build` the layer has four weights of shape (channels,): `gamma` (begins with 1) and `beta` (0), which are trained;
    `moving_mean` (0) and `moving_variance` (1), which are not.
    """

    def __init__(self, momentum=0.99, epsilon=0.001, **options):
        super().__init__(**options)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        """Make the four weights; the last number of `input_shape` is that of the channels."""
        ### BEGIN SOLUTION
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(shape=channels, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=channels, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape=channels, initializer="ones", trainable=False, name="moving_variance"
        )
        ### END SOLUTION

    def call(self, x, training=False):
        """Normalise x, a tensor (n, …, channels): by the batch in training, by the moving averages otherwise."""
        ### BEGIN SOLUTION
        if training and self.trainable:
            axes = list(range(len(x.shape) - 1))
            mean, variance = keras.ops.mean(x, axes), keras.ops.var(x, axes)
            self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
            self.moving_variance.assign(self.momentum * self.moving_variance + (1 - self.momentum) * variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        return self.gamma * (x - mean) / keras.ops.sqrt(variance + self.epsilon) + self.beta
        ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.6", BatchNorm)

# %% [markdown]
# Is it the layer that everybody uses? Take one network twice, once with your layer and once with Keras', begin with the same
# weights, and train both for 20 steps on the same galaxies. This network will stay with us: eight convolutions of 16
# channels on images of 16 × 16 pixels, each followed by what `norm` makes (or by nothing) and a ReLU; then the mean of each
# channel over all places, and a dense layer with four outputs.

# %%
def network(norm=None):
    """Eight convolutions; norm(name=…) makes the layer between each and its ReLU."""
    x = inputs = keras.Input(x_train.shape[1:])
    for number in range(1, 9):
        stride = 2 if number == 1 else 1
        x = layers.Conv2D(
            16, 3, strides=stride, padding="same", kernel_initializer="he_normal", name=f"convolution_{number}"
        )(x)
        if norm is not None:
            x = norm(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
        if number == 4:
            x = layers.MaxPooling2D(2)(x)
    outputs = layers.Dense(4, name="output")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=training.jit_compile())
    return model


def restartable(model):
    """A function that puts the model back to its first weights and gives it a learning rate."""
    first_weights = model.get_weights()

    def start(rate):
        model.set_weights(first_weights)
        for variable in model.optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        model.optimizer.learning_rate = rate
        return model

    return start


def keras_norm(name, momentum=0.9):
    return layers.BatchNormalization(momentum=momentum, name=name)


train_set, validation_set = (x_train, labels), (x_validation[:500], validation_labels[:500])
with_yours, with_keras = network(lambda name: BatchNorm(momentum=0.9, name=name)), network(keras_norm)
with_yours.set_weights(with_keras.get_weights())
start_yours, start_keras = restartable(with_yours), restartable(with_keras)
twins = compare.train(
    {"yours": lambda: start_yours(0.01), "Keras'": lambda: start_keras(0.01)},
    train_set,
    validation_set,
    steps=20,
    seeds=[lab.seed],
)
apart = abs(twins["yours"].loss - twins["Keras'"].loss).max()
for name, curve in twins.items():
    print(f"{name}: loss {curve.loss[0, 0]:.4f} in the first step, {curve.loss[0, -1]:.4f} in the last;", end=" ")
    print(f"validation loss {curve.validation_loss[0, -1]:.4f}")
print(f"largest difference of the loss in 20 steps: {apart:.0e}")

# %% [markdown]
# The same, up to rounding, which each step of training may amplify. From here on we take Keras' layer; you know what is
# in it.
#
# (The momentum of 0.9 is not Keras' default. `steps_to_forget` tells you why we prefer it here, and section 10 shows it.)
#
# ## 7 · What it does to a deep network
#
# ### Before training
#
# Lab 06 ended with a worry: He's start keeps the *size* of the activations, but after thirty layers all galaxies point in
# nearly the same direction. Does batch norm help? And what does it do to the gradients? You have both ways in your hands:
# thirty dense layers of 300 neurons with ReLU, He's weights, 100 galaxies; forward with your `batch_norm`, back with your
# `batch_norm_backward`.
#
# **Predict:** With batch norm, will the gradients arrive at the first layer as large as they began, smaller, or larger?

# %%
n_layers, width = 30, 300
galaxies = x_train[:100].reshape(100, -1).astype(float)
output_gradient = np.random.default_rng([lab.seed, 3]).normal(size=(100, width))


def both_ways(normalised):
    """Median cosine between two galaxies, and RMS of the gradient of what the layer computes, for each layer."""
    rng = np.random.default_rng([lab.seed, 4])
    gamma, beta = np.ones(width), np.zeros(width)
    a, entering, stack, leaving, cosines = galaxies, [], [], [], []
    for _ in range(n_layers):
        stack.append(rng.normal(0, np.sqrt(2 / a.shape[1]), size=(a.shape[1], width)))
        entering.append(a @ stack[-1])
        a = np.maximum(batch_norm(entering[-1], gamma, beta, 1e-5) if normalised else entering[-1], 0)
        leaving.append(a)
        unit = a / np.linalg.norm(a, axis=1, keepdims=True)
        cosines.append(np.median((unit @ unit.T)[np.triu_indices(len(unit), 1)]))
    gradient, sizes = output_gradient, []
    for number in reversed(range(n_layers)):
        gradient = gradient * (leaving[number] > 0)
        if normalised:
            gradient = batch_norm_backward(gradient, entering[number], gamma, 1e-5)[0]
        sizes.append(probes.rms(gradient))
        gradient = gradient @ stack[number].T
    return cosines, sizes[::-1]


untrained = {"without": both_ways(False), "with batch norm": both_ways(True)}
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
for name, (cosines, _) in untrained.items():
    axes[0].plot(range(1, n_layers + 1), cosines, "o-", markersize=4, label=name)
axes[0].set(xlabel="layer", ylabel="cosine between two galaxies, median", ylim=(-0.05, 1.05))
axes[0].legend()
plotting.by_layer({name: sizes for name, (_, sizes) in untrained.items()}, "RMS of the gradient", axes[1])
growth = (untrained["with batch norm"][1][0] / untrained["with batch norm"][1][-1]) ** (1 / (n_layers - 1))
print(f"with batch norm the gradient grows by a factor {growth:.2f} in each layer on its way back")

# %% [markdown]
# *Figure: median cosine of the angle between two galaxies after each of 30 untrained layers (left), and RMS of the gradient
# with respect to what each layer computes (right, read from right to left).* On the left, batch norm does what He's start
# could not: the galaxies stay apart, as far in the last layer as in the first few. Taking out the mean takes out what all
# galaxies have in common.
#
# On the right, the surprise. Without batch norm the gradient keeps its size. With it, the gradient **grows** by a fifth in
# every layer: a network of hundreds of layers with batch norm alone cannot be trained (Yang et al. 2019). Batch norm is no
# cure for depth. With eight layers the factor is small; for a hundred you need lab 08.
#
# **Think:** The cosine settles near 0.32. Suppose that what enters the ReLU for two galaxies are independent numbers, normally
# distributed with mean 0 and variance 1. Which cosine has what leaves it?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Let $a$ and $b$ be the two numbers in one unit. The mean of $\max(a, 0)$ is $1/\sqrt{2\pi}$, and since $a$ and $b$ are
# independent, the mean of the product is $1/(2\pi)$. The mean square of $\max(a, 0)$ is ½. So the cosine is $\frac{1/(2\pi)}{1/2}
# = 1/\pi = 0.318$: the galaxies are as far apart as positive numbers made from independent ones can be. Whatever likeness
# they had is gone too, which is not only an advantage.
#
# </details>

# %% [markdown]
# It is $1/\pi = 0.318$: to the deep layers all galaxies are strangers, the alike as well as the different. That is why the
# pictures at the beginning dissolved.
#
# ### In training: how fast, and at which rates?
#
# Now the network of eight convolutions, without and with batch norm, from He's start. A fair comparison gives each the
# learning rate that suits it best. So both are trained with several learning rates for 200 steps of 64 galaxies, by SGD
# with momentum, and every 20 steps a check finds their accuracy on validation galaxies. We judge by two numbers:
#
# - a learning rate is **usable** if the last five checks find, on average, at least half of the galaxies right, twice as many
#   as by guessing. The best rate is the one for which this average is highest;
# - **speed** is the number of steps until a check first finds 75 % right, at the best rate of each. A single check may be
#   lucky, or not. So we count a second time, until the mean training loss of 20 steps is below 0.7 nats. The network
#   without batch norm may go on for this, up to 400 steps; should it not get there, it counts with 400.
#
# Rates are chosen on the validation set; the test set stays untouched in this lab.
#
# **Predict:** By which factor will the largest usable learning rate grow?

# %%
steps = 200
rates = {"without": (0.003, 0.01, 0.03, 0.1), "with batch norm": (0.01, 0.03, 1.0)}
starts = {"without": restartable(network()), "with batch norm": start_keras}
sweep = {
    name: compare.train(
        {f"rate {rate}": lambda name=name, rate=rate: starts[name](rate) for rate in rates[name]},
        train_set,
        validation_set,
        steps=steps,
        batch_size=64,
        every=20,
        seeds=[lab.seed],
    )
    for name in rates
}

# %%
usable, best = {}, {}
figure, axis = plt.subplots(figsize=(7, 3.8))
for name, curves in sweep.items():
    late = np.array([np.nan_to_num(curve.validation_accuracy[0, -5:], nan=0.25).mean() for curve in curves.values()])
    axis.plot(rates[name], late, "o-", label=name)
    half_right = [rate for rate, accuracy in zip(rates[name], late, strict=True) if accuracy >= 0.5]
    usable[name] = max(half_right, default=rates[name][0])
    best[name] = rates[name][late.argmax()]
    print(f"{name}: largest usable rate {usable[name]}, best rate {best[name]}")
axis.axhline(0.5, color="black", linewidth=0.5)
axis.axhline(0.25, color="black", linestyle=":", linewidth=1)
axis.text(0.0031, 0.25, "guessing", va="bottom", fontsize="small")
axis.set(xlabel="learning rate", xscale="log", ylabel="validation accuracy, last five checks", ylim=(0, 1))
axis.legend();

# %% [markdown]
# *Figure: mean accuracy of the last five checks against the learning rate, without and with batch norm; above the thin line
# a rate is usable.* Without batch norm the choice of rates is narrow. Beyond it the network learns nothing; within it, it
# may learn for a while until one step is too large, and then has to begin anew. With batch norm the choice is wide: rates
# work that are tens of times larger. Section 5 has told you one reason: where a step is too large, the kernel becomes long,
# and the next steps turn it less.

# %%
patience = 400
at_best = compare.train(
    {"without": lambda: starts["without"](best["without"])},
    train_set,
    validation_set,
    steps=patience,
    batch_size=64,
    every=20,
    seeds=[lab.seed],
)
at_best["with batch norm"] = sweep["with batch norm"][f"rate {best['with batch norm']}"]
plotting.training_curves({f"{name}, rate {best[name]}": curve for name, curve in at_best.items()})
needed = {"75 % right": {}, "loss below 0.7": {}}
for name, curve in at_best.items():
    low = curve.smooth_loss()[0] < 0.7
    reached = {"75 % right": curve.steps_to(0.75)[0], "loss below 0.7": 1 + low.argmax() if low.any() else np.inf}
    for goal, when in reached.items():
        needed[goal][name] = min(when, patience)
        print(f"{name}: {goal} {f'after {when:.0f}' if when <= patience else f'not within {patience}'} steps")
seconds = {name: np.median([curve.seconds[0] for curve in curves.values()]) / steps for name, curves in sweep.items()}
dearer = seconds["with batch norm"] / seconds["without"] - 1
print(f"on this machine a step with batch norm takes {dearer:.0%} more time")

# %% [markdown]
# *Figure: training loss and validation accuracy without and with batch norm, each at its best learning rate; without, for
# twice as many steps.* With batch norm it learns much faster, in steps; each step takes longer. The validation accuracy
# with batch norm is restless: it is measured in inference mode, with moving averages of the last ten batches or so, and
# the weights run away under them. The training loss knows no such delay, and shows the gain more clearly than the checks.
#
# ## 8 · Why does it help?
#
# Ioffe & Szegedy gave a reason, and put it into the title of their paper: reducing **internal covariate shift**. While a
# network trains, each layer's inputs change, since the layers in front of it change. It has to follow a moving target. By
# fixing mean and variance, batch norm holds the target still.
#
# It sounds right. Is it? A claim about a cause can be tested: leave batch norm in, and bring the shift back (Santurkar et
# al. 2018). After each batch norm, we now **shake**: in every training step, each channel is multiplied by a random factor
# between 0.7 and 1.3, and a random number with a standard deviation of 0.3 is added, new ones in each step. If the reason is
# right, this network should learn as badly as one without batch norm.
#
# **Predict:** Does it?

# %%
class Shaken(layers.Layer):
    """Batch norm; then, in training, a random factor and a random shift for each channel, new in every step."""

    def __init__(self, **options):
        super().__init__(**options)
        self.norm = layers.BatchNormalization(momentum=0.9)
        self.random = keras.random.SeedGenerator(lab.seed)

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, x, training=False):
        x = self.norm(x, training=training)
        if training:
            channels = (x.shape[-1],)
            factor = keras.random.uniform(channels, 0.7, 1.3, seed=self.random)
            x = factor * x + keras.random.normal(channels, 0, 0.3, seed=self.random)
        return x


distances = np.array([0.03, 0.1, 0.3, 1, 3])
looked_at, looked_labels = x_train[:128], labels[:128]


def batch_loss(model):
    """Loss of 128 galaxies with the batch's own moments."""
    logits = model(looked_at, training=True)
    return float(keras.ops.mean(keras.losses.sparse_categorical_crossentropy(looked_labels, logits, from_logits=True)))


def look_around(model):
    """Moments of what enters the fifth ReLU, and the loss on the way downhill along the gradient (not where shaken)."""
    before_relu = [layer for layer in model.layers if layer.name in ("convolution_5", "norm_5")][-1]
    (entering,) = probes.activations(model, looked_at, [before_relu], training=True).values()
    if isinstance(before_relu, Shaken):
        return {"moments": moments(entering)}
    gradients = list(probes.gradients(model, looked_at, looked_labels).values())
    kernels = [layer.kernel for layer in probes.weighted_layers(model)]
    kept = model.get_weights()
    here = [keras.ops.convert_to_numpy(kernel).copy() for kernel in kernels]
    losses = [batch_loss(model)]
    for distance in distances:
        for kernel, value, gradient in zip(kernels, here, gradients, strict=True):
            kernel.assign(value - distance * gradient)
        losses.append(batch_loss(model))
    model.set_weights(kept)
    return {"moments": moments(entering), "losses": losses}


start_shaken = restartable(network(Shaken))
surface = compare.train(
    {
        "without": lambda: starts["without"](0.01),
        "with batch norm": lambda: start_keras(0.01),
        "batch norm, shaken": lambda: start_shaken(0.01),
    },
    train_set,
    validation_set,
    steps=100,
    every=50,
    seeds=[lab.seed],
    watch=look_around,
)


def drift(curve):
    """How far a channel's mean moves from check to check, in units of its spread: median over channels and checks."""
    found = [look["moments"] for look in curve.watched[0]]
    return np.median([abs(b[0] - a[0]) / np.sqrt(a[1]) for a, b in pairwise(found)])


for name, curve in surface.items():
    print(f"{name}: means move by {drift(curve):.2f} spreads from check to check;", end=" ")
    print(f"mean training loss of 100 steps {curve.loss.mean():.2f}")
plotting.training_curves(surface);

# %% [markdown]
# *Figure: training loss and validation accuracy without batch norm, with it, and with batch norm that is shaken in every
# step, all at the same learning rate.* In the shaken network, each layer is handed a new shift in *every* step, about
# half as large as what the network without batch norm sees in fifty, or larger. It suffers from that: its loss is measured while
# it is shaken, and stays above that of its quiet twin. But it learns faster than the network without batch norm, where
# there is nearly no shift from one step to the next. If holding the target still were what counts, it would be the other
# way round.
#
# What else? Santurkar et al. looked at the **surface of the loss**. A gradient tells the slope *here*; a step is worth
# something if the surface does not change at once. Stand at some place in training, walk along the negative gradient, and
# watch the loss. How long is it downhill, and what comes then?

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
relative = {}
for axis, name in zip(axes, ("without", "with batch norm"), strict=True):
    walks = np.array([look["losses"] for look in surface[name].watched[0]])
    relative[name] = walks[:, 1:] / walks[:, :1]
    for walk, when in zip(relative[name], surface[name].steps, strict=True):
        axis.plot(distances, walk, "o-", markersize=4, label=f"after {when} steps")
    axis.axhline(1, color="black", linewidth=1)
    axis.set(xscale="log", yscale="log", ylim=(0.2, 1e5), title=name, xlabel="distance, in gradients")
axes[0].set_ylabel("loss / loss at the start of the walk")
axes[1].legend(loc="upper left")
wall = {name: np.exp(np.mean(np.log(walks[1:, -1]))) for name, walks in relative.items()}  # not before training
for name, height in wall.items():
    print(f"{name}: once training has begun, three gradients away the loss is {height:.2g} times as high")

# %% [markdown]
# *Figure: the loss on the way along the negative gradient of all kernels, relative to where the walk begins, before training
# and at two moments of it; below the line is downhill.* The distance is what a learning rate is: multiples of the gradient.
# Before training, the gradient without batch norm is tiny, and nothing happens on any of these ways. Once it has begun to
# learn, the way down is short and ends at a **wall**, on which the loss becomes tens or thousands of times larger: the
# changes of eight layers multiply each other. With batch norm it ends at a slope. A kernel that has become too long is
# divided by its own length, so what eight layers can do together is limited. One step too far is a nuisance there, and not
# the end.
#
# Is this the last word? It explains what we have seen, and so do others: the length of kernels that rises by itself
# (section 5; van Laarhoven 2017), galaxies that stay apart (section 7). What can be said is that the reason in the title of
# the paper, in its simple form, has failed a test. The method works all the same.
#
# ## 9 · The others in the batch
#
# What comes out for a galaxy hangs on the others in its batch. In training, these are drawn at random: batch norm adds
# **noise**. How much? Take a galaxy, put it into many random batches of $n$, and see how much its $\hat x$ scatters in the
# dense layer of section 2.
#
# **Predict:** From batches of 16 to batches of 256, by which factor does the scatter shrink?

# %%
sizes = (4, 8, 16, 32, 64, 128, 256)
scatter = []
rng = np.random.default_rng([lab.seed, 5])
ones, zeros = np.ones(200), np.zeros(200)
for size in sizes:
    repeats = []
    for _ in range(100):
        others = rng.choice(np.arange(10, len(entering)), size=size - 1, replace=False)
        found = [batch_norm(entering[[galaxy, *others]], ones, zeros, 1e-3)[0] for galaxy in range(10)]
        repeats.append(found)
    scatter.append(probes.rms(np.std(repeats, axis=0)))
slope = np.polyfit(np.log(sizes[2:]), np.log(scatter[2:]), 1)[0]
figure, axis = plt.subplots(figsize=(6, 3.4))
axis.loglog(sizes, scatter, "o-", label="measured")
axis.loglog(sizes, scatter[-1] * np.sqrt(sizes[-1] / np.array(sizes)), "k--", label="∝ 1/√n")
axis.set_xticks(sizes, sizes)
axis.set_yticks((0.1, 0.2, 0.3, 0.4), ("0.1", "0.2", "0.3", "0.4"))
axis.minorticks_off()
axis.set(xlabel="galaxies in the batch, n", ylabel="scatter of one galaxy's x̂")
axis.legend()
print(f"from 16 galaxies on, the scatter goes with n to the power of {slope:.2f}")

# %% [markdown]
# *Figure: scatter of the normalised value of one galaxy over 100 random batches, against the size of the batch.* As the
# error of any mean over $n$ things does: from 16 to 256 galaxies it becomes four times smaller. With 32 galaxies, a value
# of about 1 scatters by some 0.2.
#
# Noise on activations is what dropout does on purpose (lab 03), against overfitting. Does this noise help too? To see it
# alone, everything else must stay: the same 400 galaxies, all of them in every step, so that the gradient is not noisy.
# In one network they are normalised together, in the other in 50 little groups of 8, which changes nothing but the noise
# (a **ghost batch**; Hoffer et al. 2017). A third has no batch norm. The network is a small dense one, and 400 galaxies are
# so few that it learns them by heart.

# %%
class GhostNorm(layers.Layer):
    """Batch norm that takes its mean and variance over groups of a few galaxies of the batch."""

    def __init__(self, size, name):
        super().__init__(name=name)
        self.size = size
        self.norm = layers.BatchNormalization(momentum=0.9)

    def build(self, input_shape):
        self.norm.build(input_shape)

    def call(self, x, training=False):
        together = self.norm(x, training=training)  # this keeps the moving averages
        if not training:
            return together
        groups = keras.ops.reshape(x, (-1, self.size, x.shape[-1]))
        mean = keras.ops.mean(groups, axis=1, keepdims=True)
        variance = keras.ops.var(groups, axis=1, keepdims=True)
        normalised = (groups - mean) / keras.ops.sqrt(variance + self.norm.epsilon)
        return self.norm.gamma * keras.ops.reshape(normalised, (-1, x.shape[-1])) + self.norm.beta


def small_network(norm=None, rate=0.02):
    """Three dense layers of 64 neurons on 8 × 8 pixels."""
    inputs = keras.Input(x_train.shape[1:])
    x = layers.Flatten()(layers.AveragePooling2D(2)(inputs))
    for number in (1, 2, 3):
        x = layers.Dense(64, kernel_initializer="he_normal", name=f"dense_{number}")(x)
        if norm is not None:
            x = norm(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    model = keras.Model(inputs, layers.Dense(4, name="output")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=training.jit_compile())
    return model


few_galaxies, few_steps = (x_train[:400], labels[:400]), 160
overfitting = compare.train(
    {
        "without": small_network,
        "batch norm": lambda: small_network(keras_norm),
        "in groups of 8": lambda: small_network(lambda name: GhostNorm(8, name)),
    },
    few_galaxies,
    (x_validation, validation_labels),
    steps=few_steps,
    batch_size=400,
    every=40,
    seeds=[lab.seed],
)
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
for name, curve in overfitting.items():
    axes[0].plot(range(1, few_steps + 1), curve.loss[0], label=name)
    axes[1].plot(curve.steps, curve.validation_loss[0], "o-", markersize=4, label=name)
axes[0].set(xlabel="step", ylabel="training loss (nats)", yscale="log")
axes[1].set(xlabel="step", ylabel="validation loss (nats)", ylim=(0, 1.8))
axes[1].legend()
for name, curve in overfitting.items():
    print(f"{name}: validation loss {curve.validation_loss[0, -1]:.2f}, accuracy {curve.validation_accuracy[0, -1]:.2f}")

# %% [markdown]
# *Figure: training and validation loss of a dense network on 400 galaxies, without batch norm, with it, and with it in
# groups of 8.* The two without noise learn the 400 galaxies by heart, the noisy one not quite. On the validation galaxies
# the loss of the network without batch norm rises and rises: it is wrong as often as the others, and ever surer of it. With
# batch norm it rises less, and with the noise of small groups, in most runs, least. The accuracy, on the other hand, is
# nearly the same. So batch norm is a regulariser, a mild one; nobody would use it for that alone.
#
# ## 10 · What breaks
#
# ### A momentum of 0.99 and few steps
#
# The same small network, trained twice on all galaxies from the same start, with the same batches of 32. The only
# difference is the momentum of the moving averages, which has no part in training: after every step the two have exactly
# the same weights.
#
# **Predict:** After 60 steps, how do their validation accuracies compare?

# %%
def with_momentum(momentum):
    return small_network(lambda name: keras_norm(name, momentum), rate=0.01)


made = {}


def keep(name, momentum):
    made[name] = with_momentum(momentum)
    return made[name]


momenta = compare.train(
    {f"momentum {m}": lambda m=m: keep(f"momentum {m}", m) for m in (0.9, 0.99)},
    train_set,
    (x_validation, validation_labels),
    steps=60,
    every=15,
    seeds=[lab.seed],
)
plotting.training_curves(momenta)
same = max(
    abs(a - b).max()
    for a, b in zip(*(model.get_layer("dense_3").get_weights() for model in made.values()), strict=True)
)
print(f"largest difference between the weights of their third layers: {same:.0e}")

# %% [markdown]
# *Figure: training loss (the two lines cover each other) and validation accuracy of the same network with two momenta.* In
# training all is well, and in validation the network with 0.99 is far behind: it is used with a mean and a variance from
# before it had learnt anything. If your validation curve is bad while the training curve is fine, look at the momentum
# before you blame overfitting. Keras' default of 0.99 wants some 500 steps; `steps_to_forget(0.99, 0.01)` is 459.
#
# One can also mend it afterwards. Send a thousand training galaxies through and put *their* moments into the layers: that is
# an update with momentum 0.

# %%
def settle(model):
    """Replace all moving averages by the moments over 1000 training galaxies."""
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(x_train[:1000], training=True)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def accuracy(model):
    return model.evaluate(x_validation, validation_labels, batch_size=250, verbose=0, return_dict=True)["accuracy"]


for name, model in made.items():
    before = accuracy(model)
    settle(model)
    print(f"{name}: validation accuracy {before:.2f}, settled {accuracy(model):.2f}")

# %% [markdown]
# ### A batch of two
#
# Large images fill the memory: with high-resolution maps a batch may have two examples. What does batch norm make of two
# galaxies in a dense layer?
#
# **Predict:** Work it out for $x = (3, 8)$ with $\epsilon = 0$. And for $(3, 3.1)$?

# %%
two = batch_norm(np.array([[3.0, 3.0, -1.0], [8.0, 3.1, -7.0]]), np.ones(3), np.zeros(3), 0.0)
print(np.round(two, 6))

# %% [markdown]
# Always +1 and −1: all that is left is which of the two is larger. What a galaxy *is* has gone. In inference, where the
# moving averages are used, numbers of all sizes arrive at layers that have never seen any but these two.
#
# Two experiments with the small network. First take the one from above, which has been trained with batches of 32, and
# ask it for the validation galaxies in training mode, with batches of 2, 8, 32 and 128. Then train it anew with batches
# of two.

# %%
def in_training_mode(model, batch_size):
    """Loss and accuracy of 256 validation galaxies with their batches' own moments."""
    kept = model.get_weights()
    logits = [
        keras.ops.convert_to_numpy(model(x_validation[first : first + batch_size], training=True))
        for first in range(0, 256, batch_size)
    ]
    model.set_weights(kept)
    logits = np.concatenate(logits)
    loss = keras.losses.sparse_categorical_crossentropy(validation_labels[:256], logits, from_logits=True)
    return float(keras.ops.mean(loss)), np.mean(logits.argmax(axis=1) == validation_labels[:256])


def in_inference(model):
    return model.evaluate(x_validation[:256], validation_labels[:256], batch_size=256, verbose=0)


def trained(model, batch_size, steps):
    training.prepare(model, labels)  # it saves time and changes no number
    for chosen in compare.batches(len(x_train), batch_size, steps, seed=lab.seed):
        model.train_on_batch(x_train[chosen], labels[chosen])
    return model


sizes = (2, 8, 32, 128)
asked = [in_training_mode(made["momentum 0.9"], size)[1] for size in sizes]
settled_accuracy = in_inference(made["momentum 0.9"])[1]
figure, axis = plt.subplots(figsize=(6, 3.4))
axis.semilogx(sizes, asked, "o-", label="training mode")
axis.axhline(settled_accuracy, color="black", linestyle="--", label="inference")
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.set(xlabel="galaxies in a batch", ylabel="validation accuracy", ylim=(0, 1))
axis.legend();

# %% [markdown]
# *Figure: accuracy of one and the same network on the same galaxies, in training mode with batches of different sizes and in
# inference.* From 32 galaxies on the two modes agree. With two, much of the answer is about the other galaxy, which nobody
# asked for.
#
# **Predict:** In training with batches of two the network could get used to that. Does it?

# %%
with_two = trained(small_network(keras_norm, rate=0.001), 2, 800)
two_training, two_inference = in_training_mode(with_two, 2), in_inference(with_two)
settle(with_two)
two_settled = in_inference(with_two)
for name, (loss, share) in (
    ("as in training", two_training),
    ("in inference", two_inference),
    ("in inference, settled", two_settled),
):
    print(f"trained with batches of two, {name}: loss {loss:.2f}, accuracy {share:.2f}")

# %% [markdown]
# It learns next to nothing, while the same galaxies in batches of 32 bring it to some 70 % within 60 steps. And in
# inference it may be even worse than someone who knows nothing ($\ln 4 = 1.39$): moving averages over some ten batches of
# two are noisy themselves. (In a convolution a channel has many places, so that two images are more than two values; there the damage is
# smaller, until the maps are small too.)
#
# ### Frozen, but not quite
#
# In transfer learning (lab 10) one freezes layers that have been trained on other data. Suppose you do that by making sure
# that no weight can change; say, with a learning rate of 0. Then 30 batches of other images go through in training mode, from
# a night with a brighter sky.
#
# **Predict:** Every weight is the same as before. Does the network still know the galaxies it was trained on?

# %%
model = made["momentum 0.9"]
kept = model.get_weights()
frozen = {"before": accuracy(model)}
brighter_night = x_train[:960] + 1.5
for name, trainable in (("learning rate 0", True), ("trainable = False", False)):
    model.set_weights(kept)
    for layer in model.layers:
        layer.trainable = trainable or layer.name == "output"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=["accuracy"], jit_compile=training.jit_compile())
    for first in range(0, 960, 32):
        model.train_on_batch(brighter_night[first : first + 32], labels[first : first + 32])
    frozen[name] = accuracy(model)
for name, value in frozen.items():
    print(f"{name}: validation accuracy {value:.2f}")

# %% [markdown]
# With a learning rate of 0 the weights stayed and the moving averages moved, to the brighter night, and took the
# network with them. Moving averages are no weights, and no optimiser has a say in them. In Keras, `layer.trainable = False`
# on the batch norm layer puts it into inference mode, as yours does, and then all stays as it was. It has to be set on the
# *normalisation*, not only on the convolutions. (PyTorch: `.eval()` on these layers; `requires_grad = False` is not enough.)
#
# ## 11 · Without the batch
#
# All of this came from the batch. So leave it out: take mean and variance over the places and channels of *one* galaxy. It
# is the same in training and in inference, no moving averages are needed, and a batch may be as small as you like.
#
# - **Layer normalisation** takes all channels of a galaxy together (Ba et al. 2016);
# - **group normalisation** splits the channels into groups of neighbours, 1–4, 5–8, …, and normalises each group by itself
#   (Wu & He 2018). With one group it is layer normalisation over places and channels; with as many groups as channels each
#   channel of each galaxy is by itself.
#
# γ and β stay, one of each for each channel.
#
# | | mean and variance over | of |
# |---|---|---|
# | batch norm | galaxies, rows, columns | each channel |
# | group norm | rows, columns, channels of the group | each galaxy, each group |
# | layer norm | rows, columns, channels | each galaxy |
#
# (Keras' `LayerNormalization` for images takes the channels alone, place by place, unless it is told `axis=(1, 2, 3)`. Its
# `GroupNormalization(1)` is what we mean here.)

# %% exercise="7.7"
# Exercise 7.7
def group_norm(x, gamma, beta, groups, epsilon):
    """Group normalisation, the same in training and in inference.

    Parameters
    ----------
    x : (n, ..., channels) array
        (n, units), (n, length, channels) or (n, height, width, channels).
    gamma, beta : (channels,) arrays
    groups : int
        Number of groups; the channels of a group are neighbours, and all groups are equally large.
    epsilon : float
        Added to the variance, under the root.

    Returns
    -------
    array of the shape of x

    Example
    -------
    One galaxy, four units, two groups: group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), np.ones(4), np.zeros(4), 2, 0.0) is
    [[-1.0, 1.0, -1.0, 1.0]].
    """
    ### BEGIN SOLUTION
    split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    places_and_channels = (*range(1, x.ndim - 1), x.ndim)
    mean = split.mean(axis=places_and_channels, keepdims=True)
    variance = split.var(axis=places_and_channels, keepdims=True)
    normalised = (split - mean) / np.sqrt(variance + epsilon)
    return gamma * normalised.reshape(x.shape) + beta
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.7", group_norm)

# %% [markdown]
# Beside the library, and then with batches of two in the small network.

# %%
maps = np.random.default_rng(lab.seed).normal(2, 3, size=(2, 5, 6, 8)).astype("float32")
for groups in (1, 4, 8):
    theirs = keras.ops.convert_to_numpy(layers.GroupNormalization(groups)(maps))
    yours = group_norm(maps, np.ones(8), np.zeros(8), groups, 1e-3)
    print(f"{groups} groups of {8 // groups}: largest difference from Keras {abs(yours - theirs).max():.0e}")

model = trained(small_network(lambda name: layers.GroupNormalization(1, name=name), rate=0.001), 2, 800)
layer_norm_loss, layer_norm_accuracy = in_inference(model)
print(f"batches of two, batch norm: accuracy {two_training[1]:.2f} as in training, {two_inference[1]:.2f} in inference")
print(f"batches of two, layer norm: accuracy {layer_norm_accuracy:.2f} in both")

# %% [markdown]
# With layer norm, batches of two are no trouble. Why then is batch norm still around? With large batches, convolutional
# networks for classification tend to be a little better with it; its noise helps; and in inference it costs nothing, as you
# will see now. Where batches are small, as in detection and segmentation of large images, group norm is a usual choice; in
# transformers it is layer norm.
#
# ## 12 · For nothing
#
# In inference, batch norm multiplies each channel by one number and adds another. So does the convolution before it, with
# its kernel and its bias. Two linear steps in a row are one. **Fold** the batch norm into the convolution: find the kernel
# and the bias of a single convolution that gives what the two gave.
#
# **Predict:** With a batch norm behind it, what is the bias of a convolution good for while it is trained?

# %% exercise="7.8"
# Exercise 7.8
def fold(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    """Kernel and bias of one layer that does what a layer and the batch normalisation behind it do in inference.

    Parameters
    ----------
    kernel : (..., inputs, outputs) array
        Of a dense layer or a convolution.
    bias, gamma, beta, moving_mean, moving_variance : (outputs,) arrays
    epsilon : float

    Returns
    -------
    kernel : array of the same shape
    bias : (outputs,) array

    Example
    -------
    A dense layer with one weight of 2 and bias 1, then γ = 3, β = 10, mean 5, variance 4: fold(np.array([[2.0]]),
    np.array([1.0]), np.array([3.0]), np.array([10.0]), np.array([5.0]), np.array([4.0]), 0.0) is ([[3.0]], [4.0]).
    """
    ### BEGIN SOLUTION
    scale = gamma / np.sqrt(moving_variance + epsilon)
    return kernel * scale, (bias - moving_mean) * scale + beta
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("7.8", fold)

# %% [markdown]
# (The bias is good for nothing: batch norm subtracts it with the mean, and β does its work. One writes `use_bias=False`.)
#
# Fold all eight batch norms of the trained network into its convolutions, put the result into the network *without* batch
# norm, and compare what the two say of the validation galaxies.

# %%
with_norm = trained(start_keras(0.01), 32, 60)
settle(with_norm)
without_norm = network()
for number in range(1, 9):
    convolution, norm = with_norm.get_layer(f"convolution_{number}"), with_norm.get_layer(f"norm_{number}")
    folded = fold(*convolution.get_weights(), *norm.get_weights(), norm.epsilon)
    without_norm.get_layer(f"convolution_{number}").set_weights(folded)
without_norm.get_layer("output").set_weights(with_norm.get_layer("output").get_weights())

says, says_folded = (model.predict(x_validation, batch_size=250, verbose=0) for model in (with_norm, without_norm))
print(f"layers: {len(with_norm.layers)} and {len(without_norm.layers)}", end="; ")
print(f"numbers in them: {with_norm.count_params()} and {without_norm.count_params()}")
print(f"accuracy {np.mean(says.argmax(axis=1) == validation_labels):.3f}", end=" and ")
print(f"{np.mean(says_folded.argmax(axis=1) == validation_labels):.3f};", end=" ")
print(f"largest difference of a logit: {abs(says - says_folded).max():.0e}")

# %% [markdown]
# A network without batch norm that could hardly have been trained without it. That is how trained networks are shipped.
#
# ## What you measured

# %%
results.record(
    "07",
    same_as_keras=apart,
    cosine_without=untrained["without"][0][-1],
    cosine_with=untrained["with batch norm"][0][-1],
    gradient_growth=growth,
    usable_rate=usable["with batch norm"] / usable["without"],
    steps_needed=needed["75 % right"]["with batch norm"] / needed["75 % right"]["without"],
    steps_to_loss=needed["loss below 0.7"]["with batch norm"] / needed["loss below 0.7"]["without"],
    shaken_drift=drift(surface["batch norm, shaken"]) / drift(surface["without"]),
    shaken_loss=surface["batch norm, shaken"].loss.mean() / surface["without"].loss.mean(),
    wall=wall["without"] / wall["with batch norm"],
    noise_slope=slope,
    loss_without=overfitting["without"].validation_loss[0, -1],
    loss_with=overfitting["batch norm"].validation_loss[0, -1],
    loss_groups=overfitting["in groups of 8"].validation_loss[0, -1],
    momentum_gap=momenta["momentum 0.9"].validation_accuracy[0, -1] - momenta["momentum 0.99"].validation_accuracy[0, -1],
    gap_of_two=settled_accuracy - asked[0],
    gap_of_128=settled_accuracy - asked[-1],
    batch_of_two=two_inference[1],
    loss_of_two=two_inference[0] - two_training[0],
    layer_norm_of_two=layer_norm_accuracy,
    frozen_drop=frozen["before"] - frozen["learning rate 0"],
    folded=abs(says - says_folded).max(),
)
results.table("07")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - Batch norm gives each unit mean β and spread γ over the batch, in every step. The scale of the weights has no say any
#   more, so a wide range of learning rates works, and larger ones.
# - It is two functions: one for training, which sees the batch, and one for inference, which sees moving averages. Nearly
#   all trouble comes from the difference: small batches, few steps, frozen layers.
# - Why it works is a question one can test. The shift is not the reason; the surface of the loss is a better one.
# - Where there is no batch to speak of, take group or layer norm.
#
# **Where to go on:** lab 08 builds networks so deep that batch norm alone is not enough. Lab 10 freezes layers, lab 11 meets
# two surveys in one batch.
#
# **Stretch tasks**
#
# 1. **Before or after?** Put batch norm behind the ReLU, and train again. Which of the two learns faster? Explain what happens
#    to dead neurons.
# 2. **The length of a kernel.** Watch the norm of a kernel with batch norm behind it at several learning rates. Does it
#    grow as section 5 says? Add weight decay: what does it do, if the length of a kernel means nothing?
# 3. **Adapt by statistics.** Train on x_train, test on `x_validation + 1.5`. Now settle the moving averages on unlabelled
#    galaxies of the brighter night. How much of the accuracy returns? (Li et al. 2016 call this AdaBN; lab 11.)
# 4. **Instance norm.** As many groups as channels. Which property of a galaxy is lost? Would you use it to classify by
#    brightness?
# 5. **Half a spread.** How strongly must one shake in section 8 until batch norm is no better than none?
#
# **References**
#
# - Ba, Kiros & Hinton 2016, arXiv:1607.06450: Layer normalization.
# - Ćiprijanović et al. 2021, MNRAS 506, 677: DeepMerge II.
# - Hoffer, Hubara & Soudry 2017, NIPS 30: Train longer, generalize better.
# - Ioffe & Szegedy 2015, ICML, PMLR 37, 448: Batch normalization: accelerating deep network training by reducing internal
#   covariate shift.
# - Li et al. 2016, arXiv:1603.04779: Revisiting batch normalization for practical domain adaptation.
# - Santurkar, Tsipras, Ilyas & Mądry 2018, NeurIPS 31: How does batch normalization help optimization?
# - van Laarhoven 2017, arXiv:1706.05350: L2 regularization versus batch and weight normalization.
# - Wu & He 2018, ECCV, 3: Group normalization.
# - Yang et al. 2019, ICLR: A mean field theory of batch normalization.
