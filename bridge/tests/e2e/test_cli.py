"""The command line: stdout is data, stderr is talk, exit codes mean something."""
import json
import signal
import subprocess
import urllib.request

import pytest

from clients import cli_client
from clients.confluent_client import acked, create_topic, produce
from clients.pika_client import channel, publish
from flights import flights
from harness import Standpipe, free_port, standpipe_bin, until

ENVELOPES = [
    {"payload": "plain"},
    {"key": "k", "payload": ""},
    {"key": "k"},
    {"key": "", "payload": {"b64": "//79AA=="}},
    {"key": {"b64": "/w=="}, "payload": "x", "headers": [["a", "1"], ["b", None], ["a", ""], ["raw", {"b64": "/w=="}]]},
    {"payload": "with props", "props": {"id": "m", "correlation_id": "c", "reply_to": "r", "content_type": "t",
                               "content_encoding": "e", "app_id": "a", "type": "y", "durable": True,
                               "priority": {"u8": "5"}, "timestamp": {"ts": "2013-01-01T10:00:00.123Z"}}},
]
TYPED = {"payload": "typed", "headers": [
    ["t", True], ["f", False], ["i8", {"i8": "-1"}], ["u8", {"u8": "255"}], ["i16", {"i16": "-300"}],
    ["u16", {"u16": "60000"}], ["i32", {"i32": "-70000"}], ["u32", {"u32": "4000000000"}],
    ["i64", {"i64": "-9223372036854775808"}], ["f32", {"f32": "0.5"}], ["f64", {"f64": "1.0"}],
    ["nan", {"f64": "NaN"}], ["decimal", {"decimal": "1.230"}], ["ts", {"ts": "2013-01-01T05:00:00Z"}],
    ["list", {"list": ["a", None, {"i32": "5"}, {"list": []}]}],
    ["table", {"table": [["k", "v"], ["k", {"b64": "/w=="}]]}], ["huge", {"i64": "9007199254740993"}]]}
SCHEMES = ("standpipe", "amqp", "kafka", "grpc")


def lines(envelopes) -> bytes:
    return b"".join(json.dumps(e).encode() + b"\n" for e in envelopes)


def without_meta(out: bytes) -> list[dict]:
    return [{k: v for k, v in json.loads(line).items() if k != "meta"} for line in out.splitlines()]


def source(broker, scheme: str, topic: str) -> str:
    options = {"amqp": {}, "kafka": {"from": "earliest"}}.get(scheme, {"mode": "positional", "from": "earliest"})
    return broker.url(scheme, topic, **options)


def pub(broker, address, envelopes):
    done = broker.run("pub", address, stdin=lines(envelopes))
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()


def sub(broker, address, *args) -> bytes:
    done = broker.run("sub", address, *(args or ["--drain"]))
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def made(broker, name, scheme="kafka"):
    create_topic(broker.kafka, name)
    if scheme == "amqp":
        with channel(broker.amqp) as ch:
            ch.queue_declare(name, durable=True)
    return name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pub_and_sub_round_trip_over_every_scheme(shared_broker, name, scheme):
    made(shared_broker, name, scheme)
    sent = [*ENVELOPES[:5], *([ENVELOPES[5], TYPED] if scheme in ("standpipe", "grpc") else [])]
    pub(shared_broker, shared_broker.url(scheme, name), sent)
    got = without_meta(sub(shared_broker, source(shared_broker, scheme, name)))
    for message in got:  # each protocol adds its own: Kafka a time, AMQP a delivery mode
        if "props" not in next(s for s in sent if s.get("payload") == message.get("payload")):
            message.pop("props", None)
    if scheme == "amqp":  # a routing key is the key where none is set
        got[0].pop("key", None)
    assert got == sent


def test_sub_jq_pub_copies_exactly(shared_broker, name):
    """Every type of header, payloads that are not UTF-8, and tombstones."""
    copy = made(shared_broker, f"{made(shared_broker, name)}-copy")
    sent = [*ENVELOPES, TYPED]
    pub(shared_broker, shared_broker.url("standpipe", name), sent)
    pipe = "{0} sub '{1}' --drain | jq -c . | {0} pub '{2}'".format(
        standpipe_bin(), source(shared_broker, "standpipe", name), shared_broker.url("standpipe", copy))
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {pipe}"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert without_meta(sub(shared_broker, source(shared_broker, "standpipe", copy))) == sent


