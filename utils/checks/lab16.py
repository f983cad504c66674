"""Checks of lab 16, YOLO."""

import keras
import numpy as np
import scipy.special
from keras import ops

from utils import boxes
from utils.checks import Exercise, expect, run, subtest
from utils.losses import compiled, slope_of
from utils.results import SHARE, Claim

CLAIMS = {
    "map50": Claim(
        "mAP50 of the grid network on simulated fields (stars and galaxies brighter than i = 23.5)", ">= 0.85", SHARE
    ),
    "map75": Claim("mAP75 of the same", "<= 0.8", SHARE),
    "map_drop": Claim("mAP50 minus mAP75", ">= 0.08"),
    "list_map50": Claim(
        "mAP50 of the network that returns a list of boxes, trained by mean squared error", "<= 0.2", SHARE
    ),
    "roots_help_small": Claim("Mean IoU of small objects: with square roots minus without", ">= 0.02"),
    "noobj_lowers": Claim("Mean confidence in cells with an object: λ_noobj = 0.5 minus λ_noobj = 5", ">= 0.05"),
    "tile_recall_before": Claim(
        "Recall on the held-out part of the real tile (i < 23.5), trained on simulations", None, SHARE
    ),
    "tile_recall_mixed": Claim("The same after fine-tuning with real and simulated fields", None, SHARE),
    "sep_recall": Claim("The same for SEP", None, SHARE),
    "tile_precision_before": Claim("Precision on the held-out part, trained on simulations", None, SHARE),
    "tile_precision_mixed": Claim("The same after fine-tuning with real and simulated fields", None, SHARE),
    "sep_precision": Claim("The same for SEP", None, SHARE),
    "balance_before": Claim("Largest value that recall and precision reach both, trained on simulations", None, SHARE),
    "balance_alone": Claim("The same, fine-tuned on cut-outs of the real tile alone", None, SHARE),
    "balance_mixed": Claim("The same, fine-tuned on these and simulated fields", None, SHARE),
    "longer_map75": Claim("mAP75 of the grid network after 250 steps more", None, SHARE),
    "finer_map50": Claim("mAP50 of the anchor-free network with cells of 4 pixels", None, SHARE),
    "finer_map75": Claim("mAP75 of the same", None, SHARE),
    "finer_gain": Claim("mAP75 of the same minus that of the grid network after as many steps more", ">= 0.05"),
}


