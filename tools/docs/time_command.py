"""Record how long a command takes: python tools/docs/time_command.py OUT.json COMMAND ..."""
import json
import subprocess
import sys
import time
from pathlib import Path

from isda_seg.runtime.provenance import provenance, write_json


def main() -> None:
    """Run COMMAND, which must succeed, and add its duration to OUT."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, command = Path(sys.argv[1]), sys.argv[2:]
    start = time.monotonic()
    subprocess.run(command, check=True)
    known = json.loads(out.read_text()) if out.is_file() else {}
    known[' '.join(command)] = dict(seconds=round(time.monotonic() - start, 1), **provenance())
    write_json(out, known)


if __name__ == '__main__':
    main()
