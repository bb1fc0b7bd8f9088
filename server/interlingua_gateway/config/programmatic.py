"""A configuration that a program makes: the same tree as the file's, without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interlingua_gateway.config.defaults import fill, models_of, row_of
from interlingua_gateway.config.environment import process_environment
from interlingua_gateway.config.known import BY_NAME, KINDS, Setting
from interlingua_gateway.config.load import tree_of
from interlingua_gateway.config.model_list import ModelList
from interlingua_gateway.config.problems import ConfigError, Key, Origin, dotted, suggestion
from interlingua_gateway.config.secret import GIVEN, Secret, Surroundings, is_reference
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.errors import CallerError, Reason, Violation


class GatewayConfig(Config):
    """The configuration's tree from a program; its sections are keyword arguments.

    API keys may be given as they are, or as references. What is not said is as without a file: the
    providers whose keys are in the environment, and the embedded model. With `enable_caching`
    every model keeps its answers, for `cache_ttl` seconds where the model does not say otherwise.
    """

    def __init__(
        self, *, enable_caching: bool = False, cache_ttl: float | None = None, **sections: Any
    ) -> None:
        """Raises CallerError: INVALID_REQUEST, with everything that is wrong."""
        if cache_ttl is not None and not enable_caching:
            raise CallerError.of_field("cache_ttl", "needs enable_caching=True")
        environment = process_environment()
        values = _plain(sections)
        _hide_keys(values.get("providers"))
        origins: dict[Key, Origin] = {}
        fill(values, origins, environment)
        if enable_caching:
            _cache(values["models"], cache_ttl)
        try:
            tree = tree_of(values, origins, Surroundings(environment, Path.cwd()))
        except ConfigError as error:
            raise _refused(error) from None
        super().__init__(**{name: getattr(tree, name) for name in Config.model_fields})


def gateway_config(
    providers: Sequence[str | Mapping[str, Any]] | None,
    default_model: str | None,
    api_keys: Mapping[str, str],
    sections: Mapping[str, Any],
) -> GatewayConfig:
    """The configuration of `providers`, in order of priority.

    Each is a name, `name/model`, or an entry of the section `providers` with the keys `name` and,
    if it has one of its own, `model`. Models are called by `name/model`; without the name, each
    provider is tried in order. `default` is each provider's own model, or else `default_model`.

    Raises:
        CallerError: CREDENTIALS_MISSING naming providers and variables, or INVALID_REQUEST.
    """
    environment = process_environment()
    if providers is None:
        providers = _in_environment(api_keys, environment)
    if not providers:
        raise CallerError.of_field("providers", "must not be empty")
    entries: dict[str, dict[str, Any]] = {}
    own: list[tuple[str, str]] = []
    for index, given in enumerate(providers):
        name, model, entry = _entry(given, f"providers[{index}]")
        if name not in entries:
            entries[name] = entry
        own.append((name, model))
    _give_keys(entries, api_keys)
    _refuse_missing(entries, environment)
    models = _models(entries, own, default_model)
    return GatewayConfig(**{**sections, "providers": entries, "models": models})


def config_of_list(
    model_list: Sequence[Mapping[str, Any]], timeout_s: float | None, sections: Mapping[str, Any]
) -> GatewayConfig:
    """The configuration of litellm's model list; `timeout_s` bounds calls that set no bound.

    Raises:
        CallerError: INVALID_REQUEST, with what is wrong, or what has no place in this gateway.
    """
    if not model_list:
        raise CallerError.of_field("model_list", "must not be empty")
    found = ModelList(model_list)
    _refuse_missing(found.providers, process_environment())
    values = _plain(sections)
    values |= {"providers": found.providers, "models": list(found.models.values())}
    if timeout_s is not None:
        values.setdefault("server", {})["default_deadline_s"] = timeout_s
    if found.rules:
        values.setdefault("limits", {}).setdefault("rules", []).extend(found.rules)
    return GatewayConfig(**values)


def _entry(given: str | Mapping[str, Any], field: str) -> tuple[str, str, dict[str, Any]]:
    """Name, model (or empty) and entry of one provider."""
    if isinstance(given, str):
        name, _, model = given.partition("/")
        if name not in BY_NAME and name not in KINDS:
            raise CallerError.of_field(
                field, f"unknown provider {name!r}{suggestion(name, BY_NAME)}"
            )
        return name, model, {}
    entry = _plain(given)
    name, model = entry.pop("name", None), entry.pop("model", "")
    if not isinstance(name, str):
        raise CallerError.of_field(field, "needs the key name")
    return name, str(model), entry


def _in_environment(api_keys: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """The providers whose keys are at hand, or else the embedded model."""
    values: dict[str, Any] = {}
    fill(values, {}, environment)
    found = [*api_keys, *(name for name in values["providers"] if name not in api_keys)]
    return [name for name in found if name != "local"] or ["local"]


def _give_keys(entries: Mapping[str, dict[str, Any]], api_keys: Mapping[str, str]) -> None:
    for name, key in api_keys.items():
        if name not in entries:
            raise CallerError.of_field(
                f"api_keys[{name}]", f"there is no such provider{suggestion(name, entries)}"
            )
        if not key.strip():
            row = row_of(name, _kind(name, entries[name]))
            needed = [setting for setting in row.settings if setting.secret] if row else []
            raise _missing([(name, (needed or [Setting(("api_key",), ())])[0])])
        entries[name]["api_key"] = key


def _refuse_missing(
    entries: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]
) -> None:
    missing: list[tuple[str, Setting]] = []
    for name, entry in entries.items():
        row = row_of(name, _kind(name, entry))
        if row is None or entry.get("base_url") is not None:
            continue
        for setting in row.settings:
            there = any(environment.get(one, "").strip() for one in setting.variables)
            if setting.needed and setting.secret and not there and not _given(entry, setting.key):
                missing.append((name, setting))
    if missing:
        raise _missing(missing)


def _given(entry: Mapping[str, Any], key: Sequence[str]) -> bool:
    value: Any = entry
    for part in key:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value is not None and value != ""


def _missing(missing: Sequence[tuple[str, Setting]]) -> CallerError:
    each = []
    for name, setting in missing:
        ways = [f"set {variable}" for variable in setting.variables[:1]]
        if setting.key == ("api_key",):
            ways.insert(0, f"give api_keys={{{name!r}: ...}}")
        each.append(Violation(f"api_keys[{name}]", f"no key: {' or '.join(ways)}"))
    lines = "; ".join(f"provider {one.subject}: {one.description}" for one in each)
    return CallerError(Reason.CREDENTIALS_MISSING, lines, violations=tuple(each))


def _kind(name: str, entry: Mapping[str, Any]) -> object:
    known = BY_NAME.get(name)
    return entry.get("kind") or (known.kind if known else name)


def _models(
    entries: Mapping[str, dict[str, Any]],
    own: Sequence[tuple[str, str]],
    default_model: str | None,
) -> list[dict[str, Any]]:
    named = {name: {"kind": _kind(name, entry), **entry} for name, entry in entries.items()}
    models = models_of(named)
    wide = [model["targets"][0] for model in models if "*" in model["name"]]
    chosen, _, rest = (default_model or "").partition("/")
    if rest and chosen in entries:
        own, default_model = [*own, (chosen, rest)], None
    default = [
        _target(name, model or default_model or "", wide)
        for name, model in own
        if model or default_model
    ]
    if default:
        for model in models:
            model.pop("aliases", None)
        models.append({"name": "default", "targets": default})
    return [*models, {"name": "*", "targets": wide}] if wide else models


def _target(name: str, model: str, wide: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """A model of a provider, with the words before it that litellm wants."""
    pattern = next((one["model"] for one in wide if one["provider"] == name), "*")
    return {"provider": name, "model": pattern.replace("*", model)}


def _plain(value: Any) -> Any:
    """`value` with new mappings and lists all through, so that they can be completed."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _hide_keys(providers: Any) -> None:
    for entry in providers.values() if isinstance(providers, dict) else ():
        key = entry.get("api_key") if isinstance(entry, dict) else None
        if isinstance(key, str) and key.strip() and not is_reference(key):
            entry["api_key"] = Secret(key.strip(), GIVEN)


def _cache(models: Any, ttl_s: float | None) -> None:
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict) and model.get("cache") is None:
            model["cache"] = {} if ttl_s is None else {"ttl_s": ttl_s}


def _refused(error: ConfigError) -> CallerError:
    violations = tuple(
        Violation(dotted(problem.key), problem.message) for problem in error.problems
    )
    return CallerError(Reason.INVALID_REQUEST, str(error), violations=violations)
