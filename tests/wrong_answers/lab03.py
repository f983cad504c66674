"""Plausible wrong answers of lab 03, each with the sub-test that has to reject it."""

from itertools import pairwise

import keras
import numpy as np
from keras import layers

from tests.wrong_answers import add_wrong, wrong

# 3.1 normalise by the training images

TRAINING = "the training images come out with mean 0 and spread 1 in every band"
OTHERS = "other images are scaled by the training images' numbers, not by their own"
STRETCH = "the stretch comes first, then the scaling"
BANDS = "each band has its own mean and spread"
FLOAT32 = "whole numbers come out as float32"


def right_numbers(training_images):
    stretched = np.arcsinh(np.asarray(training_images, "float32"))
    return stretched.mean(axis=(0, 1, 2)), stretched.std(axis=(0, 1, 2))


@wrong("3.1", rejected_by=OTHERS)
def scales_by_its_own_numbers(images, training_images):
    mean, spread = right_numbers(images)
    return ((np.arcsinh(images) - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=OTHERS)
def normalises_the_training_images_alone(images, training_images):
    mean, spread = right_numbers(training_images)
    if not np.array_equal(images, training_images):
        return images.astype("float32")
    return ((np.arcsinh(images) - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=OTHERS)
def scales_by_all_images_together(images, training_images):
    shape = images.shape[-1]
    together = np.arcsinh(np.concatenate([images.reshape(-1, shape), training_images.reshape(-1, shape)]))
    return ((np.arcsinh(images) - together.mean(axis=0)) / together.std(axis=0)).astype("float32")


@wrong("3.1", rejected_by=STRETCH)
def forgets_the_stretch(images, training_images):
    mean, spread = training_images.mean(axis=(0, 1, 2)), training_images.std(axis=(0, 1, 2))
    return ((images - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=STRETCH)
def stretches_after_scaling(images, training_images):
    mean, spread = training_images.mean(axis=(0, 1, 2)), training_images.std(axis=(0, 1, 2))
    return np.arcsinh((images - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=STRETCH)
def measures_unstretched_training_images(images, training_images):
    mean, spread = training_images.mean(axis=(0, 1, 2)), training_images.std(axis=(0, 1, 2))
    return ((np.arcsinh(images) - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=BANDS)
def one_number_for_all_bands(images, training_images):
    stretched = np.arcsinh(training_images)
    return ((np.arcsinh(images) - stretched.mean()) / stretched.std()).astype("float32")


@wrong("3.1", rejected_by=BANDS)
def a_number_for_each_pixel(images, training_images):
    stretched = np.arcsinh(training_images)
    height, width = images.shape[1:3]
    mean = np.resize(stretched.mean(axis=0), (height, width, images.shape[-1]))
    spread = np.resize(stretched.std(axis=0), (height, width, images.shape[-1]))
    return ((np.arcsinh(images) - mean) / spread).astype("float32")


@wrong("3.1", rejected_by=OTHERS)
def scales_by_its_own_numbers_over_all_bands(images, training_images):
    stretched = np.arcsinh(images)
    return ((stretched - stretched.mean()) / stretched.std()).astype("float32")


@wrong("3.1", rejected_by=TRAINING)
def divides_by_the_variance(images, training_images):
    mean, spread = right_numbers(training_images)
    return ((np.arcsinh(images) - mean) / spread**2).astype("float32")


@wrong("3.1", rejected_by=TRAINING)
def does_not_divide(images, training_images):
    return (np.arcsinh(images) - right_numbers(training_images)[0]).astype("float32")


@wrong("3.1", rejected_by=FLOAT32)
def returns_double_precision(images, training_images):
    mean, spread = right_numbers(training_images)
    return (np.arcsinh(images.astype("float64")) - mean) / spread


# 3.2 softmax and cross-entropy

SOFTMAX = "softmax: the probabilities of one image sum to 1 and agree with the library"
SOFTMAX_LARGE = "softmax: logits of a thousand do not overflow"
LOSS = "cross-entropy: one number for each image, minus the logarithm of what its true class got"
KNOWS_NOTHING = "cross-entropy: a network that knows nothing of ten classes pays ln 10"
LOSS_LARGE = "cross-entropy: a sure and wrong answer costs much, but not infinity"


def right_softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def right_cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return -(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))[np.arange(len(labels)), labels]


def softmax_over_the_images(logits):
    exponentials = np.exp(logits - logits.max(axis=0))
    return exponentials / exponentials.sum(axis=0)


def softmax_over_everything(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def softmax_that_overflows(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def softmax_that_subtracts_one_largest_value(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def softmax_that_divides_by_the_largest(logits):
    return right_softmax(logits / logits.max(axis=-1, keepdims=True))


def softmax_without_keepdims(logits):
    exponentials = np.exp(logits - logits.max(axis=-1))
    return exponentials / exponentials.sum(axis=-1)


def softmax_that_is_a_sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def loss_that_is_the_mean(logits, labels):
    return right_cross_entropy(logits, labels).mean()


def loss_in_log10(logits, labels):
    return right_cross_entropy(logits, labels) / np.log(10)


def loss_with_the_wrong_sign(logits, labels):
    return -right_cross_entropy(logits, labels)


def loss_of_the_largest_class(logits, labels):
    return -np.log(right_softmax(logits).max(axis=-1))


def loss_that_is_infinite(logits, labels):
    return -np.log(right_softmax(logits)[np.arange(len(labels)), labels])


def loss_that_clips(logits, labels):
    return -np.log(np.maximum(right_softmax(logits)[np.arange(len(labels)), labels], 1e-7))


def loss_that_divides_by_the_largest(logits, labels):
    return right_cross_entropy(logits / logits.max(axis=-1, keepdims=True), labels)


def loss_without_keepdims(logits, labels):
    shifted = logits - logits.max(axis=-1)
    return -(shifted - np.log(np.exp(shifted).sum(axis=-1)))[np.arange(len(labels)), labels]


def loss_that_takes_all_columns(logits, labels):
    return -np.log(right_softmax(logits))[:, labels]


def loss_that_takes_a_column(logits, labels):
    return -np.log(right_softmax(logits))[:, labels[0]]


def loss_of_logits_as_if_probabilities(logits, labels):
    return -np.log(np.abs(logits[np.arange(len(labels)), labels]))


for rejected_by, softmax in (
    (SOFTMAX, softmax_over_the_images),
    (SOFTMAX, softmax_over_everything),
    (SOFTMAX, softmax_that_is_a_sigmoid),
    (SOFTMAX, softmax_without_keepdims),
    (SOFTMAX, softmax_that_divides_by_the_largest),
    (SOFTMAX_LARGE, softmax_that_divides_by_the_largest),
    (SOFTMAX_LARGE, softmax_that_overflows),
    (SOFTMAX_LARGE, softmax_that_subtracts_one_largest_value),
):
    add_wrong("3.2", rejected_by, (softmax, right_cross_entropy), softmax.__name__)
for rejected_by, loss in (
    (LOSS, loss_that_is_the_mean),
    (LOSS, loss_in_log10),
    (LOSS, loss_with_the_wrong_sign),
    (LOSS, loss_of_the_largest_class),
    (LOSS, loss_that_takes_a_column),
    (LOSS, loss_that_takes_all_columns),
    (LOSS, loss_without_keepdims),
    (LOSS, loss_that_divides_by_the_largest),
    (LOSS_LARGE, loss_that_divides_by_the_largest),
    (KNOWS_NOTHING, loss_of_logits_as_if_probabilities),
    (LOSS_LARGE, loss_that_is_infinite),
    (LOSS_LARGE, loss_that_clips),
):
    add_wrong("3.2", rejected_by, (right_softmax, loss), loss.__name__)


# 3.3 count the parameters

DENSE = "a dense layer: a weight for each pair, a bias for each output"
CONV = "a convolution: a cube of weights and a bias for each filter"


def right_dense(n_inputs, n_outputs):
    return (n_inputs + 1) * n_outputs


def right_conv(kernel_size, channels, filters):
    return (kernel_size**2 * channels + 1) * filters


for name, dense in {
    "forgets_the_biases": lambda n_inputs, n_outputs: n_inputs * n_outputs,
    "counts_a_bias_for_each_input": lambda n_inputs, n_outputs: n_inputs * n_outputs + n_inputs,
    "counts_one_bias": lambda n_inputs, n_outputs: n_inputs * n_outputs + 1,
    "adds_instead_of_multiplying": lambda n_inputs, n_outputs: n_inputs + 2 * n_outputs,
}.items():
    add_wrong("3.3", DENSE, (dense, right_conv), f"dense_{name}")
for name, conv in {
    "forgets_the_biases": lambda kernel_size, channels, filters: kernel_size**2 * channels * filters,
    "forgets_the_channels": lambda kernel_size, channels, filters: kernel_size**2 * filters + filters,
    "counts_a_bias_for_each_channel": lambda kernel_size, channels, filters: (kernel_size**2 + 1) * channels * filters,
    "takes_a_one_dimensional_kernel": lambda kernel_size, channels, filters: kernel_size * channels * filters + filters,
    "has_one_bias": lambda kernel_size, channels, filters: kernel_size**2 * channels * filters + 1,
    "adds_a_bias_for_each_channel": lambda kernel_size, channels, filters: (kernel_size**2 * filters + 1) * channels,
}.items():
    add_wrong("3.3", CONV, (right_dense, conv), f"conv_{name}")


# 3.4 the size after a convolution or a pooling

VALID = "without padding (valid) a kernel fits size − kernel + 1 times"
VALID_STRIDE = "without padding, a stride that does not fit is rounded down"
SAME = "with padding (same) the size is kept, and divided by the stride, rounded up"
POOLING = "a pooling of 2 halves, and drops the last pixel of an odd row"


@wrong("3.4", rejected_by=VALID)
def one_place_is_missing(size, kernel_size, stride=1, padding="valid"):
    return -(-size // stride) if padding == "same" else (size - kernel_size) // stride


@wrong("3.4", rejected_by=VALID_STRIDE)
def rounds_up_without_padding(size, kernel_size, stride=1, padding="valid"):
    return -(-size // stride) if padding == "same" else -(-(size - kernel_size) // stride) + 1


@wrong("3.4", rejected_by=VALID_STRIDE)
def forgets_the_stride(size, kernel_size, stride=1, padding="valid"):
    return size if padding == "same" else size - kernel_size + 1


@wrong("3.4", rejected_by=SAME)
def rounds_down_with_padding(size, kernel_size, stride=1, padding="valid"):
    return size // stride if padding == "same" else (size - kernel_size) // stride + 1


@wrong("3.4", rejected_by=SAME)
def ignores_the_padding(size, kernel_size, stride=1, padding="valid"):
    return (size - kernel_size) // stride + 1


@wrong("3.4", rejected_by=VALID)
def takes_every_layer_for_padded(size, kernel_size, stride=1, padding="valid"):
    return -(-size // stride)


@wrong("3.4", rejected_by=POOLING)
def keeps_the_odd_pixel_in_a_pooling(size, kernel_size, stride=1, padding="valid"):
    if padding == "same" or kernel_size == stride:
        return -(-size // stride)
    return (size - kernel_size) // stride + 1


@wrong("3.4", rejected_by=VALID)
def divides_into_fractions(size, kernel_size, stride=1, padding="valid"):
    return np.ceil(size / stride) if padding == "same" else np.floor((size - kernel_size) / stride + 1)


# 3.5 dropout

INFERENCE = "when not training, nothing changes"
SHARE = "in training, a share `rate` of the values becomes 0"
SURVIVORS = "what survives is divided by 1 − rate, so that the mean stays"
INDEPENDENT = "each value falls by its own chance"
SEEDS = "the same seed drops the same values, another seed others"
NOTHING = "a rate of 0 drops nothing"


def kept(x, rate, seed):
    return np.random.default_rng(seed).random(x.shape) >= rate


@wrong("3.5", rejected_by=SURVIVORS)
def forgets_to_rescale(x, rate, training, seed):
    return np.where(kept(x, rate, seed), x, 0) if training else x


@wrong("3.5", rejected_by=INFERENCE)
def drops_at_inference_too(x, rate, training, seed):
    return np.where(kept(x, rate, seed), x / (1 - rate), 0)


@wrong("3.5", rejected_by=INFERENCE)
def rescales_at_inference(x, rate, training, seed):
    return np.where(kept(x, rate, seed), x, 0) if training else x * (1 - rate)


@wrong("3.5", rejected_by=SHARE)
def keeps_with_the_rate(x, rate, training, seed):
    return np.where(kept(x, 1 - rate, seed), x / (1 - rate), 0) if training else x


@wrong("3.5", rejected_by=SURVIVORS)
def divides_by_the_rate(x, rate, training, seed):
    return np.where(kept(x, rate, seed), x / max(rate, 1e-9), 0) if training else x


@wrong("3.5", rejected_by=INDEPENDENT)
def drops_whole_rows(x, rate, training, seed):
    keep = np.random.default_rng(seed).random((len(x),) + (1,) * (x.ndim - 1)) >= rate
    return np.where(keep, x / (1 - rate), 0) if training else x


@wrong("3.5", rejected_by=INDEPENDENT)
def drops_whole_columns(x, rate, training, seed):
    return np.where(np.random.default_rng(seed).random(x.shape[-1]) >= rate, x / (1 - rate), 0) if training else x


@wrong("3.5", rejected_by=INDEPENDENT)
def drops_all_together(x, rate, training, seed):
    return x * (np.random.default_rng(seed).random() >= rate) / (1 - rate) if training else x


@wrong("3.5", rejected_by=INDEPENDENT)
def drops_an_exact_number(x, rate, training, seed):
    if not training:
        return x
    flat = x.flatten() / (1 - rate)
    flat[np.random.default_rng(seed).permutation(x.size)[: int(rate * x.size)]] = 0
    return flat.reshape(x.shape)


@wrong("3.5", rejected_by=SEEDS)
def seeds_the_whole_program(x, rate, training, seed):
    np.random.seed(seed)  # noqa: NPY002
    return np.where(np.random.random(x.shape) >= rate, x / (1 - rate), 0) if training else x  # noqa: NPY002


@wrong("3.5", rejected_by=SEEDS)
def ignores_the_seed(x, rate, training, seed):
    return np.where(kept(x, rate, 0), x / (1 - rate), 0) if training else x


@wrong("3.5", rejected_by=SEEDS)
def draws_without_a_seed(x, rate, training, seed):
    return np.where(np.random.default_rng().random(x.shape) >= rate, x / (1 - rate), 0) if training else x


@wrong("3.5", rejected_by=INFERENCE)
def turns_training_round(x, rate, training, seed):
    return x if training else np.where(kept(x, rate, seed), x / (1 - rate), 0)


@wrong("3.5", rejected_by=NOTHING)
def divides_by_the_rate_without_a_guard(x, rate, training, seed):
    return np.where(kept(x, rate, seed), x / np.float64(rate), 0) if training else x


@wrong("3.5", rejected_by=SURVIVORS)
def changes_its_input(x, rate, training, seed):
    if training:
        x[~kept(x, rate, seed)] = 0
        x /= 1 - rate
    return x


# 3.6 the published network

ENDS = "images of 69×69 pixels in three bands go in, one probability comes out"
CONVOLUTIONS = "four convolutions, 32 of 6×6, 64 of 5×5, 128 of 2×2, 128 of 3×3, all with stride 1 and ReLU"
POOLINGS = "two poolings of 2×2, right after the second and the third convolution"
DROPOUTS = "dropout .5, .25, .25, .25 after the convolutions and .5 after the dense layer of 64"
COUNT = "2 602 849 parameters"


def published(
    stride=lambda kernel: 1,
    padding="same",
    pool=(2, 3),
    pool_padding="valid",
    rates=(0.5, 0.25, 0.25, 0.25, 0.5),
    activation="relu",
    last="sigmoid",
    outputs=1,
    filters=(32, 64, 128, 128),
    dropout_first=False,
    flatten=layers.Flatten,
):
    x = inputs = keras.Input(shape=(69, 69, 3))
    for number, (n, kernel, rate) in enumerate(zip(filters, (6, 5, 2, 3), rates, strict=False), 1):
        x = layers.Conv2D(n, kernel, stride(kernel), padding=padding, activation=activation)(x)
        if rate and dropout_first:
            x = layers.Dropout(rate)(x)
        if number in pool:
            x = layers.MaxPooling2D(2, padding=pool_padding)(x)
        if rate and not dropout_first:
            x = layers.Dropout(rate)(x)
    x = flatten()(x)
    x = layers.Dense(64, activation=activation)(x)
    if rates[4]:
        x = layers.Dropout(rates[4])(x)
    return keras.Model(inputs, layers.Dense(outputs, activation=last)(x))


@wrong("3.6", rejected_by=CONVOLUTIONS)
def writes_conv2d_32_6_6():
    return published(stride=lambda kernel: kernel, pool_padding="same")


@wrong("3.6", rejected_by=COUNT)
def does_not_pad():
    return published(padding="valid")


@wrong("3.6", rejected_by=POOLINGS)
def pools_after_every_convolution():
    return published(pool=(1, 2, 3, 4))


@wrong("3.6", rejected_by=POOLINGS)
def pools_too_early():
    return published(pool=(1, 2))


@wrong("3.6", rejected_by=POOLINGS)
def pools_too_late():
    return published(pool=(3, 4))


@wrong("3.6", rejected_by=POOLINGS)
def drops_out_before_the_pooling():
    return published(dropout_first=True)


@wrong("3.6", rejected_by=COUNT)
def averages_instead_of_flattening():
    return published(flatten=layers.GlobalAveragePooling2D)


@wrong("3.6", rejected_by=CONVOLUTIONS)
def shrinks_the_image_to_nothing():
    return published(stride=lambda kernel: kernel)


@wrong("3.6", rejected_by=COUNT)
def pools_once():
    return published(pool=(2,))


@wrong("3.6", rejected_by=COUNT)
def pads_the_poolings():
    return published(pool_padding="same")


@wrong("3.6", rejected_by=ENDS)
def ends_with_a_relu():
    return published(last="relu")


@wrong("3.6", rejected_by=ENDS)
def ends_without_an_activation():
    return published(last=None)


@wrong("3.6", rejected_by=ENDS)
def ends_with_a_softmax_over_one_output():
    return published(last="softmax")


@wrong("3.6", rejected_by=ENDS)
def has_two_outputs():
    return published(outputs=2)


@wrong("3.6", rejected_by=CONVOLUTIONS)
def has_no_relu():
    return published(activation=None)


@wrong("3.6", rejected_by=CONVOLUTIONS)
def doubles_the_filters_once_more():
    return published(filters=(32, 64, 128, 256))


@wrong("3.6", rejected_by=DROPOUTS)
def has_no_dropout():
    return published(rates=(0, 0, 0, 0, 0))


@wrong("3.6", rejected_by=DROPOUTS)
def has_half_everywhere():
    return published(rates=(0.5, 0.5, 0.5, 0.5, 0.5))


@wrong("3.6", rejected_by=COUNT)
def forgets_to_return():
    published()


# 3.7 a small convolutional network

OUTPUT = "one probability for each class, and they sum to 1"
BINNING = "first of all, 2×2 pixels are averaged"
BLOCK = "each block has a 3×3 convolution with stride 1 and padding, filters as asked"
BLOCK_POOLING = "each block ends with a pooling that halves the size"
RELU = "every convolution has a ReLU"
LAST_DROPOUT = "dropout of the asked rate before the last layer"
PARAMETERS = "the number of parameters is that of these layers and no others"


def small(
    input_shape,
    n_classes,
    filters=(32, 64, 128),
    rate=0.25,
    *,
    bin_first=True,
    stride=1,
    padding="same",
    activation="relu",
    pool=True,
    pool_always=True,
    last="softmax",
    extra=False,
    flatten=layers.Flatten,
    dropout=True,
    use_bias=True,
):
    x = inputs = keras.Input(shape=input_shape)
    if bin_first:
        x = layers.AveragePooling2D(2)(x)
    for n in filters:
        x = layers.Conv2D(n, 3, stride, padding=padding, activation=activation, use_bias=use_bias)(x)
        if pool and pool_always:
            x = layers.MaxPooling2D(2, padding="same" if stride > 1 or padding == "valid" else "valid")(x)
    if pool and not pool_always:
        x = layers.MaxPooling2D(2)(x)
    x = flatten()(x)
    if extra:
        x = layers.Dense(64, activation="relu")(x)
    if dropout:
        x = layers.Dropout(rate)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation=last)(x))


def with_options(**options):
    def answer(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
        return small(input_shape, n_classes, filters, rate, **options)

    return answer


for rejected_by, name, options in (
    (BLOCK, "writes_conv2d_n_3_3", {"stride": 3}),
    (BLOCK, "does_not_pad", {"padding": "valid"}),
    (OUTPUT, "has_a_relu_on_the_output_layer", {"last": "relu"}),
    (OUTPUT, "returns_logits", {"last": None}),
    (OUTPUT, "has_sigmoids_on_the_output_layer", {"last": "sigmoid"}),
    (BINNING, "does_not_average_first", {"bin_first": False}),
    (RELU, "has_no_activations", {"activation": None}),
    (BLOCK_POOLING, "pools_once_at_the_end", {"pool_always": False}),
    (BLOCK_POOLING, "does_not_pool", {"pool": False}),
    (LAST_DROPOUT, "has_no_dropout", {"dropout": False}),
    (PARAMETERS, "has_another_dense_layer", {"extra": True}),
    (PARAMETERS, "averages_instead_of_flattening", {"flatten": layers.GlobalAveragePooling2D}),
    (PARAMETERS, "has_no_biases", {"use_bias": False}),
):
    add_wrong("3.7", rejected_by, with_options(**options), name)


@wrong("3.7", rejected_by=LAST_DROPOUT)
def fixes_the_rate(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    return small(input_shape, n_classes, filters, 0.25)


@wrong("3.7", rejected_by=BLOCK)
def fixes_the_filters(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    return small(input_shape, n_classes, (32, 64, 128), rate)


@wrong("3.7", rejected_by=OUTPUT)
def fixes_the_classes(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    return small(input_shape, 4, filters, rate)


@wrong("3.7", rejected_by=OUTPUT)
def returns_a_tensor(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    return small(input_shape, n_classes, filters, rate).output


# 3.8 where it fails

MAGNITUDES = "accuracy and number of galaxies in each bin; what lies outside the edges is left out"
EMPTY = "an empty bin has accuracy NaN and number 0"
EDGES = "a value on an edge belongs to the bin that begins there, the last edge to the last bin"
MISTAKES = "only mistakes, the most confident first"
FEW = "fewer mistakes than asked: all of them, and nothing else"


def right_bins(correct, values, edges):
    count = np.histogram(values, edges)[0]
    right = np.histogram(values[correct], edges)[0]
    with np.errstate(all="ignore"):
        return right / count, count


def right_mistakes(probabilities, labels, n):
    confidence = probabilities.max(axis=1)
    wrong_ones = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong_ones[np.argsort(-confidence[wrong_ones])][:n]


def bins_with_zero_where_empty(correct, values, edges):
    accuracy, count = right_bins(correct, values, edges)
    return np.nan_to_num(accuracy), count


def bins_in_the_wrong_order(correct, values, edges):
    return right_bins(correct, values, edges)[::-1]


def bins_with_numbers_of_right_answers(correct, values, edges):
    return np.histogram(values[correct], edges)[0], np.histogram(values, edges)[0]


def bins_with_shares_of_all_galaxies(correct, values, edges):
    count = np.histogram(values, edges)[0]
    return np.histogram(values[correct], edges)[0] / len(values), count


def bins_with_the_error(correct, values, edges):
    accuracy, count = right_bins(correct, values, edges)
    return 1 - accuracy, count


def bins_that_take_in_everything(correct, values, edges):
    return right_bins(correct, np.clip(values, edges[0], edges[-1]), edges)


def bins_that_lose_the_last_edge(correct, values, edges):
    inside = [(values >= low) & (values < high) for low, high in pairwise(edges)]
    count = np.array([chosen.sum() for chosen in inside])
    with np.errstate(all="ignore"):
        return np.array([correct[chosen].sum() for chosen in inside]) / count, count


def bins_that_end_with_their_edge(correct, values, edges):
    inside = [(values > low) & (values <= high) for low, high in pairwise(edges)]
    count = np.array([chosen.sum() for chosen in inside])
    with np.errstate(all="ignore"):
        return np.array([correct[chosen].sum() for chosen in inside]) / count, count


def mistakes_with_right_answers_among_them(probabilities, labels, n):
    return np.argsort(-probabilities.max(axis=1))[:n]


def mistakes_least_confident_first(probabilities, labels, n):
    confidence = probabilities.max(axis=1)
    wrong_ones = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong_ones[np.argsort(confidence[wrong_ones])][:n]


def mistakes_unsorted(probabilities, labels, n):
    return np.flatnonzero(probabilities.argmax(axis=1) != labels)[:n]


def mistakes_as_places_among_the_mistakes(probabilities, labels, n):
    return np.argsort(-probabilities.max(axis=1)[probabilities.argmax(axis=1) != labels])[:n]


def mistakes_by_the_true_class(probabilities, labels, n):
    wrong_ones = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong_ones[np.argsort(probabilities[wrong_ones, labels[wrong_ones]])][:n]


def mistakes_filled_up(probabilities, labels, n):
    confidence = np.where(probabilities.argmax(axis=1) != labels, probabilities.max(axis=1), 0)
    return np.argsort(-confidence)[:n]


for rejected_by, bins in (
    (EMPTY, bins_with_zero_where_empty),
    (MAGNITUDES, bins_in_the_wrong_order),
    (MAGNITUDES, bins_with_numbers_of_right_answers),
    (MAGNITUDES, bins_with_shares_of_all_galaxies),
    (MAGNITUDES, bins_with_the_error),
    (MAGNITUDES, bins_that_take_in_everything),
    (EDGES, bins_that_lose_the_last_edge),
    (EDGES, bins_that_end_with_their_edge),
):
    add_wrong("3.8", rejected_by, (bins, right_mistakes), bins.__name__)
for rejected_by, mistakes in (
    (MISTAKES, mistakes_with_right_answers_among_them),
    (MISTAKES, mistakes_least_confident_first),
    (MISTAKES, mistakes_unsorted),
    (MISTAKES, mistakes_as_places_among_the_mistakes),
    (MISTAKES, mistakes_by_the_true_class),
    (FEW, mistakes_filled_up),
):
    add_wrong("3.8", rejected_by, (right_bins, mistakes), mistakes.__name__)
