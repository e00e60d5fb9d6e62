"""A trainer in Python: it serves the activity `Trial` on the task queue of the trainer `tides`.

What comes and goes is JSON, as experiments/trainer/FORMAT.md has it.
"""

import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from train import train

PROCESS = str(uuid.uuid4())  # by it a process that died is told from one that was only silent
SLOTS = int(os.environ.get("SLOTS", "1"))


@activity.defn(name="Trial")
def trial(request: dict[str, Any]) -> dict[str, Any]:
    # In a thread of its own, so that training keeps no heartbeat back; where the trial is cancelled, an exception ends it.
    return train(request, lambda progress: activity.heartbeat(progress | {"process": PROCESS}))


async def main() -> None:
    address, namespace = os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"), os.environ.get("TEMPORAL_NAMESPACE", "default")
    client = await Client.connect(address, namespace=namespace)
    with ThreadPoolExecutor(SLOTS) as threads:
        worker = Worker(client, task_queue="tnaml-tides", activities=[trial], activity_executor=threads, max_concurrent_activities=SLOTS)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
