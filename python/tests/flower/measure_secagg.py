"""Flower's secure aggregation (SecAgg+) as a protocol of its own: contacts, bytes, seconds, errors, and devices that are lost.

    OMP_NUM_THREADS=1 python python/tests/flower/measure_secagg.py [--only cost fedavg lost statistics seen] [--largest 10]

It needs Flower and NumPy, not Alluvium. Flower's own `SecAggPlusWorkflow` and `secaggplus_mod` run in one process, over a grid without
sockets: every message is made the bytes that Flower would send and read again, so no memory is shared and the bytes are those of the wire,
without gRPC. Devices compute one after another, so a stage's seconds on a device are those of one core. Training takes no time here.
Two uses are measured: the weighted mean of models in 32 bits, a round of federated averaging; and sums of statistics in 64 bits,
G = Σψψᵀ and C = Σψyᵀ, from which a centre solves (G + λI) W = C. The tables are Markdown.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.client import Client, NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.secure_aggregation.crypto.symmetric_encryption import generate_shared_key
from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen
from flwr.compat.common import recorddict_compat as compat
from flwr.server import LegacyContext, ServerConfig, SimpleClientManager
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.server.workflow.default_workflows import default_fit_workflow
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.primitives.asymmetric import generate_key_pairs
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

# Flower sets these when it starts an app; a message cannot be made without.
TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1

Numbers = NDArray[Any]
Arrays = list[Numbers]

#: The stages of the protocol, as the workflow's methods are called.
STAGES = ("setup_stage", "share_keys_stage", "collect_masked_vectors_stage", "unmask_stage")
#: Bytes in a megabyte.
MEGABYTE = 1_000_000
#: What Flower says when a client app raised an exception.
RAISED = 2


@dataclass
class Settings:
    """The options of the protocol; the defaults are Flower's, but for the threshold, which has none."""

    clip: float = 8.0
    target: int = 2**22
    modulus: int = 2**32
    largest: float = 1000.0
    shares: float | int = 1.0
    threshold: float | int = 0.6


@dataclass
class Peer:
    """A device: the arrays that it would send, its weight, and the stage (1 to 4) before which it goes or loses its state.

    A modern device's app is written with Flower's Message API."""

    arrays: Arrays
    weight: int = 1
    gone: int = 9
    restarted: int = 9
    modern: bool = False
    state: RecordDict = field(default_factory=RecordDict)


@dataclass
class Stage:
    """What a stage took: messages and bytes by device, seconds on each device, and all seconds between the centre's question and reply."""

    down: dict[int, int] = field(default_factory=dict)
    up: dict[int, int] = field(default_factory=dict)
    device: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Device(NumPyClient):
    """A device whose training is over: it gives its arrays and its weight, and a metric."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> tuple[Arrays, int, dict[str, Any]]:
        """Gives what was trained."""
        return self.peer.arrays, self.peer.weight, {"loss": 0.5}


def records_of(peer: Peer) -> RecordDict:
    """What a device gives in the Message API, as Flower's own strategies there expect it."""
    return RecordDict({"arrays": ArrayRecord(peer.arrays), "metrics": MetricRecord({"num-examples": peer.weight})})


def cross(message: Message) -> tuple[Message, int]:
    """What arrives of a message, and the bytes of its objects."""
    contents = {name: part.deflate() for name, part in get_all_nested_objects(message).items()}
    size = sum(map(len, contents.values()))
    arrived = inflate_object_from_contents(message.object_id, contents)
    assert isinstance(arrived, Message)
    return arrived, size


