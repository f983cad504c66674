"""A table in Markdown whose columns also line up in a terminal."""


def table(header, rows, right=()):
    """The table as text.

    Parameters
    ----------
    header : list of str
    rows : list of list of str
    right : collection of str
        Titles of the columns that are set flush right.

    Examples
    --------
    >>> print(table(["lab", "seconds"], [["01", "7.5"], ["all", "112.0"]], right=["seconds"]))
    | lab | seconds |
    |-----|--------:|
    | 01  |     7.5 |
    | all |   112.0 |
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "|".join("-" * (w + 1) + (":" if title in right else "-") for w, title in zip(widths, header, strict=True))

    def line(row):
        cells = zip(row, widths, header, strict=True)
        return "| " + " | ".join(c.rjust(w) if title in right else c.ljust(w) for c, w, title in cells) + " |"

    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])
