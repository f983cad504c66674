"""Boxes against Keras, TensorFlow and the COCO tools, and where those are silent against properties."""

import contextlib
import io

import numpy as np
import pytest

from utils import boxes
from utils.boxes import Detections, Objects

SEEDS = pytest.mark.parametrize("seed", range(5))


def draw(n, rng, side=100, whole=False):
    """Boxes of all sizes in an image, some over its edge; with whole numbers, many of them equal."""
    low, high = (-10, side), (1, 40)
    corner = rng.uniform(*low, (n, 2))
    size = rng.uniform(*high, (n, 2))
    found = np.concatenate([corner, corner + size], axis=1)
    return np.rint(found / 8) * 8 if whole else found


# Formats


@SEEDS
@pytest.mark.parametrize("source", boxes.FORMATS)
@pytest.mark.parametrize("target", boxes.FORMATS)
def test_formats_are_those_of_keras(seed, source, target):
    import keras

    given = draw(7, np.random.default_rng(seed))
    expected = keras.utils.bounding_boxes.convert_format(given.astype("float32"), source, target)
    np.testing.assert_allclose(boxes.convert(given, source, target), np.asarray(expected), atol=1e-4)


@pytest.mark.parametrize("name", boxes.FORMATS)
def test_there_and_back(name):
    given = draw(9, np.random.default_rng(1)).reshape(3, 3, 4)
    np.testing.assert_allclose(boxes.convert(boxes.convert(given, "xyxy", name), name, "xyxy"), given)


def test_clip_keeps_what_is_inside():
    clipped = boxes.clip([[-5, 2, 4, 30], [50, 5, 60, 8], [1, 2, 3, 4]], height=20, width=40)
    np.testing.assert_array_equal(clipped, [[0, 2, 4, 20], [40, 5, 40, 8], [1, 2, 3, 4]])
    np.testing.assert_array_equal(boxes.area(clipped), [72, 0, 4])


# Overlap


@SEEDS
@pytest.mark.parametrize("whole", [False, True])
def test_iou_is_that_of_the_coco_tools(seed, whole):
    from pycocotools import mask

    rng = np.random.default_rng(seed)
    drawn = draw(30, rng, whole=whole), draw(20, rng, whole=whole)
    a, b = (some[boxes.area(some) > 0] for some in drawn)  # the COCO tools divide by zero where there is no area
    as_coco = [boxes.convert(box, "xyxy", "xywh") for box in (a, b)]
    np.testing.assert_allclose(boxes.iou(a, b), mask.iou(*as_coco, [0] * len(b)), atol=1e-12)


def test_iou_of_pixels_counts_pixels():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :60]
    for _ in range(50):
        (ax, ay, bx, by), (aw, ah, bw, bh) = rng.integers(0, 30, 4), rng.integers(1, 30, 4)
        a = (columns >= ax) & (columns < ax + aw) & (rows >= ay) & (rows < ay + ah)
        b = (columns >= bx) & (columns < bx + bw) & (rows >= by) & (rows < by + bh)
        value = boxes.iou([[ax, ay, ax + aw, ay + ah]], [[bx, by, bx + bw, by + bh]])[0, 0]
        assert value == pytest.approx(np.sum(a & b) / np.sum(a | b))


def test_boxes_without_area_overlap_nothing():
    point, line, inside_out, square = [5, 5, 5, 5], [0, 5, 10, 5], [9, 9, 1, 1], [0, 0, 10, 10]
    overlap = boxes.iou([point, line, inside_out], [point, line, inside_out, square])
    np.testing.assert_array_equal(overlap, 0)
    assert np.all(np.isfinite(boxes.giou([point, line], [point, square])))


@SEEDS
def test_giou(seed):
    rng = np.random.default_rng(seed)
    a, b = draw(20, rng), draw(30, rng)
    value = boxes.giou(a, b)
    assert np.all(value <= boxes.iou(a, b) + 1e-12)
    assert np.all(value > -1)
    np.testing.assert_allclose(np.diag(boxes.giou(a, a)), 1)
    np.testing.assert_allclose(value, boxes.giou(a * 3 + 7, b * 3 + 7))
    np.testing.assert_allclose(value, boxes.giou(b, a).T)
    # two unit squares with two empty ones between: IoU 0, a box of 4 around, 2 of it empty
    assert boxes.giou([[0, 0, 1, 1]], [[3, 0, 4, 1]])[0, 0] == pytest.approx(-0.5)


# Suppression


