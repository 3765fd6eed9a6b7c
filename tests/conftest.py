"""What all tests share: the order of two libraries, and how many cases a test tried, for the page of `make test-full`."""

import pytest
import torchvision.models  # noqa: F401 loads triton, which crashes if it comes after Mesa's LLVM (a GL context in this process)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the argument of a test's mark `num_cases` as its property `count`."""
    mark = item.get_closest_marker("num_cases")
    if mark is not None:
        item.user_properties.append(("count", mark.args[0]))
