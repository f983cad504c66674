"""Plausible wrong answers of lab 02, each with the sub-test that has to reject it."""

import numpy as np
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view

from tests.wrong_answers import add_wrong, wrong

# 2.1 autocorrelation

NO_SHIFT = "every pixel agrees with itself: without a shift it is 1"
SHIFTS = "shifts to the right and down agree with the library"
EDGES = "pairs lie inside an image: nothing comes back on the other side"
TOGETHER = "the pairs of all images are thrown together"
EIGHT_BITS = "whole numbers of 8 bits do not overflow"


def pairs(images, down, right):
    height, width = images.shape[1:]
    return images[:, : height - down, : width - right], images[:, down:, right:]


def pearson(first, second):
    return np.mean((first - first.mean()) * (second - second.mean())) / (first.std() * second.std())


@wrong("2.1", rejected_by=EDGES)
def rolls(images, down, right):
    return pearson(images.astype(float), np.roll(images.astype(float), (-down, -right), axis=(1, 2)))


@wrong("2.1", rejected_by=NO_SHIFT)
def slices_to_minus_zero(images, down, right):
    images = images.astype(float)
    return pearson(images[:, :-down, :-right], images[:, down:, right:])


@wrong("2.1", rejected_by=SHIFTS)
def exchanges_rows_and_columns(images, down, right):
    return pearson(*pairs(images.astype(float), right, down))


