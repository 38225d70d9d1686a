"""Why the boot loader refuses, gives up or waits."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The word on the line after REFUSED, and in the unit's state.

    Before entering: GRAMMAR a command that is not well formed; NO_BOOT_LOADER a unit whose firmware is fixed;
    ON_BATTERY also any test on battery, and mains that are out with the output off; WRONG_MODEL, WRONG_VERSION
    the command names another unit than this; OUTPUT_MODE the model does not upgrade that way; OUTPUT_ON the
    output is on and has to be off; OUTLETS_PENDING an outlet group is about to switch.
    At the first block: NOT_AN_IMAGE, HEADER_CHECKSUM, WRONG_MODEL, STEPPING_STONE, TOO_LONG.
    Later: OVERLONG bytes after the body's end; INCOMPLETE, CHECKSUM at the end; CANCELLED by the sender;
    LOST_SYNC a block number that cannot be; TIMED_OUT, GAVE_UP by an ordered fault, POWER_LOST, STAYED likewise.
    """

    GRAMMAR = "grammar"
    NO_BOOT_LOADER = "no_boot_loader"
    ON_BATTERY = "on_battery"
    WRONG_MODEL = "wrong_model"
    WRONG_VERSION = "wrong_version"
    OUTPUT_MODE = "output_mode"
    OUTPUT_ON = "output_on"
    OUTLETS_PENDING = "outlets_pending"
    NOT_AN_IMAGE = "not_an_image"
    HEADER_CHECKSUM = "header_checksum"
    STEPPING_STONE = "stepping_stone"
    TOO_LONG = "too_long"
    OVERLONG = "overlong"
    INCOMPLETE = "incomplete"
    CHECKSUM = "checksum"
    CANCELLED = "cancelled"
    LOST_SYNC = "lost_sync"
    TIMED_OUT = "timed_out"
    GAVE_UP = "gave_up"
    STAYED = "stayed"
    POWER_LOST = "power_lost"
