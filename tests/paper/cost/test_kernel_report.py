"""The report of the kernels shows launches, the worst row of what was compiled, and the ratio of the CPU times."""
from isda_seg.paper.cost.kernel_report import row_line, section

ROW = dict(target='sm_90', workload='Cityscapes', dtype='float32', channels_last=False, kernel='loss_kernel',
           registers=40, spilled=0, float_atomics=0)


def test_the_section_shows_launches_the_worst_row_and_the_ratio():
    rows = [ROW, dict(ROW, target='gfx942', registers=None, spilled=8)]
    found = dict(kernels=rows, launches={'Cityscapes': dict(kernels=8, operators=74)}, hardware='2 cores',
                 host=dict(kernels=1.0, operators=4.0), date='2026-11-30T20:00:00', commit='abc')
    table, text = section(found).split('\n\n')
    assert table.splitlines()[-1] == '| Cityscapes | 8 | 74 |'
    assert '2 kernels compiled for sm_90, gfx942' in text and 'at most 8 spilled bytes, 0 atomic' in text
    assert '40 registers. The CPU time of a call is 0.25 of' in text
    assert text.endswith('2 cores, 2026-11-30, commit abc.')
    assert section(None) == '`tools/benchmarks/kernels.py`: not yet run.'


def test_a_row_names_target_kernel_and_layout():
    line = row_line(dict(ROW, channels_last=True, registers=None)).split()
    assert line == ['sm_90', 'Cityscapes', 'float32', 'channels_last', 'loss_kernel', 'registers', 'None', 'spilled',
                    '0', 'float', 'atomics', '0']
