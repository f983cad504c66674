# %% [markdown]
# # 10 · Transfer learning
#
# **Question:** A network has learnt from thousands of labelled galaxies of one survey. The next survey sees deeper and
# sharper, and hardly anyone has looked at its galaxies yet. How many new labels are needed?
#
# **You build:** completeness and purity, freezing that really freezes, a linear probe, a learning rate for each layer, the
# experiment that compares methods label by label, the way into a network trained on photographs, and a search for
# galaxies that look alike, at last among real ones.
#
# **Time:** 120 minutes of work, 2 minutes of CPU · **Before:** labs 03, 07 ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/10_transfer_learning.ipynb)
#
# **Papers:** Domínguez Sánchez et al. 2019, MNRAS 484, 93 (SDSS to DES); Yosinski et al. 2014, NIPS 27 (how general is a
# layer?); Kornblith et al. 2019, CVPR (ImageNet's features)

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

lab.start("10")

# %% tags=["imports"]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils import backbones, datasets, metrics, plotting, results, sky, training, transfer
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · The same galaxies, twice
#
# Disc galaxies come with spiral arms and without. Two surveys look at them, both simulated with the pixels, sharpness and
# depth of real ones: **SDSS**, with pixels of 0.396″, a PSF of 1.3″ (r) and a depth of 22.7 mag, and **DES**, with 0.263″,
# 0.95″ and 25.2 mag. Each row below is the same galaxies.

# %% tags=["showcase"]
target = datasets.load("surveys", survey="DES", seed=lab.seed)
overlap = datasets.load("surveys", survey="SDSS", n_train=0, seed=lab.seed)  # the test galaxies, as SDSS sees them

truth, labels = target.test.truth, target.test.labels
shown = [
    i
    for kind in (1, 0)
    for i in np.flatnonzero((labels == kind) & (truth["magnitude"] < 19) & (truth["axis_ratio"] > 0.6))[:4]
]
pictures = [sky.colour(seen.test.images[shown], seen.survey) for seen in (overlap, target)]
titles = [f"{target.class_names[labels[i]]}, r {truth['magnitude'][i]:.1f}" for i in shown]
plotting.gallery([*pictures[0], *pictures[1]], titles + ["as DES sees it"] * len(shown), columns=8, size=1.25)

# %% [markdown]
# *Figure: four spirals and four smooth discs in stamps of 32 × 32 pixels, seen by SDSS (top) and by DES (bottom).* In SDSS
# they are small, soft and noisy. In DES the same galaxy fills more of the stamp, and its light stands higher above the
# noise. Nothing but the arms, with their dust and clumps, tells spirals from smooth discs: sizes, bulges, bars and (on
# average) colours are the same.
#
# Some words for the rest of the lab. The **source** is where labels are plenty: 4000 galaxies of SDSS, bright ones, as
# volunteers label bright galaxies first. The **target** is where they are few: fainter galaxies, seen by DES. To
# **transfer** is to use on the target what was learnt on the source. No galaxy is in both training sets. We know the labels
# of 3000 training galaxies in DES as well, and shall pretend most of the time that we do not.

# %%
source = datasets.load("surveys", survey="SDSS", n_train=4000, magnitude=(15.5, 18.3), seed=lab.seed)
print(source.description)
print(target.description)
stretched = np.arcsinh(source.train.images)
mean, spread = stretched.mean(axis=(0, 1, 2)), stretched.std(axis=(0, 1, 2))


def prepared(images):
    """Stamps as the source network takes them: stretched, then scaled by the mean and the spread of the SOURCE."""
    return ((np.arcsinh(images) - mean) / spread).astype("float32")


