"""Wrong answers to the exercises of lab 12."""

from itertools import pairwise

import keras
import numpy as np
from keras import layers

from tests.wrong_answers import add_wrong, wrong

# 12.1 unpooling

COPY = "copy: each pixel becomes a square of its own value"
NAILS = "bed of nails: the value in the upper left of its square, 0 elsewhere"
COLOUR = "several images and channels, each for itself"
TYPES = "the numbers keep their type"


def unpool(images, size):
    return images.repeat(size, axis=1).repeat(size, axis=2)


def bed_of_nails(images, size):
    n, height, width, channels = images.shape
    result = np.zeros((n, height * size, width * size, channels), images.dtype)
    result[:, ::size, ::size] = images
    return result


def tiles(images, size):
    return np.tile(images, (1, size, size, 1))


def grows_rows_alone(images, size):
    return images.repeat(size, axis=1)


def takes_the_images_for_rows(images, size):
    return images.repeat(size, axis=0).repeat(size, axis=1)


def keeps_the_sum(images, size):
    return unpool(images, size) / size**2


def nails_in_the_lower_right(images, size):
    result = np.zeros_like(unpool(images, size))
    result[:, size - 1 :: size, size - 1 :: size] = images
    return result


def nails_whole_rows(images, size):
    result = np.zeros_like(unpool(images, size))
    result[:, ::size] = images.repeat(size, axis=2)
    return result


def nails_as_floats(images, size):
    result = np.zeros(unpool(images, size).shape)
    result[:, ::size, ::size] = images
    return result


def nails_one_channel(images, size):
    result = np.zeros_like(unpool(images, size))
    result[:, ::size, ::size, 0] = images[..., 0]
    return result


for answer in (tiles, grows_rows_alone, takes_the_images_for_rows, keeps_the_sum):
    add_wrong("12.1", COPY, (answer, bed_of_nails), answer.__name__)
for answer in (nails_in_the_lower_right, nails_whole_rows, unpool):
    add_wrong("12.1", NAILS, (unpool, answer), f"nails: {answer.__name__}")
add_wrong("12.1", TYPES, (unpool, nails_as_floats), "nails_as_floats")
add_wrong("12.1", COLOUR, (unpool, nails_one_channel), "nails_one_channel")

# 12.2 switches

POOLED = "pooled: the largest of each square, every channel for itself"
PLACES = "switches: the place of the maximum in its square, row by row"
TIES = "of equal pixels the first one counts"
UNPOOLED = "unpooling: each value where its switch says, 0 elsewhere"
ROUND_TRIP = "down, up and down again gives the same values and switches"