def test_lines_are_payloads(shared_broker, name):
    address = shared_broker.url("standpipe", name)
    done = shared_broker.run("pub", "--lines", address, stdin=b"one\n\ntwo \xff\nlast without newline")
    assert done.returncode == 0, done.stderr
    assert sub(shared_broker, address, "--drain", "--lines") == b"one\n\ntwo \xff\nlast without newline\n"


def test_a_file_is_a_source_and_a_target(shared_broker, name, tmp_path):
    file, csv = tmp_path / "out.ndjson", tmp_path / "in.csv"
    pub(shared_broker, shared_broker.url("standpipe", name), ENVELOPES)
    done = shared_broker.run("cp", source(shared_broker, "standpipe", name), f"file://{file}", "--drain")
    assert done.returncode == 0, done.stderr.decode()
    assert without_meta(file.read_bytes()) == ENVELOPES
    csv.write_text("carrier,origin\nUA,EWR\nAA,JFK\n")
    got = without_meta(sub(shared_broker, f"file://{csv}?format=csv", "--drain"))
    assert [json.loads(m["payload"]) for m in got] == [
        {"carrier": "UA", "origin": "EWR"}, {"carrier": "AA", "origin": "JFK"}]


def test_a_dash_is_stdin_and_stdout(shared_broker, name):
    address = shared_broker.url("standpipe", name)
    assert shared_broker.run("cp", "-", address, "--drain", stdin=lines(ENVELOPES)).returncode == 0
    done = shared_broker.run("cp", source(shared_broker, "standpipe", name), "-", "--drain")
    assert without_meta(done.stdout) == ENVELOPES


def test_meta_tells_where_a_message_is(shared_broker, name):
    made(shared_broker, name)
    acked(produce(shared_broker.kafka, name, [{"value": b"x"}] * 3))
    metas = [json.loads(line)["meta"] for line in sub(shared_broker, source(shared_broker, "standpipe", name)).splitlines()]
    assert [m["topic"] for m in metas] == [name] * 3
    assert [int(number(m["offset"])) for m in metas] == [0, 1, 2]
    assert all("appended" in m for m in metas)


def number(value) -> str:
    return next(iter(value.values())) if isinstance(value, dict) else value


@pytest.mark.parametrize("scheme", ["standpipe", "grpc", "amqp"])
def test_count_takes_so_many_and_leaves_the_rest(shared_broker, name, scheme):
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, *(b"%d" % i for i in range(10)))
    taken = sub(shared_broker, shared_broker.url(scheme, name), "--count", 4, "--lines")
    rest = sub(shared_broker, shared_broker.url(scheme, name), "--drain", "--lines")
    assert (taken, rest) == (b"0\n1\n2\n3\n", b"4\n5\n6\n7\n8\n9\n")


def test_drain_of_what_is_empty_ends_at_once(shared_broker, name):
    made(shared_broker, name, "amqp")
    for scheme in SCHEMES:
        assert sub(shared_broker, source(shared_broker, scheme, name)) == b""


def test_a_broken_pipe_is_quiet(shared_broker, name):
    made(shared_broker, name)
    acked(produce(shared_broker.kafka, name, [{"value": b"x" * 1_000}] * 5_000))
    command = f"{standpipe_bin()} sub '{source(shared_broker, 'kafka', name)}' --drain | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=30)
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_exit_codes(shared_broker, name, tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    for scheme in SCHEMES:
        address = f"{scheme}://{nobody}/x" if scheme != "amqp" else f"amqp://{nobody}/%2f?queue=x"
        done = shared_broker.run("pub", address, stdin=lines(ENVELOPES))
        assert done.returncode == 69, (scheme, done)
    assert shared_broker.run("pub", shared_broker.url("standpipe", name), stdin=b"not json\n").returncode == 65
    assert shared_broker.run("pub", shared_broker.url("standpipe", name), stdin=b'{"payload":5}\n').returncode == 65
    assert shared_broker.run("frobnicate").returncode == 64
    assert shared_broker.run("check", tmp_path / "missing.toml").returncode == 78


def test_bad_data_names_its_line(shared_broker, name):
    good = lines(ENVELOPES[:2])
    done = shared_broker.run("pub", shared_broker.url("standpipe", name), stdin=good + b"{broken\n")
    assert done.returncode == 65 and b"3" in done.stderr, done


@pytest.mark.parametrize("command", ["serve", "pub", "sub", "cp", "check", "topic"])
def test_every_command_has_help_with_an_example(command):
    done = subprocess.run([standpipe_bin(), command, "--help"], capture_output=True, timeout=10)
    assert done.returncode == 0 and done.stderr == b""
    assert b"Example" in done.stdout and b"standpipe " + command.encode() in done.stdout


def test_topics_are_created_listed_described_purged_and_deleted(shared_broker, name):
    def topic(*args) -> bytes:
        done = shared_broker.run("topic", *args, "--address", f"standpipe://{shared_broker.native}")
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout
    topic("create", name, "--partitions", 3, "--retention", "settled", "--durability", "os")
    names = [json.loads(line)["name"] for line in topic("list", "--json").splitlines()]
    assert name in names and name.encode() in topic("list")
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, b"a", b"b")
    described = json.loads(topic("describe", name, "--json"))
    assert described["name"] == name and len(described["partitions"]) == 3
    assert b"queue" in topic("describe", name), "names the subscription that holds the log"
    topic("purge", name)
    with channel(shared_broker.amqp) as ch:
        assert ch.queue_declare(name, passive=True).method.message_count == 0
    topic("delete", name)
    assert name not in topic("list").decode().split()


