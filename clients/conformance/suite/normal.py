"""The normal form of what a runner observed, and the faults that no scenario may have."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from interlingua.v1.content_pb2 import Part
from interlingua.v1.embed_pb2 import EmbedResponse
from interlingua.v1.gateway_service_pb2 import HealthResponse, HealthStatus
from interlingua.v1.generate_pb2 import (
    AttemptOutcome,
    Candidate,
    CountTokensResponse,
    FinishReason,
    GenerateRequest,
    GenerateResponse,
    StreamGenerateResponse,
    TokenLogprob,
    Usage,
)
from suite.assembly import Assembly

Observed = Mapping[str, object]
Normal = dict[str, object]
_M = TypeVar("_M", bound=Message)


class Malformed(Exception):
    """An observation that does not keep to the protocol; the message says why."""


def normal(op: str, observed: Observed) -> Normal:
    """The normal form; `faults` lists what must never be, whatever the scenario expects.

    Raises:
        Malformed: the runner does not keep to the protocol.
    """
    if "crash" in observed:
        return {"faults": [f"the runner crashed: {observed['crash']}"]}
    form = _FORMS[op](observed)
    form.setdefault("faults", [])
    if "error" in observed:
        form["error"] = error(observed["error"])
    if observed.get("cancelled"):
        form["cancelled"] = True
    return form


def error(value: object) -> Normal:
    """An error with all of its keys."""
    found = _mapping(value, "error")
    return {
        "code": found.get("code"),
        "reason": found.get("reason") or "",
        "message": found.get("message") or "",
        "retry_after_ms": found.get("retry_after_ms"),
        "violations": found.get("violations") or [],
        "resource": found.get("resource"),
        "metadata": found.get("metadata") or {},
    }


def _generate(observed: Observed) -> Normal:
    if "response" not in observed:
        return {}
    form = _answer(_decoded(observed["response"], GenerateResponse()))
    if observed.get("text") != form["text"]:
        form["faults"] = [f"text is {observed.get('text')!r:.200}, but the message has another"]
    return form


def _stream(observed: Observed) -> Normal:
    assembly = Assembly()
    counts: Counter[str] = Counter()
    for item in _list(observed.get("events", []), "events"):
        event = _decoded(item, StreamGenerateResponse())
        counts[event.WhichOneof("event") or "unknown"] += 1
        assembly.add(event)
    whole = "error" not in observed and not observed.get("cancelled")
    form = _answer(assembly.answer)
    form["faults"] = assembly.faults(whole=whole)
    form["events"] = dict(counts)
    if observed.get("text") != form["text"]:
        form["faults"] = [
            *assembly.faults(whole=whole),
            "text is not what the text deltas add up to",
        ]
    return form


def _embed(observed: Observed) -> Normal:
    if "response" not in observed:
        return {}
    response = _decoded(observed["response"], EmbedResponse())
    given = [
        item.float32_le or struct.pack(f"<{len(item.values)}f", *item.values)
        for item in response.embeddings
    ]
    seen = [_bytes(item) for item in _list(observed.get("vectors"), "vectors")]
    return {
        "vectors": [{"dimensions": len(item) // 4, "crc32": zlib.crc32(item)} for item in seen],
        "encoding": "bytes" if any(item.float32_le for item in response.embeddings) else "floats",
        "indices": [item.index for item in response.embeddings],
        "usage": _usage(response.usage),
        "faults": [] if given == seen else ["vectors are not those of the message"],
    }


def _batch(observed: Observed) -> Normal:
    if "results" not in observed:
        return {}
    found: list[object] = []
    for item in _list(observed["results"], "results"):
        result = _mapping(item, "result")
        if "error" in result:
            found.append({"error": error(result["error"])})
        else:
            found.append(_answer(_decoded(result.get("response"), GenerateResponse())))
    return {"results": found}


def _count_tokens(observed: Observed) -> Normal:
    if "response" not in observed:
        return {}
    response = _decoded(observed["response"], CountTokensResponse())
    return {"input_tokens": response.input_tokens, "estimated": response.estimated}


def _health(observed: Observed) -> Normal:
    if "response" not in observed:
        return {}
    response = _decoded(observed["response"], HealthResponse())
    return {
        "status": HealthStatus.Name(response.status),
        "version": response.version,
        "providers": {one.name: HealthStatus.Name(one.status) for one in response.providers},
    }


def _build(observed: Observed) -> Normal:
    request = _decoded(observed.get("request"), GenerateRequest())
    return {"request": MessageToDict(request, preserving_proto_field_name=True)}


def _restart(observed: Observed) -> Normal:
    return {
        key: normal("generate", _mapping(observed.get(key), key)) for key in ("before", "after")
    }


def _drain(observed: Observed) -> Normal:
    return {
        key: [_outcome(item) for item in _list(observed.get(key), key)]
        for key in ("streams", "calls")
    }


def _outcome(value: object) -> Normal:
    found = _mapping(value, "outcome")
    outcome: Normal = {"text": found.get("text")}
    if "error" in found:
        outcome["error"] = error(found["error"])
    return outcome


def _as_it_is(observed: Observed) -> Normal:
    return {key: value for key, value in observed.items() if key != "error"}


_FORMS: Mapping[str, Callable[[Observed], Normal]] = {
    "generate": _generate,
    "stream": _stream,
    "embed": _embed,
    "batch": _batch,
    "count_tokens": _count_tokens,
    "health": _health,
    "list_models": _as_it_is,
    "build": _build,
    "watch": _as_it_is,
    "restart": _restart,
    "drain": _drain,
}


def _answer(response: GenerateResponse) -> Normal:
    """An answer; what is said of one candidate is said of the first."""
    candidates = [_candidate(candidate) for candidate in response.candidates] or [
        _candidate(Candidate())
    ]
    return {
        **candidates[0],
        "candidates": candidates,
        "model": response.answered_by.model,
        "deployment": response.answered_by.deployment,
        "usage": _usage(response.usage),
        "warnings": [warning.field for warning in response.report.warnings],
        "attempts": [
            f"{one.deployment} {AttemptOutcome.Name(one.outcome).removeprefix('ATTEMPT_OUTCOME_')}"
            for one in response.report.attempts
        ],
    }


def _candidate(candidate: Candidate) -> Normal:
    parts = candidate.parts
    return {
        "text": "".join(part.text for part in parts),
        "reasoning": "".join(part.reasoning.text for part in parts),
        "signature": b"".join(part.reasoning.signature for part in parts).decode(),
        "tool_calls": [
            {
                "id": part.tool_call.id,
                "name": part.tool_call.name,
                "arguments_json": part.tool_call.arguments_json,
            }
            for part in parts
            if part.HasField("tool_call")
        ],
        "media": [found for part in parts if (found := _media(part)) is not None],
        "finish": FinishReason.Name(candidate.finish.reason).removeprefix("FINISH_REASON_"),
        "stop_sequence": candidate.finish.stop_sequence,
        "upstream_reason": candidate.finish.upstream_reason,
        "logprobs": [_logprob(token) for token in candidate.logprobs],
    }


def _media(part: Part) -> Normal | None:
    kind = part.WhichOneof("content")
    if kind not in ("image", "audio"):
        return None
    media = part.image if kind == "image" else part.audio
    return {
        "kind": kind,
        "mime_type": media.mime_type,
        "size": len(media.data),
        "crc32": zlib.crc32(media.data),
    }


def _logprob(token: TokenLogprob) -> Normal:
    return {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": len(token.raw),
        "top": [other.token for other in token.top],
    }


def _usage(usage: Usage) -> Normal:
    return {field.name: value for field, value in usage.ListFields()}


def _decoded(value: object, message: _M) -> _M:
    try:
        message.ParseFromString(_bytes(value))
    except DecodeError as error:
        raise Malformed(f"not a {message.DESCRIPTOR.name}: {error}") from error
    return message


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise Malformed(f"not base64: {value!r:.100}")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Malformed(f"not base64: {value:.100}") from error


def _list(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise Malformed(f"{name} is not a list")
    return value


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise Malformed(f"{name} is not an object")
    return value
