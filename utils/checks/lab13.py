"""Checks of lab 13, U-Net."""

import keras
import numpy as np
import scipy.ndimage
import scipy.optimize
import scipy.spatial
import scipy.special
import scipy.stats
import skimage.measure
import sklearn.metrics
import sklearn.utils

from utils.checks import Exercise, expect, run, subtest
from utils.losses import compiled, slope_of
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "unet_iou": Claim("IoU of the U-Net's masks of blended galaxies, mean of central and companion", ">= 0.8", SHARE),
    "skip_gain": Claim("How much higher this IoU is than that of the twin without skips", ">= 0.01"),
    "sep_iou": Claim("The same IoU for SEP; a galaxy that was not found counts as 0", None, SHARE),
    "photutils_iou": Claim("The same IoU for photutils", None, SHARE),
    "watershed_iou": Claim("The same IoU for a plain watershed", None, SHARE),
    "flux_error": Claim("Mean relative error of the U-Net's fluxes of blended galaxies", None, POSITIVE),
    "sep_flux_error": Claim("The same for SEP; a galaxy that was not found has an error of 1", None, POSITIVE),
    "photutils_flux_error": Claim("The same for photutils", None, POSITIVE),
    "flux_ratio": Claim(
        "The U-Net's flux error over that of SEP (SExtractor's method), for which a galaxy not found has an error of 1",
        "<= 0.333",
        POSITIVE,
    ),
    "flux_ratio_photutils": Claim("The U-Net's flux error over that of photutils", None, POSITIVE),
    "sep_finds_both": Claim("Share of the blends in which SEP finds both galaxies", None, SHARE),
    "star_recall_gain": Claim(
        "How much more star pixels a weighted cross-entropy finds than a plain one", ">= 0.1", (-1.0, 1.0)
    ),
    "source_iou": Claim("IoU of source against sky on simulated fields, network", ">= 0.8", SHARE),
    "threshold_iou": Claim("The same for the best threshold", None, SHARE),
    "seam": Claim("Largest difference between tiles that overlap and one pass", "<= 0.0001", POSITIVE),
    "tile_completeness": Claim("Completeness of the U-Net on the real tile, to magnitude 24", None, SHARE),
    "sep_tile_completeness": Claim("The same for SEP", None, SHARE),
    "tile_purity": Claim("Purity of the U-Net's sources on the real tile", None, SHARE),
    "sep_tile_purity": Claim("The same for SEP", None, SHARE),
    "tuned_tile_iou": Claim("What a few labels of the real tile add to the IoU of its source pixels", None),
}

LARGE = 60.0  # a logit of something that is as good as certain


# --- 13.1 -------------------------------------------------------------------------------------------------------------


class Overlap(Exercise):
    id = "13.1"
    title = "how well two masks agree"
    hints = (
        "Whatever the type of the numbers: first decide for each pixel whether it is in the mask or not. Then count.",
        "Turn both into bool by > 0.5. Both: a & b, one or the other: a | b. Sum over the last two axes, so that each "
        "image has its own count. What if the union is empty?",
        "a, b = predicted > 0.5, true > 0.5; both = (a & b).sum(axis=(1, 2)); union = (a | b).sum(axis=(1, 2)); iou = "
        "np.where(union > 0, both / np.maximum(union, 1), 1.0); dice = 2 * iou / (1 + iou).",
    )

    def inputs(self, rng):
        def masks(shape, share):
            true = rng.random(shape) < share
            return (true ^ (rng.random(shape) < 0.15)), true

        bools, unsigned, floats = masks((4, 9, 13), 0.4), masks((3, 30, 25), 0.5), masks((2, 6, 7), 0.3)
        soft = rng.uniform(0, 1, size=(3, 7, 6)), rng.random((3, 7, 6)) < 0.5
        halves = [np.where(rng.random((2, 8, 9)) < 0.3, 0.5, rng.uniform(0, 1, size=(2, 8, 9))) for _ in range(2)]
        empty_one, full = np.zeros((3, 5, 6), bool), rng.random((3, 5, 6)) < 0.6
        nobody, somebody = full.copy(), full.copy()
        nobody[0], somebody[1] = False, False
        apart = np.zeros((1, 6, 6)), np.zeros((1, 6, 6))
        apart[0][0, :2], apart[1][0, 3:] = 1, 1
        sizes = np.zeros((2, 12, 12), np.uint8), np.zeros((2, 12, 12), np.uint8)
        sizes[0][0, :2, :2], sizes[1][0, :2, :1] = 1, 1  # a small pair that fits by half
        sizes[0][1, :10], sizes[1][1, :10] = 1, 1  # a large one that fits wholly
        return {
            "bool": {"predicted": bools[0], "true": bools[1]},
            "uint8": {"predicted": unsigned[0].astype(np.uint8), "true": unsigned[1].astype(np.uint8)},
            "float32": {"predicted": floats[0].astype(np.float32), "true": floats[1].astype(np.float32)},
            "bool and float": {"predicted": floats[0], "true": floats[1].astype(np.float32)},
            "probabilities": {"predicted": soft[0], "true": soft[1]},
            "probabilities, some of 0.5": {"predicted": halves[0], "true": halves[1]},
            "0 and 255": {"predicted": unsigned[0] * np.uint8(255), "true": unsigned[1] * np.uint8(255)},
            "the same, bool": {"predicted": full, "true": full.copy()},
            "the same, float": {"predicted": full * 1.0, "true": full * 1.0},
            "both empty": {"predicted": empty_one, "true": empty_one.copy()},
            "one empty": {"predicted": nobody, "true": somebody},
            "apart": {"predicted": apart[0], "true": apart[1]},
            "a small and a large one": {"predicted": sizes[0], "true": sizes[1]},
        }

    def reference(self):
        def overlap(predicted, true):
            pairs = [(np.ravel(a > 0.5), np.ravel(b > 0.5)) for a, b in zip(predicted, true, strict=True)]
            iou = [sklearn.metrics.jaccard_score(b, a, zero_division=1) for a, b in pairs]
            return np.array(iou), np.array([sklearn.metrics.f1_score(b, a, zero_division=1) for a, b in pairs])

        return overlap

    def _compare(self, cases, observed, name):
        predicted, true = cases[name]["predicted"], cases[name]["true"]
        got = observed[name]
        if not isinstance(got, list) or len(got) != 2:
            raise expect.NotYet(f"{name}: return two things, the IoU and the Dice of each image.")
        if any(isinstance(part, list) for part in got):
            raise expect.NotYet(f"{name}: got a list: return NumPy arrays, the lab takes their means.")
        pairs = [(np.ravel(a > 0.5), np.ravel(b > 0.5)) for a, b in zip(predicted, true, strict=True)]
        iou = np.array([sklearn.metrics.jaccard_score(b, a, zero_division=1) for a, b in pairs])
        dice = np.array([sklearn.metrics.f1_score(b, a, zero_division=1) for a, b in pairs])
        a, b = predicted > 0.5, true > 0.5
        both, sizes = _count(a & b), _count(a) + _count(b)
        with np.errstate(all="ignore"):
            p, t = (values.astype("float64") for values in (predicted, true))
            added = predicted + true if predicted.dtype == true.dtype else p + t
            union_by_sum = added.astype("float64").sum(axis=(1, 2))
            published = both / (union_by_sum - both)
            soft = (p * t).sum(axis=(1, 2)) / (p + t - p * t).sum(axis=(1, 2))
            ones, lit = (predicted == 1, true == 1), (predicted != 0, true != 0)
            at_least = (predicted >= 0.5, true >= 0.5)
            mistakes = {
                "Exactly 0.5 is not above 0.5: compare by >.": _count(at_least[0] & at_least[1])
                / _count(at_least[0] | at_least[1]),
                "The true mask may hold numbers between 0 and 1, too: compare both by > 0.5.": _count(a & lit[1])
                / _count(a | lit[1]),
                "Compare by > 0.5: a mask may hold 255 where another one holds 1.": np.where(
                    _count(ones[0] | ones[1]) > 0, _count(ones[0] & ones[1]) / _count(ones[0] | ones[1]), 1
                ),
                "A small value is not in the mask: compare by > 0.5.": _count(lit[0] & lit[1])
                / _count(lit[0] | lit[1]),
                "You divided by the sum of both sizes: the pixels in both count once in the union.": both / sizes,
                "This is the Dice coefficient: the IoU comes first.": dice,
                "This is 1 − IoU.": 1 - iou,
                "Nothing is added above or below the line: IoU is a ratio of counts.": (both + 1) / (_count(a | b) + 1),
                "This is one number for all images: give one for each.": np.array(both.sum() / _count(a | b).sum()),
                "This is the mean over the images: give one for each.": iou.mean(),
                "This is the share of the pixels that agree, the accuracy.": (a == b).mean(axis=(1, 2)),
                "The pixels in both are missing in the union: it is a | b (and not a ^ b; and of bool arrays a + b is "
                "OR already, from which nothing is to be taken away).": published,
                "This uses the values as they are: first decide which pixels are in the mask, > 0.5.": soft,
                "Two empty masks agree wholly: that counts as 1.": np.where(_count(a | b) > 0, iou, 0),
                "Only two empty masks agree wholly; where one alone is empty, the IoU is 0.": np.where(
                    (_count(a) > 0) & (_count(b) > 0), iou, 1
                ),
            }
            mistakes = {text: value for text, value in mistakes.items() if not np.array_equal(value, iou)}
            if np.shape(got[0]) == iou.shape and np.isnan(np.asarray(got[0], float)).any():
                raise expect.NotYet(f"{name}: got NaN: where both masks are empty, IoU and Dice are 1.")
            expect.close(got[0], iou, f"{name}, IoU", rtol=1e-6, mistakes=mistakes)
            mistakes = {
                "The factor 2 is missing.": dice / 2,
                "This is the IoU: Dice comes second.": iou,
                "This is 2 × IoU: in Dice the pixels in both are in both sizes.": 2 * iou,
                "This is the mean over the images: give one for each.": dice.mean(),
                "Two empty masks agree wholly: that counts as 1.": np.where(sizes > 0, dice, 0),
                "This is Dice of all images together: give one for each.": np.array(2 * both.sum() / sizes.sum()),
            }
            if np.shape(got[1]) == dice.shape and np.isnan(np.asarray(got[1], float)).any():
                raise expect.NotYet(f"{name}: got NaN: where both masks are empty, IoU and Dice are 1.")
            expect.close(got[1], dice, f"{name}, Dice", rtol=1e-6, mistakes=mistakes)

    @subtest("a mask agrees wholly with itself, whatever its type")
    def itself(self, cases, observed):
        for name in ("the same, bool", "the same, float"):
            self._compare(cases, observed, name)

    @subtest("bool masks: IoU and Dice agree with the library")
    def booleans(self, cases, observed):
        for name in ("bool", "apart"):
            self._compare(cases, observed, name)

    @subtest("masks of integers and of floats give the same as bool ones")
    def types(self, cases, observed):
        for name in ("uint8", "float32", "bool and float", "0 and 255"):
            self._compare(cases, observed, name)

    @subtest("a probability above 0.5 is in the mask, one below is not")
    def probabilities(self, cases, observed):
        for name in ("probabilities", "probabilities, some of 0.5"):
            self._compare(cases, observed, name)

    @subtest("each image has its own value")
    def each(self, cases, observed):
        self._compare(cases, observed, "a small and a large one")

    @subtest("empty masks: two agree, one alone does not")
    def empty(self, cases, observed):
        for name in ("both empty", "one empty"):
            self._compare(cases, observed, name)


