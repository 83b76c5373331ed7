"""The Dagster asset that writes the rows of the prediction question as chats."""

import dagster as dg

from clinical_assets.prediction.assets import ROWS, ask_question
from clinical_assets.prediction.export.chats import export_chats
from resources.deployment import DeploymentResource
from resources.warehouse import WarehouseResource

__all__ = ["CHATS", "prediction_chats"]

CHATS = dg.AssetKey(["prediction", "chat_export"])


@dg.asset(
    key=CHATS,
    deps=[ROWS],
    group_name="prediction",
    owners=["team:clinical-data"],
    kinds={"python", "file"},
    tags={"clinical/automation": "manual"},
    code_version="1",
)
def prediction_chats(deployment: DeploymentResource, warehouse: WarehouseResource) -> dg.MaterializeResult:
    """Rows as chats, a JSONL file a split, to train elsewhere. One chat a row, more for the rarer answer in training. Read by people."""
    asked = ask_question(deployment, warehouse)
    folder = deployment.settings().exports / f"prediction_{asked.question.name}"
    written = export_chats(asked, folder)
    counts = {f"n_{split}": n for split, n in written.items()}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(asked.sha), metadata={"folder": dg.MetadataValue.path(str(folder)), **counts}
    )
