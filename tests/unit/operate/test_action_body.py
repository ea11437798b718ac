"""The bodies of operators' actions."""

import json

import pytest

from provisioner.contract.errors import Rejected
from provisioner.operate.action_body import action_body
from provisioner.operate.call import Call


@pytest.mark.parametrize(
    ("name", "pointer"), [("a/b~c", "/a~1b~0c"), ("\ud800", r"/\ud800"), ("k" * 100_000, "/" + "k" * 60)]
)
def test_an_unknown_key_is_pointed_to(name: str, pointer: str) -> None:
    with pytest.raises(Rejected) as caught:
        action_body(Call({}, {}, "arn", lambda: 60, json.dumps({name: 1}).encode()))
    [fault] = caught.value.problem.errors
    assert fault.pointer == pointer
