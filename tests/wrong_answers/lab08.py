"""Wrong answers to the exercises of lab 08."""

from itertools import product

import keras
import numpy as np
from keras import layers

from tests.wrong_answers import add_wrong, wrong


def convolution(filters, size=3, stride=1, start="he_normal", name=None, use_bias=False):
    options = {"padding": "same", "use_bias": use_bias, "kernel_initializer": start, "name": name}
    return layers.Conv2D(filters, size, strides=stride, **options)


def normalisation(first_scale="ones", name=None, axis=-1):
    return layers.BatchNormalization(axis, momentum=0.9, gamma_initializer=first_scale, name=name)


def relu(x):
    return layers.ReLU()(x)


# 8.1 a plain block

CONVOLUTIONS = "two convolutions of 3×3 with so many filters, without bias"
STRIDE = "the stride is in the first convolution alone"
NORMALISATIONS = "two batch normalisations, one for each channel's numbers; the second has the name"
ORDER = "the order: convolution, normalisation, ReLU, and the same again"


@wrong("8.1", rejected_by=ORDER)
def forgets_the_last_relu(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters, stride=stride)(x)))
    return normalisation(name=name)(convolution(filters)(x))


@wrong("8.1", rejected_by=ORDER)
def normalises_after_the_relu(x, filters, stride=1, name=None):
    x = normalisation()(relu(convolution(filters, stride=stride)(x)))
    return normalisation(name=name)(relu(convolution(filters)(x)))


@wrong("8.1", rejected_by=ORDER)
def forgets_the_first_relu(x, filters, stride=1, name=None):
    x = normalisation()(convolution(filters, stride=stride)(x))
    return relu(normalisation(name=name)(convolution(filters)(x)))


@wrong("8.1", rejected_by=STRIDE)
def strides_twice(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters, stride=stride)(x)))
    return relu(normalisation(name=name)(convolution(filters, stride=stride)(x)))


@wrong("8.1", rejected_by=STRIDE)
def forgets_the_stride(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters)(x)))
    return relu(normalisation(name=name)(convolution(filters)(x)))


@wrong("8.1", rejected_by=STRIDE)
def strides_in_the_second_convolution(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters)(x)))
    return relu(normalisation(name=name)(convolution(filters, stride=stride)(x)))


@wrong("8.1", rejected_by=CONVOLUTIONS)
def keeps_the_biases(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters, stride=stride, use_bias=True)(x)))
    return relu(normalisation(name=name)(convolution(filters, use_bias=True)(x)))


@wrong("8.1", rejected_by=CONVOLUTIONS)
def keeps_the_channels_of_the_input(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(x.shape[-1], stride=stride)(x)))
    return relu(normalisation(name=name)(convolution(filters)(x)))


@wrong("8.1", rejected_by=NORMALISATIONS)
def normalises_along_the_rows(x, filters, stride=1, name=None):
    x = relu(normalisation(axis=1)(convolution(filters, stride=stride)(x)))
    return relu(normalisation(name=name, axis=1)(convolution(filters)(x)))


@wrong("8.1", rejected_by=NORMALISATIONS)
def names_the_first_normalisation(x, filters, stride=1, name=None):
    x = relu(normalisation(name=name)(convolution(filters, stride=stride)(x)))
    return relu(normalisation()(convolution(filters)(x)))


@wrong("8.1", rejected_by=NORMALISATIONS)
def normalises_once(x, filters, stride=1, name=None):
    x = relu(convolution(filters, stride=stride)(x))
    return relu(normalisation(name=name)(convolution(filters)(x)))


@wrong("8.1", rejected_by=CONVOLUTIONS)
def applies_both_convolutions_to_x(x, filters, stride=1, name=None):
    h = relu(normalisation()(convolution(filters, stride=stride)(x)))  # noqa: F841
    return relu(normalisation(name=name)(convolution(filters, stride=stride)(x)))


@wrong("8.1", rejected_by=ORDER)
def adds_the_input_already(x, filters, stride=1, name=None):
    h = relu(normalisation()(convolution(filters, stride=stride)(x)))
    h = normalisation(name=name)(convolution(filters)(h))
    return relu(h + x) if h.shape == x.shape else relu(h)


@wrong("8.1", rejected_by=CONVOLUTIONS)
def hands_the_stride_over_as_the_size(x, filters, stride=1, name=None):
    x = relu(normalisation()(convolution(filters, stride)(x)))
    return relu(normalisation(name=name)(convolution(filters)(x)))


kept_layers = {}


@wrong("8.1", rejected_by=CONVOLUTIONS)
def keeps_a_layer_between_calls(x, filters, stride=1, name=None):
    second = kept_layers.setdefault(("8.1", filters), convolution(filters))
    x = relu(normalisation()(convolution(filters, stride=stride)(x)))
    return relu(normalisation(name=name)(second(x)))


# 8.2 a network of any depth

STAGES = "three stages of n blocks, with the filters of their stage"
STRIDES = "a stride of 2 in the stem and in the first block of the second and third stage, nowhere else"
CHAIN = "each block takes what the one before gave, and is named by its number"
STEM = "the stem: convolution, batch normalisation, ReLU"
HEAD = "the mean over all pixels, and a dense layer that gives logits"


