"""Wrong answers to the exercises of lab 06."""

import numpy as np

from tests.wrong_answers import add_wrong, wrong

# 6.1 the way forward

SHAPES = "a list with one array for each layer, a row for each galaxy"
FIRST = "the first layer: multiply by the weights, then apply the activation"
CHAIN = "each layer takes what the layer before gave"
PRODUCT = "without activation the stack is the product of its matrices"


@wrong("6.1", rejected_by=SHAPES)
def returns_the_last_layer_alone(x, weights, activation):
    for w in weights:
        x = activation(x @ w)
    return x


@wrong("6.1", rejected_by=SHAPES)
def has_x_in_the_list(x, weights, activation):
    found = [x]
    for w in weights:
        found.append(activation(found[-1] @ w))
    return found


@wrong("6.1", rejected_by=SHAPES)
def returns_inside_the_loop(x, weights, activation):
    found = []
    for w in weights:
        found.append(activation(x @ w))
        return found


@wrong("6.1", rejected_by=CHAIN)
def feeds_x_to_every_layer(x, weights, activation):
    return [activation(x @ w) for w in weights]


@wrong("6.1", rejected_by=CHAIN)
def hands_on_the_sum_before_the_activation(x, weights, activation):
    found = []
    for w in weights:
        x = x @ w
        found.append(activation(x))
    return found


@wrong("6.1", rejected_by=FIRST)
def activates_before_multiplying(x, weights, activation):
    found = []
    for w in weights:
        x = activation(x) @ w
        found.append(x)
    return found


@wrong("6.1", rejected_by=FIRST)
def forgets_the_activation(x, weights, activation):
    found = []
    for w in weights:
        x = x @ w
        found.append(x)
    return found


@wrong("6.1", rejected_by=FIRST)
def multiplies_by_the_transpose(x, weights, activation):
    found = []
    for w in weights:
        x = activation(x @ w.T)
        found.append(x)
    return found


@wrong("6.1", rejected_by=FIRST)
def puts_the_matrix_in_front(x, weights, activation):
    found = []
    for w in weights:
        x = activation(w @ x)
        found.append(x)
    return found


@wrong("6.1", rejected_by=PRODUCT)
def has_a_relu_built_in(x, weights, activation):
    found = []
    for w in weights:
        x = np.maximum(x @ w, 0)
        found.append(x)
    return found


@wrong("6.1", rejected_by=FIRST)
def multiplies_element_by_element(x, weights, activation):
    found = []
    for w in weights:
        x = activation(x * w)
        found.append(x)
    return found


@wrong("6.1", rejected_by=FIRST)
def appends_what_enters_the_activation(x, weights, activation):
    found = []
    for w in weights:
        h = x @ w
        x = activation(h)
        found.append(h)
    return found


@wrong("6.1", rejected_by=CHAIN)
def has_no_activation_after_the_last_layer(x, weights, activation):
    found = []
    for w in weights[:-1]:
        x = activation(x @ w)
        found.append(x)
    return [*found, x @ weights[-1]]


# 6.2 the recursion

PLAIN = "without activation all of the mean square remains, with ReLU half of it"
TANH = "tanh, small and saturated, agrees with the integral; from nothing comes nothing"
KNOWN = "activations of which the integral is known: sine and error function"
POWERS = "the recursion without activation and with ReLU: a power of the depth"
OTHERS = "the recursion with other activations, and over a single layer"

GRID = np.linspace(-8, 8, 20001)
BELL = np.exp(-(GRID**2) / 2)
BELL /= BELL.sum()


def right_mean_square(activation, q):
    return (BELL * activation(np.sqrt(q) * GRID) ** 2).sum()


def right_mean_squares(q, n_inputs, sigma, activation, n_layers):
    found = []
    for _ in range(n_layers):
        q = right_mean_square(activation, n_inputs * sigma**2 * q)
        found.append(q)
    return found


def mean_square_as_variance(activation, q):
    values = activation(np.sqrt(q) * GRID)
    return (BELL * values**2).sum() - (BELL * values).sum() ** 2


def mean_square_without_the_root_of_q(activation, q):
    return (BELL * activation(q * GRID) ** 2).sum()


def mean_square_without_q(activation, q):
    return (BELL * activation(GRID) ** 2).sum()


def mean_square_without_squaring(activation, q):
    return (BELL * activation(np.sqrt(q) * GRID)).sum()


def mean_square_as_rms(activation, q):
    return np.sqrt(right_mean_square(activation, q))


def mean_square_not_normalised(activation, q):
    return (np.exp(-(GRID**2) / 2) * activation(np.sqrt(q) * GRID) ** 2).sum()


def mean_square_without_root_two_pi(activation, q):
    return (np.exp(-(GRID**2) / 2) * activation(np.sqrt(q) * GRID) ** 2).sum() * (GRID[1] - GRID[0])


