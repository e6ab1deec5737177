"""Kafka in bulk: confluent-kafka, idempotent and compressed with zstd."""
from clients.confluent_client import acked, produce, read
from clients.message import CARRIERS, Msg, octets, text_or_bytes

NAME = "kafka"


def publish(broker, topic: str, messages: list[Msg]):
    records = [to_kafka(m) for m in messages]
    acked(produce(broker.kafka, topic, records, **{
        "enable.idempotence": True, "compression.type": "zstd", "linger.ms": 20}))


def read_all(broker, topic: str, count: int) -> list[Msg]:
    return [from_kafka(record) for record in read(broker.kafka, topic, count)]


def to_kafka(message: Msg) -> dict:
    record = {"value": message.payload, "key": message.key,
              "headers": [(name, octets(value)) for name, value in message.headers]}
    return record if message.timestamp is None else {**record, "timestamp": message.timestamp}


def from_kafka(record) -> Msg:
    headers = tuple((name, text_or_bytes(value)) for name, value in record.headers() or []
                    if not name.startswith(CARRIERS))
    return Msg(record.value(), record.key(), headers, record.timestamp()[1])