@SEEDS
@pytest.mark.parametrize("n", [0, 1, 200])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_nms_is_that_of_tensorflow(seed, n, threshold):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    found, scores = draw(n, rng).astype(np.float32), rng.permutation(n).astype(np.float32)
    expected = tf.image.non_max_suppression(found, scores, max(n, 1), threshold).numpy()
    np.testing.assert_array_equal(boxes.nms(found, scores, threshold), expected)


@SEEDS
def test_nms_with_ties_is_that_of_tensorflow(seed):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    found, scores = draw(120, rng, whole=True).astype(np.float32), rng.integers(0, 4, 120).astype(np.float32)
    expected = tf.image.non_max_suppression(found, scores, 120, 0.4).numpy()
    np.testing.assert_array_equal(boxes.nms(found, scores, 0.4), expected)


@SEEDS
def test_classes_do_not_suppress_each_other(seed):
    rng = np.random.default_rng(seed)
    found, scores, classes = draw(80, rng), rng.random(80), rng.integers(0, 3, 80)
    kept = boxes.nms(found, scores, 0.3, classes)
    alone = [np.flatnonzero(classes == c)[boxes.nms(found[classes == c], scores[classes == c], 0.3)] for c in range(3)]
    assert sorted(kept) == sorted(np.concatenate(alone))
    assert np.all(np.diff(scores[kept]) <= 0)


@SEEDS
def test_soft_nms_is_that_of_tensorflow(seed):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    found, scores = draw(60, rng).astype(np.float32), rng.uniform(0.1, 1, 60).astype(np.float32)
    # TensorFlow writes the penalty as exp(-IoU² / (2 sigma)).
    expected, values = tf.image.non_max_suppression_with_scores(found, scores, 60, 1.0, 0.01, soft_nms_sigma=0.25)
    kept, new = boxes.soft_nms(found, scores, sigma=0.5, least=0.01)
    np.testing.assert_array_equal(kept, expected.numpy())
    np.testing.assert_allclose(new, values.numpy(), rtol=1e-4)


def test_soft_nms_keeps_what_nms_drops_with_a_lower_score():
    found, scores = [[0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50]], [0.9, 0.8, 0.5]
    assert boxes.nms(found, scores).tolist() == [0, 2]
    kept, new = boxes.soft_nms(found, scores)
    assert kept.tolist() == [0, 2, 1]
    assert new[:2].tolist() == [0.9, 0.5]
    assert new[2] == pytest.approx(0.8 * np.exp(-((9 / 11) ** 2) / 0.5))
    kept, new = boxes.soft_nms(found, scores, classes=[0, 1, 0])
    assert new.tolist() == [0.9, 0.8, 0.5]


def test_thousands_of_boxes():
    rng = np.random.default_rng(0)
    found, scores = draw(5000, rng, side=2000), rng.random(5000)
    kept = boxes.nms(found, scores, 0.5)
    overlap = boxes.iou(found[kept], found[kept]) - np.eye(len(kept))
    assert overlap.max() <= 0.5
    assert boxes.iou(found, found[kept]).max(axis=1).min() > 0.5


# Average precision


