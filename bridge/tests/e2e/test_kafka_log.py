"""Produce, fetch and offsets; every test holds on Apache Kafka and on us."""
import pytest
from confluent_kafka import KafkaError, Producer, TopicPartition

from clients.confluent_client import acked, consumer, create_topic, poll, produce, read, watermarks
from harness import until


@pytest.fixture
def topic(bootstrap, name):
    create_topic(bootstrap, name)
    return name


def values(count, first=0) -> list[dict]:
    return [{"value": str(i).encode(), "partition": 0} for i in range(first, first + count)]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_every_codec_comes_back_as_it_went(bootstrap, topic, codec, idempotent):
    sent = [{"value": b"payload %d " % i * 20, "key": b"k%d" % (i % 7)} for i in range(2_000)]
    acked(produce(bootstrap, topic, sent, **{"compression.type": codec, "enable.idempotence": idempotent}))
    got = read(bootstrap, topic, len(sent))
    assert [(m.value(), m.key()) for m in got] == [(s["value"], s["key"]) for s in sent]
    assert [m.offset() for m in got] == list(range(len(sent)))


@pytest.mark.parametrize("codec", ["none", "gzip"])
@pytest.mark.parametrize("kept", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_a_topic_that_names_a_compression_takes_every_codec(bootstrap, name, codec, kept):
    create_topic(bootstrap, name, **{"compression.type": kept})
    sent = [{"value": b"payload %d " % i * 20, "key": b"k%d" % (i % 7)} for i in range(2_000)]
    acked(produce(bootstrap, name, sent, **{"compression.type": codec}))
    got = read(bootstrap, name, len(sent))
    assert [(m.value(), m.key()) for m in got] == [(s["value"], s["key"]) for s in sent]


def test_only_those_without_a_key_are_at_fault_on_a_compacted_topic(bootstrap, name):
    create_topic(bootstrap, name, **{"cleanup.policy": "compact"})
    sent = [{"value": b"a", "key": b"k"}, {"value": b"b"}, {"value": b"c", "key": b"k"}, {"value": b"d"}]
    reports = produce(bootstrap, name, sent, together=True, **{"linger.ms": 2_000})
    beside, at_fault = KafkaError._INVALID_DIFFERENT_RECORD, KafkaError.INVALID_RECORD
    assert [error.code() for error, _ in reports] == [beside, at_fault, beside, at_fault]


def test_headers_keep_order_duplicates_null_empty_and_bytes(bootstrap, topic):
    headers = [("b", b"1"), ("a", b""), ("b", None), ("ü", bytes([0xff, 0xfe])), ("a", b"2"), ("", b"no name")]
    acked(produce(bootstrap, topic, [{"value": b"x", "headers": headers}]))
    assert read(bootstrap, topic, 1)[0].headers() == headers


@pytest.mark.parametrize("value", [None, b""])
@pytest.mark.parametrize("key", [None, b"", b"k"])
def test_absent_and_empty_are_two_things(bootstrap, topic, key, value):
    acked(produce(bootstrap, topic, [{"value": value, "key": key}]))
    got = read(bootstrap, topic, 1)[0]
    assert (got.key(), got.value()) == (key, value)


def test_the_producers_timestamp_is_kept_and_found_by_time(bootstrap, topic):
    sent = [{"value": b"x", "timestamp": 1_357_034_400_000 + i * 1_000} for i in range(100)]
    acked(produce(bootstrap, topic, sent, **{"batch.num.messages": 10}))
    assert [m.timestamp()[1] for m in read(bootstrap, topic, 100)] == [s["timestamp"] for s in sent]
    reader = consumer(bootstrap)

    def offset_at(time):
        return reader.offsets_for_times([TopicPartition(topic, 0, time)], timeout=10)[0].offset
    assert offset_at(sent[0]["timestamp"] - 5) == 0
    assert offset_at(sent[42]["timestamp"]) == 42
    assert offset_at(sent[42]["timestamp"] + 1) == 43
    assert offset_at(sent[99]["timestamp"] + 1) == -1, "none that late"
    reader.close()


def test_offsets_are_dense_and_the_watermarks_frame_them(bootstrap, topic):
    assert watermarks(bootstrap, topic) == (0, 0)
    reports = acked(produce(bootstrap, topic, values(500)))
    assert [m.offset() for m in reports] == list(range(500))
    assert watermarks(bootstrap, topic) == (0, 500)


@pytest.mark.parametrize("start", [0, 1, 499, 777, 999])
def test_a_fetch_may_begin_inside_a_batch(bootstrap, topic, start):
    acked(produce(bootstrap, topic, values(1_000), **{"compression.type": "lz4"}))
    got = read(bootstrap, topic, 1_000 - start, start=start)
    assert [m.offset() for m in got] == list(range(start, 1_000))


def test_a_fetch_at_the_end_waits_for_what_comes(bootstrap, topic):
    acked(produce(bootstrap, topic, values(3)))
    reader = consumer(bootstrap)
    reader.assign([TopicPartition(topic, 0, 3)])
    assert reader.consume(1, timeout=0.5) == []
    acked(produce(bootstrap, topic, values(1, first=3)))
    assert [m.value() for m in poll(reader, 1, 10)] == [b"3"]
    reader.close()


def test_an_offset_out_of_range_is_an_error_or_a_reset(bootstrap, topic):
    acked(produce(bootstrap, topic, values(5)))
    strict = consumer(bootstrap, **{"auto.offset.reset": "error"})
    strict.assign([TopicPartition(topic, 0, 1_000)])

    def error():
        return next((m.error() for m in strict.consume(10, 0.2) if m.error()), None)
    assert until("an error", error).code() == KafkaError._AUTO_OFFSET_RESET
    strict.close()
    lenient = consumer(bootstrap)
    lenient.assign([TopicPartition(topic, 0, 1_000)])
    assert len(poll(lenient, 5)) == 5
    lenient.close()


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_level_of_acks_stores(bootstrap, topic, acks):
    produce(bootstrap, topic, values(100), acks=acks)
    assert [m.value() for m in read(bootstrap, topic, 100)] == [v["value"] for v in values(100)]


def test_keys_go_where_the_clients_partitioner_says(bootstrap, name):
    """murmur2 modulo the partitions, as Java's clients do."""
    create_topic(bootstrap, name, 6)
    sent = [{"value": b"x", "key": key} for key in (b"UA", b"AA", b"B6", b"DL", b"EV", b"MQ")]
    reports = acked(produce(bootstrap, name, sent, partitioner="murmur2_random"))
    got = {m.key(): m.partition() for m in read(bootstrap, name, 6)}
    assert got == {m.key(): m.partition() for m in reports}


def test_a_message_above_the_limit_is_refused_alone(bootstrap, topic, request):
    """1 MiB unless configured at Apache Kafka; 16 MiB over all protocols with us."""
    limit = 1_048_588 if "[kafka" in request.node.name else 16 << 20
    big = {"value": b"x" * (limit + 1_000), "partition": 0}
    reports = produce(bootstrap, topic, [*values(3), big, *values(3, first=3)], **{
        "batch.num.messages": 1, "message.max.bytes": 2 * limit, "max.in.flight": 1})
    assert [error.code() if error else 0 for error, _ in reports] == [0, 0, 0, KafkaError.MSG_SIZE_TOO_LARGE, 0, 0, 0]
    assert [m.value() for m in read(bootstrap, topic, 6)] == [v["value"] for v in values(6)]


def test_a_message_of_a_megabyte_passes(bootstrap, topic):
    body = bytes(range(256)) * 3_900
    acked(produce(bootstrap, topic, [{"value": body}], **{"message.max.bytes": 2_000_000}))
    assert read(bootstrap, topic, 1)[0].value() == body


def test_a_missing_topic_is_created_by_a_producer_with_one_partition(bootstrap, name):
    acked(produce(bootstrap, name, [{"value": b"x"}]))
    reader = consumer(bootstrap)
    assert len(reader.list_topics(name, timeout=10).topics[name].partitions) == 1
    reader.close()


def test_an_unknown_partition_is_refused(bootstrap, topic):
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 5_000})
    reports = []
    try:
        producer.produce(topic, b"x", partition=9, on_delivery=lambda error, _: reports.append(error))
        producer.flush(10)
    except Exception as error:  # librdkafka knows the partitions already
        reports.append(error.args[0])
    assert reports[0].code() == KafkaError._UNKNOWN_PARTITION


def test_many_partitions_are_read_whole(bootstrap, name):
    create_topic(bootstrap, name, 50)
    sent = [{"value": str(i).encode(), "partition": i % 50} for i in range(5_000)]
    acked(produce(bootstrap, name, sent, **{"enable.idempotence": True}))  # else a retry reorders
    got = read(bootstrap, name, 5_000)
    assert sorted(int(m.value()) for m in got) == list(range(5_000))
    by_partition = {p: [int(m.value()) for m in got if m.partition() == p] for p in range(50)}
    assert all(v == list(range(p, 5_000, 50)) for p, v in by_partition.items()), "in order within each"
