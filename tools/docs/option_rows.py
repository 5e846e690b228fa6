"""Table rows that are a config with options: covariances of Table 8, numbers of labels of Table 6."""
from typing import NamedTuple

from docs.config_text import config_name
from isda_seg.paper.tables import LABELS, TABLE_6, TABLE_8, TABLE_8_ROWS

SUBSET, CAMVID = 'resnet32_isda_cifar10-subset', 'pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid64-208x176'


class OptionRow(NamedTuple):
    """Table row of a config with options."""
    table: str
    options: str         # in the format of --cfg-options
    error: float | None  # the paper's, in per cent


def option_rows() -> dict[str, list[OptionRow]]:
    """Return the rows with options by the stem of their config."""
    found: dict[str, list[OptionRow]] = {SUBSET: [], CAMVID: []}
    for change, errors in TABLE_8:
        for (folder, network), error in zip(TABLE_8_ROWS, errors, strict=True):
            row = OptionRow('Table 8', table_8_options(change), error)
            found.setdefault(config_name(network, folder, isda=True), []).append(row)
        found[SUBSET].append(OptionRow('Table 8', table_8_options(change), None))
        if change != 'diagonal':  # the default of segmentation configs
            found[CAMVID].append(OptionRow('Table 8', table_8_options(change), None))
    for method, datasets in TABLE_6.items():
        for folder, cells in datasets.items():
            for labels, pair in zip(LABELS[folder][1:], cells[1:], strict=True):
                for isda, error in zip((False, True), pair, strict=True):
                    row = OptionRow('Table 6', f'train_dataloader.dataset.num_labels={labels}', error)
                    found.setdefault(config_name(method, folder, isda), []).append(row)
    return found


def table_8_options(change: str) -> str:
    """Return the option that turns ISDA into a row of Table 8."""
    return f'default_hooks.isda.{"ramp" if change == "constant" else "covariance"}={change}'
