"""Wrong answers to the exercises of lab 10, transfer learning."""

import keras
import numpy as np
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.wrong_answers import add_wrong, wrong
from utils import backbones

# 10.1 completeness and purity

TWO = "completeness: found of all that there are; purity: found of all that was called so"
ANY = "the wanted class may be any, of any number of classes"
NOTHING = "nan where there is nothing to divide by, a number where there is"


def divided(a, b):
    return a / b if b else np.nan


def right_sample(labels, predictions, wanted):
    found = np.sum((labels == wanted) & (predictions == wanted))
    return divided(found, np.sum(labels == wanted)), divided(found, np.sum(predictions == wanted))


@wrong("10.1", rejected_by=TWO)
def swaps_the_two(labels, predictions, wanted):
    return right_sample(labels, predictions, wanted)[::-1]


@wrong("10.1", rejected_by=TWO)
def divides_by_all_galaxies(labels, predictions, wanted):
    found = np.mean((labels == wanted) & (predictions == wanted))
    return found, found


@wrong("10.1", rejected_by=TWO)
def returns_the_accuracy(labels, predictions, wanted):
    return np.mean(labels == predictions), np.mean(labels == predictions)


@wrong("10.1", rejected_by=TWO)
def takes_the_true_negatives_for_purity(labels, predictions, wanted):
    rejected = np.sum((labels != wanted) & (predictions != wanted))
    return right_sample(labels, predictions, wanted)[0], divided(rejected, np.sum(labels != wanted))


@wrong("10.1", rejected_by=ANY)
def always_wants_class_one(labels, predictions, wanted):
    return right_sample(labels, predictions, 1)


@wrong("10.1", rejected_by=ANY)
def counts_all_right_answers(labels, predictions, wanted):
    right = np.sum(labels == predictions)
    return divided(right, np.sum(labels == wanted)), divided(right, np.sum(predictions == wanted))


@wrong("10.1", rejected_by=ANY)
def multiplies_labels(labels, predictions, wanted):
    found = np.sum(labels * predictions)
    return divided(found, np.sum(labels)), divided(found, np.sum(predictions))


@wrong("10.1", rejected_by=NOTHING)
def gives_zero_for_nothing(labels, predictions, wanted):
    return tuple(np.nan_to_num(right_sample(labels, predictions, wanted)))


@wrong("10.1", rejected_by=NOTHING)
def gives_one_for_nothing(labels, predictions, wanted):
    return tuple(np.nan_to_num(right_sample(labels, predictions, wanted), nan=1.0))


@wrong("10.1", rejected_by=NOTHING)
def divides_by_python_zero(labels, predictions, wanted):
    found = int(np.sum((labels == wanted) & (predictions == wanted)))
    return found / int(np.sum(labels == wanted)), found / int(np.sum(predictions == wanted))


@wrong("10.1", rejected_by=NOTHING)
def gives_up_when_one_is_empty(labels, predictions, wanted):
    if not np.any(labels == wanted) or not np.any(predictions == wanted):
        return np.nan, np.nan
    return right_sample(labels, predictions, wanted)


@wrong("10.1", rejected_by=TWO)
def counts_either(labels, predictions, wanted):
    found = np.sum((labels == wanted) | (predictions == wanted))
    return divided(found, np.sum(labels == wanted)), divided(found, np.sum(predictions == wanted))


@wrong("10.1", rejected_by=TWO)
def takes_the_accuracy_for_completeness(labels, predictions, wanted):
    return np.mean(labels == predictions), right_sample(labels, predictions, wanted)[1]


@wrong("10.1", rejected_by=TWO)
def gives_per_cent(labels, predictions, wanted):
    return tuple(100 * np.array(right_sample(labels, predictions, wanted)))


# 10.2 to freeze

BEFORE = "kernels before the first trained layer stay as they are"
BEHIND = "the first trained layer and those behind it learn"
UNFROZEN = "layers that were frozen before are unfrozen"
NORMS = "no number of a batch norm moves: not γ and β, not the moving averages, wherever it stands"
COMPILED = "compiled anew, with Adam and the learning rate that was asked for, for logits"


def is_norm(layer):
    return isinstance(layer, layers.BatchNormalization)


def compile_it(model, learning_rate, optimizer=keras.optimizers.Adam, from_logits=True):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(optimizer(learning_rate), loss, jit_compile=False)


def flags(model, first, trained=lambda layer, reached: reached and not is_norm(layer), whole_model=True):
    reached = False
    if whole_model:
        model.trainable = True
    for layer in model.layers:
        reached = reached or layer.name == first
        layer.trainable = trained(layer, reached)


