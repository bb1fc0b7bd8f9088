"""A protoc plugin that makes gRPC's Python stubs, which grpcio-tools offers only as a built-in."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def main() -> int:
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = FileDescriptorSet(file=request.proto_file)
        (root / "in.binpb").write_bytes(files.SerializeToString())
        status = protoc.main(
            [
                "protoc",
                f"--descriptor_set_in={root / 'in.binpb'}",
                f"--grpc_python_out={root}",
                *request.file_to_generate,
            ]
        )
        response = plugin_pb2.CodeGeneratorResponse(
            supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL,
            file=[
                plugin_pb2.CodeGeneratorResponse.File(
                    name=str(path.relative_to(root)), content=path.read_text("utf-8")
                )
                for path in sorted(root.rglob("*_pb2_grpc.py"))
            ],
        )
    sys.stdout.buffer.write(response.SerializeToString())
    return status


if __name__ == "__main__":
    sys.exit(main())
