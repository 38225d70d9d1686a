"""Any history of two upgrades in one redundancy group keeps the invariants of gateway-ota.md A7 that are the state
machine's: 1, 2, 5, 6, 7, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20 and 21. What is checked is in `upgrade_world`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.firmware import events
from gateway.firmware.states import State
from gateway.firmware.topology import Supply, Topology
from gateway.wire.firmware import OutputMode
from tests.gateway.firmware.upgrade_world import LEASES_S, Flaw, World

RUNS = max(200, settings.default.max_examples if settings.default else 0)
"""A hypothesis profile with more examples makes it more: `pytest --hypothesis-profile=NAME`."""

MOSTLY_GOOD = st.sampled_from([Flaw.NONE] * 6 + [flaw for flaw in Flaw if flaw is not Flaw.NONE])

FAR = (State.ARMED, State.ENTERING, State.TRANSFERRING, State.REBOOTING, State.SETTLING, State.RECOVERING)
"""States that chance alone seldom comes to."""


class Upgrades(RuleBasedStateMachine):
    @initialize(
        with_fallback=st.booleans(),
        output=st.sampled_from([OutputMode.ON_UNPROTECTED, OutputMode.ON_UNPROTECTED, OutputMode.OFF]),
    )
    def begins(self, with_fallback: bool, output: OutputMode) -> None:
        self.world = World(with_fallback=with_fallback, output=output)
        self.world.offer("AS1", 41)

    @rule(serial=st.sampled_from(["AS1", "AS2"]), counter=st.integers(40, 43))
    def an_order_comes(self, serial: str, counter: int) -> None:
        self.world.offer(serial, counter)

    @rule(rounds=st.integers(1, 4))
    def all_goes_well(self, rounds: int) -> None:
        for _ in range(rounds):
            self.world.round()

    @rule(state=st.sampled_from(FAR))
    def it_comes_to(self, state: State) -> None:
        self.world.comes_to(state)

    @rule(state=st.sampled_from(FAR), flaw=st.sampled_from(Flaw), rounds=st.integers(0, 12))
    def it_goes_wrong_at(self, state: State, flaw: Flaw, rounds: int) -> None:
        self.world.comes_to(state)
        self.world.act(0, flaw)
        for _ in range(rounds):
            self.world.round()

    @rule(flaws=st.lists(MOSTLY_GOOD, min_size=1, max_size=20))
    def some_goes_wrong(self, flaws: list[Flaw]) -> None:
        left = iter(flaws)
        for _ in range(4):
            self.world.round(lambda: next(left, Flaw.NONE))

    @rule(index=st.integers(0, 5), flaw=st.sampled_from(Flaw))
    def one_thing_happens(self, index: int, flaw: Flaw) -> None:
        self.world.act(index, flaw)

    @rule(seconds=st.sampled_from([0.2, 0.9, 1.1, 5, 29, 31, 61, 299, 301, 4000]))
    def time_passes(self, seconds: float) -> None:
        self.world.passes(seconds)
        self.world.tick()

    @rule()
    def mains_fail_or_return(self) -> None:
        self.world.mains = not self.world.mains
        self.world.mains_since_ms = self.world.real_ms

    @rule(reboots=st.booleans())
    def the_process_dies(self, reboots: bool) -> None:
        self.world.restart(reboots=reboots)

    @rule(point=st.sampled_from(["before", "after", "reported"]), rounds=st.integers(1, 4))
    def it_dies_at_a_commit(self, point: str, rounds: int) -> None:
        self.world.crash_at = point
        for _ in range(rounds):
            self.world.round()

    @rule(synchronised=st.booleans(), skew_ms=st.sampled_from([0, -86_400_000 * 365, 86_400_000, 3_600_000]))
    def the_clock_is_set(self, synchronised: bool, skew_ms: int) -> None:
        self.world.synchronised, self.world.skew_ms = synchronised, skew_ms if not synchronised else 0
        for name in list(self.world.jobs):
            self.world.tell(name, events.ClockQuality(now=self.world.now()))

    @rule(data=st.data())
    @precondition(lambda self: self.world.asked)
    def a_go_comes_to_anybody(self, data: st.DataObject) -> None:
        challenge = data.draw(st.sampled_from(sorted(self.world.asked)))
        to = data.draw(st.sampled_from(sorted(self.world.jobs)))
        self.world.go(challenge, data.draw(st.sampled_from(LEASES_S)), to)

    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        self.world.cancel(data.draw(st.sampled_from(sorted(self.world.jobs))))

    @rule(reaches_the_gateway=st.booleans())
    def the_campaign_is_halted(self, reaches_the_gateway: bool) -> None:
        if self.world.halted_at is None:
            self.world.halted_at = self.world.real_ms
        if reaches_the_gateway:
            for name in list(self.world.jobs):
                self.world.tell(name, events.Halted(now=self.world.now(), by="Ann"))

    @rule()
    def the_campaign_goes_on(self) -> None:
        self.world.halted_at = None
        for name in list(self.world.jobs):
            self.world.tell(name, events.Resumed(now=self.world.now(), by="Ann"))

    @rule(gateway=st.sampled_from(Supply), uplink=st.sampled_from(Supply))
    def the_owner_says_how_power_runs(self, gateway: Supply, uplink: Supply) -> None:
        self.world.topology = Topology(gateway=gateway, uplink=uplink)

    @rule(serial=st.sampled_from(["AS1", "AS2"]))
    def a_unit_dies(self, serial: str) -> None:
        self.world.units[serial].dead = True

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check_always()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.close()


TestUpgrades = Upgrades.TestCase
TestUpgrades.settings = settings(
    max_examples=RUNS, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
