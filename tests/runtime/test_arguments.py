"""`--out` is the result file or a folder for it, in all tools."""
import pytest

from isda_seg.runtime.arguments import result_file


@pytest.mark.parametrize('out, expected', [
    (None, 'work_dirs/run/results.json'), ('mine.json', 'mine.json'), ('far/mine.json', 'far/mine.json'),
    ('far/away', 'far/away/results.json'), ('run_1.5', 'run_1.5/results.json')])
def test_out_is_a_file_or_a_folder_for_it(tmp_path, monkeypatch, out, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'run_1.5').mkdir()  # a folder may have a dot in its name
    path = result_file(out, 'work_dirs/run/results.json')
    assert str(path) == expected
    assert path.parent.is_dir() and not path.exists()


def test_an_unwritable_folder_is_an_error_that_names_out(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match=f'cannot write to the folder {tmp_path}/file/below .* with --out'):
        result_file(str(tmp_path / 'file' / 'below' / 'a.json'), 'results.json')
