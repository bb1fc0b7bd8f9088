"""What must agree between the sections; works on raw values, so that all faults show at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from interlingua_gateway.config.defaults import row_of
from interlingua_gateway.config.document import as_list, as_mapping
from interlingua_gateway.config.known import BY_NAME
from interlingua_gateway.config.problems import Key, suggestion
from interlingua_gateway.config.reach import reach_faults

Fault: TypeAlias = tuple[Key, str]


def disagreements(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Each fault between sections, with the key to mend; wrong forms are passed over."""
    yield from reach_faults(values)
    if as_mapping(values.get("cache")).get("store") == "redis" and not values.get("redis"):
        yield ("cache", "store"), "redis needs the section redis, which says where it is"
    providers = as_mapping(values.get("providers"))
    for name, entry in providers.items():
        yield from _provider_faults(name, as_mapping(entry))
    yield from _limit_faults(as_mapping(values.get("limits")), providers)
    yield from _price_faults(as_list(values.get("prices")), providers)
    yield from _name_faults(values)
    yield from _classifier_faults([as_mapping(model) for model in as_list(values.get("models"))])
    seen: dict[str, Key] = {}
    deployments: dict[str, Mapping[str, Any]] = {}
    for index, model in enumerate(as_list(values.get("models"))):
        yield from _repeated_names(as_mapping(model), ("models", index), seen)
        yield from _target_faults(as_mapping(model), ("models", index), providers, deployments)


def _provider_faults(name: str, entry: Mapping[str, Any]) -> Iterator[Fault]:
    kind = entry.get("kind")
    key = ("providers", name)
    row = row_of(name, kind)
    if row is not None and kind != "litellm" and entry.get("base_url") is None:
        for setting in row.settings:
            if setting.needed and entry.get(setting.key[-1]) is None:
                how = "env:NAME or file:/path" if setting.secret else "it"
                message = f"needed; give {how}, or set {setting.variables[0]}"
                yield (*key, *setting.key), message
    for section, owner in (("params", "litellm"), ("local", "local"), ("script", "scripted")):
        if entry.get(section) and isinstance(kind, str) and kind != owner:
            yield (*key, section), f"belongs to kind {owner}, this provider is of kind {kind}"


def _limit_faults(limits: Mapping[str, Any], providers: Mapping[str, Any]) -> Iterator[Fault]:
    for index, rule in enumerate(map(as_mapping, as_list(limits.get("rules")))):
        for place, name in enumerate(as_list(rule.get("providers"))):
            if isinstance(name, str) and name not in providers:
                yield ("limits", "rules", index, "providers", place), _no_provider(name, providers)


def _price_faults(rules: list[Any], providers: Mapping[str, Any]) -> Iterator[Fault]:
    for index, rule in enumerate(map(as_mapping, rules)):
        model = rule.get("model")
        name = model.partition("/")[0] if isinstance(model, str) else ""
        if name and "*" not in name and name not in providers:
            yield ("prices", index, "model"), _no_provider(name, providers)


