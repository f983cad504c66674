"""Wrong answers to the exercises of lab 16."""

import numpy as np
from keras import ops

from tests.wrong_answers import add_wrong, wrong
from utils import boxes

# 16.1 targets

SHAPES = "an array of rows, columns, and 5 + classes numbers for each cell"
CELL = "fourth number: 1 in the cell that holds the centre, 0 elsewhere"
PLACE = "x and y: where in its cell the centre is, from 0 to 1"
SIZE = "w and h: the size of the box, in cells as well"
CLASSES = "the class: 1 at its place, 0 at the others"
CROWDED = "two objects in one cell: the first keeps it, whole"
EDGES = "boxes are clipped to the image; of what lies outside nothing is kept"
EMPTY = "an empty field gives zeros alone; so do cells without an object"


def middle(x0, y0, x1, y1):
    return (y0 + y1) / 2, (x0 + x1) / 2


def before(place):
    """The cell before, where the place is an edge."""
    return int(np.ceil(place)) - 1


def encoder(
    cell=lambda x0, y0, x1, y1: (int((y0 + y1) / 2), int((x0 + x1) / 2)),
    numbers=lambda x, y, w, h, row, column, stride, width, height: (x - column, y - row, w, h),
    shape=lambda rows, columns, n_classes: (rows, columns, 5 + n_classes),
    clip=True,
    drop=True,
    keep="first",
    shift=5,
    background=0.0,
    edge=0,
):
    def encode(corners, classes, height, width, stride, n_classes):
        target = np.full(shape(height // stride, width // stride, n_classes), background)
        for (x0, y0, x1, y1), k in zip(corners, classes, strict=True):
            if clip:
                x0, x1, y0, y1 = *np.clip([x0, x1], 0, width - edge), *np.clip([y0, y1], 0, height - edge)
            if drop and (x1 <= x0 or y1 <= y0):
                continue
            x0, y0, x1, y1 = (value / stride for value in (x0, y0, x1, y1))
            row, column = cell(x0, y0, x1, y1)
            row, column = min(row, target.shape[0] - 1), min(column, target.shape[1] - 1)
            taken = target[row, column, 4] == 1
            if taken and keep == "first":
                continue
            five = numbers((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, row, column, stride, width, height)
            if keep == "last whole":
                target[row, column] = 0
            if not taken or keep in ("last", "last whole"):
                target[row, column, :5] = *five, 1
            if keep == "added":
                target[row, column, :5] += [*five, 1] if taken else 0
            if shift + k < target.shape[-1]:
                target[row, column, shift + k] = 1
        return target

    return encode


for rejected_by, name, options in (
    (SHAPES, "columns_first", {"shape": lambda rows, columns, n: (columns, rows, 5 + n)}),
    (SHAPES, "one_number_for_the_class", {"shape": lambda rows, columns, n: (rows, columns, 6)}),
    (CELL, "takes_the_corner", {"cell": lambda x0, y0, x1, y1: (int(y0), int(x0))}),
    (CELL, "rounds_the_centre", {"cell": lambda x0, y0, x1, y1: (round((y0 + y1) / 2), round((x0 + x1) / 2))}),
    (CELL, "swaps_row_and_column", {"cell": lambda x0, y0, x1, y1: (int((x0 + x1) / 2), int((y0 + y1) / 2))}),
    (
        SIZE,
        "sizes_in_shares_of_the_image",
        {"numbers": lambda x, y, w, h, r, c, s, width, height: (x - c, y - r, w * s / width, h * s / height)},
    ),
    (SIZE, "sizes_in_pixels", {"numbers": lambda x, y, w, h, r, c, s, *_: (x - c, y - r, w * s, h * s)}),
    (SIZE, "roots_in_the_target", {"numbers": lambda x, y, w, h, r, c, *_: (x - c, y - r, w**0.5, h**0.5)}),
    (SIZE, "swaps_w_and_h", {"numbers": lambda x, y, w, h, r, c, *_: (x - c, y - r, h, w)}),
    (PLACE, "forgets_the_cell", {"numbers": lambda x, y, w, h, r, c, *_: (x, y, w, h)}),
    (PLACE, "places_in_pixels", {"numbers": lambda x, y, w, h, r, c, s, *_: ((x - c) * s, (y - r) * s, w, h)}),
    (PLACE, "swaps_x_and_y", {"numbers": lambda x, y, w, h, r, c, *_: (y - r, x - c, w, h)}),
    (PLACE, "counts_from_the_middle", {"numbers": lambda x, y, w, h, r, c, *_: (x - c - 0.5, y - r - 0.5, w, h)}),
    (
        PLACE,
        "the_corner_for_the_centre",
        {"numbers": lambda x, y, w, h, r, c, *_: (x - w / 2 - c, y - h / 2 - r, w, h)},
    ),
    (CROWDED, "the_last_keeps_the_cell", {"keep": "last whole"}),
    (CROWDED, "sets_both_classes", {"keep": "last"}),
    (CROWDED, "first_box_and_both_classes", {"keep": "classes"}),
    (CROWDED, "adds_them_up", {"keep": "added"}),
    (CLASSES, "counts_classes_from_one", {"shift": 6}),
    (EDGES, "does_not_clip", {"clip": False}),
    (EDGES, "keeps_what_lies_outside", {"clip": False, "drop": False}),
    (EDGES, "the_last_pixel_for_the_last_edge", {"edge": 1}),
    (CELL, "an_edge_belongs_to_the_cell_before", {"cell": lambda *box: tuple(map(before, middle(*box)))}),
    (EMPTY, "fills_with_ones_elsewhere", {"background": -1.0}),
    (PLACE, "whole_numbers", {"numbers": lambda x, y, w, h, r, c, *_: (int(x - c), int(y - r), w, h)}),
    (SIZE, "one_pixel_too_many", {"numbers": lambda x, y, w, h, r, c, s, *_: (x - c, y - r, w + 1 / s, h + 1 / s)}),
):
    add_wrong("16.1", rejected_by, encoder(**options), name)


@wrong("16.1", rejected_by=SHAPES)
def lists_for_an_array(corners, classes, height, width, stride, n_classes):
    return encoder()(corners, classes, height, width, stride, n_classes).tolist()


@wrong("16.1", rejected_by=EDGES)
def drops_what_has_its_centre_outside(corners, classes, height, width, stride, n_classes):
    x, y = (corners[:, 0] + corners[:, 2]) / 2, (corners[:, 1] + corners[:, 3]) / 2
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return encoder()(corners[inside], classes[inside], height, width, stride, n_classes)


@wrong("16.1", rejected_by=CROWDED)
def sees_by_x_whether_a_cell_is_taken(corners, classes, height, width, stride, n_classes):
    target = np.zeros((height // stride, width // stride, 5 + n_classes))
    for corner, k in zip(corners, classes, strict=True):
        one = encoder()([corner], [k], height, width, stride, n_classes)
        for row, column in np.argwhere(one[..., 4]):
            if target[row, column, 0] == 0:
                target[row, column] = one[row, column]
    return target


@wrong("16.1", rejected_by=CLASSES)
def the_number_of_the_class(corners, classes, height, width, stride, n_classes):
    target = encoder()(corners, classes, height, width, stride, n_classes)
    target[..., 5] = target[..., 5:].argmax(axis=-1)
    target[..., 6:] = 0
    return target


# 16.2 the way back

BOXES = "boxes: (rows, columns, n_boxes, 4); scores: (rows, columns, n_boxes, classes)"
CENTRE = "the centre of a box: its place in the cell, and which cell"
CORNERS = "the corners of a box: centre minus and plus half the size"
SCORES = "the score of a class: confidence of the box times probability of the class"


def decoder(
    centre=lambda x, y, row, column, stride: ((x + column) * stride, (y + row) * stride),
    size=lambda w, h, stride: (w * stride, h * stride),
    corners=lambda x, y, w, h: (x - w / 2, y - h / 2, x + w / 2, y + h / 2),
    scores=lambda c, p: c[..., None] * p[..., None, :],
    classes_first=False,
    flat=False,
):
    def decode(prediction, stride, n_boxes):
        rows, columns, depth = prediction.shape
        numbers, of_class = prediction[..., : 5 * n_boxes], prediction[..., 5 * n_boxes :]
        if classes_first:
            of_class, numbers = np.split(prediction, [depth - 5 * n_boxes], axis=-1)
        each = numbers.reshape(rows, columns, n_boxes, 5)
        row, column = np.arange(rows)[:, None, None], np.arange(columns)[None, :, None]
        x, y = centre(each[..., 0], each[..., 1], row, column, stride)
        found = np.stack(corners(x, y, *size(each[..., 2], each[..., 3], stride)), axis=-1)
        values = scores(each[..., 4], of_class)
        return (found.reshape(-1, 4), values.reshape(-1, values.shape[-1])) if flat else (found, values)

    return decode


for rejected_by, name, options in (
    (BOXES, "flattens", {"flat": True}),
    (CENTRE, "forgets_the_cell", {"centre": lambda x, y, r, c, s: (x * s, y * s)}),
    (CENTRE, "swaps_row_and_column", {"centre": lambda x, y, r, c, s: _padded(x, y, r, c, s)}),
    (CENTRE, "stays_in_cells", {"centre": lambda x, y, r, c, s: (x + c, y + r)}),
    (CENTRE, "adds_cells_to_pixels", {"centre": lambda x, y, r, c, s: (x * s + c, y * s + r)}),
    (CENTRE, "place_in_the_cell_in_pixels", {"centre": lambda x, y, r, c, s: (x + c * s, y + r * s)}),
    (CORNERS, "size_in_cells", {"size": lambda w, h, s: (w, h)}),
    (CORNERS, "returns_centre_and_size", {"corners": lambda x, y, w, h: (x, y, w, h)}),
    (CORNERS, "all_of_the_size_on_each_side", {"corners": lambda x, y, w, h: (x - w, y - h, x + w, y + h)}),
    (CORNERS, "begins_at_the_centre", {"corners": lambda x, y, w, h: (x, y, x + w, y + h)}),
    (CORNERS, "rows_first", {"corners": lambda x, y, w, h: (y - h / 2, x - w / 2, y + h / 2, x + w / 2)}),
    (CORNERS, "swaps_w_and_h", {"size": lambda w, h, s: (h * s, w * s)}),
    (SCORES, "confidence_alone", {"scores": lambda c, p: np.repeat(c[..., None], p.shape[-1], axis=-1)}),
    (SCORES, "class_alone", {"scores": lambda c, p: np.repeat(p[..., None, :], c.shape[-1], axis=-2)}),
    (
        SCORES,
        "first_confidence_for_all",
        {"scores": lambda c, p: np.repeat(c[..., :1, None] * p[..., None, :], c.shape[-1], -2)},
    ),
    (CENTRE, "classes_first", {"classes_first": True}),
    (CENTRE, "counts_from_the_middle", {"centre": lambda x, y, r, c, s: ((x + c + 0.5) * s, (y + r + 0.5) * s)}),
    (CENTRE, "counts_cells_from_one", {"centre": lambda x, y, r, c, s: ((x + c + 1) * s, (y + r + 1) * s)}),
    (
        CORNERS,
        "rounds",
        {"corners": lambda x, y, w, h: [np.round(v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]},
    ),
    (CORNERS, "squares_the_sizes", {"size": lambda w, h, s: (w**2 * s, h**2 * s)}),
    (SCORES, "adds_both", {"scores": lambda c, p: c[..., None] + p[..., None, :]}),
):
    add_wrong("16.2", rejected_by, decoder(**options), name)


@wrong("16.2", rejected_by=BOXES)
def lists_for_arrays(prediction, stride, n_boxes):
    return tuple(part.tolist() for part in decoder()(prediction, stride, n_boxes))


@wrong("16.2", rejected_by=CENTRE)
def takes_the_numbers_apart_the_wrong_way(prediction, stride, n_boxes):
    numbers, of_class = np.split(prediction, [5 * n_boxes], axis=-1)
    numbers = numbers.reshape(*numbers.shape[:2], 5, n_boxes).swapaxes(-1, -2).reshape(numbers.shape)
    return decoder()(np.concatenate([numbers, of_class], axis=-1), stride, n_boxes)


@wrong("16.2", rejected_by=SCORES)
def takes_the_classes_behind_the_first_box(prediction, stride, n_boxes):
    corners, scores = decoder()(prediction, stride, n_boxes)
    of_class = prediction[..., 5 : 5 + scores.shape[-1]]
    return corners, prediction[..., 4 : 5 * n_boxes : 5, None] * of_class[..., None, :]


def _padded(x, y, row, column, stride):
    """Rows added to x, columns to y."""
    return (x + row) * stride, (y + column) * stride


# 16.3 overlap

SAME = "a box with itself: 1"
KNOWN = "shifted by half a width: 1/3; a quarter of the area inside: 1/4"
APART = "boxes that are apart: 0, in both directions"
NOTHING = "boxes without area: 0, not NaN"
RANDOM = "random boxes, as the library computes it; the order does not matter"
IN_A_GRID = "each box of a cell with the one object of the cell"
TRAINED = "compiled, as in a training: the same, and of the type that came"


def overlapper(clipped=True, half=0.5, below=lambda both, a, b: a + b - both, small=1e-9):
    def iou(a, b):
        first = ops.maximum(a[..., :2] - a[..., 2:] * half, b[..., :2] - b[..., 2:] * half)
        last = ops.minimum(a[..., :2] + a[..., 2:] * half, b[..., :2] + b[..., 2:] * half)
        sides = ops.maximum(last - first, 0) if clipped else last - first
        both = sides[..., 0] * sides[..., 1]
        return both / (below(both, a[..., 2] * a[..., 3], b[..., 2] * b[..., 3]) + small)

    return iou


for rejected_by, name, options in (
    (APART, "forgets_to_clip", {"clipped": False}),
    (SAME, "counts_the_intersection_twice", {"below": lambda both, a, b: a + b}),
    (KNOWN, "divides_by_the_smaller", {"below": lambda both, a, b: ops.minimum(a, b)}),
    (KNOWN, "divides_by_the_first", {"below": lambda both, a, b: a + 0 * b}),
    (KNOWN, "divides_by_the_larger", {"below": lambda both, a, b: ops.maximum(a, b)}),
    (NOTHING, "divides_by_zero", {"small": 0.0}),
    (SAME, "all_of_the_size_on_each_side", {"half": 1.0}),
    (SAME, "adds_one_to_the_union", {"small": 1.0}),
):
    add_wrong("16.3", rejected_by, overlapper(**options), name)


@wrong("16.3", rejected_by=RANDOM)
def takes_corners(a, b):
    sides = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0)
    both = sides[..., 0] * sides[..., 1]
    return both / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - both + 1e-9)


@wrong("16.3", rejected_by=IN_A_GRID)
def every_box_with_every_other(a, b):
    found = overlapper()(ops.reshape(a, (-1, 1, 4)), ops.reshape(b, (1, -1, 4)))
    return ops.diagonal(found) if a.shape == b.shape else found


@wrong("16.3", rejected_by=APART)
def clips_the_product(a, b):
    first = ops.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    last = ops.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    both = ops.maximum(ops.prod(last - first, axis=-1), 0)
    return both / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - both + 1e-9)


@wrong("16.3", rejected_by=RANDOM)
def shares_of_a_line(a, b):
    first = ops.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    last = ops.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    sides = ops.maximum(last - first, 0)
    return ops.prod(sides / (a[..., 2:] + b[..., 2:] - sides + 1e-9), axis=-1)


def given_sides(rule):
    def iou(a, b):
        first = ops.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
        last = ops.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
        both = rule(last - first)
        return both / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - both + 1e-9)

    return iou


add_wrong("16.3", APART, given_sides(lambda sides: ops.prod(ops.abs(sides), axis=-1)), "makes_overlaps_of_gaps")
add_wrong("16.3", KNOWN, given_sides(lambda sides: ops.sum(ops.maximum(sides, 0), axis=-1)), "adds_the_sides")


@wrong("16.3", rejected_by=RANDOM)
def takes_first_corners(a, b):
    sides = ops.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2])
    both = ops.prod(ops.maximum(sides, 0), axis=-1)
    return both / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - both + 1e-9)


