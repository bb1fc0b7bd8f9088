"""Makes the policies that keep and share answers, from what each model's configuration says."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.app.digests import digests, names_of
from interlingua_gateway.config.deployments import ModelConfig
from interlingua_gateway.config.tree import Config
from interlingua_gateway.core.aliases import Aliases
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ports import Blobs, Policy
from interlingua_gateway.core.target import Model
from interlingua_gateway.policies.cache import Cache, CacheRule
from interlingua_gateway.policies.dedupe import Dedupe, DedupeRule
from interlingua_gateway.policies.embed_batches import EmbedBatches, EmbedBatchRule
from interlingua_gateway.policies.fingerprint import Fingerprints
from interlingua_gateway.policies.flight import Flights
from interlingua_gateway.policies.idempotency import Idempotency


class AnswerPolicies:
    """`sharing` stands before budgets, `joining` right before the dispatch; `tasks` are the
    upstream calls that belong to several callers.

    Calls that began under `former` share their answers with those that come here, by `flights`.
    """

    def __init__(
        self,
        config: Config,
        models: Mapping[str, Model],
        blobs: Blobs,
        clock: Clock,
        former: AnswerPolicies | None = None,
    ) -> None:
        self.tasks: Tasks = Tasks() if former is None else former.tasks
        self.flights: Flights = Flights(self.tasks, clock) if former is None else former.flights
        self.fingerprints = Fingerprints(tagged=any(rule.tags for rule in config.routing.rules))
        named = {name: model for model in config.models for name in names_of(model)}
        told = digests(config)
        flights = self.flights
        dedupe = Aliases({name: _dedupe_rule(m, told[m.name]) for name, m in named.items()})
        cache = Aliases(
            {name: _cache_rule(m, told[m.name], models[name]) for name, m in named.items()}
        )
        batches = Aliases({name: _batch_rule(model) for name, model in named.items()})
        self.sharing: tuple[Policy, ...] = (
            # Outside of the cache: it holds for every answer, also for those that are not cached.
            Idempotency(blobs, config.cache.idempotency_ttl_s, flights, self.fingerprints, clock),
            # Also without a rule: it refuses what callers wish of a cache that is not there.
            Cache(cache, blobs, self.fingerprints, clock),
            # Inside of the cache, so that only misses fly.
            *((Dedupe(dedupe, flights, self.fingerprints),) if dedupe else ()),
        )
        self.joining: tuple[Policy, ...] = (
            (EmbedBatches(batches, self.tasks, clock),) if batches else ()
        )


def _cache_rule(config: ModelConfig, digest: str, model: Model) -> CacheRule | None:
    cache = config.cache
    if cache is None:
        return None
    return CacheRule(
        configuration=digest,
        targets={target.deployment: target for target in model.targets},
        ttl_s=cache.ttl_s,
        max_answer_bytes=cache.max_answer_bytes,
        sampled=cache.sampled,
    )


def _dedupe_rule(config: ModelConfig, digest: str) -> DedupeRule | None:
    dedupe = config.dedupe
    return None if dedupe is None else DedupeRule(configuration=digest, sampled=dedupe.sampled)


def _batch_rule(config: ModelConfig) -> EmbedBatchRule | None:
    batching = config.embed_batching
    if batching is None:
        return None
    return EmbedBatchRule(max_delay_s=batching.max_delay_s, max_inputs=batching.max_inputs)
