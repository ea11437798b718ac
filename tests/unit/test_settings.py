"""The environment: complete and sound, or the function refuses to start."""

import pytest
from pydantic import ValidationError

from provisioner.settings import Settings

ENVIRONMENT = {
    "LEDGER_TABLE_NAME": "ledger",
    "PROVISIONING_QUEUE_URL": "https://queue",
    "DEAD_LETTER_QUEUE_URL": "https://dead",
    "EVENTS_DEAD_LETTER_QUEUE_URL": "https://dead-events",
    "OUTCOMES_TOPIC_ARN": "arn:topic",
    "TENANT_SECRET_PREFIX": "close-provisioner/tenants",
    "SOURCE_SECRET_PREFIX": "close-provisioner/sources",
    "TENANT_WAIT_DAYS": "3",
    "EVENT_SOURCE": "urn:close-provisioner",
    "CLOSE_API_URL": "https://api.close.com/api/v1/",
    "CLOSE_TIMEOUT_SECONDS": "20",
    "LIST_LAG_SECONDS": "60",
    "OBSERVATION_MAX_AGE_SECONDS": "60",
    "LEASE_SECONDS": "90",
    "FALLBACK_DELAY_SECONDS": "30",
    "WAIT_LIMIT_SECONDS": "21600",
    "MAX_RECEIVES": "5",
    "REQUEST_RETENTION_DAYS": "90",
}


def test_a_complete_environment() -> None:
    settings = Settings.from_env({**ENVIRONMENT, "PATH": "/bin"})

    assert settings.ledger_table_name == "ledger"
    assert (settings.close_timeout_seconds, settings.max_receives) == (20, 5)


def test_every_field_is_a_variable() -> None:
    assert {name.upper() for name in Settings.model_fields} == ENVIRONMENT.keys()


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_one_that_is_missing_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(ValidationError, match=name.lower()):
        Settings.from_env(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLOSE_TIMEOUT_SECONDS", "0"),
        ("CLOSE_TIMEOUT_SECONDS", "-1"),
        ("CLOSE_TIMEOUT_SECONDS", "soon"),
        ("CLOSE_TIMEOUT_SECONDS", ""),
        ("LIST_LAG_SECONDS", "-1"),
        ("LIST_LAG_SECONDS", "19.9"),
        ("LEASE_SECONDS", "0"),
        ("FALLBACK_DELAY_SECONDS", "901"),
        ("FALLBACK_DELAY_SECONDS", "1.5"),
        ("MAX_RECEIVES", "0"),
        ("REQUEST_RETENTION_DAYS", "14"),
        ("CLOSE_API_URL", ""),
        ("CLOSE_API_URL", "api.close.com"),
        ("CLOSE_API_URL", "http://api.close.com/api/v1/"),
        ("CLOSE_API_URL", "http://127.0.0.1.example.com/"),
        ("CLOSE_API_URL", "http://localhost@example.com/"),
        ("CLOSE_API_URL", "ftp://api.close.com/"),
    ],
)
def test_one_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        Settings.from_env({**ENVIRONMENT, name: value})


@pytest.mark.parametrize(
    ("value", "used"),
    [
        ("https://api.close.com/api/v1", "https://api.close.com/api/v1/"),
        ("http://127.0.0.1:8080/api/v1/", "http://127.0.0.1:8080/api/v1/"),
        ("http://localhost/api/v1/", "http://localhost/api/v1/"),
        ("http://[::1]:1/api/v1/", "http://[::1]:1/api/v1/"),
        ("HTTPS://api.close.com/", "HTTPS://api.close.com/"),
    ],
)
def test_close_is_spoken_to_in_secret_except_on_this_machine(value: str, used: str) -> None:
    assert Settings.from_env({**ENVIRONMENT, "CLOSE_API_URL": value}).close_api_url == used


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings.from_env(ENVIRONMENT), "max_receives", 7)  # noqa: B010 - the type checker refuses it, too


def test_hole_10_the_list_lag_may_be_shorter_for_a_close_on_this_machine_only() -> None:
    local = {"LIST_LAG_SECONDS": "0.5", "CLOSE_API_URL": "http://127.0.0.1:8080/api/v1/"}
    assert Settings.from_env({**ENVIRONMENT, **local}).list_lag_seconds == 0.5
    assert Settings.from_env({**ENVIRONMENT, "LIST_LAG_SECONDS": "20"}).list_lag_seconds == 20
    with pytest.raises(ValidationError, match="list_lag_seconds must be at least 20"):
        Settings.from_env({**ENVIRONMENT, "LIST_LAG_SECONDS": "0.5"})


@pytest.mark.parametrize(
    ("tenants", "sources"),
    [("close", "close"), ("close", "close/sources"), ("close/sources/tenants", "close/sources"), ("a/b", "a")],
)
def test_hole_10_no_prefix_of_secrets_contains_the_other(tenants: str, sources: str) -> None:
    with pytest.raises(ValidationError, match="tenant_secret_prefix and source_secret_prefix"):
        Settings.from_env({**ENVIRONMENT, "TENANT_SECRET_PREFIX": tenants, "SOURCE_SECRET_PREFIX": sources})


def test_prefixes_of_secrets_may_begin_alike() -> None:
    prefixes = {"TENANT_SECRET_PREFIX": "close", "SOURCE_SECRET_PREFIX": "close-sources"}
    assert Settings.from_env({**ENVIRONMENT, **prefixes}).source_secret_prefix == "close-sources"
