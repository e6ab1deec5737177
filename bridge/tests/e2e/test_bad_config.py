"""A wrong configuration or command line is refused, with the value and what is known."""
import subprocess

import pytest

from harness import standpipe_bin

CONFIGS = {
    "unknown key": ('[listen]\namqpp = "127.0.0.1:0"\n', ["2", "amqpp", "amqp"]),
    "unknown scheme": ('[[route]]\nname = "r"\nfrom = "kafak://127.0.0.1/x"\nto = "standpipe:///y"\n', ["3", "kafak", "kafka"]),
    "unknown option": ('[[route]]\nname = "r"\nfrom = "kafka://127.0.0.1/x?grup=1"\nto = "standpipe:///y"\n',
                       ["3", "grup", "group"]),
    "unknown step": ('[[route]]\nname = "r"\nfrom = "standpipe:///x"\nto = "standpipe:///y"\ntransform = [{dropp = ["a"]}]\n',
                     ["5", "dropp", "drop"]),
    "not TOML": ("[[route\n", ["1"]),
}


@pytest.mark.parametrize("case", CONFIGS)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_wrong_configuration_is_refused_with_line_value_and_what_is_known(tmp_path, command, case):
    text, expected = CONFIGS[case]
    file = tmp_path / "standpipe.toml"
    file.write_text(text)
    args = ["check", file] if command == "check" else ["serve", "--config", file, "--ephemeral"]
    done = subprocess.run([standpipe_bin(), *map(str, args)], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    assert done.returncode == 78, done
    said = done.stderr.decode()
    assert all(word in said for word in expected), said
    assert done.stdout == b""


WRONG_WORDS = {
    "scheme": (["sub", "kafak://127.0.0.1/x"], ["kafak", "amqp", "grpc", "kafka", "standpipe"]),
    "option": (["sub", "kafka://127.0.0.1/x?grup=1"], ["grup", "group"]),
    "subcommand": (["serv"], ["serv", "serve"]),
    "flag": (["serve", "--dta", "x"], ["--dta", "--data"]),
    "address": (["pub", "nonsense"], ["nonsense"]),
    "no address": (["pub"], ["ADDRESS"]),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_command_line_is_64(case):
    args, expected = WRONG_WORDS[case]
    done = subprocess.run([standpipe_bin(), *args], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (64, b""), done
    assert all(word in done.stderr.decode() for word in expected), done.stderr.decode()


def test_every_listener_refuses_to_bind_beyond_loopback(tmp_path):
    for listener in ("amqp", "kafka", "grpc", "native"):
        done = subprocess.run([standpipe_bin(), "serve", "--data", tmp_path / "data", f"--{listener}", "0.0.0.0:0"],
                              capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.returncode != 0 and b"--insecure" in done.stderr, done
