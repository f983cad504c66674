# %% [markdown]
# # 08 · Residual networks
#
# **Question:** Why does a deeper network learn *worse*, even from galaxies it has seen, and how does a way around each
# block mend it?
#
# **You build:** plain blocks and residual blocks, by hand and in Keras; networks of any depth from them; the way back
# through a sum; blocks that begin as nothing; what a network costs, and the many paths that run through it.
#
# **Time:** 210 minutes of work, 1.5 minutes of CPU · **Before:** labs 03 and 06; lab 07 for batch normalisation ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/08_residual_networks.ipynb)
#
# **Papers:** He et al. 2016a, CVPR, 770 (residual networks); He et al. 2016b, ECCV, 630 (identity mappings); Veit et al.
# 2016, NIPS 29 (paths); Goyal et al. 2017, arXiv:1706.02677 (the last scale begins at zero)

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

lab.start("08")

# %% tags=["imports"]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

from utils import compare, datasets, plotting, probes, results, stamps, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · A galaxy goes deep, twice
#
# Labs 06 and 07 gave deep networks what they need: first weights of the right size, and **batch normalisation**, which
# subtracts from each channel its mean over the batch and divides by its standard deviation, so that nothing can vanish
# or explode. So deep networks should work now, and deeper ones should work better. Let us look at one that is not
# trained.
#
# Below, a galaxy goes through 15 blocks of two convolutions each, with random kernels and batch normalisation. In the
# first row a block's output is handed to the next block, and that is all. In the second row it is *added* to what went
# in.

# %% tags=["showcase"]
data = datasets.load("morphology", seed=lab.seed)

spiral = stamps.large_spiral(data.train)
shown_galaxies = [spiral, *range(31)]  # the others are company: batch normalisation needs a batch
first = stamps.binned(data.train.images[shown_galaxies], 32)
first = ((first - first.mean()) / first.std()).astype("float32")

at, pictures, titles = (1, 3, 6, 10, 15), [], []
for way_around in (False, True):
    rng = np.random.default_rng([lab.seed, 8])
    image = np.repeat(first[..., 1:2], 16, axis=-1)
    pictures.append(first[0, :, :, 1])
    titles.append("with a way around" if way_around else "plain")
    for number in range(1, 16):
        before = image
        for convolution_number in (1, 2):
            kernel = rng.normal(0, np.sqrt(2 / (9 * 16)), size=(3, 3, 16, 16)).astype("float32")
            image = keras.ops.convert_to_numpy(keras.ops.conv(image, kernel, padding="same"))
            image = (image - image.mean(axis=(0, 1, 2))) / image.std(axis=(0, 1, 2))
            if convolution_number == 1:
                image = np.maximum(image, 0)
        image = np.maximum(image + before if way_around else image, 0)
        if number in at:
            pictures.append(image[0, :, :, np.argmax(image[0].std(axis=(0, 1)))])
            titles.append(f"block {number}")
plotting.gallery(pictures, titles, columns=6, size=1.5);

# %% [markdown]
# *Figure: a spiral galaxy and its channel of the largest contrast after 1, 3, 6, 10 and 15 blocks of two random
# convolutions, without (top) and with (bottom) the input of each block added to its output.* All values have a sound
# size in both rows. But plain, the galaxy dissolves: each block mixes neighbouring pixels anew, and after thirty
# convolutions nobody could say what it was. With a way around it stays a galaxy, which each block has touched up.
#
# This lab is about that plus sign.
#
# ## 2 · Plain networks
#
# First without. A **block** is two convolutions with what belongs to them; a deep network is many blocks. Each
# convolution is followed by batch normalisation, and that by a ReLU. The convolutions have no bias: batch normalisation
# subtracts the mean, and any constant with it, and brings a **shift** of its own (β, beside the **scale** γ that it
# multiplies by). A **stride** of 2 in the first convolution halves the image.
#
# $$x \;\to\; \text{convolution} \to \text{BN} \to \text{ReLU} \to \text{convolution} \to \text{BN} \to \text{ReLU}$$
#
# Two helpers are given, with the options that stay the same in the whole lab. The moving averages of batch
# normalisation get the momentum 0.9, for we train too few steps for Keras' 0.99.

# %% exercise="8.1"
# Exercise 8.1
def convolution(filters, size=3, stride=1, start="he_normal", name=None):
    """A convolution without bias that keeps the height and width, or divides them by the stride."""
    options = {"padding": "same", "use_bias": False, "kernel_initializer": start, "name": name}
    return layers.Conv2D(filters, size, strides=stride, **options)


def normalisation(first_scale="ones", name=None):
    """Batch normalisation of each channel; its scale γ begins with ones, unless told otherwise."""
    return layers.BatchNormalization(momentum=0.9, gamma_initializer=first_scale, name=name)


def plain_block(x, filters, stride=1, name=None):
    """Two convolutions of 3×3, each followed by batch normalisation and ReLU.

    Parameters
    ----------
    x : Keras tensor (batch, height, width, channels)
        Such as keras.Input makes and a layer returns.
    filters : int
        Of both convolutions.
    stride : int
        Of the first convolution; that of the second is 1.
    name : str, optional
        Name of the second batch normalisation, so that we find it later.

    Returns
    -------
    Keras tensor (batch, height / stride, width / stride, filters)

    Example
    -------
    plain_block(keras.Input((16, 16, 8)), 12, stride=2).shape is (None, 8, 8, 12).
    """
    ### BEGIN SOLUTION
    x = convolution(filters, stride=stride)(x)
    x = layers.ReLU()(normalisation()(x))
    x = convolution(filters)(x)
    return layers.ReLU()(normalisation(name=name)(x))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.1", plain_block)

# %% [markdown]
# Now networks of any depth, built the way of He et al. (2016a) for small images:
#
# - the **stem**: a convolution of 3×3 with a stride of 2 and as many filters as the first stage, batch normalisation,
#   ReLU;
# - three **stages** of $n$ blocks each. The first block of the second and of the third stage has a stride of 2: the image
#   shrinks, and there are more filters;
# - the mean over all pixels of each channel, `GlobalAveragePooling2D`, and a dense layer that gives the logits.
#
# With two convolutions in each of $3n$ blocks, the stem and the dense layer, that makes $6n + 2$ layers. Which kind of
# block it is, is handed over as a function: the same builder will serve for all kinds.

