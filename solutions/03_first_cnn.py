# %% [markdown]
# # 03 · A first convolutional network
#
# **Question:** Can a network find its own features, and are they better than the ones we make by hand?
#
# **You build:** the two ends of a classifier (normalised images, a loss that does not overflow), the arithmetic of
# layers, dropout, a published galaxy network with its 2 602 849 parameters, and a small network that sorts galaxies
# after a minute of training.
#
# **Time:** 150 minutes of work, 2 minutes of CPU · **Before:** lab 00, Python and NumPy; lab 01 tells the first half of
# the story ·
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/neural-networks-for-computer-vision/blob/main/labs/03_first_cnn.ipynb)
#
# **Papers:** LeCun et al. 1998, Proc. IEEE 86, 2278 (convolutional networks); Srivastava et al. 2014, JMLR 15, 1929
# (dropout); Huertas-Company et al. 2015, ApJS 221, 8 and Domínguez Sánchez et al. 2018, MNRAS 476, 3661 (galaxies)

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

lab.start("03")

# %% tags=["imports"]
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from scipy.ndimage import gaussian_filter
from skimage.feature import hog

from utils import datasets, metrics, plotting, results, sky, stamps, svm, training
from utils.checks import check, hint, reference, solution

# %% [markdown]
# ## 1 · The galaxies of lab 01
#
# In lab 01 a person decided what is worth measuring in a picture, and a machine learnt to draw borders between these
# numbers. Here the machine gets the picture. The galaxies are the same, and so is the way they are divided:
#
# - the **training set** (4000) is what the network learns from;
# - the **validation set** (1000) is what *you* learn from: how long to train, how large a network, how much dropout;
# - the **test set** (1000) is looked at once, at the end. Who tunes on it measures how well they tuned.

# %%
data = datasets.load("morphology", seed=lab.seed)
n_classes = len(data.class_names)
print(data.description)
for name, split in (("training", data.train), ("validation", data.validation), ("test", data.test)):
    print(f"{name:10s} images {split.images.shape}, galaxies of each class {np.bincount(split.labels)}")

# %%
brightest_first = np.argsort(data.train.truth["magnitude"])
examples = []
for k in range(n_classes):
    members = brightest_first[data.train.labels[brightest_first] == k]
    examples.extend(members[np.linspace(0, len(members) - 1, 6).astype(int)])
plotting.gallery(
    sky.colour(data.train.images[examples], data.survey),
    [f"{data.class_names[data.train.labels[i]]} {data.train.truth['magnitude'][i]:.1f}" for i in examples],
    columns=6,
    size=1.4,
    suptitle="Training galaxies: class and r magnitude",
);

# %% [markdown]
# *Figure: four rows of six galaxies, one row for each class, from its brightest to its faintest.* The bright ones are
# easy. At the faint end you have to guess, and so will every method.
#
# ## 2 · What a network likes to be fed
#
# The pixels are in units of the sky noise: an empty pixel scatters around 0 by 1, the centre of a bright galaxy reaches
# hundreds or thousands. A network multiplies its input by weights and adds them up, so the one bright pixel would drown the arm
# that tells a spiral from an elliptical. Two steps help.
#
# 1. **Stretch.** $\operatorname{arcsinh}(x)$ is $x$ for small $x$ and $\ln(2x)$ for large $x$: the noise stays as it is,
#    the centre shrinks.
# 2. **Scale.** Subtract the mean and divide by the standard deviation, for each band by itself. The numbers are then
#    about 1, which is what the first weights of a layer are made for.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
some_pixels = data.train.images[:500]
for band, name in enumerate(data.bands):
    axes[0].hist(some_pixels[..., band].ravel(), bins=80, histtype="step", log=True, label=name)
    axes[1].hist(np.arcsinh(some_pixels[..., band]).ravel(), bins=80, histtype="step", log=True, label=name)
axes[0].set(xlabel="pixel (sky noise)", ylabel="number of pixels")
axes[1].set(xlabel="arcsinh(pixel)")
axes[1].legend(title="band");

# %% [markdown]
# *Figure: histograms of the pixels in three bands, before and after the stretch, counts on a logarithmic scale.* Before,
# nearly all pixels share the first bin and a few lie far out; after, the sky and the galaxies both have room.
#
# **Predict:** The mean and the standard deviation could be measured on the training set, on each set by itself, or on
# all images together. Two of these are wrong. Which, and why?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Measure them on the training set. All images together would let the test set have a say in how the training images
# look: a small leak, but a leak. Each set by itself is worse than it seems: a set with more bright galaxies would be
# scaled differently, so that the same galaxy looks different to the network depending on its company. A single new
# galaxy would even be scaled by itself.
#
# </details>

# %% exercise="3.1"
# Exercise 3.1
def normalise(images, training_images):
    """Stretch by arcsinh, then scale each band by the mean and spread of the stretched training images.

    Parameters
    ----------
    images : (n, height, width, bands) array
        What to normalise, in units of the sky noise.
    training_images : (m, height, width, bands) array
        Where mean and standard deviation are measured. Stretched as well.

    Returns
    -------
    (n, height, width, bands) float32 array

    Example
    -------
    One band, two images of two pixels: np.sinh([[0, 2], [4, 2]]) stretches back to 0, 2, 4, 2, with mean 2 and standard
    deviation 1.414. Normalised by themselves they become -1.414, 0, 1.414, 0.
    """
    ### BEGIN SOLUTION
    stretched = np.arcsinh(np.asarray(training_images, "float32"))
    mean = stretched.mean(axis=(0, 1, 2))
    spread = stretched.std(axis=(0, 1, 2))
    normalised = (np.arcsinh(images) - mean) / spread
    return normalised.astype("float32")
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.1", normalise)

# %% [markdown]
# Only the training set may be measured: measured on all images together, the test set would have a say in how the
# training images look; measured on each set by itself, a galaxy would look different depending on its company.
#
# Keras has a layer for the second step. It learns its numbers with `adapt`, which you give the training images and
# nothing else; inside a model it travels with the weights, so that nobody can forget it.