class Wire(Grid):
    """A grid without sockets: each message crosses as bytes, and a device answers at once, or not at all."""

    def __init__(self, peers: dict[int, Peer], secure: bool) -> None:
        self.peers = peers
        self.secure = secure
        self.stages: list[Stage] = []
        self.problems: list[str] = []
        self.collected: dict[int, Message] = {}

    def app(self, peer: Peer) -> ClientApp:
        """The client app of a device: Flower's modifier around it if the aggregation is secure."""
        mods: list[Any] = [secaggplus_mod] if self.secure else []
        if peer.modern:
            app = ClientApp(mods=mods)
            app.train()(lambda message, _: Message(records_of(peer), reply_to=message))
            return app

        def client(_: Context) -> Client:
            return Device(peer).to_client()

        return ClientApp(client, mods=mods)

    def answer(self, request: Message, peer: Peer, stage: Stage) -> Message:
        """What a device replies, with its seconds; an exception becomes an error, as in Flower."""
        begin = time.perf_counter()
        try:
            reply = self.app(peer)(request, Context(1, request.metadata.dst_node_id, {}, peer.state, {}))
        except Exception as problem:  # noqa: BLE001
            self.problems.append(f"{type(problem).__name__}: {problem}")
            reply = Message(Error(RAISED, str(problem)), reply_to=request)
        stage.device.append(time.perf_counter() - begin)
        return reply

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """One stage: all devices that are there get their message and answer."""
        begin, stage, replies = time.perf_counter(), Stage(), []
        self.stages.append(stage)
        for message in messages:
            node = message.metadata.dst_node_id
            peer = self.peers[node]
            if len(self.stages) >= peer.gone:
                continue
            if len(self.stages) == peer.restarted:
                peer.state = RecordDict()
            request, stage.down[node] = cross(message)
            reply, stage.up[node] = cross(self.answer(request, peer, stage))
            replies.append(reply)
            if len(self.stages) == 3 and reply.has_content():
                self.collected[node] = reply
        stage.seconds = time.perf_counter() - begin
        return replies

    def set_run(self, run: Any) -> None:
        """There is one run."""

    @property
    def run(self) -> Any:
        """There is one run."""
        return None

    def get_node_ids(self) -> list[int]:
        """All devices."""
        return list(self.peers)

    def create_message(self, *arguments: Any, **named: Any) -> Message:
        """Not called by the workflow."""
        raise NotImplementedError

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Not called by the workflow."""
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Not called by the workflow."""
        raise NotImplementedError


class Heard(logging.Handler):
    """Keeps what Flower warns of, without printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line."""
        self.lines.append(record.getMessage())


@dataclass
class Outcome:
    """What came of a round: the weighted mean, if any, the stages, the centre's own seconds in each, and what Flower said."""

    mean: Arrays | None
    grid: Wire
    centre: list[float]
    said: list[str]

    def bytes_of(self, node: int) -> tuple[int, int]:
        """The bytes that a device got and sent, over all stages."""
        return sum(stage.down.get(node, 0) for stage in self.grid.stages), sum(stage.up.get(node, 0) for stage in self.grid.stages)


def listen() -> Heard:
    """Takes the place of what prints Flower's log."""
    heard, logger = Heard(), logging.getLogger("flwr")
    logger.handlers[:] = [heard]
    logger.propagate = False
    return heard


def aggregate(peers: list[Peer], settings: Settings | None, model: Arrays, seed: int = 0) -> Outcome:
    """A round over these devices: secure with these settings, or Flower's plain one without."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (Flower rounds with it)
    grid = Wire({node + 1: peer for node, peer in enumerate(peers)}, settings is not None)
    manager, count = SimpleClientManager(), len(peers)
    for node in grid.peers:
        manager.register(GridClientProxy(node, grid, 1))
    strategy = FedAvg(min_fit_clients=count, min_available_clients=count, fit_metrics_aggregation_fn=lambda _: {})
    context = LegacyContext(Context(1, 1, {}, RecordDict(), {}), ServerConfig(1), strategy, manager)
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    given: ArrayRecord = compat.parameters_to_arrayrecord(ndarrays_to_parameters(model), keep_input=True)
    context.state.array_records[MAIN_PARAMS_RECORD] = given
    centre: list[float] = []
    heard = listen()
    if settings is None:
        begin = time.perf_counter()
        default_fit_workflow(grid, context)
        centre.append(time.perf_counter() - begin - grid.stages[0].seconds)
    else:
        with np.errstate(invalid="ignore"):
            timed(workflow(settings), grid, centre)(grid, context)
    after = context.state.array_records[MAIN_PARAMS_RECORD]
    mean = None if after is given else parameters_to_ndarrays(compat.arrayrecord_to_parameters(after, keep_input=True))
    return Outcome(mean, grid, centre, heard.lines)


def workflow(settings: Settings) -> SecAggPlusWorkflow:
    """Flower's workflow with these settings."""
    return SecAggPlusWorkflow(
        settings.shares,
        settings.threshold,
        max_weight=settings.largest,
        clipping_range=settings.clip,
        quantization_range=settings.target,
        modulus_range=settings.modulus,
    )


