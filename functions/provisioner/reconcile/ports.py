"""The interfaces that the use case requires of Close, the ledger and the topic."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.outcome import Outcome
from provisioner.ledger.history import CloseCall
from provisioner.ledger.lease import Lease, ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord, TenantRecord


class CloseReader(Protocol):
    """A reader of one tenant's organization. Lists are read at ``not_before`` (Unix seconds) or later.

    Every method raises ``Rejected``, ``Unavailable`` or ``RetryLater``.
    """

    @property
    def read_at(self) -> float:
        """When the oldest of its lists was read (Unix seconds); 0 before the first."""

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]: ...

    def fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def roles(self) -> Sequence[Role]: ...

    def type(self, close_id: str) -> CustomObjectType | None: ...

    def field(self, close_id: str, *, shared: bool) -> CustomField: ...


class Organization(CloseReader, Protocol):
    """One tenant's organization at Close. Each write is sent once, and raises ``OutcomeUnknown`` as well."""

    @property
    def pinned_id(self) -> str | None:
        """The id of the organization that the tenant's secret names, if it names one."""

    def prepare(self) -> None:
        """Have the credential ready. Raises ``Rejected`` when the tenant has none."""

    @property
    def calls(self) -> Sequence[CloseCall]:
        """The calls to Close since ``begin_calls``."""

    def begin_calls(self) -> Sequence[CloseCall]:
        """Begin a new list of calls to Close, and return it. It grows with each call."""

    def renew(self) -> bool:
        """Read the credential again. Return whether it is another one."""

    def identify(self) -> str:
        """Ask Close which organization the credential opens; return its id."""

    def expect(self, close_id: str) -> None:
        """From now on, listing the types raises ``Rejected`` if the credential opens another organization."""

    def verify(self) -> None:
        """Raise ``Rejected`` if the credential opens another organization than the expected one."""

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType: ...

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType: ...

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField: ...

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField: ...

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None: ...

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None: ...

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None: ...


class Ledger(Protocol):
    """The durable record of requests and resources. ledger/store.py documents each method."""

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease: ...

    def read(self, resource: ResourceKey) -> ResourceRecord: ...

    def find(self, request_key: str) -> RequestRecord | None: ...

    def begin(self, record: RequestRecord) -> Outcome | None: ...

    def unbegin(self, record: RequestRecord) -> None: ...

    def settle_unbegun(self, record: RequestRecord, outcome: Outcome) -> Outcome | None: ...

    def release(self, leases: Iterable[Lease]) -> None: ...

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        release: Sequence[Lease] = (),
        unchanged: Iterable[ResourceRecord | TenantRecord] = (),
    ) -> Outcome: ...

    def tenant(self, tenant: str) -> TenantRecord: ...

    def bind(self, known: TenantRecord, organization: str) -> TenantRecord: ...

    def pause_tenant(self, tenant: str, until: float) -> None: ...

    def paused_until(self, organization: str) -> float: ...

    def pause(self, organization: str, until: float) -> None: ...

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int: ...

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int: ...

    def mark_published(self, record: RequestRecord) -> None: ...


class Topic(Protocol):
    """The topic of outcomes. messaging/topic.py documents each method."""

    def publish(self, event_id: str, outcome: Outcome) -> None: ...

    def publish_type(self, event_id: str, outcome: Outcome) -> None: ...
