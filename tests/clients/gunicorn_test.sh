#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# gunicorn: the master opens and logs in to the token before it forks (--preload); four workers, each anew, sign for their requests.
. "$(dirname "$0")/../lib.sh"
ktap_plan
GUNICORN="/usr/bin/python3 /usr/bin/gunicorn"
if [ ! -e /usr/bin/gunicorn ] || ! /usr/bin/python3 -c 'import PyKCS11' 2>/dev/null; then
	skip gunicorn "gunicorn or python3-pykcs11 is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init gunicorn
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label rsa
p11 --read-object --type pubkey --id 01 -o rsa.der >/dev/null 2>&1
openssl pkey -pubin -inform DER -in rsa.der -out rsa.pub
cat >app.py <<'END'
import os
import PyKCS11

library = PyKCS11.PyKCS11Lib()
library.load(os.environ['MODULE'])
owner, session, key = None, None, None


def login():
    global owner, session, key
    session = library.openSession(library.getSlotList(tokenPresent=True)[0], PyKCS11.CKF_SERIAL_SESSION)
    session.login(os.environ['USER_PIN'])
    key = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY)])[0]
    owner = os.getpid()


login()  # in the master


def application(environ, start_response):
    if owner != os.getpid():  # after fork: PKCS#11 wants C_Initialize again, and the parent's session is not ours
        library.lib.C_Initialize()
        login()
    signature = session.sign(key, environ['PATH_INFO'].encode(), PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS, None))
    start_response('200 OK', [('X-Worker', str(os.getpid()))])
    return [bytes(signature)]
END
export USER_PIN
$GUNICORN --preload --workers 4 --bind "unix:$SCRATCH/http.sock" --worker-tmp-dir "$SCRATCH" app:application >gunicorn.out 2>&1 &
SERVER=$!
SCRATCH_PIDS+=("$SERVER")
get() { curl -sSf --unix-socket http.sock "http://localhost/$1" -D headers -o sig; }
check "gunicorn starts, and a worker signs" wait_for 20 get first
signed() { get "$1" && printf '/%s' "$1" >text && openssl dgst -sha256 -verify rsa.pub -signature sig text; }
all_sign() { # until each of the four has answered
	local n
	: >workers
	for n in $(seq 200); do
		signed "request-$n" || { tail -n 20 gunicorn.out; return 1; }
		grep -i x-worker headers >>workers
		[ "$(sort -u workers | wc -l)" -lt 4 ] || return 0
	done
	sort workers | uniq -c
	return 1
}
check "every worker signs after fork; openssl verifies each signature" all_sign
wrong() { get one && printf /two >text && ! openssl dgst -sha256 -verify rsa.pub -signature sig text; }
check "another text is not verified" wrong
[ "$KTAP_FAILED" = 0 ] || comment <gunicorn.out
kill "$SERVER"
wait "$SERVER" 2>/dev/null
forget "$SERVER"
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
