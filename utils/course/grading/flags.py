"""What a person may want to look at in the answers of a class: a list of places, never a verdict and never a mark."""

from dataclasses import dataclass

from utils.course.grading.likeness import alike
from utils.course.grading.marks import exercise_order
from utils.course.grading.usage import uses

# Kind of flag -> (what it says, whether it asks for a look; the others are for information).
KINDS = {
    "shortcut": ("uses what the exercise forbids", True),
    "reference": ("uses the checks or their reference", True),
    "patch": ("changes what others rely on", True),
    "introspection": ("reaches outside of the answer", True),
    "magic": ("uses a magic of the notebook", True),
    "published": ("is the published solution but for names and layout", True),
    "alike": ("is alike another answer", True),
    "unparsable": ("cannot be read", False),
    "fallback": ("was not found by its marker", False),
}
_FOUND = {
    "names": "found by the names that it defines: the cell's first line and its id are gone",
    "missing": "no cell was recognised as the answer: the untouched cell was graded",
}
MOST = 60  # flags of one answer


@dataclass(frozen=True)
class Flag:
    """One thing to look at.

    Parameters
    ----------
    exercise : str
    kind : str
        A key of :data:`KINDS`.
    text : str
    lines : tuple of int
        Of the student's cell, from 1; empty where no line is meant.
    """

    exercise: str
    kind: str
    text: str
    lines: tuple = ()

    @property
    def asks(self):
        """True where a person should look; False where it is for information."""
        return KINDS.get(self.kind, ("", True))[1]


@dataclass(frozen=True)
class Review:
    """What :func:`review_flags` found.

    Parameters
    ----------
    flags : dict of str to tuple of Flag
        Student -> flags, by exercise. Students without a flag are not in it.
    groups : tuple of likeness.Group
        Those with the largest likeness first.
    common : tuple of likeness.Group
        By exercise: who has written the most frequent answer, where they are too many to say anything.
    """

    flags: dict
    groups: tuple
    common: tuple


def review_flags(results, imports="", solutions=None, forbidden=None, stubs=None):
    """Flags of each student, and groups of answers that are alike.

    Parameters
    ----------
    results : list of dict
    imports : str
        Source of the notebook's set-up and imports cells: the names that an answer finds there.
    solutions : dict of str to str
        Exercise -> the published solution's cell.
    forbidden : dict of str to sequence of str
        Exercise -> what it forbids, such as ``"skimage.feature.hog"``.
    stubs : dict of str to str
        Exercise -> the cell as it is handed out.

    Returns
    -------
    Review
    """
    solutions, forbidden, stubs = solutions or {}, forbidden or {}, stubs or {}
    flags = {result["student"]: list(_given(result)) for result in results}
    answers = {}
    for result in results:
        for exercise in result.get("exercises", ()) if result["status"] == "graded" else ():
            name, source = exercise["id"], exercise.get("source") or ""
            flags[result["student"]] += answer_flags(exercise, imports, forbidden.get(name, ()), stubs.get(name, ""))
            if source.strip() and exercise.get("state") not in {"missing", "not attempted"}:
                answers.setdefault(name, {})[result["student"]] = source
    groups, common = [], []
    for name in sorted(answers, key=exercise_order):
        found, as_published, frequent = alike(
            answers[name], name, imports, stubs.get(name, ""), published=solutions.get(name, "")
        )
        groups += found
        common += [frequent] if frequent else []
        for group in found:
            how = "the same but for names and layout" if group.same else f"alike to {group.likeness:.0%}"
            for student in group.students:
                others = ", ".join(other for other in group.students if other != student)
                flags[student].append(Flag(name, "alike", f"{how}: {others}"))
        for student in as_published:
            flags[student].append(Flag(name, "published", KINDS["published"][0]))
    return Review(
        {student: _ordered(found) for student, found in flags.items() if found},
        tuple(sorted(groups, key=lambda g: (-g.likeness, exercise_order(g.exercise), g.students))),
        tuple(common),
    )


def answer_flags(exercise, imports="", forbidden=(), stub=""):
    """The flags that one answer has by itself.

    Parameters
    ----------
    exercise : dict
        Of a result.
    imports, stub : str
    forbidden : sequence of str

    Returns
    -------
    list of Flag
    """
    flags = []
    if exercise.get("matched") in _FOUND:
        flags.append(Flag(exercise["id"], "fallback", _FOUND[exercise["matched"]]))
    source = exercise.get("source") or ""
    if not source.strip():
        return flags
    given = {(use.kind, use.what) for use in uses(stub, imports)} if stub else set()
    lines = {}
    for use in uses(source, imports, forbidden):
        if (use.kind, use.what) not in given:
            lines.setdefault((use.kind, use.what), []).append(use.line)
    flags += [
        Flag(exercise["id"], kind, _words(kind, what), tuple(at))
        for (kind, what), at in lines.items()
        if not any(other.startswith(f"{what}.") for same, other in lines if same == kind)  # `os` beside `os.listdir`
    ]
    return flags[:MOST]


def _words(kind, what):
    if kind in {"unparsable", "patch"} or what.startswith(("defines ", "getattr with")):
        return what
    return f"uses {what}"


def _given(result):
    """Flags that the grader has put into the result."""
    for flag in result.get("flags", ()):
        yield Flag(str(flag.get("exercise") or ""), str(flag.get("kind", "")), str(flag.get("text", "")))


def _ordered(flags):
    """By exercise, those that ask for a look first; a text that is said twice is said once, with its lines."""
    kept = {}
    for flag in flags:
        key = (flag.exercise, flag.kind, flag.text)
        if key not in kept or flag.lines:
            kept[key] = flag
    place = {kind: i for i, kind in enumerate(KINDS)}
    return tuple(sorted(kept.values(), key=lambda f: (not f.asks, exercise_order(f.exercise), place.get(f.kind, -1))))
