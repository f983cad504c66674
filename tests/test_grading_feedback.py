"""A student's page: what it says, what it never says, and that nothing on it runs."""

import base64
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.grading_results import (
    DUE,
    EXERCISES,
    LAB,
    Page,
    cell,
    exercise,
    picture_output,
    png,
    result,
    without,
)
from utils.course.grading.feedback import feedback_page
from utils.course.grading.lateness import parse_rule
from utils.course.grading.marks import mark
from utils.course.grading.overrides import Override
from utils.course.grading.pages import PICTURE, PICTURES, Outputs, code, picture

TITLE = "Lab 03 · A first CNN"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{ 7*7 }}"


def page(made, *args, name="Ada Lovelace", **how):
    return feedback_page(mark(made["student"], name, made, EXERCISES, *args, **how), TITLE)


def text(*args, **how):
    return " ".join(Page(page(*args, **how)).text.split())


# What it says


def test_the_page_of_a_correct_notebook():
    said = text(result("ada"))
    assert "Lab 03 · A first CNN Ada Lovelace 8 of 8 points 3 of 3 exercises correct." in said
    assert "✔ 3.10 · a network 2 / 2" in said


def test_verdicts_points_and_hints():
    said = text(result("ada", ["float32", "sums to one"]))
    assert "✘ 0/1 float32 expected 1, got 2" in said
    assert "✔ 1/1 mean zero" in said
    assert "◐ 3.1 · normalise 1 / 2 not yet correct" in said
    assert "5 of 8 points" in said


def test_the_same_reason_is_told_once():
    made = result("ada", exercises=[exercise("3.2", ["sums to one", "large logits"], "in the case 'a': it is wrong")])
    made["exercises"][0]["subtests"][1]["message"] = "in the case 'b': it is wrong"
    said = text(made)
    assert said.count("it is wrong") == 1
    assert said.count("for the same reason") == 1


def test_of_hidden_sub_tests_nothing_but_passed_or_not_is_said():
    made = result("ada", exercises=[exercise("3.2", ["any batch"], "expected SECRET")])
    said = text(made)
    assert "SECRET" not in said
    assert "any batch not passed · checked when graded" in said
    assert "any batch passed · checked when graded" in text(result("ada"))


def test_why_an_answer_was_stopped_and_what_it_printed():
    subtests = [name for name, _, _ in LAB["3.1"][1]]
    stopped = exercise("3.1", subtests, "", state="stopped", reason="the cell ran for more than 60 seconds")
    stopped["printed"] = "x is 3\n"
    said = text(result("ada", exercises=[stopped]))
    assert "Stopped: the cell ran for more than 60 seconds." in said
    assert "mean zero" not in said  # nothing was judged
    by_hand = [Override(2, "ada", "3.1", "float32", Decimal(1), "")]
    assert "✔ 1/1 float32 by hand" in text(result("ada", exercises=[stopped]), by_hand)
    assert "Your function printed, while it was checked: x is 3" in said


def test_the_code_is_shown_with_its_lines():
    made = Page(page(result("ada")))
    assert "def normalise(x):" in made.text
    assert [a for a in made.all("span") if a.get("class") == "line"]


def test_an_answer_that_was_not_found_says_what_to_keep():
    lost = exercise("3.1", ["mean zero", "float32"], "", state="not attempted", matched="missing", source="")
    said = text(result("ada", exercises=[lost]))
    assert "No cell of your notebook was recognised as this exercise. Keep its first line, # Exercise 3.1" in said
    assert "✘ 0/1 mean zero" not in said  # an exercise that was not attempted has no verdicts
    found = exercise("3.1", matched="names", note="recognised by the names that it defines")
    assert "About its cell: recognised by the names that it defines." in text(result("ada", exercises=[found]))


def test_marks_by_hand_are_said_with_the_instructors_words():
    given = [
        Override(2, "ada", "3.1", "", Decimal("1.5"), f"half a point off {EVIL}"),
        Override(3, "ada", "3.2", "any batch", Decimal(1), "by eye"),
        Override(4, "bob", "3.10", "", Decimal(0), "for bob alone"),
    ]
    made = page(result("ada", ["float32", "any batch"]), given)
    said = " ".join(Page(made).text.split())
    assert "1.5 / 2 not yet correct · marked by hand half a point off <script>" in said
    assert "The check, before the points were set by hand: ✔ 1/1 mean zero ✘ 0/1 float32" in said
    assert "any batch passed · checked when graded by hand" in said
    assert "7.5 of 8 points" in said
    assert "bob" not in said
    Page(made).assert_harmless()


