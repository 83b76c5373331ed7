"""The cells that published tables leave out: small ones, and others without which small ones could be worked out.

One row a cell. Python because deciding what can be worked out from linked sums is a linear program.
"""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    import pyarrow as pa

    from clinical_assets.statistics.suppression import Sum, suppress

    dbt.config(alias="withheld", materialized="table")
    cells = dbt.ref("counts_cells").to_arrow_table().to_pylist()
    sums: dict[tuple[str, str], list[str]] = {}
    for row in dbt.ref("counts_sums").order("total, why, part").to_arrow_table().to_pylist():
        sums.setdefault((row["total"], row["why"]), []).append(row["part"])
    threshold = cells[0]["small_below"] if cells else 1
    implied = {row["cell"] for row in cells if row["is_implied"]}
    withheld = suppress(
        {row["cell"]: int(row["n"]) for row in cells},
        [Sum(total, tuple(parts)) for (total, _), parts in sums.items()],
        k=threshold,
        hidden=implied,
    )
    small = {row["cell"] for row in cells if 0 < row["n"] < threshold}
    names = sorted(withheld - implied)
    return pa.table(
        {
            "cell": pa.array(names, pa.string()),
            "reason": pa.array(["small" if name in small else "complementary" for name in names], pa.string()),
        }
    )