class Encode(Exercise):
    id = "16.1"
    title = "boxes to a grid of targets"
    hints = (
        "Which cell holds the centre of a box? Everything else is counted from the corner of that cell, in cells.",
        "Clip the box to the image and leave it out if nothing remains. Centre and size, divided by the stride, are in "
        "cells. The whole parts of y and x are row and column; what is left over goes into the target. Where the cell "
        "has an object already, leave it as it is.",
        "x, y = (x0 + x1) / 2 / stride, (y0 + y1) / 2 / stride; row, column = int(y), int(x); if target[row, column, "
        "4] "
        "== 0: target[row, column, :5] = x - column, y - row, (x1 - x0) / stride, (y1 - y0) / stride, 1, and "
        "target[row, column, 5 + of_class] = 1.",
    )

    def inputs(self, rng):
        def case(corners, height, width, stride, n_classes, classes=None):
            corners = np.asarray(corners, float).reshape(-1, 4)
            classes = rng.integers(n_classes, size=len(corners)) if classes is None else np.asarray(classes, int)
            return {
                "corners": corners,
                "classes": classes,
                "height": height,
                "width": width,
                "stride": stride,
                "n_classes": n_classes,
            }

        def spread(rows, columns, stride, n):
            """Boxes with centres in different cells, inside the image."""
            cells = rng.permutation((rows - 2) * (columns - 2))[:n]
            centre = (
                np.stack([cells % (columns - 2), cells // (columns - 2)], axis=1) + 1 + rng.uniform(0.1, 0.9, (n, 2))
            )
            size = rng.uniform(0.3, 1.9, (n, 2))
            return stride * boxes.convert(np.concatenate([centre, size], axis=1), "center_xywh", "xyxy")

        start = 16 * rng.integers(1, 3, 2)
        one_cell = np.array([[1, 2, 15, 14], [3, 3, 9, 9]]) + np.tile(start, 2)
        return {
            "one box": case([[20, 34, 36, 40]], 64, 96, 8, 2, [1]),
            "six boxes": case(spread(8, 8, 8, 6), 64, 64, 8, 2),
            "non-square, stride 4, three classes": case(spread(6, 11, 4, 7), 24, 44, 4, 3),
            "two in one cell": case(one_cell, 64, 48, 16, 2, [1, 0]),
            "two in one cell, the other way round": case(one_cell[::-1], 64, 48, 16, 2, [0, 1]),
            "on the edge of a cell": case(
                [[4, 20, 12, 28], [6, 22, 14, 30], [36, 9, 60, 20]], 48, 64, 8, 3, rng.permutation(3)
            ),
            "over the edges": case([[-2, 10, 12, 20], [50, -3, 60, 9], [50, 40, 75, 47]], 48, 64, 8, 2),
            "centres outside": case([[-20, 20, 4, 30], [30, 47, 38, 99], [20, 8, 30, 20]], 48, 64, 8, 2),
            "outside": case([[-9, 3, -1, 9], [10, 50, 20, 60], [70, 5, 90, 9], [20, 20, 30, 28]], 48, 64, 8, 2),
            "no objects": case([], 32, 40, 8, 3),
        }

    def reference(self):
        def encode(corners, classes, height, width, stride, n_classes):
            corners = boxes.clip(corners, height, width) / stride
            kept = np.flatnonzero(boxes.area(corners) > 0)[::-1]  # the first is written last
            inside = boxes.convert(corners[kept], "xyxy", "center_xywh")
            column, row = np.floor(inside[:, :2]).astype(int).T
            target = np.zeros((height // stride, width // stride, 5 + n_classes))
            for k, i, j in zip(range(len(kept)), row, column, strict=True):
                target[i, j] = 0
                target[i, j, :4] = inside[k] - [j, i, 0, 0]
                target[i, j, [4, 5 + classes[kept[k]]]] = 1
            return target

        return encode

    @subtest("an array of rows, columns, and 5 + classes numbers for each cell")
    def shapes(self, cases, observed):
        for name, case in cases.items():
            if name == "outside":
                continue  # has a sub-test of its own, with a word of advice
            rows, columns, depth = _grid(case)
            _array(observed[name], name)
            mistakes = {
                "Rows come first: height before width.": (columns, rows, depth),
                "There are 5 numbers of the box and one for each class.": (rows, columns, 4 + case["n_classes"]),
                "One class, one number: 5 + n_classes in all.": (rows, columns, 6),
            }
            expect.shape(observed[name], (rows, columns, depth), name, mistakes)

    @subtest("fourth number: 1 in the cell that holds the centre, 0 elsewhere")
    def cell(self, cases, observed):
        for name in ("six boxes", "one box", "non-square, stride 4, three classes"):
            case = cases[name]
            want = _centres(case, "centre")
            got = self._target(observed, cases, name)[..., 4]
            mistakes = {
                "This is the cell of the box's first corner: take the centre.": _centres(case, "corner"),
                "The centre was rounded to the next cell: cut off what is behind the point, int().": _centres(
                    case, "rounded"
                ),
                "Rows and columns are swapped: y says which row, x which column.": (
                    want.T if want.shape[0] == want.shape[1] else None
                ),
                "Every cell that the box covers is marked: only the one that holds the centre is.": _covered(case),
            }
            expect.close(got, want, f"{name}, number 4 of each cell", mistakes=mistakes)
        name = "on the edge of a cell"
        want = _centres(cases[name], "centre")
        before = np.zeros_like(want)
        for row, column in ((2, 0), (3, 1), (1, 5)):
            before[row, column] = 1
        mistakes = {"A centre on an edge lies in the cell that begins there: int() of 3.0 is 3.": before}
        got = self._target(observed, cases, name)[..., 4]
        expect.close(got, want, f"{name}, number 4 of each cell", mistakes=mistakes)

    @subtest("x and y: where in its cell the centre is, from 0 to 1")
    def place(self, cases, observed):
        for name in ("one box", "six boxes", "non-square, stride 4, three classes"):
            case, got = cases[name], self._target(observed, cases, name)
            rows, columns, centre, _ = _by_object(case)
            want = centre - np.stack([columns, rows], axis=1)
            stride, extent = case["stride"], np.array([case["width"], case["height"]])
            mistakes = {
                "These are pixels: divide by the stride.": want * stride,
                "These are cells from the corner of the image: subtract column and row.": centre,
                "These are pixels from the corner of the image.": centre * stride,
                "These are shares of the image: count in cells, from the corner of the cell.": centre * stride / extent,
                "x and y are swapped.": want[:, ::-1],
                "These count from the middle of the cell: count from its corner.": want - 0.5,
                "This is the corner of the box, not its centre.": _by_object(case, "corner")[2]
                - np.stack([columns, rows], axis=1),
                "What is behind the point is lost: the array holds whole numbers.": np.floor(want),
                "The centre was rounded to whole pixels: divide by 2 with /, not with //.": (
                    np.floor(centre * stride) / stride - np.stack([columns, rows], axis=1)
                ),
            }
            expect.close(got[rows, columns, :2], want, f"{name}, x and y of each object", atol=1e-5, mistakes=mistakes)

    @subtest("w and h: the size of the box, in cells as well")
    def size(self, cases, observed):
        for name in ("one box", "six boxes", "non-square, stride 4, three classes"):
            case, got = cases[name], self._target(observed, cases, name)
            rows, columns, _, want = _by_object(case)
            stride, extent = case["stride"], np.array([case["width"], case["height"]])
            mistakes = {
                "These are pixels, and x and y are cells: one unit for all four, divide by the stride.": want * stride,
                "These are shares of the image, and x and y are cells: one unit for all four.": want * stride / extent,
                "w and h are swapped.": want[:, ::-1],
                "This is half the size.": want / 2,
                "These are square roots: they come in the loss, not in the target.": np.sqrt(want),
                "What is behind the point is lost: the array holds whole numbers.": np.floor(want),
                "This is one pixel too many: x0 and x1 are edges, not pixels, so the width is x1 - x0.": want
                + 1 / stride,
            }
            expect.close(got[rows, columns, 2:4], want, f"{name}, w and h of each object", atol=1e-5, mistakes=mistakes)

    @subtest("the class: 1 at its place, 0 at the others")
    def classes(self, cases, observed):
        for name in ("non-square, stride 4, three classes", "one box", "six boxes"):
            case, got = cases[name], self._target(observed, cases, name)
            rows, columns, *_ = _by_object(case)
            want = np.asarray(keras.utils.to_categorical(case["classes"], case["n_classes"]))
            number = np.zeros_like(want)
            number[:, 0] = case["classes"]
            mistakes = {
                "The classes are counted from 0: the first has its place at number 5.": np.roll(want, 1, axis=1),
                "Classes are counted from 0: the first has its place at number 5.": np.append(
                    np.zeros((len(want), 1)), want[:, :-1], axis=1
                ),
                "The class is counted one place too early: the first has its place at number 5.": np.append(
                    want[:, 1:], np.zeros((len(want), 1)), axis=1
                ),
                "This is the number of the class: set a 1 at place 5 + class.": number,
            }
            expect.close(got[rows, columns, 5:], want, f"{name}, numbers 5, 6, … of each object", mistakes=mistakes)

    @subtest("two objects in one cell: the first keeps it, whole")
    def crowded(self, cases, observed):
        for name in ("two in one cell", "two in one cell, the other way round", "on the edge of a cell"):
            case, got = cases[name], self._target(observed, cases, name)
            rows, columns, centre, size = _by_object(case)
            cell, one_hot = got[rows[0], columns[0]], np.eye(case["n_classes"])[case["classes"]]
            each = [np.concatenate([centre[k] - [columns[k], rows[k]], size[k], [1], one_hot[k]]) for k in (0, 1)]
            both = each[1].copy()
            both[5:] = one_hot[:2].sum(axis=0)
            mistakes = {
                "The second has taken the place of the first.": each[1],
                "Both classes are set: this cell belongs to the first object alone.": both,
                "Both classes are set: leave the cell as it is once it has an object.": np.append(
                    each[0][:5], both[5:]
                ),
                "The two were added up.": each[0] + each[1],
            }
            expect.close(cell, each[0], f"{name}, the cell", atol=1e-5, mistakes=mistakes)

    @subtest("boxes are clipped to the image; of what lies outside nothing is kept")
    def edges(self, cases, observed):
        for name in ("over the edges", "centres outside", "outside"):
            case, got = cases[name], self._target(observed, cases, name)
            inside = boxes.clip(case["corners"], case["height"], case["width"])
            kept = inside[boxes.area(inside) > 0]
            found = _boxes_of(got, case["stride"])
            if len(found) < len(kept):
                why = "A box with its centre outside may reach into the image: clip the corners first, then ask."
            else:
                why = (
                    "A box of which nothing lies in the image has no cell (mind that negative rows count from the end)."
                )
            expect.true(
                len(found) == len(kept),
                f"{name}: expected {len(kept)} cells with an object, got {len(found)}. {why}",
            )
            order = np.lexsort(np.round(kept, 3).T), np.lexsort(np.round(found, 3).T)
            whole = case["corners"][boxes.area(inside) > 0]
            short = boxes.clip(whole, case["height"] - 1, case["width"] - 1)
            mistakes = {
                "The last edge of the image is at its width, not at width - 1.": short[
                    np.lexsort(np.round(short, 3).T)
                ],
                "These reach beyond the image: clip the corners first, then take centre and size.": (
                    whole[np.lexsort(np.round(whole, 3).T)]
                ),
            }
            expect.close(
                found[order[1]],
                kept[order[0]],
                f"{name}, boxes read back from the target",
                atol=1e-4,
                mistakes=mistakes,
            )

    @subtest("an empty field gives zeros alone; so do cells without an object")
    def empty(self, cases, observed):
        got = self._target(observed, cases, "no objects")
        expect.close(got, np.zeros(_grid(cases["no objects"])), "no objects")
        got = self._target(observed, cases, "six boxes")
        expect.close(got[got[..., 4] == 0], np.zeros_like(got[got[..., 4] == 0]), "six boxes, the other cells")

    def _target(self, observed, cases, name):
        _array(observed[name], name)
        expect.shape(observed[name], _grid(cases[name]), name)
        return np.asarray(observed[name], float)


class Decode(Exercise):
    id = "16.2"
    title = "from the grid back to boxes"
    hints = (
        "Take the first 5 × n_boxes numbers apart into n_boxes groups of 5. To which x must the column be added?",
        "prediction[..., : 5 * n_boxes].reshape(rows, columns, n_boxes, 5). np.arange(columns)[None, :, None] has the "
        "right shape to be added to x, np.arange(rows)[:, None, None] to y. Then times the stride; corners are "
        "centre ± "
        "half the size.",
        "b = prediction[..., :5 * n_boxes].reshape(rows, columns, n_boxes, 5); x = (b[..., 0] + columns…) * stride; …; "
        "boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=-1); scores = b[..., 4:5] * "
        "prediction[..., None, 5 * n_boxes:].",
    )

    def inputs(self, rng):
        def case(rows, columns, stride, n_boxes, n_classes):
            centre = rng.uniform(0, 1, (rows, columns, n_boxes, 2))
            size = rng.uniform(0.2, 3, (rows, columns, n_boxes, 2))
            confidence = rng.uniform(0.1, 0.9, (rows, columns, n_boxes, 1))
            of_class = rng.dirichlet(np.ones(n_classes), (rows, columns))
            flat = np.concatenate([centre, size, confidence], axis=-1).reshape(rows, columns, 5 * n_boxes)
            return {"prediction": np.concatenate([flat, of_class], axis=-1), "stride": stride, "n_boxes": n_boxes}

        one = np.zeros((2, 3, 6))
        one[1, 2] = 0.5, 0.25, 2, 1, 0.8, 1
        return {
            "one object": {"prediction": one, "stride": 8, "n_boxes": 1},
            "square": case(5, 5, 8, 2, 2),
            "non-square": case(3, 7, 16, 2, 3),
            "three boxes, one class": case(4, 3, 4, 3, 1),
            "single precision": case(2, 4, 8, 1, 2)
            | {"prediction": case(2, 4, 8, 1, 2)["prediction"].astype("float32")},
        }

    def reference(self):
        def decode(prediction, stride, n_boxes):
            rows, columns = prediction.shape[:2]
            numbers, of_class = np.split(prediction, [5 * n_boxes], axis=-1)
            each = np.stack(np.split(numbers, n_boxes, axis=-1), axis=2)
            corner = np.moveaxis(np.indices((rows, columns))[::-1], 0, -1)[:, :, None]
            centre = each[..., :2] + corner
            found = boxes.convert(np.concatenate([centre, each[..., 2:4]], axis=-1), "center_xywh", "xyxy") * stride
            return found, np.einsum("rcb,rck->rcbk", each[..., 4], of_class)

        return decode

    @subtest("boxes: (rows, columns, n_boxes, 4); scores: (rows, columns, n_boxes, classes)")
    def shapes(self, cases, observed):
        for name, case in cases.items():
            got, scores = _two(observed[name], "boxes and scores", name)
            rows, columns, depth = case["prediction"].shape
            for part, words in ((got, "boxes"), (scores, "scores")):
                _array(part, f"{name}, {words}")
            expect.shape(got, (rows, columns, case["n_boxes"], 4), f"{name}, boxes")
            expect.shape(scores, (rows, columns, case["n_boxes"], depth - 5 * case["n_boxes"]), f"{name}, scores")

    @subtest("the centre of a box: its place in the cell, and which cell")
    def centre(self, cases, observed):
        for name in cases:
            case = cases[name]
            got, _ = _two(observed[name], "boxes and scores", name)
            want = _decoded(case)
            expect.shape(_array(got, f"{name}, boxes"), want.shape, f"{name}, boxes")
            rows, columns = want.shape[:2]
            middle, stride = lambda b: (b[..., :2] + b[..., 2:]) / 2, case["stride"]
            corner = np.moveaxis(np.indices((rows, columns)), 0, -1)[:, :, None].astype(float)
            place, size = middle(want) / stride - corner[..., ::-1], want[..., 2:] - want[..., :2]
            mistakes = {
                "Column and row are not added: these count from the corner of the cell.": place * stride,
                "The row was added to x and the column to y: the other way round.": (place + corner) * stride,
                "These are cells: multiply by the stride.": middle(want) / stride,
                "Column and row were added after the multiplication by the stride: they are cells, too.": place * stride
                + corner[..., ::-1],
                "The place in the cell is cells, too: multiply all by the stride.": place + corner[..., ::-1] * stride,
                "This is half a cell too far: x and y count from the corner of the cell.": middle(want) + stride / 2,
                "This is one cell too far: rows and columns are counted from 0.": middle(want) + stride,
                "The numbers were taken apart the wrong way: first come five of the first box.": middle(
                    _decoded(_misread(case, "columns"))
                ),
                "The classes stand at the end, behind the numbers of all boxes.": middle(
                    _decoded(_misread(case, "classes first"))
                ),
                "All boxes of a cell are the first.": np.repeat(middle(want)[:, :, :1], case["n_boxes"], axis=2),
                "x and y are the centre of the box, not its first corner.": middle(want) + size / 2,
                "These were rounded to whole pixels: boxes end between pixels, too.": middle(np.round(want)),
                "These were clipped to the image: nobody asked for that here.": middle(
                    _within(want, rows, columns, stride)
                ),
                "These are whole numbers: what is behind the point is lost.": middle(np.trunc(want)),
                "The order is x0, y0, x1, y1.": middle(want)[..., ::-1],
                "These are centre and size: return the corners.": (middle(want) + size) / 2,
            }
            expect.close(middle(got), middle(want), f"{name}, centres", rtol=1e-4, atol=1e-3, mistakes=mistakes)

    @subtest("the corners of a box: centre minus and plus half the size")
    def size(self, cases, observed):
        for name in cases:
            case = cases[name]
            got, _ = _two(observed[name], "boxes and scores", name)
            want = _decoded(case)
            expect.shape(_array(got, f"{name}, boxes"), want.shape, f"{name}, boxes")
            middle, size, stride = (want[..., :2] + want[..., 2:]) / 2, want[..., 2:] - want[..., :2], case["stride"]
            mistakes = {
                "These are centre and size: return the corners.": np.concatenate([middle, size], axis=-1),
                "The size is cells, too: multiply it by the stride.": _around(middle, size / stride),
                "Half the size on each side, not all of it.": _around(middle, 2 * size),
                "w and h are swapped.": _around(middle, size[..., ::-1]),
                "The centre was taken for the first corner.": np.concatenate([middle, middle + size], axis=-1),
                "The order is x0, y0, x1, y1.": want[..., [1, 0, 3, 2]],
                "The order is x0, y0, x1, y1, not x0, x1, y0, y1.": want[..., [0, 2, 1, 3]],
                "w and h were squared: they are sizes, not roots.": _around(middle, (size / stride) ** 2 * stride),
                "The numbers were taken apart the wrong way: first come five of the first box.": _decoded(
                    _misread(case, "columns")
                ),
                "All boxes of a cell are the first.": np.repeat(want[:, :, :1], case["n_boxes"], axis=2),
                "These were rounded to whole pixels: boxes end between pixels, too.": np.round(want),
                "These were clipped to the image: nobody asked for that here.": _within(want, *want.shape[:2], stride),
                "These are whole numbers: what is behind the point is lost.": np.trunc(want),
            }
            expect.close(got, want, f"{name}, boxes", rtol=1e-4, atol=1e-3, mistakes=mistakes)

    @subtest("the score of a class: confidence of the box times probability of the class")
    def scores(self, cases, observed):
        for name, case in cases.items():
            got = _array(_two(observed[name], "boxes and scores", name)[1], f"{name}, scores")
            n_boxes, prediction = case["n_boxes"], case["prediction"]
            confidence, of_class = prediction[..., 4 : 5 * n_boxes : 5], prediction[..., 5 * n_boxes :]
            want = np.einsum("rcb,rck->rcbk", confidence, of_class)
            mistakes = {
                "These are the probabilities of the classes: times the confidence.": np.broadcast_to(
                    of_class[:, :, None], want.shape
                ),
                "These are the confidences: times the probability of the class.": np.broadcast_to(
                    confidence[..., None], want.shape
                ),
                "All boxes of the cell have the confidence of the first.": np.einsum(
                    "rcb,rck->rcbk", np.repeat(confidence[..., :1], n_boxes, axis=-1), of_class
                ),
                "This is the sum of both: take the product.": confidence[..., None] + of_class[:, :, None],
                "This is the root of the product.": np.sqrt(want),
                "The classes stand behind the numbers of all boxes, from place 5 * n_boxes on.": np.einsum(
                    "rcb,rck->rcbk", confidence, prediction[..., 5 : 5 + of_class.shape[-1]]
                ),
                "The numbers were taken apart the wrong way: first come five of the first box.": np.einsum(
                    "rcb,rck->rcbk", _misread(case, "columns")["prediction"][..., 4 : 5 * n_boxes : 5], of_class
                ),
                "The probabilities went through a softmax: they are probabilities already.": np.einsum(
                    "rcb,rck->rcbk", confidence, scipy.special.softmax(of_class, axis=-1)
                ),
            }
            expect.close(got, want, f"{name}, scores", rtol=1e-4, atol=1e-6, mistakes=mistakes)


class Overlap(Exercise):
    id = "16.3"
    title = "intersection over union, for tensors"
    hints = (
        "How long is the piece that two intervals share? It begins at the larger of the two beginnings.",
        "Corners are centre ± half the size. The sides of the intersection are minimum of the ends minus maximum of "
        "the "
        "beginnings, and 0 where that is negative. Union = area of a + area of b − intersection.",
        "first = ops.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2); last = ops.minimum(… + …); "
        "sides = "
        "ops.maximum(last - first, 0); both = sides[..., 0] * sides[..., 1]; return both / (union + 1e-9).",
    )

    def inputs(self, rng):
        def draw(*shape):
            return np.concatenate([rng.uniform(0, 3, (*shape, 2)), rng.uniform(0.5, 3, (*shape, 2))], axis=-1).astype(
                "float32"
            )

        a = draw(6)
        shifted = a + np.float32([0.5, 0, 0, 0]) * a[:, [2, 2, 2, 2]]
        apart = a + np.float32([20, 20, 0, 0])
        inside = a * np.float32([1, 1, 0.5, 0.5])
        return {
            "the same box": {"a": a, "b": a},
            "half a width apart": {"a": a, "b": shifted},
            "far apart": {"a": a, "b": apart},
            "half the size": {"a": a, "b": inside},
            "without area": {"a": a * np.float32([1, 1, 0, 0]), "b": a * np.float32([1, 1, 0, 0])},
            "random": {"a": draw(40), "b": draw(40)},
            "in a grid": {"a": draw(2, 3, 4, 2), "b": draw(2, 3, 4, 1)},
        }

    def observe(self, answer, cases):
        observed = {
            name: run(lambda a, b: answer(ops.convert_to_tensor(a), ops.convert_to_tensor(b)), **case)
            for name, case in cases.items()
        }
        a, b = cases["in a grid"].values()
        return observed | {"in a grid, in a training": run(lambda a, b: _compiled(answer, a, b), a, b)}

    def reference(self):
        def iou(a, b):
            joined = ops.broadcast_to(b, ops.shape(a + b))
            single = ops.reshape(ops.broadcast_to(a, ops.shape(a + b)), (-1, 1, 4))
            found = keras.utils.bounding_boxes.compute_iou(
                keras.utils.bounding_boxes.convert_format(single, "center_xywh", "xyxy"),
                keras.utils.bounding_boxes.convert_format(ops.reshape(joined, (-1, 1, 4)), "center_xywh", "xyxy"),
                bounding_box_format="xyxy",
            )
            return ops.reshape(found, ops.shape(joined)[:-1])

        return iou

    def _compare(self, cases, observed, name):
        a, b = cases[name]["a"].astype(float), cases[name]["b"].astype(float)
        want, mistakes = _overlaps(a, b), _overlap_mistakes(a, b)
        shapes = {
            "One number for each pair, without an axis of length 1 behind.": (*want.shape, 1),
            "Each box was compared with every other: compare them pair by pair.": 2 * want.shape,
            "One number for each pair, not one for all.": (),
        }
        expect.shape(observed[name], want.shape, name, shapes)
        expect.close(observed[name], want, name, rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("a box with itself: 1")
    def same(self, cases, observed):
        self._compare(cases, observed, "the same box")

    @subtest("shifted by half a width: 1/3; a quarter of the area inside: 1/4")
    def known(self, cases, observed):
        self._compare(cases, observed, "half a width apart")
        self._compare(cases, observed, "half the size")

    @subtest("boxes that are apart: 0, in both directions")
    def apart(self, cases, observed):
        self._compare(cases, observed, "far apart")

    @subtest("boxes without area: 0, not NaN")
    def nothing(self, cases, observed):
        expect.close(observed["without area"], np.zeros(6), "without area", atol=1e-4)

    @subtest("random boxes, as the library computes it; the order does not matter")
    def random(self, cases, observed):
        self._compare(cases, observed, "random")

    @subtest("each box of a cell with the one object of the cell")
    def grid(self, cases, observed):
        a, b = cases["in a grid"]["a"], cases["in a grid"]["b"]
        expect.shape(observed["in a grid"], a.shape[:-1], "in a grid: a (2, 3, 4, 2, 4), b (2, 3, 4, 1, 4)")
        want, mistakes = (
            _overlaps(a.astype(float), b.astype(float)),
            _overlap_mistakes(a.astype(float), b.astype(float)),
        )
        expect.close(observed["in a grid"], want, "in a grid", rtol=1e-3, atol=1e-4, mistakes=mistakes)

    @subtest("compiled, as in a training: the same, and of the type that came")
    def training(self, cases, observed):
        name = "in a grid, in a training"
        a, b = (cases["in a grid"][key].astype(float) for key in ("a", "b"))
        expect.close(observed[name], _overlaps(a, b), name, rtol=1e-3, atol=1e-4)
        _expect_type(observed[name], name)


class Responsible(Exercise):
    id = "16.4"
    title = "the responsible box"
    hints = (
        "Take the boxes of a cell apart as in exercise 16.2. Which overlaps best with the object of the cell?",
        "Reshape to (n, rows, columns, n_boxes, 5); iou of [..., :4] with target[..., None, :4]. ops.argmax over the "
        "boxes "
        "and ops.one_hot make a mask, which has to be 0 in cells without an object.",
        "overlaps = iou(boxes[..., :4], target[..., None, :4]); best = ops.one_hot(ops.argmax(overlaps, axis=-1), "
        "n_boxes); "
        "return overlaps, best * target[..., 4:5].",
    )

    def inputs(self, rng):
        def case(n, rows, columns, n_boxes, n_classes, share):
            return _loss_case(rng, n, rows, columns, n_boxes, n_classes, share)

        tied = case(1, 2, 2, 3, 2, 1.0)
        tied["prediction"][..., : 5 * 3] = np.tile(tied["prediction"][..., :5], 3)
        far = case(1, 2, 3, 2, 2, 1.0)
        far["prediction"][..., 0] += 50
        far["prediction"][..., 5] += 50
        sure = case(2, 3, 4, 2, 2, 0.8)
        sure["prediction"][..., 4::5][..., :2] = rng.permuted(np.tile([0.9, 0.1], (2, 3, 4, 1)), axis=-1)
        return {
            "two boxes": case(2, 4, 4, 2, 2, 0.5),
            "non-square, three boxes": case(3, 2, 5, 3, 3, 0.5),
            "sure of the wrong box": sure,
            "one box": case(2, 3, 3, 1, 2, 0.4),
            "all alike": tied,
            "all miss": far,
            "no objects": case(2, 3, 4, 2, 2, 0.0),
        }

    def observe(self, answer, cases):
        def at_hand(target, prediction, n_boxes):
            return answer(ops.convert_to_tensor(target), ops.convert_to_tensor(prediction), n_boxes)

        def in_training(target, prediction, n_boxes):
            return _compiled(lambda t, p: answer(t, p, n_boxes), target, prediction)

        observed = {name: run(at_hand, **case) for name, case in cases.items()}
        return observed | {"two boxes, in a training": run(in_training, **cases["two boxes"])}

    def reference(self):
        def responsible(target, prediction, n_boxes):
            groups = ops.split(prediction[..., : 5 * n_boxes], n_boxes, axis=-1)
            overlaps = ops.stack([_overlaps_by_keras(group[..., :4], target[..., :4]) for group in groups], axis=-1)
            _, best = ops.top_k(overlaps, 1)
            chosen = ops.cast(ops.equal(best, ops.arange(n_boxes)), "float32")
            return overlaps, chosen * target[..., 4:5]

        return responsible

    def _each(self, cases, observed, name):
        got = _two(observed[name], "overlaps and the mask", name)
        want = (*cases[name]["prediction"].shape[:3], cases[name]["n_boxes"])
        alone = {"This is the largest overlap: return those of all boxes.": want[:3]}
        position = {"This is one number a cell: ops.one_hot makes a mask of the place of the best box.": want[:3]}
        expect.shape(got[0], want, f"{name}, overlaps", alone)
        expect.shape(got[1], want, f"{name}, responsible", position)
        return np.asarray(got[0], float), np.asarray(got[1], float)

    @subtest("the overlap of each box with the object of its cell")
    def overlaps(self, cases, observed):
        for name in ("two boxes", "non-square, three boxes", "one box"):
            case = cases[name]
            got, _ = self._each(cases, observed, name)
            each, objects = _each_box(case)
            has = case["target"][..., 4] == 1
            want = _overlaps(each[has][..., :4], objects[has][:, None, :4])
            flat = case["prediction"].astype(float)[has][:, : 5 * case["n_boxes"]]
            apart = flat.reshape(len(flat), 5, case["n_boxes"]).swapaxes(1, 2)
            mistakes = {
                "The two results are exchanged: first the overlaps, then who is responsible.": np.eye(case["n_boxes"])[
                    want.argmax(axis=-1)
                ],
                "Boxes that are not responsible overlap, too: return the overlaps of all.": (
                    want * np.eye(case["n_boxes"])[want.argmax(axis=-1)]
                ),
                "The numbers were taken apart the wrong way: first come five of the first box.": _overlaps(
                    apart[..., :4], objects[has][:, None, :4]
                ),
            }
            expect.close(
                got[has], want, f"{name}, overlaps in cells with an object", rtol=1e-3, atol=1e-4, mistakes=mistakes
            )

    @subtest("one box in each cell with an object, none in the others")
    def count(self, cases, observed):
        for name in ("two boxes", "non-square, three boxes", "one box", "all miss", "all alike", "no objects"):
            _, mask = self._each(cases, observed, name)
            want = cases[name]["target"][..., 4]
            mistakes = {
                "A box is responsible in empty cells, too: multiply by the fourth number of the target.": np.ones_like(
                    want
                ),
                "All boxes of a cell are responsible: only the best is.": want * cases[name]["n_boxes"],
            }
            each, objects = _each_box(cases[name])
            overlap = _overlaps(each[..., :4], objects[..., None, :4])
            for least in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
                words = "All boxes with enough overlap are responsible: the best one is, however little it overlaps."
                mistakes[f"{words} (More than {least}.)"] = want * (overlap > least).sum(axis=-1)
            equal = (overlap > overlap.max(axis=-1, keepdims=True) - 1e-9).sum(axis=-1)
            mistakes["Of equally good boxes all are responsible: the first is."] = want * equal
            mistakes["A cell without overlap has a responsible box, too: the first."] = want * (overlap.max(-1) > 0)
            mistakes = _apart(mistakes, most=2)
            expect.close(mask.sum(axis=-1), want, f"{name}, number of responsible boxes", mistakes=mistakes)

    @subtest("the one with the largest overlap, however sure the others are")
    def best(self, cases, observed):
        for name in ("two boxes", "non-square, three boxes", "sure of the wrong box"):
            case = cases[name]
            _, mask = self._each(cases, observed, name)
            each, objects = _each_box(case)
            n_boxes, has = case["n_boxes"], case["target"][..., 4:5]
            overlap = _overlaps(each[..., :4], objects[..., None, :4])
            offset = np.linalg.norm(each[..., :2] - objects[..., None, :2], axis=-1)
            mistakes = {
                "This is the box with the largest confidence.": np.eye(n_boxes)[each[..., 4].argmax(-1)] * has,
                "This is the box with the smallest overlap.": np.eye(n_boxes)[overlap.argmin(-1)] * has,
                "This is the box with the nearest centre: its size counts, too.": np.eye(n_boxes)[offset.argmin(-1)]
                * has,
                "This is the box with the largest overlap times confidence: the overlap alone decides.": (
                    np.eye(n_boxes)[(overlap * each[..., 4]).argmax(-1)] * has
                ),
                "This is always the first box.": np.eye(n_boxes)[np.zeros(overlap.shape[:-1], int)] * has,
            }
            expect.close(mask, np.eye(n_boxes)[overlap.argmax(-1)] * has, f"{name}, responsible", mistakes=mistakes)

    @subtest("of equally good boxes the first")
    def ties(self, cases, observed):
        for name in ("all alike", "all miss"):
            _, mask = self._each(cases, observed, name)
            want = np.zeros_like(mask)
            want[..., 0] = cases[name]["target"][..., 4]
            last = np.zeros_like(want)
            last[..., -1] = cases[name]["target"][..., 4]
            mistakes = {"This is the last of the best: the first is responsible.": last}
            expect.close(mask, want, f"{name}, responsible", mistakes=mistakes)

    @subtest("compiled, as in a training: the same, and of the type that came")
    def training(self, cases, observed):
        name = "two boxes, in a training"
        got = _two(observed[name], "overlaps and the mask", name)
        each, objects = _each_box(cases["two boxes"])
        has, overlap = objects[..., 4] == 1, _overlaps(each[..., :4], objects[..., None, :4])
        want = np.eye(2)[overlap.argmax(axis=-1)] * has[..., None]
        for part, wanted, words in zip(got, (overlap, want), ("overlaps", "responsible"), strict=True):
            expect.shape(part, wanted.shape, f"{name}, {words}")
            expect.close(part[has], wanted[has], f"{name}, {words}", rtol=1e-3, atol=1e-4)
            _expect_type(part, f"{name}, {words}")


ORDINALS = ("first", "second", "third", "fourth", "fifth")
NAMES = ("x and y", "w and h", "confidence of responsible boxes", "confidence of the others", "classes")


class Loss(Exercise):
    id = "16.5"
    title = "the loss, five terms"
    hints = (
        "Each term is a squared error times a mask, summed over cells and boxes, image by image. What is the mask of "
        "each?",
        "Masks: responsible for the first three, 1 − responsible for the fourth, target[..., 4] for the classes. "
        "Aims: x "
        "and y of the target; √w and √h; the overlap (through ops.stop_gradient); 0; the class numbers of the target.",
        "xy = responsible * ops.sum((boxes[..., :2] - aim[..., :2]) ** 2, axis=-1), with aim = target[..., None, "
        ":4]; sure "
        "= responsible * (boxes[..., 4] - ops.stop_gradient(overlaps)) ** 2; unsure = (1 - responsible) * boxes[..., "
        "4] ** "
        "2; each then ops.sum(…, axis=(1, 2, 3)). Loss: lambda_coord * (xy + wh) + sure + lambda_noobj * unsure + "
        "classes.",
    )

    def inputs(self, rng):
        perfect = _loss_case(rng, 2, 3, 4, 2, 2, 0.5)
        for start in (0, 5):
            perfect["prediction"][..., start : start + 5] = perfect["target"][..., :5]
            perfect["prediction"][..., start + 2 : start + 4] += 1e-6  # sizes above 0 in empty cells
        perfect["prediction"][..., 10:] = perfect["target"][..., 5:]
        empty = _loss_case(rng, 3, 4, 3, 2, 2, 0.0)
        mixed = _loss_case(rng, 3, 3, 3, 2, 2, 0.5)
        mixed["target"][1] = 0
        return {
            "two boxes": _loss_case(rng, 3, 4, 5, 2, 2, 0.4),
            "three boxes": _loss_case(rng, 2, 3, 2, 3, 4, 0.6),
            "one box": _loss_case(rng, 2, 4, 4, 1, 2, 0.3),
            "perfect": perfect,
            "no objects": empty,
            "one empty image": mixed,
        }

    def observe(self, answer, cases):
        loss_terms, yolo_loss = answer
        observed = {}
        for name, case in cases.items():
            target, n_boxes = case["target"], case["n_boxes"]

            def terms(prediction, target=target, n_boxes=n_boxes, **options):
                found = loss_terms(ops.convert_to_tensor(target), ops.convert_to_tensor(prediction), n_boxes, **options)
                return list(found)

            def loss(prediction, target=target, n_boxes=n_boxes, **options):
                return yolo_loss(ops.convert_to_tensor(target), ops.convert_to_tensor(prediction), n_boxes, **options)

            def slope_of_confidence(prediction, terms=terms):
                return slope_of(lambda p: ops.sum(terms(p)[2]), prediction)

            def slope_of_loss(prediction, loss=loss):
                return slope_of(lambda p: ops.sum(loss(p)), prediction)

            prediction = case["prediction"]
            observed[name] = run(terms, prediction)
            if name in ("two boxes", "three boxes"):
                observed[f"{name}, without roots"] = run(lambda p, terms=terms: terms(p, roots=False), prediction)
                observed[f"{name}, slope of the confidence"] = run(slope_of_confidence, prediction)
            if name == "two boxes":

                def compiled_loss(prediction, target, n_boxes=n_boxes):
                    return _compiled(lambda t, p: yolo_loss(t, p, n_boxes), target, prediction)

                observed[f"{name}, in a training"] = run(compiled_loss, prediction, target)
                observed[f"{name}, loss without roots"] = run(lambda p, loss=loss: loss(p, roots=False), prediction)
            if name in ("two boxes", "one empty image"):
                weights = {"lambda_coord": 2.0, "lambda_noobj": 0.25}
                observed[f"{name}, loss"] = run(loss, prediction)
                observed[f"{name}, other weights"] = run(lambda p, loss=loss, w=weights: loss(p, **w), prediction)
            if name in ("no objects", "one empty image"):
                observed[f"{name}, slope of the loss"] = run(slope_of_loss, prediction)
        return observed

    def reference(self):
        def loss_terms(target, prediction, n_boxes, roots=True):
            terms = [0.0] * 5
            shape = (lambda value: ops.sqrt(value)) if roots else (lambda value: value)
            groups = ops.split(prediction[..., : 5 * n_boxes], n_boxes, axis=-1)
            overlaps = ops.stack([_overlaps_by_keras(group[..., :4], target[..., :4]) for group in groups], axis=-1)
            overlaps = ops.stop_gradient(overlaps)
            best = ops.one_hot(ops.argmax(overlaps, axis=-1), n_boxes) * target[..., 4:5]
            for k, group in enumerate(groups):
                mine = best[..., k]
                terms[0] += ops.einsum("nrc,nrcd->n", mine, ops.square(group[..., :2] - target[..., :2]))
                error = ops.square(shape(group[..., 2:4]) - shape(target[..., 2:4]))
                terms[1] += ops.einsum("nrc,nrcd->n", mine, error)
                terms[2] += ops.einsum("nrc,nrc->n", mine, ops.square(group[..., 4] - overlaps[..., k]))
                terms[3] += ops.einsum("nrc,nrc->n", 1 - mine, ops.square(group[..., 4]))
            error = ops.square(prediction[..., 5 * n_boxes :] - target[..., 5:])
            terms[4] = ops.einsum("nrc,nrck->n", target[..., 4], error)
            return terms

        def yolo_loss(target, prediction, n_boxes, lambda_coord=5.0, lambda_noobj=0.5, roots=True):
            weights = (lambda_coord, lambda_coord, 1.0, lambda_noobj, 1.0)
            terms = loss_terms(target, prediction, n_boxes, roots)
            return sum(weight * term for weight, term in zip(weights, terms, strict=True))

        return loss_terms, yolo_loss

    def _term(self, cases, observed, number, names, mistakes=None, suffix=""):
        for name in names:
            case = cases[name]
            got = self._five(observed[name + suffix], name, len(case["target"]))
            want = _terms(case, roots=not suffix)
            wrong = {words: _terms(case, **options)[number] for words, options in (mistakes or {}).items()}
            wrong["This is one number for all images: sum over cells and boxes, keep the images."] = want[number].sum()
            for other in {0, 1, 2, 3, 4} - {number}:
                words = f"This is the {ORDINALS[other]} term, {NAMES[other]}: mind the order."
                wrong[words] = want[other] if want[other].any() else None
            if want[number].any():
                wrong["The weights come in yolo_loss: the terms are without."] = want[number] * (
                    0.5 if number == 3 else 5
                )
                if number < 3 or number == 4:
                    wrong["This is half of it: add up, over the last axis, too; a mean over two numbers halves."] = (
                        want[number] / 2
                    )
            if number == 1:
                wrong["w and h are swapped on one side."] = _terms(
                    case, roots="swapped" if not suffix else "plain, swapped"
                )[1]
            if number == 4:
                wrong["This is the cross-entropy: v1 takes squared errors of the classes, too."] = _cross_entropy(case)
            expect.close(
                got[number],
                want[number],
                f"{name}{suffix}, {NAMES[number]}",
                rtol=1e-3,
                atol=1e-4,
                mistakes=_apart(wrong),
            )

    def _five(self, got, name, n):
        if isinstance(got, list) and len(got) == 5:
            return got
        advice = ""
        if isinstance(got, list) and len(got) == 4:
            advice = " x and y are one term, w and h another."
        elif isinstance(got, list) and len(got) == n and np.shape(got[0]) == (5,):
            advice = " These are the images, with five numbers each: the terms come first."
        raise expect.NotYet(f"{name}: expected a list of five terms, got {expect.show(got)}.{advice}")

    @subtest("x and y: squared error of the responsible box")
    def xy(self, cases, observed):
        mistakes = {
            "All boxes of the cell count here: only the responsible one has a place to learn.": {"mask": "object"},
            "Empty cells count here: their target is no place.": {"mask": "all"},
            "Empty cells count here, too: their target is no place.": {"mask": "empty, too"},
            "The mean was taken: v1's loss is a sum.": {"mean": True},
            "This is the absolute error: square it.": {"power": 1},
            "The box with the largest confidence was taken to be responsible.": {"mask": "confident"},
        }
        self._term(cases, observed, 0, ("two boxes", "three boxes", "one box"), mistakes)

    @subtest("w and h: squared error of their square roots")
    def wh(self, cases, observed):
        mistakes = {
            "There are no square roots in this.": {"roots": False},
            "The root of the prediction was compared with the size itself: take both roots.": {"roots": "half"},
            "The root of the aim was compared with the size itself: take both roots.": {"roots": "other half"},
            "The root was taken of the squared error: take the roots of w and h.": {"roots": "outside"},
            "These are logarithms: v1 takes square roots.": {"roots": "log"},
            "All boxes of the cell count here: only the responsible one does.": {"mask": "object"},
            "Empty cells count here: their target is no size.": {"mask": "all"},
            "Empty cells count here, too: their target is no size.": {"mask": "empty, too"},
            "The mean was taken: v1's loss is a sum.": {"mean": True},
            "The box with the largest confidence was taken to be responsible.": {"mask": "confident"},
        }
        self._term(cases, observed, 1, ("two boxes", "three boxes", "one box"), mistakes)

    @subtest("w and h with roots=False: squared error of the sizes themselves")
    def plain(self, cases, observed):
        mistakes = {"roots=False changes nothing in your function.": {"roots": True}}
        self._term(cases, observed, 1, ("two boxes", "three boxes"), mistakes, ", without roots")

    @subtest("confidence of responsible boxes: it aims at the overlap")
    def sure(self, cases, observed):
        mistakes = {
            "This aims at 1: the aim is the overlap with the object.": {"aim": "one"},
            "This aims at 1 or 0: the aim is the overlap itself.": {"aim": "half"},
            "All boxes of the cell count here: the others belong to the fourth term.": {"mask": "object"},
            "The mean was taken: v1's loss is a sum.": {"mean": True},
            "The box with the largest confidence was taken to be responsible.": {"mask": "confident"},
        }
        self._term(cases, observed, 2, ("two boxes", "three boxes", "one box"), mistakes)

    @subtest("no gradient goes through the overlap")
    def stopped(self, cases, observed):
        for name in ("two boxes", "three boxes"):
            slope = np.asarray(observed[f"{name}, slope of the confidence"])
            n_boxes = cases[name]["n_boxes"]
            expect.shape(slope, cases[name]["prediction"].shape, f"{name}, slope of the third term")
            each = slope[..., : 5 * n_boxes].reshape(*slope.shape[:-1], n_boxes, 5)
            expect.true(
                abs(each[..., :4]).max() < 1e-6,
                f"{name}: the third term changes with x, y, w and h of the boxes, so training would move boxes to fit "
                "their confidence. The overlap is an aim: hand it through ops.stop_gradient.",
            )
            expect.true(abs(each[..., 4]).max() > 1e-3, f"{name}: the third term does not change with the confidences.")

    @subtest("confidence of all other boxes: it aims at 0")
    def unsure(self, cases, observed):
        mistakes = {
            "Only empty cells count here: boxes that are not responsible belong to it in all cells.": {
                "others": "empty"
            },
            "All boxes count here: responsible ones do not belong to it.": {"others": "all"},
            "The mean was taken: v1's loss is a sum.": {"mean": True},
        }
        self._term(cases, observed, 3, ("two boxes", "three boxes", "one box"), mistakes)

    @subtest("classes: squared error in cells with an object, once for each cell")
    def classes(self, cases, observed):
        mistakes = {
            "Empty cells count here: they have no class.": {"mask": "all"},
            "Each box of the cell counts: a cell has one class.": {"repeat": True},
            "The mean was taken: v1's loss is a sum.": {"mean": True},
        }
        self._term(cases, observed, 4, ("two boxes", "three boxes", "one box"), mistakes)

    @subtest("an image without objects has the fourth term alone, and no NaN anywhere")
    def empty(self, cases, observed):
        for name in ("no objects", "one empty image"):
            for number in (0, 1, 2, 4):
                self._term(cases, observed, number, (name,))
            self._term(cases, observed, 3, (name,))
            slope = np.asarray(observed[f"{name}, slope of the loss"])
            expect.true(
                bool(np.isfinite(slope).all()), f"{name}: the gradient of the loss has values that are not finite."
            )

    @subtest("a perfect prediction costs nothing but the confidence of its second box")
    def perfect(self, cases, observed):
        got = self._five(observed["perfect"], "perfect", len(cases["perfect"]["target"]))
        for number in (0, 1, 2, 4):
            expect.close(got[number], np.zeros(2), f"perfect, {NAMES[number]}", atol=1e-3)

    @subtest("the loss: λ_coord for the first two terms, λ_noobj for the fourth, roots as handed over")
    def weights(self, cases, observed):
        for name in ("two boxes", "one empty image"):
            for suffix, coord, noobj in ((", loss", 5, 0.5), (", other weights", 2, 0.25)):
                self._compare_loss(observed[name + suffix], cases[name], f"{name}{suffix}", coord, noobj)
        suffix = ", loss without roots"
        self._compare_loss(observed["two boxes" + suffix], cases["two boxes"], "two boxes" + suffix, roots=False)

    def _compare_loss(self, got, case, what, coord=5, noobj=0.5, roots=True):
        terms = _terms(case, roots=roots)

        def total(a=coord, b=coord, c=1, d=noobj, e=1):
            return np.tensordot([a, b, c, d, e], terms, 1)

        want = total()
        mistakes = {
            "The weights are missing.": total(1, 1, 1, 1),
            "λ_coord is for the first two terms, x, y and w, h.": total(b=1),
            "λ_noobj belongs to the fourth term, not to the third.": total(c=noobj, d=1),
            "λ_coord and λ_noobj are exchanged.": total(noobj, noobj, 1, coord),
            "The weights are those of the paper, whatever is handed over.": total(5, 5, 1, 0.5),
            "λ_coord is for the first two terms, not for the classes.": total(e=coord),
            "The classes are missing.": total(e=0),
            "The term of responsible boxes' confidences is missing.": total(c=0),
            "The term of the others' confidences is missing.": total(d=0),
            "The weights come twice: the terms are without.": total(coord**2, coord**2, 1, noobj**2),
            "This is the sum over images: return one number for each.": want.sum(),
            "This is the mean over images: return one number for each.": want.mean(),
        }
        words = "roots=False changes nothing: yolo_loss has to hand it on to loss_terms."
        if roots:
            words = "There are no square roots in this: `roots` is True where nobody says otherwise."
        mistakes[words] = np.tensordot([coord, coord, 1, noobj, 1], _terms(case, roots=not roots), 1)
        expect.close(got, want, what, rtol=1e-3, atol=1e-4, mistakes=_apart(mistakes))

    @subtest("compiled, as in a training: the same loss")
    def training(self, cases, observed):
        name = "two boxes, in a training"
        self._compare_loss(observed[name], cases["two boxes"], name)
        expect.true(isinstance(observed[name], np.ndarray), f"{name}: expected a tensor, got a list.")
        _expect_type(observed[name], name)


class Suppress(Exercise):
    id = "16.6"
    title = "non-maximum suppression"
    hints = (
        "The best box stays. Which of the others may still stay?",
        "Sort the positions by score, the best first. As long as some are left: take the first, keep it, and go on "
        "with "
        "those that overlap it by no more than the threshold.",
        "waiting = np.argsort(-scores, kind='stable'); while len(waiting): best = waiting[0]; kept.append(best); "
        "waiting = "
        "waiting[1:]; waiting = waiting[overlaps of best and waiting <= threshold].",
    )
    forbidden = ("utils.boxes.nms", "tensorflow.image.non_max_suppression")

    def inputs(self, rng):
        def cloud(n, extent=40):
            corner = rng.uniform(0, extent, (n, 2))
            return np.concatenate([corner, corner + rng.uniform(5, 25, (n, 2))], axis=1)

        chain = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10.0]])  # the middle one overlaps both others
        equal = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [30, 30, 40, 40.0]])
        return {
            "two of one object": {
                "corners": np.array([[0, 0, 10, 10], [1, 0, 11, 10.0]]),
                "scores": np.array([0.6, 0.8]),
                "threshold": 0.5,
            },
            "a chain": {"corners": chain, "scores": np.array([0.9, 0.8, 0.7]), "threshold": 0.4},
            "at the threshold": {
                "corners": np.array([[0, 0, 10, 10], [5, 0, 15, 10], [0, 0, 10, 5.0]]),
                "scores": np.array([0.9, 0.8, 0.7]),
                "threshold": 0.5,
            },
            "equal scores": {"corners": equal, "scores": np.array([0.5, 0.5, 0.5]), "threshold": 0.5},
            "many, loose": {"corners": cloud(60), "scores": rng.permutation(60) / 60 + 0.01, "threshold": 0.6},
            "many, strict": {"corners": cloud(80), "scores": rng.permutation(80) / 80 + 0.01, "threshold": 0.2},
            "many of equal score": {
                "corners": cloud(60, 60),
                "scores": rng.permutation(np.repeat([0.25, 0.5, 0.75], 20)),
                "threshold": 0.4,
            },
            "negative scores": {"corners": cloud(30), "scores": rng.permutation(30) / 30 - 2, "threshold": 0.3},
            "no boxes": {"corners": np.zeros((0, 4)), "scores": np.zeros(0), "threshold": 0.5},
        }

    def reference(self):
        def suppress(corners, scores, threshold):
            return boxes.nms(corners, scores, threshold)

        return suppress

    def _compare(self, cases, observed, name):
        case = cases[name]
        corners, scores, threshold = case["corners"], case["scores"], case["threshold"]
        want = boxes.nms(corners, scores, threshold)
        overlap = boxes.iou(corners, corners)
        order = np.argsort(-scores, kind="stable")
        free = [k for k in order if not (overlap[k][scores > scores[k]] > threshold).any()]
        by_default = np.argsort(-scores)
        by_best = order[:1].tolist() + [k for k in order[1:] if overlap[order[0], k] <= threshold]
        mistakes = {
            "These are in the order in which they came: the best first.": np.sort(want),
            "A box that was itself suppressed has suppressed this one: only kept boxes do.": free,
            "The worst are kept: sort so that the best comes first.": boxes.nms(corners, -scores, threshold),
            "The boxes were taken in the order in which they came: the best comes first.": boxes.nms(
                corners, -np.arange(len(scores)), threshold
            ),
            "These are places in the sorted list: return where the boxes stand in `corners`.": np.argsort(order)[want],
            "This is the best box alone: go on with those that are left.": want[:1] if len(want) > 1 else None,
            "Only the best box of all suppresses others: go on with the best of the rest.": by_best,
            "Of equal scores the last comes first: an ascending order was turned round.": len(scores)
            - 1
            - boxes.nms(corners[::-1], scores[::-1], threshold),
            "Equal scores lost their order: np.argsort keeps it with kind='stable'.": by_default[
                boxes.nms(corners[by_default], -np.arange(len(scores)), threshold)
            ],
            "Nothing is suppressed.": order,
            "The worst comes first: turn the order round.": want[::-1],
            "Boxes with a score of 0 or less are left out.": want[scores[want] > 0],
            "Boxes at the threshold are suppressed: only those above it.": boxes.nms(corners, scores, threshold - 1e-9),
            "Those that overlap by more than the threshold were kept: they go.": order[:1].tolist()
            + [k for k in order[1:] if overlap[order[0], k] > threshold],
        }
        for fixed in (0.3, 0.4, 0.5):
            words = f"The threshold is {fixed}, whatever is handed over."
            mistakes[words] = boxes.nms(corners, scores, fixed) if fixed != threshold else None
        mistakes = {
            words: value for words, value in mistakes.items() if value is not None and not np.array_equal(value, want)
        }
        got = observed[name]
        if len(np.shape(got)) == 2:
            raise expect.NotYet(f"{name}: expected positions, whole numbers, got boxes: return where they stand.")
        expect.close(_array(got, name, whole=True), want, f"{name}, positions kept", mistakes=_apart(mistakes))

    @subtest("of two boxes on one object the better stays")
    def two(self, cases, observed):
        self._compare(cases, observed, "two of one object")

    @subtest("only boxes that are kept suppress others")
    def chain(self, cases, observed):
        self._compare(cases, observed, "a chain")

    @subtest("what overlaps by the threshold exactly stays; of equal scores the first comes first")
    def limits(self, cases, observed):
        self._compare(cases, observed, "at the threshold")
        self._compare(cases, observed, "equal scores")
        self._compare(cases, observed, "many of equal score")

    @subtest("many boxes, as the library does it, the best first")
    def many(self, cases, observed):
        for name in ("many, loose", "many, strict", "negative scores"):
            self._compare(cases, observed, name)

    @subtest("no boxes: nothing is kept")
    def none(self, cases, observed):
        expect.shape(observed["no boxes"], (0,), "no boxes")
        _array(observed["no boxes"], "no boxes", whole=True)


