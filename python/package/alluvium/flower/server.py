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
jobs        for comparisons: cells that run side by side (default 16)
cache       for comparisons: the folder for stored stages, which runs may share; default: in ``directory``
most-bytes  the most bytes of an expert; default: four times the hand-out and 16 MiB
=========== =========================================================================================================

*Who evaluates.* A stream with test samples at the centre: the centre does. The stream ``declared`` has none: the accuracy of an expert
is what its device reports (a node with ``report=true``), and that of the central model is blank.

An experiment with ``[device] kind = "flower"`` is a comparison in one process, the server app's, whose devices work on the nodes
(:mod:`alluvium.flower.pool`). All others are deployments (:mod:`alluvium.flower.centre`).
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

import alluvium as al
from alluvium.flower.centre import FlowerCentre
from alluvium.flower.pool import FlowerPool
from alluvium.flower.rows import table
from alluvium.flower.settings import Settings

log = logging.getLogger("alluvium.flower")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs the centre until it is done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = Settings.of(context.run_config)
    if table(settings.experiment).get("device", {}).get("kind") == "flower":
        compare(grid, settings)
    else:
        with FlowerCentre(grid, settings) as centre:
            centre.run()
    Path(settings.directory, "done").touch()


def compare(grid: Grid, settings: Settings) -> al.Results:
    """Runs a comparison whose devices work on the nodes."""
    with FlowerPool(grid, settings) as pool:
        talking = threading.Thread(target=pool.run, name="pool")
        talking.start()
        try:
            results = al.compare(
                settings.experiment,
                out=settings.directory,
                jobs=settings.jobs,
                cache=settings.cache,
                pool=pool,
                progress=lambda done, stages, now: log.info("%d of %d stages; %s", done, stages, now),
            )
        finally:
            pool.close()
            talking.join()
    log.info("%s", results.table())
    return results