def squares_of(images, size):
    n, height, width, channels = images.shape
    squares = images.reshape(n, height // size, size, width // size, size, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // size, width // size, size * size, channels)


def pool(images, size):
    squares = squares_of(images, size)
    return squares.max(axis=3), squares.argmax(axis=3)


def max_unpool(pooled, switches, size):
    n, rows, columns, channels = pooled.shape
    squares = np.where(switches[:, :, :, None] == np.arange(size * size)[:, None], pooled[:, :, :, None], 0)
    squares = squares.reshape(n, rows, columns, size, size, channels).transpose(0, 1, 3, 2, 4, 5)
    return squares.reshape(n, rows * size, columns * size, channels)


def pools_without_transpose(images, size):
    n, height, width, channels = images.shape
    squares = images.reshape(n, height // size, width // size, size * size, channels)
    return squares.max(axis=3), squares.argmax(axis=3)


def pools_the_mean(images, size):
    squares = squares_of(images, size)
    return squares.mean(axis=3), squares.argmax(axis=3)


def begins_with_zero(images, size):
    squares = squares_of(images, size)
    return np.maximum(squares.max(axis=3), 0), squares.argmax(axis=3)


def counts_column_by_column(images, size):
    pooled, switches = pool(images, size)
    return pooled, switches % size * size + switches // size


def counts_from_one(images, size):
    pooled, switches = pool(images, size)
    return pooled, switches + 1


def counts_in_the_whole_image(images, size):
    pooled, switches = pool(images, size)
    rows = np.arange(pooled.shape[1])[:, None, None] * size + switches // size
    columns = np.arange(pooled.shape[2])[:, None] * size + switches % size
    return pooled, rows * images.shape[2] + columns


def takes_the_last_of_equals(images, size):
    squares = squares_of(images, size)
    return squares.max(axis=3), size**2 - 1 - squares[:, :, :, ::-1].argmax(axis=3)


def returns_the_values_alone(images, size):
    return pool(images, size)[0]


def unpools_by_copy(pooled, switches, size):
    return unpool(pooled, size)


def exchanges_rows_and_columns(pooled, switches, size):
    return max_unpool(pooled, switches % size * size + switches // size, size)


def unpools_without_transpose(pooled, switches, size):
    n, rows, columns, channels = pooled.shape
    squares = np.where(switches[:, :, :, None] == np.arange(size * size)[:, None], pooled[:, :, :, None], 0)
    return squares.reshape(n, rows * size, columns * size, channels)


def loses_negative_values(pooled, switches, size):
    return max_unpool(np.maximum(pooled, 0), switches, size)


def writes_ones(pooled, switches, size):
    return max_unpool(np.ones_like(pooled), switches, size)


def returns_switches_as_floats(images, size):
    pooled, switches = pool(images, size)
    return pooled, switches.astype(float)


def exchanges_values_and_switches(images, size):
    return pool(images, size)[::-1]


def takes_the_largest_modulus(images, size):
    squares = squares_of(images, size)
    switches = abs(squares).argmax(axis=3)
    return np.take_along_axis(squares, switches[:, :, :, None], axis=3)[:, :, :, 0], switches


def unpools_from_one(pooled, switches, size):
    return max_unpool(pooled, switches - 1, size)


for answer in (exchanges_values_and_switches, takes_the_largest_modulus):
    add_wrong("12.2", POOLED, (answer, max_unpool), answer.__name__)
add_wrong("12.2", PLACES, (returns_switches_as_floats, max_unpool), "returns_switches_as_floats")
add_wrong("12.2", UNPOOLED, (pool, unpools_from_one), "unpools_from_one")
for answer in (pools_without_transpose, pools_the_mean, begins_with_zero, returns_the_values_alone):
    add_wrong("12.2", POOLED, (answer, max_unpool), answer.__name__)
for answer in (counts_column_by_column, counts_from_one, counts_in_the_whole_image):
    add_wrong("12.2", PLACES, (answer, max_unpool), answer.__name__)
add_wrong("12.2", TIES, (takes_the_last_of_equals, max_unpool), "takes_the_last_of_equals")
for answer in (unpools_by_copy, exchanges_rows_and_columns, unpools_without_transpose, loses_negative_values):
    add_wrong("12.2", UNPOOLED, (pool, answer), answer.__name__)
add_wrong("12.2", ROUND_TRIP, (pool, writes_ones), "writes_ones")

# 12.3 interpolation

ROWS = "a row for each new pixel, a column for each old one, and each row adds up to 1"
INSIDE = "inside: the weights of both neighbours"
EDGES = "at the edges: the pixel of the edge, with a weight of 1"
RAMP = "a ramp stays a ramp, and size 1 changes nothing"


def weights_at(places, n):
    return np.maximum(1 - abs(np.asarray(places)[:, None] - np.arange(n)), 0)


def middles(n, size):
    return (np.arange(n * size) + 0.5) / size - 0.5


@wrong("12.3", rejected_by=INSIDE)
def aligns_the_corners(n, size):
    return weights_at(np.linspace(0, n - 1, n * size), n)


@wrong("12.3", rejected_by=INSIDE)
def forgets_the_halves(n, size):
    return weights_at(np.clip(np.arange(n * size) / size, 0, n - 1), n)


@wrong("12.3", rejected_by=EDGES)
def forgets_the_edges(n, size):
    return weights_at(middles(n, size), n)


@wrong("12.3", rejected_by=INSIDE)
def copies_the_nearest(n, size):
    return np.eye(n).repeat(size, axis=0)


@wrong("12.3", rejected_by=ROWS)
def transposes(n, size):
    return weights_at(np.clip(middles(n, size), 0, n - 1), n).T


@wrong("12.3", rejected_by=INSIDE)
def forgets_the_last_half(n, size):
    return weights_at(np.clip((np.arange(n * size) + 0.5) / size, 0, n - 1), n)


@wrong("12.3", rejected_by=RAMP)
def exchanges_the_weights(n, size):
    places = np.clip(middles(n, size), 0, n - 1)
    matrix = np.zeros((n * size, n))
    for row, place in enumerate(places):
        left = min(int(place), max(n - 2, 0))
        matrix[row, left] += place - left
        matrix[row, min(left + 1, n - 1)] += left + 1 - place
    return matrix


@wrong("12.3", rejected_by=ROWS)
def weights_that_add_up_to_size(n, size):
    return size * weights_at(np.clip(middles(n, size), 0, n - 1), n)


# 12.4 the convolution as a matrix

SHAPES = "a row for each output, a column for each pixel"
WEIGHTS = "whole numbers work, and each row holds the same weights"
STRIDE = "stride: every second or third place, downwards and to the right"
PADDING = "padding: the kernel may hang over the edge, and zeros have no column"


def matrix_4d(height, width, kernel, stride=(1, 1), padding=0):
    height, width = height + 2 * padding, width + 2 * padding
    rows = (height - kernel.shape[0]) // stride[0] + 1
    columns = (width - kernel.shape[1]) // stride[1] + 1
    matrix = np.zeros((rows, columns, height, width))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride[0], column * stride[1]
            matrix[row, column, top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    return matrix[:, :, padding : height - padding, padding : width - padding]


def flat(matrix):
    return matrix.reshape(matrix.shape[0] * matrix.shape[1], -1)


@wrong("12.4", rejected_by=SHAPES)
def matrix_with_four_axes(height, width, kernel, stride=1, padding=0):
    return matrix_4d(height, width, kernel, (stride, stride), padding)


@wrong("12.4", rejected_by=SHAPES)
def turns_the_kernel_round(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel[::-1, ::-1], (stride, stride), padding))


@wrong("12.4", rejected_by=SHAPES)
def transposed_matrix(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (stride, stride), padding)).T


@wrong("12.4", rejected_by=SHAPES)
def outputs_column_by_column(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (stride, stride), padding).transpose(1, 0, 2, 3))


@wrong("12.4", rejected_by=STRIDE)
def forgets_the_stride(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (1, 1), padding))


