"""The script submits each job once, stage by stage, to a stand-in for Slurm that runs jobs at once."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isda_seg.paper.reproduce.slurm import script, stages
from isda_seg.paper.series.jobs import Job

SBATCH = '''#!/bin/bash
# Run the script of the standard input for each number of --array, and print the number of the job.
number=$(( $(ls jobs | wc -l) + 1 ))
echo "$@" > "jobs/$number"
script=$(cat)
array=$(echo "$*" | sed -n 's/.*--array=\\([^ ]*\\).*/\\1/p')
for part in ${array//,/ }; do
    for task in $(seq "${part%-*}" "${part#*-}"); do
        SLURM_ARRAY_JOB_ID=$number SLURM_ARRAY_TASK_ID=$task bash -c "$script" >> output || true
    done
done
if [ -z "$array" ]; then bash -c "$script" >> output; fi
echo "$number"
'''
TOOL = '''import os, sys
print(*sys.argv[1:])
sys.exit(143 if sys.argv[-1] == '3/4' and not os.path.exists('requeued') else 0)
'''


@pytest.fixture
def jobs(tmp_path):
    def make(name, *after):
        return Job(name, tmp_path, lambda call: '', lambda: False, after)
    first, second = make('first'), make('second')
    export = make('export', first)
    return [first, export, second, make('last', export)]


def test_jobs_come_after_the_stages_of_their_needs(jobs):
    assert stages(jobs) == [[1, 3], [2], [4]]
    assert stages(jobs[:1]) == [[1]]


@pytest.mark.skipif(sys.platform == 'win32', reason='the script is for bash')
def test_submitted_script_runs_each_job_and_collects(tmp_path, jobs):
    for name, text in (('sbatch', SBATCH), ('srun', '#!/bin/bash\nexec "$@"\n'),
                       ('scontrol', '#!/bin/bash\necho "$@" >> requeued\n')):
        path = tmp_path / 'bin' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / 'jobs').mkdir()
    (tmp_path / 'tool.py').write_text(TOOL)
    (tmp_path / 'table.sh').write_text(script('table11', jobs, [sys.executable, 'tool.py', 'table11', '--seeds', '0'],
                                              str(tmp_path), str(tmp_path), 8))
    subprocess.run(['bash', 'table.sh'], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL, env=dict(
        os.environ, PATH=f'{tmp_path / "bin"}{os.pathsep}{os.environ["PATH"]}', SBATCH_ARGS='--partition=gpu --time=9'))
    submitted = [Path(tmp_path, 'jobs', str(number)).read_text() for number in (1, 2, 3, 4)]
    assert [line.partition('--array=')[2].split(' ')[0] for line in submitted] == ['1,3', '2', '4', '']
    assert [line.partition('--dependency=')[2].split(' ')[0] for line in submitted] == [
        '', 'afterany:1', 'afterany:2', 'afterany:3']
    assert all('--partition=gpu --time=9' in line for line in submitted)
    assert all('--gpus-per-node=8' in line and '--signal=TERM@300' in line for line in submitted[:3])
    assert (tmp_path / 'output').read_text().splitlines() == [
        *(f'table11 --seeds 0 --only {number}/4' for number in (1, 3, 2, 4)), 'table11 --seeds 0 --collect']
    assert (tmp_path / 'requeued').read_text() == 'requeue 1_3\n'
