"""The app: which endpoints there are and how a call goes through prepared texts and engines to a reply."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from clinical_assets.privacy import StepError
from clinical_assets.serving.audit import AuditLog
from clinical_assets.serving.audit_writer import AuditWriter
from clinical_assets.serving.description import PROBLEMS, describe_problems
from clinical_assets.serving.engines import Engines, EngineUnavailable
from clinical_assets.serving.gate import CallRecord, Gate
from clinical_assets.serving.models import (
    EXAMPLE,
    TASKS,
    AuditState,
    BatchCall,
    BatchReply,
    Call,
    EntitiesReply,
    Health,
    LabelsReply,
    SummariesReply,
    Task,
)
from clinical_assets.serving.problems import PROBLEM_TYPE, ProblemError, explain, problem_bytes
from clinical_assets.serving.reader import Reader
from clinical_assets.serving.settings import ServingSettings
from clinical_assets.serving.strict_json import StrictRoute
from clinical_assets.serving.tokens import Tokens
from clinical_assets.serving.worker import WaitedTooLong, Worker
from clinical_assets.study.model import Study

__all__ = ["build_app"]

_PATHS = {"/entities": "entities", "/labels": "labels", "/summaries": "summaries", "/batch": "batch"}
_REPLIES: dict[str, Any] = {"entities": EntitiesReply, "labels": LabelsReply, "summaries": SummariesReply}
# Nothing of a call may go to a collector, whatever the environment configures.
_NO_TELEMETRY: Any = {
    "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
}  # fmt: skip
_bearer = HTTPBearer(auto_error=False, description="Token from who runs the server")
_log = logging.getLogger("clinical_assets.serving")


class Serving:
    """What a running app holds. Tests reach it as ``app.state.serving``."""

    def __init__(self, settings: ServingSettings, study: Study, engines: Engines, audit_folder: Path) -> None:
        self.study = study
        self.engines = engines
        self.reader = Reader(engines, study.limits)
        self.worker = Worker(self.reader, settings.wait_seconds)
        self.log = AuditLog(audit_folder)
        self.writer: AuditWriter | None = None
        self.calls: set[str] = set()
        self.versions = _versions()

    def audit(self) -> AuditWriter:
        """Return the writer; the app has one while it is up."""
        if self.writer is None:
            raise RuntimeError("the app is not started: use it as a context (lifespan)")
        return self.writer

    async def reply(
        self, call: Call, tasks: Sequence[Task], record: CallRecord, whole: type[BaseModel] | None
    ) -> bytes:
        """Return the body of the answer to a call: of one task, or of several as the model `whole`."""
        texts = [text.text for text in call.texts]
        record.n_texts = len(texts)
        try:
            read = await self.worker.run(tasks, texts)
        except Exception as error:  # noqa: BLE001 - told as what it is, or raised again
            # A call that failed had its texts here, too.
            record.text_sha256 = await asyncio.to_thread(self.reader.digests, texts)
            raise _unanswered(error) from None
        record.text_sha256 = read.text_sha256
        record.engines = {task: info.digest for task, info in read.engines.items()}
        replies = {task: _REPLIES[task](engine=info, results=read.results[task]) for task, info in read.engines.items()}
        for reply in replies.values():
            for text, result in zip(call.texts, reply.results, strict=True):
                result.id = text.id
        whole_reply = replies[tasks[0]] if whole is None else whole.model_validate(replies)
        return whole_reply.model_dump_json().encode()

    async def open_engines(self) -> None:
        """Open all engines before the first call needs them; one that cannot be opened does not stop the others."""
        for task in TASKS:
            started = time.monotonic()
            try:
                # a first reading loads what engines load when they need it
                await self.worker.run([task], [EXAMPLE])
                _log.info("%s: ready after %.1f s", task, time.monotonic() - started)
            except (EngineUnavailable, StepError) as error:
                _log.warning("%s: unavailable: %s", task, error)
            except Exception as error:  # noqa: BLE001 - the others may still work; calls will say it again
                _log.warning("%s: does not read its example: %s", task, type(error).__name__)

    def health(self, *, everything: bool) -> Health:
        """Return how the server is; what runs in it only to holders of a token."""
        states = self.engines.states()
        audit = AuditState(writable=self.log.writable, n_rows=self.log.n_rows, head=self.log.head)
        broken = not audit.writable or any(state.state == "unavailable" for state in states.values())
        status = "degraded" if broken else "ready"
        if not everything:
            return Health(status=status)
        study = f"{self.study.name} {self.study.schema_version}"
        return Health(
            status=status, versions=self.versions, study=study, tasks=states, audit=audit, calls=len(self.calls)
        )


def build_app(
    settings: ServingSettings,
    study: Study,
    tokens: Tokens,
    engines: Engines,
    audit_folder: Path,
    *,
    open_engines: bool = False,
) -> FastAPI:
    """Return the app; while its lifespan lasts it holds the lock of the audit.

    Parameters
    ----------
    open_engines
        Open all engines at the start; otherwise each with its first call.
    """
    serving = Serving(settings, study, engines, audit_folder)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with serving.log as log:
            serving.writer = AuditWriter(log)
            await serving.writer.write({"event": "start", "versions": serving.versions})
            if open_engines:
                await serving.open_engines()
            try:
                yield
            finally:
                serving.worker.close()
                await serving.writer.write({"event": "stop"})
                await serving.writer.close()
                serving.writer = None

    app = FastAPI(
        title="clinical-assets",
        summary="Entities, labels and summaries of clinical texts, by the same engines as the data assets",
        description="Research use; not a medical device. Every call to read texts leaves a row in an audit, without text.",
        version=metadata.version("clinical-assets"),
        docs_url=None,  # Swagger UI would be fetched from the internet
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.serving = serving
    app.include_router(_router(serving))
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Gate,
        settings=settings,
        tokens=tokens,
        audited=_PATHS,
        worker=serving.worker,
        audit=serving.audit,
        calls=serving.calls,
    )
    describe_problems(app)
    return app


def _unanswered(error: Exception) -> Exception:
    if isinstance(error, EngineUnavailable):
        return ProblemError(503, str(error), "Tell who runs the server.", headers={"Retry-After": "60"})
    if isinstance(error, WaitedTooLong):
        said = "The call waited too long for its turn and was not begun."
        return ProblemError(503, said, "Call again.", headers={"Retry-After": "10"})
    return error


def _router(serving: Serving) -> APIRouter:
    router = APIRouter(route_class=StrictRoute)
    reading: dict[str, Any] = {"dependencies": [Depends(_bearer)], "responses": PROBLEMS, "tags": ["texts"]}

    async def answer(
        request: Request, call: Call, tasks: Sequence[Task], whole: type[BaseModel] | None = None
    ) -> Response:
        body = await serving.reply(call, tasks, request.state.record, whole)
        return Response(body, media_type="application/json")

    @router.post("/entities", response_model=EntitiesReply, **reading)
    async def entities(request: Request, call: Call) -> Response:
        """Diseases and chemicals with offsets, assertion, section and concept."""
        return await answer(request, call, ["entities"])

    @router.post("/labels", response_model=LabelsReply, **reading)
    async def labels(request: Request, call: Call) -> Response:
        """One label per text and field of the study, with its evidence."""
        return await answer(request, call, ["labels"])

    @router.post("/summaries", response_model=SummariesReply, **reading)
    async def summaries(request: Request, call: Call) -> Response:
        """Two extractive stages: verbatim sentences, then clauses of these."""
        return await answer(request, call, ["summaries"])

    @router.post("/batch", response_model=BatchReply, **reading)
    async def batch(request: Request, call: BatchCall) -> Response:
        """Several tasks on the same texts, which are prepared once."""
        caller = request.state.record.caller
        if not set(call.tasks) <= caller.tasks:
            raise ProblemError(
                403, "The token is not for all of these tasks.", "Ask who runs the server, or name fewer tasks."
            )
        return await answer(request, call, call.tasks, BatchReply)

    # the token is optional here
    either: dict[str, Any] = {"security": [{}, {_bearer.scheme_name: []}]}

    @router.get("/health", response_model=Health, tags=["server"], openapi_extra=either)
    async def health(request: Request) -> Health:
        """Whether the server answers; with a token also versions, digests of the engines and where the audit stands."""
        return serving.health(everything=request.state.record.caller is not None)

    return router


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if not isinstance(error, ProblemError):
        words = {404: "There is no such endpoint.", 405: "The endpoint is there, but not for this method."}
        detail = words.get(error.status_code, "The call was refused.")
        error = ProblemError(error.status_code, detail, "See /openapi.json.", headers=error.headers)
    body = problem_bytes(error, request.state.record.call_id)
    return Response(body, error.status_code, dict(error.headers or {}), PROBLEM_TYPE)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = ProblemError(
        422, "The body is not what is expected.", "See errors and /openapi.json.", errors=explain(error.errors())
    )
    return await _http_problem(request, problem)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("clinical-assets", "fastapi", "uvicorn", "spacy", "pyarrow")}
