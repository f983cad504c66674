"""Thresholds of a detector: drawn as a table, and played with, with a screen and without."""

import sys

import matplotlib.pyplot as plt
import numpy as np

from utils import plotting, thresholds

PICTURE = np.zeros((20, 30, 3), np.uint8)


def find(least, overlap):
    """Ten boxes with scores 0, 0.1, …; the overlap drops the last."""
    scores = np.arange(10) / 10
    kept = (scores >= least) & (np.arange(10) < (10 if overlap > 0.5 else 9))
    corners = np.stack([np.arange(10), np.arange(10), np.arange(10) + 5, np.arange(10) + 4], axis=1)
    return corners[kept], scores[kept], np.arange(10)[kept] % 2


def test_a_picture_for_each_pair():
    thresholds.strip(PICTURE, find, (0.25, 0.45), (0.3, 0.7), ("star", "galaxy"))
    titles = [axis.get_title() for axis in plt.gcf().axes]
    assert [title.split(": ")[1] for title in titles] == ["6 boxes", "4 boxes", "7 boxes", "5 boxes"]
    plt.close("all")


def test_it_plays_with_and_without_widgets(monkeypatch, capsys):
    thresholds.play(PICTURE, find)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    thresholds.play(PICTURE, find)
    assert "ipywidgets" in capsys.readouterr().out
    plt.close("all")


def test_boxes_are_drawn_around_their_pixels():
    plotting.boxed(PICTURE, [[7, 3, 8, 4]], [1], ("a", "b"), texts=["0.5"])
    axis = plt.gca()
    x, y = axis.lines[0].get_data()
    assert (min(x), max(x), min(y), max(y)) == (6.5, 7.5, 2.5, 3.5)  # around the middle of pixel 7, 3
    assert axis.lines[0].get_color() == plotting.COLOURS[1] and axis.texts[0].get_text() == "0.5"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    plotting.boxed(PICTURE, np.zeros((0, 4)), axis=axis)
    assert len(axis.images) == 1
    plt.close("all")
