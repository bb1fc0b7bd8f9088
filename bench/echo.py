"""The floor: a grpc.aio server that answers this contract out of memory, with no upstream."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2_grpc

from interlingua.v1 import embed_pb2, generate_pb2

Context = grpc.aio.ServicerContext[generate_pb2.GenerateRequest, object]


async def generate(
    request: generate_pb2.GenerateRequest, _: Context
) -> generate_pb2.GenerateResponse:
    """A whole answer of as many tokens as the prompt asks."""
    candidate = generate_pb2.Candidate()
    candidate.parts.add().text = " lorema" * wish(request, "tokens")
    return generate_pb2.GenerateResponse(candidates=[candidate])


async def stream(request: generate_pb2.GenerateRequest, context: Context) -> None:
    """As many tokens as the prompt asks, at its pace, one message a token."""
    pace_s, clock = wish(request, "pace") / 1000, asyncio.get_running_loop().time
    began = clock()
    for number in range(wish(request, "tokens")):
        if pace_s and number:
            await asyncio.sleep(began + number * pace_s - clock())
        message = generate_pb2.StreamGenerateResponse(sequence=number, text_delta=" lorema")
        await context.write(message)


async def embed(request: embed_pb2.EmbedRequest, _: Context) -> embed_pb2.EmbedResponse:
    """Vectors as many and as long as the first input asks."""
    count, dimensions = request.inputs[0].text.removeprefix("#embed=").split("x")
    vector = b"\0\0\0\x3f" * int(dimensions)
    return embed_pb2.EmbedResponse(
        embeddings=[embed_pb2.Embedding(index=i, float32_le=vector) for i in range(int(count))]
    )


def wish(request: generate_pb2.GenerateRequest, name: str) -> int:
    """The number after #name= in the prompt."""
    found = re.search(rf"#{name}=(\d+)", request.messages[-1].parts[-1].text)
    return int(found[1]) if found else 0


async def serve(port: str) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    ask, ask_embed = generate_pb2.GenerateRequest.FromString, embed_pb2.EmbedRequest.FromString
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Generate": grpc.unary_unary_rpc_method_handler(
            generate, ask, generate_pb2.GenerateResponse.SerializeToString
        ),
        "StreamGenerate": grpc.unary_stream_rpc_method_handler(
            stream, ask, generate_pb2.StreamGenerateResponse.SerializeToString
        ),
        "Embed": grpc.unary_unary_rpc_method_handler(
            embed, ask_embed, embed_pb2.EmbedResponse.SerializeToString
        ),
    }
    service = "interlingua.v1.GatewayService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
