"""Wrong answers to the exercises of lab 07."""

import keras
import numpy as np

from tests.wrong_answers import add_wrong, wrong

# 7.1 normalise a batch

STANDARD = "each unit leaves with mean 0 and standard deviation 1 over the batch"
AFFINE = "γ multiplies, β is added, each unit has its own; as Keras does it"
SMALL = "a batch of three: the variance is the mean of the squared deviations"
EPSILON = "ε is added to the variance, under the root"
CONSTANT = "a unit that is the same for all galaxies gives β"
INVARIANT = "brighter by a factor, shifted by a constant: the same comes out"


@wrong("7.1", rejected_by=STANDARD)
def normalises_each_galaxy(x, gamma, beta, epsilon):
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


@wrong("7.1", rejected_by=STANDARD)
def has_one_mean_for_all_units(x, gamma, beta, epsilon):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + epsilon) + beta


@wrong("7.1", rejected_by=STANDARD)
def divides_by_the_variance(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(axis=0)) / (x.var(axis=0) + epsilon) + beta


@wrong("7.1", rejected_by=INVARIANT)
def forgets_to_subtract_the_mean(x, gamma, beta, epsilon):
    return gamma * x / np.sqrt(x.var(axis=0) + epsilon) + beta


@wrong("7.1", rejected_by=SMALL)
def divides_by_n_minus_one(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + epsilon) + beta


@wrong("7.1", rejected_by=EPSILON)
def adds_epsilon_outside_the_root(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(axis=0)) / (x.std(axis=0) + epsilon) + beta


@wrong("7.1", rejected_by=CONSTANT)
def forgets_epsilon(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(axis=0)) / x.std(axis=0) + beta


@wrong("7.1", rejected_by=AFFINE)
def scales_beta_too(x, gamma, beta, epsilon):
    return gamma * ((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon) + beta)


@wrong("7.1", rejected_by=AFFINE)
def forgets_gamma_and_beta(x, gamma, beta, epsilon):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon)


@wrong("7.1", rejected_by=AFFINE)
def swaps_gamma_and_beta(x, gamma, beta, epsilon):
    return beta * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon) + gamma


# 7.2 which axes?

DENSE = "a dense layer: over the galaxies"
IMAGES = "images: over galaxies, rows and columns, one number for each channel"
SPECTRA = "spectra: over all axes but the last"
DIGITS = "a bright sky with little contrast keeps its digits, 8-bit pixels do not overflow"


@wrong("7.2", rejected_by=IMAGES)
def averages_over_the_batch_alone(x):
    return x.mean(axis=0), x.var(axis=0)


@wrong("7.2", rejected_by=IMAGES)
def averages_each_image(x):
    axes = tuple(range(1, x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


@wrong("7.2", rejected_by=IMAGES)
def takes_the_second_axis_for_the_channels(x):
    axes = (0, *range(2, x.ndim))
    return x.mean(axis=axes), x.var(axis=axes)


@wrong("7.2", rejected_by=SPECTRA)
def takes_three_axes_whatever_comes(x):
    axes = (0, 1, 2) if x.ndim > 2 else (0,)
    return x.mean(axis=axes), x.var(axis=axes)


@wrong("7.2", rejected_by=DENSE)
def averages_over_everything(x):
    return x.mean(), x.var()


@wrong("7.2", rejected_by=DIGITS)
def subtracts_large_squares(x):
    axes = tuple(range(x.ndim - 1))
    mean = np.mean(x, axis=axes)
    return mean, np.mean(x**2, axis=axes) - mean**2


@wrong("7.2", rejected_by=DENSE)
def returns_the_standard_deviation(x):
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.std(axis=axes)


@wrong("7.2", rejected_by=DENSE)
def has_an_unbiased_variance(x):
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes, ddof=1)


@wrong("7.2", rejected_by=IMAGES)
def keeps_the_axes(x):
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)


# 7.3 one galaxy alone

