"""Measures of a classifier, computed from labels and predictions.

Labels are integers from 0; each function is tested against scikit-learn or scipy.
"""

import numpy as np


def accuracy(labels, predictions):
    """Share of predictions that are right.

    Parameters
    ----------
    labels, predictions : (n,) array_like of int

    Returns
    -------
    float

    Examples
    --------
    >>> accuracy([0, 1, 2, 1], [0, 1, 1, 1])
    0.75
    """
    labels, predictions = _pair(labels, predictions)
    return float(np.mean(labels == predictions))


def confusion_matrix(labels, predictions, n_classes):
    """How often class i (row) was taken for class j (column).

    Parameters
    ----------
    labels, predictions : (n,) array_like of int, from 0 to n_classes - 1
    n_classes : int

    Returns
    -------
    (n_classes, n_classes) array of int

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2)
    array([[1, 1],
           [0, 2]])
    """
    labels, predictions = _pair(labels, predictions)
    for name, values in (("labels", labels), ("predictions", predictions)):
        if values.min() < 0 or values.max() >= n_classes:
            raise ValueError(
                f"{name} must be from 0 to {n_classes - 1}, got values from {values.min()} to {values.max()}"
            )
    return np.bincount(labels * n_classes + predictions, minlength=n_classes**2).reshape(n_classes, n_classes)


def wilson_interval(n_right, n, z=1.0):
    """Interval for a share of which `n_right` of `n` were seen (Wilson 1927); z = 1 is 68 %, z = 1.96 is 95 %.

    Unlike ``p ± sqrt(p (1 - p) / n)`` it stays inside 0–1 and has a width when all or none are right.

    Parameters
    ----------
    n_right, n : int or array of int
    z : float
        Half-width in standard deviations of a normal distribution.

    Returns
    -------
    low, high : float or array; NaN where n is 0

    Examples
    --------
    >>> low, high = wilson_interval(8, 10, z=1.96)
    >>> print(f"{low:.3f} {high:.3f}")
    0.490 0.943
    """
    n_right, n = np.asarray(n_right, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = n_right / n
        centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Where all or none are right the share is a limit itself: rounding must not put it outside.
    return np.fmin(centre - half, share), np.fmax(centre + half, share)


def _pair(labels, predictions):
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape or labels.ndim != 1 or len(labels) == 0:
        raise ValueError(
            f"labels and predictions must be two lists of one length, got shapes {labels.shape} and {predictions.shape}"
        )
    return labels, predictions
