"""The benchmark: `python -m simulator.rig.bench`. Each module but part and __main__ measures one part."""
