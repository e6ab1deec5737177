"""Load for the kill tests: what each client was promised, and whether it was kept."""
from .bystander import Bystander
from .consumers import AmqpWorker, GrpcWorker, KafkaCommitter
from .ledger import Ledger
from .producers import AmqpProducer, KafkaProducer

__all__ = ["AmqpProducer", "AmqpWorker", "Bystander", "GrpcWorker", "KafkaCommitter", "KafkaProducer", "Ledger"]