def network():
    """Three blocks of convolution, batch norm and ReLU, the mean over the image, and a head of two outputs."""
    x = inputs = keras.Input((32, 32, 3))
    for number, (channels, kernel, stride) in enumerate([(16, 5, 2), (32, 3, 1), (24, 3, 1)], 1):
        x = layers.Conv2D(channels, kernel, strides=stride, padding="same", use_bias=False, name=f"block{number}_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
        if number == 2:
            x = layers.MaxPooling2D(2, name="block2_pool")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def outputs(model, images):
    """What a model returns for many images, 100 at a time, in inference mode."""
    parts = [model(images[i : i + 100], training=False) for i in range(0, len(images), 100)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def compiled(model, optimizer):
    model.compile(
        optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=training.jit_compile(),
    )
    return model

# %% [markdown]
# All before the head, the convolutional part, turns an image into 24 numbers, its **features**. The **head** decides from
# these: it puts out two **logits**, numbers of which the larger one names the class (lab 03). Train it on the source. (`transfer.train` starts from given weights and lets the learning rate fall to 0; you meet
# it again and again below.)

# %%
keras.utils.set_random_seed(lab.seed)
model = compiled(network(), keras.optimizers.Adam(0.003))
untrained = model.get_weights()
transfer.train(model, untrained, prepared(source.train.images), source.train.labels, steps=500, batch_size=64, seed=lab.seed)
source_weights = model.get_weights()
x_train, x_validation, x_test = (prepared(s.images) for s in (target.train, target.validation, target.test))
y_train, y_validation, y_test = (s.labels for s in (target.train, target.validation, target.test))
n_weights = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
print(f"{n_weights} weights, trained on {len(source.train.labels)} galaxies of SDSS")

# %% [markdown]
# ## 2 · Direct use
#
# The cheapest transfer is none: hand the target's galaxies to the source's network. Suppose you want a sample of spirals.
# **Accuracy**, the share of all galaxies that are classed rightly, does not tell what you need to know. These two do:
#
# $$\text{completeness} = \frac{\text{spirals that were found}}{\text{all spirals}}, \qquad
# \text{purity} = \frac{\text{spirals that were found}}{\text{all that was called a spiral}} .$$
#
# (Elsewhere they are called recall and precision.)

# %% exercise="10.1"
# Exercise 10.1
def completeness_purity(labels, predictions, wanted):
    """Completeness and purity of the sample that is predicted to be of the wanted class.

    Parameters
    ----------
    labels, predictions : (n,) arrays of int
        True and predicted classes; there may be more than two.
    wanted : int

    Returns
    -------
    completeness, purity : float
        nan where there is nothing to divide by: no galaxy of that class, or none predicted to be.

    Example
    -------
    completeness_purity(np.array([1, 1, 1, 0]), np.array([1, 0, 0, 0]), 1) is (0.333…, 1.0): one of three spirals was
    found, and nothing else was called a spiral.
    """
    ### BEGIN SOLUTION
    found = np.sum((labels == wanted) & (predictions == wanted))
    n_wanted, n_predicted = np.sum(labels == wanted), np.sum(predictions == wanted)
    completeness = found / n_wanted if n_wanted else np.nan
    purity = found / n_predicted if n_predicted else np.nan
    return completeness, purity
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.1", completeness_purity)

# %% [markdown]
# **Predict:** DES is sharper and deeper. Hand the network the very same galaxies as SDSS saw them and as DES saw them: in
# which of the two is it more often right?

# %%
seen = {
    "SDSS, bright galaxies": (prepared(source.test.images), source.test.labels),
    "SDSS, the target's galaxies": (prepared(overlap.test.images), overlap.test.labels),
    "DES, the target's galaxies": (x_test, y_test),
}
direct = {name: (y, outputs(model, x).argmax(axis=1)) for name, (x, y) in seen.items()}
print(f"{'':30s}accuracy  completeness  purity")
for name, (y, predicted) in direct.items():
    completeness, purity = completeness_purity(y, predicted, wanted=1)
    print(f"{name:30s}{metrics.accuracy(y, predicted):8.3f}{completeness:14.3f}{purity:8.3f}")

# %% [markdown]
# On new galaxies like those that it was trained on, the network is good. The last two rows are the *same* galaxies, fainter
# ones. In SDSS they are too faint. In DES there is enough to see, and yet the network may lose a part of what it can. How
# much differs widely from seed to seed: over five, the accuracy on DES went from .62 to .88. Where it is low, the errors are
# lopsided: of completeness and purity, one falls by far more than the other. Domínguez Sánchez et al. (2019) found the same
# with real data: about 90 % of accuracy on DES, but a low completeness and purity.
#
# **Think:** Each stamp is in units of its survey's sky noise. Why are galaxies of DES new to the network, though they are
# the sharper ones?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# A kernel is fixed in pixels, and an arm of 1″ is 2.5 pixels wide in SDSS and 3.8 in DES. Noise, blur and brightness
# differ too, so what leaves a convolution has another mean and spread, and the threshold of the head stands in the wrong
# place. "Better" is not "alike".
#
# </details>

# %% [markdown]
# ## 3 · To freeze
#
# Next: keep the convolutional part as it is, and train the rest on the target's labels. In Keras a layer with
# `layer.trainable = False` is **frozen**. Three things go wrong with it in published code:
#
# 1. The flags are read at the *first step after* `compile`, and what was read then holds. Change a flag later, forget to
#    `compile` anew, and nothing happens. (Flags first, then `compile`: so one need not think about it.)
# 2. Freezing is one half. To train from some layer on, the layers behind it have to be *unfrozen*, for they may have been
#    frozen before. And the model has a flag, too: `model.trainable = False` freezes everything, and as long as it stands,
#    the flags of the layers count for nothing. To raise it raises those of all layers, so do that first.
# 3. **Batch norm** (lab 07) holds two numbers for each channel that no optimiser touches, the moving mean and variance.
#    In training mode they follow the batches, and the batch's own mean and variance are used. So a network with frozen
#    convolutions may still change. In Keras, a *frozen* batch-norm layer runs in inference mode: nothing in it moves.
#
# Write a function that trains a network from a given layer on and leaves all the rest, and *every* batch norm, alone.

# %% exercise="10.2"
# Exercise 10.2
def train_from(model, first, learning_rate):
    """Prepare a classifier for training from one layer on; every batch-norm layer is frozen.

    Parameters
    ----------
    model : keras.Model
        A plain chain of layers (model.layers, in order) that ends in logits; any flag may be down, its own as well. It is
        changed: the layers before `first` are frozen, `first` and those behind it are trained, but for layers of the type
        layers.BatchNormalization, which are all frozen. It is compiled anew, with Adam and the sparse categorical
        cross-entropy of logits.
    first : str
        Name of the first layer to be trained.
    learning_rate : float

    Returns
    -------
    None

    Example
    -------
    After train_from(model, "head", 0.001) and a step of training, nothing but the weights of the layer "head" has changed.
    """
    ### BEGIN SOLUTION
    model.trainable = True  # sets the flags of all layers as well, so it comes first
    reached = False
    for layer in model.layers:
        reached = reached or layer.name == first
        layer.trainable = reached and not isinstance(layer, layers.BatchNormalization)
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), crossentropy, jit_compile=training.jit_compile())
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.2", train_from)

# %% [markdown]
# Now see what happens without the third point. Two ways to keep the convolutions, each trained for 30 steps with batches of
# **four** galaxies of the target:
#
# - *called with `training=False`*: the convolutions are frozen, and the whole network is called as
#   `network(x, training=False)`, which should keep batch norm in inference mode, as many tutorials tell you. (The factors
#   and shifts of batch norm, γ and β, are weights, too. Nobody froze them here, so they are trained.)
# - yours.
#
# **Predict:** In which of the two do the moving averages move?

# %% tags=["may-repeat-solution"]
few = np.random.default_rng([lab.seed, 3]).permutation(len(y_train))[:120]


def moved(trained):
    """Largest change of a moving mean, in units of the spread of its channel."""
    names, changes = ("block1_bn", "block2_bn", "block3_bn"), []
    for name in names:
        before, after = model.get_layer(name), trained.get_layer(name)
        spreads = keras.ops.sqrt(before.moving_variance)
        changes.append(float(keras.ops.max(keras.ops.abs(after.moving_mean - before.moving_mean) / spreads)))
    return max(changes)


def report(name, trained, inner):
    trained.fit(x_train[few], y_train[few], batch_size=4, epochs=1, verbose=0)
    accuracy = metrics.accuracy(y_validation, outputs(trained, x_validation).argmax(axis=1))
    print(f"{name:30s} moving means moved by {moved(inner):5.2f} spreads, validation accuracy {accuracy:.3f}")