def coco(detections, objects, n_classes, thresholds):
    """(thresholds, classes) average precision by pycocotools; -1 where there is nothing to find, as nan."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = [], []
    for image, (seen, there) in enumerate(zip(detections, objects, strict=True), 1):
        ignore = np.zeros(len(there.boxes), bool) if there.ignore is None else there.ignore
        for box, of_class, flag in zip(boxes.convert(there.boxes, "xyxy", "xywh"), there.classes, ignore, strict=True):
            row = {"id": len(truth) + 1, "image_id": image, "category_id": int(of_class), "bbox": box.tolist()}
            truth.append(row | {"area": float(box[2] * box[3]), "iscrowd": 0, "skip": bool(flag)})
        for box, score, of_class in zip(boxes.convert(seen.boxes, "xyxy", "xywh"), *seen[1:], strict=True):
            row = {"image_id": image, "category_id": int(of_class), "bbox": box.tolist()}
            found.append(row | {"score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(1, len(objects) + 1)],
            "categories": [{"id": c, "name": str(c)} for c in range(n_classes)],
            "annotations": truth,
        }
        known.createIndex()
        run = COCOeval(known, known.loadRes(found), "bbox")
        run.params.iouThrs = np.asarray(thresholds)
        run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
        run.params.maxDets = [100]
        run._prepare()
        for row in truth:
            row["ignore"] = row["skip"]
        run._prepare = lambda: None
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, 0]
    return np.where((precision == -1).all(axis=1), np.nan, precision.mean(axis=1))


def scene(rng, n_classes, whole=False, ignoring=False):
    """An image with objects, and detections: near an object, twice, of nothing, of the wrong class."""
    truth = draw(rng.integers(0, 12), rng, whole=whole)
    truth = truth[boxes.area(truth) > 0]
    classes = rng.integers(0, n_classes, len(truth))
    near = np.repeat(np.arange(len(truth)), rng.integers(0, 3, len(truth)))
    found = np.concatenate(
        [truth[near] + rng.normal(0, 0 if whole else 2, (len(near), 4)), draw(rng.integers(0, 6), rng)]
    )
    found = np.where(np.arange(4) > 1, np.maximum(found, np.roll(found, 2, axis=1) + 0.5), found)
    guess = np.append(classes[near], rng.integers(0, n_classes, len(found) - len(near)))
    guess = np.where(rng.random(len(guess)) < 0.1, rng.integers(0, n_classes, len(guess)), guess)
    scores = rng.integers(1, 6, len(found)) / 6 if whole else rng.random(len(found))
    return Detections(found, scores, guess), Objects(truth, classes, rng.random(len(truth)) < 0.3 if ignoring else None)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("whole", [False, True], ids=["any", "with ties"])
@pytest.mark.parametrize("ignoring", [False, True], ids=["all", "ignoring"])
def test_average_precision_is_that_of_the_coco_tools(seed, whole, ignoring):
    rng = np.random.default_rng(seed)
    detections, objects = zip(*(scene(rng, 3, whole, ignoring) for _ in range(12)), strict=True)
    thresholds = boxes.COCO_THRESHOLDS
    table = boxes.average_precisions(detections, objects, 3, thresholds)
    np.testing.assert_allclose(table, coco(detections, objects, 3, thresholds), atol=1e-9)
    assert 0 < np.nanmean(table) < 1


def test_only_the_hundred_best_of_an_image_count():
    rng = np.random.default_rng(2)
    truth = draw(130, rng, side=1000)
    objects = [Objects(truth, np.zeros(130, int))]
    detections = [Detections(truth, rng.random(130), np.zeros(130, int))]
    np.testing.assert_allclose(
        boxes.average_precisions(detections, objects, 1), coco(detections, objects, 1, boxes.COCO_THRESHOLDS), atol=1e-9
    )
    assert boxes.average_precisions(detections, objects, 1, most=130)[0, 0] == 1


def test_images_without_objects_or_detections():
    nothing, none = Detections([], [], []), Objects([], [])
    box = [[0, 0, 10, 10]]
    assert np.isnan(boxes.average_precisions([nothing], [none], 1)).all()
    assert boxes.average_precisions([nothing], [Objects(box, [0])], 1).max() == 0
    assert np.isnan(boxes.average_precisions([Detections(box, [0.5], [0])], [none], 1)).all()
    alarms = [Detections(box, [0.5], [0]), Detections(box, [0.9], [0])]
    assert boxes.average_precisions(alarms, [Objects(box, [0]), none], 1, [0.5])[0, 0] == pytest.approx(0.5)


def test_an_object_is_found_once():
    truth = [[0, 0, 10, 10]]
    found = [[0, 0, 10, 9], [0, 0, 10, 10], [30, 30, 40, 40]]
    assert boxes.match(found, [0.9, 0.8, 0.7], truth).tolist() == [0, -1, -1]
    precision, recall = boxes.precision_recall([0.9, 0.8, 0.7], [True, False, False], 1)
    np.testing.assert_allclose(precision, [1, 1 / 2, 1 / 3])
    np.testing.assert_array_equal(recall, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boxes.convert([[1, 2, 3, 4]], "yolo", "xyxy"), "one of xyxy, xywh, center_xywh; got 'yolo'"),
        (lambda: boxes.iou([[1, 2, 3]], [[1, 2, 3, 4]]), r"must be \(n, 4\), got shape \(1, 3\)"),
        (lambda: boxes.nms([[1, 2, 3, 4]], [0.5, 0.6]), "1 boxes, 2 scores"),
        (lambda: boxes.nms([[1, 2, 3, 4]], [np.nan]), "nan"),
        (lambda: boxes.soft_nms([[1, 2, 3, 4]], [0.5], sigma=0), "sigma"),
        (lambda: boxes.average_precisions([], [Objects([], [])], 1), "0 of detections and 1 of objects"),
        (lambda: boxes.match([], [], [[0, 0, 1, 1]], ignore=[True, False]), "got 2 for 1"),
    ],
)
def test_what_makes_no_sense_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
