"""A Smart-UPS to test against: the same bytes on the same wires, with physics and faults."""

from __future__ import annotations
