"""The catalogue of event types: severity (safety rule S20), what each means, what to do now.

Sources: the status, cause and error bits of apc-modbus.md section 7, and smartconnect.md, "Events and notifications".
"""

# ruff: noqa: E501  (a table: one row, one line)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from drivers.events import EventType, Severity

INFO, WARNING, CRITICAL = Severity.INFORMATIONAL, Severity.WARNING, Severity.CRITICAL
NOTHING = "Nothing; this is for the record."
SERVICE = "Move the load to another supply and have the unit serviced."

_POWER = (
    EventType("on_battery", WARNING, "The mains failed or left the accepted range; the battery carries the load.", "Check the supply. If it does not return, shut the load down before the runtime is used up."),
    EventType("mains_restored", INFO, "The mains are back and carry the load again.", NOTHING, "on_battery"),
    EventType("low_battery", CRITICAL, "On battery with the runtime at or under its limit; the output is about to go off.", "Shut the load down now."),
    EventType("low_battery_cleared", INFO, "The battery is no longer low.", "Let it recharge before you rely on it.", "low_battery"),
    EventType("output_off", CRITICAL, "The output went off and nobody told it to: the load has no power.", "Read the cause; restore the mains or clear the fault, then switch the output on."),
    EventType("output_off_commanded", INFO, "The output was switched off by a command.", NOTHING),
    EventType("output_on", INFO, "The output is on again.", "Check that the load has come back.", "output_off"),
    EventType("shutdown_imminent", WARNING, "A turn-off countdown runs: the output goes off when it ends.", "If you did not ask for it, cancel the pending shutdown at the unit."),
    EventType("shutdown_cancelled", INFO, "No turn-off countdown runs any more: it was cancelled, or the output is off.", NOTHING, "shutdown_imminent"),
    EventType("bypass", CRITICAL, "The unit went to bypass by itself: the load is on raw mains without battery.", "Look for an overload or a fault; clear it and leave bypass."),
    EventType("bypass_commanded", INFO, "The unit was put into bypass by a command.", "Leave bypass when the work is done."),
    EventType("bypass_ended", INFO, "The unit left bypass and protects the load again.", NOTHING, "bypass"),
    EventType("unit_restarted", INFO, "The unit initialised its system anew.", "If nobody restarted it, watch it."),
    EventType("avr_boost", INFO, "The mains are low; the unit raises its output without the battery.", "If it lasts, have the supply checked."),
    EventType("avr_boost_ended", INFO, "The unit no longer raises the mains voltage.", NOTHING, "avr_boost"),
    EventType("avr_trim", INFO, "The mains are high; the unit lowers its output without the battery.", "If it lasts, have the supply checked."),
    EventType("avr_trim_ended", INFO, "The unit no longer lowers the mains voltage.", NOTHING, "avr_trim"),
    EventType("outlet_group_off", WARNING, "A switched outlet group went off.", "If nobody asked for it, look for load shedding."),
    EventType("outlet_group_on", INFO, "A switched outlet group went on.", NOTHING, "outlet_group_off"),
)  # fmt: skip

