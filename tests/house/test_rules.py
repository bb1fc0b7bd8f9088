"""The tree keeps the house rules, and each rule can tell a module that does not."""

import pytest

from tests.house import rules
from tests.house.rules import Rule
from tests.house.tree import CLIENT, SERVER, sources


@pytest.mark.parametrize("rule", rules.SERVER_RULES, ids=lambda rule: rule.__name__)
def test_server(rule: Rule) -> None:
    modules = sources(SERVER)
    assert modules
    faults = [fault for path, text in modules.items() for fault in rule(path, text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("rule", rules.CLIENT_RULES, ids=lambda rule: rule.__name__)
def test_client(rule: Rule) -> None:
    modules = sources(CLIENT)
    assert modules
    faults = [fault for path, text in modules.items() for fault in rule(path, text)]
    assert not faults, "\n".join(faults)


BAD = [
    (rules.module_length, "core/x.py", "x = 1\n" * 301),
    (rules.function_length, "core/x.py", "def f():\n" + "    x = 1\n" * 41),
    (rules.any_in_its_place, "core/x.py", "from typing import Any"),
    (rules.any_in_its_place, "core/x.py", "import typing\nx: typing.Any = 1"),
    (rules.no_mutable_module_state, "core/x.py", "CACHE = {}"),
    (rules.no_mutable_module_state, "core/x.py", "CACHE: dict[str, int] = dict()"),
    (rules.no_mutable_module_state, "core/x.py", "SEEN = collections.defaultdict(list)"),
    (rules.no_mutable_module_state, "core/x.py", "SEEN: Final[list[int]] = []"),
    (rules.no_mutable_module_state, "core/x.py", "rows = [1]"),
    (rules.no_mutable_module_state, "core/x.py", "def f():\n    tables.ROWS['a'] = 1"),
    (rules.no_mutable_module_state, "core/x.py", "def f():\n    ROWS.update(a=1)"),
    (rules.no_import_time_io, "core/x.py", "TEXT = Path('x').read_text()"),
    (rules.no_import_time_io, "core/x.py", "class A:\n    text = open('x')"),
    (rules.raises_gateway_errors, "route/x.py", "def f():\n    raise Exception('no')"),
    (rules.raises_gateway_errors, "route/x.py", "def f():\n    raise RuntimeError"),
    (rules.tasks_have_an_owner, "route/x.py", "def f(loop):\n    loop.create_task(g())"),
    (rules.no_yield_in_policies, "policies/x.py", "def f():\n    yield 1"),
    (rules.no_test_for_streaming, "route/x.py", "def f(call):\n    if call.streaming: pass"),
    (
        rules.no_test_for_streaming,
        "route/x.py",
        "def f(is_stream):\n    return 1 if is_stream else 2",
    ),
    (
        rules.no_yield_inside_scopes,
        "core/x.py",
        "async def f():\n    async with asyncio.timeout(1):\n        yield 1",
    ),
    (
        rules.no_yield_inside_scopes,
        "core/x.py",
        "async def f():\n    with a, Timeout(clock, 1):\n        for x in y:\n            yield x",
    ),
    (rules.names_say_something, "core/utils.py", ""),
    (rules.names_say_something, "core/x.py", "def f(**kwargs): ..."),
    (rules.suppressions_are_listed, "route/x.py", "except Exception:  # noqa: BLE001"),
    (rules.suppressions_are_listed, "route/x.py", "import os  # noqa"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_rule_sees_a_bad_module(rule: Rule, path: str, text: str) -> None:
    assert list(rule(path, text))


GOOD = [
    (rules.function_length, "core/x.py", 'def f():\n    """' + "x\n" * 60 + '"""\n    return 1'),
    (rules.any_in_its_place, "config/x.py", "from typing import Any"),
    (rules.any_in_its_place, "core/x.py", "from google.protobuf.any_pb2 import Any"),
    (rules.no_mutable_module_state, "core/x.py", "T: Final = {'a': 1}\nx = T['a']"),
    (rules.no_mutable_module_state, "core/x.py", "T = frozenset({1, 2})\n__all__ = ['T']"),
    (rules.no_import_time_io, "core/x.py", "def f():\n    return open('x')"),
    (rules.raises_gateway_errors, "route/x.py", "def f():\n    raise CallerError('no')"),
    (rules.no_test_for_streaming, "route/x.py", "def f(call):\n    call.upstream.open()"),
    (
        rules.no_yield_inside_scopes,
        "core/x.py",
        "async def f():\n    async with asyncio.timeout(1):\n        x = await g()\n    yield x",
    ),
    (rules.suppressions_are_listed, "config/x.py", "x = os.environ  # noqa: TID251"),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_rule_lets_a_good_module_pass(rule: Rule, path: str, text: str) -> None:
    assert list(rule(path, text)) == []
