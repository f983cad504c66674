"""Boxes around objects: formats, overlap, suppression of duplicates, matching with the truth, average precision.

A box of this course is (x0, y0, x1, y1) [pixels], x to the right and y along increasing rows, unless a function is told
otherwise. Its edges are places, not pixels: a box that holds the single pixel in row 3 and column 7 is (7, 3, 8, 4).
Functions take arrays of shape (n, 4), n = 0 included.

>>> from utils import boxes
>>> a = boxes.convert([[10, 10, 4, 6]], "center_xywh", "xyxy")
>>> a.tolist()
[[8.0, 7.0, 12.0, 13.0]]
>>> boxes.iou(a, [[10, 7, 14, 13]]).round(3).tolist()
[[0.333]]
"""

from typing import NamedTuple

import numpy as np

FORMATS = ("xyxy", "xywh", "center_xywh")  # corners; first corner and size (COCO); centre and size (YOLO)
COCO_THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the overlap, over which COCO's average precision is a mean
RECALLS = np.linspace(0, 1, 101)  # at which precision is read


def convert(boxes, source, target):
    """Boxes in another format.

    Parameters
    ----------
    boxes : (..., 4) array_like
    source, target : str
        Out of ``FORMATS``.

    Returns
    -------
    (..., 4) float array
    """
    for name in (source, target):
        if name not in FORMATS:
            raise ValueError(f"a format of boxes is one of {', '.join(FORMATS)}; got {name!r}")
    boxes = np.asarray(boxes, float)
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"boxes must be (..., 4), got shape {boxes.shape}")
    first, second = boxes[..., :2], boxes[..., 2:]
    if source == "xywh":
        second = first + second
    elif source == "center_xywh":
        first, second = first - second / 2, first + second / 2
    if target == "xywh":
        second = second - first
    elif target == "center_xywh":
        first, second = (first + second) / 2, second - first
    return np.concatenate([first, second], axis=-1)


def clip(boxes, height, width):
    """The part of each box that lies in an image; a box that lies outside keeps no area.

    Returns
    -------
    (n, 4) float array
    """
    return np.clip(_boxes(boxes), 0, [width, height, width, height])


def area(boxes):
    """(n,) areas [square pixels]; boxes that are inside out have none."""
    size = np.maximum(_boxes(boxes)[:, 2:] - _boxes(boxes)[:, :2], 0)
    return size[:, 0] * size[:, 1]


def iou(a, b):
    """Intersection over union of each box of `a` with each of `b`.

    Parameters
    ----------
    a : (n, 4) array_like
    b : (m, 4) array_like

    Returns
    -------
    (n, m) array
        From 0 (apart, or without area) to 1 (the same).
    """
    return _overlap(_boxes(a), _boxes(b))[0]


def giou(a, b):
    """Generalised intersection over union: IoU less the empty share of the smallest box around both.

    Rezatofighi et al. 2019, CVPR. It falls on where boxes are apart, down to -1, so that a loss made of it has a slope
    there.

    Returns
    -------
    (n, m) array
    """
    a, b = _boxes(a), _boxes(b)
    overlap, union = _overlap(a, b)
    around = np.maximum(a[:, None, 2:], b[None, :, 2:]) - np.minimum(a[:, None, :2], b[None, :, :2])
    around = np.maximum(around, 0).prod(axis=-1)
    return overlap - np.divide(around - union, around, out=np.zeros_like(around), where=around > 0)


def nms(boxes, scores, threshold=0.5, classes=None):
    """Non-maximum suppression: keep the best box, drop those that overlap it by more than `threshold`, and so on.

    Parameters
    ----------
    boxes : (n, 4) array_like
    scores : (n,) array_like
    threshold : float
        Of the IoU, from 0 to 1.
    classes : (n,) array_like of int, optional
        Boxes of different classes do not suppress each other.

    Returns
    -------
    (kept,) array of int
        Positions of the boxes that are kept, the best first; of equal ones the first comes first.
    """
    boxes, scores, classes = _scored(boxes, scores, classes)
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        overlap = iou(boxes[best : best + 1], boxes[waiting])[0]
        waiting = waiting[(overlap <= threshold) | (classes[waiting] != classes[best])]
    return np.array(kept, int)


