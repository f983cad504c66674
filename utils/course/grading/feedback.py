"""A student's page: what each answer earned and why, in one file that needs nothing else.

It says nothing about other students, about flags, or about the notes that are for the instructor.
"""

import re

from utils.course.grading.marks import look
from utils.course.grading.pages import TEXT, Outputs, code, render
from utils.course.grading.wording import sentence, visible

_STATES = {
    "correct": "correct",
    "not yet": "not yet correct",
    "not attempted": "not attempted",
    "missing": "not found",
    "stopped": "stopped",
}
_SIGNS = {"correct": "✔", "part": "◐", "wrong": "✘", "open": "○"}
_STATUS = {
    "missing": ("Nothing was handed in.", "If you did hand something in, tell your instructor when and where."),
    "unreadable": ("Your notebook could not be read.", "Mend it or save it anew, and ask your instructor what to do."),
    "failed": (
        "Grading your notebook did not come to an end.",
        "This is no mark yet. Your instructor sees it in the report and will look into it.",
    ),
}
MOST = 30  # outputs shown behind one exercise


def feedback_page(entry, title):
    """The page of one student.

    Parameters
    ----------
    entry : Entry
    title : str
        Such as ``"Lab 03 · A first CNN"``.

    Returns
    -------
    str
        HTML in one file: no network, no scripts, pictures inside.
    """
    result = entry.result
    outputs = Outputs()
    cells = _by_exercise(result.get("cells") or ())
    exercises = [_exercise(exercise, *cells.get(exercise["id"], ((), ())), outputs) for exercise in result["exercises"]]
    headline, advice = _STATUS.get(entry.status, ("", ""))
    reason = "" if entry.status == "missing" else result.get("reason", "")
    return render(
        "feedback.html",
        title=title,
        shown_name=entry.name or entry.student,
        entry=entry,
        share=_share(entry.total, entry.maximum),
        correct=sum(exercise["look"] == "correct" for exercise in exercises),
        exercises=exercises,
        headline=headline,
        reason=visible(sentence(reason), TEXT),
        advice=advice,
        file=result.get("file", "").rpartition("/")[2],
    )


def _exercise(exercise, own, behind, outputs):
    """What the template shows of an exercise."""
    state, how = exercise["state"], look(exercise)
    # Of the answer's cell and its check: the student's own prints and errors; the verdicts say the rest.
    own_parts = [part for cell in own for part in outputs.of(cell)]
    behind_parts = [part for cell in behind for part in outputs.of(cell)]
    more = len(behind_parts) - MOST
    if more > 0:
        behind_parts = [*behind_parts[:MOST], {"kind": "note", "text": f"{more} more are not shown."}]
    return {
        "id": exercise["id"],
        "anchor": re.sub(r"[^0-9A-Za-z]+", "-", exercise["id"]),
        "title": exercise["title"],
        "points": exercise["points"],
        "max": exercise["max"],
        "share": _share(exercise["points"], exercise["max"]),
        "state": _STATES.get(state, state),
        "look": how,
        "sign": _SIGNS[how],
        "by_hand": bool(exercise.get("by_hand")),
        "all_by_hand": exercise.get("by_hand") is True,
        "comments": exercise.get("comments", ()),
        "reason": visible(_reason(exercise), TEXT),
        "stopped": state == "stopped",
        "note": _note(exercise),
        "verdicts": _verdicts(exercise),
        "printed": visible(exercise.get("printed", "")[-TEXT:]),
        "own": own_parts,
        "code": code(exercise["source"]) if exercise.get("source", "").strip() else "",
        "behind": behind_parts,
        "stood_in": exercise.get("stood_in", False),
    }


def _reason(exercise):
    reason = exercise.get("reason", "")
    return sentence(f"stopped: {reason}" if exercise["state"] == "stopped" and reason else reason)


def _note(exercise):
    if exercise.get("matched") == "missing" and exercise["state"] != "missing":
        return (
            "No cell of your notebook was recognised as this exercise. "
            f"Keep its first line, # Exercise {exercise['id']}, and the names of its functions."
        )
    note = exercise.get("note", "")
    return f"About its cell: {note}." if note else ""


def _verdicts(exercise):
    """One verdict for each sub-test; a reason that several have in a row is told once, a hidden one's never."""
    subtests = exercise.get("subtests", ())
    if exercise["state"] in {"not attempted", "missing", "stopped"} and not any(s.get("by_hand") for s in subtests):
        return []  # nothing was judged
    shown, said = [], None
    for subtest in subtests:
        hidden = subtest.get("hidden", False)
        message = "" if hidden or subtest["passed"] else subtest.get("message", "")
        cause = re.sub(r"^in the case '.*?': ", "", message)
        shown.append(
            {
                "name": subtest["name"],
                "passed": subtest["passed"],
                "points": subtest["points"],
                "max": subtest["max"],
                "hidden": hidden,
                "by_hand": subtest.get("by_hand", False),
                "message": "for the same reason" if cause and cause == said else visible(message, TEXT),
            }
        )
        said = cause or said
    return shown


def _by_exercise(cells):
    """Exercise -> (its own cells, the cells behind them up to the next). What comes before the first is left out."""
    found, current = {}, None
    for cell in cells:
        current = cell.get("exercise") or current
        if current is not None:
            found.setdefault(current, ([], []))[0 if cell.get("exercise") else 1].append(cell)
    return found


def _share(reached, maximum):
    """Percent, from 0 to 100, for the width of a bar."""
    return round(float(min(max(100 * reached / maximum, 0), 100)), 1) if maximum else 0
