"""What must hold of every call that met a fault."""

from __future__ import annotations

from grpc import StatusCode

from tests.support.llmock_gateway import CANARIES, Faulty, Outcome

OWN_FACTS = frozenset({"operation_id"})


def ends_as(
    outcome: Outcome,
    code: StatusCode,
    reason: str,
    *,
    retry_s: float | None = None,
    cause: str = "",
) -> None:
    """The call failed with `code` and `reason`, and with the details that the table has for them.

    Of a broken stream something had been sent, and its status says how much.
    """
    failure = outcome.failure
    assert failure is not None, "it looks successful"
    assert (failure.code, failure.reason) == (code, reason), failure.message
    assert failure.retry_s == retry_s
    assert failure.metadata["operation_id"]
    kinds = [event.WhichOneof("event") for event in outcome.events]
    assert "completed" not in kinds
    assert "finish" not in kinds
    if code is StatusCode.INTERNAL:
        assert failure.metadata.keys() == OWN_FACTS
    if code is StatusCode.ABORTED:
        assert failure.metadata["cause"] == cause
        assert int(failure.metadata["events_sent"]) == len(outcome.events)
        assert "text_delta" in kinds
    else:
        assert not outcome.events


async def nothing_shows(gateway: Faulty, outcome: Outcome) -> None:
    """No secret of the configuration stands in what the caller, the logs or the metrics saw."""
    metrics = await gateway.metrics()
    assert "grpc_server_handled_total" in metrics
    if outcome.failure is not None:
        assert outcome.failure.metadata["operation_id"] in gateway.logged
    for secret in CANARIES.values():
        for place, text in (
            ("answer", outcome.seen),
            ("log", gateway.logged),
            ("metrics", metrics),
        ):
            assert secret not in text, f"a secret shows in the {place}"