@wrong("16.3", rejected_by=SAME)
def leaves_an_axis_behind(a, b):
    return overlapper()(a, b)[..., None]


@wrong("16.3", rejected_by=TRAINED)
def in_numpy(a, b):
    return overlapper()(ops.convert_to_tensor(np.asarray(a)), ops.convert_to_tensor(np.asarray(b)))


@wrong("16.3", rejected_by=TRAINED)
def asks_a_tensor(a, b):
    found = overlapper()(a, b)
    return found if ops.all(found >= 0) else 0 * found


@wrong("16.3", rejected_by=TRAINED)
def in_double_precision(a, b):
    return overlapper()(ops.cast(a, "float64"), ops.cast(b, "float64"))


# 16.4 responsible

OVERLAPS = "the overlap of each box with the object of its cell"
COUNT = "one box in each cell with an object, none in the others"
BEST = "the one with the largest overlap, however sure the others are"
TIES = "of equally good boxes the first"


def chooser(choice, masked=True, compare=slice(0, 4)):
    def responsible(target, prediction, n_boxes):
        each = ops.reshape(prediction[..., : 5 * n_boxes], (*ops.shape(prediction)[:3], n_boxes, 5))
        overlaps = overlapper()(each[..., compare], target[..., None, :4])
        mask = choice(overlaps, each, target, n_boxes)
        return overlaps, mask * target[..., 4:5] if masked else mask

    return responsible


