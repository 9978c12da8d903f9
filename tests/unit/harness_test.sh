#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proves the judges: tests/harness.h and tests/run must count truly what passes, fails, crashes, hangs, skips or lies. Small
# programs are made on the fly for each case. Needs a compiler, but no build.
set -uo pipefail
# Functions are called through check, FLAGS may be several words, and the plan is printed at the end.
# shellcheck disable=SC2317,SC2119,SC2086
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
scratch
ktap_plan

# program NAME: a harness program from the tests on standard input.
program() {
	{ echo '#include "harness.h"' && cat && echo HARNESS_MAIN; } >"$SCRATCH/$1.c"
	gcc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow -I"$TOP/tests" ${FLAGS:-} \
		-o "$SCRATCH/$1" "$SCRATCH/$1.c"
}

# script NAME: a test script from standard input, so that the runner can be lied to.
script() {
	{ echo '#!/usr/bin/env bash' && cat; } >"$SCRATCH/$1.sh"
	chmod +x "$SCRATCH/$1.sh"
}

judge() { "$TOP/tests/run" --build "$SCRATCH/build" "$@" >"$SCRATCH/verdict" 2>&1; }

# judged TOTALS STATUS PROGRAM...: the runner's last line and exit status are these.
judged() {
	local totals=$1 wanted=$2 status
	shift 2
	judge "$@"
	status=$?
	cat "$SCRATCH/verdict"
	[ "$(tail -n 1 "$SCRATCH/verdict")" = "$totals" ] && [ "$status" -eq "$wanted" ]
}

said() { grep -qF -- "$1" "$SCRATCH/verdict" || { cat "$SCRATCH/verdict" && return 1; }; }

# prints TEXT COMMAND...: its output holds this.
prints() {
	local text=$1 output
	shift
	output=$("$@" 2>&1)
	printf '%s\n' "$output"
	[[ $output == *"$text"* ]]
}

# ends STATUS COMMAND...
ends() {
	local wanted=$1
	shift
	"$@"
	[ $? -eq "$wanted" ]
}

gone() { ! kill -0 "$(cat "$1")" 2>/dev/null; }

# What passes.
check "the harness builds without a warning" program good <<-'EOC'
	TEST(truth) { ASSERT_TRUE(1); ASSERT_FALSE(0); EXPECT_NULL(NULL); EXPECT_NOT_NULL("x"); }
	TEST(order) { ASSERT_EQ(3, 3); ASSERT_NE(3, 4); EXPECT_LT(1, 2); EXPECT_LE(2, 2); EXPECT_GT(2, 1); EXPECT_GE(2, 2); }
	TEST(octets) { ASSERT_STREQ("a", "a"); ASSERT_MEMEQ("ab", "ac", 1); EXPECT_MEMEQ(NULL, NULL, 0); }
	TEST(own_alarm) { signal(SIGALRM, SIG_IGN); alarm(1); }
EOC
check "a good program counts" judged '4 passed, 0 failed, 0 skipped' 0 "$SCRATCH/good"
check "TAP version and totals are printed" prints '# Totals: pass:4 fail:0 skip:0' "$SCRATCH/good"
check "--list names the tests" prints $'truth\norder\noctets\nown_alarm' "$SCRATCH/good" --list
check "a name chooses one test" prints $'1..1\nok 1 order' "$SCRATCH/good" order
check "an unknown name is an error" ends 2 "$SCRATCH/good" order nonsense

# What fails, each way once; every EXPECT in a program of its own would prove no more.
check "failing tests build" program bad <<-'EOC'
	TEST(good) { ASSERT_TRUE(true); }
	TEST(expect_goes_on) { EXPECT_EQ(255, 254); EXPECT_STREQ("a", NULL); printf("# went on\n"); }
	TEST(assert_ends) { ASSERT_MEMEQ("ab", "ac", 2); printf("# never here\n"); }
	TEST(crash) { raise(SIGSEGV); }
	TEST(abortion) { abort(); }
	TEST(early_exit) { exit(0); }
	TEST(early_exit_as_skip) { exit(4); }
	TEST(status) { exit(3); }
	TEST(in_a_child) { if (!fork()) { EXPECT_TRUE(false); _exit(0); } wait(NULL); }
	TEST(fail_then_skip) { EXPECT_TRUE(false); SKIP("no excuse"); }
	TEST(skipped) { SKIP("no moon tonight"); }
