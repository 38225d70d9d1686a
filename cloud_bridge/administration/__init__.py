"""What people ask of owners, devices, channels, policies, rules and silences, and whether it can be so. Pure."""
