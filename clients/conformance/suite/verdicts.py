"""Runs the scenarios against one gateway with one runner, and judges what was observed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from interlingua import Client
from interlingua.v1.generate_pb2 import GenerateRequest
from suite import places
from suite.compare import differences
from suite.drive import RunnerError, observations
from suite.normal import Malformed, normal
from suite.plan import configuration, plan, request
from suite.process import GatewayProcess
from suite.scenario import Scenario, ScenarioError

Observed = Mapping[str, object]


@dataclass(frozen=True)
class Verdict:
    """What became of a scenario: without faults it has passed."""

    scenario: Scenario
    faults: tuple[str, ...]
    normal: Mapping[str, object]


class Stage:
    """The gateway of all scenarios, with what stands around it. Close it with its stack."""

    def __init__(self, scenarios: Sequence[Scenario], directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self.places = {
            "NOWHERE": places.nowhere(stack),
            "MIRROR": places.mirror(stack),
            "SERVER_NAME": places.SERVER_NAME,
            **places.certificates(directory),
        }
        self.gateway = GatewayProcess(configuration(scenarios, self.places), directory / "gateway")
        tls = {
            "certificate_file": self.places["GATEWAY_CERT"],
            "key_file": self.places["GATEWAY_KEY"],
            "client_ca_file": self.places["CA"],
            "require_client_certificate": True,
        }
        echo = {"name": "default", "targets": [{"provider": "stage", "model": "echo"}]}
        tree = {"providers": {"stage": {"kind": "scripted"}}, "models": [echo]}
        self._tls = GatewayProcess(tree, directory / "tls", tls)
        self.places["UNIX"] = self.gateway.unix_address
        self.places["TLS"] = self._tls.address
        for process in (self.gateway, self._tls):
            stack.callback(process.close)
            process.start()

    def _hold(self, scenario: Scenario, stack: ExitStack) -> None:
        client = stack.enter_context(Client(self.gateway.address))
        asked = request(scenario)
        if not isinstance(asked, GenerateRequest):
            raise ScenarioError(f"{scenario.name}: only a GenerateRequest can be held")
        next(stack.enter_context(client.stream(asked)))

    def judge(self, scenarios: Sequence[Scenario], command: Sequence[str]) -> Iterator[Verdict]:
        """The verdict on each scenario, in order; those with a choreography come last."""
        plain = [scenario for scenario in scenarios if not scenario.choreographed]
        with ExitStack() as stack:
            held = [one for one in plain for _ in range(one.held)]
            for one in held:
                self._hold(one, stack)
            before = self.gateway.attempts(len(held))
            observed = self._observed(plain, command)
            after = self.gateway.attempts(len(held))
        for scenario in plain:
            yield verdict(scenario, observed, after - before)
        rest = [scenario for scenario in scenarios if scenario.choreographed]
        observed = self._observed(rest, command)
        for scenario in rest:
            yield verdict(scenario, observed, Counter())

    def _observed(
        self, scenarios: Sequence[Scenario], command: Sequence[str]
    ) -> dict[str, Observed]:
        found: dict[str, Observed] = {}
        if not scenarios:
            return found
        file = self._directory / "plan.json"
        file.write_text(json.dumps(plan(scenarios, self.places)))
        try:
            found.update(observations(command, self.gateway.address, file, self._on_pause))
        except RunnerError as error:
            for scenario in scenarios:
                found.setdefault(scenario.name, {"crash": str(error)})
        return found

    def _on_pause(self, name: str) -> None:
        match name:
            case "watching" | "restart":
                self.gateway.restart()
            case "streaming":
                self.gateway.begin_drain()
            case "drained":
                self.gateway.end_drain()
                self.gateway.start()
            case _:
                raise RunnerError(f"unknown pause {name}")


def verdict(
    scenario: Scenario, observed: Mapping[str, Observed], counts: Counter[tuple[str, str]]
) -> Verdict:
    """Compare; `counts` are the upstream attempts by deployment and outcome."""
    if scenario.name not in observed:
        return Verdict(scenario, ("nothing was observed",), {})
    try:
        form = normal(scenario.op, observed[scenario.name])
    except Malformed as error:
        return Verdict(scenario, (f"malformed: {error}",), observed[scenario.name])
    faults = [str(fault) for fault in _listed(form["faults"])]
    if not faults or "error" in form:
        faults += differences(scenario.expect, form)
    if "error" in form and "error" not in scenario.expect:
        faults.append(f"an error that is not expected: {form['error']}")
    if scenario.attempts is not None:
        faults += differences(scenario.attempts, _attempts(scenario, counts), "attempts")
    return Verdict(scenario, tuple(faults), form)


def _attempts(scenario: Scenario, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    found = dict.fromkeys(("ok", "failed", "cancelled"), 0)
    own = tuple(alias for alias, _ in scenario.upstreams)
    for (deployment, outcome), count in counts.items():
        if deployment in own or deployment.rpartition("-")[0] in own:
            found[outcome] += count
    return found


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