@wrong("12.4", rejected_by=STRIDE)
def strides_downwards_alone(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (stride, 1), padding))


@wrong("12.4", rejected_by=PADDING)
def forgets_the_padding(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (stride, stride)))


@wrong("12.4", rejected_by=PADDING)
def keeps_columns_for_the_padding(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height + 2 * padding, width + 2 * padding, kernel, (stride, stride)))


@wrong("12.4", rejected_by=WEIGHTS)
def writes_ones_for_weights(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, np.ones_like(kernel), (stride, stride), padding))


@wrong("12.4", rejected_by=PADDING)
def lets_negative_indices_wrap(height, width, kernel, stride=1, padding=0):
    places = [(side + 2 * padding - k) // stride + 1 for side, k in zip((height, width), kernel.shape, strict=True)]
    matrix = np.zeros((*places, height, width))
    for row, column, down, right in np.ndindex(*places, *kernel.shape):
        y, x = row * stride - padding + down, column * stride - padding + right
        if y < height and x < width:
            matrix[row, column, y, x] += kernel[down, right]
    return matrix.reshape(-1, height * width)


@wrong("12.4", rejected_by=STRIDE)
def leaves_out_rows_of_the_matrix(height, width, kernel, stride=1, padding=0):
    return flat(matrix_4d(height, width, kernel, (1, 1), padding))[::stride]


# 12.5 transposed convolution

SIZE = "size: from the first pixel of the first copy to the last of the last"
SIZE_PADDED = "size: padding takes away pixels on both sides"
COPIES = "one channel: copies of the kernel, and where they overlap they add up"
CHANNELS = "channels: as Keras has them"
ADJOINT = "it is the transpose: Cᵀ y · x = y · C x for any image x"


def transposed_size(size, kernel, stride, padding):
    return (size - 1) * stride + kernel - 2 * padding


def conv2d_transpose(images, kernels, stride=1, overwrite=False):
    n, height, width, _ = images.shape
    out = [transposed_size(side, k, stride, 0) for side, k in zip((height, width), kernels.shape[:2], strict=True)]
    result = np.zeros((n, *out, kernels.shape[2]))
    for row in range(height):
        for column in range(width):
            copy = np.einsum("nc,abfc->nabf", images[:, row, column], kernels)
            top, left = row * stride, column * stride
            place = (slice(None), slice(top, top + len(kernels)), slice(left, left + kernels.shape[1]))
            result[place] = copy if overwrite else result[place] + copy
    return result


def size_times_stride(size, kernel, stride, padding):
    return size * stride


def one_step_too_many(size, kernel, stride, padding):
    return size * stride + kernel - 2 * padding


def adds_the_padding(size, kernel, stride, padding):
    return (size - 1) * stride + kernel + 2 * padding


def pads_on_one_side(size, kernel, stride, padding):
    return (size - 1) * stride + kernel - padding


def size_of_the_way_down(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


def overwrites(images, kernels, stride=1):
    return conv2d_transpose(images, kernels, stride, overwrite=True)


def turns_the_copies_round(images, kernels, stride=1):
    return conv2d_transpose(images, kernels[::-1, ::-1], stride)


def puts_copies_on_every_pixel(images, kernels, stride=1):
    return conv2d_transpose(images, kernels, 1)


def exchanges_the_channels(images, kernels, stride=1):
    if kernels.shape[2] != kernels.shape[3]:
        return np.concatenate([conv2d_transpose(images, kernels, stride)] * 2, axis=-1)[..., : images.shape[-1]]
    return conv2d_transpose(images, kernels.transpose(0, 1, 3, 2), stride)


def crops_to_size_times_stride(images, kernels, stride=1):
    return conv2d_transpose(images, kernels, stride)[:, : images.shape[1] * stride, : images.shape[2] * stride]


def averages_overlaps(images, kernels, stride=1):
    return conv2d_transpose(images, kernels, stride) / conv2d_transpose(
        np.ones_like(images), np.ones_like(kernels) / images.shape[-1], stride
    )


def keeps_the_type_of_the_images(images, kernels, stride=1):
    return conv2d_transpose(images, kernels, stride).astype(images.dtype)


def size_without_padding(size, kernel, stride, padding):
    return (size - 1) * stride + kernel


add_wrong("12.5", COPIES, (transposed_size, keeps_the_type_of_the_images), "keeps_the_type_of_the_images")
add_wrong("12.5", SIZE_PADDED, (size_without_padding, conv2d_transpose), "size_without_padding")
for answer in (size_times_stride, one_step_too_many, size_of_the_way_down):
    add_wrong("12.5", SIZE, (answer, conv2d_transpose), answer.__name__)
for answer in (adds_the_padding, pads_on_one_side):
    add_wrong("12.5", SIZE_PADDED, (answer, conv2d_transpose), answer.__name__)
for answer in (overwrites, turns_the_copies_round, puts_copies_on_every_pixel, crops_to_size_times_stride):
    add_wrong("12.5", COPIES, (transposed_size, answer), answer.__name__)
add_wrong("12.5", CHANNELS, (transposed_size, exchanges_the_channels), "exchanges_the_channels")
add_wrong("12.5", ADJOINT, (transposed_size, averages_overlaps), "averages_overlaps")

# 12.6 Wiener's filter

STAR = "without a blur, and with as much noise as signal, every image is halved"
LIBRARY = "a PSF without any symmetry, as the library has it"
ODD = "odd sides, too, leave the image in its place"
SEVERAL = "several images at once"
WAVES = "N / S may differ from wave to wave"


def filtered(images, gain):
    return np.fft.ifft2(np.fft.fft2(images) * gain).real


def transfer_of(psf):
    return np.fft.fft2(np.fft.ifftshift(psf))


@wrong("12.6", rejected_by=STAR)
def forgets_to_shift(images, psf, noise_to_signal):
    transfer = np.fft.fft2(psf)
    return filtered(images, np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal))


@wrong("12.6", rejected_by=ODD)
def shifts_the_wrong_way(images, psf, noise_to_signal):
    transfer = np.fft.fft2(np.fft.fftshift(psf))
    return filtered(images, np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal))


