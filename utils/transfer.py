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
    >>> optimizer.factors
    [0.01, 0.01, 1.0, 1.0]
    """

    def __init__(self, rates, **options):
        if not rates or min(rates.values()) <= 0:
            raise ValueError(f"rates must be positive, one for each trained layer, got {rates}")
        super().__init__(max(rates.values()), **options)
        self.rates = dict(rates)

    def build(self, variables):
        super().build(variables)
        layers = [variable.path.split("/")[-2] for variable in variables]
        missing = sorted(set(layers) - set(self.rates))
        if missing:
            raise ValueError(f"no learning rate for {', '.join(missing)}")
        self.factors = [self.rates[layer] / max(self.rates.values()) for layer in layers]

    def update_step(self, gradient, variable, learning_rate):
        factor = self.factors[self._get_variable_index(variable)]
        return super().update_step(gradient, variable, learning_rate * factor)


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
