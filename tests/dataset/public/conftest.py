import pytest


@pytest.fixture(scope="session")
def index():
    """The real index, read once."""
    pytest.importorskip("idc_index_data", reason="the index of Imaging Data Commons is not installed")
    from uteroseg.dataset.public.collections import COLLECTIONS
    from uteroseg.dataset.public.index import read_index

    return read_index(COLLECTIONS)
