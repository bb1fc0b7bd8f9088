"""What feedback adds up to, as a table with bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlingua.v1.feedback_service_pb2 import Correction, GetInsightsResponse, Insights
from interlingua_gateway.cli.text import plain
from interlingua_gateway.cli.usage_tables import BAR_WIDTH, NONE, STEPS, bar, count

STARS: Final = 5
LONGEST: Final = 200
"""Characters of a correction that are shown; JSON has all."""

_HEADINGS: Final = ("feedback", "rating", "useful", "errors", "improvements")


def show_insights(report: GetInsightsResponse, by: Sequence[str], interval: str) -> None:
    """A row a group and step, with bars of how much there was; the totals of everything; and its
    most frequent corrections."""
    console = Console(highlight=False, markup=False)
    if not report.total.feedback_count:
        console.print("Nobody gave feedback in this time.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    if interval:
        table.add_column(f"{interval} (UTC)", no_wrap=True)
    for word in by:
        table.add_column(word, overflow="fold", min_width=8)
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    longest = max((group.insights.feedback_count for group in report.groups), default=0)
    for group in report.groups:
        step = [f"{group.start.ToDatetime():{STEPS[interval]}}"] if interval else []
        keys = [plain(key) or NONE for key in group.keys]
        table.add_row(
            *step, *keys, bar(group.insights.feedback_count, longest), *_cells(group.insights)
        )
    blanks = [""] * (len(by) + bool(interval))
    table.add_row("total", *blanks, *_cells(report.total), style="bold")
    console.print(table)
    if report.omitted_groups:
        more = "1 more group" if report.omitted_groups == 1 else f"{report.omitted_groups:,} more"
        console.print(Text(f"{more}; ask for less with --by or the filters.", style="dim"))
    if report.total.common_corrections:
        console.print()
        console.print(_corrections(report.total.common_corrections))


def _cells(sums: Insights) -> tuple[str, ...]:
    rated = sums.HasField("average_rating")
    return (
        count(sums.feedback_count),
        f"{sums.average_rating * STARS:.1f}/{STARS}" if rated else NONE,
        f"{sums.useful_rate:.0%}" if sums.HasField("useful_rate") else NONE,
        count(sums.error_count),
        count(sums.improvement_count),
    )


def _corrections(corrections: Sequence[Correction]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("should have been", overflow="fold")
    for correction in corrections:
        text = plain(correction.text)
        table.add_row(
            count(correction.count), text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        )
    return table