@wrong("10.2", rejected_by=BEFORE)
def forgets_to_compile(model, first, learning_rate):
    if getattr(model, "optimizer", None) is None:
        compile_it(model, learning_rate)
    flags(model, first)


@wrong("10.2", rejected_by=COMPILED)
def compiles_the_first_time_alone(model, first, learning_rate):
    flags(model, first)
    if getattr(model, "optimizer", None) is None:
        compile_it(model, learning_rate)


@wrong("10.2", rejected_by=NORMS)
def leaves_batch_norm_in_training_mode(model, first, learning_rate):
    flags(model, first, lambda layer, reached: reached or is_norm(layer))
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=NORMS)
def freezes_batch_norm_in_front_alone(model, first, learning_rate):
    flags(model, first, lambda layer, reached: reached)
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=NORMS)
def freezes_convolutions_alone(model, first, learning_rate):
    flags(model, first, lambda layer, reached: reached or not isinstance(layer, layers.Conv2D))
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=UNFROZEN)
def freezes_and_never_unfreezes(model, first, learning_rate):
    for layer in model.layers:
        if layer.name == first:
            break
        layer.trainable = False
    for layer in model.layers:
        if is_norm(layer):
            layer.trainable = False
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=UNFROZEN)
def unfreezes_the_named_layer_alone(model, first, learning_rate):
    place = [layer.name for layer in model.layers].index(first)
    for layer in model.layers[:place]:
        layer.trainable = False
    model.get_layer(first).trainable = True
    for layer in model.layers:
        if is_norm(layer):
            layer.trainable = False
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=UNFROZEN)
def forgets_the_flag_of_the_model(model, first, learning_rate):
    flags(model, first, whole_model=False)
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=BEFORE)
def sets_the_flag_of_the_model_last(model, first, learning_rate):
    flags(model, first, whole_model=False)
    model.trainable = True
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=NORMS)
def knows_batch_norm_by_its_name(model, first, learning_rate):
    flags(model, first, lambda layer, reached: reached and not layer.name.endswith("bn"))
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=BEHIND)
def freezes_the_first_one_too(model, first, learning_rate):
    place = [layer.name for layer in model.layers].index(first)
    flags(model, first)
    model.layers[place].trainable = False
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=BEHIND)
def freezes_everything(model, first, learning_rate):
    model.trainable = False
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=BEFORE)
def trains_what_should_be_frozen(model, first, learning_rate):
    flags(model, first, lambda layer, reached: (not reached or layer.name == first) and not is_norm(layer))
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=BEFORE)
def trains_everything_but_batch_norm(model, first, learning_rate):
    flags(model, first, lambda layer, reached: not is_norm(layer))
    compile_it(model, learning_rate)


@wrong("10.2", rejected_by=COMPILED)
def forgets_that_these_are_logits(model, first, learning_rate):
    flags(model, first)
    compile_it(model, learning_rate, from_logits=False)


@wrong("10.2", rejected_by=COMPILED)
def leaves_the_default_rate(model, first, learning_rate):
    flags(model, first)
    compile_it(model, 0.001)


@wrong("10.2", rejected_by=COMPILED)
def takes_plain_descent(model, first, learning_rate):
    flags(model, first)
    compile_it(model, learning_rate, keras.optimizers.SGD)


# 10.3 a linear probe

TABLE = "a table of features: what scikit-learn's logistic regression says"
FREEDOM = "C is handed on"
MAPS = "maps are averaged over height and width"
KINDS = "labels come back as they were given, two or more kinds"
SCALES = "standardised: the scales of channels play no part, a constant channel does no harm"
ALONE = "standardised by the training features: a new galaxy gets the same answer alone and among others"


def flat(features):
    return features.mean(axis=(1, 2)) if features.ndim == 4 else features


def right_probe(features, labels, new_features, C=0.1):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    return model.fit(flat(features), labels).predict(flat(new_features))


@wrong("10.3", rejected_by=ALONE)
def standardises_the_new_by_themselves(features, labels, new_features, C=0.1):
    a, b = StandardScaler().fit_transform(flat(features)), StandardScaler().fit_transform(flat(new_features))
    return LogisticRegression(C=C, max_iter=1000).fit(a, labels).predict(b)


@wrong("10.3", rejected_by=ALONE)
def standardises_the_training_features_alone(features, labels, new_features, C=0.1):
    a = StandardScaler().fit_transform(flat(features))
    return LogisticRegression(C=C, max_iter=1000).fit(a, labels).predict(flat(new_features))


@wrong("10.3", rejected_by=SCALES)
def does_not_standardise(features, labels, new_features, C=0.1):
    return LogisticRegression(C=C, max_iter=50).fit(flat(features), labels).predict(flat(new_features))


