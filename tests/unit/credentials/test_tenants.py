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
DELETED = [
    "You can't perform this operation on the secret because it was marked for deletion.",
    "You can't perform this operation on the secret because it was already scheduled for deletion.",
    "You tried to perform the operation on a secret that's currently marked deleted.",
]
"""In the words of Secrets Manager and of its stand-ins."""


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


FOREIGN = "the key begins like a secret of another service, not like a key of Close"
PRINTABLE = "it must be 1 to 4096 printable ASCII characters without spaces"


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
        ("text", "organization_id"),
        [
            (json.dumps(KEY), None),
            (f" {json.dumps(f' {KEY} ')}\n", None),
            (f"\ufeff{KEY}\r\n", None),
            (json.dumps({"api_key": f"{KEY}\n"}), None),
            (json.dumps({"api_key": f"\t{KEY}\u200b", "organization_id": " orga_1\n"}), "orga_1"),
            (json.dumps(json.dumps({"api_key": KEY, "organization_id": "orga_1"})), "orga_1"),
        ],
    )
    def test_field_5_a_pasted_key_is_used_without_what_surrounds_it(
        self, text: str, organization_id: str | None
    ) -> None:
        credential = parse_secret("acme", text)

        assert (credential.secret, credential.organization_id) == (KEY, organization_id)
        assert credential.authorization == "Basic YXBpXzFhWjkuMmJZOGNYNzo="

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "it is empty"),
            ("   ", "it is empty"),
            ("\ufeff", "it is empty"),
            ("s3cret key", PRINTABLE),
            ("s3cret\r\nX-Evil: 1", "it contains a line break or another control character"),
            ("s3crét", PRINTABLE),
            ("s3cret\x00", "it contains a line break or another control character"),
            ("s3cret" * 1000, PRINTABLE),
            ('{"api_key": "s3cret', "it starts with { but is not valid JSON"),
            ("{s3cret}", "it starts with { but is not valid JSON"),
            ("{" + '"a":{' * 100_000, "it starts with { but is not valid JSON"),
            ('"s3cret', "it starts with a quotation mark but is not valid JSON"),
            ("'s3cret'", "it has quotation marks around it"),
            ("“s3cret”", "it has quotation marks around it"),
            (json.dumps(json.dumps("s3cret")), "it has quotation marks around it"),
            ("Bearer s3cret", "it begins with Bearer, which belongs to the header"),
            ("authorization: basic s3cret", "it begins with Basic, which belongs to the header"),
            ("s3cret:", "the key contains a colon, which separates it from a password"),
            ("whsec_s3cret", FOREIGN),
            ('{"api_key": "sk_live_s3cret"}', FOREIGN),
            ('{"access_token": "api_s3cret.s3cret"}', "its access_token is an API key: store it as api_key"),
            ("{}", "it must contain either api_key or access_token"),
            ('{"key": "s3cret"}', "it must contain either api_key or access_token"),
            ('{"api_key": "s3cret", "access_token": "s3cret"}', "it must contain either api_key or access_token"),
            ('{"api_key": null}', "it must contain either api_key or access_token"),
            ('{"api_key": ""}', "its api_key is empty"),
            ('{"api_key": 7}', "its api_key is not a string"),
            ('{"api_key": ["s3cret"]}', "its api_key is not a string"),
            ('{"api_key": "s3cret s3cret"}', PRINTABLE.replace("it ", "its api_key ", 1)),
            ('{"api_key": "\\"s3cret\\""}', "its api_key has quotation marks around it"),
            ('{"api_key": "s3cret\\ud800"}', "its api_key contains a line break or another control character"),
            ('{"access_token": "bearer s3cret"}', "its access_token begins with Bearer, which belongs to the header"),
            ('{"api_key": "s3cret", "organization_id": ""}', "its organization_id is empty"),
            ('{"api_key": "s3cret", "organization_id": 7}', "its organization_id is not a string"),
            ('{"api_key": "s3cret", "organization_id": "\'o\'"}', "its organization_id has quotation marks around it"),
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
    @pytest.mark.parametrize("message", DELETED)
    def test_field_17_a_secret_that_is_marked_for_deletion_is_missing(
        self, tenants: Tenants, secrets: MemorySecrets, clock: Clock, message: str
    ) -> None:
        first = tenants.credential("acme")
        secrets.fails = ClientError(
            {"Error": {"Code": "InvalidRequestException", "Message": message}}, "GetSecretValue"
        )
        clock.advance(TTL_SECONDS + 1)
        with pytest.raises(Rejected) as caught:
            tenants.credential("acme")
        assert caught.value.kind is ProblemType.TENANT_NOT_FOUND

        secrets.fails = None  # restored: the requests that wait for it resume at once
        assert tenants.credential("acme") == first

    @pytest.mark.parametrize("message", ["the KMS key arn:aws:kms:… is pending deletion", "", "another state"])
    def test_field_17_another_forbidden_state_is_unreadable(
        self, tenants: Tenants, secrets: MemorySecrets, message: str
    ) -> None:
        secrets.fails = ClientError(
            {"Error": {"Code": "InvalidRequestException", "Message": message}}, "GetSecretValue"
        )
        with pytest.raises(Rejected) as caught:
            tenants.credential("acme")
        assert caught.value.kind is ProblemType.CREDENTIAL_UNREADABLE

    def test_field_18_a_tenant_with_a_colon_is_refused_without_a_read(
        self, tenants: Tenants, secrets: MemorySecrets
    ) -> None:
        with pytest.raises(Rejected) as caught:
            tenants.credential("acme:eu")
        assert caught.value.kind is ProblemType.TENANT_NOT_FOUND
        assert "the name of a secret must not contain a colon" in str(caught.value)
        assert secrets.reads == 0

    def test_the_last_readable_credential_is_served_while_access_is_denied(
        self, tenants: Tenants, secrets: MemorySecrets, clock: Clock
    ) -> None:
        first = tenants.credential("acme")
        secrets.fails = client_error("AccessDeniedException")
        clock.advance(STALE_IF_ERROR_SECONDS - 1)
        assert tenants.credential("acme") == first
        clock.advance(2)
        with pytest.raises(Rejected):
            tenants.credential("acme")

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
