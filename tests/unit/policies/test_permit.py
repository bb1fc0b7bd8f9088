"""Models that a caller may not name are refused; where the configuration leads is no matter."""

import pytest

from interlingua_gateway.core.aliases import AllowedModels
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.wishes import Caller, Routing
from interlingua_gateway.policies.permit import Permit
from tests.support.calls import ask, call

NAMES = {"default": "fast"}


async def allowed(model: str, *lists: list[str], fallbacks: tuple[str, ...] = ()) -> bool:
    reached = []

    async def inner(inner_call: object) -> Reply:
        reached.append(inner_call)
        return Reply(None, ())

    made = call(
        ask(model),
        caller=Caller(models=AllowedModels(*lists)),
        routing=Routing(fallbacks=fallbacks),
    )
    try:
        await Permit(NAMES)(made, inner)
    except CallerError as error:
        if error.reason is not Reason.PERMISSION_DENIED:
            raise
    return bool(reached)


@pytest.mark.parametrize(
    ("model", "lists", "expected"),
    [
        ("fast", [], True),
        ("fast", [[], []], True),
        ("fast", [["fast"]], True),
        ("default", [["fast"]], True),
        ("default", [["default"]], True),
        ("fast", [["default"]], False),
        ("faster", [["fast"]], False),
        ("openai/x", [["openai/*"]], True),
        ("openai/", [["openai/*"]], False),
        ("openai", [["*"]], True),
        ("openai/x", [["openai/*"], ["openai/x", "other"]], True),
        ("openai/x", [["openai/*"], ["other"]], False),
        ("default", [["fast"], ["default"]], True),
        ("fast", [[""]], False),
    ],
)
async def test_the_requested_model(model: str, lists: list[list[str]], expected: bool) -> None:
    assert await allowed(model, *lists) is expected


async def test_the_callers_own_fallbacks() -> None:
    assert await allowed("fast", ["fast", "spare"], fallbacks=("spare",))
    assert not await allowed("fast", ["fast"], fallbacks=("spare",))