EOC
check "each failure counts, the skip and the pass beside them too" judged '1 passed, 9 failed, 1 skipped' 1 "$SCRATCH/bad"
check "integers are shown in decimal and hexadecimal" said 'expected 255 == 254, got 255 (0xff) and 254 (0xfe)'
check "EXPECT goes on" said '# went on'
check "ASSERT ends the test" ends 1 said '# never here'
check "a crash names its signal" said '# crash: ended by signal 11 (Segmentation fault)'
check "an abort names its signal" said '# abortion: ended by signal 6 (Aborted)'
check "exit(0) inside a test is no pass" said '# early_exit: ended with status 0 before it returned'
check "a skip is loud" said 'SKIP skipped: no moon tonight'
check "the log is kept" prints 'not ok 2 expect_goes_on' cat "$SCRATCH"/build/test-logs/*bad.log
check "failing assertions of each kind build" program kinds <<-'EOC'
	TEST(t1) { EXPECT_TRUE(0); } TEST(t2) { EXPECT_FALSE(1); } TEST(t3) { EXPECT_NE(1, 1); } TEST(t4) { EXPECT_LT(1, 1); }
	TEST(t5) { EXPECT_LE(2, 1); } TEST(t6) { EXPECT_GT(1, 1); } TEST(t7) { EXPECT_GE(1, 2); } TEST(t8) { EXPECT_NULL("x"); }
	TEST(t9) { EXPECT_NOT_NULL(NULL); } TEST(ta) { ASSERT_STREQ("a", "b"); } TEST(tb) { ASSERT_EQ(-1, 1); }
EOC
check "every kind of assertion can fail" judged '0 passed, 11 failed, 0 skipped' 1 "$SCRATCH/kinds"

# What hangs, though it will not hear an alarm, and what stays behind.
check "hanging tests build" program slow <<-EOC
	#include <fcntl.h>
	static void leave(const char *file)
	{
		FILE *f;

		if (fork())
			return;
		setsid();
		f = fopen(file, "w");
		fprintf(f, "%d", getpid());
		fclose(f);
		for (;;)
			pause();
	}
	TEST_TIMEOUT(hang, 1) { signal(SIGALRM, SIG_IGN); signal(SIGTERM, SIG_IGN); for (;;) pause(); }
	TEST(orphan) { leave("$SCRATCH/orphan"); while (access("$SCRATCH/orphan", R_OK)) ; }
	TEST(after) { ASSERT_TRUE(true); }
EOC
check "a hang fails that test only" judged '2 passed, 1 failed, 0 skipped' 1 "$SCRATCH/slow"
check "a hang is called one" said '# hang: took more than 1 seconds'
check "what a test left behind is ended" gone "$SCRATCH/orphan"

# A sanitizer's report fails its test.
check "a leaking test builds" env FLAGS=-fsanitize=address bash -c "$(declare -f program); TOP='$TOP'; program leak" <<-'EOC'
	static void *volatile lost;
	TEST(overflow) { char *p = malloc(4); lost = p; ((volatile char *)p)[4] = 1; free(p); }
	TEST(fine) { free(malloc(4)); }
EOC
check "a sanitizer's report fails its test" judged '1 passed, 1 failed, 0 skipped' 1 "$SCRATCH/leak"

# The runner believes no program.
script fine <<<'echo 1..2; echo ok 1 a; echo "ok 2 b # SKIP too early"'
check "a script counts" judged '1 passed, 0 failed, 1 skipped' 0 "$SCRATCH/fine.sh"
check "its skip is loud" said 'SKIP b: too early'
script none <<<'echo "1..0 # SKIP no such hardware"'
check "a program may skip itself" judged '0 passed, 0 failed, 1 skipped' 0 "$SCRATCH/none.sh"
check "that skip is loud" said 'no such hardware'

# lie NAME FAILED WORDS: the script on standard input has FAILED failures and WORDS are said of it.
lie() {
	local name=$1 totals=$2 words=$3
	script "$name"
	check "lie: $name" judged "$totals" 1 "$SCRATCH/$name.sh"
	check "lie: $name is named" said "$words"
}
lie no-plan '1 passed, 1 failed, 0 skipped' '(no plan)' <<<'echo ok 1 a'
lie silent '0 passed, 1 failed, 0 skipped' '(no plan)' <<<':'
lie no-test '0 passed, 1 failed, 0 skipped' '(no test)' <<<'echo 1..0'
lie too-few '1 passed, 1 failed, 0 skipped' '(planned 2 results, gave 1)' <<<'echo 1..2; echo ok 1 a'
lie too-many '2 passed, 1 failed, 0 skipped' '(planned 1 results, gave 2)' <<<'echo 1..1; echo ok 1 a; echo ok 2 b'
lie two-plans '1 passed, 1 failed, 0 skipped' '(2 plans)' <<<'echo 1..1; echo ok 1 a; echo 1..1'
lie misnumbered '2 passed, 1 failed, 0 skipped' 'not numbered' <<<'echo 1..2; echo ok 1 a; echo ok 1 a'
lie bad-status '1 passed, 1 failed, 0 skipped' '(status 3 without a failed test)' <<<'echo 1..1; echo ok 1 a; exit 3'
lie good-status '1 passed, 1 failed, 0 skipped' 'FAILED b' <<<'echo 1..2; echo ok 1 a; echo not ok 2 b; exit 0'
lie crashed '1 passed, 1 failed, 0 skipped' '(ended by signal 9, Killed)' <<<'echo 1..1; echo ok 1 a; kill -KILL $$'
lie hung '1 passed, 1 failed, 0 skipped' '(took too long)' <<'EOC'
# TIMEOUT 1
echo 1..1; echo ok 1 a; read -r _ <> <(:)
EOC
echo 'echo 1..0' >"$SCRATCH/plain.sh"
check "a script that cannot be executed fails" judged '0 passed, 1 failed, 0 skipped' 1 "$SCRATCH/plain.sh"
check "an absent program fails" judged '0 passed, 1 failed, 0 skipped' 1 "$SCRATCH/absent"

# A child that keeps the output open holds nobody up, and does not stay.
script stray <<<"echo 1..1; echo ok 1 a; (trap '' TERM; echo \$BASHPID >$SCRATCH/stray.pid; read -r _ <> <(:)) &
until [ -s $SCRATCH/stray.pid ]; do :; done"
check "a stray child is not waited for" judged '1 passed, 0 failed, 0 skipped' 0 "$SCRATCH/stray.sh"
check "a stray child is ended" wait_for 5 gone "$SCRATCH/stray.pid"

# Serial programs meet nobody.
for i in 1 2 3; do
	script "serial$i" <<<"# SERIAL
mkdir $SCRATCH/alone && echo 1..1 && read -rt 0.1 <> <(:); rmdir $SCRATCH/alone && echo ok 1 a"
done
check "serial programs run one at a time" judged '3 passed, 0 failed, 0 skipped' 0 --jobs 3 "$SCRATCH"/serial[123].sh

check "all together: true totals" judged '6 passed, 10 failed, 2 skipped' 1 "$SCRATCH/good" "$SCRATCH/bad" "$SCRATCH/fine.sh" \
	"$SCRATCH/silent.sh"
check "a filter chooses" judged '4 passed, 0 failed, 0 skipped' 0 --filter 'good$' "$SCRATCH/good" "$SCRATCH/bad"
check "nothing to run is a failure" judged '0 passed, 0 failed, 0 skipped' 1 --filter 'matches-nothing' "$SCRATCH/good"
check "a test that was never built fails" prints '(not built: make tests)' \
	"$TOP/tests/run" --build "$SCRATCH/build" --filter 'unit/toml_test$'
mkdir -p "$SCRATCH/build/tests/unit" && cp "$SCRATCH/good" "$SCRATCH/build/tests/unit/of_yesterday_test"
check "what was built of a test that is no more is not run" judged '0 passed, 0 failed, 0 skipped' 1 --filter 'unit/of_yesterday_test$'

ktap_done
