"""What recorded answers say, in each provider's own words, read without the gateway's help."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.support.recordings import Recorded
from tests.support.recordings_answers import Answer, Call, Said, Tokens, float32

Json = Mapping[str, Any]
Reader = Callable[[Recorded], Answer]

FINISHES = {
    "STOP": ("stop", "eos", "end_turn", "COMPLETE", "STOP", "FINISH", "endoftext"),
    "STOP_SEQUENCE": ("stop_sequence",),
    "LENGTH": ("length", "max_tokens", "MAX_TOKENS", "LENGTH"),
    "TOOL_CALLS": ("tool_calls", "tool_use", "TOOL_CALL"),
    "CONTENT_FILTER": ("content_filter", "guardrail_intervened", "CONTENT_FILTERED"),
}
"""The contract's finish reasons and the providers' words for them."""
_FINISH_OF = {word: reason for reason, words in FINISHES.items() for word in words}


def finish(word: str) -> str:
    """The contract's name for a provider's finish word."""
    return _FINISH_OF[word]


def events(recorded: Recorded) -> Iterator[Json]:
    """The JSON values of an answer: of each event of a stream, or of the whole body."""
    kind, body = recorded.header("content-type"), recorded.plain
    if kind.startswith("text/event-stream"):
        for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
            lines = [line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
            data = b"\n".join(lines).strip()
            if data and data != b"[DONE]":
                yield json.loads(data)
    elif kind.endswith("amazon.eventstream"):
        yield from _amazon(body)
    elif recorded.event_stream:
        yield from (json.loads(line) for line in body.splitlines() if line.strip())
    else:
        yield json.loads(body)


def _amazon(body: bytes) -> Iterator[Json]:
    """Each message's payload; where it wraps bytes, what they say, else under its event's name."""
    while body:
        total, headers = struct.unpack_from(">II", body)
        head, payload = body[12 : 12 + headers], json.loads(body[12 + headers : total - 4])
        name = head.partition(b":event-type\x07")[2]
        event = name[2 : 2 + int.from_bytes(name[:2], "big")].decode()
        wrapped = payload.get("bytes")
        yield json.loads(base64.b64decode(wrapped)) if wrapped else {event: payload}
        body = body[total:]


def chat(recorded: Recorded) -> Answer:
    """A chat completion of OpenAI's form."""
    answer = Answer()
    for event in events(recorded):
        answer.model = answer.model or event.get("model") or ""
        answer.id = answer.id or event.get("id") or ""
        for choice in event.get("choices") or ():
            _choice(answer.at(choice.get("index", 0)), choice)
        usage = event.get("usage") or event.get("x_groq", {}).get("usage")
        if usage:
            answer.tokens = _chat_tokens(usage)
    return answer


def _choice(said: Said, choice: Json) -> None:
    delta = choice.get("delta") or choice.get("message") or {}
    said.text += delta.get("content") or ""
    said.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
    if delta.get("refusal"):
        said.text += delta["refusal"]
        said.finish = "REFUSAL"
    for position, call in enumerate(delta.get("tool_calls") or ()):
        number = call.get("index", position)
        while len(said.calls) <= number:
            said.calls.append(Call())
        mine, function = said.calls[number], call.get("function", {})
        mine.id = mine.id or call.get("id")
        mine.name = mine.name or function.get("name") or ""
        mine.arguments += function.get("arguments") or ""
    word = choice.get("finish_reason")
    if word and said.finish != "REFUSAL":
        said.finish = finish(word)


def _chat_tokens(usage: Json) -> Tokens:
    given = usage.get("prompt_tokens_details") or {}
    made = usage.get("completion_tokens_details") or {}
    return Tokens(
        input=usage["prompt_tokens"],
        output=usage.get("completion_tokens") or 0,
        cached=given.get("cached_tokens") or 0,
        reasoning=made.get("reasoning_tokens") or 0,
    )


