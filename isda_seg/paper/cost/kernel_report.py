"""Report of the GPU kernels checked without a GPU."""
from typing import Any

from isda_seg.paper.result_tables import NOT_RUN, markdown


def section(found: dict[str, Any] | None) -> str:
    """Return the launches of each training call as a table, and sentences on the compiled kernels and the CPU time."""
    if found is None:
        return f'`tools/benchmarks/kernels.py`: {NOT_RUN}.'
    table = [['one training call', 'launches with kernels', 'launches with PyTorch operators']]
    table += [[name, str(count['kernels']), str(count['operators'])] for name, count in found['launches'].items()]
    rows, targets = found['kernels'], list(dict.fromkeys(row['target'] for row in found['kernels']))
    most = {key: max(row[key] or 0 for row in rows) for key in ('spilled', 'float_atomics', 'registers')}
    ratio = found['host']['kernels'] / found['host']['operators']
    return '\n\n'.join([markdown(table), (
        f'{len(rows)} kernels compiled for {", ".join(targets)}, in float32, bfloat16 and channels_last: at most '
        f'{most["spilled"]} spilled bytes, {most["float_atomics"]} atomic operations on floats and {most["registers"]} '
        f'registers. The CPU time of a call is {ratio:.2f} of that with PyTorch operators, without the work of the '
        f'driver in a launch. {found["hardware"]}, {found["date"][:10]}, commit {found["commit"]}.')])


def row_line(row: dict[str, Any]) -> str:
    """Return the registers, spilled bytes and float atomics of a compiled kernel as a line."""
    layout = 'channels_last' if row['channels_last'] else ''
    return ('{target:8}{workload:16}{dtype:9} {layout:14}{kernel:32}registers {registers!s:>4}  spilled '
            '{spilled!s:>4}  float atomics {float_atomics}').format(**row, layout=layout)