ONE_STEP = "a step of the moving average, as Keras does it"
SIX = "six steps in a row"
FORMULA = "inference: with the moving mean and variance, as Keras does it"
ALONE = "inference: a galaxy alone gets what it gets among others"
FORGET = "steps until the start counts for no more than the share"


def right_update(moving, batch, momentum):
    return momentum * moving + (1 - momentum) * batch


def right_inference(x, moving_mean, moving_variance, gamma, beta, epsilon):
    return gamma * (x - moving_mean) / np.sqrt(moving_variance + epsilon) + beta


def right_steps(momentum, share):
    return int(np.ceil(np.log(share) / np.log(momentum)))


def update_with_inverted_momentum(moving, batch, momentum):
    return (1 - momentum) * moving + momentum * batch


def update_that_forgets_the_weight_of_the_new(moving, batch, momentum):
    return momentum * moving + batch


def update_that_takes_the_plain_mean(moving, batch, momentum):
    return (moving + batch) / 2


for update in (
    update_with_inverted_momentum,
    update_that_forgets_the_weight_of_the_new,
    update_that_takes_the_plain_mean,
):
    add_wrong("7.3", ONE_STEP, (update, right_inference, right_steps), update.__name__)


class Remembers:
    """An update that takes part in a correction it keeps count of, as Adam's does."""

    def __init__(self):
        self.steps = 0

    def __call__(self, moving, batch, momentum):
        self.steps += 1
        return right_update(moving, batch, momentum) / (1 - momentum**self.steps)


add_wrong("7.3", SIX, (Remembers(), right_inference, right_steps), "update_that_corrects_for_the_start")


def inference_with_the_batch(x, moving_mean, moving_variance, gamma, beta, epsilon):
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + epsilon) + beta


def inference_that_mixes_in_the_batch(x, moving_mean, moving_variance, gamma, beta, epsilon):
    axes = tuple(range(x.ndim - 1))
    moving_mean = right_update(moving_mean, x.mean(axis=axes), 0.99)
    moving_variance = right_update(moving_variance, x.var(axis=axes), 0.99)
    return right_inference(x, moving_mean, moving_variance, gamma, beta, epsilon)


def inference_with_epsilon_outside(x, moving_mean, moving_variance, gamma, beta, epsilon):
    return gamma * (x - moving_mean) / (np.sqrt(moving_variance) + epsilon) + beta


def inference_without_gamma_and_beta(x, moving_mean, moving_variance, gamma, beta, epsilon):
    return (x - moving_mean) / np.sqrt(moving_variance + epsilon)


def inference_with_the_variance(x, moving_mean, moving_variance, gamma, beta, epsilon):
    return gamma * (x - moving_mean) / (moving_variance + epsilon) + beta


add_wrong("7.3", ALONE, (right_update, inference_with_the_batch, right_steps), "inference_with_the_batch")
add_wrong(
    "7.3", ALONE, (right_update, inference_that_mixes_in_the_batch, right_steps), "inference_that_mixes_in_the_batch"
)
for inference in (inference_with_epsilon_outside, inference_without_gamma_and_beta, inference_with_the_variance):
    add_wrong("7.3", FORMULA, (right_update, inference, right_steps), inference.__name__)


def steps_rounded_down(momentum, share):
    return int(np.log(share) / np.log(momentum))


def steps_of_the_inverted_momentum(momentum, share):
    return int(np.ceil(np.log(share) / np.log(1 - momentum)))


def steps_by_the_rule_of_thumb(momentum, share):
    return round(1 / (1 - momentum))


def steps_not_rounded(momentum, share):
    return np.log(share) / np.log(momentum)


for steps in (
    steps_rounded_down,
    steps_of_the_inverted_momentum,
    steps_by_the_rule_of_thumb,
    steps_not_rounded,
):
    add_wrong("7.3", FORGET, (right_update, right_inference, steps), steps.__name__)


# 7.4 a gradient by trying

SHAPES = "one slope for each number: of a row, a matrix, a batch of images"
PARABOLA = "both sides: the slope of a parabola is exact, however large the step"
PRODUCT = "one number at a time, with all others back in their places"
STEP = "the step that is handed over is taken, to both sides"
INTEGERS = "x may hold whole numbers"