ROUTES = '''
[[route]]
name = "flights"
from = "amqp://guest:secret-word@127.0.0.1:5672/%2f?queue=flights"
to   = "kafka://127.0.0.1:9092/flights"
'''


def test_check_states_the_guarantee_opens_nothing_and_prints_no_secret(shared_broker, tmp_path):
    file = tmp_path / "standpipe.toml"
    file.write_text(ROUTES)
    done = shared_broker.run("check", file, "--json")
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    assert said["route"] == "flights" and "at least once" in said["guarantee"].replace("-", " ")
    assert b"secret-word" not in done.stdout + done.stderr
    file.write_text(ROUTES + 'guarantee = "exactly-once"\n')
    done = shared_broker.run("check", file)
    assert done.returncode == 78 and b"flights" in done.stderr, "a promise that its ends cannot keep"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_where_it_is_and_ends_with_0(tmp_path, stop):
    broker = Standpipe(tmp_path / "log", data=tmp_path / "data").start()
    until("it says where it listens", lambda: all(at in broker.tail() for at in broker.address.values()))
    assert str(tmp_path / "data") in broker.tail() and "standpipe pub" in broker.tail()
    broker.process.send_signal(stop)
    assert broker.process.wait(10) == 0
    assert broker.process.stdout.read() == b""


def test_ephemeral_ends_with_its_stdin(tmp_path):
    broker = Standpipe(tmp_path / "log").start()
    assert set(broker.address) == {"amqp", "kafka", "grpc", "native"}
    broker.process.stdin.close()
    assert broker.process.wait(10) == 0


def test_a_second_broker_on_one_data_folder_is_refused(durable, tmp_path):
    second = Standpipe(tmp_path / "log2", data=durable.data).launch()
    assert second.process.wait(10) != 0
    assert str(durable.data) in second.tail()


def test_health_readiness_and_metrics_over_http(tmp_path):
    port = free_port()
    broker = Standpipe(tmp_path / "log", args=["--http", f"127.0.0.1:{port}"]).start()
    for page in ("healthz", "readyz", "metrics"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            assert answer.status == 200
    broker.stop()


def test_listeners_are_set_by_the_environment_and_turned_off_by_flags(tmp_path):
    port = free_port()
    broker = Standpipe(tmp_path / "log", data=tmp_path / "data", env={"STANDPIPE_LISTEN__AMQP": f"127.0.0.1:{port}"})
    broker.address = {"native": f"127.0.0.1:{free_port()}", "kafka": "off", "grpc": "off"}
    broker.launch()
    broker.address = {"amqp": f"127.0.0.1:{port}", "native": broker.address["native"]}
    broker.wait_ready()
    with channel(broker.amqp) as ch:
        ch.queue_declare("x")
    broker.stop()


def test_sub_settles_after_the_line_is_written(shared_broker, name):
    """What was printed does not come again; what was not printed does."""
    with channel(shared_broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        publish(ch, name, *(b"%d" % i for i in range(5)))
    running = subprocess.Popen([standpipe_bin(), "sub", shared_broker.url("amqp", name), "--lines"], stdout=subprocess.PIPE)
    first = [running.stdout.readline() for _ in range(5)]
    with channel(shared_broker.amqp) as ch:
        publish(ch, name, b"5")
        first.append(running.stdout.readline())
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    running.stdout.close()
    assert first == [b"%d\n" % i for i in range(6)]
    assert sub(shared_broker, shared_broker.url("amqp", name)) == b""


def test_the_flights_round_trip_as_envelopes():
    assert cli_client.from_lines(cli_client.to_lines(flights(1_000))) == flights(1_000)
