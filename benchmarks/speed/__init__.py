"""Speed benchmarks, each a ratio measured in one run; results stand in `docs/speed.md`."""
