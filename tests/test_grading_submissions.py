"""Finding and reading what students hand in."""

import io
import json
import os
import struct
import zipfile
from datetime import UTC, datetime

import pytest

from tests.corpus.notebooks import handout, to_bytes
from utils.course.errors import CourseError
from utils.course.grading import submissions
from utils.course.grading.reading import LARGEST, MOST_CELLS, Unreadable, read_notebook
from utils.course.grading.received import File
from utils.course.grading.roster import Roster, read_roster, safe_id, unique_ids
from utils.course.grading.submissions import find_submissions

LAB = handout("03")
NAME = LAB.file_name
BLANK, SOLVED = to_bytes(LAB.blank), to_bytes(LAB.solved())
HALF = to_bytes(LAB.solved({"3.1": None}))
OTHER_LAB = to_bytes(handout("01").solved())


def write(folder, files):
    """Write files, path -> bytes."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def zipped(members):
    """A zip archive of members, path -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def find(path, roster=None):
    """Student -> submission."""
    found = find_submissions(path, LAB.lab, LAB.truth, read_roster(roster) if roster else ())
    assert [s.student for s in found] == sorted({s.student for s in found})
    return {submission.student: submission for submission in found}


def roster_file(folder, text, encoding="utf-8"):
    path = folder / "roster.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


# --- layouts ---------------------------------------------------------------------------------------------------------


def test_one_folder_for_each_student(tmp_path):
    files = {
        f"ada/{NAME}": SOLVED,
        f"bob/deep/er/{NAME}": HALF,
        "cleo/report.pdf": b"%PDF",
        f"ada/.ipynb_checkpoints/{NAME}": BLANK,
    }
    (write(tmp_path, files) / "dora").mkdir()
    found = find(tmp_path)
    assert list(found) == ["ada", "bob", "cleo", "dora"]
    assert found["ada"].data == SOLVED and found["ada"].file == f"ada/{NAME}" and not found["ada"].problem
    assert found["ada"].notes == ()
    assert found["bob"].data == HALF
    assert found["cleo"].data is None and "report.pdf" in found["cleo"].problem
    assert found["dora"].problem == "nothing was handed in"


def test_the_time_is_that_of_the_file(tmp_path):
    write(tmp_path, {f"ada/{NAME}": SOLVED})
    os.utime(tmp_path / "ada" / NAME, (1_700_000_000, 1_700_000_000))
    assert find(tmp_path)["ada"].submitted == datetime.fromtimestamp(1_700_000_000, UTC)


def test_flat_files_named_by_student(tmp_path):
    files = {
        "ada_lovelace.ipynb": SOLVED,
        f"bob_{NAME}": HALF,
        "03_first_cnn_cleo.ipynb": HALF,
        "Lab3-dora (1).ipynb": BLANK,
        "emil.ipynb": b"not a notebook",
        "fay.ipynb": OTHER_LAB,
        "README.txt": b"hello",
        "collect.py": b"import os\n",
    }
    found = find(write(tmp_path, files))
    assert list(found) == ["ada_lovelace", "bob", "cleo", "dora", "emil", "fay"]
    assert found["dora"].data == BLANK
    assert found["emil"].problem.startswith("the file is not a notebook") and found["emil"].file == "emil.ipynb"
    assert found["fay"].data is None and found["fay"].problem.startswith("no notebook of this lab")


def test_one_notebook_without_a_name(tmp_path):
    found = find(write(tmp_path, {NAME: SOLVED}) / NAME)
    assert list(found) == ["03_first_cnn"]
    assert found["03_first_cnn"].notes == ("the name of the file does not say whose it is",)


