#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# nginx: the server's key is in the token (libp11's engine), four workers sign after fork; curl is the client, its key in the
# token too, by the engine and by the provider.
. "$(dirname "$0")/../lib.sh"
ktap_plan
NGINX=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null)
ENGINE=$(ls /usr/lib/*/engines-3/pkcs11.so 2>/dev/null | head -n1)
if [ -z "$NGINX" ] || [ -z "$ENGINE" ] || ! command -v curl >/dev/null; then
	skip nginx "nginx-light, curl or libengine-pkcs11-openssl is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
chmod 755 "$SCRATCH"
cat >openssl.cnf <<END
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
dynamic_path = $ENGINE
MODULE_PATH = $MODULE
PIN = $USER_PIN
init = 1
[req]
distinguished_name = dn
x509_extensions = ca
[dn]
[ca]
subjectAltName = DNS:localhost
END
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init nginx
check "server key" p11_user --keypairgen --key-type EC:prime256v1 --id 01 --label server
check "client key" p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label client
certificate() { # LABEL
	OPENSSL_CONF=openssl.cnf openssl req -x509 -engine pkcs11 -keyform engine -key "pkcs11:token=nginx;object=$1;type=private" \
		-subj "/CN=$1" -days 2 -out "$1.crt" && openssl verify -check_ss_sig -CAfile "$1.crt" "$1.crt"
}
check "server certificate" certificate server
check "client certificate" certificate client

start_nginx() {
	local port
	for port in $(shuf -i 20000-50000 -n 5); do
		cat >nginx.conf <<END
worker_processes 4;
daemon off;
pid $SCRATCH/nginx.pid;
error_log $SCRATCH/nginx.log info;
env CRATON_HSM_SOCKET;
env OPENSSL_CONF;
$([ "$(id -u)" != 0 ] || echo "user root;")
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path $SCRATCH; proxy_temp_path $SCRATCH; fastcgi_temp_path $SCRATCH; uwsgi_temp_path $SCRATCH; scgi_temp_path $SCRATCH;
	server {
		listen 127.0.0.1:$port ssl reuseport;
		ssl_certificate $SCRATCH/server.crt;
		ssl_certificate_key "engine:pkcs11:pkcs11:token=nginx;object=server;type=private";
		ssl_client_certificate $SCRATCH/client.crt;
		ssl_verify_client optional;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache off;
		ssl_session_tickets off;
		location / { return 200 "\$pid \$ssl_client_verify\n"; }
	}
}
END
		OPENSSL_CONF=$SCRATCH/openssl.cnf "$NGINX" -p "$SCRATCH" -c "$SCRATCH/nginx.conf" 2>nginx.err &
		NGINX_PID=$!
		SCRATCH_PIDS+=("$NGINX_PID")
		PORT=$port
		settled() { curl -sk "https://127.0.0.1:$PORT/" -o /dev/null || ! kill -0 "$NGINX_PID"; }
		wait_for 10 settled
		kill -0 "$NGINX_PID" && return 0
	done
	cat nginx.err nginx.log
	return 1
}
get() { curl -sS --cacert server.crt --resolve "localhost:$PORT:127.0.0.1" "$@" "https://localhost:$PORT/"; }
check_here "nginx starts with the key of the token" start_nginx
check "a handshake that curl verifies" contains " NONE" get
handshakes() { # until every worker has signed: with reuseport the kernel spreads connections
	local n
	for n in $(seq 60); do get || return 1; done >answers
	[ "$(cut -d' ' -f1 answers | sort -u | wc -l)" = 4 ] || { sort answers | uniq -c; return 1; }
}
check "sixty handshakes, and each of the four workers signed" handshakes
tls13() {
	openssl s_client -connect "127.0.0.1:$PORT" -tls1_3 -verify_return_error -CAfile server.crt </dev/null >client.out 2>&1
	local status=$? # of the whole handshake; what s_client prints, it knew before it checked the signature
	cat client.out
	[ $status = 0 ] && grep -qi 'Peer signature type: ecdsa' client.out && grep -q 'Verify return code: 0 (ok)' client.out
}
check "openssl s_client: TLS 1.3, signed by ECDSA" tls13
stranger() { ! curl -sS --cacert client.crt --resolve "localhost:$PORT:127.0.0.1" "https://localhost:$PORT/"; }
check "a client that trusts another certificate refuses" stranger
with_token() {
	OPENSSL_CONF=openssl.cnf get --engine pkcs11 --key-type ENG --key "pkcs11:token=nginx;object=client;type=private" --cert client.crt
}
check "curl with its certificate's key in the token" contains " SUCCESS" with_token
# From 8.12 on by OpenSSL's provider; curl has a library context of its own, which reads no OPENSSL_CONF.
with_provider() {
	PKCS11_PROVIDER_MODULE=$MODULE get --engine pkcs11 --key-type PROV --cert client.crt \
		--key "pkcs11:token=nginx;object=$1;type=private?pin-source=file:$SCRATCH/user-pin"
}
other_key() { ! with_provider server; }
if [ -e "$(openssl version -m | sed -n 's/.*"\(.*\)"/\1/p')/pkcs11.so" ] && printf '8.12\n%s\n' "$(curl --version | sed -n '1s/^curl \([^ ]*\).*/\1/p')" | sort -CV; then
	check "curl with the key in the token, by the provider" contains " SUCCESS" with_provider client
	check "curl refuses a key that is not its certificate's" other_key
fi
kill "$NGINX_PID"
wait "$NGINX_PID" 2>/dev/null
forget "$NGINX_PID"
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
