# SPDX-License-Identifier: Apache-2.0
"""One client that stays connected. Told a word, it sends or gets octets of that kind and writes them to the file of that name."""
import os
import sys

import hsm
from hsm import pb

S = hsm.hsm(hsm.channel())
SESSION = hsm.open_session(S)
MECHANISM = hsm.mechanism(hsm.CKM_AES_CBC_PAD, initialization_vector=hsm.iv(bytes(16)))
CIPHERTEXTS = []


def pin():
    hsm.login(S, SESSION)
    CIPHERTEXTS.append((hsm.aes_key(S, SESSION), b'', b''))
    return hsm.USER_PIN


def random():
    return S.GenerateRandom(pb.GenerateRandomRequest(session=SESSION, length=32), timeout=20).random


def encrypted():
    key, plain = CIPHERTEXTS[-1][0], os.urandom(3000)
    CIPHERTEXTS.append((key, plain, S.Encrypt(pb.EncryptRequest(session=SESSION, mechanism=MECHANISM, key=key, data=plain), timeout=20).data))
    return plain


def decrypted():
    key, plain, ciphertext = CIPHERTEXTS[-1]
    assert S.Decrypt(pb.DecryptRequest(session=SESSION, mechanism=MECHANISM, key=key, data=ciphertext), timeout=20).data == plain
    return plain


for word in sys.stdin:
    name = word.strip()
    octets = {'pin': pin, 'random': random, 'encrypted': encrypted, 'decrypted': decrypted}[name]()
    with open(f'{os.environ["SCRATCH"]}/{name}', 'wb') as file:
        file.write(octets)
    print('ok', flush=True)
