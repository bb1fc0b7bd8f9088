"""What the price map inside litellm's wheel knows of models, read without importing litellm.

The map is one JSON object of some 4,000 models, in 3 MB. When it is loaded, it is only noted where
in the file each entry stands; an entry is read and decoded when it is looked up.
"""

from __future__ import annotations

import importlib.util
import weakref
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.target import Capability
from interlingua_gateway.providers.price_entry import number, read_price

FILE_NAME = "model_prices_and_context_window_backup.json"
_LENGTH_BITS: Final = 24
_BEDROCK_ROUTES = frozenset({"converse", "invoke", "converse_like"})
_FINER = frozenset({"_converse", "_chat", "_text"})
_CHAT_MODES = frozenset({"chat", "completion", "responses"})


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of an entry beside its price; numbers stay text, for some are words."""

    litellm_provider: str = ""
    mode: str | None = None
    max_input_tokens: msgspec.Raw = msgspec.Raw()
    max_output_tokens: msgspec.Raw = msgspec.Raw()
    max_tokens: msgspec.Raw = msgspec.Raw()
    output_vector_size: msgspec.Raw = msgspec.Raw()
    supported_output_modalities: tuple[str, ...] | None = None
    supports_function_calling: bool | None = None
    supports_parallel_function_calling: bool | None = None
    supports_response_schema: bool | None = None
    supports_reasoning: bool | None = None
    supports_vision: bool | None = None
    supports_audio_input: bool | None = None
    supports_audio_output: bool | None = None
    supports_video_input: bool | None = None
    supports_pdf_input: bool | None = None


_FLAGS: Mapping[str, tuple[Capability, ...]] = {
    "supports_function_calling": (Capability.TOOLS,),
    "supports_parallel_function_calling": (Capability.PARALLEL_TOOL_CALLS,),
    "supports_response_schema": (Capability.JSON_OBJECT, Capability.JSON_SCHEMA),
    "supports_reasoning": (Capability.REASONING,),
    "supports_vision": (Capability.IMAGE_INPUT,),
    "supports_audio_input": (Capability.AUDIO_INPUT,),
    "supports_audio_output": (Capability.AUDIO_OUTPUT,),
    "supports_video_input": (Capability.VIDEO_INPUT,),
    "supports_pdf_input": (Capability.FILE_INPUT,),
}


class KnownModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the map says of one model; None and absent capabilities mean that it does not say."""

    price: Price | None
    context_window_tokens: int | None
    max_output_tokens: int | None
    capabilities: frozenset[Capability]
    embedding_dimensions: int | None


class PriceMap:
    """The models by litellm's names. `places` says where in `file` an entry begins, and in the
    lowest bits how long it is, in bytes.

    The file stays open, so that it stays what it was when somebody installs another one.
    """

    __slots__ = ("__weakref__", "_decode", "_fields", "_file", "_places")

    def __init__(self, places: Mapping[str, int], file: FileIO | None = None) -> None:
        self._places = places
        self._file = file
        if file is not None:
            weakref.finalize(self, file.close)
        self._decode = msgspec.json.Decoder(_Entry).decode
        self._fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def find(self, provider: str, model: str) -> KnownModel | None:
        """What is known of `model` at `provider`, both by litellm's names; `model` may carry the
        provider itself (`groq/...`), and then decides. None if the map does not have it."""
        for owner, name in _names(provider, model):
            raw = self._entry(name)
            if not raw:
                continue
            entry = self._decode(raw)
            if not owner or _belongs(entry.litellm_provider, owner):
                return _known(entry, read_price(self._fields(raw)))
        return None

    def _entry(self, name: str) -> bytes:
        """The text of an entry; empty where there is none."""
        place = self._places.get(name)
        if place is None or self._file is None:
            return b""
        self._file.seek(place >> _LENGTH_BITS)
        return self._file.read(place & ((1 << _LENGTH_BITS) - 1))


def load(file: Path | None = None) -> PriceMap:
    """The map in `file`, or the one of the installed litellm; empty if there is none."""
    file = file or installed_file()
    if file is None:
        return PriceMap({})
    opened = file.open("rb", buffering=0)
    places = _places(opened.readall())
    places.pop("sample_spec", None)  # describes the format
    return PriceMap(places, opened)


def _places(data: bytes) -> dict[str, int]:
    """Where the text of each entry stands: nearly always behind the next brace."""
    found: dict[str, int] = {}
    after = 0
    for name, raw in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
        text = bytes(raw)
        at = data.find(b"{", after)
        if not data.startswith(text, at):
            at = data.index(text)
        after = at + len(text)
        found[name] = at << _LENGTH_BITS | len(text)
    return found


def installed_file() -> Path | None:
    """Where the installed litellm keeps its map, or None if litellm is not installed."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).with_name(FILE_NAME)
    return file if file.is_file() else None


def _names(provider: str, model: str) -> Iterator[tuple[str, str]]:
    """Owner and key of every entry that may stand for the model, the closest first."""
    if provider in ("", "litellm"):
        provider, model = _split(model)
    elif model.startswith(f"{provider}/"):
        model = model.removeprefix(f"{provider}/")
    if provider:
        yield provider, f"{provider}/{model}"
    yield provider, model
    if provider == "bedrock":
        # Routes and regions stand before the model's own name: bedrock/us-east-1/converse/...
        route, _, rest = model.partition("/")
        while rest:
            if route not in _BEDROCK_ROUTES:
                yield provider, f"{provider}/{route}/{rest}"
            yield provider, rest
            route, _, rest = rest.partition("/")


def _split(model: str) -> tuple[str, str]:
    """Provider and model of one of litellm's model strings; a bare name has no provider."""
    provider, slash, name = model.partition("/")
    return (provider, name) if slash else ("", model)


def _belongs(litellm_provider: str, owner: str) -> bool:
    """Whether an entry of `litellm_provider` is one of `owner`: litellm has finer names for some
    (`vertex_ai-language-models`, `bedrock_converse`, `cohere_chat`, `azure_text`)."""
    if litellm_provider in (owner, owner.replace("-", "_")):
        return True
    rest = litellm_provider.removeprefix(owner)
    return rest != litellm_provider and (rest in _FINER or rest.startswith("-"))


def _known(entry: _Entry, price: Price | None) -> KnownModel:
    capabilities: set[Capability] = set()
    for flag, given in _FLAGS.items():
        if getattr(entry, flag):
            capabilities.update(given)
    if entry.mode in _CHAT_MODES:
        capabilities.add(Capability.CHAT)
    elif entry.mode == "embedding":
        capabilities.add(Capability.EMBEDDINGS)
    if "image" in (entry.supported_output_modalities or ()):
        capabilities.add(Capability.IMAGE_OUTPUT)
    return KnownModel(
        price=price,
        context_window_tokens=_whole(entry.max_input_tokens) or _whole(entry.max_tokens),
        max_output_tokens=_whole(entry.max_output_tokens),
        capabilities=frozenset(capabilities),
        embedding_dimensions=_whole(entry.output_vector_size),
    )


def _whole(raw: msgspec.Raw) -> int | None:
    found = number(raw)
    return int(found) if found is not None and found > 0 else None
