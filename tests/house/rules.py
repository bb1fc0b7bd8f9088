"""The house rules that neither ruff nor import-linter can say, as functions from source to faults.

Each takes a module's path below its package (`route/plan.py`) and its text, and gives one line for
each fault. An exemption is a row of a table here, with its reason, and nothing else.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache

Rule = Callable[[str, str], Iterator[str]]

MODULE_LINES = 300
FUNCTION_LINES = 40

# Where typing.Any may stand: data whose shape is a user's or a library's.
ANY = ("config/", "wire/grpc/decode", "wire/grpc/encode", "providers/litellm")
# Which suppressions of a linter's house rule may stand where.
SUPPRESSIONS = {
    # The bridge and task roots; and litellm raises every class there is.
    "BLE001": (
        "wire/grpc/",
        "app/lifecycle.py",
        "core/clock.py",
        "store/courier.py",
        "providers/litellm/translation.py",
    ),
    "PLC0415": ("providers/litellm",),  # the library is loaded when it is first needed
    # config/ reads the environment; the embedded model has a secret key and a process of its own.
    "TID251": ("config/", "providers/local/"),
    "C901": (),
    "PLW0603": (),
}

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MUTABLE_CALLS = {
    "Counter", "OrderedDict", "bytearray", "defaultdict", "deque", "dict", "list", "set",
}  # fmt: skip
_MUTATORS = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "popleft", "remove", "setdefault", "update",
}  # fmt: skip
_IO_CALLS = {
    "Popen", "basicConfig", "check_output", "connect", "glob", "iterdir",
    "load_dotenv", "open", "read_bytes", "read_text", "rglob", "run", "urlopen",
    "write_bytes", "write_text",
}  # fmt: skip
_RAISES = {
    "AttributeError", "BaseException", "ConnectionError", "Exception", "IOError", "IndexError",
    "KeyError", "LookupError", "OSError", "RuntimeError",
}  # fmt: skip
# What else a module may raise: a module's __getattr__ says so that it has no such name (PEP 562).
ALSO_RAISED = {"AttributeError": ("__init__.py",)}
_SCOPES = {
    "CancelScope", "TaskGroup", "Timeout", "create_task_group", "fail_after", "move_on_after",
    "timeout", "timeout_at",
}  # fmt: skip
_TYPING = {"typing", "typing_extensions"}
_DOTTED_ANY = {"t.Any", "typing.Any", "typing_extensions.Any"}
_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
_STREAM = re.compile(r"(^|_)stream(s|ed|ing)?$")
_NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<codes>:[\s\w,]*)?")


@cache
def parsed(source: str) -> ast.Module:
    """Every rule reads the same modules."""
    return ast.parse(source)


def module_length(path: str, source: str) -> Iterator[str]:
    lines = source.count("\n")
    if lines > MODULE_LINES:
        yield f"{path}: {lines} lines, {MODULE_LINES} at most"


def function_length(path: str, source: str) -> Iterator[str]:
    for node in ast.walk(parsed(source)):
        if isinstance(node, _Function) and node.body:
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, 40 at most"


def any_in_its_place(path: str, source: str) -> Iterator[str]:
    if path.startswith(ANY):
        return
    for node in ast.walk(parsed(source)):
        imported = (
            isinstance(node, ast.ImportFrom)
            and node.module in _TYPING
            and any(name.name == "Any" for name in node.names)
        )
        if imported or (isinstance(node, ast.Attribute) and ast.unparse(node) in _DOTTED_ANY):
            yield f"{path}:{node.lineno}: typing.Any"


def no_mutable_module_state(path: str, source: str) -> Iterator[str]:
    """A filled table under an upper-case name is a constant, and constants are never changed."""
    for node in parsed(source).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is None or _target(node) == "__all__" or not _is_mutable(value):
            continue
        if not _target(node).isupper() or _is_empty(value):
            yield f"{path}:{node.lineno}: mutable module state"
    for node in ast.walk(parsed(source)):
        if _changed(node).isupper():
            yield f"{path}:{node.lineno}: changes the constant {_changed(node)}"


def no_import_time_io(path: str, source: str) -> Iterator[str]:
    for statement in parsed(source).body:
        for node in _own_nodes(statement):
            if isinstance(node, ast.Call) and _own_name(node.func) in _IO_CALLS:
                yield f"{path}:{node.lineno}: import-time I/O"


def raises_gateway_errors(path: str, source: str) -> Iterator[str]:
    """ValueError and TypeError are left out: by them a function refuses what it was handed."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = _own_name(raised)
            if name in _RAISES and path not in ALSO_RAISED.get(name, ()):
                yield f"{path}:{node.lineno}: raises {name}, not a GatewayError"


