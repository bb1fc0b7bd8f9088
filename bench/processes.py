"""Run one process on one core and read what its whole tree uses, from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Sample:
    """What a process tree uses: CPU in seconds since its start, the rest at this moment.

    ``cores_s`` is the CPU that all processes together have used on the two cores.
    """

    cpu_s: float
    cores_s: float
    resident_mb: float
    files: int
    threads: int


def stat_fields(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the command's name: state first (proc(5), field 3)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """The process and its living descendants."""
    children: dict[int, list[int]] = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        with contextlib.suppress(OSError):
            children.setdefault(int(stat_fields(pid)[1]), []).append(pid)
    found = [root]
    for pid in found:  # grows while it is walked
        found.extend(children.get(pid, []))
    return found


def sample(root: int) -> Sample:
    """Use of the tree: all threads, living children, and children that have been waited for."""
    ticks = pages = files = threads = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            fields = stat_fields(pid)
            ticks += sum(int(f) for f in fields[11:15])  # utime, stime, cutime, cstime
            threads += int(fields[17])
            pages += int(fields[21])
            files += len(os.listdir(f"/proc/{pid}/fd"))
    resident_mb = pages * PAGE_BYTES / 1e6
    return Sample(ticks / TICKS_PER_S, cores_busy_s(), resident_mb, files, threads)


def cores_busy_s() -> float:
    """CPU that all processes have used on the two cores since the start (proc(5), stat)."""
    used, cores = 0, {f"cpu{SERVER_CORE}", f"cpu{LOAD_CORE}"}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in cores:
            used += sum(int(ticks[i]) for i in (0, 1, 2, 5, 6))  # all but idle, iowait, steal
    return used / TICKS_PER_S


@contextlib.contextmanager
def pinned(
    argv: Sequence[str],
    core: int,
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process on one core, in a session of its own; its whole session ends with the block.

    What it prints goes to the log; without one its standard output is a pipe.
    """
    with contextlib.ExitStack() as files:
        sink = files.enter_context(log.open("w")) if log else None
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *argv],
            stdin=subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE,
            stderr=sink,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ask the session that this module started to end, then insist."""
    for how, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 3.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    if process.stdout:
        process.stdout.close()