def anthropic(recorded: Recorded) -> Answer:
    """A message of Anthropic's, whole, streamed, or within Bedrock's stream."""
    answer, counted = Answer(), {}
    said = answer.at(0)
    for event in events(recorded):
        message = event.get("message") or (event if event.get("type") == "message" else {})
        answer.model = answer.model or message.get("model") or ""
        answer.id = answer.id or message.get("id") or ""
        for block in message.get("content") or ():
            _block(said, block)
        if event.get("type") == "content_block_start":
            block = event["content_block"]
            _block(said, {**block, "input": {}} if block["type"] == "tool_use" else block)
        if event.get("type") == "content_block_delta":
            _block(said, event["delta"])
        counted.update(message.get("usage") or event.get("usage") or {})
        word = message.get("stop_reason") or event.get("delta", {}).get("stop_reason")
        if word:
            said.finish = finish(word)
    cached = counted.get("cache_read_input_tokens") or 0
    written = counted.get("cache_creation_input_tokens") or 0
    answer.tokens = Tokens(
        input=counted["input_tokens"] + cached + written,
        output=counted["output_tokens"],
        cached=cached,
        cache_write=written,
    )
    return answer


def _block(said: Said, block: Json) -> None:
    said.text += block.get("text", "")
    said.reasoning += block.get("thinking", "")
    said.signature += block.get("signature", "")
    if block.get("type") == "tool_use":
        arguments = json.dumps(block["input"]) if block["input"] else ""
        said.calls.append(Call(block["id"], block["name"], arguments))
    if "partial_json" in block:
        said.calls[-1].arguments += block["partial_json"]


def converse(recorded: Recorded) -> Answer:
    """A conversation of Bedrock's, or of Amazon's own models, whole or streamed."""
    answer = Answer()
    said, at = answer.at(0), {}
    for event in events(recorded):
        for block in event.get("output", {}).get("message", {}).get("content", ()):
            said.text += block.get("text", "")
            if "toolUse" in block:
                use = block["toolUse"]
                said.calls.append(Call(use["toolUseId"], use["name"], json.dumps(use["input"])))
        start = event.get("contentBlockStart", {})
        if "toolUse" in start.get("start", {}):
            use = start["start"]["toolUse"]
            at[start["contentBlockIndex"]] = Call(use["toolUseId"], use["name"])
            said.calls.append(at[start["contentBlockIndex"]])
        delta = event.get("contentBlockDelta", {})
        said.text += delta.get("delta", {}).get("text", "")
        if "toolUse" in delta.get("delta", {}):
            at[delta["contentBlockIndex"]].arguments += delta["delta"]["toolUse"]["input"]
        word = event.get("stopReason") or event.get("messageStop", {}).get("stopReason")
        if word:
            said.finish = finish(word)
        usage = event.get("usage") or event.get("metadata", {}).get("usage")
        if usage:
            answer.tokens = _amazon_tokens(usage)
    return answer


def _amazon_tokens(usage: Json) -> Tokens:
    cached = usage.get("cacheReadInputTokens") or usage.get("cacheReadInputTokenCount") or 0
    written = usage.get("cacheWriteInputTokens") or usage.get("cacheWriteInputTokenCount") or 0
    return Tokens(
        input=usage.get("inputTokens", 0) + cached + written,
        output=usage.get("outputTokens", 0),
        cached=cached,
        cache_write=written,
    )


def completion(recorded: Recorded) -> Answer:
    """A completion of the older models on Bedrock, whose tokens are counted in headers, or in the
    last event of a stream."""
    answer, counted = Answer(), Tokens()
    said = answer.at(0)
    for event in events(recorded):
        answer.id = event["id"] if isinstance(event.get("id"), str) else ""
        lists = (event.get(key) for key in ("results", "completions", "generations"))
        first = next((items[0] for items in lists if items), event)
        counted.input = int(event.get("inputTextTokenCount", counted.input))
        if "totalOutputTextTokenCount" in event:
            counted.output = int(event["totalOutputTextTokenCount"])
            answer.tokens = counted
        data = first.get("data", first)
        said.text += next(
            data[key] for key in ("outputText", "generation", "completion", "text") if key in data
        )
        reason = first.get("finishReason")
        word = reason.get("reason") if isinstance(reason, dict) else reason
        word = word or first.get("completionReason") or first.get("finish_reason")
        word = word or first.get("stop_reason")
        if word:
            said.finish = finish(word)
    counts = [recorded.header(f"x-amzn-bedrock-{way}-token-count") for way in ("input", "output")]
    if all(counts):
        answer.tokens = Tokens(input=int(counts[0]), output=int(counts[1]))
    return answer


