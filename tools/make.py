"""Write the generated files: python tools/make.py {configs,index,tables,figures} ... [--check]

configs: configs/classification and configs/semi, from the paper's tables; index: model lists for the OpenMMLab tools;
tables: tables, sentences and Result lines, from configs/results; figures: overview figure and figures of the series.
"""
import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from docs import classification_configs, model_index, results, semi_configs

ROOT = Path(__file__).resolve().parents[1]
TEXTS: dict[str, Callable[[], dict[str, str]]] = {
    'configs': lambda: classification_configs.render(ROOT) | semi_configs.render(ROOT),
    'index': lambda: model_index.render(ROOT),
    'tables': lambda: {str(path.relative_to(ROOT)): text for path, text in results.generate(ROOT).items()},
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', nargs='+', choices=[*TEXTS, 'figures'], help='files to write')
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a file is out of date')
    args = parser.parse_args()
    if args.check and 'figures' in args.what:
        parser.error('--check does not support figures: their pixels depend on the version of matplotlib')
    return args


def draw_figures(configs: Path) -> None:
    """Draw the overview figure, the figures of the recorded series and the gain figure."""
    from docs.gain_figure import draw_gain
    from docs.gain_series import recorded_gains
    from docs.overview_figure import draw_overview
    from docs.samples_figure import draw_samples
    from isda_seg.paper.series.band_figure import draw_bands
    from isda_seg.paper.series.paired_figure import draw_paired
    from isda_seg.paper.series.result_files import read_series
    draw_overview(configs / 'figures' / 'overview.png')
    folder = configs / 'results' / 'series'
    for name, entry in read_series(folder).items():
        if entry['kind'] == 'paired':
            draw_paired(entry, folder / f'{name}.png')
            draw_bands(entry, folder / f'{name}_curves.png')
    sampled = read_series(folder).get('paired_resnet8_draws')
    if sampled and (configs / 'results' / 'samples.json').is_file():
        timed = json.loads((configs / 'results' / 'samples.json').read_text())
        draw_samples(sampled, timed, folder / 'paired_resnet8_draws_time.png')
    gains = recorded_gains(folder)
    draw_gain([*gains.shown, *gains.unfitted], configs / 'figures' / 'gain.png')


def main() -> None:
    args = parse_args()
    stale = []
    for what in args.what:
        if what == 'figures':
            draw_figures(ROOT / 'configs')
            continue
        for name, text in TEXTS[what]().items():
            path = ROOT / name
            if path.is_file() and path.read_text() == text:
                continue
            stale.append(name)
            print(f'{"not current:" if args.check else "wrote"} {name}')
            if not args.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if args.check and stale:
        sys.exit(1)


if __name__ == '__main__':
    main()