def build(
    block,
    input_shape,
    n_classes,
    n,
    filters=(8, 16, 32),
    *,
    stem_size=3,
    stem_stride=2,
    stem_normalised=True,
    stem_activated=True,
    per_stage=lambda n: n,
    filters_of=lambda filters, stage: filters[stage],
    stride_of=lambda stage, place, n: 2 if stage and not place else 1,
    name_of=lambda number, stage, place: f"block_{number}",
    chained=True,
    pool=layers.GlobalAveragePooling2D,
    activation=None,
):
    inputs = keras.Input(tuple(input_shape))
    x = convolution(filters[0], stem_size, stem_stride)(inputs)
    x = normalisation()(x) if stem_normalised else x
    x = layers.ReLU()(x) if stem_activated else x
    number = 0
    for stage in range(3):
        entered = x
        for place in range(per_stage(n)):
            number += 1
            y = x if chained or place == 0 else entered
            stride = stride_of(stage, place, n)
            x = block(y, filters_of(filters, stage), stride=stride, name=name_of(number, stage, place))
    return keras.Model(inputs, layers.Dense(n_classes, activation=activation)(pool()(x)))


def built_with(**options):
    def network(block, input_shape, n_classes, n, filters=(8, 16, 32)):
        return build(block, input_shape, n_classes, n, filters, **options)

    return network


for rejected_by, name, options in (
    (STAGES, "makes_a_block_too_many", {"per_stage": lambda n: n + 1}),
    (STAGES, "makes_one_block_a_stage", {"per_stage": lambda n: 1}),
    (STAGES, "takes_the_first_filters_always", {"filters_of": lambda filters, stage: filters[0]}),
    (STAGES, "takes_the_default_filters", {"filters_of": lambda filters, stage: (8, 16, 32)[stage]}),
    (STRIDES, "strides_in_every_stage", {"stride_of": lambda stage, place, n: 1 if place else 2}),
    (STRIDES, "strides_in_every_block", {"stride_of": lambda stage, place, n: 2 if stage else 1}),
    (STRIDES, "strides_nowhere", {"stride_of": lambda stage, place, n: 1}),
    (
        STRIDES,
        "strides_in_the_last_block",
        {"stride_of": lambda stage, place, n: 2 if stage < 2 and place == n - 1 else 1},
    ),
    (
        STRIDES,
        "strides_at_the_end_of_a_stage",
        {"stride_of": lambda stage, place, n: 2 if stage and place == n - 1 else 1},
    ),
    (STRIDES, "forgets_the_stride_of_the_stem", {"stem_stride": 1}),
    (CHAIN, "counts_from_zero", {"name_of": lambda number, stage, place: f"block_{number - 1}"}),
    (CHAIN, "forgets_the_names", {"name_of": lambda number, stage, place: None}),
    (STEM, "forgets_the_stems_normalisation", {"stem_normalised": False}),
    (STEM, "forgets_the_stems_relu", {"stem_activated": False}),
    (STEM, "takes_a_stem_of_seven", {"stem_size": 7}),
    (HEAD, "takes_the_maximum", {"pool": layers.GlobalMaxPooling2D}),
    (HEAD, "flattens", {"pool": layers.Flatten}),
    (HEAD, "ends_with_a_softmax", {"activation": "softmax"}),
    (HEAD, "ends_with_a_relu", {"activation": "relu"}),
):
    add_wrong("8.2", rejected_by, built_with(**options), name)


@wrong("8.2", rejected_by=CHAIN)
def hands_the_same_to_all_blocks_of_a_stage(block, input_shape, n_classes, n, filters=(8, 16, 32)):
    return build(
        block, input_shape, n_classes, n, filters, chained=False, stride_of=lambda stage, place, n: 2 if stage else 1
    )


@wrong("8.2", rejected_by=STRIDES)
def strides_where_the_filters_change(block, input_shape, n_classes, n, filters=(8, 16, 32)):
    def changed(stage, place, n):
        return 2 if stage and place == 0 and filters[stage] != filters[stage - 1] else 1

    return build(block, input_shape, n_classes, n, filters, stride_of=changed)


@wrong("8.2", rejected_by=CHAIN)
def begins_the_numbers_anew(block, input_shape, n_classes, n, filters=(8, 16, 32)):
    return build(block, input_shape, n_classes, n, filters, name_of=lambda number, stage, place: f"block_{place + 1}")


# 8.3 a kernel that does nothing

KERNEL_SHAPE = "the shape: height, width, input channels, output channels"
ONE = "an image of one channel comes out as it went in"
OTHERS = "no channel gets anything of another"
SIZES = "kernels of other sizes"


def kernel_with(value, at=None):
    def identity_kernel(size, channels):
        kernel = np.zeros((size, size, channels, channels))
        place = size // 2 if at is None else at(size)
        kernel[place, place] = value(channels)
        return kernel

    return identity_kernel


