"""Wrong answers to the exercises of lab 13."""

import keras
import numpy as np
from keras import layers, ops

from tests.wrong_answers import add_wrong, wrong

# 13.1 IoU and Dice

ITSELF = "a mask agrees wholly with itself, whatever its type"
BOOLS = "bool masks: IoU and Dice agree with the library"
TYPES = "masks of integers and of floats give the same as bool ones"
SOFT = "a probability above 0.5 is in the mask, one below is not"
EACH = "each image has its own value"
EMPTY = "empty masks: two agree, one alone does not"


def _counts(p, t, axis=(1, 2)):
    return (p & t).sum(axis=axis), (p | t).sum(axis=axis)


def _iou_and_dice(both, union):
    iou = np.where(union > 0, both / np.maximum(union, 1), 1.0)
    return iou, 2 * iou / (1 + iou)


@wrong("13.1", rejected_by=ITSELF)
def takes_the_union_from_the_sum(predicted, true):
    """The published one: of bool arrays + is or."""
    both = (predicted * true).sum(axis=(1, 2))
    iou = both / ((predicted + true).sum(axis=(1, 2)) - both)
    return iou, 2 * iou / (1 + iou)


@wrong("13.1", rejected_by=BOOLS)
def divides_by_both_sizes(predicted, true):
    p, t = predicted > 0.5, true > 0.5
    both, sizes = (p & t).sum(axis=(1, 2)), p.sum(axis=(1, 2)) + t.sum(axis=(1, 2))
    return both / np.maximum(sizes, 1), 2 * both / np.maximum(sizes, 1)


@wrong("13.1", rejected_by=BOOLS)
def returns_dice_first(predicted, true):
    return _iou_and_dice(*_counts(predicted > 0.5, true > 0.5))[::-1]


@wrong("13.1", rejected_by=BOOLS)
def measures_the_accuracy(predicted, true):
    same = ((predicted > 0.5) == (true > 0.5)).mean(axis=(1, 2))
    return same, same


@wrong("13.1", rejected_by=BOOLS)
def forgets_the_two_in_dice(predicted, true):
    p, t = predicted > 0.5, true > 0.5
    both, union = _counts(p, t)
    return _iou_and_dice(both, union)[0], both / np.maximum(p.sum(axis=(1, 2)) + t.sum(axis=(1, 2)), 1)


@wrong("13.1", rejected_by=TYPES)
def compares_with_one(predicted, true):
    return _iou_and_dice(*_counts(predicted == 1, true == 1))


@wrong("13.1", rejected_by=SOFT)
def uses_the_values_as_they_are(predicted, true):
    p, t = predicted.astype(float), true.astype(float)
    both = (p * t).sum(axis=(1, 2))
    return _iou_and_dice(both, (p + t - p * t).sum(axis=(1, 2)))


@wrong("13.1", rejected_by=SOFT)
def takes_all_that_is_not_zero(predicted, true):
    return _iou_and_dice(*_counts(predicted.astype(bool), true.astype(bool)))


@wrong("13.1", rejected_by=SOFT)
def takes_a_half_into_the_mask(predicted, true):
    return _iou_and_dice(*_counts(predicted >= 0.5, true >= 0.5))


@wrong("13.1", rejected_by=SOFT)
def compares_the_predicted_mask_alone(predicted, true):
    return _iou_and_dice(*_counts(predicted > 0.5, true > 0))


@wrong("13.1", rejected_by=EACH)
def counts_all_images_together(predicted, true):
    return _iou_and_dice(*_counts(predicted > 0.5, true > 0.5, axis=None))


@wrong("13.1", rejected_by=EACH)
def averages_over_the_images(predicted, true):
    return tuple(value.mean() for value in _iou_and_dice(*_counts(predicted > 0.5, true > 0.5)))


@wrong("13.1", rejected_by=EMPTY)
def divides_nothing_by_nothing(predicted, true):
    both, union = _counts(predicted > 0.5, true > 0.5)
    with np.errstate(all="ignore"):
        iou = both / union
    return iou, 2 * iou / (1 + iou)


@wrong("13.1", rejected_by=EMPTY)
def gives_nothing_for_two_empty_masks(predicted, true):
    both, union = _counts(predicted > 0.5, true > 0.5)
    iou = both / np.maximum(union, 1)
    return iou, 2 * iou / (1 + iou)


@wrong("13.1", rejected_by=EMPTY)
def lets_one_empty_mask_agree(predicted, true):
    p, t = predicted > 0.5, true > 0.5
    both, union = _counts(p, t)
    iou = np.where(p.any(axis=(1, 2)) & t.any(axis=(1, 2)), both / np.maximum(union, 1), 1.0)
    return iou, 2 * iou / (1 + iou)


@wrong("13.1", rejected_by=ITSELF)
def returns_lists(predicted, true):
    return [list(values) for values in _iou_and_dice(*_counts(predicted > 0.5, true > 0.5))]


# 13.2 cross-entropy

PLAIN = "without a weight it is the library's binary cross-entropy"
WEIGHT = "the weight counts for pixels of the source alone"
SHARES = "targets may be shares"
STABLE = "sure and right costs nothing, sure and wrong costs what it should"
SLOPE = "it has the right slope, also where the network is sure and wrong"


