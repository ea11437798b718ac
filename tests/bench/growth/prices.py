"""List prices of AWS, to tell what a million requests cost."""

from typing import NamedTuple

AS_OF = "November 27, 2026"
REGION = "us-east-1"


class Price(NamedTuple):
    """``dollars`` for so many, which are one of ``measured_in``."""

    what: str
    dollars: float
    per: float
    measured_in: str

    def of(self, number: float) -> float:
        return number * self.dollars / self.per


PRICES = {
    "invocations": Price("Lambda, invocations", 0.20, 1e6, "million"),
    "gb_seconds": Price("Lambda, memory (arm64)", 0.0000133334, 1, "GB-second"),
    "queue_calls": Price("SQS, calls, with the surcharge of fair queues", 0.50, 1e6, "million"),
    "write_units": Price("DynamoDB, write units on demand", 0.625, 1e6, "million"),
    "read_units": Price("DynamoDB, read units on demand", 0.125, 1e6, "million"),
    "notifications": Price("SNS, begun 64 KB of published messages", 0.50, 1e6, "million"),
    "secret_reads": Price("Secrets Manager, calls", 0.05, 1e4, "ten thousand"),
    "log_bytes": Price("CloudWatch Logs, written", 0.50, 1e9, "GB"),
}
"""By the name of the figure that they are the price of. docs/explanation/costs.md says what they were compared with."""


def rows() -> list[list[str]]:
    return [
        ["price", "dollars", "for one"],
        *([each.what, f"{each.dollars:g}", each.measured_in] for each in PRICES.values()),
    ]
