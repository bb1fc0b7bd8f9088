"""The order of policies is a decision; this pins it."""

from __future__ import annotations

from types import SimpleNamespace

from interlingua_gateway.app.stack import policies, stack
from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.events import TextDelta
from interlingua_gateway.core.reply import Reply, Start
from interlingua_gateway.core.types import GenerateRequest
from interlingua_gateway.policies.account import Account
from interlingua_gateway.policies.observe import Observe
from interlingua_gateway.policies.permit import Permit
from interlingua_gateway.telemetry.metrics import Metrics


def test_the_order(clock):
    limits = SimpleNamespace(policies=("limit",))
    answers = SimpleNamespace(sharing=("idempotency", "cache", "dedupe"), joining=("batches",))
    ledger = SimpleNamespace(policies=("ledger",))
    budgets = SimpleNamespace(policy="budget")
    chain = policies(Metrics(), clock, Permit({}), ledger, limits, answers, budgets)
    assert isinstance(chain[0], Observe)
    assert chain[1] == "ledger"
    assert isinstance(chain[2], Permit)
    assert chain[3] == "limit"
    assert isinstance(chain[4], Account)
    assert chain[5:] == ("idempotency", "cache", "dedupe", "budget", "batches")


async def test_a_call_passes_first_to_last_and_its_reply_back():
    seen: list[str] = []

    class Step:
        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, call: Call, inner: Handler) -> Reply:
            seen.append(f"{self.name} in")
            reply = await inner(call)
            reply.tap(lambda batch: seen.append(f"{self.name} sees"))
            seen.append(f"{self.name} out")
            return reply

    async def innermost(call: Call) -> Reply:
        seen.append("served")
        return Reply(Start("d", "p", "m"), (TextDelta(0, "a"),))

    request = GenerateRequest(model="m", messages=())
    call = Call(request, call_id="op", method="Generate", started=0)
    reply = await stack((Step("a"), Step("b")), innermost)(call)
    assert await reply.next() == (TextDelta(0, "a"),)
    assert await reply.next() is None
    assert seen == ["a in", "b in", "served", "b out", "a out", "b sees", "a sees"]
