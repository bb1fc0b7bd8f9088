"""Scenarios as they stand in YAML: what is asked, what the upstream does, what must be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml

OPS = (
    "generate", "stream", "embed", "batch", "count_tokens", "health", "list_models", "build",
    "watch", "restart", "drain",
)  # fmt: skip
CHOREOGRAPHED = frozenset({"watch", "restart", "drain"})
OPTIONS = frozenset(
    "address tls api_key token_source calls traceparent metadata deadline_ms cancel_after_ms "
    "leave_after_events service streams".split()
)


class ScenarioError(ValueError):
    """A scenario that cannot be run; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One scenario. Its model alias, and that of its deployment, is its name.

    `ask` is the text of a user message, `request` what else the request holds, as protobuf's JSON.
    `upstream` is the script of that model: a text, a list of steps, or `{targets: [...]}` with a
    script for each of several targets (deployments `name-0`, `name-1`, ...). `models` holds further
    ones, with the aliases `name.key`. `model` is merged into the configuration of each of them,
    `limits` are limit rules. `held` calls to the alias are open before the runner starts.
    `attempts` are the upstream attempts that must be counted, by outcome (ok, failed, cancelled).
    """

    name: str
    about: str
    op: str
    group: str = ""
    ask: str = ""
    request: Mapping[str, object] | None = None
    upstream: object = None
    models: Mapping[str, object] = field(default_factory=dict)
    model: Mapping[str, object] = field(default_factory=dict)
    limits: Sequence[Mapping[str, object]] = ()
    held: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    expect: Mapping[str, object] = field(default_factory=dict)
    attempts: Mapping[str, int] | None = None

    @property
    def choreographed(self) -> bool:
        """Whether something happens to the gateway meanwhile."""
        return self.op in CHOREOGRAPHED

    @property
    def upstreams(self) -> Iterator[tuple[str, object]]:
        """Alias and upstream of each model of the scenario."""
        if self.upstream is not None:
            yield self.name, self.upstream
        for key, upstream in self.models.items():
            yield f"{self.name}.{key}", upstream


class _Loader(yaml.SafeLoader):
    """YAML with `!repeat [text, times]`, a long text."""


def _repeat(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.SequenceNode):
        raise ScenarioError("!repeat takes [text, times]")
    text, times = loader.construct_sequence(node)
    return str(text) * int(times)


_Loader.add_constructor("!repeat", _repeat)


def load(directory: Path) -> list[Scenario]:
    """All scenarios of the files of `directory`, the choreographed ones last.

    Raises:
        ScenarioError: a scenario has an unknown key, op or option, or a name is used twice.
    """
    found: list[Scenario] = []
    for file in sorted(directory.glob("*.yaml")):
        for item in yaml.load(file.read_text("utf-8"), _Loader):
            found.append(_scenario(item, file.stem))
    names = [scenario.name for scenario in found]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"{name}: the name is used twice")
    return sorted(found, key=lambda scenario: scenario.choreographed)


def _scenario(item: Mapping[str, object], group: str) -> Scenario:
    known = {one.name for one in fields(Scenario)} - {"group"}
    try:
        scenario = Scenario(group=group, **item)  # type: ignore[arg-type]
    except TypeError as error:
        unknown = ", ".join(sorted(set(item) - known)) or "none"
        raise ScenarioError(f"{item.get('name')}: {error} (unknown keys: {unknown})") from error
    if scenario.op not in OPS:
        raise ScenarioError(f"{scenario.name}: unknown op {scenario.op}")
    if unknown_options := set(scenario.options) - OPTIONS:
        raise ScenarioError(f"{scenario.name}: unknown options {sorted(unknown_options)}")
    if not scenario.expect:
        raise ScenarioError(f"{scenario.name}: expects nothing")
    return scenario