@wrong("12.6", rejected_by=LIBRARY)
def forgets_the_conjugate(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    return filtered(images, transfer / (abs(transfer) ** 2 + noise_to_signal))


@wrong("12.6", rejected_by=STAR)
def divides_by_the_blur(images, psf, noise_to_signal):
    return filtered(images, 1 / transfer_of(psf))


@wrong("12.6", rejected_by=LIBRARY)
def blurs_again(images, psf, noise_to_signal):
    power = abs(transfer_of(psf)) ** 2
    return filtered(images, power / (power + noise_to_signal))


@wrong("12.6", rejected_by=LIBRARY)
def forgets_the_square(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    return filtered(images, np.conj(transfer) / (abs(transfer) + noise_to_signal))


@wrong("12.6", rejected_by=STAR)
def returns_complex_numbers(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    gain = np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal)
    return np.fft.ifft2(np.fft.fft2(images) * gain)


@wrong("12.6", rejected_by=WAVES)
def averages_the_noise_to_signal(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    return filtered(images, np.conj(transfer) / (abs(transfer) ** 2 + np.mean(noise_to_signal)))


@wrong("12.6", rejected_by=SEVERAL)
def filters_the_first_alone(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    return filtered(images[:1], np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal))


@wrong("12.6", rejected_by=LIBRARY)
def divides_the_psf_by_its_sum(images, psf, noise_to_signal):
    transfer = transfer_of(psf / psf.sum())
    return filtered(images, np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal))


@wrong("12.6", rejected_by=WAVES)
def shifts_the_ratio(images, psf, noise_to_signal):
    transfer = transfer_of(psf)
    if np.ndim(noise_to_signal):
        noise_to_signal = np.fft.ifftshift(noise_to_signal)
    return filtered(images, np.conj(transfer) / (abs(transfer) ** 2 + noise_to_signal))


# 12.7 the encoder–decoder

LAYERS = "the layers with weights: so many down, one at the bottleneck, so many up, one last"
SAME_SIZE = "the output is as large as the image, with as many channels"
ANY_SIZE = "height and width are left open"
ACTIVATIONS = "a step down halves, and everything is ReLU but the last layer"
NUMBER = "[16, 32] has 42 513 weights"


def network(
    filters, bands, *, up=None, middle="relu", last=None, inner="relu", side=None, kind="transpose", steps=None
):
    inputs = x = keras.Input((side, side, bands))
    for n in filters:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation=inner)(x)
    x = layers.Conv2D(filters[-1], 3, padding="same", activation=middle)(x)
    for n in (filters[::-1] if up is None else up)[:steps]:
        if kind == "transpose":
            x = layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation=inner)(x)
        else:
            x = layers.Conv2D(n, 4, padding="same", activation=inner)(layers.UpSampling2D(2)(x))
    return keras.Model(inputs, layers.Conv2D(bands, 3, padding="same", activation=last)(x))