def largest(values, n_boxes):
    return ops.one_hot(ops.argmax(values, axis=-1), n_boxes)


for rejected_by, name, choice in (
    (BEST, "the_most_confident", lambda o, e, t, n: largest(e[..., 4], n)),
    (BEST, "the_smallest_overlap", lambda o, e, t, n: largest(-o, n)),
    (
        BEST,
        "the_nearest_centre",
        lambda o, e, t, n: largest(-ops.sum((e[..., :2] - t[..., None, :2]) ** 2, axis=-1), n),
    ),
    (BEST, "the_first", lambda o, e, t, n: largest(0 * o, n)),
    (BEST, "the_largest_score", lambda o, e, t, n: largest(o * e[..., 4], n)),
    (COUNT, "all_boxes_of_the_cell", lambda o, e, t, n: ops.ones_like(o)),
    (COUNT, "all_with_enough_overlap", lambda o, e, t, n: ops.cast(o > 0.3, "float32")),
    (COUNT, "all_of_equal_overlap", lambda o, e, t, n: ops.cast(o == ops.max(o, axis=-1, keepdims=True), "float32")),
    (TIES, "the_last_of_equals", lambda o, e, t, n: largest(o[..., ::-1], n)[..., ::-1]),
):
    add_wrong("16.4", rejected_by, chooser(choice), name)
