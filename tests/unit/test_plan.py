"""What is the same type, which one is the oldest, and what differs."""

from typing import Any

import pytest

from provisioner.contract import CustomObjectType
from provisioner.plan import differences, matching
from tests.fakes import a_request


def a_type(close_id: str = "cotype_1", name: str = "Account", **further: Any) -> CustomObjectType:
    plain = {"id": close_id, "name": name, "name_plural": "Accounts", "api_create_only": False}
    return CustomObjectType.model_validate({**plain, **further})


def ids(types: list[CustomObjectType]) -> list[str]:
    return [each.id for each in types]


class TestMatching:
    def test_any_spelling_of_the_name(self) -> None:
        types = [a_type("1", "ACCOUNT "), a_type("2", "Accounts"), a_type("3", "  account")]

        assert ids(matching(types, "account", None)) == ["1", "3"]

    def test_nothing(self) -> None:
        assert matching([a_type("1", "Deal")], "account", "cotype_9") == []
        assert matching([], "account", None) == []

    def test_oldest_first_whichever_way_dates_are_written(self) -> None:
        dates = {
            "5": "2020-08-07T15:18:34",
            "2": "2020-08-07T15:18:33+00:00",
            "3": "2020-08-07T15:18:33.235000+00:00",
            "4": "2020-08-07T15:18:33.797245",
            "1": "0001-01-01T00:00:00",
            "6": None,
        }
        types = [a_type(close_id, date_created=date) for close_id, date in dates.items()]

        assert ids(matching(types, "account", None)) == ["1", "2", "3", "4", "5", "6"]

    def test_of_the_same_age_always_the_same_one(self) -> None:
        types = [a_type("b"), a_type("a"), a_type("c")]

        assert ids(matching(types, "account", None)) == ids(matching(types[::-1], "account", None)) == ["a", "b", "c"]

    def test_renamed_in_close_it_is_known_by_its_id(self) -> None:
        types = [a_type("1", "Customer"), a_type("2", "Deal")]

        assert ids(matching(types, "account", "1")) == ["1"]

    def test_a_name_counts_for_more_than_a_known_id(self) -> None:
        types = [a_type("1", "Customer"), a_type("2", "Account")]

        assert ids(matching(types, "account", "1")) == ["2"]


class TestDifferences:
    @pytest.mark.parametrize(
        ("wanted", "actual"),
        [
            ({}, {}),
            ({}, {"description": "something", "editable_with_roles": ["admin"]}),  # left out: not compared
            ({"description": ""}, {"description": None}),
            ({"description": ""}, {"description": ""}),
            ({"editable_with_roles": []}, {"editable_with_roles": None}),
            ({"editable_with_roles": ["a", "b"]}, {"editable_with_roles": ["b", "a"]}),
            ({"api_create_only": False}, {"api_create_only": False}),
            ({}, {"api_create_only": True}),
            ({}, {"is_archived": False}),
            ({}, {"whatever": 1}),
        ],
    )
    def test_none(self, wanted: dict[str, Any], actual: dict[str, Any]) -> None:
        assert differences(a_request(spec=wanted).custom_object_type, a_type(**actual)) == ()

    @pytest.mark.parametrize(
        ("wanted", "actual", "field"),
        [
            ({"description": "a"}, {"description": "b"}, "description"),
            ({"description": "a"}, {}, "description"),
            ({"description": ""}, {"description": "b"}, "description"),
            ({"name_plural": "Konten"}, {}, "name_plural"),
            ({"api_create_only": True}, {}, "api_create_only"),
            ({"api_create_only": False}, {"api_create_only": True}, "api_create_only"),
            ({"editable_with_roles": ["a"]}, {"editable_with_roles": []}, "editable_with_roles"),
            ({"editable_with_roles": []}, {"editable_with_roles": ["a"]}, "editable_with_roles"),
            ({"editable_with_roles": ["a"]}, {"editable_with_roles": ["a", "b"]}, "editable_with_roles"),
        ],
    )
    def test_one(self, wanted: dict[str, Any], actual: dict[str, Any], field: str) -> None:
        [found] = differences(a_request(spec=wanted).custom_object_type, a_type(**actual))

        assert (found.field, found.wanted, found.actual) == (
            field,
            wanted[field],
            actual.get(field, getattr(a_type(), field, None)),
        )

    def test_a_spelling_of_the_name_is_a_difference(self) -> None:
        [found] = differences(a_request(name="Account").custom_object_type, a_type(name="ACCOUNT"))

        assert (found.field, found.wanted, found.actual) == ("name", "Account", "ACCOUNT")

    def test_an_archived_type_is_told_of(self) -> None:
        [found] = differences(a_request().custom_object_type, a_type(is_archived=True))

        assert (found.field, found.wanted, found.actual) == ("is_archived", False, True)
