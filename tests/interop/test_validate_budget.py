"""What an invocation of the Edge Function costs on a file of nearly the largest size: CPU time and memory, printed.

The platform allows 2 s of CPU for an invocation. Each one is started by the test, which stands in for the function's
call to itself, so that its CPU time can be told from the next one's. Runs on Linux, where processes tell both figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.interop.conftest import deno_folder
from tests.interop.test_validate_dataset import confirmed, row_of
from tests.support.datasets import Kind, make_dataset
from tests.support.deno import deno_environment
from tests.support.edge_function import Calls, edge_function
from tests.support.workspace import RunningServer, wait_until

SIZE_BYTES = 480_000_000
CPU_LIMIT_S = 2.0
MEMORY_LIMIT_BYTES = 150_000_000
INVOCATION_LIMIT_S = 60


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")
@pytest.mark.parametrize("kind", ["pair_lines", "conversation_lines", "v4_document"])
def test_every_invocation_keeps_to_its_budget(
    deno: str, workspace_server: RunningServer, tmp_path: Path, kind: Kind
) -> None:
    made = make_dataset(kind, SIZE_BYTES, tmp_path / ("data.jsonl" if kind.endswith("lines") else "data.json"))
    user = workspace_server.new_user()
    dataset_id = confirmed(user, made.path.read_bytes(), name=made.path.name)
    costs: list[float] = []
    with (
        Calls() as calls,
        edge_function(deno, deno_environment(deno_folder()), workspace_server, next_url=calls.url) as function,
    ):
        idle_bytes = function.peak_memory_bytes()
        while row_of(user, dataset_id)["status"] == "validating":
            cpu_s, done = function.cpu_s(), len(function.outcomes())
            assert function.call(user.token, dataset_id=dataset_id).status_code == 202
            wait_until(
                lambda done=done: len(function.outcomes()) > done, INVOCATION_LIMIT_S, "the end of an invocation"
            )
            costs.append(function.cpu_s() - cpu_s)
        peak_bytes = function.peak_memory_bytes()
        outcomes = [said["outcome"] for said in function.outcomes()]
    row = row_of(user, dataset_id)
    print(
        f"\n{kind}: {made.size_bytes / 1e6:.0f} MB in {len(costs)} invocations; CPU {sum(costs):.1f} s in all, "
        f"{max(costs):.2f} s the longest; memory {peak_bytes / 1e6:.0f} MB at most, {idle_bytes / 1e6:.0f} MB idle"
    )
    assert (row["status"], row["total_training_pairs"]) == ("ready", made.training_pairs)
    assert row["total_tokens"] == made.tokens
    assert outcomes == ["more"] * (len(costs) - 1) + ["ended"]
    assert max(costs) < CPU_LIMIT_S
    assert peak_bytes < MEMORY_LIMIT_BYTES