# %% exercise="8.2"
# Exercise 8.2
def network(block, input_shape, n_classes, n, filters=(8, 16, 32)):
    """A network of 6n + 2 layers: stem, three stages of n blocks, mean over the pixels, logits.

    Parameters
    ----------
    block : function
        Called as block(x, filters, stride=…, name=…), such as plain_block.
    input_shape : sequence of int
        (height, width, bands)
    n_classes : int
    n : int
        Blocks in each stage.
    filters : sequence of int
        Of each stage.

    Returns
    -------
    keras.Model
        The blocks are named "block_1", "block_2", …, throughout the stages. The dense layer has no activation.

    Example
    -------
    network(plain_block, (16, 16, 3), 4, n=1).count_params() is 19260.
    """
    ### BEGIN SOLUTION
    inputs = keras.Input(input_shape)
    x = convolution(filters[0], stride=2)(inputs)
    x = layers.ReLU()(normalisation()(x))
    number = 0
    for stage, n_filters in enumerate(filters):
        for place in range(n):
            number += 1
            stride = 2 if stage > 0 and place == 0 else 1
            x = block(x, n_filters, stride=stride, name=f"block_{number}")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.2", network)

# %% [markdown]
# Three depths: 8, 14 and 32 layers. The galaxies are lab 03's, of four kinds, averaged to 16 × 16 pixels to save your
# time. The optimiser is SGD with momentum, as in lab 06; the learning rate begins at 0.1 and sinks to 0.
#
# We look at the **training** loss. For someone who knows nothing and bets on each kind alike, it is $\ln 4 = 1.386$.
# Over-fitting is not the question here: a network with more layers can do all that one with fewer can do, so on the
# galaxies it learns from it should be at least as good.
#
# **Predict:** Sketch the three curves. Which of the networks ends lowest?

# %%
x_train, x_validation = (stamps.binned(split.images, 16).astype("float32") for split in (data.train, data.validation))
mean, spread = x_train.mean(axis=(0, 1, 2)), x_train.std(axis=(0, 1, 2))
x_train, x_validation = (x_train - mean) / spread, (x_validation - mean) / spread
labels, validation_labels = data.train.labels, data.validation.labels
steps = 100


def compiled(model, first_rate=0.1, steps=steps, optimizer=keras.optimizers.SGD, **options):
    """Ready to train, with a learning rate that sinks to 0 along half a cosine."""
    model.compile(
        optimizer(keras.optimizers.schedules.CosineDecay(first_rate, steps), **(options or {"momentum": 0.9})),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=training.jit_compile(),
    )
    return model


