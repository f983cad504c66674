"""Two thresholds of a detector, to play with: which score a box needs, and how much two boxes may overlap.

The widget lives as long as the notebook runs and is not stored in it:
:func:`strip` draws what it shows for a few values.
"""

import matplotlib.pyplot as plt

from utils.plotting import COLOURS, boxed


def strip(picture, find, leasts, overlaps, names=None, colours=COLOURS):
    """A table of pictures: a row for each overlap that is allowed, a column for each least score.

    Parameters
    ----------
    picture : (height, width, 3) array
    find : callable
        ``find(least, overlap)`` returns boxes (n, 4), scores (n,) and classes (n,).
    leasts, overlaps : sequences of float
    names, colours : sequences of str
        Of the classes.
    """
    size = 9.5 / len(leasts)
    _, axes = plt.subplots(len(overlaps), len(leasts), figsize=(9.5, (size + 0.3) * len(overlaps)), squeeze=False)
    for row, overlap in zip(axes, overlaps, strict=True):
        for axis, least in zip(row, leasts, strict=True):
            draw(picture, find, least, overlap, names if axis is axes[0, 0] else None, colours, axis)


def draw(picture, find, least, overlap, names=None, colours=COLOURS, axis=None):
    """The picture with the boxes that are left at these thresholds, and how many they are."""
    axis = axis or plt.subplots(figsize=(6, 6))[1]
    boxes, _, classes = find(least, overlap)
    boxed(picture, boxes, classes, names, axis, colours=colours)
    axis.set_title(f"score ≥ {least:g}, overlap ≤ {overlap:g}: {len(boxes)} boxes", fontsize="small")


def play(picture, find, least=0.3, overlap=0.4, names=None, colours=COLOURS):
    """Sliders for both thresholds. Without ipywidgets, a line of text.

    Parameters
    ----------
    picture, find, names, colours
        See :func:`strip`.
    least, overlap : float
        Where the sliders begin.
    """
    try:
        import ipywidgets as widgets
        from IPython.display import display
    except ImportError:
        print("The sliders need the package ipywidgets, which comes with jupyter. The figure above shows the same.")
        return
    sliders = {
        "least": widgets.FloatSlider(least, min=0.05, max=0.95, step=0.05, description="score ≥"),
        "overlap": widgets.FloatSlider(overlap, min=0.0, max=1.0, step=0.05, description="overlap ≤"),
    }

    def show(least, overlap):
        draw(picture, find, least, overlap, names, colours)
        plt.show()

    output = widgets.interactive_output(show, sliders)
    display(widgets.VBox([widgets.HBox(list(sliders.values())), output]))
