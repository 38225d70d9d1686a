"""Images of chance bytes, with what is signed of them."""

from __future__ import annotations

import hashlib
import random

from gateway.wire.firmware import Facts, Image, OutputMode, VersionRange


def image_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def image_of(data: bytes, chunk: int = 1024) -> Image:
    return Image(
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        chunk=chunk,
        chunks=tuple(hashlib.sha256(data[at : at + chunk]).hexdigest() for at in range(0, len(data), chunk)),
    )


def facts_of(image: Image) -> Facts:
    return Facts(
        hardware_ids=("18",),
        version="15.5",
        release_counter=1,
        from_versions=(VersionRange(lowest="9.4", highest="14.9"),),
        image=image,
        output=(OutputMode.OFF,),
        issued_at=0,
    )
