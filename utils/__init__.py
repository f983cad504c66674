"""Helpers that the labs import, and the tools that build and grade them.

What a lab uses, and which way imports point::

    lab, training, results  ->  datasets, plotting, metrics, checks  ->  sky

``utils.course`` builds, measures and times the labs; nothing that a student's notebook imports depends on it.
"""
