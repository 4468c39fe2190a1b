#!/bin/sh
# layers.sh - includes point down: the order of the layers, checked on every build.
#
#     layers.sh ROOT              prints every line that breaks a rule, as file:line: sentence; fails if there is one
#     layers.sh --self-test ROOT  plants one offence of each kind in a copy of the tree and expects it to be found
#
# The rules
#   1 host < rtl < ke < mm < ex < hal < io < wdf: a file includes its own layer and those before it
#   2 vf and kd stand beside the stack: no layer includes them, nor do they include each other; src/ntmm composes all, src/tool is on top
#   3 what is included in quotes is a file of ours, written from src/: "ke/thread.h"; or a list that the build writes, *.inc
#   4 the operating system is known to src/host alone: no other file includes its headers or asks which one it is;
#     the rest gets by with the C library's headers. src/tool may start processes, and is let off
#   5 headers in include/ include each other and the C library, nothing of src/
# Tests and benchmarks stand outside: they may look at everything.
set -eu

check_tree() # $1: root; the findings on stdout, status 1 if there are any
{
    (cd "$1" && find src include -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' -o -name '*.in' \) | LC_ALL=C sort | awk '
    function finding(sentence) { printf "%s:%d: %s\n", file, line, sentence; found = 1 }

    function exists(path,    text, there) { there = (getline text < path) >= 0; close(path); return there }

    function rank_of(name,    i, order) {
        if (!ranks) {
            ranks = split("host rtl ke mm ex hal io wdf", order, " ")
            for (i = 1; i <= ranks; i++) rank[order[i]] = i
        }
        return name in rank ? rank[name] : 0
    }

    function may_include(from, to) {
        if (from == to || from == "tool") return 1
        if (from == "ntmm") return to != "tool"
        if (from == "vf" || from == "kd") return rank_of(to) > 0
        return rank_of(to) > 0 && rank_of(to) <= rank_of(from)
    }

    function check_quoted(name,    to) {
        if (layer == "include") {
            if (name ~ /^\.\.\// || !exists(folder "/" name))
                finding("a public header includes \"" name "\", which is not beside it in include/")
            return
        }
        if (name ~ /^[a-z_]+\.inc$/) return
        if (name !~ /^[a-z]+\/[^.\/][^\/]*$/ || !exists("src/" name)) {
            if (layer != "tool" || !exists(folder "/" name))
                finding("\"" name "\" is not a file of ours written from src/, as in \"ke/thread.h\"")
            return
        }
        to = name; sub(/\/.*/, "", to)
        if (!may_include(layer, to))
            finding("src/" layer " includes \"" name "\": includes point down (host < rtl < ke < mm < ex < hal < io < wdf; vf and kd beside)")
    }

    function check_system(name) {
        if (exists("include/" name) || exists("include/" name ".in") || exists("include/ntmm/ddk/" name)) return
        if (layer == "host" || layer == "tool") return
        if (name ~ /^(assert|ctype|errno|float|inttypes|iso646|limits|math|setjmp|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string)\.h$/) return
        if (file == "include/ntmm/cmocka.h" && name == "cmocka.h") return
        if (layer != "include" && name ~ /^(sanitizer|valgrind)\//) return
        finding("<" name "> belongs to the operating system, which only src/host knows")
    }

    function check_directive(text,    name) {
        if (text ~ /^#[ \t]*include[ \t]*"/) {
            name = text; sub(/^[^"]*"/, "", name); sub(/".*/, "", name); check_quoted(name)
        } else if (text ~ /^#[ \t]*include[ \t]*</) {
            name = text; sub(/^[^<]*</, "", name); sub(/>.*/, "", name); check_system(name)
        } else if (text ~ /^#[ \t]*(include|import|include_next)/) {
            finding("an include that this check cannot read: " text)
        } else if (layer != "host" && layer != "tool" &&
                   text ~ /(__linux|__gnu_linux__|__APPLE__|__MACH__|__unix|__FreeBSD__|__NetBSD__|__OpenBSD__|(^|[^A-Za-z0-9_])_WIN(32|64)([^A-Za-z0-9_]|$)|TARGET_OS_|__ANDROID__|__has_include)/) {
            finding("asks which operating system this is, which only src/host knows: " text)
        }
    }

    {   # one file name a line
        file = $0; folder = file; sub(/\/[^\/]*$/, "", folder)
        layer = file; sub(/^src\//, "", layer); sub(/\/.*/, "", layer)
        if (rank_of(layer) == 0 && layer !~ /^(include|vf|kd|ntmm|tool)$/) { line = 1; finding("a folder that is no layer"); next }
        line = 0; held = ""
        while ((getline text < file) > 0) {
            line++
            sub(/\r$/, "", text)
            if (text ~ /\\$/) { sub(/\\$/, " ", text); held = held text; continue }
            text = held text; held = ""
            sub(/^[ \t]+/, "", text)
            if (text ~ /^#/) check_directive(text)
        }
        close(file); files++
    }
    END {
        if (files == 0) { print "layers.sh: no source files found"; exit 1 }
        exit found ? 1 : 0
    }')
}

# $1: file to plant in, $2: its line, $3: a part of the sentence that must come
plant()
{
    rm -rf "$copy/src" "$copy/include"
    cp -R "$root/src" "$root/include" "$copy/"
    mkdir -p "$(dirname "$copy/$1")"
    printf '\n%s\n' "$2" >> "$copy/$1"
    if findings=$(check_tree "$copy"); then
        echo "layers.sh: not noticed in $1: $2"; exit 1
    fi
    case "$findings" in
        "$1:"*"$3"*) planted=$((planted + 1)) ;;
        *) echo "layers.sh: planted in $1: $2"; echo "but found: $findings"; exit 1 ;;
    esac
}

self_test()
{
    copy=$(mktemp -d "${TMPDIR:-/tmp}/ntmm-layers.XXXXXX")
    trap 'rm -rf "$copy"' EXIT
    planted=0
    plant src/rtl/planted.c '#include "mm/mm.h"' 'includes point down'
    plant src/host/planted.c '# include "ke/thread.h"' 'includes point down'
    plant src/ke/planted.c '  #include "ex/ex.h"' 'includes point down'
    plant src/mm/planted.c '#include "vf/probe.h"' 'not a file of ours'
    plant src/mm/planted.c '#include "mm.h"' 'not a file of ours'
    plant src/mm/planted.c '#include "ke/../host/host.h"' 'not a file of ours'
    plant src/ex/planted.c '#include <sys/mman.h>' 'operating system'
    plant src/ke/planted.c '#include <pthread.h>' 'operating system'
    plant src/mm/planted.c '#if defined(__APPLE__)' 'which operating system'
    plant src/mm/planted.c '#ifdef _WIN32' 'which operating system'
    plant src/mm/planted.c '#if 1 || \
  defined(__linux__)' 'which operating system'
    plant include/ntmm/planted.h '#include "../../src/ke/thread.h"' 'public header'
    plant include/ntmm/planted.h '#include <unistd.h>' 'operating system'
    plant src/mm/planted.c '#include PLANTED' 'cannot read'
    plant src/other/planted.c '#include <stddef.h>' 'no layer'
    plant_beside
    echo "layers.sh: $planted planted offences, all noticed"
}

plant_beside() # vf and kd, made for the purpose when the tree has none
{
    for beside in vf kd; do
        rm -rf "$copy/src" "$copy/include"
        cp -R "$root/src" "$root/include" "$copy/"
        mkdir -p "$copy/src/$beside"
        echo > "$copy/src/$beside/planted.h"
        echo "#include \"$beside/planted.h\"" > "$copy/src/ex/planted.c"
        if findings=$(check_tree "$copy"); then
            echo "layers.sh: not noticed: src/ex includes src/$beside"; exit 1
        fi
        case "$findings" in
            src/ex/planted.c:1:*'includes point down'*) planted=$((planted + 1)) ;;
            *) echo "layers.sh: src/ex includes src/$beside, but found: $findings"; exit 1 ;;
        esac
    done
}

if [ "${1:-}" = --self-test ]; then
    root=${2:?usage: layers.sh --self-test ROOT}
    check_tree "$root" > /dev/null || { echo "layers.sh: the tree itself breaks a rule: run layers.sh $root"; exit 1; }
    self_test
else
    check_tree "${1:?usage: layers.sh ROOT}"
    echo "layers.sh: includes point down"
fi
