"""Random cases against the oracle, on the CPU path and on the path of accelerators.

`ISDA_SEG_FUZZ_SECONDS=3600` runs each family on each path for that time instead of for a few cases, and
`ISDA_SEG_FUZZ_SEED=7` begins with that seed. A failure prints its seed and the choices of the case.
"""

import os
import time

import fuzz
import pytest

from isda_seg.core.ops import device

SECONDS = float(os.environ.get('ISDA_SEG_FUZZ_SECONDS', 0))
FIRST = int(os.environ.get('ISDA_SEG_FUZZ_SEED', 0))
FEW = 40


@pytest.mark.exhaustive
@pytest.mark.parametrize('cpu_types', [('cpu',), ()], ids=['cpu', 'accelerator'])
@pytest.mark.parametrize('family', fuzz.FAMILIES)
def test_random_cases_agree_with_the_oracle(family, cpu_types, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    end = time.monotonic() + SECONDS
    cases, failures = fuzz.run(family, FIRST, lambda cases: time.monotonic() > end if SECONDS else cases >= FEW)
    print(f'{family}: {cases} cases, {len(failures)} failures', *failures, sep='\n')
    assert '\n'.join(failures) == ''