def _count(mask):
    return mask.sum(axis=(1, 2))


# --- 13.2 -------------------------------------------------------------------------------------------------------------


class CrossEntropy(Exercise):
    id = "13.2"
    title = "cross-entropy for each pixel, from logits"
    hints = (
        "ln sigmoid(z) can be written without a sigmoid that is rounded to 0. Which function has ln(1 + exp(z))?",
        "−ln sigmoid(z) = softplus(−z), and −ln(1 − sigmoid(z)) = softplus(z). keras.ops.softplus does not overflow. "
        "The weight stands in front of the first of the two terms alone.",
        "return keras.ops.mean(weight * target * keras.ops.softplus(-logits) + (1 - target) * "
        "keras.ops.softplus(logits)).",
    )

    def inputs(self, rng):
        def case(shape, scale=2.0, **options):
            logits = rng.normal(scale=scale, size=shape).astype("float32")
            return {"logits": logits, "target": (rng.random(shape) < 0.3).astype("float32"), **options}

        sure = case((2, 4, 3, 1))
        sure["logits"] = np.where(sure["target"] > 0, LARGE, -LARGE).astype("float32")
        wrong = case((2, 4, 3, 1), weight=3.0)
        wrong["logits"] = np.where(wrong["target"] > 0, -LARGE, LARGE).astype("float32")
        far = case((1, 5, 4, 1), weight=2.0)
        far["logits"] = (far["logits"] * 3000).astype("float32")
        soft = case((2, 6, 5, 3), weight=4.0)
        soft["target"] = rng.uniform(0, 1, size=(2, 6, 5, 3)).astype("float32")
        return {
            "plain": case((3, 5, 7, 1)),
            "plain, several masks": case((2, 4, 6, 3)),
            "weight 5": case((3, 6, 4, 1), weight=5.0),
            "weight 0.5": case((1, 6, 9, 2), weight=0.5),
            "shares as targets": soft,
            "sure and right": sure,
            "sure and wrong": wrong,
            "very large logits": far,
        }

    def observe(self, answer, cases):
        observed = {name: run(answer, **case) for name, case in cases.items()}
        for name in ("weight 5", "sure and wrong"):
            rest = {key: value for key, value in cases[name].items() if key != "logits"}
            observed[f"slope, {name}"] = run(slope_of, lambda z, rest=rest: answer(z, **rest), cases[name]["logits"])
        case = cases["weight 5"]
        observed["weight 5, in a training"] = run(
            _in_training, lambda t, z: answer(z, t, weight=case["weight"]), case["target"], case["logits"]
        )
        return observed

    def reference(self):
        def cross_entropy(logits, target, weight=1.0):
            z, t = (keras.ops.convert_to_tensor(x, dtype="float32") for x in (logits, target))
            source = keras.ops.binary_crossentropy(keras.ops.ones_like(z), z, from_logits=True)
            background = keras.ops.binary_crossentropy(keras.ops.zeros_like(z), z, from_logits=True)
            return keras.ops.mean(weight * t * source + (1 - t) * background)

        return cross_entropy

    def _compare(self, cases, observed, name):
        z, t = (cases[name][key].astype("float64") for key in ("logits", "target"))
        weight = cases[name].get("weight", 1.0)
        yes, no = -scipy.special.log_expit(z), -scipy.special.log_expit(-z)
        pixels = weight * t * yes + (1 - t) * no
        p = scipy.special.expit(z)
        with np.errstate(all="ignore"):
            clipped, as_probability = (np.clip(x.astype("float32"), 1e-7, 1 - 1e-7) for x in (p, z))
            hard = np.where(t > 0.5, weight * yes, no)
            mistakes = {
                "The probabilities were clipped: a network that is sure and wrong pays too little, and learns nothing "
                "from it. Use softplus of the logits.": (
                    -weight * t * np.log(clipped) - (1 - t) * np.log(1 - clipped)
                ).mean(),
                "This is the sum over the pixels: take the mean.": pixels.sum(),
                "This is the sum over the pixels of an image: take the mean over all.": pixels.sum() / len(z),
                "One value for each image: take the mean over all pixels of the batch.": pixels.mean(axis=(1, 2, 3)),
                "The masks were added up: take the mean over them, too.": pixels.sum(axis=-1).mean(),
                "A small number was put into the logarithm: a network that is sure and wrong pays too little. Use "
                "softplus of the logits.": (
                    -weight * t * np.log(p.astype("float32") + np.float32(1e-7))
                    - (1 - t) * np.log(1 - p.astype("float32") + np.float32(1e-7))
                ).mean(),
                "Logits and target were exchanged.": (
                    weight * z * np.logaddexp(0, -t) + (1 - z) * np.logaddexp(0, t)
                ).mean(),
                "A sigmoid was applied before: softplus takes the logits themselves.": (
                    weight * t * np.logaddexp(0, -p) + (1 - t) * np.logaddexp(0, p)
                ).mean(),
                "The weight is mixed with the share: it stands before the first term alone.": (
                    (1 + (weight - 1) * t) * (t * yes + (1 - t) * no)
                ).mean(),
                "The logits were taken for probabilities.": np.mean(
                    -weight * t * np.log(as_probability) - (1 - t) * np.log(1 - as_probability)
                ),
                "The target was rounded: a share of 0.3 pays for 0.3 of the one and 0.7 of the other.": hard.mean(),
                "The weight is not used, or it is divided out again.": (t * yes + (1 - t) * no).mean(),
                "The weight stands before both terms: it belongs to the first alone.": weight
                * (t * yes + (1 - t) * no).mean(),
                "The weight belongs to the pixels of the source, target 1, not to the background.": (
                    t * yes + weight * (1 - t) * no
                ).mean(),
                "The background's term is missing: (1 − target) · ….": (weight * t * yes).mean(),
                "The signs of the logits are exchanged.": (weight * t * no + (1 - t) * yes).mean(),
                "The sign: a loss is positive.": -pixels.mean(),
                "This is the mean over weights, Σ w ℓ / Σ w: divide by the number of pixels.": pixels.sum()
                / (weight * t + 1 - t).sum(),
            }
        mistakes = {
            text: value
            for text, value in mistakes.items()
            if np.shape(value) or not np.isclose(value, pixels.mean(), rtol=1e-4)
        }
        got = observed[name]
        if got is not None and np.shape(got) == () and not np.isfinite(np.asarray(got, float)):
            raise expect.NotYet(
                f"{name}: the loss is not a finite number. ln 0 is infinite, exp of a large logit overflows, and "
                "below 0 there is no logarithm: use ops.softplus of the logits, which knows no such limit."
            )
        expect.close(got, pixels.mean(), name, rtol=1e-4, atol=1e-6, mistakes=mistakes)

    @subtest("without a weight it is the library's binary cross-entropy")
    def plain(self, cases, observed):
        for name in ("plain", "plain, several masks"):
            self._compare(cases, observed, name)

    @subtest("the weight counts for pixels of the source alone")
    def weighted(self, cases, observed):
        for name in ("weight 5", "weight 0.5"):
            self._compare(cases, observed, name)

    @subtest("targets may be shares")
    def shares(self, cases, observed):
        self._compare(cases, observed, "shares as targets")

    @subtest("sure and right costs nothing, sure and wrong costs what it should")
    def stable(self, cases, observed):
        for name in ("sure and right", "sure and wrong", "very large logits"):
            self._compare(cases, observed, name)

    @subtest("it has the right slope, also where the network is sure and wrong")
    def slope(self, cases, observed):
        for name in ("weight 5", "sure and wrong"):
            z, t = (cases[name][key].astype("float64") for key in ("logits", "target"))
            p, weight = scipy.special.expit(z), cases[name]["weight"]
            want = (weight * t * (p - 1) + (1 - t) * p) / z.size
            expect.close(
                observed[f"slope, {name}"],
                want,
                f"{name}, slope of the loss with respect to the logits",
                rtol=1e-3,
                atol=1e-7,
                mistakes={"The slope is zero: the network learns nothing from these pixels.": np.zeros(z.shape)},
            )
        expect.close(
            observed["weight 5, in a training"], observed["weight 5"], "weight 5, in a training", rtol=1e-4, atol=1e-6
        )


def _in_training(loss, *arrays):
    """What a loss says when Keras compiles it, as a number."""
    return float(np.mean(keras.ops.convert_to_numpy(compiled(loss, *arrays))))


# --- 13.3 -------------------------------------------------------------------------------------------------------------


