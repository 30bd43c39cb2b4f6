import pytest

pytest.register_assert_rewrite(f"{__name__}.service", f"{__name__}.processes")
