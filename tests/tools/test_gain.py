"""tools/gain.py: its packages, the comparison of a pair, and its commands."""
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import tiny

from isda_seg import compat
from isda_seg.paper.series.gain_report import compare_strengths, report

pytest.importorskip('sklearn')


@pytest.fixture(scope='module')
def gain():
    return runpy.run_path(str(tiny.ROOT / 'tools' / 'gain.py'))


def test_gain_imports_only_packages_of_its_extra():
    loaded = tiny.loaded_by(f'import runpy; runpy.run_path({str(tiny.ROOT / "tools" / "gain.py")!r})')
    assert {'sklearn', 'scipy', 'matplotlib', 'isda_seg.paper.series.gain_report'} <= set(loaded)
    assert [*tiny.of_openmmlab(loaded), *(name for name in ('cv2', 'torchvision') if name in loaded)] == []


def test_the_interval_is_the_paired_t_interval():
    runs = {0: [2.0, 4.0, 6.0], 1.5: [1.0, 2.0, 3.0]}
    names = {'error': 'test error, %', 'train': 'training accuracy, %'}
    found = compare_strengths({strength: [dict(error=value, train=100.0) for value in values]
                               for strength, values in runs.items()}, names)
    error = found[1.5]['error']
    half = 4.30265 / 3 ** 0.5  # t of 2 degrees of freedom at 97.5 %, standard deviation 1
    assert (error['mean'], error['difference']) == (2.0, -2.0)
    assert error['interval'] == pytest.approx([-2 - half, -2 + half], rel=1e-5)
    assert report(found, names).splitlines()[3] == '| test error, % | 1.5 | 2.000 | -2.000 | -4.484 to +0.484 |'


def test_segmentation_compares_the_selected_settings(gain, monkeypatch):
    pytest.importorskip('cv2')
    from isda_seg.paper.series.arm import parse_arm
    from isda_seg.paper.series.run_options import with_options
    names, commands = gain['main'].__globals__, []
    monkeypatch.setattr(names['subprocess'], 'run', lambda command, check=False: commands.append(
        [str(word) for word in command]) or SimpleNamespace(returncode=0))
    monkeypatch.setattr('sys.argv', ['gain.py', '--segmentation', '--pairs', '3', '--first-seed', '7'])
    with pytest.raises(SystemExit) as ended:
        gain['main']()
    assert ended.value.code == 0
    (_, scenes), (_, paired, *arms, seeds_option, first, second, third, _, protocol) = commands[0], commands[1][:10]
    assert (Path(scenes).name, Path(paired).name) == ('make_streets.py', 'paired.py')
    assert (seeds_option, first, second, third, protocol) == ('--seeds', '7', '8', '9', 'single')
    baseline, isda = (parse_arm(arm) for arm in arms)
    assert (baseline.tau, isda.tau) == (0.5, 0.3)
    first, second = (with_options(compat.read_config(arm.config), 7, arm.settings) for arm in (baseline, isda))
    assert tiny.differing(tiny.flat(first.to_dict()), tiny.flat(second.to_dict())) == [
        f'default_hooks.isda.{key}' for key in ('covariance', 'lambda_0', 'logit_adjustment', 'type')]


def test_a_sweep_on_scenes_is_an_error_with_a_remedy(gain, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['gain.py', '--segmentation', '--sweep'])
    with pytest.raises(SystemExit):
        gain['main']()
    assert 'Use tools/benchmarks/sweep.py' in capsys.readouterr().err