model.set_weights(source_weights)
inner = keras.models.clone_model(model)
inner.set_weights(source_weights)
for layer in inner.layers:
    layer.trainable = not isinstance(layer, layers.Conv2D)
inputs = keras.Input((32, 32, 3))
called = keras.Model(inputs, inner(inputs, training=False))
report("called with training=False", compiled(called, keras.optimizers.Adam(0.001)), inner)

yours = keras.models.clone_model(model)
yours.set_weights(source_weights)
train_from(yours, "head", 0.001)
report("yours", yours, yours)

# %% [markdown]
# Yours stays where it is. The moving averages of the other went their way, unasked. That surprises many who know Keras
# well. In Keras 2, `training=False` at the call was kept for ever. In Keras 3, `fit` runs the model with `training=True`,
# and that is handed down to all layers of an inner functional model, whatever was said when it was called. What is safe is
# what you wrote: `trainable = False` on the batch-norm layer itself.
#
# And the accuracies? Do not be alarmed if yours is the lower one. Of five seeds that we tried, the other was better by .1 to
# .2 at three, and equal at the two where direct use did well already. It has trained more, γ and β, and its averages
# follow DES, which those of SDSS do not fit. So it is no mistake to let batch norm follow, where batches are large enough for
# the averages not to be those of the last few galaxies: section 5 will do so, with 32. It is a mistake not to know about it,
# and to publish "frozen features" that were not. Check which weights have changed.
#
# ## 4 · Frozen features, and how general a layer is
#
# When nothing but the head is trained, the 24 features of a galaxy never change. So compute them **once**, and train the
# head on the table of features: a linear classifier, in milliseconds. That is called a **linear probe**, and it can be put
# at any layer, to ask what that layer makes easy to see. Where a layer gives a map, we take the mean over its places.
#
# One thing to watch: features have to be standardised (channel by channel, mean 0 and spread 1), with the mean and spread
# of the *training* features. A galaxy that arrives tonight, alone, has none of its own.

# %% exercise="10.3"
# Exercise 10.3
def linear_probe(features, labels, new_features, C=0.1):
    """Classes of new galaxies, from a logistic regression on features.

    Parameters
    ----------
    features : (n, channels) or (n, height, width, channels) array
        Of the training galaxies. Maps are averaged over height and width.
    labels : (n,) array of int
    new_features : (m, channels) or (m, height, width, channels) array
    C : float
        Of LogisticRegression: the smaller, the smaller its weights.

    Returns
    -------
    (m,) array of int
        Predicted labels.

    Example
    -------
    linear_probe(np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1]), np.array([[2.0], [8.0]])) is [0, 1].
    """
    ### BEGIN SOLUTION
    if features.ndim == 4:
        features, new_features = features.mean(axis=(1, 2)), new_features.mean(axis=(1, 2))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    return probe.fit(features, labels).predict(new_features)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.3", linear_probe)

# %% [markdown]
# Probe every block, with 1000 labels of the target. As a control, the same network with the random weights it began with:
# its **random twin**.
#
# **Predict:** The network was trained for SDSS, and its last block is the nearest to that task. Which block serves the
# *target* best: an early one, that is more general, or the last? And of the twin's three blocks?

# %%
model.set_weights(source_weights)
places = ["block1_relu", "block2_relu", "block3_relu"]
parts_of_model = [keras.Model(model.input, model.get_layer(name).output) for name in places]
chosen = np.arange(1000)
probed = {}
for name, weights in (("trained on SDSS", source_weights), ("random weights", untrained)):
    model.set_weights(weights)
    predictions = [
        linear_probe(outputs(part, x_train[chosen]), y_train[chosen], outputs(part, x_validation)) for part in parts_of_model
    ]
    probed[name] = [metrics.accuracy(y_validation, predicted) for predicted in predictions]
model.set_weights(source_weights)

figure, axis = plt.subplots(figsize=(6, 3.4))
for name, line in probed.items():
    axis.plot([1, 2, 3], line, "o-", label=name)
axis.set(xlabel="block", ylabel="accuracy of a linear probe", ylim=(0.45, 1))
axis.set_xticks([1, 2, 3])
axis.axhline(0.5, color="black", linestyle=":", linewidth=1)
axis.legend(loc="upper left");

# %% [markdown]
# *Figure: accuracy on DES galaxies (validation) of linear probes after each block, for the network trained on SDSS and for
# its random twin; dotted, guessing.* The first block sees edges and blobs, of which the mean over the image says little
# about arms. With every block that was trained on SDSS, the classes of DES become easier to separate. Of the random
# network they do not, or hardly. What was learnt is general enough to be used; Yosinski et al. (2014) found that the first
# layers are the most general and the last the most special, and that with little distance between the tasks even the last
# carry over.
#
# ## 5 · Fine-tuning, a rate for each layer
#
# **Fine-tuning** trains on from the source's weights, all layers. The danger: the first steps, with gradients of a handful
# of galaxies, wreck what 4000 have built. The early layers are general and should hardly move; the head is special and
# has to. So give each layer its own learning rate, which shrinks from the head to the front by a factor a block:
# **discriminative learning rates** (Howard & Ruder 2018).

# %% exercise="10.4"
# Exercise 10.4
def layer_rates(names, top, factor):
    """A learning rate for each layer: the last block has `top`, each block before it `factor` times less.

    Parameters
    ----------
    names : list of str
        Layers from the input to the output. What stands before the first "_" is the layer's block; layers of one block
        follow each other. A name without "_" is a block of its own.
    top : float
    factor : float

    Returns
    -------
    dict of str to float
        Rate by the name of the layer, for all names.

    Example
    -------
    layer_rates(["block1_conv", "block1_bn", "block2_conv", "head"], 0.9, 3) is
    {"block1_conv": 0.1, "block1_bn": 0.1, "block2_conv": 0.3, "head": 0.9}.
    """
    ### BEGIN SOLUTION
    blocks = []
    for name in names:
        block = name.split("_")[0]
        if block not in blocks:
            blocks.append(block)
    last = len(blocks) - 1
    return {name: top / factor ** (last - blocks.index(name.split("_")[0])) for name in names}
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.4", layer_rates)

