# SPDX-License-Identifier: Apache-2.0
"""A thousand clients that have made one call each and then wait; what cratond and the agent hold for them."""
import os
import resource

import hsm
import limits
from hsm import pb

COUNT = 1000
BODY = pb.GenerateRandomRequest(length=32).SerializeToString()
CALL = limits.PREFACE + limits.frame(limits.SETTINGS) + limits.frame(limits.HEADERS, 4, 1, limits.request()) + \
    limits.frame(0, 1, 1, b'\0' + len(BODY).to_bytes(4, 'big') + BODY)


def resident(pid):
    with open(f'/proc/{pid}/status') as status:
        return [int(line.split()[1]) for line in status if line.startswith('VmRSS')][0]


def answered(connection):
    for kind, flags, stream, _ in limits.frames(connection):
        if kind == limits.HEADERS and stream == 1 and flags & 1:
            return True
    return False


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
pids = os.environ['FRONT_PID'], os.environ['AGENT_PID']
kept = [limits.connect()]
before = [resident(pid) for pid in pids]
for i in range(COUNT):
    connection = limits.connect()
    connection.sendall(CALL)
    assert answered(connection), i
    kept.append(connection)
each = [(resident(pid) - was) / COUNT for pid, was in zip(pids, before)]
print(f'# {each[0]:.1f} KiB in cratond, {each[1]:.1f} KiB in the agent, for each of {COUNT} idle clients')
assert sum(each) < 100, each
s = hsm.hsm(hsm.channel())
assert len(s.GenerateRandom(pb.GenerateRandomRequest(length=32), timeout=20).random) == 32
