"""Sections of the recorded analyses: tightness, deep features, semantic directions."""
import json
from pathlib import Path
from typing import Any

from docs.section import fold
from docs.series import read_plan
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.tightness.series import final_table


def analyses(folder: Path, link: str) -> str:
    """Render the recorded analyses in the order of the plan, then a folded list of those not run.

    Args:
        folder: folder with the plan and the results, ``<name>.json`` or a JSON file in ``<name>/``, and figures.
        link: link to ``folder``, relative to the document.
    """
    plans = read_plan(folder)
    found = {plan['name']: _result(folder, plan['name']) for plan in plans}
    blocks = [_recorded(plan, result, folder, link) for plan in plans if (result := found[plan['name']])]
    planned = [f'{plan["title"]}. {plan["question"]}\n\n{_commands(plan)}' for plan in plans if not found[plan['name']]]
    if planned:
        count = 'One planned analysis has' if len(planned) == 1 else f'{len(planned)} planned analyses have'
        blocks.append(fold(f'{count} not been run yet.', '\n\n'.join(planned)))
    return '\n\n'.join(blocks)


def _result(folder: Path, name: str) -> dict[str, Any] | None:
    paths = [path for path in (folder / f'{name}.json', *sorted(folder.glob(f'{name}/*.json'))) if path.is_file()]
    return json.loads(paths[0].read_text()) if paths else None


def _recorded(plan: dict[str, Any], result: dict[str, Any], folder: Path, link: str) -> str:
    pictures = [*folder.glob(f'{plan["name"]}.png'), *sorted(folder.glob(f'{plan["name"]}/*.png'))]
    return '\n\n'.join(filter(None, [
        f'### {plan["title"]}', plan['question'], _commands(plan), TABLES[result['kind']](result),
        f'{result["hardware"]}, {result["date"][:10]}, commit {result["commit"]}.', plan.get('learned', ''),
        *(f'![{plan["title"]}: {path.stem}]({link}/{path.relative_to(folder).as_posix()})' for path in pictures)]))


def _commands(plan: dict[str, Any]) -> str:
    return '```bash\n' + '\n'.join(plan['commands']) + '\n```'


def _tightness(result: dict[str, Any]) -> str:
    return final_table(result['final'])


def _features(result: dict[str, Any]) -> str:
    """Return a table per model and a table per model and source of the covariances."""
    rows = [['model', 'silhouette', 'within / between', '1-NN error']]
    spreads = [['model', 'covariances', 'effective rank, smallest to largest',
                'rank correlation of the table with the confusions']]
    for model in result['models']:
        apart = model['separation']
        rows.append([f'`{model["name"]}`', f'{apart["silhouette"]:.3f}', f'{apart["variance_ratio"]:.2f}',
                     f'{apart["nearest_error"]:.1f} %'])
        for spread in model['spreads']:
            ranks, agreed = list(spread['effective_rank'].values()), spread['rank_correlation_with_confusions']
            spreads.append([f'`{model["name"]}`', spread['source'], f'{min(ranks):.1f} to {max(ranks):.1f}',
                            '' if agreed is None else f'{agreed:+.2f}'])
    return f'{markdown(rows)}\n\n{markdown(spreads)}'


def _directions(result: dict[str, Any]) -> str:
    """Return a row per class: share of neighbours of the same class and of new neighbours, by kind of translation."""
    kinds = list(next(iter(result['classes'].values()))['shares'])
    rows = [['class', *(f'{kind}: same class, new' for kind in kinds)]]
    for name, found in result['classes'].items():
        rows.append([name, *(f'{share["same_class"]:.0%}, {share["new"]:.0%}' for share in found['shares'].values())])
    return markdown(rows)


def _reverse(result: dict[str, Any]) -> str:
    """Return the losses of both steps and the squared distance of the samples."""
    rows = [['loss', 'initial', 'best']]
    rows += [[title, *(f'{result[key][when]:.3g}' for when in ('start', 'best'))] for title, key in
             (('step I, reconstruction', 'step_1'), ('step II, augmented features', 'step_2'))]
    return f'{markdown(rows)}\n\nThe median squared distance of an augmented feature is {result["moved"]:.3g}.'


TABLES = {'tightness': _tightness, 'features': _features, 'directions': _directions,
          'reverse mapping': _reverse}
