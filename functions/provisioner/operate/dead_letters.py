"""Dead-letter messages: list them by cause, send again what can succeed, and drop the rest, each action recorded."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from provisioner.contract.errors import ErrorDetail
from provisioner.contract.faults import invalid
from provisioner.ledger.store import Ledger
from provisioner.messaging.dead_letters import DeadLetter, DeadLetterQueues
from provisioner.messaging.queue import Queue
from provisioner.operate.action_body import action_body, flag_in, reason_in, texts_in
from provisioner.operate.audit import Audit
from provisioner.operate.call import Answer, Call
from provisioner.operate.dead_letter_causes import Cause, Judged, as_json, judge
from provisioner.operate.request_pages import rfc3339

MAX_IDS = 300
PUT_BACK_SECONDS = 6  # left to put messages back, when sending ends for lack of time


class Selection(NamedTuple):
    """The dead-letter messages that an action is for: by id, by cause, or all of them."""

    ids: Sequence[str] = ()
    cause: Cause | None = None
    all: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Selection":
        """Read it from the body of a call. Raises ``Rejected`` unless it has exactly one kind."""
        cause = body.get("cause")
        if cause is not None and cause not in set(Cause):
            invalid(ErrorDetail(pointer="/cause", detail=f"must be one of {', '.join(Cause)}"))
        found = cls(
            texts_in(body, "ids", MAX_IDS), Cause(cause) if cause else None, flag_in(body, "all", default=False)
        )
        if sum(map(bool, found)) != 1:
            invalid(ErrorDetail(pointer="", detail="must have exactly one of ids, cause, and all: true"))
        return found

    def takes(self, judged: Judged) -> bool:
        return self.all or judged.message.id in self.ids or judged.cause is self.cause

    def __str__(self) -> str:
        if self.ids:
            return ", ".join(self.ids)
        return f"cause {self.cause}" if self.cause else "all"


class DeadLetters(NamedTuple):
    """The dead-letter messages of the service. ``handle_event`` gives an event to the code of the events function."""

    queues: DeadLetterQueues
    queue: Queue
    ledger: Ledger
    handle_event: Callable[[Mapping[str, Any]], None]
    audit: Audit

    def page(self, call: Call) -> Answer:
        """Return the dead-letter messages, the oldest first, and how many have which cause."""
        with self.queues.held(call.time_left) as messages:
            judged = [judge(each, self.ledger.find) for each in messages.values()]
        causes = Counter(each.cause for each in judged)
        data = [as_json(each, rfc3339(each.message.first_seen)) for each in judged]
        return {"data": data, "causes": dict(sorted(causes.items()))}

    def redrive(self, call: Call) -> Answer:
        """Send the selected dead-letter messages again if they can succeed, and keep the others."""
        body = action_body(call, "ids", "cause", "all")
        return self._act(call, "redrive dead-letter messages", Selection.of(body), reason_in(body), self._redrive_one)

    def drop(self, call: Call) -> Answer:
        """Delete the selected dead-letter messages for good. They are named: none is dropped by its cause."""
        body = action_body(call, "ids")
        return self._act(
            call, "drop dead-letter messages", Selection.of(body), reason_in(body, required=True), lambda _: True
        )

    def _act(
        self, call: Call, action: str, selection: Selection, reason: str | None, act: Callable[[Judged], bool]
    ) -> Answer:
        with (
            self.audit.recorded(call, action, str(selection), reason) as recorded,
            self.queues.held(call.time_left) as messages,
        ):
            done: list[str] = []
            kept: list[Answer] = []
            for judged in self._selected(messages.values(), selection):
                if fault := self._fault(call, judged, act):
                    kept.append({"id": judged.message.id, "cause": judged.cause, "reason": fault})
                    continue
                self.queues.delete(messages.pop(judged.message.id))
                done.append(judged.message.id)
            missing = sorted({*selection.ids} - {*done, *(each["id"] for each in kept)})
            recorded.result = f"{len(done)} done, {len(kept)} kept, {len(missing)} not found: {', '.join(done)}"
        return {"done": done, "kept": kept, "missing": missing}

    def _selected(self, messages: Iterable[DeadLetter], selection: Selection) -> list[Judged]:
        judged = (judge(each, self.ledger.find) for each in messages)
        return [each for each in judged if selection.takes(each)]

    def _fault(self, call: Call, judged: Judged, act: Callable[[Judged], bool]) -> str | None:
        """Act on the dead-letter message, or return why it is kept. One that fails leaves the others alone."""
        if call.time_left() < PUT_BACK_SECONDS:
            return "The function has too little time left. Repeat the call for the rest."
        try:
            return None if act(judged) else judged.reason
        except Exception as error:  # noqa: BLE001 - of any kind: it is kept
            return f"It could not be sent again ({type(error).__name__})."

    def _redrive_one(self, judged: Judged) -> bool:
        """Send it again, before it is deleted: a crash in between sends it twice, which changes nothing."""
        if not judged.is_redrivable:
            return False
        if judged.event is not None:
            self.handle_event(judged.event)
        elif judged.request is not None:
            record = self.ledger.find(judged.request.id)
            self.queue.send(judged.message.body, judged.request.tenant, record.deferrals if record else 0)
        return True
