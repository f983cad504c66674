"""Checks of lab 10, transfer learning."""

from itertools import pairwise

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils.checks import Exercise, expect, run, subtest
from utils.results import SHARE, Claim

CLAIMS = {
    "source_accuracy": Claim("Accuracy of the source's network on new galaxies of the source", ">= 0.85", SHARE),
    "direct_accuracy": Claim("Accuracy on the target, direct use", None, SHARE),
    "frozen_100": Claim("The same with frozen features and 100 labels", None, SHARE),
    "fine_100": Claim("The same after fine-tuning with 100 labels", None, SHARE),
    "scratch_100": Claim("The same from scratch with 100 labels", None, SHARE),
    "scratch_1000": Claim("The same from scratch with 1000 labels", None, SHARE),
    "fine_above_direct": Claim("Fine-tuning with 100 labels above direct use, difference of accuracies", ">= 0.03"),
    "fine_above_scratch": Claim(
        "Fine-tuning with 100 labels above training from scratch with 1000, difference of accuracies", ">= 0"
    ),
    "frozen_above_direct": Claim("Frozen features with 100 labels above direct use, difference", ">= 0"),
    "fine_above_frozen": Claim("Fine-tuning above frozen features, mean difference with 100 to 3000 labels", ">= 0"),
    "far_below_near": Claim(
        "Frozen features of a network that was asked for arms above those of one asked for colours, 1000 labels",
        ">= 0.05",
    ),
    "imagenet_accuracy": Claim(
        "Accuracy on the target of a linear probe on ImageNet's features, 500 labels", None, SHARE
    ),
    "imagenet_above_twin": Claim("ImageNet's features above those of the random twin, difference", ">= 0.05"),
}


class Sample(Exercise):
    id = "10.1"
    title = "completeness and purity"
    forbidden = ("sklearn.metrics.recall_score", "sklearn.metrics.precision_score")
    hints = (
        "Both have the same number above the line: galaxies that are of the wanted class and were called so. What "
        "stands below it?",
        "Count three things: found = both labels and predictions are the wanted class; how many labels are; how many "
        "predictions are. Two divisions, each only where the number below is not 0.",
        "found = np.sum((labels == wanted) & (predictions == wanted)); completeness = found / np.sum(labels == wanted) "
        "if that sum is not 0, else np.nan; purity the same with predictions.",
    )

    def inputs(self, rng):
        def case(n, n_classes, wanted):
            labels = rng.integers(0, n_classes, n)
            predictions = np.where(rng.random(n) < 0.6, labels, rng.integers(0, n_classes, n))
            labels[:3], predictions[:3] = wanted, (wanted, (wanted + 1) % n_classes, (wanted + 1) % n_classes)
            labels[3], predictions[3] = (wanted + 1) % n_classes, wanted
            return {"labels": labels, "predictions": predictions, "wanted": int(wanted)}

        return {
            "two classes": case(60, 2, 1),
            "smooth discs wanted": case(45, 2, 0),
            "four classes": case(150, 4, 2),
            "none of that class": {
                "labels": np.array([0, 0, 2, 2]),
                "predictions": np.array([1, 0, 2, 1]),
                "wanted": 1,
            },
            "none predicted": {"labels": np.array([0, 1, 1]), "predictions": np.array([0, 0, 0]), "wanted": 1},
            "neither": {"labels": np.array([0, 0]), "predictions": np.array([0, 0]), "wanted": 1},
        }

    def reference(self):
        def completeness_purity(labels, predictions, wanted):
            options = {"labels": [wanted], "average": "micro", "zero_division": np.nan}
            return recall_score(labels, predictions, **options), precision_score(labels, predictions, **options)

        return completeness_purity

    def _compare(self, cases, observed, name):
        case = cases[name]
        labels, predictions, wanted = case["labels"], case["predictions"], case["wanted"]
        want = _sample_quality(**case)
        got = observed[name]
        expect.true(np.shape(got) == (2,), f"{name}: return two numbers, completeness and purity.")
        mistakes = {
            "These are purity and completeness: the other way round.": want[::-1],
            "This is for the class 1: take the wanted one.": _sample_quality(labels, predictions, 1),
            "You divided by the number of all galaxies.": [np.mean((labels == wanted) & (predictions == wanted))] * 2,
            "This is the accuracy.": [np.mean(labels == predictions)] * 2,
        }
        expect.close(got, want, f"{name}: completeness, purity", rtol=1e-6, mistakes=mistakes)

    @subtest("completeness: found of all that there are; purity: found of all that was called so")
    def two(self, cases, observed):
        self._compare(cases, observed, "two classes")

    @subtest("the wanted class may be any, of any number of classes")
    def any_class(self, cases, observed):
        for name in ("smooth discs wanted", "four classes"):
            self._compare(cases, observed, name)

    @subtest("nan where there is nothing to divide by, a number where there is")
    def nothing(self, cases, observed):
        for name in ("none of that class", "none predicted", "neither"):
            self._compare(cases, observed, name)