def train(block, depths, first_rate=0.1):
    """Networks of these depths from the same kind of block, on the same batches: curves and models, by depth."""
    models = {}

    def maker(depth):
        def make():
            models[depth] = compiled(network(block, x_train.shape[1:], 4, n=(depth - 2) // 6), first_rate)
            return models[depth]

        return make

    curves = compare.train(
        {f"{depth} layers": maker(depth) for depth in depths},
        (x_train, labels),
        validation=None,
        steps=steps,
        seeds=[lab.seed],
    )
    return dict(zip(depths, curves.values(), strict=True)), models


def final_loss(curve):
    """Mean training loss over the last 50 steps."""
    return curve.smooth_loss(50)[0, -1]


plain_curves, plain_models = train(plain_block, (8, 14, 32))

# %%
def draw_losses(axis, curves, title):
    for depth, colour in zip((8, 14, 32), plotting.COLOURS, strict=False):
        if depth in curves:
            axis.plot(curves[depth].smooth_loss(20)[0], color=colour, label=f"{depth} layers")
    axis.axhline(np.log(4), color="black", linestyle=":", linewidth=1)
    axis.set(title=title, xlabel="step", ylabel="training loss (nats)", ylim=(0, 1.8))
    axis.legend()


figure, axis = plt.subplots(figsize=(6, 3.6))
draw_losses(axis, plain_curves, "plain")
for depth, curve in plain_curves.items():
    print(f"plain, {depth} layers: mean training loss of the last 50 steps {final_loss(curve):.2f}")

# %% [markdown]
# *Figure: training loss (mean of the last 20 steps) of plain networks of 8, 14 and 32 layers; dotted: $\ln 4$.* The
# deepest one is the worst, and by far: it has hardly learnt anything. He et al. (2016a) saw it on a million
# photographs, where a plain network of 34 layers ended above one of 18, and called it **degradation**. It is not
# over-fitting, since the training loss itself is worse. And it is not that the deeper network is not able to do it.
# That can be proven.
#
# ## 3 · A deeper network that is no worse
#
# Take the trained network of 8 layers and put blocks into it that do nothing, until it has 32. The outcome is a plain
# network of 32 layers with weights as good as those of the shallow one. To do nothing, a block needs two convolutions
# that return their input, and batch normalisations with the right scale and shift. (The ReLUs change nothing: what
# enters a block has left a ReLU, and is not negative.)
#
# **Predict:** Which kernel of 3×3 pixels leaves an image of one channel as it is? And an image of three channels?

# %% exercise="8.3"
# Exercise 8.3
def identity_kernel(size, channels):
    """The kernel of a convolution that returns its input, with stride 1 and padding "same".

    Parameters
    ----------
    size : int
        Height and width of the kernel [pixels], odd.
    channels : int
        Of the input, and of the output.

    Returns
    -------
    (size, size, channels, channels) array
        As Keras keeps it: height, width, input channels, output channels.

    Example
    -------
    For kernel = identity_kernel(3, 2), the sum over kernel is 2.0: all but two numbers are 0.
    """
    ### BEGIN SOLUTION
    kernel = np.zeros((size, size, channels, channels))
    kernel[size // 2, size // 2] = np.eye(channels)
    return kernel
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.3", identity_kernel)

# %% [markdown]
# Batch normalisation computes $\gamma (x - \mu) / \sqrt{\sigma^2 + \varepsilon} + \beta$. In use, after training, μ and
# σ² are the moving averages, and for an untrained layer they are 0 and 1; with $\gamma = \sqrt{1 + \varepsilon}$ and β =
# 0 nothing happens. Let us build it: 32 layers, the weights of the trained network of 8 layers in the first block of
# each stage, and idle blocks after it.

# %%
def parts(model):
    """Convolutions and batch normalisations in order; the dense layer at the end."""
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    normalisations = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    return convolutions, normalisations, model.layers[-1]


def deepened(shallow, n):
    """A plain network with n blocks in each stage that computes what `shallow`, with one block in each, computes."""
    deep = compiled(network(plain_block, x_train.shape[1:], 4, n=n))
    from_shallow = [0, 1, 2, 2 * n + 1, 2 * n + 2, 4 * n + 1, 4 * n + 2]  # the stem, and the first block of each stage
    convolutions, normalisations, dense = parts(deep)
    given_convolutions, given_normalisations, given_dense = parts(shallow)
    for number, (layer, norm) in enumerate(zip(convolutions, normalisations, strict=True)):
        if number in from_shallow:
            place = from_shallow.index(number)
            layer.set_weights(given_convolutions[place].get_weights())
            norm.set_weights(given_normalisations[place].get_weights())
        else:
            layer.set_weights([identity_kernel(3, layer.filters)])
            norm.gamma.assign(np.full(layer.filters, np.sqrt(1 + norm.epsilon)))
    dense.set_weights(given_dense.get_weights())
    return deep


def logits_of(model, images):
    """What the model in use gives, with the moving averages."""
    return keras.ops.convert_to_numpy(model(images, training=False))


def loss_on_training_set(model):
    return float(model.loss(labels, logits_of(model, x_train)))


built = deepened(plain_models[8], n=5)
in_use = {
    "8 layers, trained": loss_on_training_set(plain_models[8]),
    "32 layers, trained": loss_on_training_set(plain_models[32]),
    "32 layers, built": loss_on_training_set(built),
}
for name, loss in in_use.items():
    print(f"plain, {name}: loss on the training set {loss:.4f}")

# %% [markdown]
# There it is, a plain network of 32 layers with the loss of the shallow one, to four digits. So such weights exist, and
# training did not come near them. Degradation is a matter of *finding*: it is hard for a stack of convolutions and
# ReLUs to learn to do nothing, and most of the 15 blocks should do next to nothing.
#
# He et al. turned this around. If nothing is what a block should do unless it learns better, let nothing be what it
# does by itself: let it compute what to *add* to its input,
#
# $$x \;\to\; \text{ReLU}\big(x + F(x)\big), \qquad F(x) = \text{convolution, BN, ReLU, convolution, BN}.$$
#
# $F$ is called the **residual**, the way of the $x$ around it the **shortcut**, the other one the **branch**. Doing
# nothing is now $F = 0$.
#
# ## 4 · The block by hand
#
# Write it with arrays first. Convolution and batch normalisation, with the numbers of this batch, are given.

# %% exercise="8.4"
# Exercise 8.4
def convolve(x, kernel):
    """Convolution with padding "same" and stride 1."""
    return keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, padding="same"))


def normalise(x, scale, shift):
    """Batch normalisation with mean and variance of this batch, channel by channel."""
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return scale * (x - mean) / np.sqrt(variance + 1e-3) + shift


def relu(x):
    return np.maximum(x, 0)


def identity_block(x, kernels, scales, shifts):
    """A residual block whose input and output have the same shape.

    Parameters
    ----------
    x : (n, height, width, channels) array
    kernels : list of two (3, 3, channels, channels) arrays
    scales, shifts : list of two (channels,) arrays
        γ and β of the two batch normalisations.

    Returns
    -------
    (n, height, width, channels) array

    Example
    -------
    With scales[1] and shifts[1] all 0 the branch gives 0, and relu(x) is returned.
    """
    ### BEGIN SOLUTION
    branch = relu(normalise(convolve(x, kernels[0]), scales[0], shifts[0]))
    branch = normalise(convolve(branch, kernels[1]), scales[1], shifts[1])
    return relu(x + branch)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.4", identity_block)

# %% [markdown]
# **Think:** Why must there be no ReLU at the end of the branch, before the addition?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# After a ReLU the branch could only add, never take away: no value could become smaller from block to block, however
# many there are.
#
# </details>

# %% [markdown]
# With a ReLU before the addition the branch could add, but never take away. So the second ReLU waits until after it.
#
# At the beginning of a stage the addition is not possible: the branch has half the height and width and more channels.
# There the shortcut has to change too. Both of the following take every second pixel of every second row (for a stride
# of 2). For the channels,
#
# - the **padded** shortcut appends channels of zeros: nothing to learn;
# - the **projected** shortcut multiplies each pixel's channels by a matrix, which is learnt. That is a convolution with
#   a kernel of 1×1.

# %% exercise="8.5"
# Exercise 8.5
def padded_shortcut(x, filters, stride):
    """Every stride-th pixel of every stride-th row, and channels of zeros behind the given ones.

    Parameters
    ----------
    x : (n, height, width, channels) array
    filters : int
        Channels of the result, at least as many as x has.
    stride : int

    Returns
    -------
    (n, height / stride, width / stride, filters) array, sizes rounded up

    Example
    -------
    An image of one row, 1 2 3 4 5, in one channel: padded_shortcut(x, 2, 2) has one row of three pixels, with the
    channels (1, 0), (3, 0), (5, 0).
    """
    ### BEGIN SOLUTION
    x = x[:, ::stride, ::stride]
    return np.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))
    ### END SOLUTION


def projected_shortcut(x, kernel, stride):
    """A convolution of 1×1 with a stride.

    Parameters
    ----------
    x : (n, height, width, channels) array
    kernel : (1, 1, channels, filters) array
    stride : int

    Returns
    -------
    (n, height / stride, width / stride, filters) array, sizes rounded up

    Example
    -------
    The same row, and a kernel with kernel[0, 0] = [[10, 1]]: the three pixels are (10, 1), (30, 3), (50, 5).
    """
    ### BEGIN SOLUTION
    return x[:, ::stride, ::stride] @ kernel[0, 0]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.5", (padded_shortcut, projected_shortcut))

# %% [markdown]
# ## 5 · The block in Keras
#
# Now as layers. Where the shape stays, the shortcut is $x$ itself; where it changes, it is a convolution of 1×1 with the
# stride of the block, followed by batch normalisation. `layers.Add()([a, b])` adds.
#
# One more thing. If a block should begin as nothing, why not let it *really* begin as nothing? The **last scale** of
# the branch, γ of its second batch normalisation, begins at 0 instead of 1 (Goyal et al. 2017). Then every branch gives
# 0 at the start, and the network of 32 layers begins as a network of a stem and two projections. The gradient of that γ
# is not 0, so the blocks wake up when training begins.
#
# **Predict:** In the first step, with the last scale at 0, what is the gradient of the two convolutions in the branch?