@pytest.mark.parametrize("flat", [False, True])
def test_moodle(tmp_path, flat):
    between = "" if flat else "/"
    members = {
        f"Ada Lovelace_12345_assignsubmission_file_{between}{NAME}": SOLVED,
        f"Zoë Müller_12346_assignsubmission_file_{between}work.ipynb": HALF,
        f"Zoë Müller_12347_assignsubmission_file_{between}{NAME}": BLANK,
        f"Participant_999_assignsubmission_file_{between}{NAME}": BLANK,
    }
    (tmp_path / "download.zip").write_bytes(zipped(members))
    found = find(tmp_path / "download.zip")
    assert list(found) == ["Ada_Lovelace", "Participant_999", "Zoe_Muller_12346", "Zoe_Muller_12347"]
    assert found["Ada_Lovelace"].name == "Ada Lovelace"
    assert found["Zoe_Muller_12346"].data == HALF
    roster = roster_file(
        tmp_path / "r",
        "Identifier;Full name;Email address;Username\nParticipant 12345;Ada Lovelace;a@x.org;ada\n"
        "Participant 12346;Zoë Müller;z@x.org;zoe1\nParticipant 12347;Zoë Müller;y@x.org;zoe2\n"
        "Participant 999;;q@x.org;nameless\nParticipant 1;Nils Nothing;n@x.org;nils\n",
        "utf-8-sig",
    )
    found = find(tmp_path / "download.zip", roster)
    assert list(found) == ["ada", "nameless", "nils", "zoe1", "zoe2"]
    assert found["zoe1"].data == HALF and found["zoe2"].data == BLANK and found["zoe1"].name == "Zoë Müller"
    assert found["nils"].problem == "nothing was handed in"


def test_canvas_takes_the_last_upload_and_knows_no_times(tmp_path):
    members = {
        "lovelaceada_LATE_1234_567890_03_first_cnn.ipynb": BLANK,
        "lovelaceada_LATE_1234_567899_03_first_cnn-1.ipynb": HALF,
        "lovelaceada_LATE_1234_567901_03_first_cnn-10.ipynb": SOLVED,
        "lovelaceada_LATE_1234_567900_03_first_cnn-9.ipynb": HALF,
        "byronanne_77_567891_hw.zip": zipped({NAME: HALF}),
    }
    (tmp_path / "submissions.zip").write_bytes(zipped(members))
    found = find(tmp_path / "submissions.zip")
    assert list(found) == ["byronanne", "lovelaceada"]
    ada = found["lovelaceada"]
    assert ada.data == SOLVED and ada.submitted is None
    assert ada.notes == ("the learning platform marks it as late", "4 notebooks of this lab: the newest is taken")
    assert found["byronanne"].file == f"byronanne_77_567891_hw.zip/{NAME}"
    roster = roster_file(
        tmp_path / "r",
        "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
        '"Lovelace, Ada",1234,u9,al1,S1\n"Byron, Anne",77,u8,ab1,S1\n"Student, Test",5,,,S1\n',
    )
    found = find(tmp_path / "submissions.zip", roster)
    assert {s: f.name for s, f in found.items()} == {"ab1": "Anne Byron", "al1": "Ada Lovelace"}


def test_github_classroom(tmp_path):
    files = {}
    for user, data in {"ada": SOLVED, "bob-x": HALF, "ada-2": BLANK}.items():
        place = f"lab-three-{user}"
        files |= {
            f"{place}/.git/HEAD": b"ref",
            f"{place}/labs/{NAME}": data,
            f"{place}/labs/01_hog_features.ipynb": OTHER_LAB,
            f"{place}/solutions/{NAME}": SOLVED,
            f"{place}/solutions/03_first_cnn.py": b"# Exercise 3.1\ndef normalise(): pass\n",
        }
    found = find(write(tmp_path, files))
    assert list(found) == ["ada", "ada-2", "bob-x"]
    assert found["bob-x"].data == HALF and found["ada-2"].data == BLANK
    assert found["ada"].submitted is None and found["ada"].notes == ()
    (tmp_path / "lab-three-ada" / "labs" / NAME).unlink()
    assert find(tmp_path)["ada"].data is None, "the solutions of the hand-out are nobody's answers"


def test_nbgrader(tmp_path):
    files = {
        f"submitted/ada/03/{NAME}": SOLVED,
        "submitted/ada/03/timestamp.txt": b"2026-03-01 10:00:00.000000 UTC",
        f"submitted/bob/03/{NAME}": HALF,
        "submitted/ada/01/01_hog_features.ipynb": OTHER_LAB,
        f"source/03/{NAME}": SOLVED,
    }
    found = find(write(tmp_path, files))
    assert list(found) == ["ada", "bob"]
    assert found["ada"].submitted == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert list(find(tmp_path / "submitted")) == ["ada", "bob"]


