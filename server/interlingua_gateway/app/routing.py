"""Makes the routing of a configuration: fleet, planner, attempts and the dispatch over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.config.routing import BreakerConfig, RoutingConfig, RuleConfig
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ports import Blobs, Provider
from interlingua_gateway.core.target import Target
from interlingua_gateway.route.attempts import Attempts
from interlingua_gateway.route.backoff import Backoff, Budget, RetrySettings
from interlingua_gateway.route.breaker import BreakerSettings, State
from interlingua_gateway.route.checks import CheckSettings, HealthChecks
from interlingua_gateway.route.classifier import Classifiers
from interlingua_gateway.route.directory import Directory
from interlingua_gateway.route.dispatch import Dispatch
from interlingua_gateway.route.fleet import Fleet
from interlingua_gateway.route.plan import Planner
from interlingua_gateway.route.record import Counts
from interlingua_gateway.route.rules import Rule
from interlingua_gateway.route.strategies import Strategies
from interlingua_gateway.route.vitals import Vitals
from interlingua_gateway.telemetry.upstream import UpstreamMetrics


class Routing:
    """`dispatch` is the innermost handler. `obstacles` as in Vitals; `breakers` is what circuit
    breakers follow at the start."""

    def __init__(
        self,
        config: RoutingConfig,
        catalogue: Catalogue,
        obstacles: Mapping[str, Callable[[], str]],
        metrics: UpstreamMetrics,
        clock: Clock,
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._clock = clock
        self.breakers = _breakers(config.breaker)
        self.directory = Directory(catalogue.models, catalogue.enrich)
        self._fleet = Fleet(catalogue.targets, self.breakers, self._told)
        for target in catalogue.targets:
            metrics.breaker(target, State.CLOSED)
            metrics.in_flight(target, partial(self._fleet.in_flight, target.deployment))
        rules = tuple(_rule(rule) for rule in config.rules)
        self.planner = Planner(self.directory, Strategies(self._fleet, clock), rules)
        self.vitals = Vitals(
            catalogue.targets, clock, obstacles, self._fleet.breaker_state, self._fleet.in_flight
        )

    def dispatch(self, providers: Mapping[str, Provider], blobs: Blobs) -> Dispatch:
        """The handler that asks `providers`; `blobs` keep the choices of classifiers."""
        config, clock = self._config, self._clock
        counts = Counts(
            fleet=self._fleet,
            vitals=self.vitals,
            metrics=self._metrics,
            clock=clock,
            silence_s=self.breakers.silence_s,
            longest_rest_s=self.breakers.max_cooldown_s,
        )
        retry = config.retry
        settings = RetrySettings(rounds=retry.rounds, initial_s=retry.initial_s, max_s=retry.max_s)
        return Dispatch(
            self.planner,
            Classifiers(self.planner.find, blobs, self.breakers, self._metrics, clock),
            Attempts(providers, counts),
            self._fleet,
            Backoff(settings, clock),
            Budget(retry.budget_share, retry.budget_burst),
            self._metrics,
            clock,
        )

    def start_checks(self, providers: Mapping[str, Provider], tasks: Tasks) -> None:
        """Check the health of `providers` in the background, if that is configured."""
        checks = self._config.health_checks
        if checks.interval_s is None:
            return
        settings = CheckSettings(
            interval_s=checks.interval_s, timeout_s=checks.timeout_s, failures=checks.failures
        )
        HealthChecks(providers, self._fleet, settings, self._clock).start(tasks)

    def configure_breakers(self, settings: BreakerSettings, provider: str | None) -> None:
        """From now on the circuit breakers, or those of one provider, follow `settings`."""
        self._fleet.configure(settings, provider)

    def _told(self, target: Target, state: State) -> None:
        self._metrics.breaker(target, state)


def _breakers(config: BreakerConfig) -> BreakerSettings:
    return BreakerSettings(
        failures=config.failures,
        error_rate=config.error_rate,
        min_attempts=config.min_attempts,
        window_s=config.window_s,
        cooldown_s=config.cooldown_s,
        max_cooldown_s=config.max_cooldown_s,
        probes=config.probes,
        successes=config.successes,
        silence_s=config.silence_s,
    )


def _rule(config: RuleConfig) -> Rule:
    return Rule(
        use=config.use,
        models=config.models,
        tenants=config.tenants,
        tags=config.tags,
        capabilities=config.capabilities,
        min_input_tokens=config.min_input_tokens,
        max_input_tokens=config.max_input_tokens,
    )