add_wrong("16.4", COUNT, chooser(lambda o, e, t, n: largest(o, n), masked=False), "empty_cells_too")


@wrong("16.4", rejected_by=OVERLAPS)
def takes_the_boxes_apart_the_wrong_way(target, prediction, n_boxes):
    each = ops.reshape(prediction[..., : 5 * n_boxes], (*ops.shape(prediction)[:3], 5, n_boxes))
    each = ops.swapaxes(each, -1, -2)
    overlaps = overlapper()(each[..., :4], target[..., None, :4])
    return overlaps, largest(overlaps, n_boxes) * target[..., 4:5]


@wrong("16.4", rejected_by=OVERLAPS)
def overlaps_of_responsible_boxes_alone(target, prediction, n_boxes):
    overlaps, mask = chooser(lambda o, e, t, n: largest(o, n))(target, prediction, n_boxes)
    return overlaps * mask, mask


def with_mask(change):
    def responsible(target, prediction, n_boxes):
        overlaps, mask = chooser(lambda o, e, t, n: largest(o, n))(target, prediction, n_boxes)
        return change(overlaps, mask)

    return responsible


for rejected_by, name, change in (
    (OVERLAPS, "mask_before_overlaps", lambda overlaps, mask: (mask, overlaps)),
    (BEST, "the_place_of_the_best", lambda overlaps, mask: (overlaps, ops.argmax(overlaps, axis=-1))),
    (OVERLAPS, "the_largest_overlap_alone", lambda overlaps, mask: (ops.max(overlaps, axis=-1), mask)),
    (TRAINED, "true_and_false", lambda overlaps, mask: (overlaps, ops.cast(mask, "bool"))),
    (TRAINED, "whole_numbers", lambda overlaps, mask: (overlaps, ops.cast(mask, "int32"))),
    (TRAINED, "double_precision", lambda overlaps, mask: (overlaps, ops.cast(mask, "float64"))),
):
    add_wrong("16.4", rejected_by, with_mask(change), name)


@wrong("16.4", rejected_by=TRAINED)
def chooses_in_numpy(target, prediction, n_boxes):
    choice = chooser(lambda o, e, t, n: ops.convert_to_tensor(np.eye(n, dtype="float32")[np.argmax(o, axis=-1)]))
    return choice(target, prediction, n_boxes)


# 16.5 the loss

XY = "x and y: squared error of the responsible box"
WH = "w and h: squared error of their square roots"
PLAIN = "w and h with roots=False: squared error of the sizes themselves"
SURE = "confidence of responsible boxes: it aims at the overlap"
STOPPED = "no gradient goes through the overlap"
UNSURE = "confidence of all other boxes: it aims at 0"
OF_CLASS = "classes: squared error in cells with an object, once for each cell"
EMPTY_IMAGE = "an image without objects has the fourth term alone, and no NaN anywhere"
WEIGHTS = "the loss: λ_coord for the first two terms, λ_noobj for the fourth, roots as handed over"
TRAINED_LOSS = "compiled, as in a training: the same loss"


right_choice = chooser(lambda o, e, t, n: largest(o, n))