def timed(flow: SecAggPlusWorkflow, grid: Wire, centre: list[float]) -> SecAggPlusWorkflow:
    """The workflow, which also notes the seconds of the centre in each stage."""

    def around(stage: Any) -> Any:
        def run(*arguments: Any) -> Any:
            begin = time.perf_counter()
            result = stage(*arguments)
            centre.append(time.perf_counter() - begin - grid.stages[-1].seconds)
            return result

        return run

    for name in STAGES:
        setattr(flow, name, around(getattr(flow, name)))
    return flow


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Prints a table as Markdown."""
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def brief(value: float) -> str:
    """A number with two digits."""
    return "0" if value == 0 else f"{value:.2g}" if 0.001 <= abs(value) < 1000 else f"{value:.1e}"


def power(value: float) -> str:
    """A number as a power of two where it is one."""
    exponent = np.log2(value)
    return f"2^{exponent:.0f}" if exponent == round(exponent) and abs(exponent) > 3 else f"{value:g}"


def model_of(rng: np.random.Generator, numbers: int) -> Arrays:
    """A model in 32 bits: small weights, and one number in a hundred like the variances of a normalisation, some above 8."""
    wide = max(numbers // 100, 1)
    return [rng.normal(0, 0.05, numbers - wide).astype(np.float32), rng.lognormal(0, 1.2, wide).astype(np.float32)]


def trained(rng: np.random.Generator, model: Arrays, count: int, samples: tuple[int, int]) -> list[Peer]:
    """Devices whose models are a little off the common one, with a number of samples each."""
    weights = np.linspace(*samples, count).round().astype(int)
    return [Peer([(part * rng.normal(1, 0.2, part.shape)).astype(np.float32) for part in model], int(weight)) for weight in weights]


def exact_mean(peers: list[Peer]) -> Numbers:
    """The weighted mean of the devices' numbers, in at least 64 bits."""
    total = sum(peer.weight for peer in peers)
    return np.asarray(sum(flat(peer.arrays).astype(np.longdouble) * peer.weight for peer in peers) / total, np.float64)


def flat(arrays: Arrays) -> Numbers:
    """All numbers in a row."""
    return np.concatenate([part.ravel() for part in arrays])


def errors(found: Numbers, exact: Numbers) -> list[str]:
    """The absolute and the relative error, maximum and median."""
    with np.errstate(divide="ignore", invalid="ignore"):
        absolute = np.abs(found - exact)
        relative = absolute[exact != 0] / np.abs(exact[exact != 0])
    return [brief(float(value)) for value in (absolute.max(), np.median(absolute), relative.max(), np.median(relative))]


def clipped(peers: list[Peer], settings: Settings) -> float:
    """The share of numbers, in per cent, that the clipping range changes: Flower multiplies by the weight first."""
    beyond = [np.abs(flat(peer.arrays)) * (peer.weight / settings.largest) > settings.clip for peer in peers]
    return 100 * float(np.mean(beyond))