class Freeze(Exercise):
    id = "10.2"
    title = "to freeze"
    hints = (
        "Go through model.layers in order. What has to be remembered on the way? And is every layer behind `first` to "
        "be trained?",
        "layer.trainable = True or False for EVERY layer, for it may have been anything before: True if the first "
        "trained layer has been reached and the layer is no batch norm. After the loop: model.compile.",
        "reached = False; for layer in model.layers: reached = reached or layer.name == first; layer.trainable = "
        "reached and not isinstance(layer, layers.BatchNormalization). Then model.compile(keras.optimizers.Adam("
        "learning_rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True)).",
    )

    def inputs(self, rng):
        def case(first, before, rate=0.01):
            return {
                "x": rng.normal(1, 2, size=(12, 8, 8, 2)).astype("float32"),
                "y": np.arange(12) % 3,
                "first": first,
                "before": before,
                "learning_rate": rate,
                "seed": int(rng.integers(2**31)),
            }

        return {
            "the head alone": case("head", "new"),
            "from the second block on": case("second_conv", "new", 0.003),
            "everything": case("first_conv", "new", 0.02),
            "all was frozen before": case("second_conv", "frozen"),
            "it was trained before": case("head", "trained"),
        }

    def observe(self, answer, cases):
        return {name: run(_observe_freezing, answer, **case) for name, case in cases.items()}

    def reference(self):
        def train_from(model, first, learning_rate):
            place = [layer.name for layer in model.layers].index(first)
            for number, layer in enumerate(model.layers):
                layer.trainable = number >= place and "BatchNormalization" not in type(layer).__name__
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(learning_rate), loss)

        return train_from

    def _split(self, cases, name):
        place = _CHAIN.index(cases[name]["first"])
        return _CHAIN[:place], [layer for layer in _CHAIN[place:] if not layer.endswith("_bn")]

    @subtest("kernels before the first trained layer stay as they are")
    def before(self, cases, observed):
        for name in ("the head alone", "from the second block on", "all was frozen before", "it was trained before"):
            changed = observed[name]["changed"]
            for layer in self._split(cases, name)[0]:
                if not layer.endswith("_bn"):
                    expect.true(
                        not any(changed[layer].values()),
                        f"{name}: the weights of {layer} have changed in training, and should be frozen."
                        + (" Was the model compiled after the flags were set?" if "trained" in name else ""),
                    )

    @subtest("the first trained layer and those behind it learn")
    def behind(self, cases, observed):
        for name in ("the head alone", "from the second block on", "everything"):
            self._learns(cases, observed, name)

    @subtest("layers that were frozen before are unfrozen")
    def unfrozen(self, cases, observed):
        self._learns(cases, observed, "all was frozen before")

    def _learns(self, cases, observed, name):
        changed = observed[name]["changed"]
        for layer in self._split(cases, name)[1]:
            expect.true(
                all(changed[layer].values()),
                f"{name}: the weights of {layer} have not changed in training, and should learn.",
            )

    @subtest("no number of a batch norm moves: not γ and β, not the moving averages, wherever it stands")
    def batch_norm(self, cases, observed):
        for name in cases:
            for layer, weights in observed[name]["changed"].items():
                for weight, has_changed in weights.items():
                    if layer.endswith("_bn"):
                        expect.true(
                            not has_changed,
                            f"{name}: {weight} of {layer} has changed. Freeze every batch norm, before and behind "
                            f"{cases[name]['first']!r}.",
                        )

    @subtest("compiled anew, with Adam and the learning rate that was asked for, for logits")
    def compiled(self, cases, observed):
        for name, case in cases.items():
            got = observed[name]
            expect.true(got["optimizer"] == "adam", f"{name}: the optimiser is {got['optimizer']}, and should be adam.")
            expect.close(got["rate"], case["learning_rate"], f"{name}: learning rate", rtol=1e-4)
            mistakes = {"The model ends in logits: from_logits=True.": got["loss as probabilities"]}
            what = f"{name}: the compiled loss"
            expect.close(got["loss"], got["loss of logits"], what, rtol=1e-3, mistakes=mistakes)