def losses(
    choose=right_choice,
    power=2,
    root=lambda size: ops.sqrt(size),
    root_of_aim=None,
    listens=True,
    stop=True,
    aim=lambda overlaps: overlaps,
    others=lambda mine, has: 1 - mine,
    class_mask=lambda has: has,
    class_factor=1,
    add=lambda term, axis: ops.sum(term, axis=axis),
    weigh=lambda t, coord, noobj: coord * (t[0] + t[1]) + t[2] + noobj * t[3] + t[4],
    wh_mask=None,
    hands_on=True,
    order=(0, 1, 2, 3, 4),
    factors=(1, 1, 1, 1, 1),
):
    def loss_terms(target, prediction, n_boxes, roots=True):
        each = ops.reshape(prediction[..., : 5 * n_boxes], (*ops.shape(prediction)[:3], n_boxes, 5))
        goal, has = target[..., None, :4], target[..., 4]
        overlaps, mine = choose(target, prediction, n_boxes)
        overlaps = ops.stop_gradient(overlaps) if stop else overlaps
        sizes, goals = each[..., 2:4], goal[..., 2:4]
        if roots or not listens:
            sizes, goals = root(sizes), (root_of_aim or root)(goals)
        counted = mine if wh_mask is None else wh_mask(mine, has)
        xy = mine * ops.sum(abs(each[..., :2] - goal[..., :2]) ** power, axis=-1)
        wh = counted * ops.sum((sizes - goals) ** 2, axis=-1)
        sure = mine * (each[..., 4] - aim(overlaps)) ** 2
        unsure = others(mine, has[..., None]) * each[..., 4] ** 2
        classes = class_mask(has) * ops.sum((prediction[..., 5 * n_boxes :] - target[..., 5:]) ** 2, axis=-1)
        terms = [add(term, (1, 2, 3)) for term in (xy, wh, sure, unsure)]
        terms.append(add(classes, (1, 2)) * (n_boxes if class_factor == "boxes" else class_factor))
        terms = [factor * term for factor, term in zip(factors, terms, strict=True)]
        return [terms[k] for k in order]

    def yolo_loss(target, prediction, n_boxes, lambda_coord=5.0, lambda_noobj=0.5, roots=True):
        return weigh(loss_terms(target, prediction, n_boxes, roots or not hands_on), lambda_coord, lambda_noobj)

    return loss_terms, yolo_loss


def identity(value):
    return value


for rejected_by, name, options in (
    (XY, "all_boxes_of_the_cell", {"choose": chooser(lambda o, e, t, n: ops.ones_like(o))}),
    (XY, "the_most_confident_is_responsible", {"choose": chooser(lambda o, e, t, n: largest(e[..., 4], n))}),
    (XY, "absolute_errors", {"power": 1}),
    (XY, "takes_means", {"add": lambda term, axis: ops.mean(term, axis=axis)}),
    (XY, "one_number_for_all", {"add": lambda term, axis: ops.sum(term)}),
    (WH, "no_roots", {"root": identity}),
    (WH, "the_root_of_the_prediction_alone", {"root_of_aim": identity}),
    (WH, "logarithms", {"root": lambda size: ops.log(size + 1e-6)}),
    (WH, "sizes_of_all_boxes", {"wh_mask": lambda mine, has: ops.ones_like(mine) * has[..., None]}),
    (EMPTY_IMAGE, "sizes_in_empty_cells", {"wh_mask": lambda mine, has: mine + 1 - has[..., None]}),
    (PLAIN, "does_not_listen_to_roots", {"listens": False}),
    (SURE, "aims_at_one", {"aim": lambda overlaps: ops.ones_like(overlaps)}),
    (SURE, "aims_at_half_or_more", {"aim": lambda overlaps: ops.cast(overlaps > 0.5, "float32")}),
    (STOPPED, "lets_the_gradient_through", {"stop": False}),
    (UNSURE, "empty_cells_alone", {"others": lambda mine, has: 1 - has}),
    (UNSURE, "responsible_boxes_too", {"others": lambda mine, has: ops.ones_like(mine)}),
    (OF_CLASS, "classes_of_empty_cells", {"class_mask": lambda has: ops.ones_like(has)}),
    (OF_CLASS, "classes_for_each_box", {"class_factor": "boxes"}),
    (WEIGHTS, "no_weights", {"weigh": lambda t, coord, noobj: sum(t)}),
    (
        WEIGHTS,
        "weighs_places_alone",
        {"weigh": lambda t, coord, noobj: coord * t[0] + t[1] + t[2] + noobj * t[3] + t[4]},
    ),
    (
        WEIGHTS,
        "weighs_the_wrong_confidence",
        {"weigh": lambda t, coord, noobj: coord * (t[0] + t[1]) + noobj * t[2] + t[3] + t[4]},
    ),
    (WEIGHTS, "always_the_paper", {"weigh": lambda t, coord, noobj: 5 * (t[0] + t[1]) + t[2] + 0.5 * t[3] + t[4]}),
    (
        WEIGHTS,
        "sums_over_images",
        {"weigh": lambda t, coord, noobj: ops.sum(coord * (t[0] + t[1]) + t[2] + noobj * t[3] + t[4])},
    ),
    (WEIGHTS, "keeps_roots_to_itself", {"hands_on": False}),
    (
        WEIGHTS,
        "leaves_out_the_third_term",
        {"weigh": lambda t, coord, noobj: coord * (t[0] + t[1]) + noobj * t[3] + t[4]},
    ),
    (
        WEIGHTS,
        "exchanges_the_weights",
        {"weigh": lambda t, coord, noobj: noobj * (t[0] + t[1]) + t[2] + coord * t[3] + t[4]},
    ),
    (SURE, "third_and_fourth_exchanged", {"order": [0, 1, 3, 2, 4]}),
    (XY, "places_and_sizes_in_one", {"order": [0, 2, 3, 4]}),
    (WH, "the_root_of_the_aim_alone", {"root": identity, "root_of_aim": lambda size: ops.sqrt(size)}),
    (XY, "weights_in_the_terms", {"factors": (5, 5, 1, 0.5, 1)}),
    (XY, "halves", {"factors": (0.5, 0.5, 1, 1, 1)}),
    (
        TRAINED_LOSS,
        "asks_how_long_a_tensor_is",
        {"add": lambda term, axis: ops.sum(ops.reshape(term, (len(term), -1)), axis=1)},
    ),
    (
        TRAINED_LOSS,
        "a_list_of_numbers",
        {"weigh": lambda t, coord, noobj: list(coord * (t[0] + t[1]) + t[2] + noobj * t[3] + t[4])},
    ),
    (
        EMPTY_IMAGE,
        "divides_by_the_number_of_objects",
        {
            "choose": lambda t, p, n: tuple(
                value / (ops.sum(t[..., 4:5], axis=(1, 2), keepdims=True) if k else 1)
                for k, value in enumerate(right_choice(t, p, n))
            )
        },
    ),
):
    add_wrong("16.5", rejected_by, losses(**options), name)