_FAULTS = (
    ("overload", CRITICAL, "The load is above the unit's rating.", "Unplug what is not needed until the load is under 80 %."),
    ("output_short_circuit", CRITICAL, "The output is short-circuited.", "Unplug the load; find the short before you switch on."),
    ("output_overvoltage", CRITICAL, "The output voltage is too high.", SERVICE),
    ("transformer_dc_imbalance", CRITICAL, "The transformer carries direct current.", SERVICE),
    ("overtemperature", CRITICAL, "The unit is too hot inside.", "Free its air inlets, cool the room, lower the load."),
    ("backfeed_relay_fault", CRITICAL, "The backfeed relay failed: the mains plug may be live.", "Do not touch the plug's pins. " + SERVICE),
    ("avr_relay_fault", WARNING, "The voltage-regulation relay failed: sags and swells go to battery.", "Have the unit serviced."),
    ("pfc_input_relay_fault", CRITICAL, "The input relay of the power-factor stage failed.", SERVICE),
    ("output_relay_fault", CRITICAL, "An output relay failed.", SERVICE),
    ("bypass_relay_fault", CRITICAL, "The bypass relay failed.", SERVICE),
    ("fan_fault", WARNING, "A fan failed.", "Clean or replace the fan; watch the temperature."),
    ("pfc_fault", CRITICAL, "The power-factor stage failed.", SERVICE),
    ("dc_bus_overvoltage", CRITICAL, "The inner direct-current bus is too high.", SERVICE),
    ("inverter_fault", CRITICAL, "The inverter failed: the battery cannot carry the load.", SERVICE),
    ("overcurrent", CRITICAL, "The output current is too high.", "Unplug what was added last; look for a faulty load."),
    ("site_wiring_fault", WARNING, "Line, neutral or earth are wired wrongly at the socket.", "Have an electrician check the socket."),
    ("eeprom_fault", CRITICAL, "The unit's settings memory failed.", SERVICE),
    ("ad_converter_fault", CRITICAL, "The unit's measuring converter failed; its readings can't be trusted.", SERVICE),
    ("logic_power_fault", CRITICAL, "The supply of the unit's control logic failed.", SERVICE),
    ("internal_communication_fault", CRITICAL, "Parts of the unit no longer hear each other.", SERVICE),
    ("ui_button_fault", WARNING, "A button of the panel is stuck.", "Free the button."),
    ("emergency_power_off", CRITICAL, "The emergency power off contact is active: the output is off.", "Make sure that nobody is in danger, then release it."),
    ("firmware_mismatch", CRITICAL, "Parts of the unit run firmware that does not fit together.", "Install the unit's firmware again."),
    ("oscillator_fault", CRITICAL, "The unit's clock source failed.", SERVICE),
    ("measurement_mismatch", CRITICAL, "Two measurements of the unit contradict each other.", SERVICE),
    ("subsystem_fault", CRITICAL, "A part of the unit failed.", SERVICE),
    ("battery_disconnected", CRITICAL, "No battery is connected: the next outage drops the load.", "Push the battery connector home or replace the battery."),
    ("battery_overvoltage", CRITICAL, "The battery voltage is too high.", SERVICE),
    ("replace_battery", WARNING, "The battery no longer carries what it should.", "Order and fit a new battery."),
    ("battery_over_temperature", CRITICAL, "The battery is dangerously hot.", "Lower the load, cool the room; replace a swollen battery."),
    ("charger_fault", WARNING, "The charger failed: the battery will not recharge.", "Have the unit serviced before the next outage."),
    ("battery_temperature_sensor_fault", WARNING, "The battery's temperature sensor failed.", "Reseat the battery; if it stays, have it serviced."),
    ("battery_soft_start_fault", CRITICAL, "The battery bus did not come up.", SERVICE),
    ("battery_temperature_high", WARNING, "The battery is warmer than it should be; heat shortens its life.", "Cool the room; keep the air inlets free."),
    ("battery_fault", CRITICAL, "The battery reports a fault of its own.", "Replace the battery."),
    ("battery_communication_fault", WARNING, "The unit no longer hears its battery.", "Reseat the battery and its signal cable."),
    ("battery_near_end_of_life", WARNING, "The battery is near the end of its life.", "Order a new battery."),
    ("battery_life_exceeded", WARNING, "The battery is beyond its expected life.", "Fit a new battery now."),
)  # fmt: skip

