"""litellm's model list into models, providers and limits of the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from interlingua_gateway.config.known import BY_NAME
from interlingua_gateway.config.secret import GIVEN, Secret, is_confidential
from interlingua_gateway.core.errors import CallerError

ENVIRONMENT: Final = "os.environ/"

_BARE: Final = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "text-embedding-": "openai",
    "claude-": "anthropic",
}
"""Who has models whose names begin so, for those who leave the provider out."""

_SETTINGS: Final = {
    "api_key": "api_key",
    "api_base": "base_url",
    "base_url": "base_url",
    "api_version": "api_version",
    "organization": "organization",
}
_TARGET: Final = {"weight": "weight", "max_parallel_requests": "max_concurrency"}
_LIMITS: Final = {"rpm": "requests_per_minute", "tpm": "tokens_per_minute"}
_TIMEOUTS: Final = {"timeout": "total_s", "stream_timeout": "first_token_s"}
_PRICES: Final = {
    "input_cost_per_token": "input_usd_per_million",
    "output_cost_per_token": "output_usd_per_million",
    "cache_read_input_token_cost": "cached_input_usd_per_million",
    "cache_creation_input_token_cost": "cache_write_input_usd_per_million",
}
_INFO: Final = {"max_input_tokens": "context_window_tokens", "description": "description"}
_IGNORED: Final = frozenset({"id", "mode", "db_model", "base_model"})
"""What litellm keeps for itself."""


class ModelList:
    """What a list says, in the form of the tree's sections."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Raises CallerError: INVALID_REQUEST naming the first thing that cannot be kept."""
        self.providers: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.rules: list[dict[str, Any]] = []
        for index, entry in enumerate(entries):
            self._add(entry, f"model_list[{index}]")

    def _add(self, entry: Mapping[str, Any], field: str) -> None:
        _only(entry, {"model_name", "litellm_params", "model_info", *_LIMITS}, field)
        alias, params = entry.get("model_name"), dict(entry.get("litellm_params") or {})
        if not isinstance(alias, str) or not isinstance(params.get("model"), str):
            raise CallerError.of_field(field, "needs model_name and litellm_params.model")
        here = f"{field}.litellm_params"
        owner, upstream = _owner(params.pop("model"), f"{here}.model")
        known = BY_NAME.get(owner)
        kind = known.kind if known is not None else "litellm"
        info = dict(entry.get("model_info") or {})
        limits = _taken(params, _LIMITS) | _taken(dict(entry), _LIMITS)
        price = _price(_taken(params, _PRICES) | _taken(info, _PRICES))
        target = _taken(params, _TARGET)
        model = self.models.setdefault(alias, {"name": alias, "targets": []})
        self._settle(model, "timeouts", _taken(params, _TIMEOUTS), here)
        for key, value in _taken(info, _INFO).items():
            self._settle(model, key, value, field)
        _only(info, _IGNORED, f"{field}.model_info")
        name = self._provider(owner, kind, params, here)
        target |= {
            "provider": name,
            "model": f"{owner}/{upstream}" if kind == "litellm" else upstream,
        }
        model["targets"].append(target | ({"price": price} if price else {}))
        if len(model["targets"]) > 1:
            model["strategy"] = "weighted"
        if limits:
            self._limit(name, target["model"], limits)

    def _provider(self, owner: str, kind: str, params: dict[str, Any], field: str) -> str:
        """The name of the account; entries with equal settings share one."""
        settings = {key: _secret(key, value) for key, value in _taken(params, _SETTINGS).items()}
        entry = {"kind": kind, **settings}
        if kind == "litellm":
            further = {key: _secret(key, value) for key, value in params.items()}
            entry |= {"params": further} if further else {}
        else:
            _only(params, set(), field)
        name, number = owner.replace(".", "_"), 1
        while self.providers.setdefault(name, entry) != entry:
            number += 1
            name = f"{owner.replace('.', '_')}-{number}"
        return name

    def _limit(self, provider: str, model: str, limits: Mapping[str, Any]) -> None:
        rule = {
            "name": f"model-list-{len(self.rules)}",
            "per": ["provider"],
            "providers": [provider],
            "models": [model],
        }
        self.rules.append({**rule, **limits})

    def _settle(self, model: dict[str, Any], key: str, value: Any, field: str) -> None:
        if value and model.setdefault(key, value) != value:
            raise CallerError.of_field(
                field, f"{key} differs from that of another entry of the same model_name"
            )


def _owner(model: str, field: str) -> tuple[str, str]:
    """The provider and its name for the model."""
    owner, slash, upstream = model.partition("/")
    if slash:
        return owner, upstream
    for beginning, provider in _BARE.items():
        if model.startswith(beginning):
            return provider, model
    raise CallerError.of_field(field, f"say which provider has it: provider/{model}")


def _taken(values: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What `values` says of `names`, under the tree's own names; it is taken out of `values`."""
    found = {ours: values.pop(theirs, None) for theirs, ours in names.items() if theirs in values}
    return {ours: value for ours, value in found.items() if value is not None}


def _price(costs: Mapping[str, Any]) -> dict[str, Any]:
    """USD for a million tokens, exactly, from USD for one."""
    price = {key: (Decimal(str(cost)) * 1_000_000).normalize() for key, cost in costs.items()}
    if price:
        price.setdefault("input_usd_per_million", Decimal(0))
    return price


def _secret(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith(ENVIRONMENT):
        return "env:" + value.removeprefix(ENVIRONMENT)
    return Secret(value, GIVEN) if is_confidential(key) and value.strip() else value


def _only(values: Mapping[str, Any], known: frozenset[str] | set[str], field: str) -> None:
    unknown = sorted(values.keys() - known)
    if unknown:
        raise CallerError.of_field(f"{field}.{unknown[0]}", "has no place in this gateway")
