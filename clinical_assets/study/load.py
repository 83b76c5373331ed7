"""Reading a study file, and saying exactly what is wrong with one that cannot be used.

Only YAML -> Study and the wording of its errors belong here. Nothing else of the project parses the study file.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from clinical_assets.study.model import Study

__all__ = ["DEFAULT_STUDY", "StudyError", "load_study", "parse_block", "parse_study"]

DEFAULT_STUDY = Path(__file__).with_name("cml_imatinib.yaml")
MAX_STUDY_BYTES = 1_000_000
_Block = TypeVar("_Block", bound=BaseModel)


class StudyError(ValueError):
    """A study file that cannot be used. `problems` holds one line per problem: file, config path, what is expected."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = list(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"study file {source} cannot be used:\n{lines}")


def load_study(path: str | Path | None = None) -> Study:
    """Read and check a study file; None reads the shipped one. Raises StudyError naming every problem at once."""
    file = Path(path) if path is not None else DEFAULT_STUDY
    try:
        if file.stat().st_size > MAX_STUDY_BYTES:
            raise StudyError(str(file), [f"larger than {MAX_STUDY_BYTES} bytes; a study file is a few kilobytes"])
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(str(file), ["no such file; set CLINICAL_STUDY to a study file or unset it"]) from None
    except UnicodeDecodeError as error:
        raise StudyError(str(file), [f"not UTF-8 at byte {error.start}; save the file as UTF-8"]) from None
    except OSError as error:
        raise StudyError(str(file), [f"cannot be read: {error.strerror or error}"]) from None
    return _known(text, str(file))


@lru_cache(maxsize=4)
def _known(text: str, source: str) -> Study:
    # every asset and check reads the study, and YAML takes some tenths of a second; what is parsed is frozen
    return parse_study(text, source=source)


def parse_study(text: str, *, source: str = "<text>") -> Study:
    """Check the text of a study file. `source` is how errors name it."""
    return parse_block(Study, text, source=source)


def parse_block(model: type[_Block], text: str, *, source: str) -> _Block:
    """Check the text of a YAML file that holds one `model`, e.g. a trial. Raises StudyError naming every problem at once."""
    data = _read_yaml(text, source)
    if not isinstance(data, dict):
        raise StudyError(source, [f"the file holds {_kind(data)}, expected a mapping with the keys: {_keys(model)}"])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise StudyError(source, [_explain(dict(item), data, model) for item in error.errors()]) from None


# --- YAML -------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _strict_loader() -> Any:
    import yaml

    class StrictLoader(yaml.SafeLoader):
        """SafeLoader that refuses a key given twice: plain YAML silently keeps the last one."""

    def construct_mapping(loader: Any, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key!r} (first given in line {seen[key]})", key_node.start_mark
                )
            seen[key] = line
        return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))

    StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)
    return StrictLoader


def _read_yaml(text: str, source: str) -> Any:
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise StudyError(source, ["anchors and aliases (&name, *name) are not allowed; write the value out"])
        return yaml.load(text, Loader=_strict_loader())  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise StudyError(source, [f"{where}{error.problem or 'not valid YAML'}"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise StudyError(source, [f"not valid YAML: {type(error).__name__}"]) from None


# --- wording ----------------------------------------------------------------------------------------------------------


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "true/false", int: "a number", float: "a number"}
    return kinds.get(type(value), type(value).__name__)


def _path(location: Sequence[str | int], data: Any) -> str:
    """fields[2].terms[0], with the name of the field where it has one: fields[2] (cml_diagnosed).terms[0]."""
    out, here = "", data
    for step in location:
        out += f"[{step}]" if isinstance(step, int) else f"{'.' if out else ''}{step}"
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(step, int) and isinstance(here, dict) and isinstance(here.get("name"), str):
            out += f" ({here['name'][:63]!r})"
    return out or "top level"


def _model_at(location: Sequence[str | int], root: type[BaseModel]) -> type[BaseModel] | None:
    """The model whose keys are allowed at a place of the file."""
    here: Any = root
    for step in location:
        if isinstance(step, int):
            continue  # an entry of a list: the model is that of the list
        if not (isinstance(here, type) and issubclass(here, BaseModel)) or step not in here.model_fields:
            return None
        here = _model_in(here.model_fields[step].annotation)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _model_in(annotation: Any) -> Any:
    """The model inside list[...], Annotated[...] or X | None."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation
    if get_origin(annotation) in {list, Union, types.UnionType} or hasattr(annotation, "__metadata__"):
        for inner in get_args(annotation):
            found = _model_in(inner)
            if isinstance(found, type) and issubclass(found, BaseModel):
                return found
    return None


def _explain(item: dict[str, Any], data: Any, root: type[BaseModel]) -> str:
    location = item["loc"]
    where = _path(location, data)
    if item["type"] == "extra_forbidden":
        model = _model_at(location[:-1], root) or root
        near = difflib.get_close_matches(str(location[-1]), list(model.model_fields), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{where}: unknown key {str(location[-1])!r}; allowed keys: {_keys(model)}{hint}"
    if item["type"] == "missing":
        return f"{where}: required, but not given"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] in {"value_error", "assertion_error"}:
        return f"{where}: {message}"
    given = item.get("input")
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) and len(str(given)) <= 80 else (
        f" (given: {_kind(given)})"
    )  # fmt: skip
    return f"{where}: {message}{shown}"