def test_the_penalty_for_being_late_is_spelled_out():
    said = text(result("ada"), submitted=DUE + timedelta(hours=30), due=DUE, rule=parse_rule("10%/day"))
    assert "6.4 of 8 points" in said
    assert "8 points, less 1.6 for being late." in said
    assert "Handed in 1 day 6 h after it was due (2026-11-20 23:00 UTC)." in said
    extended = text(result("ada"), submitted=DUE, due=DUE, extension=DUE + timedelta(days=1), rule=parse_rule("1%"))
    assert "Your own due date: 2026-11-21 23:00 UTC" in extended


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("missing", "Nothing was handed in."),
        ("unreadable", "Your notebook could not be read. It is a PDF."),
        ("failed", "This is no mark yet."),
    ],
)
def test_a_notebook_that_was_not_graded_has_a_page_too(status, words):
    said = text(without("ada", status, "it is a PDF"))
    assert words in said
    assert "of 8 points" not in said
    assert "3.10" not in said


def test_a_missing_notebook_that_was_marked_by_hand_shows_the_marks():
    said = text(without("ada", "missing"), [Override(2, "ada", "3.1", "", Decimal(2), "seen in class")])
    assert "2 of 8 points" in said and "seen in class" in said


def test_nothing_about_others_and_nothing_for_the_instructor_alone():
    made = result("ada", notes=["the same file as bob"], isolation="bwrap", file="class-7/ada/x.ipynb")
    made["flags"] = [{"exercise": "3.1", "kind": "alike", "text": "alike bob's"}]
    made["exercises"][0]["source"] = "import os\nos.environ\n"
    said = page(made, notes=["a note about bob"], submitted=DUE)
    assert "as x.ipynb" in said
    for word in ("bob", "bwrap", "introspection", "review", "class-7", "seed"):
        assert word not in Page(said).text


# What ran


def test_outputs_behind_an_exercise_are_shown_with_it():
    cells = [
        cell(None, [{"output_type": "stream", "name": "stdout", "text": "before all"}]),
        cell("3.1", [{"output_type": "stream", "name": "stdout", "text": ["from the ", "answer"]}]),
        cell("3.1", state="error", error="Traceback\nValueError: \x1b[31mred\x1b[0m"),
        cell(None, [picture_output()]),
        cell("3.2"),
        cell(None, [{"output_type": "execute_result", "data": {"text/plain": "array([1])"}}]),
    ]
    made = Page(page(result("ada", cells=cells)))
    assert "before all" not in made.text
    assert "from the answer" in made.text
    assert "ValueError: red" in made.text
    assert "array([1])" in made.text
    (image,) = made.all("img")
    assert image["src"] == f"data:image/png;base64,{png()}"
    assert "<Figure>" not in made.text


def test_only_text_and_pictures_pass():
    svg = {"image/svg+xml": "<svg onload=alert(1)></svg>", "text/html": "<b onclick=alert(1)>x</b>"}
    outputs = [
        {"output_type": "display_data", "data": svg},
        {"output_type": "display_data", "data": {"text/html": "<script>1</script>", "text/plain": "plainly"}},
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)", "text/markdown": "# x"}},
        {"output_type": "display_data", "data": {"text/latex": "$x$"}},
    ]
    assert Outputs().of(cell(outputs=outputs)) == [{"kind": "text", "text": "plainly"}]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "not base64 !!",
        "\ud800",
        base64.b64encode(b"<svg xmlns='x' onload='alert(1)'/>").decode(),
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
        base64.b64encode(base64.b64decode(png())[:16] + b"\xff\xff\xff\xff" * 2 + b"x" * 99).decode(),
        base64.b64encode(b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + b"x" * 40).decode(),
        base64.b64encode(base64.b64decode(png()) + b"x" * PICTURE).decode(),
        "A" * 3_000_000,
    ],
    ids=range(10),
)
def test_what_is_no_picture_or_too_large_is_not_shown(data):
    shown = Outputs().of(cell(outputs=[picture_output(data)]))
    assert [part["kind"] for part in shown] == ["note"]


