"""The static analysis of a middleware's code, to find out if it can return a response of its own.

A response of its own is one that does not come from ``get_response``.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from django.utils.deprecation import MiddlewareMixin

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_ANSWERING_EXCEPTIONS = frozenset(
    {"Http404", "PermissionDenied", "SuspiciousOperation", "DisallowedHost", "BadRequest", "DisallowedRedirect"}
)
_HOST_CALLS = frozenset({"get_host", "build_absolute_uri"})
_DOWNSTREAM_CALL = re.compile(r"_?get_response(_async)?|(super_)?__a?call__|process_response")
_RESPONSE_NAME = re.compile(r"response|redirect|render|forbid|deny|reject|unauthor|login|maintenance", re.IGNORECASE)
_MAX_DEPTH = 3


def can_answer(middleware: Any, *, checks_hosts: bool = True) -> bool:
    """Return True if the code of a middleware shows that it can return a response of its own, or reject a request.

    It may do so only for some paths. If the code cannot be read, return False, because a false warning would appear
    with every command.

    Args:
        middleware: a class, or a function that takes get_response.
        checks_hosts: True if reading the host of a request may raise.
    """
    reader = _Reader(middleware, checks_hosts)
    return any(reader.answers(function, is_hook=is_hook) for function, is_hook in _entries(middleware))


def _entries(middleware: Any) -> Iterator[tuple[Any, bool]]:
    """Yield the functions that get the request. Each comes with True if it returns None to pass the request on."""
    if not isinstance(middleware, type):
        yield middleware, False
        return
    members = {name: getattr(middleware, name, None) for name in ("process_request", "__call__", "__acall__")}
    if issubclass(middleware, MiddlewareMixin):
        if members["process_request"] is not None:
            yield members["process_request"], True
        if members["__call__"] is MiddlewareMixin.__call__:
            return
    for name in ("__call__", "__acall__"):
        if members[name] is not None:
            yield members[name], False


class _Reader:
    """The analysis of the functions of one middleware.

    Args:
        middleware: a function, or a class, whose functions may call other methods of it.
        checks_hosts: True if reading the host of a request may raise.
    """

    def __init__(self, middleware: Any, checks_hosts: bool) -> None:
        self._middleware = middleware
        self._checks_hosts = checks_hosts

    def answers(self, function: Callable[..., Any], *, is_hook: bool, depth: int = 0) -> bool:
        """Return True if ``function`` can return a response of its own, or raise an exception that Django answers."""
        return any(
            self._returns_own(body, is_hook, depth) or self._raises(body) for body in self._bodies(function, is_hook)
        )

    def _bodies(self, function: Callable[..., Any], is_hook: bool) -> list[_Function]:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
        except (OSError, TypeError, SyntaxError, ValueError):
            return []
        outer = tree.body[0]
        if not isinstance(outer, _Function):
            return []
        if is_hook or isinstance(self._middleware, type):
            return [outer]
        # A middleware that is written as a function returns an inner function, which gets the request.
        return [node for node in ast.walk(outer) if isinstance(node, _Function) and node is not outer]

    def _returns_own(self, function: _Function, is_hook: bool, depth: int) -> bool:
        downstream_names = self._downstream_names(function, depth)
        returned = [node.value for node in _nodes(function) if isinstance(node, ast.Return) and node.value is not None]
        values = [value for value in returned if not (isinstance(value, ast.Constant) and value.value is None)]
        if is_hook:
            return bool(values)
        return not all(self._is_downstream(value, downstream_names, depth) for value in values)

    def _raises(self, function: _Function) -> bool:
        in_try = {inner for node in _nodes(function) if isinstance(node, ast.Try) for inner in ast.walk(node)}
        for node in _nodes(function):
            if node in in_try:
                continue
            if isinstance(node, ast.Raise) and _name(getattr(node.exc, "func", node.exc)) in _ANSWERING_EXCEPTIONS:
                return True
            if self._checks_hosts and isinstance(node, ast.Call) and _name(node.func) in _HOST_CALLS:
                return True
        return False

    def _downstream_names(self, function: _Function, depth: int) -> set[str]:
        """Return the variables that contain the response of get_response, or a value derived from it."""
        names: set[str] = set()
        assignments = [node for node in _nodes(function) if isinstance(node, ast.Assign)]
        # The nodes are not in source order, so several passes are needed to follow one variable to the next.
        for _ in assignments[:10]:
            for node in assignments:
                if self._is_downstream(node.value, names, depth):
                    names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        own_responses = [node for node in assignments if _is_own_response(node.value)]
        return names - {target.id for node in own_responses for target in node.targets if isinstance(target, ast.Name)}

    def _is_downstream(self, value: ast.AST, names: set[str], depth: int) -> bool:
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.Name):
            return value.id in names
        parts: list[ast.expr] = []
        if isinstance(value, ast.IfExp):
            parts = [value.body, value.orelse]
        elif isinstance(value, ast.BoolOp):
            parts = value.values
        elif isinstance(value, ast.Call):
            return self._is_downstream_call(value, names, depth)
        return bool(parts) and all(self._is_downstream(part, names, depth) for part in parts)

    def _is_downstream_call(self, call: ast.Call, names: set[str], depth: int) -> bool:
        """Return True if a call returns the response of get_response, or a value derived from it."""
        called = _name(call.func)
        if _DOWNSTREAM_CALL.fullmatch(called) or any(self._is_downstream(value, names, depth) for value in call.args):
            return True
        method = getattr(self._middleware, called, None) if isinstance(self._middleware, type) else None
        if inspect.isfunction(method) and depth < _MAX_DEPTH:
            return not self.answers(method, is_hook=False, depth=depth + 1)
        # Any other call can only be judged by its name.
        return not _RESPONSE_NAME.search(called)


def _is_own_response(value: ast.AST) -> bool:
    called = _name(value.func) if isinstance(value, ast.Call) else ""
    return not _DOWNSTREAM_CALL.fullmatch(called) and _RESPONSE_NAME.search(called) is not None


def _nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of nested functions and classes."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _name(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
