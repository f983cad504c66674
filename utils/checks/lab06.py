"""Checks of lab 06, initialisation."""

from itertools import accumulate, pairwise

import keras
import numpy as np
from scipy import special

from utils.checks import Exercise, expect, run, subtest
from utils.results import POSITIVE, SHARE, Claim

CLAIMS = {
    "he_spread": Claim(
        "RMS of the activations after layer 30 divided by that after layer 1, He's start, ReLU", "0.5 .. 2", POSITIVE
    ),
    "small_spread": Claim("The same from σ = 0.01", "<= 1e-10", POSITIVE),
    "overflow_layer": Claim("First of 30 layers that overflows single precision, σ = 1, ReLU", "<= 30", POSITIVE),
    "he_gradient": Claim(
        "RMS of the gradient that arrives at layer 1 divided by that at layer 30, He's start, ReLU",
        "0.5 .. 2",
        POSITIVE,
    ),
    "small_gradient": Claim("The same from σ = 0.01", "<= 1e-10", POSITIVE),
    "he_accuracy": Claim("Validation accuracy of the deep network after 250 steps from He's start", ">= 0.7", SHARE),
    "orthogonal_accuracy": Claim("The same from orthogonal kernels times √2", ">= 0.7", SHARE),
    "glorot_accuracy": Claim("The same from Glorot's start", "<= 0.5", SHARE),
    "small_accuracy": Claim("The same from σ = 0.01", "<= 0.3", SHARE),
    "constant_accuracy": Claim("The same from constant weights", "<= 0.3", SHARE),
    "rescaled_accuracy": Claim("The same from σ = 0.01 after rescaling each layer once", ">= 0.7", SHARE),
}

ACTIVATIONS = {
    "identity": lambda h: h,
    "relu": lambda h: np.maximum(h, 0),
    "tanh": np.tanh,
    "sin": np.sin,
    "erf": special.erf,
}
SLOPES = {
    "identity": np.ones_like,
    "relu": lambda a: (a > 0).astype(float),
    "tanh": lambda a: 1 - a**2,
}


