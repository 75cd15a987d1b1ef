"""The finder of mutants: each is another program, and nothing outside functions is changed."""

from __future__ import annotations

import ast

from tests.mutants.python_source import mutants_of

SOURCE = '''"""Ünïcode."""
TABLE = {"a": 1, "b": 2}


def put(given: list[int], limit: int = 4) -> int | None:
    """A docstring is no statement."""
    found = [each for each in given if each > 1]
    if len(found) < limit and found:
        found.append(1)
    return found[0] if found is not None else None
'''.encode()


def texts(kind: str) -> list[tuple[int, str]]:
    """The line and the new text of each mutant of this kind."""
    return [(each.line, each.text) for each in mutants_of("a.py", SOURCE) if each.kind == kind]


def test_each_mutant_is_another_program_that_compiles():
    mutated = [each.of(SOURCE) for each in mutants_of("a.py", SOURCE)]
    dumps = {ast.dump(ast.parse(each)) for each in (SOURCE, *mutated)}
    assert len(dumps) == len(mutated) + 1


def test_statements_conditions_operators_and_numbers_are_changed():
    assert [line for line, _ in texts("delete")] == [7, 9, 10]
    assert texts("negate") == [
        (7, "(not (each > 1))"),
        (8, "(not (len(found) < limit and found))"),
        (10, "(not (found is not None))"),
    ]
    assert texts("compare") == [
        (7, "(each >= 1)"),
        (8, "(len(found) <= limit)"),
        (10, "(found is None)"),
    ]
    assert texts("and/or") == [(8, "(len(found) < limit or found)")]
    assert texts("exchange") == [(7, "2"), (9, "2"), (10, "1")]


def test_a_table_loses_each_of_its_entries():
    assert texts("entry") == [(2, "**{}"), (2, "**{}")]


def test_a_reader_is_shown_the_place_and_the_change():
    mutant = next(each for each in mutants_of("a.py", SOURCE) if each.line == 9)
    assert mutant.shown(SOURCE) == "a.py:9 delete: found.append(1) -> pass"
