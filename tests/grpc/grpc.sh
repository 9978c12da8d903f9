# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of cratond share: an authority with certificates of every kind, cratond on a free port of loopback beside the agent of
# lib.sh, and a Python client with the stubs of our .proto files. Source it after lib.sh and scratch.

FRONT_PID=
FRONT_LOG=$SCRATCH/front.log
PKI=$SCRATCH/pki

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# authority NAME [ISSUER]: a certificate authority, self-signed or signed by another.
authority() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/$1.key" -subj "/O=Craton tests/CN=$1" -out "$PKI/$1.csr" 2>/dev/null
	local issuer=("-signkey" "$PKI/$1.key")
	[ $# -lt 2 ] || issuer=(-CA "$PKI/$2.pem" -CAkey "$PKI/$2.key")
	openssl x509 -req -in "$PKI/$1.csr" "${issuer[@]}" -set_serial "0x$(openssl rand -hex 8)" -days 30 -out "$PKI/$1.pem" \
		-extfile <(printf 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n') 2>/dev/null
}

# certificate NAME ISSUER PURPOSE [DAYS] [EXTENSIONS]: a key pair and its certificate; PURPOSE is serverAuth or clientAuth. Days below
# zero have passed. NOT_BEFORE is when it begins to be valid.
certificate() {
	local days=${4:-30} dates
	[ -e "$PKI/$1.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/$1.key" 2>/dev/null
	openssl req -new -key "$PKI/$1.key" -subj "/O=Craton tests/CN=$1" -out "$PKI/$1.csr" 2>/dev/null
	if [ "$days" -gt 0 ]; then
		dates=(-not_before "$(date -u -d "${NOT_BEFORE:--1 day}" +%y%m%d%H%M%SZ)" -not_after "$(date -u -d "+$days days" +%y%m%d%H%M%SZ)")
	else
		dates=(-not_before "$(date -u -d '-40 days' +%y%m%d%H%M%SZ)" -not_after "$(date -u -d "$days days" +%y%m%d%H%M%SZ)")
	fi
	[ -e "$PKI/index.$2" ] || : >"$PKI/index.$2"
	cat >"$PKI/ca.conf" <<-END
		[ca]
		database = $PKI/index.$2
		default_md = sha256
		policy = any
		rand_serial = yes
		unique_subject = no
		default_crl_days = 30
		[any]
		organizationName = optional
		commonName = supplied
	END
	openssl ca -batch -notext -config "$PKI/ca.conf" -name ca -cert "$PKI/$2.pem" -keyfile "$PKI/$2.key" -outdir "$PKI" -in "$PKI/$1.csr" -out "$PKI/$1.pem" \
		-startdate "${dates[1]}" -enddate "${dates[3]}" \
		-extfile <(printf 'basicConstraints=CA:false\nextendedKeyUsage=%s\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n%s\n' "$3" "${5:-}") 2>"$PKI/ca.log"
}

# revoke NAME ISSUER: and the issuer's list of revocations, $PKI/ISSUER.crl.
revoke() {
	openssl ca -batch -config "$PKI/ca.conf" -name ca -cert "$PKI/$2.pem" -keyfile "$PKI/$2.key" -revoke "$PKI/$1.pem" 2>/dev/null
	openssl ca -config "$PKI/ca.conf" -name ca -cert "$PKI/$2.pem" -keyfile "$PKI/$2.key" -gencrl -out "$PKI/$2.crl" 2>/dev/null
}

# The usual ones: root, an intermediate below it that issues the server's, and a client of the root.
make_pki() {
	mkdir -p "$PKI"
	authority root
	authority middle root
	certificate server middle serverAuth
	certificate alice root clientAuth
	cat "$PKI/server.pem" "$PKI/middle.pem" >"$PKI/server.chain"
}

# token_key LABEL: a key pair in the token of this label, TOKEN_KEY, its URI, and in $PKI/token.chain the server's certificate for it. False
# without pkcs11-provider.
token_key() {
	PROVIDER=$(find /usr/lib -name pkcs11.so -path '*ossl-modules*' 2>/dev/null | head -n 1)
	[ -n "$PROVIDER" ] || return 1
	local options=(-CA "$PKI/middle.pem" -CAkey "$PKI/middle.key" -days 5 -set_serial 99 -out "$PKI/token.pem")
	local names='subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
	p11_user --keypairgen --key-type EC:prime256v1 --id 07 --label front >/dev/null 2>&1
	p11 --read-object --type pubkey --id 07 -o "$SCRATCH/front.der" >/dev/null 2>&1
	openssl pkey -pubin -inform DER -in "$SCRATCH/front.der" -out "$SCRATCH/front.pub"
	# The certificate is for a public key of which no file holds the private one.
	openssl x509 -new -force_pubkey "$SCRATCH/front.pub" -subj '/CN=token' -extfile <(printf "$names") "${options[@]}" 2>/dev/null || {
		openssl req -new -key "$PKI/server.key" -subj '/CN=token' -out "$PKI/token.csr"
		openssl x509 -req -in "$PKI/token.csr" -force_pubkey "$SCRATCH/front.pub" -extfile <(printf "$names") "${options[@]}" 2>/dev/null
	}
	cat "$PKI/token.pem" "$PKI/middle.pem" >"$PKI/token.chain"
	export PKCS11_PROVIDER_MODULE=$MODULE
	TOKEN_KEY="pkcs11:token=$1;object=front;type=private?pin-source=file:$SCRATCH/user-pin"
}

# begin_agent LABEL: certificates, stubs, and an agent with a token of this label. Without one the test ends.
begin_agent() {
	make_pki
	make_stubs
	agent_start || { ktap_fail "agent starts"; ktap_done; }
	token_init "$1" >/dev/null
}

# front_config [LINE...]: the agent's configuration, and [daemon] with these lines besides. What is set twice is the caller's.
front_config() {
	agent_config
	{
		printf '[daemon]\nbind = "127.0.0.1:%s"\nuser = "%s"\nthreads = %s\n' "$FRONT_PORT" "$(id -un)" "${FRONT_THREADS:-1}"
		printf 'tls_cert = "%s"\ntls_key = "%s"\ntls_client_ca = "%s"\n' "${FRONT_CERT:-$PKI/server.chain}" "${FRONT_KEY:-$PKI/server.key}" "${FRONT_CA-$PKI/root.pem}"
		printf '%s\n' "$@"
	} >>"$SCRATCH/craton_hsm.toml"
}

front_listens() { (: </dev/tcp/127.0.0.1/"$FRONT_PORT") 2>/dev/null; }
front_settled() { grep -qF ' listens on ' "$FRONT_LOG" || ! kill -0 "$FRONT_PID" 2>/dev/null; }

# Starts cratond on the configuration that is there.
front_launch() {
	: >"$FRONT_LOG"
	"$BUILD/cratond" "$SCRATCH/craton_hsm.toml" 2>>"$FRONT_LOG" &
	FRONT_PID=$!
	SCRATCH_PIDS+=("$FRONT_PID")
	wait_for 20 front_settled
	grep -qF ' listens on ' "$FRONT_LOG"
}

# notify_listen: what a cratond tells systemd that is started with NOTIFY_SOCKET=$NOTIFY is in $SCRATCH/notified, a line for each message.
notify_listen() {
	NOTIFY=$SCRATCH/notify.sock
	/usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    text = s.recv(4096).decode().replace("\n", " ")
    print(text, flush=True)
    if "STOPPING" in text:
        break' "$NOTIFY" >"$SCRATCH/notified" &
	SCRATCH_PIDS+=($!)
	wait_for 10 grep -q bound "$SCRATCH/notified"
}
notified() { grep -q -- "$1" "$SCRATCH/notified"; }

front_stop() {
	local status
	kill -TERM "$FRONT_PID"
	wait "$FRONT_PID"
	status=$?
	forget "$FRONT_PID"
	return $status
}

# front_start [LINE...]: agent_start must come first.
front_start() {
	FRONT_PORT=$(free_port)
	front_config "$@"
	front_launch || { comment <"$FRONT_LOG"; return 1; }
	wait_for 10 front_says 'the agent serves'
}

front_says() { grep -qF -- "$1" "$FRONT_LOG"; }

# The stubs, made once per test from our own files.
make_stubs() {
	mkdir -p "$SCRATCH/stubs"
	protoc --proto_path="$TOP/agent/grpc" --python_out="$SCRATCH/stubs" craton_hsm.proto health.proto reflection.proto reflection_v1alpha.proto status.proto
}

# client SCRIPT ARGUMENT...: a Python script with the port and the certificates in its environment.
client() {
	FRONT_PORT=$FRONT_PORT PKI=$PKI PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$SCRATCH/stubs:$TOP/tests/grpc" SO_PIN=$SO_PIN USER_PIN=$USER_PIN timeout "${CLIENT_SECONDS:-60}" /usr/bin/python3 "$@"
}
