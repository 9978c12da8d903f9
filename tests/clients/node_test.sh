#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# node with graphene-pk11 on pkcs11js (from npm, once, into the cache): makes a key, signs, seals; openssl checks the signature.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/vm/cache.sh"
ktap_plan
if ! command -v node >/dev/null || { ! command -v npm >/dev/null && [ ! -e "$CACHE/node-pkcs11js" ]; }; then
	skip node "node is not installed, or npm is not and its packages are not in the cache"
	ktap_done
fi
fetch() { (cd "$1" && echo '{}' >package.json && npm install --no-audit --no-fund pkcs11js@2.1.7 graphene-pk11@2.3.6); }
scratch
cd "$SCRATCH" || exit 1
if ! once node-pkcs11js fetch >npm.out 2>&1; then
	tail -n 20 npm.out | comment
	skip node "npm cannot fetch or build pkcs11js here (see above)"
	ktap_done
fi
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init node
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa
p11 --read-object --type pubkey --id 01 -o rsa.der >/dev/null 2>&1
openssl pkey -pubin -inform DER -in rsa.der -out rsa.pub
cat >probe.js <<'END'
const fs = require('fs'), assert = require('assert'), graphene = require('graphene-pk11');
const module_ = graphene.Module.load(process.env.MODULE, 'craton');
module_.initialize();
const slot = module_.getSlots(0);
assert(slot.getMechanisms().length > 50);
const session = slot.open(graphene.SessionFlag.SERIAL_SESSION | graphene.SessionFlag.RW_SESSION);
session.login(process.env.USER_PIN);
const data = Buffer.from('signed by node');
fs.writeFileSync('data', data);
const key = session.find({ class: graphene.ObjectClass.PRIVATE_KEY, label: 'rsa' }).items(0).toType();
const sign = session.createSign('SHA256_RSA_PKCS', key);
sign.update(data);
const signature = sign.final();
fs.writeFileSync('sig', signature);
const pair = session.generateKeyPair(graphene.KeyGenMechanism.EC,
	{ token: false, verify: true, paramsECDSA: graphene.NamedCurve.getByName('secp256r1').value }, { token: false, sign: true });
const ec = session.createSign('ECDSA_SHA256', pair.privateKey).once(data);
assert(session.createVerify('ECDSA_SHA256', pair.publicKey).once(data, ec));
assert(!session.createVerify('ECDSA_SHA256', pair.publicKey).once(Buffer.from('other'), ec));
const aes = session.generateKey(graphene.KeyGenMechanism.AES, { token: false, encrypt: true, decrypt: true, valueLen: 32 });
const mechanism = { name: 'AES_CBC_PAD', params: Buffer.alloc(16) };
const sealed = session.createCipher(mechanism, aes).once(data, Buffer.alloc(100));
assert(session.createDecipher(mechanism, aes).once(sealed, Buffer.alloc(100)).equals(data));
session.logout();
session.close();
module_.finalize();
END
export USER_PIN NODE_PATH=$CACHE/node-pkcs11js/node_modules
check "graphene-pk11: find, sign, generate, verify, encrypt, decrypt" node probe.js
check "its signature verified by openssl" openssl dgst -sha256 -verify rsa.pub -signature sig data
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
