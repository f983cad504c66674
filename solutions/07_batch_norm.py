# %% [markdown]
# # 07 · Batch normalisation
#
# **Question:** Lab 06 chose weights so that activations begin with the right size. What happens if the network sets that
# size anew in every step, from the galaxies it has just been given?
#
# **You build:** batch normalisation, forward for training and for inference, its way back by hand with the instrument that
# checks it, a Keras layer, group normalisation beside it, and a convolution that swallows it.
#
# **Time:** 210 minutes of work, 1.5 minutes of CPU · **Before:** labs 03, 06 ·
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
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from utils import compare, datasets, plotting, probes, results, training
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


def binned(images, size):
    """Stretch by arcsinh and average down to size × size pixels: (n, size, size, bands)."""
    n, side, _, bands = images.shape
    block = side // size
    return np.arcsinh(images).reshape(n, size, block, size, block, bands).mean(axis=(2, 4))


def rms(values):
    """Root of the mean square, in double precision."""
    return np.sqrt(np.mean(np.square(values, dtype="float64")))


truth = data.train.truth
spirals = np.flatnonzero((data.train.labels == 1) & (truth["magnitude"] < 18.5))
spiral = spirals[np.argmax((truth["radius_arcsec"] * truth["axis_ratio"])[spirals])]  # large and round
batch = binned(data.train.images[[spiral, *range(15)]], 32)
batch = ((batch - batch.mean()) / batch.std()).astype("float32")

shown, pictures, titles = (1, 5, 10, 20, 30), [], []
for normalised in (False, True):
    for sigma in (0.01, 0.3):
        rng = np.random.default_rng([lab.seed, 6])
        images = batch
        pictures.append(images[0, :, :, 1])
        titles.append(f"σ = {sigma}{', normalised' if normalised else ''}\nRMS {rms(images[0]):.1f}")
        for number in range(1, 31):
            kernel = np.float32(sigma) * rng.standard_normal((3, 3, images.shape[-1], 16), "float32")
            images = keras.ops.convert_to_numpy(keras.ops.conv(images, kernel, padding="same"))
            if normalised:
                images = (images - images.mean(axis=(0, 1, 2))) / images.std(axis=(0, 1, 2))
            images = np.maximum(images, 0)
            if number in shown:
                pictures.append(images[0, :, :, np.argmax(images[0].std(axis=(0, 1)))])
                titles.append(f"layer {number}\nRMS {rms(images[0]):.1g}")
plotting.gallery(pictures, titles, columns=6, size=1.5);

# %% [markdown]
# *Figure: a galaxy and its channel of the largest contrast after 1, 5, 10, 20 and 30 layers, for σ = 0.01 and 0.3, without
# (upper two rows) and with normalisation (lower two).* The two last rows are the same, picture by picture and number by
# number. The scale of the weights has no say any more: a kernel that is 30 times larger makes the channel 30 times larger,
# its standard deviation too, and the division takes it out again. That one line is **batch normalisation** (Ioffe & Szegedy
# 2015), batch norm for short.
#
# It is in most convolutional networks built since then. It also has a price, which the picture hides: what a network makes
# of one galaxy now hangs on the fifteen others. You will pay that price in section 9.
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
x_train, x_validation = (binned(split.images, 16).astype("float32") for split in (data.train, data.validation))
mean, spread = x_train.mean(axis=(0, 1, 2)), x_train.std(axis=(0, 1, 2))
x_train, x_validation = (x_train - mean) / spread, (x_validation - mean) / spread
labels, validation_labels = data.train.labels, data.validation.labels

rows = x_train[:64].reshape(64, -1)
weights = np.random.default_rng([lab.seed, 1]).normal(0, np.sqrt(2 / rows.shape[1]), size=(rows.shape[1], 200))
one, zero = np.ones(200), np.zeros(200)
print("factor    spread of what enters    after batch norm, ε = 0.001: spread, change")
for factor in (0.001, 0.01, 1, 100):
    entering = rows @ (factor * weights)
    leaving = batch_norm(entering, one, zero, 1e-3)
    change = rms(leaving - batch_norm(rows @ weights, one, zero, 1e-3))
    print(f"{factor:6g} {entering.std():19.3g} {leaving.std():34.3g} {change:10.1g}")

# %% [markdown]
# From 0.1 on it is indeed the same. For the smallest factors $\epsilon$ gets the upper hand: a unit with a variance far
# below $\epsilon$ is treated as a constant. Who starts with σ = 0.01 in a deep network should know that.
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
for where, shape in (("last axis", (75, 75, 8)), ("axis 1, not told", (8, 75, 75))):
    norm = layers.BatchNormalization()
    norm.build((None, *shape))
    held = {name.path.split("/")[-1]: tuple(name.shape) for name in norm.weights}
    print(f"8 channels on the {where}: {held}")
sample = x_train[:32]
yours = moments(sample)
theirs = [keras.ops.convert_to_numpy(m) for m in keras.ops.moments(sample, axes=(0, 1, 2))]
print("largest difference from keras.ops.moments:", f"{max(abs(a - b).max() for a, b in zip(yours, theirs)):.0e}")

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
# Watch it on the 200 neurons from above. Nothing is trained; batch after batch of 32 galaxies goes through, and two moving
# averages of the variance, with $m = 0.9$ and $0.99$, approach what the whole training set says.

# %%
entering = x_train.reshape(len(x_train), -1) @ weights
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
# (`np.ndindex(x.shape)` runs through all places of an array of any shape: `for place in np.ndindex(2, 3): print(place)`.)
#
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
    print(f"{name}: off by {rms(found - by_trying) / rms(by_trying):.1g} of the gradient")

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
longer = np.linalg.norm(kernel - 0.1 * d_kernel, axis=0) / np.linalg.norm(kernel, axis=0)
print(f"largest |cosine| between a neuron's weights and their gradient: {abs(cosine).max():.0e}")
print(f"length after one step along minus the gradient: times {longer.min():.4f} to {longer.max():.4f}")

# %% [markdown]
# ## 6 · A layer of Keras
#
# NumPy has no derivatives; Keras has, as long as all is written in `keras.ops`. Its layers come in three parts: `__init__`
# keeps the settings; `build` makes the weights, once the layer knows the shape of what comes in; `call` computes. Weights
# are made by `self.add_weight(shape=…, initializer="zeros" or "ones", name=…)`; with `trainable=False` the optimiser leaves
# them alone. A weight gets a new value by `.assign(value)`.
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
