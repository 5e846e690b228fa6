"""Screen with the state of all runs while they go on."""
import shutil
import sys
import threading
from typing import TextIO

from isda_seg.paper.reproduce.plan import Plan
from isda_seg.paper.reproduce.status import status_text

INTERVAL = 5.0   # seconds between two refreshes
MESSAGES = 6     # last messages below the state
CLEAR = '\x1b[H\x1b[J'


class StatusScreen:
    """Refresh the text of --status and the last messages on a terminal; elsewhere, print each message as a line."""

    def __init__(self, plan: Plan, stream: TextIO | None = None) -> None:
        self.plan, self.stream = plan, stream or sys.stdout
        self.live = self.stream.isatty()
        self.messages: list[str] = []
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> 'StatusScreen':
        """Start to refresh."""
        if self.live:
            self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the last state on the terminal."""
        self.ended.set()
        if self.live:
            self.thread.join()

    def say(self, message: str) -> None:
        """Show a message."""
        with self.lock:
            self.messages = [*self.messages, message][-MESSAGES:]
            if not self.live:
                print(message, file=self.stream, flush=True)

    def _refresh(self) -> None:
        ending = False
        while True:
            with self.lock:
                print(CLEAR + self.text(), file=self.stream, flush=True)
            if ending:
                return
            ending = self.ended.wait(INTERVAL)

    def text(self) -> str:
        """Return as much of state and messages as the terminal has lines for."""
        width, height = shutil.get_terminal_size()
        try:
            state = status_text(self.plan).splitlines()
        except OSError as error:  # a file that is being replaced, on some network file systems
            state = [f'the state of the runs cannot be read: {error}']
        below = [line for message in self.messages for line in message.splitlines()[:1]]
        free = height - 2 - _rows(below, width)
        shown = list(state)
        while shown and _rows(shown, width) > free:
            shown.pop()
        more = [f'... {len(state) - len(shown)} more lines: --status'] if len(shown) < len(state) else []
        return '\n'.join([*shown, *more, *below])


def _rows(lines: list[str], width: int) -> int:
    """Return the number of lines of the terminal that wrapped lines take."""
    return sum(1 + max(0, len(line) - 1) // width for line in lines)
