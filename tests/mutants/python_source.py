"""Finds what can be changed in a Python file so that a test should notice.

Owns the kinds of changes: a statement deleted, a condition negated, an operator, a number or a
truth value exchanged, an entry of a table deleted. Outside functions only tables are changed: the
rest fails at import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutants.mutant import Mutant

COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
DELETED = (
    *(ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise),
    *(ast.Delete, ast.Continue, ast.Break),
)


def mutants_of(path: str, source: bytes) -> list[Mutant]:
    """All mutants of the Python file *path*, in the order of its lines."""
    found = _Finder(path, source)
    tree = ast.parse(source)
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            found.visit_table(statement.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:
                found.visit(each)
    return sorted(set(found.mutants))


class _Finder(ast.NodeVisitor):
    """Collects the mutants of what it visits."""

    def __init__(self, path: str, source: bytes) -> None:
        self.mutants: list[Mutant] = []
        self._path = path
        self._source = source
        self._line_starts = [0]
        for line in source.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))

    def visit(self, node: ast.AST) -> None:
        """Add the mutants of *node* and of all in it."""
        for kind, changed, text in _changes(node):
            self._add(kind, changed, text)
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            self._exchange_operator(node)
        self.generic_visit(node)

    def visit_table(self, table: ast.expr | None) -> None:
        """Add the mutants of a module's table: one without each of its entries."""
        if isinstance(table, ast.Dict):
            for key, value in zip(table.keys, table.values, strict=True):
                if key is not None:
                    self._add("entry", key, "**{}", upto=value)

    def _add(
        self,
        kind: str,
        node: ast.expr | ast.stmt,
        text: str,
        *,
        upto: ast.expr | None = None,
    ) -> None:
        last = upto or node
        assert last.end_lineno is not None
        assert last.end_col_offset is not None
        start = self._line_starts[node.lineno - 1] + node.col_offset
        end = self._line_starts[last.end_lineno - 1] + last.end_col_offset
        self.mutants.append(Mutant(self._path, node.lineno, kind, start, end, text))

    def _exchange_operator(self, node: ast.Compare) -> None:
        operator = COMPARED[type(node.ops[0])]
        compared = [ast.unparse(each) for each in (node.left, *node.comparators)]
        rest = "".join(
            f" {_word(op)} {text}" for op, text in zip(node.ops[1:], compared[2:], strict=True)
        )
        self._add("compare", node, f"({compared[0]} {operator} {compared[1]}{rest})")


def _word(operator: ast.cmpop) -> str:
    left, right = ast.Name("a", ast.Load()), ast.Name("b", ast.Load())
    return ast.unparse(ast.Compare(left, [operator], [right]))[2:-2]


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    if isinstance(node, DELETED) and not _is_text(node):
        yield "delete", node, "pass"
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "negate", node.test, f"(not ({ast.unparse(node.test)}))"
    if isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield "negate", condition, f"(not ({ast.unparse(condition)}))"
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or", node, f"({ast.unparse(ast.BoolOp(other, node.values))})"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "exchange", node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "exchange", node, repr(node.value + 1)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
