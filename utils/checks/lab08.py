"""Checks of lab 08, residual networks."""

from functools import cache
from itertools import combinations

import keras
import numpy as np

from utils.checks import Exercise, expect, run, subtest
from utils.results import POSITIVE, SHARE, Claim

LOSS = "training loss after 100 steps (mean of the last 50)"

CLAIMS = {
    "plain_8": Claim(f"Plain network of 8 layers: {LOSS}", limits=POSITIVE),
    "plain_14": Claim("The same with 14 layers", limits=POSITIVE),
    "plain_32": Claim("The same with 32 layers", limits=POSITIVE),
    "residual_8": Claim(f"Residual network of 8 layers, last scale 0: {LOSS}", limits=POSITIVE),
    "residual_14": Claim("The same with 14 layers", limits=POSITIVE),
    "residual_32": Claim("The same with 32 layers", limits=POSITIVE),
    "slow_ones_32": Claim(
        "Residual network of 32 layers, last scale 1, learning rate 0.02: the same", "<= 0.95", POSITIVE
    ),
    "plain_degrades": Claim("Training loss of the plain network of 32 layers minus that of 8 layers", ">= 0.3"),
    "shortcut_gains": Claim("32 layers: training loss of the plain network minus that of the residual one", ">= 0.3"),
    "depth_helps": Claim("Residual networks: training loss of 8 layers minus that of 32 layers", ">= -0.05"),
    "built_32": Claim(
        "Loss of the plain network of 32 layers that was built minus that of the 8 layers in it", "<= 0.0001", POSITIVE
    ),
    "plain_direction": Claim("Cosine of the gradients with and without noise, plain, 32 layers", "<= 0.2"),
    "residual_direction": Claim("The same for the residual network, last scale 0", ">= 0.6"),
    "plain_without_a_block": Claim("Mean loss of accuracy without one block, plain network of 14 layers", ">= 0.2"),
    "residual_without_a_block": Claim("The same for the residual network of 32 layers", "<= 0.1"),
    "lab03_accuracy": Claim("Lab 03's network with fewer filters, 300 steps: accuracy on the test set", limits=SHARE),
    "residual_accuracy": Claim("Residual network of 14 layers at the same cost, 300 steps: the same", ">= 0.85", SHARE),
}


class BlockExercise(Exercise):
    """An exercise whose answer is a block: it is built for each case, and its layers are looked at."""

    def observe(self, answer, cases):
        return {name: run(_look_at_block, answer, case) for name, case in cases.items()}


class PlainBlock(BlockExercise):
    id = "8.1"
    title = "a plain block"
    hints = (
        "A layer is made and then called: convolution(filters)(x). What comes out is what the next layer takes.",
        "Six steps: convolution with the stride, normalisation, ReLU; convolution without a stride, "
        "normalisation with the name, ReLU. layers.ReLU() is the activation as a layer.",
        "x = convolution(filters, stride=stride)(x); x = layers.ReLU()(normalisation()(x)); x = "
        "convolution(filters)(x); return layers.ReLU()(normalisation(name=name)(x)).",
    )

    def inputs(self, rng):
        return {
            "same shape": _block_case(rng, (6, 5, 4), filters=4, name="block_7"),
            "more filters": _block_case(rng, (5, 6, 3), filters=6, name="more"),
            "stride 2": _block_case(rng, (8, 6, 3), filters=5, stride=2, name="half"),
        }

    def reference(self):
        def plain_block(x, filters, stride=1, name=None):
            branch = _branch_in_keras(filters, stride, name=name)
            return keras.layers.Activation("relu")(branch(x))

        return plain_block

    @subtest("two convolutions of 3×3 with so many filters, without bias")
    def convolutions(self, cases, observed):
        for name in cases:
            _expect_convolutions(observed[name], cases[name], name)

    @subtest("the stride is in the first convolution alone")
    def stride(self, cases, observed):
        _expect_strides(observed["stride 2"], cases["stride 2"], "stride 2")

    @subtest("two batch normalisations, one for each channel's numbers; the second has the name")
    def normalisations(self, cases, observed):
        for name in cases:
            _expect_normalisations(observed[name], cases[name], name, 2)
            _expect_named(_kinds(observed[name], NORM)[-1:], cases[name], name, "the second batch normalisation")

    @subtest("the order: convolution, normalisation, ReLU, and the same again")
    def order(self, cases, observed):
        for name in ("same shape", "more filters", "stride 2"):
            got, case = observed[name], cases[name]
            _expect_normalisations(got, case, name, 2)
            (one, two), (norm_one, norm_two) = _of_branch(got, case, name), _kinds(got, NORM)
            x, stride = case["images"], case["options"].get("stride", 1)

            def until(step, stride=stride, x=x, one=one, two=two, norm_one=norm_one, norm_two=norm_two):
                h = step(_conv(x, one, stride), norm_one)
                return step(_conv(h, two, 1), norm_two)

            def relu_between(x=x, one=one, two=two, norm_one=norm_one, norm_two=norm_two, stride=stride):
                return _norm(_conv(_relu(_norm(_conv(x, one, stride), norm_one)), two, 1), norm_two)

            want = until(lambda h, norm: _relu(_norm(h, norm)))
            mistakes = {
                "The last ReLU is missing.": relu_between(),
                "There is no ReLU in this.": until(_norm),
                "The first ReLU is missing.": _relu(until(_norm)),
                "You put the ReLU before the batch normalisation: normalise first.": until(
                    lambda h, norm: _norm(_relu(h), norm)
                ),
                "The input is added: that comes in section 3. A plain block has no way around.": (
                    _relu(relu_between() + x) if x.shape == want.shape else None
                ),
            }
            _expect_output(got, want, name, mistakes)


