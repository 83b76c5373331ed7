"""Exports of annotation tools as claims: Label Studio, Prodigy, Argilla, doccano. One small reader each.

A field that a task offered and nobody chose is false. A task that was skipped, rejected, flagged or not submitted is no
answer, never false. What a task offered is its own ``fields`` (in its data or meta), or Prodigy's ``options``; where an export
does not say, it is what was chosen anywhere in the file, so that no answer is made up for a field that nobody saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clinical_assets.annotations.claims import Claims, as_mapping, time_of, truth

__all__ = ["READERS", "Task", "tool_of"]

Task = Mapping[str, Any]


def label_studio(tasks: Sequence[Task], stem: str) -> Claims:
    """Label Studio, export "JSON": choices (one yes/no control a field, or one control of fields) and taxonomies.

    The annotator is ``completed_by``: the e-mail or user name where the export has it, else the number.
    """
    out = Claims()
    multi, seen = _controls(tasks)
    for task in tasks:
        data, meta = as_mapping(task.get("data")), as_mapping(task.get("meta"))
        key = out.key(data, meta)
        for done in task.get("annotations") or task.get("completions") or () if key else ():
            if done.get("was_cancelled") or done.get("skipped"):
                out.problems["skipped"] += 1
                continue
            by = done.get("completed_by")
            who = by.get("email") or by.get("username") or by.get("id") if isinstance(by, Mapping) else by
            at = time_of(done.get("updated_at") or done.get("created_at"))
            chosen: set[str] = set()
            values: dict[str, bool | None] = {}
            for control, words in _results(done):
                if control in multi:
                    chosen |= set(words)
                else:
                    values[control] = truth(words[0])
            if values:
                out.add(key, who, values, at)  # type: ignore[arg-type]
            if multi:
                out.add_choices(key, who, _offered(data, meta) or seen, chosen, at)  # type: ignore[arg-type]
    return out


def _controls(tasks: Sequence[Task]) -> tuple[set[str], set[str]]:
    """Controls that offer fields rather than yes and no, and every field that was chosen in one of them."""
    multi: set[str] = set()
    words: dict[str, set[str]] = {}
    for task in tasks:
        for done in task.get("annotations") or task.get("completions") or ():
            for control, said in _results(done):
                words.setdefault(control, set()).update(said)
                if len(said) != 1 or not _is_truth(said[0]):
                    multi.add(control)
    return multi, set().union(*(words[control] for control in multi))


def _results(done: Task) -> Iterator[tuple[str, list[str]]]:
    """Each control's name and chosen words; of a taxonomy the last step of each path."""
    for result in done.get("result") or ():
        value, control = as_mapping(result.get("value")), str(result.get("from_name", ""))
        if result.get("type") == "choices":
            yield control, [str(word) for word in value.get("choices") or ()]
        elif result.get("type") == "taxonomy":
            yield control, [str(path[-1]) for path in value.get("taxonomy") or () if path]


def prodigy(tasks: Sequence[Task], stem: str) -> Claims:
    """Prodigy, ``db-out`` JSONL: choice tasks (``options``, ``accept``) and binary ones (``label``, answer accept or reject).

    A choice task that was rejected, and any that was ignored, is no answer. The annotator is ``_annotator_id`` (or the
    session's id).
    """
    out = Claims()
    for task in tasks:
        key, answer = out.key(as_mapping(task.get("meta")), task), task.get("answer")
        if key is None:
            continue
        who = task.get("_annotator_id") or task.get("_session_id") or task.get("annotator")
        at = time_of(task.get("_timestamp"))
        offered = [str(option.get("id")) for option in task.get("options") or ()]
        choice = bool(offered) or "accept" in task
        if answer == "accept" and choice:
            out.add_choices(key, who, offered, [str(one) for one in task.get("accept") or ()], at)
        elif answer in {"accept", "reject"} and isinstance(task.get("label"), str) and not choice:
            out.add(key, who, {task["label"]: answer == "accept"}, at)
        else:
            out.problems["skipped"] += 1
    return out


