"""The way of one request through the files: it may get shorter, never longer."""

import pytest

from tests.bench.walk import PACKAGE, VOCABULARY, Walk, walk


@pytest.fixture(scope="module")
def recorded() -> Walk:
    return walk()


@pytest.mark.parametrize(("without", "files", "moves"), [(frozenset(), 48, 624), (VOCABULARY, 42, 314)])
def test_a_create_visits_no_more_files_than_before(
    recorded: Walk, without: frozenset[str], files: int, moves: int
) -> None:
    assert len(recorded.files(without)) <= files
    assert recorded.moves(without).total() <= moves, recorded.moves(without).most_common(10)


def test_the_walk_goes_from_the_http_api_to_the_topic(recorded: Walk) -> None:
    assert {"handlers/api.py", "ledger/store.py", "close/client.py", "messaging/topic.py"} <= recorded.files()


def test_every_vocabulary_file_exists() -> None:
    assert [each for each in sorted(VOCABULARY) if not (PACKAGE / each).is_file()] == []