@wrong("13.2", rejected_by=PLAIN)
def sums_over_the_pixels(logits, target, weight=1.0):
    return ops.sum(weight * target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits))


@wrong("13.2", rejected_by=PLAIN)
def takes_logits_for_probabilities(logits, target, weight=1.0):
    p = ops.clip(logits, 1e-7, 1 - 1e-7)
    return ops.mean(-weight * target * ops.log(p) - (1 - target) * ops.log(1 - p))


@wrong("13.2", rejected_by=PLAIN)
def exchanges_the_signs(logits, target, weight=1.0):
    return ops.mean(weight * target * ops.softplus(logits) + (1 - target) * ops.softplus(-logits))


@wrong("13.2", rejected_by=PLAIN)
def forgets_the_background(logits, target, weight=1.0):
    return ops.mean(weight * target * ops.softplus(-logits))


@wrong("13.2", rejected_by=WEIGHT)
def weights_both_terms(logits, target, weight=1.0):
    return ops.mean(weight * (target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)))


@wrong("13.2", rejected_by=WEIGHT)
def weights_the_background(logits, target, weight=1.0):
    return ops.mean(target * ops.softplus(-logits) + weight * (1 - target) * ops.softplus(logits))


@wrong("13.2", rejected_by=WEIGHT)
def divides_by_the_weights(logits, target, weight=1.0):
    cost = weight * target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)
    return ops.sum(cost) / ops.sum(weight * target + 1 - target)


@wrong("13.2", rejected_by=SHARES)
def asks_whether_the_target_is_one(logits, target, weight=1.0):
    return ops.mean(ops.where(target > 0.5, weight * ops.softplus(-logits), ops.softplus(logits)))


@wrong("13.2", rejected_by=STABLE)
def takes_the_logarithm_of_a_sigmoid(logits, target, weight=1.0):
    p = ops.sigmoid(logits)
    return ops.mean(-weight * target * ops.log(p) - (1 - target) * ops.log(1 - p))


@wrong("13.2", rejected_by=STABLE)
def clips_the_probability(logits, target, weight=1.0):
    p = ops.clip(ops.sigmoid(logits), 1e-7, 1 - 1e-7)
    return ops.mean(-weight * target * ops.log(p) - (1 - target) * ops.log(1 - p))


@wrong("13.2", rejected_by=STABLE)
def puts_a_small_number_into_the_logarithm(logits, target, weight=1.0):
    p = ops.sigmoid(logits)
    return ops.mean(-weight * target * ops.log(p + 1e-7) - (1 - target) * ops.log(1 - p + 1e-7))


@wrong("13.2", rejected_by=PLAIN)
def adds_up_the_masks(logits, target, weight=1.0):
    cost = weight * target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)
    return ops.mean(ops.sum(cost, axis=-1))


@wrong("13.2", rejected_by=SLOPE)
def clips_the_logits(logits, target, weight=1.0):
    z = ops.clip(logits, -20.0, 20.0)
    return ops.mean(weight * target * ops.softplus(-z) + (1 - target) * ops.softplus(z))


@wrong("13.2", rejected_by=SLOPE)
def computes_with_numpy(logits, target, weight=1.0):
    z = np.asarray(logits)
    return np.mean(weight * target * np.logaddexp(0, -z) + (1 - target) * np.logaddexp(0, z))


# 13.3 soft Dice

HARD = "for masks of 0 and 1 it is 1 − Dice of each image, averaged"
VALUE = "probabilities count by their value: nothing is rounded"
ALIKE = "each image counts alike, the small galaxy's as much as the large one's"
SMOOTH = "`smooth` is like half as many pixels more that are sure and right"
NOTHING = "an empty image: nothing seen costs nothing, something seen costs much"
HAS_SLOPE = "it has a slope"
AXES = (1, 2, 3)


def _sums(p, t, axis=AXES):
    return ops.sum(p * t, axis=axis), ops.sum(p, axis=axis) + ops.sum(t, axis=axis)


@wrong("13.3", rejected_by=HARD)
def returns_dice_and_not_the_loss(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean((2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=HARD)
def forgets_the_two(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - (both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=HARD)
def takes_the_iou(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - (both + smooth) / (sizes - both + smooth))


@wrong("13.3", rejected_by=VALUE)
def rounds_the_probabilities(probability, target, smooth=1.0):
    both, sizes = _sums(ops.cast(probability > 0.5, "float32"), target)
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=VALUE)
def squares_in_the_sizes(probability, target, smooth=1.0):
    both = ops.sum(probability * target, axis=AXES)
    sizes = ops.sum(probability**2, axis=AXES) + ops.sum(target**2, axis=AXES)
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=VALUE)
def applies_a_sigmoid(probability, target, smooth=1.0):
    both, sizes = _sums(ops.sigmoid(probability), target)
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=VALUE)
def rounds_the_target(probability, target, smooth=1.0):
    both, sizes = _sums(probability, ops.cast(target > 0.5, "float32"))
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=VALUE)
def takes_the_smaller_of_both(probability, target, smooth=1.0):
    both = ops.sum(ops.minimum(probability, target), axis=AXES)
    return ops.mean(1 - (2 * both + smooth) / (_sums(probability, target)[1] + smooth))


