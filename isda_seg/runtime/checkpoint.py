"""Checkpoints found in a work directory, and checked before they are used."""
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader

URL = r'\w[\w+.-]*://'
NUMBERED = r'(?:iter|epoch)_\d+\.pth'


def latest_checkpoint(work_dir: str, hook: Mapping[str, Any] | None = None) -> Path | None:
    """The checkpoint the last run in a work directory wrote last, None without one.

    It is the one ``last_checkpoint`` names; where a kill left none or half a name there, the youngest of all.

    Args:
        hook: the config's checkpoint hook, whose ``filename_tmpl`` names the files and whose ``out_dir`` holds them.
    """
    template, out_dir = (hook or {}).get('filename_tmpl'), (hook or {}).get('out_dir')
    pattern = re.escape(template).replace(r'\{\}', r'\d+') if template else NUMBERED
    work = Path(work_dir)
    folders = [work] if not out_dir or re.match(URL, str(out_dir)) else [Path(out_dir, work.name), work]
    note = work / 'last_checkpoint'
    name = Path(note.read_text().strip()).name if note.is_file() else ''
    named = [folder / name for folder in folders if re.fullmatch(pattern, name)]
    found = [path for folder in folders for path in folder.glob('*') if re.fullmatch(pattern, path.name)]
    return next((path for path in named if path.is_file()),
                max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None))


def checkpoint_to_convert(path: str | Path, out: str | Path, lost: str = 'which') -> dict[str, Any]:
    """The checkpoint that ``out`` is to be made of.

    Args:
        lost: what would be lost with it, for the message.

    Raises:
        FileNotFoundError, ValueError: as ``check_checkpoint``; ``out`` is the checkpoint, or it is an address.
    """
    if Path(out).resolve() == Path(path).resolve():
        raise ValueError(f'{out} is the checkpoint itself, {lost} would be lost: give the exported file another name')
    loaded = check_checkpoint(path)
    if not loaded:
        raise ValueError(f'{path} is an address: download it, and give the file')
    return loaded


def _what_it_holds(checkpoint: Any) -> str:
    """The entries of a file without weights where they are looked for, and where weights may be."""
    if not isinstance(checkpoint, dict) or not checkpoint:
        return ''
    inner = [key for key, value in checkpoint.items() if isinstance(value, dict)
             and any(isinstance(weight, torch.Tensor) for weight in value.values())]
    advice = (f". There are weights under '{inner[0]}': save what stands there alone, with torch.save("
              f"torch.load(path, map_location='cpu')['{inner[0]}'], 'weights.pth')") if inner else ''
    return f', but {", ".join(map(str, list(checkpoint)[:8]))}{advice}'


def check_checkpoint(path: str | Path, resume: bool = False, module: str | None = None) -> dict[str, Any]:
    """The checkpoint, loaded on the CPU; a URL is left to MMEngine and gives an empty dict.

    Args:
        resume: a training state is needed, not weights alone.
        module: the state dict must hold weights below this name.

    Raises:
        FileNotFoundError: no such file. ValueError: truncated, damaged, no checkpoint, or without what is needed.
    """
    if re.match(URL, str(path)):
        return {}
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is not None:
                    raise ValueError('its checksums do not match')
        checkpoint = CheckpointLoader.load_checkpoint(str(file), map_location='cpu', logger='silent')
    except Exception as error:
        raise ValueError(f'{path} is truncated, damaged or no checkpoint') from error
    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else {}
    if not any(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(f'{path} is no checkpoint: it holds no state dict{_what_it_holds(checkpoint)}')
    missing = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if resume and missing:
        raise ValueError(f'{path} holds weights but no training state ({", ".join(missing)} missing): start from it '
                         'with --cfg-options load_from=... instead of --resume')
    if module is not None and not any(key.removeprefix('module.').startswith(f'{module}.') for key in weights):
        raise ValueError(f'{path} holds no weights of {module}: it is not a checkpoint of this model')
    return checkpoint