# 16.6 suppression

TWO = "of two boxes on one object the better stays"
CHAIN = "only boxes that are kept suppress others"
LIMITS = "what overlaps by the threshold exactly stays; of equal scores the first comes first"
MANY = "many boxes, as the library does it, the best first"
NONE = "no boxes: nothing is kept"


@wrong("16.6", rejected_by=CHAIN)
def suppressed_boxes_suppress(corners, scores, threshold):
    overlap = boxes.iou(corners, corners)
    order = np.argsort(-scores, kind="stable")
    return np.array([k for k in order if not (overlap[k][scores > scores[k]] > threshold).any()], int)


@wrong("16.6", rejected_by=MANY)
def in_the_order_they_came(corners, scores, threshold):
    return np.sort(boxes.nms(corners, scores, threshold))


@wrong("16.6", rejected_by=TWO)
def keeps_the_worst(corners, scores, threshold):
    return boxes.nms(corners, -scores, threshold)


@wrong("16.6", rejected_by=LIMITS)
def drops_at_the_threshold(corners, scores, threshold):
    return boxes.nms(corners, scores, threshold - 1e-9)


@wrong("16.6", rejected_by=TWO)
def returns_boxes(corners, scores, threshold):
    return corners[boxes.nms(corners, scores, threshold)]


@wrong("16.6", rejected_by=TWO)
def suppresses_nothing(corners, scores, threshold):
    return np.argsort(-scores, kind="stable")


@wrong("16.6", rejected_by=LIMITS)
def reverses_an_ascending_order(corners, scores, threshold):
    order = np.argsort(scores, kind="stable")[::-1]
    return order[boxes.nms(corners[order], np.arange(len(order), 0, -1), threshold)]


@wrong("16.6", rejected_by=MANY)
def forgets_negative_scores(corners, scores, threshold):
    return np.array([k for k in boxes.nms(corners, scores, threshold) if scores[k] > 0], int)


@wrong("16.6", rejected_by=NONE)
def stumbles_over_nothing(corners, scores, threshold):
    return [int(np.argmax(scores)), *boxes.nms(corners, scores, threshold)[1:].tolist()]


@wrong("16.6", rejected_by=MANY)
def the_best_alone_suppresses(corners, scores, threshold):
    order = np.argsort(-scores, kind="stable")
    if not len(order):
        return order
    return order[(boxes.iou(corners[order[:1]], corners[order])[0] <= threshold) | (np.arange(len(order)) == 0)]


@wrong("16.6", rejected_by=TWO)
def lists_for_positions(corners, scores, threshold):
    return boxes.nms(corners, scores, threshold).tolist()


@wrong("16.6", rejected_by=TWO)
def positions_with_a_point(corners, scores, threshold):
    return boxes.nms(corners, scores, threshold).astype(float)


@wrong("16.6", rejected_by=NONE)
def an_empty_array_with_a_point(corners, scores, threshold):
    return np.array(boxes.nms(corners, scores, threshold).tolist())


@wrong("16.6", rejected_by=TWO)
def a_mask(corners, scores, threshold):
    return np.isin(np.arange(len(scores)), boxes.nms(corners, scores, threshold))


@wrong("16.6", rejected_by=LIMITS)
def loses_the_order_of_equals(corners, scores, threshold):
    order = np.argsort(-scores, kind="heapsort")
    return order[boxes.nms(corners[order], np.arange(len(order), 0, -1), threshold)]


@wrong("16.6", rejected_by=TWO)
def does_not_sort(corners, scores, threshold):
    return boxes.nms(corners, np.arange(len(scores), 0, -1), threshold)


@wrong("16.6", rejected_by=TWO)
def places_in_the_sorted_list(corners, scores, threshold):
    order = np.argsort(-scores, kind="stable")
    return boxes.nms(corners[order], np.arange(len(order), 0, -1), threshold)


@wrong("16.6", rejected_by=MANY)
def a_threshold_of_its_own(corners, scores, threshold):
    return boxes.nms(corners, scores, 0.5)


# 16.7 detection

THREE = "boxes (n, 4), scores (n,) and classes (n,)"
TWO_CLASSES = "of one class, the better of two boxes at one place; of two classes, both"
FIELD = "a field, as the library finds it"
SILENT = "a score of `least` itself is enough; where no score is, there are no objects"


