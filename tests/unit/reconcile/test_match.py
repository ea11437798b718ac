"""Identity: which existing types and fields a request's specs mean."""

from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import CREATE_RESOURCE, AppliedWrite, Provenance, ResourceRecord
from provisioner.reconcile.match import match_resources
from provisioner.reconcile.plan import (
    Matches,
    ObservedState,
    association_operation,
    field_operation,
    resources_to_lock,
    shared_field_resource,
    type_resource,
    update_operation,
)
from tests.fakes import a_request

ORGANIZATION = "orga_acme"
ACCOUNT = type_resource(ORGANIZATION, "account")
CREATED = "2027-01-15T08:00:00"
CREATED_AT = 1_800_000_000.0  # the same moment
AMOUNT = {"name": "Amount", "type": "number"}


def a_type(close_id: str = "cotype_1", name: str = "Account", **further: Any) -> CustomObjectType:
    plain = {"id": close_id, "name": name, "name_plural": "Accounts", "api_create_only": False, "date_created": CREATED}
    return CustomObjectType.model_validate({**plain, **further})


def a_field(close_id: str, name: str, **further: Any) -> CustomField:
    plain = {"id": close_id, "name": name, "type": "number", "date_created": CREATED}
    return CustomField.model_validate({**plain, "custom_object_type_id": "cotype_1", **further})


def match(state: ObservedState, *names: str, fields: tuple[Any, ...] = (), **record: Any) -> Matches:
    """Match types of these names; ``record`` is what the ledger knows of the first one."""
    specs = [{"name": name, "name_plural": f"{name}s", "fields": fields} for name in names or ("Account",)]
    request = a_request(custom_object_types=specs, custom_object_type=None)
    state = state._replace(organization=ORGANIZATION)
    resources = [*resources_to_lock(request, ORGANIZATION)]
    first = type_resource(ORGANIZATION, request.types[0].natural_key)
    records = {each: ResourceRecord(each, **(record if each == first else {})) for each in resources}
    return match_resources(request, state, records)


def matching(types: list[CustomObjectType], *names: str, **record: Any) -> list[str]:
    matches = match(ObservedState(types), *names, **record)
    return [each.id for each in next(iter(matches.types.values()))]


class TestTypes:
    def test_any_spelling_of_the_name_matches(self) -> None:
        types = [a_type("1", "ACCOUNT "), a_type("2", "Accounts"), a_type("3", "  account")]

        assert matching(types) == ["1", "3"]

    def test_a_type_of_another_name_does_not_match(self) -> None:
        assert matching([a_type("1", "Deal")], close_id="cotype_9") == []
        assert matching([]) == []

    def test_the_oldest_comes_first_however_dates_are_written(self) -> None:
        dates = {
            "5": "2020-08-07T15:18:34",
            "2": "2020-08-07T15:18:33+00:00",
            "3": "2020-08-07T15:18:33.235000+00:00",
            "4": "2020-08-07T15:18:33.797245",
            "1": "0001-01-01T00:00:00",
            "6": None,
        }

        assert matching([a_type(key, date_created=date) for key, date in dates.items()]) == [*"123456"]

    def test_types_of_the_same_age_have_one_order(self) -> None:
        types = [a_type("b"), a_type("a"), a_type("c")]

        assert matching(types) == matching(types[::-1]) == ["a", "b", "c"]

    def test_a_renamed_type_is_known_by_its_id(self) -> None:
        assert matching([a_type("1", "Customer"), a_type("2", "Deal")], close_id="1") == ["1"]

    def test_a_renamed_type_matches_the_spec_that_has_its_present_name(self) -> None:
        types = [a_type("1", "Customer"), a_type("2", "Deal")]

        assert matching(types, "Account", "Customer", close_id="1") == []
        assert matching(types, "Customer", "Account") == ["1"]

    def test_a_name_counts_for_more_than_a_known_id(self) -> None:
        assert matching([a_type("1", "Customer"), a_type("2", "Account")], close_id="1") == ["2"]

    @pytest.mark.parametrize(
        ("further", "since", "found"),
        [
            ({}, CREATED_AT, ["1"]),
            ({}, CREATED_AT + 299, ["1"]),
            ({}, CREATED_AT + 301, []),  # it is older than the create
            ({}, CREATED_AT - 301, []),  # it is younger
            ({"name_plural": "Customers"}, CREATED_AT, []),  # that was not sent
            ({"date_created": None}, CREATED_AT, []),
        ],
    )
    def test_a_type_that_was_renamed_while_its_create_was_in_doubt_is_known_by_the_rest(
        self, further: dict[str, Any], since: float, found: list[str]
    ) -> None:
        types = [a_type("1", "Customer", **further)]

        assert matching(types, in_doubt={CREATE_RESOURCE: (InDoubt(since, "r1", lost=True),)}) == found
        assert matching(types, orphaned=(InDoubt(since, "r1"),)) == found
        assert matching(types) == []


