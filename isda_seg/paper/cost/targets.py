"""What was aimed at, beside what was measured."""
from typing import Any

STEP_SHARE = 0.01              # a whole step; the paper reports 6 %
TIME_SHARE = (0.30, 0.10)      # target and aim: extra time of the loss, of plain cross-entropy's own
FEATURE_SHARE = (0.25, 0.10)   # with rows on the feature grid
LOGITS_SHARE = (1.0, 0.03)     # extra peak memory, of one full-size logits tensor
LITERAL_TIMES = dict(diagonal=40, full=4)
FLOOR_TIMES = 3
STEP_NEXT = 'each head has small operations of its own; next: a profile of the step, fewer operations'
NEXT = dict(  # what would be tried next, by the piece that takes most of the extra time
    statistics='one blocked product per class in the batch, on a GPU in one kernel',
    table='products of the matrices of classes in the batch in half the passes, by their Cholesky factors',
    addition='on a host one compiled kernel, so that a chunk is read once instead of once per operation; on a GPU, '
             'which has it, the sums of the gradient in it too')


def targets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry per target and row: measured, target, aim where there is a second one, whether each is reached.

    ``because`` names the piece of the profile that takes most of the extra time, where a target of time is missed.
    """
    found = []
    if 'step' in result:
        step = result['step']
        whole = _at_most('whole step, extra time', step['config'], step['extra']['share']['median'], '%', STEP_SHARE)
        found.append(whole if whole['reached'] else dict(whole, because=STEP_NEXT))
    for loss in result.get('loss', ()):
        for row in loss['rows']:
            where = loss['name'] + (f', {row["resolution"]}' if len(loss['rows']) > 1 else '')
            share = FEATURE_SHARE if row['resolution'] == 'feature' else TIME_SHARE
            timed = [_at_most('loss, extra time', where, row['extra']['share']['median'], '%', *share),
                     _at_most('loss, extra time over the floor', where, row['over_floor'], 'times', FLOOR_TIMES),
                     _literal(where, row['literal_times'], LITERAL_TIMES[loss['covariance']])]
            for target in timed:
                if not target['reached']:
                    target['because'] = largest_piece(result, loss['name']) if row is loss['rows'][0] else \
                        upsampling(row, loss['rows'][0])
            found += [*timed, _at_most('loss, extra peak memory of one logits tensor', where, row['of_logits'], '%',
                                       *LOGITS_SHARE)]
    return found


def upsampling(row: dict[str, Any], label_row: dict[str, Any]) -> str:
    """What rows added on the feature grid cost beyond those at label resolution."""
    more = row['extra']['seconds']['median'] - label_row['extra']['seconds']['median']
    return f'upsampling, {more * 1000:.3g} ms more than at label resolution; next: a visit to the feature grid\'s cells'


def largest_piece(result: dict[str, Any], name: str) -> str:
    """'statistics 40 ms of 60 ms; next: ...': of the profile at the size called ``name``; '' without a profile."""
    for profile in result.get('profile', ()):
        if profile['name'] == name:
            own = {piece: seconds['median'] for piece, seconds in profile['pieces'].items()
                   if not piece.startswith('literal')}
            largest = max(own, key=lambda piece: own[piece])
            return (f'{largest} {own[largest] * 1000:.3g} ms of {profile["extra"]["median"] * 1000:.3g} ms; '
                    f'next: {NEXT[largest]}')
    return ''


def _at_most(what: str, where: str, measured: float, unit: str, target: float,
             aim: float | None = None) -> dict[str, Any]:
    return dict(what=what, where=where, measured=measured, unit=unit, bound='at most', target=target, aim=aim,
                reached=measured <= target, aim_reached=None if aim is None else measured <= aim, because='')


def _literal(where: str, measured: float | None, target: float) -> dict[str, Any]:
    """Where ISDA's extra time was lost in the noise (None), the literal form costs more than any number of times it."""
    return dict(what="literal form's extra time", where=where, measured=measured, unit='times', bound='at least',
                target=target, aim=None, reached=measured is None or measured >= target, aim_reached=None, because='')
