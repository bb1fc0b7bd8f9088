"""The end of a gateway: closed, forgotten, forked from, and begun again."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from interlingua_gateway import (
    FeedbackType,
    Gateway,
    GatewayConfig,
    InternalError,
    PolicyError,
    Reason,
    create_gateway,
)
from tests.support.endless import Endless, openai_tree
from tests.support.gateway import scripted
from tests.support.upstream import Upstream

MAKE = """
import asyncio, atexit, sys, threading
from interlingua_gateway import GatewayError, create_gateway, stream_text
script = {"slow": [{"do": "hang"}]}
stage = {"name": "stage", "kind": "scripted", "model": "echo", "script": script}
gateway = create_gateway([stage], data_dir=sys.argv[1])
print(gateway.generate("hello").text, flush=True)
"""


def program(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that shows every warning, and leaks as such."""
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", MAKE + text, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


CLOSED = """
gateway.close()
gateway.close()
with create_gateway([stage], data_dir=sys.argv[1]):
    pass
asyncio.run(create_gateway([stage], data_dir=sys.argv[1]).aclose())
"""
AT_EXIT = """
atexit.register(gateway.close)
"""
FORGOTTEN = """
dropped = create_gateway([stage], data_dir=sys.argv[1])
del dropped
texts = stream_text(gateway, "one two")
next(texts)
"""
MID_CALL = """
def read():
    try:
        gateway.generate("x", "stage/slow")
    except GatewayError:
        pass

threading.Thread(target=read, daemon=True).start()
"""


@pytest.mark.parametrize(
    "text", [CLOSED, AT_EXIT, FORGOTTEN, MID_CALL], ids=["closed", "at-exit", "open", "mid-call"]
)
def test_the_interpreter_ends_without_a_word(text, tmp_path):
    run = program(text, tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "hello\n", "")


@pytest.mark.parametrize("end", ["", "import os; os._exit(0)"], ids=["forgotten", "killed"])
def test_nothing_is_lost_where_closing_was_forgotten(end, tmp_path):
    assert program(end, tmp_path).returncode == 0
    with Gateway(GatewayConfig(data_dir=tmp_path, **scripted())) as gateway:
        gateway.generate("one more")
        # The second gateway takes over what the first may have left in the spool.
        assert gateway._host.wait(gateway._host.engine.ledger._courier.delivered())
        assert gateway.get_llmops_metrics().total_operations == 2


def test_a_forked_process_is_told_what_to_do(tmp_path):
    run = program(
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        gateway.generate('x')\n"
        "    except Exception as error:\n"
        "        print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "gateway.close()",
        tmp_path,
    )
    assert run.stdout.splitlines()[1] == (
        "INTERNAL: The gateway was made before this process was forked. Make one in each process."
    )
    assert (run.returncode, run.stderr) == (0, "")


async def test_calls_in_flight_are_told(stage):
    answer = Endless(silent=True)
    async with Upstream(answer) as upstream:
        gateway = stage(openai_tree(upstream.url))
        work = asyncio.ensure_future(gateway.generate_async("x"))
        blocked = asyncio.ensure_future(asyncio.to_thread(gateway.generate, "x", timeout_s=60))
        await answer.asked.wait()
        await gateway.aclose()
        for one in (work, blocked):
            with pytest.raises(PolicyError) as caught:
                await one
            assert caught.value.reason is Reason.SHUTTING_DOWN
        await answer.left.wait()


def test_several_threads_may_close_it(stage):
    gateway = stage()
    gateway.generate("x")
    threads = [threading.Thread(target=gateway.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not gateway._host.loop._thread.is_alive()


async def test_async_with(tmp_path):
    stage = {"name": "stage", "kind": "scripted", "model": "echo"}
    async with create_gateway([stage], data_dir=tmp_path) as gateway:
        assert (await gateway.generate_async("x")).text == "x"
    with pytest.raises(PolicyError, match="closed"):
        gateway.stream("x")


def test_reports_survive_a_restart(tmp_path):
    config = GatewayConfig(
        data_dir=tmp_path, **scripted(down=[{"do": "fail", "reason": "UPSTREAM_UNAVAILABLE"}])
    )
    with Gateway(config) as gateway:
        operation = gateway.generate("one two", tenant_id="acme").operation_id
        gateway.batch(["x"], "down", tenant_id="acme")
        gateway.generate("x", tenant_id="other")
        gateway.record_feedback("q", "a", FeedbackType.RATING, 4, "acme", operation_id=operation)
        gateway.record_feedback("q", "a", FeedbackType.CORRECTION, "better", "acme")
    with Gateway(config) as gateway:
        found = gateway.get_llmops_metrics("acme", time_range_hours=1)
        assert (found.total_operations, found.success_rate) == (2, 0.5)
        assert found.total_tokens == 4
        assert found.errors == {"UPSTREAM_UNAVAILABLE": 1}
        assert found.average_latency_ms > 0
        assert gateway.get_llmops_metrics().total_operations == 3
        insights = gateway.feedback_loop.get_learning_insights("acme")
        assert insights.average_rating == 0.8
        assert insights.common_corrections == [("better", 1)]
        assert gateway.feedback_loop.get_learning_insights("other").feedback_count == 0


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(InternalError, match="Set data_dir"):
        Gateway(GatewayConfig(data_dir=tmp_path, **scripted()))