def test_wrapped_in_folders_and_in_an_archive_of_each_student(tmp_path):
    members = {"hand-ins/ada.zip": zipped({f"work/{NAME}": SOLVED}), f"hand-ins/bob/{NAME}": HALF}
    write(tmp_path, members)
    found = find(tmp_path)
    assert list(found) == ["ada", "bob"]
    assert found["ada"].data == SOLVED
    write(tmp_path / "x", {"class.zip": zipped(members)})
    assert list(find(tmp_path / "x")) == ["ada", "bob"]


def test_one_student_is_not_taken_for_a_wrapping_folder(tmp_path):
    assert list(find(write(tmp_path / "a", {f"ada/{NAME}": SOLVED}))) == ["ada"]
    assert list(find(write(tmp_path / "b", {f"ada/labs/{NAME}": SOLVED, "ada/data/x.csv": b""}))) == ["ada"]
    assert list(find(write(tmp_path / "c", {f"submissions/ada/{NAME}": SOLVED}))) == ["ada"]
    assert list(find(write(tmp_path / "d", {f"submissions/ada_{NAME}": SOLVED}))) == ["ada"]


def test_sections_are_seen_through_with_a_roster(tmp_path):
    write(tmp_path, {f"Monday/ada/{NAME}": SOLVED, f"Monday/bob/{NAME}": HALF, f"Tuesday/cleo/{NAME}": HALF})
    found = find(tmp_path, roster_file(tmp_path / "r", "id,name\nada,A\nbob,B\ncleo,C\n"))
    assert list(found) == ["ada", "bob", "cleo"]


# --- which of several ------------------------------------------------------------------------------------------------


def test_renamed_notebooks_are_recognised_by_their_content(tmp_path):
    files = {"ada/homework.ipynb": SOLVED, "ada/other.ipynb": OTHER_LAB, "bob/other.ipynb": OTHER_LAB}
    found = find(write(tmp_path, files))
    assert found["ada"].data == SOLVED and found["ada"].notes == ("renamed: recognised by its content",)
    assert found["bob"].data is None and "other.ipynb" in found["bob"].problem


def test_the_right_name_comes_before_the_newest(tmp_path):
    write(tmp_path, {f"ada/{NAME}": HALF, "ada/draft.ipynb": SOLVED, "bob/x.ipynb": HALF, "bob/y.ipynb": SOLVED})
    os.utime(tmp_path / "ada" / NAME, (1, 1))
    os.utime(tmp_path / "bob/y.ipynb", (1, 1))
    found = find(tmp_path)
    assert found["ada"].data == HALF and found["ada"].notes == (
        "2 notebooks of this lab: the one with the lab's name is taken",
    )
    assert found["bob"].data == HALF and found["bob"].notes[-1] == "2 notebooks of this lab: the newest is taken"


def test_work_comes_before_an_untouched_hand_out(tmp_path):
    found = find(write(tmp_path, {f"ada/labs/{NAME}": BLANK, "ada/mine.ipynb": HALF}))
    assert found["ada"].data == HALF
    assert found["ada"].notes[-1] == "2 notebooks of this lab: the only one with answers is taken"


def test_a_readable_copy_comes_before_a_damaged_one(tmp_path):
    found = find(write(tmp_path, {f"ada/{NAME}": SOLVED[:9000], "ada/copy.ipynb": HALF}))
    assert found["ada"].data == HALF and not found["ada"].problem


def test_a_right_name_with_nothing_of_the_lab_is_taken_and_said(tmp_path):
    found = find(write(tmp_path, {f"ada/{NAME}": OTHER_LAB}))
    assert found["ada"].data == OTHER_LAB and "none of the exercises" in found["ada"].notes[0]


def test_a_script_is_taken_where_there_is_no_notebook(tmp_path):
    script = "\n\n".join(["# %%\n" + source for source in LAB.solutions.values()]).encode()
    found = find(write(tmp_path, {"ada/03_first_cnn.py": script, "bob/x.py": script, f"bob/{NAME}": HALF}))
    assert found["ada"].data == script and "a script, not a notebook" in found["ada"].notes
    assert found["bob"].data == HALF and found["bob"].notes == ()


# --- names and rosters -----------------------------------------------------------------------------------------------


