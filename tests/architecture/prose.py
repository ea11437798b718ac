"""House rules for English as patterns, and a scanner for the text of this repository.

The scanner reads comments, docstrings and other strings of Python files, and the whole of every other file that people
read. Identifiers have a list of their own. ``python -m tests.architecture.prose_report`` prints what it finds.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

AREAS = (
    "functions/provisioner/handlers",
    "functions/provisioner/contract",
    "functions/provisioner/reconcile",
    "functions/provisioner/close",
    "functions/provisioner/ledger",
    "functions/provisioner/credentials",
    "functions/provisioner/ingest",
    "functions/provisioner/messaging",
    "functions/provisioner/operate",
    "functions/provisioner",
    "functions",
    "infra/build",
    "infra/checks",
    "infra/generate",
    "infra/local",
    "infra/simulator",
    "infra/tools",
    "infra",
    "cli",
    "tests/architecture",
    "tests/bench",
    "tests/chaos",
    "tests/e2e",
    "tests/integration",
    "tests/simulation",
    "tests/unit",
    "tests",
    "docs",
    "README.md",
    "template.yaml",
    ".",
)
"""Parts of the repository. A file belongs to the first one that holds it."""

READ = {".cfg", ".css", ".html", ".js", ".json", ".md", ".mk", ".py", ".sh", ".toml", ".yaml", ".yml"}
READ_BY_NAME = {"Makefile", "run", "install-tool", "install-uv", "run-quiet", "CODEOWNERS"}
SKIPPED = (
    "LICENSE",
    "functions/sources/fixtures/",  # events as their senders write them
    "tests/architecture/prose.py",  # names what it forbids
    "tests/architecture/test_prose.py",  # quotes what it forbids
    "uv.lock",
)
HIDDEN_BUT_READ = (".ci/", ".github/", ".pre-commit-config.yaml")


@dataclass(frozen=True)
class Rule:
    """A phrase that is not used here, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


def _rule(pattern: str, instead: str, *, case: bool = False) -> Rule:
    """Return a rule; a space in the pattern also matches a line break."""
    return Rule(re.compile(pattern.replace(" ", r"[ \n]"), re.MULTILINE | (0 if case else re.IGNORECASE)), instead)


SENTENCE = r"(?:\A|(?<=[.!?:] )|(?<=\n\n))"
STATEMENT = r"(?=[^.?!]*(?:[.!;:]|\Z|\n\n))"  # a question may begin with "What"

RULES = (
    _rule(
        SENTENCE + r"What(?! if\b)\b(?!'s| is it)" + STATEMENT, "begin with the noun: 'The fields that …'", case=True
    ),
    _rule(SENTENCE + r"(?:Whoever|Whatever|That which|Whichever)\b", "begin with the noun", case=True),
    _rule(r"\b(?:who|what|which|how)soever\b|\bwhoever\b|\bwhomever\b", "name the role: the operator, the caller"),
    _rule(r"\bwhat (?:is|was) (?:wanted|there|asked|left out|taken|told)\b", "desired, existing, requested, omitted"),
    _rule(r"\b(?:some|any|no)body\b(?!')", "name the role, or 'no caller'"),
    _rule(
        r"\b(?:is|are|was|were) no (?!longer\b|more than\b|less than\b|later than\b|earlier than\b)[a-z]", "is not a …"
    ),
    _rule(r"\b(?:is|are|was|were) (?-i:none)\b(?! of)", "is not one, does not exist"),
    _rule(r"\bthings?\b", "name it: resource, type, field, write"),
    _rule(r"\bat large\b", "may still land, is in doubt"),
    _rule(
        r"\bas (?:it|they) (?:is|are|stands?|was|were)\b(?! (?:written|sent|received|shown|read|documented))",
        "unchanged",
    ),
    _rule(r"\bsurely\b", "certainly; or leave it out"),
    _rule(r"\b[Ss]hall\b", "must, will", case=True),
    _rule(r"\banew\b", "again"),
    _rule(r"\bmend(?:s|ed|ing)?\b", "fix"),
    _rule(r"\bbefall(?:s|en)?\b|\bbefell\b", "happens to, affects"),
    _rule(r"\b(?:lies|bears|bore)\b(?! (?:about|in mind))", "is, has"),
    _rule(r"\bdoors?\b", "handler, entry point, HTTP API, queue"),
    _rule(r"\bverdicts?\b", "report, outcome, result"),
    _rule(r"(?<!in )(?<!in-)\bdoubts?\b|\bdoubted\b", "in doubt"),
    _rule(r"\bsuspects?\b", "may have created"),
    _rule(r"\blooks? at Close\b|\bone look\b|\ba look\b|\blooks? again\b", "observe, read"),
    _rule(
        r"\b(?:the|a|its|no|two|those|such|of|dead) letters?\b(?! (?:and|or|without|queue|message))",
        "dead-letter message",
    ),
    _rule(r"\b(?:bury|buries|buried)\b", "dead-letter"),
    _rule(r"\bafternoon\b", "baseline handler"),
    _rule(r"\bsafety(?: |-)net\b", "fallback delivery"),
    _rule(r"\b(?:is|are|was|were|be|been|being) told\b", "name who says it: 'The caller receives …'"),
    _rule(r"\b(?:tells?|told|telling|hears?|heard) of\b", "report, publish, receive"),
    _rule(r"\bwho cares\b|\bwhat became of\b", "subscribers, the result of"),
    _rule(r"\b(?:came|comes?) (?:to|of it)\b(?! (?:a|an|the|us|it)\b)", "results in, is"),
    _rule(
        r"\blost answers?\b|\banswers? (?:is|are|was|were|got|gets?) lost\b|\blose (?:its|the|an) answer",
        "lost response",
    ),
    _rule(r"\bmust be a text\b|\bis a text\b|\ba text of\b", "string"),
    _rule(r"\b(?:hence|thus|thereof|therein|whence|wherein|whilst|henceforth|hitherto|thereby|lest)\b", "plain words"),
    _rule(r"\b(?:of (?:its|their|our|one's) own accord|by itself and|not lately|ere)\b", "plain words"),
    _rule(r"\b(?:yonder|nigh|aught|naught|nought)\b", "plain words"),
    _rule(r"\bis (?:its|their|our|his) (?:own )?affair\b|\bstrangers?\b", "unauthenticated callers"),
)