@wrong("2.1", rejected_by=NO_SHIFT)
def returns_the_covariance(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.mean((first - first.mean()) * (second - second.mean()))


@wrong("2.1", rejected_by=SHIFTS)
def divides_by_one_variance(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.mean((first - first.mean()) * (second - second.mean())) / first.var()


@wrong("2.1", rejected_by=TOGETHER)
def averages_over_the_images(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.mean([pearson(a, b) for a, b in zip(first, second, strict=True)])


@wrong("2.1", rejected_by=EDGES)
def takes_mean_and_spread_of_the_whole_images(images, down, right):
    images = images.astype(float)
    first, second = pairs(images, down, right)
    return np.mean((first - images.mean()) * (second - images.mean())) / images.var()


@wrong("2.1", rejected_by=EIGHT_BITS)
def multiplies_numbers_of_8_bits(images, down, right):
    first, second = pairs(images, down, right)
    return (np.mean(first * second) - first.mean() * second.mean()) / (first.std() * second.std())


@wrong("2.1", rejected_by=TOGETHER)
def does_not_subtract_the_means(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.mean(first * second) / (first.std() * second.std())


@wrong("2.1", rejected_by=NO_SHIFT)
def returns_the_table(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.corrcoef(first.ravel(), second.ravel())


@wrong("2.1", rejected_by=SHIFTS)
def returns_the_absolute_value(images, down, right):
    return abs(pearson(*pairs(images.astype(float), down, right)))


@wrong("2.1", rejected_by=NO_SHIFT)
def mixes_cov_and_std(images, down, right):
    first, second = pairs(images.astype(float), down, right)
    return np.cov(first.ravel(), second.ravel())[0, 1] / (first.std() * second.std())


@wrong("2.1", rejected_by=NO_SHIFT)
def forgets_the_return(images, down, right):
    pearson(*pairs(images.astype(float), down, right))


@wrong("2.1", rejected_by=SHIFTS)
def returns_the_square(images, down, right):
    return pearson(*pairs(images.astype(float), down, right)) ** 2


# 2.2 one dimension

CORRELATION = "correlation: the kernel as it is"
CONVOLUTION = "convolution: the kernel turned round"
SIZES = "a kernel of N pixels has one place on a signal of N, and even kernels work"
IMPULSE = "an impulse, convolved, becomes the kernel itself"
NO_LOOP = "no loop over the pixels"


def right_correlate(signal, kernel):
    return sliding_window_view(signal, len(kernel)) @ kernel


def right_convolve(signal, kernel):
    return right_correlate(signal, kernel[::-1])


def loops(signal, kernel):
    n, turned = len(kernel), kernel[::-1]
    return np.array([np.dot(signal[i : i + n], turned) for i in range(len(signal) - n + 1)])


def loops_over_both(signal, kernel):
    n = len(kernel)
    result = np.zeros(len(signal) - n + 1)
    for i in range(len(result)):
        for j in range(n):
            result[i] += signal[i + n - 1 - j] * kernel[j]
    return result


def keeps_whole_numbers(signal, kernel):
    result = np.zeros(len(signal) - len(kernel) + 1, dtype=signal.dtype)
    result[:] = right_correlate(signal, kernel)
    return result


def hides_the_loop(signal, kernel):
    n, turned = len(kernel), kernel[::-1]
    return np.vectorize(lambda i: np.dot(signal[i : i + n], turned))(np.arange(len(signal) - n + 1))


def from_a_generator(signal, kernel):
    turned = kernel[::-1]
    return np.fromiter((np.dot(window, turned) for window in sliding_window_view(signal, len(kernel))), float)


for rejected_by, functions, name in (
    (CORRELATION, (right_convolve, right_convolve), "both_turned"),
    (CONVOLUTION, (right_correlate, right_correlate), "none_turned"),
    (CORRELATION, (right_convolve, right_correlate), "exchanged"),
    (CONVOLUTION, (right_correlate, lambda signal, kernel: right_correlate(signal[::-1], kernel)), "signal_turned"),
    (CONVOLUTION, (right_correlate, lambda signal, kernel: right_correlate(signal, kernel)[::-1]), "result_turned"),
    (
        CONVOLUTION,
        (right_correlate, lambda signal, kernel: np.convolve(signal, kernel, mode="same")),
        "one_place_for_each_pixel",
    ),
    (IMPULSE, (right_correlate, lambda signal, kernel: np.convolve(signal, kernel)), "places_that_hang_over"),
    (IMPULSE, (right_correlate, right_correlate), "impulse_turned"),
    (
        IMPULSE,
        (right_correlate, lambda signal, kernel: right_correlate(signal, kernel)[::-1]),
        "impulse_in_a_turned_result",
    ),
    (CORRELATION, (keeps_whole_numbers, right_convolve), "keeps_whole_numbers"),
    (
        CORRELATION,
        (lambda signal, kernel: (sliding_window_view(signal, len(kernel)) * kernel).sum(), right_convolve),
        "adds_up_everything",
    ),
    (
        CORRELATION,
        (lambda signal, kernel: (sliding_window_view(signal, len(kernel)) * kernel).sum(axis=0), right_convolve),
        "adds_up_over_the_places",
    ),
    (SIZES, (lambda signal, kernel: right_correlate(signal, kernel)[:-1], right_convolve), "last_place_missing"),
    (
        CORRELATION,
        (lambda signal, kernel: right_correlate(signal, kernel) / len(kernel), right_convolve),
        "mean_instead_of_sum",
    ),
    (
        CORRELATION,
        (lambda signal, kernel: sliding_window_view(signal, len(kernel)) * kernel, right_convolve),
        "products_not_added",
    ),
    (NO_LOOP, (right_correlate, loops), "loops"),
    (NO_LOOP, (right_correlate, loops_over_both), "loops_over_both"),
    (NO_LOOP, (right_correlate, hides_the_loop), "hides_the_loop"),
    (NO_LOOP, (right_correlate, from_a_generator), "from_a_generator"),
):
    add_wrong("2.2", rejected_by, functions, name)

# 2.3 matched filter

PURE_LINE = "a pure line has its strength at its place"
VARYING = "strength and error are those of a least-squares fit, where the noise varies"
TWICE = "where the noise is twice as loud, the strength stays and the error doubles"
ENDS = "at the ends, weights that hang over the edge do not count"
MASKED = "pixels of infinite noise do not count"


def filtered(flux, noise, kernel, power=2, square=True, shape=None):
    half = len(kernel) // 2
    weight = np.pad(1 / noise**power, half)
    information = right_correlate(weight, kernel**2 if square else kernel)
    return right_correlate(np.pad(flux / noise**power, half), kernel), information


@wrong("2.3", rejected_by=VARYING)
def ignores_the_noise(flux, noise, kernel):
    numerator, information = filtered(flux, np.ones(len(flux)), kernel)
    return numerator / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=VARYING)
def weighs_by_one_over_the_noise(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel, power=1)
    return numerator / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=PURE_LINE)
def turns_the_kernel(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel[::-1])
    return numerator / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=PURE_LINE)
def forgets_the_square_of_the_kernel(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel, square=False)
    return numerator / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=PURE_LINE)
def does_not_divide(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel)
    return numerator, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=PURE_LINE)
def returns_signal_to_noise(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel)
    return numerator / np.sqrt(information), 1 / np.sqrt(information)


@wrong("2.3", rejected_by=TWICE)
def returns_signal_to_noise_for_the_error(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel)
    return numerator / information, numerator / np.sqrt(information)


@wrong("2.3", rejected_by=VARYING)
def takes_the_noise_out_of_the_sum(flux, noise, kernel):
    numerator, information = filtered(flux, np.ones(len(flux)), kernel)
    return (numerator / noise**2) / (information / noise**2), 1 / np.sqrt(information / noise**2)