def mean_square_without_the_half(activation, q):
    bell = np.exp(-(GRID**2))
    return (bell / bell.sum() * activation(np.sqrt(q) * GRID) ** 2).sum()


def mean_square_of_a_uniform_h(activation, q):
    return np.mean(activation(np.sqrt(3 * q) * np.linspace(-1, 1, 10001)) ** 2)


def mean_square_that_is_always_half(activation, q):
    return q / 2


def mean_square_as_activation_of_the_rms(activation, q):
    return activation(np.sqrt(q)) ** 2 / (2 if activation(-1.0) == 0 else 1)


def mean_square_on_a_narrow_grid(activation, q):
    z = np.linspace(-1, 1, 1001)
    bell = np.exp(-(z**2) / 2)
    return (bell / bell.sum() * activation(np.sqrt(q) * z) ** 2).sum()


def mean_square_on(z, normalised=True):
    """With a grid of one's own."""
    bell = np.exp(-(z**2) / 2)
    bell = bell / bell.sum() if normalised else bell * (z[1] - z[0]) / np.sqrt(2 * np.pi)

    def mean_square(activation, q):
        return (bell * activation(np.sqrt(q) * z) ** 2).sum()

    return mean_square


def mean_square_with_q_outside(activation, q):
    return q * (BELL * activation(GRID) ** 2).sum()


def mean_square_with_the_root_of_q_outside(activation, q):
    return np.sqrt(q) * (BELL * activation(GRID) ** 2).sum()


def mean_square_on_a_grid_of_h(activation, q):
    h = np.linspace(-5, 5, 2001)
    bell = np.exp(-(h**2) / (2 * q)) if q else (h == 0) * 1.0
    return (bell / bell.sum() * activation(h) ** 2).sum()


def mean_square_of_random_draws(activation, q):
    return np.mean(activation(np.random.default_rng(0).normal(0, np.sqrt(q), size=1000)) ** 2)


def recursion_without_squaring_sigma(q, n_inputs, sigma, activation, n_layers):
    return right_mean_squares(q, n_inputs, np.sqrt(sigma), activation, n_layers)


def recursion_without_the_inputs(q, n_inputs, sigma, activation, n_layers):
    return right_mean_squares(q, 1, sigma, activation, n_layers)


def recursion_with_the_rms_factor(q, n_inputs, sigma, activation, n_layers):
    return right_mean_squares(q, 1, np.sqrt(np.sqrt(n_inputs) * sigma), activation, n_layers)


def recursion_with_the_input_in_front(q, n_inputs, sigma, activation, n_layers):
    return [q, *right_mean_squares(q, n_inputs, sigma, activation, n_layers - 1)]


def recursion_one_too_many(q, n_inputs, sigma, activation, n_layers):
    return [q, *right_mean_squares(q, n_inputs, sigma, activation, n_layers)]


def recursion_that_returns_the_last(q, n_inputs, sigma, activation, n_layers):
    return right_mean_squares(q, n_inputs, sigma, activation, n_layers)[-1]


def recursion_from_the_input_each_time(q, n_inputs, sigma, activation, n_layers):
    return [right_mean_square(activation, n_inputs * sigma**2 * q) for _ in range(n_layers)]


def recursion_in_rms(q, n_inputs, sigma, activation, n_layers):
    return np.sqrt(right_mean_squares(q, n_inputs, sigma, activation, n_layers))


def recursion_without_activation(q, n_inputs, sigma, activation, n_layers):
    return q * (n_inputs * sigma**2) ** np.arange(1, n_layers + 1)


def recursion_that_halves_always(q, n_inputs, sigma, activation, n_layers):
    if activation(-1.0) == -1.0:
        return recursion_without_activation(q, n_inputs, sigma, activation, n_layers)
    return q * (n_inputs * sigma**2 / 2) ** np.arange(1, n_layers + 1)


def recursion_that_hands_on_what_enters(q, n_inputs, sigma, activation, n_layers):
    found = []
    for _ in range(n_layers):
        q = n_inputs * sigma**2 * q
        found.append(right_mean_square(activation, q))
    return found


def recursion_with_the_factor_outside(q, n_inputs, sigma, activation, n_layers):
    found = []
    for _ in range(n_layers):
        q = n_inputs * sigma**2 * right_mean_square(activation, q)
        found.append(q)
    return found