class Detect(Exercise):
    id = "16.7"
    title = "from a prediction to a list of objects"
    hints = (
        "decode gives a score for each cell, box and class. Flatten, choose, suppress: class by class.",
        "For each class: scores[..., k].reshape(-1), boxes.reshape(-1, 4), those with a score of at least `least`, "
        "then "
        "suppress. Collect boxes, scores and the number of the class, and join them in the end.",
        "for k in range(n_classes): chosen = scores[..., k] >= least (it may index both arrays); b, s = boxes[chosen], "
        "scores[..., k][chosen]; kept = suppress(b, s, threshold); append b[kept], s[kept], np.full(len(kept), k). "
        "Then "
        "np.concatenate each.",
    )

    def inputs(self, rng):
        def case(rows, columns, stride, n_boxes, n_classes, least, threshold):
            count = (rows, columns, n_boxes)
            each = [rng.uniform(0, 1, (*count, 2)), rng.uniform(1, 4, (*count, 2)), rng.uniform(0, 1, (*count, 1))]
            of_class = rng.dirichlet(np.ones(n_classes), (rows, columns))
            flat = np.concatenate(each, axis=-1).reshape(rows, columns, 5 * n_boxes)
            return {
                "prediction": np.concatenate([flat, of_class], axis=-1),
                "stride": stride,
                "n_boxes": n_boxes,
                "least": least,
                "threshold": threshold,
            }

        pair = np.zeros((1, 2, 7))
        pair[0, 0] = 0.9, 0.5, 2, 2, 0.9, 0.95, 0.05
        pair[0, 1] = 0.0, 0.5, 2, 2, 0.8, 0.05, 0.95
        same = pair.copy()
        same[0, 1, 5:] = 0.95, 0.05
        exact = np.zeros((1, 4, 7))
        exact[0, 0] = 0.5, 0.5, 1, 1, 0.5, 0.5, 0.5
        exact[0, 3] = 0.5, 0.5, 1, 1, 0.25, 0.5, 0.5
        shared = {"stride": 8, "n_boxes": 1, "least": 0.3, "threshold": 0.5}
        return {
            "two classes at one place": {"prediction": pair, **shared},
            "one class at one place": {"prediction": same, **shared},
            "a field": case(5, 6, 8, 2, 2, 0.3, 0.45),
            "three classes": case(4, 3, 16, 3, 3, 0.2, 0.5),
            "scores of 0.25": {"prediction": exact, **shared, "least": 0.25},
            "nothing certain": {
                "prediction": 0.1 * case(3, 4, 8, 2, 2, 0.5, 0.5)["prediction"],
                **shared,
                "n_boxes": 2,
            },
        }

    def reference(self):
        def detect(prediction, stride, n_boxes, least, threshold):
            found, scores = Decode().reference()(prediction, stride, n_boxes)
            *places, of_class = np.nonzero(scores >= least)
            corners, values = found[tuple(places)], scores[(*places, of_class)]
            kept = boxes.nms(corners, values, threshold, of_class)
            return corners[kept], values[kept], of_class[kept]

        return detect

    def _want(self, case):
        found = _decoded(case)
        n_boxes, prediction = case["n_boxes"], case["prediction"]
        scores = np.einsum("rcb,rck->rcbk", prediction[..., 4 : 5 * n_boxes : 5], prediction[..., 5 * n_boxes :])
        return found, scores

    def _three(self, observed, name):
        got = observed[name]
        if not (isinstance(got, list) and len(got) == 3):
            raise expect.NotYet(f"{name}: expected boxes, scores and classes, got {expect.show(got)}.")
        for part, words in zip(got, ("boxes", "scores", "classes"), strict=True):
            _array(part, f"{name}, {words}")
        corners, scores, classes = (np.asarray(part) for part in got)
        nothing = {"Where there are no boxes, the array has 0 rows and 4 columns: np.zeros((0, 4)).": (0,)}
        expect.shape(corners, (None, 4), f"{name}, boxes", nothing)
        expect.shape(scores, (len(corners),), f"{name}, scores")
        expect.shape(classes, (len(corners),), f"{name}, classes")
        expect.true(
            np.equal(np.mod(classes, 1), 0).all(),
            f"{name}: classes are whole numbers, got {expect.show(got[2])}. The order is boxes, scores, classes.",
        )
        expect.true(
            classes.dtype.kind in "iu",
            f"{name}: classes are whole numbers with a point, which nothing can be looked up with: use int.",
        )
        return corners, scores, classes

    def _compare(self, cases, observed, name):
        case = cases[name]
        corners, scores, classes = self._three(observed, name)
        found, all_scores = self._want(case)
        want = self._kept(case, found, all_scores)
        got = np.concatenate([classes[:, None], corners, scores[:, None]], axis=1)
        got, want = (rows[np.lexsort(np.round(rows, 4).T)] for rows in (got, want))
        mistakes = {}
        for words, rows in self._slips(case, found, all_scores).items():
            rows = rows[np.lexsort(np.round(rows, 4).T)]
            if rows.shape != want.shape or not np.allclose(rows, want, atol=1e-3):
                mistakes[words] = rows
        mistakes = _apart(mistakes)
        if len(got) != len(want):
            same = [
                words for words, rows in mistakes.items() if rows.shape == got.shape and np.allclose(rows, got, 1e-3)
            ]
            raise expect.NotYet(" ".join([f"{name}: expected {len(want)} objects, got {len(got)}.", *same[:1]]))
        expect.close(got, want, f"{name}, class, box and score", rtol=1e-4, atol=1e-3, mistakes=mistakes)

    def _kept(self, case, found, scores, chosen=None, threshold=None):
        """(n, 6) class, box, score of what is left of the chosen ones; those with a score of `least` by default."""
        chosen = scores >= case["least"] if chosen is None else chosen
        rows = [np.zeros((0, 6))]
        for k in range(scores.shape[-1]):
            there, values = found[chosen[..., k]], scores[..., k][chosen[..., k]]
            kept = boxes.nms(there, values, case["threshold"] if threshold is None else threshold)
            rows.append(np.column_stack([np.full(len(kept), k), there[kept], values[kept]]))
        return np.concatenate(rows)

    def _slips(self, case, found, scores):
        """What well-known slips give, by the sentence that explains each."""
        least, threshold = case["least"], case["threshold"]
        enough = scores >= least
        *places, of_class = np.nonzero(enough)
        flat, values = found[tuple(places)], scores[(*places, of_class)]
        together = boxes.nms(flat, values, threshold)
        want = self._kept(case, found, scores)
        first = scores.argmax(axis=-1)[..., None] == np.arange(scores.shape[-1])
        best = scores.max(axis=-1)
        of_cell = best.argmax(axis=-1)[..., None] == np.arange(best.shape[-1])
        confident = (case["prediction"][..., 4 : 5 * case["n_boxes"] : 5] >= least)[..., None] & (scores >= 0)
        wrong_rows = want.copy()
        for k in range(scores.shape[-1]):
            kept = boxes.nms(found[enough[..., k]], scores[..., k][enough[..., k]], threshold)
            wrong_rows[want[:, 0] == k, 1:5] = found.reshape(-1, 4)[kept]
        slips = {
            "All classes were suppressed together: a star does not suppress a galaxy.": np.column_stack(
                [of_class, flat, values]
            )[together],
            "Nothing was suppressed.": np.column_stack([of_class, flat, values]),
            "Each box was given its best class alone: it may count for several.": self._kept(
                case, found, scores, enough & first
            ),
            "Of each cell one box was taken, and its best class: all of them may count.": self._kept(
                case, found, scores, enough & first & of_cell[..., None]
            ),
            "Of each cell one box was taken: all of them may count.": self._kept(
                case, found, scores, enough & of_cell[..., None]
            ),
            "Boxes were chosen by their confidence: the score for each class counts.": self._kept(
                case, found, scores, confident
            ),
            "Boxes were chosen by their confidence, for their best class alone: the score for each class counts.": (
                self._kept(case, found, scores, confident & first)
            ),
            "The two limits are swapped: scores are compared with `least`, overlaps with `threshold`.": self._kept(
                case, found, scores, scores >= threshold, least
            ),
            "Boxes with a low score are in it: only those of at least `least` count.": self._kept(
                case, found, scores, scores >= -1
            ),
            "A score of exactly `least` is enough.": self._kept(case, found, scores, scores > least + 1e-9),
            "Only the first two classes were looked at.": want[want[:, 0] < 2],
            "Classes are counted from 0.": want + np.array([1, 0, 0, 0, 0, 0]),
            "The positions that `suppress` returns belong to what it was given, not to all boxes.": wrong_rows,
            "These were clipped to the image: nobody asked for that here.": np.column_stack(
                [want[:, 0], _within(want[:, 1:5], *scores.shape[:2], case["stride"]), want[:, 5]]
            ),
            "Boxes were clipped at 0: nobody asked for that here.": np.column_stack(
                [want[:, 0], np.maximum(want[:, 1:5], 0), want[:, 5]]
            ),
            "Boxes were rounded: they end between pixels, too.": np.column_stack(
                [want[:, 0], np.round(want[:, 1:5]), want[:, 5]]
            ),
        }
        for fixed in (0.3, 0.4, 0.5):
            words = f"Boxes are suppressed above an overlap of {fixed}, whatever is handed over."
            slips[words] = self._kept(case, found, scores, threshold=fixed)
        return slips

    @subtest("boxes (n, 4), scores (n,) and classes (n,)")
    def shapes(self, cases, observed):
        for name in cases:
            self._three(observed, name)

    @subtest("of one class, the better of two boxes at one place; of two classes, both")
    def classes(self, cases, observed):
        for name in ("one class at one place", "two classes at one place"):
            self._compare(cases, observed, name)

    @subtest("a field, as the library finds it")
    def field(self, cases, observed):
        for name in ("a field", "three classes"):
            self._compare(cases, observed, name)

    @subtest("a score of `least` itself is enough; where no score is, there are no objects")
    def nothing(self, cases, observed):
        self._compare(cases, observed, "scores of 0.25")
        expect.shape(self._three(observed, "nothing certain")[0], (0, 4), "nothing certain, boxes")


