"""The server app: the centre.

What a run is told with ``--run-config`` (or in ``[tool.flwr.app.config]``):

=========== =========================================================================================================
key         meaning
=========== =========================================================================================================
experiment  the configuration of the experiment, a TOML file on the centre's machine. It may have several strategies and
            seeds; each pair is a *row* with a centre of its own
directory   the run directory. A run that is started again with the same directory goes on
nodes       the list of the public signing keys of the nodes (``nodes.txt``). Without it, the first key of each node is
            kept: say ``nodes = "first"`` to permit that
key         the centre's signing key; default: ``centre.sign`` in ``directory``, made when it is missing
order       ``arrival`` (default): every node that needs a model takes one at once, and experts come as they arrive;
            ``stream``: one device after another in the order of the stream, as in one process;
            or the names of tasks, separated by commas
until       ``all-tasks`` (default): ends when each task's expert came or was given up; ``stopped``: goes on until the
            file ``stop`` appears in the directory
resend      seconds after which a message without a reply is sent again, in case it was lost (default 600): say twice what a
            device needs. A device that is still at work answers twice, and the second answer is refused as a duplicate
patience    seconds after which the centre goes on without a device; its expert is still welcome (default 3600). It can change
            the results of a stated order
give-up     seconds after which an expert is refused as late; 0: never (default)
query       seconds between two questions to an idle node whether it needs a model (default 30)
poll        seconds between two looks for answers (default 0.2)
retries     how often a refused or failed answer is asked for again at once (default 3)
most-bytes  the most bytes of an expert; default: four times the hand-out and 16 MiB
=========== =========================================================================================================
"""

from __future__ import annotations

import logging
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from alluvium.flower.centre import FlowerCentre, Settings

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs the centre until it is done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = Settings.of(context.run_config)
    with FlowerCentre(grid, settings) as centre:
        centre.run()
    Path(settings.directory, "done").touch()