for rejected_by, first in (
    (PLAIN, mean_square_as_variance),
    (PLAIN, mean_square_without_the_root_of_q),
    (PLAIN, mean_square_without_q),
    (PLAIN, mean_square_without_squaring),
    (PLAIN, mean_square_as_rms),
    (PLAIN, mean_square_not_normalised),
    (PLAIN, mean_square_without_root_two_pi),
    (PLAIN, mean_square_without_the_half),
    (KNOWN, mean_square_of_a_uniform_h),
    (TANH, mean_square_that_is_always_half),
    (TANH, mean_square_as_activation_of_the_rms),
    (PLAIN, mean_square_on_a_narrow_grid),
    (TANH, mean_square_with_q_outside),
    (PLAIN, mean_square_with_the_root_of_q_outside),
    (PLAIN, mean_square_on_a_grid_of_h),
    (PLAIN, mean_square_of_random_draws),
):
    add_wrong("6.2", rejected_by, (first, right_mean_squares), first.__name__)
for rejected_by, name, first in (
    (PLAIN, "mean_square_over_positive_z", mean_square_on(np.linspace(0, 5, 5001))),
    (PLAIN, "mean_square_over_positive_z_without_the_other_half", mean_square_on(np.linspace(0, 8, 8001), False)),
    (PLAIN, "mean_square_on_a_short_grid", mean_square_on(np.linspace(-3, 3, 61))),
    (TANH, "mean_square_on_a_coarse_grid", mean_square_on(np.linspace(-8, 8, 50))),
):
    add_wrong("6.2", rejected_by, (first, right_mean_squares), name)


def recursion_on(mean_square):
    def mean_squares(q, n_inputs, sigma, activation, n_layers):
        found = []
        for _ in range(n_layers):
            q = mean_square(activation, n_inputs * sigma**2 * q)
            found.append(q)
        return found

    return mean_squares


for first in (mean_square_without_the_half, mean_square_without_squaring, mean_square_as_variance):
    add_wrong("6.2", POWERS, (first, recursion_on(first)), f"recursion_on_{first.__name__}")
for rejected_by, second in (
    (POWERS, recursion_that_hands_on_what_enters),
    (POWERS, recursion_without_squaring_sigma),
    (POWERS, recursion_without_the_inputs),
    (POWERS, recursion_with_the_rms_factor),
    (POWERS, recursion_with_the_input_in_front),
    (POWERS, recursion_one_too_many),
    (POWERS, recursion_that_returns_the_last),
    (POWERS, recursion_from_the_input_each_time),
    (POWERS, recursion_in_rms),
    (POWERS, recursion_without_activation),
    (OTHERS, recursion_that_halves_always),
    (OTHERS, recursion_with_the_factor_outside),
):
    add_wrong("6.2", rejected_by, (right_mean_square, second), second.__name__)


# 6.3 the way back

LAST = "the last layer: the gradient times the slope of the activation"
ONE_BACK = "one layer back: by the transposed matrix, then by this layer's own slope"
NUMERIC = "many layers: what numeric gradients say"
SLOPES = "nothing comes back through a ReLU that was off; without activation all does"


def back(gradient, activations, weights, slope, by=lambda delta, w: delta @ w.T):
    found = []
    for a, w in zip(activations[::-1], weights[::-1], strict=True):
        delta = slope(a) * gradient
        found.append(delta)
        gradient = by(delta, w)
    return found[::-1]


@wrong("6.3", rejected_by=LAST)
def forgets_the_slope(gradient, activations, weights, slope):
    return back(gradient, activations, weights, np.ones_like)


@wrong("6.3", rejected_by=LAST)
def takes_the_slope_at_the_gradient(gradient, activations, weights, slope):
    found = []
    for w in weights[::-1]:
        gradient = gradient * slope(gradient)
        found.append(gradient)
        gradient = gradient @ w.T
    return found[::-1]


@wrong("6.3", rejected_by=LAST)
def multiplies_by_the_activation(gradient, activations, weights, slope):
    return back(gradient, activations, weights, lambda a: a)


@wrong("6.3", rejected_by=LAST)
def activates_once_more(gradient, activations, weights, slope):
    return back(gradient, [np.tanh(a) for a in activations], weights, slope)


@wrong("6.3", rejected_by=LAST)
def returns_slopes_alone(gradient, activations, weights, slope):
    return [slope(a) for a in activations]


@wrong("6.3", rejected_by=ONE_BACK)
def takes_the_slope_of_the_last_layer_alone(gradient, activations, weights, slope):
    found = [slope(activations[-1]) * gradient]
    for w in weights[:0:-1]:
        found.append(found[-1] @ w.T)
    return found[::-1]


@wrong("6.3", rejected_by=NUMERIC)
def does_not_turn_the_list_round(gradient, activations, weights, slope):
    return back(gradient, activations, weights, slope)[::-1]


@wrong("6.3", rejected_by=NUMERIC)
def does_not_transpose(gradient, activations, weights, slope):
    return back(gradient, activations, weights, slope, lambda delta, w: delta @ w)


@wrong("6.3", rejected_by=NUMERIC)
def transposes_only_where_it_must(gradient, activations, weights, slope):
    def by(delta, w):
        return delta @ (w if delta.shape[1] == w.shape[0] else w.T)

    return back(gradient, activations, weights, slope, by)


