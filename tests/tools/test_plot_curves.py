"""Properties of tools/plot_curves.py: each run has its own line, also where two folders have one name."""
import pytest
from helpers import tiny

from isda_seg.paper.series import curves


@pytest.mark.parametrize('folders, labels', [
    (['plain/seed_0', 'isda/seed_0'], ['plain/seed_0', 'isda/seed_0']), (['a/plain', 'b/isda'], ['plain', 'isda'])])
def test_runs_are_labelled_by_the_shortest_unique_path(folders, labels, monkeypatch,
                                                                                    tmp_path):
    drawn = {}
    monkeypatch.setattr(curves, 'plot_curves', lambda runs, out: drawn.update(runs))
    tiny.run_tool(monkeypatch, 'plot_curves.py', *(tmp_path / folder for folder in folders), '--out', 'none.png')
    assert drawn == {label: tmp_path / folder for label, folder in zip(labels, folders, strict=True)}