# %% exercise="8.6"
# Exercise 8.6
def residual_block(x, filters, stride=1, name=None, last_scale="zeros"):
    """ReLU(shortcut + branch), in Keras.

    Parameters
    ----------
    x : Keras tensor (batch, height, width, channels)
    filters : int
    stride : int
        Of the first convolution in the branch, and of the shortcut.
    name : str, optional
        Name of the last batch normalisation in the branch.
    last_scale : str
        What the scale of that batch normalisation begins with: "zeros" or "ones".

    Returns
    -------
    Keras tensor (batch, height / stride, width / stride, filters)

    Example
    -------
    x = keras.Input((16, 16, 8)); keras.Model(x, residual_block(x, 8)).count_params() is 1216, and with 12 filters in place
    of 8 it is 2400.
    """
    ### BEGIN SOLUTION
    branch = convolution(filters, stride=stride)(x)
    branch = layers.ReLU()(normalisation()(branch))
    branch = convolution(filters)(branch)
    branch = normalisation(last_scale, name=name)(branch)
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(x)
        x = normalisation()(x)
    return layers.ReLU()(layers.Add()([x, branch]))
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.6", residual_block)

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Zero: what comes back to the branch is multiplied by γ, and γ is 0. Only γ and β themselves move in the first step;
# from the second step on, the convolutions do too.
#
# </details>

# %% [markdown]
# At first the convolutions of a branch get no gradient at all, since what comes back is multiplied by γ = 0. But γ moves
# in the first step, and after that all of them learn.
#
# Does a block really begin as nothing? Its input has left a ReLU, so we hand it values that are not negative.

# %%
entering = np.maximum(x_train[:10, ..., :1], 0) * np.ones(8, "float32")
inputs = keras.Input(entering.shape[1:])
for last_scale in ("zeros", "ones"):
    one_block = keras.Model(inputs, residual_block(inputs, 8, last_scale=last_scale))
    leaving = keras.ops.convert_to_numpy(one_block(entering, training=True))
    print(f"last scale {last_scale}: largest change {abs(leaving - entering).max():.3g}")

# %% [markdown]
# ## 6 · Depth, with a way around
#
# The same three depths, the same galaxies in the same order, the same optimiser. Only the kind of block is another.
#
# **Predict:** Sketch these three curves too.

# %%
residual_curves, residual_models = train(residual_block, (8, 14, 32))

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
draw_losses(axes[0], plain_curves, "plain")
draw_losses(axes[1], residual_curves, "residual")
axes[1].set_ylabel("")
print("layers   plain   residual     mean training loss of the last 50 steps")
for depth in residual_curves:
    print(f"{depth:6d} {final_loss(plain_curves[depth]):7.2f} {final_loss(residual_curves[depth]):10.2f}")

# %% [markdown]
# *Figure: training loss of plain (left) and residual networks (right); dotted: $\ln 4$.* With shortcuts a network of 32
# layers learns as well as one of 8, and in the same number of steps.
#
# Look also at the two networks of 8 layers. There the shortcuts do not help; so shallow a network does not need them.
# And deeper is not *much* better either: our four kinds of galaxies ask for no more. On photographs of a thousand
# kinds, He et al. (2016a) went to 152 layers, and deeper was better all the way.
#
# How much of it is the shortcut, and how much the last scale of 0? To find out, keep the shortcuts and let the last scale
# begin with ones. The learning rate of 0.1 is too much for such a network: it gets little further than the plain one (the
# first stretch task). So it is given a fifth of that.

# %%
def with_ones(x, filters, stride=1, name=None):
    return residual_block(x, filters, stride, name, last_scale="ones")


slow_curve = train(with_ones, (32,), 0.02)[0][32]
print("32 layers, mean training loss of the last 50 steps")
print(f"plain, rate 0.1:                    {final_loss(plain_curves[32]):.2f}")
print(f"shortcuts, last scale 1, rate 0.02: {final_loss(slow_curve):.2f}")
print(f"shortcuts, last scale 0, rate 0.1:  {final_loss(residual_curves[32]):.2f}")

# %% [markdown]
# So the shortcuts alone let a deep network learn, at a rate that is small enough. (It is not the rate that does it: try
# the plain network at 0.02, in the first stretch task.) The last scale of 0 adds robustness: the network stands five
# times the rate, and nobody has to find out the rate first.
#
# ## 7 · The way back through a sum
#
# Why does it work? Follow the gradient. A dense stack as in lab 06, with shortcuts, computes
#
# $$a_l = a_{l-1} + \varphi(h_l), \qquad h_l = a_{l-1} W_l, \qquad a_0 = x .$$
#
# Let $g_l$ be the gradient of the loss with respect to $a_l$. A change of $a_{l-1}$ reaches $a_l$ on two ways, directly
# and through the branch, and the chain rule adds them up:
#
# $$g_{l-1} = g_l + \big(\varphi'(h_l) \cdot g_l\big)\, W_l^\mathsf T .$$
#
# In lab 06 only the second term was there. The first hands on what arrives, as it is: there is no factor in it that
# could make it vanish, whatever the weights.

# %% exercise="8.7"
# Exercise 8.7
def residual_forward(x, weights, activation):
    """The states of a dense stack with shortcuts.

    Parameters
    ----------
    x : (n, m) array
    weights : list of (m, m) arrays
    activation : function
        From an array to an array of the same shape.

    Returns
    -------
    list of (n, m) arrays
        x itself, then what leaves block 1, 2, …: one more than there are weights.

    Example
    -------
    residual_forward(np.array([[3.0]]), [np.array([[-2.0]])], np.abs) is [array([[3.0]]), array([[9.0]])].
    """
    ### BEGIN SOLUTION
    states = [x]
    for w in weights:
        states.append(states[-1] + activation(states[-1] @ w))
    return states
    ### END SOLUTION


def residual_backward(gradient, states, weights, slope):
    """Gradients with respect to the states.

    Parameters
    ----------
    gradient : (n, m) array
        With respect to the last state.
    states : list of (n, m) arrays
        From `residual_forward`.
    weights : list of (m, m) arrays
    slope : function
        Slope of the activation function, from what leaves it: slope(φ(h)) is φ'(h). For tanh it is 1 - φ(h)**2.

    Returns
    -------
    list of (n, m) arrays
        With respect to x, and to what leaves block 1, 2, …, in this order; the last is `gradient` itself.

    Example
    -------
    One block, φ(h) = 0.5, slope 1 - 0.5² = 0.75: residual_backward(np.array([[2.0]]), [np.array([[1.0]]), np.array([[1.5]])],
    [np.array([[3.0]])], lambda phi: 1 - phi**2) is [array([[6.5]]), array([[2.0]])].
    """
    ### BEGIN SOLUTION
    gradients = [gradient]
    for number in range(len(weights) - 1, -1, -1):
        left_branch = states[number + 1] - states[number]
        gradient = gradient + (slope(left_branch) * gradient) @ weights[number].T
        gradients.insert(0, gradient)
    return gradients
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.7", (residual_forward, residual_backward))

