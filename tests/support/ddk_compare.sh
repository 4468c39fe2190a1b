#!/bin/sh
# ddk_compare.sh - our driver headers against an independent set: the DDK headers of mingw-w64, which others wrote from the same documentation.
#
#     ddk_compare.sh COMPILER INCLUDE_DIR GENERATED_INCLUDE_DIR DIFFERENCES
#
# The names come from ours: macros that are numbers, enumerators, structures with a typedef and their members (ddk_names.awk), GUIDs. For each side one C
# file says the value of each name that both know: of a constant, sizeof a structure, offset and size of a member. Neither program is run:
# the values are read off the assembler text. A name that one of the compilers does not take as a number is left out.
#
# DIFFERENCES lists names whose values may differ, each with the reason; one that does not differ any more is reported, too.
# Exit status 77: mingw-w64 is not there (Debian: gcc-mingw-w64-x86-64, mingw-w64-common).
set -eu
compiler=${1:?usage: ddk_compare.sh COMPILER INCLUDE_DIR GENERATED_INCLUDE_DIR DIFFERENCES} include=$2 generated=$3 differences=$4
here=$(cd "$(dirname "$0")" && pwd)
theirs=x86_64-w64-mingw32-gcc
their_ddk=$("$theirs" -print-sysroot 2> /dev/null || true)
for folder in /usr/share/mingw-w64/include/ddk /usr/x86_64-w64-mingw32/include/ddk "$their_ddk/include/ddk"; do
    [ -e "$folder/ntifs.h" ] && their_ddk=$folder && break
done
if ! command -v "$theirs" > /dev/null || [ ! -e "$their_ddk/ntifs.h" ]; then
    echo "ddk_compare.sh: mingw-w64 is not here (packages gcc-mingw-w64-x86-64, mingw-w64-common): nothing is compared"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/ntmm-ddk.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Whatever page size this build has, what is compared is the machine with Windows' own.
mkdir -p "$work/generated/ntmm"
sed 's/\(NTMM_PAGE_SHIFT\) [0-9]*/\1 12/' "$generated/ntmm/config.h" > "$work/generated/ntmm/config.h"
generated=$work/generated

headers="ntifs.h ntstrsafe.h ntintsafe.h wmistr.h wmilib.h evntrace.h devioctl.h bugcodes.h wdmguid.h wdmsec.h ntddser.h poclass.h batclass.h devpropdef.h devpkey.h devguid.h acpiioct.h"
our_flags="-std=gnu17 -fshort-wchar -fsigned-char -fms-extensions -w -O0 -I$include -I$generated -I$include/ntmm/ddk"
their_flags="-std=gnu17 -fms-extensions -w -O0 -DNTDDI_VERSION=0x0A000000 -D_WIN32_WINNT=0x0A00 -I$their_ddk"
case $("$compiler" --version) in *clang*) all_errors="-ferror-limit=0 -fno-integrated-as" ;; # which keeps the text as it is
    *) all_errors=-fmax-errors=0 ;; esac
ours() { "$compiler" $our_flags $all_errors "$@"; }
them() { "$theirs" $their_flags "$@"; }

# prelude SIDE INCLUDE_FOLDER: the headers that this side has, with what they need in front
prelude()
{
    for header in $headers; do
        [ -e "$2/$header" ] || [ -e "$2/../$header" ] || continue
        if [ "$1" = them ] && ! printf '#include <ntifs.h>\n#include <%s>\n' "$header" | them -fsyntax-only -x c - > /dev/null 2>&1; then continue; fi
        echo "#include <$header>"
    done
}
prelude ours "$include/ntmm/ddk" > "$work/ours.h"
prelude them "$their_ddk" > "$work/them.h"

# ---- the names ----
constants() { awk '/^#define [A-Za-z][A-Za-z0-9_]* ./ && $2 !~ /\(/ { print $2 }' | LC_ALL=C sort -u; }
ours -E -dM -x c "$work/ours.h" | constants > "$work/our_macros"
them -E -dM -x c "$work/them.h" | constants > "$work/their_macros"
ours -E -P -x c "$work/ours.h" | awk -f "$here/ddk_names.awk" | LC_ALL=C sort -u > "$work/names"
{ LC_ALL=C comm -12 "$work/our_macros" "$work/their_macros" | sed 's/^/C /'; cat "$work/names"; } > "$work/list"

# One line of C for each; the line's number is that in `list`.
awk '$1 == "C" { print "V(" $2 ", " $2 ")" }
     $1 == "S" { print "V(sizeof_" $2 ", sizeof(" $2 "))" }
     $1 == "M" { n = $3; gsub(/\./, "_", n)
         print "V(" $2 "." n ", (long long)__builtin_offsetof(" $2 ", " $3 ") * 1000000 + (long long)sizeof(((" $2 " *)0)->" $3 "))" }' "$work/list" > "$work/lines"