class DiceLoss(Exercise):
    id = "13.3"
    title = "Dice as a loss"
    hints = (
        "Dice counts pixels that are in both. What is the count of pixels in both, when one mask says 0.3?",
        "Multiply and add up: Σ p t instead of the count of both, Σ p and Σ t instead of the sizes. Over which axes, "
        "so that each image of the batch has its own Dice? `smooth` stands above and below the fraction line.",
        "axes = (1, 2, 3); both = ops.sum(p * t, axis=axes); sizes = ops.sum(p, axis=axes) + ops.sum(t, axis=axes); "
        "return ops.mean(1 - (2 * both + smooth) / (sizes + smooth)).",
    )

    def inputs(self, rng):
        def target(shape, share=0.4):
            return (rng.random(shape) < share).astype("float32")

        def soft(shape):
            return rng.uniform(0, 1, size=shape).astype("float32")

        hard = target((3, 6, 7, 1))
        small_and_large = np.zeros((2, 8, 9, 1), "float32")
        small_and_large[0, 2, 3], small_and_large[1, :6] = 1, 1
        half = target((1, 7, 5, 1))
        full = target((1, 5, 4, 1))
        padded = np.pad(full, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=1)
        p = soft(full.shape)
        more = np.pad(p, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=1)
        empty = np.zeros((2, 4, 5, 1), "float32")
        return {
            "masks of 0 and 1": {
                "probability": np.abs(hard - (rng.random(hard.shape) < 0.2)).astype("float32"),
                "target": hard,
                "smooth": 0.0,
            },
            "a perfect mask": {"probability": hard, "target": hard.copy()},
            "a constant": {"probability": np.full(half.shape, 0.25, "float32"), "target": half, "smooth": 0.0},
            "shares as targets": {"probability": soft((2, 6, 5, 1)), "target": soft((2, 6, 5, 1))},
            "batch": {"probability": soft(small_and_large.shape), "target": small_and_large},
            "smooth 8": {"probability": p, "target": full, "smooth": 8.0},
            "four sure pixels more": {"probability": more, "target": padded, "smooth": 0.0},
            "both empty": {"probability": empty, "target": empty.copy()},
            "nothing there, something seen": {"probability": empty + 0.5, "target": empty.copy()},
            "two masks": {"probability": soft((2, 5, 6, 2)), "target": target((2, 5, 6, 2))},
        } | {"slope": {"probability": soft((1, 3, 4, 1)), "target": target((1, 3, 4, 1), 0.5)}}

    def observe(self, answer, cases):
        observed = {name: run(answer, **case) for name, case in cases.items()}
        whole = cases["batch"]
        for name, piece in (("batch, first", slice(0, 1)), ("batch, second", slice(1, 2))):
            observed[name] = run(answer, **{key: value[piece] for key, value in whole.items()})
        case = cases["slope"]
        observed["slope"] = run(slope_of, lambda p: answer(p, case["target"]), case["probability"])
        observed["batch, in a training"] = run(
            _in_training, lambda t, p: answer(p, t), whole["target"], whole["probability"]
        )
        return observed

    def reference(self):
        def dice_loss(probability, target, smooth=1.0):
            ops = keras.ops
            p, t = (ops.convert_to_tensor(x, dtype="float32") for x in (probability, target))
            p, t = (ops.reshape(x, (ops.shape(x)[0], -1)) for x in (p, t))
            both = ops.einsum("ni,ni->n", p, t)
            return 1 - ops.mean((2 * both + smooth) / (ops.einsum("ni->n", p) + ops.einsum("ni->n", t) + smooth))

        return dice_loss

    @subtest("for masks of 0 and 1 it is 1 − Dice of each image, averaged")
    def hard(self, cases, observed):
        case = cases["masks of 0 and 1"]
        p, t = (case[key].reshape(len(case["target"]), -1) for key in ("probability", "target"))
        dice = [sklearn.metrics.f1_score(b, a) for a, b in zip(p, t, strict=True)]
        iou = [sklearn.metrics.jaccard_score(b, a) for a, b in zip(p, t, strict=True)]
        whole = sklearn.metrics.f1_score(t.ravel(), p.ravel())
        mistakes = {
            "This is Dice, not the loss: 1 − Dice.": np.mean(dice),
            "The factor 2 is missing.": 1 - np.mean(dice) / 2,
            "This is 1 − IoU.": 1 - np.mean(iou),
            "This is 1 − Dice of all images together: each image has its own.": 1 - whole,
            "One value for each image: take the mean over the batch.": 1 - np.array(dice),
            "This is the sum over the images: take the mean.": np.sum(1 - np.array(dice)),
            "`smooth` is 0 here: use the argument.": None,
        }
        mistakes = {key: value for key, value in mistakes.items() if value is not None}
        expect.close(
            observed["masks of 0 and 1"], 1 - np.mean(dice), "masks of 0 and 1", rtol=1e-4, atol=1e-5, mistakes=mistakes
        )

    @subtest("a perfect mask costs nothing")
    def perfect(self, cases, observed):
        expect.close(observed["a perfect mask"], 0.0, "a perfect mask", atol=1e-5)

    @subtest("probabilities count by their value: nothing is rounded")
    def constant(self, cases, observed):
        t = cases["a constant"]["target"].mean()
        want = 1 - 2 * 0.25 * t / (0.25 + t)
        mistakes = {
            "The probabilities were rounded to 0 and 1: then there is no slope to go down.": 1.0,
            "The sizes are sums of squares here: the formula has Σ p.": 1 - 2 * 0.25 * t / (0.25**2 + t),
            "This is Dice, not the loss: 1 − Dice.": 1 - want,
            "A sigmoid was applied: the exercise gets probabilities, not logits.": (
                1 - 2 * scipy.special.expit(0.25) * t / (scipy.special.expit(0.25) + t)
            ),
        }
        expect.close(observed["a constant"], want, "a constant of 0.25", rtol=1e-4, mistakes=mistakes)
        p, t = (cases["shares as targets"][key].astype(float) for key in ("probability", "target"))

        def loss(both, p, t):
            return np.mean(1 - (2 * both.sum(axis=(1, 2, 3)) + 1) / ((p + t).sum(axis=(1, 2, 3)) + 1))

        hard = (t > 0.5) * 1.0
        mistakes = {
            "The target was rounded to 0 and 1.": loss(p * hard, p, hard),
            "What both have is the product here, Σ p t, not the smaller one.": loss(np.minimum(p, t), p, t),
        }
        expect.close(
            observed["shares as targets"], loss(p * t, p, t), "shares as targets", rtol=1e-4, mistakes=mistakes
        )

    @subtest("each image counts alike, the small galaxy's as much as the large one's")
    def per_image(self, cases, observed):
        want = (np.asarray(observed["batch, first"]) + np.asarray(observed["batch, second"])) / 2
        case = cases["batch"]
        p, t = case["probability"].astype(float), case["target"].astype(float)
        whole = 1 - (2 * np.sum(p * t) + 1) / (np.sum(p) + np.sum(t) + 1)
        mistakes = {"The sums run over the whole batch: a small galaxy is lost beside a large one.": whole}
        expect.shape(observed["batch"], (), "batch of two")
        expect.close(
            observed["batch"], want, "batch of two, against the mean of both alone", rtol=1e-4, mistakes=mistakes
        )
        case = cases["two masks"]
        p, t = (case[key].reshape(2, -1).astype(float) for key in ("probability", "target"))
        want = np.mean(1 - (2 * (p * t).sum(axis=1) + 1) / (p.sum(axis=1) + t.sum(axis=1) + 1))
        p, t = (case[key].astype(float) for key in ("probability", "target"))
        apart = np.mean(1 - (2 * (p * t).sum(axis=(1, 2)) + 1) / ((p + t).sum(axis=(1, 2)) + 1))
        expect.close(
            observed["two masks"],
            want,
            "images with two masks: sums run over rows, columns and masks",
            rtol=1e-4,
            mistakes={"Each mask has a Dice of its own here.": apart},
        )

    @subtest("`smooth` is like half as many pixels more that are sure and right")
    def smoothing(self, cases, observed):
        case = cases["smooth 8"]
        p, t = (case[key].astype(float) for key in ("probability", "target"))
        both, sizes = np.sum(p * t), np.sum(p) + np.sum(t)
        mistakes = {
            "`smooth` is not used.": 1 - 2 * both / sizes,
            "`smooth` stands above the fraction line too.": 1 - 2 * both / (sizes + 8),
            "`smooth` is multiplied by 2 above the fraction line: 2 Σ p t + smooth.": 1 - 2 * (both + 8) / (sizes + 8),
            "`smooth` is 1 here: use the argument.": 1 - (2 * both + 1) / (sizes + 1),
            "`smooth` stands below the fraction line too.": 1 - (2 * both + 8) / sizes,
            "`smooth` belongs above and below the fraction line, not beside it.": 1 - (2 * both / sizes + 8),
            "Half of `smooth` was added.": 1 - (2 * both + 4) / (sizes + 4),
            "These are means: with `smooth`, only sums do.": 1 - (2 * both / p.size + 8) / (sizes / p.size + 8),
        }
        got, want = observed["smooth 8"], observed["four sure pixels more"]
        expect.close(got, want, "smooth 8, against four sure pixels more", rtol=1e-4, mistakes=mistakes)
        expect.close(got, 1 - (2 * both + 8) / (sizes + 8), "smooth 8", rtol=1e-4, mistakes=mistakes)

    @subtest("an empty image: nothing seen costs nothing, something seen costs much")
    def empty(self, cases, observed):
        for name, want in (("both empty", 0.0), ("nothing there, something seen", 1 - 1 / 11)):
            got = observed[name]
            if np.shape(got) == () and np.isnan(np.asarray(got, float)):
                raise expect.NotYet(f"{name}: got NaN: `smooth` stands above and below the fraction line.")
            mistakes = {"Where nothing is there and nothing is seen, Dice is 1: `smooth` stands above, too.": 1.0}
            expect.close(got, want, name, rtol=1e-4, atol=1e-5, mistakes=mistakes if want == 0 else {})

    @subtest("it has a slope")
    def slope(self, cases, observed):
        p, t = (cases["slope"][key].astype(float) for key in ("probability", "target"))
        both, sizes = np.sum(p * t), np.sum(p) + np.sum(t)
        want = -2 * t / (sizes + 1) + (2 * both + 1) / (sizes + 1) ** 2
        mistakes = {"The slope is zero: was a probability rounded?": np.zeros(p.shape)}
        expect.close(observed["slope"], want, "slope with respect to the probabilities", rtol=1e-3, mistakes=mistakes)
        expect.close(observed["batch, in a training"], observed["batch"], "batch, in a training", rtol=1e-4, atol=1e-6)


# --- 13.4 -------------------------------------------------------------------------------------------------------------


