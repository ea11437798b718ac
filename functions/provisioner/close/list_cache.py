"""A write-through cache of one organization's lists, for one batch of one tenant's requests.

Each list is read once, and again only when a caller needs a newer one or the credential changes. The writes of this
service change the cached lists too, so that the next request of the batch plans from the present state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.close.client import FIELDS, ROLES, SHARED_FIELDS, CloseApi
from provisioner.close.models import CloseModel, CustomField, CustomObjectType, Role
from provisioner.close.transport import TYPES
from provisioner.contract.errors import ProblemType, Rejected, RetryLater


@dataclass(slots=True)
class _CachedList[Row: CloseModel]:
    """A list, with the writes since it was read. ``read_at``: Unix seconds; None before the first read."""

    model: type[Row]
    path: str
    rows: dict[str, Row] = field(default_factory=dict)
    read_at: float | None = None

    def keep(self, row: Row) -> Row:
        if self.read_at is not None:
            self.rows[row.id] = row
        return row


@dataclass(slots=True)
class Organization:
    """One organization and its cached lists. Not to be shared between threads.

    Methods raise the errors of ``CloseApi``.
    """

    api: CloseApi
    _types: _CachedList[CustomObjectType] = field(default_factory=lambda: _CachedList(CustomObjectType, TYPES))
    _fields: _CachedList[CustomField] = field(default_factory=lambda: _CachedList(CustomField, FIELDS))
    _shared: _CachedList[CustomField] = field(default_factory=lambda: _CachedList(CustomField, SHARED_FIELDS))
    _roles: _CachedList[Role] = field(default_factory=lambda: _CachedList(Role, ROLES))
    _read_with_generation: int = 0
    _expected_id: str | None = None
    _opened_ids: frozenset[str] = frozenset()  # organizations that the credential opens, as far as that is known

    def prepare(self) -> None:
        """Load the credential. Raises the errors of ``Connection.prepare``."""
        self.api.connection.prepare()

    @property
    def calls(self) -> Sequence[tuple[str, str, int | None, int, str | None]]:
        """The calls to Close since ``begin_calls``."""
        return self.api.connection.calls

    def begin_calls(self) -> Sequence[tuple[str, str, int | None, int, str | None]]:
        """Begin a new list of calls to Close, and return it. It grows with each call (see ``Connection.calls``)."""
        return self.api.connection.begin_calls()

    # --- which organization it is

    @property
    def pinned_id(self) -> str | None:
        """The id of the organization that the tenant's secret names, if it names one."""
        return self.api.connection.pinned_organization

    def renew(self) -> bool:
        """Load the credential again. Return whether it is another one."""
        return self.api.connection.renew()

    def expect(self, close_id: str) -> None:
        """Require that the credential opens this organization, whenever the types are listed."""
        self._expected_id = close_id

    def identify(self) -> str:
        """Return the id of the organization that the credential opens. Raises ``Rejected`` when Close names several."""
        self._forget_if_renewed()
        if not self._opened_ids:
            self._opened_ids = frozenset(self.api.organization_ids())
        if len(self._opened_ids) != 1:
            names = ", ".join(sorted(self._opened_ids)) or "none"
            raise _wrong_organization(f"Close does not say which organization it opens: {names}")
        return next(iter(self._opened_ids))

    def verify(self) -> None:
        """Raise ``Rejected`` if the credential opens another organization than the expected one."""
        opened = self.identify()
        if self._expected_id not in {None, opened}:
            raise _wrong_organization(f"it must open {self._expected_id} and opens {opened}. Nothing was written")

    # --- reading

    @property
    def read_at(self) -> float:
        """When the oldest of its lists was read (Unix seconds); 0 before the first."""
        lists = (self._types, self._fields, self._shared, self._roles)
        return min((each.read_at for each in lists if each.read_at is not None), default=0)

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        """Return all types, from a list read at ``not_before`` (Unix seconds) or later; so do the other lists."""
        return self._read(self._types, not_before, self._verify_listed)

    def fields(self, not_before: float = 0) -> Sequence[CustomField]:
        """Return the fields that belong to one type, for all types."""
        return self._read(self._fields, not_before)

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]:
        return self._read(self._shared, not_before)

    def roles(self) -> Sequence[Role]:
        return self._read(self._roles, 0)

    def type(self, close_id: str) -> CustomObjectType | None:
        """Read one type from Close, not from the cache."""
        return self.api.read_type(close_id)

    def field(self, close_id: str, *, shared: bool) -> CustomField:
        """Read one field from Close, not from the cache."""
        return self.api.read_field(close_id, shared=shared)

    # --- writing

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType:
        created = self.api.create_type(body)
        if self._expected_id and created.organization_id not in {None, self._expected_id}:
            raise _wrong_organization(
                f"it must open {self._expected_id}, and it created the type {created.id} in {created.organization_id}"
            )
        return self._types.keep(created)

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType:
        return self._types.keep(self.api.update_type(close_id, body))

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField:
        created = self.api.create_field(body, shared=shared)
        if shared:
            return self._shared.keep(created)
        type_id = str(body["custom_object_type_id"])
        self._fields.keep(created.model_copy(update={"custom_object_type_id": type_id}))
        self._change_rows(type_id, lambda rows: [*rows, created.model_dump(mode="json")])
        return created

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField:
        changed = self.api.update_field(close_id, body, shared=shared)
        return (self._shared if shared else self._fields).keep(changed)

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        self.api.associate(field_id, type_id, body)
        name = self._shared.rows[field_id].name if field_id in self._shared.rows else ""
        row = {"required": False, "editable_with_roles": [], **body, "id": field_id, "name": name, "is_shared": True}
        self._change_rows(type_id, lambda rows: [*rows, row])

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        self.api.update_association(field_id, type_id, body)
        self._change_rows(type_id, lambda rows: [{**row, **body} if row["id"] == field_id else row for row in rows])

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None:
        self.api.reorder(type_id, field_ids)
        places = {close_id: place for place, close_id in enumerate(field_ids)}
        self._change_rows(type_id, lambda rows: sorted(rows, key=lambda row: places.get(row["id"], len(places))))

    # --- the cache

    def _read[Row: CloseModel](
        self, cached: _CachedList[Row], not_before: float, verify: Callable[[], None] | None = None
    ) -> Sequence[Row]:
        self._forget_if_renewed()
        if cached.read_at is None or cached.read_at < not_before:
            read_at = self.api.connection.clock()
            rows = self.api.read_list(cached.model, cached.path)
            self._forget_if_renewed()
            cached.rows, cached.read_at = rows, read_at
            if verify:
                verify()
        return list(cached.rows.values())

    def _forget_if_renewed(self) -> None:
        """Drop all lists that another credential read, perhaps from another organization."""
        generation = self.api.connection.credential_generation
        if self._read_with_generation != generation:
            for each in (self._types, self._fields, self._shared, self._roles):
                each.read_at = None
            self._opened_ids, self._read_with_generation = frozenset(), generation

    def _change_rows(self, type_id: str, change: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any]]]) -> None:
        """Apply a write to the fields of a type in the cached list of types."""
        if known := self._types.rows.get(type_id):
            rows = [dict(known.field_row(close_id)) for close_id in known.field_ids]
            self._types.keep(known.model_copy(update={"fields": [*change(rows)]}))

    def _verify_listed(self) -> None:
        """Verify the organization before anything is concluded from the list of types, or written.

        Every type names its organization; without any, Close is asked. An old copy of the secret is replaced
        before the tenant's requests fail for it.
        """
        if self._expected_id is None:
            return
        listed = {str(each.organization_id) for each in self._types.rows.values() if each.organization_id}
        self._opened_ids = frozenset(listed) or self._opened_ids
        try:
            self.verify()
        except Rejected:
            self._types.read_at = None
            if self.renew() or self.pinned_id not in {None, self._expected_id}:
                raise RetryLater("the tenant's credential was renewed", 0) from None
            raise


def _wrong_organization(found: str) -> Rejected:
    return Rejected(
        ProblemType.WRONG_ORGANIZATION,
        f"The tenant's credential does not open the tenant's organization: {found}. If the tenant moved to another "
        "organization, ask the operator of this service to name it as organization_id in the tenant's secret.",
    )
