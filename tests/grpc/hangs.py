# SPDX-License-Identifier: Apache-2.0
"""Clients that stay connected. Of each line that it reads the first word names one, which is connected when it is new; `NAME check` asks
for cratond's health on that connection, `NAME close` ends it. Each is answered by `ok`."""
import sys

import hsm

channels = {}
for line in sys.stdin:
    name, verb = line.split()
    if name not in channels:
        channels[name] = hsm.channel()
    if verb == 'close':
        channels.pop(name).close()
    else:
        assert hsm.health(channels[name]).Check(hsm.health_pb2.HealthCheckRequest(), timeout=20).status in (1, 2)
    print('ok', flush=True)
