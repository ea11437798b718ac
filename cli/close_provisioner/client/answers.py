"""The base of the typed answers of the service."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from close_provisioner.errors import Unexpected


class Answer(BaseModel):
    """One answer, or a part of one. A newer service may add keys: they are kept in ``raw`` and otherwise ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    _raw: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, document: Any) -> Self:
        """Return the answer. Raises ``Unexpected`` for a document of another form."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "/".join(map(str, first["loc"]))
            raise Unexpected(
                f"The stack's answer is not as this version expects ({where}: {first['msg']}). "
                "Install the version of close-provisioner that the stack has."
            ) from None

    @model_validator(mode="wrap")
    @classmethod
    def _keep_document(cls, document: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        answer = read(document)
        if isinstance(document, Mapping):
            answer._raw = document  # noqa: SLF001 - its own
        return answer

    @property
    def raw(self) -> Mapping[str, Any]:
        """The document as the service wrote it, for ``--json``."""
        return self._raw


class Listed(Answer):
    """One page of a list. ``next``: the cursor of the next page."""

    data: tuple[Mapping[str, Any], ...]
    next: str | None = None


class Problem(Answer):
    """An RFC 9457 problem."""

    type: str = ""
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: tuple["Fault", ...] = ()
    close_status: int | None = None

    @property
    def kind(self) -> str:
        """Return the last part of the type, for example ``tenant-not-found``."""
        return self.type.rpartition(":")[2]

    @property
    def sentence(self) -> str:
        """Return the detail, with each fault where it is in the body."""
        faults = [f"  {each.pointer or '(the body)'}: {each.detail}" for each in self.errors]
        if len(faults) == 1 and self.errors[0].detail in self.detail:
            return self.detail
        return "\n".join([self.detail or self.title, *faults])


class Fault(Answer):
    """One fault of a body, with a JSON pointer to it."""

    pointer: str = ""
    detail: str = ""