# %% [markdown]
# Thirty blocks of 256 neurons with ReLU. The weights have the variance $2/n$ of He's start, or a quarter of it, which
# halves their size: a start that is wrong by a factor of two. Without shortcuts lab 06 has shown what happens.
#
# **Predict:** What happens to the size of activations and gradients with shortcuts?

# %%
def relu_slope(phi):
    return (phi > 0).astype(phi.dtype)


def plain_both_ways(x, gradient, weights):
    """Sizes in a stack without shortcuts: of the activations, and of the gradients with respect to them."""
    outputs, sizes = [x], [probes.rms(gradient)]
    for w in weights:
        outputs.append(relu(outputs[-1] @ w))
    for w, output in zip(weights[::-1], outputs[:0:-1], strict=True):
        gradient = (relu_slope(output) * gradient) @ w.T
        sizes.append(probes.rms(gradient))
    return [probes.rms(a) for a in outputs], sizes[::-1]


n_neurons, n_blocks = 256, 30
rng = np.random.default_rng([lab.seed, 2])
x = rng.standard_normal((64, n_neurons))
output_gradient = rng.standard_normal((64, n_neurons))
he_stack = [rng.normal(0, np.sqrt(2 / n_neurons), size=(n_neurons, n_neurons)) for _ in range(n_blocks)]
forward_sizes, backward_sizes = {}, {}
for name, factor in (("He", 1), ("He / 2", 0.5)):
    stack = [factor * w for w in he_stack]
    forward_sizes[f"plain, {name}"], backward_sizes[f"plain, {name}"] = plain_both_ways(x, output_gradient, stack)
    states = residual_forward(x, stack, relu)
    gradients = residual_backward(output_gradient, states, stack, relu_slope)
    forward_sizes[f"shortcuts, {name}"] = [probes.rms(a) for a in states]
    backward_sizes[f"shortcuts, {name}"] = [probes.rms(g) for g in gradients]

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), sharey=True)
plotting.by_layer(forward_sizes, "RMS", axes[0])
plotting.by_layer(backward_sizes, "", axes[1])
axes[0].set(title="states, from left to right", xlabel="before block")
axes[1].set(title="gradients, from right to left", xlabel="before block")
axes[1].legend(loc="lower right");

# %% [markdown]
# *Figure: RMS of the states (left) and of the gradients (right) in a stack of 30 dense blocks with ReLU, without and
# with shortcuts, for two sizes of the weights.* Nothing vanishes with shortcuts. But now everything *grows*: in each
# block the branch adds to what is there already. With He's start, which was the right one for a plain stack, shortcuts
# make things explode.
#
# So a shortcut alone is not enough; the branch has to be kept small. Batch normalisation in the branch does so: whatever
# arrives, what it adds has the size γ. Block number $l$ then adds something of size 1 to something of size $\sqrt l$:
# ever less in proportion. And γ = 0 at the start is the extreme, where states and gradients do not change at all.

# %%
idle_stack = [0 * w for w in he_stack]
flat = residual_backward(output_gradient, residual_forward(x, idle_stack, relu), idle_stack, relu_slope)
print("branches of size 0: gradient at the first block as at the last?", np.array_equal(flat[0], flat[-1]))

# %% [markdown]
# The sum also shows what a shortcut must not do. Put a factor of 0.9 on it, as a well-meant damping, and the first term
# of the gradient becomes $0.9^{30} = 0.04$ after thirty blocks: a product again. He et al. (2016b) tried factors, gates,
# dropout and convolutions on the shortcut, and all of them did worse. Keep it clean.
#
# ### The direction
#
# And the networks of convolutions? With batch normalisation their gradients do not vanish; in a plain network of 32
# layers they grow on the way back. But a gradient has a direction too, and we follow it downhill. How far can it be
# trusted? Take the gradient of the loss over 64 galaxies with respect to the kernels. Then add a grain of noise to the
# pixels of the galaxies, 2 % of their spread, which changes nothing that matters, and take it again. The two should
# point in the same direction, with a cosine close to 1. None of the networks is trained yet.
#
# **Predict:** How large is the cosine for plain networks of 8 and of 32 layers?

# %%
noise = np.random.default_rng([lab.seed, 4]).standard_normal(x_train[:64].shape, "float32")
kinds = {"plain": plain_block, "last scale 1": with_ones, "last scale 0": residual_block}


def cosine(one, other):
    return np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other)


