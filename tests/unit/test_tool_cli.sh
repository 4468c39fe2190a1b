#!/bin/sh
# test_tool_cli.sh - the tool `ntmm` from outside: exit codes, sentences, and files that appear whole or not at all.
#
#     test_tool_cli.sh PROGRAM
set -u
ntmm=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/ntmm-test-cli-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

complain() { echo "FAILED: $*"; failures=$((failures + 1)); }

# expect CODE PATTERN ARGUMENT...: that exit code, and exactly one line on stderr, which has the pattern.
expect()
{
    code=$1 pattern=$2
    shift 2
    "$ntmm" "$@" >out 2>err </dev/null
    got=$?
    [ $got -eq "$code" ] || complain "ntmm $*: exit code $got, not $code"
    [ "$(wc -l <err)" -eq 1 ] || complain "ntmm $*: not one line on stderr: $(cat err)"
    grep -q -e "$pattern" err || complain "ntmm $*: \`$(cat err)\` lacks \`$pattern\`"
}

# Two thousand objects that come and go, some in a soft interrupt, some zeroed, and pages beside them.
awk 'BEGIN {
    print "# ntmm-trace 1"
    for (i = 0; i < 2000; i++) {
        slot = i % 100
        if (i >= 100) printf "f 5 %d %d %s\n", slot, i % 2, (i % 7 == 0 ? "s" : "t")
        printf "%s 10 %d %d Tg%02d %d %s\n", (i % 2 ? "a" : "c"), slot, 1 + i * 7919 % 9000, i % 50, i % 2, (i % 5 == 0 ? "sn" : i % 3 == 0 ? "twz" : "tw")
        if (i % 4 == 0 && i >= 40) printf "q 1 %d 0 t\n", i / 4 % 10
        if (i % 4 == 0) printf "p 1 %d %d PgMv 0 tw\n", i / 4 % 10, i % 3
    }
}' >good.ntt

# ---- help and version ----
"$ntmm" --help | grep -q "ntmm COMMAND" || complain "--help"
"$ntmm" --version | grep -Eq '^ntmm [0-9]+\.[0-9]+' || complain "--version"
"$ntmm" replay --help | grep -q "^EXIT STATUS" || complain "replay --help"
"$ntmm" >out 2>err && complain "no command is an error"
expect 2 "no command \`fly\`" fly

# ---- command lines that ask for what is not there ----
expect 2 "no trace is named" replay
expect 2 "unknown option \`--bogus\`" replay --bogus good.ntt
expect 2 "unknown option \`-x\`" replay -x good.ntt
expect 2 "\`--json\` needs a value" replay good.ntt --json
expect 2 "missing.ntt: cannot be opened: No such file" replay missing.ntt
expect 2 "cannot be read: Is a directory" replay .
for rounds in 0 -1 1001 x 2x "" 99999999999999999999; do
    expect 2 "--rounds must be a number from 1 to 1000, not \`$rounds\`" replay --rounds "$rounds" good.ntt
done
expect 2 "no allocator \`nosuch\`" replay --allocators nosuch good.ntt
expect 2 "no allocator \`\`" replay --allocators ntmm-classic, good.ntt
expect 2 "no allocator \`floor\`" replay --allocators floor good.ntt
expect 2 "named twice" replay --allocators ntmm-classic,ntmm-classic good.ntt
expect 2 "no library of its own" replay --allocators ntmm-classic=/lib/x.so good.ntt
expect 2 "library \`/no/such.so\` of \`jemalloc\` cannot be read" replay --allocators jemalloc=/no/such.so good.ntt
expect 2 "/no/such/r.json cannot be written" replay --json /no/such/r.json good.ntt
expect 2 "it is a folder" replay --json . good.ntt
expect 2 "empty name" replay --json "" good.ntt
expect 2 "good.ntt/x cannot be written" replay --json good.ntt/x good.ntt
[ ! -d /proc/self ] || expect 2 "/proc/x cannot be written" replay --json /proc/x good.ntt # nothing can be made there, by root neither
cp good.ntt same.ntt
ln -s same.ntt link.ntt
expect 2 "link.ntt is a trace to be read" replay --json link.ntt good.ntt same.ntt
cmp -s good.ntt same.ntt || complain "a trace was overwritten by its own results"
expect 2 "needs a folder, and good.ntt is none" replay --plot good.ntt good.ntt
expect 2 "not for people" __play

