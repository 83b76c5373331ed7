"""The server against its own description: schemathesis makes calls that fit and calls that do not.

CLINICAL_FUZZ_EXAMPLES sets how many per endpoint; few here, since the rest of the tests has to run too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings

from clinical_assets.serving.audit import verify_audit
from tests.unit.serving.conftest import BEARER

# 413: what is too large is refused before anyone looks whether it is also wrong
_REFUSED = {"checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 415, 422, 429]}}}
EXAMPLES = int(os.environ.get("CLINICAL_FUZZ_EXAMPLES", "10"))


@pytest.fixture
def schema(start, tmp_path: Path) -> Iterator[Any]:
    server = uvicorn.Server(uvicorn.Config(start(), port=0, log_level="warning", access_log=False, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    config = schemathesis.Config.from_dict(_REFUSED)
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json", config=config)
    server.should_exit = True
    thread.join()
    assert verify_audit(tmp_path / "audit")[0] > 2


PATHS = ("/entities", "/labels", "/summaries", "/batch", "/health")


@pytest.mark.parametrize("fits", [True, False], ids=["as described", "not as described"])
def test_every_call_is_answered_as_described(schema: Any, fits: bool) -> None:
    mode = schemathesis.GenerationMode.POSITIVE if fits else schemathesis.GenerationMode.NEGATIVE
    operations = {operation.ok().path: operation.ok() for operation in schema.get_all_operations()}
    assert set(operations) == set(PATHS)
    for path in PATHS if fits else PATHS[:-1]:

        @given(case=operations[path].as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case) -> None:
            if fits and case.method == "POST":
                # JSON Schema cannot say that every id stands once.
                for number, text in enumerate(case.body["texts"]):
                    text["id"] = f"{number}.{text['id']}"[:80]
            case.call_and_validate(headers=BEARER, timeout=60)

        check()
