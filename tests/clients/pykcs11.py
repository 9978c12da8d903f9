# SPDX-License-Identifier: Apache-2.0
"""What pykcs11_test.sh has PyKCS11 do: MODULE PIN FOLDER. Any surprise is an exception."""
import sys

import PyKCS11
from PyKCS11 import CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKA, PyKCS11Error, PyKCS11Lib

SECRET = (PyKCS11.CKA_VALUE, PyKCS11.CKA_PRIVATE_EXPONENT, PyKCS11.CKA_PRIME_1, PyKCS11.CKA_PRIME_2, PyKCS11.CKA_EXPONENT_1,
          PyKCS11.CKA_EXPONENT_2, PyKCS11.CKA_COEFFICIENT)
HIDDEN = (PyKCS11.CKO_PRIVATE_KEY, PyKCS11.CKO_SECRET_KEY)
CLASSES = (PyKCS11.CKO_PUBLIC_KEY, PyKCS11.CKO_PRIVATE_KEY, PyKCS11.CKO_SECRET_KEY, PyKCS11.CKO_CERTIFICATE, PyKCS11.CKO_DATA)


def one_by_one(session, item):
    """How many attributes the object has; what it lacks or hides is told by the two codes of the standard."""
    kind = session.getAttributeValue(item, [PyKCS11.CKA_CLASS])[0]
    found = 0
    for name, attribute in sorted(CKA.items(), key=str):
        if not isinstance(attribute, int):
            continue
        try:
            value = session.getAttributeValue(item, [attribute])[0]
        except PyKCS11Error as error:
            assert error.value in (CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID), (name, error)
            continue
        if value is not None:
            assert not (kind in HIDDEN and attribute in SECRET), f'secret shown: {name}'
            found += 1
    return kind, found


def attributes(session):
    seen = {}
    for item in session.findObjects():
        kind, found = one_by_one(session, item)
        seen.setdefault(kind, []).append(found)
    for kind in CLASSES:
        assert min(seen.get(kind, [0])) >= 5, (kind, seen)
    print('attributes by class:', seen)


def sign(session, folder):
    data = open(f'{folder}/data', 'rb').read()
    key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), (PyKCS11.CKA_LABEL, 'rsa')])
    assert len(key) == 1
    signature = session.sign(key[0], data, PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS, None))
    open(f'{folder}/rsa.sig', 'wb').write(bytes(signature))
    public = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PUBLIC_KEY), (PyKCS11.CKA_LABEL, 'rsa')])[0]
    mechanism = PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS, None)
    assert session.verify(public, data, signature, mechanism)
    assert not session.verify(public, data + b'x', signature, mechanism)
    open(f'{folder}/digest.hex', 'w').write(bytes(session.digest(data, PyKCS11.Mechanism(PyKCS11.CKM_SHA256, None))).hex())


def encrypt(session):
    key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY), (PyKCS11.CKA_LABEL, 'aes')])[0]
    text = bytes(range(100))
    mechanism = PyKCS11.Mechanism(PyKCS11.CKM_AES_CBC_PAD, bytes(16))
    cipher = session.encrypt(key, text, mechanism)
    assert bytes(cipher) != text and bytes(session.decrypt(key, cipher, mechanism)) == text
    gcm = PyKCS11.AES_GCM_Mechanism(bytes(12), b'aad', 128)
    sealed = list(session.encrypt(key, text, gcm))
    assert bytes(session.decrypt(key, sealed, gcm)) == text
    sealed[0] ^= 1
    try:
        session.decrypt(key, sealed, gcm)
    except PyKCS11Error as error:
        assert error.value in (PyKCS11.CKR_ENCRYPTED_DATA_INVALID, 0x1B), error  # or CKR_AEAD_DECRYPT_FAILED
    else:
        raise AssertionError('a tampered text was decrypted')


def mechanisms(library, slot):
    """Not by getMechanismList alone: PyKCS11 up to 1.5.17 ends with KeyError at a mechanism of PKCS#11 3.2, such as ML-KEM."""
    numbers = PyKCS11.LowLevel.ckintlist()
    assert library.lib.C_GetMechanismList(slot, numbers) == PyKCS11.CKR_OK and len(numbers) > 50
    known = [PyKCS11.CKM[number] for number in numbers if number in PyKCS11.CKM]
    for mechanism in known:
        library.getMechanismInfo(slot, mechanism)
    if len(known) == len(numbers):
        assert library.getMechanismList(slot) == known
    print(len(numbers), 'mechanisms, of which PyKCS11 has a name for', len(known))


def main(module, pin, folder):
    library = PyKCS11Lib()
    library.load(module)
    slot = library.getSlotList(tokenPresent=True)[0]
    print(library.getInfo(), library.getTokenInfo(slot))
    mechanisms(library, slot)
    session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
    assert not session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)]), 'private objects before login'
    session.login(pin)
    attributes(session)
    sign(session, folder)
    encrypt(session)
    session.logout()
    session.closeSession()


main(*sys.argv[1:])
