"""Nothing lost, nothing doubled: whatever line, disk, gateway and cloud do, in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.uplink import HELLO_EVERY_S, Phase
from gateway.wire.messages import Lane
from tests.gateway.world import Cloud, World

SOME = st.integers(min_value=0, max_value=2**16)


class Faults(RuleBasedStateMachine):
    """Every fault at every moment; at the end the line is good for a while and everything has to be there."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(count=st.integers(1, 4))
    def events_happen(self, count: int) -> None:
        for _ in range(count):
            self.world.event()

    @rule(count=st.integers(1, 4))
    def readings_come(self, count: int) -> None:
        for _ in range(count):
            self.world.status()

    @rule()
    def the_disk_takes_what_waits(self) -> None:
        self.world.commit()

    @precondition(lambda self: bool(self.world.jobs))
    @rule()
    def the_disk_is_full(self) -> None:
        self.world.fail_to_commit()

    @rule()
    def time_passes(self) -> None:
        self.world.tick()

    @precondition(lambda self: self.world.uplink.phase is Phase.CONNECTING)
    @rule()
    def the_broker_answers(self) -> None:
        self.world.connect()

    @precondition(lambda self: self.world.uplink.phase is not Phase.WAITING)
    @rule()
    def the_connection_ends(self) -> None:
        self.world.lose()

    @precondition(lambda self: bool(self.world.up))
    @rule(which=SOME, keep=st.booleans())
    def the_cloud_hears_one(self, which: int, keep: bool) -> None:
        self.world.deliver_up(which % len(self.world.up), keep=keep)

    @precondition(lambda self: bool(self.world.up))
    @rule()
    def the_cloud_hears_all(self) -> None:
        while self.world.up:
            self.world.deliver_up()

    @precondition(lambda self: bool(self.world.up))
    @rule(which=SOME)
    def one_is_lost_on_the_way(self, which: int) -> None:
        self.world.up.pop(which % len(self.world.up))

    @precondition(lambda self: bool(self.world.down))
    @rule(which=SOME, keep=st.booleans())
    def an_answer_comes(self, which: int, keep: bool) -> None:
        self.world.deliver_down(which % len(self.world.down), keep=keep)

    @precondition(lambda self: bool(self.world.down))
    @rule(which=SOME)
    def an_answer_is_lost(self, which: int) -> None:
        self.world.down.pop(which % len(self.world.down))

    @rule()
    def the_gateway_is_killed(self) -> None:
        self.world.kill()

    @rule()
    def old_rows_are_dropped(self) -> None:
        self.world.prune()

    @rule()
    def the_room_is_short(self) -> None:
        self.world.squeeze()

    @rule()
    def all_is_well_for_a_while(self) -> None:
        self.world.settle()

    @invariant()
    def no_number_ever_stands_for_two_records(self) -> None:
        assert self.world.cloud.contradictions == []

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        for lane in Lane:
            assert max(Counter(self.world.cloud.stored[lane]).values(), default=1) == 1

    def teardown(self) -> None:
        self.world.settle()
        self.no_number_ever_stands_for_two_records()
        self.nothing_is_stored_twice()
        missing = [raw for raw in self.world.lineage if raw not in self.world.cloud.stored[Lane.EVENTS]]
        assert missing == []


class Restorations(Faults):
    """The same with old copies put back: of the card (S16), or of the cloud's database."""

    def __init__(self) -> None:
        super().__init__()
        self.card: Any = self.world.snapshot()
        self.backup: tuple[Cloud, object] | None = None

    @rule()
    def the_card_is_copied(self) -> None:
        self.card = self.world.snapshot()

    @rule()
    def the_copied_card_is_put_back(self) -> None:
        self.world.restore(self.card)
        self.backup = None

    @rule()
    def the_cloud_is_backed_up(self) -> None:
        self.backup = self.world.cloud_snapshot(), self._streams()

    @precondition(lambda self: self.backup is not None and self.backup[1] == self._streams())
    @rule()
    def the_backup_is_put_back(self) -> None:
        assert self.backup is not None
        self.world.restore_cloud(self.backup[0])
        self.world.now_s += HELLO_EVERY_S  # nobody tells the gateway: its next hello finds out
        self.world.tick()

    @rule()
    def the_room_is_short(self) -> None:
        super().the_room_is_short()
        self.backup = None  # see World.squeeze: what went cannot be given to a cloud of before again

    def _streams(self) -> object:
        return {lane: book.stream for lane, book in self.world.books.items()}


TestFaults = Faults.TestCase
TestFaults.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRestorations = Restorations.TestCase
TestRestorations.settings = TestFaults.settings
