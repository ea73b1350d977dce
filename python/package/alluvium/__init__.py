"""Alluvium: a workbench for distributed continual learning.

Many self-centred devices each adapt a copy of a central model to a private task of their own. A device talks to the centre exactly
twice: it takes the model, and sends its model back. The centre consolidates these models one after another, and never sees a
device's data.

- ``compare`` runs a comparison of consolidation strategies; ``Results`` holds what it measured.
- ``consolidate``, ``evaluate`` and ``inspect`` work on state dicts and checkpoints that were trained elsewhere.
- ``Strategy``, ``Device`` and ``Stream`` are written in Python and named in a configuration.
- ``Centre`` is a centre that another program drives; ``announce`` and ``adapt`` are the device's side of it.
- ``alluvium.testing`` has the conformance tests.

All work is done by the Rust crates of the project.
"""

from alluvium import _alluvium, testing
from alluvium.centre import Announcement, Centre, HandOut, Received, SentExpert, TaskInfo, adapt, announce
from alluvium.checkpoints import Scores, TaskScore, consolidate, evaluate, inspect
from alluvium.comparison import check, compare
from alluvium.device import Device, DeviceContext, DeviceTask, device
from alluvium.errors import AlluviumError, ConfigError, FileError, RunError
from alluvium.kinds import Kind, Option, kinds, schema, strategies
from alluvium.model import Head, Model
from alluvium.plugins import Range
from alluvium.pool import Job, Pool
from alluvium.results import Results, Variant
from alluvium.strategy import Context, Expert, Manifest, Samples, Strategy, strategy
from alluvium.stream import Stream, Task, arrays, stream

# Stages that another build of the native module computed are not reused.
_alluvium.program_in(_alluvium.__file__)

__version__: str = _alluvium.__version__

__all__ = [
    "AlluviumError",
    "Announcement",
    "Centre",
    "ConfigError",
    "Context",
    "Device",
    "DeviceContext",
    "DeviceTask",
    "Expert",
    "FileError",
    "HandOut",
    "Head",
    "Job",
    "Kind",
    "Manifest",
    "Model",
    "Option",
    "Pool",
    "Range",
    "Received",
    "Results",
    "RunError",
    "Samples",
    "Scores",
    "SentExpert",
    "Strategy",
    "Stream",
    "Task",
    "TaskInfo",
    "TaskScore",
    "Variant",
    "adapt",
    "announce",
    "arrays",
    "check",
    "compare",
    "consolidate",
    "device",
    "evaluate",
    "inspect",
    "kinds",
    "schema",
    "strategies",
    "strategy",
    "stream",
    "testing",
]
