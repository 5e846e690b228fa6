"""Train models of other PyTorch libraries for three steps with ISDA, and record the classifier layers.

python tools/benchmarks/torch_models.py [--libraries transformers ...] [--out FILE]

Each library must be installed. The models are small and randomly initialised; nothing is downloaded. Libraries that
are not selected keep their entries in the file.
"""
import argparse
import json

from isda_seg.paper.coverage.torch_models import candidates, versions
from isda_seg.paper.coverage.torch_trial import trial
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

LIBRARIES = ['transformers', 'torchvision', 'segmentation-models-pytorch']


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--libraries', nargs='+', choices=LIBRARIES, default=LIBRARIES,
                        help='libraries to test; default all')
    add_out(parser, 'work_dirs/torch_models.json')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    out = result_file(args.out, 'work_dirs/torch_models.json')
    known = json.loads(out.read_text()) if out.is_file() else {}
    failed = 0
    for library in args.libraries:
        models = []
        for candidate in candidates([library]):
            try:
                entry = trial(candidate)
            except (ValueError, RuntimeError) as error:
                entry = dict(library=library, model=candidate.name, supported=False, reason=str(error))
            failed += not entry['supported']
            models.append(entry)
            print(f'{library} {candidate.name}: {"supported" if entry["supported"] else entry}', flush=True)
        known[library] = dict(models=models, library=versions([library]), **provenance(seed=0))
        write_json(out, known)
    print(f'wrote {out}')
    return 1 if failed else 0


if __name__ == '__main__':
    run_main(main)