def cost(largest: float) -> None:
    """What a round of federated averaging costs, against a plain one."""
    cases: list[tuple[int, float, float | int]] = [(4, 0.1, 1.0), (4, 1, 1.0), (4, 10, 1.0), (8, 0.1, 1.0), (8, 1, 1.0), (8, 10, 1.0)]
    cases += [(32, 0.1, 1.0), (32, 0.1, 9)]
    rows, seconds = [], []
    for count, megabytes, shares in cases:
        if megabytes > largest:
            continue
        rng = np.random.default_rng(1)
        model = model_of(rng, int(megabytes * MEGABYTE / 4))
        peers = trained(rng, model, count, (700, 1000))
        plain, secure = aggregate(peers, None, model), aggregate(peers, Settings(shares=shares), model)
        (down, up), (plain_down, plain_up) = secure.bytes_of(1), plain.bytes_of(1)
        neighbours = str(count) if shares == 1.0 else str(shares)
        size = megabytes * MEGABYTE
        around = f"{(down - plain_down) / 1000:.1f}", f"{(up - 2 * size) / 1000:.1f}"
        made = f"{sum(1 in stage.up for stage in plain.grid.stages)}", f"{sum(1 in stage.up for stage in secure.grid.stages)}"
        growth = f"{down / size:.2f}", f"{up / size:.2f}", f"{plain_up / size:.2f}"
        rows.append([str(count), f"{megabytes:g}", neighbours, *made, *growth, *around])
        device = [float(np.median(stage.device)) for stage in secure.grid.stages]
        shown = [f"{brief(one)} / {brief(two)}" for one, two in zip(device, secure.centre, strict=True)]
        alone = f"{brief(float(np.median(plain.grid.stages[0].device)))} / {brief(plain.centre[0])}"
        seconds.append([str(count), f"{megabytes:g}", neighbours, *shown, f"{brief(sum(device))} / {brief(sum(secure.centre))}", alone])
    head = ["K", "MB", "shares", "contacts, plain", "contacts, SecAgg", "got ÷ size", "sent ÷ size", "sent ÷ size, plain"]
    head += ["more got, kB", "sent beside 8 bytes a number, kB"]
    table("Messages and bytes of one device in a round", head, rows)
    head = ["K", "MB", "shares", "1 setup", "2 share keys", "3 masked", "4 unmask", "all", "plain round"]
    table("Seconds of one device (the median) / of the centre", head, seconds)


