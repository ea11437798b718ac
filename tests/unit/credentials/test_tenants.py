"""Credentials: the content of a secret, how long it is cached, and that it is never shown."""

import json
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from provisioner.contract.errors import ProblemType, Rejected, Unavailable
from provisioner.credentials.cache import JITTER, STALE_IF_ERROR_SECONDS, TTL_SECONDS
from provisioner.credentials.tenants import Tenants, parse_secret
from tests.fakes import Clock

KEY = "api_1aZ9.2bY8cX7"


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"about {KEY}"}}, "GetSecretValue")


class MemorySecrets:
    """Secrets Manager: secrets by name; ``fails`` is raised instead, if it is set."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = {f"prefix/{name}": text for name, text in secrets.items()}
        self.fails: Exception | None = None
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - the SDK's spelling
        self.reads += 1
        if self.fails:
            raise self.fails
        if SecretId not in self.secrets:
            raise client_error("ResourceNotFoundException")
        return {"Name": SecretId, "SecretString": self.secrets[SecretId]}


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets(acme=KEY, globex="api_other.secret")


@pytest.fixture
def tenants(secrets: MemorySecrets, clock: Clock) -> Tenants:
    return Tenants.of(secrets, "prefix", clock)


class TestWhatASecretHolds:
    @pytest.mark.parametrize(
        ("text", "authorization", "organization_id"),
        [
            (KEY, "Basic YXBpXzFhWjkuMmJZOGNYNzo=", None),
            (f" {KEY}\n", "Basic YXBpXzFhWjkuMmJZOGNYNzo=", None),
            (json.dumps({"api_key": KEY}), "Basic YXBpXzFhWjkuMmJZOGNYNzo=", None),
            (json.dumps({"api_key": KEY, "organization_id": "orga_1"}), "Basic YXBpXzFhWjkuMmJZOGNYNzo=", "orga_1"),
            (json.dumps({"access_token": "tok+/=="}), "Bearer tok+/==", None),
            (json.dumps({"access_token": "tok", "organization_id": "orga_1"}), "Bearer tok", "orga_1"),
            (json.dumps({"access_token": "tok", "api_key": None, "organization_id": None}), "Bearer tok", None),
            (json.dumps({"api_key": KEY, "note": "whatever"}), "Basic YXBpXzFhWjkuMmJZOGNYNzo=", None),
        ],
    )
    def test_a_valid_secret_is_parsed(self, text: str, authorization: str, organization_id: str | None) -> None:
        credential = parse_secret("acme", text)

        assert (credential.authorization, credential.organization_id) == (authorization, organization_id)
        assert credential.secret in {KEY, "tok", "tok+/=="}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("   ", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("s3cret key", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("s3cret\r\nX-Evil: 1", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("s3crét", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("s3cret\x00", "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ("s3cret" * 1000, "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ('{"api_key": "s3cret', "it starts with { but is not valid JSON"),
            ("{s3cret}", "it starts with { but is not valid JSON"),
            ("{}", "it must contain either api_key or access_token"),
            ('{"key": "s3cret"}', "it must contain either api_key or access_token"),
            ('{"api_key": "s3cret", "access_token": "s3cret"}', "it must contain either api_key or access_token"),
            ('{"api_key": null}', "it must contain either api_key or access_token"),
            ('{"api_key": ""}', "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ('{"api_key": 7}', "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ('{"api_key": ["s3cret"]}', "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ('{"api_key": "s3cret\\n"}', "its key must be 1 to 4096 printable ASCII characters without spaces"),
            ('{"api_key": "s3cret", "organization_id": ""}', "its organization_id must be a non-empty string"),
            ('{"api_key": "s3cret", "organization_id": 7}', "its organization_id must be a non-empty string"),
        ],
    )
    def test_silent_an_invalid_secret_is_rejected_and_not_shown(self, text: str, reason: str) -> None:
        with pytest.raises(Rejected) as caught:
            parse_secret("acme", text)

        rejection = caught.value
        assert rejection.kind is ProblemType.CREDENTIAL_UNREADABLE
        assert str(rejection) == (
            f"The credential stored for tenant 'acme' cannot be used: {reason}. "
            "Ask the operator of this service to fix the secret."
        )
        shown = "".join(traceback.format_exception(rejection)) + repr(rejection) + rejection.problem.model_dump_json()
        assert "s3c" not in shown


class TestCache:
    def test_a_fresh_secret_is_read_once(self, tenants: Tenants, secrets: MemorySecrets, clock: Clock) -> None:
        first = tenants.credential("acme")
        secrets.secrets["prefix/acme"] = "rotated"
        clock.advance(TTL_SECONDS * (1 - JITTER) - 1)

        assert tenants.credential("acme") == first
        assert secrets.reads == 1

    def test_a_rotated_key_is_noticed_within_its_time(
        self, tenants: Tenants, secrets: MemorySecrets, clock: Clock
    ) -> None:
        tenants.credential("acme")
        secrets.secrets["prefix/acme"] = "rotated"
        clock.advance(TTL_SECONDS + 1)

        assert tenants.credential("acme").secret == "rotated"

    def test_secrets_expire_at_different_times(self, clock: Clock) -> None:
        names = {f"t{number}": KEY for number in range(50)}
        secrets = MemorySecrets(**names)
        tenants = Tenants.of(secrets, "prefix", clock)
        for name in names:
            tenants.credential(name)
        clock.advance(TTL_SECONDS * (1 - JITTER / 2))
        for name in names:
            tenants.credential(name)

        assert 50 < secrets.reads < 100

    def test_apart_each_tenant_has_its_own_credential(self, tenants: Tenants) -> None:
        assert tenants.credential("acme").secret == KEY
        assert tenants.credential("globex").secret == "api_other.secret"
        assert tenants.credential("acme").secret == KEY

    def test_a_rejected_credential_is_read_again(self, tenants: Tenants, secrets: MemorySecrets) -> None:
        rejected = tenants.credential("acme")
        secrets.secrets["prefix/acme"] = "rotated"

        assert tenants.credential("acme", rejected).secret == "rotated"
        assert tenants.credential("acme").secret == "rotated"

    def test_a_credential_renewed_by_another_thread_is_not_read_again(
        self, tenants: Tenants, secrets: MemorySecrets
    ) -> None:
        rejected = tenants.credential("acme")
        secrets.secrets["prefix/acme"] = "rotated"
        tenants.credential("acme", rejected)

        assert tenants.credential("acme", rejected).secret == "rotated"
        assert secrets.reads == 2

    def test_a_rejected_credential_that_did_not_change_is_final(self, tenants: Tenants) -> None:
        rejected = tenants.credential("acme")

        assert tenants.credential("acme", rejected) == rejected

    @pytest.mark.parametrize(
        "failure",
        [client_error("InternalServiceError"), client_error("ThrottlingException"), ReadTimeoutError(endpoint_url="x")],
    )
    def test_a_stale_credential_is_served_for_a_bounded_time(
        self, tenants: Tenants, secrets: MemorySecrets, clock: Clock, failure: Exception
    ) -> None:
        first = tenants.credential("acme")
        secrets.fails = failure
        clock.advance(STALE_IF_ERROR_SECONDS - 1)
        assert tenants.credential("acme") == first

        clock.advance(2)
        with pytest.raises(Unavailable):
            tenants.credential("acme")

        secrets.fails = None
        assert tenants.credential("acme") == first

    def test_a_rejected_credential_is_not_served_stale(self, tenants: Tenants, secrets: MemorySecrets) -> None:
        rejected = tenants.credential("acme")
        secrets.fails = client_error("InternalServiceError")

        with pytest.raises(Unavailable):
            tenants.credential("acme", rejected)

    def test_a_failure_of_secrets_manager_is_raised_without_a_cached_value(
        self, tenants: Tenants, secrets: MemorySecrets
    ) -> None:
        secrets.fails = client_error("InternalServiceError")

        with pytest.raises(Unavailable, match="could not be read: InternalServiceError"):
            tenants.credential("acme")

    def test_a_deleted_tenant_is_forgotten(self, tenants: Tenants, secrets: MemorySecrets, clock: Clock) -> None:
        tenants.credential("acme")
        del secrets.secrets["prefix/acme"]
        clock.advance(TTL_SECONDS + 1)
        with pytest.raises(Rejected):
            tenants.credential("acme")

        secrets.fails = client_error("InternalServiceError")
        with pytest.raises(Unavailable):
            tenants.credential("acme")


class TestNoCredential:
    @pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException", "InvalidParameterException"])
    def test_an_unknown_tenant_is_rejected(self, tenants: Tenants, secrets: MemorySecrets, code: str) -> None:
        secrets.fails = client_error(code)

        with pytest.raises(Rejected) as caught:
            tenants.credential("initech")

        assert (caught.value.kind, str(caught.value)) == (
            ProblemType.TENANT_NOT_FOUND,
            "Tenant 'initech' has no credential. Ask the operator of this service to store one.",
        )
        assert "prefix" not in caught.value.problem.model_dump_json()

    @pytest.mark.parametrize("code", ["InvalidRequestException", "AccessDeniedException", "DecryptionFailure"])
    def test_an_access_denied_error_is_rejected(self, tenants: Tenants, secrets: MemorySecrets, code: str) -> None:
        secrets.fails = client_error(code)

        with pytest.raises(Rejected) as caught:
            tenants.credential("acme")

        assert caught.value.kind is ProblemType.CREDENTIAL_UNREADABLE

    def test_a_binary_secret_is_rejected(self, clock: Clock) -> None:
        class Binary:
            def get_secret_value(self, **_: str) -> dict[str, bytes]:
                return {"SecretBinary": b"s3cret"}

        with pytest.raises(Rejected) as caught:
            Tenants.of(Binary(), "prefix", clock).credential("acme")

        assert caught.value.kind is ProblemType.CREDENTIAL_UNREADABLE

    def test_silent_no_failure_shows_secret_or_its_name(self, tenants: Tenants, secrets: MemorySecrets) -> None:
        for code in ("ResourceNotFoundException", "AccessDeniedException", "InternalServiceError"):
            secrets.fails = client_error(code)
            with pytest.raises((Rejected, Unavailable)) as caught:
                tenants.credential("acme")
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
            assert KEY not in shown
            assert "prefix/" not in shown

    def test_silent_the_cache_hides_its_values(self, tenants: Tenants) -> None:
        tenants.credential("acme")

        assert KEY not in repr(tenants)