@wrong("6.3", rejected_by=NUMERIC)
def takes_the_matrix_of_the_layer_before(gradient, activations, weights, slope):
    found = [slope(activations[-1]) * gradient]
    for number in range(len(weights) - 1, 0, -1):
        gradient = found[-1] @ weights[number - 1].T
        found.append(slope(activations[number - 1]) * gradient)
    return found[::-1]


@wrong("6.3", rejected_by=NUMERIC)
def forgets_to_hand_the_gradient_on(gradient, activations, weights, slope):
    found = []
    for number in range(len(weights) - 1, -1, -1):
        found.append(slope(activations[number]) * gradient)
        if number:
            gradient = gradient @ weights[number].T
    return found[::-1]


@wrong("6.3", rejected_by=SLOPES)
def has_the_slope_of_tanh_built_in(gradient, activations, weights, slope):
    return back(gradient, activations, weights, lambda a: 1 - a**2)


@wrong("6.3", rejected_by=LAST)
def changes_the_gradient_in_place(gradient, activations, weights, slope):
    gradient *= slope(activations[-1])
    found = [gradient]
    for number in range(len(weights) - 1, 0, -1):
        found.append((found[-1] @ weights[number].T) * slope(activations[number - 1]))
    return found[::-1]


def half_a_step_too_far(gradient, activations, weights, slope):
    found = []
    for a, w in zip(activations[::-1], weights[::-1], strict=True):
        gradient = (slope(a) * gradient) @ w.T
        found.append(gradient)
    return found[::-1]


def multiplies_before_the_slope(gradient, activations, weights, slope):
    found = []
    for a, w in zip(activations[::-1], weights[::-1], strict=True):
        gradient = slope(a) * (gradient @ w.T)
        found.append(gradient)
    return found[::-1]


def takes_the_slope_of_the_next_layer(gradient, activations, weights, slope):
    found = [slope(activations[-1]) * gradient]
    for number in range(len(weights) - 2, -1, -1):
        found.append(slope(activations[number + 1]) * (found[-1] @ weights[number + 1].T))
    return found[::-1]


def takes_the_last_slope_in_every_layer(gradient, activations, weights, slope):
    return back(gradient, [activations[-1]] * len(weights), weights, slope)


def goes_through_the_activations_from_the_first(gradient, activations, weights, slope):
    return back(gradient, activations[::-1], weights, slope)


for rejected_by, answer in (
    (LAST, half_a_step_too_far),
    (LAST, multiplies_before_the_slope),
    (NUMERIC, takes_the_slope_of_the_next_layer),
    (NUMERIC, takes_the_last_slope_in_every_layer),
    (NUMERIC, goes_through_the_activations_from_the_first),
):
    add_wrong("6.3", rejected_by, answer, answer.__name__)


# 6.4 fans

DENSE = "a dense layer: its inputs, its outputs"
CONVOLUTION = "a convolution of images: the places of the kernel count, for both"
RECTANGLE = "a kernel of any height and width"
SPECTRUM = "a convolution of spectra"


@wrong("6.4", rejected_by=CONVOLUTION)
def forgets_the_places(shape):
    return shape[-2], shape[-1]


@wrong("6.4", rejected_by=CONVOLUTION)
def takes_the_first_two(shape):
    return shape[0], shape[1]


@wrong("6.4", rejected_by=DENSE)
def swaps_the_fans(shape):
    n = int(np.prod(shape[:-2]))
    return n * shape[-1], n * shape[-2]


@wrong("6.4", rejected_by=CONVOLUTION)
def forgets_the_places_of_the_fan_out(shape):
    return int(np.prod(shape[:-1])), shape[-1]


@wrong("6.4", rejected_by=CONVOLUTION)
def forgets_the_channels(shape):
    n = int(np.prod(shape[:-2]))
    return (n, n) if len(shape) > 2 else tuple(shape)


@wrong("6.4", rejected_by=RECTANGLE)
def squares_the_height(shape):
    n = shape[0] ** (len(shape) - 2)
    return n * shape[-2], n * shape[-1]


@wrong("6.4", rejected_by=CONVOLUTION)
def adds_the_sides(shape):
    n = int(sum(shape[:-2])) if len(shape) > 2 else 1
    return n * shape[-2], n * shape[-1]


@wrong("6.4", rejected_by=DENSE)
def counts_the_bias(shape):
    n = int(np.prod(shape[:-2]))
    return n * shape[-2] + 1, n * shape[-1] + 1


@wrong("6.4", rejected_by=SPECTRUM)
def knows_images_alone(shape):
    n = shape[0] * shape[1] if len(shape) == 4 else 1
    return n * shape[-2], n * shape[-1]