class Probe(Exercise):
    id = "10.3"
    title = "a linear probe"
    hints = (
        "Three steps: maps become one number a channel, channels are standardised, a logistic regression is fitted. "
        "Which galaxies may the second step look at?",
        "With ndim == 4 average both tables over axes 1 and 2. StandardScaler is fitted on the training features alone "
        "and applied to both; a pipeline of it and LogisticRegression does just that.",
        "probe = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000)); return probe.fit(features, "
        "labels).predict(new_features), after features.mean(axis=(1, 2)) for maps.",
    )

    def inputs(self, rng):
        def case(n, m, channels, kinds=(0, 1), maps=None, C=0.1):
            centres = rng.normal(0, 1.0, (len(kinds), channels))
            number = np.arange(n) % len(kinds), rng.integers(0, len(kinds), m)
            tables = [centres[i] + rng.normal(0, 1.2, (len(i), channels)) for i in number]
            if maps:
                tables = [t[:, None, None] + rng.normal(0, 4, (len(t), *maps, channels)) for t in tables]
            return {"features": tables[0], "labels": np.array(kinds)[number[0]], "new_features": tables[1], "C": C}

        other_scales = case(60, 40, 5)
        for key in ("features", "new_features"):
            other_scales[key] = other_scales[key] * np.array([1, 1000, 0.001, 1, 50]) + np.array([0, 3e4, 0, 5, 100])
        constant = case(40, 30, 4)
        for key in ("features", "new_features"):
            constant[key][:, 2] = 3.0
        uneven = case(120, 200, 6, C=0.001)
        kept = np.flatnonzero((uneven["labels"] == 0) | (np.arange(120) < 40))  # three of four are of one class
        uneven["features"], uneven["labels"] = uneven["features"][kept], uneven["labels"][kept]
        moved = case(60, 200, 3, C=1.0)
        moved["new_features"] = moved["new_features"] + np.array([1.5, -1.0, 2.0])
        return {
            "a table": case(80, 50, 6),
            "little freedom": uneven,
            "maps": case(50, 40, 4, maps=(3, 5)),
            "three other labels": case(90, 50, 5, kinds=(3, 5, 9)),
            "other scales": other_scales,
            "the new ones lie elsewhere": moved,
            "a constant channel": constant,
        }

    def observe(self, answer, cases):
        observed = {name: run(answer, **case) for name, case in cases.items()}
        alone = cases["the new ones lie elsewhere"]

        def one_by_one():
            rows = alone["new_features"]
            return [answer(**{**alone, "new_features": rows[i : i + 1]})[0] for i in range(8)]

        observed["one by one"] = run(one_by_one)
        return observed

    def reference(self):
        def linear_probe(features, labels, new_features, C=0.1):
            return _probe(features, labels, new_features, C)

        return linear_probe

    def _compare(self, cases, observed, name, mistakes=None):
        case = cases[name]
        got, want = observed[name], _probe(**case)
        expect.shape(got, want.shape, f"{name}: predicted labels")
        wrong = np.asarray(got) != want
        words = next(
            (f" {text}" for text, value in (mistakes or {}).items() if np.array_equal(value, got)),
            "",
        )
        expect.true(  # two solvers may part on a galaxy that lies on the border
            wrong.sum() <= 1, f"{name}: {int(wrong.sum())} of {len(want)} labels are not those of the probe.{words}"
        )

    @subtest("a table of features: what scikit-learn's logistic regression says")
    def table(self, cases, observed):
        self._compare(cases, observed, "a table")

    @subtest("C is handed on")
    def freedom(self, cases, observed):
        mistakes = {"This is the probe with C = 0.1.": _probe(**{**cases["little freedom"], "C": 0.1})}
        self._compare(cases, observed, "little freedom", mistakes)

    @subtest("maps are averaged over height and width")
    def maps(self, cases, observed):
        case = cases["maps"]
        flat = {key: case[key].reshape(len(case[key]), -1) for key in ("features", "new_features")}
        mistakes = {"You took every place for a feature of its own: average over them.": _probe(**{**case, **flat})}
        self._compare(cases, observed, "maps", mistakes)

    @subtest("labels come back as they were given, two or more kinds")
    def kinds(self, cases, observed):
        got = np.asarray(observed["three other labels"])
        expect.true(
            set(got.ravel().tolist()) <= {3, 5, 9}, "three other labels: only the labels 3, 5 and 9 were given."
        )
        self._compare(cases, observed, "three other labels")

    @subtest("standardised: the scales of channels play no part, a constant channel does no harm")
    def scales(self, cases, observed):
        self._compare(cases, observed, "other scales")
        self._compare(cases, observed, "a constant channel")

    @subtest("standardised by the training features: a new galaxy gets the same answer alone and among others")
    def alone(self, cases, observed):
        name = "the new ones lie elsewhere"
        case = cases[name]
        own = [(case[key] - case[key].mean(axis=0)) / case[key].std(axis=0) for key in ("features", "new_features")]
        fitted = LogisticRegression(C=case["C"], max_iter=1000).fit(own[0], case["labels"])
        mistakes = {"You standardised the new features by their own mean and spread.": fitted.predict(own[1])}
        self._compare(cases, observed, name, mistakes)
        among = np.asarray(observed[name])[:8]
        expect.true(
            np.array_equal(np.asarray(observed["one by one"]), among),
            "A new galaxy got another label alone than among others: use nothing of the new features but themselves.",
        )