# ---- faulty traces: the sentence, exit code 1, and no file ----
printf '# ntmm-trace 1\na 0 0 8 abcd 0 tw\nf 0 1 0 t\n' >bad.ntt
expect 1 "^bad.ntt:3: object 1 is freed, but it is not live" replay --json bad.json --plot bad.plots bad.ntt
expect 1 "^bad.ntt:3: " replay --json bad.json good.ntt bad.ntt
: >empty.ntt
expect 1 "^empty.ntt:1: the file is empty" replay --json bad.json empty.ntt
head -c 3000 good.ntt >cut.ntt
expect 1 "^cut.ntt:[0-9]*: the last line has no newline" replay --json bad.json cut.ntt
grep -v '^[pq]' good.ntt >objects.ntt
expect 1 "no page events" replay --pages --json bad.json objects.ntt
for left in bad.json* bad.plots*; do
    [ ! -e "$left" ] || complain "a faulty trace left $left"
done
if command -v xz >/dev/null; then
    xz -k good.ntt
    size=$(wc -c <good.ntt.xz)
    head -c $((size - 20)) good.ntt.xz >cut.ntt.xz
    expect 1 "^cut.ntt.xz:[0-9]*: the xz stream stops before its end" replay --json bad.json cut.ntt.xz
fi

# ---- a child that cannot do its work: one sentence, exit code 1, and the others are still there ----
"$ntmm" replay --rounds 1 --quiet --json segment.json --allocators ntmm-segment,ntmm-classic good.ntt 2>err
code=$?
if grep -q "ntmm-segment on good: the throughput pass failed: the machine does not boot" err; then # until it is built
    [ $code -eq 1 ] || complain "a failed child: exit code $code"
    [ "$(wc -l <err)" -eq 1 ] || complain "a failed child says one sentence: $(cat err)"
    grep -q '"error_occurred":true' segment.json || complain "a failed child is not in the JSON"
    grep -q '"cpu_time"' segment.json || complain "the well child is not in the JSON"
elif [ $code -ne 0 ]; then
    complain "ntmm-segment: $(cat err)"
fi

# ---- a whole replay ----
run_well()
{
    "$ntmm" replay --rounds 2 --allocators ntmm-classic "$@" >out 2>err || complain "replay $*: $(cat err)"
}
run_well --json r.json --plot plots good.ntt
for key in context benchmarks num_cpus library_build_type replay/good/ntmm-classic ns_per_op_median ns_per_op_p99 ns_per_op_p999 ns_per_op_mean peak_live peak_committed internal_waste; do
    grep -q "\"$key\"" r.json || complain "r.json lacks $key"
done
grep -q "ntmm-classic" out || complain "the table lacks ntmm-classic"
grep -q "round 2 of 2" err || complain "no progress on stderr"
[ "$(wc -l <plots/good.ntmm-classic.csv)" -gt 1000 ] || complain "fewer than 1000 memory samples"
[ -s plots/good.latency.csv ] || complain "no latency.csv"
run_well --quiet --pages good.ntt
if [ -s out ] || [ -s err ]; then complain "--quiet is not quiet: $(cat out err)"; fi
run_well --quiet --json - good.ntt
head -n 1 out | grep -q '^{' || complain "--json - writes no JSON"
run_well --quiet --json /dev/null good.ntt
[ -c /dev/null ] || complain "/dev/null was replaced"
run_well --quiet --json stdin.json - <good.ntt
grep -q '"replay/stdin/ntmm-classic"' stdin.json || complain "standard input is not called stdin"
awk '{ print } NR == 1 { print "# events: 7" }' good.ntt >promise.ntt
run_well promise.ntt good.ntt ./good.ntt
grep -q "^good-2: " out || complain "two traces of one name are not told apart: $(cat out)"
grep -q "speaks of 7 events" err || complain "a broken promise goes unnoticed"
for left in *.part*; do
    [ ! -e "$left" ] || complain "a temporary file is left: $left"
done
"$ntmm" --help >/dev/full 2>/dev/null && [ -e /dev/full ] && complain "a full disk goes unnoticed"

[ $failures -eq 0 ] && echo "all well"
exit $((failures != 0))