class Forward(Exercise):
    id = "6.1"
    title = "the way forward"
    hints = (
        "Each layer takes what the layer before gave. Which variable changes from one turn of the loop to the next?",
        "Begin with a = x. For each matrix w: multiply, a @ w, apply the activation, and append the result to a list.",
        "a = x; for w in weights: a = activation(a @ w) and append it to the list; return the list after the loop.",
    )

    def inputs(self, rng):
        def case(sizes, activation, n=4):
            return {
                "x": rng.normal(size=(n, sizes[0])),
                "weights": [rng.normal(size=shape) for shape in pairwise(sizes)],
                "activation": activation,
            }

        return {
            "one layer": case([3, 5], "relu"),
            "three layers": case([6, 4, 7, 2], "tanh"),
            "square matrices": case([5, 5, 5, 5], "relu", n=5),
            "no activation": case([4, 4, 3, 5], "identity"),
            "one galaxy": case([3, 6, 4], "tanh", n=1),
        }

    def observe(self, answer, cases):
        return {
            name: run(answer, case["x"], case["weights"], ACTIVATIONS[case["activation"]])
            for name, case in cases.items()
        }

    def reference(self):
        def forward(x, weights, activation):
            return list(accumulate(weights, lambda a, w: activation(np.einsum("ni,ij->nj", a, w)), initial=x))[1:]

        return forward

    @subtest("a list with one array for each layer, a row for each galaxy")
    def shapes(self, cases, observed):
        for name in ("three layers", "square matrices", "one galaxy"):
            case = cases[name]
            got = _layer_list(observed[name], case, name)
            for number, (a, w) in enumerate(zip(got, case["weights"], strict=True), 1):
                expect.shape(a, (len(case["x"]), w.shape[1]), f"{name}, layer {number}")

    @subtest("the first layer: multiply by the weights, then apply the activation")
    def first(self, cases, observed):
        for name in ("square matrices", "one layer"):
            case = cases[name]
            x, w, activation = case["x"], case["weights"][0], ACTIVATIONS[case["activation"]]
            mistakes = {
                "There is no activation in this.": x @ w,
                "You activated first and multiplied then: it is activation(a @ w).": activation(x) @ w,
            }
            if w.shape[0] == w.shape[1]:
                mistakes["You multiplied by the transposed matrix: a @ w, not a @ w.T or w @ a."] = activation(x @ w.T)
                mistakes["You wrote w @ a: the galaxies are rows, so it is a @ w."] = activation(w @ x)
                mistakes["You multiplied element by element, *: a matrix product is @."] = activation(x * w)
            got = _layer_list(observed[name], case, name)
            if len(got) > 1 and _all_close(got, _entering(x, case["weights"], activation)):
                mistakes = {
                    "This is h, from before the activation: append what leaves the layer, activation(h).": x @ w
                }
            want = _keras_layers(**case)[0]
            expect.close(got[0], want, f"{name}, layer 1", rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("each layer takes what the layer before gave")
    def chain(self, cases, observed):
        for name in ("square matrices", "three layers", "one galaxy"):
            case = cases[name]
            weights, activation = case["weights"], ACTIVATIONS[case["activation"]]
            got = _layer_list(observed[name], case, name)
            want, entering = _keras_layers(**case), _entering(case["x"], weights, activation)
            linear = case["x"]
            for number, w in enumerate(weights):
                linear = linear @ w
                mistakes = {
                    "This layer received the sum before the activation: hand on what leaves the layer.": activation(
                        linear
                    ),
                    "There is no activation in this.": linear,
                    "This is h, from before the activation: append what leaves the layer, activation(h).": (
                        entering[number]
                    ),
                }
                if number and w.shape[0] == case["x"].shape[1]:
                    mistakes["This layer took x: it takes what the layer before gave."] = activation(case["x"] @ w)
                what = f"{name}, layer {number + 1}"
                expect.close(got[number], want[number], what, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("without activation the stack is the product of its matrices")
    def product(self, cases, observed):
        case = cases["no activation"]
        got = _layer_list(observed["no activation"], case, "no activation")
        want = np.linalg.multi_dot([case["x"], *case["weights"]])
        mistakes = {
            f"Your function has {name} built in: use the activation that is handed over.": (
                _keras_layers(case["x"], case["weights"], activation)[-1]
            )
            for name, activation in (("a ReLU", "relu"), ("a tanh", "tanh"))
        }
        expect.close(got[-1], want, "no activation, last layer", rtol=1e-4, mistakes=mistakes)


class Recursion(Exercise):
    id = "6.2"
    title = "the recursion"
    hints = (
        "A mean over a distribution is a sum of values times their probabilities. h is √q times a number z that is "
        "normally distributed with spread 1. In the recursion, what enters the activation has the mean square n σ² q.",
        "Take a fine grid of z from −8 to 8, weights exp(−z²/2) divided by their sum, and add up weight × "
        "activation(√q z)². Then, for each layer, q becomes mean_square(activation, n σ² q).",
        "z = np.linspace(-8, 8, 20001); p = np.exp(-z**2 / 2); p = p / p.sum(); return (p * activation(np.sqrt(q) * "
        "z)**2).sum(). And: for each layer q = mean_square(activation, n_inputs * sigma**2 * q), appended to a list.",
    )

    def inputs(self, rng):
        def mean(activation, q):
            return {"activation": activation, "q": float(q)}

        def recursion(q, n_inputs, sigma, activation, n_layers):
            return {
                "q": float(q),
                "n_inputs": int(n_inputs),
                "sigma": float(sigma),
                "activation": activation,
                "n_layers": n_layers,
            }

        return {
            "mean square, no activation": mean("identity", rng.uniform(2, 5)),
            "mean square, ReLU": mean("relu", rng.uniform(2, 5)),
            "mean square, ReLU, small": mean("relu", 1e-6),
            "mean square, tanh": mean("tanh", rng.uniform(0.5, 2)),
            "mean square, tanh, saturated": mean("tanh", 400),
            "mean square, sine": mean("sin", rng.uniform(0.3, 0.7)),
            "mean square, error function": mean("erf", rng.uniform(1, 3)),
            "mean square, nothing": mean("tanh", 0),
            "recursion, no activation": recursion(rng.uniform(2, 4), 50, 0.2, "identity", 4),
            "recursion, ReLU": recursion(rng.uniform(2, 4), rng.integers(200, 400), 0.15, "relu", 5),
            "recursion, error function": recursion(rng.uniform(2, 4), rng.integers(60, 100), 0.14, "erf", 6),
            "recursion, tanh, one layer": recursion(1.5, 64, 0.1, "tanh", 1),
        }

    def observe(self, answer, cases):
        mean_square, mean_squares = answer
        observed = {}
        for name, case in cases.items():
            arguments = case | {"activation": ACTIVATIONS[case["activation"]]}
            observed[name] = run(mean_square if name.startswith("mean") else mean_squares, **arguments)
        return observed

    def reference(self):
        def mean_square(activation, q):
            return _quadrature(activation, q)

        def mean_squares(q, n_inputs, sigma, activation, n_layers):
            found = []
            while len(found) < n_layers:
                q = _quadrature(activation, n_inputs * sigma**2 * q)
                found.append(q)
            return found

        return mean_square, mean_squares

    def _mean(self, cases, observed, name, want):
        got = observed[name]
        expect.shape(got, (), name)
        if np.isfinite(got) and np.isclose(got, want, rtol=0.01, atol=1e-9):
            return
        words = self._what_went_wrong(cases, observed)
        if not words and np.isfinite(got) and want > 0 and got > 20 * want:
            words = "Is this a sum over the grid instead of a mean? The probabilities have to sum to 1."
        elif not words and np.isfinite(got) and want > 0 and abs(got / want - 1) < 0.3:
            words = (
                "That is close, but not within 1 %. Does the grid of z reach far enough, from −8 to 8, and is it fine "
                "enough, some thousands of points? (A mean over random draws scatters too much.)"
            )
        expect.close(got, want, name, rtol=0.01, atol=1e-9, mistakes={words: got} if words else None)

    def _what_went_wrong(self, cases, observed):
        """The well-known mistake that explains all mean squares that came, '' where none does."""
        names = [name for name in cases if name.startswith("mean")]
        try:
            got = np.array([observed[name] for name in names], float)
        except (expect.NotYet, TypeError, ValueError):
            return ""
        arguments = [(ACTIVATIONS[cases[name]["activation"]], cases[name]["q"]) for name in names]
        for sentence, mistake in _MEAN_SQUARE_MISTAKES.items():
            with np.errstate(all="ignore"):
                if np.allclose(got, [mistake(*each) for each in arguments], rtol=0.02, atol=1e-9):
                    return sentence
        unbounded = [name for name in names if cases[name]["activation"] in ("identity", "relu")]
        kept = [observed[name] / self._plain(cases, name) for name in unbounded]
        if 0 < kept[0] < 0.99 and np.allclose(kept, kept[0], rtol=0.01):
            return "A part of the squares is missing, the same in each case: does the grid of z reach from −8 to 8?"
        return ""

    def _plain(self, cases, name):
        return cases[name]["q"] * {"identity": 1, "relu": 0.5}[cases[name]["activation"]]

    def _mean_square_is_right(self, cases, observed):
        try:
            return all(
                np.isclose(
                    observed[name], _quadrature(ACTIVATIONS[case["activation"]], case["q"]), rtol=0.01, atol=1e-6
                )
                for name, case in cases.items()
                if name.startswith("mean")
            )
        except (expect.NotYet, TypeError, ValueError):
            return False

    @subtest("without activation all of the mean square remains, with ReLU half of it")
    def plain(self, cases, observed):
        for name in ("mean square, no activation", "mean square, ReLU", "mean square, ReLU, small"):
            self._mean(cases, observed, name, self._plain(cases, name))

    @subtest("tanh, small and saturated, agrees with the integral; from nothing comes nothing")
    def tanh(self, cases, observed):
        for name in ("mean square, tanh", "mean square, tanh, saturated"):
            self._mean(cases, observed, name, _quadrature(np.tanh, cases[name]["q"]))
        expect.close(observed["mean square, nothing"], 0.0, "mean square, nothing (q = 0)", atol=1e-6)

    @subtest("activations of which the integral is known: sine and error function")
    def known(self, cases, observed):
        name = "mean square, sine"
        self._mean(cases, observed, name, (1 - np.exp(-2 * cases[name]["q"])) / 2)
        name = "mean square, error function"
        self._mean(cases, observed, name, _erf_mean_square(cases[name]["q"]))

    def _recursion(self, cases, observed, name, step):
        case = cases[name]
        q, n, sigma, n_layers = (case[key] for key in ("q", "n_inputs", "sigma", "n_layers"))
        want = _iterate(q, n * sigma**2, step, n_layers)
        mistakes = {
            "The weights' standard deviation has to be squared.": _iterate(q, n * sigma, step, n_layers),
            "The number of inputs is missing: h is a sum of n products.": _iterate(q, sigma**2, step, n_layers),
            "You multiplied by √n σ: that is for the RMS. The mean square grows by n σ².": _iterate(
                q, np.sqrt(n) * sigma, step, n_layers
            ),
            "These are RMS values: return mean squares.": np.sqrt(want),
            "The activation is missing.": _iterate(q, n * sigma**2, lambda h: h, n_layers),
            "The list begins with the input: the first entry is what leaves layer 1.": [q, *want[:-1]],
            "The list begins with the input: return one value for each layer, the first is what leaves layer 1.": [
                q,
                *want,
            ],
            "Each layer began with the input again: it takes what the layer before gave.": [want[0]] * n_layers,
            "This is the last layer alone: return a list, one value for each layer.": want[-1],
            "This is what enters the activations: return what leaves them.": [
                n * sigma**2 * before for before in [q, *want[:-1]]
            ],
            "You halved in each layer: that is right for a ReLU alone.": _iterate(
                q, n * sigma**2, lambda h: h / 2, n_layers
            ),
            "n σ² comes before the activation: it multiplies what enters.": _iterate_after(
                q, n * sigma**2, step, n_layers
            ),
            "The next layer was handed what enters the activation, n σ² q: hand on what leaves it.": [
                step((n * sigma**2) ** number * q) for number in range(1, n_layers + 1)
            ],
        }
        mistakes = {text: value for text, value in mistakes.items() if not _near(value, want)}
        if not self._mean_square_is_right(cases, observed):
            got = observed[name]
            mistakes = {"Mend mean_square first: the recursion stands on it.": got}
        expect.close(observed[name], want, name, rtol=0.05, mistakes=mistakes)

    @subtest("the recursion without activation and with ReLU: a power of the depth")
    def powers(self, cases, observed):
        self._recursion(cases, observed, "recursion, no activation", lambda q: q)
        self._recursion(cases, observed, "recursion, ReLU", lambda q: q / 2)

    @subtest("the recursion with other activations, and over a single layer")
    def others(self, cases, observed):
        self._recursion(cases, observed, "recursion, error function", _erf_mean_square)
        self._recursion(cases, observed, "recursion, tanh, one layer", lambda q: _quadrature(np.tanh, q))


class Backward(Exercise):
    id = "6.3"
    title = "the way back"
    hints = (
        "Begin at the end: what is handed over is the gradient of what leaves the last layer. What does the chain rule "
        "make of it on the other side of the activation? And on the other side of the matrix?",
        "From the last layer to the first: delta = slope(a) * gradient, with the a of this layer; then the gradient "
        "for the layer before is delta @ w.T. The list comes out in the wrong order: turn it round.",
        "for a, w in zip(activations[::-1], weights[::-1]): delta = slope(a) * gradient; append it; gradient = "
        "delta @ w.T. Return the list reversed, [::-1].",
    )

    def inputs(self, rng):
        def case(sizes, activation, n=3):
            x = rng.normal(size=(n, sizes[0]))
            weights = [rng.normal(size=s) / np.sqrt(s[0]) for s in pairwise(sizes)]
            activations, a = [], x
            for w in weights:
                h = a @ w
                if np.min(abs(h)) < 1e-3:  # too close to the kink of a ReLU: no slope there
                    return case(sizes, activation, n)
                a = ACTIVATIONS[activation](h)
                activations.append(a)
            return {
                "x": x,
                "gradient": rng.normal(size=a.shape),
                "activations": activations,
                "weights": weights,
                "slope": activation,
            }

        return {
            "one layer": case([4, 4], "tanh"),  # square: what is multiplied for no use shall not fail
            "one layer, one galaxy": case([5, 5], "tanh", n=1),
            "two layers": case([3, 5, 2], "tanh"),
            "four layers": case([4, 6, 3, 5, 2], "tanh"),
            "square matrices": case([4, 4, 4, 4], "tanh", n=4),
            "ReLU": case([5, 8, 8, 6], "relu"),
            "no activation": case([3, 4, 4, 2], "identity"),
        }

    def observe(self, answer, cases):
        return {
            name: run(answer, case["gradient"], case["activations"], case["weights"], SLOPES[case["slope"]])
            for name, case in cases.items()
        }

    def reference(self):
        def backward(gradient, activations, weights, slope):
            deltas = [np.multiply(gradient, slope(activations[-1]))]
            for number in range(len(weights) - 1, 0, -1):
                back = np.einsum("nj,ij->ni", deltas[0], weights[number])
                deltas.insert(0, np.multiply(back, slope(activations[number - 1])))
            return deltas

        return backward

    def _got(self, cases, observed, name):
        try:
            value = observed[name]
        except expect.NotYet as crash:
            words = self._what_went_wrong(cases, observed)
            raise expect.NotYet(f"{crash}\n{words}" if words else str(crash)) from None
        got = _layer_list(value, cases[name], name, input_may_lead=False)
        wanted = [a.shape for a in cases[name]["activations"]]
        shapes = [np.shape(g) for g in got]
        if shapes != wanted and shapes == wanted[::-1]:
            raise expect.NotYet(f"{name}: the list runs from the last layer to the first: turn it round.")
        for number, (g, shape) in enumerate(zip(got, wanted, strict=True), 1):
            words = self._what_went_wrong(cases, observed)
            expect.shape(g, shape, f"{name}, layer {number}", mistakes={words: np.shape(g)} if words else None)
        return got

    def _what_went_wrong(self, cases, observed):
        """The well-known mistake that explains all layers of the square matrices, where no shape can go wrong."""
        name = "square matrices"
        case = cases[name]
        try:
            got = _layer_list(observed[name], case, name, input_may_lead=False)
        except expect.NotYet:
            return ""
        for sentence, wrong in _wrong_deltas(case).items():
            if _all_close(got, wrong):
                return sentence
        return ""

    @subtest("the last layer: the gradient times the slope of the activation")
    def last(self, cases, observed):
        for name in ("one layer", "one layer, one galaxy"):
            case = cases[name]
            gradient, a = case["gradient"], case["activations"][-1]
            mistakes = {
                "The slope of the activation is missing.": gradient,
                "Take the slope at the activations, slope(a), not at the gradient.": gradient * (1 - gradient**2),
                "This is the slope alone: multiply it by the gradient.": 1 - a**2,
                "You multiplied by the activation itself: multiply by its slope, slope(a).": gradient * a,
                "`slope` expects what leaves the activation, a: do not apply the activation again.": (
                    gradient * (1 - np.tanh(a) ** 2)
                ),
            }
            want, got = _numeric_deltas(case)[-1], self._got(cases, observed, name)[-1]
            if words := self._what_went_wrong(cases, observed):
                mistakes[words] = got
            expect.close(got, want, name, rtol=1e-4, atol=1e-6, mistakes=mistakes)

    @subtest("one layer back: by the transposed matrix, then by this layer's own slope")
    def one_back(self, cases, observed):
        name = "two layers"
        case = cases[name]
        first, _ = case["activations"]
        delta = _numeric_deltas(case)[1]
        back = delta @ case["weights"][1].T
        mistakes = {
            "The slope of this layer's activation is missing.": back,
            "The slope of the last layer's activation is missing on the way to this one.": (
                (case["gradient"] @ case["weights"][1].T) * (1 - first**2)
            ),
        }
        got = self._got(cases, observed, name)[0]
        if words := self._what_went_wrong(cases, observed):
            mistakes[words] = got
        expect.close(got, _numeric_deltas(case)[0], f"{name}, layer 1", rtol=1e-4, atol=1e-6, mistakes=mistakes)

    @subtest("many layers: what numeric gradients say")
    def numeric(self, cases, observed):
        for name in ("square matrices", "four layers"):
            case = cases[name]
            want = _numeric_deltas(case)
            got = self._got(cases, observed, name)
            if not _all_close(got, want) and (words := self._what_went_wrong(cases, observed)):
                raise expect.NotYet(f"{name}: {words[0].lower()}{words[1:]}")
            for number in range(len(want)):
                expect.close(got[number], want[number], f"{name}, layer {number + 1}", rtol=1e-4, atol=1e-6)

    @subtest("nothing comes back through a ReLU that was off; without activation all does")
    def other_slopes(self, cases, observed):
        for name in ("ReLU", "no activation"):
            case = cases[name]
            want = _numeric_deltas(case)
            got = self._got(cases, observed, name)
            for number in range(len(want)):
                tanh = "A slope of tanh is built into your function: use the one that is handed over."
                mistakes = {tanh: _deltas_with_tanh(case)[number]}
                what = f"{name}, layer {number + 1}"
                expect.close(got[number], want[number], what, rtol=1e-4, atol=1e-6, mistakes=mistakes)


class Fans(Exercise):
    id = "6.4"
    title = "fan-in and fan-out"
    hints = (
        "Write down the sum that makes one output number of a convolution. How many products has it?",
        "The last two numbers of a shape are inputs and outputs, whatever stands before them are the kernel's places: "
        "fan-in is places × inputs, fan-out is places × outputs. A dense layer has one place.",
        "*places, inputs, outputs = shape; n = int(np.prod(places)), which is 1 for no places; return n * inputs, "
        "n * outputs.",
    )

    def inputs(self, rng):
        a, b, c, d = (int(n) for n in rng.choice(np.arange(3, 20), size=4, replace=False))
        shapes = {
            "dense": (10 * a, b),
            "dense, one output": (c, 1),
            "convolution of an image": (3, 3, c, d),
            "a kernel that is not square": (2, 5, a, c),
            "one grey band": (5, 5, 1, b),
            "convolution of 1×1": (1, 1, a, b),
            "convolution of a spectrum": (7, a, d),
        }
        return {name: {"shape": list(shape)} for name, shape in shapes.items()}

    def observe(self, answer, cases):
        return {name: run(answer, tuple(case["shape"])) for name, case in cases.items()}

    def reference(self):
        def fans(shape):
            return _counted_fans(shape)

        return fans

    def _compare(self, cases, observed, names):
        for name in names:
            shape, got = cases[name]["shape"], observed[name]
            *places, inputs, outputs = shape
            n = int(np.prod(places))
            want = list(_counted_fans(shape))
            expect.true(
                isinstance(got, list) and len(got) == 2,
                f"{name}: expected two numbers, fan_in and fan_out, got {expect.show(got)}.",
            )
            if got == want and any(isinstance(g, float) for g in got):
                raise expect.NotYet(
                    f"{name}: expected whole numbers, got {' and '.join(str(g) for g in got)}. int(...) makes them "
                    "(np.prod of nothing is 1.0)."
                )
            mistakes = {
                "The two are swapped: fan-in first.": want[::-1],
                "The places of the kernel are missing: an output adds up all channels at all places.": [
                    inputs,
                    outputs,
                ],
                "The kernel's places count for the fan-out too: an input reaches as many output pixels.": [
                    n * inputs,
                    outputs,
                ],
                "The channels are missing: an output adds up all input channels.": [n, n],
                "Fan-in counts what goes into one output, not all weights of the layer.": [n * inputs * outputs] * 2,
                "You counted the bias: fan-in is the number of inputs.": [n * inputs + 1, n * outputs + 1],
                "These are the first two numbers of the shape: for a convolution these are places.": list(shape[:2]),
                "A kernel of height × width: you took the square of its height.": (
                    [places[0] ** 2 * inputs, places[0] ** 2 * outputs] if places else None
                ),
                "You added the kernel's sides: they multiply.": (
                    [sum(places) * inputs, sum(places) * outputs] if places else None
                ),
            }
            mistakes = {text: value for text, value in mistakes.items() if value not in (None, want)}
            expect.equal(got, want, f"{name}, shape {tuple(shape)}", mistakes=mistakes)

    @subtest("a dense layer: its inputs, its outputs")
    def dense(self, cases, observed):
        self._compare(cases, observed, ("dense", "dense, one output"))

    @subtest("a convolution of images: the places of the kernel count, for both")
    def convolution(self, cases, observed):
        self._compare(cases, observed, ("convolution of an image", "one grey band", "convolution of 1×1"))

    @subtest("a kernel of any height and width")
    def rectangle(self, cases, observed):
        self._compare(cases, observed, ("a kernel that is not square",))

    @subtest("a convolution of spectra")
    def spectrum(self, cases, observed):
        self._compare(cases, observed, ("convolution of a spectrum",))


class Initialise(Exercise):
    id = "6.5"
    title = "LeCun, Glorot, He"
    hints = (
        "The table gives variances. What does rng.normal take, a variance or a standard deviation? And which limit has "
        "a uniform distribution of a given variance?",
        "fan_in, fan_out = fans(shape); the recipe gives the variance; rng.normal(0, √variance, size=shape), or "
        "rng.uniform(-r, r, size=shape) with r = √(3 · variance).",
        'variance = {"lecun": 1 / fan_in, "glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in}[recipe]; with uniform: '
        "r = np.sqrt(3 * variance), rng.uniform(-r, r, size=shape); else rng.normal(0, np.sqrt(variance), size=shape).",
    )

    def inputs(self, rng):
        seed = int(rng.integers(1, 10_000))
        cases = {}
        for recipe in ("lecun", "glorot", "he"):
            for uniform in (False, True):
                kind = "uniform" if uniform else "normal"
                cases[f"{recipe}, {kind}, dense"] = (400, 90), recipe, uniform
                cases[f"{recipe}, {kind}, convolution"] = (3, 5, 20, 130), recipe, uniform
        cases["he, normal, spectrum"] = (9, 30, 120), "he", False
        return {
            name: {"shape": list(shape), "recipe": recipe, "uniform": uniform, "seed": seed + i}
            for i, (name, (shape, recipe, uniform)) in enumerate(cases.items())
        }

    def observe(self, answer, cases):
        observed = {}
        before = np.random.get_state()  # noqa: NPY002
        for name, case in cases.items():
            rng = np.random.default_rng(case["seed"])
            options = {"uniform": True} if case["uniform"] else {}
            observed[name] = run(answer, tuple(case["shape"]), case["recipe"], rng, **options)
        after = np.random.get_state()  # noqa: NPY002
        if before[2:] != after[2:] or not np.array_equal(before[1], after[1]):
            observed["the program's random numbers have changed"] = run(lambda: True)
        seed = next(iter(cases.values()))["seed"]

        def draw(*seeds):
            rngs = [np.random.default_rng(s) for s in seeds]
            rngs = rngs if len(rngs) > 1 else rngs * 2
            return [answer((6, 5), "he", rng) for rng in rngs]

        observed["twice from the same seed"] = run(draw, seed, seed)
        observed["twice from one generator"] = run(draw, seed)
        return observed

    def reference(self):
        def initialise(shape, recipe, rng, uniform=False):
            seed = int(rng.integers(2**31))
            mode = "fan_avg" if recipe == "glorot" else "fan_in"
            distribution = "uniform" if uniform else "truncated_normal"
            scaling = keras.initializers.VarianceScaling(2.0 if recipe == "he" else 1.0, mode, distribution, seed)
            return keras.ops.convert_to_numpy(scaling(tuple(shape)))

        return initialise

    def _spread(self, cases, observed, recipe):
        for name, case in cases.items():
            if case["recipe"] != recipe or case["uniform"]:
                continue
            got = _kernel(observed, cases, name)
            _centred(got, name)
            want, wrong = _spreads(case)
            mistakes = {
                "The table gives the variance: the standard deviation is its root.": want**2,
                "You took the fourth root: one square root is enough.": np.sqrt(want),
                "The √3 belongs to the limit of the uniform distribution.": np.sqrt(3) * want,
                **wrong,
                "Keras cuts the normal distribution off at two standard deviations and widens it again, so that the "
                "variance is right: here the widening is missing.": 0.8796 * want,
            }
            _expect_spread(got.std(), want, f"{name}, standard deviation", mistakes)

    @subtest("the shape of the kernel, and values around 0")
    def shape(self, cases, observed):
        for name in cases:
            _centred(_kernel(observed, cases, name), name)

    @subtest("LeCun: variance 1 / fan-in")
    def lecun(self, cases, observed):
        self._spread(cases, observed, "lecun")

    @subtest("Glorot: variance 2 / (fan-in + fan-out)")
    def glorot(self, cases, observed):
        self._spread(cases, observed, "glorot")

    @subtest("He: variance 2 / fan-in")
    def he(self, cases, observed):
        self._spread(cases, observed, "he")

    @subtest("uniform: the same variance, and a sharp limit on both sides")
    def uniform(self, cases, observed):
        for name, case in cases.items():
            if not case["uniform"]:
                continue
            got = _kernel(observed, cases, name)
            want, wrong = _spreads(case)
            limit = np.sqrt(3) * want
            mistakes = {
                "The limit is √3 times the standard deviation: the 3 is missing.": want,
                "That is 3 times the standard deviation: √3 times.": 3 * want,
                "The root is missing: the limit is √(3 · variance).": 3 * want**2,
                "The table gives the variance: its root is the standard deviation, and √3 times that the limit.": (
                    np.sqrt(3) * want**2
                ),
                **{text: np.sqrt(3) * spread for text, spread in wrong.items()},
            }
            if np.min(got) > -0.5 * np.max(got):
                raise expect.NotYet(f"{name}: hardly any value is negative: draw from −r to r.")
            if np.max(abs(got)) > 1.02 * limit and abs(got.std() / want - 1) < 0.02:
                raise expect.NotYet(
                    f"{name}: the variance is right, but there are values beyond the limit {expect.show(limit)}: "
                    "a uniform distribution has none. Is this a normal one?"
                )
            _expect_spread(np.max(abs(got)), limit, f"{name}, largest value", mistakes)
            _expect_spread(got.std(), want, f"{name}, standard deviation", {})

    @subtest("the numbers come from the generator: the same seed, the same kernel")
    def generator(self, cases, observed):
        first, again = observed["twice from the same seed"]
        expect.true(np.array_equal(first, again), "the same seed gave two different kernels: draw from `rng` alone.")
        first, second = observed["twice from one generator"]
        expect.true(
            not np.array_equal(first, second),
            "two kernels from one generator are the same: draw from `rng`, and make no generator of your own.",
        )
        expect.true(
            "the program's random numbers have changed" not in observed,
            "your function touches the random numbers of the whole program, as np.random.normal does: draw from `rng`.",
        )


class Orthogonal(Exercise):
    id = "6.6"
    title = "an orthogonal kernel"
    hints = (
        "np.linalg.qr gives a Q with as many columns as the matrix you hand it, as long as that has at least as many "
        "rows as columns. What can you do when the kernel has more columns than rows?",
        "rows = product of all but the last of shape, columns = the last. Draw a normal matrix of (larger, smaller), "
        "take Q and R, multiply Q's columns by the signs of R's diagonal, transpose where rows < columns, reshape.",
        "q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns)))); q = q * np.sign(np.diag(r)); "
        "if rows < columns: q = q.T; return q.reshape(shape).",
    )

    def inputs(self, rng):
        seed = int(rng.integers(1, 10_000))
        shapes = {
            "square": (7, 7),
            "more rows than columns": (9, 4),
            "more columns than rows": (4, 9),
            "convolution": (3, 3, 2, 5),
            "convolution with many channels": (2, 2, 3, 20),
            "spectrum": (5, 3, 6),
            "one column": (6, 1),
        }
        return {name: {"shape": list(s), "seed": seed + i} for i, (name, s) in enumerate(shapes.items())}

    def observe(self, answer, cases):
        observed = {
            name: run(answer, tuple(case["shape"]), np.random.default_rng(case["seed"])) for name, case in cases.items()
        }
        seed = next(iter(cases.values()))["seed"]

        def many():
            return [answer((4, 3), np.random.default_rng(seed + i)) for i in range(100)]

        observed["a hundred draws"] = run(many)
        return observed

    def reference(self):
        def orthogonal(shape, rng):
            initialiser = keras.initializers.Orthogonal(seed=int(rng.integers(2**31)))
            return keras.ops.convert_to_numpy(initialiser(tuple(shape)))

        return orthogonal

    def _at_right_angles(self, cases, observed, names):
        for name in names:
            shape = cases[name]["shape"]
            expect.shape(
                observed[name],
                tuple(shape),
                name,
                mistakes={
                    "This is square: hand qr a matrix with as many columns as the kernel's shorter side.": (
                        max(int(np.prod(shape[:-1])), shape[-1]),
                    )
                    * 2,
                    "Give it the shape of the kernel at the end, .reshape(shape).": (
                        int(np.prod(shape[:-1])),
                        shape[-1],
                    ),
                    "Rows and columns are swapped: transpose.": tuple(shape[::-1]),
                },
            )
            kernel = np.asarray(observed[name], float).reshape(-1, shape[-1])
            wide = kernel.shape[0] < kernel.shape[1]
            products = kernel @ kernel.T if wide else kernel.T @ kernel
            what = "rows" if wide else "columns"
            lengths = np.sqrt(np.diag(products))
            cosines = products / np.outer(lengths, lengths) - np.eye(len(products))
            hint = ""
            if np.max(abs(cosines)) < 1e-3 and np.ptp(lengths) > 1e-3:
                hint = " They are at right angles. Multiply by the *sign* of R's diagonal, np.sign(np.diag(r))."
            elif np.allclose(lengths, 1, atol=1e-3):
                hint = " Length 1 alone does not bring them to right angles; np.linalg.qr does."
            if len(shape) > 2 and self._square_is_right(observed):
                hint = " Take all axes but the last together as rows, and reshape at the end."
            turned = kernel.reshape(kernel.shape[::-1])
            if wide and np.allclose(turned.T @ turned, np.eye(turned.shape[1]), atol=1e-3):
                hint = " These are the right numbers in the wrong places: transpose before you reshape."
            if not np.allclose(lengths, 1, atol=1e-3):
                raise expect.NotYet(
                    f"{name}: the {what} of the kernel, as a matrix, have to have length 1, "
                    f"one has {expect.show(lengths[np.argmax(abs(lengths - 1))])}.{hint}"
                )
            largest = np.max(abs(products - np.diag(np.diag(products))), initial=0)
            if largest > 1e-3:
                raise expect.NotYet(
                    f"{name}: two {what} are not at right angles: their product is {expect.show(largest)}, not 0.{hint}"
                )

    def _square_is_right(self, observed):
        try:
            square = np.asarray(observed["square"], float)
        except (expect.NotYet, TypeError, ValueError):
            return False
        return square.shape == (7, 7) and np.allclose(square.T @ square, np.eye(7), atol=1e-3)

    @subtest("square: columns of length 1 at right angles")
    def square(self, cases, observed):
        self._at_right_angles(cases, observed, ["square"])

    @subtest("more rows than columns, and more columns than rows")
    def rectangular(self, cases, observed):
        self._at_right_angles(cases, observed, ["more rows than columns", "one column", "more columns than rows"])

    @subtest("a convolution's kernel, as a matrix")
    def convolution(self, cases, observed):
        self._at_right_angles(cases, observed, ["convolution", "spectrum", "convolution with many channels"])

    @subtest("all directions are equally likely")
    def directions(self, cases, observed):
        case = cases["square"]
        q, signs = _qr_of_normal(case["seed"], case["shape"])
        if np.allclose(observed["square"], q * signs[:, None]) and not np.allclose(observed["square"], q * signs):
            raise expect.NotYet(
                "square: you multiplied the rows of Q by the signs, multiply its columns: q * np.sign(np.diag(r))."
            )
        draws = np.array(observed["a hundred draws"])
        expect.shape(draws, (100, 4, 3), "a hundred kernels of (4, 3)")
        expect.true(
            not np.allclose(draws[0], draws[1]), "two generators gave the same kernel: draw random numbers from `rng`."
        )
        positive = np.mean(draws > 0, axis=0)
        if np.all(abs(positive[:, 0] - 0.5) > 0.25):
            raise expect.NotYet(
                "in a hundred draws, the first column mostly had weights of one sign: the matrix that you hand "
                "to qr has to be drawn around 0, from a normal distribution."
            )
        row, column = (int(i) for i in np.unravel_index(np.argmax(abs(positive - 0.5)), positive.shape))
        share = positive[row, column]
        expect.true(
            0.25 < share < 0.75,
            f"in a hundred draws, the weight in row {row}, column {column} was positive {round(100 * share)} "
            "times, about 50 were expected. Multiply each column of Q by the sign of R's diagonal element.",
        )


class Instruments(Exercise):
    id = "6.7"
    title = "two instruments: copies and dead units"
    hints = (
        "Bring the kernel to a matrix with one column for each neuron. For the dead ones: for which units is *every* "
        "value zero?",
        "kernel.reshape(-1, kernel.shape[-1]).T has one row for each neuron; keep a list of those counted, and compare "
        "each neuron with all in the list by the largest difference of a weight. Dead: np.all(activations == 0, "
        "axis=...) over all axes but the last, then the mean.",
        "for neuron in kernel.reshape(-1, kernel.shape[-1]).T: if all(abs(neuron - other).max() > tolerance for other "
        "in counted): counted.append(neuron). And np.mean(np.all(activations == 0, axis=tuple(range(activations.ndim - "
        "1)))).",
    )

    def inputs(self, rng):
        def copies(shape, groups):
            """A kernel whose neurons are copies of `groups` different ones, at least one of each, in any order."""
            originals = 3.0 * np.arange(groups) + rng.uniform(-1, 1, size=(*shape[:-1], groups))
            chosen = np.concatenate([np.arange(groups), rng.integers(0, groups, size=shape[-1] - groups)])
            return originals[..., rng.permutation(chosen)]

        def kernel(array, tolerance=1e-3):
            return {"kernel": array, "tolerance": tolerance}

        mirrored = rng.uniform(1, 2, size=(4, 1))
        mirrored = np.concatenate([mirrored, mirrored[::-1], mirrored], axis=1)
        nearly = np.repeat(rng.normal(size=(5, 1)).round(3), 4, axis=1) + np.array([0, 3e-4, 0, 5e-3])
        one_weight = np.repeat(rng.normal(size=(50, 1)), 3, axis=1)
        one_weight[17, 1] += 0.01
        small_differences = np.repeat(rng.normal(size=(3, 3, 30, 1)), 3, axis=-1)
        small_differences[..., 1:] += 5e-4 * rng.choice([-1, 1], size=(3, 3, 30, 2))
        small_differences[..., 2] += 4e-4 * rng.choice([-1, 1], size=(3, 3, 30))
        chain = np.repeat(rng.normal(size=(4, 1)), 6, axis=1)
        chain[1] += 7e-4 * np.arange(6)

        def alive(shape, dead, sparse=0.6):
            values = np.maximum(rng.normal(size=shape), 0) * (rng.random(shape) > sparse)
            values[(0,) * (len(shape) - 1)] = 1.0
            values[..., rng.permutation(shape[-1])[:dead]] = 0
            return values

        last_galaxy = np.zeros((5, 4))
        last_galaxy[:, 0], last_galaxy[4, 1], last_galaxy[0, 2] = 1.0, 0.5, 2.0
        negative = np.tanh(rng.normal(-3, 0.2, size=(6, 5)))
        negative[:, [0, 2]] = 0
        cancelling = np.zeros((4, 6))
        cancelling[:, rng.permutation(6)[:3]] = np.array([[1, 0, 0.5], [-1, 2, -0.25], [3, 0, -0.25], [-3, -2, 0]])
        one_place = np.zeros((3, 4, 5, 6))
        one_place[..., 0] = 1.0
        one_place[0, 0, :, 0] = 0
        one_place[1, 3, 2, 4] = 1e-5
        return {
            "copies, dense": kernel(copies((6, 8), int(rng.integers(3, 6)))),
            "copies, wide": kernel(copies((2, 9), 4)),
            "copies, convolution": kernel(copies((3, 3, 2, 7), int(rng.integers(2, 6)))),
            "copies, all the same": kernel(np.full((4, 6), 0.25)),
            "copies, none": kernel(copies((5, 5), 5)),
            "copies, the same weights in another order": kernel(mirrored),
            "copies, one weight differs": kernel(one_weight),
            "copies, nearly": kernel(nearly),
            "copies, many small differences": kernel(small_differences),
            "copies, a chain": kernel(chain),
            "dead, dense": {"activations": alive((20, 12), int(rng.integers(2, 6)))},
            "dead, none": {"activations": alive((7, 5), 0)},
            "dead, all": {"activations": np.zeros((3, 4))},
            "dead, but for the last galaxy": {"activations": last_galaxy},
            "dead, convolution": {"activations": alive((4, 5, 3, 8), int(rng.integers(2, 5)))},
            "dead, but for one place": {"activations": one_place},
            "dead, negative values": {"activations": negative},
            "dead, values that cancel": {"activations": cancelling},
        }

    def observe(self, answer, cases):
        distinct_neurons, dead_share = answer
        return {
            name: run(distinct_neurons if name.startswith("copies") else dead_share, **case)
            for name, case in cases.items()
        }

    def reference(self):
        def distinct_neurons(kernel, tolerance):
            return _count(kernel, tolerance)

        def dead_share(activations):
            return float(np.mean(np.max(np.abs(activations.reshape(-1, activations.shape[-1])), axis=0) == 0))

        return distinct_neurons, dead_share

    def _number(self, cases, observed, name):
        want, got = _count(**cases[name]), observed[name]
        words = self._what_went_wrong(cases, observed)
        expect.equal(got, want, name, mistakes={words: got} if words else None)

    def _what_went_wrong(self, cases, observed):
        """The well-known mistake that explains all numbers of neurons that came, '' where none does."""
        got = {}
        for name in (name for name in cases if name.startswith("copies")):
            try:
                got[name] = observed[name]
            except expect.NotYet:
                continue
        for sentence, mistake in _COUNTING_MISTAKES.items():
            if all(np.shape(value) == () and value == mistake(*cases[name].values()) for name, value in got.items()):
                return sentence
        return ""

    @subtest("copies count once, in a dense layer and in a convolution")
    def copies(self, cases, observed):
        for name in ("copies, dense", "copies, wide", "copies, convolution"):
            self._number(cases, observed, name)

    @subtest("all alike is 1, none alike is all")
    def extremes(self, cases, observed):
        for name in ("copies, all the same", "copies, none"):
            self._number(cases, observed, name)

    @subtest("one weight that differs by more than the tolerance makes a neuron different, one by less does not")
    def tolerance(self, cases, observed):
        for name in ("copies, the same weights in another order", "copies, nearly", "copies, one weight differs"):
            self._number(cases, observed, name)

    @subtest("the largest difference counts, from the neurons that were counted")
    def largest(self, cases, observed):
        for name in ("copies, many small differences", "copies, a chain"):
            self._number(cases, observed, name)

    def _share(self, cases, observed, name):
        activations = cases[name]["activations"]
        units = activations.reshape(-1, activations.shape[-1])
        want = np.mean(np.max(abs(units), axis=0) == 0)
        mistakes = {
            "Small is not zero: compare with 0.": np.mean(np.all(abs(units) < 1e-3, axis=0)),
            "You looked at the first galaxy alone.": np.mean(
                np.all(activations[0].reshape(-1, units.shape[1]) == 0, axis=0)
            ),
            "A negative value is not zero.": np.mean(np.all(units <= 0, axis=0)),
            "1 and −1 have a sum and a mean of 0 and are not 0: look at each value.": np.mean(units.sum(axis=0) == 0),
            "A unit whose sum is 0 or less need not be 0.": np.mean(units.sum(axis=0) <= 0),
            "This is the share of zeros: a unit is dead only if it is 0 for every galaxy.": np.mean(units == 0),
            "These are units that are 0 for at least one galaxy: for every galaxy.": np.mean(
                np.any(units == 0, axis=0)
            ),
            "This is the share of galaxies for which all units are 0: look along the other axis.": np.mean(
                np.all(units == 0, axis=1)
            ),
            "This is the share of units that live.": 1 - want,
            "This is their number: divide by the number of units.": want * units.shape[1],
            "You counted each place of a convolution as a unit: a channel is dead if it is 0 at every place.": np.mean(
                np.all(activations == 0, axis=0)
            ),
            "That is in per cent: return a share from 0 to 1.": 100 * want,
        }
        mistakes = {text: value for text, value in mistakes.items() if abs(value - want) > 1e-9}
        expect.close(observed[name], want, name, mistakes=mistakes)

    @subtest("a neuron is dead if it is 0 for every galaxy")
    def dead(self, cases, observed):
        for name in ("dead, dense", "dead, but for the last galaxy", "dead, none", "dead, all"):
            self._share(cases, observed, name)

    @subtest("a channel is dead if it is 0 at every place of every image")
    def channels(self, cases, observed):
        for name in ("dead, convolution", "dead, but for one place"):
            self._share(cases, observed, name)

    @subtest("a negative value is alive")
    def negative(self, cases, observed):
        for name in ("dead, negative values", "dead, values that cancel"):
            self._share(cases, observed, name)


class Rescale(Exercise):
    id = "6.8"
    title = "measure and divide"
    hints = (
        "What enters layer 2 depends on what you did to layer 1. In which order do you have to measure and divide?",
        "Go through the layers: h = a @ w, divide w by np.std(h) into a new matrix, append it, and compute the "
        "activations with the new matrix before you go on.",
        "a = x; for w in weights: w = w / np.std(a @ w); append w; a = activation(a @ w). Return the list.",
    )

    def inputs(self, rng):
        def case(sizes, activation, scale, n=30):
            return {
                "x": rng.normal(0.3, 1.5, size=(n, sizes[0])),
                "weights": [scale * rng.normal(size=s) for s in pairwise(sizes)],
                "activation": activation,
            }

        small = case([12, 15, 9, 11], "tanh", 0.01)
        large = small | {"weights": [w * factor for w, factor in zip(small["weights"], (1e4, 30, 2e3), strict=True)]}
        shifted = case([6, 8, 5], "relu", 1.0)
        shifted["weights"] = [w + 0.7 for w in shifted["weights"]]
        one = case([5, 7], "relu", 3.0)
        one["weights"] = [w + 3 for w in one["weights"]]  # h has a mean: its RMS is not its standard deviation
        return {
            "one layer": one,
            "ReLU, small": case([10, 14, 14, 8, 12], "relu", 0.01),
            "tanh, small": small,
            "tanh, large": large,
            "weights with a mean": shifted,
        }

    def observe(self, answer, cases):
        return {
            name: run(answer, case["weights"], case["x"], ACTIVATIONS[case["activation"]])
            for name, case in cases.items()
        }

    def reference(self):
        def rescale(weights, x, activation):
            from sklearn.preprocessing import StandardScaler

            rescaled = []
            for w in weights:
                entering = (x @ w).reshape(-1, 1)
                rescaled.append(w / StandardScaler().fit(entering).scale_[0])
                x = activation(x @ rescaled[-1])
            return rescaled

        return rescale

    def _got(self, cases, observed, name):
        got = _layer_list(observed[name], cases[name], name, input_may_lead=False)
        for number, (g, w) in enumerate(zip(got, cases[name]["weights"], strict=True), 1):
            mistakes = {
                "These are activations: return the weights.": (len(cases[name]["x"]), w.shape[1]),
            }
            expect.shape(g, w.shape, f"{name}, weights of layer {number}", mistakes=mistakes)
        return [np.asarray(g, float) for g in got]

    def _entering(self, cases, observed, name):
        """What enters each layer's activation with the returned weights."""
        case = cases[name]
        return _entering(case["x"], self._got(cases, observed, name), ACTIVATIONS[case["activation"]])

    @subtest("one layer: what enters the activation has standard deviation 1")
    def one(self, cases, observed):
        case = cases["one layer"]
        (w,), (h,) = case["weights"], self._entering(cases, observed, "one layer")
        raw = case["x"] @ w
        out = ACTIVATIONS[case["activation"]](raw)
        mistakes = {
            "Nothing has changed: return the new weights.": raw.std(),
            "You divided by the variance: by the standard deviation.": 1 / raw.std(),
            "You divided by the standard deviation of what leaves the activation: of what enters it.": (
                raw.std() / out.std()
            ),
            "You divided by the RMS of what leaves the activation: by the standard deviation of what enters it.": (
                raw.std() / np.sqrt(np.mean(out**2))
            ),
            "You divided by the RMS: np.std subtracts the mean of h first. With many neurons the two agree, with a few "
            "they do not.": raw.std() / np.sqrt(np.mean(raw**2)),
            "You multiplied: divide.": raw.std() ** 2,
            "You divided by the standard deviation of the weights: measure h = a W.": raw.std() / w.std(),
            "You divided by the standard deviation of the inputs: measure h = a W.": raw.std() / case["x"].std(),
            "You took the root of the standard deviation.": np.sqrt(raw.std()),
        }
        expect.close(h.std(), 1.0, "one layer, standard deviation of h", rtol=1e-3, mistakes=mistakes)

    @subtest("every layer: measured with the layers before it rescaled")
    def every(self, cases, observed):
        for name in ("ReLU, small", "tanh, small"):
            case = cases[name]
            wrong = _wrongly_rescaled(case)
            for number, h in enumerate(self._entering(cases, observed, name)):
                mistakes = {text: spreads[number] for text, spreads in wrong.items()}
                what = f"{name}, standard deviation of h in layer {number + 1}"
                expect.close(h.std(), 1.0, what, rtol=1e-3, mistakes=mistakes)

    @subtest("each layer is multiplied by one number")
    def one_number(self, cases, observed):
        for name in ("weights with a mean", "ReLU, small"):
            for number, (got, w) in enumerate(
                zip(self._got(cases, observed, name), cases[name]["weights"], strict=True), 1
            ):
                what = f"{name}, layer {number}"
                ratio = got / w
                if np.allclose(ratio, ratio.flat[0], rtol=1e-4):
                    expect.true(ratio.flat[0] > 0, f"{what}: the sign of the weights has changed.")
                    continue
                shift = got - w * (np.ptp(got) / np.ptp(w))
                if np.allclose(shift, shift.flat[0], rtol=1e-4):
                    raise expect.NotYet(f"{what}: something was added to or subtracted from the weights: only divide.")
                if np.allclose(ratio, ratio[:1], rtol=1e-4):
                    raise expect.NotYet(
                        f"{what}: each neuron has a factor of its own. Take one standard deviation of all: no axis."
                    )
                raise expect.NotYet(f"{what}: the weights have been changed by more than one common factor.")

    @subtest("whatever the scale of the first weights, the same weights come out")
    def invariant(self, cases, observed):
        pairs = zip(self._got(cases, observed, "tanh, small"), self._got(cases, observed, "tanh, large"), strict=True)
        for number, (small, large) in enumerate(pairs, 1):
            expect.close(large, small, f"layer {number} from large and from small weights", rtol=1e-3, atol=1e-6)


# What Keras, scipy and finite differences say


def _layer_list(got, case, name, input_may_lead=True):
    """What was returned as a list with one array for each layer."""
    n = len(case["weights"])
    if isinstance(got, np.ndarray) and got.ndim == 3 and len(got) == n:
        return list(got)
    if not isinstance(got, list):
        raise expect.NotYet(f"{name}: expected a list with {n} arrays, one for each layer, got {expect.show(got)}.")
    if len(got) == n + 1 and input_may_lead and np.shape(got[0]) == case["x"].shape and np.allclose(got[0], case["x"]):
        raise expect.NotYet(f"{name}: x itself is in the list: return what leaves the {n} layers, and nothing else.")
    if len(got) != n:
        raise expect.NotYet(f"{name}: expected {n} arrays, one for each layer, got {len(got)}.")
    return got


def _keras_layers(x, weights, activation):
    """What Keras' dense layers give, layer by layer."""
    found = []
    for w in weights:
        layer = keras.layers.Dense(w.shape[1], activation=None if activation == "identity" else activation)
        layer.build(x.shape)
        layer.set_weights([w, np.zeros(w.shape[1])])
        x = keras.ops.convert_to_numpy(layer(np.asarray(x, "float32")))
        found.append(x)
    return found


def _entering(x, weights, activation):
    """What enters the activation of each layer."""
    found = []
    for w in weights:
        found.append(x @ w)
        x = activation(found[-1])
    return found


def _quadrature(activation, q, power=2):
    """Mean of activation(√q z) to the power, z normal, by scipy's adaptive integration."""
    from scipy.integrate import quad

    def integrand(z):
        value = activation(np.float64(np.sqrt(q) * z))
        return value**power * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    points = [-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0]
    return quad(integrand, -12, 12, points=points, limit=500)[0]


def _erf_mean_square(q):
    """Williams 1997: the mean of erf(h)² for normally distributed h of mean square q."""
    return 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q))