# %% [markdown]
# Keras' optimisers have one rate. `transfer.LayerwiseAdam` takes your dictionary: it is Adam, with the step of each layer
# multiplied by its share. (To multiply the *gradients* would do nothing: Adam divides by their size.)
#
# Settings have to be chosen on data that is not the test set. Here we try three on the validation set, with 100 labels. To be
# honest about it: 1000 labelled galaxies for validation are a luxury that a survey with 100 labels does not have. One would
# choose on another survey, or by cross-validation.

# %%
def fine_tuner(top, factor, batch_norm):
    """A copy of the network with a rate for each layer; batch norm follows the new data, or is frozen."""
    copy = keras.models.clone_model(model)
    for layer in copy.layers:
        layer.trainable = batch_norm or not isinstance(layer, layers.BatchNormalization)
    names = [layer.name for layer in copy.layers if layer.trainable_weights]
    return compiled(copy, transfer.LayerwiseAdam(layer_rates(names, top, factor)))


hundred = np.concatenate([np.flatnonzero(y_train == kind)[:50] for kind in (0, 1)])
settings = {  # rate of the head, factor, does batch norm follow
    "0.003 for all, batch norm frozen": (0.003, 1, False),
    "0.003, a third each block, batch norm frozen": (0.003, 3, False),
    "0.003, a third each block": (0.003, 3, True),
}
tuners = {name: fine_tuner(*setting) for name, setting in settings.items()}
tried = {}
for name, copy in tuners.items():
    transfer.train(copy, source_weights, x_train[hundred], y_train[hundred], steps=80, seed=lab.seed)
    tried[name] = metrics.accuracy(y_validation, outputs(copy, x_validation).argmax(axis=1))
plotting.bars(tried, "validation accuracy with 100 labels", baseline=("guessing", 0.5))

# %% [markdown]
# *Figure: accuracy on the validation galaxies after fine-tuning with 100 labels, for three settings.* One rate of 0.003 for
# all layers, with batch norm frozen, wrecks the network in most runs: it may end as low as guessing. A rate that shrinks
# towards the front saves it. Whether batch norm then follows the batches, of 32 here, makes no difference beyond the scatter.
# Either will do; we take the last, so that nothing of SDSS is left that could not follow where there are many labels.

# %% [markdown]
# ## 6 · How many labels?
#
# Now the experiment. For it to be fair:
#
# - every method gets the **same** galaxies;
# - small sets are part of the large ones (**nested**), so that a curve does not jump because of other galaxies;
# - each class is equally frequent in a set (**balanced**), or with 20 labels chance decides;
# - all is repeated with other draws, to see the spread.

