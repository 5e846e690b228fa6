"""Seconds, bytes, shares and rows as Markdown words."""
LOST = 'none measurable'
LESS = dict(longer='shorter', higher='lower')


def span(seconds: dict[str, float]) -> str:
    """Median and quartiles in one unit."""
    unit, scale = ('s', 1) if abs(seconds['median']) >= 1 else ('ms', 1000)
    return '{:.3g} [{:.3g}, {:.3g}] {}'.format(*(seconds[key] * scale for key in ('median', 'low', 'high')), unit)


def time(seconds: float) -> str:
    return f'{seconds:.3g} s' if abs(seconds) >= 1 else f'{seconds * 1000:.3g} ms'


def size(count: float) -> str:
    return f'{count / 1e6:.1f} MB' if abs(count) >= 1e5 else f'{count / 1e3:.1f} kB'


def percent(share: float) -> str:
    return f'{100 * share:.1f} %'


def change(share: float, more: str, of: str = '') -> str:
    """'2.0 % longer', or '2.0 % shorter' of a negative share."""
    return f'{percent(abs(share))}{of} {more if share >= 0 else LESS[more]}'


def factor(times: float | None) -> str:
    return LOST if times is None else f'{times:.1f} times'


def power(value: float | None) -> str:
    return LOST if value is None else f'{value:.2f}'


def verdict(reached: bool) -> str:
    return 'reached' if reached else 'not reached'


def markdown(rows: list[list[str]]) -> str:
    """Rows one below the other; the first is the head."""
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(rows[0]), *lines[1:]])
