"""Digests of a configuration, and of what decides the answers of each of its models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from interlingua_gateway.config.deployments import ModelConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.aliases import Aliases


def configuration_digest(config: Config) -> str:
    """Twelve hexadecimal digits that are equal for equal configurations; secrets are not in it."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]


def digests(config: Config) -> Mapping[str, str]:
    """By name of model (not by alias): equal for equal configurations of the model, of those that
    its classifier may choose, and of the providers behind all of them; without secrets."""
    served = Aliases({name: model for model in config.models for name in names_of(model)})
    return {model.name: _digest(config, _reached(model, served)) for model in config.models}


def names_of(model: ModelConfig) -> Sequence[str]:
    """The name and the aliases."""
    return (model.name, *model.aliases)


def _reached(model: ModelConfig, served: Aliases[ModelConfig]) -> Sequence[ModelConfig]:
    classifier = model.classifier
    if classifier is None:
        return (model,)
    names = (classifier.model, *(route.use for route in classifier.routes))
    others = (served.find(name) for name in names)
    return (model, *(other for other in others if other is not None))


def _digest(config: Config, models: Sequence[ModelConfig]) -> str:
    names = sorted({target.provider for model in models for target in model.targets})
    sections = (*models, *(config.providers[name] for name in names))
    texts = [section.model_dump_json() for section in sections]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