def soft_nms(boxes, scores, sigma=0.5, least=0.001, classes=None):
    """Soft suppression: a box that overlaps a better one keeps its place, with its score times exp(-IoU² / sigma).

    Bodla et al. 2017, ICCV, with the Gaussian penalty: two galaxies on one line of sight may both stay.

    Parameters
    ----------
    boxes, scores, classes
        See :func:`nms`.
    sigma : float
        Small values suppress more.
    least : float
        Boxes whose score falls to this or below are dropped.

    Returns
    -------
    (kept,) array of int, (kept,) array
        Positions, the best first, and their new scores.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    boxes, scores, classes = _scored(boxes, scores, classes)
    scores = scores.copy()
    waiting = np.flatnonzero(scores > least)
    kept = []
    while len(waiting):
        best = waiting[np.argmax(scores[waiting])]
        kept.append(best)
        waiting = waiting[waiting != best]
        overlap = iou(boxes[best : best + 1], boxes[waiting])[0]
        scores[waiting] *= np.where(classes[waiting] == classes[best], np.exp(-(overlap**2) / sigma), 1)
        waiting = waiting[scores[waiting] > least]
    kept = np.array(kept, int)
    return kept, scores[kept]


def match(boxes, scores, truth, threshold=0.5, ignore=None):
    """Which object each detection has found, by COCO's rule.

    The best detection chooses first. Each takes the object with which it overlaps most among those that are still free,
    if it overlaps it by `threshold` or more: a second detection of the same object has found nothing.

    Parameters
    ----------
    boxes : (n, 4) array_like
    scores : (n,) array_like
    truth : (m, 4) array_like
        Boxes of the objects.
    threshold : float
        Of the IoU.
    ignore : (m,) array_like of bool, optional
        Objects that need not be found: too faint, say, or cut by the edge. A detection that fits one is neither right
        nor wrong; it takes one only where no other object fits.

    Returns
    -------
    (n,) array of int
        Position of the object in `truth`; -1: a false alarm.
    """
    boxes, scores, _ = _scored(boxes, scores, None)
    truth = _boxes(truth)
    ignore = _ignored(ignore, len(truth))
    overlap = iou(boxes, truth)
    found = np.full(len(boxes), -1)
    free = np.ones(len(truth), bool)
    for detection in np.argsort(-scores, kind="stable"):
        fits = free & (overlap[detection] >= min(threshold, 1 - 1e-10))
        for candidates in (np.flatnonzero(fits & ~ignore), np.flatnonzero(fits & ignore)):
            if len(candidates):
                values = overlap[detection, candidates]
                found[detection] = candidates[np.flatnonzero(values == values.max())[-1]]  # of equals the last, as COCO
                free[found[detection]] = False
                break
    return found


def precision_recall(scores, right, n_objects):
    """Precision and recall as more and more detections are let through, from the best score down.

    Parameters
    ----------
    scores : (n,) array_like
    right : (n,) array_like of bool
        Whether the detection has found an object.
    n_objects : int
        How many there were to find.

    Returns
    -------
    (n,) array, (n,) array
        Precision (share of the detections so far that are right) and recall (share of the objects found so far; nan
        where there was none).
    """
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    hits = np.cumsum(np.asarray(right, bool)[order])
    recall = hits / n_objects if n_objects else np.full(len(hits), np.nan)
    return hits / np.arange(1, len(hits) + 1), recall


def average_precision(scores, right, n_objects):
    """Area under the curve of precision over recall, by COCO's rule of 101 points.

    Precision at a recall is the best that is reached at this recall or beyond.

    Parameters
    ----------
    scores, right, n_objects
        See :func:`precision_recall`.

    Returns
    -------
    float
        nan where there was nothing to find.
    """
    if not n_objects:
        return np.nan
    precision, recall = precision_recall(scores, right, n_objects)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(recall, RECALLS, side="left")].mean())


class Detections(NamedTuple):
    """Of one image: boxes (n, 4), scores (n,), classes (n,) of int."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


