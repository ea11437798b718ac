"""``plan`` and ``apply``: what they show, ask, send, and with which code they end."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.answers import BLOCKED, DIGEST, FAILED, NOTHING_TO_DO, plan_text, problem, settled, state
from tests.unit.cli.terminal import FakeStack

PLAN = "POST /v1/plans"
SUBMIT = "POST /v1/provisioning-requests"
READ = f"GET /v1/provisioning-requests/{state()['id']}"
APPLY = "apply --tenant acme --blueprint account --request-id signup-1"


def test_a_plan_with_steps_differs(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text()}
    ran = stack.run("plan --tenant acme --blueprint account --value name=Customer")
    assert ran.code == 7
    assert "acme\n  ~ update type Device\n" in ran.out
    assert ran.out.endswith("\n  3 steps.\n")
    assert json.loads(ran.asked[0].content) == {
        "blueprint": "account",
        "values": {"name": "Customer"},
        "tenant": "acme",
    }
    assert ran.asked[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")


def test_a_plan_without_steps_is_done(stack: FakeStack) -> None:
    stack.answers = {PLAN: NOTHING_TO_DO}
    ran = stack.run("plan -t acme -b account")
    assert (ran.code, ran.out) == (0, "acme\n    type Device is up to date\n\n  Nothing to do.\n")


@pytest.mark.parametrize("text", [BLOCKED, "! type Device exists, and if_exists is 'fail'\n"])
def test_a_blocked_or_rejected_plan_is_bad(stack: FakeStack, text: str) -> None:
    stack.answers = {PLAN: [NOTHING_TO_DO, plan_text(text, 0, int("blocked" in text)), plan_text()]}
    assert stack.run("plan -t acme -t globex -t initech -b account").code == 5


def test_a_plan_as_json_is_the_services_own(stack: FakeStack) -> None:
    document = {"digest": DIGEST, "types": [{"name": "Device", "blocked": []}], "steps": [{"action": "create type"}]}
    stack.answers = {PLAN: document}
    ran = stack.run("plan -t acme -b account --json")
    assert (ran.code, json.loads(ran.out)) == (7, {"tenant": "acme", **document})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("types.toml", '[custom_object_type]\nname = "Device"\nname_plural = "Devices"\n'),
        ("types.yaml", "custom_object_type: {name: Device, name_plural: Devices}\n"),
        ("types.json", '{"custom_object_type": {"name": "Device", "name_plural": "Devices"}}'),
        ("-", '{"custom_object_type": {"name": "Device", "name_plural": "Devices"}}'),
        ("-", '[custom_object_type]\nname = "Device"\nname_plural = "Devices"\n'),
        ("-", "custom_object_type:\n  name: Device\n  name_plural: Devices\n"),
    ],
)
def test_types_come_from_a_file_or_standard_input(stack: FakeStack, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "types").mkdir()
    path = tmp_path / "types" / name
    if name != "-":
        path.write_text(content)
    stack.answers = {PLAN: plan_text()}
    ran = stack.run(f"plan -t acme -f {name if name == '-' else path} --if-exists update", stdin=content)
    assert (ran.code, ran.err) == (7, "")
    assert json.loads(ran.asked[0].content) == {
        "custom_object_type": {"name": "Device", "name_plural": "Devices"},
        "if_exists": "update",
        "tenant": "acme",
    }


def test_a_file_of_a_blueprint_is_filled_before_it_is_deployed(stack: FakeStack, tmp_path: Path) -> None:
    blueprint = tmp_path / "new.toml"
    blueprint.write_text(
        'description = "d"\n[values.name]\ndescription = "The name"\ndefault = "Account"\n'
        '[values.plans]\ndescription = "The plans"\n[[custom_object_types]]\nname = "${name}"\n'
        'fields = [{name = "Plan of ${name}", choices = ["${plans}", "Other"]}]\n'
    )
    stack.answers = {PLAN: plan_text()}
    ran = stack.run(f"plan -f {blueprint} --value plans=Free --value plans=Pro")
    assert json.loads(ran.asked[0].content) == {
        "custom_object_types": [
            {"name": "Account", "fields": [{"name": "Plan of Account", "choices": ["Free", "Pro", "Other"]}]}
        ],
        "tenant": "default",
    }
    assert stack.run(f"plan -f {blueprint}").err == "The blueprint needs --value plans=…: The plans\n"
    assert "has no value 'x'; it has: name, plans" in stack.run(f"plan -f {blueprint} --value x=1").err
    several = stack.run(f"plan -f {blueprint} --value plans=A --value name=B --value name=C")
    assert (several.code, "must be one string here" in several.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("plan", "Give one of --file and --blueprint."),
        ("plan -b account -f x.toml", "Give one of --file and --blueprint."),
        ("plan -b account --value x", "--value 'x' is not NAME=VALUE."),
        ("plan -b account --if-exists replace", "--if-exists is 'replace': it must be one of adopt, update, fail."),
        ("plan -f missing.toml", "missing.toml cannot be read: No such file or directory."),
        (
            "plan -f -",
            "standard input names no types: it must have one of custom_object_type, custom_object_types, blueprint.",
        ),
        ("apply -b account -t a -t b --request-id x", "--request-id is for one tenant."),
    ],
)
def test_a_misuse_is_one_sentence(stack: FakeStack, line: str, reason: str) -> None:
    ran = stack.run(line)
    assert (ran.code, ran.out, ran.err, ran.asked) == (2, "", f"{reason}\n", [])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "", "a.txt ends in .txt: TOML, YAML or JSON is read (.toml, .yaml, .yml, .json)."),
        ("a.json", "{", "a.json is not valid JSON: Expecting property name"),
        ("a.yaml", "- x", "a.yaml is not a table of keys and values."),
        ("a.toml", "x = 1", "a.toml names no types: it must have one of custom_object_type, custom_object_types"),
    ],
)
def test_an_unusable_file_is_named(stack: FakeStack, tmp_path: Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    ran = stack.run(f"plan -f {tmp_path / name}")
    assert (ran.code, reason in ran.err.replace(f"{tmp_path}/", "")) == (2, True)


def test_an_applied_plan_is_followed_to_its_outcome(stack: FakeStack) -> None:
    waiting = state(pending_reason="Close's rate limit is exhausted")
    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state()), READ: [state(), waiting, settled()]}
    ran = stack.run(f"{APPLY} --yes")
    assert ran.code == 0
    assert ran.out.endswith(
        "✔ updated  acme/signup-1\n  updated     Device  cotype_Q450QlT3VJ8IQ7jQrkuU81\n"
        "      updated type Device\n      created field Bought\n"
    )
    assert ran.err == "acme/signup-1 waits: Close's rate limit is exhausted\n"
    submitted = next(each for each in ran.asked if each.url.path.endswith("provisioning-requests"))
    assert json.loads(submitted.content) == {
        "blueprint": "account",
        "tenant": "acme",
        "request_id": "signup-1",
        "plan_digest": DIGEST,
    }
    assert submitted.headers["prefer"] == "respond-async"


def test_nothing_to_apply_is_not_submitted(stack: FakeStack) -> None:
    stack.answers = {PLAN: NOTHING_TO_DO}
    ran = stack.run(f"{APPLY} --yes")
    assert (ran.code, len(ran.asked)) == (0, 1)


@pytest.mark.parametrize("key", ["n\n", "\n", ""])
def test_without_agreement_nothing_is_submitted(stack: FakeStack, key: str) -> None:
    stack.answers = {PLAN: plan_text()}
    ran = stack.run(APPLY, width=80, stdin=key)
    assert (ran.code, len(ran.asked)) == (130, 1)
    assert "Carry out 3 steps for acme? [y/N] ✖ Nothing was done." in ran.err


def test_agreement_is_asked_on_a_terminal_only(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state()), READ: settled()}
    assert stack.run(APPLY, width=80, stdin="y\n").code == 0
    ran = stack.run(APPLY, stdin="y\n")
    assert ran.code == 2
    assert "No terminal to ask on was found: give --yes" in ran.err


def test_a_failed_request_is_bad(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state()), READ: settled(**FAILED)}
    ran = stack.run(f"{APPLY} --yes")
    assert ran.code == 5
    assert "✖ failed  acme/signup-1\nThe Close plan of this organization allows no more types.\n" in ran.out


def test_the_outcome_as_json_is_the_services_own(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state()), READ: settled()}
    ran = stack.run(f"{APPLY} --yes --json")
    assert json.loads(ran.out) == settled()["outcome"]


def test_a_blocked_plan_is_not_submitted(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text(BLOCKED, 2, 1)}
    ran = stack.run(f"{APPLY} --yes")
    assert (ran.code, len(ran.asked)) == (5, 1)
    assert "The plan of acme is blocked: nothing was submitted." in ran.err


def test_the_first_failure_stops_the_other_tenants(stack: FakeStack) -> None:
    ids = {tenant: state("r", tenant)["id"] for tenant in ("acme", "globex")}
    stack.answers = {
        PLAN: plan_text(),
        SUBMIT: [(202, state("r", "acme")), (202, state("r", "globex"))],
        f"GET /v1/provisioning-requests/{ids['acme']}": settled("r", "acme"),
        f"GET /v1/provisioning-requests/{ids['globex']}": settled("r", "globex", **FAILED),
    }
    ran = stack.run("apply -t acme -t globex -t initech -t hooli -b account --yes")
    assert ran.code == 8
    assert ran.err == "globex failed. Not touched: initech, hooli. Run it again with --tenant for each.\n"


def test_a_request_that_does_not_settle_in_time_still_waits(stack: FakeStack) -> None:
    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state()), READ: state(pending_reason="Close is down")}
    ran = stack.run(f"{APPLY} --yes --timeout 20")
    assert ran.code == 6
    assert ran.err.splitlines()[-1] == (
        "acme/signup-1 still waits: Close is down. See it: close-provisioner requests show acme/signup-1"
    )


def test_ctrl_c_leaves_the_request_running(stack: FakeStack) -> None:
    def pressed(_seconds: float) -> None:
        raise KeyboardInterrupt

    stack.answers = {PLAN: plan_text(), SUBMIT: (202, state())}
    ran = stack.run(f"{APPLY} --yes", sleep=pressed)
    assert ran.code == 130
    assert ran.err == (
        "acme/signup-1 was submitted, and the service goes on with it. "
        "See it: close-provisioner requests show acme/signup-1\n"
    )


def test_a_problem_of_the_body_points_at_each_fault(stack: FakeStack) -> None:
    faults = [
        {"pointer": "/custom_object_type/name", "detail": "must not be empty"},
        {"pointer": "/values", "detail": "unknown"},
    ]
    stack.answers = {PLAN: (400, problem("invalid-request", 400, "The request has 2 faults.", errors=faults))}
    ran = stack.run("plan -t acme -b account")
    assert ran.code == 2
    assert ran.err == ("The request has 2 faults.\n  /custom_object_type/name: must not be empty\n  /values: unknown\n")
