"""The scenarios of the provider contract in Anthropic's own words; see subjects.py."""

from __future__ import annotations

import msgspec

from tests.support.anthropic import Json, block, events, message, start, stop, text
from tests.support.upstream import LAST_CHUNK, STREAM_HEAD, Visit, chunk, whole

USAGE = {"input_tokens": 2, "output_tokens": 3}
CALL = {"type": "tool_use", "id": "call_1", "name": "weather"}


async def answer_anthropic(visit: Visit) -> bool:
    """Answers one visit; True if the connection may stay."""
    path = visit.path.partition("?")[0]
    if path == "/v1/models":
        await visit.send(whole(b'{"data":[{"id":"text"},{"id":"tools"}],"has_more":false}'))
        return True
    if path == "/v1/messages/count_tokens":
        await visit.send(whole(b'{"input_tokens":2}'))
        return True
    asked = msgspec.json.decode(visit.body)
    if asked["model"] == "refused":
        error = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
        await visit.send(whole(error, "429 Too Many Requests", headers=["Retry-After: 7"]))
        return True
    if asked["model"] == "silent":
        await visit.gone()
        return False
    return await (_stream if asked.get("stream") else _whole)(visit, asked["model"])


async def _whole(visit: Visit, scenario: str) -> bool:
    content: Json = {"type": "text", "text": "one two three"}
    reason = "end_turn"
    if scenario == "tools":
        content, reason = {**CALL, "input": {"city": "Paris"}}, "tool_use"
    body = whole(msgspec.json.encode(message(content, reason=reason, usage=USAGE)))
    if scenario in ("broken", "stalled"):
        await visit.send(body[: len(body) // 2])
        if scenario == "stalled":
            await visit.gone()
        return False
    await visit.send(body)
    return True


async def _stream(visit: Visit, scenario: str) -> bool:
    begun = start(**{**USAGE, "output_tokens": 1})
    await visit.send(STREAM_HEAD + chunk(events([begun, {"type": "ping"}])))
    if scenario == "tools":
        pieces = [{"type": "input_json_delta", "partial_json": p} for p in ('{"city":', '"Paris"}')]
        said = [*block(0, {**CALL, "input": {}}, *pieces), *stop("tool_use")]
    else:
        said = [*text(0, "one", " two", " three"), *stop()]
    for number, event in enumerate(said):
        if scenario in ("broken", "stalled") and number == 2:
            if scenario == "stalled":
                await visit.gone()
            return False
        await visit.send(chunk(events([event])))
    await visit.send(LAST_CHUNK)
    return True