def test_names_that_collapse_stay_apart_and_ids_are_stable(tmp_path):
    names = ["ada lovelace", "ada_lovelace", "Ada:Lovelace", "..", "con", "=cmd", "王小明", "x" * 90, "x" * 91]
    ids = unique_ids(names)
    assert len({identity.casefold() for identity in ids.values()}) == len(names)
    assert all(identity[:50] == safe_id(identity)[:50] for identity in ids.values())
    assert ids["ada_lovelace"] == "ada_lovelace" and ids == unique_ids(names[::-1])
    assert unique_ids(["bob"], taken=["Bob"])["bob"] != "bob"
    write(tmp_path, {f"Zoë/{NAME}": SOLVED, f"Zoe/{NAME}": HALF})
    assert sorted(s.data for s in find(tmp_path).values()) == sorted([SOLVED, HALF])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_rosters_in_any_order_case_and_encoding(tmp_path, encoding):
    text = "EMAIL;Surname;First Name;Login;Submitted\nz@x.org;Müller;Zoë;zm1;2026-03-01T10:00+01:00\n"
    (person,) = read_roster(roster_file(tmp_path, text, encoding))
    assert (person.student, person.name, person.row["Login"]) == ("zm1", "Zoë Müller", "zm1")
    assert person.submitted == datetime(2026, 3, 1, 9, tzinfo=UTC)
    roster = Roster([person])
    for way in ("zm1", "ZM1", "z@x.org", "Zoe Muller", "müller zoë", "mullerzoe", "Müller, Zoë"):
        assert roster.exact(way) is person, way
    assert roster.exact("zoe") is None and roster.partly("zoe_lab") is None and roster.partly("zoe") is person


def test_rosters_that_cannot_be_understood(tmp_path):
    with pytest.raises(CourseError, match="colour, size"):
        read_roster(roster_file(tmp_path, "colour,size\nred,1\n"))
    with pytest.raises(CourseError, match=r"roster.csv:3: ADA stands in line 2"):
        read_roster(roster_file(tmp_path, "id,name\nada,A\nADA,B\n"))


def test_a_roster_names_students_and_adds_those_who_sent_nothing(tmp_path):
    write(
        tmp_path / "s",
        {f"lovelace/{NAME}": SOLVED, f"Bob Byron/{NAME}": HALF, f"stranger/{NAME}": BLANK, f"u1_{NAME}": HALF},
    )
    roster = roster_file(tmp_path, "id,name\nu1,Ada Lovelace\nu2,Bob Byron\nu3,Cleo\n")
    found = find(tmp_path / "s", roster)
    assert list(found) == ["lovelace", "stranger", "u1", "u2", "u3"]
    assert found["u1"].data == HALF, "who is named exactly comes before who is named in part"
    assert found["u2"].name == "Bob Byron" and found["u3"].problem == "nothing was handed in"
    assert "not in the roster, or several are called so" in found["stranger"].notes


# --- archives --------------------------------------------------------------------------------------------------------