class Match(Exercise):
    id = "16.8"
    title = "which detection has found which object"
    hints = (
        "The best detection chooses first. What may the second not choose any more?",
        "Go through the detections from the best score down. Look at the overlaps with objects that are still free; "
        "if the "
        "largest is at least the threshold, that object is found and no longer free. Otherwise: −1.",
        "found = np.full(len(corners), -1); free = np.ones(len(truth), bool); for k in np.argsort(-scores, "
        "kind='stable'): "
        "overlap = np.where(free, all_overlaps[k], -1); if len(overlap) and overlap.max() >= threshold: found[k] = "
        "overlap.argmax(); "
        "free[found[k]] = False.",
    )
    forbidden = ("utils.boxes.match",)

    def inputs(self, rng):
        def around(objects, n, spread):
            chosen = rng.integers(len(objects), size=n)
            return objects[chosen] + rng.normal(0, spread, (n, 4))

        def cloud(n):
            corner = rng.uniform(0, 100, (n, 2))
            return np.concatenate([corner, corner + rng.uniform(12, 30, (n, 2))], axis=1)

        one = np.array([[10, 10, 30, 30.0]])
        near = np.array([[0, 0, 10, 10], [4, 0, 14, 10.0]])
        objects, crowd = cloud(8), cloud(25)
        return {
            "twice the same object": {
                "corners": np.array([[10, 10, 30, 29], [10, 10, 30, 30.0]]),
                "scores": np.array([0.9, 0.7]),
                "truth": one,
                "threshold": 0.5,
            },
            "the worse one comes first": {
                "corners": np.array([[10, 10, 30, 30], [10, 10, 30, 29.0]]),
                "scores": np.array([0.2, 0.7]),
                "truth": one,
                "threshold": 0.5,
            },
            "the object it fits best is taken": {
                "corners": np.array([[0, 0, 10, 10], [1, 0, 11, 10.0]]),
                "scores": np.array([0.9, 0.8]),
                "truth": near,
                "threshold": 0.5,
            },
            "two objects fit": {
                "corners": np.array([[2, 0, 12, 10], [52, 0, 62, 10.0]]),
                "scores": np.array([0.8, 0.9]),
                "truth": np.array([[0, 0, 10, 10], [3, 0, 13, 10], [51, 0, 61, 10], [49, 0, 59, 10.0]]),
                "threshold": 0.5,
            },
            "at the threshold": {
                "corners": np.array([[10, 10, 30, 20], [0, 50, 10, 60.0]]),
                "scores": np.array([0.9, 0.8]),
                "truth": np.array([[10, 10, 30, 30], [0, 50, 10, 61.0]]),
                "threshold": 0.5,
            },
            "many": {
                "corners": around(objects, 30, 2.5),
                "scores": rng.permutation(30) / 30,
                "truth": objects,
                "threshold": 0.5,
            },
            "many, strict": {
                "corners": around(crowd, 40, 1.5),
                "scores": rng.permutation(40) / 40,
                "truth": crowd,
                "threshold": 0.75,
            },
            "no objects": {
                "corners": cloud(3),
                "scores": rng.permutation(3) / 3,
                "truth": np.zeros((0, 4)),
                "threshold": 0.5,
            },
            "no detections": {"corners": np.zeros((0, 4)), "scores": np.zeros(0), "truth": cloud(3), "threshold": 0.5},
        }

    def reference(self):
        def match(corners, scores, truth, threshold):
            return boxes.match(corners, scores, truth, threshold)

        return match

    def _compare(self, cases, observed, name):
        case = cases[name]
        corners, scores, truth, threshold = (case[key] for key in ("corners", "scores", "truth", "threshold"))
        want, overlap = boxes.match(corners, scores, truth, threshold), boxes.iou(corners, truth)
        best = np.where(overlap.max(axis=1) >= threshold, overlap.argmax(axis=1), -1)
        by_objects = np.full(len(scores), -1)
        for k in range(len(truth)):
            still = np.where(by_objects < 0, overlap[:, k], -1)
            if still.max() >= threshold:
                by_objects[still.argmax()] = k
        taken = best.copy()
        seen = set()
        for k in np.argsort(-scores, kind="stable"):
            if taken[k] in seen:
                taken[k] = -1
            seen.add(taken[k])
        order = np.argsort(-scores, kind="stable")
        first, shorter, left = np.full(len(scores), -1), np.full(len(scores), -1), overlap.copy()
        for k in order:
            fits = np.flatnonzero((overlap[k] >= threshold) & ~np.isin(np.arange(len(truth)), first))
            first[k] = fits[0] if len(fits) else -1
            if left.shape[1] and left[k].max() >= threshold:
                shorter[k] = left[k].argmax()
                left = np.delete(left, shorter[k], axis=1)
        worst = boxes.match(corners, -scores, truth, threshold)
        one_by_one = boxes.match(corners, overlap.max(axis=1), truth, threshold)
        mistakes = {
            "An object is found twice: the second detection of it is a false alarm.": best,
            "A false alarm is -1: 0 is the first object.": np.where(want < 0, 0, want),
            "The detections chose in the order in which they came: the best score chooses first.": boxes.match(
                corners, -np.arange(len(scores)), truth, threshold
            ),
            "A detection whose best object is taken may still find another that it fits.": taken,
            "The first object that fits was taken: take the one that the detection overlaps most.": first,
            "These are sorted by score: return them in the order in which the detections came.": want[order],
            "An overlap of exactly the threshold is enough.": boxes.match(corners, scores, truth, threshold + 1e-9),
            "The worst score chose first.": worst,
            "The objects chose: let the detections choose, the best score first.": by_objects,
            "The largest overlap chose first: the best score does.": one_by_one,
            "Objects that were found were deleted, so the positions of those behind them are no longer right.": shorter,
            "The threshold is 0.5, whatever is handed over.": boxes.match(corners, scores, truth, 0.5),
            "Any overlap was enough: it has to reach the threshold.": boxes.match(corners, scores, truth, 1e-9),
        }
        mistakes = {words: value for words, value in mistakes.items() if not np.array_equal(value, want)}
        got = _array(observed[name], name, whole=True)
        other = {"This is one number for each object: one for each detection, please.": (len(truth),)}
        expect.shape(got, (len(scores),), f"{name}: one number for each detection", other)
        expect.close(got, want, f"{name}, objects found", mistakes=_apart(mistakes))

    @subtest("an object is found once: the best score gets it")
    def once(self, cases, observed):
        self._compare(cases, observed, "twice the same object")
        self._compare(cases, observed, "the worse one comes first")

    @subtest("of the free objects the one it overlaps most; its second best, where the best is taken")
    def second(self, cases, observed):
        self._compare(cases, observed, "the object it fits best is taken")
        self._compare(cases, observed, "two objects fit")

    @subtest("the threshold itself is enough")
    def limit(self, cases, observed):
        self._compare(cases, observed, "at the threshold")

    @subtest("many detections, as the library matches them")
    def many(self, cases, observed):
        for name in ("many", "many, strict"):
            self._compare(cases, observed, name)

    @subtest("without objects all are false alarms; without detections there is nothing")
    def nothing(self, cases, observed):
        mistakes = {"A false alarm is -1: 0 is the first object.": np.zeros(3)}
        expect.shape(_array(observed["no objects"], "no objects", whole=True), (3,), "no objects")
        expect.close(observed["no objects"], np.full(3, -1), "no objects", mistakes=mistakes)
        expect.shape(_array(observed["no detections"], "no detections"), (0,), "no detections")