def with_and_without_noise(block, depth):
    """Norm of the gradient of each convolution of 3×3, and its cosine with that of the noisy galaxies."""
    keras.utils.set_random_seed(lab.seed)
    model = compiled(network(block, x_train.shape[1:], 4, n=(depth - 2) // 6))
    chosen = [layer for layer in parts(model)[0] if layer.kernel_size == (3, 3)]
    quiet = probes.gradients(model, x_train[:64], labels[:64], chosen)
    noisy = probes.gradients(model, x_train[:64] + 0.02 * noise, labels[:64], chosen)
    awake = [layer for layer in quiet if np.any(quiet[layer])]  # with last scale 0 the branches get no gradient yet
    return [np.linalg.norm(g) for g in quiet.values()], [cosine(quiet[layer], noisy[layer]) for layer in awake]


looked_at = {(name, depth): with_and_without_noise(kinds[name], depth) for name in kinds for depth in (8, 32)}
agreement = {key: cosines for key, (_, cosines) in looked_at.items()}
sizes = {name: looked_at[name, 32][0] for name in ("plain", "last scale 1")}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
plotting.by_layer(sizes, "norm of the gradient", axes[0])
axes[0].set(title="32 layers", xlabel="convolution")
axes[0].legend()
for place, (name, colour) in enumerate(zip(kinds, plotting.COLOURS, strict=False)):
    for shift, (depth, marker) in zip((-0.15, 0.15), ((8, "o"), (32, "s")), strict=True):
        cosines = agreement[name, depth]
        axes[1].plot(len(cosines) * [place + shift], cosines, marker, color=colour, alpha=0.3, markeredgewidth=0)
        axes[1].plot(place + shift, np.median(cosines), marker, color=colour, markersize=10)
for depth, marker in ((8, "o"), (32, "s")):
    axes[1].plot([], [], marker, color="gray", markersize=10, label=f"{depth} layers, median")
axes[1].set_xticks(range(3), list(kinds))
axes[1].set(ylabel="cosine of the two gradients", xlim=(-0.5, 2.5), ylim=(-0.5, 1.05))
axes[1].legend(loc="lower right")
for (name, depth), cosines in agreement.items():
    print(f"{name}, {depth} layers: median cosine {np.median(cosines):.2f}")

# %% [markdown]
# *Figures: length of the gradient for each convolution of untrained networks of 32 layers (left); cosine between the
# gradients with and without a grain of noise, for each convolution (faint) and their median (right). With the last
# scale at 0 only the stem has a gradient yet, of all convolutions of 3×3: one point.* In plain networks of 32 layers the
# gradient of the galaxies and that of the same galaxies with a grain of noise have next to nothing in common: wherever
# it points, it is not downhill for anything but these very pixels. Balduzzi et al. (2017) call such gradients
# **shattered**. Shortcuts mend much of it; and with the last scale at 0 the network of 32 layers begins as the same
# shallow network as that of 8, but for its random numbers, and with the gradient of one.
#
# So this is why the deep plain network did not get under way. Its gradient is not too small. It is noise.
#
# ## 8 · Activation first
#
# Our blocks have one thing left on the way around: the ReLU after the addition. He et al. (2016b) moved it into the
# branch, and batch normalisation with it, each *before* a convolution:
#
# $$x \;\to\; x + F(x), \qquad F = \text{BN, ReLU, convolution, BN, ReLU, convolution}.$$
#
# This is **pre-activation**. From block to block nothing but additions is left, so that, as long as the shape stays, the
# last state is the first plus all branches, $x_L = x_0 + F_1 + F_2 + \dots + F_L$, exactly. With it they trained a
# network of 1001 layers.
#
# Where the shape changes, the shortcut is a convolution of 1×1 with the stride, without batch normalisation, and it
# takes what leaves the first BN and ReLU of the branch. There is no BN at the end whose scale could begin at 0; the
# kernel of the last convolution does instead.

# %% exercise="8.8"
# Exercise 8.8
def preactivation_block(x, filters, stride=1, name=None, last_kernel="zeros"):
    """shortcut + branch, with batch normalisation and ReLU before each convolution of the branch, in Keras.

    Parameters
    ----------
    x, filters, stride
        As for residual_block.
    name : str, optional
        Name of the last convolution in the branch.
    last_kernel : str
        What that convolution begins with: "zeros" or "he_normal".

    Returns
    -------
    Keras tensor (batch, height / stride, width / stride, filters)

    Example
    -------
    x = keras.Input((16, 16, 8)); keras.Model(x, preactivation_block(x, 8)).count_params() is 1216, and with 12 filters in
    place of 8 it is 2336.
    """
    ### BEGIN SOLUTION
    activated = layers.ReLU()(normalisation()(x))
    branch = convolution(filters, stride=stride)(activated)
    branch = layers.ReLU()(normalisation()(branch))
    branch = convolution(filters, start=last_kernel, name=name)(branch)
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(activated)
    return layers.Add()([x, branch])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.8", preactivation_block)

# %% [markdown]
# Ten blocks of either kind, all beginning as nothing, and values of both signs:

# %%
both_signs = x_train[:10, ..., :1] * np.ones(8, "float32")
for block in (residual_block, preactivation_block):
    x = inputs
    for _ in range(10):
        x = block(x, 8)
    leaving = keras.ops.convert_to_numpy(keras.Model(inputs, x)(both_signs, training=True))
    print(f"{block.__name__}: largest change {abs(leaving - both_signs).max():.3g}")

# %% [markdown]
# Only with the activation in the branch is the way around an identity for every value. (At the end of such a network
# there has to be one more BN and ReLU, before the mean.) The difference counts where there are hundreds of layers (He
# et al. 2016b); we stay with the first kind.
#
# ## 9 · Many paths
#
# Write two blocks without activation as matrices, and multiply out:
#
# $$x (1 + W_1)(1 + W_2) = x + x W_1 + x W_2 + x W_1 W_2 .$$
#
# Two blocks, four **paths** from the input to the output: each block is passed through its branch or around it. Veit et
# al. (2016) read residual networks this way: $L$ blocks are a crowd of $2^L$ paths, of all lengths from 0 to $L$
# branches. Sort the sum by the length of the path. It need not be computed path by path ($2^{30}$ are too many): go from
# block to block, and keep one sum for each length.
#
# **Predict:** Of the $2^{30}$ paths through 30 blocks, how long are most?

# %% exercise="8.9"
# Exercise 8.9
def by_path_length(x, matrices):
    """What paths of each length contribute to the output of a stack of linear residual blocks.

    Parameters
    ----------
    x : (n, m) array
    matrices : list of (m, m) arrays
        Block l computes a + a @ matrices[l].

    Returns
    -------
    (blocks + 1, n, m) array
        Its element k is the sum over all paths that go through k branches, each in the order of the blocks. The sum over
        k is the output of the stack.

    Example
    -------
    Three blocks that each add their input once more: by_path_length(np.array([[1.0]]), 3 * [np.array([[1.0]])]).ravel() is
    [1, 3, 3, 1]: one path around everything, three through one branch, three through two, one through all.
    """
    ### BEGIN SOLUTION
    sums = np.zeros((len(matrices) + 1, *x.shape))
    sums[0] = x
    for w in matrices:
        sums[1:] += sums[:-1] @ w
    return sums
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.9", by_path_length)

# %%
n_paths = by_path_length(np.ones((1, 1)), 30 * [np.ones((1, 1))]).ravel()
rng = np.random.default_rng([lab.seed, 3])
x = rng.standard_normal((16, 64))
small = [rng.normal(0, 0.3 / np.sqrt(64), size=(64, 64)) for _ in range(30)]
contributions = np.array([probes.rms(part) for part in by_path_length(x, small)])

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
axes[0].bar(range(31), n_paths / n_paths.sum())
axes[0].set(xlabel="branches in the path", ylabel="share of the paths")
axes[1].bar(range(31), contributions**2 / np.sum(contributions**2))
axes[1].set(xlabel="branches in the path", ylabel="share of the mean square of the output");

# %% [markdown]
# *Figure: how many of the $2^{30}$ paths through 30 linear blocks have each length (left), and how much paths of each
# length contribute to the output where a branch multiplies the size by 0.3 (right).* The numbers of paths are the
# binomial coefficients, and most paths go through about 15 branches. But each branch costs a factor, and the short
# paths carry nearly everything. That is Veit et al.'s point: a residual network of 30 blocks works like a crowd of
# networks of a few layers, and these are easy to train.
#
# A crowd can spare a member. In a stack without shortcuts there is one path, and a block that is taken out breaks it.
# With shortcuts, half of the paths remain. Let us take blocks out of *trained* networks, one at a time, without
# training again. A residual block is gone when the last scale and shift of its branch are 0. A plain one is gone when
# its kernels do nothing, by your `identity_kernel`. The residual network is that of 32 layers; the plain one is that of
# 14, for that of 32 has learnt nothing that one could break.
#
# **Predict:** By how much does the accuracy fall, plain and residual?

# %%
def accuracy(model):
    return np.mean(logits_of(model, x_validation).argmax(axis=1) == validation_labels)


def take_out(model, number, plain):
    """Let block `number` do nothing."""
    last = model.get_layer(f"block_{number}")
    if not plain:
        last.set_weights([0 * last.gamma, 0 * last.beta, last.moving_mean, last.moving_variance])
        return
    convolutions, normalisations, _ = parts(model)
    place = normalisations.index(last)
    for layer, norm in zip(convolutions[place - 1 : place + 1], normalisations[place - 1 : place + 1], strict=True):
        layer.set_weights([identity_kernel(3, layer.filters)])
        ones = np.ones(layer.filters)
        norm.set_weights([np.sqrt(1 + norm.epsilon) * ones, 0 * ones, 0 * ones, ones])


def accuracy_without(model, number, plain):
    kept = model.get_weights()
    take_out(model, number, plain)
    found = accuracy(model)
    model.set_weights(kept)
    return found


def same_shape(n):
    """Blocks that keep the shape: all but the first of the second and of the third stage."""
    return [number for number in range(1, 3 * n + 1) if number not in (n + 1, 2 * n + 1)]


plain_name, residual_name = "plain, 14 layers", "residual, 32 layers"
whole = {plain_name: accuracy(plain_models[14]), residual_name: accuracy(residual_models[32])}
deleted = {
    plain_name: {number: accuracy_without(plain_models[14], number, True) for number in same_shape(2)},
    residual_name: {number: accuracy_without(residual_models[32], number, False) for number in same_shape(5)},
}

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.4))
for (name, found), colour in zip(deleted.items(), plotting.COLOURS, strict=False):
    axis.plot(list(found), list(found.values()), "o", color=colour, label=f"{name}, without this block")
    axis.axhline(whole[name], color=colour, linestyle="--", linewidth=1)
