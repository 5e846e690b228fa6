"""Versions of torch: what the package needs, and what older ones lack."""
import subprocess
import sys

import pytest
import torch

from isda_seg.core.ops import torch_versions


@pytest.mark.parametrize('version, numbers', [('2.1.2+cu121', (2, 1)), ('2.13.0', (2, 13)), ('1.13.1', (1, 13)),
                                              ('2.14.0a0+gitabc', (2, 14)), ('2.7', (2, 7))])
def test_release_has_the_first_two_numbers_of_a_version(version, numbers):
    assert torch_versions.release(version) == numbers


def test_an_older_torch_is_an_error_at_import_with_a_remedy():
    code = "import torch; torch.__version__ = '2.0.1+cpu'; import isda_seg; isda_seg.ISDACriterion"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: isda_seg needs torch 2.1 or newer, found 2.0.1+cpu: pip install 'torch>=2.1'")


@pytest.mark.parametrize('device_type, expected', [('cpu', True), ('cuda', True), ('meta', False), ('vulkan', False)])
def test_autocast_is_found_with_and_without_the_query_of_newer_torch(monkeypatch, device_type, expected):
    found = [torch_versions.supports_autocast(device_type)]
    monkeypatch.delattr(torch.amp, 'is_autocast_available', raising=False)
    assert [*found, torch_versions.supports_autocast(device_type)] == [expected, expected]


@pytest.mark.skipif(torch_versions.release(torch.__version__) < (2, 4) or not torch.distributed.is_available(),
                    reason='fully_shard needs torch 2.4 with its distributed package')
def test_placement_of_summands_is_found():
    assert torch_versions.partial_sum().is_partial() is True