@wrong("10.3", rejected_by=SCALES)
def divides_a_constant_channel_by_zero(features, labels, new_features, C=0.1):
    a, b = flat(features), flat(new_features)
    mean, spread = a.mean(axis=0), a.std(axis=0)
    model = LogisticRegression(C=C, max_iter=1000).fit((a - mean) / spread, labels)
    return model.predict((b - mean) / spread)


@wrong("10.3", rejected_by=SCALES)
def subtracts_the_mean_alone(features, labels, new_features, C=0.1):
    mean = flat(features).mean(axis=0)
    return LogisticRegression(C=C, max_iter=1000).fit(flat(features) - mean, labels).predict(flat(new_features) - mean)


@wrong("10.3", rejected_by=SCALES)
def standardises_with_one_mean_for_all_channels(features, labels, new_features, C=0.1):
    a, b = flat(features), flat(new_features)
    model = LogisticRegression(C=C, max_iter=1000).fit((a - a.mean()) / a.std(), labels)
    return model.predict((b - a.mean()) / a.std())


@wrong("10.3", rejected_by=MAPS)
def takes_every_place_for_a_feature(features, labels, new_features, C=0.1):
    return right_probe(features.reshape(len(features), -1), labels, new_features.reshape(len(new_features), -1), C)


@wrong("10.3", rejected_by=MAPS)
def takes_the_maximum_of_maps(features, labels, new_features, C=0.1):
    if features.ndim == 4:
        features, new_features = features.max(axis=(1, 2)), new_features.max(axis=(1, 2))
    return right_probe(features, labels, new_features, C)


@wrong("10.3", rejected_by=MAPS)
def averages_over_channels(features, labels, new_features, C=0.1):
    if features.ndim == 4:
        features = features.mean(axis=3).reshape(len(features), -1)
        new_features = new_features.mean(axis=3).reshape(len(new_features), -1)
    return right_probe(features, labels, new_features, C)


@wrong("10.3", rejected_by=FREEDOM)
def forgets_to_hand_on_c(features, labels, new_features, C=0.1):
    return right_probe(features, labels, new_features, 1e3)


@wrong("10.3", rejected_by=KINDS)
def returns_places_of_the_labels(features, labels, new_features, C=0.1):
    kinds = np.unique(labels)
    return np.searchsorted(kinds, right_probe(features, labels, new_features, C))


@wrong("10.3", rejected_by=KINDS)
def knows_zero_and_one_alone(features, labels, new_features, C=0.1):
    return (right_probe(features, labels, new_features, C) > 0).astype(int)


@wrong("10.3", rejected_by=TABLE)
def returns_the_accuracy_of_the_training(features, labels, new_features, C=0.1):
    return np.mean(right_probe(features, labels, features, C) == labels)


@wrong("10.3", rejected_by=TABLE)
def predicts_the_training_galaxies(features, labels, new_features, C=0.1):
    return right_probe(features, labels, features, C)


@wrong("10.3", rejected_by=FREEDOM)
def takes_one_over_c(features, labels, new_features, C=0.1):
    return right_probe(features, labels, new_features, 1 / C)


@wrong("10.3", rejected_by=ALONE)
def standardises_both_tables_together(features, labels, new_features, C=0.1):
    scaler = StandardScaler().fit(np.concatenate([flat(features), flat(new_features)]))
    model = LogisticRegression(C=C, max_iter=1000).fit(scaler.transform(flat(features)), labels)
    return model.predict(scaler.transform(flat(new_features)))


@wrong("10.3", rejected_by=SCALES)
def standardises_galaxy_by_galaxy(features, labels, new_features, C=0.1):
    a, b = (
        (t - t.mean(axis=1, keepdims=True)) / t.std(axis=1, keepdims=True) for t in map(flat, (features, new_features))
    )
    return LogisticRegression(C=C, max_iter=1000).fit(a, labels).predict(b)


# 10.4 a rate for each layer

LAST = "every layer has a rate, and the last block has `top`"
BLOCK = "layers of one block have one rate"
RATIO = "from block to block, the rate grows by the factor"
EDGES = "a factor of 1 gives one rate for all; one layer alone has `top`"


def blocks_of(names):
    return list(dict.fromkeys(name.split("_")[0] for name in names))


def rates_by(power):
    def answer(names, top, factor):
        blocks = blocks_of(names)
        return {name: top * power(blocks.index(name.split("_")[0]), len(blocks), factor) for name in names}

    return answer


