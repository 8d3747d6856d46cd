"""Whether an output is shown: the ``condition`` of a parameters file, evaluated without Python's eval.

The dashboard hands a condition to ``eval``, so INFN's files hold Python expressions over ``inputs`` and ``outputs``. This reads the
part of Python's grammar that such a condition needs: names ``inputs``, ``outputs`` and ``key``; constants, tuples and lists; ``[…]``
and ``.get(…)`` on the first two; ``and``, ``or``, ``not``; comparisons, ``in``; ``len``, ``str``, ``int``, ``bool``; ``.lower()``,
``.upper()``, ``.strip()``, ``.startswith(…)``, ``.endswith(…)`` of texts. Nothing in it repeats or makes a value longer.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

MAX_LENGTH = 500
MAX_NODES = 100
MAX_TEXT = 10_000
"""Characters of a text that a condition may look at."""

_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NAMES = frozenset({"inputs", "outputs", "key"})
_METHODS = {"lower": 0, "upper": 0, "strip": 0, "startswith": 1, "endswith": 1}
_FUNCTIONS = frozenset({"len", "str", "int", "bool"})


class ConditionError(ValueError):
    """The condition is outside the grammar, or has no answer for these values."""


def parse(condition: object) -> ast.expr:
    """The expression of a condition. Raises ConditionError."""
    if isinstance(condition, bool):
        condition = str(condition)
    if not isinstance(condition, str) or len(condition) > MAX_LENGTH:
        raise ConditionError(f"a condition is a text of at most {MAX_LENGTH} characters")
    try:
        expression = ast.parse(condition.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConditionError("not an expression") from None
    nodes = list(ast.walk(expression))
    if len(nodes) > MAX_NODES:
        raise ConditionError(f"longer than {MAX_NODES} parts")
    for node in nodes:
        _check(node)
    return expression


def holds(condition: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any], key: str = "") -> bool:
    """Whether a condition holds.

    Parameters: ``inputs`` and ``outputs`` of a deployment; ``key``, name of the output. Raises ConditionError.
    """
    expression = parse(condition)
    names = {"inputs": inputs, "outputs": outputs, "key": key}
    try:
        return bool(_value(expression, names))
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ConditionError(f"no answer: {type(error).__name__}") from None


def _check(node: ast.AST) -> None:
    """Refuse what is outside the grammar."""
    allowed = (
        *(ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.cmpop, ast.Constant),
        *(ast.Tuple, ast.List, ast.Name, ast.Load, ast.Subscript, ast.Attribute, ast.Call),
    )
    if not isinstance(node, allowed):
        raise ConditionError(f"{type(node).__name__} is not part of a condition")
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool | None):
        raise ConditionError("a constant is a text, a number, True, False or None")
    if isinstance(node, ast.Name) and node.id not in _NAMES | _FUNCTIONS:
        raise ConditionError(f"there is no {node.id} in a condition")
    if isinstance(node, ast.Attribute) and node.attr not in {*_METHODS, "get"}:
        raise ConditionError(f".{node.attr} is not part of a condition")
    if isinstance(node, ast.Call) and (node.keywords or len(node.args) > 2):
        raise ConditionError("too many arguments")


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in _NAMES:
            return names[name]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(item, names) for item in items]
        case ast.UnaryOp(op=op, operand=operand):
            return not _value(operand, names) if isinstance(op, ast.Not) else -_number(_value(operand, names))
        case ast.BoolOp(op=op, values=items):
            parts = (_value(item, names) for item in items)
            return all(parts) if isinstance(op, ast.And) else any(parts)
        case ast.Subscript():
            return _item(_value(node.value, names), _value(node.slice, names))
        case ast.Compare():
            return _compared(node, names)
        case ast.Call():
            return _called(node, names)
        case _:
            raise ConditionError(f"{type(node).__name__} has no value here")


def _item(container: Any, key: Any) -> Any:
    if isinstance(container, Mapping) or (isinstance(container, list | str) and type(key) is int):
        return container[key]
    raise ConditionError("only inputs, outputs, texts and lists have items")


def _compared(node: ast.Compare, names: Mapping[str, Any]) -> bool:
    left = _value(node.left, names)
    for op, item in zip(node.ops, node.comparators, strict=True):
        right = _value(item, names)
        if not _pair(op, left, right):
            return False
        left = right
    return True


def _pair(op: ast.cmpop, left: Any, right: Any) -> bool:
    match op:
        case ast.Eq():
            return _same(left, right)
        case ast.NotEq():
            return not _same(left, right)
        case ast.Is():
            return left is right if left is None or right is None else _same(left, right)
        case ast.IsNot():
            return not _pair(ast.Is(), left, right)
        case ast.In():
            return _inside(left, right)
        case ast.NotIn():
            return not _inside(left, right)
        case _:
            return _ORDER[type(op)](_number(left), _number(right))


def _same(left: Any, right: Any) -> bool:
    """Equal; the dashboard keeps what a form sends, so its files compare booleans and numbers with texts (``== 'true'``)."""
    if isinstance(left, str) and isinstance(right, bool | int | float):
        left, right = right, left
    if isinstance(left, bool) and isinstance(right, str):
        return str(left).lower() == right.lower()
    if isinstance(left, int | float) and isinstance(right, str):
        return str(left) == right
    return bool(left == right)


def _inside(left: Any, right: Any) -> bool:
    if isinstance(right, str):
        return _text(left) in _text(right)
    if isinstance(right, Mapping):
        return isinstance(left, str) and left in right
    if isinstance(right, list):
        return any(_same(left, item) for item in right)
    raise ConditionError("`in` needs a text, a list, inputs or outputs")


def _called(node: ast.Call, names: Mapping[str, Any]) -> Any:
    arguments = [_value(item, names) for item in node.args]
    if isinstance(node.func, ast.Attribute):
        return _method(_value(node.func.value, names), node.func.attr, arguments)
    if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and len(arguments) == 1:
        return _function(node.func.id, arguments[0])
    raise ConditionError("this cannot be called")


def _method(owner: Any, name: str, arguments: list[Any]) -> Any:
    if name == "get":
        if not isinstance(owner, Mapping) or not arguments or not isinstance(arguments[0], str):
            raise ConditionError(".get belongs to inputs and outputs")
        return owner.get(*arguments)
    if len(arguments) != _METHODS[name]:
        raise ConditionError(f".{name} takes {_METHODS[name]} arguments")
    return getattr(_text(owner), name)(*map(_text, arguments))


def _function(name: str, value: Any) -> Any:
    if name == "len":
        return len(value)
    if name == "bool":
        return bool(value)
    if name == "int":
        return int(_text(value)[:18]) if isinstance(value, str) else int(_number(value))
    return _text(value if isinstance(value, str) else str(value) if isinstance(value, bool | int | float) else "")


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        value = float(value) if len(value) <= 32 else None
    if not isinstance(value, int | float):
        raise ConditionError("not a number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ConditionError(f"not a text of at most {MAX_TEXT} characters")
    return value