class Objects(NamedTuple):
    """Of one image: boxes (m, 4), classes (m,) of int, and which need not be found (m,); None: all have to be."""

    boxes: np.ndarray
    classes: np.ndarray
    ignore: np.ndarray | None = None


def average_precisions(detections, objects, n_classes, thresholds=COCO_THRESHOLDS, most=100):
    """Average precision for each threshold and class over a set of images, by COCO's rules.

    Parameters
    ----------
    detections : list of Detections
        One for each image.
    objects : list of Objects
        One for each image.
    n_classes : int
    thresholds : sequence of float
        Of the IoU.
    most : int
        Detections of a class in an image that count, the best ones.

    Returns
    -------
    (thresholds, classes) array
        nan for a class without objects. mAP50 is ``np.nanmean`` of the row of threshold 0.5; COCO's mAP is that of all.

    Examples
    --------
    >>> truth = [Objects([[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0])]
    >>> found = [Detections([[0, 0, 10, 9], [50, 50, 60, 60]], [0.9, 0.8], [0, 0])]
    >>> average_precisions(found, truth, n_classes=1, thresholds=[0.5, 0.95]).round(3).tolist()
    [[0.505], [0.0]]
    """
    if len(detections) != len(objects):
        raise ValueError(f"one entry an image: got {len(detections)} of detections and {len(objects)} of objects")
    table = np.full((len(thresholds), n_classes), np.nan)
    for of_class in range(n_classes):
        images = [_of_class(of_class, found, there, most) for found, there in zip(detections, objects, strict=True)]
        n_objects = sum(int(np.sum(~ignore)) for *_, ignore in images)
        for row, threshold in enumerate(thresholds):
            scores, right = [np.zeros(0)], [np.zeros(0, bool)]
            for boxes, score, truth, ignore in images:
                found = match(boxes, score, truth, threshold, ignore)
                counts = (found < 0) | ~np.append(ignore, False)[found]
                scores.append(score[counts])
                right.append(found[counts] >= 0)
            table[row, of_class] = average_precision(np.concatenate(scores), np.concatenate(right), n_objects)
    return table


def _of_class(of_class, found, there, most):
    """Boxes and scores of a class in an image, the best first, and boxes and ignore flags of its objects."""
    boxes, scores, classes = _scored(found.boxes, found.scores, found.classes)
    chosen = np.flatnonzero(classes == of_class)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")][:most]
    truth = _boxes(there.boxes)
    wanted = np.asarray(there.classes).reshape(-1) == of_class
    if len(wanted) != len(truth):
        raise ValueError(f"one class for each object: got {len(truth)} boxes and {len(wanted)} classes")
    return boxes[chosen], scores[chosen], truth[wanted], _ignored(there.ignore, len(truth))[wanted]


def _boxes(boxes):
    boxes = np.asarray(boxes, float)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes must be (n, 4), got shape {boxes.shape}")
    return boxes


def _scored(boxes, scores, classes):
    boxes, scores = _boxes(boxes), np.asarray(scores, float).reshape(-1)
    classes = np.zeros(len(boxes), int) if classes is None else np.asarray(classes).reshape(-1)
    if not len(boxes) == len(scores) == len(classes):
        raise ValueError(
            "one score and one class for each box: "
            f"got {len(boxes)} boxes, {len(scores)} scores, {len(classes)} classes"
        )
    if np.isnan(scores).any():
        raise ValueError("scores must be numbers, got nan")
    return boxes, scores, classes


def _ignored(ignore, n):
    ignore = np.zeros(n, bool) if ignore is None else np.asarray(ignore, bool).reshape(-1)
    if len(ignore) != n:
        raise ValueError(f"ignore needs one value for each object: got {len(ignore)} for {n}")
    return ignore


def _overlap(a, b):
    """(n, m) IoU and area of the union."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = np.maximum(sides, 0).prod(axis=-1)
    union = area(a)[:, None] + area(b)[None, :] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0), union