ADVICE = (
    _rule(r"\banswer(?:s|ed|ing)?\b", "response, to respond"),
    _rule(r"\btexts?\b", "string, or body"),
)
"""Phrases that are right in some places: the report counts them, and no test fails on them."""

BANNED_NAMES = re.compile(
    r"(?:^|_)(?:doors?|things?|verdicts?|suspects?|(?<!dead_)letters?|bury|buried|afternoon|whoever|somebody|nobody|anew|mend|"
    r"safety_net|wanted|shall)(?:_|$)|(?:^|_)(?<!in_)doubts?(?:_|$)|^units?$|^unit_(?:key|kind)$"
)
"""Parts of identifiers that the vocabulary has other words for."""

REPLACED = (
    "door",
    "thing",
    "at large",
    "doubt",
    "suspect",
    "verdict",
    "afternoon",
    "dead letter",
    "buried",
    "lost answer",
    "safety net",
)
"""The words that the glossary says not to use, and the term "dead letter" itself."""

ALLOWED: dict[str, tuple[str, ...]] = {
    "CHANGELOG.md": ("Buried", "doubts"),  # names of 0.1, in tables of old and new names
    "functions/provisioner/telemetry.py": ("unit",),  # a parameter of Powertools' add_metric
    "docs/decisions/0008-standard-vocabulary.md": REPLACED,
    "docs/reference/glossary.md": REPLACED,
    "tests/unit/ingest/test_signatures_sdks.py": ("verdict",),  # a parameter of WorkOS's SDK
}
"""By file: the phrases that are right there, each with its reason."""


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r} - {self.instead}"


@cache
def files() -> tuple[Path, ...]:
    """Return every file that people read, in order."""
    return tuple(sorted(path for path in _visible_files() if path.suffix in READ or path.name in READ_BY_NAME))


def _visible_files() -> Iterator[Path]:
    for folder, subfolders, names in PROJECT.walk():
        prefix = "" if folder == PROJECT else f"{folder.relative_to(PROJECT).as_posix()}/"
        subfolders[:] = [each for each in subfolders if each != "__pycache__" and _is_read(f"{prefix}{each}/")]
        yield from (folder / each for each in names if _is_read(prefix + each))


def _is_read(name: str) -> bool:
    hidden = any(part.startswith(".") for part in name.split("/")) and not name.startswith(HIDDEN_BUT_READ)
    return not hidden and not name.startswith(SKIPPED)


def area_of(path: Path) -> str:
    name = path.relative_to(PROJECT).as_posix()
    return next(area for area in AREAS if area in (".", name) or name.startswith(f"{area}/"))


def findings(path: Path, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Return every banned phrase and name in a file."""
    name = path.relative_to(PROJECT).as_posix()
    content = path.read_text(encoding="utf-8")
    rules = tuple(rules)
    found = []
    for line, block in python_blocks(content) if path.suffix == ".py" else text_blocks(content):
        unindented = re.sub(r"[ \t]*\n[ \t]*", "\n", block)
        for rule in rules:
            for match in rule.pattern.finditer(unindented):
                at = line + unindented.count("\n", 0, match.start())
                found.append(Finding(name, at, " ".join(match.group().split()) or rule.pattern.pattern, rule.instead))
    if path.suffix == ".py" and rules == RULES:
        found.extend(Finding(name, line, each, "a name of the glossary") for line, each in banned_names(content))
    return [each for each in found if each.found not in ALLOWED.get(name, ())]


def text_blocks(content: str) -> Iterator[tuple[int, str]]:
    """Yield the file as one block, without the marks of comments and headings; a heading may begin with "What"."""
    yield 1, re.sub(r"^[ \t]*#+ ?(?:What\b)?", "", content, flags=re.MULTILINE)


def python_blocks(source: str) -> Iterator[tuple[int, str]]:
    """Yield (first line, text) of every string, and of every run of comment lines."""
    comments: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comments and token.start[0] != comments[-1][0] + 1:
                yield comments[0][0], "\n".join(text for _, text in comments)
                comments = []
            comments.append((token.start[0], token.string.lstrip("#: ")))
        elif token.type in (tokenize.STRING, tokenize.FSTRING_MIDDLE):
            yield token.start[0], _inside(token.string)
    if comments:
        yield comments[0][0], "\n".join(text for _, text in comments)


def banned_names(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and not token.line.startswith("from tests.unit."):
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", token.string).lower()
            if BANNED_NAMES.search(snake):
                yield token.start[0], token.string


def _inside(literal: str) -> str:
    """Return a string literal without its prefix and quotes; an f-string's parts have none."""
    return re.sub(r"\A[rbfuRBFU]*(\"{3}|'{3}|\"|')(.*)\1\Z", r"\2", literal, flags=re.DOTALL)
