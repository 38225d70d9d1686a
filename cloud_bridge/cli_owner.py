"""`ridethrough cloud`: owners, their sites and their devices."""

from __future__ import annotations