class Network(Exercise):
    id = "8.2"
    title = "a network of any depth"
    hints = (
        "Two loops: over the stages, and in it over the n blocks of a stage. What has to be counted up through both?",
        "The stem: convolution(filters[0], stride=2), normalisation, ReLU. Then for each stage, for each of n "
        "blocks: x = block(x, filters of the stage, stride=…, name=…). Then the mean over the pixels, and "
        "Dense(n_classes).",
        "for stage, n_filters in enumerate(filters): for place in range(n): number += 1; stride = 2 if stage "
        '> 0 and place == 0 else 1; x = block(x, n_filters, stride=stride, name=f"block_{number}"). After the '
        "loops GlobalAveragePooling2D and Dense(n_classes), without an activation.",
    )

    def inputs(self, rng):
        def case(shape, n_classes, n, **options):
            images = rng.normal(size=(3, *shape)).astype("float32")
            return {
                "images": images,
                "n_classes": n_classes,
                "n": n,
                "options": options,
                "seed": int(rng.integers(1e6)),
            }

        return {
            "n = 1": case((16, 16, 3), 4, 1),
            "n = 3": case((18, 12, 2), 5, 3),
            "n = 2, other filters": case((9, 13, 3), 3, 2, filters=[4, 7, 5]),
            "n = 2, the same filters": case((20, 24, 2), 3, 2, filters=[6, 6, 6]),
        }

    def observe(self, answer, cases):
        return {name: run(_look_at_network, answer, case) for name, case in cases.items()}

    def reference(self):
        def network(block, input_shape, n_classes, n, filters=(8, 16, 32)):
            layers = keras.layers
            image = keras.Input(tuple(input_shape))
            x = layers.Activation("relu")(_norm_in_keras()(_conv_in_keras(filters[0], stride=2)(image)))
            for number in range(3 * n):
                stage, place = divmod(number, n)
                stride = 2 if number and not place else 1
                x = block(x, filters[stage], stride=stride, name=f"block_{number + 1}")
            return keras.Model(image, layers.Dense(n_classes)(layers.GlobalAveragePooling2D()(x)))

        return network

    @subtest("three stages of n blocks, with the filters of their stage")
    def stages(self, cases, observed):
        for name, case in cases.items():
            filters = case["options"].get("filters", [8, 16, 32])
            n = case["n"]
            got = [call["filters"] for call in observed[name]["calls"]]
            mistakes = {
                "That is one block too many in each stage.": [f for f in filters for _ in range(n + 1)],
                "These are n blocks in all: n in each of the three stages.": [f for f in filters for _ in range(n)][:n],
                "All have the filters of the first stage.": [filters[0]] * (3 * n),
                "These are the default filters: take those that are handed over.": [
                    f for f in (8, 16, 32) for _ in range(n)
                ],
                "The loops are the other way round: the stages are the outer loop.": n * list(filters),
            }
            want = [f for f in filters for _ in range(n)]
            _expect_list(got, want, f"{name}, filters of the blocks", mistakes)

    @subtest("a stride of 2 in the stem and in the first block of the second and third stage, nowhere else")
    def strides(self, cases, observed):
        for name, case in cases.items():
            n = case["n"]
            got = [call["stride"] for call in observed[name]["calls"]]
            want = [2 if i in (n, 2 * n) else 1 for i in range(3 * n)]
            alike = len(set(case["options"].get("filters", "ab"))) == 1
            none = "A new stage has a stride of 2, also where the filters stay." if alike else "No block has a stride."
            mistakes = {
                none: [1] * (3 * n),
                "The first stage keeps the size: the stem has halved it already.": [
                    2 if i % n == 0 else 1 for i in range(3 * n)
                ],
                "All blocks of the second and third stage have a stride: the first of each alone.": [
                    2 if i >= n else 1 for i in range(3 * n)
                ],
                "The stride is in the last block of a stage: it belongs to the first of the next.": [
                    2 if i in (n - 1, 2 * n - 1) else 1 for i in range(3 * n)
                ],
                "The stride is in the last block of its stage: it belongs to the first.": [
                    2 if i in (2 * n - 1, 3 * n - 1) else 1 for i in range(3 * n)
                ],
            }
            _expect_list(got, want, f"{name}, strides of the blocks", mistakes)
            height, width = case["images"].shape[1:3]
            entering = observed[name]["entering"]
            expect.equal(
                list(entering.shape[1:3]),
                [-(-height // 2), -(-width // 2)],
                f"{name}, height and width of what enters the first block",
                mistakes={"The stem has no stride: it halves the image.": [height, width]},
            )

    @subtest("each block takes what the one before gave, and is named by its number")
    def chain(self, cases, observed):
        for name, case in cases.items():
            got = [call["name"] for call in observed[name]["calls"]]
            want = [f"block_{i + 1}" for i in range(3 * case["n"])]
            mistakes = {
                "Count from 1.": [f"block_{i}" for i in range(3 * case["n"])],
                "The blocks have no names: name=….": [None] * len(want),
                "The numbers begin anew in each stage: count through.": [
                    f"block_{i % case['n'] + 1}" for i in range(len(want))
                ],
            }
            _expect_list(got, want, f"{name}, names of the blocks", mistakes)
            lost = [block for block in want if block not in observed[name]["layers"]]
            expect.true(
                not lost,
                f"{name}: {', '.join(lost[:3])} {'is' if len(lost) == 1 else 'are'} not on the way from the input to "
                "the output: hand what a block returns to the next one.",
            )

    @subtest("the stem: convolution, batch normalisation, ReLU")
    def stem(self, cases, observed):
        for name, case in cases.items():
            stem = observed[name]["stem"]
            filters = case["options"].get("filters", [8, 16, 32])
            expect.equal(stem["convolutions"], 1, f"{name}, convolutions before the first block")
            expect.equal(stem["normalisations"], 1, f"{name}, batch normalisations before the first block")
            expect.equal(stem["kernel"], [3, 3], f"{name}, height and width of the stem's kernel")
            entering = observed[name]["entering"]
            expect.equal(entering.shape[-1], filters[0], f"{name}, channels of what enters the first block")
            expect.true(
                np.min(entering) >= 0,
                f"{name}: values below 0 enter the first block: the stem ends with a ReLU.",
            )
            mean = np.mean(entering == 0)
            expect.true(mean > 0.02, f"{name}: nothing is cut off before the first block: the stem ends with a ReLU.")

    @subtest("the mean over all pixels, and a dense layer that gives logits")
    def head(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            x, dense = got["leaving"].astype("float64"), got["dense"]
            expect.shape(got["outputs"], (3, case["n_classes"]), f"{name}, output")
            expect.true(dense is not None, f"{name}: the last layer is a dense layer.")
            if len(dense[0]) != x.shape[-1]:
                raise expect.NotYet(
                    f"{name}: the dense layer takes {len(dense[0])} numbers, expected {x.shape[-1]}, one for each "
                    "channel: take the mean over the pixels, GlobalAveragePooling2D."
                )
            logits, of_maximum = (pooled @ dense[0] + dense[1] for pooled in (x.mean(axis=(1, 2)), x.max(axis=(1, 2))))
            e = np.exp(logits - logits.max(axis=1, keepdims=True))
            mistakes = {
                "These are probabilities: return logits, a dense layer without activation.": e
                / e.sum(axis=1, keepdims=True),
                "This is the maximum over the pixels: take the mean, GlobalAveragePooling2D.": of_maximum,
                "A ReLU on the logits: the dense layer has no activation.": np.maximum(logits, 0),
                "A sigmoid on the logits: the dense layer has no activation.": 1 / (1 + np.exp(-logits)),
            }
            expect.close(got["outputs"], logits, f"{name}, logits", rtol=1e-3, atol=1e-4, mistakes=mistakes)


class IdentityKernel(Exercise):
    id = "8.3"
    title = "a kernel that does nothing"
    hints = (
        "An output pixel is a sum over the places of the kernel and the input channels. Which one product of "
        "all these should remain?",
        "All zeros but in the middle of the kernel, where each output channel takes 1 × the input channel of "
        "the same number: an identity matrix of channels × channels.",
        "kernel = np.zeros((size, size, channels, channels)); kernel[size // 2, size // 2] = np.eye(channels).",
    )

    def inputs(self, rng):
        shapes = {"one channel": (3, 1), "three channels": (3, 3), "a kernel of 5": (5, 4), "a kernel of 1": (1, 6)}
        return {
            name: {"size": size, "channels": channels, "images": rng.normal(size=(2, 7, 6, channels)).astype("float32")}
            for name, (size, channels) in shapes.items()
        }

    def observe(self, answer, cases):
        return {name: run(answer, size=case["size"], channels=case["channels"]) for name, case in cases.items()}

    def reference(self):
        def identity_kernel(size, channels):
            kernel = np.pad(np.eye(channels)[None, None], 2 * [2 * [size // 2]] + 2 * [[0, 0]])
            return keras.ops.convert_to_numpy(kernel)

        return identity_kernel

    @subtest("the shape: height, width, input channels, output channels")
    def shape(self, cases, observed):
        for name, case in cases.items():
            size, channels = case["size"], case["channels"]
            mistakes = {
                "The channels are missing: the kernel has four axes.": (size, size),
                "The channels come last.": (channels, channels, size, size),
                "Input and output channels: two axes.": (size, size, channels),
            }
            want = (size, size, channels, channels)
            expect.shape(observed[name], want, name, mistakes={k: v for k, v in mistakes.items() if v != want})

    def _unchanged(self, cases, observed, names):
        for name in names:
            images, size, channels = (cases[name][key] for key in ("images", "size", "channels"))
            expect.shape(observed[name], (size, size, channels, channels), name)
            got = _conv(images, observed[name], 1)
            mean = np.zeros((size, size, channels, channels))
            mean[:] = np.eye(channels) / size**2
            everywhere, mixing, corner = np.zeros_like(mean), np.zeros_like(mean), np.zeros_like(mean)
            everywhere[:] = np.eye(channels)
            mixing[size // 2, size // 2] = 1
            corner[0, 0] = np.eye(channels)
            first, before, behind, swapped, shared = (np.zeros_like(mean) for _ in range(5))
            first[size // 2, size // 2, 0, 0] = 1
            before[max(size // 2 - 1, 0), max(size // 2 - 1, 0)] = np.eye(channels)
            behind[min(size // 2 + 1, size - 1), min(size // 2 + 1, size - 1)] = np.eye(channels)
            swapped[size // 2, size // 2] = np.eye(channels)[::-1]
            shared[size // 2, size // 2] = 1 / channels
            diagonal = np.eye(size)[:, :, None, None] * np.eye(channels)
            mistakes = {
                "The image comes out blurred: the middle of the kernel alone is not 0.": _conv(images, mean, 1),
                "Neighbouring pixels are added up: the middle of the kernel alone is not 0.": _conv(
                    images, everywhere, 1
                ),
                "Each channel comes out as the sum of all: the middle is an identity matrix.": _conv(images, mixing, 1),
                "The image is shifted: the middle of the kernel is at size // 2.": _conv(images, corner, 1),
                "The first channel alone comes through: the middle is an identity matrix.": _conv(images, first, 1),
                "The image is shifted: the middle of the kernel is at size // 2, not before it.": _conv(
                    images, before, 1
                ),
                "The image is shifted: the middle of the kernel is at size // 2, not behind it.": _conv(
                    images, behind, 1
                ),
                "The channels come out in another order: put channel c into channel c.": _conv(images, swapped, 1),
                "Each channel comes out as the mean of all: the middle is an identity matrix.": _conv(
                    images, shared, 1
                ),
                "Pixels along a diagonal are added up: the identity matrix is one of channels, at the middle.": _conv(
                    images, diagonal, 1
                ),
                "Everything is 0.": np.zeros_like(images),
            }
            mistakes = _unlike(images, mistakes)
            expect.close(got, images, f"{name}, the convolved image", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("an image of one channel comes out as it went in")
    def one(self, cases, observed):
        self._unchanged(cases, observed, ["one channel"])

    @subtest("no channel gets anything of another")
    def channels(self, cases, observed):
        self._unchanged(cases, observed, ["three channels"])

    @subtest("kernels of other sizes")
    def sizes(self, cases, observed):
        self._unchanged(cases, observed, ["a kernel of 5", "a kernel of 1"])


class IdentityBlock(Exercise):
    id = "8.4"
    title = "the residual block by hand"
    hints = (
        "Go along the branch first, and keep x. How often does relu stand in the formula, and where?",
        "branch: convolve with kernels[0], normalise with scales[0] and shifts[0], relu; convolve with "
        "kernels[1], normalise with scales[1] and shifts[1], no relu. Then relu of the sum of x and the "
        "branch.",
        "branch = relu(normalise(convolve(x, kernels[0]), scales[0], shifts[0])); branch = "
        "normalise(convolve(branch, kernels[1]), scales[1], shifts[1]); return relu(x + branch).",
    )

    def inputs(self, rng):
        def case(n, height, width, channels, last=1.0):
            return {
                "x": rng.normal(size=(n, height, width, channels)).astype("float32"),
                "kernels": [
                    (rng.normal(size=(3, 3, channels, channels)) / np.sqrt(9 * channels)).astype("float32")
                    for _ in "ab"
                ],
                "scales": [(w * rng.uniform(0.5, 1.5, size=channels)).astype("float32") for w in (1, last)],
                "shifts": [(w * rng.normal(0, 0.5, size=channels)).astype("float32") for w in (1, last)],
            }

        return {
            "four channels": case(3, 6, 5, 4),
            "one channel": case(4, 5, 7, 1),
            "three channels": case(2, 8, 8, 3),
            "last scale 0": case(3, 5, 6, 3, last=0.0),
        }

    def reference(self):
        def identity_block(x, kernels, scales, shifts):
            return _residual_by_keras(x, kernels, scales, shifts)["want"]

        return identity_block

    @subtest("with last scale and shift 0 the block returns relu(x)")
    def nothing(self, cases, observed):
        case = cases["last scale 0"]
        x = case["x"]
        mistakes = {
            "Nothing comes through: x is to be added, after the last normalisation.": 0 * x,
            "The last relu is missing.": x,
            "The way around begins before the first layer: add x, not what the first normalisation gave.": (
                _residual_by_keras(**case)["late"]
            ),
            "x is added twice.": _relu(2 * x),
        }
        expect.close(observed["last scale 0"], _relu(x), "last scale 0", rtol=1e-4, atol=1e-5, mistakes=mistakes)

    @subtest("relu(x + branch), as Keras computes it")
    def whole(self, cases, observed):
        for name in ("four channels", "three channels", "one channel"):
            values = _residual_by_keras(**cases[name])
            mistakes = {
                "The way around is missing.": values["plain"],
                "The last relu is missing: it comes after the addition.": values["no relu"],
                "There is a relu before the addition: the branch ends with the normalisation.": values["relu before"],
                "The relu stands before the addition, none after it: it is relu(x + branch).": values["only before"],
                "You added before the second normalisation: normalise first, then add.": values["add first"],
                "The way around begins too late: add x, not what the first half of the branch gave.": values["late"],
                "The relu inside the branch is missing.": values["no inner relu"],
                "The second kernel is missing: you took kernels[0] twice.": values["same kernel"],
                "You took the first scale and shift twice.": values["same scale"],
                "x is multiplied: add it.": values["product"],
                "The branch is subtracted: add it.": values["difference"],
                "The relu stands before the normalisation: normalise first.": values["relu first"],
                "Each half has a way around: there is one, around both.": values["two ways"],
                "Scale and shift are swapped.": values["swapped"],
                "There is a relu on the way around: add x as it is.": values["relu of x"],
                "The normalisations are missing.": values["no normalisation"],
            }
            expect.close(observed[name], values["want"], name, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("what comes out is never negative, and changes with the branch")
    def changes(self, cases, observed):
        for name in ("four channels", "three channels"):
            got, x = np.asarray(observed[name]), cases[name]["x"]
            expect.shape(got, x.shape, name)
            expect.true(np.min(got) >= 0, f"{name}: there are values below 0: the last step is a relu.")
            expect.true(not np.allclose(got, _relu(x), atol=1e-3), f"{name}: this is relu(x): the branch is missing.")


class Shortcuts(Exercise):
    id = "8.5"
    title = "shortcuts that change the shape"
    hints = (
        "x[:, ::stride, ::stride] has every stride-th pixel. What is left to do for the channels?",
        "Padded: np.pad with (0, 0) for the first three axes and (0, filters − channels) for the last. "
        "Projected: a kernel of 1×1 is a matrix, kernel[0, 0], and @ multiplies the last axis by it.",
        "x = x[:, ::stride, ::stride]; np.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1]))); and "
        "x[:, ::stride, ::stride] @ kernel[0, 0].",
    )

    def inputs(self, rng):
        def case(shape, filters, stride):
            return {
                "x": rng.normal(size=shape).astype("float32"),
                "kernel": rng.normal(size=(1, 1, shape[-1], filters)).astype("float32"),
                "stride": stride,
            }

        return {
            "stride 1": case((2, 4, 5, 3), 5, 1),
            "stride 2": case((2, 6, 8, 3), 4, 2),
            "odd sizes": case((3, 7, 5, 2), 6, 2),
            "stride 3": case((1, 8, 9, 2), 3, 3),
            "as many filters": case((2, 6, 4, 3), 3, 2),
        }

    def observe(self, answer, cases):
        padded_shortcut, projected_shortcut = answer
        observed = {}
        for name, case in cases.items():
            x, kernel, stride = case["x"], case["kernel"], case["stride"]
            observed[f"padded, {name}"] = run(padded_shortcut, x, kernel.shape[-1], stride)
            observed[f"projected, {name}"] = run(projected_shortcut, x, kernel, stride)
        return observed

    def reference(self):
        def padded_shortcut(x, filters, stride):
            kernel = np.eye(x.shape[-1], filters, dtype="float32")[None, None]
            return _conv(x, kernel, stride)

        def projected_shortcut(x, kernel, stride):
            return _conv(x, kernel, stride)

        return padded_shortcut, projected_shortcut

    def _compare(self, kind, cases, observed, names):
        for name in names:
            x, kernel, stride = (cases[name][key] for key in ("x", "kernel", "stride"))
            filters = kernel.shape[-1]
            if kind == "padded":
                kernel = np.eye(x.shape[-1], filters, dtype="float32")[None, None]
            want, what = _conv(x, kernel, stride), f"{kind}, {name}"
            offset = x[:, 1::stride, 1::stride]
            mean = keras.ops.convert_to_numpy(keras.ops.average_pool(x, stride, strides=stride, padding="same"))
            largest = keras.ops.convert_to_numpy(keras.ops.max_pool(x, stride, strides=stride, padding="same"))
            rows = keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=(stride, 1), padding="same"))
            columns = keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=(1, stride), padding="same"))
            mistakes = {
                "The stride is missing: take every stride-th pixel.": _conv(x, kernel, 1),
                "Only the rows have the stride: height and width both do.": rows,
                "Only the columns have the stride: height and width both do.": columns,
                "Begin with the first pixel, x[:, ::stride, ::stride].": _conv(offset, kernel, 1),
                "This is a mean over pixels: take every stride-th pixel as it is.": _conv(mean, kernel, 1),
                "This is the largest of some pixels: take every stride-th pixel as it is.": _conv(largest, kernel, 1),
                "Sizes are rounded up: the first pixel always counts.": want[
                    :, : x.shape[1] // stride, : x.shape[2] // stride
                ],
                "The channels are missing: there have to be `filters` of them.": x[:, ::stride, ::stride],
                "The zeros come behind the given channels.": want[..., ::-1],
                "Zeros stand on both sides: all come behind the given channels.": np.roll(
                    want, (filters - x.shape[-1]) // 2, axis=-1
                ),
                "Append `filters` − channels zeros: `filters` is the number of all channels.": np.pad(
                    x[:, ::stride, ::stride], 3 * [(0, 0)] + [(0, filters)]
                ),
                "The first axis counts the images: the stride belongs to the second and the third.": _conv(
                    x[::stride, ::stride], kernel, 1
                ),
                "The stride is 2 whatever is handed over.": _conv(x, kernel, 2),
                "There is a ReLU in this: the shortcut has none.": _relu(want),
                "The zeros stand in front: they come behind the given channels.": np.roll(
                    want, filters - x.shape[-1], axis=-1
                ),
                "Channels are repeated: append zeros.": np.take(
                    x[:, ::stride, ::stride], np.arange(filters) % x.shape[-1], axis=-1
                ),
            }
            expect.close(observed[what], want, what, rtol=1e-4, atol=1e-5, mistakes=_unlike(want, mistakes))

    @subtest("padded: every stride-th pixel, in both directions")
    def padded(self, cases, observed):
        self._compare("padded", cases, observed, ("as many filters", "stride 2", "stride 3"))

    @subtest("padded: the channels that were there, then zeros")
    def zeros(self, cases, observed):
        self._compare("padded", cases, observed, ("stride 1", "stride 2"))

    @subtest("projected: a convolution of 1×1, as Keras computes it")
    def projected(self, cases, observed):
        self._compare("projected", cases, observed, ("stride 1", "as many filters"))

    @subtest("projected: with the stride")
    def projected_stride(self, cases, observed):
        self._compare("projected", cases, observed, ("stride 2", "stride 3"))

    @subtest("odd sizes are rounded up")
    def odd(self, cases, observed):
        self._compare("padded", cases, observed, ("odd sizes",))
        self._compare("projected", cases, observed, ("odd sizes",))


class ResidualBlock(BlockExercise):
    id = "8.6"
    title = "the residual block in Keras"
    hints = (
        "Keep x under its own name and give the branch another one. When is x not what you can add?",
        "The branch is that of exercise 8.4, in layers; its last normalisation gets last_scale and the name. "
        "If stride != 1 or x.shape[-1] != filters, x goes through a convolution of size=1 with the stride, "
        "and a normalisation. Then Add, then ReLU.",
        "branch = normalisation(last_scale, name=name)(…); if stride != 1 or x.shape[-1] != filters: x = "
        "normalisation()(convolution(filters, size=1, stride=stride)(x)); return "
        "layers.ReLU()(layers.Add()([x, branch])).",
    )

    def inputs(self, rng):
        return {
            "same shape": _block_case(rng, (6, 5, 4), filters=4, name="block_7"),
            "same shape, last scale ones": _block_case(rng, (6, 5, 4), filters=4, name="block_8", last_scale="ones"),
            "more filters": _block_case(rng, (5, 6, 3), filters=6, name="more"),
            "stride 2": _block_case(rng, (8, 6, 4), filters=4, stride=2, name="half"),
            "stride 2, more filters": _block_case(rng, (7, 6, 3), filters=5, stride=2, name="both"),
        }

    def reference(self):
        def residual_block(x, filters, stride=1, name=None, last_scale="zeros"):
            branch = _branch_in_keras(filters, stride, name=name, gamma_initializer=last_scale)(x)
            if tuple(branch.shape) != tuple(x.shape):
                x = keras.Sequential([_conv_in_keras(filters, 1, stride), _norm_in_keras()])(x)
            return keras.layers.Activation("relu")(keras.layers.add([x, branch]))

        return residual_block

    @subtest("the branch: two convolutions of 3×3, the first with the stride")
    def convolutions(self, cases, observed):
        for name in cases:
            _expect_convolutions(observed[name], cases[name], name)
        _expect_strides(observed["stride 2"], cases["stride 2"], "stride 2")

    @subtest("the shortcut: x itself where the shape stays, a convolution of 1×1 with the stride where it changes")
    def shortcut(self, cases, observed):
        for name, case in cases.items():
            _expect_projection(observed[name], case, name)

    @subtest("each convolution has its batch normalisation; the last of the branch has the name")
    def normalisations(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            _expect_projection(got, case, name)
            _expect_normalisations(got, case, name, 3 if _projects(case) else 2)
            named = [norm for norm in _kinds(got, NORM) if norm["name"] == case["options"]["name"]]
            _expect_named(named, case, name, "the last batch normalisation of the branch")
            expect.true(
                named[0]["after"] == 1,
                f"{name}: the batch normalisation with the name does not follow the second convolution of the branch.",
            )

    @subtest("the last scale begins as told, all other scales with 1")
    def last_scale(self, cases, observed):
        for name, case in cases.items():
            wanted = case["options"].get("last_scale", "zeros")
            _of_branch(observed[name], case, name)
            expect.true(
                any(norm["after"] == 1 for norm in _kinds(observed[name], NORM)),
                f"{name}: no batch normalisation follows the second convolution of the branch.",
            )
            for norm in _kinds(observed[name], NORM):
                last = norm["after"] == 1
                got = norm["first_scale"]
                want = np.full(got.shape, 0.0 if last and wanted == "zeros" else 1.0)
                which = "the last scale of the branch" if last else "the scale of another normalisation"
                mistakes = {
                    "Hand last_scale to the last normalisation of the branch.": np.ones_like(got) if last else np.nan,
                    "Only the last scale of the branch may begin at 0: with this one at 0 something is cut off "
                    "for good, or a way around is blocked.": np.nan if last else np.zeros_like(got),
                }
                expect.close(got, want, f"{name}, {which}", mistakes=mistakes)

    @subtest("ReLU(shortcut + branch)")
    def output(self, cases, observed):
        for name, case in cases.items():
            got, x = observed[name], case["images"]
            stride = case["options"].get("stride", 1)
            one, two = _of_branch(got, case, name)
            projections = _projections(got)
            _expect_projection(got, case, name)
            _expect_normalisations(got, case, name, 3 if _projects(case) else 2)
            norms = _kinds(got, NORM)
            last = next((norm for norm in norms if norm["after"] == 1), norms[-1])
            others = [norm for norm in norms if norm is not last]
            of_shortcut = [norm for norm in others if norm["after"] == 2] if projections else []
            first = next((norm for norm in others if norm["after"] != 2), others[0])
            way = x
            if projections:
                way = _conv(x, projections[0], stride)
                way = _norm(way, of_shortcut[0]) if of_shortcut else way
            half = _conv(x, one, stride)
            inner = _relu(_norm(half, first))
            raw = _conv(inner, two, 1)
            branch = _norm(raw, last)
            mistakes = {
                "The last ReLU is missing.": way + branch,
                "There is a ReLU before the addition: the branch ends with the normalisation.": _relu(
                    way + _relu(branch)
                ),
                "The ReLU stands before the addition, none after it.": way + _relu(branch),
                "The way around is missing.": _relu(branch),
                "You added before the last normalisation: normalise the branch, then add.": (
                    _relu(_norm(way + raw, last))
                ),
                "The way around begins too late: add x, not what the first half of the branch gave.": _relu(
                    inner + branch
                ),
                "The way around begins too late: add x, not what the first convolution gave.": _relu(half + branch),
                "The branch is added to itself: add x.": _relu(2 * branch),
                "The ReLU inside the branch is missing.": _relu(way + _norm(_conv(_norm(half, first), two, 1), last)),
                "There is a ReLU on the shortcut: add it as it is.": _relu(_relu(way) + branch),
                "The ReLU stands before the batch normalisation.": _relu(
                    way + _norm(_conv(_norm(_relu(half), first), two, 1), last)
                ),
                "Shortcut and branch are multiplied: add them.": _relu(way * branch),
                "This is the mean of shortcut and branch: add them.": _relu((way + branch) / 2),
            }
            _expect_output(got, _relu(way + branch), name, mistakes)

    @subtest("with last scale 0 the block begins as ReLU(shortcut)")
    def begins(self, cases, observed):
        for name in ("same shape",):
            x = cases[name]["images"]
            mistakes = {
                "The last ReLU is missing.": x,
                "Nothing comes through: x is to be added, after the last normalisation.": 0 * x,
            }
            expect.close(
                observed[name]["first_outputs"], _relu(x), f"{name}, before training", atol=1e-4, mistakes=mistakes
            )


class BothWays(Exercise):
    id = "8.7"
    title = "forward and back through a sum"
    hints = (
        "Forward: what leaves a block is what entered, plus the branch. Backward: the gradient comes back on "
        "two ways, which are added.",
        "The branch's output is the difference of two neighbouring states: slope(states[l + 1] − states[l]) "
        "is φ'. From the last block to the first: gradient = gradient + (slope × gradient) @ W.T.",
        "for w in weights: states.append(states[-1] + activation(states[-1] @ w)). Backward, for number from "
        "the last to the first: gradient = gradient + (slope(states[number + 1] - states[number]) * gradient) "
        "@ weights[number].T, and put it in front of the list.",
    )

    def inputs(self, rng):
        def case(n_blocks, m, activation, n=3):
            x = rng.normal(size=(n, m))
            weights = [rng.normal(size=(m, m)) / np.sqrt(m) for _ in range(n_blocks)]
            if activation == "relu":
                a = x
                for w in weights:
                    h = a @ w
                    if np.min(abs(h)) < 1e-3:  # too close to the kink: no slope there
                        return case(n_blocks, m, activation, n)
                    a = a + _relu(h)
            return {"x": x, "weights": weights, "activation": activation, "gradient": rng.normal(size=(n, m))}

        return {
            "one block": case(1, 4, "tanh"),
            "two blocks": case(2, 3, "tanh"),
            "five blocks": case(5, 4, "tanh", n=4),
            "ReLU": case(4, 5, "relu"),
            "branches of size 0": {**case(6, 3, "tanh"), "weights": 6 * [np.zeros((3, 3))]},
        }

    def observe(self, answer, cases):
        residual_forward, residual_backward = answer
        observed = {}
        for name, case in cases.items():
            activation, slope = FUNCTIONS[case["activation"]]
            observed[f"forward, {name}"] = run(residual_forward, case["x"], case["weights"], activation)
            states = _states(case["x"], case["weights"], activation)
            observed[f"backward, {name}"] = run(residual_backward, case["gradient"], states, case["weights"], slope)
        return observed

    def reference(self):
        def residual_forward(x, weights, activation):
            return _states(x, weights, activation)

        def residual_backward(gradient, states, weights, slope):
            found = [gradient]
            for w, before, after in zip(weights[::-1], states[-2::-1], states[:0:-1], strict=True):
                jacobian = np.eye(len(w)) + np.einsum("ij,nj->nij", w, slope(after - before))
                found.insert(0, np.einsum("nij,nj->ni", jacobian, found[0]))
            return found

        return residual_forward, residual_backward

    def _list(self, cases, observed, kind, name):
        got, case = observed[f"{kind}, {name}"], cases[name]
        n = len(case["weights"]) + 1
        alone = isinstance(got, np.ndarray) and got.ndim < 3
        expect.true(
            isinstance(got, (list, np.ndarray)) and not alone,
            f"{kind}, {name}: return a list of {n} arrays{', not one of them alone' if alone else ''}.",
        )
        if len(got) != n:
            extra = " x itself is the first." if kind == "forward" else " The last is the gradient handed over."
            raise expect.NotYet(
                f"{kind}, {name}: expected {n} arrays, got {len(got)}.{extra if len(got) == n - 1 else ''}"
            )
        for number, array in enumerate(got):
            expect.shape(array, case["x"].shape, f"{kind}, {name}, array {number}")
        return got

    @subtest("forward: x, then each state is the one before plus its branch")
    def forward(self, cases, observed):
        for name in ("one block", "two blocks", "five blocks", "ReLU"):
            case = cases[name]
            got = self._list(cases, observed, "forward", name)
            activation = FUNCTIONS[case["activation"]][0]
            variants = {
                "The way around is missing: add what entered.": _states(
                    case["x"], case["weights"], activation, lambda a, h, f: f(h)
                ),
                "The activation belongs to the branch: a + φ(a W), not φ(a + a W).": _states(
                    case["x"], case["weights"], activation, lambda a, h, f: f(a + h)
                ),
                "The activation is missing.": _states(case["x"], case["weights"], activation, lambda a, h, f: a + h),
                "The way around begins at x in each block: it begins at the state before.": _states(
                    case["x"], case["weights"], activation, lambda a, h, f, x=case["x"]: x + f(h)
                ),
                "You activated before multiplying: a + φ(a W).": _states(case["x"], case["weights"], activation, None),
                "The matrix is transposed: h = a W.": _states(case["x"], [w.T for w in case["weights"]], activation),
            }
            want = _states(case["x"], case["weights"], activation)
            for number in range(len(want)):
                mistakes = {text: states[number] for text, states in variants.items()}
                what = f"forward, {name}, state {number}"
                expect.close(
                    got[number], want[number], what, rtol=1e-5, atol=1e-7, mistakes=_unlike(want[number], mistakes)
                )

    @subtest("backward through one block: the gradient itself, plus what comes back through the branch")
    def one_block(self, cases, observed):
        self._compare(cases, observed, ("one block",))

    @subtest("backward through many blocks, as numeric gradients say")
    def many(self, cases, observed):
        self._compare(cases, observed, ("two blocks", "five blocks"))

    @subtest("backward with ReLU")
    def with_relu(self, cases, observed):
        self._compare(cases, observed, ("ReLU",))

    @subtest("where the branches give 0 the gradient arrives unchanged")
    def unchanged(self, cases, observed):
        name = "branches of size 0"
        for g in self._list(cases, observed, "backward", name):
            mistakes = {"Nothing comes back: the way around is missing.": np.zeros_like(cases[name]["gradient"])}
            expect.close(g, cases[name]["gradient"], f"backward, {name}", mistakes=mistakes)

    def _compare(self, cases, observed, names):
        for name in names:
            case = cases[name]
            got = self._list(cases, observed, "backward", name)
            want = _numeric_state_gradients(case)
            expect.close(
                got[-1],
                want[-1],
                f"backward, {name}, last",
                rtol=1e-4,
                atol=1e-6,
                mistakes={"The list runs from the last to the first: turn it round.": want[0]},
            )
            activation, slope = FUNCTIONS[case["activation"]]
            states = _states(case["x"], case["weights"], activation)
            variants = {
                "The way around is missing: add the gradient itself.": lambda g, s, w: (s * g) @ w.T,
                "The slope is missing.": lambda g, s, w: g + g @ w.T,
                "Multiply by the transposed matrix.": lambda g, s, w: g + (s * g) @ w,
                "The slope multiplies the gradient before the matrix, not after it.": lambda g, s, w: g + s * (g @ w.T),
                "The slope is on the way around too: there is no activation.": lambda g, s, w: s * g + (s * g) @ w.T,
                "Add the gradient that has arrived at this block, not that of the last state again.": (
                    lambda g, s, w, last=case["gradient"]: last + (s * g) @ w.T
                ),
            }
            wrong = {text: _back(case, states, slope, step) for text, step in variants.items()}
            for text, where in {
                "Take the slope at the branch's output, the difference of two states, not at a state.": (
                    lambda before, after, w: after
                ),
                "Take the slope at the branch's output, not at the state before it.": lambda before, after, w: before,
                "`slope` takes what leaves φ, the difference of two states, not h.": lambda before, after, w: (
                    before @ w
                ),
            }.items():
                wrong[text] = _back(case, states, slope, lambda g, s, w: g + (s * g) @ w.T, where)
            wrong["The blocks run the wrong way: the way back begins with the last."] = _back(
                case, states, slope, lambda g, s, w: g + (s * g) @ w.T, order=range(len(states) - 1)
            )
            for number in reversed(range(len(want))):
                mistakes = _unlike(want[number], {text: values[number] for text, values in wrong.items()})
                what = f"backward, {name}, state {number}"
                expect.close(got[number], want[number], what, rtol=1e-4, atol=1e-6, mistakes=mistakes)


class PreactivationBlock(BlockExercise):
    id = "8.8"
    title = "activation first"
    hints = (
        "Write the branch down as in the formula: which layer is the very first one? And what is the last "
        "step of the block?",
        "activated = ReLU of the normalised x, to which the first convolution is applied, and the 1×1 "
        "convolution of the shortcut where the shape changes. Then normalisation, ReLU, the last convolution. "
        "Add, and nothing after it.",
        "activated = layers.ReLU()(normalisation()(x)); branch = convolution(filters, "
        "stride=stride)(activated); branch = layers.ReLU()(normalisation()(branch)); branch = "
        "convolution(filters, start=last_kernel, name=name)(branch); where the shape changes x = "
        "convolution(filters, size=1, stride=stride)(activated); return layers.Add()([x, branch]).",
    )

    def inputs(self, rng):
        return {
            "same shape": _block_case(rng, (6, 5, 4), filters=4, name="block_7"),
            "same shape, he_normal": _block_case(rng, (6, 5, 4), filters=4, name="block_8", last_kernel="he_normal"),
            "more filters": _block_case(rng, (5, 6, 3), filters=6, name="more"),
            "stride 2": _block_case(rng, (8, 6, 4), filters=4, stride=2, name="half"),
        }

    def reference(self):
        def preactivation_block(x, filters, stride=1, name=None, last_kernel="zeros"):
            activated = keras.Sequential([_norm_in_keras(), keras.layers.Activation("relu")])(x)
            last = _conv_in_keras(filters, kernel_initializer=last_kernel, name=name)
            half = [_conv_in_keras(filters, stride=stride), _norm_in_keras(), keras.layers.Activation("relu")]
            branch = keras.Sequential([*half, last])(activated)
            if tuple(branch.shape) != tuple(x.shape):
                x = _conv_in_keras(filters, 1, stride)(activated)
            return keras.layers.add([x, branch])

        return preactivation_block

    @subtest("two convolutions of 3×3, the first with the stride; the last has the name")
    def convolutions(self, cases, observed):
        for name, case in cases.items():
            _expect_convolutions(observed[name], case, name)
            _expect_named(_of_branch(observed[name], case, name)[1:], case, name, "the last convolution")
        _expect_strides(observed["stride 2"], cases["stride 2"], "stride 2")

    @subtest("two batch normalisations, one of them before everything")
    def normalisations(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            norms = _kinds(got, NORM)
            if _projects(case) and len(norms) == 3:
                raise expect.NotYet(
                    f"{name}: expected 2 batch normalisations, got 3. The shortcut has none in this kind of block."
                )
            channels = case["images"].shape[-1]
            _expect_normalisations(got, case, name, 2, [channels, case["options"]["filters"]])
            expect.true(
                any(norm["before_all"] for norm in norms),
                f"{name}: no batch normalisation takes x itself: in this kind of block the branch begins with one.",
            )

    @subtest("nothing comes after the addition: where the branch is 0, x leaves as it is, negative values too")
    def identity(self, cases, observed):
        name = "same shape"
        x = cases[name]["images"]
        mistakes = {
            "There is a ReLU after the addition, or on the shortcut.": _relu(x),
            "The way around is missing.": 0 * x,
            "x is added twice.": 2 * x,
        }
        got = observed[name]["first_outputs"]
        expect.close(got, x, f"{name}, before training", rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("the last kernel begins as told")
    def last_kernel(self, cases, observed):
        for name, case in cases.items():
            one, two = _of_branch(observed[name], case, name)
            zeros = case["options"].get("last_kernel", "zeros") == "zeros"
            expect.true(not one["begins_with_zeros"], f"{name}: the kernel of the first convolution begins at 0.")
            expect.true(
                not any(layer["begins_with_zeros"] for layer in _projections(observed[name])),
                f"{name}: the kernel of the shortcut begins at 0, and nothing gets around. Only the last kernel of the "
                "branch does.",
            )
            message = "has to begin at 0" if zeros else "begins at 0: take what last_kernel says"
            expect.true(two["begins_with_zeros"] == zeros, f"{name}: the kernel of the last convolution {message}.")

    @subtest("BN, ReLU, convolution, twice; where the shape changes, the shortcut takes what leaves the first ReLU")
    def output(self, cases, observed):
        for name, case in cases.items():
            got, x = observed[name], case["images"]
            stride = case["options"].get("stride", 1)
            one, two = _of_branch(got, case, name)
            _expect_projection(got, case, name)
            projections = _projections(got)
            _expect_normalisations(got, case, name, 2, [x.shape[-1], case["options"]["filters"]])
            norm_one, norm_two = _kinds(got, NORM)
            activated = _relu(_norm(x, norm_one))

            def way_from(tensor, projections=projections, stride=stride):
                return _conv(tensor, projections[0], stride) if projections else tensor

            way = way_from(activated) if projections else x
            half = _conv(activated, one, stride)
            branch = _conv(_relu(_norm(half, norm_two)), two, 1)
            mistakes = {
                "There is a ReLU after the addition: in this kind of block nothing comes after it.": _relu(
                    way + branch
                ),
                "The way around is missing.": branch,
                "Where the shape stays, the shortcut is x itself, not what leaves the first ReLU.": (
                    way if projections else activated
                )
                + branch,
                "Where the shape changes, the shortcut takes what leaves the first ReLU, not x.": way_from(x) + branch,
                "Where the shape changes, the shortcut takes what leaves the first ReLU, not what enters it.": (
                    way_from(_norm(x, norm_one)) + branch if projections else None
                ),
                "The second ReLU is missing.": way + _conv(_norm(half, norm_two), two, 1),
                "The first ReLU is missing.": way
                + _conv(_relu(_norm(_conv(_norm(x, norm_one), one, stride), norm_two)), two, 1),
                "A ReLU stands before its normalisation: normalise first.": way
                + _conv(_norm(_relu(half), norm_two), two, 1),
                "There is a ReLU at the end of the branch: it ends with the convolution.": way + _relu(branch),
            }
            _expect_output(got, way + branch, name, mistakes)


class PathLengths(Exercise):
    id = "8.9"
    title = "paths by their length"
    hints = (
        "A path of length k through the next block is either a path of length k that goes around it, or one "
        "of length k − 1 that goes through its branch.",
        "sums[0] = x, all others 0. For each matrix: the new sums[k] is the old sums[k] + the old sums[k − 1] "
        "@ matrix. Take care that the old one is really the old one.",
        "for w in matrices: sums[1:] = sums[1:] + sums[:-1] @ w; the right side is computed before anything changes.",
    )

    def inputs(self, rng):
        def case(n_blocks, m, n=2):
            return {"x": rng.normal(size=(n, m)), "matrices": [rng.normal(size=(m, m)) for _ in range(n_blocks)]}

        numbers = {"x": np.ones((1, 1)), "matrices": int(rng.integers(6, 9)) * [np.ones((1, 1))]}
        return {
            "one block": case(1, 3),
            "two blocks": case(2, 3, n=3),
            "five blocks": case(5, 2, n=4),
            "all ones": numbers,
            "no block": {"x": rng.normal(size=(2, 3)), "matrices": []},
        }

    def reference(self):
        def by_path_length(x, matrices):
            return _paths_one_by_one(x, matrices)

        return by_path_length

    @subtest("one sum for each length, from 0 to the number of blocks")
    def shape(self, cases, observed):
        for name, case in cases.items():
            want = (len(case["matrices"]) + 1, *case["x"].shape)
            mistakes = {
                "The path around everything is missing, length 0.": (want[0] - 1, *want[1:]),
                "This is the output alone: one sum for each length.": want[1:],
                "These are single paths: add up those of the same length.": (2 ** len(case["matrices"]), *want[1:]),
            }
            expect.shape(observed[name], want, name, mistakes={k: v for k, v in mistakes.items() if v != want})

    @subtest("with ones everywhere: how many paths there are of each length")
    def counts(self, cases, observed):
        from scipy.special import comb

        n = len(cases["all ones"]["matrices"])
        got = np.ravel(observed["all ones"])
        want = comb(n, np.arange(n + 1))
        mistakes = {
            "Each length has one path in this: several paths have the same length.": np.ones(n + 1),
            "A branch was used twice: the new sums were fed with new ones. Compute all of a block from the old ones.": (
                np.array([comb(n + k - 1, k) for k in range(n + 1)])
            ),
            "These are lengths, not sums.": np.arange(n + 1),
            "These are the states after each block: sort what arrives at the end by the length of the path.": (
                2 ** np.arange(n + 1)
            ),
        }
        expect.close(got, want, "all ones", mistakes=_unlike(want, mistakes))

    @subtest("the sum over all lengths is the output of the stack")
    def total(self, cases, observed):
        for name in ("one block", "two blocks", "five blocks", "no block"):
            x, matrices = cases[name]["x"], cases[name]["matrices"]
            got = np.asarray(observed[name])
            expect.shape(got, (len(matrices) + 1, *x.shape), name)
            want = x
            for w in matrices:
                want = want + want @ w
            expect.close(got.sum(axis=0), want, f"{name}, sum over the lengths", rtol=1e-5, atol=1e-8)

    @subtest("each length by itself, with the matrices in the order of the blocks")
    def lengths(self, cases, observed):
        for name in ("one block", "two blocks", "five blocks"):
            x, matrices = cases[name]["x"], cases[name]["matrices"]
            want = _paths_one_by_one(x, matrices)
            mistakes = {
                "The order is turned round: a path meets the blocks from the first to the last.": _paths_one_by_one(
                    x, matrices[::-1]
                ),
                "The list runs from the longest to the shortest paths.": want[::-1],
                "The transposed matrices were taken.": _paths_one_by_one(x, [w.T for w in matrices]),
            }
            expect.close(observed[name], want, name, rtol=1e-5, atol=1e-8, mistakes=_unlike(want, mistakes))


class Cost(Exercise):
    id = "8.10"
    title = "what a network costs"
    hints = (
        "Write down the convolutions of network(residual_block, …, n=1) one by one: kernel, channels in, "
        "channels out, pixels of the output. There are nine.",
        "Each convolution: k² · channels · filters weights, 2 · filters for its normalisation, and weights × "
        "pixels of its output as multiply–adds. Go through stem, blocks and projections with a running size; "
        "at the end the dense layer, (channels + 1) · n_classes parameters.",
        "size = -(-size // 2) for the stem. For each block: size = -(-size // stride); add a 3×3 convolution "
        "from channels to filters, one from filters to filters, and where the stride is not 1 or channels != "
        "filters one of 1×1; channels = filters.",
    )

    def inputs(self, rng):
        filters = sorted(int(f) for f in rng.choice(np.arange(5, 14), size=3, replace=False))
        return {
            "n = 1": {"size": 16, "bands": 3, "n_classes": 4, "n": 1},
            "n = 3": {"size": 32, "bands": int(rng.integers(1, 6)), "n_classes": 7, "n": 3},
            "other filters": {"size": 24, "bands": 2, "n_classes": 3, "n": 2, "filters": filters},
            "the same filters": {"size": 16, "bands": 3, "n_classes": 4, "n": 2, "filters": [6, 6, 6]},
            "odd sizes": {"size": 21, "bands": 3, "n_classes": 2, "n": 1},
        }

    def reference(self):
        def cost(size, bands, n_classes, n, filters=(8, 16, 32)):
            return _counted_by_keras(size, bands, n_classes, n, filters)

        return cost

    def _compare(self, cases, observed, names, which):
        for name in names:
            got = observed[name]
            expect.true(
                isinstance(got, list) and len(got) == 2,
                f"{name}: expected two numbers, parameters and multiply_adds, got {expect.show(got)}.",
            )
            want = _counted_by_keras(**cases[name])
            if got == list(want[::-1]):
                raise expect.NotYet(f"{name}: the two are swapped: parameters first.")
            value = got[which]
            if isinstance(value, float) and value == want[which]:
                raise expect.NotYet(
                    f"{name}: expected the whole number {want[which]}, got {value}. int(...) makes one."
                )
            mistakes = {
                text: _counted_by_keras(**cases[name], **options)[which] for text, options in COUNTED_WRONGLY.items()
            }
            mistakes = {text: number for text, number in mistakes.items() if number != want[which]}
            what = ("parameters", "multiply-adds")[which]
            expect.equal(value, want[which], f"{name}, {what}", mistakes=mistakes)

    @subtest("parameters: kernels, scales and shifts, the dense layer")
    def parameters(self, cases, observed):
        self._compare(cases, observed, ("n = 1", "n = 3", "other filters"), 0)

    @subtest("multiply–adds: each weight, once for each pixel of the output")
    def multiply_adds(self, cases, observed):
        self._compare(cases, observed, ("n = 1", "n = 3", "other filters"), 1)

    @subtest("a stride alone makes a projection too")
    def same_filters(self, cases, observed):
        self._compare(cases, observed, ("the same filters",), 0)
        self._compare(cases, observed, ("the same filters",), 1)

    @subtest("odd sizes are rounded up")
    def odd(self, cases, observed):
        self._compare(cases, observed, ("odd sizes",), 1)


# What the references are made of


def _conv_in_keras(filters, size=3, stride=1, **options):
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"} | options
    return keras.layers.Conv2D(filters, size, strides=stride, **options)


def _norm_in_keras(**options):
    return keras.layers.BatchNormalization(momentum=0.9, **options)


def _branch_in_keras(filters, stride, **last):
    """Convolution, normalisation, ReLU, convolution, and a normalisation with the options `last`."""
    half = [_conv_in_keras(filters, stride=stride), _norm_in_keras(), keras.layers.Activation("relu")]
    return keras.Sequential([*half, _conv_in_keras(filters), _norm_in_keras(**last)])


# How Keras' layers are looked at

CONV, NORM = "Conv2D", "BatchNormalization"


def _block_case(rng, shape, **options):
    images = rng.normal(size=(4, *shape)).astype("float32")
    return {"images": images, "options": options, "seed": int(rng.integers(1_000_000))}


def _look_at_block(answer, case):
    """Layers of a block, with random weights, and what it gives for the images: plain data."""
    model, again = _built(answer, case), _built(answer, case)
    flat = [layer for layer in _flat_layers(model) if type(layer).__name__ in (CONV, NORM)]
    described = [_describe(layer) for layer in flat]
    known = {id(layer) for layer in flat}
    kept = sum(id(layer) in known for layer in _flat_layers(again))
    _randomise([layer for layer in flat if type(layer).__name__ == CONV and _awake(layer)], case["seed"])
    first_outputs = keras.ops.convert_to_numpy(model(case["images"], training=True))
    _randomise(flat, case["seed"])
    seen = _seen_by(flat, model, case["images"])
    for layer, record, (entering, leaving) in zip(flat, described, seen, strict=True):
        record |= _current(layer)
        record["entering"], record["leaving"] = entering, leaving
    branch = [record for record in described if record["kind"] == CONV and record["kernel"].shape[0] > 1]
    others = [record for record in described if record["kind"] == CONV and record["kernel"].shape[0] == 1]
    for record in described:
        if record["kind"] == NORM:
            places = [branch[:1], branch[1:2], others[:1]]
            record["after"] = next(
                (
                    place
                    for place, group in enumerate(places)
                    for source in group
                    if _same_array(source["leaving"], record["entering"])
                ),
                -1,
            )
            record["before_all"] = _same_array(record["entering"], case["images"])
    for record in described:
        del record["entering"], record["leaving"]
        if record["name"] != case["options"]["name"]:
            record["name"] = None  # Keras numbers the others as they come
    return {
        "layers": described,
        "kept": kept,
        "first_outputs": first_outputs,
        "outputs": keras.ops.convert_to_numpy(model(case["images"], training=False)),
    }


def _built(answer, case):
    inputs = keras.Input(case["images"].shape[1:])
    try:
        outputs = answer(inputs, **case["options"])
    except ValueError as error:
        if "incompatible shapes" in str(error):
            error.args = (
                f"{error}. Shortcut and branch differ in shape: x needs a convolution of 1×1, with the block's stride, "
                "where that is not 1 or x has not `filters` channels; in the branch only the first convolution has it.",
            )
        raise
    if not isinstance(outputs, keras.KerasTensor):
        what = "None" if outputs is None else type(outputs).__name__
        raise TypeError(f"expected a Keras tensor, what the last layer gave, got {what}")
    return keras.Model(inputs, outputs)


def _same_array(a, b):
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-5))


def _flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat_layers(layer)
        else:
            yield layer


def _describe(layer):
    """What is known of a layer before anything is changed in it."""
    record = {"kind": type(layer).__name__, "name": layer.name}
    if record["kind"] == CONV:
        record |= {"strides": list(layer.strides), "padding": layer.padding, "use_bias": layer.use_bias}
        record["begins_with_zeros"] = not _awake(layer)
    elif layer.scale:
        record["first_scale"] = keras.ops.convert_to_numpy(layer.gamma)
    else:
        raise TypeError("a batch normalisation has no scale: leave scale=True")
    return record


def _awake(layer):
    return bool(np.any(keras.ops.convert_to_numpy(layer.kernel)))


def _current(layer):
    names = ("kernel",) if type(layer).__name__ == CONV else ("gamma", "beta", "moving_mean", "moving_variance")
    found = {name: keras.ops.convert_to_numpy(getattr(layer, name)) for name in names}
    return found if "kernel" in found else found | {"epsilon": float(layer.epsilon)}


def _randomise(flat, seed):
    rng = np.random.default_rng(seed)
    for layer in flat:
        if type(layer).__name__ == CONV:
            shape = tuple(layer.kernel.shape)
            layer.kernel.assign(rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), size=shape))
        else:
            size = tuple(layer.gamma.shape)
            layer.gamma.assign(rng.uniform(0.5, 1.5, size=size))
            layer.beta.assign(rng.normal(0, 0.5, size=size))
            layer.moving_mean.assign(rng.normal(0, 0.5, size=size))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, size=size))


def _seen_by(flat, model, images):
    """What enters and leaves each layer when the model is used: their calls are listened to, once."""
    seen = {}

    def listen(layer, call):
        def listening(x, *args, **kwargs):
            y = call(x, *args, **kwargs)
            seen[layer.name] = keras.ops.convert_to_numpy(x), keras.ops.convert_to_numpy(y)
            return y

        return listening

    kept = [(layer, layer.call) for layer in flat]
    try:
        for layer, call in kept:
            layer.call = listen(layer, call)
        model(images, training=False)
    finally:
        for layer, call in kept:
            layer.call = call
    return [seen.get(layer.name, (np.zeros(0), np.zeros(0))) for layer in flat]


def _look_at_network(answer, case):
    """How the builder calls its block, and what stands before and after the blocks: plain data."""
    calls, entering, leaving = [], [], []

    def block(x, filters, stride=1, name=None):
        calls.append({"filters": int(filters), "stride": int(stride), "name": name})
        layer = keras.layers.Conv2D(filters, 1, strides=stride, padding="same", activation="relu", name=name)
        y = layer(x)
        entering.append(x)
        leaving.append(y)
        return y

    images = case["images"]
    options = {key: tuple(value) for key, value in case["options"].items()}
    model = answer(block, images.shape[1:], case["n_classes"], case["n"], **options)
    if model is None:
        raise TypeError("the function returned None: does it end with `return keras.Model(inputs, outputs)`?")
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a keras.Model, got {type(model).__name__}")
    if not calls:
        raise TypeError("the block that was handed over was never called")
    rng = np.random.default_rng(case["seed"])
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        value = rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[:-1]))) if len(shape) > 1 else None
        if value is not None:
            variable.assign(value)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if dense and dense[-1].use_bias:
        dense[-1].bias.assign(rng.normal(size=tuple(dense[-1].bias.shape)))
    begin = keras.Model(model.inputs, entering[0])
    stem = [type(layer).__name__ for layer in begin.layers]
    kernels = [list(layer.kernel_size) for layer in begin.layers if type(layer).__name__ == CONV]
    on_the_way = {layer.name for layer in model.layers}
    last = leaving[-1] if calls[-1]["name"] in on_the_way or calls[-1]["name"] is None else None
    end = images[:, :1, :1] if last is None else keras.Model(model.inputs, last)(images, training=False)
    weights = [keras.ops.convert_to_numpy(w) for w in dense[-1].weights] if dense else None
    return {
        "calls": calls,
        "layers": [call["name"] for call in calls if call["name"] in on_the_way],
        "stem": {
            "convolutions": stem.count(CONV),
            "normalisations": stem.count(NORM),
            "kernel": kernels[0] if kernels else None,
        },
        "entering": keras.ops.convert_to_numpy(begin(images, training=False)),
        "leaving": keras.ops.convert_to_numpy(end),
        "dense": weights if weights is None or len(weights) == 2 else [*weights, np.zeros(weights[0].shape[-1])],
        "outputs": keras.ops.convert_to_numpy(model(images, training=False)),
    }


def _kinds(got, kind):
    return [layer for layer in got["layers"] if layer["kind"] == kind]


def _of_branch(got, case, name):
    """The two convolutions of 3×3."""
    small = len(_projections(got))
    mistakes = {
        "The convolution on the shortcut is one of 1×1: size=1.": 3,
        "Only what is on the way to the output counts: does each layer take what the one before gave?": 1,
    }
    if small and not _projects(case):
        size = "A kernel is 1×1: hand the stride over by its name, stride=stride; the second argument is the size."
        mistakes = {size: 2 - small}
    found = [layer for layer in _kinds(got, CONV) if layer["kernel"].shape[:2] != (1, 1)]
    expect.equal(len(found), 2, f"{name}, number of convolutions of 3×3", mistakes=mistakes)
    return found


def _projections(got):
    """The convolutions of 1×1."""
    return [layer for layer in _kinds(got, CONV) if layer["kernel"].shape[:2] == (1, 1)]


def _projects(case):
    options = case["options"]
    return options.get("stride", 1) != 1 or options["filters"] != case["images"].shape[-1]


def _expect_convolutions(got, case, name):
    channels, filters = case["images"].shape[-1], case["options"]["filters"]
    one, two = _of_branch(got, case, name)
    expect.true(
        not got["kept"],
        f"{name}: called twice, the function takes the same layer again, and all blocks would share its weights: make "
        "new layers at each call.",
    )
    expect.equal(list(one["kernel"].shape), [3, 3, channels, filters], f"{name}, kernel of the first convolution")
    expect.equal(list(two["kernel"].shape), [3, 3, filters, filters], f"{name}, kernel of the second convolution")
    for layer in (one, two):
        expect.equal(layer["padding"], "same", f"{name}, padding")
        expect.true(not layer["use_bias"], f"{name}: a convolution has a bias: take the helper `convolution`.")


def _expect_strides(got, case, name):
    one, two = _of_branch(got, case, name)
    mistakes = {
        "The stride is missing.": [[1, 1], [1, 1]],
        "Both have the stride: the image would shrink twice.": [[2, 2], [2, 2]],
        "The stride belongs to the first convolution.": [[1, 1], [2, 2]],
    }
    got = [one["strides"], two["strides"]]
    expect.equal(got, [[2, 2], [1, 1]], f"{name}, strides of the two convolutions", mistakes=mistakes)


def _expect_normalisations(got, case, name, n, sizes=None):
    norms = _kinds(got, NORM)
    places = {norm["after"] for norm in norms}
    mistakes = {}
    if not sizes:  # each follows a convolution
        convolutions = ("first convolution", "second convolution", "convolution on the shortcut")[:n]
        without = [f"the {what}" for place, what in enumerate(convolutions) if place not in places]
        mistakes = {f"None follows {' and '.join(without)}.": len(norms)} if without and len(norms) < n else {}
    elif len(norms) < n:
        first = any(norm["before_all"] for norm in norms)
        mistakes = {f"None stands before the {'second' if first else 'first'} convolution.": len(norms)}
    elif 1 in places:
        mistakes = {"None comes after the last convolution in this kind of block.": len(norms)}
    expect.equal(len(norms), n, f"{name}, number of batch normalisations", mistakes=mistakes)
    wanted = sorted(sizes or [case["options"]["filters"]] * n)
    expect.equal(
        sorted(len(norm["gamma"]) for norm in norms),
        wanted,
        f"{name}, numbers that the batch normalisations have a scale for",
        mistakes={
            "Is the axis right? Each channel has a scale, and channels are the last axis.": sorted(
                len(norm["gamma"]) for norm in norms
            )
            if set(len(norm["gamma"]) for norm in norms) - set(wanted)
            else None
        },
    )


def _expect_named(found, case, name, what):
    want = case["options"]["name"]
    names = [layer["name"] for layer in found]
    expect.true(
        names == [want],
        f"{name}: {what} is to be named {want!r}, and nothing else: hand `name` to it.",
    )


def _expect_projection(got, case, name):
    projections = _projections(got)
    if not _projects(case):
        expect.true(
            not projections,
            f"{name}: there is a convolution of 1×1, but the shape stays: the shortcut is x itself.",
        )
        return
    expect.true(
        len(projections) == 1,
        f"{name}: expected one convolution of 1×1 on the way from x to the addition, got {len(projections)}. x goes "
        "through one where the stride is not 1, and where it has not so many channels as filters. Is x still what came "
        "in, and is it what you add?",
    )
    stride = case["options"].get("stride", 1)
    expect.equal(projections[0]["strides"], [stride, stride], f"{name}, strides of the 1×1 convolution")
    channels, filters = case["images"].shape[-1], case["options"]["filters"]
    expect.equal(list(projections[0]["kernel"].shape), [1, 1, channels, filters], f"{name}, kernel on the shortcut")
    expect.true(not projections[0]["use_bias"], f"{name}: the 1×1 convolution has a bias: use `convolution`.")


def _expect_list(got, want, what, mistakes):
    """A short list as it stands in the network, written out."""
    written = {text: ", ".join(map(str, value)) for text, value in mistakes.items() if list(value) != want}
    expect.equal(", ".join(map(str, got)), ", ".join(map(str, want)), what, mistakes=written)


def _expect_output(got, want, name, mistakes):
    mistakes = _unlike(want, {text: value for text, value in mistakes.items() if value is not None})
    expect.close(got["outputs"], want, f"{name}, output", rtol=1e-3, atol=1e-4, mistakes=mistakes)


# What Keras and NumPy say


def _conv(x, layer, stride):
    kernel = layer["kernel"] if isinstance(layer, dict) else layer
    x, kernel = np.asarray(x, "float32"), np.asarray(kernel, "float32")
    return keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, strides=stride, padding="same"))


def _norm(x, layer):
    return keras.ops.convert_to_numpy(
        keras.ops.batch_normalization(
            np.asarray(x, "float32"),
            layer["moving_mean"],
            layer["moving_variance"],
            axis=-1,
            offset=layer["beta"],
            scale=layer["gamma"],
            epsilon=layer["epsilon"],
        )
    )


def _relu(x):
    return np.maximum(x, 0)


def _unlike(want, mistakes):
    """Mistakes whose value differs from the right one, so that a sentence is about something."""
    return {
        text: value
        for text, value in mistakes.items()
        if np.shape(value) != np.shape(want) or not np.allclose(value, want, rtol=1e-3, atol=1e-4)
    }


def _residual_by_keras(x, kernels, scales, shifts):
    """What Keras' functions make of the residual block, and of the mistakes in it."""

    def norm(h, number, scales=scales, shifts=shifts):
        mean, variance = keras.ops.moments(np.asarray(h, "float32"), axes=(0, 1, 2))
        record = {"moving_mean": mean, "moving_variance": variance, "epsilon": 1e-3}
        record |= {"gamma": np.asarray(scales[number], "float32"), "beta": np.asarray(shifts[number], "float32")}
        return _norm(h, record)

    first = norm(_conv(x, kernels[0], 1), 0)
    raw = _conv(_relu(first), kernels[1], 1)
    branch = norm(raw, 1)
    half = _relu(x + first)
    swapped = _relu(norm(_conv(x, kernels[0], 1), 0, shifts, scales))
    return {
        "want": _relu(x + branch),
        "plain": _relu(branch),
        "no relu": x + branch,
        "relu before": _relu(x + _relu(branch)),
        "only before": x + _relu(branch),
        "add first": _relu(norm(x + raw, 1)),
        "late": _relu(_relu(first) + branch),
        "no inner relu": _relu(x + norm(_conv(first, kernels[1], 1), 1)),
        "same kernel": _relu(x + norm(_conv(_relu(first), kernels[0], 1), 1)),
        "same scale": _relu(x + norm(raw, 0)),
        "product": _relu(x * branch),
        "difference": _relu(x - branch),
        "relu first": _relu(x + norm(_conv(norm(_relu(_conv(x, kernels[0], 1)), 0), kernels[1], 1), 1)),
        "two ways": _relu(half + norm(_conv(half, kernels[1], 1), 1)),
        "swapped": _relu(x + norm(_conv(swapped, kernels[1], 1), 1, shifts, scales)),
        "relu of x": _relu(_relu(x) + branch),
        "no normalisation": _relu(x + _conv(_relu(_conv(x, kernels[0], 1)), kernels[1], 1)),
    }


FUNCTIONS = {
    "tanh": (np.tanh, lambda phi: 1 - phi**2),
    "relu": (lambda h: np.maximum(h, 0), lambda phi: (phi > 0).astype(float)),
}


def _states(x, weights, activation, step=lambda a, h, f: a + f(h)):
    states = [x]
    for w in weights:
        a = states[-1]
        states.append(a + activation(a) @ w if step is None else step(a, a @ w, activation))
    return states


def _back(case, states, slope, step, branch=lambda before, after, w: after - before, order=None):
    found = [case["gradient"]]
    for number in order or range(len(case["weights"]) - 1, -1, -1):
        w = case["weights"][number]
        found.insert(0, step(found[0], slope(branch(states[number], states[number + 1], w)), w))
    return found


def _numeric_state_gradients(case, step=1e-5):
    """Central differences of sum(gradient × last state) with respect to each state."""
    activation = FUNCTIONS[case["activation"]][0]
    states = _states(case["x"], case["weights"], activation)
    found = []
    for number, state in enumerate(states):
        slopes = np.zeros_like(state)
        for column in range(state.shape[1]):  # a row does not see the others
            shift = np.zeros(state.shape[1])
            shift[column] = step
            ends = [_states(state + sign * shift, case["weights"][number:], activation)[-1] for sign in (1, -1)]
            slopes[:, column] = np.sum(case["gradient"] * (ends[0] - ends[1]), axis=1) / (2 * step)
        found.append(slopes)
    return found


def _paths_one_by_one(x, matrices):
    """Every subset of the blocks is a path: multiply out one by one, and add up by length."""
    sums = np.zeros((len(matrices) + 1, *x.shape))
    for length in range(len(matrices) + 1):
        for path in combinations(range(len(matrices)), length):
            part = x
            for number in path:
                part = part @ matrices[number]
            sums[length] += part
    return sums


COUNTED_WRONGLY = {
    "The projections on the shortcuts are missing.": {"projections": "none"},
    "The first stage has no projection: its shape stays.": {"projections": "each stage"},
    "Each block has a projection in this: only those have one that change the shape.": {"projections": "each block"},
    "A projection has a kernel of 1×1.": {"projected_size": 3},
    "The normalisations of the projections are missing.": {"projections_normalised": False},
    "The moving averages are counted: training does not change them.": {"per_channel": 4},
    "Scales and shifts of the normalisations are missing.": {"per_channel": 0},
    "The scales are counted, the shifts are missing.": {"per_channel": 1},
    "The convolutions have no biases: a scale and a shift for each channel are all.": {"per_channel": 3},
    "Take the pixels of the output, not of the input.": {"pixels": "input"},
    "Take the pixels of the output, also in the blocks with a stride.": {"pixels": "input of a block"},
    "Take the pixels of the output, also in the first convolution of a block with a stride.": {
        "pixels": "input of a branch"
    },
    "Take the pixels of the output, also in the projections.": {"pixels": "input of a projection"},
    "The stem's stride is missing: it halves the image.": {"stem_stride": 1},
    "The stem is missing.": {"stem": False},
    "The biases of the dense layer are missing.": {"dense_bias": False},
    "Biases are added, not multiplied: they are no multiply–adds.": {"bias_products": True},
    "The dense layer is missing.": {"dense": False},
    "The dense layer takes one number for each channel, their means.": {"flat": True},
    "The first convolution of a stage takes the channels of the stage before.": {"first_channels": False},
    "Sizes are rounded up.": {"down": True},
}


@cache
def _keras_convolution(side, channels, n_filters, kernel, stride):
    """Weights of a convolution, and the side of the image that leaves it."""
    layer = keras.layers.Conv2D(n_filters, kernel, strides=stride, padding="same", use_bias=False)
    layer.build((None, side, side, channels))
    return layer.count_params(), layer.compute_output_shape((None, side, side, channels))[1]


def _counted_by_keras(
    size,
    bands,
    n_classes,
    n,
    filters=(8, 16, 32),
    projections="where the shape changes",
    projected_size=1,
    projections_normalised=True,
    per_channel=2,
    pixels="output",
    stem=True,
    stem_stride=2,
    dense=True,
    dense_bias=True,
    bias_products=False,
    flat=False,
    first_channels=True,
    down=False,
):
    """Parameters and multiply-adds, from the kernels that Keras builds and the sizes that it finds."""
    counted = [0, 0]

    def add(side, channels, n_filters, kernel, stride, of_input, normalised=True):
        weights, after = _keras_convolution(side, channels, n_filters, kernel, stride)
        after = side // stride if down else after
        counted[0] += weights + (per_channel * n_filters if normalised else 0)
        counted[1] += weights * (side if pixels in ("input", *of_input) else after) ** 2
        return after

    if stem:
        size = add(size, bands, filters[0], 3, stem_stride, ())
    else:
        size = size // 2 if down else -(-size // 2)
    channels = filters[0]
    for stage, n_filters in enumerate(filters):
        for place in range(n):
            stride, taken = 2 if stage and not place else 1, channels if first_channels else n_filters
            before, size = size, add(size, taken, n_filters, 3, stride, ("input of a block", "input of a branch"))
            add(size, n_filters, n_filters, 3, 1, ())
            projected = {
                "where the shape changes": stride > 1 or channels != n_filters,
                "each stage": not place,
                "each block": True,
            }
            if projected.get(projections, False):
                of_input = ("input of a block", "input of a projection")
                add(before, channels, n_filters, projected_size, stride, of_input, projections_normalised)
            channels = n_filters
    if dense:
        taken = channels * size**2 if flat else channels
        counted[0] += taken * n_classes + (n_classes if dense_bias else 0)
        counted[1] += taken * n_classes + (n_classes if bias_products else 0)
    return int(counted[0]), int(counted[1])
