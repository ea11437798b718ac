"""Publish the types of an unresolved request that are known now."""

from provisioner.contract.outcome import Outcome, type_key
from provisioner.contract.text import natural_key
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.ports import Topic


def publish_types(topic: Topic, record: RequestRecord, outcome: Outcome) -> None:
    """Publish an event for each type of the outcome that has an id."""
    for each in outcome.types:
        if each.id:
            key = type_key(record.tenant, record.request_id, natural_key(each.name), each.id)
            topic.publish_type(key, outcome.model_copy(update={"types": (each,)}).asked_by(record.requester))
