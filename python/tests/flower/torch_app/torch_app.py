"""The shape of Flower's quickstart with PyTorch: federated averaging of a network. Nothing is trained, so the engine is measured."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

client_app = ClientApp()
server_app = ServerApp()


def network(values: int) -> torch.nn.Module:
    return torch.nn.Linear(values // 1000, 1000, bias=False)


@client_app.train()
def train(message: Message, context: Context) -> Message:
    model = network(int(context.run_config["values"]))
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    content = RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content, reply_to=message)


class Timed(FedAvg):
    """Notes when each round begins."""

    times: list[float]

    def configure_train(self, *arguments, **named):
        self.times.append(time.time())
        return super().configure_train(*arguments, **named)


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    directory = Path(str(context.run_config["directory"]))
    directory.mkdir(parents=True, exist_ok=True)
    lock = open(directory / "flower.lock", "w")  # As a centre does: it shows that the server app lives.
    fcntl.flock(lock, fcntl.LOCK_EX)
    strategy = Timed(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
    strategy.times = []
    model = network(int(context.run_config["values"]))
    strategy.start(grid=grid, initial_arrays=ArrayRecord(model.state_dict()), num_rounds=int(context.run_config["rounds"]))
    strategy.times.append(time.time())
    (directory / "rounds.txt").write_text("\n".join(map(str, strategy.times)))
    (directory / "done").touch()
