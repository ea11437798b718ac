"""``make key`` makes keys in the simulated Close, and says what is wrong if it cannot."""

import json
from pathlib import Path

import httpx

from infra.local.key import main
from infra.simulator import CloseSimulator


def key(state: Path, close_url: str, tenant: str) -> tuple[int, str]:
    (state / "stack.json").write_text(json.dumps({"close_url": close_url}))
    said: list[str] = []
    return main({"TENANT": tenant}, state, said.append), "\n".join(said)


def test_a_tenant_gets_a_key_that_close_accepts(tmp_path: Path) -> None:
    with CloseSimulator() as close:
        close.add_organization(id="orga_initech", name="Initech")
        for tenant in ("initech", "newco"):  # the second has no organization yet
            code, made = key(tmp_path, close.url, tenant)
            me = httpx.get(f"{close.api_url}me/", auth=(made, "")).json()
            assert (code, [each["id"] for each in me["organizations"]]) == (0, [f"orga_{tenant}"])


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    said: list[str] = []
    assert main({}, tmp_path, said.append) == 1
    assert "make run" in said[0]


def test_another_close_makes_its_own_keys(tmp_path: Path) -> None:
    code, said = key(tmp_path, "http://127.0.0.1:1", "acme")
    assert code == 1
    assert "Make the key there" in said
