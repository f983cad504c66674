"""Which names a piece of code binds in its namespace, and which it reads from there."""

import symtable


def names_bound(source):
    """Names that `source` binds at its top level; a SyntaxError where it is not Python.

    Examples
    --------
    >>> sorted(names_bound("import os.path as p\\ndef f(x): return x\\ny = 2"))
    ['f', 'p', 'y']
    """
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def names_read(source):
    """Names that `source`, or a function in it, reads from its namespace; a SyntaxError where it is not Python.

    Examples
    --------
    >>> sorted(names_read("def f(x): return x + y\\nf(2)"))
    ['f', 'y']
    """
    return _read(symtable.symtable(source, "cell", "exec"))


def _read(table):
    top = table.get_type() == "module"
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return own.union(*map(_read, table.get_children()))