for rejected_by, name, power in (
    (RATIO, "gives_the_early_layers_the_large_rates", lambda i, n, f: f ** float(n - 1 - i)),
    (LAST, "gives_top_to_the_first_block", lambda i, n, f: f ** float(-i)),
    (LAST, "counts_one_too_many", lambda i, n, f: f ** float(i - n)),
    (RATIO, "subtracts_instead_of_dividing", lambda i, n, f: (i + 1) / n),
    (
        RATIO,
        "divides_by_multiples",
        lambda i, n, f: 1 / (1 + (n - 1 - i) * (f - 1)) if i < n - 2 else f ** (i + 1.0 - n),
    ),
    (RATIO, "has_one_rate_for_all_but_the_last", lambda i, n, f: 1.0 if i == n - 1 else 1 / f),
    (LAST, "multiplies_by_the_factor_once_more", lambda i, n, f: f ** float(i + 1)),
):
    add_wrong("10.4", rejected_by, rates_by(power), name)


@wrong("10.4", rejected_by=BLOCK)
def counts_layers_instead_of_blocks(names, top, factor):
    return {name: top / factor ** (len(names) - 1 - i) for i, name in enumerate(names)}


@wrong("10.4", rejected_by=BLOCK)
def takes_the_kind_for_the_block(names, top, factor):
    kinds = list(dict.fromkeys(name.split("_")[-1] for name in names))
    return {name: top / factor ** (len(kinds) - 1 - kinds.index(name.split("_")[-1])) for name in names}


@wrong("10.4", rejected_by=LAST)
def leaves_the_head_out(names, top, factor):
    return rates_by(lambda i, n, f: f ** float(i + 1 - n))([name for name in names if "_" in name], top, factor)


@wrong("10.4", rejected_by=RATIO)
def sorts_the_blocks_by_name(names, top, factor):
    blocks = sorted(set(blocks_of(names[:-1])))[::-1] + blocks_of(names[-1:])
    blocks = list(dict.fromkeys(blocks))
    blocks = [b for b in blocks if b != names[-1].split("_")[0]] + [names[-1].split("_")[0]]
    return {name: top / factor ** (len(blocks) - 1 - blocks.index(name.split("_")[0])) for name in names}


@wrong("10.4", rejected_by=EDGES)
def divides_by_the_logarithm_of_the_factor(names, top, factor):
    rates = rates_by(lambda i, n, f: f ** float(i + 1 - n))(names, top, factor)
    return {name: rate * np.log(factor) / np.log(factor) for name, rate in rates.items()}


@wrong("10.4", rejected_by=LAST)
def returns_blocks_instead_of_layers(names, top, factor):
    blocks = blocks_of(names)
    return {block: top / factor ** (len(blocks) - 1 - i) for i, block in enumerate(blocks)}


# 10.5 nested, balanced subsets

SIZES = "one array of positions for each size, in the order of the sizes; no galaxy twice"
BALANCED = "balanced: each class is equally frequent, also where one is rare"
NESTED = "nested: a set is part of every larger one"
RANDOM = "random: the same generator gives the same sets, another one others"


OWN_ORDER = "each class in an order of its own: any galaxy may be chosen"


