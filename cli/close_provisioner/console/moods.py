"""Says which sign and color a word gets: good, bad, warn, wait or unknown."""

GOOD = {"created", "updated", "unchanged", "adopted", "recovered", "ok", "ready", "open", "verified"}
BAD = {"failed", "unresolved", "not ready", "refused"}
WARN = {"warning", "ignored"}


def mood(word: object) -> str:
    """Return the mood of a result, a state or a mark."""
    text = str(word)
    for mood_name, words in (("good", GOOD), ("bad", BAD), ("warn", WARN), ("unknown", {"unknown", "closed"})):
        if text in words:
            return mood_name
    return "wait"
