"""Ghostcast's gRPC interface, by stubs that are made from the contract itself."""

import importlib
import sys
import tempfile
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from grpc_tools import protoc

PROTO_DIR = Path(__file__).parents[3] / "proto"
CONTRACT = "ghostcast/v1/browser.proto"
DEADLINE_S = 30


def generated():
    """The modules of messages and stubs, made once by the official compiler."""
    if "ghostcast.v1.browser_pb2" not in sys.modules:
        out = tempfile.mkdtemp(prefix="ghostcast-proto-")
        includes = [f"-I{PROTO_DIR}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        targets = [f"--python_out={out}", f"--grpc_python_out={out}", CONTRACT]
        assert protoc.main(["protoc", *includes, *targets]) == 0, "the contract does not compile"
        sys.path.insert(0, out)
    return (
        importlib.import_module("ghostcast.v1.browser_pb2"),
        importlib.import_module("ghostcast.v1.browser_pb2_grpc"),
    )


class GrpcClient:
    """A client of one service; answers are plain dictionaries with the contract's names."""

    def __init__(self, service, token=None):
        self.messages, stubs = generated()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{service.port}")
        self.stub = stubs.BrowserServiceStub(self.channel)
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def request(self, method, **fields):
        """The request message of a method."""
        descriptor = self.messages.DESCRIPTOR.services_by_name["BrowserService"]
        kind = descriptor.methods_by_name[method].input_type.name
        return ParseDict(fields, getattr(self.messages, kind)())

    def call(self, method, **fields):
        """A unary call that must succeed."""
        call = getattr(self.stub, method)
        request = self.request(method, **fields)
        return plain(call(request, timeout=DEADLINE_S, metadata=self.metadata))

    def refusal(self, method, **fields):
        """A unary call that must be refused; its error."""
        try:
            answer = self.call(method, **fields)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"{method} answered {answer}")

    def events(self, room, **fields):
        """The stream of a room's events."""
        request = self.request("StreamEvents", room_name=room, **fields)
        return self.stub.StreamEvents(request, metadata=self.metadata)


def plain(message):
    """A message as a dictionary, unset fields included; a struct's whole numbers are integers."""
    return whole(
        MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )


def whole(value):
    """The value with floats that are whole numbers as integers."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(whole(inner) for inner in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