@wrong("12.7", rejected_by=LAYERS)
def forgets_to_reverse(filters, bands=1):
    return network(filters, bands, up=filters)


@wrong("12.7", rejected_by=LAYERS)
def copies_and_convolves(filters, bands=1):
    return network(filters, bands, kind="copy")


@wrong("12.7", rejected_by=ACTIVATIONS)
def activates_the_last_layer(filters, bands=1):
    return network(filters, bands, last="relu")


@wrong("12.7", rejected_by=ACTIVATIONS)
def forgets_all_activations(filters, bands=1):
    return network(filters, bands, inner=None, middle=None)


@wrong("12.7", rejected_by=ACTIVATIONS)
def forgets_the_activation_of_the_bottleneck(filters, bands=1):
    return network(filters, bands, middle=None)


@wrong("12.7", rejected_by=ANY_SIZE)
def fixes_the_size(filters, bands=1):
    return network(filters, bands, side=48)


@wrong("12.7", rejected_by=SAME_SIZE)
def one_step_up_is_missing(filters, bands=1):
    return network(filters, bands, steps=len(filters) - 1)


@wrong("12.7", rejected_by=SAME_SIZE)
def one_band_out(filters, bands=1):
    model = network(filters, bands)
    return keras.Model(model.inputs, layers.Conv2D(1, 3, padding="same")(model.layers[-2].output))