@wrong("2.3", rejected_by=PURE_LINE)
def begins_at_the_pixel(flux, noise, kernel):
    behind = 0, len(kernel) - 1
    information = right_correlate(np.pad(1 / noise**2, behind), kernel**2)
    return right_correlate(np.pad(flux / noise**2, behind), kernel) / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=TWICE)
def returns_the_variance(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel)
    return numerator / information, 1 / information


@wrong("2.3", rejected_by=TWICE)
def returns_the_information(flux, noise, kernel):
    numerator, information = filtered(flux, noise, kernel)
    return numerator / information, np.sqrt(information)


@wrong("2.3", rejected_by=ENDS)
def leaves_the_ends_out(flux, noise, kernel):
    information = right_correlate(1 / noise**2, kernel**2)
    return right_correlate(flux / noise**2, kernel) / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=ENDS)
def gives_weight_to_what_is_not_there(flux, noise, kernel):
    half = len(kernel) // 2
    noise = np.pad(noise, half, constant_values=1)
    information = right_correlate(1 / noise**2, kernel**2)
    return right_correlate(np.pad(flux, half) / noise**2, kernel) / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=ENDS)
def divides_by_the_whole_kernel(flux, noise, kernel):
    half = len(kernel) // 2
    strength = right_correlate(np.pad(flux, half), kernel) / np.sum(kernel**2)
    return strength, noise / np.sqrt(np.sum(kernel**2))


@wrong("2.3", rejected_by=MASKED)
def divides_before_it_weighs(flux, noise, kernel):
    numerator, information = filtered(flux, np.where(np.isinf(noise), 1, noise), kernel)
    return numerator / information, 1 / np.sqrt(information)


@wrong("2.3", rejected_by=MASKED)
def multiplies_by_the_noise(flux, noise, kernel):
    numerator, _ = filtered(flux * noise, noise, kernel, power=3)
    _, information = filtered(flux, noise, kernel)
    return numerator / information, 1 / np.sqrt(information)


# 2.4 two dimensions

EXAMPLE = "the lecture's example: means of 3 × 3 pixels"
CORRELATION_2D = "correlation: the kernel as it is, also where neither is square"
CONVOLUTION_2D = "convolution: the kernel turned by half a turn"
IMPULSE_2D = "a single bright pixel, convolved, becomes the kernel"
BITS_2D = "pixels of 8 bits do not overflow"


def correlate_2d(image, kernel):
    return np.einsum("yxij,ij->yx", sliding_window_view(image.astype(float), kernel.shape), kernel.astype(float))


def convolve_2d(image, kernel):
    return correlate_2d(image, kernel[::-1, ::-1])


def correlate_8_bits(image, kernel):
    return np.einsum("yxij,ij->yx", sliding_window_view(image, kernel.shape), kernel)