class UNet(Exercise):
    id = "13.4"
    title = "the U-Net"
    hints = (
        "On the way down, what you will need again on the way up has to be kept. Which comes back first: the first "
        "kept, or the last?",
        "Down: for all filters but the last, x = block(x, f), append x to a list, x = MaxPooling2D(2)(x). At the "
        "bottom: block with the last filters. Up: for the same filters in reverse order, UpSampling2D(2), with skips "
        "the "
        "Concatenate of x and what was kept at this size, then block. At last Conv2D(n_outputs, 1).",
        "for f, skip in zip(reversed(filters[:-1]), reversed(kept)): x = layers.UpSampling2D(2)(x); if skips: x = "
        "layers.Concatenate()([x, skip]); x = block(x, f). Then keras.Model(inputs, layers.Conv2D(n_outputs, 1)(x)).",
    )

    def inputs(self, rng):
        def case(shape, n_outputs, filters, skips=True, free=False, default=False):
            return {
                "default": default,
                "images": rng.normal(size=(2, *shape)).astype("float32"),
                "n_outputs": n_outputs,
                "filters": list(filters),
                "skips": skips,
                "free": free,
                "seed": int(rng.integers(1e6)),
            }

        return {
            "three scales": case((16, 16, 3), 1, (3, 5, 7)),
            "four scales, not square": case((16, 24, 2), 4, (2, 4, 3, 6)),
            "two scales": case((6, 4, 1), 2, (4, 3)),
            "without skips": case((16, 8, 3), 3, (3, 6, 5), skips=False),
            "any size": case((12, 20, 3), 2, (4, 5, 6), free=True),
            "filters and skips not handed over": case((4, 8, 2), 1, (8, 16, 32), default=True),
        }

    def observe(self, answer, cases):
        return {name: run(_look_at_unet, answer, case) for name, case in cases.items()}

    def reference(self):
        def unet(block, input_shape, n_outputs, filters=(8, 16, 32), skips=True):
            layers = keras.layers
            image = keras.Input(tuple(input_shape))

            def from_here(x, filters):  # a U-Net is a block, a smaller U-Net in its middle, and a block
                x = block(x, filters[0])
                if len(filters) == 1:
                    return x
                below = layers.UpSampling2D()(from_here(layers.MaxPool2D()(x), filters[1:]))
                return block(layers.concatenate([below, x]) if skips else below, filters[0])

            return keras.Model(image, layers.Conv2D(n_outputs, 1)(from_here(image, list(filters))))

        return unet

    @subtest("blocks: down, at the bottom, and up again, with the filters of their scale")
    def filters(self, cases, observed):
        for name, case in cases.items():
            down = case["filters"]
            want = [*down, *down[-2::-1]]
            mistakes = {
                "The bottom has one block.": [*down, *down[::-1]],
                "On the way up the filters come in reverse order.": [*down, *down[:-1]],
                "That is the way down alone.": down,
                "These are the default filters: take those that are handed over.": [8, 16, 32, 16, 8],
                "There is no block at the bottom.": [*down[:-1], *down[-2::-1]],
            }
            mistakes = {key: value for key, value in mistakes.items() if value != want}
            expect.equal(
                list(observed[name]["filters"]), list(want), f"{name}, filters of the blocks", mistakes=mistakes
            )

    @subtest("the way down: a maximum over 2 × 2 pixels between two blocks")
    def down(self, cases, observed):
        for name, case in cases.items():
            entering, leaving = observed[name]["entering"], observed[name]["leaving"]
            scales = len(case["filters"])
            _expect_blocks(entering, case, name)
            expect.close(entering[0], case["images"], f"{name}, what enters the first block", rtol=1e-4, atol=1e-5)
            for k in range(1, scales):
                before = leaving[k - 1]
                want = skimage.measure.block_reduce(before, (1, 2, 2, 1), np.max)
                mistakes = {
                    "This is the mean over 2 × 2 pixels: take the maximum.": skimage.measure.block_reduce(
                        before, (1, 2, 2, 1), np.mean
                    ),
                    "Nothing is pooled here.": before,
                    "These are every second row and column: pool.": before[:, ::2, ::2],
                    "This is pooled twice.": skimage.measure.block_reduce(before, (1, 4, 4, 1), np.max),
                }
                expect.close(
                    entering[k], want, f"{name}, what enters block {k + 1}", rtol=1e-4, atol=1e-5, mistakes=mistakes
                )

    @subtest("the way up: each pixel becomes 2 × 2, and what was kept at that size is put beside it")
    def up(self, cases, observed):
        for name in (
            "three scales",
            "four scales, not square",
            "two scales",
            "any size",
            "filters and skips not handed over",
        ):
            self._way_up(cases[name], observed[name], name)

    @subtest("without skips: the same, but nothing is put beside")
    def without(self, cases, observed):
        self._way_up(cases["without skips"], observed["without skips"], "without skips")

    def _way_up(self, case, observed, name):
        entering, leaving, scales = observed["entering"], observed["leaving"], len(case["filters"])
        _expect_blocks(entering, case, name)
        for k in range(scales, 2 * scales - 1):
            below = leaving[k - 1].repeat(2, axis=1).repeat(2, axis=2)
            skip = leaving[2 * scales - 2 - k]
            got, what = entering[k], f"{name}, what enters block {k + 1}"
            expect.equal(
                list(got.shape[1:3]),
                list(below.shape[1:3]),
                f"{what}, height and width",
                mistakes={"It has to be enlarged by 2 first.": list(leaving[k - 1].shape[1:3])},
            )
            mistakes = {}
            if case["skips"]:
                early = leaving[k - scales]
                mistakes = {
                    "Nothing is put beside: with skips, concatenate what was kept.": below,
                    "That is the skip alone: the way up is lost.": skip,
                    "What was kept last has to come back first.": np.concatenate([below, early], axis=-1)
                    if early.shape[:3] == below.shape[:3] and early.shape != skip.shape
                    else None,
                    "It was added: put it beside, Concatenate.": below + skip if below.shape == skip.shape else None,
                    "What is put beside is what the block took, not what it gave.": np.concatenate(
                        [below, entering[2 * scales - 2 - k]], axis=-1
                    ),
                }
                mistakes = {key: value for key, value in mistakes.items() if value is not None}
                want = np.concatenate([below, skip], axis=-1)
                if np.shape(got) == want.shape and np.allclose(
                    got, np.concatenate([skip, below], axis=-1), rtol=1e-4, atol=1e-5
                ):
                    continue  # either order does
            else:
                want = below
                mistakes = {"With skips=False nothing is put beside.": np.concatenate([below, skip], axis=-1)}
                mistakes["With skips=False nothing is put beside. "] = np.concatenate([skip, below], axis=-1)
            mistakes[_missing(got, below, skip if case["skips"] else below)] = got
            expect.close(got, want, what, rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("at last a 1 × 1 convolution that gives logits, one for each output and pixel")
    def head(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            want_shape = (*case["images"].shape[:3], case["n_outputs"])
            expect.shape(got["outputs"], want_shape, f"{name}, outputs")
            weights = got["last"]
            if len(weights) == 1 and np.ndim(weights[0]) == 4:
                raise expect.NotYet(
                    f"{name}: the last convolution has no bias: leave use_bias as it is, Conv2D(n_outputs, 1)."
                )
            if len(weights) != 2 or np.ndim(weights[0]) != 4:
                raise expect.NotYet(
                    f"{name}: the last layer with weights should be a convolution: Conv2D(n_outputs, 1)."
                )
            kernel, bias = weights
            expect.shape(
                kernel,
                (1, 1, case["filters"][0], case["n_outputs"]),
                f"{name}, kernel of the last layer",
                mistakes={
                    "Its kernel has one pixel: Conv2D(n_outputs, 1).": (3, 3, case["filters"][0], case["n_outputs"])
                },
            )
            z = got["leaving"][-1].astype("float64") @ kernel[0, 0] + bias
            mistakes = {
                "These are probabilities: the last layer has no activation.": scipy.special.expit(z),
                "These are probabilities (softmax): the last layer has no activation.": scipy.special.softmax(
                    z, axis=-1
                ),
                "A ReLU on the logits: the last layer has no activation.": np.maximum(z, 0),
            }
            expect.close(got["outputs"], z, f"{name}, outputs", rtol=1e-3, atol=1e-4, mistakes=mistakes)


def _missing(got, below, skip):
    """Which of two parts of what enters a block is not there."""
    for part, text in (
        (below, "What the block below gave, each pixel as 2 × 2, is no part of it: enlarge by UpSampling2D(2) alone."),
        (skip, "What the block on the way down gave at this size is no part of it: concatenate that, as it is."),
    ):
        n = part.shape[-1]
        sides = [side for side in (got[..., :n], got[..., -n:]) if side.shape == part.shape]
        if not any(np.allclose(side, part, rtol=1e-4, atol=1e-5) for side in sides):
            return text
    return "There is more in it than that."


def _look_at_unet(answer, case):
    """What enters and leaves each block that the builder calls, for some images: plain data."""
    filters, entering, leaving = [], [], []

    def block(x, n_filters):
        filters.append(int(n_filters))
        entering.append(x)
        leaving.append(keras.layers.Conv2D(n_filters, 3, padding="same", activation="tanh")(x))
        return leaving[-1]

    images = case["images"]
    shape = (None, None, images.shape[-1]) if case["free"] else images.shape[1:]
    options = {} if case["default"] else {"filters": tuple(case["filters"]), "skips": case["skips"]}
    try:
        model = answer(block, shape, case["n_outputs"], **options)
    except ValueError as error:
        if "Concatenate" not in str(error):
            raise
        raise ValueError(
            "tensors of different height and width cannot be put beside each other. Is x enlarged before, and does "
            f"what was kept last come back first? Keras says: {' '.join(str(error).split())[:160]}"
        ) from None
    if model is None:
        raise TypeError("the function returned None: does it end with `return keras.Model(inputs, outputs)`?")
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a keras.Model, got {type(model).__name__}")
    if not filters:
        raise TypeError("the block that was handed over was never called")
    rng = np.random.default_rng(case["seed"])
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        variable.assign(rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[:-1]))))
    probe = keras.Model(model.inputs, [*entering, *leaving, model.outputs[0]])
    *tensors, outputs = (keras.ops.convert_to_numpy(tensor) for tensor in probe(images, training=False))
    weights = [layer for layer in model.layers if layer.weights][-1].get_weights()
    n = len(filters)
    return {
        "filters": filters,
        "entering": tensors[:n],
        "leaving": tensors[n:],
        "outputs": outputs,
        "last": weights,
    }


def _expect_blocks(tensors, case, name):
    want = 2 * len(case["filters"]) - 1
    expect.equal(len(tensors), want, f"{name}, number of blocks")


# --- 13.5 -------------------------------------------------------------------------------------------------------------


