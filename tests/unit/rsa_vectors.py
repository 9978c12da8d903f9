#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes rsa_vectors.h: a key and what another implementation (python3-cryptography) made with it."""
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

key = rsa.generate_private_key(65537, 2048)
public = key.public_key()
message = b"craton"
sha256 = hashes.SHA256()
rows = {
    "pkcs8": key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption()),
    "pkcs1_sha256": key.sign(message, padding.PKCS1v15(), sha256),
    "pkcs1_sha1": key.sign(message, padding.PKCS1v15(), hashes.SHA1()),
    "pkcs1_sha512": key.sign(message, padding.PKCS1v15(), hashes.SHA512()),
    "pss_sha256_salt20": key.sign(message, padding.PSS(padding.MGF1(sha256), 20), sha256),
    "pss_sha384_salt48": key.sign(message, padding.PSS(padding.MGF1(hashes.SHA384()), 48),
                                  hashes.SHA384()),
    "pss_sha3_256_salt32": key.sign(message, padding.PSS(padding.MGF1(hashes.SHA3_256()), 32),
                                    hashes.SHA3_256()),
    "encrypted_pkcs1": public.encrypt(message, padding.PKCS1v15()),
    "encrypted_oaep_sha256_mgf_sha1": public.encrypt(
        message, padding.OAEP(padding.MGF1(hashes.SHA1()), sha256, b"label")),
}
print("/* SPDX-License-Identifier: Apache-2.0 */\n"
      "/* Made by rsa_vectors.py: a test key and what another implementation did with it to "
      "\"craton\". */\n/* clang-format off */")
for name, octets in rows.items():
    print(f"static const uint8_t rsa_{name}[] = {{")
    for i in range(0, len(octets), 16):
        print("\t" + " ".join(f"0x{o:02x}," for o in octets[i:i + 16]))
    print("};")
print("/* clang-format on */")
