"""A folder of landed files as an observed asset: its data version is the digest of its files."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dagster as dg

from clinical_assets.cohort.omop_landing import snapshot_digest
from resources.deployment import DeploymentResource

__all__ = ["observed_folder"]


def observed_folder(
    key: dg.AssetKey, description: str, files_of: Callable[[Path], Sequence[Path]]
) -> dg.AssetsDefinition:
    """Return the observable source ``landing/<name>``.

    Parameters
    ----------
    files_of
        The folder's files that count, by name.
    """

    # In a function: at import the decorator would warn of being in beta before anybody could say that this is known.
    @dg.multi_observable_source_asset(
        name=f"observe_{key.path[-1]}",
        specs=[
            dg.AssetSpec(
                key, group_name="landing", owners=["team:clinical-data"], kinds={"file"}, description=description
            )
        ],
    )
    def landed(deployment: DeploymentResource) -> Iterator[dg.ObserveResult]:
        """Digest the landed files."""
        files = files_of(deployment.settings().landing / key.path[-1])
        yield dg.ObserveResult(
            asset_key=key,
            data_version=dg.DataVersion(snapshot_digest(files) if files else "absent"),
            metadata={"n_files": len(files), "n_bytes": sum(path.stat().st_size for path in files)},
        )

    return landed