@wrong("6.4", rejected_by=DENSE)
def counts_all_weights(shape):
    return int(np.prod(shape)), int(np.prod(shape))


@wrong("6.4", rejected_by=DENSE)
def makes_fractions_of_them(shape):
    n = np.prod(shape[:-2])
    return float(n * shape[-2]), float(n * shape[-1])


@wrong("6.4", rejected_by=DENSE)
def multiplies_no_places(shape):
    n = np.prod(shape[:-2])  # 1.0 for a dense layer
    return n * shape[-2], n * shape[-1]


# 6.5 LeCun, Glorot, He

SHAPE = "the shape of the kernel, and values around 0"
LECUN = "LeCun: variance 1 / fan-in"
GLOROT = "Glorot: variance 2 / (fan-in + fan-out)"
HE = "He: variance 2 / fan-in"
UNIFORM = "uniform: the same variance, and a sharp limit on both sides"
GENERATOR = "the numbers come from the generator: the same seed, the same kernel"


def right_fans(shape):
    n = int(np.prod(shape[:-2]))
    return n * shape[-2], n * shape[-1]


def draw(
    shape,
    recipe,
    rng,
    uniform=False,
    *,
    fans=right_fans,
    glorot=2.0,
    he=2.0,
    spread=np.sqrt,
    limit=lambda variance: np.sqrt(3 * variance),
    mean=0.0,
):
    fan_in, fan_out = fans(shape)
    variance = {"lecun": 1 / fan_in, "glorot": glorot / (fan_in + fan_out), "he": he / fan_in}[recipe]
    if uniform:
        return rng.uniform(-limit(variance), limit(variance), size=shape)
    return rng.normal(mean, spread(variance), size=shape)


def with_options(**options):
    def answer(shape, recipe, rng, uniform=False):
        return draw(shape, recipe, rng, uniform, **options)

    return answer


for rejected_by, name, options in (
    (LECUN, "takes_the_variance_for_the_spread", {"spread": lambda variance: variance}),
    (HE, "takes_the_root_twice", {"spread": lambda variance: variance**0.25}),
    (HE, "takes_the_fan_out", {"fans": lambda shape: right_fans(shape)[::-1]}),
    (HE, "forgets_the_places_of_the_kernel", {"fans": lambda shape: shape[-2:]}),
    (GLOROT, "forgets_the_two_of_glorot", {"glorot": 1.0}),
    (HE, "forgets_the_two_of_he", {"he": 1.0}),
    (UNIFORM, "takes_the_spread_for_the_limit", {"limit": np.sqrt}),
    (UNIFORM, "takes_three_spreads_for_the_limit", {"limit": lambda variance: 3 * np.sqrt(variance)}),
    (UNIFORM, "forgets_the_root_of_the_limit", {"limit": lambda variance: 3 * variance}),
    (SHAPE, "draws_around_one", {"mean": 1.0}),
    (HE, "takes_the_first_number_for_the_fan_in", {"fans": lambda shape: (shape[0], shape[-1])}),
    (UNIFORM, "takes_the_first_two_numbers_for_the_fans", {"fans": lambda shape: shape[:2]}),
    (HE, "takes_the_mean_of_the_fans_for_he", {"fans": lambda shape: [sum(right_fans(shape)) / 2] * 2}),
    (UNIFORM, "takes_the_fan_out_uniformly", {"fans": lambda shape: right_fans(shape)[::-1]}),
    (UNIFORM, "takes_the_variance_for_the_limit", {"limit": lambda variance: np.sqrt(3) * variance}),
):
    add_wrong("6.5", rejected_by, with_options(**options), name)


@wrong("6.5", rejected_by=UNIFORM)
def draws_positive_weights_alone(shape, recipe, rng, uniform=False):
    return abs(draw(shape, recipe, rng, True)) if uniform else draw(shape, recipe, rng)


@wrong("6.5", rejected_by=UNIFORM)
def ignores_uniform(shape, recipe, rng, uniform=False):
    return draw(shape, recipe, rng)


@wrong("6.5", rejected_by=HE)
def draws_uniformly_always_and_too_wide(shape, recipe, rng, uniform=False):
    return draw(shape, recipe, rng, True) * (1 if uniform else np.sqrt(3))


@wrong("6.5", rejected_by=GLOROT)
def knows_he_alone(shape, recipe, rng, uniform=False):
    return draw(shape, "he", rng, uniform)


@wrong("6.5", rejected_by=GENERATOR)
def makes_a_generator_of_its_own(shape, recipe, rng, uniform=False):
    return draw(shape, recipe, np.random.default_rng(0), uniform)


