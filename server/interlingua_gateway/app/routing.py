"""Makes the routing of a configuration: fleet, planner, attempts and the dispatch over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from interlingua_gateway.app.models import Catalogue
from interlingua_gateway.config.routing import BreakerConfig, RoutingConfig, RuleConfig
from interlingua_gateway.core.clock import Clock, Tasks
from interlingua_gateway.core.ports import Blobs, Provider
from interlingua_gateway.route.attempts import Attempts
from interlingua_gateway.route.backoff import Backoff, Budget, RetrySettings
from interlingua_gateway.route.breaker import BreakerSettings
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
    breakers of the `fleet` follow at the start; `repetitions` is what may be tried again.

    What is known of the deployments of `former` whose provider is in `unchanged` is known here too.
    """

    def __init__(
        self,
        config: RoutingConfig,
        catalogue: Catalogue,
        obstacles: Mapping[str, Callable[[], str]],
        metrics: UpstreamMetrics,
        clock: Clock,
        former: Routing | None = None,
        unchanged: frozenset[str] = frozenset(),
    ) -> None:
        self.config = config
        self._metrics = metrics
        self._clock = clock
        self.breakers = _breakers(config.breaker)
        self.directory = Directory(catalogue.models, catalogue.enrich)
        self._targets = catalogue.targets
        known = None if former is None else former.fleet.former(unchanged)
        self.fleet: Fleet = Fleet(catalogue.targets, self.breakers, metrics.breaker, known)
        self.repetitions = Budget(config.retry.budget_share, config.retry.budget_burst)
        if former is not None and former.config.retry == config.retry:
            self.repetitions = former.repetitions
        rules = tuple(_rule(rule) for rule in config.rules)
        self.planner = Planner(self.directory, Strategies(self.fleet, clock), rules)
        self.vitals = Vitals(
            catalogue.targets, clock, obstacles, self.fleet.breaker_state, self.fleet.in_flight
        )
        if former is not None:
            self.vitals.take_over(former.vitals, self.fleet.kept)

    def begin(self, former: Routing | None) -> None:
        """From now on this is the routing in force, after `former`."""
        if former is not None:
            self.fleet.take_over(former.breakers)
        for target in self._targets:
            state = self.fleet.breaker_state(target.deployment)
            self._metrics.breaker(target, state)
            self._metrics.in_flight(target, partial(self.fleet.in_flight, target.deployment))

    def end(self, current: Routing) -> None:
        """No call is left here: show no more of what `current` does not have."""
        places = {(target.provider, target.deployment) for target in current._targets}
        for target in self._targets:
            if (target.provider, target.deployment) not in places:
                self._metrics.gone(target)

    def dispatch(self, providers: Mapping[str, Provider], blobs: Blobs) -> Dispatch:
        """The handler that asks `providers`; `blobs` keep the choices of classifiers."""
        config, clock = self.config, self._clock
        counts = Counts(
            fleet=self.fleet,
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
            self.fleet,
            Backoff(settings, clock),
            self.repetitions,
            self._metrics,
            clock,
        )

    def start_checks(self, providers: Mapping[str, Provider], tasks: Tasks) -> None:
        """Check the health of `providers` in the background, if that is configured."""
        checks = self.config.health_checks
        if checks.interval_s is None:
            return
        settings = CheckSettings(
            interval_s=checks.interval_s, timeout_s=checks.timeout_s, failures=checks.failures
        )
        HealthChecks(providers, self.fleet, settings, self._clock).start(tasks)

    def configure_breakers(self, settings: BreakerSettings, provider: str | None) -> None:
        """From now on the circuit breakers, or those of one provider, follow `settings`."""
        self.fleet.configure(settings, provider)


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