class TestFields:
    OPERATION = field_operation("amount")

    def found(self, *rows: CustomField, fields: tuple[Any, ...] = (AMOUNT,), **record: Any) -> dict[str, str]:
        existing = match(ObservedState([a_type()], rows), fields=fields, **record).existing[ACCOUNT]
        return {operation: each.id for operation, each in existing.items() if operation != CREATE_RESOURCE}

    def written(self, close_id: str, operation: str = OPERATION) -> dict[str, AppliedWrite]:
        return {operation: AppliedWrite(close_id, CREATED_AT, Provenance.CREATED, ("r1",))}

    def test_a_renamed_field_is_known_by_its_id(self) -> None:
        assert self.found(a_field("f1", "Total"), writes=self.written("f1")) == {self.OPERATION: "f1"}
        assert self.found(a_field("f1", "Total")) == {}

    def test_a_renamed_field_that_was_updated_before_is_known_by_its_id(self) -> None:
        writes = {**self.written("f1"), **self.written("f1", update_operation(self.OPERATION))}

        assert self.found(a_field("f1", "Total"), writes=writes) == {self.OPERATION: "f1"}

    def test_a_renamed_field_that_was_updated_under_its_present_name_is_known_by_its_id(self) -> None:
        writes = {**self.written("f1"), **self.written("f1", update_operation(field_operation("total")))}

        assert self.found(a_field("f1", "Total"), writes=writes) == {self.OPERATION: "f1"}

    def test_a_name_counts_for_more_than_a_known_id(self) -> None:
        rows = [a_field("f1", "Total"), a_field("f2", "amount")]

        assert self.found(*rows, writes=self.written("f1")) == {self.OPERATION: "f2"}

    def test_a_renamed_field_matches_the_spec_that_has_its_present_name(self) -> None:
        fields = (AMOUNT, {"name": "Total", "type": "number"})

        assert self.found(a_field("f1", "Total"), fields=fields, writes=self.written("f1")) == {"field:total": "f1"}

    def test_a_renamed_shared_field_is_known_by_its_id(self) -> None:
        region = shared_field_resource(ORGANIZATION, "region")
        request = a_request(spec={"fields": [{"name": "Region", "type": "text", "shared": True}]})
        state = ObservedState([], shared=[a_field("s1", "Area", custom_object_type_id=None)], organization=ORGANIZATION)
        records = {each: ResourceRecord(each) for each in resources_to_lock(request, ORGANIZATION)}
        known = records | {region: ResourceRecord(region, close_id="s1")}

        assert match_resources(request, state, records).existing[region] == {}
        assert match_resources(request, state, known).existing[region][CREATE_RESOURCE].id == "s1"

    def test_a_renamed_shared_field_is_associated_by_its_id(self) -> None:
        region = shared_field_resource(ORGANIZATION, "region")
        request = a_request(spec={"fields": [{"name": "Region", "type": "text", "shared": True}]})
        area = a_field("s1", "Area", custom_object_type_id=None)
        state = ObservedState([a_type(fields=[{"id": "s1", "name": "Area"}])], shared=[area], organization=ORGANIZATION)
        records = {each: ResourceRecord(each) for each in resources_to_lock(request, ORGANIZATION)}
        records[region] = ResourceRecord(region, close_id="s1")

        found = match_resources(request, state, records).existing[ACCOUNT]
        assert {operation: each.id for operation, each in found.items()} == {
            CREATE_RESOURCE: "cotype_1",
            association_operation("region"): "s1",
        }

    def test_a_renamed_shared_field_matches_the_spec_that_has_its_present_name(self) -> None:
        fields = [{"name": name, "type": "text", "shared": True} for name in ("Region", "Area")]
        request = a_request(spec={"fields": fields})
        state = ObservedState([], shared=[a_field("s1", "Area", custom_object_type_id=None)], organization=ORGANIZATION)
        records = {each: ResourceRecord(each) for each in resources_to_lock(request, ORGANIZATION)}
        region, area = (shared_field_resource(ORGANIZATION, each) for each in ("region", "area"))
        records[region] = ResourceRecord(region, close_id="s1")

        existing = match_resources(request, state, records).existing
        assert (existing[region], existing[area][CREATE_RESOURCE].id) == ({}, "s1")
