#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 1200
# SERIAL
# cratond on Debian 13: its newer nghttp2, protobuf-c, OpenSSL and grpcio, under the tests that Debian 12's are under. What is not here,
# its unit and its idle clients, is the same on both.
. "$(dirname "$0")/../lib.sh"
. "$TOP/tests/trixie/root.sh"
need_root
PROGRAMS=(python3-grpcio python3-protobuf nghttp2-client opensc pkcs11-provider curl jq procps)
ktap_plan
scratch
check "its packages are there" "$TOP/scripts/trixie-root" install "${ROOT_BUILD_PACKAGES[@]}" "${PROGRAMS[@]}"
check "the tree builds in it" build_inside all && run_inside '/tests/grpc/(clients|faults|limits|methods|secrecy|tls)_test'
ktap_done
