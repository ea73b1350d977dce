"""Devices on other machines, reached through `Flower <https://flower.ai>`_.

The server app is the centre: it opens an :class:`alluvium.Centre` in a run directory, hands out models, and receives experts. The
client app is a device: it adapts the model to its own data and sends the expert back. Both are built on Flower's Python App API alone
(``flwr.app``, ``flwr.serverapp``, ``flwr.clientapp``). A Flower app names them in its ``pyproject.toml``::

    [tool.flwr.app.components]
    serverapp = "alluvium_app:server_app"
    clientapp = "alluvium_app:client_app"

where ``alluvium_app.py`` holds ``from alluvium.flower import client_app, server_app``. Install with
``pip install alluvium[flower]``. ``python/examples/flower/README.md`` explains how to deploy them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from alluvium.flower.errors import Refused

if TYPE_CHECKING:
    from flwr.clientapp import ClientApp
    from flwr.serverapp import ServerApp

    client_app: ClientApp
    server_app: ServerApp

__all__ = ["Refused", "client_app", "server_app"]


def __getattr__(name: str) -> Any:
    # Each side imports only what it needs, so that a client app starts quickly.
    if name in ("client_app", "server_app"):
        return importlib.import_module(f"alluvium.flower.{name.removesuffix('_app')}").app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
