"""What an administrator does to owners, devices, channels, policies, rules, silences and alerts: the command line and
the API both come through here.

`office` opens the registry; `people`, `wishes`, `watch` and `alerts` do the work, each function in one transaction.
Fields are those of cloud_bridge.administration.forms; every function raises AdministrationError and RegistryError.
"""
