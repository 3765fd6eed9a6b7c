"""Tell how many cases a test tried, for the page that `make test-full` writes."""

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note `num_cases` of a test function as the property `count`."""
    num_cases = getattr(getattr(item, "function", None), "num_cases", None)
    if num_cases is not None:
        item.user_properties.append(("count", num_cases))
