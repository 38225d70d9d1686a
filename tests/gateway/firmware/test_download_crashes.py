"""A download on a real part file, over a channel that loses, doubles, reorders and lies, killed at any write (A7)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloud_bridge.firmware.serving import chosen
from gateway.firmware import download
from gateway.firmware.download_state import Ask, End, Hold, Step, Stop, Store, byte_budget, chunk_bytes
from gateway.runtime.firmware.part import PartFile
from gateway.wire import chunks
from gateway.wire.chunks import ChunksWanted, Frame, ones, pack, unpacked
from tests.gateway.firmware.images import image_bytes, image_of

DATA = image_bytes(80 * 1024 - 300)
IMAGE = image_of(DATA)
LIAR = image_bytes(80 * 1024 - 300, seed=2)
SOME = st.integers(min_value=0, max_value=2**16)


class Crash(Exception):
    """The process is killed in the midst of a write."""


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="part-")
        self.now = 0.0
        self.up: list[ChunksWanted] = []
        self.down: list[bytes] = []
        self.starts = self.asked_again = self.honest_bytes = self.rotten = 0
        self.torn_after: int | None = None
        self.start()

    # the gateway

    def start(self) -> None:
        self.starts += 1
        self.asked = 0
        self.part = PartFile(Path(self.folder.name), IMAGE, reserve_bytes=0, pwrite=self._pwrite)
        have = self.part.open()
        self.at_start = have
        assert have == self._hashing(), "what hashes is there, and nothing else"
        step = download.begin(IMAGE, self.starts, have, self.part.spent(), self.now)
        self.state = step[0]
        self.part.keep(self.state.spent)
        self.carry_out(step)

    def carry_out(self, step: Step) -> None:
        self.state, effects = step
        for effect in effects:
            match effect:
                case Ask(message):
                    self._note(message)
                    self.up.append(message)
                case Store(index, data):
                    self.part.write(index, data)
                    self.carry_out(download.wrote(self.state, index, self.now))
                    self.part.keep(self.state.spent)
                case Stop(end):
                    assert end is not End.COMPLETE or self.state.have == (1 << len(IMAGE.chunks)) - 1

    def _note(self, message: ChunksWanted) -> None:
        named = unpacked(message.missing)
        assert not named & self.at_start, "a resumed download asks for nothing that hashes"
        assert not named & self.state.have
        sent = sum(1 << index for index in chosen(message, IMAGE.size))
        self.asked_again += bool(sent & self.asked)
        self.asked |= sent

    def _pwrite(self, file: int, data: bytes, offset: int) -> int:
        if self.torn_after is not None:
            os.pwrite(file, data[: self.torn_after], offset)
            raise Crash
        return os.pwrite(file, data, offset)

    def _hashing(self) -> int:
        there, found = self.part.part.read_bytes(), 0
        for index, digest in enumerate(IMAGE.chunks):
            start = index * IMAGE.chunk
            if hashlib.sha256(there[start : start + IMAGE.chunk]).hexdigest() == digest:
                found |= 1 << index
        return found

    def kill(self) -> None:
        self.part.close()

    @rule()
    def the_gateway_is_killed(self) -> None:
        self.kill()
        self.start()

    @precondition(lambda self: bool(self.down))
    @rule(which=SOME, torn=st.integers(0, 1024))
    def it_is_killed_while_a_chunk_is_written(self, which: int, torn: int) -> None:
        self.torn_after = torn
        with suppress(Crash):
            self.deliver(which % len(self.down))
        self.torn_after = None
        self.kill()
        self.start()

    @rule(which=st.integers(0, len(DATA) - 1))
    def the_card_loses_a_byte_and_the_power_goes(self, which: int) -> None:
        self.kill()
        with self.part.part.open("r+b") as file:
            file.seek(which)
            byte = file.read(1)
            file.seek(which)
            file.write(bytes([byte[0] ^ 1]))
        self.rotten += 1
        self.start()

    @rule(why=st.sampled_from(Hold), on=st.booleans())
    def it_is_held_or_goes_on(self, why: Hold, on: bool) -> None:
        self.carry_out(download.hold(self.state, why, self.now, on=on))

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(download.tick(self.state, self.now))

    # the bridge and the channel

    def deliver(self, which: int, *, keep: bool = False) -> None:
        payload = self.down[which] if keep else self.down.pop(which)
        frame = chunks.unpack(payload)
        if not keep and frame.data == DATA[frame.index * 1024 :][:1024]:
            self.honest_bytes += len(frame.data)
        self.carry_out(download.take(self.state, payload, self.now))

    def serve(self, which: int, data: bytes = DATA) -> None:
        wanted = self.up.pop(which)
        for index in chosen(wanted, len(data)):
            start = index * wanted.chunk
            self.down.append(pack(Frame(wanted.transfer, index, data[start : start + wanted.chunk])))

    @precondition(lambda self: bool(self.up))
    @rule(which=SOME)
    def the_bridge_answers(self, which: int) -> None:
        self.serve(which % len(self.up))

    @precondition(lambda self: bool(self.up))
    @rule(which=SOME)
    def the_bridge_lies(self, which: int) -> None:
        self.serve(which % len(self.up), LIAR)

    @precondition(lambda self: bool(self.up))
    @rule(which=SOME)
    def a_request_is_lost(self, which: int) -> None:
        self.up.pop(which % len(self.up))

    @precondition(lambda self: bool(self.down))
    @rule(which=SOME, keep=st.booleans())
    def a_chunk_comes(self, which: int, keep: bool) -> None:
        self.deliver(which % len(self.down), keep=keep)

    @precondition(lambda self: bool(self.down))
    @rule()
    def all_chunks_come_backwards(self) -> None:
        while self.down:
            self.deliver(len(self.down) - 1)

    @precondition(lambda self: bool(self.down))
    @rule(which=SOME)
    def a_chunk_is_lost(self, which: int) -> None:
        self.down.pop(which % len(self.down))

    @precondition(lambda self: bool(self.down))
    @rule(which=SOME, bit=SOME)
    def a_chunk_is_damaged_on_the_way(self, which: int, bit: int) -> None:
        damaged = bytearray(self.down.pop(which % len(self.down)))
        damaged[bit // 8 % len(damaged)] ^= 1 << bit % 8
        before = self.state.have
        self.carry_out(download.take(self.state, bytes(damaged), self.now))
        assert self.state.have == before

    @invariant()
    def what_counts_as_there_hashes(self) -> None:
        assert self.state.have == self._hashing()

    @invariant()
    def i12_no_more_comes_than_the_image_and_a_window_for_each_start_and_repetition(self) -> None:
        times = self.starts + self.asked_again
        assert self.honest_bytes <= IMAGE.size + chunks.WINDOW_MOST * IMAGE.chunk * times + self.rotten * IMAGE.chunk

    @invariant()
    def i26_the_bytes_of_a_liar_are_bounded(self) -> None:
        budget = byte_budget(IMAGE)
        assert self.state.spent.bytes <= budget + chunks.FRAME_BYTES or self.state.end is End.BYTES

    def teardown(self) -> None:
        """The line is good at last: the file is whole, or the download has ended for a named reason."""
        for why in Hold:
            self.carry_out(download.hold(self.state, why, self.now, on=False))
        while not self.state.end:
            if self.up:
                self.serve(0)
            elif self.down:
                self.deliver(0)
            else:
                at = download.next_at(self.state)
                assert at is not None
                self.now = max(self.now, at)
                self.carry_out(download.tick(self.state, self.now))
        self._check_end()
        self.part.close()
        self.folder.cleanup()

    def _check_end(self) -> None:
        if self.state.end is End.COMPLETE:
            assert self.part.finish().read_bytes() == DATA
            assert sum(chunk_bytes(IMAGE, index) for index in ones(self.state.have)) == len(DATA)
        else:
            assert self.state.end in (End.BYTES, End.ATTEMPTS)
            assert not self.part.path.exists()


TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
