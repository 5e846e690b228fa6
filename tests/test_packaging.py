"""An installed isda_seg can be used without a clone: the wheel carries configs and tools, and they run from there.

What needs a clone is not in it: recorded results, figures, and the tool that writes them.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from helpers.documents import PROJECT, blocks

from docs import model_index

ROOT = Path(__file__).resolve().parents[1]
FOUND_BY_MIM = '+isda_seg/model-index.yml'
CLONE_ONLY = ('configs/results/', 'configs/figures/', 'tools/docs/', 'tools/make.py')
DEMO = 'pspnet_r18-small-d8_isda_1xb8-400_streets-192x128'
SCIENCE = {'matplotlib': '3.8.4', 'scipy': '1.13.1', 'ftfy': '6.3.1', 'regex': '2024.5.15'}
CLASSIC = {'torch': '2.1.2', 'numpy': '1.26.4', 'mmengine': '0.10.7', 'mmsegmentation': '1.2.2', **SCIENCE}
ONEDL = {'torch': '2.13.0', 'numpy': '2.4.6', 'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6',
         'onedl-mmsegmentation': '1.4.2', 'opencv-python': '5.0.0.93', **SCIENCE}
ENVIRONMENTS = {
    'classic': ({**CLASSIC, 'mmcv': '2.1.0', 'opencv-python': '4.10.0.84'}, ('', 'seg-openmmlab')),
    'classic-lite': ({**CLASSIC, 'mmcv-lite': '2.1.0', 'opencv-python-headless': '4.8.1.78'}, ('', 'seg-openmmlab')),
    'floors': ({'torch': '2.1.0', 'numpy': '1.22.4', 'opencv-python': '4.5.5.64', 'matplotlib': '3.5.3',
                'scipy': '1.8.1', 'scikit-learn': '1.1.3'}, ('', 'gain')),
    'without-numpy': ({'torch': '2.2.2'}, ('',)),
    'onedl': (ONEDL, ('', 'seg', 'cls')),
    'transformers': ({'torch': '2.4.1', 'numpy': '1.26.4', 'transformers': '4.44.2'}, ('',)),
    'torchvision': ({'torch': '2.5.1', 'torchvision': '0.20.1', 'segmentation-models-pytorch': '0.3.4'}, ('',)),
}


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, started without this process's import path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith('PYTHON')}
    result = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def files_below(folder: Path) -> set[str]:
    """The files the wheel should carry of a folder, relative to the folder that holds it."""
    paths = (path for path in folder.rglob('*') if path.is_file() and '__pycache__' not in path.parts)
    return {path.relative_to(folder.parent).as_posix() for path in paths}


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the sdist, which is built from a copy of the tree: nothing is left in the tree."""
    tree, dist = tmp_path_factory.mktemp('tree'), tmp_path_factory.mktemp('dist')
    for folder in ('isda_seg', 'configs', 'tools', 'tests'):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns('__pycache__'))
    for path in (path for path in ROOT.iterdir() if path.is_file()):
        shutil.copy2(path, tree)
    run(sys.executable, '-m', 'build', '--no-isolation', '--outdir', dist, tree, cwd=dist)
    (path,) = dist.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory) -> Path:
    """The python of an empty environment with the wheel installed; every other package is borrowed from here."""
    folder = tmp_path_factory.mktemp('installed')
    run(sys.executable, '-m', 'venv', '--without-pip', folder, cwd=folder)
    python = folder / 'bin' / 'python'
    run(sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index', wheel, cwd=folder)
    site = run(python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    borrowed = [path for path in sys.path if path.endswith('-packages')]
    Path(site, 'borrowed.pth').write_text('\n'.join(borrowed))
    return python


@pytest.fixture(scope='module')
def mim(installed) -> Path:
    """The installed isda_seg/.mim."""
    package = run(installed, '-c', 'import isda_seg; print(isda_seg.__path__[0])', cwd=installed.parent).strip()
    assert Path(package).is_relative_to(installed.parents[1])
    return Path(package, '.mim')


def test_wheel_holds_the_package_and_one_copy_of_configs_and_tools(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if '.dist-info/' not in name}
        names.remove(FOUND_BY_MIM)
        sources = {name: (ROOT / name.replace('isda_seg/.mim/', '')).read_bytes() for name in names}
        changed = [name for name, source in sources.items() if archive.read(name) != source]
        licence = [name for name in archive.namelist() if name.endswith('LICENSE')]
    package = {name for name in files_below(ROOT / 'isda_seg') if name.endswith(('.py', 'py.typed'))}
    tree = files_below(ROOT / 'configs') | files_below(ROOT / 'tools') | {'model-index.yml'}
    mim = {name for name in tree if not name.startswith(CLONE_ONLY)}
    assert names == package | {f'isda_seg/.mim/{name}' for name in mim}
    assert changed == []
    assert len(licence) == 1


def test_the_package_is_the_larger_part_of_the_wheel(wheel):
    """A recorded series takes 100 kB and more, a figure too: with a few of them, configs outgrow the library."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if '.dist-info/' not in info.filename}
    mim = {name: size for name, size in sizes.items() if name.startswith('isda_seg/.mim/')}
    assert {Path(name).suffix for name in sizes} == {'.py', '.typed', '.sh', '.md', '.yml'}
    assert 2 * sum(mim.values()) < sum(sizes.values())


def test_installed_library_trains_as_the_guide_shows(installed, tmp_path):
    (example,) = [block.code for block in blocks() if block.document == 'configs/torch/README.md' and block.kind == ''
                  and block.language == 'python' and 'attach(criterion' in block.code]
    printed = [run(python, '-c', f'{example}\nprint(loss.item(), criterion.strength)', cwd=tmp_path)
               for python in (installed, sys.executable)]
    assert printed[0] == printed[1]
    assert printed[0].split()[1] == '7.5'


def test_installed_config_trains(installed, mim, tmp_path):
    run(installed, mim / 'tools' / 'make_streets.py', '--train', '4', '--val', '1', cwd=tmp_path)
    options = ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'train_dataloader.batch_size=2']
    run(installed, mim / 'tools' / 'train.py', mim / 'configs' / 'demo' / f'{DEMO}.py', '--cfg-options', *options,
        cwd=tmp_path)
    state = torch.load(tmp_path / 'work_dirs' / DEMO / 'iter_2.pth', weights_only=False)['state_dict']
    observed = {name: int(value.sum()) for name, value in state.items() if name.endswith('statistics.count')}
    assert list(observed) == [f'{head}.loss_decode.statistics.count' for head in ('decode_head', 'auxiliary_head')]
    positions = 2 * 2 * 16 * 24  # iterations, images, height and width of the features
    assert positions / 2 < min(observed.values()) <= max(observed.values()) <= positions  # some are unlabelled


@pytest.mark.exhaustive
def test_every_installed_config_loads(installed, mim):
    """Those of detectors inherit from MMDetection's, so they load where that is installed."""
    detectors = ('coco', 'coco256') if find_spec('mmdet') is None else ()
    code = (
        'import json, sys\n'
        'from pathlib import Path\n'
        'from mmengine.config import Config\n'
        "paths = [path for path in sorted(Path(sys.argv[1]).rglob('*.py')) if path.parent.name not in sys.argv[2:]]\n"
        'print(json.dumps({path.relative_to(sys.argv[1]).as_posix(): len(Config.fromfile(path)) for path in paths}))\n'
    )
    output = run(installed, '-c', code, mim / 'configs', *detectors, cwd=installed.parent)
    keys = json.loads(output.splitlines()[-1])  # the maintained family prints lines of its own before this one
    paths = [path for path in (ROOT / 'configs').rglob('*.py') if path.parent.name not in detectors]
    assert set(keys) == {path.relative_to(ROOT / 'configs').as_posix() for path in paths}
    assert min(keys.values()) > 0


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_installed_tools_start(installed, mim, tool, tmp_path):
    assert run(installed, mim / 'tools' / tool, '--help', cwd=tmp_path).split()[:2] == ['usage:', tool]


def test_installed_command_runs_the_installed_tools_from_any_folder(installed, mim, tmp_path):
    command = installed.with_name('isda-seg')
    assert run(command, cwd=tmp_path).splitlines()[-1] == f'configs: {mim / "configs"}'
    run(command, 'make-streets', '--out', 'streets', '--train', '1', '--val', '1', cwd=tmp_path)
    assert len(list((tmp_path / 'streets').rglob('*_leftImg8bit.png'))) == 2
    assert run(command, 'train', '--help', cwd=tmp_path).split()[:2] == ['usage:', 'train.py']


@pytest.mark.parametrize('name, extra', [(name, extra) for name, (_, extras) in ENVIRONMENTS.items()
                                         for extra in extras])
def test_installation_changes_nothing_that_is_installed(wheel, tmp_path, name, extra):
    assert resolved(wheel, tmp_path, ENVIRONMENTS[name][0], extra) == ['isda-seg']


def test_a_package_below_its_floor_is_found(wheel, tmp_path):
    packages = {**ENVIRONMENTS['floors'][0], 'numpy': '1.21.6'}
    with pytest.raises(AssertionError, match='numpy>=1.22'):
        resolved(wheel, tmp_path, packages, 'gain')


def resolved(wheel, folder, packages, extra):
    """What pip would install of the wheel into an environment that has the packages, and no index."""
    run(sys.executable, '-m', 'venv', '--without-pip', folder / 'venv', cwd=folder)
    python = folder / 'venv' / 'bin' / 'python'
    site = Path(run(python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    for package, version in packages.items():
        metadata = site / f'{package.replace("-", "_")}-{version}.dist-info'
        metadata.mkdir()
        (metadata / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n')
    run(sys.executable, '-m', 'pip', '--python', python, 'install', '--dry-run', '--quiet', '--no-index',
        '--report', folder / 'report.json', f'isda-seg[{extra}] @ {wheel.as_uri()}', cwd=folder)
    report = json.loads((folder / 'report.json').read_text())
    return [entry['metadata']['name'] for entry in report['install']]


def test_mim_finds_the_installed_models(installed, mim):
    """onedl-mim takes the first folder that RECORD names, and reads model-index.yml there."""
    from mmengine.fileio import load

    code = "from importlib.metadata import files; print(files('isda-seg')[0].locate().parent)"
    folder = Path(run(installed, '-c', code, cwd=installed.parent).strip())
    (imported,) = load(folder / 'model-index.yml')['Import']
    assert (folder / imported).resolve() == (mim / load(mim / 'model-index.yml')['Import'][0]).resolve()
    names = {model['Name'] for model in load(folder / imported)['Models']}
    assert DEMO in names and all((mim / model['Config']).is_file() for model in load(folder / imported)['Models'])


def test_installed_scripts_are_executable(mim):
    scripts = {path.name: bool(path.stat().st_mode & stat.S_IXUSR) for path in (mim / 'tools').rglob('*.sh')}
    assert scripts == {path.name: True for path in (ROOT / 'tools').rglob('*.sh')}


def test_model_index_is_current():
    """`python tools/make.py index` brings it up to date."""
    generated = model_index.render(ROOT)
    assert {name: (ROOT / name).read_text() for name in generated} == generated


def test_model_index_leads_to_every_config():
    from mmengine.fileio import load

    index = load(ROOT / 'model-index.yml')
    models = [model for name in index['Import'] for model in load(ROOT / name)['Models']]
    configs = {path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts}
    assert {ROOT / model['Config'] for model in models} == configs
    assert [model for model in models if 'Results' in model] == []


def test_openmmlab_families_are_never_hard_dependencies():
    """They own the same modules, so requiring either would break an environment that has the other."""
    assert [name for name in PROJECT['dependencies'] if 'mm' in name] == []
    assert all(name.startswith('onedl-') for name in PROJECT['optional-dependencies']['seg'] if 'mm' in name)
    assert not any(name.startswith('onedl-') for name in PROJECT['optional-dependencies']['seg-openmmlab'])
