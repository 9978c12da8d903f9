# SPDX-License-Identifier: Apache-2.0
"""The server's key is in a token whose agent is stopped: handshakes wait for it, and nobody else does. Then they are finished."""
import os
import signal
import ssl

import hsm

AGENT = int(os.environ['AGENT_PID'])
WAITING = 5


def finish(raw, tls, received, sent):
    while True:
        try:
            tls.do_handshake()
            raw.sendall(sent.read())
            return
        except ssl.SSLWantReadError:
            raw.sendall(sent.read())
        received.write(raw.recv(65536))


def check():
    assert H.Check(hsm.health_pb2.HealthCheckRequest(), timeout=10).status in (1, 2)


H = hsm.health(hsm.channel('bob'))
check()
os.kill(AGENT, signal.SIGSTOP)
try:
    waiting = [hsm.hello('bob') for _ in range(WAITING)]
    # After some turns of the loop it has seen all of them.
    for _ in range(20):
        check()
    # One goes away meanwhile.
    waiting.pop()[0].close()
    check()
finally:
    os.kill(AGENT, signal.SIGCONT)
for each in waiting:
    finish(*each)
print(f'{len(waiting)} handshakes')
