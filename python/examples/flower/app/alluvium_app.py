"""The Flower app: its two halves live in the package."""

from alluvium.flower import client_app, server_app

__all__ = ["client_app", "server_app"]
