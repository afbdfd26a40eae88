"""Why a test that passes on Windows cannot pass in Wine's: the reasons, which pytest prints there with their tests."""

import pytest

LINKS = pytest.mark.not_in_wine("os.symlink says that it made a link, and there is none")