def loops_over_the_pixels(image, kernel):
    rows, columns = kernel.shape
    turned = kernel[::-1, ::-1].astype(float)
    result = np.empty((image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            result[y, x] = np.sum(image[y : y + rows, x : x + columns] * turned)
    return result


def loops_in_a_comprehension(image, kernel):
    rows, columns = kernel.shape
    turned = kernel[::-1, ::-1].astype(float)
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    return np.array(
        [[np.sum(image[y : y + rows, x : x + columns] * turned) for x in range(width)] for y in range(height)]
    )


def loops_in_one_line(image, kernel):
    k, w = kernel[::-1, ::-1].astype(float), sliding_window_view(image, kernel.shape)
    return np.array([np.sum(w[y, x] * k) for y in range(len(w)) for x in range(w.shape[1])]).reshape(w.shape[:2])


def sums_products_of_8_bits(image, kernel):
    return (sliding_window_view(image, kernel.shape) * kernel).sum(axis=(2, 3))


def sums_over_the_places(image, kernel):
    return (sliding_window_view(image.astype(float), kernel.shape) * kernel).sum(axis=(0, 1))


for rejected_by, functions, name in (
    (EXAMPLE, (sums_over_the_places, convolve_2d), "sums_over_the_places"),
    (
        BITS_2D,
        (sums_products_of_8_bits, lambda image, kernel: sums_products_of_8_bits(image, kernel[::-1, ::-1])),
        "sums_products_of_8_bits",
    ),
    (
        CONVOLUTION_2D,
        (correlate_2d, lambda image, kernel: correlate_2d(image, np.rot90(kernel))),
        "turns_by_a_quarter",
    ),
    (
        EXAMPLE,
        (lambda image, kernel: correlate_2d(image, np.ones(kernel.shape)), convolve_2d),
        "sums_without_the_kernel",
    ),
    (
        EXAMPLE,
        (lambda image, kernel: scipy.signal.correlate2d(image, kernel, mode="same"), convolve_2d),
        "one_place_for_each_pixel",
    ),
    (CORRELATION_2D, (convolve_2d, convolve_2d), "both_turned"),
    (CORRELATION_2D, (lambda image, kernel: correlate_2d(image, kernel.T), convolve_2d), "transposes_the_kernel"),
    (CORRELATION_2D, (lambda image, kernel: correlate_2d(image, kernel)[:-1, :-1], convolve_2d), "last_places_missing"),
    (
        CORRELATION_2D,
        (lambda image, kernel: correlate_2d(image, kernel) / kernel.size, convolve_2d),
        "mean_instead_of_sum",
    ),
    (CONVOLUTION_2D, (correlate_2d, correlate_2d), "none_turned"),
    (
        CONVOLUTION_2D,
        (correlate_2d, lambda image, kernel: correlate_2d(image, kernel[::-1])),
        "reverses_the_rows_alone",
    ),
    (
        CONVOLUTION_2D,
        (correlate_2d, lambda image, kernel: correlate_2d(image, kernel[:, ::-1])),
        "reverses_the_columns_alone",
    ),
    (CONVOLUTION_2D, (correlate_2d, lambda image, kernel: correlate_2d(image, kernel.T)), "transposes_for_turning"),
    (IMPULSE_2D, (correlate_2d, lambda image, kernel: correlate_2d(image, kernel)[::-1, ::-1]), "turns_the_result"),
    (BITS_2D, (correlate_8_bits, lambda image, kernel: correlate_8_bits(image, kernel[::-1, ::-1])), "overflows"),
    (NO_LOOP, (correlate_2d, loops_over_the_pixels), "loops"),
    (NO_LOOP, (correlate_2d, loops_in_a_comprehension), "loops_in_a_comprehension"),
    (NO_LOOP, (correlate_2d, loops_in_one_line), "loops_in_one_line"),
):
    add_wrong("2.4", rejected_by, functions, name)

# 2.5 sizes

VALID = "valid: the kernel fits size − reach + 1 times, of which every stride-th counts"
DILATION_SIZE = "dilation: a kernel reaches over dilation · (k − 1) + 1 pixels"
SAME = "same: the size divided by the stride, rounded up"
ZEROS = "zeros for same: half before, half behind, the odd one behind"
ZEROS_STRIDE = "zeros for same with a stride: as many as the last place needs"
PARAMETERS = "parameters: all weights of each kernel, and a bias each"


def right_size(size, kernel_size, stride=1, dilation=1, padding="valid"):
    if padding == "same":
        return -(-size // stride)
    return (size - dilation * (kernel_size - 1) - 1) // stride + 1


def right_zeros(size, kernel_size, stride=1, dilation=1):
    last = (-(-size // stride) - 1) * stride
    missing = max(last + dilation * (kernel_size - 1) + 1 - size, 0)
    return missing // 2, missing - missing // 2


def right_count(kernel_height, kernel_width, channels, kernels):
    return (kernel_height * kernel_width * channels + 1) * kernels


def size_without_the_first_place(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return -(-size // stride) if padding == "same" else (size - dilation * (kernel_size - 1) - 1) // stride


def size_rounded_up(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return -(-size // stride) if padding == "same" else -(-(size - dilation * (kernel_size - 1) - 1) // stride) + 1


def size_with_fractions(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return -(-size // stride) if padding == "same" else (size - dilation * (kernel_size - 1) - 1) / stride + 1


def size_without_dilation(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return right_size(size, kernel_size, stride, 1, padding)


def size_with_dilation_times_kernel(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return right_size(size, dilation * kernel_size, stride, 1, padding)


def size_with_too_short_a_reach(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return -(-size // stride) if padding == "same" else (size - dilation * (kernel_size - 1)) // stride + 1


def size_same_keeps_the_size(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return size if padding == "same" else right_size(size, kernel_size, stride, dilation)


def size_same_rounded_down(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return size // stride if padding == "same" else right_size(size, kernel_size, stride, dilation)


def size_always_valid(size, kernel_size, stride=1, dilation=1, padding="valid"):
    return right_size(size, kernel_size, stride, dilation)


def zeros_odd_one_before(size, kernel_size, stride=1, dilation=1):
    return right_zeros(size, kernel_size, stride, dilation)[::-1]


def zeros_on_both_sides_alike(size, kernel_size, stride=1, dilation=1):
    each = dilation * (kernel_size - 1) // 2
    return each, each


def zeros_without_the_stride(size, kernel_size, stride=1, dilation=1):
    return right_zeros(size, kernel_size, 1, dilation)


def zeros_without_dilation(size, kernel_size, stride=1, dilation=1):
    return right_zeros(size, kernel_size, stride, 1)


def zeros_that_are_negative(size, kernel_size, stride=1, dilation=1):
    missing = (-(-size // stride) - 1) * stride + dilation * (kernel_size - 1) + 1 - size
    return missing // 2, missing - missing // 2


def zeros_as_one_number(size, kernel_size, stride=1, dilation=1):
    return sum(right_zeros(size, kernel_size, stride, dilation))


for rejected_by, size in (
    (VALID, size_without_the_first_place),
    (VALID, size_rounded_up),
    (VALID, size_with_fractions),
    (VALID, size_with_too_short_a_reach),
    (DILATION_SIZE, size_without_dilation),
    (DILATION_SIZE, size_with_dilation_times_kernel),
    (SAME, size_same_keeps_the_size),
    (SAME, size_same_rounded_down),
    (SAME, size_always_valid),
):
    add_wrong("2.5", rejected_by, (size, right_zeros, right_count), size.__name__)
for rejected_by, zeros in (
    (ZEROS, zeros_odd_one_before),
    (ZEROS, zeros_on_both_sides_alike),
    (ZEROS, zeros_without_dilation),
    (ZEROS, zeros_as_one_number),
    (ZEROS_STRIDE, zeros_without_the_stride),
    (ZEROS_STRIDE, zeros_that_are_negative),
):
    add_wrong("2.5", rejected_by, (right_size, zeros, right_count), zeros.__name__)
for name, count in (
    ("forgets_the_biases", lambda h, w, c, k: h * w * c * k),
    ("forgets_the_channels", lambda h, w, c, k: (h * w + 1) * k),
    ("has_one_bias", lambda h, w, c, k: h * w * c * k + 1),
    ("has_a_bias_for_each_channel", lambda h, w, c, k: (h * w + 1) * c * k),
    ("takes_square_kernels", lambda h, w, c, k: (h * h * c + 1) * k),
):

    def counted(kernel_height, kernel_width, channels, kernels, count=count):
        return count(kernel_height, kernel_width, channels, kernels)

    add_wrong("2.5", PARAMETERS, (right_size, right_zeros, counted), name)

# 2.6 the whole layer

CHANNELS = "channels: each has its own weights, and they are added up"
KERNELS = "kernels: each makes a channel of the output, and adds its bias"
STRIDE = "stride: every second or third place"
DILATION = "dilation: pixels two or three apart, also with a stride"
SAME_PADDING = "same padding: zeros around, the odd one behind"


def layer(images, kernels, biases, stride, dilation, padding, zeros=right_zeros, windows_of=None):
    height, width = kernels.shape[:2]
    if padding == "same":
        rows, columns = (
            zeros(size, k, stride, dilation) for size, k in zip(images.shape[1:3], (height, width), strict=True)
        )
        images = np.pad(images, [(0, 0), rows, columns, (0, 0)])
    reach = dilation * (height - 1) + 1, dilation * (width - 1) + 1
    windows = sliding_window_view(images, reach, axis=(1, 2))[:, ::stride, ::stride, :, ::dilation, ::dilation]
    return np.einsum("nyxcij,ijcf->nyxf", windows, kernels) + biases


@wrong("2.6", rejected_by=CHANNELS)
def turns_the_kernels(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels[::-1, ::-1], biases, stride, dilation, padding)


@wrong("2.6", rejected_by=CHANNELS)
def averages_the_channels(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels / images.shape[-1], biases, stride, dilation, padding)


@wrong("2.6", rejected_by=CHANNELS)
def uses_the_first_channel(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images[..., :1], kernels[:, :, :1], biases, stride, dilation, padding)


def windows_in_another_order(letters):
    def conv2d(images, kernels, biases, stride=1, dilation=1, padding="valid"):
        windows = sliding_window_view(images, kernels.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
        return np.einsum(f"nyx{letters},ijcf->nyxf", windows, kernels) + biases

    return conv2d


for letters in ("ijc", "icj", "jic", "jci"):
    add_wrong("2.6", CHANNELS, windows_in_another_order(letters), f"windows_have_the_axes_{letters}")


@wrong("2.6", rejected_by=CHANNELS)
def adds_the_biases_for_every_weight(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases * kernels[..., 0, 0].size, stride, dilation, padding)


@wrong("2.6", rejected_by=CHANNELS)
def slides_along_all_axes(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return np.einsum("nyxcij,ijcf->nyxf", sliding_window_view(images, kernels.shape[:2]), kernels) + biases


@wrong("2.6", rejected_by=SAME_PADDING)
def pads_the_columns_as_the_rows(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    if padding == "same":
        rows = right_zeros(images.shape[1], kernels.shape[0], stride, dilation)
        images = np.pad(images, [(0, 0), rows, rows, (0, 0)])
    return layer(images, kernels, biases, stride, dilation, "valid")


@wrong("2.6", rejected_by=SAME_PADDING)
def pads_without_the_dilation(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, stride, dilation, padding, zeros_without_dilation)


@wrong("2.6", rejected_by=KERNELS)
def forgets_the_biases(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, 0, stride, dilation, padding)


@wrong("2.6", rejected_by=KERNELS)
def transposes_the_kernels(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels.transpose(1, 0, 2, 3), biases, stride, dilation, padding)


@wrong("2.6", rejected_by=KERNELS)
def adds_the_biases_to_the_images(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    result = layer(images, kernels, 0, stride, dilation, padding)
    return np.moveaxis(np.moveaxis(result, 0, -1) + np.resize(biases, len(images)), -1, 0)


@wrong("2.6", rejected_by=KERNELS)
def puts_the_kernels_first(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return np.moveaxis(layer(images, kernels, biases, stride, dilation, padding), -1, 1)


@wrong("2.6", rejected_by=STRIDE)
def forgets_the_stride(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, 1, dilation, padding)


@wrong("2.6", rejected_by=STRIDE)
def strides_over_the_rows_alone(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, 1, dilation, padding)[:, ::stride]


@wrong("2.6", rejected_by=DILATION)
def forgets_the_dilation(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, stride, 1, padding)


@wrong("2.6", rejected_by=DILATION)
def skips_pixels_of_the_image(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images[:, ::dilation, ::dilation], kernels, biases, stride, 1, padding)


@wrong("2.6", rejected_by=SAME_PADDING)
def does_not_pad(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, stride, dilation, "valid")


@wrong("2.6", rejected_by=SAME_PADDING)
def pads_the_odd_zero_before(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, stride, dilation, padding, zeros_odd_one_before)


@wrong("2.6", rejected_by=SAME_PADDING)
def pads_as_for_stride_1(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    return layer(images, kernels, biases, stride, dilation, padding, zeros_without_the_stride)


@wrong("2.6", rejected_by=SAME_PADDING)
def repeats_the_edge(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    if padding == "same":
        rows, columns = (
            right_zeros(size, k, stride, dilation) for size, k in zip(images.shape[1:3], kernels.shape[:2], strict=True)
        )
        images = np.pad(images, [(0, 0), rows, columns, (0, 0)], mode="edge")
    return layer(images, kernels, biases, stride, dilation, "valid")


@wrong("2.6", rejected_by=NO_LOOP)
def loops_over_the_places(images, kernels, biases, stride=1, dilation=1, padding="valid"):
    want = layer(images, kernels, biases, stride, dilation, padding)
    result = np.empty(want.shape)
    for y in range(want.shape[1]):
        for x in range(want.shape[2]):
            result[:, y, x] = want[:, y, x]
    return result


# 2.7 pooling

SUM = "sum: all pixels of a square, each channel by itself"
ROOT = "root: of the sum of the squares"
MAX = "max: the largest, also where all are negative"
FIRST = "first: the upper left pixel, as with a stride"
ODD = "sides that do not divide: the rest is left out"
POOL_BITS = "pixels of 8 bits do not overflow"


def squares_of(images, size):
    n, height, width, channels = images.shape
    rows, columns = height // size, width // size
    return images[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)


def reduced(squares, how, axes=(2, 4)):
    if how == "sum":
        return squares.sum(axis=axes)
    if how == "root":
        return np.sqrt((squares**2).sum(axis=axes))
    if how == "max":
        return squares.max(axis=axes)
    return squares[:, :, 0, :, 0] if axes == (2, 4) else squares[:, :, :, 0, 0]


@wrong("2.7", rejected_by=SUM)
def mixes_rows_and_columns(images, size, how):
    n, height, width, channels = images.shape
    rows, columns = height // size, width // size
    cut = images[:, : rows * size, : columns * size].astype(float)
    return reduced(cut.reshape(n, rows, columns, size, size, channels), how, (3, 4))


@wrong("2.7", rejected_by=SUM)
def averages(images, size, how):
    squares = squares_of(images.astype(float), size)
    return squares.mean(axis=(2, 4)) if how == "sum" else reduced(squares, how)


@wrong("2.7", rejected_by=SUM)
def pools_the_channels_too(images, size, how):
    return reduced(squares_of(images.astype(float), size), how).sum(axis=-1)


@wrong("2.7", rejected_by=ROOT)
def forgets_the_root(images, size, how):
    squares = squares_of(images.astype(float), size)
    return (squares**2).sum(axis=(2, 4)) if how == "root" else reduced(squares, how)


@wrong("2.7", rejected_by=ROOT)
def takes_the_root_of_the_mean(images, size, how):
    squares = squares_of(images.astype(float), size)
    return np.sqrt((squares**2).mean(axis=(2, 4))) if how == "root" else reduced(squares, how)


@wrong("2.7", rejected_by=ROOT)
def takes_the_root_of_the_sum(images, size, how):
    squares = squares_of(images.astype(float), size)
    return np.sqrt(squares.sum(axis=(2, 4))) if how == "root" else reduced(squares, how)


@wrong("2.7", rejected_by=ROOT)
def takes_the_root_too_early(images, size, how):
    squares = squares_of(images.astype(float), size)
    return np.sqrt(squares**2).sum(axis=(2, 4)) if how == "root" else reduced(squares, how)


@wrong("2.7", rejected_by=MAX)
def takes_the_largest_absolute_value(images, size, how):
    squares = squares_of(images.astype(float), size)
    return np.abs(squares).max(axis=(2, 4)) if how == "max" else reduced(squares, how)


@wrong("2.7", rejected_by=MAX)
def starts_the_maximum_at_zero(images, size, how):
    result = reduced(squares_of(images.astype(float), size), how)
    return np.maximum(result, 0) if how == "max" else result


@wrong("2.7", rejected_by=FIRST)
def takes_the_last_pixel(images, size, how):
    squares = squares_of(images.astype(float), size)
    return squares[:, :, -1, :, -1] if how == "first" else reduced(squares, how)


@wrong("2.7", rejected_by=FIRST)
def takes_the_middle_pixel(images, size, how):
    squares = squares_of(images.astype(float), size)
    return squares[:, :, size // 2, :, size // 2] if how == "first" else reduced(squares, how)


@wrong("2.7", rejected_by=ODD)
def fills_up_with_zeros(images, size, how):
    height, width = images.shape[1:3]
    return reduced(squares_of(np.pad(images, [(0, 0), (0, -height % size), (0, -width % size), (0, 0)]), size), how)


@wrong("2.7", rejected_by=ODD)
def assumes_that_it_divides(images, size, how):
    n, height, width, channels = images.shape
    return reduced(images.astype(float).reshape(n, height // size, size, width // size, size, channels), how)


@wrong("2.7", rejected_by=POOL_BITS)
def squares_numbers_of_8_bits(images, size, how):
    squares = squares_of(images, size)
    if how == "root":
        return np.sqrt((squares**2).sum(axis=(2, 4)))
    return reduced(squares.astype(float), how)


@wrong("2.7", rejected_by=SUM)
def lets_the_squares_overlap(images, size, how):
    windows = sliding_window_view(images.astype(float), (size, size), axis=(1, 2))
    if how == "first":
        return windows[..., 0, 0]
    return {"sum": windows.sum((4, 5)), "root": np.sqrt((windows**2).sum((4, 5))), "max": windows.max((4, 5))}[how]


@wrong("2.7", rejected_by=SUM)
def averages_over_squares_that_overlap(images, size, how):
    windows = sliding_window_view(images.astype(float), (size, size), axis=(1, 2))
    return windows.mean((4, 5)) if how == "sum" else reduced(squares_of(images.astype(float), size), how)


# 2.8 receptive field

PLAIN = "convolutions one after the other: each adds its size less one"
STRIDES = "a stride widens what comes after it, not its own layer"
POOLINGS = "poolings are kernels with a stride"
DILATIONS = "dilation widens the kernel, and leaves the jump alone"


def walked(layers, start=1, less=1, early=False, jumps=True, dilated=True, product=True, jump_dilated=False):
    field, jump = start, 1
    for kernel_size, stride, dilation in layers:
        step = jump * stride if early else jump if jumps else 1
        field += (kernel_size - less) * (dilation if dilated else 1) * step
        jump = (jump * stride if product else jump + stride - 1) * (dilation if jump_dilated else 1)
    return field, jump


for rejected_by, options, name in (
    (PLAIN, {"less": 0}, "adds_whole_kernels"),
    (PLAIN, {"start": 0}, "starts_at_zero"),
    (STRIDES, {"early": True}, "lets_the_jump_grow_first"),
    (STRIDES, {"jumps": False}, "ignores_the_jump"),
    (STRIDES, {"product": False}, "adds_the_strides"),
    (POOLINGS, {"jumps": False}, "ignores_the_jump_of_poolings"),
    (DILATIONS, {"dilated": False}, "forgets_the_dilation"),
    (DILATIONS, {"jump_dilated": True}, "lets_the_dilation_change_the_jump"),
):

    def walks(layers, options=options):
        return walked(layers, **options)

    add_wrong("2.8", rejected_by, walks, name)


@wrong("2.8", rejected_by=PLAIN)
def multiplies_the_kernels(layers):
    return int(np.prod([kernel for kernel, _, _ in layers])), walked(layers)[1]


@wrong("2.8", rejected_by=PLAIN)
def returns_the_jump_first(layers):
    return walked(layers)[::-1]


@wrong("2.8", rejected_by=PLAIN)
def returns_the_field_alone(layers):
    return walked(layers)[0]


@wrong("2.8", rejected_by=PLAIN)
def returns_inside_the_loop(layers):
    for one in layers:
        return walked([one])


@wrong("2.8", rejected_by=STRIDES)
def takes_the_dilation_for_the_stride(layers):
    return walked([(kernel, dilation, stride) for kernel, stride, dilation in layers])


@wrong("2.8", rejected_by=STRIDES)
def returns_the_last_stride(layers):
    return walked(layers)[0], layers[-1][1] if layers else 1


# 2.9 equivariance

MOVES = "a convolution moves along with every shift: the error is 0"
STRIDED = "with a stride, a shift by the stride moves the output by one"
BETWEEN = "a shift by less than the stride: another output, a large error"
STAYS = "an output that stays: the largest change, relative to the largest value"
ROWS = "a layer that adds 10 to each further row is off by 10 a row"


def outputs(layer, image, shift):
    height, width = image.shape
    return layer(image[: height - shift, : width - shift]), layer(image[shift:, shift:])


def shared(first, second, output_shift):
    rows, columns = first.shape
    return second[: rows - output_shift, : columns - output_shift], first[output_shift:, output_shift:]


@wrong("2.9", rejected_by=MOVES)
def rolls_image_and_output(layer, image, shift, output_shift):
    whole = layer(image)
    moved = layer(np.roll(image, (-shift, -shift), (0, 1)))
    return abs(moved - np.roll(whole, (-output_shift, -output_shift), (0, 1))).max() / abs(whole).max()


@wrong("2.9", rejected_by=MOVES)
def rolls_the_output(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    return abs(second - np.roll(first, (-output_shift, -output_shift), (0, 1))).max() / abs(first).max()


@wrong("2.9", rejected_by=STAYS)
def divides_by_the_second_frame(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    known, moved = shared(first, second, output_shift)
    return abs(known - moved).max() / abs(second).max()


@wrong("2.9", rejected_by=MOVES)
def moves_the_other_way(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    known, moved = shared(second, first, output_shift)
    return abs(known - moved).max() / abs(first).max()


@wrong("2.9", rejected_by=MOVES)
def does_not_move_the_output(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    return abs(first - second).max() / abs(first).max()


@wrong("2.9", rejected_by=STRIDED)
def moves_the_output_by_the_shift(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    known, moved = shared(first, second, shift)
    return abs(known - moved).max() / abs(first).max()


@wrong("2.9", rejected_by=STAYS)
def does_not_divide_by_the_output(layer, image, shift, output_shift):
    known, moved = shared(*outputs(layer, image, shift), output_shift)
    return abs(known - moved).max()


@wrong("2.9", rejected_by=BETWEEN)
def averages_the_differences(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    known, moved = shared(first, second, output_shift)
    return abs(known - moved).mean() / abs(first).max()


@wrong("2.9", rejected_by=ROWS)
def forgets_the_absolute_value(layer, image, shift, output_shift):
    first, second = outputs(layer, image, shift)
    known, moved = shared(first, second, output_shift)
    return (known - moved).max() / abs(first).max()


@wrong("2.9", rejected_by=ROWS)
def divides_by_the_image(layer, image, shift, output_shift):
    known, moved = shared(*outputs(layer, image, shift), output_shift)
    return abs(known - moved).max() / abs(image).max()


@wrong("2.9", rejected_by=ROWS)
def divides_by_the_whole_output(layer, image, shift, output_shift):
    known, moved = shared(*outputs(layer, image, shift), output_shift)
    return abs(known - moved).max() / abs(layer(image)).max()


@wrong("2.9", rejected_by=MOVES)
def slices_to_minus_zero_at_the_end(layer, image, shift, output_shift):
    first, second = layer(image[:-shift, :-shift]), layer(image[shift:, shift:])
    return abs(second[:-output_shift, :-output_shift] - first[output_shift:, output_shift:]).max() / abs(first).max()
