"""What one group of consumers has seen and settled, and what was wrong about it."""


class Ledger:
    def __init__(self):
        self.seen: set[bytes] = set()      # was delivered to us at least once
        self.settled: set[bytes] = set()   # the broker has answered for it
        self.uncertain: set[bytes] = set()  # settled, and the answer never came
        self.false_redelivered = 0
        self.wrong: list[str] = []

    def deliver(self, body: bytes, redelivered: bool):
        if body in self.settled:
            self.wrong.append(f"{body} came back although its settling was answered")
        if body in self.seen and not redelivered:
            self.wrong.append(f"{body} was delivered before, and does not say redelivered")
        if redelivered and body not in self.seen:
            self.false_redelivered += 1
        self.seen.add(body)

    def sent(self, bodies):
        self.uncertain.update(bodies)

    def answered(self, bodies):
        self.uncertain.difference_update(bodies)
        self.settled.update(bodies)
