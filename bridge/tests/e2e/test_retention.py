"""What a topic keeps, from outside: space comes back whatever the order of acks."""
import json

from confluent_kafka import KafkaError, TopicPartition

from clients.confluent_client import consumer
from clients.pika_client import channel, get, publish, ready, take
from harness import until


def described(broker, topic) -> dict:
    done = broker.run("topic", "describe", topic, "--json", "--address", f"standpipe://{broker.native}")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_one_unacked_message_pins_itself_and_kafka_reads_over_the_hole(shared_broker, name):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, *(str(i).encode() for i in range(3000)))
        _, *rest = take(ch, name, 3000, ack=False)
        before = described(shared_broker, name)
        assert (before["retention"], before["held_by"]) == ("settled", "queue")
        for method, _, _ in rest:
            ch.basic_ack(method.delivery_tag)

        def is_back():
            partition = described(shared_broker, name)["partitions"][0]
            return partition["octets"] <= before["partitions"][0]["octets"] / 100
        until("the space is back, without a restart", is_back)

        reader = consumer(shared_broker.kafka, **{"enable.partition.eof": True})
        reader.assign([TopicPartition(name, 0, 0)])
        kept, end = reader.poll(20), reader.poll(20)
        assert kept.value() == b"0"
        assert end.error().code() == KafkaError._PARTITION_EOF and end.offset() == 3000
        reader.close()
    with channel(shared_broker.amqp) as ch:
        until("what was not acked is where it was", lambda: ready(ch, name) == 1)
        method, _, body = get(ch, name)
        assert (body, method.redelivered) == (b"0", True)


def test_a_size_takes_what_a_queue_has_not_settled_and_tells_it(shared_broker, name):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True, arguments={"x-standpipe-retention": "1KB"})
        publish(ch, name, *(b"%099d" % i for i in range(100)))

        def is_trimmed():
            topic = described(shared_broker, name)
            (queue,) = topic["subscriptions"]
            start = topic["partitions"][0]["start"]
            return 85 <= start < 100 and queue["lost"] == start and queue["floors"] == [start]
        until("the newest that fit are left", is_trimmed)
        assert ready(ch, name) == 100 - described(shared_broker, name)["partitions"][0]["start"]
        assert described(shared_broker, name)["held_by"] is None, "a limit holds nothing for anybody"
