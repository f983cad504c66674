"""Support vector machines on one or several sets of features, their settings chosen on the validation set.

A set of features is an array (n, length). Each is scaled by the statistics of its training part; of a long one only the
first principal components are kept; then it is divided by one number. So every set has the same say among several, and
the total variance of all inputs is one.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from utils.metrics import accuracy

# Tried one after the other. After scaling, the mean squared distance of two training examples is 2.
LINEAR_SETTINGS = ({"C": 0.3}, {"C": 3.0}, {"C": 30.0})
KERNEL_SETTINGS = tuple({"C": C, "gamma": gamma} for C in (1.0, 10.0) for gamma in (0.3, 1.0, 3.0))


class Reduction:
    """Scales a set of features, keeps its first principal components, and gives the rest a total variance of one.

    Parameters
    ----------
    train : (n, length) array
        What means, scales and components are taken from.
    components : int
        A set with more features than this is replaced by as many principal components.
    seed : int
        Of the random projections by which the components are found.

    Examples
    --------
    >>> reduction = Reduction(np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0]]))
    >>> reduction(np.array([[2.0, 20.0]]))
    array([[0., 0.]])
    """

    def __init__(self, train, components=100, seed=0):
        steps = [StandardScaler()]
        if train.shape[1] > components:
            steps.append(PCA(components, svd_solver="randomized", random_state=seed))
        self.pipeline = make_pipeline(*steps)
        self.spread = np.sqrt(self.pipeline.fit_transform(train).var(axis=0).sum()) or 1.0

    def __call__(self, features):
        """(n, length) to (n, at most `components`)."""
        return self.pipeline.transform(features) / self.spread


@dataclass(frozen=True)
class Model:
    """A trained support vector machine.

    reductions : dict of str to Reduction
        What scales and shortens each set of features.
    classifier : scikit-learn classifier
    settings : dict
        The chosen ones.
    validation_accuracy : float
    """

    reductions: dict
    classifier: object
    settings: dict
    validation_accuracy: float

    def inputs(self, features):
        """(n, numbers) array that the classifier sees, from a dictionary of feature sets."""
        return _inputs(self.reductions, features)

    def scores(self, features):
        """(n, classes) array: how far each example is on the side of each class, against all others."""
        return self.classifier.decision_function(self.inputs(features))

    def predict(self, features):
        """(n,) array of predicted labels."""
        return self.classifier.predict(self.inputs(features))


def fit(train, labels, validation, validation_labels, kernel="linear", reductions=None, seed=0):
    """Train one support vector machine per setting, and keep the one that is best on the validation set.

    Parameters
    ----------
    train, validation : dict of str to (n, length) array
        Sets of features by name, the same names in both.
    labels, validation_labels : (n,) array of int
    kernel : str
        ``"linear"``, or ``"rbf"`` for exp(-gamma · distance²).
    reductions : dict of str to Reduction, optional
        Those of the sets of features, where they are known already; otherwise they are made from `train`.
    seed : int
        Of the reductions.

    Returns
    -------
    Model

    Examples
    --------
    >>> x = np.arange(12.0)[:, None]
    >>> model = fit({"x": x}, (x[:, 0] > 5).astype(int), {"x": x + 0.1}, (x[:, 0] > 5).astype(int))
    >>> model.predict({"x": np.array([[1.0], [9.0]])})
    array([0, 1])
    """
    if kernel not in ("linear", "rbf"):
        raise ValueError(f"kernel must be 'linear' or 'rbf', got {kernel!r}")
    if list(train) != list(validation):
        raise ValueError(f"train has the feature sets {', '.join(train)}, validation {', '.join(validation)}")
    reductions = reductions or {name: Reduction(values, seed=seed) for name, values in train.items()}
    train, validation = _inputs(reductions, train), _inputs(reductions, validation)
    best = None
    for settings in LINEAR_SETTINGS if kernel == "linear" else KERNEL_SETTINGS:
        classifier = LinearSVC(dual=False, **settings) if kernel == "linear" else SVC(kernel="rbf", **settings)
        classifier.fit(train, labels)
        reached = accuracy(validation_labels, classifier.predict(validation))
        if best is None or reached > best.validation_accuracy:
            best = Model(reductions, classifier, settings, reached)
    return best


def _inputs(reductions, features):
    sets = [reduction(features[name]) for name, reduction in reductions.items()]
    return np.hstack(sets) / np.sqrt(len(sets))