def _over_positive(activation, q):
    """The part of the mean square that comes from positive z."""
    return _quadrature(lambda h: activation(np.maximum(h, 0)) if h > 0 else 0 * h, q)


# What mean_square(activation, q) gives after well-known mistakes, by the sentence that explains each
_MEAN_SQUARE_MISTAKES = {
    "This is the variance, the mean is subtracted: the next layer adds up squares, so these count.": lambda f, q: (
        _quadrature(f, q) - _quadrature(f, q, power=1) ** 2
    ),
    "This is the mean of the activations: square them first.": lambda f, q: _quadrature(f, q, power=1),
    "This is the square of the mean: take the mean of the squares.": lambda f, q: _quadrature(f, q, power=1) ** 2,
    "This is the RMS: leave out the last root.": lambda f, q: np.sqrt(_quadrature(f, q)),
    "q is the mean of h², so h = √q z: the root is missing.": lambda f, q: _quadrature(f, q**2),
    "√q is missing: h has the mean square q, not 1.": lambda f, q: _quadrature(f, 1.0),
    "√q stands inside the activation, activation(√q z): only without activation or with a ReLU may q stand outside.": (
        lambda f, q: q * _quadrature(f, 1.0)
    ),
    "√q stands inside the activation, activation(√q z), and is squared with it.": lambda f, q: (
        np.sqrt(q) * _quadrature(f, 1.0)
    ),
    "The probability is not normalised: it has to sum to 1 (divide by √(2π), or by the sum).": lambda f, q: (
        _quadrature(f, q) * np.sqrt(2 * np.pi)
    ),
    "The bell curve is exp(−z²/2): the ½ is missing.": lambda f, q: _quadrature(f, q / 2),
    "This is the activation at √q: take the mean over all h, of which √q is only the RMS.": lambda f, q: (
        f(np.float64(np.sqrt(q))) ** 2
    ),
    "Half of q is right for a ReLU alone: compute the mean with the activation that is handed over.": lambda f, q: (
        q / 2
    ),
    "Your z are positive only: h is as often negative, so let the grid run from −8 to 8.": lambda f, q: (
        2 * _over_positive(f, q)
    ),
    "Your z are positive only, so half of the mean is missing: let the grid run from −8 to 8.": _over_positive,
}