def right_subsets(labels, sizes, rng):
    shuffled = [rng.permutation(np.flatnonzero(labels == kind)) for kind in np.unique(labels)]
    return [np.concatenate([rows[: size // len(shuffled)] for rows in shuffled]) for size in sizes]


@wrong("10.5", rejected_by=NESTED)
def draws_each_size_anew(labels, sizes, rng):
    return [right_subsets(labels, [size], rng)[0] for size in sizes]


@wrong("10.5", rejected_by=BALANCED)
def forgets_the_classes(labels, sizes, rng):
    order = rng.permutation(len(labels))
    return [order[:size] for size in sizes]


@wrong("10.5", rejected_by=BALANCED)
def keeps_the_frequencies_of_the_pool(labels, sizes, rng):
    order = rng.permutation(len(labels))
    kinds, counts = np.unique(labels, return_counts=True)
    found = []
    for size in sizes:
        shares = np.floor(size * counts / counts.sum()).astype(int)
        shares[0] += size - shares.sum()
        parts = [order[labels[order] == kind][:n] for kind, n in zip(kinds, shares, strict=True)]
        found.append(np.concatenate(parts))
    return found


@wrong("10.5", rejected_by=SIZES)
def draws_with_replacement(labels, sizes, rng):
    kinds = np.unique(labels)
    rows = [rng.choice(np.flatnonzero(labels == kind), max(sizes)) for kind in kinds]
    return [np.concatenate([part[: size // len(kinds)] for part in rows]) for size in sizes]


@wrong("10.5", rejected_by=SIZES)
def takes_the_size_from_each_class(labels, sizes, rng):
    return [
        np.concatenate([rng.permutation(np.flatnonzero(labels == kind))[:size] for kind in np.unique(labels)])
        for size in sizes
    ]


@wrong("10.5", rejected_by=SIZES)
def knows_two_classes_alone(labels, sizes, rng):
    shuffled = [rng.permutation(np.flatnonzero(labels == kind)) for kind in (0, 1)]
    return [np.concatenate([rows[: size // 2] for rows in shuffled]) for size in sizes]


@wrong("10.5", rejected_by=SIZES)
def sorts_the_sizes(labels, sizes, rng):
    return right_subsets(labels, sorted(sizes), rng)


@wrong("10.5", rejected_by=SIZES)
def returns_masks(labels, sizes, rng):
    masks = []
    for rows in right_subsets(labels, sizes, rng):
        mask = np.zeros(len(labels), bool)
        mask[rows] = True
        masks.append(mask)
    return masks


@wrong("10.5", rejected_by=RANDOM)
def takes_the_first_ones(labels, sizes, rng):
    rows = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
    return [np.concatenate([part[: size // len(rows)] for part in rows]) for size in sizes]


@wrong("10.5", rejected_by=RANDOM)
def makes_a_generator_of_its_own(labels, sizes, rng):
    return right_subsets(labels, sizes, np.random.default_rng(0))


@wrong("10.5", rejected_by=RANDOM)
def makes_a_generator_without_a_seed(labels, sizes, rng):
    return right_subsets(labels, sizes, np.random.default_rng())


@wrong("10.5", rejected_by=BALANCED)
def returns_places_within_the_class(labels, sizes, rng):
    shuffled = [rng.permutation(np.sum(labels == kind)) for kind in np.unique(labels)]
    offsets = np.cumsum([0, *(len(rows) for rows in shuffled[:-1])])
    rows = [part + offset for part, offset in zip(shuffled, offsets, strict=True)]
    return [np.concatenate([part[: size // len(rows)] for part in rows]) for size in sizes]


@wrong("10.5", rejected_by=OWN_ORDER)
def shuffles_all_classes_alike(labels, sizes, rng):
    rows = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
    order = rng.permutation(min(len(part) for part in rows))
    return [np.concatenate([part[order[: size // len(rows)]] for part in rows]) for size in sizes]


@wrong("10.5", rejected_by=OWN_ORDER)
def shuffles_by_one_permutation_of_the_longest(labels, sizes, rng):
    rows = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
    order = rng.permutation(max(len(part) for part in rows))
    shuffled = [part[order[order < len(part)]] for part in rows]
    return [np.concatenate([part[: size // len(rows)] for part in shuffled]) for size in sizes]


@wrong("10.5", rejected_by=SIZES)
def returns_positions_within_each_class(labels, sizes, rng):
    shuffled = [rng.permutation(np.sum(labels == kind)) for kind in np.unique(labels)]
    return [np.concatenate([part[: size // len(shuffled)] for part in shuffled]) for size in sizes]


# 10.6 the experiment

SCORES = "a table of sizes by draws for each method, every score at its place"
SAME = "each method gets the same galaxies"
WITHIN = "within a draw the sets are nested and balanced"
DRAWS = "each draw has other galaxies"
SEED = "the seed decides: the same gives the same galaxies, another one others"
GENERATORS = "draw 0, 1, … comes from np.random.default_rng([seed, draw])"


def curve(generator=lambda seed, draw, place: np.random.default_rng([seed, draw]), subsets=right_subsets, place=None):
    """A label curve with parts that can be replaced."""

    def answer(methods, labels, sizes, n_draws, seed):
        scores = {name: np.zeros((len(sizes), n_draws)) for name in methods}
        for draw in range(n_draws):
            for number, (name, method) in enumerate(methods.items()):
                sets = subsets(labels, sizes, generator(seed, draw, number))
                for row, chosen in enumerate(sets):
                    scores[name][(row, draw) if place is None else place(row, draw)] = method(chosen)
        return scores

    return answer


def one_by_one(labels, sizes, rng):
    return [right_subsets(labels, [size], rng)[0] for size in sizes]


for rejected_by, name, answer in (
    (SAME, "draws_anew_for_each_method", curve(lambda seed, draw, place: np.random.default_rng([seed, draw, place]))),
    (DRAWS, "has_the_same_galaxies_in_each_draw", curve(lambda seed, draw, place: np.random.default_rng(seed))),
    (SEED, "ignores_the_seed", curve(lambda seed, draw, place: np.random.default_rng(draw))),
    (SEED, "has_no_seed", curve(lambda seed, draw, place: np.random.default_rng())),
    (GENERATORS, "adds_seed_and_draw", curve(lambda seed, draw, place: np.random.default_rng(seed + draw))),
    (GENERATORS, "takes_the_draw_for_the_seed", curve(lambda seed, draw, place: np.random.default_rng([draw, seed]))),
    (GENERATORS, "counts_draws_from_one", curve(lambda seed, draw, place: np.random.default_rng([seed, draw + 1]))),
    (WITHIN, "draws_anew_for_each_size", curve(subsets=one_by_one)),
    (WITHIN, "forgets_to_balance", curve(subsets=forgets_the_classes)),
    (SCORES, "writes_all_draws_into_the_first", curve(place=lambda row, draw: (row, 0))),
):
    add_wrong("10.6", rejected_by, answer, name)


@wrong("10.6", rejected_by=GENERATORS)
def has_one_generator_for_all_draws(methods, labels, sizes, n_draws, seed):
    rng = np.random.default_rng(seed)
    scores = {name: np.zeros((len(sizes), n_draws)) for name in methods}
    for draw in range(n_draws):
        for row, chosen in enumerate(right_subsets(labels, sizes, rng)):
            for name, method in methods.items():
                scores[name][row, draw] = method(chosen)
    return scores


@wrong("10.6", rejected_by=SCORES)
def sorts_the_sizes_of_a_curve(methods, labels, sizes, n_draws, seed):
    return curve()(methods, labels, sorted(sizes), n_draws, seed)


@wrong("10.6", rejected_by=SCORES)
def keeps_whole_numbers(methods, labels, sizes, n_draws, seed):
    return {name: table.astype(int) for name, table in curve()(methods, labels, sizes, n_draws, seed).items()}


@wrong("10.6", rejected_by=SCORES)
def transposes_the_tables(methods, labels, sizes, n_draws, seed):
    return {name: table.T for name, table in curve()(methods, labels, sizes, n_draws, seed).items()}


@wrong("10.6", rejected_by=SCORES)
def averages_over_the_draws(methods, labels, sizes, n_draws, seed):
    return {name: table.mean(axis=1) for name, table in curve()(methods, labels, sizes, n_draws, seed).items()}


@wrong("10.6", rejected_by=WITHIN)
def calls_the_methods_with_labels(methods, labels, sizes, n_draws, seed):
    wrapped = {name: (lambda chosen, method=method: method(labels[chosen])) for name, method in methods.items()}
    return curve()(wrapped, labels, sizes, n_draws, seed)


@wrong("10.6", rejected_by=SCORES)
def shares_one_table(methods, labels, sizes, n_draws, seed):
    table = np.zeros((len(sizes), n_draws))
    found = {}
    for name, scores in curve()(methods, labels, sizes, n_draws, seed).items():
        table[:] = scores
        found[name] = table
    return found


@wrong("10.6", rejected_by=SCORES)
def keeps_the_best_of_three(methods, labels, sizes, n_draws, seed):
    tables = [curve()(methods, labels, sizes, n_draws, seed + i) for i in range(3)]
    return {name: np.max([table[name] for table in tables], axis=0) for name in methods}


# 10.7 the way into a backbone

STAMPS = "from low to high: stretched, scaled and preprocessed once"
RED = "red comes first"
FAINT = "every image on the same scale: faint galaxies stay faint"
OUTSIDE = "what lies outside is cut off: nothing below −127/128 or above 1"


def shares(images, low, high):
    return np.clip((np.arcsinh(images) - low) / (high - low), 0, 1)


def cut_first(images, low, high):
    return backbones.preprocess(255 * ((np.arcsinh(np.clip(images, low, high)) - low) / (high - low))[..., ::-1])


for rejected_by, name, answer in (
    (STAMPS, "forgets_to_preprocess", lambda i, low, high: 255 * shares(i, low, high)[..., ::-1]),
    (STAMPS, "returns_shares", lambda i, low, high: shares(i, low, high)[..., ::-1]),
    (STAMPS, "preprocesses_shares", lambda i, low, high: backbones.preprocess(shares(i, low, high)[..., ::-1])),
    (
        STAMPS,
        "preprocesses_twice",
        lambda i, low, high: backbones.preprocess(backbones.preprocess(255 * shares(i, low, high)[..., ::-1])),
    ),
    (STAMPS, "preprocesses_the_stamps_as_they_are", lambda i, low, high: backbones.preprocess(i[..., ::-1])),
    (STAMPS, "scales_from_minus_one_to_one", lambda i, low, high: 2 * shares(i, low, high)[..., ::-1] - 1),
    (
        STAMPS,
        "forgets_the_stretch",
        lambda i, low, high: backbones.preprocess(255 * np.clip((i - low) / (high - low), 0, 1)[..., ::-1]),
    ),
    (
        STAMPS,
        "divides_by_high_alone",
        lambda i, low, high: backbones.preprocess(255 * np.clip((np.arcsinh(i) - low) / high, 0, 1)[..., ::-1]),
    ),
    (RED, "leaves_blue_first", lambda i, low, high: backbones.preprocess(255 * shares(i, low, high))),
    (RED, "turns_the_columns_round", lambda i, low, high: backbones.preprocess(255 * shares(i, low, high)[:, :, ::-1])),
    (
        RED,
        "turns_everything_round",
        lambda i, low, high: backbones.preprocess(255 * shares(i, low, high)[::-1, ..., ::-1]),
    ),
    (
        STAMPS,
        "stretches_the_limits",
        lambda i, low, high: backbones.preprocess(
            255 * np.clip((np.arcsinh(i) - np.arcsinh(low)) / (np.arcsinh(high) - np.arcsinh(low)), 0, 1)[..., ::-1]
        ),
    ),
    (STAMPS, "cuts_off_before_the_stretch", lambda i, low, high: cut_first(i, low, high)),
    (STAMPS, "divides_by_127", lambda i, low, high: (255 * shares(i, low, high)[..., ::-1] - 127) / 127),
    (RED, "turns_the_rows_round", lambda i, low, high: backbones.preprocess(255 * shares(i, low, high)[:, ::-1])),
    (
        OUTSIDE,
        "cuts_nothing_off",
        lambda i, low, high: backbones.preprocess(255 * ((np.arcsinh(i) - low) / (high - low))[..., ::-1]),
    ),
    (
        OUTSIDE,
        "lets_bytes_overflow",
        lambda i, low, high: backbones.preprocess(
            (255 * ((np.arcsinh(i) - low) / (high - low))[..., ::-1]).astype("int64").astype("uint8")
        ),
    ),
):
    add_wrong("10.7", rejected_by, lambda images, low, high, f=answer: f(images, low, high), name)


@wrong("10.7", rejected_by=FAINT)
def stretches_every_image_by_itself(images, low, high):
    stretched = np.arcsinh(images)
    least, most = (f(stretched, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    return backbones.preprocess(255 * ((stretched - least) / (most - least))[..., ::-1])


@wrong("10.7", rejected_by=FAINT)
def divides_by_the_brightest_pixel_of_all(images, low, high):
    stretched = np.clip(np.arcsinh(images), low, high) - low
    return backbones.preprocess(255 * (stretched / stretched.max())[..., ::-1] * (stretched.max() < high - low - 1e-6))


# 10.8 nearest neighbours

ORDER = "the k most alike, the most alike first"
LENGTHS = "the angle counts, not the length"
OPPOSITE = "an opposite vector comes last"
TWIN = "without the query itself, but with its twin"


def cosines(embedding, query):
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    return unit @ unit[query]


def ranked(score, skip=True):
    def answer(embedding, query, k):
        values = np.array(score(embedding, query), float)
        if skip:
            values[query] = -np.inf
        return np.argsort(-values, kind="stable")[:k]

    return answer


def without(values, query):
    values = values.copy()
    values[query] = -np.inf
    return values


def opposite_of_distance(embedding, query):
    return -np.linalg.norm(embedding - embedding[query], axis=1)


for rejected_by, name, answer in (
    (TWIN, "keeps_the_query", ranked(cosines, skip=False)),
    (LENGTHS, "ranks_by_the_product", ranked(lambda e, q: e @ e[q])),
    (LENGTHS, "ranks_by_distance", ranked(opposite_of_distance)),
    (LENGTHS, "divides_by_the_squares", ranked(lambda e, q: e @ e[q] / np.sum(e**2, axis=1))),
    (OPPOSITE, "takes_absolute_values", ranked(lambda e, q: abs(cosines(e, q)))),
    (OPPOSITE, "takes_squares", ranked(lambda e, q: cosines(e, q) ** 2)),
    (ORDER, "subtracts_the_mean_first", ranked(lambda e, q: cosines(e - e.mean(axis=0), q))),
    (
        ORDER,
        "normalises_columns",
        ranked(lambda e, q: (e / np.linalg.norm(e, axis=0)) @ (e / np.linalg.norm(e, axis=0))[q]),
    ),
    (ORDER, "takes_the_least_alike", lambda e, q, k: np.argsort(cosines(e, q))[:k]),
    (ORDER, "returns_the_cosines", lambda e, q, k: np.sort(cosines(e, q))[::-1][1 : k + 1]),
    (ORDER, "returns_the_worst_first", lambda e, q, k: ranked(cosines)(e, q, k)[::-1]),
    (TWIN, "drops_whatever_comes_first", lambda e, q, k: np.argsort(-cosines(e, q).round(6), kind="stable")[1 : k + 1]),
    (
        TWIN,
        "drops_all_that_are_identical",
        lambda e, q, k: [i for i in np.argsort(-cosines(e, q)) if cosines(e, q)[i] < 0.9999][:k],
    ),
    (TWIN, "drops_the_first_of_the_sorted_rows", lambda e, q, k: np.argsort(-cosines(e, q), kind="stable")[1 : k + 1]),
    (ORDER, "parts_without_sorting", lambda e, q, k: np.sort(ranked(cosines)(e, q, k))),
    (LENGTHS, "divides_by_the_lengths_of_columns", ranked(lambda e, q: (e / np.linalg.norm(e, axis=0)) @ e[q])),
    (ORDER, "takes_the_last_ones_of_argsort", lambda e, q, k: np.argsort(cosines(e, q))[-k:]),
    (ORDER, "forgets_the_minus", lambda e, q, k: np.argsort(without(cosines(e, q), q))[:k]),
    (ORDER, "shifts_the_rows_behind_the_query", lambda e, q, k: np.argsort(-np.delete(cosines(e, q), q))[:k]),
):
    add_wrong("10.8", rejected_by, lambda embedding, query, k, f=answer: f(embedding, query, k), name)


# 10.9 principal components

SHAPE = "a row for each galaxy, a column for each component, each with mean 0"
SPREAD = "the largest spread first, as large as it can be"
COORDINATES = "the coordinates of scikit-learn's PCA, but for signs"


def decomposed(features):
    return np.linalg.svd(features - features.mean(axis=0), full_matrices=False)


@wrong("10.9", rejected_by=SHAPE)
def forgets_the_mean(features, n_components):
    return features @ np.linalg.svd(features, full_matrices=False)[2][:n_components].T


@wrong("10.9", rejected_by=SHAPE)
def subtracts_the_mean_of_all(features, n_components):
    centred = features - features.mean()
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:n_components].T


@wrong("10.9", rejected_by=SPREAD)
def finds_the_directions_without_the_mean(features, n_components):
    directions = np.linalg.svd(features, full_matrices=False)[2]
    return (features - features.mean(axis=0)) @ directions[:n_components].T


@wrong("10.9", rejected_by=SHAPE)
def projects_without_the_mean(features, n_components):
    return features @ decomposed(features)[2][:n_components].T


@wrong("10.9", rejected_by=SPREAD)
def returns_u_alone(features, n_components):
    return decomposed(features)[0][:, :n_components]


@wrong("10.9", rejected_by=SPREAD)
def takes_the_smallest(features, n_components):
    return (features - features.mean(axis=0)) @ decomposed(features)[2][::-1][:n_components].T


@wrong("10.9", rejected_by=COORDINATES)
def takes_columns_for_rows(features, n_components):
    return (features - features.mean(axis=0)) @ decomposed(features)[2][:, :n_components]


@wrong("10.9", rejected_by=SHAPE)
def subtracts_the_mean_of_rows(features, n_components):
    centred = features - features.mean(axis=1, keepdims=True)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:n_components].T


@wrong("10.9", rejected_by=SPREAD)
def whitens(features, n_components):
    scores = (features - features.mean(axis=0)) @ decomposed(features)[2][:n_components].T
    return scores / scores.std(axis=0)


@wrong("10.9", rejected_by=SPREAD)
def standardises_the_columns(features, n_components):
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    return scaled @ np.linalg.svd(scaled, full_matrices=False)[2][:n_components].T


@wrong("10.9", rejected_by=SHAPE)
def returns_the_directions(features, n_components):
    return decomposed(features)[2][:n_components]


@wrong("10.9", rejected_by=SHAPE)
def transposes(features, n_components):
    return ((features - features.mean(axis=0)) @ decomposed(features)[2][:n_components].T).T


@wrong("10.9", rejected_by=SPREAD)
def takes_the_first_columns(features, n_components):
    return (features - features.mean(axis=0))[:, :n_components]


@wrong("10.9", rejected_by=SPREAD)
def multiplies_by_the_singular_values_twice(features, n_components):
    u, s, _ = decomposed(features)
    return (u * s**2)[:, :n_components]


@wrong("10.9", rejected_by=SPREAD)
def takes_the_covariance_unsorted(features, n_components):
    _, vectors = np.linalg.eigh(np.cov(features.T).reshape(features.shape[1], -1))
    return (features - features.mean(axis=0)) @ vectors[:, :n_components]


@wrong("10.9", rejected_by=SHAPE)
def returns_all_components(features, n_components):
    return (features - features.mean(axis=0)) @ decomposed(features)[2].T
