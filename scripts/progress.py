"""Waiting for programs by their progress, not by seconds: tools/patience does the same for the tests."""

import time
from pathlib import Path

# How long a program may have nothing to do before nobody waits for it any more.
IDLE = 60
# How much processor time it may use meanwhile: whoever needs more than this will never be ready.
WORK = 1800


def load(process):
    """Seconds for which its threads have run so far, and for which they have waited for a processor."""
    ran = waited = 0
    for line in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            words = line.read_text().split()
            ran += int(words[0])
            waited += int(words[1])
        except (OSError, ValueError, IndexError):
            pass  # a thread that has just ended, or a system that does not tell
    return ran / 1e9, waited / 1e9


class Patience:
    """One wait for some processes."""

    def __init__(self, processes):
        self.processes = list(processes)
        self.begun = self.looked = time.monotonic()
        self.before, self.idle, self.work = self.now(), 0, 0

    def now(self):
        loads = [load(process) for process in self.processes]
        return sum(ran for ran, _ in loads), sum(waited for _, waited in loads)

    def is_over(self):
        """Whether nothing moves any more: what is waited for will not come."""
        passed = time.monotonic() - self.looked
        if passed >= 0.5:
            ran, waited = now = self.now()
            ran, waited = ran - self.before[0], waited - self.before[1]
            # To be asked again and again costs a program a little; one with work to do wants far more.
            self.idle += passed if 2 * (ran + waited) < passed else 0
            self.work += ran
            self.looked, self.before = time.monotonic(), now
        return self.idle >= IDLE or self.work >= WORK

    def pause(self):
        """Short at first, longer the longer it takes."""
        time.sleep(min(max((time.monotonic() - self.begun) / 20, 0.02), 0.25))
