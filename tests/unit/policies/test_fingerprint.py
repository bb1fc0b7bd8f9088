"""Digests are equal for equal calls, in every process."""

from __future__ import annotations

import subprocess
import sys

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.types import GenerateRequest
from interlingua_gateway.policies.fingerprint import Fingerprints

PROGRAM = """
from interlingua_gateway.core.call import Call
from interlingua_gateway.core.target import Capability
from interlingua_gateway.core.types import *
from interlingua_gateway.core.wishes import Routing
from interlingua_gateway.policies.fingerprint import Fingerprints

picture = Media(kind=MediaKind.IMAGE, mime_type="image/png", data=b"\\x89")
message = Message(role=Role.USER, parts=(Text(text="hi"), picture))
sampling = Sampling(logit_bias={BIASES})
request = GenerateRequest(model="m", messages=(message,), sampling=sampling, user="WHO")
routing = Routing(required=frozenset(Capability))
call = Call(request, call_id="WHO", method="Generate", started=0.0, routing=routing)
print(Fingerprints().of_call(call, "c"))
"""


def _digest(seed: str, biases: str, user: str) -> str:
    program = PROGRAM.replace("BIASES", biases).replace("WHO", user)
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    return finished.stdout.strip()


def test_order_hashing_and_the_end_user_do_not_matter() -> None:
    one = _digest("1", "1: 0.5, 2: 0.25", "alice")
    two = _digest("2", "2: 0.25, 1: 0.5", "bob")
    other = _digest("1", "1: 0.5, 2: 0.26", "alice")
    assert len(one) == 64
    assert one == two != other


def test_tags_matter_only_where_rules_look_at_them() -> None:
    def digest(fingerprints: Fingerprints, *tags: str) -> str:
        request = GenerateRequest(model="m", messages=())
        call = Call(request, call_id="op", method="Generate", started=0, tags=tags)
        return fingerprints.of_call(call, "configuration")

    plain, tagged = Fingerprints(), Fingerprints(tagged=True)
    assert digest(plain, "a") == digest(plain, "b")
    assert digest(tagged, "a") != digest(tagged, "b")
    assert digest(tagged, "a", "b") == digest(tagged, "b", "a")
