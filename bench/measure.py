"""Put one server under one kind of load and work out what it cost."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bringup import BUILD, Failed, Figures, Mock, Started, settle
from processes import LOAD_CORE, Sample, pinned, sample
from scenarios import CANCEL, METHODS, Scenario
from subjects import Place, Subject


@dataclass(frozen=True)
class Offered:
    """A load that was run: its counts, its latencies, and samples of (server, mock) taken before
    it and at the edges of its window."""

    counts: Figures
    latencies: Figures
    edges: list[tuple[Sample, Sample]]


def offer(one: Started, scenario: Scenario, mock: Mock, *extra: str) -> Offered:
    """Run the load against one server."""
    subject, place, server = one.subject, one.place, one.pid
    body = place.folder / f"{scenario.name}.request"
    body.write_bytes(scenario.body(subject.protocol))
    argv = [
        str(BUILD / "load"),
        *("-protocol", subject.protocol, "-address", f"127.0.0.1:{place.port}"),
        *("-path", METHODS[subject.protocol][scenario.kind], "-body", str(body)),
        *("-callers", str(scenario.callers), "-connections", str(scenario.connections)),
        *("-rate", str(scenario.rate), "-least-bytes", str(scenario.least_bytes)),
        *("-warm", f"{scenario.warm_s}s", "-window", f"{scenario.window_s}s"),
        *(["-stream"] if scenario.kind == "stream" else []),
        *(part for header in subject.headers(place) for part in ("-header", header)),
        *extra,
    ]
    report, edges = "", [(sample(server), sample(mock.pid))]
    with pinned(argv, LOAD_CORE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                report = line
            else:
                edges.append((sample(server), sample(mock.pid)))
    if not report:
        raise Failed(f"{subject.name}/{scenario.name}: the load ended without a report")
    done = json.loads(report)
    if done["errors"]:
        told = f"{subject.name}/{scenario.name}: {done['errors']} errors, the first:"
        print(f"  {told} {done['first_error'][:300]}", flush=True)
    counts = {
        key: float(done[key]) for key in ("seconds", "load_cpu_s", "calls", "tokens", "errors")
    }
    latencies = {
        f"{name}_{quantile}": float(value)
        for name in ("latency_ms", "first_token_ms")
        for quantile, value in (done[name] or {}).items()
    }
    return Offered(counts, latencies, edges)


def measure(one: Started, scenario: Scenario, mock: Mock) -> Figures:
    """Figures of one window: rates, CPU of the server's tree, latencies in ms."""
    offered = offer(one, scenario, mock)
    (server_before, mock_before), (server_after, mock_after) = offered.edges[-2:]
    seconds, calls, tokens = (offered.counts[key] for key in ("seconds", "calls", "tokens"))
    cpu_s = server_after.cpu_s - server_before.cpu_s
    cores_s = server_after.cores_s - server_before.cores_s
    load_s = offered.counts["load_cpu_s"] + mock_after.cpu_s - mock_before.cpu_s
    figures = {
        "calls_per_s": calls / seconds,
        "tokens_per_s": tokens / seconds,
        "errors": offered.counts["errors"],
        "server_core_busy": cpu_s / seconds,
        "load_core_busy": load_s / seconds,
        "others_busy": max(0.0, cores_s - cpu_s - load_s) / seconds,
        "resident_mb": server_after.resident_mb,
    }
    if calls and scenario.kind != "stream":
        figures["cpu_us_per_call"] = cpu_s / calls * 1e6
    if tokens and scenario.kind == "stream":
        figures["cpu_us_per_token"] = cpu_s / tokens * 1e6
    return figures | offered.latencies


def cancelled(one: Started, mock: Mock, count: int) -> Figures:
    """What many cancelled streams leave behind, after some that were not counted."""
    extra = ("-cancel-after", str(CANCEL.cancel_after), "-cancels")
    offer(one, CANCEL, mock, *extra, str(max(count // 5, 500)))
    settle(one.pid)
    before, connected = sample(one.pid), mock.connections()
    offered = offer(one, CANCEL, mock, *extra, str(count))
    settle(one.pid)
    after = sample(one.pid)
    return {
        "calls": offered.counts["calls"],
        "errors": offered.counts["errors"],
        "resident_grown_mb": after.resident_mb - before.resident_mb,
        "files_grown": after.files - before.files,
        "threads_grown": after.threads - before.threads,
        "upstream_connections_grown": mock.connections() - connected,
    }


def direct(wanted: list[Scenario], mock: Mock) -> dict[str, Figures]:
    """The load straight at the mock: what to take away from latencies to get what is added."""
    subject = Subject("direct", "no gateway", "http", lambda _: [])
    with tempfile.TemporaryDirectory() as folder:
        place = Place(mock.port, 0, mock.url, Path(folder))
        one = Started(subject, place, mock.process, {})
        return {
            scenario.name: measure(one, scenario, mock)
            for scenario in wanted
            if scenario.name in ("steady", "first")
        }
