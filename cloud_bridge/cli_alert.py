"""`ridethrough cloud`: what is wrong, and why who was told."""

from __future__ import annotations