# %% exercise="10.5"
# Exercise 10.5
def nested_subsets(labels, sizes, rng):
    """Random subsets of the galaxies, balanced, each contained in the next larger one.

    Parameters
    ----------
    labels : (n,) array of int
        Classes, in any order and not equally frequent. There are as many classes as different labels.
    sizes : list of int
        In any order; each a multiple of the number of classes, and small enough for the rarest class.
    rng : numpy.random.Generator

    Returns
    -------
    list of (size,) arrays of int
        Positions in `labels`, one array for each of the sizes, in their order.

    Example
    -------
    nested_subsets(np.array([0, 0, 0, 1, 1, 1]), [2, 4], rng) may be [array([1, 5]), array([1, 2, 5, 3])].
    """
    ### BEGIN SOLUTION
    classes = np.unique(labels)
    shuffled = [rng.permutation(np.flatnonzero(labels == kind)) for kind in classes]
    return [np.concatenate([rows[: size // len(classes)] for rows in shuffled]) for size in sizes]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.5", nested_subsets)

# %% [markdown]
# A **method** is a function: it is told which galaxies have labels, may use these and no other labels, and returns a score.

# %% exercise="10.6"
# Exercise 10.6
def label_curve(methods, labels, sizes, n_draws, seed):
    """Score of each method with each number of labels, over several draws.

    Parameters
    ----------
    methods : dict of str to function
        method(chosen) trains on the galaxies at the positions `chosen` and returns a score, a float.
    labels : (n,) array of int
        Of all galaxies that may be chosen.
    sizes : list of int
        Numbers of labels, in any order, which is that of the rows.
    n_draws : int
        For each draw, subsets are drawn by `nested_subsets` with np.random.default_rng([seed, draw]), draw = 0, 1, …
    seed : int

    Returns
    -------
    dict of str to (len(sizes), n_draws) array
        By the name of the method.

    Example
    -------
    label_curve({"count": len}, np.array([0, 1, 0, 1]), [2, 4], 3, seed=0) is {"count": [[2, 2, 2], [4, 4, 4]]}.
    """
    ### BEGIN SOLUTION
    scores = {name: np.zeros((len(sizes), n_draws)) for name in methods}
    for draw in range(n_draws):
        subsets = nested_subsets(labels, sizes, np.random.default_rng([seed, draw]))
        for row, chosen in enumerate(subsets):
            for name, method in methods.items():
                scores[name][row, draw] = method(chosen)
    return scores
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.6", label_curve)

# %% [markdown]
# Four methods: *direct* uses no labels. *Frozen* is your linear probe on the 24 features. *Fine-tuned* trains all layers for
# 80 steps with the setting from above. *From scratch* begins with random weights, with 0.003 for all layers, and gets more
# steps where there are more labels. Settings are fixed now; from here on we look at the **test set**, once.
#
# **Predict:** Draw the four curves. With how many labels does a network from scratch reach what fine-tuning reaches with
# 100?

# %%
features = keras.Model(model.input, model.get_layer("mean").output)
train_features, test_features = outputs(features, x_train), outputs(features, x_test)
tuner = tuners["0.003, a third each block"]
answers = {}  # predictions of each method for the test set, by the number of labels (those of the last draw)
known = {}  # accuracy of each method by the very galaxies: there is only one set of all 3000


def scored(name, predicted):
    """A method for the experiment, from a function that trains and predicts. No set is trained on twice."""

    def method(chosen):
        key = name, frozenset(chosen.tolist())
        if key not in known:
            answers[name, len(chosen)] = predicted(chosen)
            known[key] = metrics.accuracy(y_test, answers[name, len(chosen)])
        return known[key]

    return method


def frozen(chosen):
    return linear_probe(train_features[chosen], y_train[chosen], test_features)


def fine_tuned(chosen):
    transfer.train(tuner, source_weights, x_train[chosen], y_train[chosen], steps=80, seed=lab.seed)
    return outputs(tuner, x_test).argmax(axis=1)


def from_scratch(chosen):
    steps = min(50 + len(chosen), 250)
    transfer.train(model, untrained, x_train[chosen], y_train[chosen], steps, seed=lab.seed)
    return outputs(model, x_test).argmax(axis=1)


sizes = [20, 100, 1000, 3000]
methods = {"frozen": frozen, "fine-tuned": fine_tuned, "from scratch": from_scratch}
curves = label_curve({name: scored(name, method) for name, method in methods.items()}, y_train, sizes, 2, lab.seed)
direct_accuracy = metrics.accuracy(*direct["DES, the target's galaxies"])

# %%
figure, axis = plt.subplots(figsize=(7, 4))
axis.axhline(direct_accuracy, color="black", linestyle="--", linewidth=1, label="direct use, no label")
for (name, scores), colour in zip(curves.items(), plotting.COLOURS, strict=False):
    axis.plot(sizes, scores.mean(axis=1), "o-", color=colour, label=name)
    axis.fill_between(sizes, scores.min(axis=1), scores.max(axis=1), color=colour, alpha=0.2)
axis.set(xscale="log", xlabel="labelled galaxies of the target", ylabel="accuracy on the test set", ylim=(0.45, 1))
axis.set_xticks(sizes, sizes)
axis.legend(loc="lower right");

# %% [markdown]
# *Figure: accuracy on DES against the number of labels, mean (line) and range (band) over two draws of the labelled
# galaxies (there is only one set of all 3000); dashed, the source's network as it is.* Fine-tuning with 100 labels is better
# than a network from scratch with 1000: the source was worth more than 900 labels. Frozen features are nearly as good. With
# 20 labels the two are equal within the spread; with more, fine-tuning is ahead, by two points of a hundred in the mean over
# five seeds, and at some seeds by nothing. Domínguez Sánchez et al. (2019) needed 300 to 500 galaxies of DES to get beyond
# 95 %, a tenth of what a new network would have needed.
#
# **Think:** The bands come from two draws of the labelled galaxies. Which other sources of scatter do they leave out?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The source network is one and the same: with other first weights or other source galaxies it would be better or worse, and
# with it all curves that start from it. So is the test set. `python -m utils.course measure 10` repeats the whole lab with
# other seeds, and the bands in the last table contain all of that.
#
# </details>

# %%
print(f"{'with 100 labels':20s}accuracy  completeness  purity")
for name, predicted in {
    "direct (none)": direct["DES, the target's galaxies"][1],
    **{name: answers[name, 100] for name in curves},
}.items():
    completeness, purity = completeness_purity(y_test, predicted, wanted=1)
    print(f"{name:20s}{metrics.accuracy(y_test, predicted):8.3f}{completeness:14.3f}{purity:8.3f}")

# %% [markdown]
# A hundred labels balance completeness and purity again: that, more than the accuracy, is what makes the sample usable.
#
# ## 7 · When does it hurt?
#
# A source can be too far. Far in what it *shows*, or far in what it was *asked*. Take the second: the very same SDSS
# images, but the network learnt to answer another question, whether a galaxy is redder than most. Colour needs no shapes.
#
# **Predict:** Are its features worth more than random ones, for arms? Is fine-tuning from it better than from scratch?

# %%
flux = source.train.images.sum(axis=(1, 2)) * source.survey.sky_noise
red = flux[:, 1] / flux[:, 0]
is_red = (red > np.median(red)).astype(int)
transfer.train(model, untrained, prepared(source.train.images), is_red, steps=150, seed=lab.seed)
colour_weights = model.get_weights()
judged = metrics.accuracy(is_red[:1000], outputs(model, prepared(source.train.images[:1000])).argmax(axis=1))
print(f"the colour network tells red from blue with an accuracy of {judged:.3f} (on its training galaxies)")

far = {}
subset = nested_subsets(y_train, [100, 1000], np.random.default_rng([lab.seed, 0]))  # the first draw of the curves
for name, weights in (("arms", source_weights), ("colour", colour_weights), ("nothing (random)", untrained)):
    model.set_weights(weights)
    train_table, test_table = outputs(features, x_train[subset[1]]), outputs(features, x_test)
    for n_labels in (100, 1000):
        rows = np.isin(subset[1], subset[n_labels == 1000])
        predicted = linear_probe(train_table[rows], y_train[subset[1]][rows], test_table)
        far[name, n_labels] = metrics.accuracy(y_test, predicted)
    print(f"frozen features of a network asked for {name}: {far[name, 100]:.3f} with 100 labels, {far[name, 1000]:.3f} with 1000")
transfer.train(tuner, colour_weights, x_train[subset[0]], y_train[subset[0]], steps=80, seed=lab.seed)
misled = metrics.accuracy(y_test, outputs(tuner, x_test).argmax(axis=1))
print(f"with 100 labels, fine-tuned from colour {misled:.3f}, from scratch {curves['from scratch'][1, 0]:.3f}", end=", ")
print(f"fine-tuned from arms {curves['fine-tuned'][1, 0]:.3f}")

# %% [markdown]
# To have seen the same images is worth nothing if the question was another one. The colour network is excellent at what it was
# asked, and its features are for arms no better than random ones, within the scatter: with 100 labels either may come out
# at guessing, or below. Fine-tuning from it is here even worse than from scratch with the same 100 labels, for it moves the
# early layers but little, in the belief that they are right. That is called **negative transfer**. (It is one draw of the
# labels: look whether the difference is larger than the bands of section 6.)
#
# ## 8 · A network that has seen photographs
#
# What if there is no source survey at all? **ImageNet** is a million photographs of dogs, teapots and ships, in 1000
# classes. Networks trained on it have seen edges, textures and spirals of any kind. `backbones.efficientnet_lite0` is one of
# them, and comes with the course. `keras.applications` has many more, which are fetched over the network:
#
# ```python
# keras.applications.EfficientNetV2B0(include_top=False, pooling="avg", input_shape=(64, 64, 3))  # fetches 24 MB
# ```
#
# The most frequent mistake with such a **backbone** is in front of it. It learnt with numbers of a certain range, bands of a
# certain order, scaled in a certain way: give it others and it answers all the same, badly. EfficientNet-Lite0 was fed red,
# green, blue, each $(v - 127)/128$ with $v$ from 0 to 255. (Other networks want other things, and those of
# `keras.applications` that are called EfficientNet want 0 to 255 and scale by themselves: scale before, and it is done
# twice.) Our stamps are g, r, i, **from blue to red**, and reach from −3 to several hundred times the sky noise.

# %% exercise="10.7"
# Exercise 10.7
def for_backbone(images, low, high):
    """Stamps as EfficientNet-Lite0 takes them.

    Parameters
    ----------
    images : (n, height, width, 3) array
        In units of the sky noise, bands from blue to red.
    low, high : float
        After the stretch by arcsinh, `low` and all below becomes black (0), `high` and all above becomes white (255), in
        every image alike; between them the scale is linear.

    Returns
    -------
    (n, height, width, 3) array
        Bands from red to blue, each value v of 0 to 255 as (v − 127) / 128. backbones.preprocess does this last step.

    Example
    -------
    With low=0 and high=2, a pixel of sky, [0, 0, 0], becomes [−0.992, −0.992, −0.992], and a pixel [0, 0, sinh(2)], that is
    bright in the reddest band, [1.0, −0.992, −0.992].
    """
    ### BEGIN SOLUTION
    scaled = np.clip((np.arcsinh(images) - low) / (high - low), 0, 1)
    return backbones.preprocess(255 * scaled[..., ::-1])
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.7", for_backbone)

# %% [markdown]
# The backbone halves its images five times, so 32 pixels are too few: we enlarge to 64. The features, 1280 for each galaxy,
# are computed once. Its **random twin** has the same layers with random weights; to be fair to it, its batch norms are given
# the means and variances of galaxies, without which its signals fade away on the way (lab 06).

# %%
def photographs(images):
    return keras.ops.image.resize(for_backbone(images, low=-1, high=5), (64, 64), interpolation="bilinear")


def backbone_features(weights, images):
    """Mean over the image of what the backbone makes of it: (n, 1280)."""
    backbone = backbones.efficientnet_lite0((64, 64, 3), weights=weights)
    if weights is None:
        for layer in backbone.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.0  # the next batch replaces the moving averages
        backbone(photographs(images[:200]), training=True)
    pooled = keras.Model(backbone.input, layers.GlobalAveragePooling2D()(backbone.output))
    return pooled.predict(photographs(images), batch_size=100, verbose=0)


n_pool, n_test = 600, 400  # to save time
pictured = np.concatenate([target.train.images[:n_pool], target.test.images[:n_test]])
keras.utils.set_random_seed(lab.seed)
tables = {
    "photographs (ImageNet)": backbone_features("imagenet", pictured),
    "nothing (random twin)": backbone_features(None, pictured),
}


def probe_of(table):
    def method(chosen):
        predicted = linear_probe(table[:n_pool][chosen], y_train[chosen], table[n_pool:], C=0.01)
        return metrics.accuracy(y_test[:n_test], predicted)

    return method


backbone_sizes = [20, 100, 300, 500]
backbone_curves = label_curve(
    {name: probe_of(table) for name, table in tables.items()}, y_train[:n_pool], backbone_sizes, 2, lab.seed
)

# %%
figure, axis = plt.subplots(figsize=(7, 3.8))
shown_curves = {"SDSS, frozen": (sizes, curves["frozen"]), "from scratch, small network": (sizes, curves["from scratch"])}
shown_curves |= {f"{name}, frozen": (backbone_sizes, scores) for name, scores in backbone_curves.items()}
for (name, (numbers, scores)), colour in zip(shown_curves.items(), plotting.COLOURS, strict=False):
    axis.plot(numbers, scores.mean(axis=1), "o-", color=colour, label=name)
    axis.fill_between(numbers, scores.min(axis=1), scores.max(axis=1), color=colour, alpha=0.2)
axis.set(xscale="log", xlabel="labelled galaxies of the target", ylabel="accuracy on the test set", ylim=(0.45, 1))
axis.set_xticks(sizes, sizes)
axis.legend(loc="upper left", fontsize="small", ncols=2);

# %% [markdown]
# *Figure: accuracy on DES against the number of labels, for linear probes on the features of SDSS's network, of the backbone
# that saw photographs, and of its random twin, and for the small network from scratch; bands are the range over two draws.
# The backbone's two lines stop at 500 labels, and were measured on the first 400 test galaxies, the others on all 1000.*
# A network that never saw a galaxy is worth many labels: with 20 it is well ahead of the small one from scratch. It is the
# photographs that count, not the layers, for the random twin hardly does better than guessing. But somewhere between
# 100 and 1000 labels the small network catches up: with 1000 it is better than the backbone was with 500. And the source that is near beats
# the one that is large, all along: SDSS's network has 13 thousand weights, the backbone 3.4 million.
#
# ## 9 · Galaxies that look alike
#
# Features are good for more than classes. Each galaxy is a point in a space of 24 (or 1280) dimensions, its **embedding**,
# and where the features are good, neighbours look alike. So one can show *one* odd galaxy and ask for more of its kind,
# without any label. Closeness is measured by the **cosine** of the angle between two vectors, $a \cdot b / (|a||b|)$.

# %% exercise="10.8"
# Exercise 10.8
def nearest(embedding, query, k):
    """The galaxies most like a given one, by the cosine of the angle between their features.

    Parameters
    ----------
    embedding : (n, d) array
        A row for each galaxy; none is all zeros.
    query : int
        Row of the galaxy that is asked for.
    k : int
        Fewer than n.

    Returns
    -------
    (k,) array of int
        Rows, the most alike first; the query itself is not among them.

    Example
    -------
    nearest(np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 1.0], [-1.0, 0.0]]), 0, 2) is [2, 1].
    """
    ### BEGIN SOLUTION
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    cosine = unit @ unit[query]
    cosine[query] = -np.inf
    return np.argsort(-cosine)[:k]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.8", nearest)

# %% [markdown]
# To look at a space of many dimensions, project it onto the plane in which the galaxies spread most: the first two
# **principal components**. They are found by a singular value decomposition of the table, from which the mean of each
# column has been subtracted: $X - \bar X = U S V^\mathsf T$ (`np.linalg.svd(..., full_matrices=False)` returns $U$, the
# diagonal of $S$, and $V^\mathsf T$). The directions are the rows of $V^\mathsf T$, in order.

# %% exercise="10.9"
# Exercise 10.9
def principal_components(features, n_components):
    """Coordinates of the galaxies along the directions in which they spread most.

    Parameters
    ----------
    features : (n, d) array
    n_components : int
        At most n and d.

    Returns
    -------
    (n, n_components) array
        The column of the largest spread first; each has the mean 0. The sign of a column is free.

    Example
    -------
    principal_components(np.array([[0.0, 5.0], [3.0, 5.0], [6.0, 5.0]]), 1) is [[-3.0], [0.0], [3.0]] or its negative.
    """
    ### BEGIN SOLUTION
    centred = features - features.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[:n_components].T
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("10.9", principal_components)

# %% [markdown]
# One thing in front of both. A ReLU's features are never negative, and some are large for every galaxy: as they are, all
# vectors point nearly the same way, and every cosine is near 1. So we standardise each feature over the galaxies that are
# compared (mean 0, spread 1).

# %%
def standardised(table):
    return (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-6)


embeddings = {
    "trained on SDSS": standardised(test_features[:n_test]),
    "trained on photographs": standardised(tables["photographs (ImageNet)"][n_pool:]),
}
figure, axes = plt.subplots(1, 2, figsize=(9.5, 4))
known_of = {column: target.test.truth[column][:n_test] for column in ("magnitude", "radius_arcsec", "axis_ratio")}
known_of = {"arms": y_test[:n_test], **known_of}
print("correlation of the first component with\n" + " " * 24 + "".join(f"{key.split('_')[0]:>11s}" for key in known_of))
for axis, (name, table) in zip(axes, embeddings.items(), strict=True):
    x, y = principal_components(table, 2).T
    for kind, colour in enumerate(plotting.COLOURS[:2]):
        rows = y_test[:n_test] == kind
        axis.plot(x[rows], y[rows], ".", color=colour, markersize=4, label=target.class_names[kind])
    axis.set(title=name, xlabel="first component", ylabel="second component")
    print(f"{name:24s}" + "".join(f"{abs(np.corrcoef(x, values)[0, 1]):11.2f}" for values in known_of.values()))
axes[0].legend();

# %% [markdown]
# *Figure: 400 test galaxies of DES in the plane of the first two principal components of their features, for the
# network of SDSS (left) and the one of photographs (right); above, how closely the first component goes with what the
# simulation knows of each galaxy (0 not at all, 1 perfectly, whatever the sign).*
# On the left the kinds lie apart, along the direction of the largest spread, though no label of DES was ever used. On the
# right the first component has nothing to do with arms: to a network of photographs, galaxies differ most in how bright and
# how large they are. If the kinds part at all, then along the second; and the probe found the arms in further directions.

# %%
alike = {
    name: np.array([np.mean(y_test[nearest(table, row, 10)] == y_test[row]) for row in range(100)])
    for name, table in embeddings.items()
}
for name, shares in alike.items():
    print(f"{name}: {shares.mean():.2f} of a galaxy's ten nearest are of its class (by chance 0.50)")
typical = int(np.argmin(sum(abs(shares - shares.mean()) for shares in alike.values())))
rows = [row for table in embeddings.values() for row in (typical, *nearest(table, typical, 7))]
titles = ["asked for" if i % 8 == 0 else target.class_names[y_test[row]] for i, row in enumerate(rows)]
plotting.gallery(sky.colour(target.test.images[rows], target.survey), titles, columns=8, size=1.25)

# %% [markdown]
# *Figure: a typical galaxy (of the first hundred, the one whose shares are nearest to the two means above) and its seven
# nearest, by the features of SDSS's network (top) and of the backbone (bottom).*
# By the near network's features, most neighbours of a galaxy are of its own class; by those of photographs, some more than
# by chance.
#
# ## 10 · The real sky
#
# So the near network wins? Both are now shown what neither was made for: the 200 brightest objects of the Hubble eXtreme Deep
# Field. It is a display picture with pixels of about 0.14″, its brightness stretched and cut. There are galaxies of all
# kinds in it, two bright stars (with spikes), and no labels. We ask for three: a smooth round galaxy, a spiral, and a star.
#
# **Predict:** Which network finds the better neighbours for each of the three?

# %%
hubble = datasets.load("hubble", size=32).test
real_images = hubble.images[:200]
model.set_weights(source_weights)
real_tables = {
    "SDSS": standardised(outputs(features, prepared(real_images))),
    "photos": standardised(backbone_features("imagenet", real_images)),
}
asked = {"smooth": 3, "spiral": 26, "star": 5}
rows, titles = [], []
for name, row in asked.items():
    for trained_on, table in real_tables.items():
        rows += [row, *nearest(table, row, 7)]
        titles += [name, *(f"{trained_on} {place}" for place in range(1, 8))]
shown_as = np.sqrt(np.clip(real_images[rows][..., ::-1] / 40, 0, 1))  # red comes first
plotting.gallery(shown_as, titles, columns=8, size=1.1)

centre = np.maximum(real_images[:, 10:22, 10:22], 0.01).sum(axis=(1, 2))
measured = {
    "brightness": np.log10(hubble.truth["flux"][:200]),
    "colour": np.log10(centre[:, 2] / centre[:, 0]),
    "elongation": hubble.truth["ellipticity"][:200],
}
print("difference of neighbours, divided by that of any two (1: no more alike than any)")
print(" " * 24 + "".join(f"{key:>12s}" for key in measured))
for trained_on, table in real_tables.items():
    found = np.array([nearest(table, row, 7) for row in range(200)])
    ratios = [
        np.mean(abs(values[:, None] - values[found])) / np.mean(abs(values[:, None] - values)) for values in measured.values()
    ]
    print(f"{'trained on ' + trained_on:24s}" + "".join(f"{ratio:12.2f}" for ratio in ratios))

# %% [markdown]
# *Figure: three objects of the Hubble eXtreme Deep Field (left) and the seven that are most like them, by the features of
# SDSS's network (upper row of each pair) and of the network of photographs (lower).*
# The smooth galaxy's neighbours by photographs are nearly all smooth and round, the star's first one is the other bright
# star of the field, and the spiral's are discs, some with arms. By SDSS's features the rows are more mixed, and hang on the
# seed: of two that we tried, the smooth galaxy's neighbours were as good at one, and the other star was found at none. The
# numbers above the figure, from all 200, say it more soberly: neighbours by photographs are more alike in colour; in
# brightness the two are equal at some seeds; and in elongation neither does much better than chance.
#
# So it depends on what you ask for. SDSS's network was asked one question, arms or not, of discs alone, and its 24 numbers
# hold little else: ellipticals, stars, mergers and colours were never worth a feature. On that question it was the better one.
# The photographs asked for a thousand things, and some of each is left in 1280 numbers. Nobody has labels here, and three
# rows were picked by hand to show what can happen: look at others (change `asked`) before you believe it.
#
# ## 11 · Seventeen thousand real galaxies (optional, online)
#
# The same code runs on Galaxy10 DECaLS: 17 736 real galaxies in ten classes, labelled by the volunteers of Galaxy Zoo. It is
# a download of 2.5 GB, so the cell does nothing unless you say so. Its pictures are display pictures with values from 0 to 1;
# for the backbone they need no stretch, only their order and scale.

# %%
online = False  # set to True to fetch Galaxy10 DECaLS

if online:
    real = datasets.load("galaxy10", size=64, seed=lab.seed)
    backbone = backbones.efficientnet_lite0((64, 64, 3))
    pooled = keras.Model(backbone.input, layers.GlobalAveragePooling2D()(backbone.output))
    table = {
        name: outputs(pooled, backbones.preprocess(255 * split.images[..., ::-1]))
        for name, split in (("train", real.train), ("validation", real.validation))
    }

    def real_probe(chosen):
        predicted = linear_probe(table["train"][chosen], real.train.labels[chosen], table["validation"], C=0.01)
        return metrics.accuracy(real.validation.labels, predicted)

    print(label_curve({"ImageNet, frozen": real_probe}, real.train.labels, [100, 500, 2000], 3, lab.seed))

# %% [markdown]
# ## What you measured
#
# Beside each of your values stands the band in which 99 of 100 runs with other seeds should fall, as estimated from five
# (wide, where five differ much), and the aim that the mean of the five had to meet.

# %%
at = {size: row for row, size in enumerate(sizes)}
means = {name: scores.mean(axis=1) for name, scores in curves.items()}
photo, twin = (backbone_curves[name][-1].mean() for name in tables)
results.record(
    "10",
    source_accuracy=metrics.accuracy(*direct["SDSS, bright galaxies"]),
    direct_accuracy=direct_accuracy,
    frozen_100=means["frozen"][at[100]],
    fine_100=means["fine-tuned"][at[100]],
    scratch_100=means["from scratch"][at[100]],
    scratch_1000=means["from scratch"][at[1000]],
    fine_above_direct=means["fine-tuned"][at[100]] - direct_accuracy,
    fine_above_scratch=means["fine-tuned"][at[100]] - means["from scratch"][at[1000]],
    frozen_above_direct=means["frozen"][at[100]] - direct_accuracy,
    fine_above_frozen=np.mean((means["fine-tuned"] - means["frozen"])[at[100] :]),
    far_below_near=far["arms", 1000] - far["colour", 1000],
    imagenet_accuracy=photo,
    imagenet_above_twin=photo - twin,
)
results.table("10")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - The convolutional part is a feature extractor. Features that were learnt for one survey carry over to the next; the
#   threshold and the fine adjustment do not, and a hundred labels mend them.
# - To freeze is more than a flag: compile after it, and mind batch norm, whose averages no optimiser touches. Check it: look
#   which weights have changed.
# - A backbone wants the numbers it learnt with, once. Compare it with its random twin, on the same labels, before you praise
#   it.
# - An embedding knows what its network was asked. For other questions a broad network is the better guide than a near one.
#
# **Where to go on:** lab 11 does without any label of the target.
#
# **Stretch tasks**
#
# 1. **Fine-tune the backbone.** Put a head on EfficientNet-Lite0, train the head first, then the last blocks with a rate of
#    $10^{-4}$, batch norm frozen. With 500 labels, what do you gain over frozen features? (It takes minutes.)
# 2. **Active learning.** Instead of a random hundred, ask for the labels of those galaxies of which the direct network is
#    least sure. Draw the curve. Is the set still balanced, and does it matter?
# 3. **Which block?** Freeze the first, the first two, all three blocks, with `train_from`, at 100 and at 3000 labels. Where
#    is the best cut in each case (Yosinski et al. 2014)?
# 4. **Only batch norm.** Freeze all but the batch norms and let them follow 3000 target galaxies *without labels*. How much
#    of the loss of direct use does that mend? You have met adaptive batch normalisation (Li et al. 2018), and lab 11.
# 5. **Another map.** `sklearn.manifold.TSNE` draws neighbours together. What does its picture show that the plane of section 9
#    does not, and which distances in it mean nothing?
#
# **References**
#
# - Domínguez Sánchez et al. 2019, MNRAS 484, 93: Transfer learning for galaxy morphology from one survey to another.
# - Howard & Ruder 2018, ACL, 328: Universal language model fine-tuning for text classification.
# - Kornblith, Shlens & Le 2019, CVPR, 2661: Do better ImageNet models transfer better?
# - Kumar et al. 2022, ICLR: Fine-tuning can distort pretrained features and underperform out-of-distribution.
# - Li, Wang, Shi, Hou & Liu 2018, Pattern Recognition 80, 109: Adaptive batch normalization for practical domain adaptation.
# - Tan & Le 2019, ICML, 6105: EfficientNet.
# - Walmsley et al. 2022, MNRAS 509, 3966: Galaxy Zoo DECaLS.
# - Yosinski, Clune, Bengio & Lipson 2014, NIPS 27: How transferable are features in deep neural networks?
