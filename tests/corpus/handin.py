"""What one student of the class hands in, and what has to come of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expected:
    """What has to come of a hand-in.

    Parameters
    ----------
    student : str
        Its folder, and the student's id.
    kind : str
        ``"honest"``, ``"damaged"`` or ``"hostile"``.
    what : str
        In one line.
    graded : bool
        Whether there is a notebook to grade; where there is none, the student has 0 points and a reason in words.
    points : int or None
        Exactly these; None where ``at_most`` is all that is known.
    at_most : int
        The points of the honest code in it: no more, whatever it does.
    exercises : dict of str to int
        Exercises that must get exactly these points. Of a hostile hand-in: those that its attack must not harm.
    sandbox : bool
        Whether this holds only where code runs in a sandbox.
    slow : bool
        Whether it keeps a cell busy until its time is up, or fills memory or disk.
    """

    student: str
    kind: str
    what: str
    graded: bool
    points: int | None
    at_most: int
    exercises: dict = field(default_factory=dict)
    sandbox: bool = False
    slow: bool = False


def expected(student, kind, what, earned):
    """What is expected of a hand-in that can be graded and whose points are known, exercise id -> points."""
    total = sum(earned.values())
    return Expected(student, kind, what, True, total, total, dict(earned))


def ungraded(student, what):
    """What is expected of a hand-in without a notebook that could be graded."""
    return Expected(student, "damaged", what, False, 0, 0)


@dataclass(frozen=True)
class HandIn:
    """A student's folder: path -> bytes, or a pathlib.Path to which a link points. None stands for an empty folder."""

    expected: Expected
    files: dict | None

    def write(self, folder):
        """Write it below `folder`."""
        place = folder / self.expected.student
        place.mkdir(parents=True)
        for path, content in (self.files or {}).items():
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                target.symlink_to(content)
