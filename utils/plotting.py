"""Figures that more than one lab draws: one message each, colours that colour-blind readers can tell apart."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np

# Okabe & Ito (2008): eight colours that readers with the common kinds of colour blindness can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")


def use_style():
    """Set fonts, colours and sizes for all figures of a notebook."""
    plt.rcParams.update(
        {
            "figure.figsize": (7, 4),
            "figure.dpi": 90,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "image.cmap": "gray",
            "image.origin": "upper",
            "image.interpolation": "nearest",
            "legend.frameon": False,
            "font.size": 10,
        }
    )


def gallery(images, titles=None, columns=8, size=1.3, suptitle=None):
    """Small pictures in a grid.

    Parameters
    ----------
    images : sequence of arrays
        Each (height, width, 3) in colour, uint8 or 0–1, or (height, width) in grey, stretched from its own lowest to
        its highest value.
    titles : sequence of str, optional
        One above each picture.
    columns : int
        Pictures in a row.
    size : float
        Width of one picture in inches.
    suptitle : str, optional
        Above the whole.
    """
    if len(images) == 0:
        raise ValueError("a gallery needs at least one picture, got none")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = size * (1.2 if titles is not None else 1.0)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, height * rows + 0.3), squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for i, image in enumerate(images):
        axes.flat[i].imshow(image)
        if titles is not None:
            axes.flat[i].set_title(titles[i], fontsize="x-small")
    if suptitle:
        figure.suptitle(suptitle)


def boxed(image, boxes, classes=None, names=None, axis=None, texts=None, style="-", colours=COLOURS):
    """Draw a picture with boxes around objects, in a colour for each class.

    Parameters
    ----------
    image : (height, width) or (height, width, 3) array
    boxes : (n, 4) array_like
        x0, y0, x1, y1 [pixels], the edges of boxes: see ``utils.boxes``.
    classes : (n,) array_like of int, optional
    names : sequence of str, optional
        Of the classes, for a legend.
    axis : matplotlib.axes.Axes, optional
        Where to draw; where it has a picture already, boxes are added to it.
    texts : sequence of str, optional
        One for each box.
    style : str
        Of the lines.
    colours : sequence of str
        One for each class.
    """
    axis = axis or plt.subplots(figsize=(5, 5))[1]
    if not axis.images:
        axis.imshow(image, origin="upper", interpolation="nearest", cmap="gray")
        axis.set(xticks=[], yticks=[])
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    classes = np.zeros(len(boxes), int) if classes is None else np.asarray(classes)
    for number, ((x0, y0, x1, y1), of_class) in enumerate(zip(boxes - 0.5, classes, strict=True)):
        colour = colours[of_class % len(colours)]
        axis.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], style, color=colour, linewidth=1.2)
        if texts is not None:
            axis.text(x0, y0, texts[number], color=colour, fontsize="x-small", va="bottom")
    rows, columns = np.shape(image)[:2]
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    if names is not None:
        handles = [axis.plot([], [], style, color=colour)[0] for colour, _ in zip(colours, names, strict=False)]
        legend = axis.legend(handles, names, loc="lower right", fontsize="small", labelcolor="linecolor", frameon=True)
        legend.get_frame().set(facecolor="black", edgecolor="none", alpha=0.7)


def learning_curves(histories):
    """Loss and accuracy against the epoch, training dashed and validation solid.

    Parameters
    ----------
    histories : dict of str to dict
        Name of the model -> what :func:`utils.training.fit` returned.
    """
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    for (name, history), colour in zip(histories.items(), COLOURS, strict=False):
        epochs = np.arange(1, len(history["loss"]) + 1)
        for axis, key in zip(axes, ("loss", "accuracy"), strict=True):
            axis.plot(epochs, history[key], "--", color=colour, label=f"{name}, training")
            if f"val_{key}" in history:
                axis.plot(epochs, history[f"val_{key}"], "-", color=colour, label=f"{name}, validation")
    for axis, label in zip(axes, ("loss (nats)", "accuracy"), strict=True):
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylim(bottom=0)
    axes[1].legend(fontsize="small")


def confusion(matrices, class_names):
    """Confusion matrices side by side, each cell the share of its row.

    Parameters
    ----------
    matrices : dict of str to (n, n) array of int
        Title -> counts, true class by row.
    class_names : sequence of str
    """
    _, axes = plt.subplots(1, len(matrices), figsize=(4.4 * len(matrices), 3.9), squeeze=False)
    for axis, (title, counts) in zip(axes.flat, matrices.items(), strict=True):
        counts = np.asarray(counts)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axis.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour)
        axis.set_xticks(range(len(class_names)), class_names, rotation=30, ha="right")
        axis.set_yticks(range(len(class_names)), class_names)
        axis.set(xlabel="predicted", ylabel="true", title=title)
        axis.spines[:].set_visible(True)


def bars(values, label, baseline=None):
    """Horizontal bars with their numbers, the first at the top.

    Parameters
    ----------
    values : dict of str to float
    label : str
        Of the axis, with its unit.
    baseline : tuple of (str, float), optional
        A dashed line with its name, e.g. ``("guessing", 0.25)``.
    """
    _, axis = plt.subplots(figsize=(7, 0.42 * len(values) + 1.0))
    names = list(values)[::-1]
    lengths = [values[name] for name in names]
    axis.barh(names, lengths, color=COLOURS[0])
    for position, length in enumerate(lengths):
        axis.text(0.01 * max(lengths), position, f"{length:.3f}", va="center", color="white", fontsize="small")
    if baseline:
        axis.axvline(baseline[1], color="black", linestyle="--", linewidth=1)
        axis.text(baseline[1], len(names) - 0.45, f" {baseline[0]}", fontsize="small", va="bottom")
    axis.set(xlabel=label, xlim=(0, None))


def pairs(values, names, label):
    """Two numbers side by side for each row, joined by a line, the first row at the top.

    Parameters
    ----------
    values : dict of str to (float, float)
    names : (str, str)
        What the first and the second number are.
    label : str
        Of the axis, with its unit.
    """
    figure, axis = plt.subplots(figsize=(7, 0.34 * len(values) + 1.3))
    places = np.arange(len(values))[::-1]
    first, second = np.array(list(values.values()), dtype=float).T
    axis.hlines(places, first, second, color="0.75", linewidth=2, zorder=1)
    axis.scatter(first, places, color=COLOURS[0], marker="o", label=names[0], zorder=2)
    axis.scatter(second, places, color=COLOURS[5], marker="D", label=names[1], zorder=2)
    axis.set_yticks(places, list(values))
    axis.set_xlabel(label)
    axis.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2)


def by_layer(values, label, axis=None, styles=None):
    """One line for each network: a quantity against the layer, on a logarithmic scale.

    A line ends with a cross where its values stop being finite positive numbers.

    Parameters
    ----------
    values : dict of str to (layers,) array
        Name -> the quantity after layer 1, 2, …
    label : str
        Of the quantity, with its unit.
    axis : matplotlib axis, optional
        Where to draw; a new figure otherwise.
    styles : dict of str to dict, optional
        Name -> options of ``axis.plot`` for this line.
    """
    axis = axis or plt.subplots()[1]
    longest = max(len(line) for line in values.values())
    for (name, line), colour in zip(values.items(), cycle(COLOURS), strict=False):
        line = np.asarray(line, float)
        shown = np.isfinite(line) & (line > 0)
        n = len(line) if shown.all() else int(np.argmin(shown))
        style = {"color": colour, **(styles or {}).get(name, {})}
        axis.plot(np.arange(1, n + 1), line[:n], label=name, **style)
        if 0 < n < len(line):
            axis.plot(n, line[n - 1], "x", markersize=9, markeredgewidth=2, color=style["color"])
    axis.set(xlabel="layer", ylabel=label, yscale="log", xlim=(0.5, longest + 0.5))
    axis.xaxis.get_major_locator().set_params(integer=True)


def training_curves(curves, smooth=20):
    """Training loss by step and validation accuracy at each check, for models trained by :func:`utils.compare.train`.

    A line is the mean over the seeds, a band reaches from the lowest to the highest. A cross ends the line of a model
    whose loss stopped being a number.

    Parameters
    ----------
    curves : dict of str to utils.compare.Curves
    smooth : int
        The training loss is averaged over so many steps.
    """
    _, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        steps = np.arange(1, curve.loss.shape[1] + 1)
        for axis, x, lines in (
            (axes[0], steps, curve.smooth_loss(smooth)),
            (axes[1], curve.steps, curve.validation_accuracy),
        ):
            good = np.isfinite(lines).all(axis=0)
            n = len(x) if good.all() else int(np.argmin(good))
            axis.plot(x[:n], lines[:, :n].mean(axis=0), color=colour, label=name)
            if len(lines) > 1:
                axis.fill_between(x[:n], lines[:, :n].min(axis=0), lines[:, :n].max(axis=0), color=colour, alpha=0.2)
            if 0 < n < len(x):
                axis.plot(x[n - 1], lines[:, n - 1].mean(), "x", markersize=9, markeredgewidth=2, color=colour)
    axes[0].set(xlabel="step", ylabel="training loss (nats)")
    axes[1].set(xlabel="step", ylabel="validation accuracy", ylim=(0, 1))
    axes[1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
