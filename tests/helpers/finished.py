"""Processes that a test starts end with it, and well."""


def finished(processes, timeout=300):
    """What each process said, once all have ended with code 0; none outlives the call."""
    try:
        logs = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), '\n'.join(logs)
    return logs
