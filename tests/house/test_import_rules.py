"""The import rules of setup.cfg on a small tree of the same shape: what they let pass, what they find."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

LEGAL = {
    "config/cli.py": "import asyncio\nimport config.runtime.files",
    "config/runtime/files.py": "import time",
    "drivers/capture/model.py": "",
    "drivers/capture/parse.py": "import drivers.capture.model",
    "drivers/capture/runtime/record.py": "import socket\nimport drivers.modbus.decode",
    "drivers/modbus/decode.py": "import drivers.smartups.registers",
    "drivers/modbus/runtime/link.py": "import socket\nimport drivers.modbus.decode",
    "drivers/smartups/registers.py": "",
    "drivers/ups.py": "import datetime",
    "gateway/cli_audit.py": "import gateway.runtime.poller",
    "gateway/cli_emergency.py": "",
    "gateway/cli_enrol.py": "import ssl",
    "gateway/cli_status.py": "import socket",
    "gateway/rules.py": "import drivers.ups\nimport config.settings",
    "gateway/runtime/poller.py": "import asyncio\nimport drivers.modbus.runtime.link\nimport gateway.rules",
    "gateway/store/outbox.py": "import sqlite3\nimport gateway.wire.codec",
    "gateway/wire/codec.py": "import drivers.ups",
    "config/settings.py": "",
    "cloud_bridge/rules.py": "import drivers.ups\nimport gateway.wire.codec\nimport config.settings",
    "cloud_bridge/cli_administer.py": "",
    "cloud_bridge/cli_alert.py": "",
    "cloud_bridge/cli_api.py": "",
    "cloud_bridge/cli_channel.py": "",
    "cloud_bridge/cli_device.py": "",
    "cloud_bridge/cli_firmware.py": "",
    "cloud_bridge/cli_rule.py": "",
    "cloud_bridge/cli_owner.py": "",
    "cloud_bridge/cli_policy.py": "",
    "cloud_bridge/cli_command.py": "import time",
    "cloud_bridge/cli_gateway.py": "import cloud_bridge.runtime.broker",
    "cloud_bridge/cli_options.py": "",
    "cloud_bridge/cli_views.py": "import time",
    "cloud_bridge/runtime/broker.py": "import amqtt\nimport cloud_bridge.rules",
    "cloud_bridge/notify/mail.py": "import socket",
    "cloud_bridge/portal/app.py": "import time",
    "simulator/battery.py": "import drivers.smartups.registers\nimport drivers.ups\nimport config.settings",
    "simulator/replay.py": "import drivers.capture.model\nimport drivers.capture.parse",
    "simulator/runtime/wire.py": "import asyncio\nimport simulator.battery",
    "simulator/rig/demo.py": "import asyncio\nimport cloud_bridge.runtime.broker\nimport gateway.rules\n"
    "import drivers.modbus.decode\nimport simulator.runtime.wire",
}
"""What a module at this place may import."""

FORBIDDEN = [
    ("config/settings.py", "drivers.ups"),
    ("drivers/ups.py", "config.settings"),
    ("drivers/modbus/decode.py", "gateway.wire.codec"),
    ("gateway/runtime/poller.py", "cloud_bridge.rules"),
    ("gateway/rules.py", "simulator.battery"),
    ("cloud_bridge/runtime/broker.py", "drivers.modbus.decode"),
    ("cloud_bridge/rules.py", "gateway.rules"),
    ("cloud_bridge/portal/app.py", "simulator.battery"),
    ("simulator/runtime/wire.py", "drivers.modbus.decode"),
    ("simulator/battery.py", "gateway.wire.codec"),
    ("simulator/battery.py", "cloud_bridge.rules"),
    ("drivers/smartups/registers.py", "drivers.modbus.decode"),
    ("drivers/capture/parse.py", "drivers.modbus.decode"),
    ("simulator/replay.py", "drivers.capture.runtime.record"),
    ("simulator/runtime/wire.py", "simulator.rig.demo"),
    ("gateway/wire/codec.py", "gateway.rules"),
    ("gateway/wire/codec.py", "drivers.modbus.decode"),
    ("gateway/wire/codec.py", "config.settings"),
    ("gateway/rules.py", "asyncio"),
    ("drivers/modbus/decode.py", "socket"),
    ("cloud_bridge/rules.py", "sqlite3"),
    ("config/settings.py", "time"),
    ("simulator/battery.py", "random"),
    ("gateway/wire/codec.py", "threading"),
    ("drivers/ups.py", "subprocess"),
    ("gateway/rules.py", "gateway.runtime.poller"),
    ("gateway/rules.py", "gateway.store.outbox"),
    ("cloud_bridge/rules.py", "cloud_bridge.notify.mail"),
    ("cloud_bridge/rules.py", "cloud_bridge.portal.app"),
    ("config/settings.py", "config.cli"),
    ("gateway/rules.py", "gateway.cli_status"),
    ("cloud_bridge/rules.py", "cloud_bridge.cli_views"),
    ("gateway/runtime/poller.py", "amqtt"),
    ("simulator/runtime/wire.py", "amqtt"),
]


def lint(tree: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    for name, text in tree.items():
        module = folder / name
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(text)
        for package in list(module.relative_to(folder).parents)[:-1]:
            (folder / package / "__init__.py").touch()
    shutil.copy(ROOT / "setup.cfg", folder)
    program = Path(sys.executable).with_name("lint-imports")
    # Without PYTHONPATH the real packages would be looked at, since they are installed.
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([program, "--no-cache"], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_every_room_may_import_what_the_design_gives_it(tmp_path: Path) -> None:
    done = lint(LEGAL, tmp_path)
    assert "0 broken" in done.stdout
    assert done.returncode == 0


def test_every_forbidden_import_is_found_and_named(tmp_path: Path) -> None:
    tree = dict(LEGAL)
    for name, wanted in FORBIDDEN:
        tree[name] += f"\nimport {wanted}"
    done = lint(tree, tmp_path)
    links = [f"{name.removesuffix('.py').replace('/', '.')} -> {wanted} " for name, wanted in FORBIDDEN]
    assert done.returncode == 1
    assert [link for link in links if link not in done.stdout] == []
    assert "Contracts: 0 kept" in done.stdout