@wrong("12.7", rejected_by=NUMBER)
def forgets_the_bottleneck(filters, bands=1):
    inputs = x = keras.Input((None, None, bands))
    for n in filters:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation="relu")(x)
    for n in reversed(filters):
        x = layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(bands, 3, padding="same")(x))


@wrong("12.7", rejected_by=LAYERS)
def forgets_the_model(filters, bands=1):
    network(filters, bands)


@wrong("12.7", rejected_by=LAYERS)
def turns_the_list_of_the_caller_round(filters, bands=1):
    inputs = x = keras.Input((None, None, bands))
    for n in filters:
        x = layers.Conv2D(n, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(filters[-1], 3, padding="same", activation="relu")(x)
    filters.reverse()
    for n in filters:
        x = layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(bands, 3, padding="same")(x))


@wrong("12.7", rejected_by=ACTIVATIONS)
def pools_on_the_way_down(filters, bands=1):
    inputs = x = keras.Input((None, None, bands))
    for n in filters:
        x = layers.MaxPooling2D()(layers.Conv2D(n, 4, padding="same", activation="relu")(x))
    x = layers.Conv2D(filters[-1], 3, padding="same", activation="relu")(x)
    for n in reversed(filters):
        x = layers.Conv2DTranspose(n, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(bands, 3, padding="same")(x))


# 12.8 the power spectrum

WAVE = "one wave has its power in its own bin"
NOISE = "the power of noise is σ² times the area of a pixel, at every k"
DIRECTIONS = "the mean over all directions, also of maps with an odd side"
MAPS = "the mean of the powers of all maps"
UNITS = "units: pixels of other sides"
ON_EDGES = "a bin has its lower edge, not its upper one, and k = 0 is a wave as others are"


def spectrum(maps, pixel, edges, *, power=None, k=None, reduce=np.mean):
    side = maps.shape[-1]
    if power is None:
        power = np.mean(np.abs(np.fft.fft2(maps)) ** 2, axis=0) * pixel**2 / side**2
    k = 2 * np.pi * np.fft.fftfreq(side, pixel) if k is None else k
    length = np.hypot(k[:, None], k[None, :])
    return np.array([reduce(power[(length >= a) & (length < b)]) for a, b in pairwise(edges)])


@wrong("12.8", rejected_by=NOISE)
def forgets_the_units(maps, pixel, edges):
    return spectrum(maps, pixel, edges) * maps.shape[-1] ** 2 / pixel**2


@wrong("12.8", rejected_by=WAVE)
def forgets_two_pi(maps, pixel, edges):
    return spectrum(maps, pixel, edges, k=np.fft.fftfreq(maps.shape[-1], pixel))


@wrong("12.8", rejected_by=UNITS)
def forgets_the_pixel_in_k(maps, pixel, edges):
    return spectrum(maps, pixel, edges, k=2 * np.pi * np.fft.fftfreq(maps.shape[-1]))


@wrong("12.8", rejected_by=MAPS)
def averages_the_maps_first(maps, pixel, edges):
    return spectrum(maps.mean(axis=0, keepdims=True), pixel, edges)


@wrong("12.8", rejected_by=DIRECTIONS)
def adds_up_a_bin(maps, pixel, edges):
    return spectrum(maps, pixel, edges, reduce=np.sum)


@wrong("12.8", rejected_by=WAVE)
def forgets_the_square_of_the_modulus(maps, pixel, edges):
    power = np.mean(np.abs(np.fft.fft2(maps)), axis=0) * pixel**2 / maps.shape[-1] ** 2
    return spectrum(maps, pixel, edges, power=power)


@wrong("12.8", rejected_by=WAVE)
def squares_the_real_part(maps, pixel, edges):
    power = np.mean(np.fft.fft2(maps).real ** 2, axis=0) * pixel**2 / maps.shape[-1] ** 2
    return spectrum(maps, pixel, edges, power=power)


@wrong("12.8", rejected_by=MAPS)
def one_spectrum_for_each_map(maps, pixel, edges):
    return np.stack([spectrum(one[None], pixel, edges) for one in maps])


@wrong("12.8", rejected_by=DIRECTIONS)
def shifts_the_power_and_not_the_wavenumbers(maps, pixel, edges):
    power = np.mean(np.abs(np.fft.fftshift(np.fft.fft2(maps), axes=(1, 2))) ** 2, axis=0)
    return spectrum(maps, pixel, edges, power=power * pixel**2 / maps.shape[-1] ** 2)


