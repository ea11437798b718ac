"""The validation of bodies by a table of rules, one line per key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.simulator.api.responses import Mistake, Refused, validation_response
from infra.simulator.options import DuplicateRule, Options

READ_ONLY = frozenset({"id", "organization_id", "created_by", "updated_by", "date_created", "date_updated"})
"""Keys of every object as read. Close's own scripts send them back in a create, so they are ignored."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The accepted values of one key. ``name`` rules depend on the options about names."""

    kind: Literal["name", "text", "flag", "texts", "choice"]
    required: bool = False
    nullable: bool = False
    max_length: int | None = None
    choices: tuple[str, ...] = ()

    def mistake(self, value: object, options: Options) -> Mistake | None:
        if value is None and self.nullable:
            return None
        match self.kind:
            case "flag":
                return None if isinstance(value, bool) else Mistake("flag")
            case "texts":
                texts = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
                return None if texts else Mistake("texts")
        if not isinstance(value, str):
            return Mistake("text")
        if self.kind == "choice":
            return None if value in self.choices else Mistake("choice")
        return self._mistake_of_text(value, options)

    def _mistake_of_text(self, value: str, options: Options) -> Mistake | None:
        if self.kind == "name" and not value.strip() and options.blank_names == "refused":
            return Mistake("blank")
        limit = options.name_max_length if self.kind == "name" else self.max_length
        return Mistake("too_long", limit) if limit is not None and len(value) > limit else None


type Rules = Mapping[str, Rule]


def checked(
    body: Mapping[str, Any], rules: Rules, options: Options, *, partial: bool, ignored: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the known keys of a body. Raises ``Refused`` with every mistake. ``partial``: no key is required."""
    mistakes = {} if partial else _absent(body, rules)
    for name, rule in rules.items():
        if name in body and (mistake := rule.mistake(body[name], options)):
            mistakes[name] = mistake
    if options.unknown_keys == "refused":
        mistakes |= dict.fromkeys(sorted(body.keys() - rules.keys() - READ_ONLY - set(ignored)), Mistake("unknown"))
    refuse(mistakes, options)
    known = {name: body[name] for name in rules if name in body}
    if not options.names_trimmed:
        return known
    return {name: value.strip() if rules[name].kind == "name" else value for name, value in known.items()}


def _absent(body: Mapping[str, Any], rules: Rules) -> dict[str, Mistake]:
    return {name: Mistake("required") for name, rule in rules.items() if rule.required and name not in body}


def refuse(mistakes: Mapping[str, Mistake], options: Options) -> None:
    """Raise ``Refused`` if there are mistakes."""
    if mistakes:
        raise Refused(validation_response(mistakes, options))


def refuse_duplicate(key: str, name: str, others: Iterable[str], rule: DuplicateRule, options: Options) -> None:
    """Raise ``Refused``, in the form that ``rule`` asks for, if one of the others has the name."""

    def comparable(text: str) -> str:
        return text.strip().casefold() if options.names_compared == "folded" else text

    if rule != "accepted" and comparable(name) in {comparable(other) for other in others}:
        raise Refused(validation_response({key: Mistake("taken")}, options, shape=rule))


def accepted_roles(roles: list[str] | None, known: Iterable[str], options: Options) -> list[str] | None:
    """Return ``editable_with_roles`` in the form that is stored."""
    known = set(known)
    if roles is None or options.unknown_roles == "accepted" or known.issuperset(roles):
        return roles
    refuse({"editable_with_roles": Mistake("missing")} if options.unknown_roles == "refused" else {}, options)
    return [role for role in roles if role in known]