axis.axhline(0.25, color="black", linestyle=":", linewidth=1)
axis.set(xlabel="block taken out", ylabel="validation accuracy", ylim=(0, 1))
axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small");

# %% [markdown]
# *Figure: validation accuracy of trained networks from which one block was taken out; dashed: nothing taken out;
# dotted: guessing. Blocks that change the shape cannot be taken out.* The plain network breaks, whichever block is
# missing: each was trained to work on what the one before it gives. The residual network hardly notices.
#
# **Think:** Does this show that the blocks of the residual network are useless?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# No. It shows that none of them is needed *by itself*. Take out half of them at once and see. And part of it is that our
# blocks began as nothing and were trained for a minute: many have not become much.
#
# </details>

# %% [markdown]
# No block is needed by itself; that does not mean that one could spare them all.
#
# ## 10 · What a network costs
#
# Depth is not for free. The cost of a network is counted in **parameters**, and in **multiply–adds**: how many products
# are computed and added up for one image. A convolution of a $k \times k$ kernel makes, for each pixel of its *output*
# and each filter, $k^2 \times$ (input channels) products. Batch normalisation, ReLU, additions and means are
# not counted.
#
# **Predict:** From one stage to the next the image has a quarter of the pixels and twice the channels. Which stage has
# the most parameters, and which the most multiply–adds?