@wrong("6.5", rejected_by=GENERATOR)
def draws_from_the_whole_program(shape, recipe, rng, uniform=False):
    np.random.seed(int(rng.integers(1000)))  # noqa: NPY002
    spread = draw((1,), "lecun", rng).std() if len(shape) == 1 else 1.0
    fan_in, fan_out = right_fans(shape)
    variance = {"lecun": 1 / fan_in, "glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in}[recipe]
    if uniform:
        return np.random.uniform(-np.sqrt(3 * variance), np.sqrt(3 * variance), size=shape)  # noqa: NPY002
    return np.random.normal(0, spread * np.sqrt(variance), size=shape)  # noqa: NPY002


@wrong("6.5", rejected_by=HE)
def cuts_off_without_widening(shape, recipe, rng, uniform=False):
    if uniform:
        return draw(shape, recipe, rng, True)
    kernel = draw(shape, recipe, rng)
    spread = kernel.std()
    while (outside := abs(kernel) > 2 * spread).any():
        kernel[outside] = rng.normal(0, spread, size=outside.sum())
    return kernel


@wrong("6.5", rejected_by=SHAPE)
def returns_a_matrix(shape, recipe, rng, uniform=False):
    return draw(shape, recipe, rng, uniform).reshape(-1, shape[-1])


# 6.6 an orthogonal kernel

SQUARE = "square: columns of length 1 at right angles"
RECTANGULAR = "more rows than columns, and more columns than rows"
AS_MATRIX = "a convolution's kernel, as a matrix"
DIRECTIONS = "all directions are equally likely"


def sizes(shape):
    return int(np.prod(shape[:-1])), shape[-1]


def right_orthogonal(shape, rng):
    rows, columns = sizes(shape)
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


@wrong("6.6", rejected_by=DIRECTIONS)
def forgets_the_signs(shape, rng):
    rows, columns = sizes(shape)
    q, _ = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    return (q if rows >= columns else q.T).reshape(shape)


@wrong("6.6", rejected_by=DIRECTIONS)
def starts_from_the_identity(shape, rng):
    return np.eye(*sizes(shape)).reshape(shape)


@wrong("6.6", rejected_by=DIRECTIONS)
def makes_a_generator_with_a_fixed_seed(shape, rng):
    return right_orthogonal(shape, np.random.default_rng(0))


@wrong("6.6", rejected_by=DIRECTIONS)
def draws_positive_numbers(shape, rng):
    rows, columns = sizes(shape)
    q, r = np.linalg.qr(rng.random(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


@wrong("6.6", rejected_by=RECTANGULAR)
def forgets_the_wide_ones(shape, rng):
    q, r = np.linalg.qr(rng.normal(size=sizes(shape)))
    return q * np.sign(np.diag(r))


@wrong("6.6", rejected_by=RECTANGULAR)
def forgets_to_transpose(shape, rng):
    rows, columns = sizes(shape)
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    return (q * np.sign(np.diag(r))).reshape(shape)


@wrong("6.6", rejected_by=AS_MATRIX)
def forgets_the_shape_of_the_kernel(shape, rng):
    return right_orthogonal(sizes(shape), rng)


@wrong("6.6", rejected_by=AS_MATRIX)
def makes_each_place_orthogonal(shape, rng):
    kernel = np.empty(shape)
    for place in np.ndindex(*shape[:-2]):
        kernel[place] = right_orthogonal(shape[-2:], rng)
    return kernel


@wrong("6.6", rejected_by=SQUARE)
def gives_the_columns_length_one_only(shape, rng):
    kernel = rng.normal(size=sizes(shape))
    return (kernel / np.linalg.norm(kernel, axis=0)).reshape(shape)


@wrong("6.6", rejected_by=SQUARE)
def returns_the_triangle(shape, rng):
    rows, columns = sizes(shape)
    _, r = np.linalg.qr(rng.normal(size=(max(rows, columns), max(rows, columns))))
    return r[:rows, :columns].reshape(shape)


@wrong("6.6", rejected_by=SQUARE)
def multiplies_by_the_diagonal(shape, rng):
    rows, columns = sizes(shape)
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.diag(r)
    return (q if rows >= columns else q.T).reshape(shape)


@wrong("6.6", rejected_by=RECTANGULAR)
def returns_the_complete_q(shape, rng):
    rows, columns = sizes(shape)
    q, _ = np.linalg.qr(rng.normal(size=(rows, columns)), mode="complete")
    return q


@wrong("6.6", rejected_by=SQUARE)
def multiplies_by_root_two(shape, rng):
    return np.sqrt(2) * right_orthogonal(shape, rng)


@wrong("6.6", rejected_by=DIRECTIONS)
def multiplies_the_rows_by_the_signs(shape, rng):
    rows, columns = sizes(shape)
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = np.sign(np.diag(r))[:, None] * q if rows == columns else q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


# 6.7 two instruments

COPIES = "copies count once, in a dense layer and in a convolution"
EXTREMES = "all alike is 1, none alike is all"
TOLERANCE = "one weight that differs by more than the tolerance makes a neuron different, one by less does not"
DEAD = "a neuron is dead if it is 0 for every galaxy"
CHANNELS = "a channel is dead if it is 0 at every place of every image"
NEGATIVE = "a negative value is alive"
LARGEST = "the largest difference counts, from the neurons that were counted"


def distinct(kernel, tolerance, size=np.max):
    counted = []
    for neuron in kernel.reshape(-1, kernel.shape[-1]).T:
        if all(size(abs(neuron - other)) > tolerance for other in counted):
            counted.append(neuron)
    return len(counted)


def right_dead(activations):
    return np.mean(np.all(activations == 0, axis=tuple(range(activations.ndim - 1))))


def counts_rows(kernel, tolerance):
    return distinct(kernel.reshape(-1, kernel.shape[-1]).T, tolerance)


def compares_neighbours(kernel, tolerance):
    columns = kernel.reshape(-1, kernel.shape[-1])
    return 1 + int((abs(np.diff(columns, axis=1)).max(axis=0) > tolerance).sum())


def compares_with_the_first(kernel, tolerance):
    columns = kernel.reshape(-1, kernel.shape[-1])
    return 1 + int((abs(columns - columns[:, :1]).max(axis=0) > tolerance).sum())


def ignores_the_tolerance(kernel, tolerance):
    return np.unique(kernel.reshape(-1, kernel.shape[-1]), axis=1).shape[1]


def counts_weights(kernel, tolerance):
    return len(np.unique(kernel))


def compares_sums(kernel, tolerance):
    return distinct(kernel.reshape(-1, kernel.shape[-1]).sum(axis=0, keepdims=True), tolerance)


def takes_the_mean_difference(kernel, tolerance):
    return distinct(kernel, tolerance, np.mean)


def wants_every_weight_to_differ(kernel, tolerance):
    return distinct(kernel, tolerance, np.min)


def counts_the_copies(kernel, tolerance):
    return kernel.shape[-1] - distinct(kernel, tolerance)


def knows_dense_layers_alone(kernel, tolerance):
    return len({tuple(np.round(column, 3)) for column in kernel.T})


def mixes_the_neurons(kernel, tolerance):
    return distinct(kernel.reshape(kernel.shape[-1], -1).T, tolerance)


def rounds_to_the_tolerance(kernel, tolerance):
    return np.unique(np.round(kernel.reshape(-1, kernel.shape[-1]) / tolerance), axis=1).shape[1]


def forgets_the_absolute_value(kernel, tolerance):
    counted = []
    for neuron in kernel.reshape(-1, kernel.shape[-1]).T:
        if all((neuron - other).max() > tolerance for other in counted):
            counted.append(neuron)
    return len(counted)


def takes_the_length_of_the_difference(kernel, tolerance):
    return distinct(kernel, tolerance, np.linalg.norm)


def adds_the_differences(kernel, tolerance):
    return distinct(kernel, tolerance, np.sum)


def compares_with_all_before(kernel, tolerance):
    columns = kernel.reshape(-1, kernel.shape[-1]).T
    return sum(all(abs(c - other).max() > tolerance for other in columns[:i]) for i, c in enumerate(columns))


def mean_of_zero_is_dead(activations):
    return np.mean(activations.mean(axis=tuple(range(activations.ndim - 1))) == 0)


def sum_of_zero_is_dead(activations):
    return np.mean(activations.sum(axis=tuple(range(activations.ndim - 1))) == 0)


def share_of_zeros(activations):
    return np.mean(activations == 0)


def zero_for_any_galaxy(activations):
    return np.mean(np.any(activations == 0, axis=tuple(range(activations.ndim - 1))))


def along_the_units(activations):
    return np.mean(np.all(activations == 0, axis=-1))


def share_of_the_living(activations):
    return 1 - right_dead(activations)


def number_of_the_dead(activations):
    return np.sum(np.all(activations == 0, axis=tuple(range(activations.ndim - 1))))


def places_as_units(activations):
    return np.mean(np.all(activations == 0, axis=0))


def negative_is_dead(activations):
    return np.mean(np.all(activations <= 0, axis=tuple(range(activations.ndim - 1))))


def small_is_dead(activations):
    return np.mean(np.all(abs(activations) < 1e-3, axis=tuple(range(activations.ndim - 1))))


def first_galaxy_alone(activations):
    return np.mean(np.all(activations[:1] == 0, axis=tuple(range(activations.ndim - 1))))


def in_per_cent(activations):
    return 100 * right_dead(activations)


for rejected_by, first in (
    (COPIES, counts_rows),
    (COPIES, compares_neighbours),
    (COPIES, compares_with_the_first),
    (TOLERANCE, ignores_the_tolerance),
    (EXTREMES, counts_weights),
    (TOLERANCE, compares_sums),
    (TOLERANCE, takes_the_mean_difference),
    (TOLERANCE, wants_every_weight_to_differ),
    (EXTREMES, counts_the_copies),
    (COPIES, knows_dense_layers_alone),
    (COPIES, mixes_the_neurons),
    (LARGEST, rounds_to_the_tolerance),
    (COPIES, forgets_the_absolute_value),
    (LARGEST, takes_the_length_of_the_difference),
    (LARGEST, adds_the_differences),
    (LARGEST, compares_with_all_before),
):
    add_wrong("6.7", rejected_by, (first, right_dead), first.__name__)
for rejected_by, second in (
    (DEAD, share_of_zeros),
    (DEAD, zero_for_any_galaxy),
    (DEAD, along_the_units),
    (DEAD, share_of_the_living),
    (DEAD, number_of_the_dead),
    (CHANNELS, places_as_units),
    (NEGATIVE, negative_is_dead),
    (CHANNELS, small_is_dead),
    (DEAD, first_galaxy_alone),
    (DEAD, in_per_cent),
    (NEGATIVE, mean_of_zero_is_dead),
    (NEGATIVE, sum_of_zero_is_dead),
):
    add_wrong("6.7", rejected_by, (distinct, second), second.__name__)


# 6.8 measure and divide

ONE = "one layer: what enters the activation has standard deviation 1"
EVERY = "every layer: measured with the layers before it rescaled"
ONE_NUMBER = "each layer is multiplied by one number"
INVARIANT = "whatever the scale of the first weights, the same weights come out"


def rescaled_by(new):
    def answer(weights, x, activation):
        found = []
        for w in weights:
            w = new(w, x, activation)
            found.append(w)
            x = activation(x @ w)
        return found

    return answer


def rms(values):
    return np.sqrt(np.mean(values**2))


for rejected_by, name, new in (
    (ONE, "divides_by_the_variance", lambda w, a, f: w / np.var(a @ w)),
    (ONE, "measures_what_leaves", lambda w, a, f: w / np.std(f(a @ w))),
    (ONE, "divides_by_the_rms_of_what_leaves", lambda w, a, f: w / rms(f(a @ w))),
    (ONE, "divides_by_the_rms_of_what_enters", lambda w, a, f: w / rms(a @ w)),
    (ONE, "multiplies", lambda w, a, f: w * np.std(a @ w)),
    (ONE, "divides_by_the_spread_of_the_weights", lambda w, a, f: w / np.std(w)),
    (ONE, "divides_by_the_spread_of_the_inputs", lambda w, a, f: w / np.std(a)),
    (ONE, "leaves_the_weights", lambda w, a, f: w),
    (ONE_NUMBER, "has_a_factor_for_each_neuron", lambda w, a, f: w / np.std(a @ w, axis=0)),
    (ONE_NUMBER, "subtracts_the_mean_of_the_weights", lambda w, a, f: (w - w.mean()) / np.std(a @ (w - w.mean()))),
    (INVARIANT, "makes_he_of_it", lambda w, a, f: w * np.sqrt(2 / len(w))),
):
    add_wrong("6.8", rejected_by, rescaled_by(new), name)


@wrong("6.8", rejected_by=EVERY)
def measures_all_layers_at_once(weights, x, activation):
    found = []
    for w in weights:
        h = x @ w
        found.append(w / np.std(h))
        x = activation(h)
    return found


@wrong("6.8", rejected_by=EVERY)
def measures_every_layer_on_x(weights, x, activation):
    spreads = [np.std(x @ w) if w.shape[0] == x.shape[1] else np.std(w) * np.sqrt(len(w)) for w in weights]
    return [w / spread for w, spread in zip(weights, spreads, strict=True)]


@wrong("6.8", rejected_by=EVERY)
def forgets_the_activation_on_the_way(weights, x, activation):
    found = []
    for w in weights:
        found.append(w / np.std(x @ w))
        x = x @ found[-1]
    return found


@wrong("6.8", rejected_by=ONE)
def changes_the_weights_in_place(weights, x, activation):
    for w in weights:
        w /= np.std(x @ w)
        x = activation(x @ w)
    return weights


@wrong("6.8", rejected_by=EVERY)
def divides_the_activations_too(weights, x, activation):
    found = []
    for w in weights:
        found.append(w / np.std(x @ w))
        x = activation(x @ found[-1])
        x = x / np.std(x)
    return found


@wrong("6.8", rejected_by=EVERY)
def takes_the_factor_of_the_first_layer(weights, x, activation):
    return [w / np.std(x @ weights[0]) for w in weights]


@wrong("6.8", rejected_by=ONE)
def returns_the_activations(weights, x, activation):
    found = []
    for w in weights:
        x = activation(x @ w / np.std(x @ w))
        found.append(x)
    return found