class AveragePrecision(Exercise):
    id = "16.9"
    title = "average precision"
    hints = (
        "Let detections through one by one, the best first. How many are right so far, and how many have come?",
        "hits = np.cumsum(right, sorted); precision = hits / (1, 2, 3, …); recall = hits / n_objects. At each of the "
        "101 "
        "recalls 0, 0.01, …, 1 take the largest precision among the places where the recall is at least that; 0 where "
        "there is none. Then the mean.",
        "for r in np.linspace(0, 1, 101): reached = precision[recall >= r]; values.append(reached.max() if "
        "len(reached) else "
        "0.0). Return np.mean(values), or np.nan where n_objects is 0.",
    )
    forbidden = ("utils.boxes.average_precision",)

    def inputs(self, rng):
        def case(n, share, n_objects):
            right = rng.random(n) < share
            right[np.cumsum(right) > n_objects] = False
            return {"scores": rng.permutation(n) / n, "right": right, "n_objects": n_objects}

        return {
            "all found": {"scores": np.array([0.9, 0.6, 0.7]), "right": np.array([True] * 3), "n_objects": 3},
            "half of them found": {"scores": np.array([0.9, 0.8]), "right": np.array([True, True]), "n_objects": 4},
            "a false alarm first": {
                "scores": np.array([0.5, 0.9]),
                "right": np.array([True, False]),
                "n_objects": 1,
            },
            "precision comes back": {
                "scores": np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
                "right": np.array([True, False, False, True, True]),
                "n_objects": 3,
            },
            "many": case(60, 0.6, 50),
            "few of many": case(40, 0.3, 90),
            "nothing right": {"scores": np.array([0.9, 0.2]), "right": np.array([False, False]), "n_objects": 3},
            "no detections": {"scores": np.zeros(0), "right": np.zeros(0, bool), "n_objects": 3},
            "nothing to find": {"scores": np.array([0.9]), "right": np.array([False]), "n_objects": 0},
        }

    def reference(self):
        def average_precision(scores, right, n_objects):
            return boxes.average_precision(scores, right, n_objects)

        return average_precision

    def _compare(self, cases, observed, name):
        scores, right, n = (cases[name][key] for key in ("scores", "right", "n_objects"))
        want = boxes.average_precision(scores, right, n)
        precision, recall = boxes.precision_recall(scores, right, n)
        grid = np.linspace(0, 1, 101)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, grid)
        hits = np.cumsum(right[np.argsort(-scores, kind="stable")])

        def read(curve, recalls):
            return np.mean([curve[i] if i < len(curve) else 0.0 for i in np.searchsorted(recall, recalls)])

        below = [precision[recall <= r].max(initial=0.0) for r in grid]
        beyond = [precision[recall > r + 1e-9].max(initial=0.0) for r in grid]
        mistakes = {
            "The scores play no part: the best comes first.": boxes.average_precision(
                -np.arange(len(scores)), right, n
            ),
            "The worst score comes first: turn the order round.": boxes.average_precision(-scores, right, n),
            "At each recall take the best precision reached there or beyond: the curve has dents.": read(
                precision, grid
            ),
            "Objects that were never found count, too: recall is a share of all.": boxes.average_precision(
                scores, right, right.sum()
            ),
            "The mean is over all 101 recalls: where so many are never found, the precision is 0.": (
                np.mean(best[at[at < len(best)]]) if (at < len(best)).any() else None
            ),
            "Eleven recalls are the rule of an older competition: COCO has 101.": read(best, np.linspace(0, 1, 11)),
            "There are 101 recalls: 0 and 1 are both among them.": read(best, grid[:-1]),
            "There are 101 recalls, and the first is 0.": read(best, grid[1:]),
            "The sum was divided by 100: there are 101 recalls.": want * 1.01,
            "A recall of exactly r is enough.": np.mean(beyond),
            "This is the best precision up to each recall: take that at the recall or beyond.": np.mean(below),
            "This is the precision of all detections together.": precision[-1] if len(precision) else None,
            "This is the area by trapezoids: take the mean of the precisions at 101 recalls.": (
                np.trapezoid(np.append(best[0], best), np.append(0, recall)) if len(best) else None
            ),
            "This is the area under the steps: take the mean of the precisions at 101 recalls.": (
                np.sum(np.diff(np.append(0, recall)) * best) if len(best) else None
            ),
            "Trapezoids begin at the first recall: take the mean of the precisions at 101 recalls.": (
                np.trapezoid(precision, recall) if len(best) else None
            ),
            "The curve is not to be interpolated: take the best precision at the recall or beyond.": (
                np.interp(grid, recall, best, right=0).mean() if len(best) else None
            ),
            "This is the recall.": recall[-1] if len(recall) else None,
            "Precision is a share of the detections so far, not of the objects.": (
                np.mean([(hits / n)[i:].max(initial=0.0) for i in at]) if len(hits) else None
            ),
            "This is the mean of the precisions at the right detections: read the curve at 101 recalls.": (
                precision[right[np.argsort(-scores, kind="stable")]].sum() / n
            ),
        }
        mistakes = {k: v for k, v in mistakes.items() if v is not None and not np.isclose(v, want, rtol=1e-4)}
        single = {"One number, please: float(…) makes one of an array that holds a single one.": (1,)}
        expect.shape(observed[name], (), name, single)
        expect.close(observed[name], want, name, rtol=1e-4, atol=1e-6, mistakes=_apart(mistakes))

    @subtest("all found and nothing else: 1; half found: 51 of 101 recalls")
    def simple(self, cases, observed):
        self._compare(cases, observed, "all found")
        self._compare(cases, observed, "half of them found")

    @subtest("a false alarm with the best score halves the precision")
    def alarm(self, cases, observed):
        self._compare(cases, observed, "a false alarm first")

    @subtest("precision at a recall is the best at this recall or beyond")
    def dents(self, cases, observed):
        self._compare(cases, observed, "precision comes back")

    @subtest("many detections, as the library computes it")
    def many(self, cases, observed):
        self._compare(cases, observed, "many")
        self._compare(cases, observed, "few of many")

    @subtest("nothing right: 0; no detections: 0; nothing to find: NaN")
    def nothing(self, cases, observed):
        expect.shape(observed["nothing right"], (), "nothing right")
        expect.close(observed["nothing right"], 0.0, "nothing right")
        expect.close(observed["no detections"], 0.0, "no detections")
        got = observed["nothing to find"]
        expect.shape(got, (), "nothing to find")
        expect.true(
            bool(np.isnan(got)),
            f"nothing to find: expected NaN, got {expect.show(got)}. Of no objects no share can be found.",
        )


