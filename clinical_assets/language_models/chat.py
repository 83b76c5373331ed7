"""Prompts as a model was trained to read them: its own chat template, with the thought opened or shut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.skeleton import common_length

__all__ = ["CLOSE_THOUGHT", "Chat", "ChatTemplateError"]

_OPEN_THOUGHT, CLOSE_THOUGHT = "<think>\n", "</think>\n\n"
_BRACKETED = re.compile(r"<[^<>\s]{1,60}>|\[[^\[\]\s]{1,60}\]")


class ChatTemplateError(ValueError):
    """The tokenizer brings no chat template, or one that cannot be used."""


@dataclass(frozen=True)
class Chat:
    """A prompt in a model's own words.

    Attributes
    ----------
    tokenizer
        A fast tokenizer with a chat template.
    prompt
        What is asked.
    reasoning
        Whether the model thinks before it answers; if not, a template that opens a thought has it shut at once.
    """

    tokenizer: Any
    prompt: Prompt
    reasoning: bool = False

    def render(self, note: str, **others: str) -> str:
        """Return the text that the model goes on from. Signs inside the note are defused, so that it cannot end its turn.

        `others` are the texts of the prompt's other slots.

        Raises
        ------
        ChatTemplateError
            If there is no usable chat template.
        """
        if not getattr(self.tokenizer, "chat_template", None):
            raise ChatTemplateError(
                "the tokenizer has no chat template; name a jinja file as chat_template in the model's catalogue entry"
            )
        text = self._write(self.defuse(note), **{name: self.defuse(other) for name, other in others.items()})
        opened = text.rstrip().endswith(_OPEN_THOUGHT.strip())
        if self.reasoning:
            return text if opened else text + _OPEN_THOUGHT
        return text + CLOSE_THOUGHT if opened else text

    def encode(self, notes: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each note's prompt."""
        if not notes:
            return []
        texts = [self.render(note) for note in notes]
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def defuse(self, text: str) -> str:
        """Return a text whose signs that could end a turn are broken by a blank."""
        return self._signs.sub(lambda sign: f"{sign[0][0]} {sign[0][1:]}", text)

    def turn_end(self) -> str:
        """Return what the template writes behind an answer, up to and with the first control token: there generation stops.

        Raises
        ------
        ChatTemplateError
            If the template drops the model's turn, or nothing ends it.
        """
        mark = "answerzzanswer"
        _, found, after = self._write("", answer=mark).rpartition(mark)
        if not found:
            raise ChatTemplateError("the chat template drops the model's own turn, so that nothing says how it ends")
        ends = [token.content for token in self.tokenizer.added_tokens_decoder.values() if self._controls(token)]
        places = [(after.find(sign), sign) for sign in ends if sign in after]
        if places:
            place = min(place for place, _ in places)
            sign = max((sign for at, sign in places if at == place), key=len)
            return after[:place] + sign
        if self.tokenizer.eos_token:
            return str(self.tokenizer.eos_token)
        raise ChatTemplateError(
            "the chat template writes no control token behind an answer, and the tokenizer has no eos_token"
        )

    def common_tokens(self) -> list[int]:
        """Return the tokens that every prompt begins with."""
        first, second = self.encode(["A", "\n7"])
        return first[: common_length(first, second)]

    @cached_property
    def _signs(self) -> re.Pattern[str]:
        """What stands for a control token, or for the border of a turn in the chat template."""
        added = self.tokenizer.added_tokens_decoder.values()
        signs = {token.content for token in added if self._controls(token)}
        own = {sign for part in (self.prompt.system, self.prompt.user) for sign in _BRACKETED.findall(part)}
        signs |= set(_BRACKETED.findall(self._write(""))) - own
        # Where there is none, a pattern that matches nothing.
        return re.compile("|".join(re.escape(sign) for sign in sorted(signs, key=len, reverse=True)) or r"(?!)")

    @staticmethod
    def _controls(token: Any) -> bool:
        return len(token.content.strip()) > 1 and bool(token.special or _BRACKETED.fullmatch(token.content))

    def _write(self, note: str, *, answer: str | None = None, **others: str) -> str:
        """Return the conversation as text, up to where the model goes on, or with its answer."""
        messages = self.prompt.messages(note, **others)
        said = [] if answer is None else [{"role": "assistant", "content": answer}]
        try:
            return self._apply([*messages, *said])
        except ChatTemplateError:
            # Some families know no system turn: what it says opens the user's turn instead.
            both = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
            return self._apply([both, *said])

    def _apply(self, messages: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        asks = messages[-1]["role"] == "user"
        try:
            text: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=asks)
        except TemplateError as error:
            # The library quotes no message; the template's own words may.
            raise ChatTemplateError(f"the chat template refuses the prompt ({type(error).__name__})") from None
        if self.prompt.system[:40] not in text:
            raise ChatTemplateError("the chat template drops the system turn")
        return text