# %%
x_train = normalise(data.train.images, data.train.images)
x_validation = normalise(data.validation.images, data.train.images)

layer = layers.Normalization()
layer.adapt(np.arcsinh(data.train.images[:1000]))
theirs = keras.ops.convert_to_numpy(layer(np.arcsinh(data.validation.images[:5])))
print("largest difference to the Keras layer, adapted to 1000 images:", f"{abs(theirs - x_validation[:5]).max():.2f}")
print("validation set, mean of each band:  ", x_validation.mean(axis=(0, 1, 2)).round(3))
print("validation set, spread of each band:", x_validation.std(axis=(0, 1, 2)).round(3))

# %% [markdown]
# The mean of the validation set is close to 0 but not 0, and that is how it should be.
#
# ## 3 · The other end: four numbers and a loss
#
# The last layer of a classifier gives one number for each class, the **logits** $z_k$, which may have any value. The
# **softmax** makes probabilities of them, and the **cross-entropy** says how bad they are:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad \text{loss} = -\ln p_\text{true class}.$$
#
# A label can be written in two ways. As an **integer**, 2 for an edge-on galaxy; or **one-hot**, $(0, 0, 1, 0)$, a
# vector that is 1 at the true class. In both, the loss is the same, $-\sum_k y_k \ln p_k$ with a one-hot $y$, but Keras
# wants to know which it gets: `SparseCategoricalCrossentropy` takes integers, `CategoricalCrossentropy` one-hot
# vectors.
#
# **Predict:** A network that was just made knows nothing, and gives each of four classes the same probability. What is
# its loss?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# $-\ln\frac14 = \ln 4 = 1.386$. Remember it: a first loss far above it means that something is wrong with the input or
# the weights, and a loss that stays there means that nothing is learnt.
#
# </details>

# %%
probability = np.linspace(0.001, 1, 500)
figure, axis = plt.subplots(figsize=(6, 3.2))
axis.plot(probability, -np.log(probability))
axis.plot(0.25, np.log(4), "o")
axis.annotate("knows nothing of four classes", (0.25, np.log(4)), (0.3, 2.2), arrowprops={"arrowstyle": "-"})
axis.set(xlabel="probability given to the true class", ylabel="cross-entropy (nats)", xlim=(0, 1), ylim=(0, 7));

# %% [markdown]
# *Figure: the loss falls from infinity at probability 0 to zero at probability 1.* Being wrong costs much only when one is
# sure: a network that says .001 pays seven times as much as one that says .4.
#
# In the formula hides a trap. $e^{1000}$ is more than a computer can hold; the result is `inf / inf`, which is NaN, and
# one NaN in the loss ruins all weights. Find a way around it.

# %% exercise="3.2"
# Exercise 3.2
def softmax(logits):
    """Probabilities of the classes, for logits of any size.

    Parameters
    ----------
    logits : (n, classes) array

    Returns
    -------
    (n, classes) array
        The probabilities of each image sum to 1.

    Example
    -------
    softmax(np.array([[0.0, np.log(3)]])) is [[0.25, 0.75]], and so is softmax(np.array([[1000, 1000 + np.log(3)]])).
    """
    ### BEGIN SOLUTION
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
    ### END SOLUTION


def cross_entropy(logits, labels):
    """Minus the logarithm of the probability of the true class, for each image.

    Parameters
    ----------
    logits : (n, classes) array
        However large: where the probability is too small for a computer, the loss is large, not infinite.
    labels : (n,) array of int
        The true classes.

    Returns
    -------
    (n,) array, in nats

    Example
    -------
    cross_entropy(np.array([[0.0, np.log(3)]]), np.array([0])) is [1.386], which is -ln 0.25.
    """
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -log_probabilities[np.arange(len(labels)), labels]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.2", (softmax, cross_entropy))

# %% [markdown]
# The library's way, with both kinds of labels. One wrong and sure image of three dominates the mean.

# %%
logits = np.array([[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [90.0, 0.0, 0.0, 0.0]], dtype="float32")
labels = np.array([0, 1, 2])
one_hot = keras.ops.one_hot(labels, 4)

yours = cross_entropy(logits, labels)
integer_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
one_hot_loss = keras.losses.CategoricalCrossentropy(from_logits=True)(one_hot, logits)
print("yours, for each image:", yours.round(3))
print(f"mean: yours {yours.mean():.3f}, Keras from integers {integer_loss:.3f}, from one-hot vectors {one_hot_loss:.3f}")

# %% [markdown]
# ## 4 · A poor model: every pixel to every neuron
#
# The simplest network takes the image apart into a long list of numbers (`Flatten`) and gives all of them to each of
# 128 neurons (`Dense`). A **parameter** is a number that training may change: the weights, and for each neuron a bias,
# a constant that is added to the sum. Count them before you build anything.
#
# A convolution has far fewer: its weights are a small cube, `kernel_size` × `kernel_size` × channels, that is moved
# over the image. Each **filter** is one such cube, or **kernel**, with one bias, and makes one **channel** of the output:
# an image again, with a value for each place where the kernel has been. The bands are the channels of the input.
#
# **Predict:** How many parameters has `Dense(128)` on our images of 64 × 64 pixels in three bands? And `Conv2D(128, 3)`?

# %% exercise="3.3"
# Exercise 3.3
def dense_parameters(n_inputs, n_outputs):
    """Number of weights and biases of a dense layer.

    Parameters
    ----------
    n_inputs, n_outputs : int

    Returns
    -------
    int

    Example
    -------
    Three inputs, two outputs: six weights and two biases, dense_parameters(3, 2) is 8.
    """
    ### BEGIN SOLUTION
    return n_inputs * n_outputs + n_outputs
    ### END SOLUTION


def conv_parameters(kernel_size, channels, filters):
    """Number of weights and biases of a two-dimensional convolution.

    Parameters
    ----------
    kernel_size : int
        Height and width of the kernel [pixels].
    channels : int
        Channels of the input (the bands, for the first layer).
    filters : int
        Channels of the output.

    Returns
    -------
    int

    Example
    -------
    One filter of 3×3 pixels on a grey image: nine weights and a bias, conv_parameters(3, 1, 1) is 10.
    """
    ### BEGIN SOLUTION
    return kernel_size * kernel_size * channels * filters + filters
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.3", (dense_parameters, conv_parameters))

# %% [markdown]
# Now build it. A model in Keras is a chain of function calls, from an `Input` to the outputs. Your count and Keras'
# count have to be the same.

# %% tags=["may-repeat-solution"]
inputs = keras.Input(shape=x_train.shape[1:])
x = layers.Flatten()(inputs)
x = layers.Dense(128, activation="relu")(x)
outputs = layers.Dense(n_classes, activation="softmax")(x)
dense = keras.Model(inputs, outputs, name="dense")

first, last = dense_parameters(64 * 64 * 3, 128), dense_parameters(128, n_classes)
print(f"parameters of Dense(128): {first:,}; of Conv2D(128, 3) in its place: {conv_parameters(3, 3, 128):,}")
print(f"of the whole dense network: by hand {first + last:,}, Keras {dense.count_params():,}")

# %% [markdown]
# That is four hundred parameters for each training galaxy. To train, `compile` says how, and `fit` does it, with 32 galaxies
# at a time. **Adam** takes small steps downhill, about .001 for each parameter, fitted to the slopes it met before; section
# 9 comes back to it. The loss is that of section 3, for labels that are integers. The last layer has a softmax, so that
# `predict` gives probabilities; Keras remembers the logits behind it and computes the loss from these.
#
# **Predict** what the learning curves will look like, loss and accuracy on training and validation set, over eight
# **epochs** (an epoch is one pass through the training set).

# %%
dense.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    jit_compile=training.jit_compile(),  # translating the network into one program pays on a GPU, not on a CPU
)
dense_history = training.fit(
    dense, x_train, data.train.labels, validation=(x_validation, data.validation.labels), epochs=8, batch_size=32
)
plotting.learning_curves({"dense": dense_history});