def _iterate(q, factor, step, n_layers):
    found = []
    for _ in range(n_layers):
        q = step(factor * q)
        found.append(q)
    return found


def _iterate_after(q, factor, step, n_layers):
    found = []
    for _ in range(n_layers):
        q = factor * step(q)
        found.append(q)
    return found


def _near(value, want):
    return np.shape(value) == np.shape(want) and np.allclose(value, want, rtol=0.06, atol=1e-12)


def _numeric_deltas(case):
    """Change of Σ gradient · a_L with what enters each layer, by central differences: list of arrays."""
    weights, activation, x = case["weights"], ACTIVATIONS[case["slope"]], case["x"]

    def outcome(layer, bump):
        a = x
        for number, w in enumerate(weights):
            h = a @ w
            a = activation(h + bump if number == layer else h)
        return np.sum(case["gradient"] * a, axis=1)  # galaxies do not mix

    step, found = 1e-6, []
    for layer, w in enumerate(weights):
        delta = np.empty((len(x), w.shape[1]))
        for neuron in range(w.shape[1]):
            bump = step * np.eye(w.shape[1])[neuron]
            delta[:, neuron] = (outcome(layer, bump) - outcome(layer, -bump)) / (2 * step)
        found.append(delta)
    return found


def _deltas_by(case, back, slope=None):
    """Gradients handed back by a rule of one's own: `back(delta, number)` from layer number + 1 to the one below."""
    slope = slope or SLOPES[case["slope"]]
    gradient, found = case["gradient"], []
    for number in range(len(case["weights"]) - 1, -1, -1):
        found.insert(0, slope(case["activations"][number]) * gradient)
        if number:
            gradient = back(found[0], number)
    return found