def tasks_have_an_owner(path: str, source: str) -> Iterator[str]:
    if path == "core/clock.py":
        return
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Attribute) and node.attr in {"create_task", "ensure_future"}:
            yield f"{path}:{node.lineno}: a task that core/clock.py did not start"


def no_yield_in_policies(path: str, source: str) -> Iterator[str]:
    if not path.startswith(("policies/", "route/")):
        return
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            yield f"{path}:{node.lineno}: yield"


def no_test_for_streaming(path: str, source: str) -> Iterator[str]:
    if not path.startswith(("policies/", "route/")):
        return
    for node in ast.walk(parsed(source)):
        for test in _tests(node):
            names = (_own_name(part) for part in ast.walk(test))
            if any(_STREAM.search(name) for name in names):
                yield f"{path}:{test.lineno}: asks whether the call streams"


def no_yield_inside_scopes(path: str, source: str) -> Iterator[str]:
    """PEP 789: a generator that is suspended inside a timeout cancels its reader instead."""
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.With | ast.AsyncWith):
            continue
        calls = [item.context_expr for item in node.items]
        if any(isinstance(call, ast.Call) and _own_name(call.func) in _SCOPES for call in calls):
            for inner in node.body:
                for part in _own_nodes(inner):
                    if isinstance(part, ast.Yield | ast.YieldFrom):
                        yield f"{path}:{part.lineno}: yield inside a timeout or task group"


def names_say_something(path: str, source: str) -> Iterator[str]:
    if _NAMES & set(path.removesuffix(".py").split("/")):
        yield f"{path}: a name that says nothing"
    for node in ast.walk(parsed(source)):
        if isinstance(node, _Function) and node.args.kwarg and node.args.kwarg.arg == "kwargs":
            yield f"{path}:{node.lineno}: {node.name} takes a kwargs bag"


def suppressions_are_listed(path: str, source: str) -> Iterator[str]:
    for number, line in enumerate(source.splitlines(), 1):
        match = _NOQA.search(line)
        if match is None:
            continue
        codes = re.findall(r"[A-Z]+\d+", match["codes"] or "")
        if not codes:
            yield f"{path}:{number}: noqa without a code"
        for code in codes:
            if code in SUPPRESSIONS and not path.startswith(SUPPRESSIONS[code]):
                yield f"{path}:{number}: {code} may not be suppressed here"


SERVER_RULES: tuple[Rule, ...] = (
    module_length,
    function_length,
    any_in_its_place,
    no_mutable_module_state,
    no_import_time_io,
    raises_gateway_errors,
    tasks_have_an_owner,
    no_yield_in_policies,
    no_test_for_streaming,
    no_yield_inside_scopes,
    names_say_something,
    suppressions_are_listed,
)
CLIENT_RULES: tuple[Rule, ...] = (
    module_length,
    function_length,
    any_in_its_place,
    no_mutable_module_state,
    no_import_time_io,
    no_yield_inside_scopes,
    names_say_something,
)


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and what runs with it: nothing inside a function, lambda or main guard."""
    if isinstance(node, _Function | ast.Lambda) or _is_main_guard(node):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _own_nodes(child)


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _target(node: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


def _is_mutable(value: ast.expr) -> bool:
    called = _own_name(value.func) if isinstance(value, ast.Call) else ""
    return isinstance(value, _MUTABLE) or called in _MUTABLE_CALLS


def _is_empty(value: ast.expr) -> bool:
    """No elements, as far as can be seen: `{}`, `[]`, `deque()`, `defaultdict(list)`."""
    if isinstance(value, ast.Call):
        return _own_name(value.func) == "defaultdict" or not value.args
    return isinstance(value, ast.List | ast.Set | ast.Dict) and not _elements(value)


def _elements(value: ast.List | ast.Set | ast.Dict) -> list[ast.expr]:
    return value.values if isinstance(value, ast.Dict) else value.elts


def _changed(node: ast.AST) -> str:
    """The name of what `x[i] = ...`, `del x[i]` or `x.update` changes."""
    item = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
    method = isinstance(node, ast.Attribute) and node.attr in _MUTATORS
    return _own_name(node.value) if item or method else ""


def _own_name(node: ast.AST | None) -> str:
    """`b` of the name b, of a.b and of b[c]."""
    if isinstance(node, ast.Subscript):
        return _own_name(node.value)
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _tests(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
        return [node.test]
    if isinstance(node, ast.Match):
        return [node.subject]
    return list(node.ifs) if isinstance(node, ast.comprehension) else []