# %% [markdown]
# *Figure: loss and accuracy of the dense network by epoch, training dashed, validation solid.* The training curves go on
# improving while the validation curves come to a halt after a few epochs: the network learns its galaxies by heart. This
# is **over-fitting**, and more epochs make it worse.
#
# **Think:** Shuffle the pixels of all images, training and validation, by the same permutation, and train again. What
# happens to the dense network's accuracy? What would happen to yours, if you had to sort these images by eye?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Nothing happens to the dense network: each pixel has its own weight, and which pixels are neighbours was never known to
# it. You would be lost. The network therefore has to learn from examples what you take for granted: that neighbours
# belong together, and that a spiral moved by a pixel is the same spiral.
#
# </details>

# %% [markdown]
# ## 5 · Convolution, activation, pooling
#
# The dense network would not even notice the shuffling, since it never knew which pixels are neighbours. A **convolutional
# block** knows. It has three steps:
#
# - a **convolution** computes the same weighted sum of neighbours at every place, once for each filter;
# - the **activation** $\max(0, x)$, called ReLU, keeps what looks like the kernel and drops the rest;
# - **pooling** takes the largest value of each 2 × 2 pixels: the image shrinks, and what was found may lie a pixel off.
#
# Here is one block with a kernel made by hand. It answers to edges that are dark on the left and bright on the right. The
# galaxy is a large spiral, smoothed, for a kernel of nine pixels answers to the grains of the noise too.

# %%
chosen = stamps.large_spiral(data.train)
galaxy, stretched = x_train[chosen], np.arcsinh(data.train.images[chosen, :, :, 1])

smooth = gaussian_filter(stretched, 1)[None, :, :, None]
kernel = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype="float32").reshape(3, 3, 1, 1)
convolved = keras.ops.conv(smooth, kernel, padding="valid")
activated = keras.ops.relu(convolved)
pooled = keras.ops.max_pool(activated, 2, strides=2)

steps = {"r band": smooth, "convolution": convolved, "ReLU": activated, "max pooling": pooled}
steps = {name: keras.ops.convert_to_numpy(image)[0, :, :, 0] for name, image in steps.items()}
titles = [f"{name}: {len(image)} × {len(image)}" for name, image in steps.items()]
plotting.gallery(list(steps.values()), titles, columns=4, size=2.2);

# %% [markdown]
# *Figure: a spiral galaxy after each step of a block; bright is large.* The convolution is bright where light rises to the
# right and dark where it falls; the ReLU keeps the rising edges; the pooling halves the image and keeps them.
#
# In Keras a block is two layers, for the activation goes with the convolution. Its kernels are random at first; training
# finds them.

# %% tags=["may-repeat-solution"]
inputs = keras.Input(shape=(64, 64, 3))
x = layers.Conv2D(8, 3, activation="relu")(inputs)  # 8 filters of 3×3; with padding="same" it would stay 64×64
print("after the convolution:", x.shape[1:])
x = layers.MaxPooling2D(2)(x)
print("after the pooling:    ", x.shape[1:])

# %% [markdown]
# The sizes in the titles follow a rule. Without padding (`"valid"`) the kernel has to fit into the image; with padding
# (`"same"`) zeros are put around it so that, with a stride of 1, the size stays. The **stride** is the step from one
# place to the next. A pooling of 2 is a window of 2 with a stride of 2.