def _wrong_deltas(case):
    """What well-known mistakes give for all layers, by the sentence that explains each; for square matrices."""
    weights, activations, slope = case["weights"], case["activations"], SLOPES[case["slope"]]
    right = _deltas_by(case, lambda delta, number: delta @ weights[number].T)
    last = len(weights) - 1

    def by_slopes_of(chosen):
        gradient, found = case["gradient"], []
        for number in range(last, -1, -1):
            found.insert(0, slope(activations[chosen(number)]) * gradient)
            gradient = found[0] @ weights[number].T
        return found

    without_slopes, with_own_matrix_first, gradient, other = [], [], case["gradient"], case["gradient"]
    for number in range(last, -1, -1):
        without_slopes.insert(0, slope(activations[number]) * gradient)
        gradient = gradient @ weights[number].T
        with_own_matrix_first.insert(0, slope(activations[number]) * (other @ weights[number].T))
        other = with_own_matrix_first[0]
    return {
        "The list runs from the last layer to the first: turn it round.": right[::-1],
        "Multiply by the transposed matrix, delta @ w.T.": _deltas_by(
            case, lambda delta, number: delta @ weights[number]
        ),
        "Each layer was handed back through the matrix of the layer before. Between layer 1 and layer 2 stands the "
        "matrix of layer 2.": _deltas_by(case, lambda delta, number: delta @ weights[number - 1].T),
        "The gradient goes through a matrix before the last layer's slope: at the last layer there is no next one, "
        "begin with slope(a) * gradient.": with_own_matrix_first,
        "What goes back through the matrix is δ, the gradient times the slope: delta @ w.T.": without_slopes,
        "That is half a step too far: δ Wᵀ belongs to what enters the layer. Append δ before you multiply.": [
            delta @ w.T for delta, w in zip(right, weights, strict=True)
        ],
        "δ of a layer takes the slope at this layer's own activations, not at those of the layer after it.": (
            by_slopes_of(lambda number: min(number + 1, last))
        ),
        "The slope was taken at the last layer's activations each time: take each layer's own.": (
            by_slopes_of(lambda number: last)
        ),
        "The slopes are in the wrong order: go through activations and weights both from the last to the first.": (
            by_slopes_of(lambda number: last - number)
        ),
    }


