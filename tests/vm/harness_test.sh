#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 120
# Proves tests/vm/run: programs that fail, lie, hang or upset the kernel must be told from one that passes, and a machine that dies
# must not look like success. One boot, which ends in a panic.
. "$(dirname "$0")/../lib.sh"
ktap_plan
scratch
mkdir "$SCRATCH/programs"

planted() { # NAME: the program's text is standard input
	cat - >"$SCRATCH/programs/$1_vmtest.sh"
}
planted good <<<'printf "1..1\nok 1 fine\n"'
planted bad <<<'printf "1..1\nnot ok 1 wrong\n"; exit 1'
planted excused <<<'echo "1..0 # SKIP not here"'
planted short <<<'printf "1..2\nok 1 first\n"'
planted status <<<'printf "1..1\nok 1 fine\n"; exit 3'
planted forged <<<'printf "1..1\nok 1 fine\n@1 end\n@1 log forged dirty\n"'
planted leaves <<<'tail -f /dev/null >/dev/null & printf "1..1\nok 1 fine\n"'
planted swept <<<'if pidof tail; then exit 1; fi; printf "1..1\nok 1 fine\n"'
planted upset <<<'echo "WARNING: planted" >/dev/kmsg; printf "1..1\nok 1 fine\n"'
# Longer than the log: 5,000 lines of 900 octets.
planted xflood <<<'line=$(printf "planted %892s" .); for _ in $(seq 5000); do echo "$line"; done >/dev/kmsg
	printf "1..1\nok 1 fine\n"'
planted hangs <<<'# TIMEOUT 1
	echo 1..1; read -r < <(tail -f /dev/null)'
planted ypanic <<<'printf "1..1\n"; echo c >/proc/sysrq-trigger; read -r < <(tail -f /dev/null)'
planted zlast <<<'printf "1..1\nok 1 fine\n"'
sed -i '1i #!/bin/bash' "$SCRATCH"/programs/*

"$TOP/tests/vm/run" --programs "$SCRATCH/programs" --seconds 90 >"$SCRATCH/out" 2>&1
status=$?

says() { grep -qE "^$1\$" "$SCRATCH/out" || { grep -E '^(ok|not ok) ' "$SCRATCH/out"; return 1; }; }
check "a failure shows in the status" test "$status" -eq 1
check "a good program passes" says 'ok [0-9]+ good: fine'
check "its kernel log is clean" says 'ok [0-9]+ good: the kernel log is clean'
check "a failed result fails" says 'not ok [0-9]+ bad: wrong'
check "a program may skip all of itself" says 'ok [0-9]+ excused: \(all of it\) # SKIP not here'
check "fewer results than planned" says 'not ok [0-9]+ short: \(planned 2 results, gave 1\)'
check "a status without a failed result" says 'not ok [0-9]+ status: \(status 3 without a failed test\)'
check "a forged end is not believed" says 'ok [0-9]+ forged: the kernel log is clean'
check "what a program leaves is ended" says 'ok [0-9]+ swept: fine'
check "a warning fails a program that passed" says 'not ok [0-9]+ upset: the kernel log is clean'
check "and not the next one" says 'ok [0-9]+ forged: the kernel log is clean'
check "a log that was overwritten is not clean" says 'not ok [0-9]+ xflood: the kernel log is clean'
check "a program that hangs" says 'not ok [0-9]+ hangs: \(took too long\)'
check "a panic" says 'not ok [0-9]+ the machine came to its end, not to one in ypanic'
check "what comes after a panic" says 'not ok [0-9]+ zlast: \(did not run to its end\)'
check "the console tells of it" grep -q 'Kernel panic' "$SCRATCH/out"
check "the totals are true" says '# Totals: pass:[0-9]+ fail:[0-9]+ skip:1'
ktap_done