_TESTS = (
    EventType("self_test_started", INFO, "The unit tests its battery for some seconds.", NOTHING),
    EventType("self_test_passed", INFO, "The battery passed its test.", NOTHING),
    EventType("self_test_failed", WARNING, "The battery failed its test.", "Replace the battery; test again when it is charged."),
    EventType("self_test_refused", WARNING, "The unit refused to test its battery.", "Read the reason; charge the battery and try again."),
    EventType("self_test_aborted", INFO, "The battery test was stopped.", "Run it again later."),
    EventType("calibration_started", INFO, "The unit measures its runtime by running from the battery.", "Leave the load as it is until it ends."),
    EventType("calibration_passed", INFO, "The runtime calibration is complete.", "Let the battery recharge."),
    EventType("calibration_failed", WARNING, "The runtime calibration failed.", "Read the reason; repeat it with a steady load of 30 % or more."),
    EventType("calibration_refused", WARNING, "The unit refused a runtime calibration.", "Read the reason; it needs a full battery and a steady load."),
    EventType("calibration_aborted", INFO, "The runtime calibration was stopped.", "Run it again later."),
)  # fmt: skip

_LINK = (
    EventType("communication_lost", WARNING, "The gateway no longer hears the unit: its state is unknown.", "Check the cable, the unit's Modbus setting and its address."),
    EventType("communication_restored", INFO, "The gateway hears the unit again.", NOTHING, "communication_lost"),
    EventType("unit_identity_changed", WARNING, "Another unit answers at this address: nothing is read under the old name.", "If you exchanged it, run `ridethrough gateway accept-unit` on the gateway."),
    EventType("unit_accepted", INFO, "The owner accepted the unit that answers at this address.", NOTHING, "unit_identity_changed"),
    EventType("unit_seen_twice", WARNING, "The unit that answers here is read under another name already; it is read under that one only.", "Take one of the two out of the gateway's settings, or correct its URL."),
    EventType("unit_seen_once", INFO, "The name leads to a unit of its own.", NOTHING, "unit_seen_twice"),
    EventType("firmware_changed", INFO, "The unit runs another firmware than before.", NOTHING),
    EventType("settings_changed", INFO, "Settings in the unit were changed.", "If it was not you, find out who."),
)  # fmt: skip

_SERVICE = (
    EventType("gateway_started", INFO, "The gateway started.", NOTHING),
    EventType("gateway_stopped", INFO, "The gateway was stopped in good order.", NOTHING),
    EventType("gateway_lost", WARNING, "The gateway is silent: its units are not watched.", "Check its power and network."),
    EventType("gateway_returned", INFO, "The gateway is heard again.", NOTHING, "gateway_lost"),
    EventType("gateway_cloned", CRITICAL, "Two gateways use one identity: records contradict each other.", "Find the copied card; revoke and enrol one of them anew."),
    EventType("outbox_damaged", WARNING, "The gateway's store was damaged: what could be read of it was sent, the rest is a gap.", "Replace the gateway's SD card or disk."),
    EventType("battery_replacement_due", WARNING, "The battery's replacement date is near or past.", "Order and fit a new battery."),
    EventType("warranty_expires", INFO, "The unit's warranty ends soon.", "Extend it or plan a successor."),
    EventType("plan_expires", INFO, "The service plan ends soon.", "Renew it to keep its features."),
    EventType("firmware_out_of_date", INFO, "A newer firmware is offered for the unit.", "Read its notes and plan the upgrade."),
    EventType("notifications_disabled", WARNING, "Too many notifications: they are off for this unit for a while.", "Look at the events; turn notifications on again by the link."),
)  # fmt: skip

