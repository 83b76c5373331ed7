"""How an adapter is trained, as data: rank, rate, epochs, batches, and presets by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["PRESETS", "LoraSettings", "preset_of"]

Ending = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class LoraSettings(BaseModel):
    """Everything that makes one adapter differ from another, besides data, prompt and base. All of it is in the digest.

    Low-rank adaptation after Hu et al. 2021; on a base in 4 bits (the catalogue entry's `quantization`) after Dettmers et al. 2023.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(16, ge=1, le=512, description="r: columns of the two small matrices")
    alpha: float = Field(
        32.0, gt=0, description="the update is scaled by alpha / rank (by alpha / sqrt(rank) with use_rslora)"
    )
    dropout: float = Field(0.05, ge=0, lt=1)
    target: Literal["attention_qv", "attention", "all_linear"] | tuple[Ending, ...] = Field(
        "all_linear",
        description="which linear modules of the language layers: by kind, or endings of their names (q_proj, ...)",
    )
    use_rslora: bool = Field(False, description="rank-stabilized scaling (Kalajdzievski 2023)")
    epochs: int = Field(3, ge=1, le=1_000)
    learning_rate: float = Field(2e-4, gt=0, allow_inf_nan=False)
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="after the warm-up")
    warmup_ratio: float = Field(0.03, ge=0, lt=1, description="share of the steps in which the rate rises from 0")
    warmup_steps: int | None = Field(None, ge=0, description="the same as a number of steps; used instead where given")
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    tokens_per_batch: int = Field(
        4_096, ge=1, description="rows of like length share a batch: (rows x longest row) tokens at most"
    )
    batch_size: int | None = Field(None, ge=1, description="rows a batch; used instead of tokens_per_batch where given")
    gradient_accumulation: int = Field(1, ge=1, description="batches an optimizer step")
    max_tokens: int = Field(
        4_096, ge=16, description="prompt and answer; of a longer note head and tail are kept, the answer is never cut"
    )
    min_examples: int = Field(20, ge=1, description="fewer training examples are refused")
    patience: int | None = Field(
        2, ge=1, description="epochs without a better validation result after which it stops; None: never"
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description="trade time for memory; None: where a GPU is and the model has more than 0.5 billion parameters",
    )
    value_weight: float = Field(
        1.0, ge=1, le=1e6, description="weight of the deciding tokens in the loss, relative to the others"
    )
    value_choice: Literal["vocabulary", "alternatives"] = Field(
        "vocabulary",
        description="what a deciding token is told from: all tokens, or those that decide in the training examples (true and false, "
        "say), which is how schema scoring reads it",
    )
    seed: int = Field(1, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _some_target(self) -> LoraSettings:
        if isinstance(self.target, tuple) and (not self.target or len(set(self.target)) != len(self.target)):
            raise ValueError("target needs one or more different endings of module names, q_proj and v_proj say")
        return self


_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

# The seeds' numbers are those their code gave to the trainer. What was wrong around them (loss on the prompt, padding as end of
# turn, answers cut, adapters on the vision tower) is not repeated.
PRESETS: dict[str, LoraSettings] = {
    "recommended": LoraSettings(value_weight=5.0),
    # For demo models of a million parameters on one core; found by trial on synthetic notes (benchmarks/RESULTS.md).
    "demo": LoraSettings(
        epochs=2, learning_rate=3e-3, dropout=0.0, tokens_per_batch=4_096, max_tokens=1_536, value_weight=10_000.0,
        value_choice="alternatives",
    ),
    # Imatinib study: OpenHermes 7B, labels.
    "seed_ehr": LoraSettings(
        rank=8, alpha=16, dropout=0.1, target=("q_proj", "v_proj"), epochs=1, learning_rate=2e-4, schedule="linear",
        warmup_ratio=0.0, batch_size=5,
    ),
    # Trial comparison: small models, yes/no; rank 16 is what its second version asked for and never got.
    "seed_rct": LoraSettings(
        rank=16, alpha=32, dropout=0.0, target=("q_proj", "v_proj"), epochs=7, learning_rate=2e-6,
        schedule="constant", warmup_ratio=0.0, batch_size=4, patience=None,
    ),
    # Entities: Llama 3.2 3B.
    "seed_ner": LoraSettings(
        rank=16, alpha=32, dropout=0.05, target=_PROJECTIONS, epochs=5, learning_rate=5e-5, warmup_ratio=0.03,
        weight_decay=0.01, batch_size=4, gradient_accumulation=4, max_tokens=2_048, patience=3, seed=42,
    ),
    # Discharge summaries: MedGemma 4B.
    "seed_ds": LoraSettings(
        rank=32, alpha=64, dropout=0.05, target=_PROJECTIONS, epochs=1, learning_rate=2e-4, warmup_steps=100,
        weight_decay=0.01, batch_size=1, gradient_accumulation=8, max_tokens=4_096, seed=42,
    ),
}  # fmt: skip


def preset_of(name: str) -> LoraSettings:
    """Return a preset.

    Raises
    ------
    ValueError
        If there is none of that name; the known ones are named.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r} for lora; known: {', '.join(PRESETS)}")
    return PRESETS[name]