def _deltas_with_tanh(case):
    return _deltas_by(case, lambda delta, number: delta @ case["weights"][number].T, SLOPES["tanh"])


def _all_close(got, want):
    return all(
        np.shape(g) == w.shape and np.allclose(g, w, rtol=1e-4, atol=1e-6) for g, w in zip(got, want, strict=True)
    )


def _counted_fans(shape):
    """Count by Keras: inputs of an output where all weights are 1, outputs that a single input reaches."""
    *places, n_channels, _ = shape
    kernel = np.ones(shape, "float32")
    if not places:
        kernel = kernel[None]
        places = [1]
    size = [4 * n + 1 for n in places]
    centre = tuple(n // 2 for n in size)
    ones, impulse = np.ones((1, *size, n_channels), "float32"), np.zeros((1, *size, n_channels), "float32")
    impulse[(0, *centre, 0)] = 1
    into = keras.ops.convert_to_numpy(keras.ops.conv(ones, kernel, padding="same"))
    reached = keras.ops.convert_to_numpy(keras.ops.conv(impulse, kernel, padding="same"))
    return round(float(into[(0, *centre, 0)])), round(float(reached.sum()))


def _spreads(case):
    """The standard deviation that the recipe asks for, and those of wrong variances by what explains each."""
    fan_in, fan_out = _counted_fans(case["shape"])
    first, inputs, outputs = case["shape"][0], *case["shape"][-2:]

    def by_recipe(n_in, n_out):
        return {"lecun": 1 / n_in, "glorot": 2 / (n_in + n_out), "he": 2 / n_in}

    recipe, variances = case["recipe"], by_recipe(fan_in, fan_out)
    wrong = {
        "These are fan-out's numbers: take the fan-in.": variances[recipe] * fan_in / fan_out,
        "The places of the kernel are missing: take the fans, not the channels.": by_recipe(inputs, outputs)[recipe],
        "The first number of the shape is the fan-in of a dense layer alone: take fans(shape).": (
            by_recipe(first, outputs)[recipe]
        ),
        "The first numbers of the shape are the fans of a dense layer alone: take fans(shape).": (
            by_recipe(first, case["shape"][1])[recipe]
        ),
        "Glorot has a 2 above fan_in + fan_out.": 1 / (fan_in + fan_out),
        **{f"This is the variance of the recipe {other!r}.": variance for other, variance in variances.items()},
        "That is the mean of fan-in and fan-out, which is Glorot's: He takes the fan-in.": 4 / (fan_in + fan_out),
    }
    return np.sqrt(variances[recipe]), {text: np.sqrt(variance) for text, variance in wrong.items()}


def _kernel(observed, cases, name):
    shape = tuple(cases[name]["shape"])
    expect.shape(observed[name], shape, name)
    kernel = np.asarray(observed[name], float)
    expect.true(np.isfinite(kernel).all(), f"{name}: there are values that are no numbers.")
    return kernel


def _centred(kernel, name):
    """Mean 0 within five standard errors."""
    if kernel.std() == 0:
        raise expect.NotYet(f"{name}: all weights are the same.")
    if abs(kernel.mean()) > 5 * kernel.std() / np.sqrt(kernel.size):
        raise expect.NotYet(
            f"{name}: the mean of the weights is {expect.show(kernel.mean() / kernel.std())} standard deviations away "
            "from 0: draw around 0."
        )


def _expect_spread(got, want, what, mistakes):
    """Equal within 2 %, which is five standard errors of these samples; a mistake is recognised within 2 %."""
    mistakes = {text: value for text, value in mistakes.items() if abs(value / want - 1) > 0.04}
    expect.close(got, want, what, rtol=0.02, atol=0, mistakes=mistakes)


def _qr_of_normal(seed, shape):
    """Q, and the signs of R's diagonal, of the first normal matrix that a generator gives."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=shape))
    return q, np.sign(np.diag(r))


def _count(kernel, tolerance, metric="chebyshev"):
    """Columns that are farther than the tolerance from all columns counted before; scipy measures the distances."""
    from scipy.spatial.distance import cdist

    columns = kernel.reshape(-1, kernel.shape[-1]).T
    distances, counted = cdist(columns, columns, metric), []
    for number in range(len(columns)):
        if (distances[number, counted] > tolerance).all():
            counted.append(number)
    return len(counted)


def _count_unlike_all_before(kernel, tolerance):
    columns = kernel.reshape(-1, kernel.shape[-1])
    largest = [abs(columns[:, :number] - columns[:, [number]]).max(axis=0) for number in range(columns.shape[1])]
    return sum(bool((found > tolerance).all()) for found in largest)


def _count_with_signs(sign):
    """The largest difference without its absolute value."""

    def count(kernel, tolerance):
        return _count(kernel, tolerance, metric=lambda a, b: np.max(sign * (a - b)))

    return count


# What distinct_neurons(kernel, tolerance) gives after well-known mistakes, by the sentence that explains each
_COUNTING_MISTAKES = {
    "Each neuron was compared with the one before it only: copies may stand anywhere.": lambda k, t: (
        1 + int((abs(np.diff(k.reshape(-1, k.shape[-1]), axis=1)).max(axis=0) > t).sum())
    ),
    "Each neuron was compared with the first only.": lambda k, t: (
        1 + int((abs(k.reshape(-1, k.shape[-1]) - k.reshape(-1, k.shape[-1])[:, :1]).max(axis=0) > t).sum())
    ),
    "This is the number of neurons.": lambda k, t: k.shape[-1],
    "You compared rows of the matrix: the last axis counts the neurons.": lambda k, t: _count(
        k.reshape(-1, k.shape[-1]).T, t
    ),
    "reshape(neurons, -1) puts weights of different neurons into one row: reshape(-1, neurons) keeps the last axis, "
    "and .T then makes a row of each neuron.": lambda k, t: _count(k.reshape(k.shape[-1], -1).T, t),
    "You counted the different weights: a neuron is a whole column.": lambda k, t: len(np.unique(k)),
    "You left the tolerance out: differences up to it do not count.": lambda k, t: np.unique(
        k.reshape(-1, k.shape[-1]), axis=1
    ).shape[1],
    "Rounding is not comparing: two weights that hardly differ may be rounded to different numbers.": lambda k, t: (
        np.unique(np.round(k.reshape(-1, k.shape[-1]) / t), axis=1).shape[1]
    ),
    "Take the absolute value of the differences before the largest.": _count_with_signs(1),
    "Take the absolute value of the differences, then the largest.": _count_with_signs(-1),
    "A neuron is new if one of its weights differs, however few do: take the largest difference, not the mean "
    "and not the smallest.": (lambda k, t: _count(k, t, metric=lambda a, b: np.mean(abs(a - b)))),
    "A neuron is new if one of its weights differs: take the largest difference, not the smallest.": (
        lambda k, t: _count(k, t, metric=lambda a, b: np.min(abs(a - b)))
    ),
    "This is the length of the difference: many below the tolerance make no new neuron, take the largest.": (
        lambda k, t: _count(k, t, metric="euclidean")
    ),
    "You added the differences up: many below the tolerance make no new neuron, take the largest.": lambda k, t: _count(
        k, t, metric="cityblock"
    ),
    "You compared sums of weights: two neurons with the same sum may differ.": lambda k, t: _count(
        k.reshape(-1, k.shape[-1]).sum(axis=0, keepdims=True), t
    ),
    "That is how many copies there are: count the different neurons.": lambda k, t: k.shape[-1] - _count(k, t),
    "Compare with those that were counted, not with all that came before.": _count_unlike_all_before,
}


def _wrongly_rescaled(case):
    """Standard deviations of h in each layer after well-known mistakes, by the sentence that explains each."""
    weights, activation, x = case["weights"], ACTIVATIONS[case["activation"]], case["x"]

    def spreads(rescaled):
        a, found = x, []
        for w in rescaled:
            found.append((a @ w).std())
            a = activation(a @ w)
        return found

    a, linear, at_once, without_activation = x, x, [], []
    divided, twice = x, []
    for w in weights:
        twice.append(w / (divided @ w).std())
        divided = activation(divided @ twice[-1])
        divided = divided / divided.std()
        at_once.append(w / (a @ w).std())
        a = activation(a @ w)
        without_activation.append(w / (linear @ w).std())
        linear = linear @ without_activation[-1]
    first = (x @ weights[0]).std()
    return {
        "You measured all layers before you rescaled any: rescale the first, then measure the second.": spreads(
            at_once
        ),
        "The next layer receives what leaves the activation: apply it on the way.": spreads(without_activation),
        "You divided all layers by the number of the first: measure each.": spreads([w / first for w in weights]),
        "You divided the activations too: only the weights may change, and layer 2 receives what layer 1 then gives.": (
            spreads(twice)
        ),
    }