_WATCHED = (
    EventType("battery_ran_short", WARNING, "The battery carried the load for much less time than the unit had promised.", "Plan a new battery; until it is fitted, count on the shorter time."),
    EventType("battery_ran_short_cleared", INFO, "The battery was replaced or its runtime measured anew since it ran short.", NOTHING, "battery_ran_short"),
    EventType("battery_depleting_fast", WARNING, "The battery empties faster than the unit had promised when the outage began.", "Shut the load down earlier than you had planned; have the battery tested after the outage."),
    EventType("battery_depleting_fast_cleared", INFO, "The battery no longer empties too fast.", "Test the battery when it is charged.", "battery_depleting_fast"),
    EventType("self_test_overdue", WARNING, "The battery was not tested for longer than you want it to be.", "Run a self-test, or correct how often you expect one."),
    EventType("self_test_overdue_cleared", INFO, "The battery was tested, or no test is expected any more.", NOTHING, "self_test_overdue"),
    EventType("battery_replacement_due_cleared", INFO, "The battery's replacement date has moved on.", NOTHING, "battery_replacement_due"),
    EventType("warranty_expires_cleared", INFO, "The unit's warranty lasts longer now.", NOTHING, "warranty_expires"),
    EventType("reading_out_of_range", WARNING, "A reading is beyond the limit that you set for it.", "Look at the reading and at what drives it."),
    EventType("reading_back_in_range", INFO, "The reading is back within its limit.", NOTHING, "reading_out_of_range"),
    EventType("unit_unstable", WARNING, "It comes and goes again and again; until it is calm, only worse is said of it.", "Look at the events for what comes and goes, and remove the cause."),
    EventType("unit_unstable_cleared", INFO, "It no longer comes and goes.", NOTHING, "unit_unstable"),
    EventType("site_outage", WARNING, "Many units of one site run from battery at once: the site has lost its mains.", "Check the site's supply; shut loads down in the order of their runtime."),
    EventType("site_outage_over", INFO, "No unit of the site runs from battery any more.", "Check that every load has come back.", "site_outage"),
    EventType("sites_outage", CRITICAL, "Several sites have lost their mains at once.", "Look for a failure of the grid; begin with the sites whose runtime is shortest."),
    EventType("sites_outage_over", INFO, "The sites have their mains again.", "Check that every load has come back.", "sites_outage"),
    EventType("site_dark", CRITICAL, "The whole site is silent, and its last words were that it ran from battery: its power ran out.", "Restore the site's power; then check that every load has come back."),
    EventType("site_heard_again", INFO, "The site is heard again.", "Check that every load has come back.", "site_dark"),
    EventType("certificate_near_end", WARNING, "The gateway's certificate ends soon and was not renewed; after that it is not let in.", "Check the gateway's log for why it does not renew; enrol it anew if need be."),
    EventType("certificate_renewed", INFO, "The gateway's certificate is good for longer again.", NOTHING, "certificate_near_end"),
    EventType("clock_wrong", WARNING, "The gateway's clock is wrong or not set: the times of its records are not to be trusted.", "Let the gateway reach a time server, or set its clock."),
    EventType("clock_wrong_cleared", INFO, "The gateway's clock is right again.", NOTHING, "clock_wrong"),
    EventType("outbox_growing", WARNING, "Records wait in the gateway and become more: they do not reach the cloud fast enough.", "Check the gateway's network and the cloud's database."),
    EventType("outbox_growing_cleared", INFO, "The gateway's records reach the cloud again.", NOTHING, "outbox_growing"),
    EventType("ingest_silent", CRITICAL, "The cloud itself hears no gateway: nothing is watched.", "Check that ingest and the broker run."),
    EventType("ingest_heard", INFO, "The cloud hears its gateways again.", NOTHING, "ingest_silent"),
    EventType("channel_failing", WARNING, "Notifications can't be sent by this channel.", "Check its address and its service; notifications wait and are tried again."),
    EventType("channel_working", INFO, "Notifications are sent by this channel again.", NOTHING, "channel_failing"),
)  # fmt: skip


def _with_clears() -> Iterator[EventType]:
    for name, severity, meaning, do_this in _FAULTS:
        yield EventType(name, severity, meaning, do_this)
        yield EventType(f"{name}_cleared", INFO, f"Over: {meaning[0].lower()}{meaning[1:]}", NOTHING, name)


CATALOGUE: Mapping[str, EventType] = MappingProxyType(
    {kind.name: kind for kind in (*_POWER, *_with_clears(), *_TESTS, *_LINK, *_SERVICE, *_WATCHED)}
)
"""Every event type by name."""

FROM_THE_CLOUD = frozenset(kind.name for kind in _WATCHED)
"""Types that no gateway tells: the cloud finds them by watching, and they are alerts only, never stored as events."""
