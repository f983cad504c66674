"""Take a trained network on to new labels: again and again from the same weights, each layer at its own rate.

For a label-efficiency curve one network is trained dozens of times. Making and compiling it anew each time would cost
more than the training; :func:`train` puts the weights back and lets the optimiser forget instead.
"""

import keras
import numpy as np

from utils.compare import draws
from utils.training import prepare


class LayerwiseAdam(keras.optimizers.Adam):
    """Adam with a learning rate for each layer.

    Adam steps with the largest rate; then each layer goes back a part of the step, so that its own share is left.

    Parameters
    ----------
    rates : dict of str to float
        By the name of the layer, for every layer that is trained. ``learning_rate`` is the largest; when it is changed,
        all change by the same factor.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="a"), keras.layers.Dense(1, name="b")])
    >>> optimizer = LayerwiseAdam({"a": 0.001, "b": 0.1})
    >>> optimizer.build(model.trainable_variables)
    >>> [optimizer.share(variable) for variable in model.trainable_variables]
    [0.01, 0.01, 1.0, 1.0]
    """

    def __init__(self, rates, **options):
        if not rates or min(rates.values()) <= 0:
            raise ValueError(f"rates must be positive, one for each trained layer, got {rates}")
        super().__init__(max(rates.values()), **options)
        self.rates = dict(rates)

    def build(self, variables):
        missing = sorted({_layer(variable) for variable in variables} - set(self.rates))
        if missing:
            raise ValueError(f"no learning rate for {', '.join(missing)}")
        super().build(variables)
        self.steered = lambda: variables  # a function: Keras would take a list of them for variables of the optimiser

    def share(self, variable):
        """The rate of a variable's layer, divided by the largest."""
        return self.rates[_layer(variable)] / max(self.rates.values())

    def apply(self, grads, trainable_variables=None):
        variables = self.steered() if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        shares = [(variable, self.share(variable)) for variable in variables]
        before = [(variable, share, keras.ops.copy(variable)) for variable, share in shares if share != 1]
        super().apply(grads, trainable_variables)
        for variable, share, old in before:
            variable.assign(old + share * (variable - old))


def _layer(variable):
    """The name of the layer that a variable belongs to."""
    return variable.path.split("/")[-2]


def train(model, start, x, y, steps, batch_size=32, seed=0):
    """Train a compiled model from given weights, its learning rate falling to 0 along half a cosine.

    The optimiser forgets what it did before. Every example comes once before any comes again; where there are fewer
    than fill a batch, some come twice in it.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    start : list of array
        The weights to begin with, as ``model.get_weights()`` gives them.
    x, y : array
        Images and labels.
    steps, batch_size, seed : int
        The order of the examples hangs on the seed alone.
    """
    if not len(x):
        raise ValueError("no examples to train on")
    optimizer = model.optimizer
    rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    prepare(model, y)
    model.set_weights(start)
    for variable in optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    for step, chosen in enumerate(draws(len(x), batch_size, steps, seed)):
        optimizer.learning_rate = rate * (1 + np.cos(np.pi * step / steps)) / 2
        model.train_on_batch(x[chosen], y[chosen])
    optimizer.learning_rate = rate
