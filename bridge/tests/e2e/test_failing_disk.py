"""A disk whose syncs fail: what they covered is not confirmed, and the broker goes on, or says that it cannot."""
import subprocess

import pytest

from harness import Standpipe, until

# Stands before libc's own: fails once for each time that the file `once` is made, and while `always` is there.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
    const char *once = getenv("SHIM_ONCE"), *always = getenv("SHIM_ALWAYS");
    if ((once && unlink(once) == 0) || (always && access(always, F_OK) == 0)) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return real(fd);
}
"""


@pytest.fixture
def failing(tmp_path):
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    env = {"LD_PRELOAD": str(shim), "SHIM_ONCE": str(tmp_path / "once"), "SHIM_ALWAYS": str(tmp_path / "always")}
    broker = Standpipe(tmp_path / "log", data=tmp_path / "data", env=env).start()
    broker.env.pop("LD_PRELOAD")  # the other subcommands sync nothing
    yield broker
    if broker.alive():
        broker.stop()


def publish(broker, line: bytes):
    done = broker.run("pub", "--lines", broker.url("standpipe", "orders"), stdin=line)
    assert done.returncode == 0, done.stderr.decode()


def test_after_a_failed_sync_the_store_is_opened_again_and_nothing_confirmed_is_gone(failing, tmp_path):
    for number in range(3):
        publish(failing, b"before-%d\n" % number)
        (tmp_path / "once").touch()
        publish(failing, b"after-%d\n" % number)  # refused once, and sent again by `pub`
        until("the sync has failed", lambda: not (tmp_path / "once").exists())
        until("it says so", lambda: (tmp_path / "log").read_text().count("is open again") == number + 1)
    done = failing.run("sub", failing.url("standpipe", "orders"), "--drain", "--lines")
    assert done.returncode == 0, done.stderr.decode()
    want = {f"{when}-{number}" for when in ("before", "after") for number in range(3)}
    assert set(done.stdout.decode().split()) == want
    log = (tmp_path / "log").read_text()
    assert "cannot sync" in log and "Input/output error" in log


def test_a_disk_that_fails_again_and_again_ends_the_server_with_74(failing, tmp_path):
    publish(failing, b"kept\n")
    (tmp_path / "always").touch()
    sent = subprocess.Popen(
        failing_pub(failing), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        sent.stdin.write(b"never confirmed\n")
        sent.stdin.close()
        assert failing.process.wait(60) == 74, failing.tail()
        assert sent.poll() != 0
    finally:
        sent.kill()
        sent.wait()
    assert "5 times within 60 seconds" in failing.tail()
    failing._close_pipes()
    (tmp_path / "always").unlink()
    failing.start()
    done = failing.run("sub", failing.url("standpipe", "orders"), "--drain", "--lines")
    assert b"kept\n" in done.stdout


def failing_pub(broker) -> list[str]:
    return [broker.command()[0], "pub", "--lines", broker.url("standpipe", "orders")]
