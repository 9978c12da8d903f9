#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# OpenSSH: public keys from the token, signatures and a login through ssh-agent.
. "$(dirname "$0")/../lib.sh"
ktap_plan
if ! command -v ssh-agent >/dev/null; then
	skip ssh "openssh-client is not installed"
	ktap_done
fi
scratch
cd "$SCRATCH" || exit 1
export HOME=$SCRATCH
AGENT_CONFIG='threads = 2'
agent_start || { ktap_fail "agent starts"; ktap_done; }
check "token init" token_init ssh
check "RSA key" p11_user --keypairgen --key-type rsa:2048 --id 01 --label ssh-rsa
check "EC key" p11_user --keypairgen --key-type EC:prime256v1 --id 02 --label ssh-ec

# ---- ssh-keygen -D ----
ssh-keygen -D "$MODULE" >listed 2>listed.err
check "ssh-keygen -D lists two keys" test "$(grep -c '^\(ssh-rsa\|ecdsa-sha2-nistp256\) ' listed)" = 2
same_key() { # TYPE ID: the key ssh shows is the one pkcs11-tool reads
	grep "^$1 " listed >"$1.pub" && p11 --read-object --type pubkey --id "$2" -o key.der &&
		ssh-keygen -e -m PKCS8 -f "$1.pub" >key.pem &&
		[ "$(openssl pkey -pubin -in key.pem -outform DER | sha256sum)" = "$(sha256sum <key.der)" ]
}
check "the RSA key is the token's" same_key ssh-rsa 01
check "the EC key is the token's" same_key ecdsa-sha2-nistp256 02

# ---- ssh-agent ----
printf '#!/bin/sh\necho "%s"\n' "$USER_PIN" >askpass
printf '#!/bin/sh\necho wrong-pin-0000\n' >askpass-wrong
chmod 700 askpass askpass-wrong
export SSH_ASKPASS=$SCRATCH/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=none
export SSH_AUTH_SOCK=$SCRATCH/ssh-agent.sock
REAL_MODULE=$(readlink -f "$MODULE")
ssh-agent -D -a "$SSH_AUTH_SOCK" -P "$REAL_MODULE" >ssh-agent.out 2>&1 &
SSH_AGENT=$!
SCRATCH_PIDS+=("$SSH_AGENT")
agent_socket() { [ -S "$SSH_AUTH_SOCK" ]; }
wait_for 10 agent_socket
wrong() { ! SSH_ASKPASS=$SCRATCH/askpass-wrong ssh-add -s "$MODULE" && ! ssh-add -L; }
check "ssh-add -s with a wrong PIN adds nothing" wrong
add() { wait_for 10 ssh-add -s "$MODULE" || ssh-add -s "$MODULE"; }
check "ssh-add -s with the right PIN" add
check "ssh-add -L lists both keys" test "$(ssh-add -L | cut -d' ' -f2 | sort)" = "$(cut -d' ' -f2 listed | sort)"
check "ssh-add -T tests the RSA key" ssh-add -T ssh-rsa.pub
check "ssh-add -T tests the EC key" ssh-add -T ecdsa-sha2-nistp256.pub
head -c 300 /dev/urandom >data
sign_verify() { # TYPE
	rm -f data.sig
	ssh-keygen -Y sign -f "$1.pub" -n file data || return 1
	echo "me@example.org $(cat "$1.pub")" >allowed
	ssh-keygen -Y verify -f allowed -I me@example.org -n file -s data.sig <data || return 1
	! ssh-keygen -Y verify -f allowed -I me@example.org -n file -s data.sig <listed
}
check "ssh-keygen -Y sign and verify with RSA" sign_verify ssh-rsa
check "ssh-keygen -Y sign and verify with EC" sign_verify ecdsa-sha2-nistp256

# ---- login ----
SSHD=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null)
start_sshd() {
	local port
	ssh-keygen -q -t ed25519 -N '' -f host || return 1
	for port in $(shuf -i 20000-50000 -n 5); do
		cat >sshd_config <<END
Port $port
ListenAddress 127.0.0.1
HostKey $SCRATCH/host
AuthorizedKeysFile $SCRATCH/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
LogLevel VERBOSE
END
		"$SSHD" -D -e -f "$SCRATCH/sshd_config" 2>sshd.log &
		SSHD_PID=$!
		SCRATCH_PIDS+=("$SSHD_PID")
		sshd_settled() { grep -q 'Server listening' sshd.log || ! kill -0 $SSHD_PID; }
		wait_for 10 sshd_settled
		PORT=$port
		grep -q 'Server listening' sshd.log && kill -0 $SSHD_PID 2>/dev/null && return 0
	done
	return 1
}
login() { # TYPE [options]
	cp "$1.pub" authorized
	ssh -F none -p "$PORT" -o StrictHostKeyChecking=no -o UserKnownHostsFile="$SCRATCH/known" -o PreferredAuthentications=publickey \
		"${@:2}" "$(id -un)@127.0.0.1" true || { tail -n 20 sshd.log; return 1; }
}
no_login() {
	: >authorized
	! ssh -F none -p "$PORT" -o StrictHostKeyChecking=no -o UserKnownHostsFile="$SCRATCH/known" -o PreferredAuthentications=publickey \
		"$(id -un)@127.0.0.1" true
}
[ "$(id -u)" != 0 ] || [ -d /run/sshd ] || mkdir -p /run/sshd
if [ -z "$SSHD" ]; then
	for name in RSA EC module; do skip "login with $name" "no sshd"; done
elif ! start_sshd; then
	comment <sshd.log
	for name in RSA EC module; do skip "login with $name" "sshd does not run here"; done
else
	check "no login without an authorised key" no_login
	check "login with the RSA key of the token" login ssh-rsa
	check "login with the EC key of the token" login ecdsa-sha2-nistp256
	direct() { SSH_AUTH_SOCK='' login "$1" -o PKCS11Provider="$MODULE" -o IdentityAgent=none; }
	check "login with -o PKCS11Provider, RSA" direct ssh-rsa
	check "login with -o PKCS11Provider, EC" direct ecdsa-sha2-nistp256
fi
check "ssh-add -e removes the token" ssh-add -e "$MODULE"
no_keys() { ! ssh-add -L; }
check "then the agent has no key" no_keys
check "B10: no session is left" wait_for 5 sessions_freed
ktap_done
