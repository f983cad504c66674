"""Order of the tests: what is quick comes first, notebooks that run come last."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
