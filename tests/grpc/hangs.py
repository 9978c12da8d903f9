# SPDX-License-Identifier: Apache-2.0
"""Clients that stay connected. Each line names one, which is connected when it is new, and what it does: `check` asks for cratond's health,
`call` begins a call that the agent must answer, `close` ends the connection, and `hello` is one that has only sent its half of the TLS
handshake. Each is answered by `ok`."""
import sys

import hsm
from hsm import pb

channels, kept = {}, []


def health(channel):
    return hsm.health(channel).Check(hsm.health_pb2.HealthCheckRequest(), timeout=20).status


for line in sys.stdin:
    name, verb = line.split()
    if verb == 'hello':
        kept.append(hsm.hello())
        print('ok', flush=True)
        continue
    if name not in channels:
        channels[name] = hsm.channel()
    if verb == 'close':
        channels.pop(name).close()
    elif verb == 'call':
        kept.append(hsm.hsm(channels[name]).GenerateRandom.future(pb.GenerateRandomRequest(length=32)))
    else:
        assert health(channels[name]) in (1, 2)
    print('ok', flush=True)
