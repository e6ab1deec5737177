"""The kill tests' clients, which also note when they were told what: a cut's promises are those made before it."""
import time

from crash import AmqpProducer, KafkaCommitter, KafkaProducer, Ledger


class Times(dict):
    """When each thing was noted first, in ns of the clock that the recorder uses."""

    def add(self, thing):
        self.setdefault(thing, time.monotonic_ns())

    def update(self, things):
        for thing in things:
            self.add(thing)

    def before(self, cut: int) -> set:
        return {thing for thing, when in list(self.items()) if when < cut}


class ClockedLedger(Ledger):
    def __init__(self):
        super().__init__()
        self.deliveries, self.sendings, self.answers = Times(), Times(), Times()

    def deliver(self, body: bytes, redelivered: bool):
        self.deliveries.add(body)
        super().deliver(body, redelivered)

    def sent(self, bodies):
        self.sendings.update(bodies)
        super().sent(bodies)

    def answered(self, bodies):
        self.answers.update(bodies)
        super().answered(bodies)


class ClockedAmqpProducer(AmqpProducer):
    def __init__(self, address: str, exchange: str):
        super().__init__(address, exchange)
        self.confirmed = Times()


class ClockedKafkaProducer(KafkaProducer):
    """Keeps (number, offset) of what was confirmed."""

    def __init__(self, bootstrap: str, topic: str):
        super().__init__(bootstrap, topic)
        self.confirmed = Times()

    def _report(self, error, message):
        if error is None:
            self.confirmed.add((int(message.value()), message.offset()))
        super()._report(error, message)


class ClockedCommitter(KafkaCommitter):
    """Keeps each offset that it sent, and each that was answered."""

    def __init__(self, bootstrap: str, topic: str):
        self.sendings, self.answers = Times(), Times()
        super().__init__(bootstrap, topic)

    def __setattr__(self, name: str, value):
        if name == "sent":
            self.sendings.add(value)
        if name == "answered":
            self.answers.add(value)
        super().__setattr__(name, value)
