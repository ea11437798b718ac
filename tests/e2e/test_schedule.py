"""The deployed sweeper finishes requests whose message was lost."""

import json
import time

from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.store import Ledger
from tests.e2e.world import Tenant, World


def test_a_request_whose_message_was_lost_is_finished(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    about = world.stack.description
    an_hour_ago = time.time() - 3600
    ledger = Ledger(world.stack.aws.client("dynamodb"), about.table_name, 90, 90, lambda: an_hour_ago)
    ledger.accept(ProvisioningRequest.model_validate_json(json.dumps(asked)))
    swept = world.stack.aws.client("lambda").invoke(FunctionName=about.functions["sweeper"].name)
    assert "FunctionError" not in swept
    assert json.load(swept["Payload"])["Unsettled"] >= 1
    assert world.outcome(asked).data["result"] == "created"
    assert world.type_names(tenant) == ["Project"]
