"""What the commands say when something is wrong: the command ends with the text and status 1."""


class CourseError(Exception):
    """Something that whoever runs a command has to mend; the text says what and where."""


class SourceError(CourseError):
    """A lab's source is not as it has to be.

    Parameters
    ----------
    path : pathlib.Path
        The source.
    line : int
        Line of the file, from 1.
    message : str
        What is wrong, and what is wanted.
    cell : Cell or None
        The cell, where there is one.
    """

    def __init__(self, path, line, message, cell=None):
        self.path, self.line, self.cell = path, line, cell
        where = f"{path.parent.name}/{path.name}:{line}" + (f" ({cell.label})" if cell else "")
        super().__init__(f"{where}: {message}")