for rejected_by, name, answer in (
    (OTHERS, "mixes_the_channels", kernel_with(lambda channels: 1)),
    (OTHERS, "divides_by_the_channels", kernel_with(lambda channels: np.full((channels, channels), 1 / channels))),
    (ONE, "sits_in_the_corner", kernel_with(np.eye, at=lambda size: 0)),
    (SIZES, "knows_a_kernel_of_three", kernel_with(np.eye, at=lambda size: min(1, size - 1))),
    (OTHERS, "turns_the_channels_round", kernel_with(lambda channels: np.eye(channels)[::-1])),
    (ONE, "sits_right_of_the_middle", kernel_with(np.eye, at=lambda size: min(size // 2 + 1, size - 1))),
):
    add_wrong("8.3", rejected_by, answer, name)


@wrong("8.3", rejected_by=ONE)
def is_full_of_ones(size, channels):
    return np.ones((size, size, channels, channels))


@wrong("8.3", rejected_by=ONE)
def takes_the_mean_of_the_neighbours(size, channels):
    kernel = np.zeros((size, size, channels, channels))
    kernel[:] = np.eye(channels) / size**2
    return kernel


@wrong("8.3", rejected_by=KERNEL_SHAPE)
def puts_the_channels_first(size, channels):
    kernel = np.zeros((channels, channels, size, size))
    kernel[np.arange(channels), np.arange(channels), size // 2, size // 2] = 1
    return kernel


@wrong("8.3", rejected_by=KERNEL_SHAPE)
def forgets_the_channels(size, channels):
    kernel = np.zeros((size, size))
    kernel[size // 2, size // 2] = 1
    return kernel


@wrong("8.3", rejected_by=ONE)
def is_an_identity_matrix_of_places(size, channels):
    return np.eye(size)[:, :, None, None] * np.eye(channels)


@wrong("8.3", rejected_by=OTHERS)
def lets_the_first_channel_through(size, channels):
    kernel = np.zeros((size, size, channels, channels))
    kernel[size // 2, size // 2, 0, 0] = 1
    return kernel


# 8.4 the residual block by hand

NOTHING = "with last scale and shift 0 the block returns relu(x)"
WHOLE = "relu(x + branch), as Keras computes it"
CHANGES = "what comes out is never negative, and changes with the branch"


def convolve(x, kernel):
    return keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, padding="same"))


def normalise(x, scale, shift):
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    return scale * (x - mean) / np.sqrt(variance + 1e-3) + shift


def above(x):
    return np.maximum(x, 0)


def by_hand(join, inner=above, second=1, numbers=1, add_first=False):
    def identity_block(x, kernels, scales, shifts):
        half = inner(normalise(convolve(x, kernels[0]), scales[0], shifts[0]))
        branch = convolve(half, kernels[second])
        branch = x + branch if add_first else branch
        branch = normalise(branch, scales[numbers], shifts[numbers])
        return join(x, branch, half)

    return identity_block


for rejected_by, name, answer in (
    (NOTHING, "forgets_the_way_around", by_hand(lambda x, branch, half: above(branch))),
    (NOTHING, "forgets_the_relu_after_it", by_hand(lambda x, branch, half: x + branch)),
    (WHOLE, "ends_the_branch_with_a_relu", by_hand(lambda x, branch, half: above(x + above(branch)))),
    (CHANGES, "activates_the_branch_alone", by_hand(lambda x, branch, half: x + above(branch))),
    (WHOLE, "adds_before_normalising", by_hand(lambda x, branch, half: above(branch), add_first=True)),
    (WHOLE, "adds_the_first_half", by_hand(lambda x, branch, half: above(half + branch))),
    (WHOLE, "forgets_the_relu_inside", by_hand(lambda x, branch, half: above(x + branch), inner=lambda h: h)),
    (WHOLE, "takes_the_first_kernel_twice", by_hand(lambda x, branch, half: above(x + branch), second=0)),
    (WHOLE, "takes_the_first_scale_twice", by_hand(lambda x, branch, half: above(x + branch), numbers=0)),
    (WHOLE, "multiplies_instead", by_hand(lambda x, branch, half: above(x * branch))),
    (WHOLE, "subtracts_the_branch", by_hand(lambda x, branch, half: above(x - branch))),
    (WHOLE, "activates_x", by_hand(lambda x, branch, half: above(above(x) + branch))),
    (CHANGES, "returns_relu_of_x", by_hand(lambda x, branch, half: above(x))),
):
    add_wrong("8.4", rejected_by, answer, name)


@wrong("8.4", rejected_by=WHOLE)
def normalises_what_relu_leaves(x, kernels, scales, shifts):
    branch = normalise(above(convolve(x, kernels[0])), scales[0], shifts[0])
    return above(x + normalise(convolve(branch, kernels[1]), scales[1], shifts[1]))


@wrong("8.4", rejected_by=WHOLE)
def goes_around_each_half(x, kernels, scales, shifts):
    for kernel, scale, shift in zip(kernels, scales, shifts, strict=True):
        x = above(x + normalise(convolve(x, kernel), scale, shift))
    return x


@wrong("8.4", rejected_by=WHOLE)
def swaps_scale_and_shift(x, kernels, scales, shifts):
    branch = above(normalise(convolve(x, kernels[0]), shifts[0], scales[0]))
    return above(x + normalise(convolve(branch, kernels[1]), shifts[1], scales[1]))


@wrong("8.4", rejected_by=WHOLE)
def does_not_normalise(x, kernels, scales, shifts):
    return above(x + convolve(above(convolve(x, kernels[0])), kernels[1]))


@wrong("8.4", rejected_by=WHOLE)
def changes_x_in_place(x, kernels, scales, shifts):
    branch = above(normalise(convolve(x, kernels[0]), scales[0], shifts[0]))
    x += normalise(convolve(branch, kernels[1]), scales[1], shifts[1])
    return above(x)


# 8.5 shortcuts

PADDED = "padded: every stride-th pixel, in both directions"
ZEROS = "padded: the channels that were there, then zeros"
PROJECTED = "projected: a convolution of 1×1, as Keras computes it"
PROJECTED_STRIDE = "projected: with the stride"
ODD = "odd sizes are rounded up"


def right_padded(x, filters, stride):
    x = x[:, ::stride, ::stride]
    return np.pad(x, 3 * [(0, 0)] + [(0, filters - x.shape[-1])])


def right_projected(x, kernel, stride):
    return x[:, ::stride, ::stride] @ kernel[0, 0]


def padded_without_stride(x, filters, stride):
    return np.pad(x, 3 * [(0, 0)] + [(0, filters - x.shape[-1])])


def padded_with_the_rows_stride(x, filters, stride):
    return right_padded(x[:, ::stride], filters, 1)


def padded_by_the_mean(x, filters, stride):
    pooled = keras.ops.average_pool(x, stride, strides=stride, padding="same")
    return right_padded(keras.ops.convert_to_numpy(pooled), filters, 1)


def padded_by_the_maximum(x, filters, stride):
    pooled = keras.ops.max_pool(x, stride, strides=stride, padding="same")
    return right_padded(keras.ops.convert_to_numpy(pooled), filters, 1)


def padded_from_the_second_pixel(x, filters, stride):
    return right_padded(x[:, stride - 1 :: stride, stride - 1 :: stride], filters, 1)


def padded_in_front(x, filters, stride):
    x = x[:, ::stride, ::stride]
    return np.pad(x, 3 * [(0, 0)] + [(filters - x.shape[-1], 0)])


def padded_on_both_sides(x, filters, stride):
    x = x[:, ::stride, ::stride]
    missing = filters - x.shape[-1]
    return np.pad(x, 3 * [(0, 0)] + [(missing // 2, missing - missing // 2)])


def padded_by_copies(x, filters, stride):
    return np.take(x[:, ::stride, ::stride], np.arange(filters) % x.shape[-1], axis=-1)


def padded_too_far(x, filters, stride):
    return np.pad(x[:, ::stride, ::stride], 3 * [(0, 0)] + [(0, filters)])


def padded_along_the_images(x, filters, stride):
    return right_padded(x[::stride, ::stride], filters, 1)


def padded_with_a_stride_of_two(x, filters, stride):
    return right_padded(x, filters, 2)


def padded_rounding_down(x, filters, stride):
    height, width = x.shape[1] // stride, x.shape[2] // stride
    return right_padded(x, filters, stride)[:, :height, :width]


def projected_without_stride(x, kernel, stride):
    return x @ kernel[0, 0]


def projected_by_the_transpose(x, kernel, stride):
    matrix = kernel[0, 0]
    return x[:, ::stride, ::stride] @ (matrix.T if matrix.shape[0] == matrix.shape[1] else matrix[::-1])


def projected_with_the_columns_stride(x, kernel, stride):
    return x[:, :, ::stride] @ kernel[0, 0]


def projected_and_activated(x, kernel, stride):
    return above(x[:, ::stride, ::stride] @ kernel[0, 0])


def projected_by_the_mean(x, kernel, stride):
    pooled = keras.ops.average_pool(x, stride, strides=stride, padding="same")
    return keras.ops.convert_to_numpy(pooled) @ kernel[0, 0]


for rejected_by, first in (
    (PADDED, padded_without_stride),
    (PADDED, padded_with_the_rows_stride),
    (PADDED, padded_by_the_mean),
    (PADDED, padded_by_the_maximum),
    (PADDED, padded_from_the_second_pixel),
    (ZEROS, padded_in_front),
    (ZEROS, padded_on_both_sides),
    (ZEROS, padded_by_copies),
    (ZEROS, padded_too_far),
    (PADDED, padded_along_the_images),
    (PADDED, padded_with_a_stride_of_two),
    (ODD, padded_rounding_down),
):
    add_wrong("8.5", rejected_by, (first, right_projected), first.__name__)
for rejected_by, second in (
    (PROJECTED_STRIDE, projected_without_stride),
    (PROJECTED, projected_by_the_transpose),
    (PROJECTED_STRIDE, projected_with_the_columns_stride),
    (PROJECTED, projected_and_activated),
    (PROJECTED_STRIDE, projected_by_the_mean),
):
    add_wrong("8.5", rejected_by, (right_padded, second), second.__name__)


# 8.6 the residual block in Keras

BRANCH = "the branch: two convolutions of 3×3, the first with the stride"
SHORTCUT = "the shortcut: x itself where the shape stays, a convolution of 1×1 with the stride where it changes"
NORMED = "each convolution has its batch normalisation; the last of the branch has the name"
LAST_SCALE = "the last scale begins as told, all other scales with 1"
OUTPUT = "ReLU(shortcut + branch)"
BEGINS = "with last scale 0 the block begins as ReLU(shortcut)"


def residual(
    x,
    filters,
    stride=1,
    name=None,
    last_scale="zeros",
    *,
    project_if=lambda x, filters, stride: stride != 1 or x.shape[-1] != filters,
    projection=lambda x, filters, stride: normalisation()(convolution(filters, size=1, stride=stride)(x)),
    join=lambda x, branch: layers.ReLU()(layers.Add()([x, branch])),
    end=lambda branch: branch,
    first_scale="ones",
    use_last_scale=True,
    inner=relu,
    second_stride=1,
):
    branch = inner(normalisation(first_scale)(convolution(filters, stride=stride)(x)))
    branch = convolution(filters, stride=second_stride)(branch)
    branch = end(normalisation(last_scale if use_last_scale else "ones", name=name)(branch))
    if project_if(x, filters, stride):
        x = projection(x, filters, stride)
    return join(x, branch)


def residual_with(**options):
    def residual_block(x, filters, stride=1, name=None, last_scale="zeros"):
        return residual(x, filters, stride, name, last_scale, **options)

    return residual_block


for rejected_by, name, options in (
    (OUTPUT, "forgets_the_last_relu_of_the_block", {"join": lambda x, branch: layers.Add()([x, branch])}),
    (OUTPUT, "activates_before_adding", {"join": lambda x, branch: layers.Add()([x, layers.ReLU()(branch)])}),
    (OUTPUT, "activates_twice", {"end": relu}),
    (OUTPUT, "has_no_way_around", {"join": lambda x, branch: layers.ReLU()(branch)}),
    (OUTPUT, "multiplies_the_two", {"join": lambda x, branch: layers.ReLU()(layers.Multiply()([x, branch]))}),
    (OUTPUT, "averages_the_two", {"join": lambda x, branch: layers.ReLU()(layers.Average()([x, branch]))}),
    (OUTPUT, "forgets_the_relu_in_the_branch", {"inner": lambda h: h}),
    (SHORTCUT, "projects_always", {"project_if": lambda x, filters, stride: True}),
    (SHORTCUT, "projects_for_a_stride_alone", {"project_if": lambda x, filters, stride: stride != 1}),
    (SHORTCUT, "projects_for_filters_alone", {"project_if": lambda x, filters, stride: x.shape[-1] != filters}),
    (
        SHORTCUT,
        "projects_without_the_stride",
        {"projection": lambda x, filters, stride: normalisation()(convolution(filters, size=1)(x))},
    ),
    (
        SHORTCUT,
        "projects_with_a_kernel_of_three",
        {"projection": lambda x, filters, stride: normalisation()(convolution(filters, stride=stride)(x))},
    ),
    (
        NORMED,
        "does_not_normalise_the_shortcut",
        {"projection": lambda x, filters, stride: convolution(filters, size=1, stride=stride)(x)},
    ),
    (
        OUTPUT,
        "activates_the_shortcut",
        {
            "projection": lambda x, filters, stride: layers.ReLU()(
                normalisation()(convolution(filters, size=1, stride=stride)(x))
            )
        },
    ),
    (LAST_SCALE, "forgets_the_last_scale", {"use_last_scale": False}),
    (LAST_SCALE, "begins_with_zeros_in_the_middle", {"first_scale": "zeros", "use_last_scale": False}),
    (LAST_SCALE, "begins_with_zeros_everywhere", {"first_scale": "zeros"}),
    (
        LAST_SCALE,
        "begins_with_zeros_on_the_shortcut",
        {
            "projection": lambda x, filters, stride: normalisation("zeros")(
                convolution(filters, size=1, stride=stride)(x)
            )
        },
    ),
):
    add_wrong("8.6", rejected_by, residual_with(**options), name)


@wrong("8.6", rejected_by=NORMED)
def adds_before_the_last_normalisation(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(normalisation()(convolution(filters, stride=stride)(x)))
    branch = convolution(filters)(branch)
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation()(convolution(filters, size=1, stride=stride)(x))
    return relu(normalisation(last_scale, name=name)(layers.Add()([x, branch])))


@wrong("8.6", rejected_by=BEGINS)
def goes_around_the_second_half_alone(x, filters, stride=1, name=None, last_scale="zeros"):
    half = relu(normalisation()(convolution(filters, stride=stride)(x)))
    branch = normalisation(last_scale, name=name)(convolution(filters)(half))
    return relu(layers.Add()([half, branch]))


@wrong("8.6", rejected_by=BRANCH)
def strides_in_both_convolutions(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(normalisation()(convolution(filters)(x)))
    branch = normalisation(last_scale, name=name)(convolution(filters, stride=stride)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation()(convolution(filters, size=1, stride=stride)(x))
    return relu(layers.Add()([x, branch]))


@wrong("8.6", rejected_by=NORMED)
def normalises_rows_in_the_branch(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(normalisation(axis=1)(convolution(filters, stride=stride)(x)))
    branch = normalisation(last_scale, name=name, axis=1)(convolution(filters)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation(axis=1)(convolution(filters, size=1, stride=stride)(x))
    return relu(layers.Add()([x, branch]))


@wrong("8.6", rejected_by=SHORTCUT)
def writes_over_x(x, filters, stride=1, name=None, last_scale="zeros"):
    x = convolution(filters, stride=stride)(x)
    branch = relu(normalisation()(x))
    branch = normalisation(last_scale, name=name)(convolution(filters)(branch))
    return relu(layers.Add()([x, branch]))


@wrong("8.6", rejected_by=OUTPUT)
def adds_the_branch_to_itself(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(normalisation()(convolution(filters, stride=stride)(x)))
    branch = normalisation(last_scale, name=name)(convolution(filters)(branch))
    return relu(layers.Add()([branch, branch]))


@wrong("8.6", rejected_by=NORMED)
def names_the_first_normalisation_of_the_block(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(normalisation(name=name)(convolution(filters, stride=stride)(x)))
    branch = normalisation(last_scale)(convolution(filters)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation()(convolution(filters, size=1, stride=stride)(x))
    return relu(layers.Add()([x, branch]))


@wrong("8.6", rejected_by=NORMED)
def does_not_normalise_the_first_convolution(x, filters, stride=1, name=None, last_scale="zeros"):
    branch = relu(convolution(filters, stride=stride)(x))
    branch = normalisation(last_scale, name=name)(convolution(filters)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation()(convolution(filters, size=1, stride=stride)(x))
    return relu(layers.Add()([x, branch]))


@wrong("8.6", rejected_by=BRANCH)
def keeps_the_second_convolution_between_calls(x, filters, stride=1, name=None, last_scale="zeros"):
    second = kept_layers.setdefault(("8.6", filters), convolution(filters))
    branch = relu(normalisation()(convolution(filters, stride=stride)(x)))
    branch = normalisation(last_scale, name=name)(second(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = normalisation()(convolution(filters, size=1, stride=stride)(x))
    return relu(layers.Add()([x, branch]))


# 8.7 forward and back through a sum

FORWARD = "forward: x, then each state is the one before plus its branch"
ONE_BLOCK = "backward through one block: the gradient itself, plus what comes back through the branch"
MANY = "backward through many blocks, as numeric gradients say"
UNCHANGED = "where the branches give 0 the gradient arrives unchanged"


def forward(x, weights, activation, step=lambda a, w, f, x: a + f(a @ w)):
    states = [x]
    for w in weights:
        states.append(step(states[-1], w, activation, x))
    return states


def backward(gradient, states, weights, slope, step=None, branch=lambda before, after, w: after - before):
    gradients = [gradient]
    for number in range(len(weights) - 1, -1, -1):
        g, w = gradients[0], weights[number]
        s = slope(branch(states[number], states[number + 1], w))
        gradients.insert(0, g + (s * g) @ w.T if step is None else step(g, s, w))
    return gradients


def forward_with(step):
    return lambda x, weights, activation: forward(x, weights, activation, step)


def backward_with(step=None, **options):
    return lambda gradient, states, weights, slope: backward(gradient, states, weights, slope, step, **options)


for name, first in (
    ("goes_forward_without_the_way_around", forward_with(lambda a, w, f, x: f(a @ w))),
    ("activates_the_sum", forward_with(lambda a, w, f, x: f(a + a @ w))),
    ("begins_each_way_around_at_x", forward_with(lambda a, w, f, x: x + f(a @ w))),
    ("activates_before_multiplying", forward_with(lambda a, w, f, x: a + f(a) @ w)),
    ("multiplies_by_the_transpose", forward_with(lambda a, w, f, x: a + f(a @ w.T))),
    ("does_not_activate", forward_with(lambda a, w, f, x: a + a @ w)),
    ("leaves_x_out_of_the_list", lambda x, weights, activation: forward(x, weights, activation)[1:]),
):
    add_wrong("8.7", FORWARD, (first, backward), name)
for rejected_by, name, second in (
    (ONE_BLOCK, "comes_back_without_the_way_around", backward_with(lambda g, s, w: (s * g) @ w.T)),
    (ONE_BLOCK, "forgets_the_slope", backward_with(lambda g, s, w: g + g @ w.T)),
    (ONE_BLOCK, "does_not_transpose", backward_with(lambda g, s, w: g + (s * g) @ w)),
    (ONE_BLOCK, "multiplies_by_the_slope_after_the_matrix", backward_with(lambda g, s, w: g + s * (g @ w.T))),
    (ONE_BLOCK, "slopes_the_way_around_too", backward_with(lambda g, s, w: s * g + (s * g) @ w.T)),
    (ONE_BLOCK, "takes_the_slope_at_the_state", backward_with(branch=lambda before, after, w: after)),
    (ONE_BLOCK, "takes_the_slope_at_the_state_before", backward_with(branch=lambda before, after, w: before)),
    (ONE_BLOCK, "takes_the_slope_of_what_enters_the_activation", backward_with(branch=lambda a, after, w: a @ w)),
    (
        MANY,
        "runs_from_the_first_block",
        lambda gradient, states, weights, slope: backward(gradient, states[::-1], weights[::-1], lambda s: slope(-s)),
    ),
    (
        ONE_BLOCK,
        "returns_one_gradient_alone",
        lambda gradient, states, weights, slope: backward(gradient, states, weights, slope)[0],
    ),
    (UNCHANGED, "comes_back_through_the_branches_alone", backward_with(lambda g, s, w: (s * g) @ w.T)),
    (
        MANY,
        "returns_the_last_first",
        lambda gradient, states, weights, slope: backward(gradient, states, weights, slope)[::-1],
    ),
    (
        MANY,
        "leaves_the_last_gradient_out",
        lambda gradient, states, weights, slope: backward(gradient, states, weights, slope)[:-1],
    ),
    (
        MANY,
        "begins_each_step_with_the_last_gradient",
        lambda gradient, states, weights, slope: [
            *(
                gradient + (slope(after - before) * gradient) @ w.T
                for w, before, after in zip(weights, states[:-1], states[1:], strict=True)
            ),
            gradient,
        ],
    ),
):
    add_wrong("8.7", rejected_by, (forward, second), name)


# 8.8 activation first

TWO = "two convolutions of 3×3, the first with the stride; the last has the name"
NORMS = "two batch normalisations, one of them before everything"
IDENTITY = "nothing comes after the addition: where the branch is 0, x leaves as it is, negative values too"
LAST_KERNEL = "the last kernel begins as told"
PREACTIVATED = "BN, ReLU, convolution, twice; where the shape changes, the shortcut takes what leaves the first ReLU"


def preactivated(
    x,
    filters,
    stride=1,
    name=None,
    last_kernel="zeros",
    *,
    shortcut=lambda x, activated, projection: projection(activated) if projection else x,
    join=lambda x, branch: layers.Add()([x, branch]),
    start=lambda last_kernel: (last_kernel, "he_normal"),
    inner=relu,
    name_first=False,
):
    last, first = start(last_kernel)
    activated = relu(normalisation()(x))
    branch = convolution(filters, stride=stride, start=first, name=name if name_first else None)(activated)
    branch = inner(normalisation()(branch))
    branch = convolution(filters, start=last, name=None if name_first else name)(branch)
    projection = None
    if stride != 1 or x.shape[-1] != filters:
        projection = convolution(filters, size=1, stride=stride)
    return join(shortcut(x, activated, projection), branch)


def preactivated_with(**options):
    def preactivation_block(x, filters, stride=1, name=None, last_kernel="zeros"):
        return preactivated(x, filters, stride, name, last_kernel, **options)

    return preactivation_block


for rejected_by, name, options in (
    (IDENTITY, "activates_after_the_addition", {"join": lambda x, branch: relu(layers.Add()([x, branch]))}),
    (
        IDENTITY,
        "goes_around_from_the_first_relu",
        {"shortcut": lambda x, a, projection: projection(a) if projection else a},
    ),
    (PREACTIVATED, "projects_x_itself", {"shortcut": lambda x, a, projection: projection(x) if projection else x}),
    (IDENTITY, "has_no_way_around_at_all", {"join": lambda x, branch: branch}),
    (LAST_KERNEL, "forgets_the_last_kernel", {"start": lambda last_kernel: ("he_normal", "he_normal")}),
    (LAST_KERNEL, "begins_the_first_kernel_with_zeros", {"start": lambda last_kernel: ("he_normal", last_kernel)}),
    (PREACTIVATED, "forgets_the_second_relu", {"inner": lambda h: h}),
    (TWO, "names_the_first_convolution", {"name_first": True}),
    (
        NORMS,
        "normalises_the_projection",
        {"shortcut": lambda x, a, projection: normalisation()(projection(a)) if projection else x},
    ),
    (PREACTIVATED, "activates_the_end_of_the_branch", {"join": lambda x, branch: layers.Add()([x, relu(branch)])}),
):
    add_wrong("8.8", rejected_by, preactivated_with(**options), name)


@wrong("8.8", rejected_by=LAST_KERNEL)
def begins_the_shortcut_with_zeros(x, filters, stride=1, name=None, last_kernel="zeros"):
    activated = relu(normalisation()(x))
    branch = relu(normalisation()(convolution(filters, stride=stride)(activated)))
    branch = convolution(filters, start=last_kernel, name=name)(branch)
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride, start=last_kernel)(activated)
    return layers.Add()([x, branch])


@wrong("8.8", rejected_by=PREACTIVATED)
def goes_around_from_the_first_normalisation(x, filters, stride=1, name=None, last_kernel="zeros"):
    normed = normalisation()(x)
    branch = relu(normalisation()(convolution(filters, stride=stride)(relu(normed))))
    branch = convolution(filters, start=last_kernel, name=name)(branch)
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(normed)
    return layers.Add()([x, branch])


@wrong("8.8", rejected_by=NORMS)
def normalises_at_the_end(x, filters, stride=1, name=None, last_kernel="zeros"):
    activated = relu(normalisation()(x))
    branch = relu(normalisation()(convolution(filters, stride=stride)(activated)))
    branch = normalisation(last_kernel)(convolution(filters, name=name)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(activated)
    return layers.Add()([x, branch])


@wrong("8.8", rejected_by=NORMS)
def normalises_after_the_convolutions(x, filters, stride=1, name=None, last_kernel="zeros"):
    branch = relu(normalisation()(convolution(filters, stride=stride)(x)))
    branch = normalisation()(convolution(filters, start=last_kernel, name=name)(branch))
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(x)
    return layers.Add()([x, branch])


@wrong("8.8", rejected_by=PREACTIVATED)
def activates_before_normalising(x, filters, stride=1, name=None, last_kernel="zeros"):
    activated = normalisation()(relu(x))
    branch = convolution(filters, stride=stride)(activated)
    branch = convolution(filters, start=last_kernel, name=name)(normalisation()(relu(branch)))
    if stride != 1 or x.shape[-1] != filters:
        x = convolution(filters, size=1, stride=stride)(activated)
    return layers.Add()([x, branch])


# 8.9 paths by their length

LENGTHS = "one sum for each length, from 0 to the number of blocks"
COUNTS = "with ones everywhere: how many paths there are of each length"
TOTAL = "the sum over all lengths is the output of the stack"
BY_ITSELF = "each length by itself, with the matrices in the order of the blocks"


def right_paths(x, matrices):
    sums = np.zeros((len(matrices) + 1, *x.shape))
    sums[0] = x
    for w in matrices:
        sums[1:] += sums[:-1] @ w
    return sums


@wrong("8.9", rejected_by=COUNTS)
def feeds_new_sums_with_new_ones(x, matrices):
    sums = np.zeros((len(matrices) + 1, *x.shape))
    sums[0] = x
    for w in matrices:
        for k in range(1, len(sums)):
            sums[k] = sums[k] + sums[k - 1] @ w
    return sums


@wrong("8.9", rejected_by=COUNTS)
def follows_one_path_of_each_length(x, matrices):
    sums = [x]
    for w in matrices:
        sums.append(sums[-1] @ w)
    return np.array(sums)


@wrong("8.9", rejected_by=BY_ITSELF)
def goes_from_the_last_block_to_the_first(x, matrices):
    return right_paths(x, matrices[::-1])


@wrong("8.9", rejected_by=LENGTHS)
def forgets_the_path_around_everything(x, matrices):
    return right_paths(x, matrices)[1:]


@wrong("8.9", rejected_by=LENGTHS)
def returns_the_output(x, matrices):
    return right_paths(x, matrices).sum(axis=0)


@wrong("8.9", rejected_by=COUNTS)
def lists_the_states(x, matrices):
    states = [x]
    for w in matrices:
        states.append(states[-1] + states[-1] @ w)
    return np.array(states)


@wrong("8.9", rejected_by=BY_ITSELF)
def returns_the_longest_first(x, matrices):
    return right_paths(x, matrices)[::-1]


@wrong("8.9", rejected_by=TOTAL)
def transposes_the_matrices(x, matrices):
    return right_paths(x, [w.T for w in matrices])


@wrong("8.9", rejected_by=LENGTHS)
def lists_every_path(x, matrices):
    found = []
    for choice in product((False, True), repeat=len(matrices)):
        part = x
        for through, w in zip(choice, matrices, strict=True):
            part = part @ w if through else part
        found.append(part)
    return np.array(found)


@wrong("8.9", rejected_by=COUNTS)
def forgets_those_that_go_around(x, matrices):
    sums = np.zeros((len(matrices) + 1, *x.shape))
    sums[0] = x
    for w in matrices:
        sums[1:] = sums[:-1] @ w
    return sums


# 8.10 what a network costs

PARAMETERS = "parameters: kernels, scales and shifts, the dense layer"
PRODUCTS = "multiply–adds: each weight, once for each pixel of the output"
SAME_FILTERS = "a stride alone makes a projection too"
ODD_SIZES = "odd sizes are rounded up"


def count(
    size,
    bands,
    n_classes,
    n,
    filters=(8, 16, 32),
    *,
    per_channel=2,
    stem_stride=2,
    dense_bias=True,
    input_pixels=False,
    projects=lambda stride, channels, n_filters: stride != 1 or channels != n_filters,
    shrink=lambda size, stride: -(-size // stride),
    from_filters=False,
    bias=0,
    stem=True,
    branch_pixels="output",
    projected_size=1,
    projected_scales=2,
    biased_products=False,
    flat=False,
):
    parameters = products = 0
    before, size = size, shrink(size, stem_stride)

    def add(kernel, channels, n_filters, side, scales=per_channel + bias):
        nonlocal parameters, products
        weights = kernel**2 * channels * n_filters
        parameters += weights + scales * n_filters
        products += weights * side**2

    if stem:
        add(3, bands, filters[0], before if input_pixels else size)
    channels = filters[0]
    for stage, n_filters in enumerate(filters):
        for place in range(n):
            stride = 2 if stage and not place else 1
            before, size = size, shrink(size, stride)
            side = before if input_pixels else size
            first_side = before if branch_pixels == "input" else side
            add(3, n_filters if from_filters else channels, n_filters, first_side)
            add(3, n_filters, n_filters, size)
            if projects(stride, channels, n_filters):
                scales = projected_scales if projected_scales != 2 else per_channel + bias
                add(projected_size, channels, n_filters, side, scales)
            channels = n_filters
    taken = channels * size**2 if flat else channels
    products += taken * n_classes + (n_classes if biased_products else 0)
    return parameters + channels * n_classes + (n_classes if dense_bias else 0), products


def count_with(**options):
    def cost(size, bands, n_classes, n, filters=(8, 16, 32)):
        return count(size, bands, n_classes, n, filters, **options)

    return cost


for rejected_by, name, options in (
    (PARAMETERS, "counts_the_moving_averages", {"per_channel": 4}),
    (PARAMETERS, "forgets_the_normalisations", {"per_channel": 0}),
    (PARAMETERS, "counts_the_scales_alone", {"per_channel": 1}),
    (PARAMETERS, "counts_biases_of_convolutions", {"bias": 1}),
    (PARAMETERS, "forgets_the_projections", {"projects": lambda stride, channels, n_filters: False}),
    (PARAMETERS, "forgets_the_bias_of_the_dense_layer", {"dense_bias": False}),
    (PARAMETERS, "forgets_that_the_channels_change", {"from_filters": True}),
    (PRODUCTS, "takes_the_pixels_of_the_input", {"input_pixels": True}),
    (PRODUCTS, "forgets_the_stride_of_the_stem_in_the_cost", {"stem_stride": 1}),
    (PARAMETERS, "forgets_the_stem", {"stem": False}),
    (PARAMETERS, "projects_with_three_by_three", {"projected_size": 3}),
    (PARAMETERS, "does_not_normalise_projections", {"projected_scales": 0}),
    (PARAMETERS, "projects_in_each_block", {"projects": lambda stride, channels, n_filters: True}),
    (PRODUCTS, "takes_the_pixels_that_enter_a_branch", {"branch_pixels": "input"}),
    (PRODUCTS, "counts_biases_as_products", {"biased_products": True}),
    (PRODUCTS, "counts_a_dense_layer_of_all_pixels", {"flat": True}),
    (PRODUCTS, "forgets_all_strides", {"shrink": lambda size, stride: size}),
    (
        SAME_FILTERS,
        "projects_for_new_filters_alone",
        {"projects": lambda stride, channels, n_filters: channels != n_filters},
    ),
    (ODD_SIZES, "rounds_down", {"shrink": lambda size, stride: size // stride}),
):
    add_wrong("8.10", rejected_by, count_with(**options), name)


@wrong("8.10", rejected_by=PARAMETERS)
def swaps_the_two(size, bands, n_classes, n, filters=(8, 16, 32)):
    return count(size, bands, n_classes, n, filters)[::-1]


@wrong("8.10", rejected_by=PARAMETERS)
def has_the_filters_built_in(size, bands, n_classes, n, filters=(8, 16, 32)):
    return count(size, bands, n_classes, n)