def _name_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Models that fallbacks and rules name, but that are not there."""
    models = [as_mapping(model) for model in as_list(values.get("models"))]
    known = [n for m in models for n in (m.get("name"), *as_list(m.get("aliases")))]
    names = [name for name in known if isinstance(name, str)]
    for where, name in _named_models(values, models):
        if models and isinstance(name, str) and not any(_serves(n, name) for n in names):
            yield where, f"no model {name!r} is configured{suggestion(name, names)}"


def _named_models(
    values: Mapping[str, Any], models: list[Mapping[str, Any]]
) -> Iterator[tuple[Key, object]]:
    for index, model in enumerate(models):
        for kind, chain in as_mapping(model.get("fallbacks")).items():
            for place, name in enumerate(as_list(chain)):
                yield ("models", index, "fallbacks", kind, place), name
        yield from _names_of_classifier(model, ("models", index, "classifier"))
    rules = as_list(as_mapping(values.get("routing")).get("rules"))
    for index, rule in enumerate(map(as_mapping, rules)):
        yield ("routing", "rules", index, "use"), rule.get("use")


def _names_of_classifier(model: Mapping[str, Any], key: Key) -> Iterator[tuple[Key, object]]:
    classifier = as_mapping(model.get("classifier"))
    yield (*key, "model"), classifier.get("model")
    for place, route in enumerate(map(as_mapping, as_list(classifier.get("routes")))):
        yield (*key, "routes", place, "use"), route.get("use")


def _classifier_faults(models: list[Mapping[str, Any]]) -> Iterator[Fault]:
    """Classifiers that lead to a classifier, be it their own, or to a model that only embeds."""
    served = {
        name: model
        for model in models
        for name in (model.get("name"), *as_list(model.get("aliases")))
        if isinstance(name, str)
    }
    for index, model in enumerate(models):
        for where, name in _names_of_classifier(model, ("models", index, "classifier")):
            other = served.get(name, {}) if isinstance(name, str) else {}
            able = as_list(other.get("capabilities"))
            if other.get("classifier") is not None:
                yield where, f"{name!r} has a classifier itself; name a model that has targets"
            elif "embeddings" in able and "chat" not in able:
                yield where, f"{name!r} only embeds; a classifier chooses for conversations"


def _serves(pattern: str, name: str) -> bool:
    return name == pattern or ("*" in pattern and name.startswith(pattern.rstrip("*")))


def _repeated_names(model: Mapping[str, Any], key: Key, seen: dict[str, Key]) -> Iterator[Fault]:
    named = [((*key, "name"), model.get("name"))]
    named += [
        ((*key, "aliases", index), alias)
        for index, alias in enumerate(as_list(model.get("aliases")))
    ]
    for where, name in named:
        if not isinstance(name, str):
            continue
        if name in seen:
            yield where, f"the name {name!r} is taken by another model"
        seen.setdefault(name, where)


def _target_faults(
    model: Mapping[str, Any],
    key: Key,
    providers: Mapping[str, Any],
    deployments: dict[str, Mapping[str, Any]],
) -> Iterator[Fault]:
    if model and not model.get("targets") and not model.get("classifier"):
        yield (*key, "targets"), "needed, but not given; or give a classifier"
    within: set[tuple[object, object]] = set()
    for index, target in enumerate(map(as_mapping, as_list(model.get("targets")))):
        here = (*key, "targets", index)
        provider, upstream = target.get("provider"), target.get("model")
        if not isinstance(provider, str) or not isinstance(upstream, str):
            continue
        if provider not in providers:
            yield (*here, "provider"), _no_provider(provider, providers)
        yield from _star_faults(model, upstream, (*here, "model"))
        pair = (provider, upstream)
        name = target.get("deployment") or f"{provider}/{upstream}"
        if pair in within:
            yield here, f"{provider}/{upstream} is already a target of this model"
        elif isinstance(name, str):
            yield from _deployment_faults(name, target, deployments.setdefault(name, target), here)
        within.add(pair)


def _deployment_faults(
    name: str, target: Mapping[str, Any], first: Mapping[str, Any], key: Key
) -> Iterator[Fault]:
    """What a deployment must say alike wherever it is a target: `first` is where it was before."""
    if any(target.get(part) != first.get(part) for part in ("provider", "model")):
        yield (*key, "deployment"), f"{name!r} already names another deployment"
        return
    for part in ("max_concurrency", "quota"):
        if target.get(part) != first.get(part):
            said = "none" if first.get(part) is None else first[part]
            yield (*key, part), f"{name!r} has another {part} as a target of another model: {said}"


def _star_faults(model: Mapping[str, Any], upstream: str, key: Key) -> Iterator[Fault]:
    names = [model.get("name"), *as_list(model.get("aliases"))]
    if "*" in upstream and not all(isinstance(name, str) and "*" in name for name in names):
        yield key, "a * stands for what a * in the name matched; the name (or an alias) has none"
    elif upstream.count("*") > 1:
        yield key, "at most one * may stand here"


def _no_provider(name: str, providers: Mapping[str, Any]) -> str:
    known = BY_NAME.get(name)
    hint = suggestion(name, providers)
    if known is not None and known.settings:
        hint = f"; add it under providers, or set {known.settings[0].variables[0]}"
    return f"no provider {name!r} is configured{hint}"
