"""How far a run is: a bar in a terminal, a line every now and then in a file."""

import sys
import time

EVERY = 30  # seconds between lines


class Progress:
    """Counts submissions; use it as a context manager.

    Parameters
    ----------
    total : int
    terminal : bool or None
        None: whether standard error is one.
    every : float
        Seconds between lines where it is none.
    """

    def __init__(self, total, terminal=None, every=EVERY):
        self.total, self.done, self._every = total, 0, every
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._started = self._told = time.monotonic()
        self._bar = None

    def __enter__(self):
        if self._terminal:
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, desc="graded", unit="", dynamic_ncols=True)
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()

    def step(self):
        """One more is done."""
        self.done += 1
        if self._bar is not None:
            self._bar.update()

    def tick(self):
        """Keep the clock going, or say a line where it is time for one."""
        if self._bar is not None:
            self._bar.refresh()
        elif time.monotonic() - self._told > self._every:
            self._told = time.monotonic()
            print(self.line(), file=sys.stderr, flush=True)

    def line(self):
        """``12 of 40 graded, about 3 min left``"""
        elapsed = time.monotonic() - self._started
        rest = f", about {duration(elapsed / self.done * (self.total - self.done))} left" if self.done else ""
        return f"{self.done} of {self.total} graded{rest}"

    def say(self, text):
        """Print a line beside the bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)


def duration(seconds):
    """Seconds in words.

    Examples
    --------
    >>> duration(42.3), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