@wrong("13.3", rejected_by=ALIKE)
def adds_up_the_whole_batch(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target, axis=None)
    return 1 - (2 * both + smooth) / (sizes + smooth)


@wrong("13.3", rejected_by=ALIKE)
def keeps_the_masks_apart(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target, axis=(1, 2))
    return ops.mean(1 - (2 * both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=SMOOTH)
def doubles_the_smoothing(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - 2 * (both + smooth) / (sizes + smooth))


@wrong("13.3", rejected_by=SMOOTH)
def always_smooths_by_one(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - (2 * both + 1) / (sizes + 1))


@wrong("13.3", rejected_by=NOTHING)
def smooths_below_the_line_alone(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - 2 * both / (sizes + smooth))


@wrong("13.3", rejected_by=NOTHING)
def does_not_smooth(probability, target, smooth=1.0):
    both, sizes = _sums(probability, target)
    return ops.mean(1 - 2 * both / sizes)


@wrong("13.3", rejected_by=HAS_SLOPE)
def loops_over_the_images(probability, target, smooth=1.0):
    losses = []
    for p, t in zip(probability, target, strict=True):
        both, sizes = _sums(p, t, axis=None)
        losses.append(1 - (2 * both + smooth) / (sizes + smooth))
    return ops.mean(ops.stack(losses))


# 13.4 the U-Net

BLOCKS = "blocks: down, at the bottom, and up again, with the filters of their scale"
DOWN = "the way down: a maximum over 2 × 2 pixels between two blocks"
UP = "the way up: each pixel becomes 2 × 2, and what was kept at that size is put beside it"
WITHOUT = "without skips: the same, but nothing is put beside"
LAST = "at last a 1 × 1 convolution that gives logits, one for each output and pixel"


def _unet(
    block,
    input_shape,
    n_outputs,
    filters,
    skips,
    pool=None,
    join=None,
    bottom=True,
    up_filters=None,
    head=None,
    first=False,
    always=False,
    enlarge=None,
    order=-1,
):
    """A U-Net with one thing wrong, or nothing."""
    pool, enlarge = pool or layers.MaxPooling2D(2), enlarge or layers.UpSampling2D(2)
    join = join or (lambda x, skip: layers.Concatenate()([x, skip]))
    x = inputs = keras.Input(tuple(input_shape))
    kept = []
    for n_filters in filters[:-1]:
        entered = x
        x = block(x, n_filters)
        kept.append(entered if first else x)
        x = pool(x)
    if bottom:
        x = block(x, filters[-1])
    for n_filters, skip in zip(up_filters or filters[-2::-1], kept[::order], strict=True):
        x = enlarge(x)
        if skips or always:
            x = join(x, skip)
        x = block(x, n_filters)
    return keras.Model(inputs, (head or layers.Conv2D(n_outputs, 1))(x))


@wrong("13.4", rejected_by=BLOCKS)
def has_no_bottom(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, bottom=False)


@wrong("13.4", rejected_by=BLOCKS)
def does_not_turn_the_filters_round(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, up_filters=list(filters[:-1]))


@wrong("13.4", rejected_by=BLOCKS)
def always_has_the_same_filters(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, (8, 16, 32), skips)


@wrong("13.4", rejected_by=DOWN)
def pools_by_the_mean(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, pool=layers.AveragePooling2D(2))


@wrong("13.4", rejected_by=DOWN)
def takes_every_second_pixel(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, pool=layers.MaxPooling2D(1, strides=2))


@wrong("13.4", rejected_by=UP)
def adds_the_skip(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    def join(x, skip):
        return layers.Add()([layers.Conv2D(skip.shape[-1], 1)(x), skip])

    return _unet(block, input_shape, n_outputs, filters, skips, join=join)


@wrong("13.4", rejected_by=UP)
def keeps_what_entered_the_block(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, first=True)


@wrong("13.4", rejected_by=UP)
def loses_the_way_up(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, join=lambda x, skip: skip)


@wrong("13.4", rejected_by=UP)
def never_has_skips(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, False)


@wrong("13.4", rejected_by=UP)
def smooths_when_enlarging(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    smooth = layers.UpSampling2D(2, interpolation="bilinear")
    return _unet(block, input_shape, n_outputs, filters, skips, enlarge=smooth)


@wrong("13.4", rejected_by=UP)
def has_no_skips_unless_asked(block, input_shape, n_outputs, filters=(8, 16, 32), skips=False):
    return _unet(block, input_shape, n_outputs, filters, skips)


@wrong("13.4", rejected_by=BLOCKS)
def has_filters_of_its_own_unless_asked(block, input_shape, n_outputs, filters=(16, 32, 64), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips)


@wrong("13.4", rejected_by=LAST)
def has_no_bias_at_last(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, head=layers.Conv2D(n_outputs, 1, use_bias=False))


@wrong("13.4", rejected_by=UP)
def takes_back_the_first_skip_first(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, order=1)


@wrong("13.4", rejected_by=WITHOUT)
def always_has_skips(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    return _unet(block, input_shape, n_outputs, filters, skips, always=True)


@wrong("13.4", rejected_by=LAST)
def ends_with_a_sigmoid(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    head = layers.Conv2D(n_outputs, 1, activation="sigmoid")
    return _unet(block, input_shape, n_outputs, filters, skips, head=head)


@wrong("13.4", rejected_by=LAST)
def ends_with_a_kernel_of_three(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    head = layers.Conv2D(n_outputs, 3, padding="same")
    return _unet(block, input_shape, n_outputs, filters, skips, head=head)


@wrong("13.4", rejected_by=LAST)
def ends_with_a_relu(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
    head = layers.Conv2D(n_outputs, 1, activation="relu")
    return _unet(block, input_shape, n_outputs, filters, skips, head=head)


# 13.5 rare classes and shares

FREQUENCY = "weights: the rarer, the heavier, and a pixel weighs 1 in the mean"
ABSENT = "a class that does not occur weighs nothing"
DICE_ALONE = "without weights nothing but the background's Dice is left"
ALL_SHARES = "shares of several classes in one pixel all count"
DOMINANT = "a pixel weighs as its dominant class does"
EACH_SLOPE = "it has a slope in every class"


def _dice(p, t):
    both, sizes = _sums(p, t)
    return ops.mean(1 - (2 * both + 1) / (sizes + 1))


def _weights(target):
    counts = np.bincount(target.argmax(axis=-1).ravel(), minlength=target.shape[-1])
    return np.where(counts > 0, counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1)), 0.0)


def _pixel_weight(target, weights):
    return ops.take(ops.convert_to_tensor(weights, dtype="float32"), ops.argmax(target, axis=-1), axis=0)


def _background(logits, target):
    return _dice(ops.softmax(logits, axis=-1)[..., -1:], target[..., -1:])


def _class_loss(logits, target, weights):
    cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost) + _background(logits, target)


def _frequencies(target):
    return np.bincount(target.argmax(axis=-1).ravel(), minlength=target.shape[-1]) / target[..., 0].size


def _inverse_of_shares(target):
    share = target.astype("float64").mean(axis=(0, 1, 2))
    return np.where(share > 0, 1 / (target.shape[-1] * np.maximum(share, 1e-9)), 0)


def _inverse_frequency(target):
    frequency = _frequencies(target)
    return np.where(frequency > 0, 1 / np.maximum(frequency, 1e-9), 0)


def _infinite_where_absent(target):
    with np.errstate(divide="ignore"):
        return 1 / (target.shape[-1] * _frequencies(target))


def _counts_all_classes(target):
    frequency = _frequencies(target)
    return np.where(frequency > 0, 1 / (target.shape[-1] * np.maximum(frequency, 1e-9)), 0)


def _too_short(target):
    return _weights(target)[: target.argmax(axis=-1).max() + 1]


for _name, _rejected_by, _function in (
    ("forgets_classes_after_the_last_that_occurs", ABSENT, _too_short),
    ("returns_the_frequencies", FREQUENCY, _frequencies),
    ("takes_the_mean_shares", FREQUENCY, _inverse_of_shares),
    ("does_not_divide_by_the_classes", FREQUENCY, _inverse_frequency),
    ("is_infinite_where_a_class_is_absent", ABSENT, _infinite_where_absent),
    ("counts_classes_that_do_not_occur", ABSENT, _counts_all_classes),
):
    add_wrong("13.5", _rejected_by, (_function, _class_loss), _name)


def _without_dice(logits, target, weights):
    cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost)


def _dice_of_all(logits, target, weights):
    return _without_dice(logits, target, weights) + _dice(ops.softmax(logits, axis=-1), target)


def _dice_of_a_sigmoid(logits, target, weights):
    return _without_dice(logits, target, weights) + _dice(ops.sigmoid(logits)[..., -1:], target[..., -1:])


def _dice_of_the_first(logits, target, weights):
    return _without_dice(logits, target, weights) + _dice(ops.softmax(logits, axis=-1)[..., :1], target[..., :1])


def _rounds(logits, target, weights):
    hard = ops.one_hot(ops.argmax(target, axis=-1), target.shape[-1])
    cost = -ops.sum(hard * ops.log_softmax(logits, axis=-1), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost) + _background(logits, target)


def _weights_each_class(logits, target, weights):
    terms = ops.convert_to_tensor(weights, dtype="float32") * target * ops.log_softmax(logits, axis=-1)
    return -ops.mean(ops.sum(terms, axis=-1)) + _background(logits, target)


def _weights_by_what_it_prefers(logits, target, weights):
    cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    heavy = ops.take(ops.convert_to_tensor(weights, dtype="float32"), ops.argmax(logits, axis=-1), axis=0)
    return ops.mean(heavy * cost) + _background(logits, target)


def _logarithm_of_softmax(logits, target, weights):
    cost = -ops.sum(target * ops.log(ops.softmax(logits, axis=-1)), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost) + _background(logits, target)


def _indexes_with_a_tensor(logits, target, weights):
    cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
    return ops.mean(weights[np.argmax(target, axis=-1)] * cost) + _background(logits, target)


def _softmax_twice(logits, target, weights):
    cost = -ops.sum(target * ops.log_softmax(ops.softmax(logits, axis=-1), axis=-1), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost) + _background(logits, target)


def _small_number_in_the_logarithm(logits, target, weights):
    cost = -ops.sum(target * ops.log(ops.softmax(logits, axis=-1) + 1e-7), axis=-1)
    return ops.mean(_pixel_weight(target, weights) * cost) + _background(logits, target)


for _name, _rejected_by, _function in (
    ("takes_the_softmax_twice", ALL_SHARES, _softmax_twice),
    ("puts_a_small_number_into_the_logarithm", STABLE, _small_number_in_the_logarithm),
    ("indexes_with_a_tensor", EACH_SLOPE, _indexes_with_a_tensor),
    ("has_no_dice", DICE_ALONE, _without_dice),
    ("has_dice_of_all_classes", DICE_ALONE, _dice_of_all),
    ("takes_dice_of_a_sigmoid", DICE_ALONE, _dice_of_a_sigmoid),
    ("takes_the_first_class_for_the_background", DICE_ALONE, _dice_of_the_first),
    ("rounds_the_shares", ALL_SHARES, _rounds),
    ("weights_each_class_of_a_pixel", DOMINANT, _weights_each_class),
    ("weights_by_the_class_the_network_prefers", DOMINANT, _weights_by_what_it_prefers),
    ("takes_the_logarithm_of_a_softmax", STABLE, _logarithm_of_softmax),
):
    add_wrong("13.5", _rejected_by, (_weights, _function), _name)


# 13.6 pairs

DIFFERENT = "as many pairs as asked for, each of two different galaxies"
MAGNITUDES = "magnitudes differ by less than 2"
CLOSE = "no closer than the larger radius"
FAR = "no farther than four times the smaller radius, and than the largest separation"
SPREAD = "separations are spread evenly between the two limits"
DIRECTIONS = "every direction occurs as often as any other"
EITHER = "either may be the brighter one, and all galaxies take part"
GENERATOR = "the random numbers come from rng"


def _pairs(magnitudes, radii, n, largest, rng, fits=None, low=max, high=min, draw=None, place=None, itself=False):
    """Pairs by the rules, with one of the rules changed."""
    fits = fits or (lambda a, b: abs(magnitudes[a] - magnitudes[b]) < 2)
    draw = draw or rng.uniform
    place = place or (lambda s, angle: (s * np.sin(angle), s * np.cos(angle)))
    pairs, offsets = [], []
    while len(pairs) < n:
        a, b = rng.integers(len(magnitudes), size=2)
        near, far = low(radii[a], radii[b]), min(4 * high(radii[a], radii[b]), largest)
        if (a == b and not itself) or not fits(a, b) or near > far:
            continue
        pairs.append((a, b))
        offsets.append(place(draw(near, far), rng.uniform(0, 2 * np.pi)))
    return np.array(pairs), np.array(offsets)


@wrong("13.6", rejected_by=DIFFERENT)
def pairs_a_galaxy_with_itself(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, itself=True)


@wrong("13.6", rejected_by=DIFFERENT)
def drops_pairs_that_do_not_fit(magnitudes, radii, n, largest, rng):
    pairs, offsets = _pairs(magnitudes, radii, n, largest, rng)
    return pairs[: n // 2], offsets[: n // 2]


@wrong("13.6", rejected_by=MAGNITUDES)
def forgets_the_absolute_value(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, fits=lambda a, b: magnitudes[a] - magnitudes[b] < 2)


@wrong("13.6", rejected_by=MAGNITUDES)
def ignores_the_magnitudes(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, fits=lambda a, b: True)


@wrong("13.6", rejected_by=CLOSE)
def begins_at_the_smaller_radius(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, low=min)


@wrong("13.6", rejected_by=FAR)
def ends_at_four_times_the_larger_radius(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, high=max)


@wrong("13.6", rejected_by=FAR)
def ignores_the_largest_separation(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, np.inf, rng)


@wrong("13.6", rejected_by=SPREAD)
def spreads_evenly_in_area(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, draw=lambda low, high: np.sqrt(rng.uniform(low**2, high**2)))


@wrong("13.6", rejected_by=SPREAD)
def begins_at_the_sum_of_both_radii(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, low=lambda a, b: a + b)


@wrong("13.6", rejected_by=SPREAD)
def puts_all_as_close_as_they_may_be(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, draw=lambda low, high: low)


@wrong("13.6", rejected_by=DIRECTIONS)
def draws_angles_up_to_pi(magnitudes, radii, n, largest, rng):
    return _pairs(
        magnitudes, radii, n, largest, rng, place=lambda s, angle: (s * np.sin(angle / 2), s * np.cos(angle / 2))
    )


@wrong("13.6", rejected_by=DIRECTIONS)
def draws_angles_in_degrees(magnitudes, radii, n, largest, rng):
    """From 0 to 360, handed to sin and cos as they are, but in whole quarters."""
    quarters = (0, np.pi / 2, np.pi, 3 * np.pi / 2)

    def place(s, angle):
        turn = quarters[int(angle / (np.pi / 2)) % 4]
        return s * np.sin(turn), s * np.cos(turn)

    return _pairs(magnitudes, radii, n, largest, rng, place=place)


@wrong("13.6", rejected_by=DIRECTIONS)
def takes_the_direction_of_a_place_in_a_square(magnitudes, radii, n, largest, rng):
    def place(s, angle):
        down, right = rng.uniform(-1, 1, size=2)
        return s * down / np.hypot(down, right), s * right / np.hypot(down, right)

    return _pairs(magnitudes, radii, n, largest, rng, place=place)


@wrong("13.6", rejected_by=EITHER)
def puts_the_earlier_one_in_the_middle(magnitudes, radii, n, largest, rng):
    return _pairs(
        magnitudes, radii, n, largest, rng, fits=lambda a, b: a < b and abs(magnitudes[a] - magnitudes[b]) < 2
    )


@wrong("13.6", rejected_by=EITHER)
def takes_the_next_one_for_the_companion(magnitudes, radii, n, largest, rng):
    def fits(a, b):
        return b == (a + 1) % len(radii) and abs(magnitudes[a] - magnitudes[b]) < 2

    return _pairs(magnitudes, radii, n, largest, rng, fits=fits)


@wrong("13.6", rejected_by=EITHER)
def never_draws_the_last_one(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes[:-1], radii[:-1], n, largest, rng)


@wrong("13.6", rejected_by=EITHER)
def puts_the_brighter_one_in_the_middle(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, rng, fits=lambda a, b: 0 <= magnitudes[b] - magnitudes[a] < 2)


@wrong("13.6", rejected_by=GENERATOR)
def makes_a_generator_of_its_own(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, np.random.default_rng(0))


@wrong("13.6", rejected_by=GENERATOR)
def draws_from_elsewhere(magnitudes, radii, n, largest, rng):
    return _pairs(magnitudes, radii, n, largest, np.random.default_rng())


@wrong("13.6", rejected_by=CLOSE)
def waits_for_a_pair_that_never_comes(magnitudes, radii, n, largest, rng):
    """Leaves out all pairs that could be farther apart than `largest`: in a narrow stamp, all."""

    def fits(a, b):
        return abs(magnitudes[a] - magnitudes[b]) < 2 and 4 * min(radii[a], radii[b]) <= largest

    return _pairs(magnitudes, radii, n, largest, rng, fits=fits)


# 13.7 what the network should answer

KIND = "float32, one channel for each of the three answers"
MASKS = "each mask: where the galaxy's own light is above the threshold"
SHARE = "the share: how much of a pixel's light is the central galaxy's"
DARK = "where there is no light at all, the share is one half"


def _light(central, companion):
    return (galaxy.sum(axis=-1) / np.sqrt(galaxy.shape[-1]) for galaxy in (central, companion))


def _share(a, b, elsewhere=0.5):
    total = a + b
    return np.where(total > 0, a / np.where(total > 0, total, 1), elsewhere)


def _answers(*channels, kind="float32", axis=-1):
    return np.stack(channels, axis=axis).astype(kind)


@wrong("13.7", rejected_by=KIND)
def stacks_at_the_front(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, _share(a, b), axis=0)


@wrong("13.7", rejected_by=KIND)
def returns_doubles(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, _share(a, b), kind="float64")


@wrong("13.7", rejected_by=MASKS)
def includes_the_threshold(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a >= threshold, b >= threshold, _share(a, b))


@wrong("13.7", rejected_by=MASKS)
def adds_the_bands_up(central, companion, threshold):
    a, b = (galaxy.sum(axis=-1) for galaxy in (central, companion))
    return _answers(a > threshold, b > threshold, _share(a, b))


@wrong("13.7", rejected_by=MASKS)
def takes_the_mean_of_the_bands(central, companion, threshold):
    a, b = (galaxy.mean(axis=-1) for galaxy in (central, companion))
    return _answers(a > threshold, b > threshold, _share(a, b))


@wrong("13.7", rejected_by=MASKS)
def gives_each_pixel_to_one_galaxy(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers((a > threshold) & (a >= b), (b > threshold) & (b > a), _share(a, b))


@wrong("13.7", rejected_by=MASKS)
def thresholds_the_light_of_both(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a + b > threshold, a + b > threshold, _share(a, b))


@wrong("13.7", rejected_by=MASKS)
def has_a_threshold_of_its_own(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > 1.5, b > 1.5, _share(a, b))


@wrong("13.7", rejected_by=SHARE)
def gives_the_companions_share(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, _share(b, a))


@wrong("13.7", rejected_by=SHARE)
def divides_one_by_the_other(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, np.where(b > 0, a / np.where(b > 0, b, 1), 0.5))


@wrong("13.7", rejected_by=SHARE)
def has_shares_in_the_masks_alone(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, np.where(np.maximum(a, b) > threshold, _share(a, b), 0.5))


@wrong("13.7", rejected_by=DARK)
def divides_by_no_light(central, companion, threshold):
    a, b = _light(central, companion)
    with np.errstate(invalid="ignore"):
        return _answers(a > threshold, b > threshold, a / (a + b))


@wrong("13.7", rejected_by=DARK)
def gives_no_share_where_it_is_dark(central, companion, threshold):
    a, b = _light(central, companion)
    return _answers(a > threshold, b > threshold, _share(a, b, elsewhere=0))


# 13.8 which source is which galaxy

MATCHED = "each galaxy has its source, or -1"
ONCE = "a source belongs to one galaxy at most"
NEAREST = "the nearest pair of all comes first"
REACH = "nothing is matched beyond reach"
NO_SOURCES = "no sources, or no galaxies"


def _distances(true, found):
    return np.hypot(true[:, None, 0] - found[None, :, 0], true[:, None, 1] - found[None, :, 1])


def _greedy(distance, reach):
    match = np.full(len(distance), -1)
    distance = np.where(distance <= reach, distance, np.inf)
    while distance.size and np.isfinite(distance).any():
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        match[row] = column
        distance[row], distance[:, column] = np.inf, np.inf
    return match


@wrong("13.8", rejected_by=MATCHED)
def has_one_number_for_each_source(true, found, reach):
    return _greedy(_distances(found, true), reach)


@wrong("13.8", rejected_by=MATCHED)
def says_yes_or_no(true, found, reach):
    return _greedy(_distances(true, found), reach) >= 0


@wrong("13.8", rejected_by=MATCHED)
def returns_floats(true, found, reach):
    return _greedy(_distances(true, found), reach).astype(float)


@wrong("13.8", rejected_by=MATCHED)
def returns_a_list(true, found, reach):
    return [int(k) for k in _greedy(_distances(true, found), reach)]


@wrong("13.8", rejected_by=ONCE)
def gives_a_source_to_two_galaxies(true, found, reach):
    distance = _distances(true, found)
    if not distance.size:
        return np.full(len(true), -1)
    return np.where(distance.min(axis=1) <= reach, distance.argmin(axis=1), -1)


@wrong("13.8", rejected_by=NEAREST)
def lets_the_galaxies_choose_in_their_order(true, found, reach):
    match, distance = np.full(len(true), -1), _distances(true, found)
    for row in range(len(true)):
        if distance.size and distance[row].min() <= reach:
            match[row] = distance[row].argmin()
            distance[:, match[row]] = np.inf
    return match


@wrong("13.8", rejected_by=NEAREST)
def matches_mutual_neighbours_alone(true, found, reach):
    """Who is not the nearest of the nearest goes without, even where another source is free."""
    match, distance = np.full(len(true), -1), _distances(true, found)
    for row in range(len(true) if distance.size else 0):
        column = distance[row].argmin()
        if distance[row, column] <= reach and distance[:, column].argmin() == row:
            match[row] = column
    return match


@wrong("13.8", rejected_by=NEAREST)
def takes_the_first_within_reach(true, found, reach):
    match, distance = np.full(len(true), -1), _distances(true, found)
    for row in range(len(true)):
        for column in range(len(found)):
            if distance[row, column] <= reach and column not in match:
                match[row] = column
                break
    return match


@wrong("13.8", rejected_by=REACH)
def ends_before_reach(true, found, reach):
    return _greedy(_distances(true, found), np.nextafter(reach, 0))


@wrong("13.8", rejected_by=REACH)
def knows_no_limit(true, found, reach):
    return _greedy(_distances(true, found), np.inf)


@wrong("13.8", rejected_by=REACH)
def measures_the_larger_coordinate(true, found, reach):
    return _greedy(np.abs(true[:, None] - found[None]).max(axis=2), reach)


@wrong("13.8", rejected_by=NO_SOURCES)
def fails_where_nothing_was_found(true, found, reach):
    match, distance = np.full(len(true), -1), _distances(true, found)
    distance[distance > reach] = np.inf
    while distance.min() < np.inf:
        row, column = np.unravel_index(distance.argmin(), distance.shape)
        match[row] = column
        distance[row], distance[:, column] = np.inf, np.inf
    return match


# 13.9 tiles

WINDOW = "the window: as good as nothing in the margin, then rising to the middle"
IDENTITY = "a prediction that changes nothing gives the image back"
ENDS = "the last tiles end where the image ends"
BATCH = "tiles are handed over as a batch, size × size, all bands"
ONE_PASS = "pixels that know their neighbours: the same as in one pass"
SMOOTHLY = "from one tile to the next it goes over smoothly"


def _ramp(size, margin, least=1e-6, first=1):
    pixel = np.arange(size)
    return np.maximum(np.minimum(pixel + first, size - 1 + first - pixel) - margin, least)


def _window(size, margin):
    return np.outer(_ramp(size, margin), _ramp(size, margin))


def _starts(length, size, step):
    return sorted({*range(0, length - size + 1, step), length - size})


def _in_tiles(predict, image, size, step, margin, window=_window, starts=_starts, divide=True, over=None):
    height, width = image.shape[:2]
    weight = window(size, margin)[..., None]
    total = weights = 0
    for row in starts(height, size, step):
        for column in starts(width, size, step):
            tile = image[row : row + size, column : column + size]
            predicted = np.asarray(predict(tile[None])[0])
            if np.ndim(total) == 0:
                total, weights = np.zeros((height, width, predicted.shape[-1])), np.zeros((height, width, 1))
            total[row : row + size, column : column + size] += weight * predicted
            weights[row : row + size, column : column + size] += weight
    with np.errstate(all="ignore"):
        return total / weights if divide else total


def _window_of_one_row(size, margin):
    return _ramp(size, margin)


def _window_of_sums(size, margin):
    return _ramp(size, margin)[:, None] + _ramp(size, margin)


def _window_from_zero(size, margin):
    return np.outer(_ramp(size, margin, first=0), _ramp(size, margin, first=0))


def _window_without_margin(size, margin):
    return _window(size, 0)


def _window_of_zeros(size, margin):
    return np.outer(_ramp(size, margin, least=0), _ramp(size, margin, least=0))


for _name, _function in (
    ("has_one_row_for_a_window", _window_of_one_row),
    ("adds_rows_and_columns", _window_of_sums),
    ("counts_from_zero", _window_from_zero),
    ("trusts_the_margin", _window_without_margin),
    ("gives_the_border_no_weight_at_all", _window_of_zeros),
):
    add_wrong("13.9", WINDOW, (_function, _in_tiles), _name)


def _adds_up(predict, image, size, step, margin):
    return _in_tiles(
        predict, image, size, step, margin, window=lambda size, margin: np.ones((size, size)), divide=False
    )


def _sums_like_the_image(predict, image, size, step, margin):
    total, weights = np.zeros_like(image), np.zeros((*image.shape[:2], 1))
    weight = _window(size, margin)[..., None]
    for row in _starts(image.shape[0], size, step):
        for column in _starts(image.shape[1], size, step):
            here = slice(row, row + size), slice(column, column + size)
            total[here] += weight * predict(image[here][None])[0]
            weights[here] += weight
    return total / weights


def _does_not_divide(predict, image, size, step, margin):
    return _in_tiles(predict, image, size, step, margin, divide=False)


def _leaves_the_rest(predict, image, size, step, margin):
    return _in_tiles(
        predict, image, size, step, margin, starts=lambda length, size, step: range(0, length - size + 1, step)
    )


def _spreads_the_tiles(predict, image, size, step, margin):
    def starts(length, size, step):
        return np.rint(np.linspace(0, length - size, len(_starts(length, size, step)))).astype(int)

    return _in_tiles(predict, image, size, step, margin, starts=starts)


def _cuts_the_rest_short(predict, image, size, step, margin):
    """The last tiles are smaller."""
    height, width = image.shape[:2]
    total, weights = np.zeros(image.shape), np.zeros((height, width, 1))
    for row in range(0, height, step):
        for column in range(0, width, step):
            here = slice(row, row + size), slice(column, column + size)
            predicted = np.asarray(predict(image[here][None])[0])
            weight = _window(size, margin)[: predicted.shape[0], : predicted.shape[1], None]
            total[here] += weight * predicted
            weights[here] += weight
    return total / weights


def _hands_over_single_tiles(predict, image, size, step, margin):
    return _in_tiles(lambda tiles: predict(tiles[0])[None], image, size, step, margin)


def _averages_evenly(predict, image, size, step, margin):
    return _in_tiles(predict, image, size, step, margin, window=lambda size, margin: np.ones((size, size)))


def _forgets_the_margin(predict, image, size, step, margin):
    return _in_tiles(predict, image, size, step, 0)


def _last_one_wins(predict, image, size, step, margin):
    whole = None
    for row in _starts(image.shape[0], size, step):
        for column in _starts(image.shape[1], size, step):
            predicted = np.asarray(predict(image[None, row : row + size, column : column + size])[0])
            whole = np.zeros((*image.shape[:2], predicted.shape[-1])) if whole is None else whole
            whole[row : row + size, column : column + size] = predicted
    return whole


def _divides_by_the_number_of_tiles(predict, image, size, step, margin):
    weight, total, count = _window(size, margin)[..., None], 0, 0
    for row in _starts(image.shape[0], size, step):
        for column in _starts(image.shape[1], size, step):
            here = slice(row, row + size), slice(column, column + size)
            predicted = np.asarray(predict(image[here][None])[0])
            whole = np.zeros((2, *image.shape[:2], predicted.shape[-1]))
            whole[0][here], whole[1][here] = weight * predicted, 1
            total, count = total + whole[0], count + whole[1]
    return total / count


for _name, _rejected_by, _function in (
    ("divides_by_the_number_of_tiles", IDENTITY, _divides_by_the_number_of_tiles),
    ("adds_up_the_tiles", IDENTITY, _adds_up),
    ("does_not_divide_by_the_weights", IDENTITY, _does_not_divide),
    ("keeps_sums_like_the_image", IDENTITY, _sums_like_the_image),
    ("leaves_out_the_last_rows_and_columns", ENDS, _leaves_the_rest),
    ("spreads_the_tiles_evenly", BATCH, _spreads_the_tiles),
    ("makes_the_last_tiles_smaller", BATCH, _cuts_the_rest_short),
    ("hands_over_single_tiles", BATCH, _hands_over_single_tiles),
    ("averages_evenly", ONE_PASS, _averages_evenly),
    ("forgets_the_margin", ONE_PASS, _forgets_the_margin),
    ("lets_the_last_tile_win", SMOOTHLY, _last_one_wins),
):
    add_wrong("13.9", _rejected_by, (_window, _function), _name)