class SoftClasses(Exercise):
    id = "13.5"
    title = "rare classes and shares as labels"
    hints = (
        "The largest share of a pixel says which class dominates there. How often does each class dominate?",
        "Weights: np.bincount of the argmax over the last axis; 1 / (classes that occur × frequency), 0 for the "
        "others. "
        "Loss: keras.ops.log_softmax of the logits times the shares, summed over the classes, with a minus; times the "
        "weight of the pixel's dominant class (keras.ops.take of the weights at the argmax); the mean; plus dice_loss "
        "of "
        "the background's probability, the last channel of the softmax.",
        "counts = np.bincount(target.argmax(axis=-1).ravel(), minlength=target.shape[-1]); frequency = counts / "
        "counts.sum(). And: cost = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1); heavy = "
        "ops.take(weights, ops.argmax(target, axis=-1), axis=0); return ops.mean(heavy * cost) + "
        "dice_loss(ops.softmax(logits, axis=-1)[..., -1:], target[..., -1:]).",
    )

    def inputs(self, rng):
        def target(shape, classes, concentration):
            return rng.dirichlet(np.asarray(concentration, float), size=shape).astype("float32")[..., :classes]

        rare = np.array([0.6, 0.8, 0.3, 6.0])
        soft = target((3, 6, 7), 4, rare)
        hard = np.eye(3, dtype="float32")[rng.choice(3, p=[0.05, 0.15, 0.8], size=(2, 9, 8))]
        hard[0, 0, :3] = np.eye(3)  # each class occurs
        absent = np.eye(4, dtype="float32")[rng.choice([1, 3], p=[0.3, 0.7], size=(2, 5, 6))]
        absent[0, 0, :2] = np.eye(4)[[1, 3]]

        early = np.eye(4, dtype="float32")[rng.choice([0, 2], p=[0.3, 0.7], size=(2, 5, 6))]
        early[0, 0, :2] = np.eye(4)[[0, 2]]

        def logits(like, scale=1.5):
            return rng.normal(scale=scale, size=like.shape).astype("float32")

        sure = hard.copy()
        ones = np.ones(4, "float32")
        weights = np.array([2.0, 1.5, 4.0, 0.3], "float32")
        return {
            "frequencies of one class each": {"target": hard},
            "frequencies of shares": {"target": soft},
            "a class that does not occur": {"target": absent},
            "the last class does not occur": {"target": early},
            "all weights 0": {"logits": logits(soft), "target": soft, "weights": 0 * ones},
            "all weights 1": {"logits": logits(soft), "target": soft, "weights": ones},
            "weights": {"logits": logits(soft), "target": soft, "weights": weights},
            "one class each": {"logits": logits(hard), "target": hard, "weights": weights[:3]},
            "sure and right": {
                "logits": (LARGE * (2 * sure - 1)).astype("float32"),
                "target": sure,
                "weights": ones[:3],
            },
            "sure and wrong": {
                "logits": (LARGE * (1 - 2 * sure)).astype("float32"),
                "target": sure,
                "weights": ones[:3],
            },
        }

    def observe(self, answer, cases):
        class_weights, class_loss = answer
        observed = {
            name: run(class_weights if "logits" not in case else class_loss, **case) for name, case in cases.items()
        }
        case = cases["weights"]
        observed["slope"] = run(slope_of, lambda z: class_loss(z, case["target"], case["weights"]), case["logits"])
        observed["in a training"] = run(
            _in_training, lambda t, z: class_loss(z, t, case["weights"]), case["target"], case["logits"]
        )
        return observed

    def reference(self):
        def class_weights(target):
            dominant = target.argmax(axis=-1).ravel()
            present = np.unique(dominant)
            weights = np.zeros(target.shape[-1])
            weights[present] = sklearn.utils.compute_class_weight("balanced", classes=present, y=dominant)
            return weights

        def class_loss(logits, target, weights):
            ops = keras.ops
            t = ops.convert_to_tensor(target, dtype="float32")
            z = ops.convert_to_tensor(logits, dtype="float32")
            dominant = ops.one_hot(ops.argmax(t, axis=-1), t.shape[-1])
            heavy = ops.sum(dominant * ops.convert_to_tensor(weights, dtype="float32"), axis=-1)
            cost = ops.categorical_crossentropy(t, z, from_logits=True)
            p = ops.softmax(z, axis=-1)[..., -1]
            both = ops.sum(p * t[..., -1], axis=(1, 2))
            sizes = ops.sum(p, axis=(1, 2)) + ops.sum(t[..., -1], axis=(1, 2))
            return ops.mean(heavy * cost) + ops.mean(1 - (2 * both + 1) / (sizes + 1))

        return class_weights, class_loss

    @subtest("weights: the rarer, the heavier, and a pixel weighs 1 in the mean")
    def frequencies(self, cases, observed):
        for name in ("frequencies of one class each", "frequencies of shares"):
            target = cases[name]["target"]
            dominant = target.argmax(axis=-1).ravel()
            present = np.unique(dominant)
            want = np.zeros(target.shape[-1])
            want[present] = sklearn.utils.compute_class_weight("balanced", classes=present, y=dominant)
            frequency = np.bincount(dominant, minlength=target.shape[-1]) / len(dominant)
            share = target.astype("float64").mean(axis=(0, 1, 2))
            with np.errstate(divide="ignore"):
                mistakes = {
                    "These are the frequencies: the weights are their inverse.": frequency,
                    "This is 1 / frequency: divide by the number of classes, so that a pixel weighs 1 in the mean.": (
                        1 / frequency
                    ),
                    "These weights add up to 1: the mean over the pixels should be 1.": (1 / frequency)
                    / (1 / frequency).sum(),
                    "These are 1 − frequency.": 1 - frequency,
                    "These are the inverse mean shares: count in how many pixels each class dominates.": 1
                    / (len(share) * share),
                    "This divides by the number of images: a pixel is what counts.": want / len(target),
                }
            mistakes = {k: v for k, v in mistakes.items() if not np.allclose(v, want)}
            expect.close(observed[name], want, name, rtol=1e-4, mistakes=mistakes)

    @subtest("a class that does not occur weighs nothing")
    def absent(self, cases, observed):
        for name in ("a class that does not occur", "the last class does not occur"):
            self._absent(cases, observed, name)

    def _absent(self, cases, observed, name):
        target = cases[name]["target"]
        counts = np.bincount(target.argmax(axis=-1).ravel(), minlength=4)
        with np.errstate(divide="ignore"):
            want = np.where(counts > 0, counts.sum() / (2 * np.maximum(counts, 1)), 0)
            mistakes = {
                "A class that does not occur got an infinite weight.": counts.sum() / (2 * counts),
                "A class that does not occur got an infinite weight. ": counts.sum() / (4 * counts),
                "Each class has a weight, also the last one: np.bincount(…, minlength=number of classes).": (
                    want[: np.flatnonzero(counts)[-1] + 1]
                ),
                "Divide by the number of classes that occur.": np.where(
                    counts > 0, counts.sum() / (4 * np.maximum(counts, 1)), 0
                ),
            }
        mistakes = {k: v for k, v in mistakes.items() if v.shape != want.shape or not np.allclose(v, want)}
        expect.close(observed[name], want, name, rtol=1e-4, mistakes=mistakes)

    def _compare(self, cases, observed, name):
        z, t = (cases[name][key].astype("float64") for key in ("logits", "target"))
        weights = cases[name]["weights"].astype("float64")
        logs = scipy.special.log_softmax(z, axis=-1)
        cost, p = -(t * logs).sum(axis=-1), np.exp(logs)
        dominant = t.argmax(axis=-1)
        heavy = weights[dominant]

        def dice(a, b, axes=(1, 2), smooth=1):
            return np.mean(1 - (2 * (a * b).sum(axis=axes) + smooth) / (a.sum(axis=axes) + b.sum(axis=axes) + smooth))

        background = dice(p[..., -1], t[..., -1])
        want = (heavy * cost).mean() + background
        hard = -np.take_along_axis(logs, dominant[..., None], axis=-1)[..., 0]
        sigmoid = scipy.special.expit(z[..., -1])
        float_p = p.astype("float32")
        mistakes = {
            "A small number was put into the logarithm, or the probabilities were clipped: use log_softmax.": (
                -heavy * (t * np.log(float_p + np.float32(1e-7))).sum(axis=-1)
            ).mean()
            + background,
            "A softmax was applied before: log_softmax takes the logits themselves.": (
                -heavy * (t * scipy.special.log_softmax(p, axis=-1)).sum(axis=-1)
            ).mean()
            + background,
            "The target of Dice was rounded: it is a share, too.": (heavy * cost).mean()
            + dice(p[..., -1], (t[..., -1] > 0.5) * 1.0),
            "The Dice loss of the background is missing.": (heavy * cost).mean(),
            "Dice is not smoothed here: leave the `smooth` of dice_loss at 1.": (heavy * cost).mean()
            + dice(p[..., -1], t[..., -1], smooth=0),
            "This is the sum over the pixels of an image: take the mean over all.": (heavy * cost).sum() / len(z)
            + background,
            "This is the mean over the classes, too: add their terms up.": (heavy * cost).mean() / z.shape[-1]
            + background,
            "The weights are not used.": cost.mean() + background,
            "The cross-entropy is missing.": background,
            "The shares were rounded to the dominant class: a pixel is charged for all its shares.": (
                heavy * hard
            ).mean()
            + background,
            "The weight belongs to the pixel, by its dominant class; here each class's term has its own.": (
                -(weights * t * logs).sum(axis=-1).mean() + background
            ),
            "The weight is that of the class the network prefers: take the target's.": (
                weights[p.argmax(axis=-1)] * cost
            ).mean()
            + background,
            "This is the mean over the weights, Σ w ℓ / Σ w: divide by the number of pixels.": (heavy * cost).sum()
            / max(heavy.sum(), 1e-12)
            + background,
            "This is the sum over the pixels: take the mean.": (heavy * cost).sum() + background,
            "This is Dice, not 1 − Dice.": (heavy * cost).mean() + 1 - background,
            "Dice of all classes: only the background's.": (heavy * cost).mean() + dice(p, t, (1, 2, 3)),
            "Dice of the first class: the background is the last one.": (heavy * cost).mean()
            + dice(p[..., 0], t[..., 0]),
            "Dice of the sigmoid of one logit: the probabilities are those of the softmax.": (heavy * cost).mean()
            + dice(sigmoid, t[..., -1]),
            "Dice took the logits: it wants probabilities.": (heavy * cost).mean() + dice(z[..., -1], t[..., -1]),
        }
        mistakes = {text: value for text, value in mistakes.items() if not np.isclose(value, want, rtol=1e-3)}
        got = observed[name]
        if got is not None and np.shape(got) == () and not np.isfinite(np.asarray(got, float)):
            if not weights.any():
                raise expect.NotYet(
                    f"{name}: the loss is not a finite number. A mean over weights, Σ w ℓ / Σ w, would be 0 / 0 here: "
                    "divide by the number of pixels."
                )
            raise expect.NotYet(f"{name}: the loss is not a finite number: use log_softmax, not the log of a softmax.")
        expect.close(got, want, name, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("without weights nothing but the background's Dice is left")
    def dice_alone(self, cases, observed):
        self._compare(cases, observed, "all weights 0")

    @subtest("shares of several classes in one pixel all count")
    def shares(self, cases, observed):
        self._compare(cases, observed, "all weights 1")

    @subtest("a pixel weighs as its dominant class does")
    def weighted(self, cases, observed):
        for name in ("weights", "one class each"):
            self._compare(cases, observed, name)

    @subtest("sure and right costs nothing, sure and wrong costs what it should")
    def stable(self, cases, observed):
        for name in ("sure and right", "sure and wrong"):
            self._compare(cases, observed, name)

    @subtest("it has a slope in every class")
    def slope(self, cases, observed):
        slope = np.asarray(observed["slope"])
        expect.shape(slope, cases["weights"]["logits"].shape, "slope of the loss")
        expect.true(np.isfinite(slope).all(), "The slope of the loss is not finite everywhere.")
        expect.true(
            bool((np.abs(slope).max(axis=(0, 1, 2)) > 1e-5).all()), "The loss has no slope for one of the classes."
        )
        expect.close(observed["in a training"], observed["weights"], "weights, in a training", rtol=1e-4, atol=1e-5)


# --- 13.6 -------------------------------------------------------------------------------------------------------------


class Pairs(Exercise):
    id = "13.6"
    title = "pairs of galaxies, by the rules"
    hints = (
        "Draw two galaxies, look whether the rules allow them, and if not, draw again. How do you get a place at a "
        "given "
        "distance, in any direction?",
        "Loop until you have n. rng.integers(len(magnitudes), size=2); the same one twice, magnitudes that differ by "
        "2 or "
        "more, or max(r) > min(4 min(r), largest): draw again. Then a separation, uniform between the two, and an "
        "angle, "
        "uniform from 0 to 2π; down = s sin, right = s cos.",
        "low, high = max(radii[a], radii[b]), min(4 * min(radii[a], radii[b]), largest); if a == b or "
        "abs(magnitudes[a] - magnitudes[b]) >= 2 or low > high: continue; s = rng.uniform(low, high).",
    )

    def inputs(self, rng):
        def case(n_galaxies, n, largest, spread=0.15):
            return {
                "magnitudes": rng.uniform(19, 23, size=n_galaxies),
                "radii": np.maximum(3 * 10 ** rng.normal(0, spread, size=n_galaxies), 1.3),  # 4 × 1.3 > a narrow stamp
                "n": n,
                "largest": largest,
                "seed": int(rng.integers(1e6)),
            }

        return {
            "many": case(60, 3000, 10.0),
            "very different sizes": case(30, 400, 40.0, spread=0.4),
            "a narrow stamp": case(80, 400, 5.0),
            "few galaxies": case(7, 300, 12.0, spread=0.02),
        }

    def observe(self, answer, cases):
        def once(seed, **case):
            pairs, offsets = answer(rng=_Patient(np.random.PCG64(seed)), **case)
            return [np.asarray(pairs), np.asarray(offsets)]

        def twice(seed, **case):
            rng = _Patient(np.random.PCG64(seed))
            return [np.asarray(answer(rng=rng, **case)[1]) for _ in range(2)]

        observed = {name: run(once, **case) for name, case in cases.items()}
        few = cases["few galaxies"]
        return observed | {"again": run(once, **few), "one after the other": run(twice, **few)}

    def reference(self):
        def draw_pairs(magnitudes, radii, n, largest, rng):
            first, second = np.nonzero(~np.eye(len(radii), dtype=bool))
            low = np.maximum(radii[first], radii[second])
            high = np.minimum(4 * np.minimum(radii[first], radii[second]), largest)
            fits = (np.abs(magnitudes[first] - magnitudes[second]) < 2) & (low <= high)
            chosen = rng.choice(np.flatnonzero(fits), size=n)
            place = rng.uniform(low[chosen], high[chosen]) * np.exp(2j * np.pi * rng.random(n))
            return np.stack([first[chosen], second[chosen]], axis=1), np.stack([place.imag, place.real], axis=1)

        return draw_pairs

    def _drawn(self, cases, observed, name):
        n, galaxies = cases[name]["n"], len(cases[name]["radii"])
        pairs, offsets = (np.asarray(part) for part in observed[name])
        expect.shape(pairs, (n, 2), f"{name}, pairs")
        expect.shape(offsets, (n, 2), f"{name}, offsets")
        expect.true(pairs.dtype.kind in "iu", f"{name}: pairs are positions in the arrays, whole numbers.")
        expect.between(pairs, 0, galaxies - 1, f"{name}, positions")
        return pairs, offsets, np.hypot(*offsets.T)

    def _limits(self, case, pairs):
        radii = case["radii"][pairs]
        return radii.max(axis=1), np.minimum(4 * radii.min(axis=1), case["largest"])

    @subtest("as many pairs as asked for, each of two different galaxies")
    def different(self, cases, observed):
        for name in cases:
            pairs, _, _ = self._drawn(cases, observed, name)
            same = np.mean(pairs[:, 0] == pairs[:, 1])
            expect.true(same == 0, f"{name}: {same:.0%} of the pairs are one galaxy with itself.")

    @subtest("magnitudes differ by less than 2")
    def magnitudes(self, cases, observed):
        for name in cases:
            pairs, _, _ = self._drawn(cases, observed, name)
            difference = np.diff(cases[name]["magnitudes"][pairs], axis=1)[:, 0]
            wide = np.mean(np.abs(difference) >= 2)
            if (wide and not np.any(difference >= 2)) or (wide and not np.any(difference <= -2)):
                raise expect.NotYet(f"{name}: the difference may be 2 neither upwards nor downwards: abs is missing.")
            expect.true(wide == 0, f"{name}: the magnitudes of {wide:.0%} of the pairs differ by 2 or more.")

    @subtest("no closer than the larger radius")
    def not_too_close(self, cases, observed):
        for name in cases:
            pairs, _, separation = self._drawn(cases, observed, name)
            low, _ = self._limits(cases[name], pairs)
            close = np.mean(separation < low * (1 - 1e-6))
            smaller = cases[name]["radii"][pairs].min(axis=1)
            low, high = self._limits(cases[name], pairs)
            expect.true(
                close == 0 or np.any((separation < low * (1 - 1e-6)) & (low <= high)),
                f"{name}: {close:.0%} of the pairs have no room: the larger radius is above the upper limit. Such "
                "a pair is not used, another one is drawn.",
            )
            more = (
                " They keep to the smaller radius: the larger counts." if np.all(separation >= smaller * 0.999) else ""
            )
            if np.all(separation >= cases[name]["radii"][pairs[:, 0]] * 0.999):
                more = " They keep to the central galaxy's radius: the larger one counts, whose ever it is."
            expect.true(close == 0, f"{name}: {close:.0%} of the pairs are closer than the larger radius.{more}")

    @subtest("no farther than four times the smaller radius, and than the largest separation")
    def not_too_far(self, cases, observed):
        for name in cases:
            pairs, _, separation = self._drawn(cases, observed, name)
            largest = cases[name]["largest"]
            beyond = np.mean(separation > largest * (1 + 1e-6))
            expect.true(beyond == 0, f"{name}: {beyond:.0%} of the pairs are farther apart than `largest`.")
            four = 4 * cases[name]["radii"][pairs]
            far = np.mean(separation > four.min(axis=1) * (1 + 1e-6))
            more = " They keep to four times the larger." if np.all(separation <= four.max(axis=1) * 1.001) else ""
            if np.all(separation <= four[:, 0] * 1.001):
                more = " They keep to four times the central galaxy's radius: the smaller one counts."
            expect.true(far == 0, f"{name}: {far:.0%} are farther apart than four times the smaller radius.{more}")

    @subtest("separations are spread evenly between the two limits")
    def spread(self, cases, observed):
        pairs, _, separation = self._drawn(cases, observed, "many")
        low, high = self._limits(cases["many"], pairs)
        fraction = ((separation - low) / np.maximum(high - low, 1e-9))[high - low > 1e-3]
        radii = cases["many"]["radii"][pairs]
        for narrow, text in (
            (
                separation >= radii.sum(axis=1) * 0.999,
                "are all at least the sum of both radii: begin at the larger one",
            ),
            (separation <= 2 * radii.min(axis=1) * 1.001, "end at twice the smaller radius: four times"),
        ):
            expect.true(not narrow.all(), f"many: the separations {text}.")
        expect.true(
            scipy.stats.kstest(fraction, "uniform").pvalue > 1e-6,
            "many: the separations are not spread evenly between the limits, from the larger radius to the smaller of "
            "4 × the smaller radius and `largest`. Draw each from its own whole range, uniform in the distance: not in "
            "the area, and not cut off afterwards.",
        )

    @subtest("every direction occurs as often as any other")
    def directions(self, cases, observed):
        _, offsets, _ = self._drawn(cases, observed, "many")
        for axis, what in enumerate(("down", "to the right")):
            if np.all(offsets[:, axis] >= 0):
                raise expect.NotYet(f"many: companions are never on one side: offsets {what} are all positive.")
        turn = np.arctan2(*offsets.T) / (2 * np.pi) + 0.5
        expect.true(
            scipy.stats.kstest(turn, "uniform").pvalue > 1e-6,
            "many: some directions occur more often than others: draw an angle, uniform from 0 to 2π.",
        )
        from_axis = np.abs(8 * turn % 2 - 1)  # 1 along rows and columns, 0 along the diagonals
        expect.true(
            scipy.stats.kstest(from_axis, "uniform").pvalue > 1e-6,
            "many: companions are more often along the diagonals than along rows and columns, or the other way round: "
            "draw an angle, not a place in a square.",
        )

    @subtest("either may be the brighter one, and all galaxies take part")
    def either(self, cases, observed):
        pairs, _, _ = self._drawn(cases, observed, "many")
        magnitudes = cases["many"]["magnitudes"][pairs]
        brighter = np.mean(magnitudes[:, 0] < magnitudes[:, 1])
        expect.true(
            0.35 < brighter < 0.65,
            f"many: the central galaxy is the brighter one in {brighter:.0%} of the pairs; it should be in about half.",
        )
        case = cases["many"]
        n, every = len(case["radii"]), np.array(list(np.ndindex(len(case["radii"]), len(case["radii"]))))
        low, high = self._limits(case, every)
        fits = (
            (np.abs(np.diff(case["magnitudes"][every], axis=1)[:, 0]) < 2) & (low <= high) & (every.T[0] != every.T[1])
        )
        partners = fits.reshape(n, n).sum(axis=1)
        likely = case["n"] * partners > 30 * partners.sum()  # galaxies that are drawn some 30 times or more
        for column, what in enumerate(("the central one", "the companion")):
            never = int((likely & ~np.isin(np.arange(n), pairs[:, column])).sum())
            expect.true(
                never == 0,
                f"many: {never} galaxies that fit many others are never {what}: draw both from all galaxies.",
            )
        different = len(np.unique(pairs, axis=0))
        expect.true(
            different > 0.25 * min(len(pairs), fits.sum()),
            f"many: only {different} different pairs among {len(pairs)}: draw the companion at random, too.",
        )

    @subtest("the random numbers come from rng")
    def generator(self, cases, observed):
        again, before = (np.asarray(observed[name][1]) for name in ("again", "few galaxies"))
        expect.true(
            again.shape == before.shape and np.array_equal(again, before),
            "few galaxies: two generators with the same seed give different pairs: draw from rng, nothing else.",
        )
        first, second = (np.asarray(part) for part in observed["one after the other"])
        expect.true(
            not np.array_equal(first, second),
            "few galaxies: two calls with one generator give the same pairs: do not make a new generator.",
        )


class _Patient(np.random.Generator):
    """A generator like any other, but not for ever: a loop that never finds a pair ends."""

    left = 500_000

    def __getattribute__(self, name):
        if not name.startswith("_") and name != "left":
            self.left -= 1
            if self.left < 0:
                raise RuntimeError(
                    "half a million draws, and still not enough pairs: your rules leave no room. A pair is left "
                    "out only where the larger radius is above four times the smaller one, or above `largest`"
                )
        return super().__getattribute__(name)


# --- 13.7 -------------------------------------------------------------------------------------------------------------


class Targets(Exercise):
    id = "13.7"
    title = "what the network should answer for a blend"
    hints = (
        "Each mask knows one galaxy alone. In the share, both galaxies meet.",
        "Light: the sum over the bands divided by the root of their number, for each galaxy. Masks: light > threshold. "
        "Share: light of the central galaxy / sum of both, where the sum is positive; 0.5 elsewhere. np.stack along "
        "the "
        "last axis, in this order.",
        "a, b = (galaxy.sum(axis=-1) / np.sqrt(galaxy.shape[-1]) for galaxy in (central, companion)); total = a + b; "
        "share "
        "= np.where(total > 0, a / np.where(total > 0, total, 1), 0.5).",
    )

    def inputs(self, rng):
        def light(shape, faint=0.2):
            y, x = np.mgrid[: shape[1], : shape[2]]
            galaxies = []
            for _ in range(2):
                row, column = rng.uniform(0.2, 0.8, size=(2, shape[0], 1, 1)) * np.reshape(shape[1:3], (2, 1, 1, 1))
                blob = np.exp(-np.hypot(y - row, x - column) / rng.uniform(1, 2.5)) * rng.uniform(8, 30)
                galaxies.append((blob[..., None] * rng.uniform(0.4, 1.2, size=shape[-1])).astype("float32"))
            return galaxies

        def case(shape, threshold=1.5):
            central, companion = light(shape)
            return {"central": central, "companion": companion, "threshold": threshold}

        dark = case((2, 8, 9, 3))
        dark["central"][:, :, :3], dark["companion"][:, :, :3] = 0, 0
        doubles = case((2, 7, 6, 3))
        doubles = {key: value.astype("float64") if np.ndim(value) else value for key, value in doubles.items()}
        return {
            "three bands": case((3, 12, 16, 3)),
            "one band": case((2, 9, 8, 1)),
            "five bands, another threshold": case((1, 10, 11, 5), threshold=4.0),
            "no light in three columns": dark,
            "float64": doubles,
            "light of 1, 2 and 3, threshold 2": {
                "central": rng.integers(1, 4, size=(1, 6, 7, 1)).astype("float32"),
                "companion": rng.integers(1, 4, size=(1, 6, 7, 1)).astype("float32"),
                "threshold": 2.0,
            },
        }

    def reference(self):
        def blend_targets(central, companion, threshold):
            light = np.linalg.norm([central.mean(-1), companion.mean(-1)], axis=0, ord=1)  # of both, mean of the bands
            root = np.sqrt(central.shape[-1])
            known = light > 0
            share = np.full(light.shape, 0.5)
            np.divide(central.mean(-1), light, out=share, where=known)
            masks = [np.einsum("nhwb->nhw", galaxy) / root > threshold for galaxy in (central, companion)]
            return np.moveaxis(np.array([*masks, share], "float32"), 0, -1)

        return blend_targets

    def _light(self, case):
        """Detection images of both: a projection on the unit vector with all bands alike."""
        unit = np.full(case["central"].shape[-1], case["central"].shape[-1] ** -0.5)
        return [np.tensordot(case[key].astype("float64"), unit, axes=1) for key in ("central", "companion")]

    def _channel(self, cases, observed, name, number):
        case = cases[name]
        expect.shape(observed[name], (*case["central"].shape[:3], 3), name)
        return np.asarray(observed[name])[..., number]

    @subtest("float32, one channel for each of the three answers")
    def shape(self, cases, observed):
        for name, case in cases.items():
            shape = case["central"].shape[:3]
            mistakes = {"The answers come last: np.stack(…, axis=-1).": (3, *shape)}
            expect.shape(observed[name], (*shape, 3), name, mistakes=mistakes)
            kind = np.asarray(observed[name]).dtype.name
            expect.true(kind == "float32", f"{name}: expected numbers of float32, got {kind}.")

    @subtest("each mask: where the galaxy's own light is above the threshold")
    def masks(self, cases, observed):
        for name in ("three bands", "one band", "five bands, another threshold", "float64"):
            case = cases[name]
            threshold, n_bands = case["threshold"], case["central"].shape[-1]
            light = self._light(case)
            for number, which in ((0, "central"), (1, "companion")):
                own, other = light[number], light[1 - number]
                far = np.abs(own - threshold) > 1e-4 * threshold
                got = self._channel(cases, observed, name, number)
                mistakes = {
                    "This is one band: add them up.": case[which][..., 0] > threshold,
                    "This is the largest of the bands: add them up.": case[which].max(axis=-1) > threshold,
                    "Masks of central and companion are exchanged.": other > threshold,
                    "A mask knows its own galaxy alone: threshold its own light, not that of both.": own + other
                    > threshold,
                    "Masks may overlap: a pixel belongs to both, where both have light.": (own > threshold)
                    & (own >= other),
                    "This is the sum of the bands: divide by the root of their number, so that the noise is 1.": (
                        own * np.sqrt(n_bands) > threshold
                    ),
                    "This is the mean of the bands: divide by the root of their number, so that the noise is 1.": (
                        own / np.sqrt(n_bands) > threshold
                    ),
                    "The threshold is always 1.5 here: use the argument.": own > 1.5,
                }
                want = own > threshold
                mistakes = {text: np.where(far, value, want) for text, value in mistakes.items()}
                mistakes = {text: value for text, value in mistakes.items() if not np.array_equal(value, want)}
                expect.close(
                    np.where(far, got, want), want * 1.0, f"{name}, mask of the {which} galaxy", mistakes=mistakes
                )

        name = "light of 1, 2 and 3, threshold 2"
        for number, which in ((0, "central"), (1, "companion")):
            own = cases[name][which][..., 0]
            got = self._channel(cases, observed, name, number)
            mistakes = {"Exactly at the threshold is not above it: compare by >.": (own >= 2) * 1.0}
            expect.close(got, (own > 2) * 1.0, f"{name}, mask of the {which} galaxy", mistakes=mistakes)

    @subtest("the share: how much of a pixel's light is the central galaxy's")
    def share(self, cases, observed):
        for name in ("three bands", "one band", "five bands, another threshold", "float64"):
            central, companion = self._light(cases[name])
            got = self._channel(cases, observed, name, 2)
            want = central / (central + companion)
            with np.errstate(divide="ignore", invalid="ignore"):
                mistakes = {
                    "This is the companion's share.": 1 - want,
                    "This is the ratio of both: divide by the sum.": central / companion,
                    "This was rounded: a share lies anywhere between 0 and 1.": np.round(want),
                    "The share is defined below the threshold, too.": np.where(
                        np.maximum(central, companion) > cases[name]["threshold"], want, 0.5
                    ),
                    "The share is defined below the threshold, too. ": np.where(
                        np.maximum(central, companion) > cases[name]["threshold"], want, 0
                    ),
                }
            expect.close(got, want, f"{name}, share", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("where there is no light at all, the share is one half")
    def dark(self, cases, observed):
        got = self._channel(cases, observed, "no light in three columns", 2)
        expect.true(not np.isnan(got).any(), "no light in three columns: the share is NaN there; it should be 0.5.")
        expect.close(
            got[:, :, :3],
            np.full((2, 8, 3), 0.5),
            "no light in three columns, share there",
            rtol=1e-3,
            mistakes={"Where there is no light the share is 0.5, not 0.": np.zeros((2, 8, 3))},
        )
        central, companion = self._light(cases["no light in three columns"])
        want = (central / np.maximum(central + companion, 1e-12))[:, :, 3:]
        expect.close(got[:, :, 3:], want, "no light in three columns, share elsewhere", rtol=1e-4, atol=1e-5)


# --- 13.8 -------------------------------------------------------------------------------------------------------------


class Match(Exercise):
    id = "13.8"
    title = "which source is which galaxy"
    hints = (
        "Make a table of all distances, a row for each galaxy and a column for each source. Which entry do you take "
        "first?",
        "distance = np.hypot of the differences, (galaxies, sources); beyond reach: infinite. Again and again: take "
        "the "
        "smallest entry, note it, and strike out its row and its column, until nothing finite is left.",
        "row, column = np.unravel_index(distance.argmin(), distance.shape); match[row] = column; distance[row] = "
        "np.inf; "
        "distance[:, column] = np.inf. An empty table has no argmin: `while distance.size and "
        "np.isfinite(distance).any()`.",
    )

    def inputs(self, rng):
        def case(true, found, reach):
            return {
                "true": np.array(true, float).reshape(-1, 2),
                "found": np.array(found, float).reshape(-1, 2),
                "reach": reach,
            }

        true = rng.uniform(0, 60, size=(25, 2))
        found = np.concatenate([true[5:] + rng.normal(0, 0.7, size=(20, 2)), rng.uniform(0, 60, size=(6, 2))])
        crowded = rng.uniform(0, 12, size=(14, 2)), rng.uniform(0, 12, size=(11, 2))
        return {
            "few": case([[5, 5], [20, 8]], [[20.5, 8.2], [4.8, 5.1]], 3.0),
            "a field": case(true, found[rng.permutation(len(found))], 3.0),
            "crowded": case(*crowded, 6.0),
            "one source between two galaxies": case([[10, 10], [14, 10]], [[12.5, 10]], 3.0),
            "the second galaxy is nearer": case([[10, 10], [11, 10]], [[10.7, 10], [7.5, 10]], 3.0),
            "the second source is nearer": case([[10, 10], [30, 30]], [[12, 10], [10.5, 10]], 3.0),
            "out of reach": case([[10, 10], [40, 10]], [[10, 13.01], [40, 12.99]], 3.0),
            "exactly at reach": case([[10, 10], [30, 10]], [[13, 10], [30, 7]], 3.0),
            "diagonal": case([[10, 10]], [[12.5, 12.5]], 3.0),
            "nothing found": case([[10, 10], [5, 5]], [], 3.0),
            "no galaxies": case([], [[3, 4]], 3.0),
        }

    def reference(self):
        def match_centres(true, found, reach):
            return _mutual_nearest(true, found, reach)

        return match_centres

    def _compare(self, cases, observed, name):
        true, found, reach = (cases[name][key] for key in ("true", "found", "reach"))
        want = _mutual_nearest(true, found, reach)
        mistakes = {}
        if len(true) and len(found):
            distance = np.hypot(*(true[:, None] - found[None]).T).T
            nearest = np.where(distance.min(axis=1) <= reach, distance.argmin(axis=1), -1)
            in_order, free = np.full(len(true), -1), distance.copy()
            for row in range(len(true)):
                if free[row].min() <= reach:
                    in_order[row] = free[row].argmin()
                    free[:, in_order[row]] = np.inf
            first = np.where((distance <= reach).any(axis=1), (distance <= reach).argmax(axis=1), -1)
            taxi = np.abs(true[:, None] - found[None]).max(axis=2)
            rows, columns = scipy.optimize.linear_sum_assignment(np.where(distance <= reach, distance, 1e6))
            least = np.full(len(true), -1)
            least[rows] = np.where(distance[rows, columns] <= reach, columns, -1)
            free, again = np.where(distance <= reach, distance, np.inf), np.full(len(true), -1)
            while np.isfinite(free).any():
                row, column = np.unravel_index(free.argmin(), free.shape)
                again[row], free[:, column] = column, np.inf
            once = distance[:, nearest].argmin(axis=0) == np.arange(len(true))
            mistakes = {
                "Where there is no source, the answer is -1.": np.where(want < 0, 0, want),
                "Positions count from 0.": want + 1,
                "A matched galaxy is taken, too: strike out its row.": again,
                "This makes the sum of all distances least: here the nearest pair comes first.": least,
                "Who lost its nearest source may have another one, if it is free.": np.where(once, nearest, -1),
                "A source was given to two galaxies: it is free only once.": nearest,
                "The galaxies chose in their order: the nearest pair of all comes first.": in_order,
                "The first source within reach was taken: take the nearest.": first,
                "`reach` is a limit: beyond it nothing is matched.": distance.argmin(axis=1),
                "The distance is the root of the sum of squares.": np.where(
                    taxi.min(axis=1) <= reach, taxi.argmin(axis=1), -1
                ),
            }
            mistakes["Only what is farther than `reach` is no match: compare by <=."] = np.where(
                distance.min(axis=1) < reach, want, -1
            )
            source = np.full(len(found), -1)
            source[want[want >= 0]] = np.flatnonzero(want >= 0)
            mistakes["This has one number for each source: one for each galaxy is asked for."] = source
            mistakes = {text: value for text, value in mistakes.items() if not np.array_equal(value, want)}
        got = observed[name]
        expect.shape(got, want.shape, name, mistakes={})
        if isinstance(got, list):
            raise expect.NotYet(f"{name}: got a list: return a NumPy array, section 7 computes with it.")
        kind = np.asarray(got).dtype
        if np.size(got) and kind.kind == "f":
            raise expect.NotYet(f"{name}: got numbers of {kind}: they are positions in `found`, whole numbers, int.")
        expect.true(kind.kind != "b", f"{name}: got yes and no: which source it is, or -1, is asked for.")
        expect.close(got, want, f"{name}, rows of the sources", mistakes=mistakes)

    @subtest("each galaxy has its source, or -1")
    def plain(self, cases, observed):
        for name in ("few", "a field"):
            self._compare(cases, observed, name)

    @subtest("a source belongs to one galaxy at most")
    def once(self, cases, observed):
        self._compare(cases, observed, "one source between two galaxies")

    @subtest("the nearest pair of all comes first")
    def nearest_first(self, cases, observed):
        for name in ("the second galaxy is nearer", "the second source is nearer", "crowded"):
            self._compare(cases, observed, name)

    @subtest("nothing is matched beyond reach")
    def reach(self, cases, observed):
        for name in ("out of reach", "exactly at reach", "diagonal"):
            self._compare(cases, observed, name)

    @subtest("no sources, or no galaxies")
    def empty(self, cases, observed):
        for name in ("nothing found", "no galaxies"):
            self._compare(cases, observed, name)


def _mutual_nearest(true, found, reach):
    """Pairs that are nearest to each other are matched and taken out, and so on: the same as the nearest pair first."""
    match = np.full(len(true), -1)
    rows, columns = np.arange(len(true)), np.arange(len(found))
    while len(rows) and len(columns):
        distance, to = scipy.spatial.cKDTree(found[columns]).query(true[rows])
        _, back = scipy.spatial.cKDTree(true[rows]).query(found[columns])
        mutual = (back[to] == np.arange(len(rows))) & (distance <= reach)
        if not mutual.any():
            break
        match[rows[mutual]] = columns[to[mutual]]
        columns = np.setdiff1d(columns, columns[to[mutual]])
        rows = rows[~mutual]
    return match


# --- 13.9 -------------------------------------------------------------------------------------------------------------


class Tiles(Exercise):
    id = "13.9"
    title = "a large image in tiles"
    hints = (
        "Add up weight × prediction in one array and the weights in another, each where its tile lies. What is left "
        "to do "
        "at the end?",
        "window: for each pixel of a row the distance to the nearer end, 1 for the first pixel, less the margin, at "
        "least "
        "1e-6; the outer product of two such rows. in_tiles: rows begin at 0, step, 2 step, … as long as a tile fits, "
        "and "
        "at height − size; columns likewise.",
        "ramp = np.maximum(np.minimum(np.arange(size) + 1, size - np.arange(size)) - margin, 1e-6); np.outer(ramp, "
        "ramp). "
        "starts = sorted({*range(0, height - size + 1, step), height - size}). For each tile: total[r:r + size, c:c + "
        "size] += weight[..., None] * predict(tile[None])[0]; weights[r:r + size, c:c + size] += weight.",
    )

    def inputs(self, rng):
        def case(shape, size, step, margin, kind):
            return {"image": rng.normal(size=shape), "size": size, "step": step, "margin": margin, "kind": kind}

        steps = case((16, 64, 1), 16, 8, 0, "mean")
        steps["image"] = np.zeros((16, 64, 1))
        steps["image"][:, 32:] = 1.0
        return {
            "window, margin 0": {"size": 7, "margin": 0},
            "window, margin 3": {"size": 12, "margin": 3},
            "identity": case((24, 40, 2), 8, 4, 1, "identity"),
            "a size that does not fit": case((21, 30, 1), 8, 5, 1, "identity"),
            "one tile": case((8, 8, 3), 8, 4, 2, "identity"),
            "an output more than bands": case((12, 18, 2), 8, 4, 1, "one more"),
            "neighbours, margin 2": case((40, 29, 1), 16, 8, 2, "neighbours"),
            "neighbours, margin 1": case((23, 23, 2), 10, 8, 1, "neighbours"),
            "a step": steps,
        }

    def observe(self, answer, cases):
        window, in_tiles = answer
        observed = {}
        for name, case in cases.items():
            if "image" not in case:
                observed[name] = run(window, **case)
            else:
                observed[name] = run(_tiled, in_tiles, case)
        return observed

    def reference(self):
        def window(size, margin):
            inside = np.pad(np.ones(size), 1)
            ramp = np.maximum(scipy.ndimage.distance_transform_edt(inside)[1:-1] - margin, 1e-6)
            return ramp[:, None] * ramp

        def in_tiles(predict, image, size, step, margin):
            view = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
            rows, columns = (_starts(length, size, step) for length in image.shape[:2])
            total = weights = 0
            for row in rows:
                for column in columns:
                    tile = np.moveaxis(view[row, column], 0, -1)
                    around = (row, image.shape[0] - size - row), (column, image.shape[1] - size - column)
                    weight = window(size, margin)[..., None]
                    total = total + np.pad(weight * np.asarray(predict(tile[None].copy())[0]), (*around, (0, 0)))
                    weights = weights + np.pad(weight, (*around, (0, 0)))
            return total / weights

        return window, in_tiles

    @subtest("the window: as good as nothing in the margin, then rising to the middle")
    def window(self, cases, observed):
        for name in ("window, margin 0", "window, margin 3"):
            size, margin = cases[name]["size"], cases[name]["margin"]
            distance = scipy.ndimage.distance_transform_edt(np.pad(np.ones(size), 1))[1:-1]
            ramp = np.maximum(distance - margin, 1e-6)
            zero = np.maximum(distance - margin, 0)
            late = np.maximum(distance - 1 - margin, 1e-6)
            mistakes = {
                "This is one row: the outer product of two makes the window.": ramp,
                "The distance is 1 for the first pixel, and `margin` is taken from that, no more.": np.outer(
                    late, late
                ),
                "The margin is left out but not taken from the distances beyond it.": np.outer(
                    *[np.where(distance > margin, distance, 1e-6)] * 2
                )
                if margin
                else None,
                "Weights of 0: at the border of the image no other tile helps out; at least 1e-6.": np.outer(zero, zero)
                if margin
                else None,
                "The margin is not used.": np.outer(distance, distance) if margin else None,
                "These are sums of rows and columns: take products.": ramp[:, None] + ramp,
                "This is the smaller of both distances: take the product.": np.minimum(ramp[:, None], ramp),
            }
            mistakes = {text: value for text, value in mistakes.items() if value is not None}
            expect.close(observed[name], np.outer(ramp, ramp), name, rtol=1e-6, atol=0, mistakes=mistakes)

    @subtest("a prediction that changes nothing gives the image back")
    def identity(self, cases, observed):
        for name in ("identity", "one tile"):
            self._compare(cases, observed, name, cases[name]["image"])
        name = "an output more than bands"
        self._compare(cases, observed, name, _one_more(cases[name]["image"]))

    @subtest("the last tiles end where the image ends")
    def ends(self, cases, observed):
        name = "a size that does not fit"
        self._compare(cases, observed, name, cases[name]["image"])

    def _compare(self, cases, observed, name, want, more=None):
        got = observed[name]["values"]
        size, step = cases[name]["size"], cases[name]["step"]
        expect.shape(got, want.shape, name, mistakes={"Rows and columns are exchanged.": want.swapaxes(0, 1).shape})
        got = np.asarray(got, float)
        bad = ~np.isfinite(got).all(axis=-1)
        if bad.any():
            if bad[0].all() and bad[:, 0].all():
                raise expect.NotYet(
                    f"{name}: the border of the image has no value: pixels in the margin count, too, weight 1e-6."
                )
            where = "the last rows or columns" if not bad[:-size, :-size].any() else "some pixels"
            raise expect.NotYet(
                f"{name}: {where} have no value: the last tile of a row begins at width − size, that of a column at "
                "height − size."
            )
        rows, columns = (_starts(length, size, step) for length in want.shape[:2])
        count = np.zeros(want.shape[:2])
        for row in rows:
            for column in columns:
                count[row : row + size, column : column + size] += 1
        last = np.zeros(want.shape[:2], bool)
        last[range(0, want.shape[0] - size + 1, step)[-1] + size :] = True
        last[:, range(0, want.shape[1] - size + 1, step)[-1] + size :] = True
        weights = _sum_of_weights(cases[name], want.shape)
        mistakes = {
            "Predictions of several tiles were added up: divide by the sum of the weights.": want * count[..., None],
            "Weighted predictions were added up: divide by the sum of the weights.": want * weights,
            "The weighted sum was divided by the number of tiles: divide by the sum of their weights.": want
            * weights
            / count[..., None],
            "The last rows or columns are 0: the last tiles have to end where the image ends.": np.where(
                last[..., None], 0, want
            )
            if last.any()
            else None,
        }
        mistakes = {text: value for text, value in mistakes.items() if value is not None} | (more or {})
        expect.close(got, want, name, rtol=1e-4, atol=2e-4, mistakes=mistakes)

    @subtest("tiles are handed over as a batch, size × size, all bands")
    def batches(self, cases, observed):
        for name in ("identity", "a size that does not fit", "one tile"):
            size, bands = cases[name]["size"], cases[name]["image"].shape[-1]
            for shape in observed[name]["shapes"]:
                expect.equal(shape[1:], [size, size, bands], f"{name}, height, width and bands that predict got")
        rows, columns = _starts(21, 8, 5), _starts(30, 8, 5)
        got = sum(shape[0] for shape in observed["a size that does not fit"]["shapes"])
        expect.equal(got, len(rows) * len(columns), "a size that does not fit, number of tiles")
        for name in ("a size that does not fit", "identity"):
            image, size, step = (cases[name][key] for key in ("image", "size", "step"))
            rows, columns = (_starts(length, size, step) for length in image.shape[:2])
            want = np.sort(image[np.ix_(rows, columns)][..., 0].ravel())
            corners = np.sort(np.asarray(observed[name]["corners"], float))
            expect.true(
                corners.shape == want.shape and np.allclose(corners, want, rtol=1e-2, atol=1e-2),
                f"{name}: tiles begin elsewhere than they should: at 0, step, 2 step, … as long as they fit, and the "
                f"last one at the length − size; for a length of {image.shape[0]}, tiles of {size} and steps of {step} "
                f"at {expect.show(rows)}.",
            )

    @subtest("pixels that know their neighbours: the same as in one pass")
    def one_pass(self, cases, observed):
        for name in ("neighbours, margin 2", "neighbours, margin 1"):
            case = cases[name]
            want = _neighbours(case["image"][None], case["margin"])[0]
            mistakes = {
                "All pixels of a tile count alike here: weight them by the window.": _blended(case, None),
                "The last tile that was put down counts alone: add up, and divide by the sum of the weights.": _pasted(
                    case
                ),
                "The margin did not reach the window.": _blended(case, 0),
            }
            self._compare(cases, observed, name, want, mistakes)

    @subtest("from one tile to the next it goes over smoothly")
    def smooth(self, cases, observed):
        got = np.asarray(observed["a step"]["values"], float)
        expect.shape(got, (16, 64, 1), "a step")
        jump = np.abs(np.diff(got[..., 0], axis=1)).max()
        expect.true(
            jump < 0.15,
            "a step: at the border of a tile the result jumps. Weight each tile by its window, so that it fades out "
            "where the next one fades in.",
        )


def _starts(length, size, step):
    return sorted({*range(0, length - size + 1, step), length - size})


def _one_more(tiles):
    """The bands, and after them their sum."""
    return np.concatenate([tiles, tiles.sum(axis=-1, keepdims=True)], axis=-1)


def _neighbours(tiles, radius):
    """Mean over (2 radius + 1)² pixels, zeros around: what a convolution with "same" padding does."""
    side = 2 * radius + 1
    return scipy.ndimage.uniform_filter(np.asarray(tiles, float), (0, side, side, 0), mode="constant")


def _sum_of_weights(case, shape):
    """How much all tiles together weigh in each pixel: (height, width, 1)."""
    size = case["size"]
    distance = scipy.ndimage.distance_transform_edt(np.pad(np.ones(size), 1))[1:-1]
    ramp, weights = np.maximum(distance - case["margin"], 1e-6), np.zeros((*shape[:2], 1))
    for row in _starts(shape[0], size, case["step"]):
        for column in _starts(shape[1], size, case["step"]):
            weights[row : row + size, column : column + size, 0] += np.outer(ramp, ramp)
    return weights


def _pasted(case):
    """What comes out if each tile overwrites the ones before."""
    image, size = case["image"], case["size"]
    pasted = np.zeros(image.shape)
    for row in _starts(image.shape[0], size, case["step"]):
        for column in _starts(image.shape[1], size, case["step"]):
            here = slice(row, row + size), slice(column, column + size)
            pasted[here] = _neighbours(image[here][None], case["margin"])[0]
    return pasted


def _blended(case, margin):
    """What tiles make of pixels that know their neighbours, with another margin, or with even weights (None)."""
    image, size = case["image"], case["size"]
    distance = scipy.ndimage.distance_transform_edt(np.pad(np.ones(size), 1))[1:-1]
    ramp = np.ones(size) if margin is None else np.maximum(distance - margin, 1e-6)
    total, weights = np.zeros(image.shape), np.zeros((*image.shape[:2], 1))
    for row in _starts(image.shape[0], size, case["step"]):
        for column in _starts(image.shape[1], size, case["step"]):
            here = slice(row, row + size), slice(column, column + size)
            total[here] += np.outer(ramp, ramp)[..., None] * _neighbours(image[here][None], case["margin"])[0]
            weights[here] += np.outer(ramp, ramp)[..., None]
    return total / weights


def _tiled(in_tiles, case):
    """What the answer makes of an image, and what it handed to `predict`."""
    shapes, corners = [], []

    def predict(tiles):
        tiles = np.asarray(tiles)
        shapes.append(list(tiles.shape))
        if tiles.ndim != 4:
            raise ValueError(
                f"predict takes a batch of tiles (n, size, size, bands), got an array of shape {tiles.shape}"
            )
        corners.extend(float(number) for number in tiles[:, 0, 0, 0])
        if case["kind"] == "neighbours":
            return _neighbours(tiles, case["margin"])
        if case["kind"] == "one more":
            return _one_more(tiles)
        if case["kind"] == "mean":
            return np.broadcast_to(tiles.mean(axis=(1, 2), keepdims=True), tiles.shape).copy()
        return tiles.copy()

    try:
        values = in_tiles(predict, case["image"], size=case["size"], step=case["step"], margin=case["margin"])
    except ValueError as error:
        if case["kind"] == "one more" and "broadcast" in str(error):
            raise ValueError(
                "predict gives 3 outputs for 2 bands here: the sums have as many channels as the predictions, not as "
                f"the image ({' '.join(str(error).split())})"
            ) from None
        raise
    return {"values": values, "shapes": shapes, "corners": corners}
