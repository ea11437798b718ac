"""``make key`` and ``make allow`` change the simulated Close, and say what is wrong if they cannot."""

import json
from pathlib import Path

import httpx

from infra.local import close_administrator
from infra.simulator import CloseSimulator


def run(command: str, state: Path, close_url: str, tenant: str) -> tuple[int, str]:
    (state / "stack.json").write_text(json.dumps({"close_url": close_url}))
    said: list[str] = []
    return getattr(close_administrator, command)({"TENANT": tenant}, state, said.append), "\n".join(said)


def test_a_tenant_gets_a_key_that_close_accepts(tmp_path: Path) -> None:
    with CloseSimulator() as close:
        close.add_organization(id="orga_initech", name="Initech")
        for tenant in ("initech", "newco"):  # the second has no organization yet
            code, made = run("key", tmp_path, close.url, tenant)
            me = httpx.get(f"{close.api_url}me/", auth=(made, "")).json()
            assert (code, [each["id"] for each in me["organizations"]]) == (0, [f"orga_{tenant}"])


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    said: list[str] = []
    assert close_administrator.key({}, tmp_path, said.append) == 1
    assert "make run" in said[0]


def test_another_close_makes_its_own_keys(tmp_path: Path) -> None:
    for command in ("key", "allow"):
        code, said = run(command, tmp_path, "http://127.0.0.1:1", "acme")
        assert code == 1
        assert "Make the change there" in said


def test_an_organization_without_plan_and_permission_gets_both(tmp_path: Path) -> None:
    with CloseSimulator() as close:
        close.add_organization(id="orga_hooli", name="Hooli", keys=["api_h.1"], max_types=0, may_customize=False)

        def create() -> int:
            body = {"name": "Box", "name_plural": "Boxes"}
            return httpx.post(f"{close.api_url}custom_object_type/", json=body, auth=("api_h.1", "")).status_code

        assert create() == 403
        assert run("allow", tmp_path, close.url, "hooli")[0] == 0
        assert create() == 201
        code, said = run("allow", tmp_path, close.url, "unknown")
        assert (code, "no organization of tenant 'unknown'" in said) == (1, True)
