#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# An agent that hangs while cratond, whose key is in a token, wants something of it: a reload does not hold up those that are served, and
# nothing holds up the end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
# shellcheck source=tests/grpc/grpc.sh
. "$TOP/tests/grpc/grpc.sh"
begin_agent hangs
token_key hangs || { skip "a key in a token" "pkcs11-provider is not installed"; ktap_done; }

notify_listen
NOTIFY_SOCKET=$NOTIFY front_start || { ktap_fail "cratond starts"; ktap_done; }
begin_client() { coproc CLIENT { CLIENT_SECONDS=120 client "$TOP/tests/grpc/hangs.py" 2>&1; }; }
begin_client
end_client() {
	exec {CLIENT[1]}>&-
	wait "$CLIENT_PID" 2>/dev/null
}
client_does() { # NAME VERB
	local line
	echo "$*" >&"${CLIENT[1]}"
	read -rt 30 line <&"${CLIENT[0]}"
	echo "$line"
	[ "$line" = ok ]
}
is_served() { client_does first check; }
sees() { # NAME: the common name of the certificate that a new connection is shown
	timeout 20 openssl s_client -connect "127.0.0.1:$FRONT_PORT" -CAfile "$PKI/root.pem" -alpn h2 -cert "$PKI/alice.pem" -key "$PKI/alice.key" </dev/null 2>&1 |
		sed 's/CN = /CN=/' | grep "^subject=.*CN=$1\$"
}
key_in_token() { FRONT_CERT=$PKI/token.chain FRONT_KEY=$TOKEN_KEY front_config; }
reloads() { grep -cF 'have been read again' "$FRONT_LOG"; }
reloaded() { [ "$(reloads)" -eq "$1" ]; }
told() { [ "$(grep -c -- "$1" "$SCRATCH/notified")" -eq "$2" ]; } # TEXT TIMES
begun() { told RELOADING=1 "$1"; }
# Connections are accepted sockets of the port.
front_has_clients() { [ "$(ss -Htn state established "sport = :$FRONT_PORT" | wc -l)" -eq "$1" ]; }
stop_agent() { kill -STOP "$AGENT_PID"; }
wake_agent() { kill -CONT "$AGENT_PID"; }

# ---- a reload ----
check_here "a client is served" is_served
key_in_token && kill -HUP "$FRONT_PID"
check "a reload takes a key from a token" wait_for 20 reloaded 1
check "which is in force" sees token
front_config && kill -HUP "$FRONT_PID"
check "and leaves it" wait_for 20 reloaded 2
stop_agent
key_in_token && kill -HUP "$FRONT_PID"
check "a reload begins while the agent hangs" wait_for 10 begun 3
check_here "who is connected is served meanwhile" is_served
check "new connections, too, with the key in force" sees server
kill -HUP "$FRONT_PID"
check_here "who is connected is served after another SIGHUP" is_served
kill -HUP "$FRONT_PID"
check_here "and after a third" is_served
check "the reload waits" reloaded 2
wake_agent
check "it is finished when the agent goes on; all that was ordered meanwhile is one more" wait_for 20 reloaded 4
check "the key in the token is in force" sees token
check_here "so it is for a client that stays" client_does second check
front_config && kill -HUP "$FRONT_PID"
wait_for 20 reloaded 5
check "and the file's again" sees server
stop_agent
check_here "the last client of the key in the token goes" client_does second close
check "while the agent hangs, which wants to be told that the key is given back" wait_for 20 front_has_clients 1
check_here "who is connected is served meanwhile" is_served
key_in_token && kill -HUP "$FRONT_PID"
wait_for 10 begun 6
agent_kill9
check "a reload that fails while the agent ends" wait_for 20 front_says 'everything stays as it was'
check "changes nothing" sees server
check_here "who is connected is still served" is_served
wait_for 10 told READY=1 7
end_client
check_here "cratond stops" front_stop
check "and says so" wait_for 10 notified STOPPING=1
in_order() {
	grep -oE '(RELOADING|READY|STOPPING)=1' "$SCRATCH/notified" | uniq -c | tr -s ' \n' ' ' | tee /dev/stderr | grep -qE '^ 1 READY=1( 1 RELOADING=1 1 READY=1){6} 1 STOPPING=1 $'
}
check "systemd was told of each reload's beginning and end, in order" in_order

# ---- the end ----
# It would wait for ever.
stops_in_time() {
	kill -TERM "$FRONT_PID"
	wait_for 30 has_ended "$FRONT_PID" || kill -KILL "$FRONT_PID"
	front_stop && front_says stopped
}
takes_key() { [ "$(grep -cF 'SIGHUP: [daemon].tls_key is in force' "$FRONT_LOG")" -eq "$1" ]; } # TIMES
begin_with_token() {
	agent_start && FRONT_CERT=$PKI/token.chain FRONT_KEY=$TOKEN_KEY front_start
}
check_here "cratond begins with the key in the token" begin_with_token
check "which signs for a handshake" sees token
stop_agent
check_here "it stops while the agent hangs, although the key is to be given back" stops_in_time
wake_agent
check_here "with a client" front_launch
begin_client
check_here "which is served" is_served
stop_agent
check_here "others are at their handshakes while the agent hangs" client_does second hello
check_here "several" client_does third hello
check_here "the first is served" is_served
check_here "and waits for a call" client_does first call
check_here "it stops" stops_in_time
end_client
wake_agent
check_here "it begins" front_launch
front_config && kill -HUP "$FRONT_PID"
wait_for 20 reloaded 1
stop_agent
key_in_token && kill -HUP "$FRONT_PID"
check "a reload waits for the agent" wait_for 20 takes_key 2
check_here "it stops" stops_in_time
wake_agent

# ---- the start ----
key_in_token
check "with the agent there the configuration is good" timeout 20 "$BUILD/cratond" --check-config "$SCRATCH/craton_hsm.toml"
# Another agent greets, and says nothing more.
coproc SILENT { exec python3 "$TOP/tests/grpc/silent_agent.py" "$SCRATCH/silent.sock"; }
SCRATCH_PIDS+=("$SILENT_PID")
read -rt 20 _ <&"${SILENT[0]}"
gives_up() { # OPTION...: ends by itself, in time, and says why
	CRATON_HSM_SOCKET=$SCRATCH/silent.sock timeout 30 "$BUILD/cratond" "$@" "$SCRATCH/craton_hsm.toml" >"$SCRATCH/start.out" 2>&1
	local status=$?
	cat "$SCRATCH/start.out"
	[ $status -eq 1 ] && grep -qF 'tls_key: the agent has not given the key in' "$SCRATCH/start.out"
}
check "while it hangs that cannot be known" gives_up --check-config
check "nor is there a start" gives_up
check_here "with one that speaks there is" front_launch
check "with the key in the token" sees token
check_here "it stops" front_stop
ktap_done