def fedavg() -> None:
    """The error of the mean by quantisation."""
    rng = np.random.default_rng(2)
    model = model_of(rng, MEGABYTE // 4)
    many, few = trained(rng, model, 8, (700, 1000)), trained(rng, model, 8, (70, 100))
    doubles = [Peer([part.astype(np.float64) for part in peer.arrays], peer.weight) for peer in many]
    plain = aggregate(many, None, model).mean
    assert plain is not None
    rows = [["plain, 32 bits", "", "", "", "0", *errors(flat(plain), exact_mean(many)), ""]]
    for name, peers, settings in [
        ("Flower's defaults", many, Settings()),
        ("the same, samples ÷ 10", few, Settings()),
        ("the same, max_weight 100", few, Settings(largest=100.0)),
        ("narrow", many, Settings(clip=1.0)),
        ("wide", many, Settings(clip=128.0)),
        ("wide, few levels", many, Settings(clip=128.0, target=2**16)),
        ("wide, more levels", many, Settings(clip=128.0, target=2**28)),
        ("the same, sent in 64 bits", doubles, Settings(clip=128.0, target=2**28)),
        ("levels × K above the modulus", many, Settings(clip=128.0, target=2**30)),
        ("modulus above 2^32, 64 bits", doubles, Settings(clip=128.0, target=2**30, modulus=2**40)),
        ("levels above 2^31, 64 bits", doubles, Settings(clip=128.0, target=2**32, modulus=2**40)),
    ]:
        outcome = aggregate(peers, settings, model)
        found = ["no result"] * 4 if outcome.mean is None else errors(flat(outcome.mean), exact_mean(peers))
        options = [f"{settings.clip:g}", power(settings.target), power(settings.modulus), f"{clipped(peers, settings):.2g}"]
        warned = sum("overflow" in line for line in outcome.said)
        rows.append([name, *options, *found, str(warned)])
    head = ["mean of 8 models of 1 MB", "clip", "levels", "modulus", "clipped, %", "error, max", "median"]
    table("Federated averaging: the error of the mean", [*head, "relative max", "median", "warnings"], rows)


def lost() -> None:
    """What comes of a round in which devices are lost."""
    rng = np.random.default_rng(3)
    model = model_of(rng, MEGABYTE // 40)
    rows = []
    cases: list[tuple[str, dict[int, tuple[str, int]], Settings]] = [("nobody", {}, Settings())]
    cases += [(f"one before stage {stage}", {2: ("gone", stage)}, Settings()) for stage in (1, 2, 3, 4)]
    cases += [("two before stage 3", {2: ("gone", 3), 5: ("gone", 3)}, Settings())]
    cases += [("four before stage 3", dict.fromkeys((2, 3, 4, 5), ("gone", 3)), Settings())]
    cases += [("one before stage 4, threshold 1.0", {2: ("gone", 4)}, Settings(threshold=1.0))]
    cases += [("one before stage 3, 3 shares", {2: ("gone", 3)}, Settings(shares=3, threshold=2))]
    cases += [("one restarts before stage 3", {2: ("restarted", 3)}, Settings())]
    cases += [("nobody, but apps use the Message API", dict.fromkeys(range(1, 9), ("modern", 1)), Settings())]
    for name, faults, settings in cases:
        peers = trained(rng, model, 8, (700, 1000))
        for node, (kind, stage) in faults.items():
            setattr(peers[node - 1], kind, stage)
        outcome = aggregate(peers, settings, model)
        collected = [peers[node - 1] for node in sorted(outcome.grid.collected)]
        contacts = sum(1 in stage.up for stage in outcome.grid.stages)
        sent = outcome.bytes_of(1)[1] / 1000
        result = "none" if outcome.mean is None else f"mean of {len(collected)}"
        error = "" if outcome.mean is None else errors(flat(outcome.mean), exact_mean(collected))[1]
        kinds = Counter(problem.split(":")[0] for problem in outcome.grid.problems)
        said = [line for line in outcome.said if "nodes" in line or "shares" in line]
        said += [f"{kind} on {times} of the devices" for kind, times in kinds.items()]
        rows.append([name, result, error, str(contacts), f"{sent:.0f}", "; ".join(said)])
    head = ["who is lost, of 8, threshold 5", "result", "median error", "contacts of another", "kB it sent", "what Flower said"]
    table("Devices that are lost (models of 0.1 MB)", head, rows)


@dataclass
class Problem:
    """Statistics of devices, and samples to judge what is solved from them."""

    grams: Arrays
    products: Arrays
    scale: Numbers
    features: Numbers
    labels: Numbers


def problem_of(size: int, count: int) -> Problem:
    """Features of very different magnitude, ten classes, three of them on each device; the public scale is that of other samples."""
    rng = np.random.default_rng(4)
    means, mixing, scale = rng.normal(0, 0.6, (10, 32)), rng.normal(0, 1 / 6, (32, size)), 10 ** rng.uniform(-2, 1, size)

    def draw(classes: list[int], samples: int) -> tuple[Numbers, Numbers]:
        labels = rng.choice(classes, samples)
        return np.maximum((means[labels] + rng.normal(0, 1, (samples, 32))) @ mixing, 0) * scale, labels

    grams, products = [], []
    for device in range(count):
        psi, labels = draw([device % 10, (device + 1) % 10, (device + 2) % 10], 500)
        grams.append(psi.T @ psi)
        products.append(psi.T @ np.eye(10)[labels])
    public, _ = draw(list(range(10)), 100)
    return Problem(grams, products, np.sqrt((public**2).mean(0)), *draw(list(range(10)), 2000))


def solve(gram: Numbers, products: Numbers, fraction: float) -> Numbers:
    """W of (G + λI) W = C, with λ a fraction of the mean of the diagonal."""
    ridge = fraction * np.trace(gram) / len(gram)
    return np.linalg.solve(gram + ridge * np.eye(len(gram)), products)


def split(numbers: Numbers, settings: Settings) -> Arrays:
    """Numbers between -1 and 1 as two parts, each a whole number of levels, so that nothing is left for Flower to round."""
    step = 2 * settings.clip / settings.target
    high = np.round(numbers / step) * step
    return [high, np.round((numbers - high) / step / step) * step]


def joined(high: Numbers, low: Numbers, settings: Settings) -> Numbers:
    """The sum of numbers from the sums of their two parts."""
    step = 2 * settings.clip / settings.target
    return np.asarray(np.round(high / step) * step + np.round(low / step) * step * step)


def secure_sums(problem: Problem, way: str, settings: Settings) -> tuple[Numbers, Numbers, Outcome, float]:
    """The sums of G and C through the protocol; each device has the weight 1. Also the share of numbers that are clipped, in per cent."""
    size, count = len(problem.scale), len(problem.grams)
    upper = np.triu_indices(size)
    # What each number is divided by: nothing, or what the public scale says of it times the samples of a device, times ten.
    unit = np.ones(size) if way == "as they are" else problem.scale
    room = 1.0 if way == "as they are" else 10 * 500.0
    gram_unit, product_unit = room * np.outer(unit, unit)[upper], room * np.repeat(unit[:, None], 10, 1)
    peers = []
    for gram, products in zip(problem.grams, problem.products, strict=True):
        parts = [gram[upper] / gram_unit, products / product_unit]
        peers.append(Peer(parts if way != "two parts" else [half for part in parts for half in split(part, settings)]))
    outcome = aggregate(peers, settings, [])
    assert outcome.mean is not None, outcome.said
    sums = [part * count for part in outcome.mean]
    if way == "two parts":
        sums = [joined(sums[0], sums[1], settings), joined(sums[2], sums[3], settings)]
    gram = np.zeros((size, size))
    gram[upper] = sums[0] * gram_unit
    return gram + np.triu(gram, 1).T, sums[1] * product_unit, outcome, clipped(peers, settings)


def statistics() -> None:
    """The error of sums of statistics by quantisation, and what it does to the solution."""
    rows, solved = [], []
    for size in (128, 512):
        problem = problem_of(size, 8)
        gram = np.asarray(np.sum(np.asarray(problem.grams, np.longdouble), 0), np.float64)
        products = np.asarray(np.sum(np.asarray(problem.products, np.longdouble), 0), np.float64)
        largest = float(2 ** np.ceil(np.log2(max(float(part.max()) for part in problem.grams))))
        plain_bytes = 8 * (size * (size + 1) // 2 + 10 * size)
        upper = np.triu_indices(size)
        spread = np.abs(gram[upper][gram[upper] != 0])
        between = f"{brief(float(spread.min()))} to {brief(float(spread.max()))}"
        print(f"\nG of {size} × {size}: entries from {between}; G and C in 64 bits, {plain_bytes / 1000:.0f} kB")
        for way, settings in [
            ("as they are", Settings(largest=1.0)),
            ("as they are", Settings(clip=largest, largest=1.0)),
            ("as they are", Settings(clip=largest, target=2**28, largest=1.0)),
            ("as they are", Settings(clip=largest, target=2**30, modulus=2**40, largest=1.0)),
            ("scaled", Settings(clip=1.0, largest=1.0)),
            ("scaled", Settings(clip=1.0, target=2**28, largest=1.0)),
            ("two parts", Settings(clip=1.0, target=2**28, largest=1.0)),
        ]:
            found, found_products, outcome, beyond = secure_sums(problem, way, settings)
            down, up = outcome.bytes_of(1)
            device, centre = sum(float(np.median(stage.device)) for stage in outcome.grid.stages), sum(outcome.centre)
            options = [str(size), way, power(settings.clip), power(settings.target), power(settings.modulus)]
            measured = [f"{beyond:.2g}", *errors(found[upper], gram[upper]), f"{up / plain_bytes:.2f}", f"{down / 1000:.0f}"]
            rows.append([*options, *measured, f"{brief(device)} / {brief(centre)}"])
            line = [*options[:4]]
            for fraction in (1e-2, 1e-6):
                exact, secure = solve(gram, products, fraction), solve(found, found_products, fraction)
                ridge = fraction * np.trace(found) / size
                wanted, given = problem.features @ exact, problem.features @ secure
                hits = [100 * float((values.argmax(1) == problem.labels).mean()) for values in (wanted, given)]
                line += [brief(float(np.linalg.norm(secure - exact) / np.linalg.norm(exact))), brief(float(np.abs(given - wanted).max()))]
                line += [f"{hits[0]:.1f} → {hits[1]:.1f}", "yes" if np.linalg.eigvalsh(found)[0] + ridge > 0 else "no"]
            solved.append(line)
    head = ["d", "sent", "clip", "levels", "modulus", "clipped, %", "error of G, max", "median", "relative max", "median"]
    table("Sums of statistics of 8 devices: the error of G", [*head, "sent ÷ plain", "got, kB", "seconds, device / centre"], rows)
    head = ["d", "sent", "clip", "levels"]
    for shown in ("1e-2", "1e-6"):
        head += [f"λ {shown}: ‖ΔW‖ ÷ ‖W‖", "prediction, max Δ", "accuracy, %", "positive"]
    table("What the errors do to W and to predictions (λ × tr G ÷ d)", head, solved)


def seen() -> None:
    """What the centre reads in the replies of stage 3, and how much there is to guess of a mask."""
    rng = np.random.default_rng(5)
    model = model_of(rng, MEGABYTE // 40)
    peers = trained(rng, model, 4, (700, 1000))
    outcome = aggregate(peers, Settings(), model)
    reply = outcome.grid.collected[1].content
    assert outcome.mean is not None
    parts: Any = reply.config_records["secaggplus_configs"]["masked_params"]
    masked = flat([bytes_to_ndarray(part) for part in parts[1:]])
    correlation = float(np.corrcoef(masked.astype(float), flat(peers[0].arrays))[0, 1])
    once, always, folds = 0, 2**32 - 1, 2000
    for _ in range(folds):
        (mine, _), (_, other) = generate_key_pairs(), generate_key_pairs()
        fold = int(np.bitwise_xor.reduce(np.frombuffer(generate_shared_key(mine, other), "<u4")))
        once, always = once | fold, always & fold
    generator = np.random.RandomState()  # noqa: NPY002 (Flower's masks are its numbers)
    begin = time.perf_counter()
    for guess in range(folds):
        generator.seed(guess)
        number = generator.randint(0, 2**32 - 1, 1, dtype=np.int64)
    each = (time.perf_counter() - begin) / folds
    assert number == pseudo_rand_gen((folds - 1).to_bytes(4, "little"), 2**32, [(1,)])[0]
    possible = (once & ~always).bit_count()
    rows = [["the number of samples of a device", f"readable: {reply.metric_records['fitres.num_examples']['num_examples']}"]]
    rows += [["the metrics of a device", f"readable: {dict(reply.config_records['fitres.metrics'])}"]]
    rows += [["the masked model", f"{masked.dtype}; correlation with the model {correlation:.3f}"]]
    rows += [["the mean", f"{outcome.mean[0].dtype}, though models were {peers[0].arrays[0].dtype}"]]
    rows += [["bits of the seed of a mask between two devices", f"{possible}, of {folds} keys"]]
    hours = f"{each * 2**possible / 3600:.1f} hours of one core with NumPy, {brief(each * 1e6)} µs a seed"
    rows += [["to try all seeds of one such mask", hours]]
    table("What the centre sees of one device (K = 4)", ["what", "is"], rows)


def main() -> None:
    """Prints the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["cost", "fedavg", "lost", "statistics", "seen"], help="these tables")
    parser.add_argument("--largest", type=float, default=10, help="the largest model of the table of costs, in MB")
    given = parser.parse_args()
    measured = {"cost": lambda: cost(given.largest), "fedavg": fedavg, "lost": lost, "statistics": statistics, "seen": seen}
    begin, load = time.monotonic(), os.getloadavg()
    for name, measure in measured.items():
        if given.only is None or name in given.only:
            measure()
    used = time.process_time()
    print(f"{time.monotonic() - begin:.0f} s, of which this process computed {used:.0f} s; {os.cpu_count()} cores; load before", end=" ")
    print(f"{load[0]:.1f}, after {os.getloadavg()[0]:.1f}; NumPy {np.__version__}")


if __name__ == "__main__":
    main()
