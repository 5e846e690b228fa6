"""Report of the cost benchmark: tables and summary."""
from copy import deepcopy

from isda_seg.paper.cost.formatting import duration, factor, memory, percent, power, size, span, time
from isda_seg.paper.cost.report import one_sentence, report, section


def known(median):
    return dict(median=median, low=median / 2, high=median * 2)


def measured(seconds, peak):
    return dict(seconds=known(seconds), samples=[seconds], peak_bytes=peak)


def row(resolution, share, of_logits, literal_times, over_floor):
    return dict(resolution=resolution, extra=dict(seconds=known(share), share=known(share), bytes=2_500_000),
                of_logits=of_logits, literal_times=literal_times, over_floor=over_floor)


SIZE = dict(name='a crop', classes=7, features=[2, 512, 97, 97], labels=[2, 769, 769], covariance='diagonal')
LOSS = dict(SIZE, measured={'plain': measured(1.0, 7e8), 'isda label': measured(1.25, 7.1e8),
                            'isda feature': measured(1.5, 7.2e8)},
            literal_extra=dict(slice=1, seconds=known(20.0), bytes=4e9),
            rows=[row('label', 0.25, 0.02, 80.0, 2.5), row('feature', 0.5, 0.5, 39.0, 5.0)])
PROFILE = dict(SIZE, extra=known(0.25), rest=0.01, pieces=dict(
    statistics=known(0.04), table=known(0.05), addition=known(0.15), **{'literal statistics': known(9)}))
GROWTH = dict(axis='C', points=[dict(size=size, measured=dict(beside=measured(seconds, 2e6)))
                                for size, seconds in ((19, 0.001), (38, 0.002))],
              exponents=dict(beside=dict(seconds=1.0, bytes=None), plain=dict(seconds=0.5, bytes=0.25),
                             isda=dict(seconds=0.75, bytes=1.25)))
STEP = dict(config='cityscapes/pspnet_r50-d8_isda_x.py', images=2, size=193, extra=row('', 0.008, 0, 0, 0)['extra'],
            measured=dict(plain=measured(3.0, 2e9), isda=measured(3.1, 2e9)), of_logits=0.1)
SIGNATURE = '(a machine, 2026-01-02, commit abc)'
RESULT = dict(toy=False, rounds=15, bandwidth=1e10, hardware='a machine', commit='abc', date='2026-01-02T03:04:05',
              loss=[LOSS], profile=[PROFILE], growth=[GROWTH], step=STEP)


def test_summary_sentence_describes_loss_and_step():
    assert one_sentence(RESULT) == (
        'A training step of `pspnet_r50-d8` at 2 x 193 x 193 takes 0.8 % longer with ISDA. The loss alone takes '
        '25.0 % longer than cross-entropy at 769 x 769 labels and 7 classes, and its peak memory is higher by '
        '0.02 times the logits tensor; the extra time of the N x C x A form is 80.0 times as long '
        '(a machine, 2026-01-02, commit abc).')


def test_summary_omits_a_ratio_to_an_unmeasurable_extra_time():
    result = deepcopy(RESULT)
    result['loss'][0]['rows'][0]['literal_times'] = None
    assert 'N x C x A' not in one_sentence(result)
    assert '| 4000.0 MB | not measurable | 2.5 times |' in report(result)


def test_report_contains_every_part():
    text = report(RESULT)
    assert [line for line in text.splitlines() if line.startswith('**')] == [
        f'**{title}** {SIGNATURE}'
        for title in ('Loss, forward and backward', 'Components of the extra time', 'Scaling', 'Training step')]
    assert ('| a crop: 2 x 512 x 97 x 97, 769 x 769 labels, 7 classes, diagonal | label | 1 [0.5, 2] s, 700.0 MB '
            '| 1.25 [0.625, 2.5] s, 710.0 MB | 250 [125, 500] ms | 25.0 % | 2.5 MB | +0.02 | 20 [10, 40] s | 4000.0 MB '
            '| 80.0 times | 2.5 times |') in text
    assert '| 40 [20, 80] ms | 50 [25, 100] ms | 150 [75, 300] ms | 9 [4.5, 18] s | 10 ms |' in text
    assert '| C | 19, 38 | time | 1 ms, 2 ms | 1.00 | 0.75 | 0.50 |' in text
    assert '| C | 19, 38 | peak memory | 2.0 MB, 2.0 MB | not measurable | 1.25 | 0.25 |' in text
    assert '| 0.8 % (0.4 % to 1.6 %) |' in text
    assert text.endswith('at the copy bandwidth of 10.0 GB/s.')
    widths = [line.count('|') for line in text.split('\n\n')[1].splitlines()]
    assert len(set(widths)) == 1


def test_section_shows_the_newest_measurement_of_each_device():
    older = deepcopy(dict(RESULT, device='cpu', date='2026-01-01', commit='old'))
    text = section([dict(RESULT, device='cpu'), older])
    assert text == f'{report(RESULT)}\n\n**On a GPU** (measured by `make gpu`)\n\nnot yet run'
    assert 'not yet run' not in section([dict(RESULT, device='cpu'), dict(RESULT, device='cuda')])


def test_section_shows_each_part_from_its_newest_measurement():
    loss = dict({key: value for key, value in RESULT.items() if key not in ('step', 'profile', 'growth')}, device='cpu',
                date='2026-02-01', commit='new')
    text = section([loss, dict(RESULT, device='cpu')])
    titles = [line for line in text.splitlines() if line.startswith('**')][:-1]
    assert titles == ['**Loss, forward and backward** (a machine, 2026-02-01, commit new)', *(
        f'**{title}** {SIGNATURE}' for title in ('Components of the extra time', 'Scaling', 'Training step'))]


def test_report_omits_parts_that_were_not_run():
    only = {key: value for key, value in RESULT.items() if key not in ('loss', 'step', 'profile')}
    assert [line for line in report(only).splitlines() if line.startswith('**')] == [f'**Scaling** {SIGNATURE}']
    footnote = report(dict(only, toy=True)).splitlines()[-1]
    assert footnote.startswith('Toy sizes: these numbers do not represent the cost.')


def test_extrapolation_from_a_slice_is_stated():
    result = deepcopy(RESULT)
    result['loss'][0]['literal_extra']['slice'] = 1 / 7
    assert '4000.0 MB (slice of 0.143, extrapolated)' in report(result)
    assert 'is 80.0 times as long, extrapolated from a slice (' in one_sentence(result)


def test_numbers_are_rounded_and_named():
    assert (time(1.234), time(-0.0123), size(-2_000_000), size(1500)) == ('1.23 s', '-12.3 ms', '-2.0 MB', '1.5 kB')
    assert (percent(0.0123), factor(41.26), power(None)) == ('1.2 %', '41.3 times', 'not measurable')
    assert (duration(0.02), duration(-0.5), memory(-1.92)) == ('2.0 % longer', '50.0 % shorter', 'lower by 1.92 times')
    assert span(dict(median=0.002, low=0.001, high=0.003)) == '2 [1, 3] ms'


def test_a_gpu_adds_its_own_time_relative_to_the_baseline():
    result = deepcopy(RESULT)
    for name, seconds in (('plain', 0.5), ('isda label', 0.3), ('isda feature', 1.0)):
        result['loss'][0]['measured'][name]['device_seconds'] = seconds
    assert '| 25.0 %; on the GPU alone 0.6 times |' in report(result)
    assert '50.0 %; on the GPU alone 2.0 times' in report(result)
    assert 'GPU alone' not in report(RESULT)