def argilla(tasks: Sequence[Task], stem: str) -> Claims:
    """Argilla, records as JSON: 2.x nested or flattened, 1.x. Label questions (yes/no) and multi-label questions.

    Suggestions are ignored, and so are drafts and discarded responses where the export gives the status (2.x: only
    flattened). The annotator is the user's id.
    """
    out = Claims()
    answers = [list(_responses(task)) for task in tasks]
    seen = {str(word) for said in answers for _, _, value, _ in said if isinstance(value, list) for word in value}
    for task, said in zip(tasks, answers, strict=True):
        meta, fields = as_mapping(task.get("metadata")), as_mapping(task.get("fields"))
        key = out.key(meta, fields, task)
        for question, user, value, status in said if key else ():
            if status in {"draft", "discarded"}:
                out.problems["skipped"] += 1
            elif isinstance(value, list):
                offered = _offered(meta, task) or seen
                out.add_choices(key, user, offered, [str(one) for one in value], time_of(task.get("updated_at")))  # type: ignore[arg-type]
            elif value is not None:
                out.add(key, user, {question: out.said(value)}, time_of(task.get("updated_at")))  # type: ignore[arg-type]
    return out


def _responses(task: Task) -> Iterator[tuple[str, Any, Any, str | None]]:
    """Question, user, value, status of each response, from any of the three layouts."""
    said = task.get("responses")
    if isinstance(said, Mapping):
        for question, given in said.items():
            for one in given or ():
                yield str(question), one.get("user_id"), one.get("value"), one.get("status")
    elif isinstance(said, list):
        for one in said:
            for question, given in as_mapping(one.get("values")).items():
                yield str(question), one.get("user_id"), as_mapping(given).get("value"), one.get("status")
    for name, given in task.items():
        question, mark, rest = str(name).rpartition(".responses")
        if mark and not rest and given is not None:
            n = len(given)
            states = task.get(f"{name}.status") or [None] * n
            yield from zip([question] * n, task.get(f"{name}.users") or [None] * n, given, states, strict=False)


def doccano(tasks: Sequence[Task], stem: str) -> Claims:
    """doccano, JSONL of a text classification: ``label`` (or ``labels``), a list of fields.

    doccano writes one file per annotator, so that the annotator is the name of the file, unless a row says ``username``. It
    cannot tell a text without labels from one that nobody read: that is no answer; the label `none_of_these` says it was read.
    """
    out = Claims()
    labels = [_doccano_labels(task) for task in tasks]
    seen = {name for chosen in labels for name in chosen}
    for task, chosen in zip(tasks, labels, strict=True):
        meta = as_mapping(task.get("meta"))
        key = out.key(meta, task)
        if key and chosen:
            who = task.get("username") or task.get("annotator") or stem
            out.add_choices(key, who, _offered(task, meta) or seen, chosen, time_of(task.get("updated_at")))
        elif key:
            out.problems["skipped"] += 1
    return out


def _doccano_labels(task: Task) -> list[str]:
    given = task.get("label", task.get("labels")) or []
    given = [given] if isinstance(given, str) else given
    if not all(isinstance(one, str) for one in given):
        raise ValueError("labels of spans, where labels of texts were expected")
    return list(given)


def _offered(*places: Mapping[str, Any]) -> list[str]:
    """What a task says it asked: its ``fields``, a list, or one text with commas (tools flatten lists in meta)."""
    for place in places:
        given = place.get("fields")
        if isinstance(given, str):
            given = given.split(",")
        if isinstance(given, list) and given:
            return [str(one).strip() for one in given]
    return []


def _is_truth(word: str) -> bool:
    try:
        truth(word)
    except ValueError:
        return False
    return True


READERS: dict[str, Callable[[Sequence[Task], str], Claims]] = {
    "label_studio": label_studio,
    "prodigy": prodigy,
    "argilla": argilla,
    "doccano": doccano,
}


def tool_of(tasks: Sequence[Task]) -> str | None:
    """Return which tool wrote these tasks, from the keys of the first ones; None if none of them did."""
    keys = {str(key) for task in tasks[:100] for key in task}
    if "data" in keys and keys & {"annotations", "completions"}:
        return "label_studio"
    if "responses" in keys or any(key.endswith(".responses") for key in keys):
        return "argilla"
    if "answer" in keys and keys & {"accept", "options", "label", "_input_hash", "_task_hash"}:
        return "prodigy"
    if "text" in keys and keys & {"label", "labels"} and "field" not in keys:
        return "doccano"
    return None
