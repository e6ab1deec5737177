"""Takes COUNT messages from a topic's queue, prints and acks them: subscribe.py HOST:PORT TOPIC COUNT

Needs `pip install grpcio grpcio-tools`.
"""
import pathlib
import queue
import sys

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "adapters/grpc/proto"))
pb, rpc = grpc.protos_and_services("standpipe/v1/standpipe.proto")


def main(target, topic, count):
    left, held, unanswered, asked = int(count), [], 0, queue.SimpleQueue()
    opening = pb.SubscribeOpen(topic=topic, credit=pb.Credit(messages=left))
    asked.put(pb.SubscribeRequest(open=opening))
    with grpc.insecure_channel(target) as channel:
        for delivery in rpc.StandpipeStub(channel).Subscribe(iter(asked.get, None)):
            if delivery.HasField("message"):
                print(delivery.message.message.payload.decode())
                held.append(pb.Settlement(receipt=delivery.message.receipt, ack=pb.Ack()))
                left -= 1
            elif delivery.HasField("settled"):
                unanswered -= 1
                for failure in delivery.settled.failures:
                    sys.exit(f"not settled: {failure.error.message}")
            if len(held) == 100 or (held and not left):
                asked.put(pb.SubscribeRequest(settle=pb.Settle(settlements=held)))
                held, unanswered = [], unanswered + 1
            if not left and not unanswered:
                asked.put(None)


if __name__ == "__main__":
    main(*sys.argv[1:])
