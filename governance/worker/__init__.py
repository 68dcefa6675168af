"""The worker: whatever is due is done here, by any number of processes that share the work through the database."""

from governance.worker.duties import Duty
from governance.worker.limits import WorkerLimits
from governance.worker.worker import Worker

__all__ = ["Duty", "Worker", "WorkerLimits"]
