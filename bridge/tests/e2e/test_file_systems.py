"""Where the store may stand, and what it asks of the disk, as the system sees it."""
import subprocess

import pika
import pytest

from clients.pika_client import channel
from harness import Standpipe, until

# Stands before libc's own: a line in the file SHIM_COUNT for every sync, by the name of the call.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int counted(const char *name, const char *line, size_t length, int fd) {
    int log = open(getenv("SHIM_COUNT"), O_WRONLY | O_CREAT | O_APPEND, 0644);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int done = real(fd);
    if (write(log, line, length) < 0) abort();
    close(log);
    return done;
}
int fdatasync(int fd) { return counted("fdatasync", "fdatasync\n", 10, fd); }
int fsync(int fd) { return counted("fsync", "fsync\n", 6, fd); }
"""


@pytest.fixture
def fuse(tmp_path):
    """A file system in user space, which cannot reserve space or punch holes, and tells nothing of its cache."""
    below, above = tmp_path / "below", tmp_path / "above"
    below.mkdir()
    above.mkdir()
    served = subprocess.Popen(["bindfs", "-f", below, above])
    until("it is mounted", lambda: above.is_mount())
    yield above
    subprocess.run(["umount", above], check=True)
    assert served.wait(10) == 0


def publish(ch, queue: str, bodies, mode: int = 2):
    for body in bodies:
        ch.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=mode), mandatory=True)


def test_the_store_works_on_a_file_system_in_user_space(fuse, tmp_path, name):
    broker = Standpipe(tmp_path / "log", data=fuse / "data").start()
    bodies = [b"%d/" % n + bytes(100_000) for n in range(400)]  # 40 MB
    try:
        with channel(broker.amqp) as ch:
            ch.queue_declare(name, durable=True)
            publish(ch, name, bodies)
        broker.kill()
        broker.launch().wait_ready()
        with channel(broker.amqp) as ch:
            got = [ch.basic_get(name, auto_ack=True)[2] for _ in bodies]
        assert got == bodies
        broker.stop()
        checked = broker.run("store", "check", fuse / "data")
        assert checked.returncode == 0, checked.stdout.decode()
    finally:
        if broker.alive():
            broker.kill()


@pytest.fixture
def counted(tmp_path):
    """A broker, and a way to ask how many syncs of each kind it has made."""
    source, shim, log = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "syncs"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    env = {"LD_PRELOAD": str(shim), "SHIM_COUNT": str(log)}
    broker = Standpipe(tmp_path / "log", data=tmp_path / "data", env=env).start()
    yield broker, lambda call: log.read_text().split("\n").count(call)
    broker.stop()


def test_a_confirm_of_a_persistent_message_waits_for_a_sync_and_one_of_a_transient_message_does_not(counted, name):
    broker, syncs = counted
    with channel(broker.amqp) as ch:
        ch.queue_declare(name, durable=True)
        before = syncs("fdatasync")
        for number in range(1, 51):
            publish(ch, name, [b"one at a time"])
            assert syncs("fdatasync") >= before + number
        before = syncs("fdatasync")
        publish(ch, name, [b"transient"] * 200, mode=1)
        assert syncs("fdatasync") - before < 200, "each waited for the disk"
