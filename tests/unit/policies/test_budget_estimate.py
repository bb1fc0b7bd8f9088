"""What a call can cost at most."""

from __future__ import annotations

import msgspec
import pytest

from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.prices import LongContext, Price, cost_of
from interlingua_gateway.core.target import Target
from interlingua_gateway.core.types import (
    EmbedInput,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    Media,
    MediaKind,
    Message,
    Modality,
    ResponseFormat,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from interlingua_gateway.policies.budget_estimate import (
    IMAGE_TOKENS,
    LINKED_MEDIA_TOKENS,
    MESSAGE_FRAME_TOKENS,
    TOOLS_FRAME_TOKENS,
    most_nano_usd,
)
from tests.support.calls import ask, embed

NANO = 1000  # pico-USD: a token of this price costs 1 nano-USD


def target(price: Price | None = None, **fields: object) -> Target:
    price = price or Price(input=NANO, output=1_000_000 * NANO)
    values = {"deployment": "d", "provider": "p", "model": "m", "label": "d", **fields}
    return Target(price=price, **values)


def most(request: GenerateRequest | EmbedRequest, *targets: Target) -> int:
    """Input tokens and, in millions, output tokens, at a nano-dollar for each of the former."""
    found = most_nano_usd(request, targets or (target(),), 7)
    assert found is not None
    return found


def split(amount: int) -> tuple[int, int]:
    """Input and output tokens."""
    return amount % 1_000_000, amount // 1_000_000


def test_no_more_tokens_than_bytes() -> None:
    entering, leaving = split(most(ask("m", "grüße 🙂", max_output_tokens=3)))
    assert entering == MESSAGE_FRAME_TOKENS + len("grüße 🙂".encode())
    assert leaving == 3


@pytest.mark.parametrize(
    ("asked", "limits", "leaving"),
    [
        (None, {}, 7),
        (None, {"longest_output_tokens": 5}, 5),
        (None, {"longest_output_tokens": 5, "max_output_tokens": 4}, 4),
        (3, {"longest_output_tokens": 5, "max_output_tokens": 4}, 3),
        (9, {"longest_output_tokens": 5}, 5),
        (9, {}, 9),
    ],
)
def test_output(asked: int | None, limits: dict[str, int], leaving: int) -> None:
    assert split(most(ask(max_output_tokens=asked), target(**limits)))[1] == leaving


def test_every_candidate_counts() -> None:
    assert split(most(ask(n=3, max_output_tokens=2)))[1] == 6


def test_the_dearest_target_counts() -> None:
    cheap, dear = target(Price(input=1, output=1)), target(Price(input=1, output=5_000 * NANO))
    asked = ask(text="", max_output_tokens=10)
    assert most(asked, cheap, dear) == most(asked, dear) > most(asked, cheap)


def test_an_unknown_price_is_unknown() -> None:
    unknown = msgspec.structs.replace(target(), price=None)
    assert most_nano_usd(ask(), (target(), unknown), 7) is None


def test_options_of_the_provider_may_raise_the_limit() -> None:
    """A limit of a name that nobody knows would go before that of the request."""
    asked = ask(max_output_tokens=2)
    free = msgspec.structs.replace(asked, provider_options_json='{"max_length": 1000}')
    assert split(most(free, target(longest_output_tokens=50)))[1] == 50


@pytest.mark.parametrize(
    "price",
    [
        Price(input=1, output=1, audio_output=9 * NANO),
        Price(input=1, output=1, image_output=9 * NANO),
        Price(input=1, output=1, service_tiers=(("priority", Price(input=1, output=9 * NANO)),)),
    ],
)
def test_options_of_the_provider_may_ask_for_what_is_dearer(price: Price) -> None:
    asked = ask(max_output_tokens=2)
    dearer = msgspec.structs.replace(asked, provider_options_json='{"x": 1}')
    limited = target(price, max_output_tokens=2)
    assert most(asked, limited) < 2 * 9 <= most(dearer, limited)


def test_the_window_bounds_the_input() -> None:
    assert split(most(ask(text="x" * 5000), target(context_window_tokens=900)))[0] == 900


def test_everything_that_enters_counts() -> None:
    picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"x" * 10)
    parts = (Text(text="12345"), picture)
    request = GenerateRequest(
        model="m",
        messages=(
            Message(role=Role.USER, parts=parts, name="me"),
            Message(role=Role.ASSISTANT, parts=(ToolCall(id="1", name="ab", arguments_json="{}"),)),
            Message(role=Role.TOOL, parts=(ToolResult(tool_call_id="1", content=(picture,)),)),
        ),
        tools=(Tool(name="ab", description="cd", parameters_json_schema="{}"),),
        response_format=ResponseFormat(kind=FormatKind.JSON_SCHEMA, json_schema="{}"),
        sampling=Sampling(max_output_tokens=1),
    )
    frames = 3 * MESSAGE_FRAME_TOKENS + 3 * MESSAGE_FRAME_TOKENS + TOOLS_FRAME_TOKENS
    text = len("12345" + "me" + "ab{}" + "abcd{}" + "{}")
    assert split(most(request))[0] == frames + text + 2 * IMAGE_TOKENS


@pytest.mark.parametrize(
    ("kind", "data", "tokens"),
    [
        (MediaKind.AUDIO, b"x" * 1600, IMAGE_TOKENS + 100),
        (MediaKind.FILE, b"x" * 1600, IMAGE_TOKENS + 1600),
        (MediaKind.AUDIO, None, LINKED_MEDIA_TOKENS),
        (MediaKind.IMAGE, None, IMAGE_TOKENS),
    ],
)
def test_media(kind: MediaKind, data: bytes | None, tokens: int) -> None:
    part = Media(kind=kind, mime_type="x/y", data=data, uri=None if data else "https://x")
    message = Message(role=Role.USER, parts=(part,))
    request = GenerateRequest(
        model="m", messages=(message,), sampling=Sampling(max_output_tokens=1)
    )
    assert split(most(request))[0] == MESSAGE_FRAME_TOKENS + tokens


def test_embeddings_have_no_output() -> None:
    texts = embed("abc", "de")
    ids = EmbedRequest(model="m", inputs=(EmbedInput(tokens=(1, 2, 3)),))
    assert split(most(texts)) == (2 * MESSAGE_FRAME_TOKENS + 5, 0)
    assert split(most(ids)) == (MESSAGE_FRAME_TOKENS + 3, 0)


PRICES = [
    Price(input=10, output=20),
    Price(input=10, output=20, cached_input=1, cache_write_input=13, reasoning=50),
    Price(
        input=10,
        output=20,
        long_context=(LongContext(above_input_tokens=15, price=Price(input=30, output=90)),),
    ),
    Price(input=10, output=20, audio_output=70),
]


@pytest.mark.parametrize("price", PRICES)
def test_no_usage_within_the_bound_costs_more(price: Price) -> None:
    asked = ask(text="0123", max_output_tokens=5)
    request = msgspec.structs.replace(asked, modalities=(Modality.AUDIO,))
    bound = most(request, target(price))
    entering = MESSAGE_FRAME_TOKENS + 4
    for usage in (
        Usage(input_tokens=entering, output_tokens=5),
        Usage(input_tokens=entering, cache_write_input_tokens=entering, output_tokens=5),
        Usage(input_tokens=entering, output_tokens=5, reasoning_tokens=5),
        Usage(input_tokens=entering, output_tokens=5, audio_output_tokens=5),
    ):
        assert cost_of(usage, price).nano_usd <= bound
