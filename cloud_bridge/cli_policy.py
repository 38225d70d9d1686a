"""`ridethrough cloud`: who is told of what, and where."""

from __future__ import annotations
