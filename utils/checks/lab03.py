"""Checks of lab 03, a first convolutional network."""

from functools import cache

import keras
import numpy as np

from utils.checks import Exercise, expect, run, subtest
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "cnn_accuracy": Claim("The small convolutional network's accuracy on the test set", ">= 0.95", limits=SHARE),
    "error_ratio": Claim(
        "Error of HoG + SVM divided by the error of the convolutional network, same test set", ">= 2", limits=POSITIVE
    ),
    "svm_accuracy": Claim("HoG + SVM's accuracy on the test set", limits=SHARE),
    "dense_accuracy": Claim("The dense network's accuracy on the test set", limits=SHARE),
    "published_parameters": Claim("Parameters of the network of Domínguez Sánchez et al. (2018)", "== 2602849"),
}


class Normalise(Exercise):
    id = "3.1"
    title = "normalise by the training images"
    forbidden = ("keras.layers.Normalization", "sklearn.preprocessing.StandardScaler")
    hints = (
        "Which numbers may you measure on the validation images? None: mean and standard deviation come from the "
        "training images alone, and both sets are stretched before anything else.",
        "Stretch both arrays with np.arcsinh. The mean and the standard deviation of the stretched training images are "
        "taken over images, rows and columns (axes 0, 1, 2), so that one number is left for each band.",
        "stretched = np.arcsinh(training_images); mean = stretched.mean(axis=(0, 1, 2)); the same with std; then "
        "(np.arcsinh(images) - mean) / std, as float32.",
    )

    def inputs(self, rng):
        def stamps(n, height, width, level, spread):
            return rng.normal(level, spread, size=(n, height, width, len(level))).astype("float32")

        level, spread = np.array([0.5, 3.0, -1.0]), np.array([1.0, 8.0, 3.0])
        train = stamps(40, 9, 7, level, spread)
        counts = rng.integers(0, 300, size=(12, 6, 5, 2)).astype("int16")
        return {
            "training images": {"images": train, "training_images": train},
            "validation images": {"images": stamps(6, 9, 7, level + 1, 2 * spread), "training_images": train},
            "larger stamps": {"images": stamps(3, 12, 11, level - 1, spread), "training_images": train},
            "one band": {
                "images": rng.exponential(5, size=(4, 8, 8, 1)),
                "training_images": rng.exponential(9, size=(9, 8, 8, 1)),
            },
            "counts": {"images": counts[:4], "training_images": counts},
        }

    def reference(self):
        def normalise(images, training_images):
            layer = keras.layers.Normalization(axis=-1)
            layer.adapt(np.arcsinh(np.asarray(training_images, "float32")))
            return keras.ops.convert_to_numpy(layer(np.arcsinh(np.asarray(images, "float32"))))

        return normalise

    @subtest("the training images come out with mean 0 and spread 1 in every band")
    def training(self, cases, observed):
        got, images = observed["training images"], cases["training images"]["images"]
        expect.shape(got, images.shape, "normalised training images")
        mean, std = np.mean(got, axis=(0, 1, 2)), np.std(got, axis=(0, 1, 2))
        stretched = np.arcsinh(images)
        mistakes = {
            "You took one mean and one spread for all bands: measure each band by itself, axis=(0, 1, 2).": (
                (_bands(stretched)[0] - stretched.mean()) / stretched.std()
            ),
            "These are the numbers of images without the arcsinh stretch.": _bands(images)[0],
            "These are the numbers of stretched images: subtract the mean and divide by the spread.": _bands(
                np.arcsinh(images)
            )[0],
        }
        expect.close(mean, np.zeros(3), "mean of each band", atol=1e-3, mistakes=mistakes)
        mistakes = {
            "You divided by the variance: take its square root.": 1 / _bands(np.arcsinh(images))[1],
            "The mean is subtracted, but nothing is divided by the spread.": _bands(np.arcsinh(images))[1],
        }
        expect.close(std, np.ones(3), "spread of each band", rtol=1e-3, mistakes=mistakes)

    @subtest("other images are scaled by the training images' numbers, not by their own")
    def validation(self, cases, observed):
        for name in ("validation images", "larger stamps"):
            images, train = cases[name]["images"], cases[name]["training_images"]
            stretched = np.arcsinh(images)
            mistakes = {
                "These images were scaled by their own mean and spread: the network would see another sky. "
                "Take the training images' numbers.": _scaled(stretched, stretched),
                "Two things: the numbers come from these images, not from the training images, and you took one mean "
                "and one spread for all bands.": (stretched - stretched.mean()) / stretched.std(),
                "These images are not normalised at all.": images,
                "These images are stretched, but not scaled.": stretched,
            }
            want = _scaled(stretched, np.arcsinh(train))
            expect.close(observed[name], want, name, rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("the stretch comes first, then the scaling")
    def stretch(self, cases, observed):
        images, train = cases["one band"]["images"], cases["one band"]["training_images"]
        mistakes = {
            "There is no arcsinh in this.": _scaled(images, train),
            "You stretched after scaling: stretch first, then measure mean and spread.": np.arcsinh(
                _scaled(images, train)
            ),
            "The images are stretched, but the mean and the spread are those of unstretched ones.": _scaled(
                np.arcsinh(images), train
            ),
        }
        want = _scaled(np.arcsinh(images), np.arcsinh(train))
        expect.close(observed["one band"], want, "one band", rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("each band has its own mean and spread")
    def bands(self, cases, observed):
        images, train = (np.arcsinh(cases["validation images"][key]) for key in ("images", "training_images"))
        mistakes = {
            "You took one mean and one spread for all bands: measure each band by itself, axis=(0, 1, 2).": (
                (images - train.mean()) / train.std()
            ),
        }
        if train.shape[1:] == images.shape[1:]:
            mistakes["You took a mean and a spread for each pixel: average over rows and columns too."] = (
                images - train.mean(axis=0)
            ) / train.std(axis=0)
        want = _scaled(images, train)
        expect.close(observed["validation images"], want, "bands", rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("whole numbers come out as float32")
    def counts(self, cases, observed):
        for name in ("counts", "one band"):
            expect.shape(observed[name], cases[name]["images"].shape, name)
            expect.equal(str(np.asarray(observed[name]).dtype), "float32", f"type of the numbers, {name}")


KEEPDIMS = (
    "Here each column has lost or was divided by the number of another image: keep the largest logit and the sum as a "
    "column, keepdims=True, so that each belongs to its row."
)
DIVIDED = "You divided by the largest logit: subtract it, which leaves the probabilities as they are."
DIVIDED_ALL = "You divided by the largest logit of all: subtract the largest of each image."


class CrossEntropy(Exercise):
    id = "3.2"
    title = "softmax and cross-entropy"
    forbidden = (
        "keras.ops.softmax",
        "keras.ops.log_softmax",
        "keras.activations.softmax",
        "keras.layers.Softmax",
        "keras.ops.sparse_categorical_crossentropy",
        "keras.losses",
        "scipy.special.softmax",
        "scipy.special.log_softmax",
        "tensorflow.nn",
    )
    hints = (
        "exp(1000) is infinite for a computer. What happens to the softmax when you subtract the same number from all "
        "logits of an image?",
        "Subtract the largest logit of each image (axis=-1, keepdims=True) before the exponential. For the loss do not "
        "take the logarithm of a probability that may be 0: ln p = logit - ln(sum of the exponentials).",
        "shifted = logits - logits.max(axis=-1, keepdims=True); log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, "
        "keepdims=True)); the loss of image i is -log_p[i, labels[i]].",
    )

    def inputs(self, rng):
        def case(n, classes, scale):
            return {
                "logits": rng.normal(0, scale, size=(n, classes)),
                "labels": rng.integers(0, classes, size=n),
            }

        cases = {
            "four classes": case(7, 4, 2.0),
            "as many images as classes": case(5, 5, 2.0),
            "one image": case(1, 3, 1.0),
            "knows nothing": {"logits": np.full((3, 10), 0.7), "labels": np.array([0, 9, 4])},
            "large": {
                "logits": np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1001.0, -1002.0], [800.0, 801.0, 90.0]]),
                "labels": np.array([1, 0, 1]),
            },
        }
        cases["four classes"]["logits"] = cases["four classes"]["logits"].astype("float32")
        return cases

    def observe(self, answer, cases):
        softmax, cross_entropy = answer
        observed = {f"softmax, {name}": run(softmax, logits=case["logits"]) for name, case in cases.items()}
        return observed | {f"loss, {name}": run(cross_entropy, **case) for name, case in cases.items()}

    def reference(self):
        def softmax(logits):
            return keras.ops.convert_to_numpy(keras.ops.softmax(np.asarray(logits, "float32"), axis=-1))

        def cross_entropy(logits, labels):
            return _keras_loss(logits, labels)

        return softmax, cross_entropy

    @subtest("softmax: the probabilities of one image sum to 1 and agree with the library")
    def probabilities(self, cases, observed):
        for name in ("as many images as classes", "four classes", "one image"):
            logits = np.asarray(cases[name]["logits"], "float64")
            got = observed[f"softmax, {name}"]
            mistakes = {
                "This softmax runs over the images (axis 0): the classes of one image have to sum to 1, axis=-1.": (
                    _library_softmax(logits, axis=0)
                ),
                "This softmax runs over the whole array: each image has its own sum, axis=-1.": _library_softmax(
                    logits.ravel(), axis=0
                ).reshape(logits.shape),
                "This is the sigmoid of each logit: the classes do not know of each other.": 1 / (1 + np.exp(-logits)),
                "These are exponentials: divide by their sum.": np.exp(logits),
                DIVIDED: _library_softmax(logits / logits.max(axis=-1, keepdims=True)),
                DIVIDED_ALL: _library_softmax(logits / logits.max()),
                KEEPDIMS: _matching(got, _softmax_without_keepdims(logits)),
            }
            expect.close(got, _library_softmax(logits), f"softmax, {name}", rtol=1e-4, atol=1e-6, mistakes=mistakes)

    @subtest("softmax: logits of a thousand do not overflow")
    def large_softmax(self, cases, observed):
        logits, got = cases["large"]["logits"], observed["softmax, large"]
        with np.errstate(all="ignore"):
            naive = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
            shifted = np.exp(logits - logits.max())
            together = shifted / shifted.sum(axis=-1, keepdims=True)
        mistakes = {
            "exp(1000) overflows: subtract the largest logit of each image first.": naive,
            "You subtracted the largest logit of all images: each image needs its own (axis=-1).": together,
            DIVIDED: _library_softmax(logits / logits.max(axis=-1, keepdims=True)),
            DIVIDED_ALL: _library_softmax(logits / logits.max()),
            KEEPDIMS: _matching(got, _softmax_without_keepdims(logits)),
        }
        expect.close(got, _library_softmax(logits), "softmax, large", atol=1e-6, mistakes=mistakes)

    @subtest("cross-entropy: one number for each image, minus the logarithm of what its true class got")
    def loss(self, cases, observed):
        for name in ("as many images as classes", "four classes", "one image"):
            logits, labels = cases[name]["logits"], cases[name]["labels"]
            got, want = observed[f"loss, {name}"], _keras_loss(logits, labels)
            rows = np.arange(len(labels))
            mistakes = {
                "This is the mean over the images: return one loss for each image.": want.mean(),
                "This is the sum over the images: return one loss for each image.": want.sum(),
                "You used log10: the loss is in nats, np.log.": want / np.log(10),
                "You used log2: the loss is in nats, np.log.": want / np.log(2),
                "The sign is the other way round: a loss is positive.": -want,
                "These are the probabilities of the true class: take minus their logarithm.": np.exp(-want),
                "This is the loss of the most probable class: take the true one, from `labels`.": -np.log(
                    _library_softmax(logits).max(axis=-1)
                ),
                "These are whole columns, one for each label: pair each image with its label, "
                "log_p[np.arange(len(labels)), labels].": -np.log(_library_softmax(logits))[:, labels],
                DIVIDED: _keras_loss(logits / logits.max(axis=-1, keepdims=True), labels),
                DIVIDED_ALL: _keras_loss(logits / logits.max(), labels),
                KEEPDIMS: _matching(got, [-np.log(p)[rows, labels] for p in _softmax_without_keepdims(logits)]),
            }
            expect.close(got, want, f"loss, {name}", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("cross-entropy: a network that knows nothing of ten classes pays ln 10")
    def nothing(self, cases, observed):
        expect.close(observed["loss, knows nothing"], np.full(3, np.log(10)), "loss, knows nothing", rtol=1e-4)

    @subtest("cross-entropy: a sure and wrong answer costs much, but not infinity")
    def large_loss(self, cases, observed):
        got, want = observed["loss, large"], _keras_loss(**cases["large"])
        logits, labels = cases["large"]["logits"], cases["large"]["labels"]
        if np.shape(got) == np.shape(want) and np.isinf(got).any():
            raise expect.NotYet(
                "loss, large: a loss is infinite. The probability has become 0 before its logarithm was taken: "
                "compute ln p from the shifted logits."
            )
        smallest = [10.0**-power for power in range(3, 40)] + [float(np.finfo(t).eps) for t in ("f4", "f8")]
        if np.shape(got) == np.shape(want) and np.isclose(got[0], -np.log(smallest), rtol=1e-5).any():
            raise expect.NotYet(
                f"loss, large: expected {expect.show(want[0])} for the first image, got {expect.show(got[0])}. "
                "A small number was added to the probability, or it was clipped: that hides the size of the error, and "
                "its gradient. Compute ln p from the shifted logits."
            )
        mistakes = {
            DIVIDED: _keras_loss(logits / logits.max(axis=-1, keepdims=True), labels),
            DIVIDED_ALL: _keras_loss(logits / logits.max(), labels),
        }
        expect.close(got, want, "loss, large", rtol=1e-4, atol=1e-5, mistakes=mistakes)


class Parameters(Exercise):
    id = "3.3"
    title = "count the parameters"
    forbidden = ("keras.layers", "keras.Sequential")
    hints = (
        "Each output of a dense layer is one neuron: how many weights does it have, and what is added at the end?",
        "Dense: one weight for each pair of input and output, and one bias for each output. Convolution: each filter "
        "is a small cube, kernel_size × kernel_size × channels, and has one bias. Places in the image do not count.",
        "n_inputs * n_outputs + n_outputs, and kernel_size * kernel_size * channels * filters + filters.",
    )

    def inputs(self, rng):
        kernel, channels, filters = (int(n) for n in rng.integers([2, 2, 5], [6, 9, 40]))
        return {
            "dense, small": {"n_inputs": 5, "n_outputs": 3},
            "dense, other": {"n_inputs": int(rng.integers(20, 90)), "n_outputs": int(rng.integers(100, 400))},
            "dense, one output": {"n_inputs": 64, "n_outputs": 1},
            "conv, grey": {"kernel_size": 5, "channels": 1, "filters": 8},
            "conv, first of the paper": {"kernel_size": 6, "channels": 3, "filters": 32},
            "conv, deep": {"kernel_size": 3, "channels": 128, "filters": 128},
            "conv, other": {"kernel_size": kernel, "channels": channels, "filters": filters},
        }

    def observe(self, answer, cases):
        dense_parameters, conv_parameters = answer
        return {
            name: run(dense_parameters if name.startswith("dense") else conv_parameters, **case)
            for name, case in cases.items()
        }

    def reference(self):
        return _keras_dense_parameters, _keras_conv_parameters

    @subtest("a dense layer: a weight for each pair, a bias for each output")
    def dense(self, cases, observed):
        for name in ("dense, small", "dense, other", "dense, one output"):
            n_in, n_out = cases[name]["n_inputs"], cases[name]["n_outputs"]
            mistakes = {
                "You forgot the biases, one for each output.": n_in * n_out,
                "You counted one bias for each input: it is one for each output.": n_in * n_out + n_in,
                "You counted one bias for the whole layer: it is one for each output.": n_in * n_out + 1,
            }
            _equal_count(observed[name], _keras_dense_parameters(**cases[name]), name, mistakes)

    @subtest("a convolution: a cube of weights and a bias for each filter")
    def convolution(self, cases, observed):
        for name in ("conv, first of the paper", "conv, deep", "conv, other", "conv, grey"):
            k, channels, filters = (cases[name][key] for key in ("kernel_size", "channels", "filters"))
            mistakes = {
                "You forgot the channels: a filter looks at all of them at once.": k * k * filters + filters,
                "You forgot the biases, one for each filter.": k * k * channels * filters,
                "You counted a bias for each channel of each filter: a filter has one bias.": (
                    (k * k + 1) * channels * filters
                ),
                "The kernel is a square: kernel_size × kernel_size.": k * channels * filters + filters,
                "You counted one bias for each channel that comes in: it is one for each filter.": (
                    k * k * channels * filters + channels
                ),
                "You counted one bias for the whole layer: it is one for each filter.": k * k * channels * filters + 1,
            }
            _equal_count(observed[name], _keras_conv_parameters(**cases[name]), name, mistakes)


class OutputSize(Exercise):
    id = "3.4"
    title = "the size after a convolution or a pooling"
    forbidden = ("keras.layers", "keras.ops.conv", "keras.ops.max_pool")
    hints = (
        "Put a kernel of 3 on a row of 8 pixels and count the places where it fits. Then let it step by 2.",
        '"valid": the kernel has size - kernel_size + 1 places, of which every stride-th is used, rounded up. '
        '"same": every stride-th of the size pixels is used, rounded up.',
        '"valid": (size - kernel_size) // stride + 1; "same": -(-size // stride), which is size / stride rounded up.',
    )

    def inputs(self, rng):
        def cases(name, sizes, kernels, strides, padding):
            return {
                f"{name}: {size} pixels, kernel {kernel}, stride {stride}": {
                    "size": size,
                    "kernel_size": kernel,
                    "stride": stride,
                    "padding": padding,
                }
                for size, kernel, stride in zip(sizes, kernels, strides, strict=True)
            }

        extra = int(rng.integers(40, 200))
        return (
            cases("valid", [8, 69, 5, extra], [3, 6, 5, 7], [1, 1, 1, 1], "valid")
            | cases("valid, stride", [12, 9, 69, extra], [5, 2, 6, 5], [2, 2, 6, 3], "valid")
            | cases("same", [8, 69, extra], [3, 6, 4], [1, 1, 1], "same")
            | cases("same, stride", [8, 9, 69, extra], [3, 6, 6, 5], [2, 2, 6, 3], "same")
            | cases("pooling", [64, 69, 34, 17], [2, 2, 2, 2], [2, 2, 2, 2], "valid")
        )

    def reference(self):
        return _keras_output_size

    def _compare(self, cases, observed, group):
        for name, case in cases.items():
            if name.split(":")[0] != group:
                continue
            size, kernel, stride = case["size"], case["kernel_size"], case["stride"]
            same = case["padding"] == "same"
            other = _keras_output_size(size, kernel, stride, "valid" if same else "same")
            mistakes = {
                f'That is the size with padding="{"valid" if same else "same"}".': other,
                "One is missing: a kernel as large as the image has one place.": size - kernel,
                "One is missing: the first place counts before the first step.": (size - kernel) // stride,
                "The stride is missing: only every stride-th place is used.": size if same else size - kernel + 1,
                "Round down: a step that would leave the image is not made.": -(-(size - kernel) // stride) + 1,
                'Round up: with "same" the first pixel always counts.': size // stride,
            }
            _equal_count(observed[name], _keras_output_size(**case), name, mistakes)

    @subtest("without padding (valid) a kernel fits size − kernel + 1 times")
    def valid(self, cases, observed):
        self._compare(cases, observed, "valid")

    @subtest("without padding, a stride that does not fit is rounded down")
    def valid_stride(self, cases, observed):
        self._compare(cases, observed, "valid, stride")

    @subtest("with padding (same) the size is kept, and divided by the stride, rounded up")
    def same(self, cases, observed):
        self._compare(cases, observed, "same")
        self._compare(cases, observed, "same, stride")

    @subtest("a pooling of 2 halves, and drops the last pixel of an odd row")
    def pooling(self, cases, observed):
        self._compare(cases, observed, "pooling")


class Dropout(Exercise):
    id = "3.5"
    title = "dropout"
    forbidden = ("keras.layers.Dropout", "keras.random.dropout")
    hints = (
        "Draw one random number for each value of x. Which of them say 'keep'?",
        "A value is kept where its random number is at least `rate`. Kept values grow by 1 / (1 - rate), so that the "
        "expected sum stays; when not training, return x as it is.",
        "keep = np.random.default_rng(seed).random(x.shape) >= rate; np.where(keep, x / (1 - rate), 0) in training.",
    )

    def inputs(self, rng):
        x = rng.uniform(0.5, 2.0, size=(200, 150))
        seed = int(rng.integers(1, 10_000))
        return {
            "training, a quarter": {"x": x, "rate": 0.25, "training": True, "seed": seed},
            "training, eight of ten": {"x": x, "rate": 0.8, "training": True, "seed": seed + 1},
            "again": {"x": x, "rate": 0.25, "training": True, "seed": seed},
            "another seed": {"x": x, "rate": 0.25, "training": True, "seed": seed + 7},
            "feature maps": {"x": x.reshape(5, 20, 20, 15), "rate": 0.5, "training": True, "seed": seed},
            "nothing dropped": {"x": x[:20], "rate": 0.0, "training": True, "seed": seed},
            "inference": {"x": x[:20], "rate": 0.25, "training": False, "seed": seed},
            "inference, eight of ten": {"x": x[:20], "rate": 0.8, "training": False, "seed": seed},
        }

    def observe(self, answer, cases):
        before = np.random.get_state()  # noqa: NPY002
        observed = super().observe(answer, cases)
        after = np.random.get_state()  # noqa: NPY002
        if before[2:] != after[2:] or not np.array_equal(before[1], after[1]):
            observed["the program's random numbers have changed"] = run(lambda: True)
        return observed

    def reference(self):
        def dropout(x, rate, training, seed):
            layer = keras.layers.Dropout(rate, seed=seed)
            return keras.ops.convert_to_numpy(layer(np.asarray(x, "float32"), training=training))

        return dropout

    @subtest("when not training, nothing changes")
    def inference(self, cases, observed):
        for name in ("inference", "inference, eight of ten"):
            x, rate = cases[name]["x"], cases[name]["rate"]
            got = np.asarray(observed[name])
            if got.shape == x.shape and np.mean(got == 0) > 0.1:
                raise expect.NotYet(f"{name}: values are dropped although training is False.")
            mistakes = {
                "Here the scaling by 1 − rate is done at inference. Divide by it in training instead (inverted "
                "dropout): then a trained network needs no correction.": x * (1 - rate),
                "Values grow although training is False.": x / (1 - rate),
            }
            expect.close(got, x, name, rtol=1e-5, mistakes=mistakes)

    @subtest("in training, a share `rate` of the values becomes 0")
    def share(self, cases, observed):
        for name in ("training, a quarter", "training, eight of ten", "feature maps"):
            rate, got = cases[name]["rate"], np.asarray(observed[name])
            expect.shape(got, cases[name]["x"].shape, name)
            share = np.mean(got == 0)
            if abs(share - rate) > 0.03:
                swapped = abs(share - (1 - rate)) < 0.03
                reason = " You keep with probability `rate`: drop with it." if swapped else ""
                wanted = f"expected about {rate:.0%} of the values to be 0"
                raise expect.NotYet(f"{name}: {wanted}, got {share:.0%}.{reason}")

    @subtest("what survives is divided by 1 − rate, so that the mean stays")
    def survivors(self, cases, observed):
        for name in ("training, a quarter", "training, eight of ten"):
            x, rate = cases[name]["x"], cases[name]["rate"]
            got = np.asarray(observed[name], "float64")
            expect.shape(got, x.shape, name)
            expect.true(np.any(got != 0), f"{name}: every value is 0.")
            ratio = (got / x)[got != 0]
            mistakes = {
                "Nothing makes up for what was dropped: the next layer receives less in training than at "
                "inference. Divide by 1 − rate.": np.ones_like(ratio),
                "You divided by `rate`: it is the share that is dropped.": np.full_like(ratio, 1 / rate),
                "You multiplied by 1 − rate: divide.": np.full_like(ratio, 1 - rate),
            }
            want = np.full_like(ratio, 1 / (1 - rate))
            expect.close(ratio, want, f"{name}, growth of the survivors", rtol=1e-4, mistakes=mistakes)

    @subtest("each value falls by its own chance")
    def independent(self, cases, observed):
        names = ("training, a quarter", "training, eight of ten", "another seed", "feature maps")
        fallen = {name: np.asarray(observed[name]) == 0 for name in names}
        dropped = fallen["training, a quarter"]
        expect.shape(dropped, cases["training, a quarter"]["x"].shape, "training, a quarter")
        expect.true(
            any(0 < fallen[name].mean() < 1 for name in names),
            "all values fall or stay together: draw one random number for each value of x, not one for all.",
        )
        exact = [abs(fallen[name].sum() - cases[name]["rate"] * fallen[name].size) < 1 for name in names]
        expect.true(
            not all(exact),
            "exactly the share `rate` is dropped each time: independent chances scatter about it. Compare one random "
            "number for each value with `rate`.",
        )
        rate = cases["training, a quarter"]["rate"]
        for axis, what in ((0, "columns"), (1, "rows")):
            whole = dropped.all(axis=axis).mean()
            expect.true(whole < 0.05, f"whole {what} are dropped together: draw one random number for each value.")
        for axis, what in ((0, "columns"), (1, "rows")):
            shares = dropped.mean(axis=axis)
            spread = np.sqrt(rate * (1 - rate) / dropped.shape[axis])
            expect.true(
                0.5 < shares.std() / spread < 2,
                f"the share that is dropped varies over the {what} unlike independent chances would: draw one random "
                "number for each value of x.",
            )

    @subtest("the same seed drops the same values, another seed others")
    def seeds(self, cases, observed):
        first, again, other = (
            np.asarray(observed[name]) == 0 for name in ("training, a quarter", "again", "another seed")
        )
        expect.true(first.any(), "nothing was dropped.")
        expect.true(np.array_equal(first, again), "the same seed dropped other values the second time.")
        expect.true(not np.array_equal(first, other), "another seed dropped the same values: use the seed.")
        expect.true(
            "the program's random numbers have changed" not in observed,
            "your function touches the random numbers of the whole program, as np.random.seed and np.random.random do: "
            "draw from np.random.default_rng(seed).",
        )

    @subtest("a rate of 0 drops nothing")
    def nothing(self, cases, observed):
        expect.close(observed["nothing dropped"], cases["nothing dropped"]["x"], "nothing dropped", rtol=1e-5)


AVERAGED = "GlobalAveragePooling2D averages over all places: Flatten keeps every number."


class PublishedNetwork(Exercise):
    id = "3.6"
    title = "the network of Domínguez Sánchez et al. (2018)"
    hints = (
        "Work backwards from the count: the dense layer holds nearly all parameters, so it tells you how many numbers "
        "arrive there. Which image size is that, with 128 channels?",
        "2 602 849 − the convolutions (235 232) − the last layer (65) − 64 biases leaves 64 × 36 992, and 36 992 = "
        '17 × 17 × 128. From 69 to 17 in two halvings, 69 → 34 → 17: so the convolutions keep the size, "same".',
        'Conv2D(32, 6, padding="same", activation="relu"), Dropout(0.5); Conv2D(64, 5, …), MaxPooling2D(2), '
        "Dropout(0.25); Conv2D(128, 2, …), MaxPooling2D(2), Dropout(0.25); Conv2D(128, 3, …), Dropout(0.25); Flatten, "
        'Dense(64, activation="relu"), Dropout(0.5), Dense(1, activation="sigmoid").',
    )

    def inputs(self, rng):
        return {"the network": {}}

    def observe(self, answer, cases):
        return {name: _observe_model(answer, case) for name, case in cases.items()}

    def reference(self):
        return _published_network

    @subtest("images of 69×69 pixels in three bands go in, one probability comes out")
    def ends(self, cases, observed):
        model = observed["the network"]
        expect.equal(model["input"], [69, 69, 3], "shape of the input")
        expect.equal(model["output"], [1], "shape of the output")
        _expect_no_relu_at_the_end(model, "the network")
        expect.equal(model["layers"][-1]["activation"], "sigmoid", "activation of the output")

    @subtest("four convolutions, 32 of 6×6, 64 of 5×5, 128 of 2×2, 128 of 3×3, all with stride 1 and ReLU")
    def convolutions(self, cases, observed):
        convolutions = _kind(observed["the network"], "Conv2D")
        _expect_strides(convolutions, "the network")
        expect.equal([c["filters"] for c in convolutions], [32, 64, 128, 128], "filters of the convolutions")
        expect.equal([c["kernel"][0] for c in convolutions], [6, 5, 2, 3], "kernels of the convolutions")
        expect.equal([c["kernel"][1] for c in convolutions], [6, 5, 2, 3], "kernels of the convolutions")
        expect.equal([c["activation"] for c in convolutions], ["relu"] * 4, "activations of the convolutions")

    @subtest("two poolings of 2×2, right after the second and the third convolution")
    def poolings(self, cases, observed):
        poolings = _kind(observed["the network"], "MaxPooling2D")
        expect.equal([layer["pool"] for layer in poolings], [[2, 2], [2, 2]], "max poolings")
        expect.equal([layer["strides"] for layer in poolings], [[2, 2], [2, 2]], "strides of the max poolings")
        kinds = [layer["kind"] for layer in observed["the network"]["layers"]]
        places = [place for place, kind in enumerate(kinds) if kind == "MaxPooling2D"]
        after = [kinds[:place].count("Conv2D") for place in places]
        expect.equal(after, [2, 3], "which convolutions the poolings follow, counted from 1")
        expect.true(
            all(kinds[place - 1] == "Conv2D" for place in places),
            "something stands between a convolution and its pooling: the dropout comes after the pooling.",
        )

    @subtest("dropout .5, .25, .25, .25 after the convolutions and .5 after the dense layer of 64")
    def dropout(self, cases, observed):
        layers = observed["the network"]["layers"]
        rates = [layer["rate"] for layer in layers if layer["kind"] == "Dropout"]
        expect.equal(rates, [0.5, 0.25, 0.25, 0.25, 0.5], "rates of the dropout layers")
        order = [layer["kind"] for layer in layers if layer["kind"] in ("Conv2D", "Dropout", "Dense")]
        want = ["Conv2D", "Dropout"] * 4 + ["Dense", "Dropout", "Dense"]
        expect.true(order == want, "a dropout follows each convolution (or its pooling) and the dense layer of 64.")
        dense = _kind(observed["the network"], "Dense")
        expect.equal([layer["output"] for layer in dense], [[64], [1]], "outputs of the dense layers")
        expect.equal(dense[0]["activation"], "relu", "activation of the dense layer of 64")

    @subtest("2 602 849 parameters", points=2)
    def parameters(self, cases, observed):
        def count(places):
            return 235_232 + places * 128 * 64 + 64 + 65

        model = observed["the network"]
        mistakes = {}
        if any(layer["kind"] == "GlobalAveragePooling2D" for layer in model["layers"]):
            mistakes[AVERAGED] = count(1)
        elif any(layer["strides"] != [1, 1] for layer in _kind(model, "Conv2D")):
            strided = _published_network(strides=(6, 5, 2, 3)).count_params()
            mistakes["This is stride 6, not a 6×6 kernel: Conv2D(32, 6, 6)."] = strided
        mistakes |= {
            'These convolutions have no padding: each eats a part of the image. padding="same" keeps the size.': count(
                12 * 12
            ),
            "One pooling is missing: 34×34 pixels arrive at the dense layer, not 17×17.": count(34 * 34),
            "One pooling too many: 8×8 pixels arrive at the dense layer, not 17×17.": count(8 * 8),
            "No pooling: 69×69 pixels arrive at the dense layer, not 17×17.": count(69 * 69),
            "The poolings round up: leave their padding alone.": count(18 * 18),
        }
        expect.equal(_parameters(model), 2_602_849, "parameters", mistakes=mistakes)


class SmallNetwork(Exercise):
    id = "3.7"
    title = "a small convolutional network"
    hints = (
        "A model is a chain: begin with keras.Input(shape=input_shape), then send x through one layer after another.",
        "First AveragePooling2D(2). Then, for n in filters: a Conv2D(n, 3) with padding and activation, and "
        "MaxPooling2D(2). After the loop: Flatten, Dropout(rate), and a Dense layer with one softmax output a class.",
        "x = layers.AveragePooling2D(2)(inputs); in the loop "
        'x = layers.Conv2D(n, 3, padding="same", activation="relu")(x); x = layers.MaxPooling2D(2)(x); '
        "then x = layers.Flatten()(x); x = layers.Dropout(rate)(x); outputs = "
        'layers.Dense(n_classes, activation="softmax")(x); return keras.Model(inputs, outputs).',
    )

    def inputs(self, rng):
        size = int(rng.integers(20, 40))
        return {
            "galaxies": {"input_shape": [64, 64, 3], "n_classes": 4, "filters": [32, 64, 128], "rate": 0.25},
            "two blocks": {"input_shape": [size, size + 5, 1], "n_classes": 3, "filters": [6, 10], "rate": 0.5},
            "four blocks": {"input_shape": [48, 32, 5], "n_classes": 7, "filters": [4, 5, 6, 7], "rate": 0.1},
        }

    def observe(self, answer, cases):
        return {name: _observe_model(answer, case) for name, case in cases.items()}

    def reference(self):
        return _small_cnn

    @subtest("one probability for each class, and they sum to 1")
    def output(self, cases, observed):
        for name, case in cases.items():
            model = observed[name]
            expect.equal(model["input"], case["input_shape"], f"{name}, shape of the input")
            expect.equal(model["output"], [case["n_classes"]], f"{name}, shape of the output")
            _expect_no_relu_at_the_end(model, name)
            got = np.asarray(model["predictions"])
            expect.true(
                np.allclose(got.sum(axis=-1), 1, atol=1e-3) and (got >= 0).all(),
                f"{name}: the outputs of one image are no probabilities: the last activation is softmax.",
            )

    @subtest("first of all, 2×2 pixels are averaged")
    def binning(self, cases, observed):
        for name, case in cases.items():
            first = observed[name]["layers"][0]
            expect.equal(first["kind"], "AveragePooling2D", f"{name}, the first layer")
            height, width, bands = case["input_shape"]
            expect.equal(first["output"], [height // 2, width // 2, bands], f"{name}, shape after averaging")

    @subtest("each block has a 3×3 convolution with stride 1 and padding, filters as asked")
    def convolutions(self, cases, observed):
        for name, case in cases.items():
            convolutions = _kind(observed[name], "Conv2D")
            expect.equal([c["filters"] for c in convolutions], case["filters"], f"{name}, filters of the convolutions")
            _expect_strides(convolutions, name)
            for layer in convolutions:
                expect.equal(layer["kernel"], [3, 3], f"{name}, kernel of a convolution")
                expect.equal(layer["padding"], "same", f"{name}, padding of a convolution")

    @subtest("each block ends with a pooling that halves the size")
    def pooling(self, cases, observed):
        for name, case in cases.items():
            layers = observed[name]["layers"]
            order = [layer["kind"] for layer in layers if layer["kind"] in ("Conv2D", "MaxPooling2D")]
            expect.equal(order, ["Conv2D", "MaxPooling2D"] * len(case["filters"]), f"{name}, order of the layers")
            height, width = (n // 2 for n in case["input_shape"][:2])
            for layer, filters in zip(_kind(observed[name], "MaxPooling2D"), case["filters"], strict=True):
                height, width = height // 2, width // 2
                expect.equal(layer["output"], [height, width, filters], f"{name}, shape after a block")

    @subtest("every convolution has a ReLU")
    def activations(self, cases, observed):
        for name in cases:
            for layer in _kind(observed[name], "Conv2D"):
                expect.true(
                    layer["activation"] == "relu",
                    f"{name}: a convolution has the activation {layer['activation']!r}. Without a ReLU between them, "
                    "two convolutions in a row are only one larger convolution.",
                )

    @subtest("dropout of the asked rate before the last layer")
    def dropout(self, cases, observed):
        for name, case in cases.items():
            rates = [layer["rate"] for layer in _kind(observed[name], "Dropout")]
            expect.equal(rates, [case["rate"]], f"{name}, rates of the dropout layers")
            kinds = [layer["kind"] for layer in observed[name]["layers"]]
            expect.equal(kinds[-2:], ["Dropout", "Dense"], f"{name}, the last two layers")

    @subtest("the number of parameters is that of these layers and no others")
    def parameters(self, cases, observed):
        for name, case in cases.items():
            model = observed[name]
            mistakes = {}
            if any(layer["kind"] == "GlobalAveragePooling2D" for layer in model["layers"]):
                mistakes[AVERAGED] = _parameters(model)
            want = _parameters_due(tuple(case["input_shape"]), case["n_classes"], tuple(case["filters"]))
            expect.equal(_parameters(model), want, f"{name}, parameters", mistakes=mistakes)


class ReadTheResult(Exercise):
    id = "3.8"
    title = "where it fails: accuracy by magnitude, and the most confident mistakes"
    forbidden = ("scipy.stats.binned_statistic",)
    hints = (
        "np.histogram(values, edges) counts how many values fall into each bin. Of which values do you need it a "
        "second time? (`correct` selects them; as `weights` it would have to be numbers, correct.astype(float).) "
        "For the mistakes: which images are wrong, and how sure was the network of each?",
        "np.histogram(values[correct], edges) counts the right ones. Confidence is the largest probability of "
        "an image; take the wrong images' indices and sort them by it, largest first.",
        "count = np.histogram(values, edges)[0]; right = np.histogram(values[correct], edges)[0]; and wrong = "
        "np.flatnonzero(probabilities.argmax(axis=1) != labels); wrong[np.argsort(-confidence[wrong])][:n].",
    )

    def inputs(self, rng):
        def bins(n, edges):
            values = rng.uniform(edges[0] - 1, edges[-1] + 1, size=n)
            return {"correct": rng.random(n) < 0.8, "values": values, "edges": np.asarray(edges, float)}

        def guesses(n, classes):
            return {
                "probabilities": rng.dirichlet(np.ones(classes), size=n),
                "labels": rng.integers(0, classes, size=n),
                "n": 5,
            }

        gap = bins(60, [17, 18, 19, 20])
        gap["values"] = np.where((gap["values"] > 18) & (gap["values"] < 19), 17.5, gap["values"])
        on_edge = {
            "correct": np.array([True, False, True, True, True, False, True]),
            "values": np.array([1.0, 1.2, 1.7, 2.0, 2.0, 2.5, 3.0]),
            "edges": np.array([1.0, 2.0, 3.0]),
        }
        sure = {
            "probabilities": np.array([[0.1, 0.9], [0.45, 0.55], [0.8, 0.2], [0.01, 0.99], [0.3, 0.7]]),
            "labels": np.array([0, 0, 0, 1, 0]),
            "n": 2,
        }
        few = guesses(9, 3)
        few["labels"] = few["probabilities"].argmax(axis=1)
        few["labels"][[2, 6]] = (few["labels"][[2, 6]] + 1) % 3
        return {
            "bins, magnitudes": bins(500, [17, 18, 18.5, 19.5, 20, 21]),
            "bins, an empty one": gap,
            "bins, values on the edges": on_edge,
            "mistakes, two classes": sure,
            "mistakes, four classes": guesses(80, 4),
            "mistakes, fewer than asked": few,
        }

    def observe(self, answer, cases):
        accuracy_in_bins, most_confident_mistakes = answer
        return {
            name: run(accuracy_in_bins if name.startswith("bins") else most_confident_mistakes, **case)
            for name, case in cases.items()
        }

    def reference(self):
        return _binned_accuracy, _ranked_mistakes

    def _bins(self, cases, observed, name):
        got = observed[name]
        expect.true(
            isinstance(got, list) and len(got) == 2,
            f"{name}: return two arrays, the accuracy and the number in each bin.",
        )
        want_accuracy, want_count = _binned_accuracy(**cases[name])
        swapped = all(
            np.shape(g) == np.shape(w) and np.allclose(g, w, equal_nan=True)
            for g, w in zip(got[::-1], (want_accuracy, want_count), strict=True)
        )
        expect.true(not swapped, f"{name}: the order is wrong: return the accuracy first, then the number.")
        return got, (want_accuracy, want_count)

    @subtest("accuracy and number of galaxies in each bin; what lies outside the edges is left out")
    def magnitudes(self, cases, observed):
        case = cases["bins, magnitudes"]
        (accuracy, count), (want_accuracy, want_count) = self._bins(cases, observed, "bins, magnitudes")
        right = want_accuracy * want_count
        inside = np.clip(np.digitize(case["values"], case["edges"]) - 1, 0, len(case["edges"]) - 2)
        clipped = np.bincount(inside, minlength=len(case["edges"]) - 1)
        mistakes = {"Galaxies beyond the first and last edge were put into the outer bins.": clipped}
        expect.close(count, want_count, "number in each bin", mistakes=mistakes)
        mistakes = {
            "These are the numbers of right answers: divide by the number in the bin.": right,
            "This is the share of all right answers: divide by the number in the bin.": right / right.sum(),
            "You divided by all galaxies: divide by the number in the bin.": right / len(case["values"]),
            "This is the share of wrong answers.": 1 - want_accuracy,
        }
        expect.close(accuracy, want_accuracy, "accuracy in each bin", mistakes=mistakes)

    @subtest("an empty bin has accuracy NaN and number 0")
    def empty(self, cases, observed):
        (accuracy, count), (want_accuracy, want_count) = self._bins(cases, observed, "bins, an empty one")
        mistakes = {
            "An empty bin has no accuracy: NaN, so that no figure shows a 0 there.": np.nan_to_num(want_accuracy)
        }
        expect.close(accuracy, want_accuracy, "accuracy in each bin", mistakes=mistakes)
        expect.close(count, want_count, "number in each bin")

    @subtest("a value on an edge belongs to the bin that begins there, the last edge to the last bin")
    def edges(self, cases, observed):
        (_, count), (_, want) = self._bins(cases, observed, "bins, values on the edges")
        mistakes = {
            "The galaxy on the last edge is lost.": [3, 3],
            "The galaxies on the inner edge were counted in the bin that ends there.": [5, 2],
            "The galaxies on the inner edge were counted in the bin that ends there, and the one on the first edge is "
            "lost.": [4, 2],
            "The galaxies on the inner edge were counted twice.": [5, 4],
        }
        expect.close(count, want, "number in each bin", mistakes=mistakes)

    @subtest("only mistakes, the most confident first")
    def mistakes(self, cases, observed):
        for name in ("mistakes, two classes", "mistakes, four classes"):
            case = cases[name]
            probabilities, labels, n = case["probabilities"], case["labels"], case["n"]
            predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
            wrong = np.flatnonzero(predictions != labels)
            own = probabilities[np.arange(len(labels)), labels]
            among = np.argsort(-confidence[wrong])[:n]
            mistakes = {
                "These are the most confident images, right ones among them.": np.argsort(-confidence)[:n],
                "These are the least confident mistakes: largest first.": wrong[np.argsort(confidence[wrong])][:n],
                "These are the first mistakes in the list: sort them by confidence.": wrong[:n],
                "These are places in the list of mistakes: return places in `labels`.": among,
                "These are mistakes with the least probability for the true class: sort by the probability of the "
                "predicted class.": wrong[np.argsort(own[wrong])][:n],
                "These are right answers: take the wrong ones.": np.flatnonzero(predictions == labels)[
                    np.argsort(-confidence[predictions == labels])
                ][:n],
            }
            expect.close(observed[name], _ranked_mistakes(**case), name, mistakes=mistakes)

    @subtest("fewer mistakes than asked: all of them, and nothing else")
    def few(self, cases, observed):
        name = "mistakes, fewer than asked"
        got, want = observed[name], _ranked_mistakes(**cases[name])
        if np.ndim(got) == 1 and len(got) != len(want):
            raise expect.NotYet(f"{name}: there are only {len(want)} mistakes, got {len(got)} indices.")
        expect.close(got, want, name)


# What Keras, scikit-learn and scipy say


def _bands(images):
    return images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))


def _scaled(images, training_images):
    """scikit-learn's scaling of each band by the training images."""
    from sklearn.preprocessing import StandardScaler

    bands = images.shape[-1]
    scaler = StandardScaler().fit(training_images.reshape(-1, bands).astype("float64"))
    return scaler.transform(images.reshape(-1, bands).astype("float64")).reshape(images.shape)


def _library_softmax(logits, axis=-1):
    from scipy.special import softmax

    return softmax(np.asarray(logits, "float64"), axis=axis)


def _softmax_without_keepdims(logits):
    """The square array that comes out where the largest logit, the sum, or both are kept as a row."""
    logits = np.asarray(logits, "float64")
    if len(logits) != logits.shape[-1]:
        return []
    largest = logits.max(axis=-1)
    variants = []
    with np.errstate(all="ignore"):
        for shift, column in ((largest, False), (largest, True), (largest[:, None], False), (0 * largest, False)):
            exponentials = np.exp(logits - shift)
            variants.append(exponentials / exponentials.sum(axis=-1, keepdims=column))
    return variants


def _matching(got, values):
    """The first of the values that `got` equals, to be named as a mistake; NaN where there is none."""
    same = (v for v in values if np.shape(got) == v.shape and np.allclose(got, v, rtol=1e-4, equal_nan=True))
    return next(same, np.nan)


def _keras_loss(logits, labels):
    loss = keras.losses.sparse_categorical_crossentropy(labels, np.asarray(logits, "float32"), from_logits=True)
    return keras.ops.convert_to_numpy(loss)


def _keras_dense_parameters(n_inputs, n_outputs):
    layer = keras.layers.Dense(n_outputs)
    layer.build((None, n_inputs))
    return layer.count_params()


def _keras_conv_parameters(kernel_size, channels, filters):
    layer = keras.layers.Conv2D(filters, kernel_size)
    layer.build((None, None, None, channels))
    return layer.count_params()


def _keras_output_size(size, kernel_size, stride=1, padding="valid"):
    layer = keras.layers.MaxPooling1D(kernel_size, strides=stride, padding=padding)
    return layer.compute_output_shape((None, size, 1))[1]


def _binned_accuracy(correct, values, edges):
    from scipy.stats import binned_statistic

    correct = np.asarray(correct, float)
    accuracy = binned_statistic(values, correct, "mean", bins=edges).statistic
    return accuracy, binned_statistic(values, correct, "count", bins=edges).statistic


def _ranked_mistakes(probabilities, labels, n):
    """The same order by a plain sort of (confidence, index) pairs."""
    pairs = [
        (-max(row), index)
        for index, (row, label) in enumerate(zip(probabilities.tolist(), labels.tolist(), strict=True))
        if row.index(max(row)) != label
    ]
    return np.array([index for _, index in sorted(pairs)[:n]], dtype=int)


def _small_cnn(input_shape, n_classes, filters=(32, 64, 128), rate=0.25):
    layers = keras.layers
    stack = [keras.Input(shape=tuple(input_shape)), layers.AveragePooling2D(2)]
    for n in filters:
        stack += [layers.Conv2D(n, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    stack += [layers.Flatten(), layers.Dropout(rate), layers.Dense(n_classes, activation="softmax")]
    return keras.Sequential(stack)


@cache
def _parameters_due(input_shape, n_classes, filters):
    """Parameters of the network as it should be; counted once for a class of students."""
    return _small_cnn(input_shape, n_classes, filters).count_params()


def _published_network(strides=(1, 1, 1, 1)):
    layers = keras.layers
    model = keras.Sequential([keras.Input(shape=(69, 69, 3))])
    blocks = zip((32, 64, 128, 128), (6, 5, 2, 3), strides, (0.5, 0.25, 0.25, 0.25), (1, 2, 2, 1), strict=True)
    for filters, kernel, stride, rate, pool in blocks:
        model.add(layers.Conv2D(filters, kernel, strides=stride, padding="same", activation="relu"))
        if pool > 1 and min(model.output_shape[1:3]) >= pool:
            model.add(layers.MaxPooling2D(pool))
        model.add(layers.Dropout(rate))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


# A model as plain data


def _observe_model(answer, case):
    """The model described; where an image shrinks to nothing inside it, the likely reasons instead of Keras' error."""
    outcome = run(lambda **arguments: describe(answer(**arguments)), **case)
    problem = outcome["problem"]
    if problem and "output size would be zero" in problem["message"]:
        _, separator, line = problem["message"].partition("\nin your line")
        problem["message"] = (
            "the image shrinks to nothing inside the network. Each convolution has to keep its size: a third number, "
            'as in Conv2D(32, 6, 6), is a stride and shrinks it; so does a missing padding="same".' + separator + line
        )
    return outcome


def _parameters(model):
    """Parameters of a described model: no more than its layers can have, whatever it says of itself."""
    total, shape = 0, model["input"]
    for layer in model["layers"]:
        count = layer["parameters"]
        if layer["kind"] == "Conv2D":
            count = min(count, (layer["kernel"][0] * layer["kernel"][1] * shape[-1] + 1) * layer["filters"])
        if layer["kind"] == "Dense":
            count = min(count, (shape[-1] + 1) * layer["output"][-1])
        total, shape = total + count, layer["output"]
    return total


def describe(model):
    """What a Keras model is, as plain data: shapes, counts, layers in order, predictions for three random images.

    An activation that stands as a layer of its own counts as that of the layer before it.

    Returns
    -------
    dict
        ``input`` and ``output`` (shapes without the batch), ``parameters``, ``layers`` (each with ``kind``,
        ``output``, ``parameters`` and what the kind has: ``filters``, ``kernel``, ``strides``, ``padding``, ``pool``,
        ``rate``, ``activation``), ``predictions``.
    """
    if model is None:
        raise TypeError("the function returned None: does it end with `return keras.Model(inputs, outputs)`?")
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise TypeError("the model does not know its input: begin with keras.Input(shape=input_shape)")
    layers = []
    for layer in _flat(model):
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if kind in ("Activation", "ReLU", "Softmax") and layers and layers[-1].get("activation") in (None, "linear"):
            layers[-1]["activation"] = layer.activation.__name__ if kind == "Activation" else kind.lower()
            continue
        layers.append(_describe_layer(layer, kind))
    shape = list(model.input_shape[1:])
    images = np.random.default_rng(3).normal(size=(3, *shape)).astype("float32")
    return {
        "input": shape,
        "output": list(model.output_shape[1:]),
        "parameters": model.count_params(),
        "layers": layers,
        "predictions": keras.ops.convert_to_numpy(model(images, training=False)),
    }


def _flat(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _describe_layer(layer, kind):
    described = {"kind": kind, "output": list(layer.output.shape[1:]), "parameters": layer.count_params()}
    if kind == "Conv2D":
        described["filters"], described["kernel"] = layer.filters, list(layer.kernel_size)
    if kind.endswith("Pooling2D") and not kind.startswith("Global"):
        described["pool"] = list(layer.pool_size)
    if "pool" in described or kind == "Conv2D":
        described["strides"], described["padding"] = list(layer.strides), layer.padding
    if kind.endswith("Dropout") or kind.startswith("SpatialDropout"):
        described["rate"] = layer.rate
    if hasattr(layer, "activation"):
        described["activation"] = layer.activation.__name__
    return described


def _kind(model, kind):
    return [layer for layer in model["layers"] if layer["kind"] == kind]


def _expect_strides(convolutions, name):
    for layer in convolutions:
        stride = layer["strides"][0]
        expect.true(
            layer["strides"] == [1, 1],
            f"{name}: this is stride {stride}, not a {stride}×{stride} kernel: the third number of "
            f"Conv2D({layer['filters']}, {layer['kernel'][0]}, {stride}) is the stride. "
            f"Write Conv2D({layer['filters']}, {layer['kernel'][0]}).",
        )


def _expect_no_relu_at_the_end(model, name):
    expect.true(
        model["layers"][-1].get("activation") != "relu",
        f"{name}: a ReLU on the output layer gives 0 for every negative logit, without a gradient: no probabilities.",
    )


def _equal_count(got, want, what, mistakes):
    """Whole numbers: 34.0 will not do where a layer needs 34 pixels."""
    if isinstance(got, float) and got == want:
        raise expect.NotYet(f"{what}: expected the whole number {want}, got {got}. int(...) makes one.")
    expect.equal(got, want, what, mistakes={text: value for text, value in mistakes.items() if value != want})