class Rates(Exercise):
    id = "10.4"
    title = "a rate for each layer"
    hints = (
        "The block of a layer is name.split('_')[0]. How many blocks stand behind it?",
        "First list the blocks, each once, in order. The block at place i of n stands n − 1 − i before the last: "
        "divide `top` by factor to that power.",
        "blocks = list(dict.fromkeys(name.split('_')[0] for name in names)); then {name: top / factor ** (len(blocks) "
        "- 1 - blocks.index(name.split('_')[0])) for name in names}.",
    )

    def inputs(self, rng):
        blocks = [f"part{number}" for number in rng.permutation(90)[:5]]
        kinds = (["conv", "bn"], ["conv"], ["widen_conv", "widen_bn", "narrow_conv"], ["conv", "bn"], ["conv", "bn"])
        uneven = [f"{block}_{kind}" for block, own in zip(blocks, kinds, strict=True) for kind in own]
        return {
            "three blocks and a head": {
                "names": ["block1_conv", "block1_bn", "block2_conv", "block2_bn", "head"],
                "top": float(rng.uniform(0.001, 0.01)),
                "factor": 3.0,
            },
            "blocks of other sizes": {
                "names": [*uneven, "head"],
                "top": float(rng.uniform(0.1, 0.9)),
                "factor": float(rng.uniform(1.5, 4)),
            },
            "no head": {"names": ["stem_conv", "stem_bn", "top_conv"], "top": 1.0, "factor": 10.0},
            "one rate for all": {"names": ["a_conv", "b_conv", "head"], "top": 0.02, "factor": 1.0},
            "one layer": {"names": ["head"], "top": 0.1, "factor": 5.0},
        }

    def reference(self):
        def layer_rates(names, top, factor):
            blocks = [name.partition("_")[0] for name in names]
            steps = np.cumsum([0, *(a != b for a, b in pairwise(blocks))])
            return {
                name: float(top * factor ** float(step - steps[-1])) for name, step in zip(names, steps, strict=True)
            }

        return layer_rates

    def _rates(self, cases, observed, name):
        case, got = cases[name], observed[name]
        expect.true(isinstance(got, dict), f"{name}: return a dictionary, a rate by the name of each layer.")
        expect.equal(sorted(got), sorted(case["names"]), f"{name}: the names in the dictionary")
        return np.array([got[key] for key in case["names"]], float)

    @subtest("every layer has a rate, and the last block has `top`")
    def last(self, cases, observed):
        for name, case in cases.items():
            rates = self._rates(cases, observed, name)
            expect.close(rates[-1], case["top"], f"{name}: rate of {case['names'][-1]}")

    @subtest("layers of one block have one rate")
    def block(self, cases, observed):
        for name in ("three blocks and a head", "blocks of other sizes", "no head"):
            rates, names = self._rates(cases, observed, name), cases[name]["names"]
            for i, (one, two) in enumerate(pairwise(names)):
                if one.split("_")[0] == two.split("_")[0]:
                    expect.close(rates[i], rates[i + 1], f"{name}: rate of {one}, beside that of {two}")

    @subtest("from block to block, the rate grows by the factor")
    def ratio(self, cases, observed):
        for name in ("three blocks and a head", "blocks of other sizes", "no head"):
            rates, case = self._rates(cases, observed, name), cases[name]
            for i, (one, two) in enumerate(pairwise(case["names"])):
                if one.split("_")[0] != two.split("_")[0]:
                    ratio = rates[i + 1] / rates[i] if rates[i] else np.inf
                    mistakes = {"The early layers have the smaller rates.": 1 / case["factor"]}
                    what = f"{name}: rate of {two} divided by that of {one}"
                    expect.close(ratio, case["factor"], what, rtol=1e-4, mistakes=mistakes)

    @subtest("a factor of 1 gives one rate for all; one layer alone has `top`")
    def edges(self, cases, observed):
        for name in ("one rate for all", "one layer"):
            rates = self._rates(cases, observed, name)
            expect.close(rates, np.full(len(rates), cases[name]["top"]), f"{name}: rates")


