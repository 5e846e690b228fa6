"""Shared fixtures of the tests of core."""

import pytest
import torch


@pytest.fixture
def low_matmul_precision():
    """Matrix products in TF32 or bfloat16 where the machine can, as torch.set_float32_matmul_precision allows."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('medium')
    yield
    torch.set_float32_matmul_precision(before)
