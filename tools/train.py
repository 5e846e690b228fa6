"""Train a config of MMSegmentation, MMDetection or this project: python tools/train.py CONFIG [--resume] [--amp] ..."""
import argparse

from isda_seg.runtime.arguments import add_config
from isda_seg.runtime.launch import add_options, load_config
from isda_seg.runtime.outputs import check_start
from isda_seg.runtime.user_errors import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config(parser)
    parser.add_argument('--resume', nargs='?', const='latest', metavar='CHECKPOINT',
                        help='resume from CHECKPOINT, by default from the newest in the work directory')
    parser.add_argument('--amp', nargs='?', const='auto', choices=['auto', 'float16', 'bfloat16'],
                        help='train in mixed precision; default float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--verbose', action='store_true', help='print the full log')
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
    check_start(cfg, resumed=args.resume is not None or bool(cfg.get('resume')))
    from isda_seg.run import build_runner
    build_runner(cfg, resume=args.resume, amp=args.amp, quiet=not args.verbose).train()


if __name__ == '__main__':
    run_main(main)
