"""What all files that people write (ICP, mapping, settings) share, as data: strict shape, and every problem at once.

Rules:
1. No unknown keys; nothing changes after reading.
2. A model's ``misfits`` look at what was written, not at what pydantic made of it. They run even where a field of the
   same model is wrong, so that a person sees all problems in one go. They skip what is not well formed: pydantic
   says that already.
3. A key with nothing behind it is refused in a file: it looks like a setting and would be none.
4. Inputs are never part of pydantic's own error text: they could hold a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.file_positions import Path as Path
from schemas.file_positions import show_key

FROM_FILE = "from_file"
"""Key of the validation context that is true when data comes from a file, not from code."""


class Misfit(ValueError):
    """One thing that is wrong in what a person wrote: ``what`` is wrong, and as ``remedy`` what to write instead.

    ``path`` leads from where it is raised to the place; ``code`` is a short, stable word; ``on_key`` points at the
    key rather than at its value; ``absent`` are keys whose absence it reports (one of them may be there, misspelt).
    """

    def __init__(
        self,
        what: str,
        remedy: str,
        path: Path = (),
        *,
        code: str = "bad_value",
        on_key: bool = False,
        absent: Sequence[str] = (),
    ) -> None:
        super().__init__(f"{what}: {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
        self.path = path
        self.code = code
        self.on_key = on_key
        self.absent = absent


class Written(BaseModel):
    """The parent of every part of a file that people write."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        """What is wrong between the fields of this part; overridden by the parts that have such rules."""
        return ()

    @model_validator(mode="wrap")
    @classmethod
    def _with_misfits(
        cls, written: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        found: list[InitErrorDetails] = []
        if isinstance(written, Mapping):
            found = [_details(misfit) for misfit in cls.misfits(written)]
            if info.context and info.context.get(FROM_FILE):
                found += [_details(_empty(key)) for key, value in written.items() if value is None]
        try:
            model = handler(written)
        except ValidationError as error:
            if not found:
                raise
            found = [*_again(error), *found]
        else:
            if not found:
                return model
        raise ValidationError.from_exception_data(cls.__name__, found, hide_input=True)


def _empty(key: str) -> Misfit:
    return Misfit(
        f"`{show_key(key)}` is empty", "write something there, or take the line out", (key,), code="empty"
    )


def _details(misfit: Misfit) -> InitErrorDetails:
    return InitErrorDetails(type="value_error", loc=(), input=None, ctx={"error": misfit})


def _again(error: ValidationError) -> list[InitErrorDetails]:
    """The findings of ``error`` as they were; as custom ones, since pydantic takes only some of its own types back."""
    return [
        InitErrorDetails(
            type=PydanticCustomError(one["type"], "{said}", {**one.get("ctx", {}), "said": one["msg"]}),
            loc=one["loc"],
            input=one["input"],
        )
        for one in error.errors(include_url=False)
    ]
