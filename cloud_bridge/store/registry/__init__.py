"""The registry: which gateways there are, with their tokens, certificates, claim codes and commands."""