def _grid(case):
    """Shape of the target of a case of 16.1."""
    return case["height"] // case["stride"], case["width"] // case["stride"], 5 + case["n_classes"]


def _by_object(case, point="centre"):
    """Row and column of the cell of each object, its point in cells (n, 2), and its size in cells (n, 2)."""
    inside = boxes.clip(case["corners"], case["height"], case["width"]) / case["stride"]
    numbers = boxes.convert(inside, "xyxy", "center_xywh")
    columns, rows = np.floor(numbers[:, :2]).astype(int).T
    return rows, columns, numbers[:, :2] if point == "centre" else inside[:, :2], numbers[:, 2:]


def _centres(case, point):
    """How many centres lie in each cell, by a histogram; or first corners, or centres rounded."""
    rows, columns, _ = _grid(case)
    numbers = boxes.convert(case["corners"], "xyxy", "center_xywh") / case["stride"]
    place = {
        "centre": numbers[:, :2],
        "corner": case["corners"][:, :2] / case["stride"],
        "rounded": np.rint(numbers[:, :2]),
    }
    x, y = place[point].T
    counts, *_ = np.histogram2d(y, x, bins=(np.arange(rows + 1), np.arange(columns + 1)))
    return np.minimum(counts, 1)


def _covered(case):
    rows, columns, _ = _grid(case)
    covered = np.zeros((rows, columns))
    for x0, y0, x1, y1 in case["corners"] / case["stride"]:
        covered[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 1
    return covered


def _boxes_of(target, stride):
    """(n, 4) boxes [pixels] that a target of 16.1 holds."""
    rows, columns = np.nonzero(target[..., 4])
    numbers = target[rows, columns, :4].copy()
    numbers[:, 0] += columns
    numbers[:, 1] += rows
    return boxes.convert(numbers, "center_xywh", "xyxy") * stride


def _decoded(case):
    """(rows, columns, n_boxes, 4) boxes [pixels] of a case of 16.2 or 16.7, box by box."""
    prediction, stride, n_boxes = case["prediction"].astype(float), case["stride"], case["n_boxes"]
    found = np.empty((*prediction.shape[:2], n_boxes, 4))
    for row, column, k in np.ndindex(found.shape[:3]):
        x, y, w, h = prediction[row, column, 5 * k : 5 * k + 4]
        found[row, column, k] = boxes.convert([column + x, row + y, w, h], "center_xywh", "xyxy")
    return found * stride


def _misread(case, how):
    """The case of 16.2 as it looks to one who takes the numbers of a cell apart the wrong way."""
    prediction, n_boxes = case["prediction"], case["n_boxes"]
    numbers, of_class = np.split(prediction, [5 * n_boxes], axis=-1)
    if how == "classes first":
        numbers = prediction[..., of_class.shape[-1] :]
    else:
        numbers = numbers.reshape(*numbers.shape[:2], 5, n_boxes).swapaxes(-1, -2).reshape(numbers.shape)
    return case | {"prediction": np.concatenate([numbers, of_class], axis=-1)}


def _within(found, rows, columns, stride):
    return np.clip(found, 0, np.array([columns, rows, columns, rows]) * stride)


def _around(middle, size):
    return np.concatenate([middle - size / 2, middle + size / 2], axis=-1)


def _even(got):
    """Whether a list is one of numbers, or of lists of the same length of these, and so on."""
    try:
        return np.asarray(got).dtype.kind in "biuf"
    except ValueError:
        return False


def _array(got, name, whole=False):
    """What came, which has to be an array and no list; of whole numbers, where the exercise asks for them."""
    if isinstance(got, list):
        advice = " np.array makes one of it." if _even(got) else ""
        raise expect.NotYet(f"{name}: expected an array, got {expect.show(got)}.{advice}")
    kind = got.dtype.kind if isinstance(got, np.ndarray) else ""
    if whole and kind == "b":
        raise expect.NotYet(f"{name}: expected whole numbers, got True and False: np.flatnonzero tells where they are.")
    if whole and kind == "f":
        raise expect.NotYet(
            f"{name}: expected whole numbers, got numbers with a point, which nothing can be looked up with. An empty "
            "array has a point, too, unless it is told: np.array(found, int)."
        )
    return got


def _apart(mistakes, most=3):
    """Values by sentence, once each: where several slips give the same value, the first sentences are joined."""
    groups = []
    for words, value in mistakes.items():
        value = None if value is None else np.asarray(value)
        same = [
            sentences
            for sentences, known in groups
            if value is not None and known.shape == value.shape and np.allclose(known, value, equal_nan=True)
        ]
        if same:
            same[0].append(words)
        elif value is not None:
            groups.append(([words], value))
    return {" Or: ".join(sentences[:most]): value for sentences, value in groups}


def _compiled(function, *arrays):
    """What the function gives in a training."""
    function(*(ops.convert_to_tensor(array) for array in arrays))  # what fails here, too, says so in its own words
    return compiled(function, *arrays)


def _expect_type(got, name):
    """float32, as what was handed over."""
    if np.asarray(got).dtype != np.float32:
        raise expect.NotYet(
            f"{name}: expected numbers of the type that was handed over, float32, got {np.asarray(got).dtype}: "
            "tensors of two types cannot be multiplied, so the loss would stop. ops.cast changes a type."
        )


def _two(got, words, name):
    if not (isinstance(got, list) and len(got) == 2):
        raise expect.NotYet(f"{name}: expected two things, {words}, got {expect.show(got)}.")
    return got


def _overlaps(a, b):
    """IoU of boxes (..., 4) of centre and size, pair by pair, by `utils.boxes`."""
    shape = np.broadcast_shapes(a.shape, b.shape)[:-1]
    flat = [boxes.convert(values, "center_xywh", "xyxy").reshape(-1, 4) for values in np.broadcast_arrays(a, b)]
    return np.diagonal(boxes.iou(*flat)).reshape(shape)


def _overlap_mistakes(a, b):
    """What well-known slips give instead of the IoU, by the sentence that explains each."""
    first = np.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    last = np.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    sides = last - first
    both = np.maximum(sides, 0).prod(axis=-1)
    areas = a[..., 2:].prod(axis=-1), b[..., 2:].prod(axis=-1)
    begin = np.minimum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    around = (np.maximum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2) - begin).prod(axis=-1)
    corner_sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    with np.errstate(all="ignore"):
        free = sides.prod(axis=-1)
        mistakes = {
            "Two negative sides give a positive product: set sides below 0 to 0 first.": free / (sum(areas) - free),
            "The intersection was divided by the sum of the areas: it is counted twice in there.": both / sum(areas),
            "The intersection was divided by the area of one box: divide it by the union.": both / np.minimum(*areas),
            "The intersection was divided by the area of the first box: divide it by the union.": both / areas[0],
            "The numbers were taken for corners: they are centre and size.": corner_sides.prod(axis=-1)
            / (sum(areas) - corner_sides.prod(axis=-1)),
            "This is the intersection: divide it by the union.": both,
            "Half the size belongs to each side of the centre, not all of it.": _whole_sizes(a, b, areas),
            "x and y were taken for the first corner: they are the centre.": _from_first_corners(a, b, areas),
            "Set each side to 0 where it is negative, not their product.": (
                np.maximum(free, 0) / (sum(areas) - np.maximum(free, 0))
            ),
            "abs makes an overlap of a gap: set negative sides to 0.": abs(free) / (sum(areas) - abs(free)),
            "The intersection was divided by the area of the larger box: divide it by the union.": both
            / np.maximum(*areas),
            "The intersection was divided by the mean of both areas: divide it by the union.": 2 * both / sum(areas),
            "The intersection was divided by the smallest box around both: divide it by the union.": both / around,
            "This is the generalised IoU, which counts the gap, too.": _overlaps(a, b)
            - (around - (sum(areas) - both)) / around,
            "The sides of the intersection were added: an area is a product.": np.maximum(sides, 0).sum(axis=-1)
            / (sum(areas) - np.maximum(sides, 0).sum(axis=-1)),
            "Something was added to the union: no more than 1e-6, which changes nothing but 0 / 0.": both
            / (sum(areas) - both + 1),
            "These are overlaps along x and along y, multiplied: take areas first, then divide.": (
                np.maximum(sides, 0) / (a[..., 2:] + b[..., 2:] - np.maximum(sides, 0))
            ).prod(axis=-1),
        }
    return _apart(mistakes)


