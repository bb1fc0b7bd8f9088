"""The models of a configuration, completed by what the price list knows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from interlingua_gateway.app.digests import digests, names_of
from interlingua_gateway.config.defaults import LOCAL
from interlingua_gateway.config.deployments import ModelConfig, TargetConfig
from interlingua_gateway.config.routing import ClassifierConfig, HedgeConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.prices import Price
from interlingua_gateway.core.target import Chains, Classifier, Hedge, Model, Route, Target
from interlingua_gateway.providers.price_map import KnownModel, PriceMap
from interlingua_gateway.route.directory import Directory

LITELLM_NAMES: Final = {
    "fireworks": "fireworks_ai",
    "nvidia": "nvidia_nim",
    "together": "together_ai",
}
"""Kinds of providers that the price list knows under another name."""

_NOTHING: Final = KnownModel(
    price=None,
    context_window_tokens=None,
    max_output_tokens=None,
    capabilities=frozenset(),
    embedding_dimensions=None,
)
_FREE: Final = Price(input=0, output=0)
"""What the embedded model costs: it runs on this machine, and nobody sends a bill for it."""


class Catalogue:
    """Models and targets of a configuration. What it says of a target wins over its `prices`, and
    those over the price list; the embedded model is free unless they say otherwise."""

    def __init__(self, config: Config, prices: PriceMap) -> None:
        self._kinds = {name: entry.kind for name, entry in config.providers.items()}
        self._list = prices
        self._prices = Aliases({rule.model: rule.price() for rule in config.prices})
        served = tuple(
            self._model(model, name)
            for model in config.models
            if model.classifier is None
            for name in names_of(model)
        )
        self.targets: tuple[Target, ...] = tuple(
            {t.deployment: t for model in served for t in model.targets}.values()
        )
        found = {model.name: model for model in (*served, *self._choosing(config, served))}
        self.models: tuple[Model, ...] = tuple(
            found[name] for model in config.models for name in names_of(model)
        )

    def enrich(self, target: Target) -> Target:
        """`target` with what the list knows of it and the configuration does not say."""
        facts = self._facts(target)
        price = target.price or facts.price
        return msgspec.structs.replace(
            target,
            price=price.at(target.service_tier) if price else None,
            capabilities=target.capabilities or facts.capabilities,
            context_window_tokens=target.context_window_tokens or facts.context_window_tokens,
            longest_output_tokens=facts.max_output_tokens,
        )

    def complete(self, model: Model) -> Model:
        """`model` with what it does not say itself and the list knows of its first target."""
        if model.classifier is not None:
            return model
        facts = self._facts(model.targets[0])
        return msgspec.structs.replace(
            model,
            capabilities=model.capabilities or facts.capabilities,
            context_window_tokens=model.context_window_tokens or facts.context_window_tokens,
            max_output_tokens=model.max_output_tokens or facts.max_output_tokens,
            embedding_dimensions=model.embedding_dimensions or facts.embedding_dimensions,
        )

    def _model(self, config: ModelConfig, name: str) -> Model:
        pattern = "*" in name
        targets = tuple(self._target(config, target) for target in config.targets)
        facts = _NOTHING if pattern else self._facts(targets[0])
        return Model(
            name=name,
            targets=targets if pattern else tuple(self.enrich(target) for target in targets),
            description=config.description,
            capabilities=(
                facts.capabilities if config.capabilities is None else config.capabilities
            ),
            context_window_tokens=config.context_window_tokens or facts.context_window_tokens,
            max_output_tokens=config.max_output_tokens or facts.max_output_tokens,
            embedding_dimensions=config.embedding_dimensions or facts.embedding_dimensions,
            strategy=config.strategy,
            fallbacks=Chains(
                general=config.fallbacks.general,
                context_window=config.fallbacks.context_window,
                content_policy=config.fallbacks.content_policy,
            ),
            hedge=_hedge(config.hedge),
            aliases_pattern=pattern,
        )

    def _choosing(self, config: Config, served: Sequence[Model]) -> Iterator[Model]:
        """The models that have a classifier, with the targets of all their routes."""
        directory, told = Directory(served, self.enrich), digests(config)
        for model in config.models:
            if model.classifier is None:
                continue
            classifier = _classifier(model.classifier, told[model.name])
            behind = (directory.find(route.use) for route in classifier.routes)
            targets = {t.deployment: t for other in behind if other for t in other.targets}
            for name in names_of(model):
                yield Model(
                    name=name,
                    targets=tuple(targets.values()),
                    description=model.description,
                    capabilities=model.capabilities or frozenset(),
                    classifier=classifier,
                )

    def _target(self, config: ModelConfig, target: TargetConfig) -> Target:
        return Target(
            deployment=target.deployment_name,
            provider=target.provider,
            model=target.model,
            label=target.deployment_name,
            price=target.price.price() if target.price is not None else None,
            timeouts=config.timeouts.timeouts(),
            max_output_tokens=config.max_output_tokens,
            capabilities=config.capabilities or frozenset(),
            context_window_tokens=config.context_window_tokens,
            weight=target.weight,
            max_concurrency=target.max_concurrency,
            quota=target.quota or "",
            service_tier=target.service_tier or "",
        )

    def _facts(self, target: Target) -> KnownModel:
        kind = self._kinds[target.provider]
        known = self._list.find(LITELLM_NAMES.get(kind, kind), target.model) or _NOTHING
        said = self._prices.find(f"{target.provider}/{target.model}")
        if said is None and kind == LOCAL:
            said = _FREE
        return known if said is None else msgspec.structs.replace(known, price=said)


def _classifier(config: ClassifierConfig, configuration: str) -> Classifier:
    routes = {r.name: Route(r.name, r.description, r.use) for r in config.routes}
    return Classifier(
        model=config.model,
        routes=tuple(routes.values()),
        default=routes[config.default],
        timeout_s=config.timeout_s,
        cache_ttl_s=config.cache_ttl_s,
        max_characters=config.max_characters,
        configuration=configuration,
    )


def _hedge(config: HedgeConfig | None) -> Hedge | None:
    if config is None:
        return None
    after_s = None if config.after_s == "p95" else config.after_s
    return Hedge(after_s=after_s, max_cost_nano_usd=config.max_cost_nano_usd)
