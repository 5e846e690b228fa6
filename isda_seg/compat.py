"""Everything that is about versions of other packages, and nothing else."""
from importlib.metadata import packages_distributions


def require_one_family() -> None:
    """ImportError where two package families installed the same OpenMMLab modules over each other."""
    owners = packages_distributions()
    for module in ('mmengine', 'mmcv', 'mmseg', 'mmdet'):
        names = sorted({name for name in owners.get(module, ()) if name.startswith('onedl-') or 'mm' in name})
        if len(names) > 1:
            raise ImportError(
                f'two packages provide the module {module!r}: {", ".join(names)}. They overwrite each other; keep one '
                f'family: pip uninstall -y {" ".join(names)} and then pip install -c constraints.txt -e ".[seg]"')


def prepare() -> None:
    """Make the installed family behave alike; every tool calls it before it reads a config."""
    require_one_family()
    from mmengine.config.utils import MODULE2PACKAGE
    MODULE2PACKAGE['mmseg'] = 'mmseg'  # `_base_ = 'mmseg::...'`: the maintained family's distribution has another name
