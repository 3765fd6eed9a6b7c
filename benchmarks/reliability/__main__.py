"""Run every test with `SCENELIFT_THOROUGH=1` and write a page with what was tried, how often, and what held.

    python -m scenelift.benchmarks.reliability --out docs/reliability.md

A test tells how often it tried by `record_property("count", n)`.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """One test of the suite."""

    module: str
    name: str
    seconds: float
    outcome: str
    """ "passed", "failed" or "skipped"."""
    count: int | None
    """How many cases it tried, if it says so."""


def read_results(path: Path) -> list[TestResult]:
    """Read pytest's JUnit file, which the run just wrote."""
    results = []
    for case in ET.parse(path).getroot().iter("testcase"):
        counts = [p.get("value") for p in case.iter("property") if p.get("name") == "count"]
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        else:
            outcome = "skipped" if case.find("skipped") is not None else "passed"
        results.append(
            TestResult(
                module=case.get("classname", ""),
                name=case.get("name", ""),
                seconds=float(case.get("time", "0")),
                outcome=outcome,
                count=int(counts[0]) if counts and counts[0] else None,
            )
        )
    return results


def write_page(results: Sequence[TestResult], *, tests: Sequence[str] = ()) -> str:
    """Make the page: counted tests one by one, the others summed by module.

    Args:
        results: What came out.
        tests: What was asked for; nothing is everything.
    """
    which = f"the tests of {', '.join(tests)}," if tests else "every test"
    lines = [
        "# Reliability",
        "",
        "Written by `make test-full` (`python -m scenelift.benchmarks.reliability --out docs/reliability.md`):",
        f"{which} with full counts.",
        "",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors.",
        "",
        "## Tried many times",
        "",
        "| test | cases | outcome | seconds |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{r.module}`: {r.name.removeprefix('test_').replace('_', ' ')} | {r.count:,} | {r.outcome} | {r.seconds:.0f} |"
        for r in results
        if r.count is not None
    ]
    lines += [
        "",
        "## All tests",
        "",
        "| module | passed | failed | skipped | seconds |",
        "|---|---|---|---|---|",
    ]
    for module in sorted({r.module for r in results}):
        of = [r for r in results if r.module == module]
        counts = [
            sum(r.outcome == outcome for r in of) for outcome in ("passed", "failed", "skipped")
        ]
        lines.append(
            f"| `{module}` | {counts[0]} | {counts[1]} | {counts[2]} | {sum(r.seconds for r in of):.0f} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite, write the page, and return pytest's exit status."""
    parser = argparse.ArgumentParser(prog="python -m scenelift.benchmarks.reliability")
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    parser.add_argument("tests", nargs="*", help="which tests; all by default")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-o",
                "junit_family=legacy",
                f"--junitxml={junit}",
                *options.tests,
            ],
            env={**os.environ, "SCENELIFT_THOROUGH": "1"},
            check=False,
        )
        if junit.exists():
            options.out.write_text(write_page(read_results(junit), tests=options.tests))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
