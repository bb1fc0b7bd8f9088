"""The embedded model's own process: runs the runtime's HTTP server until its parent goes away.

The supervisor runs this file as a program. It reads one line of JSON (`Orders`) from its standard
input, loads the weights, writes one line (`Report`) to its standard output once the server
answers, and waits for the end of its input. What the runtime says goes to standard error. It
imports the standard library and the runtime only, so that it starts at once and stays small.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import xllamacpp

if TYPE_CHECKING:
    from interlingua_gateway.providers.local.orders import Orders, Report

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LAST_WORDS_S = 0.3
LOG_ERRORS = 1  # the runtime's verbosity that leaves out what callers wrote


def batch_tokens(orders: Orders) -> int:
    """A text to embed must fit in one batch, and pooling needs a multiple of the streams."""
    streams = orders["streams"]
    return -(-orders["embedding_tokens"] // streams) * streams


def parameters(orders: Orders) -> xllamacpp.CommonParams:
    """The runtime's parameters; each one that is set differs from a default that would bite."""
    params = xllamacpp.CommonParams()
    params.model.path = orders["weights"]
    params.model_alias = {orders["alias"]}  # else answers name the path of the file
    params.chat_template = orders["chat_template"]
    params.n_parallel = orders["streams"]
    params.n_ctx = orders["context_tokens"] * orders["streams"]  # the runtime divides it again
    params.n_batch = params.n_ubatch = batch_tokens(orders)
    params.n_predict = orders["max_output_tokens"]  # without it an answer ends with its context
    params.cpuparams.n_threads = orders["threads"]
    params.cpuparams_batch.n_threads = orders["threads"]
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.fit_params = False  # it would load the weights twice
    params.cache_ram_mib = 0  # the cache of old prompts may grow to 8 GB
    params.sampling.temp = 0.2
    params.sampling.top_p = 0.9
    params.sampling.penalty_repeat = 1.1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [orders["api_key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = LOG_ERRORS
    return params


def die_with(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent dies; only Linux can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it died before the kernel was asked
            os._exit(0)


def exit_at_end_of_input() -> None:
    """End this process once the parent's end of the pipe is closed, in whatever way."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve until the parent ends or a signal comes."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ["GGML_NO_BACKTRACE"] = "1"  # noqa: TID251  (else a crash runs gdb for seconds)
    orders: Orders = json.loads(sys.stdin.buffer.readline())
    die_with(orders["parent_pid"])
    watch = threading.Thread(target=exit_at_end_of_input)
    watch.start()
    try:
        server = xllamacpp.Server(parameters(orders))
    except RuntimeError:
        # The runtime says why on standard error, but a thread of its own writes it.
        threading.Event().wait(LAST_WORDS_S)
        os._exit(1)
    ready: Report = {"address": server.listening_address}
    report.write(json.dumps(ready) + "\n")
    report.flush()
    watch.join()


if __name__ == "__main__":
    main()
