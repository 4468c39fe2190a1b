#!/bin/sh
# test_pool_bench.sh - the program ntmm_pool_bench from outside: exit codes, sentences, tables and files. What it measures here is small.
#
#     test_pool_bench.sh PROGRAM
set -u
bench=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/ntmm-test-pool-bench-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# refused PATTERN ARGUMENT...: exit code 2, nothing on stdout, and exactly one line on stderr, which has the pattern.
refused()
{
    pattern=$1
    shift
    "$bench" "$@" >out 2>err </dev/null
    got=$?
    [ $got -eq 2 ] || complain "$*: exit code $got, not 2"
    [ ! -s out ] || complain "$*: refused, and yet it says: $(cat out)"
    [ "$(wc -l <err)" -eq 1 ] || complain "$*: not one line on stderr: $(cat err)"
    grep -q -e "$pattern" err || complain "$*: \`$(cat err)\` lacks \`$pattern\`"
}

# ---- command lines that make no sense ----
refused "there is no test \`nosuch\`; --list says which there are" --only nosuch
refused "there is no test \`nosuch\`" --only pair_64,nosuch,live_10k
refused "there is no test \`\`" --only pair_64,
refused "there is no test \`pair_6\`" --only pair_6
refused "there is no test \`pair_64_and_so_on" --only pair_64_and_so_on_far_beyond_the_length_of_any_name_that_a_test_could_have
refused "\`--only\` needs a value" --only
refused "unknown option \`--bogus\`" --bogus
refused "unknown option \`pair_64\`" pair_64
for rounds in 0 -1 100 x 2x 99999999999999999999; do
    refused "--rounds must be a number from 1 to 99, not \`$rounds\`" --rounds "$rounds"
done
refused "cannot be written" --json /no/such/r.json
"$bench" --child nosuch pair_64 quick 2>/dev/null
[ $? -eq 2 ] || complain "a child of an allocator that does not exist"

# ---- what there is ----
"$bench" --help | grep -q -e "--only" || complain "--help"
"$bench" --list >list || complain "--list"
for test in pair_64_zeroed live_10k_log_zeroed pair_64 live_10k live_1m pair_4k pair_8k pair_16k pair_64k batch_lifo batch_fifo batch_shuffled \
    exchange_64 pair_64_1_thread pair_64_2_threads pair_64_paged size_shift survivors drift; do
    grep -q "^$test " list || complain "--list lacks $test"
done
grep -q "^pair_64_zeroed .*against jemalloc, mimalloc, glibc" list || complain "--list does not say against whom"

# ---- a selection ----
"$bench" --quick --only pair_64,drift >out 2>err || complain "--only pair_64,drift: $(cat err)"
grep -q "^pair_64 " out || complain "pair_64 was asked for: $(cat out)"
grep -q "^drift " out || complain "drift was asked for: $(cat out)"
grep -q "^live_10k" out && complain "live_10k was not asked for"
grep -q "^round 1 of 1" err || complain "no progress on stderr: $(cat err)"

# ---- everything, small ----
"$bench" --quick --json r.json --plot plots >out 2>err || complain "--quick: $(cat err)"
grep "^ntmm-classic *against" out >/dev/null || complain "no table of promises"
grep -q "failed" out && complain "a test failed: $(cat out)"
[ "$(grep -c "unsure: small tests" out)" -ge 2 ] || complain "small tests are judged: $(cat out)"
for test in $(cut -d ' ' -f 1 list); do
    grep -q "\"name\":\"pool/$test/ntmm-classic\"" r.json || complain "r.json lacks $test"
done
for key in context cpu_time real_time rounds_cpu_ns committed_ratio peak_live peak_committed running_at_once; do
    grep -q "\"$key\"" r.json || complain "r.json lacks $key"
done
for test in size_shift survivors drift; do
    curve=plots/$test.ntmm-classic.memory.csv
    [ "$(wc -l <"$curve")" -gt 500 ] || complain "$test: fewer than 500 samples"
    # The live bytes rise and fall to nothing, and nobody lives on less than was asked for.
    awk -F , 'NR > 1 { if ($3 > live) live = $3; if ($4 > committed) committed = $4; last = $3 }
        END { exit !(live > 1e6 && committed > live && last < live / 50) }' "$curve" || complain "$test: the curve makes no sense"
done
for left in *.part* plots/*.part*; do
    [ ! -e "$left" ] || complain "a temporary file is left: $left"
done

[ $failures -eq 0 ] && echo "all well"
exit $((failures != 0))
