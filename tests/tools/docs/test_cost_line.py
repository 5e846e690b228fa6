"""The cost sentences of the front page describe the newest complete measurement, on a GPU if there is one."""
from docs.cost_line import cost_line

HARDWARE = dict(cuda='1 x NVIDIA H100 80GB HBM3', cpu='Intel(R) Xeon(R) Processor, 2 cores, 1 threads')


def measured(device, share, day):
    loss = dict(measured={'plain': dict(seconds=dict(median=0.5)), 'isda label': dict(seconds=dict(median=3.0))})
    return dict(device=device, hardware=HARDWARE[device], date=f'2026-01-0{day}', loss=[loss], step=dict(
        config='cityscapes/net_isda_data.py', extra=dict(share=dict(median=share))))


def line(change):
    return (f'Cost: with ISDA, a float32 training step of `net` takes {change}. The loss alone takes 6.0 times as long '
            'as cross-entropy, so the share is larger for small networks and in mixed precision ([time and '
            'memory](ALL)). Inference costs nothing extra.')


def test_the_newest_gpu_comes_before_a_cpu():
    old, new, cpu = measured('cuda', 0.3, 1), measured('cuda', 0.03, 2), measured('cpu', -0.05, 3)
    assert cost_line([new, old, cpu], 'ALL') == line('3.0 % longer (NVIDIA H100, before the Triton kernels)')
    assert cost_line([dict(new, date='2027-01-01')], 'ALL') == line('3.0 % longer (NVIDIA H100)')
    assert cost_line([cpu], 'ALL') == line('5.0 % shorter (Intel(R) Xeon(R))')


def test_a_measurement_without_a_step_is_not_shown():
    assert cost_line([], 'ALL') == cost_line([dict(device='cuda', date='2026-01-01')], 'ALL') == 'not yet run'
