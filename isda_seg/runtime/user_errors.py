"""What a tool prints when its user's input is wrong: one sentence; --debug shows where it was raised."""
import sys
from collections.abc import Callable

OF_USERS = (ValueError, OSError, ImportError, FloatingPointError)


def run_main(main: Callable[[], None], stopped: str = 'stopped') -> None:
    """Run a tool and end the process: with code 1 and the message alone where the input was wrong.

    Any other error keeps its traceback, and ``--debug`` among the arguments keeps all.

    Args:
        main: reads ``sys.argv``, in which ``--debug`` no longer stands.
        stopped: what Ctrl-C is answered with.
    """
    debug = '--debug' in sys.argv
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != '--debug']
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(stopped)
    except OF_USERS as error:
        if debug:
            raise
        sys.exit(f'{error}\n(--debug shows where this was raised)')
    sys.exit()
