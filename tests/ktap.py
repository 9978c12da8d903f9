# SPDX-License-Identifier: Apache-2.0
"""Reads what a program that speaks KTAP printed, and tells what is wrong with the whole of it. No program itself."""
import re
import signal
from typing import NamedTuple, Optional

RESULT = re.compile(r'^(ok|not ok)\s+(\d+)\s*-?\s*(.*?)(?:\s*#\s*SKIP\b\s*(.*))?$')
PLAN = re.compile(r'^1\.\.(\d+)\b(?:\s*#\s*SKIP\b\s*(.*))?')


class Result(NamedTuple):
    verdict: str  # 'pass', 'fail' or 'skip'
    number: int
    name: str
    reason: Optional[str]


def result(line):
    """The result that a line states, or None."""
    match = RESULT.match(line)
    if not match:
        return None
    kind, number, name, skip = match.groups()
    if kind == 'not ok':
        return Result('fail', int(number), name, None)
    return Result('pass' if skip is None else 'skip', int(number), name, (skip or 'no reason given') if skip is not None else None)


def results(text):
    return [found for found in map(result, text.splitlines()) if found]


def excuse(text):
    """Why a program skipped all of itself (`1..0 # SKIP reason`), or None."""
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan and plan.group(2) is not None:
            return plan.group(2) or 'no reason given'
    return None


def fault(text, status):
    """What is wrong with a program's output and exit status (None: it took too long) beyond its failed results, or None."""
    seen = results(text)
    plans = [int(plan.group(1)) for plan in map(PLAN.match, text.splitlines()) if plan]
    if status is None:
        return '(took too long)'
    if status < 0:
        return f'(ended by signal {-status}, {signal.strsignal(-status)})'
    if len(plans) != 1:
        return f'({len(plans)} plans)' if plans else '(no plan)'
    if plans[0] != len(seen):
        return f'(planned {plans[0]} results, gave {len(seen)})'
    if [found.number for found in seen] != list(range(1, len(seen) + 1)):
        return '(results are not numbered one after the other)'
    if status != 0 and not any(found.verdict == 'fail' for found in seen):
        return f'(status {status} without a failed test)'
    if not seen and excuse(text) is None:
        return '(no test)'
    return None