def test_unsafe_members_are_refused_and_cost_nobody_else_anything(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"../../evil/{NAME}", SOLVED)
        link = zipfile.ZipInfo(f"link/{NAME}")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(f"bomb/{NAME}", b" " * (LARGEST + 1))
        archive.writestr(f"locked/{NAME}", SOLVED)
        archive.writestr(f"fine/{NAME}", SOLVED)
        archive.writestr("__MACOSX/fine/._x.ipynb", b"junk")
        archive.writestr("nested/outer.zip", zipped({"inner.zip": zipped({NAME: SOLVED})}))
        archive.writestr("broken/hand-in.zip", b"PK\x03\x04 nothing")
    data = bytearray(buffer.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # set the bit that says: encrypted
        start = data.index(f"locked/{NAME}".encode()) if offset == 6 else data.rindex(f"locked/{NAME}".encode())
        header = data.rindex(signature, 0, start)
        data[header + offset] |= 1
    (tmp_path / "class.zip").write_bytes(data)
    found = find(tmp_path / "class.zip")
    assert list(found) == ["bomb", "broken", "evil", "fine", "link", "locked", "nested"]
    words = {
        "bomb": "larger than 20 MB",
        "broken": "damaged",
        "evil": "leads out",
        "link": "a link",
        "locked": "password",
    }
    for student, word in words.items():
        assert word in found[student].problem and found[student].data is None, found[student]
    assert "inner.zip" in found["nested"].problem
    assert found["fine"].data == SOLVED and not found["fine"].problem


def test_a_member_that_is_larger_than_it_says(tmp_path):
    data = bytearray(zipped({f"ada/{NAME}": b" " * (LARGEST + 9), f"bob/{NAME}": SOLVED}))
    size = struct.pack("<I", LARGEST + 9)
    while size in data:
        data[data.index(size) : data.index(size) + 4] = struct.pack("<I", 1000)
    (tmp_path / "class.zip").write_bytes(data)
    found = find(tmp_path / "class.zip")
    assert found["ada"].problem and found["bob"].data == SOLVED


def test_a_bomb_of_many_members_and_many_notebooks(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(File, "read", lambda file, really=File.read: read.append(file.path) or really(file))
    monkeypatch.setattr(submissions, "_MOST_BYTES", 100_000)
    many = zipped({f"{i}.ipynb": b"{}" for i in range(2100)})
    large = zipped({f"{i}.ipynb": b'{"cells": "3.1' + b" " * 60_000 for i in range(20)})
    small = {f"dora/{i}.ipynb": b"{}" for i in range(90)}
    found = find(write(tmp_path, {"ada/x.zip": many, "bob/x.zip": large, f"cleo/{NAME}": SOLVED} | small))
    assert "more than 2000 files" in found["ada"].problem
    assert found["bob"].problem and found["cleo"].data == SOLVED and found["dora"].data is None
    assert sum(path.startswith("bob") for path in read) == 2
    assert sum(path.startswith("dora") for path in read) == 40


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_beyond_ascii(tmp_path, encoding):
    data = bytearray(
        zipped({f"Zo?/{NAME}".replace("?", "\N{LATIN SMALL LETTER E WITH DIAERESIS}"): SOLVED, f"x/{NAME}": HALF})
    )
    written = "Zoë".encode()
    if encoding == "cp437":  # one byte in place of two would move all offsets: keep the length
        data = data.replace(written, "Zéë".encode("cp437") + b"/")
    for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        position = data.find(signature)
        while position >= 0:
            data[position + offset] &= ~0x08  # the bit that says: UTF-8
            position = data.find(signature, position + 4)
    (tmp_path / "class.zip").write_bytes(data)
    found = find(tmp_path / "class.zip")
    assert [s.file.split("/")[0] for s in found.values() if s.data == SOLVED] == [
        "Zoë" if encoding == "utf-8" else "Zéë"
    ]


def test_links_in_a_folder_are_not_followed(tmp_path):
    write(tmp_path / "elsewhere", {NAME: SOLVED})
    write(tmp_path / "s", {f"bob/{NAME}": HALF})
    (tmp_path / "s" / "ada").mkdir()
    (tmp_path / "s" / "ada" / NAME).symlink_to(tmp_path / "elsewhere" / NAME)
    (tmp_path / "s" / "cleo").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "s" / "bob" / "pipe.ipynb")
    found = find(tmp_path / "s")
    assert found["ada"].data is None and "link" in found["ada"].problem
    assert "cleo" not in found or found["cleo"].data is None
    assert found["bob"].data == HALF


def test_too_large_a_file_is_not_read(tmp_path):
    write(tmp_path, {f"ada/{NAME}": b"{" + b" " * LARGEST, f"bob/{NAME}": HALF})
    assert "larger than 20 MB" in find(tmp_path)["ada"].problem


def test_nothing_there(tmp_path):
    with pytest.raises(CourseError, match="there is nothing at"):
        find(tmp_path / "missing")
    (tmp_path / "x.zip").write_bytes(b"no archive")
    with pytest.raises(CourseError, match="no zip archive"):
        find(tmp_path / "x.zip")
    assert find(write(tmp_path / "empty", {".keep": b""})) == {}


# --- reading ---------------------------------------------------------------------------------------------------------

CELLS = [{"cell_type": "code", "id": "a", "metadata": {}, "source": ["x = 'é'\n", "y"]}]
TEXT = json.dumps({"cells": CELLS, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_any_encoding_is_read(encoding):
    cells = read_notebook(TEXT.encode(encoding))
    assert [cell.source for cell in cells] == ["x = 'é'\ny"]
    assert bool(cells.notes) == (encoding == "latin-1")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"source": "a\r\nb"}, ("code", "a\nb", "a", "")),
        ({"source": ["a", 3, None, "b"]}, ("code", "ab", "a", "")),
        ({"source": {"no": "text"}}, ("code", "", "a", "")),
        ({"id": None, "metadata": {"id": "colab", "exercise": "1.2"}}, ("code", "x = 'é'\ny", "colab", "1.2")),
        ({"id": 7, "metadata": [1]}, ("code", "x = 'é'\ny", "", "")),
        ({"cell_type": "markdown"}, ("markdown", "x = 'é'\ny", "a", "")),
        ({"cell_type": ["odd"], "outputs": []}, ("code", "x = 'é'\ny", "a", "")),
        ({"source": "lone \ud800"}, ("code", "lone ?", "a", "")),
    ],
)
def test_odd_cells_are_read(change, wanted):
    (cell,) = read_notebook(json.dumps({"cells": [CELLS[0] | change], "nbformat": 5}).encode())
    assert (cell.kind, cell.source, cell.id, cell.exercise) == wanted