@wrong("12.8", rejected_by=ON_EDGES)
def puts_the_upper_edge_into_the_bin(maps, pixel, edges):
    return spectrum(maps, pixel, np.nextafter(edges, np.inf))


@wrong("12.8", rejected_by=ON_EDGES)
def puts_both_edges_into_the_bin(maps, pixel, edges):
    above = np.nextafter(edges, np.inf)
    return np.array([spectrum(maps, pixel, pair)[0] for pair in zip(edges[:-1], above[1:], strict=True)])


@wrong("12.8", rejected_by=ON_EDGES)
def takes_a_histogram(maps, pixel, edges):
    return spectrum(maps, pixel, [*edges[:-1], np.nextafter(edges[-1], np.inf)])


@wrong("12.8", rejected_by=ON_EDGES)
def takes_the_mean_away(maps, pixel, edges):
    return spectrum(maps - maps.mean(axis=(1, 2), keepdims=True), pixel, edges)


@wrong("12.8", rejected_by=DIRECTIONS)
def takes_half_of_the_waves(maps, pixel, edges):
    side = maps.shape[-1]
    power = np.mean(np.abs(np.fft.rfft2(maps)) ** 2, axis=0) * pixel**2 / side**2
    k, half = 2 * np.pi * np.fft.fftfreq(side, pixel), 2 * np.pi * np.fft.rfftfreq(side, pixel)
    length = np.hypot(k[:, None], half[None, :])
    return np.array([power[(length >= a) & (length < b)].mean() for a, b in pairwise(edges)])


# 12.9 periodic edges

ONE = "before the first row and column stands the last, and the other way round"
WIDE = "wider margins keep their order, corners included"
SHIFTED = "a box twice as far is the same box: moving it moves the margin along"
IN_A_MODEL = "inside a model of unknown height and width"


def periodic_pad(x, margin):
    x = keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1)
    return keras.ops.concatenate([x[:, :, -margin:], x, x[:, :, :margin]], axis=2)


@wrong("12.9", rejected_by=ONE)
def pads_zeros(x, margin):
    return keras.ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


@wrong("12.9", rejected_by=ONE)
def mirrors(x, margin):
    return keras.ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="symmetric")


@wrong("12.9", rejected_by=ONE)
def exchanges_before_and_behind(x, margin):
    x = keras.ops.concatenate([x[:, :margin], x, x[:, -margin:]], axis=1)
    return keras.ops.concatenate([x[:, :, :margin], x, x[:, :, -margin:]], axis=2)


@wrong("12.9", rejected_by=ONE)
def continues_rows_alone(x, margin):
    return keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1)


@wrong("12.9", rejected_by=WIDE)
def leaves_the_corners_empty(x, margin):
    rows = keras.ops.pad(x, ((0, 0), (margin, margin), (0, 0), (0, 0)))
    tall = keras.ops.concatenate([x[:, -margin:], x, x[:, :margin]], axis=1)
    return keras.ops.concatenate([rows[:, :, -margin:], tall, rows[:, :, :margin]], axis=2)


@wrong("12.9", rejected_by=WIDE)
def reverses_a_wide_margin(x, margin):
    x = keras.ops.concatenate([keras.ops.flip(x[:, -margin:], 1), x, keras.ops.flip(x[:, :margin], 1)], axis=1)
    return keras.ops.concatenate([keras.ops.flip(x[:, :, -margin:], 2), x, keras.ops.flip(x[:, :, :margin], 2)], axis=2)


@wrong("12.9", rejected_by=IN_A_MODEL)
def pads_with_numpy(x, margin):
    return np.pad(np.asarray(x), ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="wrap")


@wrong("12.9", rejected_by=SHIFTED)
def continues_by_one_pixel_only(x, margin):
    x = periodic_pad(x, 1)
    more = margin - 1
    return keras.ops.pad(x, ((0, 0), (more, more), (more, more), (0, 0)))


@wrong("12.9", rejected_by=WIDE)
def repeats_the_outermost_row(x, margin):
    for _ in range(margin):
        x = keras.ops.concatenate([x[:, -1:], x, x[:, :1]], axis=1)
        x = keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)
    return x
