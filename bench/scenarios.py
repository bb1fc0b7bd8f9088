"""The kinds of load: what is asked, by how many callers, in the words of each protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from interlingua.v1 import content_pb2, embed_pb2, generate_pb2

SYSTEM = (
    "You are the assistant of a company that sells garden tools. Answer in one paragraph, in the "
    "language of the question, and name the article numbers of what you recommend."
)
QUESTION = (
    "My hedge is three metres tall and twenty metres long, and I would like to cut it twice a "
    "year without a ladder. Which of your cutters would you take, and what does it weigh? "
)
VECTORS, DIMENSIONS = 64, 1536
METHODS: Mapping[str, Mapping[str, str]] = {
    "grpc": {
        "generate": "/interlingua.v1.GatewayService/Generate",
        "stream": "/interlingua.v1.GatewayService/StreamGenerate",
        "embed": "/interlingua.v1.GatewayService/Embed",
    },
    "http": {
        "generate": "/v1/chat/completions",
        "stream": "/v1/chat/completions",
        "embed": "/v1/embeddings",
    },
}


@dataclass(frozen=True)
class Scenario:
    """One kind of load. ``rate`` is in calls a second (0: each caller calls again at once);
    ``pace_ms`` is the upstream's time between two tokens (0: as fast as it is read); ``once``
    means in the last round only."""

    name: str
    title: str
    kind: Literal["generate", "stream", "embed"]
    callers: int
    tokens: int = 0
    pace_ms: int = 0
    rate: int = 0
    connections: int = 4
    warm_s: float = 0.7
    window_s: float = 1.5
    cancel_after: int = 0
    once: bool = False

    @property
    def least_bytes(self) -> int:
        """An answer shorter than this is a failure."""
        return VECTORS * DIMENSIONS * 4 if self.kind == "embed" else self.tokens * 7

    def body(self, protocol: Literal["grpc", "http"]) -> bytes:
        """The request as bytes; the prompt's last words tell the mock upstream what to answer."""
        question = f"{QUESTION}#tokens={self.tokens} #pace={self.pace_ms}"
        inputs = [f"#embed={VECTORS}x{DIMENSIONS}", *[QUESTION] * (VECTORS - 1)]
        if protocol == "http":
            return self._json(question, inputs)
        if self.kind == "embed":
            packed = embed_pb2.EMBEDDING_ENCODING_FLOAT32_LE
            texts = [embed_pb2.EmbedInput(text=text) for text in inputs]
            embed = embed_pb2.EmbedRequest(model="mock", inputs=texts, encoding=packed)
            return embed.SerializeToString()
        turns = ((content_pb2.ROLE_SYSTEM, SYSTEM), (content_pb2.ROLE_USER, question))
        generate = generate_pb2.GenerateRequest(
            model="mock",
            messages=[
                content_pb2.Message(role=role, parts=[content_pb2.Part(text=text)])
                for role, text in turns
            ],
            sampling=generate_pb2.SamplingOptions(temperature=0.2, max_output_tokens=512),
        )
        return generate.SerializeToString()

    def _json(self, question: str, inputs: list[str]) -> bytes:
        if self.kind == "embed":
            embed = {"model": "mock", "input": inputs, "encoding_format": "base64"}
            return json.dumps(embed).encode()
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": question},
        ]
        body = {"model": "mock", "messages": messages, "temperature": 0.2, "max_tokens": 512}
        if self.kind == "stream":
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(body).encode()


SCENARIOS = (
    Scenario("unary", "whole answers of 32 tokens, 16 callers", "generate", 16, 32, warm_s=2),
    Scenario("steady", "whole answers, 500 calls/s", "generate", 64, 32, rate=500),
    Scenario("first", "first token, one caller", "stream", 1, 2, 10),
    Scenario("embed", "64 embeddings of 1536 dimensions, 4 callers", "embed", 4, warm_s=1.5),
    Scenario("burst", "streams as fast as they go, 64 callers", "stream", 64, 400),
    Scenario("paced64", "64 streams, a token every 10 ms", "stream", 64, 400, 10),
    Scenario("paced256", "256 streams, a token every 10 ms", "stream", 256, 400, 10),
    Scenario(
        "open2000", "2000 streams, a token every second", "stream", 2000, 60, 1000,
        connections=16, warm_s=12, once=True,
    ),
)  # fmt: skip
CANCEL = Scenario(
    "cancel", "cancelled after 3 tokens, 64 callers", "stream", 64, 400, 10, cancel_after=3
)