def test_cells_that_are_none_are_left_out_and_said():
    cells = read_notebook(json.dumps({"cells": [None, 3, *CELLS, *CELLS]}).encode())
    assert len(cells) == 2 and cells.notes == ("some cells are damaged and were left out",)


def test_the_old_format_is_read():
    old = {
        "nbformat": 3,
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "code", "input": "x = 1", "outputs": []},
                    {"cell_type": "heading", "source": "T"},
                ]
            },
            None,
        ],
    }
    cells = read_notebook(json.dumps(old).encode())
    assert [(cell.kind, cell.source) for cell in cells] == [("code", "x = 1"), ("markdown", "T")]


def test_numbers_that_are_none_or_huge_are_read():
    text = TEXT.replace('"nbformat": 4', f'"nbformat": NaN, "x": {"9" * 100_000}, "y": -Infinity, "z": 1e999999')
    assert len(read_notebook(text.encode())) == 1


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf  \n", "empty"),
        (b"\0" * 100, "empty"),
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "login"),
        (b"\n\n<html>", "web page"),
        (zipped({"a": b"b"}), "zip"),
        (b"%PDF-1.4 ...", "PDF"),
        (b"\x89PNG\r\n", "picture"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (TEXT.encode()[:40], "cut off"),
        (TEXT.replace('"nbformat"', '<<<<<<< HEAD\n"nbformat"\n=======\n>>>>>>> x\n"y"', 1).encode(), "conflict"),
        (b'{"cells": [}, {"source": 1}]}', "damaged"),
        (b"hello", "not a notebook"),
        (b"[]", "no cells"),
        (b"null", "no cells"),
        (b'{"cells": null}', "no cells"),
        (b'{"cells": {}}', "no cells"),
        (b'{"cells": []}', "empty"),
        (b'{"cells": [null]}', "none of its cells"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"[[]," * 2_100_000, "millions"),
        (b"x" * (LARGEST + 1), "20 MB"),
        (json.dumps({"cells": CELLS * (MOST_CELLS + 1)}).encode(), "5000 cells"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "x" * 1_000_001}]}).encode(), "1 MB of code"),
    ],
)
def test_what_is_no_notebook_is_said_in_words(data, word):
    with pytest.raises(Unreadable, match=word) as error:
        read_notebook(data)
    assert len(str(error.value)) < 250


def test_any_bytes_are_read_or_refused():
    import random

    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(TEXT.encode())
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            assert all(isinstance(cell.source, str) for cell in read_notebook(bytes(data)))
        except Unreadable:
            pass


def test_scripts_are_read():
    percent = "# %% [markdown]\n# Title\n\n# %%\nx = 1\n\n# %% id=3\n# Exercise 3.1\ndef f():\n    pass\n"
    assert [(cell.kind, cell.source) for cell in read_notebook(percent.encode())] == [
        ("markdown", "# Title"),
        ("code", "x = 1"),
        ("code", "# Exercise 3.1\ndef f():\n    pass"),
    ]
    colab = '"""Text"""\n\nx = 1\n\n# Exercise 3.1\ndef f():\n    pass\n\ncheck("3.1", f)\n\ny = 2\n'
    sources = [cell.source for cell in read_notebook(colab.encode())]
    assert sources == ['"""Text"""\n\nx = 1', "# Exercise 3.1\ndef f():\n    pass", 'check("3.1", f)', "y = 2"]