def test_a_picture_that_says_it_is_another_kind_is_not_shown():
    assert Outputs().of(cell(outputs=[picture_output(png(), "image/jpeg")]))[0]["kind"] == "note"
    jpeg = base64.b64encode(b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x20\x03" + b"x" * 40).decode()
    assert picture(jpeg)[1] == "image/jpeg"


def test_pictures_of_a_cell_and_of_a_page_are_bounded(monkeypatch):
    shown = Outputs().of(cell(outputs=[picture_output()] * (PICTURES + 3)))
    assert [part["kind"] for part in shown] == ["picture"] * PICTURES + ["note"]
    assert "3 more pictures" in shown[-1]["text"]
    monkeypatch.setattr("utils.course.grading.pages.ALL_PICTURES", 2 * len(base64.b64decode(png())))
    outputs = Outputs()
    kinds = [part["kind"] for _ in range(3) for part in outputs.of(cell(outputs=[picture_output()]))]
    assert kinds == ["picture", "picture", "note"]


@pytest.mark.parametrize(
    "outputs", [None, [None, 3, {}], [{"output_type": "stream"}], [{"data": []}], [{"data": {"image/png": 3}}]]
)
def test_outputs_of_any_form_do_no_harm(outputs):
    assert "picture" not in [part["kind"] for part in Outputs().of({"outputs": outputs})]


def test_a_flood_of_text_is_cut():
    flood = {"output_type": "stream", "name": "stdout", "text": "z" * 1_000_000}
    flooded = exercise("3.1", printed="y" * 1_000_000, source="x = 1\n" * 100_000)
    flooded["subtests"][0] |= {"passed": False, "message": "m" * 100_000}
    assert len(page(result("ada", exercises=[flooded], cells=[cell("3.1", [flood])]))) < 800_000


# Nothing runs


def test_everything_that_a_student_can_write_is_escaped():
    evil = exercise("3.1", ["mean zero"], EVIL, source=EVIL, printed=EVIL, reason=EVIL, note=EVIL, state="stopped")
    evil["title"] = evil["subtests"][1]["name"] = EVIL
    cells = [
        cell("3.1", [{"output_type": "stream", "name": "stdout", "text": EVIL}], error=EVIL),
        cell(None, [{"output_type": "execute_result", "data": {"text/plain": EVIL}}]),
        cell(None, [picture_output(f"{png()}{EVIL}")]),
    ]
    made = result("ada", exercises=[evil], cells=cells, file=EVIL, reason=EVIL)
    raw = page(made, name=EVIL)
    parsed = Page(raw)
    parsed.assert_harmless()
    assert parsed.all("script") == [] and parsed.all("img") == []
    assert "<script" not in raw
    assert parsed.text.count("<script>alert(1)</script>") >= 8
    assert "49" not in parsed.text.replace("{{ 7*7 }}", "")
    for status in ("missing", "unreadable", "failed"):
        Page(page(without("ada", status, EVIL), name=EVIL)).assert_harmless()


def test_what_cannot_be_seen_is_written_out():
    tricky = "if x:  # \u202e } safe \u2066\n    y = '\ud800\x00\x1b[31m'\r\n"
    raw = page(result("ada", exercises=[exercise("3.1", source=tricky, printed=tricky)]), name="A\u202eda")
    raw.encode("utf-8")
    for character in "\u202e\u2066\ud800\x00\x1b":
        assert character not in raw
    assert "\\u202e" in raw


def test_code_keeps_its_lines_and_marks_some():
    shown = str(code("a = 1\n\n<b>\n'''x\ny'''\n", marked={3}))
    assert shown.count('class="line"') == 4 and shown.count('class="line marked"') == 1
    assert "<b>" not in shown
    assert 'class="line marked"><span class="o">&lt;' in shown
    for odd in ("", "\f", "\u2028x\u0085", "x\rx", "\\", '"""'):
        assert "class" in str(code(odd))


def test_the_page_needs_nothing_else():
    raw = page(result("ada", cells=[cell("3.1", [picture_output()])]))
    parsed = Page(raw)
    parsed.assert_harmless()
    assert "http:" not in raw and "https:" not in raw
    assert "prefers-color-scheme: dark" in parsed.styles
    assert "@media print" in parsed.styles
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in parsed.all("meta")


def test_every_exercise_can_be_reached_from_the_top():
    parsed = Page(page(result("ada")))
    targets = {a["href"][1:] for a in parsed.all("a")}
    assert targets == {s["id"] for s in parsed.all("section")} == {"exercise-3-1", "exercise-3-2", "exercise-3-10"}
