"""CSV files as spreadsheets and learning platforms write them, and as they read them."""

import codecs
import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from utils.course.errors import CourseError
from utils.course.grading.wording import number, visible
from utils.files import replacing

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
LONGEST = 5000  # characters of one cell


@dataclass(frozen=True)
class Row:
    """A line of a table: the number of its first line in the file, and its texts by column, stripped."""

    line: int
    values: dict

    def get(self, column, default=""):
        return self.values.get(column, default) if column else default


@dataclass(frozen=True)
class Table:
    """A table as read: the file's name, its columns as they are written, and its rows that are not empty."""

    name: str
    columns: tuple
    rows: tuple

    def column(self, *names):
        """The first column that bears one of these names, whatever its case and spaces; None where there is none."""
        known = {_plain(column): column for column in reversed(self.columns)}
        return next((known[_plain(name)] for name in names if _plain(name) in known), None)


def read_table(path):
    """Read a CSV file: commas, semicolons or tabs; UTF-8 with or without byte-order mark, UTF-16, or Windows' own.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    Table

    Raises
    ------
    CourseError
        Where the file cannot be read, or has no line of column names.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "marks.csv"
    >>> _ = path.write_bytes("\\ufeffStudent;Points\\r\\nada;2,5\\r\\n".encode())
    >>> table = read_table(path)
    >>> table.rows[0].get(table.column("student")), table.rows[0].line
    ('ada', 2)
    """
    path = Path(path)
    try:
        text = _decode(path.read_bytes())
    except OSError as error:
        raise CourseError(f"{path.name} cannot be read: {error.strerror or error}") from None
    lines = text.splitlines(keepends=True)
    skipped = 0
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].rstrip()) == 5:
        delimiter, skipped = lines[0][4], 1
    else:
        delimiter = _delimiter(next((line for line in lines if line.strip()), ""))
    reader = csv.reader(io.StringIO("".join(lines[skipped:]), newline=""), delimiter=delimiter)
    columns, rows, before = None, [], 0
    try:
        for texts in reader:
            line, before = before + 1 + skipped, reader.line_num
            texts = [text.strip() for text in texts]
            if not any(texts):
                continue
            if columns is None:
                columns = tuple(texts)
            else:
                rows.append(Row(line, dict(zip(columns, texts, strict=False))))
    except csv.Error as error:
        raise CourseError(f"{path.name}:{reader.line_num + skipped}: not a table of text ({error})") from None
    if columns is None:
        raise CourseError(f"{path.name} is empty: its first line has to name the columns")
    return Table(path.name, columns, tuple(rows))


def write_table(path, columns, rows):
    """Write a CSV file, whole or not at all, that Excel, pandas and learning platforms read.

    UTF-8 with a byte-order mark, without which Excel takes another alphabet, and which pandas passes over. Numbers stay
    numbers. Text that a spreadsheet would run as a formula (``=``, ``+``, ``-``, ``@`` at its start) gets an apostrophe
    in front.

    Parameters
    ----------
    path : pathlib.Path
    columns : sequence of str
    rows : iterable of sequences of str, int, float, Decimal or None
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([harmless(column) for column in columns])
    for row in rows:
        writer.writerow([number(cell) if isinstance(cell, (int, float, Decimal)) else harmless(cell) for cell in row])
    with replacing(path) as temporary:
        temporary.write_bytes(codecs.BOM_UTF8 + out.getvalue().encode("utf-8"))


def harmless(text):
    """`text` as no spreadsheet takes it for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("  @cmd"), harmless("Ada"), harmless(None)
    ("'=1+1", "'  @cmd", 'Ada', '')
    """
    text = "" if text is None else visible(text, LONGEST)
    if not text.strip("- "):  # a dash for "nothing", as Moodle writes it
        return text
    return "'" + text if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _plain(name):
    return " ".join(name.replace("_", " ").casefold().split())


def _decode(data):
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter(header):
    """The character that parts the columns' names: the most frequent one outside quotes, or a comma."""
    outside = "".join(header.split('"')[::2])
    return max(",;\t", key=outside.count)