class Subsets(Exercise):
    id = "10.5"
    title = "nested, balanced subsets"
    hints = (
        "If the galaxies of each class stand in a random order, drawn once, which of them go into the set of size n?",
        "For each class: its positions, np.flatnonzero(labels == kind), in random order, rng.permutation. A set of "
        "size n takes the first n / number of classes of each.",
        "shuffled = [rng.permutation(np.flatnonzero(labels == kind)) for kind in np.unique(labels)]; for each size "
        "np.concatenate([rows[: size // len(shuffled)] for rows in shuffled]).",
    )

    def inputs(self, rng):
        def case(counts, sizes, kinds=None):
            kinds = range(len(counts)) if kinds is None else kinds
            labels = rng.permutation(np.repeat(list(kinds), counts))
            return {"labels": labels, "sizes": sizes, "seed": int(rng.integers(2**31))}

        return {
            "two classes": case([60, 60], [4, 20, 60]),
            "one class is rare": case([150, 20], [2, 10, 40]),
            "three classes": case([30, 50, 40], [6, 30, 60], kinds=(1, 4, 7)),
            "the largest first": case([40, 40], [50, 10, 30]),
            "all of them": case([12, 12], [8, 24]),
        }

    def observe(self, answer, cases):
        def twice(labels, sizes, seed):
            draw = [list(answer(labels, sizes, np.random.default_rng(s))) for s in (seed, seed, seed + 1)]
            return {"once": draw[0], "again": draw[1], "other": draw[2]}

        return {name: run(twice, **case) for name, case in cases.items()}

    def reference(self):
        def nested_subsets(labels, sizes, rng):
            order = rng.permutation(len(labels))
            kinds = np.unique(labels)
            return [
                np.concatenate([order[labels[order] == kind][: size // len(kinds)] for kind in kinds]) for size in sizes
            ]

        return nested_subsets

    def _sets(self, cases, observed, name, which="once"):
        got, case = observed[name][which], cases[name]
        expect.true(
            len(got) == len(case["sizes"]), f"{name}: expected {len(case['sizes'])} arrays, one a size, got {len(got)}."
        )
        for rows, size in zip(got, case["sizes"], strict=True):
            expect.shape(rows, (size,), f"{name}: the set of size {size}")
            expect.between(rows, 0, len(case["labels"]) - 1, f"{name}: positions")
            expect.true(np.asarray(rows).dtype.kind in "iu", f"{name}: positions have to be whole numbers.")
        return [np.asarray(rows) for rows in got]

    @subtest("one array of positions for each size, in the order of the sizes; no galaxy twice")
    def sizes(self, cases, observed):
        for name in cases:
            for rows in self._sets(cases, observed, name):
                expect.true(
                    len(set(rows.tolist())) == len(rows), f"{name}: a galaxy is twice in the set of size {len(rows)}."
                )

    @subtest("balanced: each class is equally frequent, also where one is rare")
    def balanced(self, cases, observed):
        for name, case in cases.items():
            kinds = np.unique(case["labels"])
            for rows in self._sets(cases, observed, name):
                counts = [int(np.sum(case["labels"][rows] == kind)) for kind in kinds]
                want = [len(rows) // len(kinds)] * len(kinds)
                expect.equal(counts, want, f"{name}: galaxies of each class in the set of size {len(rows)}")

    @subtest("nested: a set is part of every larger one")
    def nested(self, cases, observed):
        for name in cases:
            sets = sorted(self._sets(cases, observed, name), key=len)
            for small, large in pairwise(sets):
                expect.true(
                    set(small.tolist()) <= set(large.tolist()),
                    f"{name}: the set of size {len(small)} is not part of that of size {len(large)}.",
                )

    @subtest("random: the same generator gives the same sets, another one others")
    def random(self, cases, observed):
        for name in ("two classes", "one class is rare", "the largest first"):
            once, again, other = (self._sets(cases, observed, name, which) for which in ("once", "again", "other"))
            same = all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
            expect.true(same, f"{name}: two generators of the same seed gave different sets. Draw from rng alone.")
            expect.true(
                {*once[1].tolist()} != {*other[1].tolist()},
                f"{name}: another generator gave the same set of size {len(once[1])}. Draw from rng.",
            )


class Curve(Exercise):
    id = "10.6"
    title = "the experiment"
    hints = (
        "Three loops: draws, sizes, methods. In which of them are subsets drawn, so that all methods get the same?",
        "An array of zeros of shape (len(sizes), n_draws) for each method. For each draw call nested_subsets once, "
        "with np.random.default_rng([seed, draw]); then each method gets each subset.",
        "for draw in range(n_draws): subsets = nested_subsets(labels, sizes, np.random.default_rng([seed, draw])); for "
        "row, chosen in enumerate(subsets): for name, method in methods.items(): scores[name][row, draw] = "
        "method(chosen).",
    )

    def inputs(self, rng):
        def case(n, sizes, n_draws, names):
            return {
                "labels": rng.permutation(np.arange(n) % 2),
                "sizes": sizes,
                "n_draws": n_draws,
                "seed": int(rng.integers(1000)),
                "names": names,
            }

        return {
            "two methods": case(60, [4, 10, 30], 2, ["frozen", "fine-tuned"]),
            "three methods": case(40, [2, 20], 5, ["a", "b", "c"]),
            "one of each": case(20, [6], 1, ["alone"]),
        }

    def observe(self, answer, cases):
        return {name: run(_observe_curve, answer, **case) for name, case in cases.items()}

    def reference(self):
        def label_curve(methods, labels, sizes, n_draws, seed):
            kinds = np.unique(labels)
            scores = {name: np.zeros((len(sizes), n_draws)) for name in methods}
            for draw in range(n_draws):
                order = np.random.default_rng([seed, draw]).permutation(len(labels))
                for row, size in enumerate(sizes):
                    parts = [order[labels[order] == kind][: size // len(kinds)] for kind in kinds]
                    for name, method in methods.items():
                        scores[name][row, draw] = method(np.concatenate(parts))
            return scores

        return label_curve

    def _calls(self, cases, observed, name):
        """Names and sets of all calls; every method once for each size and draw."""
        case, calls = cases[name], observed[name]["calls"]
        want = len(case["sizes"]) * case["n_draws"]
        for method in case["names"]:
            sets = [np.asarray(call["chosen"]) for call in calls if call["method"] == method]
            expect.equal(len(sets), want, f"{name}: number of calls of the method {method!r}")
            for size in case["sizes"]:
                n = sum(len(rows) == size for rows in sets)
                expect.equal(n, case["n_draws"], f"{name}: calls of {method!r} with {size} galaxies")
        return calls

    def _by(self, cases, observed, name):
        """method -> size -> list of sets, in the order of the calls."""
        calls = self._calls(cases, observed, name)
        return {
            method: {
                size: [
                    np.sort(call["chosen"])
                    for call in calls
                    if call["method"] == method and len(call["chosen"]) == size
                ]
                for size in cases[name]["sizes"]
            }
            for method in cases[name]["names"]
        }

    @subtest("a table of sizes by draws for each method, every score at its place")
    def scores(self, cases, observed):
        for name, case in cases.items():
            tables = observed[name]["scores"]
            expect.true(isinstance(tables, dict), f"{name}: return a dictionary with a table for each method.")
            expect.equal(sorted(tables), sorted(case["names"]), f"{name}: the names in the dictionary")
            found = self._by(cases, observed, name)
            for place, method in enumerate(case["names"]):
                want = [[_score(place, rows) for rows in found[method][size]] for size in case["sizes"]]
                mistakes = {"Rows are sizes, columns are draws.": np.transpose(want)}
                what = f"{name}, scores of {method!r}"
                expect.close(tables[method], want, what, rtol=1e-6, mistakes=mistakes)

    @subtest("each method gets the same galaxies")
    def same(self, cases, observed):
        for name in ("two methods", "three methods"):
            first, *others = self._by(cases, observed, name).values()
            for other in others:
                for size, sets in first.items():
                    expect.true(
                        all(np.array_equal(a, b) for a, b in zip(sets, other[size], strict=True)),
                        f"{name}: with {size} labels two methods were given different galaxies. Draw once, then hand "
                        "the same set to all.",
                    )

    @subtest("within a draw the sets are nested and balanced")
    def nested(self, cases, observed):
        for name, case in cases.items():
            for found in self._by(cases, observed, name).values():
                for draw in range(case["n_draws"]):
                    sets = [found[size][draw] for size in sorted(case["sizes"])]
                    for small, large in pairwise(sets):
                        expect.true(
                            set(small.tolist()) <= set(large.tolist()),
                            f"{name}: within a draw, the set of {len(small)} is not part of that of {len(large)}. Call "
                            "nested_subsets once for all sizes.",
                        )
                    for rows in sets:
                        spirals = int(np.sum(np.asarray(case["labels"])[rows]))
                        expect.equal(2 * spirals, len(rows), f"{name}: twice the spirals in the set of {len(rows)}")

    @subtest("each draw has other galaxies")
    def draws(self, cases, observed):
        found = self._by(cases, observed, "three methods")["a"]
        sets = {tuple(rows.tolist()) for rows in found[20]}
        expect.true(len(sets) > 1, "three methods: all five draws have the same 20 galaxies. Seed with [seed, draw].")

    @subtest("the seed decides: the same gives the same galaxies, another one others")
    def seed(self, cases, observed):
        for name in ("two methods", "three methods"):
            sets = [
                [np.sort(call["chosen"]).tolist() for call in observed[name][key]]
                for key in ("calls", "again", "other")
            ]
            expect.true(sets[0] == sets[1], f"{name}: the same seed gave different galaxies.")
            expect.true(sets[0] != sets[2], f"{name}: another seed gave the same galaxies. Seed with [seed, draw].")


class Backbone(Exercise):
    id = "10.7"
    title = "the way into a backbone"
    hints = (
        "Four steps in order: stretch, scale to 0…255 with low and high, turn the bands round, (v − 127)/128. Which of "
        "them does backbones.preprocess do?",
        "(np.arcsinh(images) − low)/(high − low) is 0 at low and 1 at high; np.clip cuts off the rest; [..., ::-1] "
        "turns the last axis round; times 255; then preprocess, once.",
        "scaled = np.clip((np.arcsinh(images) - low) / (high - low), 0, 1); return backbones.preprocess(255 * "
        "scaled[..., ::-1])",
    )

    def inputs(self, rng):
        def case(shape, low, high, scale=1.0, dtype="float32"):
            return {
                "images": (rng.normal(0, 1, shape) + scale * rng.exponential(5, shape)).astype(dtype),
                "low": float(low),
                "high": float(high),
            }

        faint_and_bright = case((4, 6, 6, 3), 0, 4)
        faint_and_bright["images"] *= np.array([0.2, 1, 5, 40], "float32")[:, None, None, None]
        bands = case((2, 5, 7, 3), -1, 3)
        bands["images"] *= np.array([0.1, 1.0, 3.0], "float32")
        extreme = case((2, 4, 4, 3), -1, 2, scale=3)
        extreme["images"][0, 0, 0], extreme["images"][1, 1, 1] = -1000.0, 1e6
        return {
            "stamps": case((3, 8, 8, 3), -2, 5),
            "not square, double precision": case((2, 5, 9, 3), -1, 4, dtype="float64"),
            "three different bands": bands,
            "faint and bright": faint_and_bright,
            "far outside": extreme,
        }

    def reference(self):
        def for_backbone(images, low, high):
            return _photograph(images, low, high)

        return for_backbone

    def _compare(self, cases, observed, name):
        case = cases[name]
        want = _photograph(**case)
        images, low, high = case["images"], case["low"], case["high"]
        shares = np.clip((np.arcsinh(images) - low) / (high - low), 0, 1)[..., ::-1]
        per_image = np.arcsinh(images)[..., ::-1]
        least, most = (f(per_image, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        mistakes = {
            "The last step is missing: (v − 127)/128, which backbones.preprocess does.": 255 * shares,
            "These are shares of 0 to 1: the last step is missing, and the one to 0…255.": shares,
            "preprocess expects 0 to 255: multiply by 255 first. To the network all is black.": (shares - 127) / 128,
            "That was preprocessed twice.": ((255 * shares - 127) / 128 - 127) / 128,
            "The bands are in the wrong order: red comes first.": want[..., ::-1],
            "The stretch by arcsinh is missing.": (255 * np.clip((images[..., ::-1] - low) / (high - low), 0, 1) - 127)
            / 128,
            "Every image was scaled by its own limits: use low and high.": (
                255 * (per_image - least) / (most - least) - 127
            )
            / 128,
            "This goes from −1 to 1 by another rule: (v − 127)/128 with v from 0 to 255.": 2 * shares - 1,
            "Nothing is cut off at low and high.": (255 * (np.arcsinh(images[..., ::-1]) - low) / (high - low) - 127)
            / 128,
            "You turned the rows or columns round: the bands are the last axis.": want[..., ::-1][:, ::-1],
        }
        got = observed[name]
        expect.shape(got, want.shape, name)
        if np.all(np.isfinite(got)) and np.allclose(
            got, want, atol=0.008
        ):  # rounded to whole numbers: the same to the eye
            return
        expect.close(got, want, name, rtol=1e-3, atol=1e-3, mistakes=mistakes)

    @subtest("from low to high: stretched, scaled and preprocessed once")
    def stamps(self, cases, observed):
        self._compare(cases, observed, "stamps")
        self._compare(cases, observed, "not square, double precision")

    @subtest("red comes first")
    def bands(self, cases, observed):
        self._compare(cases, observed, "three different bands")

    @subtest("every image on the same scale: faint galaxies stay faint")
    def faint(self, cases, observed):
        self._compare(cases, observed, "faint and bright")

    @subtest("what lies outside is cut off: nothing below −127/128 or above 1")
    def outside(self, cases, observed):
        got = observed["far outside"]
        expect.between(got, -127 / 128 - 1e-5, 1 + 1e-5, "far outside")
        self._compare(cases, observed, "far outside")


class Neighbours(Exercise):
    id = "10.8"
    title = "nearest neighbours"
    forbidden = ("sklearn.neighbors.NearestNeighbors", "sklearn.metrics.pairwise.cosine_similarity")
    hints = (
        "If every row has length 1, what is the cosine between two of them? And which row is most like the query?",
        "Divide each row by np.linalg.norm(…, axis=1, keepdims=True); one product with the query's row gives all "
        "cosines. Take the query itself out, then sort from large to small.",
        "unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True); cosine = unit @ unit[query]; "
        "cosine[query] = -np.inf; return np.argsort(-cosine)[:k]",
    )

    def inputs(self, rng):
        def case(n, d, k, lengths=False):
            table = rng.normal(size=(n, d))
            if lengths:
                table *= rng.uniform(0.05, 20, (n, 1))
            return {"embedding": table, "query": int(rng.integers(1, n)), "k": k}

        twin = case(12, 4, 3)
        other = (twin["query"] + 5) % 12
        twin["embedding"][other] = twin["embedding"][twin["query"]]
        opposite = case(15, 3, 14)
        opposite["embedding"][0] = -2 * opposite["embedding"][opposite["query"]]
        far = case(20, 6, 5)
        far["embedding"] += 3.0
        return {
            "a table": case(30, 5, 6),
            "lengths differ": case(40, 4, 8, lengths=True),
            "all of them, and an opposite": opposite,
            "far from the origin": far,
            "a twin": twin,
            "the first galaxy": {**case(18, 5, 4), "query": 0},
        }

    def reference(self):
        def nearest(embedding, query, k):
            order = np.argsort(-cosine_similarity(embedding[query : query + 1], embedding)[0], kind="stable")
            return order[order != query][:k]

        return nearest

    def _compare(self, cases, observed, name):
        case, got = cases[name], observed[name]
        table, query, k = case["embedding"], case["query"], case["k"]
        others = np.delete(np.arange(len(table)), query)
        cosine = cosine_similarity(table[query : query + 1], table)[0]

        def ranked(values):
            return others[np.argsort(values[others], kind="stable")]

        want = ranked(-cosine)[:k]
        expect.shape(got, (k,), f"{name}: rows", mistakes={"Exactly k rows, the query not among them.": (k + 1,)})
        mistakes = {
            "The query itself is among them.": np.argsort(-cosine, kind="stable")[:k],
            "These are the least alike: the largest cosine first.": ranked(cosine)[:k],
            "These are the k most alike in the wrong order: the most alike first.": want[::-1],
            "You ranked by the product alone: divide by the lengths.": ranked(-(table @ table[query]))[:k],
            "You ranked by distance, not by angle.": ranked(np.linalg.norm(table - table[query], axis=1))[:k],
            "An opposite vector is as unlike as can be: no absolute values.": ranked(-abs(cosine))[:k],
            "You subtracted the mean before: the cosine is of the rows as they are.": ranked(
                -cosine_similarity((table - table.mean(axis=0))[query : query + 1], table - table.mean(axis=0))[0]
            )[:k],
        }
        expect.equal(
            np.asarray(got).tolist(),
            want.tolist(),
            f"{name}: rows",
            {text: value.tolist() for text, value in mistakes.items()},
        )

    @subtest("the k most alike, the most alike first")
    def table(self, cases, observed):
        self._compare(cases, observed, "a table")
        self._compare(cases, observed, "far from the origin")

    @subtest("the angle counts, not the length")
    def lengths(self, cases, observed):
        self._compare(cases, observed, "lengths differ")

    @subtest("an opposite vector comes last")
    def opposite(self, cases, observed):
        self._compare(cases, observed, "all of them, and an opposite")

    @subtest("without the query itself, but with its twin")
    def twin(self, cases, observed):
        for name in ("a twin", "the first galaxy"):
            expect.true(
                cases[name]["query"] not in np.asarray(observed[name]).ravel().tolist(),
                f"{name}: the query itself is among its neighbours.",
            )
            self._compare(cases, observed, name)


class Components(Exercise):
    id = "10.9"
    title = "principal components"
    forbidden = ("sklearn.decomposition.PCA",)
    hints = (
        "Where does the plane go through? And which of the three matrices holds the directions?",
        "Subtract the mean of each column. np.linalg.svd(centred, full_matrices=False) returns U, the singular values "
        "and Vᵀ; its first rows are the directions. Coordinates are products with these.",
        "centred = features - features.mean(axis=0); directions = np.linalg.svd(centred, full_matrices=False)[2]; "
        "return centred @ directions[:n_components].T",
    )

    def inputs(self, rng):
        def case(n, d, n_components, offset=0.0):
            spreads = 3.0 * 0.6 ** np.arange(d)
            mixing = np.linalg.qr(rng.normal(size=(d, d)))[0]
            return {"features": rng.normal(size=(n, d)) * spreads @ mixing + offset, "n_components": n_components}

        return {
            "two of five": case(60, 5, 2),
            "far from the origin": case(50, 4, 2, offset=20.0),
            "more columns than rows": case(8, 15, 3),
            "square": case(6, 6, 2),
            "all of them": case(40, 3, 3),
            "one": case(30, 4, 1),
        }

    def reference(self):
        def principal_components(features, n_components):
            return PCA(n_components).fit_transform(features)

        return principal_components

    @subtest("a row for each galaxy, a column for each component, each with mean 0")
    def shape(self, cases, observed):
        for name, case in cases.items():
            n, k = len(case["features"]), case["n_components"]
            expect.shape(observed[name], (n, k), name, mistakes={"Rows are galaxies: transpose.": (k, n)})
            means = np.mean(observed[name], axis=0)
            expect.close(means, np.zeros(k), f"{name}: mean of each column", atol=1e-6)

    @subtest("the largest spread first, as large as it can be")
    def spread(self, cases, observed):
        for name, case in cases.items():
            want = np.sqrt(PCA(case["n_components"]).fit(case["features"]).explained_variance_)
            got = np.std(observed[name], axis=0, ddof=1)
            mistakes = {
                "The smallest spread comes first.": want[::-1],
                "All columns have the same spread: U alone is not enough, it has to be multiplied by S.": (
                    np.full(len(want), 1 / np.sqrt(len(case["features"]) - 1))
                ),
                "The spreads were made 1: leave them as they are.": np.ones(len(want)),
            }
            expect.close(got, want, f"{name}: spread of each column", rtol=1e-4, mistakes=mistakes)

    @subtest("the coordinates of scikit-learn's PCA, but for signs")
    def coordinates(self, cases, observed):
        for name, case in cases.items():
            want = PCA(case["n_components"]).fit_transform(case["features"])
            expect.shape(observed[name], want.shape, name)
            got = np.asarray(observed[name])
            got = got * np.where((got * want).sum(axis=0) < 0, -1, 1)
            expect.close(got, want, f"{name}: coordinates", rtol=1e-4, atol=1e-5)


# --- what the exercises share -----------------------------------------------------------------------------------------

_CHAIN = ("first_conv", "first_bn", "second_conv", "second_bn", "third_conv", "third_bn", "head")


def _sample_quality(labels, predictions, wanted):
    options = {"labels": [wanted], "average": "micro", "zero_division": np.nan}
    return [recall_score(labels, predictions, **options), precision_score(labels, predictions, **options)]


def _chain(seed):
    """A small network of three blocks and a head, by the names of _CHAIN."""
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((8, 8, 2))
    for name in ("first", "second", "third"):
        x = keras.layers.Conv2D(4, 3, padding="same", name=f"{name}_conv")(x)
        x = keras.layers.BatchNormalization(momentum=0.5, name=f"{name}_bn")(x)
        x = keras.layers.LeakyReLU(name=f"{name}_act")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(x))


def _observe_freezing(answer, x, y, first, before, learning_rate, seed):
    """Which weights change in two steps of training after the answer has prepared the model."""
    model = _chain(seed)
    if before == "frozen":
        for layer in model.layers:
            layer.trainable = False
    if before == "trained":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
        model.train_on_batch(x, y)
    answer(model, first, learning_rate)
    if getattr(model, "optimizer", None) is None:
        raise TypeError("the model is not compiled: call model.compile at the end")
    model.run_eagerly = before != "trained"  # quicker, but not for what a function compiled before has kept
    optimizer = model.optimizer
    found = {"optimizer": type(optimizer).__name__.lower()}
    found["rate"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    logits = model(x[:6], training=False)
    loss_function = keras.losses.get(model.loss)
    found["loss"] = float(keras.ops.mean(loss_function(y[:6], logits)))
    for key, from_logits in (("loss of logits", True), ("loss as probabilities", False)):
        values = keras.losses.sparse_categorical_crossentropy(y[:6], logits, from_logits=from_logits)
        found[key] = float(keras.ops.mean(values))
    layers = {name: model.get_layer(name) for name in _CHAIN}
    old = {name: layer.get_weights() for name, layer in layers.items()}
    for _ in range(2):
        model.train_on_batch(x, y)
    found["changed"] = {
        name: {
            weight.path.split("/")[-1]: bool(np.any(weight_before != keras.ops.convert_to_numpy(weight)))
            for weight, weight_before in zip(layer.weights, old[name], strict=True)
        }
        for name, layer in layers.items()
    }
    return found


def _probe(features, labels, new_features, C):
    if np.ndim(features) == 4:
        features, new_features = np.mean(features, axis=(1, 2)), np.mean(new_features, axis=(1, 2))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    return model.fit(features, labels).predict(new_features)


def _score(place, rows):
    """What the methods of the check return: different for each method and each set of galaxies."""
    return 1000.0 * place + float(np.sum(np.asarray(rows, float) ** 2)) / 7 + len(rows)


def _observe_curve(answer, labels, sizes, n_draws, seed, names):
    """Tables of scores, and which galaxies each method was given: once, again, and with another seed."""
    found = {}
    for key, number in (("calls", seed), ("again", seed), ("other", seed + 1)):
        calls = []

        def method(place, chosen, calls=calls):
            calls.append({"method": names[place], "chosen": np.array(chosen)})
            return _score(place, chosen)

        methods = {name: _bound(method, place) for place, name in enumerate(names)}
        scores = answer(methods, np.array(labels), list(sizes), n_draws, number)
        found[key] = calls
        if key == "calls":
            found["scores"] = scores
    return found


def _bound(method, place):
    return lambda chosen: method(place, chosen)


def _photograph(images, low, high):
    stretched = np.interp(np.arcsinh(np.asarray(images, "float64")), [low, high], [0.0, 255.0])
    return ((np.flip(stretched, axis=-1) - 127) / 128).astype("float32")
