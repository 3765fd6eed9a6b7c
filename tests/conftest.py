"""Tell how many cases a test tried, for the page that `make test-full` writes."""

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the argument of a test's mark `num_cases` as its property `count`."""
    mark = item.get_closest_marker("num_cases")
    if mark is not None:
        item.user_properties.append(("count", mark.args[0]))
