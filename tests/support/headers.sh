#!/bin/sh
# headers.sh - the driver headers, as a compiler meets them.
#
#     headers.sh COMPILER INCLUDE_DIR GENERATED_INCLUDE_DIR
#
# 1 Each header compiles on its own, twice in a row, as C17 with warnings as errors.
# 2 All of them together compile as C11, and as C++17 where the compiler has a C++ (gcc: g++, clang: clang++).
# 3 Every annotation of sal.h vanishes in front of a declaration, those with arguments with one, with two and with a text as argument.
set -eu
compiler=${1:?usage: headers.sh COMPILER INCLUDE_DIR GENERATED_INCLUDE_DIR} include=$2 generated=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/ntmm-headers.XXXXXX")
trap 'rm -rf "$work"' EXIT
flags="-fsyntax-only -fshort-wchar -fsigned-char -fms-extensions -Wall -Wextra -Werror -Wno-multichar -Wno-unknown-pragmas -Wno-pragma-pack"
flags="$flags -I$include -I$generated -I$include/ntmm/ddk"
failed=0

compile() # $1: a name for the message, then the command
{
    what=$1; shift
    if ! "$@" > "$work/log" 2>&1; then
        echo "headers.sh: $what does not compile: $*"; head -n 20 "$work/log"; failed=1
    fi
}

headers=$(cd "$include/ntmm/ddk" && ls ./*.h | sed 's|^\./||')
standalone=
for header in $headers; do
    case $header in
        pshpack*|poppack.h) printf '#include <pshpack1.h>\nstruct s { char c; int i; };\n#include <poppack.h>\n' > "$work/one.c" ;;
        ntmm_macros.h) continue ;; # a part of ntdef.h
        *) printf '#include <%s>\n#include <%s>\nint here;\n' "$header" "$header" > "$work/one.c"; standalone="$standalone $header" ;;
    esac
    compile "$header" "$compiler" -std=gnu17 $flags "$work/one.c"
done

for header in $standalone; do echo "#include <$header>"; done > "$work/all.c"
echo 'int here;' >> "$work/all.c"
compile "every header in C11" "$compiler" -std=gnu11 $flags "$work/all.c"
cp "$work/all.c" "$work/all.cpp"
case $(basename "$compiler") in
    *clang*) cxx=$(dirname "$compiler")/clang++ ;;
    *) cxx=$(dirname "$compiler")/$(basename "$compiler" | sed 's/gcc/g++/; s/^cc$/c++/') ;;
esac
if command -v "$cxx" > /dev/null; then
    compile "every header in C++17" "$cxx" -std=gnu++17 $flags "$work/all.cpp"
else
    echo "headers.sh: no $cxx, C++ is not tested"
fi

awk '/^#define [A-Za-z_]/ { name = $2; n++
     if (sub(/\(\.\.\.\)$/, "", name)) printf "%s(1) %s(a, b) %s(\"text\") int f%d(%s(n) int *p);\n", name, name, name, n, name
     else if (name != "NTMM_DDK_SAL_H") printf "%s int f%d(%s int *p);\n", name, n, name }' "$include/ntmm/ddk/sal.h" > "$work/names"
{ echo '#include <sal.h>'; cat "$work/names"; } > "$work/sal.c"
compile "an annotation" "$compiler" -std=gnu17 $flags "$work/sal.c"
[ "$(wc -l < "$work/names")" -gt 1000 ] || { echo "headers.sh: the annotations were not found in sal.h"; failed=1; }

[ "$failed" = 0 ] && echo "headers.sh: $(echo "$headers" | wc -w) headers, $(wc -l < "$work/names") annotations"
exit "$failed"
