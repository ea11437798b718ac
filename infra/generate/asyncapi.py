"""The queue and the topic as an AsyncAPI 3.0 document."""

from infra.generate.schemas import Document, components, ref
from provisioner import __version__
from provisioner.messaging.topic import CONTENT_TYPE


def asyncapi() -> Document:
    """Return the document of infra/asyncapi.yaml."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Close Provisioner", "version": __version__, "license": {"name": "MIT"}},
        "defaultContentType": "application/json",
        "channels": {
            "provisioningQueue": {
                "address": "ProvisioningQueue",
                "description": "An SQS standard queue. request_id defaults to the message id.",
                "messages": {"request": {"$ref": "#/components/messages/request"}},
            },
            "outcomes": {
                "address": "OutcomesTopic",
                "description": "An SNS standard topic. Each outcome arrives at least once, always under the same id.",
                "messages": {"outcome": {"$ref": "#/components/messages/outcome"}},
            },
        },
        "operations": {
            "receiveRequest": {"action": "receive", "channel": {"$ref": "#/channels/provisioningQueue"}},
            "publishOutcome": {"action": "send", "channel": {"$ref": "#/channels/outcomes"}},
        },
        "components": {
            "messages": {
                "request": {"payload": ref("ProvisioningRequest")},
                "outcome": {"contentType": CONTENT_TYPE, "headers": _ATTRIBUTES, "payload": ref("CloudEvent")},
            },
            "schemas": components() | {"CloudEvent": _CLOUD_EVENT},
        },
    }


_EVENT_TYPES = [
    "close-provisioner.provisioning.succeeded",
    "close-provisioner.provisioning.failed",
    "close-provisioner.provisioning.unresolved",
    "close-provisioner.type.resolved",
]
_ATTRIBUTES = {
    "type": "object",
    "description": "SNS message attributes, for subscription filters.",
    "properties": {
        "type": {"enum": _EVENT_TYPES},
        "source": {"type": "string"},
        "tenant": {"type": "string"},
        "result": {"$ref": "#/components/schemas/Result"},
        "content_type": {"const": CONTENT_TYPE},
    },
}
_CLOUD_EVENT = {
    "type": "object",
    "description": "CloudEvents 1.0, structured JSON.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string",
            "description": "Derived from tenant and request id: the same for every delivery of an outcome.",
        },
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"enum": _EVENT_TYPES},
        "subject": {"type": "string", "description": "tenant/request_id"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"$ref": "#/components/schemas/Outcome"},
    },
}