def cohere_v1(recorded: Recorded) -> Answer:
    """An answer of Cohere's first API."""
    answer = Answer()
    said = answer.at(0)
    for event in events(recorded):
        if event.get("event_type") == "text-generation" or "event_type" not in event:
            said.text += event["text"]
        whole = event.get("response", event)
        answer.id = event.get("response_id", "")  # a stream tells it only at its end
        if "meta" in whole:
            said.finish = finish(whole["finish_reason"])
            counted = whole["meta"]["tokens"]
            answer.tokens = Tokens(counted["input_tokens"], counted["output_tokens"])
    return answer


def cohere(recorded: Recorded) -> Answer:
    """An answer of Cohere's second API."""
    answer = Answer()
    said = answer.at(0)
    for event in events(recorded):
        answer.id = answer.id or event.get("id", "")
        delta = event.get("delta") or event
        message = delta.get("message") or {}
        content = message.get("content") or ()
        for block in [content] if isinstance(content, dict) else content:
            said.text += block.get("text", "")
        said.reasoning += message.get("tool_plan", "")
        calls = message.get("tool_calls") or ()
        if isinstance(calls, dict) and event["type"] == "tool-call-delta":
            said.calls[-1].arguments += calls["function"]["arguments"]
            continue
        for call in [calls] if isinstance(calls, dict) else calls:
            function = call["function"]
            said.calls.append(Call(call["id"], function["name"], function.get("arguments", "")))
        if delta.get("finish_reason"):
            said.finish = finish(delta["finish_reason"])
        if delta.get("usage"):
            counted = delta["usage"]["tokens"]
            answer.tokens = Tokens(int(counted["input_tokens"]), int(counted["output_tokens"]))
    return answer


def ollama(recorded: Recorded) -> Answer:
    """An answer of Ollama's own API, to a conversation or to a prompt."""
    answer = Answer()
    said = answer.at(0)
    for event in events(recorded):
        answer.model = event["model"]
        message = event.get("message", {})
        said.text += message.get("content") or event.get("response") or ""
        for call in message.get("tool_calls") or ():
            function = call["function"]
            said.calls.append(Call(None, function["name"], json.dumps(function["arguments"])))
        if event["done"]:
            said.finish = "TOOL_CALLS" if said.calls else finish(event.get("done_reason", "stop"))
            if "prompt_eval_count" in event:
                answer.tokens = Tokens(event["prompt_eval_count"], event["eval_count"])
    return answer


def gemini(recorded: Recorded) -> Answer:
    """Contents of Gemini's."""
    answer = Answer()
    for event in events(recorded):
        answer.model, answer.id = event["modelVersion"], event["responseId"]
        for candidate in event["candidates"]:
            said = answer.at(candidate["index"])
            said.text += "".join(part["text"] for part in candidate["content"]["parts"])
            said.finish = finish(candidate["finishReason"])
        usage = event["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        answer.tokens = Tokens(
            input=usage["promptTokenCount"],
            output=usage["candidatesTokenCount"] + thoughts,
            reasoning=thoughts,
        )
    return answer


def embeddings(recorded: Recorded) -> Answer:
    """Vectors in the form of OpenAI."""
    (whole,) = events(recorded)
    rows = sorted(whole["data"], key=lambda row: row["index"])
    return Answer(
        vectors=[float32(row["embedding"]) for row in rows],
        tokens=_chat_tokens(whole["usage"]),
        model=whole["model"],
        id=whole.get("id", ""),
    )


def cohere_embeddings(recorded: Recorded) -> Answer:
    """Vectors of Cohere's second API."""
    (whole,) = events(recorded)
    return Answer(
        vectors=[float32(row) for row in whole["embeddings"]["float"]],
        tokens=Tokens(input=whole["meta"]["billed_units"]["input_tokens"]),
        id=whole["id"],
    )
