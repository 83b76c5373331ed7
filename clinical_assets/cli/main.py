"""The `clinical-assets` command. Each command is a few lines over a module of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clinical_assets.privacy import switch_off_telemetry

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _start() -> None:
    """A Dagster data-asset platform for clinical text. Research use; not a medical device."""
    switch_off_telemetry()


def _fail(error: Exception) -> typer.Exit:
    typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(1)


@app.command()
def demo(
    persons: Annotated[
        int, typer.Option(min=50, max=200_000, help="Persons in the demo hospital (about 6 notes each)")
    ] = 1500,
    seed: Annotated[int, typer.Option(help="Seed of the generator: same seed and size, same hospital")] = 20250630,
) -> None:
    """Build the demo hospital in landing/ and materialize every asset on it."""
    from clinical_assets.cli.demo import land_demo_hospital
    from clinical_assets.cli.run import materialize_everything
    from clinical_assets.settings import Settings

    try:
        land_demo_hospital(Settings(), persons=persons, seed=seed, say=typer.echo)
        materialize_everything(say=typer.echo)
    except (RuntimeError, ValueError, OSError) as error:
        raise _fail(error) from None


@app.command()
def run() -> None:
    """Ingest what landed and is not in the lake yet, then materialize what follows from it."""
    from clinical_assets.cli.run import materialize_everything

    try:
        materialize_everything(say=typer.echo)
    except (RuntimeError, ValueError, OSError) as error:
        raise _fail(error) from None


@app.command()
def review(
    to: Annotated[str, typer.Option(help="Tool: label_studio, prodigy, argilla, doccano or csv")] = "label_studio",
    n: Annotated[
        int, typer.Option(min=1, max=100_000, help="Notes at most, from the top of labels.review_queue")
    ] = 200,
) -> None:
    """Write the notes that a person should read next, with their texts, as a file for an annotation tool."""
    from clinical_assets.cli.review import write_review
    from clinical_assets.settings import Settings

    try:
        for line in write_review(Settings(), to=to, n=n):
            typer.echo(line)
    except (ValueError, OSError) as error:
        raise _fail(error) from None


@app.command("land-public")
def land_public(
    source: Annotated[Path, typer.Argument(help="Folder of the public data (omop/gibleed, notes/*.parquet)")],
) -> None:
    """Land public data: GiBleed as the OMOP snapshot, MTSamples and E3C texts as notes with synthetic person links."""
    from clinical_assets.cli.public_data import land_public_data
    from clinical_assets.settings import Settings

    try:
        for line in land_public_data(source, Settings().landing):
            typer.echo(line)
    except (ValueError, OSError) as error:
        raise _fail(error) from None


@app.command("import-learn")
def import_learn(
    source: Annotated[
        Path, typer.Argument(help="Folder with the table of persons, diagnosis.csv, procedure.csv, medication_drug.csv")
    ],
) -> None:
    """Land the files of a LEARN cohort as OMOP tables, with names of codes; say what was set aside."""
    from clinical_assets.embeddings.learn_files import import_learn_files
    from clinical_assets.settings import Settings

    try:
        for line in import_learn_files(source, Settings().landing):
            typer.echo(line)
    except (ValueError, OSError) as error:
        raise _fail(error) from None


@app.command()
def ui(
    host: Annotated[
        str, typer.Option(help="Address to bind; only loopback is accepted: Dagster has no log-in")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
) -> None:
    """Start the Dagster UI, sensors and schedules (dagster dev) on this deployment; one at a time."""
    from clinical_assets.cli.ui import run_ui

    try:
        raise typer.Exit(run_ui(host, port))
    except (OSError, ValueError) as error:
        raise _fail(error) from None


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to bind; others than loopback only with --behind-tls-proxy")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8008,
    behind_tls_proxy: Annotated[
        bool, typer.Option("--behind-tls-proxy", help="A proxy with TLS is the only one who reaches this address")
    ] = False,
) -> None:
    """Answer for entities, labels and summaries of texts over HTTP, to holders of a token (CLINICAL_SERVE_TOKEN)."""
    from clinical_assets.serving.server import run_server
    from clinical_assets.serving.settings import ServingSettings
    from clinical_assets.settings import Settings

    try:
        raise typer.Exit(run_server(Settings(), ServingSettings(), host, port, behind_tls_proxy=behind_tls_proxy))
    except (ValueError, OSError) as error:
        raise _fail(error) from None


@app.command("verify-audit")
def verify_audit_() -> None:
    """Check that no row of the server's audit was changed or removed; print how many there are and the head of the chain."""
    from clinical_assets.serving.audit import verify_audit
    from clinical_assets.settings import Settings

    try:
        n, head = verify_audit(Settings().audit)
    except (ValueError, OSError) as error:
        raise _fail(error) from None
    typer.echo(f"{n} rows, head {head}")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable")] = False) -> None:
    """Show what landed, what is in the lake and how old the warehouse is."""
    from clinical_assets.cli.status import read_status, status_lines
    from clinical_assets.settings import Settings

    found = read_status(Settings())
    typer.echo(json.dumps(found, default=str, indent=2) if as_json else "\n".join(status_lines(found)))