# %% exercise="3.4"
# Exercise 3.4
def output_size(size, kernel_size, stride=1, padding="valid"):
    """Height or width of the image after a convolution or a pooling.

    Parameters
    ----------
    size : int
        Of the input [pixels].
    kernel_size : int
        Of the kernel or the pooling window [pixels].
    stride : int
        Step from one place of the kernel to the next [pixels].
    padding : str
        "valid": the kernel stays inside the image. "same": zeros around it, so that stride 1 keeps the size.

    Returns
    -------
    int

    Example
    -------
    A kernel of 3 has six places in a row of 8: output_size(8, 3) is 6. With stride 2 three of them are used:
    output_size(8, 3, stride=2) is 3. With padding it is output_size(8, 3, stride=2, padding="same"), 4.
    """
    ### BEGIN SOLUTION
    if padding == "same":
        return -(-size // stride)
    return (size - kernel_size) // stride + 1
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.4", output_size)

# %% [markdown]
# ### A trap
#
# In the Keras of 2015 one wrote `Convolution2D(32, 6, 6)` for 32 filters of 6 × 6 pixels, and lectures, papers and
# notebooks are full of it. Keras 3 accepts `Conv2D(32, 6, 6)` too, without a word. **Predict** what it does with an
# image of 69 pixels.

# %% tags=["counter-example"]
image = keras.Input(shape=(69, 69, 3))
for layer, code in ((layers.Conv2D(32, 6), "Conv2D(32, 6)   "), (layers.Conv2D(32, 6, 6), "Conv2D(32, 6, 6)")):
    size = layer(image).shape[1]
    print(f"{code} kernel {layer.kernel_size}, stride {layer.strides}: {size} × {size} pixels, parameters {layer.count_params()}")
print("yours:", output_size(69, 6), "and", output_size(69, 6, stride=6))

# %% [markdown]
# The third number is the stride: 97 of every 100 places are skipped, and the parameter count does not tell. Write
# `Conv2D(32, 6)`, look at the shapes, and name a stride when you mean one: `Conv2D(32, 6, strides=6)`.
#
# ## 6 · Dropout
#
# Against learning by heart there is a simple means: in each training step, a random share of the values in a layer is
# set to zero. The network cannot rely on any single one, so it spreads what it knows. This is **dropout**. When the
# network is used (**inference**), nothing is dropped.
#
# One thing has to be put right. If half of the inputs of a neuron are dropped in training, their sum is half of what it
# is at inference. *Inverted* dropout divides the survivors by $1 - \text{rate}$ in training, so that the mean stays and
# inference needs no correction:
#
# $$x_i \to \begin{cases} 0 & \text{with probability rate} \\ x_i / (1 - \text{rate}) & \text{otherwise} \end{cases}$$

# %% exercise="3.5"
# Exercise 3.5
def dropout(x, rate, training, seed):
    """Inverted dropout.

    Parameters
    ----------
    x : array of any shape
    rate : float
        Probability of a value to be dropped, from 0 to below 1.
    training : bool
        False: return x as it is.
    seed : int
        For np.random.default_rng: the same seed drops the same values.

    Returns
    -------
    array of the shape of x

    Example
    -------
    dropout(np.ones(4), 0.5, training=True, seed=0) holds zeros and twos; with training=False it is [1, 1, 1, 1].
    """
    ### BEGIN SOLUTION
    if not training:
        return x
    keep = np.random.default_rng(seed).random(x.shape) >= rate
    return np.where(keep, x / (1 - rate), 0)
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.5", dropout)

# %% [markdown]
# In Keras, `layers.Dropout(rate)` knows from the argument `training` which of the two it has to do; `model.fit` and
# `model.predict` set it for you. Call a model yourself, and it is on you.

# %%
layer = layers.Dropout(0.5, seed=lab.seed)
pictures = {
    "the galaxy": stretched,
    "yours, training": dropout(stretched, 0.5, training=True, seed=lab.seed),
    "Keras, training": keras.ops.convert_to_numpy(layer(stretched, training=True)),
    "Keras, inference": keras.ops.convert_to_numpy(layer(stretched, training=False)),
}
plotting.gallery(
    list(pictures.values()),
    [f"{name}\nmean {picture.mean():.2f}" for name, picture in pictures.items()],
    columns=4,
    size=2.2,
);

# %% [markdown]
# *Figure: the stretched r band of a galaxy, twice with half of its pixels dropped in training, and once at inference.*
# The bright middle shines through, the arms only just, and the mean is about the same in all four.
#
# ## 7 · A published network
#
# Domínguez Sánchez et al. (2018) gave 670 000 galaxies of the Sloan survey a morphology, with this network. Its images
# have 69 × 69 pixels in three bands. Every convolution and the dense layer of 64 have a ReLU.
#
# | layer | filters or neurons | kernel | dropout after it |
# |---|---|---|---|
# | convolution | 32 | 6 × 6 | .5 |
# | convolution | 64 | 5 × 5 | .25 |
# | convolution | 128 | 2 × 2 | .25 |
# | convolution | 128 | 3 × 3 | .25 |
# | dense | 64 | | .5 |
# | dense, sigmoid | 1 | | |
#
# A **sigmoid**, $1 / (1 + e^{-z})$, is the softmax of a question with two answers, such as "edge-on or not?". There are
# two max poolings of 2 × 2, after the second and the third convolution, before their dropout. The table does not tell the
# padding, but the paper tells the number of parameters: **2 602 849**. That is enough to find it.

# %% exercise="3.6"
# Exercise 3.6
def published_network():
    """The network of Domínguez Sánchez et al. (2018).

    Returns
    -------
    keras.Model
        From images (n, 69, 69, 3) to one probability (n, 1), with 2 602 849 parameters.

    Example
    -------
    published_network().output_shape is (None, 1): None stands for any number of images.
    """
    ### BEGIN SOLUTION
    inputs = keras.Input(shape=(69, 69, 3))
    x = layers.Conv2D(32, 6, padding="same", activation="relu")(inputs)
    x = layers.Dropout(0.5)(x)
    x = layers.Conv2D(64, 5, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Conv2D(128, 2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Conv2D(128, 3, padding="same", activation="relu")(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="dominguez_sanchez_2018")
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.6", published_network)

# %%
published = published_network()
published.summary()

# %%
image_layers = [layer for layer in published.layers if isinstance(layer, (layers.Conv2D, layers.MaxPooling2D))]
tensors = [published.input_shape[1:], *(layer.output.shape[1:] for layer in image_layers)]
names = ["input", "conv 6×6", "conv 5×5", "1st pooling", "conv 2×2", "2nd pooling", "conv 3×3"]
figure, axis = plt.subplots(figsize=(7.5, 3.4))
axis.plot(names, [shape[0] for shape in tensors], "o-", label="height and width (pixels)")
axis.plot(names, [shape[2] for shape in tensors], "s--", label="channels")
axis.set_yscale("log", base=2)
axis.set_yticks([4, 8, 16, 32, 64, 128], [4, 8, 16, 32, 64, 128])
axis.set(ylabel="size (logarithmic)", xlabel="after this layer")
axis.legend();

# %% [markdown]
# *Figure: height and number of channels of the tensors inside the published network.* The image shrinks from 69 to 17
# pixels while the channels grow from 3 to 128: less and less *where*, more and more *what*.
#
# **Think:** Which layer holds most of the parameters? Could you tell from the count alone after which convolutions the two
# poolings stand?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# The first dense layer: 2 367 552 of 2 602 849, nine out of ten. The four convolutions, which do the work, need 235 232.
# The count tells the padding, because each "valid" convolution would eat a rim and fewer numbers would arrive at the dense
# layer. It does not tell the places of the poolings: with "same" convolutions, 69 → 34 → 17 comes out wherever they stand.
#
# </details>

# %% [markdown]
# Nine of ten parameters stand in the first dense layer; its size gives away the padding, but not the places of the
# poolings, since 69 → 34 → 17 comes out wherever they stand. The network is built for a survey and a GPU: a pass through 16
# images works, and is all we ask of it here.

# %%
sixteen = keras.ops.image.resize(x_train[:16], (69, 69))
answer = keras.ops.convert_to_numpy(published(sixteen, training=False))
print("shape of the answers:", answer.shape)
print(f"before any training they lie between {answer.min():.2f} and {answer.max():.2f}")

# %% [markdown]
# ## 8 · A small network
#
# For four thousand galaxies and two CPU cores, a smaller one will do. It begins with a step that Domínguez Sánchez et al.
# take too when they bin their images: our pixels of 0.168″ are much smaller than the seeing of 0.75″, so neighbours say
# the same. `AveragePooling2D(2)` averages 2 × 2 of them: a quarter of the work, half of the noise.
#
# Then come the blocks, one for each entry of `filters`, `Flatten`, dropout, and a dense layer with a softmax.

# %% exercise="3.7"
# Exercise 3.7
def small_cnn(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    """A convolutional network for small images: average, blocks, flatten, dropout, softmax.

    Parameters
    ----------
    input_shape : sequence of int
        (height, width, bands) of the images.
    n_classes : int
    filters : sequence of int
        One block for each: a 3×3 convolution with so many filters, stride 1, padding "same" and ReLU, then max pooling
        of 2×2.
    rate : float
        Of the dropout before the last layer.

    Returns
    -------
    keras.Model
        From images (n, height, width, bands) to probabilities (n, n_classes).

    Example
    -------
    small_cnn((64, 64, 3), 4).count_params() is 101444.
    """
    ### BEGIN SOLUTION
    inputs = keras.Input(shape=input_shape)
    x = layers.AveragePooling2D(2)(inputs)
    for n in filters:
        x = layers.Conv2D(n, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(rate)(x)
    outputs = layers.Dense(n_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="small_cnn")
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.7", small_cnn)

# %% [markdown]
# Your functions of exercises 3.3 and 3.4 predict every line of it.

# %%
size, channels, total = output_size(64, 2, stride=2), 3, 0
for filters in (32, 64, 128):
    parameters = conv_parameters(3, channels, filters)
    size, channels, total = output_size(size, 2, stride=2), filters, total + parameters
    print(f"block with {filters} filters: {parameters:6,} parameters, gives {size} × {size} × {channels}")
parameters = dense_parameters(size * size * channels, n_classes)
print(f"dense layer:           {parameters:6,} parameters")
print(f"together {total + parameters:,}, Keras says {small_cnn(x_train.shape[1:], n_classes).count_params():,}")

# %% [markdown]
# ## 9 · Train it
#
# Training repeats one step: take a **batch** of 32 galaxies, compute the loss, change every parameter a little in the
# direction that lowers it. How much is *a little*? That is the **learning rate**. We begin with .001 and let it sink to
# zero along half a cosine: large steps first, to get there, small ones at the end, to settle.
#
# The number of epochs, the learning rate and the dropout were chosen on the validation set.
#
# **Predict:** It has fifteen times fewer parameters than the dense network. Will it be better on the training set? And on the
# validation set?

# %%
epochs, batch_size = 15, 32
keras.utils.set_random_seed(lab.seed)
cnn = small_cnn(x_train.shape[1:], n_classes)
steps = epochs * int(np.ceil(len(x_train) / batch_size))
cnn.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    jit_compile=training.jit_compile(),
)
cnn_history = training.fit(
    cnn,
    x_train,
    data.train.labels,
    validation=(x_validation, data.validation.labels),
    epochs=epochs,
    batch_size=batch_size,
    name="small_cnn",
)

# %%
plotting.learning_curves({"dense": dense_history, "convolutional": cnn_history});

# %% [markdown]
# *Figure: learning curves of both networks.* With fewer parameters the convolutional network ends better on both sets, and
# what it learns holds for galaxies it has not seen: its two curves stay together.
#
# **Think:** In the first epochs the *training* accuracy is below the validation accuracy. How can that be?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Two reasons. Training accuracy is measured with dropout at work, validation accuracy without. And it is the mean over
# the epoch, while the network improves; validation comes at the end of the epoch.
#
# </details>

# %% [markdown]
# Training accuracy is taken with dropout at work, and over the whole epoch while the network improves; validation accuracy
# without dropout, at its end.
#
# ## 10 · Beside the hand-made features
#
# The rival is the best HoG model of lab 01, made as it was there: the mean of the three bands, smoothed; histograms of
# oriented gradients (HoG, nine directions in cells of 8 × 8 pixels); a support vector machine (SVM) with a Gaussian kernel,
# whose two settings are chosen on the validation set. Same galaxies, same split.

# %%
cnn_validation = cnn_history["val_accuracy"][-1]


def hog_features(images):
    """HoG of the smoothed mean over the bands: (n, 1764) array."""
    grey = gaussian_filter(images.mean(axis=-1), sigma=(0, 1.5, 1.5))
    return np.array([hog(image, pixels_per_cell=(8, 8), cells_per_block=(2, 2)) for image in grey])


hog_svm = svm.fit(
    {"HoG": hog_features(data.train.images)},
    data.train.labels,
    {"HoG": hog_features(data.validation.images)},
    data.validation.labels,
    kernel="rbf",
    seed=lab.seed,
)
print(f"validation accuracy: HoG + SVM {hog_svm.validation_accuracy:.3f}, network {cnn_validation:.3f}")

# %% [markdown]
# All choices are made. Now, and only now, the test set. It is normalised by the training set's numbers, like everything.

# %%
x_test = normalise(data.test.images, data.train.images)
probabilities = cnn.predict(x_test, verbose=0)
predictions = {
    "dense network": dense.predict(x_test, verbose=0).argmax(axis=1),
    "HoG + SVM": hog_svm.predict({"HoG": hog_features(data.test.images)}),
    "convolutional network": probabilities.argmax(axis=1),
}
accuracies = {name: metrics.accuracy(data.test.labels, guess) for name, guess in predictions.items()}
plotting.bars(accuracies, "accuracy on the test set", baseline=("guessing", 1 / n_classes));

# %%
plotting.confusion(
    {
        f"{name}, accuracy {accuracies[name]:.3f}": metrics.confusion_matrix(data.test.labels, predictions[name], n_classes)
        for name in ("HoG + SVM", "convolutional network")
    },
    data.class_names,
);

# %% [markdown]
# *Figures: test accuracy of the three methods, and confusion matrices of two of them; each row sums to 1.* The hand-made
# features confuse spirals, ellipticals and irregulars now and then. The learnt ones make less than half as many mistakes.
#
# This is the change that Huertas-Company et al. (2015) saw on real galaxies: methods on hand-made numbers misclassify 20 to
# 30 per cent, their network on images less than 1 per cent. The contrast is smaller here because our four kinds are cleaner
# than real galaxies, which is kind to the hand-made numbers. Nobody told the network what to look for.
#
# **Think:** Is this comparison fair? What did the network get that HoG did not?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# Colours: HoG works on one grey image, and lab 01 shows how much the colours add. Laid along one direction, and with all
# features of lab 01 together, the galaxies there are classified as well as here. The difference is who did the work: there
# somebody had to turn the galaxies and to think of each feature; here somebody wrote down a dozen lines of network, and the
# features came by themselves. And care: the network's settings were tuned for longer than the SVM's two.
#
# </details>

# %% [markdown]
# For one thing, it got the colours, and lab 01 shows how much they add. And somebody spent more time on its settings.
#
# ## 11 · What has it learnt?
#
# The first layer sees the image itself, so its kernels can be shown as small colour images: each has 3 × 3 pixels and a
# weight for each of the three bands (i shown red, r green, g blue; grey is zero).

# %%
first_convolution = next(layer for layer in cnn.layers if isinstance(layer, layers.Conv2D))
kernels = keras.ops.convert_to_numpy(first_convolution.kernel)
kernels = 0.5 + 0.5 * kernels / abs(kernels).max()
plotting.gallery(
    kernels[..., ::-1, :].transpose(3, 0, 1, 2),
    columns=8,
    size=0.9,
    suptitle="The 32 kernels of the first layer",
);

# %% [markdown]
# *Figure: the 32 kernels.* Nine pixels do not show much, and most kernels look like mosaics. Brighter on one side would mean
# an edge finder, like the one we made by hand; all of one colour, a comparison of bands; most do something of both.
#
# What a kernel answers to an image is a **feature map**. A second model with the same layers, but with other outputs,
# shows them.

# %% tags=["showcase"]
pooling_layers = [layer for layer in cnn.layers if isinstance(layer, layers.MaxPooling2D)]
looker = keras.Model(cnn.input, [layer.output for layer in pooling_layers])
feature_maps = [keras.ops.convert_to_numpy(maps)[0] for maps in looker(galaxy[None])]

pictures, titles = [], []
for block, maps in enumerate(feature_maps, 1):
    strongest = np.argsort(-maps.std(axis=(0, 1)))[:6]
    pictures += [maps[..., channel] for channel in strongest]
    titles += [f"block {block}, channel {channel}" for channel in strongest]
plotting.gallery(pictures, titles, columns=6, size=1.4);

# %% [markdown]
# *Figure: the spiral of section 5 in six channels after each of the three blocks, the ones that vary most.* After the first
# block you still see the galaxy, its arms or one side of it. After the third, 4 × 4 pixels are left, and what they say only
# the last layer can read.
#
# ## 12 · Where it fails
#
# One accuracy for a whole survey hides what an astronomer asks first: down to which magnitude can I trust it? And
# second: when it is wrong, is it at least unsure? Write the two functions that answer.

# %% exercise="3.8"
# Exercise 3.8
def accuracy_in_bins(correct, values, edges):
    """Accuracy and number of galaxies in bins of a quantity.

    Parameters
    ----------
    correct : (n,) array of bool
        Was the galaxy classified correctly?
    values : (n,) array
        The quantity, e.g. the magnitude. Values outside the edges are left out.
    edges : (bins + 1,) array
        A value on an edge belongs to the bin that begins there; one on the last edge to the last bin.

    Returns
    -------
    accuracy : (bins,) array
        NaN for an empty bin.
    count : (bins,) array

    Example
    -------
    accuracy_in_bins(np.array([True, False, True]), np.array([18.2, 18.9, 19.5]), np.array([18, 19, 20])) is
    [0.5, 1.0] and [2, 1].
    """
    ### BEGIN SOLUTION
    count = np.histogram(values, edges)[0]
    right = np.histogram(values[correct], edges)[0]
    accuracy = np.full(len(count), np.nan)
    np.divide(right, count, out=accuracy, where=count > 0)
    return accuracy, count
    ### END SOLUTION


def most_confident_mistakes(probabilities, labels, n):
    """The wrong predictions with the largest probabilities.

    Parameters
    ----------
    probabilities : (images, classes) array
        The prediction is the class with the largest probability, which is its confidence.
    labels : (images,) array of int
    n : int

    Returns
    -------
    (n,) array of int
        Indices of images, the most confident first; fewer where there are fewer mistakes.

    Example
    -------
    most_confident_mistakes(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array([0, 0, 0]), 1) is [2].
    """
    ### BEGIN SOLUTION
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-confidence[wrong])][:n]
    ### END SOLUTION

# %% tags=["nbval-check-output"]
check("3.8", (accuracy_in_bins, most_confident_mistakes))

# %% [markdown]
# How sure is an accuracy from $n$ galaxies? The binomial distribution says $\sigma = \sqrt{p (1 - p) / n}$, which gives
# nonsense, zero, where all are right. `metrics.wilson_interval` does better and is what the figure shows (68 %).

# %%
magnitude = data.test.truth["magnitude"]
edges = np.linspace(magnitude.min(), magnitude.max(), 9)
centres = (edges[1:] + edges[:-1]) / 2

figure, axis = plt.subplots(figsize=(7, 3.8))
for (name, guess), shift, marker in zip(predictions.items(), (-0.03, 0, 0.03), "sDo", strict=True):
    accuracy, count = accuracy_in_bins(guess == data.test.labels, magnitude, edges)
    low, high = metrics.wilson_interval(accuracy * count, count)
    axis.errorbar(centres + shift, accuracy, [accuracy - low, high - accuracy], fmt=marker + "-", capsize=3, label=name)
axis.set(xlabel="r magnitude", ylabel="accuracy on the test set")
axis.legend();

# %% [markdown]
# *Figure: accuracy of the three methods in eight bins of magnitude, with 68 % intervals.* All lose at the faint end, where
# a spiral's arms drown in the noise; the convolutional network loses least and last. The dense network need not be at its
# best where galaxies are brightest: these are large and full of detail, and no two have their detail at the same pixels.

# %%
wrong = predictions["convolutional network"] != data.test.labels
confidence = np.max(probabilities, axis=1)
print(f"mean confidence: {confidence[~wrong].mean():.2f} where it is right,", end=" ")
print(f"{confidence[wrong].mean():.2f} in its {wrong.sum()} mistakes")
worst = most_confident_mistakes(probabilities, data.test.labels, 8)
plotting.gallery(
    sky.colour(data.test.images[worst], data.survey),
    [
        f"{data.class_names[data.test.labels[i]]}, {magnitude[i]:.1f} mag\n"
        f"→ {data.class_names[probabilities[i].argmax()]} {probabilities[i].max():.2f}"
        for i in worst
    ],
    columns=4,
    size=2,
    suptitle="The most confident mistakes: true class and magnitude, → predicted class and its probability",
);

# %% [markdown]
# *Figure: the test galaxies on which the network was wrong and surest of it.* Is it unsure when it is wrong? On average less
# sure, say the two means; but a mean does not warn you of these. Look at each: would you have got it right? Some are hard
# for everybody. The bright ones teach you more about the network, or about the simulation's labels.
#
# ## 13 · The real sky
#
# All this was on simulated galaxies. Now the network meets real ones, cut out of the Hubble picture of lab 00. Nobody has
# labelled them, so there is **no accuracy** to measure. But there are things that need no labels: how sure the network is,
# and whether it gives the same answer when the galaxy is turned by 90°, which changes nothing about its class.
#
# **Predict:** Will it be less sure than on the test set, since these galaxies differ from all it has seen?

# %%
hubble = datasets.load("hubble")
x_hubble = normalise(hubble.test.images, data.train.images)


def steady(images):
    """Does the predicted class stay the same when an image is turned by 90°? (n,) array of bool."""
    turned = np.rot90(images, axes=(1, 2))
    return cnn.predict(images, verbose=0).argmax(axis=1) == cnn.predict(turned, verbose=0).argmax(axis=1)


hubble_probabilities = cnn.predict(x_hubble, verbose=0)
for name, images, answers in (("simulated test set", x_test, probabilities), ("Hubble", x_hubble, hubble_probabilities)):
    sure = (answers.max(axis=1) > 0.9).mean()
    turned = steady(images).mean()
    print(f"{name}: {len(images)} galaxies, sure (above .9) of {sure:.0%}, same class when turned {turned:.0%}")

# %%
bins = np.linspace(0.25, 1, 16)
figure, axis = plt.subplots(figsize=(7, 3.2))
for name, answers in (("simulated test set", probabilities), ("Hubble, real", hubble_probabilities)):
    confidence = answers.max(axis=1)
    axis.hist(confidence, bins, weights=np.full(len(confidence), 1 / len(confidence)), histtype="step", lw=2, label=name)
axis.set(xlabel="confidence: largest probability", ylabel="share of the galaxies", yscale="log")
axis.legend(loc="upper left");

# %% [markdown]
# *Figure: how sure the network is, of simulated and of real galaxies; shares on a logarithmic scale.* The printed shares say
# what is lost from the simulated to the real ones. Whatever it is, the network is still sure of most of them, and most keep
# their class when they are turned: no alarm goes off. Now look at *what* it says. In the simulation each stamp held one
# galaxy, so we also show the network the small galaxies with everything farther than 12 pixels from the centre replaced by
# sky.

# %%
small = hubble.test.truth["area"] <= 400  # pixels: a radius of at most 11 if it is round
row, column = np.mgrid[:64, :64] - 31.5
sky_noise = np.random.default_rng(lab.seed).normal(size=hubble.test.images[small].shape)
alone = np.where(np.hypot(row, column)[..., None] < 12, hubble.test.images[small], sky_noise)
alone_probabilities = cnn.predict(normalise(alone, data.train.images), verbose=0)

groups = {
    "simulated test set": probabilities,
    "Hubble, large": hubble_probabilities[~small],
    "Hubble, small": hubble_probabilities[small],
    "Hubble, small, neighbours hidden": alone_probabilities,
}
figure, axis = plt.subplots(figsize=(7, 3.2))
for position, (name, answers) in enumerate(groups.items()):
    shares = np.bincount(answers.argmax(axis=1), minlength=n_classes) / len(answers)
    axis.bar(np.arange(n_classes) + 0.21 * (position - 1.5), shares, width=0.2, label=f"{name} ({len(answers)})")
    print(f"{name}: {', '.join(f'{c} {share:.0%}' for c, share in zip(data.class_names, shares, strict=True))}")
axis.set_xticks(range(n_classes), data.class_names)
axis.set(xlabel="predicted class", ylabel="share of the galaxies", ylim=(0, 1))
axis.legend(fontsize="small")

changed = alone_probabilities.argmax(axis=1) != hubble_probabilities[small].argmax(axis=1)
print(f"{changed.mean():.0%} of the small galaxies get another class when their neighbours are hidden")

# %% [markdown]
# *Figure: predicted classes of the test set, of large and small Hubble galaxies, and of the small ones with their
# surroundings replaced by sky.* The network calls far more of the small galaxies edge-on than of the test set, which has a
# quarter of each class, and changes its mind about many when something is hidden that is not even part of them. What it
# makes of the large ones, the printed shares tell.
#
# **Think:** Discs in space are tilted at random. For a random direction the cosine of the angle between the line of sight
# and the disc's axis is uniform between 0 and 1. Which share of discs do you see within 10° of edge-on? What follows?

# %% [markdown] tags=["answer"]
# <details><summary>Answer</summary>
#
# $\cos 80° = 0.17$: about one disc in six, if all galaxies were discs. So most of these answers are wrong, although the
# network is sure of them. It took a thought about galaxies to find out, and a test with the surroundings; the confidence did
# not tell.
#
# Why edge-on? Neighbours are one reason: in the simulation, whatever reached far out from the centre was part of the galaxy.
# Other reasons remain, as the hidden neighbours show, and they are harder to find. A network does not say why.
#
# </details>

# %%
hubble_classes = hubble_probabilities.argmax(axis=1)
chosen = [i for k in range(n_classes) for i in np.flatnonzero(hubble_classes == k)[:5]]
plotting.gallery(
    sky.colour(hubble.test.images[chosen]),
    [f"{data.class_names[hubble_classes[i]]} {hubble_probabilities[i].max():.2f}" for i in chosen],
    columns=5,
    size=1.5,
    suptitle="Real galaxies: predicted class and its probability",
);

# %% [markdown]
# *Figure: up to five real galaxies for each predicted class, the brightest first; a class that no galaxy got has none.* About
# one disc in six is seen within 10° of edge-on: many of these answers must be wrong, however sure. Judge for yourself which
# you believe. Do you see stars, with rays around? Star is none of the four classes, and each got a class all the same. Two
# galaxies that touch may appear in two stamps, once with each in the middle.
#
# An honest word. The picture is sharper than our simulated survey, its galaxies are farther, smaller and younger, often with
# neighbours in the stamp, its noise was smoothed and its bright parts were cut off when it was made into a display picture.
# The network was never asked about such images, and a softmax cannot say "none of these": it divides 1 among the classes it
# knows, whatever you show it. That is a **domain shift**. Confidence on another domain is no evidence; to know the accuracy
# there, one needs labels there. Lab 10 does it with a few of them, lab 11 without any.
#
# ## What you measured

# %%
cnn_accuracy, svm_accuracy = accuracies["convolutional network"], accuracies["HoG + SVM"]
results.record(
    "03",
    cnn_accuracy=cnn_accuracy,
    svm_accuracy=svm_accuracy,
    dense_accuracy=accuracies["dense network"],
    error_ratio=(1 - svm_accuracy) / (1 - cnn_accuracy),
    published_parameters=published.count_params(),
)
results.table("03")

# %%
lab.progress()

# %% [markdown]
# **Take with you**
#
# - A convolution uses the same few weights at every place. With fifteen times fewer parameters than the dense network, it
#   learns features that hold for galaxies it has never seen.
# - Normalise everything by the training set's numbers, choose on the validation set, look at the test set once.
# - Read shapes and counts before you train: `Conv2D(32, 6, 6)` runs, has the right number of parameters, and is wrong.
#
# **Where to go on:** lab 02 opens the convolution itself; lab 07 explains batch normalisation, which would speed this
# network up; lab 09 turns and mirrors the training galaxies, so that a turned galaxy stays what it is; labs 10 and 11 are
# about the real sky.
#
# **Stretch tasks**
#
# 1. Leave out the bands: train on the r band alone, or on the three bands with the galaxy's shape destroyed (shuffle the
#    pixels). How much of the accuracy is colour, how much is shape?
# 2. Take out the `AveragePooling2D`. How long does an epoch take now, and is the accuracy any better?
# 3. Train with 250, 500, 1000, 2000 galaxies and plot the error against their number, both axes logarithmic. HoG + SVM
#    beside it: where do the two cross?
# 4. Give `published_network` four outputs and train it, on a GPU. Are two and a half million parameters worth it here?
# 5. Find out more about *edge-on*: blur the Hubble stamps to a seeing of 0.75″, add noise, change their colours, one thing at
#    a time. What does the network say of stamps that hold nothing but noise, of an image of your own?
#
# **References**
#
# - LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86, 2278: Gradient-based learning applied to document recognition.
# - Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15, 1929: Dropout.
# - Huertas-Company et al. 2015, ApJS 221, 8: A catalog of visual-like morphologies in the 5 CANDELS fields using deep
#   learning.
# - Domínguez Sánchez et al. 2018, MNRAS 476, 3661: Improving galaxy morphologies for SDSS with deep learning.
# - Wilson 1927, JASA 22, 209: the interval for a share.
