"""What only a long run shows. Asked for by name: `deploy/test.sh long`."""

import pytest
import soak_faults

pytestmark = pytest.mark.long


@pytest.mark.timeout(3 * 60 * 60)
def test_random_faults_in_a_row():
    """Everything is mended, every time, and nothing is left over."""
    assert soak_faults.main() == 0