def _from_first_corners(a, b, areas):
    """The IoU of boxes whose x and y are taken for the first corner."""
    sides = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.maximum(sides, 0).prod(axis=-1)
    return both / (sum(areas) - both)


def _whole_sizes(a, b, areas):
    """The IoU with the whole size on each side of the centre, and the areas as they are."""
    first = np.maximum(a[..., :2] - a[..., 2:], b[..., :2] - b[..., 2:])
    last = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    both = np.maximum(last - first, 0).prod(axis=-1)
    return both / (sum(areas) - both)


def _overlaps_by_keras(a, b):
    """The same in Keras' own tools, for tensors."""
    shape = ops.shape(a)
    pairs = [
        keras.utils.bounding_boxes.convert_format(ops.reshape(v, (-1, 1, 4)), "center_xywh", "xyxy") for v in (a, b)
    ]
    return ops.reshape(keras.utils.bounding_boxes.compute_iou(*pairs, bounding_box_format="xyxy"), shape[:-1])


def _loss_case(rng, n, rows, columns, n_boxes, n_classes, share):
    """Target and prediction of `n` images; objects in a share of the cells."""
    target = np.zeros((n, rows, columns, 5 + n_classes))
    has = rng.random((n, rows, columns)) < share
    if share:
        has[:, 0, 0] = True
    count = has.sum()
    target[has, :2], target[has, 2:4], target[has, 4] = (
        rng.uniform(0, 1, (count, 2)),
        rng.uniform(0.6, 3, (count, 2)),
        1,
    )
    target[has, 5:] = np.eye(n_classes)[rng.integers(n_classes, size=count)]
    each = np.empty((n, rows, columns, n_boxes, 5))
    each[..., :2], each[..., 4] = rng.uniform(0, 1, each[..., :2].shape), rng.uniform(0.1, 0.9, each.shape[:-1])
    each[..., 2:4] = rng.uniform(0.5, 3, each[..., 2:4].shape)
    of_class = rng.dirichlet(np.ones(n_classes), (n, rows, columns))
    prediction = np.concatenate([each.reshape(n, rows, columns, -1), of_class], axis=-1)
    return {"target": target.astype("float32"), "prediction": prediction.astype("float32"), "n_boxes": n_boxes}


