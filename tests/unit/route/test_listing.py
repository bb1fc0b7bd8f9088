"""Lists of models: shown under their patterns, refreshed, kept while a provider is down."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Tasks
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.core.target import Capability, Model, Target
from interlingua_gateway.route.directory import Directory
from interlingua_gateway.route.listing import Listing, Source
from tests.support.calls import until
from tests.support.manual_clock import ManualClock


class Shelf:
    """A provider that has nothing but a list; None means that it does not answer."""

    def __init__(self, *names: str) -> None:
        self.names: tuple[str, ...] | None = names
        self.asked = 0

    async def open(self, attempt: Attempt) -> Reply:
        raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "serves nothing")

    async def models(self) -> Sequence[str]:
        self.asked += 1
        if self.names is None:
            raise UpstreamError(Reason.UPSTREAM_UNAVAILABLE, "down")
        return self.names

    async def aclose(self) -> None: ...


def _model(name: str, *targets: tuple[str, str]) -> Model:
    made = tuple(
        Target(deployment=f"{p}/{m}", provider=p, model=m, label=f"{p}/{m}") for p, m in targets
    )
    return Model(name=name, targets=made, aliases_pattern="*" in name)


def _listing(clock: ManualClock, *models: Model, **sources: Source) -> Listing:
    def complete(model: Model) -> Model:
        return Model(
            name=model.name,
            targets=model.targets,
            capabilities=frozenset({Capability.CHAT}),
            aliases_pattern=model.aliases_pattern,
        )

    return Listing(Directory(models), sources, clock, complete)


def _names(listing: Listing) -> list[str]:
    return [model.name for model in listing.models()]


@pytest.mark.parametrize(
    ("models", "sources", "names"),
    [
        (
            [_model("up/*", ("up", "*")), _model("fixed", ("up", "a"))],
            {"up": Source(Shelf("a", "b"), 60.0)},
            ["up/*", "up/a", "up/b", "fixed"],
        ),
        (
            [_model("up/*", ("up", "*")), _model("up/a", ("other", "x"))],
            {"up": Source(Shelf("a", "b", "b"), 60.0)},
            ["up/*", "up/b", "up/a"],
        ),
        (
            [_model("up/*", ("up", "*")), _model("up/gpt-*", ("up", "gpt-*"))],
            {"up": Source(Shelf("gpt-1", "b"), 60.0)},
            ["up/*", "up/b", "up/gpt-*", "up/gpt-1"],
        ),
        (
            [_model("claude/*", ("lib", "anthropic/*"))],
            {"lib": Source(Shelf("claude-1", "anthropic/claude-2"), 60.0, "anthropic/")},
            ["claude/*", "claude/claude-1", "claude/claude-2"],
        ),
        (
            [_model("both/*", ("one", "*"), ("two", "*"))],
            {"one": Source(Shelf("a"), 60.0), "two": Source(Shelf("a", "b"), 60.0)},
            ["both/*", "both/a", "both/b"],
        ),
        ([_model("up/*", ("up", "*"))], {}, ["up/*"]),
    ],
)
async def test_members_of_patterns(
    clock: ManualClock, models: list[Model], sources: dict[str, Source], names: list[str]
) -> None:
    listing, tasks = _listing(clock, *models, **sources), Tasks()
    listing.start(tasks)
    await until(lambda: clock.waiting == len(sources))
    assert _names(listing) == names
    for model in listing.models():
        assert model.aliases_pattern is ("*" in model.name)
        if model.name not in {made.name for made in models}:
            assert model.capabilities == {Capability.CHAT}
    await tasks.aclose()


async def test_a_provider_that_no_pattern_names_is_not_asked(clock: ManualClock) -> None:
    shelf, tasks = Shelf("a"), Tasks()
    listing = _listing(clock, _model("fixed", ("up", "a")), up=Source(shelf, 60.0))
    listing.start(tasks)
    assert len(tasks) == 0
    assert shelf.asked == 0


async def test_refresh_and_the_last_good_list(clock: ManualClock) -> None:
    shelf, tasks = Shelf("a"), Tasks()
    listing = _listing(clock, _model("up/*", ("up", "*")), up=Source(shelf, 3600.0))
    listing.start(tasks)
    table = [
        # seconds until the next question, what the provider has then, what is listed
        (3600.0, ("a", "b"), ["up/*", "up/a", "up/b"]),
        (3600.0, None, ["up/*", "up/a", "up/b"]),
        (30.0, None, ["up/*", "up/a", "up/b"]),
        (60.0, None, ["up/*", "up/a", "up/b"]),
        (120.0, ("c",), ["up/*", "up/c"]),
        (3600.0, ("c",), ["up/*", "up/c"]),
    ]
    for asked, (seconds, names, listed) in enumerate(table, 1):
        await clock.until_waiting()
        clock.advance(seconds - 1.0)
        assert shelf.asked == asked
        shelf.names = names
        clock.advance(1.0)
        await until(lambda asked=asked: shelf.asked == asked + 1 and clock.waiting)
        assert _names(listing) == listed
    await tasks.aclose()