def detector(apart=True, suppresses=True, best=False, by_confidence=False, swap=False):
    def detect(prediction, stride, n_boxes, least, threshold):
        corners, scores = decoder()(prediction, stride, n_boxes)
        if by_confidence:
            confidence = prediction[..., 4 : 5 * n_boxes : 5]
            chosen = (confidence >= least)[..., None] & (scores == scores.max(axis=-1, keepdims=True))
        else:
            chosen = scores >= least
        if best:
            chosen &= scores == scores.max(axis=-1, keepdims=True)
        *places, of_class = np.nonzero(chosen)
        there, values = corners[tuple(places)], scores[chosen]
        kept = np.arange(len(values))
        if suppresses:
            kept = boxes.nms(there, values, threshold, of_class if apart else None)
        answer = there[kept], values[kept], of_class[kept]
        return (answer[0], answer[2], answer[1]) if swap else answer

    return detect


for rejected_by, name, options in (
    (TWO_CLASSES, "suppresses_across_classes", {"apart": False}),
    (TWO_CLASSES, "suppresses_nothing", {"suppresses": False}),
    (FIELD, "the_best_class_alone", {"best": True}),
    (FIELD, "chooses_by_confidence", {"by_confidence": True}),
    (FIELD, "swaps_scores_and_classes", {"swap": True}),
):
    add_wrong("16.7", rejected_by, detector(**options), name)


@wrong("16.7", rejected_by=THREE)
def one_entry_for_each_class(prediction, stride, n_boxes, least, threshold):
    corners, scores, classes = detector()(prediction, stride, n_boxes, least, threshold)
    return [[corners[classes == k], scores[classes == k], np.full((classes == k).sum(), k)] for k in (0, 1)]


@wrong("16.7", rejected_by=SILENT)
def always_finds_something(prediction, stride, n_boxes, least, threshold):
    _, scores = decoder()(prediction, stride, n_boxes)
    return detector()(prediction, stride, n_boxes, min(least, scores.max()), threshold)


@wrong("16.7", rejected_by=FIELD)
def swaps_the_two_limits(prediction, stride, n_boxes, least, threshold):
    return detector()(prediction, stride, n_boxes, threshold, least)


@wrong("16.7", rejected_by=SILENT)
def wants_more_than_least(prediction, stride, n_boxes, least, threshold):
    return detector()(prediction, stride, n_boxes, least + 1e-9, threshold)


@wrong("16.7", rejected_by=THREE)
def classes_with_a_point(prediction, stride, n_boxes, least, threshold):
    corners, scores, classes = detector()(prediction, stride, n_boxes, least, threshold)
    return corners, scores, classes.astype(float)


@wrong("16.7", rejected_by=THREE)
def lists_of_objects(prediction, stride, n_boxes, least, threshold):
    return tuple(part.tolist() for part in detector()(prediction, stride, n_boxes, least, threshold))


@wrong("16.7", rejected_by=TWO_CLASSES)
def counts_classes_from_one(prediction, stride, n_boxes, least, threshold):
    corners, scores, classes = detector()(prediction, stride, n_boxes, least, threshold)
    return corners, scores, classes + 1


@wrong("16.7", rejected_by=FIELD)
def looks_at_two_classes(prediction, stride, n_boxes, least, threshold):
    corners, scores, classes = detector()(prediction, stride, n_boxes, least, threshold)
    return corners[classes < 2], scores[classes < 2], classes[classes < 2]


