"""Dagster asset of the seed's cleaning: three tables to look at, made when a person asks for them."""

from collections.abc import Iterator

import dagster as dg

from clinical_assets.exploration.cleaning_tables import CLEANED, clean_notes
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.statistics.length_plots import lengths_figure
from clinical_assets.statistics.plots import markdown_image, write_figures
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.warehouse import WarehouseResource

__all__ = ["CLEANING_KEYS", "seed_cleaning"]

_WARNING = "Exploration only: digits, signs and negations are gone. Feeds no model and no metric. Lake only. One row per note in scope"
_WHAT = {
    "exploration/cleaned_full": f"{_WARNING}: the note's ids and lengths, and every step of the seed's cleaning.",
    "exploration/cleaned_text": f"{_WARNING}: final_input and final_target alone.",
    "exploration/cleaning_steps": f"{_WARNING}: the steps alone.",
}
CLEANING_KEYS = [dg.AssetKey(table.split("/")) for table in CLEANED]


@dg.multi_asset(
    name="seed_cleaning",
    specs=[
        dg.AssetSpec(
            table.split("/"),
            deps=[["notes", "notes"], ["notes", "labelling_scope"], ["summaries", "compressed_extractive"]],
            group_name="exploration",
            owners=["team:clinical-nlp"],
            kinds={"python", "parquet"},
            tags={"clinical/automation": "manual"},
            code_version="1",
            description=description,
        )
        for table, description in _WHAT.items()
    ],
)
def seed_cleaning(
    lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> Iterator[dg.MaterializeResult]:
    """Clean the notes in scope as the seed did, and draw their lengths before and after."""
    done = clean_notes(lake.open(), notes_in_scope(warehouse.reader()))
    figure = lengths_figure(
        done.lengths,
        title="What the seed's cleaning takes away",
        xlabel="Words",
        note=f"Lemmas by {done.lemmatizer}. The longest percent is in the last bin. Exploration only.",
    )
    write_figures(deployment.settings().report / "figures", {"seed_cleaning_lengths": figure})
    for table, written in done.written.items():
        yield dg.MaterializeResult(
            asset_key=table.split("/"),
            data_version=dg.DataVersion(written.digest),
            metadata={
                "dagster/row_count": written.n_rows,
                "lemmatizer": done.lemmatizer,
                "lengths": dg.MetadataValue.md(markdown_image(figure, "lengths before and after")),
            },
        )
