"""Publishes COUNT messages and waits until each is kept: publish.py HOST:PORT TOPIC COUNT

Needs `pip install grpcio grpcio-tools`.
"""
import pathlib
import sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "adapters/grpc/proto"))
pb, rpc = grpc.protos_and_services("standpipe/v1/standpipe.proto")
BATCH = 500


def requests(topic, count):
    for first in range(0, count, BATCH):
        yield pb.PublishRequest(
            destination=f"/{topic}",
            messages=[
                pb.Publication(sequence=n, message=pb.Message(payload=b"message %d" % n))
                for n in range(first, min(first + BATCH, count))
            ],
        )


def main(target, topic, count):
    kept = 0
    with grpc.insecure_channel(target) as channel:
        for result in rpc.StandpipeStub(channel).Publish(requests(topic, int(count))):
            if result.WhichOneof("outcome") == "error":
                sys.exit(f"message {result.sequence}: {result.error.message}")
            kept += 1
    print(f"{kept} messages kept", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
