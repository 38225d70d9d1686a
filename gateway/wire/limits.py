"""Every length and count that a peer controls, with the reason for its number."""

from __future__ import annotations

GATEWAY_NAME_LENGTH = 32
UNIT_NAME_LENGTH = 32

BATCH_RECORDS = 256
"""Most records in one batch."""

BATCH_BYTES = 64 * 1024
"""Most bytes of a batch before deflation; a message of this size passes every broker's default limit."""

PAYLOAD_BYTES = 128 * 1024
"""Most bytes of one MQTT payload that a receiver reads at all."""

INFLATED_BYTES = 256 * 1024
"""Most bytes a deflated payload may grow to; it is refused before it is parsed."""

RECORD_BYTES = 8 * 1024
"""Most bytes of one record: a full status with four outlet groups is about 1.5 KiB."""

DETAILS_BYTES = 2 * 1024
"""Most bytes of an event's details."""

TEXT_LENGTH = 64
"""Most characters kept of a text from a unit (safety rule S6)."""

HELLO_UNITS = 64
"""Most units one gateway may name."""

SEQUENCE_MAX = 2**63 - 1
"""Largest record number; what SQLite and PostgreSQL hold as an integer."""

DEFLATE_FROM_BYTES = 2 * 1024
"""A batch smaller than this goes as it is: a live event gains nothing from deflation."""

INSTANT_MAX = 253_402_300_799_999
"""UTC milliseconds at the end of year 9999."""

RESEND_AFTER_S = 5.0
"""What is unacknowledged for so long is sent again."""

HEALTH_S = 60.0

ORDER_BYTES = 2 * 1024
"""Most bytes of what an envelope signs; an order has about 400."""

ENVELOPE_BYTES = 8 * 1024
SIGNATURES = 4
CHALLENGE_S = 60.0
"""How long a challenge is good for, by the gateway's monotonic clock (S9)."""

DETAIL_LENGTH = 256
"""Most characters of a sentence about a command."""

TRACE_POINTS = 140
"""Most points of an outage's trace: below RECORD_BYTES with the longest numbers."""

TOKEN_LENGTH = 1024
"""Most characters of an enrolment token; the longest host name makes about 850."""

PEM_LENGTH = 4 * 1024
"""Most characters of a certificate, a signing request or a public key; ours have under 1200."""

ROOT_METADATA_LENGTH = 32 * 1024

ENROLMENT_BYTES = 64 * 1024
"""Most bytes of an answer of the enrolment endpoint; of a request half of it."""

NONCE_S = 60.0
"""How long a nonce of the enrolment endpoint is good for."""

HEARTBEAT_S = 30.0
LOST_AFTER_S = 90.0
"""A gateway is lost this long after its last word."""

KEEP_ALIVE_S = 30
"""MQTT keep-alive of a gateway: paho notices a dead peer after twice that."""

FIRMWARE_BYTES = 8 * 1024 * 1024
"""Most bytes of an image; those that are known have a quarter to one MiB."""

CHUNK_LEAST, CHUNK_MOST = 1024, 64 * 1024
CHUNKS = 512
"""Most chunks of an image: their digests are in a TUF targets file, 67 bytes each."""

CHUNK_BYTES = 16 * 1024
"""An image's chunk unless said otherwise: below every broker's limit (gateway-ota.md A4)."""
