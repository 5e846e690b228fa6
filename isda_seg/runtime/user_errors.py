"""What a tool prints when its user's input is wrong: one sentence; --debug shows where it was raised."""
import sys
from collections.abc import Callable

REMEDIES = {  # of what torch and MMEngine say
    'end should be larger than begin':
        'A schedule of the config, such as its warm-up, begins when the training has ended: raise train_cfg.max_epochs '
        'or max_iters, or change param_scheduler',
    'Expected more than 1 value per channel':
        'A batch normalisation got one value, as that of pooled features does from a batch of one image: set '
        'train_dataloader.batch_size=2 or more, or train_dataloader.drop_last=True if only the last batch is so small'}
OF_USERS = (ValueError, OSError, ImportError, FloatingPointError)


def run_main(main: Callable[[], int | None], stopped: str = 'stopped') -> None:
    """Run a tool and end the process: with its code, or with 1 and the message alone where the input was wrong.

    Any other error keeps its traceback, and ``--debug`` among the arguments keeps all.

    Args:
        main: reads ``sys.argv``, in which ``--debug`` no longer stands, and returns the code; None is success.
        stopped: what Ctrl-C is answered with.
    """
    debug = '--debug' in sys.argv
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != '--debug']
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(stopped)
    except OF_USERS as error:
        if debug:
            raise
        hint = next((f'. {remedy}' for words, remedy in REMEDIES.items() if words in str(error)), '')
        sys.exit(f'{error}{hint}\n(--debug shows where this was raised)')
