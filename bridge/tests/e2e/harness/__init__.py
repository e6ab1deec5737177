"""What the tests stand on: brokers as child processes, free ports, and waiting."""
from .brokers import RealKafka, RealRabbit
from .ports import free_port
from .standpipe import Standpipe, standpipe_bin
from .wait import until

__all__ = ["RealKafka", "RealRabbit", "Standpipe", "free_port", "standpipe_bin", "until"]
