"""Reports on usage as tables with bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interlingua.v1.usage_service_pb2 import (
    GetUsageResponse,
    Operation,
    OperationOutcome,
    UsageTotals,
)
from interlingua_gateway.cli.text import plain

BAR_WIDTH: Final = 12
NANO: Final = 10**9
NONE: Final = "-"
ROOMY: Final = 110
"""Characters of a terminal that has room for everything."""

_HEADINGS: Final = (
    "cost (USD)", "/1k tokens", "calls", "ok", "input", "output", "p50", "p95",
)  # fmt: skip
_ROOMY_ONLY: Final = frozenset({"answered by", "who", "input", "output"})

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
STEPS: Final = {"": "%Y-%m-%d %H:%M", "hour": "%m-%d %H:00", "day": "%Y-%m-%d"}
_COLOURS: Final = {
    OperationOutcome.OPERATION_OUTCOME_OK: "green",
    OperationOutcome.OPERATION_OUTCOME_FAILED: "red",
    OperationOutcome.OPERATION_OUTCOME_CANCELLED: "yellow",
}


def show_totals(report: GetUsageResponse, by: Sequence[str], interval: str) -> None:
    """A row a group and step, with bars of what it cost, or of its calls where no price is known;
    and the totals of everything."""
    console = Console(highlight=False, markup=False)
    if not report.total.operations:
        console.print("Nothing was used in this time.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    if interval:
        table.add_column(f"{interval} (UTC)", no_wrap=True)
    for word in by:
        table.add_column(word, overflow="fold", min_width=8)
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    headings = [name for name in _HEADINGS if name not in _left_out(console)]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    longest = max((_weight(group.totals, report.total) for group in report.groups), default=0)
    for group in report.groups:
        step = [f"{group.start.ToDatetime():{STEPS[interval]}}"] if interval else []
        keys = [plain(key) or NONE for key in group.keys]
        share = bar(_weight(group.totals, report.total), longest)
        table.add_row(*step, *keys, share, *map(_cells(group.totals).__getitem__, headings))
    blanks = [""] * (len(by) + bool(interval))
    table.add_row("total", *blanks, *map(_cells(report.total).__getitem__, headings), style="bold")
    console.print(table)
    for note in _notes(report):
        console.print(Text(note, style="dim"))


def show_operations(operations: Sequence[Operation]) -> None:
    """A row an operation, newest first."""
    console = Console(highlight=False, markup=False)
    if not operations:
        console.print("No operation in this time.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [_operation(operation) for operation in operations]
    names = [name for name in cells[0] if console.width >= ROOMY or name not in _ROOMY_ONLY]
    for name in names:
        right = name in ("input", "output", "cost (USD)", "took")
        whole = right or name in ("when (UTC)", "operation")
        table.add_column(name, overflow="fold", no_wrap=whole, justify="right" if right else "left")
    for row in cells:
        table.add_row(*(row[name] for name in names))
    console.print(table)


def _operation(operation: Operation) -> dict[str, str | Text]:
    reason = operation.error_reason.removeprefix("ERROR_REASON_").lower()
    word = OperationOutcome.Name(operation.outcome).removeprefix("OPERATION_OUTCOME_").lower()
    who = (operation.tenant_id, operation.project, operation.user)
    cost = operation.cost.cost_nano_usd if operation.HasField("cost") else None
    return {
        "when (UTC)": f"{operation.accepted_at.ToDatetime(UTC):%m-%d %H:%M:%S}",
        "operation": operation.operation_id,
        "model": plain(operation.answered_by.model),
        "answered by": operation.answered_by.deployment or NONE,
        "who": plain("/".join(name for name in who if name)) or NONE,
        "outcome": Text(reason or word, style=_COLOURS.get(operation.outcome, "")),
        "input": count(operation.usage.input_tokens),
        "output": count(operation.usage.output_tokens),
        "cost (USD)": _usd(cost),
        "took": _seconds(operation.report.timings.total.ToTimedelta().total_seconds()),
    }


def _cells(sums: UsageTotals) -> dict[str, str | Text]:
    """By heading."""
    cost = sums.cost.cost_nano_usd if sums.HasField("cost") else None
    each = sums.cost_nano_usd_per_thousand_tokens
    ended = sums.operations - sums.cancelled
    values = (
        _usd(cost),
        _usd(each if sums.HasField("cost_nano_usd_per_thousand_tokens") else None),
        count(sums.operations),
        _rate((ended - sums.failed) / ended if ended else None),
        count(sums.usage.input_tokens),
        count(sums.usage.output_tokens),
        _seconds(sums.p50_latency.ToTimedelta().total_seconds()),
        _seconds(sums.p95_latency.ToTimedelta().total_seconds()),
    )
    return dict(zip(_HEADINGS, values, strict=True))


def _left_out(console: Console) -> tuple[str, ...]:
    """What a narrow terminal has no room for."""
    return () if console.width >= ROOMY else ("/1k tokens", "input", "output", "p50")


def _notes(report: GetUsageResponse) -> list[str]:
    total = report.total
    notes = []
    if report.omitted_groups:
        more = "1 more group" if report.omitted_groups == 1 else f"{report.omitted_groups:,} more"
        notes.append(f"{more}; --top shows more.")
    if total.unpriced_operations:
        calls = "call has" if total.unpriced_operations == 1 else "calls have"
        notes.append(
            f"{total.unpriced_operations:,} {calls} no known price and no part in the cost."
        )
    failures = sorted(total.failures_by_reason.items(), key=lambda item: -item[1])
    if failures:
        said = (f"{reason.removeprefix('ERROR_REASON_').lower()} {n:,}" for reason, n in failures)
        notes.append(f"Failures: {', '.join(said)}.")
    return notes


def _weight(sums: UsageTotals, total: UsageTotals) -> int:
    """What the bars show."""
    return sums.cost.cost_nano_usd if total.cost.cost_nano_usd else sums.operations


def bar(part: int, longest: int) -> Text:
    """To an eighth of a character; whatever is not nothing is seen."""
    eighths = -(-part * BAR_WIDTH * 8 // longest) if longest else 0
    return Text("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip(), style="cyan")


def _rate(rate: float | None) -> Text:
    """Rounded down: only what never fails is 100%."""
    if rate is None:
        return Text(NONE)
    colour = "green" if rate >= 0.99 else "yellow" if rate >= 0.9 else "red"
    return Text(f"{int(rate * 1000) / 10:g}%", style=colour)


def count(number: int) -> str:
    """Up to five digits whole, else to three digits with k, M or G."""
    if number < 100_000:
        return f"{number:,}"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return (
                f"{number / size:.3g}{unit}"
                if number < 1000 * size
                else f"{number // size:,}{unit}"
            )
    return str(number)


def _usd(nano_usd: int | None) -> str:
    """To the cent from a dollar on, to three digits below."""
    if nano_usd is None:
        return "unknown"
    usd = Decimal(nano_usd) / NANO
    if usd == 0 or usd >= 1:
        return f"{usd:,.2f}"
    return f"{usd:.3g}" if usd >= Decimal("0.0001") else f"{usd:.2e}"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else NONE
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