source() # SIDE, lines on stdin
{
    printf '#include "%s"\n#define V(name, value) __asm__ volatile("\\n->" #name " %%c0" : : "i"((long long)(value)));\nvoid values(void)\n{\n#line 1 "lines"\n' "$work/$1.h"
    cat
    printf '}\n'
}
# Lines that this side does not take are emptied, until it takes the rest.
reduce() # SIDE
{
    for round in 1 2 3 4 5 6 7 8; do
        source "$1" < "$work/lines" > "$work/$1.c"
        if "$1" -S -o "$work/$1.s" "$work/$1.c" 2> "$work/errors"; then return; fi
        grep -oE '^lines:[0-9]+:[0-9]+: (error|note)' "$work/errors" | cut -d: -f2 | sort -nu > "$work/bad"
        [ -s "$work/bad" ] || { echo "ddk_compare.sh: $1 does not compile"; head -n 10 "$work/errors"; exit 1; }
        awk 'NR == FNR { bad[$1] = 1; next } { print FNR in bad ? "" : $0 }' "$work/bad" "$work/lines" > "$work/left"
        mv "$work/left" "$work/lines"
    done
    echo "ddk_compare.sh: $1 does not compile after $round rounds"; head -n 5 "$work/errors"; exit 1
}
reduce them
reduce ours
source them < "$work/lines" > "$work/them.c"
them -S -o "$work/them.s" "$work/them.c"

# ---- GUIDs: the arguments of DEFINE_GUID, as written ----
guids() # SIDE INCLUDE_FOLDER...
{
    sed 's/^#include <\(.*\)>$/\1/' "$work/$1.h" | while read -r header; do
        for folder in "$2" "$2/.."; do if [ -e "$folder/$header" ]; then cat "$folder/$header"; break; fi; done
    done | tr '\r\n' '  ' | sed 's/DEFINE_GUID *(/\n&/g' | sed -n 's/^DEFINE_GUID *( *\([A-Za-z][A-Za-z0-9_]*\) *,\([^)]*\)).*/\1,\2/p' |
        awk -F, 'NF == 12 { text = $1
            for (i = 2; i <= 12; i++) { v = tolower($i); gsub(/[ \t]|0x|[ul]+$/, "", v); sub(/^0+/, "", v); text = text (i == 2 ? " " : ",") v }
            print text }' | LC_ALL=C sort -u -k 1,1
}
guids ours "$include/ntmm/ddk" > "$work/our_guids"
guids them "$their_ddk" > "$work/their_guids"
LC_ALL=C join "$work/our_guids" "$work/their_guids" | awk '$2 != $3 { print $1 ": " $2 "; theirs " $3; bad = 1 }
    END { if (NR < 30) { print "only " NR " GUIDs could be compared"; bad = 1 } print "ddk_compare.sh: " NR " GUIDs compared"; exit bad }' > "$work/guid_report" ||
    guids_differ=1
cat "$work/guid_report"

# ---- the values: equal when 64 bits are, or when both are the same 32 bits with and without a sign ----
values() { sed -n 's/^[[:space:]]*->\([^ ]*\) [$#]*\(-*[0-9][0-9]*\)[[:space:]]*$/\1 \2/p' "$1" | LC_ALL=C sort -u -k 1,1; }
values "$work/ours.s" > "$work/our_values"
values "$work/them.s" > "$work/their_values"
LC_ALL=C join "$work/our_values" "$work/their_values" > "$work/both"
awk -v list="$differences" '
    function same(a, b) { return a == b || a + 4294967296 == b + 0 || a + 0 == b + 4294967296 }
    BEGIN { while ((getline line < list) > 0) if (line !~ /^(#|$)/) { split(line, field, " "); allowed[field[1]] = line } }
    { compared++ }
    same($2, $3) { if ($1 in allowed) { print "no difference any more: " $1; failed = 1 } next }
    { if ($1 in allowed) { known++; next }
      if ($1 ~ /\./) printf "%s: at %d, %d bytes; theirs at %d, %d bytes\n", $1, int($2 / 1000000), $2 % 1000000, int($3 / 1000000), $3 % 1000000
      else printf "%s: %s; theirs %s\n", $1, $2, $3
      failed = 1 }
    END { if (compared < 1000) { print "only " compared " names could be compared"; failed = 1 }
          printf "ddk_compare.sh: %d values compared, %d differ for a reason\n", compared, known; exit failed }' "$work/both"
[ -z "${guids_differ-}" ]
