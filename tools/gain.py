"""Compare ISDA with cross-entropy on scikit-learn's digits, with paired seeds; about a minute on a laptop.

    python tools/gain.py                   pairs of runs; prints a table, saves a figure in work_dirs/gain
    python tools/gain.py --sweep           select LAMBDA_0 on held-out images with other seeds
    python tools/gain.py --segmentation    mIoU of DeepLabV3+ on synthetic street scenes; a quarter of an hour

Both runs of a pair share images, initial weights and batches; they differ only in ISDA. The network fits its ten
training images per digit completely, so that a regulariser can help. Network and schedule were selected among about a
dozen on the half of the data that --sweep uses. The comparison uses the other half and other seeds.

With --segmentation every pair has its own 16 training scenes. Both arms have the settings selected for them on other
scenes and seeds, see DeepLabV3+ on 16 synthetic street scenes in configs/results/README.md.
"""
import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from isda_seg.attach import attach
from isda_seg.core import linear_ramp
from isda_seg.criterion import ISDACriterion
from isda_seg.metrics.likelihood import likelihood, likelihood_metrics
from isda_seg.paper.series.gain_report import compare_strengths, draw, report
from isda_seg.runtime.arguments import add_out, result_file
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.user_errors import run_main

LAMBDA_0, PAIRS = 2, 30
SWEPT = (0, 0.5, 1, 2, 3)
SWEEP_SEEDS = range(1000, 1020)
PER_CLASS, BATCH, EPOCHS = 10, 10, 30
MEASURES = {'error': 'test error, %', 'nll': 'negative log-likelihood', 'ece': 'expected calibration error, %',
            'train': 'training accuracy, %'}
TOOLS = Path(__file__).resolve().parent
SCENE_PAIRS, SCENE_CONFIG = 4, 'configs/demo/deeplabv3plus_r18-small-d8_{}streets-sample16-128x64.py'
SCENE_ARMS = {
    '': ['test.logit_adjustment=0.5'],
    'isda_': ['default_hooks.isda.lambda_0=1', 'default_hooks.isda.covariance=full',
              'default_hooks.isda.logit_adjustment=0.5', 'test.logit_adjustment=0.3']}


def digits(seed: int, held_out: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample ten training images per digit and about 800 test images from one half of the data."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    pool = order[897:] if held_out else order[:897]
    pool = pool[torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))]
    train = torch.cat([pool[labels[pool] == digit][:PER_CLASS] for digit in range(10)])
    test = pool[~torch.isin(pool, train)]
    return images[train], labels[train], images[test], labels[test]


def network(width: int = 256) -> nn.Sequential:
    """Three hidden layers and a linear classifier on the deep feature."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in (64, width, width):
        layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def run(seed: int, lambda_0: float, held_out: bool = False) -> dict[str, float]:
    """Train with one seed and one final strength (0: cross-entropy), and return the measures."""
    torch.set_num_threads(1)
    images, labels, test_images, test_labels = digits(seed, held_out)
    torch.manual_seed(seed)
    model, criterion = network(), ISDACriterion(covariance='full')
    attach(criterion, model[-1])
    steps = EPOCHS * len(images) // BATCH
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = torch.split(torch.cat([torch.randperm(len(images)) for _ in range(EPOCHS)]), BATCH)
    for step, batch in enumerate(batches, 1):
        criterion.strength = linear_ramp(step, steps, lambda_0)
        loss = criterion(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        logits, fitted = model(test_images), model(images).argmax(dim=1) == labels
    return dict(likelihood_metrics([likelihood(logits, test_labels)]), train=100 * float(fitted.float().mean()),
                error=100 * float((logits.argmax(dim=1) != test_labels).float().mean()))


def run_all(strengths: Sequence[float], seeds: Sequence[int],
            held_out: bool) -> dict[float, list[dict[str, float]]]:
    """Run all strengths and seeds in parallel; return {strength: [measures of each seed]}."""
    with ProcessPoolExecutor() as pool:
        futures: dict[float, list[Future[dict[str, float]]]] = {strength: [] for strength in strengths}
        for seed in seeds:
            for strength in strengths:
                futures[strength].append(pool.submit(run, seed, strength, held_out))
        return {strength: [future.result() for future in runs] for strength, runs in futures.items()}


def compare_on_scenes(seeds: Sequence[int], out: Path) -> int:
    """Compare mIoU on synthetic street scenes with tools/benchmarks/paired.py; return its exit status."""
    arms = [shlex.join([str(TOOLS.parent / SCENE_CONFIG.format(isda)), *options])
            for isda, options in SCENE_ARMS.items()]
    subprocess.run([sys.executable, TOOLS / 'make_streets.py'], check=True)
    return subprocess.run([
        sys.executable, TOOLS / 'benchmarks' / 'paired.py', *arms, '--seeds', *map(str, seeds), '--protocols', 'single',
        '--jobs', str(os.cpu_count() or 1), '--work-dir', 'work_dirs/gain/segmentation', '--out', out]).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--segmentation', action='store_true',
                        help='use synthetic street scenes; needs the extras gain and seg')
    parser.add_argument('--sweep', action='store_true', help='compare several lambda_0 on held-out images')
    parser.add_argument('--pairs', type=int,
                        help=f'number of pairs; default {PAIRS}, with --segmentation {SCENE_PAIRS}')
    parser.add_argument('--first-seed', type=int, default=0, help='seed of the first pair; default %(default)s')
    add_out(parser, 'work_dirs/gain/pairs.json; with --sweep sweep.json, with --segmentation segmentation.json')
    args = parser.parse_args()
    if args.segmentation and args.sweep:
        parser.error('--sweep selects settings for the digits only. Use tools/benchmarks/sweep.py for segmentation')
    name = 'segmentation' if args.segmentation else 'sweep' if args.sweep else 'pairs'
    out = result_file(args.out, f'work_dirs/gain/{name}.json')
    seeds = range(args.first_seed, args.first_seed + (args.pairs or (SCENE_PAIRS if args.segmentation else PAIRS)))
    if args.segmentation:
        sys.exit(compare_on_scenes(seeds, out))
    arms = run_all(SWEPT if args.sweep else (0, LAMBDA_0), SWEEP_SEEDS if args.sweep else seeds, held_out=args.sweep)
    found = compare_strengths(arms, MEASURES)
    print(report(found, MEASURES))
    write_json(out, dict(provenance(), kind=f'gain {name}', lambda_0=LAMBDA_0,
                         seeds=list(SWEEP_SEEDS if args.sweep else seeds), arms=arms, comparison=found))
    draw(found, MEASURES, out.with_suffix('.png'))
    print(f'wrote {out} and {out.with_suffix(".png")}')


if __name__ == '__main__':
    run_main(main)
