"""A kernel that slides over a small image, place by place: a figure for readers, a widget for those who play.

The sums are those of a layer of a neural network (a correlation). :func:`strip` draws a few places side by side;
:func:`play` shows one place at a time, with sliders for the place, the stride and the dilation and a choice of padding.
The widget lives as long as the notebook runs and is not stored in it, so what it shows stands in a figure too.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from utils.plotting import COLOURS


def walk(image, kernel, stride=1, dilation=1, padding="valid"):
    """The padded image, the corner of the kernel at each place, and the sums.

    Parameters
    ----------
    image : (height, width) array
    kernel : (kernel height, kernel width) array
    stride, dilation : int
    padding : str
        ``"valid"``, or ``"same"`` as TensorFlow pads: zeros around, the odd one below and on the right.

    Returns
    -------
    padded : (rows, columns) array
    corners : list of (row, column)
        Where the kernel's upper left element lies in `padded`, row by row.
    sums : (output height, output width) array

    Examples
    --------
    >>> padded, corners, sums = walk(np.ones((5, 5)), np.ones((3, 3)), stride=2)
    >>> corners, sums.tolist()
    ([(0, 0), (0, 2), (2, 0), (2, 2)], [[9.0, 9.0], [9.0, 9.0]])
    """
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    reach = [dilation * (n - 1) + 1 for n in kernel.shape]
    if padding == "same":
        missing = [max((-(-n // stride) - 1) * stride + r - n, 0) for n, r in zip(image.shape, reach, strict=True)]
        image = np.pad(image, [(n // 2, n - n // 2) for n in missing])
    elif padding != "valid":
        raise ValueError(f'padding must be "valid" or "same", got {padding!r}')
    rows, columns = (range(0, n - r + 1, stride) for n, r in zip(image.shape, reach, strict=True))
    if not (rows and columns):
        raise ValueError(f"a kernel that reaches over {reach[0]}×{reach[1]} pixels does not fit into {image.shape}")
    corners = [(row, column) for row in rows for column in columns]
    sums = [np.sum(_window(image, kernel, corner, dilation) * kernel) for corner in corners]
    return image, corners, np.reshape(sums, (len(rows), len(columns)))


def _window(image, kernel, corner, dilation):
    """What the kernel's elements lie upon."""
    row, column = corner
    height, width = kernel.shape
    return image[row : row + dilation * height : dilation, column : column + dilation * width : dilation][
        :height, :width
    ]


def strip(image, kernel, places):
    """Some places of the kernel side by side: the image above, what is known of the output below.

    Parameters
    ----------
    image, kernel : two-dimensional arrays
    places : sequence of int
        Numbers of the places, row by row from 0.
    """
    padded, corners, sums = walk(image, kernel)
    _, axes = plt.subplots(2, len(places), figsize=(2.5 * len(places), 4.6), height_ratios=[5, 3.4])
    for above, below, place in zip(*axes, places, strict=True):
        _draw_image(above, padded, np.asarray(kernel), corners[place], 1, f"place {place + 1} of {len(corners)}")
        _draw_output(below, sums, place)


def draw(image, kernel, place=0, stride=1, dilation=1, padding="valid"):
    """One place of the kernel: image, products, output so far. Places beyond the last one show the last."""
    padded, corners, sums = walk(image, kernel, stride, dilation, padding)
    kernel = np.asarray(kernel, float)
    place = min(place, len(corners) - 1)
    corner = corners[place]
    window = _window(padded, kernel, corner, dilation)
    _, axes = plt.subplots(1, 3, figsize=(9.5, 3.6), width_ratios=[5, 4, 4])
    _draw_image(axes[0], padded, kernel, corner, dilation, f"place {place + 1} of {len(corners)}")
    _numbers(axes[1], window * kernel, "pixel × weight")
    axes[1].set_xlabel(f"their sum is {sums.flat[place]:.2f}")
    _draw_output(axes[2], sums, place)


def play(image, kernel):
    """Sliders for place, stride and dilation, and a choice of padding. Without ipywidgets, a line of text.

    Parameters
    ----------
    image, kernel : two-dimensional arrays
        Small ones: every number is written out.
    """
    try:
        import ipywidgets as widgets
        from IPython.display import display
    except ImportError:
        print("The stepper needs the package ipywidgets, which comes with jupyter. The figure above shows the same.")
        return
    place = widgets.IntSlider(0, 0, 0, description="place")
    stride = widgets.IntSlider(1, 1, 3, description="stride")
    dilation = widgets.IntSlider(1, 1, 2, description="dilation")
    padding = widgets.Dropdown(options=["valid", "same"], description="padding")

    def fit(_=None):
        place.max = len(walk(image, kernel, stride.value, dilation.value, padding.value)[1]) - 1

    def show(place, stride, dilation, padding):
        draw(image, kernel, place, stride, dilation, padding)
        plt.show()

    fit()
    for control in (stride, dilation, padding):
        control.observe(fit, "value")
    controls = {"place": place, "stride": stride, "dilation": dilation, "padding": padding}
    output = widgets.interactive_output(show, controls)
    display(widgets.VBox([widgets.HBox([place, stride]), widgets.HBox([dilation, padding]), output]))


def _draw_image(axis, padded, kernel, corner, dilation, title):
    _numbers(axis, padded, title)
    row, column = corner
    for i, j in np.ndindex(kernel.shape):
        at = column + dilation * j - 0.5, row + dilation * i - 0.5
        axis.add_patch(Rectangle(at, 1, 1, facecolor=COLOURS[1], alpha=0.35, edgecolor=COLOURS[5], linewidth=1.5))


def _draw_output(axis, sums, place):
    known = np.where(np.arange(sums.size).reshape(sums.shape) <= place, sums, np.nan)
    _numbers(axis, known, "output", vmin=np.min(sums), vmax=np.max(sums))
    row, column = divmod(place, sums.shape[1])
    axis.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=COLOURS[5], linewidth=2.5, zorder=4)
    )


def _numbers(axis, values, title, **limits):
    """An array as a table on grey, its numbers written out; NaN is left blank."""
    axis.imshow(values, cmap="Blues", alpha=0.5, **limits)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.0f}" if np.allclose(values[np.isfinite(values)] % 1, 0) else f"{value:.2f}"
            axis.text(column, row, text, ha="center", va="center", fontsize="small")
    axis.set_xticks(np.arange(values.shape[1] + 1) - 0.5, [])
    axis.set_yticks(np.arange(values.shape[0] + 1) - 0.5, [])
    axis.grid(color="0.85", linewidth=1)
    axis.tick_params(length=0)
    axis.set_title(title)
    axis.spines[:].set_visible(False)
