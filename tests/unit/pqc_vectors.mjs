// SPDX-License-Identifier: Apache-2.0
// Writes pqc_vectors.h: what another implementation of FIPS 203 to 205 (@noble/post-quantum from npm) makes of fixed seeds.
// `npm install @noble/post-quantum`, then `node pqc_vectors.mjs >pqc_vectors.h` in that folder.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const from = createRequire(pathToFileURL(process.cwd() + '/'));
const load = (name) => import(pathToFileURL(from.resolve(name)));
const dsa = await load('@noble/post-quantum/ml-dsa.js');
const kem = await load('@noble/post-quantum/ml-kem.js');
const slh = await load('@noble/post-quantum/slh-dsa.js');
const { sha224, sha256, sha384, sha512 } = await load('@noble/hashes/sha2.js');
const { sha3_224, sha3_256, sha3_384, sha3_512, shake128_32, shake256_64 } = await load('@noble/hashes/sha3.js');

const hex = (octets) => Buffer.from(octets).toString('hex');
const digest = (octets) => createHash('sha256').update(octets).digest('hex');
const octets = (len, first) => Uint8Array.from({ length: len }, (_, i) => (first + i) & 255);
const text = (string) => new TextEncoder().encode(string);
const message = text('craton'), context = text('context');
const hashes = { SHA224: sha224, SHA256: sha256, SHA384: sha384, SHA512: sha512, SHA3_224: sha3_224, SHA3_256: sha3_256,
  SHA3_384: sha3_384, SHA3_512: sha3_512, SHAKE128: shake128_32, SHAKE256: shake256_64 };
const plain = { extraEntropy: false, context };

// A string in pieces that fit a line.
const quote = (string) => (string.match(/.{1,80}/g) ?? ['']).map((piece) => `"${piece}"`).join('\n\t ');

console.log(`/* SPDX-License-Identifier: Apache-2.0 */
/* Made by pqc_vectors.mjs: what another implementation makes of fixed seeds; the message is "craton", the context "context". */
/* clang-format off */
static const struct {
	uint64_t set;
	const char *seed, *public_sha256, *private_sha256, *cipher, *secret, *rejected;
} ml_kem_vectors[] = {`);
for (const [number, one] of [['512', kem.ml_kem512], ['768', kem.ml_kem768], ['1024', kem.ml_kem1024]]) {
  const seed = octets(64, 1), pair = one.keygen(seed);
  const { cipherText, sharedSecret } = one.encapsulate(pair.publicKey, octets(32, 9));
  const damaged = Uint8Array.from(cipherText);
  damaged[10] ^= 1;
  const rejected = one.decapsulate(damaged, pair.secretKey);
  console.log(`\t{CKP_ML_KEM_${number}, ${[hex(seed), digest(pair.publicKey), digest(pair.secretKey), hex(cipherText), hex(sharedSecret),
    hex(rejected)].map(quote).join(',\n\t ')}},`);
}
console.log(`};

/* Signatures without randomness. */
static const struct {
	uint64_t type, set;
	const char *key; /* ML-DSA: the seed; SLH-DSA: the private key */
	const char *public_sha256;
	struct { uint64_t type; const char *signature_sha256; } signatures[11];
} signature_vectors[] = {`);
const row = (family, set, one, key, pair, names) => {
  const pure = digest(one.sign(message, pair.secretKey, plain));
  const rows = [[`CKM_${family}`, pure]];
  for (const name of names.filter((each) => !each.includes('224'))) // it refuses what is weaker than the key
    rows.push([`CKM_HASH_${family}_${name}`, digest(one.prehash(hashes[name]).sign(message, pair.secretKey, plain))]);
  console.log(`\t{CKK_${family}, CKP_${set}, ${quote(hex(key))},\n\t "${digest(pair.publicKey)}",\n\t {${rows.map(([type, signature]) =>
    `{${type},\n\t   "${signature}"}`).join(',\n\t  ')}}},`);
};
for (const [number, one] of [['44', dsa.ml_dsa44], ['65', dsa.ml_dsa65], ['87', dsa.ml_dsa87]]) {
  const seed = octets(32, 3);
  row('ML_DSA', `ML_DSA_${number}`, one, seed, one.keygen(seed), number === '44' ? Object.keys(hashes).slice(0, 10) : ['SHA512']);
}
for (const hash of ['sha2', 'shake'])
  for (const [bits, n] of [[128, 16], [192, 24], [256, 32]])
    for (const speed of ['f', 's']) {
      const one = slh[`slh_dsa_${hash}_${bits}${speed}`], pair = one.keygen(octets(3 * n, 5));
      const all = hash === 'sha2' && bits === 128 && speed === 'f';
      row('SLH_DSA', `SLH_DSA_${hash.toUpperCase()}_${bits}${speed.toUpperCase()}`, one, pair.secretKey, pair,
        all ? Object.keys(hashes) : []);
    }
console.log('};\n/* clang-format on */');