def _cross_entropy(case):
    """Cross-entropy of the classes, summed over cells with an object; one number for each image."""
    of_class, there = case["prediction"][..., 5 * case["n_boxes"] :].astype(float), case["target"][..., 5:]
    return -(there * np.log(of_class + 1e-7)).sum(axis=(1, 2, 3))


def _each_box(case):
    """Predicted boxes (n, rows, columns, n_boxes, 5) and targets (n, rows, columns, 5 + classes), float."""
    prediction, n_boxes = case["prediction"].astype(float), case["n_boxes"]
    return prediction[..., : 5 * n_boxes].reshape(*prediction.shape[:3], n_boxes, 5), case["target"].astype(float)


def _terms(
    case, roots=True, mask="responsible", aim="overlap", others="not responsible", mean=False, power=2, repeat=False
):
    """(5, n) terms of the loss, object by object; the options are well-known slips."""
    each, target = _each_box(case)
    of_class = case["prediction"].astype(float)[..., 5 * case["n_boxes"] :]
    terms, overlaps = np.zeros((5, len(target))), _overlaps(each[..., :4], target[..., None, :4])
    for image, row, column in np.ndindex(target.shape[:3]):
        cell, there = each[image, row, column], target[image, row, column]
        overlap = overlaps[image, row, column]
        chosen = np.zeros(len(cell), bool)
        if there[4] or mask == "all":
            chosen[cell[:, 4].argmax() if mask == "confident" else overlap.argmax()] = True
        right = chosen if there[4] else np.zeros(len(cell), bool)
        counted = np.full(len(cell), bool(there[4]) or mask == "all")
        if mask in ("responsible", "confident"):
            counted = chosen
        elif mask == "empty, too":
            counted = chosen if there[4] else np.full(len(cell), True)
        for k in np.flatnonzero(counted):
            size = cell[k, 2:4], there[2:4]
            if roots == "half":
                size = np.sqrt(size[0]), size[1]
            elif roots == "other half":
                size = size[0], np.sqrt(size[1])
            elif roots in ("swapped", "plain, swapped"):
                size = size[0][::-1], size[1]
            if roots in (True, "swapped"):
                size = np.sqrt(size)
            elif roots == "log":
                size = np.log(size)
            error = abs(size[0] - size[1])
            wanted = {"one": 1.0, "half": float(overlap[k] > 0.5), "overlap": overlap[k]}[aim]
            terms[:3, image] += (
                (abs(cell[k, :2] - there[:2]) ** power).sum(),
                error.sum() if roots == "outside" else (error**2).sum(),
                (cell[k, 4] - wanted) ** 2,
            )
        left = {"not responsible": ~right, "empty": np.full(len(cell), not there[4]), "all": np.full(len(cell), True)}[
            others
        ]
        terms[3, image] += (cell[left, 4] ** 2).sum()
        if there[4] or mask == "all":
            terms[4, image] += ((of_class[image, row, column] - there[5:]) ** 2).sum() * (len(cell) if repeat else 1)
    cells = np.prod(target.shape[1:3]) * np.array([case["n_boxes"]] * 4 + [1])
    return terms / cells[:, None] if mean else terms