# %% exercise="8.10"
# Exercise 8.10
def cost(size, bands, n_classes, n, filters=(8, 16, 32)):
    """What network(residual_block, (size, size, bands), n_classes, n, filters) costs.

    Parameters
    ----------
    size : int
        Height and width of the images [pixels]. A stride of 2 halves it, rounded up.
    bands, n_classes, n : int
    filters : sequence of int
        Of the three stages.

    Returns
    -------
    parameters : int
        Those that training changes: kernels, scale and shift of each normalised channel, weights and biases of the dense
        layer. The moving averages are not among them.
    multiply_adds : int
        Of all convolutions, those on shortcuts included, and of the dense layer, for one image.

    Example
    -------
    cost(16, 3, 4, n=1) is (19756, 202368).
    """
    ### BEGIN SOLUTION
    parameters, multiply_adds = 0, 0

    def add_convolution(kernel_size, channels, n_filters):
        nonlocal parameters, multiply_adds
        weights = kernel_size**2 * channels * n_filters
        parameters += weights + 2 * n_filters
        multiply_adds += weights * size**2

    size = -(-size // 2)
    add_convolution(3, bands, filters[0])
    channels = filters[0]
    for stage, n_filters in enumerate(filters):
        for place in range(n):
            stride = 2 if stage > 0 and place == 0 else 1
            size = -(-size // stride)
            add_convolution(3, channels, n_filters)
            add_convolution(3, n_filters, n_filters)
            if stride != 1 or channels != n_filters:
                add_convolution(1, channels, n_filters)
            channels = n_filters
    return parameters + (channels + 1) * n_classes, multiply_adds + channels * n_classes
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("8.10", cost)

# %%
for depth, model in residual_models.items():
    parameters, multiply_adds = cost(16, 3, 4, n=(depth - 2) // 6)
    counted = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    print(f"{depth} layers: {parameters:6,} parameters (Keras counts {counted:,}), {multiply_adds:9,} multiply-adds")


# %% [markdown]
# From stage to stage there are four times the weights and a quarter of the pixels. So the last stage holds most of the
# parameters, while the multiply–adds of the three are about equal.
#
# ## 11 · Beside the network of lab 03
#
# Is a residual network better than the network of lab 03? To be fair, both get the same galaxies in the same order, of
# 16 × 16 pixels as all through this lab, and both cost the same: a residual network of 14 layers with 8, 16 and 32
# filters, and lab 03's network with fewer filters, 12, 24 and 48 in place of 32, 64 and 128. Each has the recipe that
# suits it, SGD for the one and Adam for the other, with the learning rate that did best on the validation set among
# two. Both train for 300 steps, a sixth of what lab 03 took.
#
# **Predict:** Which one is better? Which one is faster?

# %%
long = 300
finished = {}


def lab03_network():
    inputs = h = keras.Input(x_train.shape[1:])
    for filters in (12, 24, 48):
        h = layers.Conv2D(filters, 3, padding="same", activation="relu")(h)
        h = layers.MaxPooling2D(2)(h)
    h = layers.Dropout(0.25)(layers.Flatten()(h))
    model = keras.Model(inputs, layers.Dense(4)(h))
    finished["lab 03, narrow"] = compiled(model, 0.003, long, keras.optimizers.Adam, beta_1=0.9)
    return finished["lab 03, narrow"]


def residual_network():
    model = network(residual_block, x_train.shape[1:], 4, n=2)
    finished["residual, 14 layers"] = compiled(model, 0.2, long)
    return finished["residual, 14 layers"]


rivals = compare.train(
    {"lab 03, narrow": lab03_network, "residual, 14 layers": residual_network},
    (x_train, labels),
    (x_validation, validation_labels),
    steps=long,
    every=50,
    seeds=[lab.seed],
)
plotting.training_curves(rivals)

# %% [markdown]
# *Figure: training loss and validation accuracy of the two networks.* They learn about equally fast. But in use the
# residual network seems to lag behind for a long time: batch normalisation then takes its moving averages, and as long as
# the learning rate is large, the weights change faster than these follow. Towards the end they catch up.
#
# Now the test set, once.

# %%
x_test = (stamps.binned(data.test.images, 16).astype("float32") - mean) / spread
lab03_products = 16**2 * 9 * 3 * 12 + 8**2 * 9 * 12 * 24 + 4**2 * 9 * 24 * 48 + 2 * 2 * 48 * 4
products = {"lab 03, narrow": lab03_products, "residual, 14 layers": cost(16, 3, 4, n=2)[1]}
test_accuracy = {}
for name, model in finished.items():
    test_accuracy[name] = np.mean(logits_of(model, x_test).argmax(axis=1) == data.test.labels)
    weights = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    print(f"{name:20s} {products[name]:,} multiply-adds, {weights:6,} parameters", end=", ")
    print(f"test accuracy {test_accuracy[name]:.3f}")
times = {name: curve.seconds[0] for name, curve in rivals.items()}
slower = times["residual, 14 layers"] / times["lab 03, narrow"]
print("time for one step, residual network:", "longer" if slower > 1 else "shorter", "than that of the other")

# %% [markdown]
# They are one to three points apart, and another seed may turn it round: no more than that. Three convolutions were never in
# need of a way around, and four kinds of galaxies do not ask for fourteen. What depth buys here is not accuracy. And
# multiply–adds are not seconds: fourteen thin layers one after the other take longer than three thick ones with as many
# products.
#
# So why does everybody use residual networks? Because the harder the question, the more layers it asks for, and with
# shortcuts you may have as many as you want. The next time you read of a network of 50 layers, of a U-Net (lab 13), or
# of a transformer with its hundred blocks: look for the plus sign.
#
# ## What you measured

# %%
results.record(
    "08",
    plain_8=final_loss(plain_curves[8]),
    plain_14=final_loss(plain_curves[14]),
    plain_32=final_loss(plain_curves[32]),
    residual_8=final_loss(residual_curves[8]),
    residual_14=final_loss(residual_curves[14]),
    residual_32=final_loss(residual_curves[32]),
    plain_degrades=final_loss(plain_curves[32]) - final_loss(plain_curves[8]),
    shortcut_gains=final_loss(plain_curves[32]) - final_loss(residual_curves[32]),
    depth_helps=final_loss(residual_curves[8]) - final_loss(residual_curves[32]),
    slow_ones_32=final_loss(slow_curve),
    built_32=abs(in_use["32 layers, built"] - in_use["8 layers, trained"]),
    plain_direction=np.median(agreement["plain", 32]),
    residual_direction=np.median(agreement["last scale 0", 32]),
    plain_without_a_block=whole[plain_name] - np.mean(list(deleted[plain_name].values())),
    residual_without_a_block=whole[residual_name] - np.mean(list(deleted[residual_name].values())),
    lab03_accuracy=test_accuracy["lab 03, narrow"],
    residual_accuracy=test_accuracy["residual, 14 layers"],
)
results.table("08")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - A deeper plain network is worse even on its training set, though weights that make it as good exist: it is the
#   *finding* that fails. Its gradient is shattered: a grain of noise, and it points elsewhere.
# - Let a block compute what to add: ReLU(x + F(x)). Forward the states add up, backward the gradients do; the product of
#   many factors has a 1 in each.
# - Let it begin as nothing: last scale γ = 0. Nothing but an addition belongs on the way around.
#
# **Where to go on:** lab 12 builds networks that give images back, and in lab 13 shortcuts reach from one end of the
# network to the other.
#
# **Stretch tasks**
#
# 1. **The last scale.** Train `with_ones`, 32 layers, at the rate 0.1, with three seeds. Then at 0.05 and 0.02. What is the
#    largest rate that it stands, and what that of `residual_block`? And is there a rate at which `plain_block` learns?
# 2. **A hundred layers.** Train `network(residual_block, …, n=16)`.
# 3. **Half of the blocks.** Take out 2, 4, 8 blocks of the residual network of 32 layers at random. How does the accuracy
#    fall with their number (Veit et al. 2016)?
# 4. **Stochastic depth.** Skip each block at random during training (Huang et al. 2016). What does it do to the
#    experiment before?
# 5. **Bottlenecks.** The block of the ResNet with 50 layers is 1×1, 3×3, 1×1, and narrow in the middle. Write it, and count with
#    `cost`'s rules what it saves.
# 6. **Where does a stride look?** With padding "same" and a stride of 2, a kernel of 3×3 on an even image is centred on the
#    second, fourth, … pixel, and the 1×1 shortcut on the first, third, … Show it with an image that has one bright
#    pixel. PyTorch pads differently; which pixels does it take?
#
# **References**
#
# - Balduzzi et al. 2017, ICML, 342: The shattered gradients problem: if resnets are the answer, then what is the question?
# - Goyal et al. 2017, arXiv:1706.02677: Accurate, large minibatch SGD: training ImageNet in 1 hour.
# - He, Zhang, Ren & Sun 2016a, CVPR, 770: Deep residual learning for image recognition.
# - He, Zhang, Ren & Sun 2016b, ECCV, 630: Identity mappings in deep residual networks.
# - Huang et al. 2016, ECCV, 646: Deep networks with stochastic depth.
# - Veit, Wilber & Belongie 2016, NIPS 29: Residual networks behave like ensembles of relatively shallow networks.