@wrong("16.7", rejected_by=FIELD)
def looks_up_in_the_wrong_array(prediction, stride, n_boxes, least, threshold):
    every, scores = decoder()(prediction, stride, n_boxes)
    every, found = every.reshape(-1, 4), []
    for k in range(scores.shape[-1]):
        values = scores[..., k].reshape(-1)
        kept = boxes.nms(every[values >= least], values[values >= least], threshold)
        found.append((every[kept], values[values >= least][kept], np.full(len(kept), k)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


# 16.8 matching

ONCE = "an object is found once: the best score gets it"
SECOND = "of the free objects the one it overlaps most; its second best, where the best is taken"
LIMIT = "the threshold itself is enough"
MANY_MATCHED = "many detections, as the library matches them"
NOBODY = "without objects all are false alarms; without detections there is nothing"


@wrong("16.8", rejected_by=ONCE)
def finds_twice(corners, scores, truth, threshold):
    overlap = boxes.iou(corners, truth)
    if not len(truth):
        return np.full(len(corners), -1)
    return np.where(overlap.max(axis=1) >= threshold, overlap.argmax(axis=1), -1)


@wrong("16.8", rejected_by=ONCE)
def first_come_first_served(corners, scores, truth, threshold):
    return boxes.match(corners, -np.arange(len(scores)), truth, threshold)


@wrong("16.8", rejected_by=ONCE)
def the_worst_chooses_first(corners, scores, truth, threshold):
    return boxes.match(corners, -scores, truth, threshold)


@wrong("16.8", rejected_by=SECOND)
def has_no_second_choice(corners, scores, truth, threshold):
    found, seen = finds_twice(corners, scores, truth, threshold), set()
    for k in np.argsort(-scores, kind="stable"):
        if found[k] in seen:
            found[k] = -1
        seen.add(found[k])
    return found


@wrong("16.8", rejected_by=LIMIT)
def wants_more_than_the_threshold(corners, scores, truth, threshold):
    return boxes.match(corners, scores, truth, threshold + 1e-9)


@wrong("16.8", rejected_by=MANY_MATCHED)
def in_the_order_of_scores(corners, scores, truth, threshold):
    return boxes.match(corners, scores, truth, threshold)[np.argsort(-scores, kind="stable")]


@wrong("16.8", rejected_by=MANY_MATCHED)
def objects_choose(corners, scores, truth, threshold):
    found = np.full(len(corners), -1)
    overlap = boxes.iou(corners, truth)
    for k in range(len(truth)):
        free = np.where(found < 0, overlap[:, k], -1)
        if len(corners) and free.max() >= threshold:
            found[free.argmax()] = k
    return found


@wrong("16.8", rejected_by=NOBODY)
def stumbles_without_objects(corners, scores, truth, threshold):
    boxes.iou(corners, truth).max(axis=1)
    return boxes.match(corners, scores, truth, threshold)


@wrong("16.8", rejected_by=SECOND)
def takes_the_first_that_fits(corners, scores, truth, threshold):
    found, overlap = np.full(len(corners), -1), boxes.iou(corners, truth)
    for k in np.argsort(-scores, kind="stable"):
        fits = [j for j in range(len(truth)) if overlap[k, j] >= threshold and j not in found]
        found[k] = fits[0] if fits else -1
    return found


@wrong("16.8", rejected_by=MANY_MATCHED)
def deletes_what_is_found(corners, scores, truth, threshold):
    found, overlap = np.full(len(corners), -1), boxes.iou(corners, truth)
    for k in np.argsort(-scores, kind="stable"):
        if overlap.shape[1] and overlap[k].max() >= threshold:
            found[k] = overlap[k].argmax()
            overlap = np.delete(overlap, found[k], axis=1)
    return found


@wrong("16.8", rejected_by=NOBODY)
def zero_for_a_false_alarm(corners, scores, truth, threshold):
    return np.maximum(boxes.match(corners, scores, truth, threshold), 0)


@wrong("16.8", rejected_by=ONCE)
def lists_for_an_array_of_positions(corners, scores, truth, threshold):
    return boxes.match(corners, scores, truth, threshold).tolist()


@wrong("16.8", rejected_by=ONCE)
def right_or_wrong(corners, scores, truth, threshold):
    return boxes.match(corners, scores, truth, threshold) >= 0


@wrong("16.8", rejected_by=ONCE)
def numbers_with_a_point(corners, scores, truth, threshold):
    return boxes.match(corners, scores, truth, threshold).astype(float)


# 16.9 average precision

SIMPLE = "all found and nothing else: 1; half found: 51 of 101 recalls"
ALARM = "a false alarm with the best score halves the precision"
DENTS = "precision at a recall is the best at this recall or beyond"
MANY_READ = "many detections, as the library computes it"
NOTHING_THERE = "nothing right: 0; no detections: 0; nothing to find: NaN"


def area(
    points=101, best=True, order=lambda scores: np.argsort(-scores, kind="stable"), n=lambda right, n: n, cut=False
):
    def average_precision(scores, right, n_objects):
        if not n_objects:
            return np.nan
        right = right[order(scores)]
        hits = np.cumsum(right)
        with np.errstate(all="ignore"):
            precision, recall = hits / np.arange(1, len(hits) + 1), hits / n(right, n_objects)
        read = []
        for r in np.linspace(0, 1, points):
            reached = precision[recall >= r]
            if len(reached):
                read.append(reached.max() if best else reached[0])
            elif not cut:
                read.append(0.0)
        return np.mean(read) if read else 0.0

    return average_precision


for rejected_by, name, options in (
    (ALARM, "does_not_sort", {"order": lambda scores: np.arange(len(scores))}),
    (ALARM, "the_worst_first", {"order": lambda scores: np.argsort(scores, kind="stable")}),
    (DENTS, "keeps_the_dents", {"best": False}),
    (MANY_READ, "eleven_points", {"points": 11}),
    (SIMPLE, "recall_of_what_was_found", {"n": lambda right, n: right.sum()}),
    (SIMPLE, "leaves_out_recalls_never_reached", {"cut": True}),
):
    add_wrong("16.9", rejected_by, area(**options), name)


@wrong("16.9", rejected_by=DENTS)
def mean_of_precisions(scores, right, n_objects):
    precision, _ = boxes.precision_recall(scores, right, n_objects)
    right = right[np.argsort(-scores, kind="stable")]
    return precision[right].sum() / n_objects if n_objects else np.nan


@wrong("16.9", rejected_by=NOTHING_THERE)
def nothing_to_find_is_zero(scores, right, n_objects):
    return area()(scores, right, n_objects) if n_objects else 0.0


@wrong("16.9", rejected_by=ALARM)
def the_final_recall(scores, right, n_objects):
    return right.sum() / n_objects if n_objects else np.nan


@wrong("16.9", rejected_by=MANY_READ)
def trapezoids(scores, right, n_objects):
    if not n_objects or not len(right):
        return np.nan if not n_objects else 0.0
    precision, recall = boxes.precision_recall(scores, right, n_objects)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return np.trapezoid(np.append(best[0], best), np.append(0, recall))


def reading(rule):
    def average_precision(scores, right, n_objects):
        if not n_objects or not len(right):
            return np.nan if not n_objects else 0.0
        return float(rule(*boxes.precision_recall(scores, right, n_objects)))

    return average_precision


def envelope(precision):
    return np.maximum.accumulate(precision[::-1])[::-1]


for rejected_by, name, rule in (
    (
        SIMPLE,
        "divides_by_a_hundred",
        lambda p, r: sum(p[r >= at].max(initial=0) for at in np.linspace(0, 1, 101)) / 100,
    ),
    (
        SIMPLE,
        "more_than_the_recall",
        lambda p, r: np.mean([p[r > at + 1e-9].max(initial=0) for at in np.linspace(0, 1, 101)]),
    ),
    (SIMPLE, "up_to_the_recall", lambda p, r: np.mean([p[r <= at].max(initial=0) for at in np.linspace(0, 1, 101)])),
    (MANY_READ, "interpolates", lambda p, r: np.interp(np.linspace(0, 1, 101), r, envelope(p), right=0).mean()),
    (MANY_READ, "steps", lambda p, r: np.sum(np.diff(np.append(0, r)) * envelope(p))),
):
    add_wrong("16.9", rejected_by, reading(rule), name)