def slopes(function, x, step, difference, place_by_place=True, start=None):
    """Slopes by a rule of one's own: `difference(function, up, down, x)`."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = np.array(x, start), np.array(x, start)
        if place_by_place:
            up[place] += step
            down[place] -= step
        else:
            up, down = up + step, down - step
        gradient[place] = difference(function, up, down)
    return gradient


@wrong("7.4", rejected_by=PARABOLA)
def goes_to_one_side(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(x)) / step, start=float)


@wrong("7.4", rejected_by=SHAPES)
def divides_by_one_step(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(down)) / step, start=float)


@wrong("7.4", rejected_by=SHAPES)
def forgets_the_brackets(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(down)) / 2 * step, start=float)


@wrong("7.4", rejected_by=PRODUCT)
def bumps_everything_at_once(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(down)) / (2 * step), False, float)


@wrong("7.4", rejected_by=PRODUCT)
def leaves_the_bumps_in_place(function, x, step=1e-3):
    x, gradient = x.astype(float), np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        before = function(x)
        x[place] += step
        gradient[place] = (function(x) - before) / step
    return gradient


@wrong("7.4", rejected_by=INTEGERS)
def adds_the_step_to_whole_numbers(function, x, step=1e-5):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] = up[place] + step
        down[place] = down[place] - step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient


@wrong("7.4", rejected_by=SHAPES)
def works_in_single_precision(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(down)) / (2 * step), start="float32")


@wrong("7.4", rejected_by=SHAPES)
def returns_a_flat_list(function, x, step=1e-5):
    return slopes(function, x, step, lambda f, up, down: (f(up) - f(down)) / (2 * step), start=float).ravel()


@wrong("7.4", rejected_by=STEP)
def ignores_the_step(function, x, step=1e-5):
    return slopes(function, x, 1e-5, lambda f, up, down: (f(up) - f(down)) / 2e-5, start=float)


@wrong("7.4", rejected_by=STEP)
def goes_half_a_step(function, x, step=1e-5):
    return slopes(function, x, step / 2, lambda f, up, down: (f(up) - f(down)) / step, start=float)


# 7.5 the way back

PARAMETERS = "d_beta and d_gamma: sums over all that the two serve"
DENSE_BACK = "d_x of a dense layer: what numeric gradients say"
IMAGES_BACK = "d_x of images and spectra"
EPSILON_BACK = "d_x with a large ε"
DIRECTIONS = "shifting or stretching a whole batch changes nothing: no slope in these two directions"


def backward(gradient, x, gamma, epsilon, through_mean=True, through_variance=True):
    """The right way back, of which ways can be left out."""
    axes = tuple(range(x.ndim - 1))
    spread = np.sqrt(x.var(axis=axes) + epsilon)
    normalised = (x - x.mean(axis=axes)) / spread
    g = gamma * gradient / spread
    d_x = g - through_mean * g.mean(axis=axes) - through_variance * normalised * (g * normalised).mean(axis=axes)
    return d_x, (gradient * normalised).sum(axis=axes), gradient.sum(axis=axes)


@wrong("7.5", rejected_by=DENSE_BACK)
def takes_mean_and_variance_for_constants(gradient, x, gamma, epsilon):
    return backward(gradient, x, gamma, epsilon, through_mean=False, through_variance=False)


@wrong("7.5", rejected_by=DIRECTIONS)
def forgets_the_way_through_the_variance(gradient, x, gamma, epsilon):
    return backward(gradient, x, gamma, epsilon, through_variance=False)


@wrong("7.5", rejected_by=DIRECTIONS)
def forgets_the_way_through_the_mean(gradient, x, gamma, epsilon):
    return backward(gradient, x, gamma, epsilon, through_mean=False)


@wrong("7.5", rejected_by=DENSE_BACK)
def forgets_gamma(gradient, x, gamma, epsilon):
    return (backward(gradient, x, np.ones_like(gamma), epsilon)[0], *backward(gradient, x, gamma, epsilon)[1:])


@wrong("7.5", rejected_by=EPSILON_BACK)
def forgets_epsilon_on_the_way_back(gradient, x, gamma, epsilon):
    return backward(gradient, x, gamma, 0.0)


@wrong("7.5", rejected_by=PARAMETERS)
def sums_over_the_images_alone(gradient, x, gamma, epsilon):
    axes = tuple(range(x.ndim - 1))
    normalised = (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + epsilon)
    d_x = backward(gradient, x, gamma, epsilon)[0]
    return d_x, (gradient * normalised).sum(axis=0), gradient.sum(axis=0)


@wrong("7.5", rejected_by=PARAMETERS)
def takes_means_for_gamma_and_beta(gradient, x, gamma, epsilon):
    axes = tuple(range(x.ndim - 1))
    normalised = (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + epsilon)
    d_x = backward(gradient, x, gamma, epsilon)[0]
    return d_x, (gradient * normalised).mean(axis=axes), gradient.mean(axis=axes)


@wrong("7.5", rejected_by=PARAMETERS)
def multiplies_gamma_by_x(gradient, x, gamma, epsilon):
    d_x, _, d_beta = backward(gradient, x, gamma, epsilon)
    return d_x, (gradient * x).sum(axis=tuple(range(x.ndim - 1))), d_beta


@wrong("7.5", rejected_by=IMAGES_BACK)
def counts_the_images_for_n(gradient, x, gamma, epsilon):
    axes = tuple(range(x.ndim - 1))
    n = len(x)
    spread = np.sqrt(x.var(axis=axes) + epsilon)
    normalised = (x - x.mean(axis=axes)) / spread
    g = gamma * gradient / spread
    d_x = g - g.sum(axis=axes) / n - normalised * (g * normalised).sum(axis=axes) / n
    return d_x, *backward(gradient, x, gamma, epsilon)[1:]


@wrong("7.5", rejected_by=PARAMETERS)
def returns_beta_before_gamma(gradient, x, gamma, epsilon):
    d_x, d_gamma, d_beta = backward(gradient, x, gamma, epsilon)
    return d_x, d_beta, d_gamma


# 7.6 a Keras layer

WEIGHTS = "one γ, β, moving mean and moving variance for each channel; it starts by changing nothing"
TRAINABLE = "γ and β are trainable, the moving averages are not"
TRAINING = "training: what Keras' layer gives"
MOVING = "one training step moves the averages as Keras does"
INFERENCE = "inference uses the moving averages and leaves them as they are"
FROZEN = "a frozen layer (trainable = False) is in inference mode, even while the rest trains"
GRADIENT = "the gradient comes back through mean and variance, and inside a model"


class Right(keras.layers.Layer):
    """A right layer, whose parts the wrong ones replace."""

    moving_are_trained = False

    def __init__(self, momentum=0.99, epsilon=1e-3, **options):
        super().__init__(**options)
        self.momentum, self.epsilon = momentum, epsilon

    def shape_of(self, shape):
        return (shape[-1],)

    def build(self, shape):
        size, kept = self.shape_of(shape), {"trainable": self.moving_are_trained}
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=size, initializer="zeros", name="moving_mean", **kept)
        self.moving_variance = self.add_weight(shape=size, initializer="ones", name="moving_variance", **kept)

    def moments(self, x):
        axes = list(range(len(x.shape) - 1))
        return keras.ops.mean(x, axes), keras.ops.var(x, axes)

    def learns(self, training):
        return training and self.trainable

    def remember(self, mean, variance):
        m = self.momentum
        self.moving_mean.assign(m * self.moving_mean + (1 - m) * mean)
        self.moving_variance.assign(m * self.moving_variance + (1 - m) * variance)

    def divide(self, x, variance):
        return x / keras.ops.sqrt(variance + self.epsilon)

    def call(self, x, training=False):
        if self.learns(training):
            mean, variance = self.moments(x)
            self.remember(mean, variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        return self.gamma * self.divide(x - mean, variance) + self.beta


@wrong("7.6", rejected_by=TRAINABLE)
class TrainsTheMovingAverages(Right):
    moving_are_trained = True


@wrong("7.6", rejected_by=WEIGHTS)
class HasAWeightForEachPixel(Right):
    def shape_of(self, shape):
        return tuple(shape[1:])


@wrong("7.6", rejected_by=WEIGHTS)
class StartsTheMovingVarianceAtZero(Right):
    def build(self, shape):
        super().build(shape)
        self.moving_variance.assign(np.zeros(shape[-1]))


@wrong("7.6", rejected_by=TRAINING)
class NormalisesOverTheFirstAxisAlone(Right):
    def moments(self, x):
        return keras.ops.mean(x, 0), keras.ops.var(x, 0)


@wrong("7.6", rejected_by=MOVING)
class InvertsTheMomentum(Right):
    def remember(self, mean, variance):
        m = 1 - self.momentum
        self.moving_mean.assign(m * self.moving_mean + (1 - m) * mean)
        self.moving_variance.assign(m * self.moving_variance + (1 - m) * variance)


@wrong("7.6", rejected_by=MOVING)
class NeverMovesTheAverages(Right):
    def remember(self, mean, variance):
        moving = self.momentum * self.moving_mean + (1 - self.momentum) * mean
        assert moving.shape == mean.shape


@wrong("7.6", rejected_by=MOVING)
class AveragesTheStandardDeviation(Right):
    def remember(self, mean, variance):
        super().remember(mean, keras.ops.sqrt(variance))


@wrong("7.6", rejected_by=MOVING)
class AveragesTheUnbiasedVariance(Right):
    def remember(self, mean, variance):
        super().remember(mean, variance * self.n / (self.n - 1))

    def moments(self, x):
        self.n = int(np.prod(x.shape[:-1]))
        return super().moments(x)


@wrong("7.6", rejected_by=INFERENCE)
class MovesInInferenceToo(Right):
    def call(self, x, training=False):
        self.remember(*self.moments(x))
        mean, variance = self.moments(x) if self.learns(training) else (self.moving_mean, self.moving_variance)
        return self.gamma * self.divide(x - mean, variance) + self.beta


@wrong("7.6", rejected_by=INFERENCE)
class NormalisesByTheBatchInInference(Right):
    def call(self, x, training=False):
        mean, variance = self.moments(x)
        if self.learns(training):
            self.remember(mean, variance)
        return self.gamma * self.divide(x - mean, variance) + self.beta


@wrong("7.6", rejected_by=TRAINING)
class UsesTheMovingAveragesInTraining(Right):
    def call(self, x, training=False):
        if self.learns(training):
            self.remember(*self.moments(x))
        return self.gamma * self.divide(x - self.moving_mean, self.moving_variance) + self.beta


@wrong("7.6", rejected_by=TRAINING)
class HasEpsilonOutsideTheRoot(Right):
    def divide(self, x, variance):
        return x / (keras.ops.sqrt(variance) + self.epsilon)


@wrong("7.6", rejected_by=FROZEN)
class LearnsWhileFrozen(Right):
    def learns(self, training):
        return training


@wrong("7.6", rejected_by=GRADIENT)
class StopsTheGradient(Right):
    def moments(self, x):
        return [keras.ops.stop_gradient(moment) for moment in super().moments(x)]


# 7.7 without the batch

ONE_GROUP = "one group: each galaxy by itself, over all its places and channels"
SEVERAL = "several groups: neighbouring channels belong together, as in Keras"
RANKS = "spectra and dense layers"
ALONE_GROUP = "a galaxy alone gets what it gets among others"
INSTANCE = "a group for each channel, and a large ε"


def normalised(split, axes, epsilon):
    return (split - split.mean(axis=axes, keepdims=True)) / np.sqrt(split.var(axis=axes, keepdims=True) + epsilon)


def grouped(x, groups):
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


@wrong("7.7", rejected_by=ALONE_GROUP)
def averages_over_the_galaxies_too(x, gamma, beta, groups, epsilon):
    axes = (*range(x.ndim - 1), x.ndim)
    return gamma * normalised(grouped(x, groups), axes, epsilon).reshape(x.shape) + beta


@wrong("7.7", rejected_by=ONE_GROUP)
def normalises_each_pixel(x, gamma, beta, groups, epsilon):
    return gamma * normalised(grouped(x, groups), (x.ndim,), epsilon).reshape(x.shape) + beta


@wrong("7.7", rejected_by=SEVERAL)
def deals_the_channels_out(x, gamma, beta, groups, epsilon):
    split = x.reshape(*x.shape[:-1], x.shape[-1] // groups, groups)
    axes = (*range(1, x.ndim - 1), x.ndim - 1)
    return gamma * normalised(split, axes, epsilon).reshape(x.shape) + beta


@wrong("7.7", rejected_by=SEVERAL)
def cuts_the_flat_image_into_pieces(x, gamma, beta, groups, epsilon):
    return gamma * normalised(x.reshape(len(x), groups, -1), (2,), epsilon).reshape(x.shape) + beta


@wrong("7.7", rejected_by=SEVERAL)
def ignores_the_groups(x, gamma, beta, groups, epsilon):
    return gamma * normalised(x, tuple(range(1, x.ndim)), epsilon) + beta


@wrong("7.7", rejected_by=RANKS)
def knows_images_alone(x, gamma, beta, groups, epsilon):
    n, height, width, channels = x.shape
    split = x.reshape(n, height, width, groups, channels // groups)
    return gamma * normalised(split, (1, 2, 4), epsilon).reshape(x.shape) + beta


@wrong("7.7", rejected_by=INSTANCE)
def has_epsilon_outside_the_root(x, gamma, beta, groups, epsilon):
    split, axes = grouped(x, groups), (*range(1, x.ndim - 1), x.ndim)
    centred = split - split.mean(axis=axes, keepdims=True)
    return gamma * (centred / (split.std(axis=axes, keepdims=True) + epsilon)).reshape(x.shape) + beta


@wrong("7.7", rejected_by=ONE_GROUP)
def leaves_gamma_and_beta_out(x, gamma, beta, groups, epsilon):
    return normalised(grouped(x, groups), (*range(1, x.ndim - 1), x.ndim), epsilon).reshape(x.shape)


# 7.8 batch norm for nothing

LAYERS = "a dense layer and a convolution, folded, give what the two layers gave"
SQUARE = "as many inputs as outputs: the scale belongs to the outputs"
EPSILON_FOLD = "a large ε"


@wrong("7.8", rejected_by=LAYERS)
def forgets_the_old_bias(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / np.sqrt(moving_variance + epsilon)
    return kernel * scale, beta - moving_mean * scale


@wrong("7.8", rejected_by=LAYERS)
def does_not_scale_the_old_bias(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / np.sqrt(moving_variance + epsilon)
    return kernel * scale, bias + beta - moving_mean * scale


@wrong("7.8", rejected_by=LAYERS)
def does_not_scale_the_mean(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / np.sqrt(moving_variance + epsilon)
    return kernel * scale, bias * scale - moving_mean + beta


@wrong("7.8", rejected_by=LAYERS)
def scales_the_bias_alone(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    return kernel, (bias - moving_mean) * gamma / np.sqrt(moving_variance + epsilon) + beta


@wrong("7.8", rejected_by=LAYERS)
def divides_the_kernel_by_the_variance(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / (moving_variance + epsilon)
    return kernel * scale, (bias - moving_mean) * scale + beta


@wrong("7.8", rejected_by=SQUARE)
def scales_the_inputs_where_it_fits(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / np.sqrt(moving_variance + epsilon)
    square = kernel.shape[-1] == kernel.shape[-2]
    return kernel * (scale[:, None] if square else scale), (bias - moving_mean) * scale + beta


@wrong("7.8", rejected_by=EPSILON_FOLD)
def leaves_epsilon_out(kernel, bias, gamma, beta, moving_mean, moving_variance, epsilon):
    scale = gamma / np.sqrt(moving_variance)
    return kernel * scale, (bias - moving_mean) * scale + beta