@app.command()
def evidence(
    question: Annotated[str, typer.Argument(help='What is looked for, e.g. "nausea after imatinib"')],
    limit: Annotated[int, typer.Option(min=1, max=200, help="Sentences at most")] = 10,
    person: Annotated[
        list[int] | None, typer.Option(help="Only notes of this person; may be given several times")
    ] = None,
    documents: Annotated[bool, typer.Option(help="Search the landed corpora as well")] = True,
) -> None:
    """Print the sentences of notes and documents that speak most of a question, with citations. They hold words of notes."""
    from clinical_assets.cli.evidence import evidence_lines
    from clinical_assets.settings import Settings

    try:
        for line in evidence_lines(Settings(), question, limit=limit, persons=person or [], documents=documents):
            typer.echo(line)
    except (ValueError, OSError) as error:
        raise _fail(error) from None


@app.command(context_settings={"ignore_unknown_options": True})  # a query may begin with a comment: -- why
def query(
    sql: Annotated[str, typer.Argument(help='One SQL query over the warehouse, e.g. "from labels.concept_counts"')],
    max_rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows shown at most")] = 200,
    output: Annotated[str, typer.Option("--format", help="table, csv or json")] = "table",
) -> None:
    """Query the published warehouse: read-only, no files, no network, a bounded number of rows."""
    from clinical_assets.cli.query import QueryError, render, run_query
    from clinical_assets.settings import Settings

    try:
        result = run_query(Settings().warehouse, sql, max_rows=max_rows)
        typer.echo(render(result, output))
    except (QueryError, OSError) as error:
        raise _fail(error) from None
    if result.truncated:
        typer.secho(
            f"only the first {max_rows} rows are shown; raise --max-rows for more", err=True, fg=typer.colors.YELLOW
        )


@app.command("nearest-notes")
def nearest_notes_(
    note_id: Annotated[int, typer.Argument(help="note_id of a note whose vector is in the lake")],
    n: Annotated[int, typer.Option(min=1, max=1000, help="Notes shown at most")] = 10,
    same_person: Annotated[bool, typer.Option("--same-person", help="Also notes of the same person")] = False,
    output: Annotated[str, typer.Option("--format", help="table, csv or json")] = "table",
) -> None:
    """Show which notes are most like a note (cosine of their vectors); ids and dates only, no text."""
    from dataclasses import astuple

    from clinical_assets.cli.query import QueryResult, render
    from clinical_assets.embeddings.nearest import NoSuchVector, nearest_notes
    from clinical_assets.settings import Settings
    from clinical_assets.storage.lake import Lake

    try:
        found = nearest_notes(Lake(Settings().lake), note_id, n=n, same_person=same_person)
        columns = ["note_id", "person_id", "batch", "note_date", "note_type", "similarity"]
        typer.echo(render(QueryResult(columns, [astuple(row) for row in found], truncated=False), output))
    except (NoSuchVector, ValueError, OSError) as error:
        raise _fail(error) from None


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable")] = False) -> None:
    """Look for what would stop the platform here, and name the fix for each problem."""
    from clinical_assets.cli.doctor import diagnose

    findings = diagnose()
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings], indent=2))
    else:
        colours: dict[str, Any] = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}
        for finding in findings:
            typer.secho(f"{finding.state:<5}{finding.name}: {finding.found}", fg=colours[finding.state])
            if finding.fix:
                typer.echo(f"     fix: {finding.fix}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


@app.command()
def dictionary(
    output: Annotated[Path, typer.Option(help="Markdown file to write")] = Path("docs/data_dictionary.md"),
) -> None:
    """Write the data dictionary from the comments of the published warehouse."""
    from clinical_assets.cli.dictionary import write_dictionary
    from clinical_assets.settings import Settings

    try:
        n = write_dictionary(Settings().warehouse, output)
    except OSError as error:
        raise _fail(error) from None
    typer.echo(f"{output}: {n} columns")


if __name__ == "__main__":
    app()
