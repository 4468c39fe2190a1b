# ntmm_rewrite.awk - what a driver's text says to its usual compiler, said to gcc and clang. The files stay as they are: those that need it are copied.
#
#     awk -f ntmm_rewrite.awk OUT SOURCE          prints which file to compile: SOURCE itself, or its copy under OUT/root
#
#     #include "..\Inc\Public.h"                  found in any letter case, with backslashes, and beside whoever includes the includer
#     #include "queue.tmh"                        WPP's file: its trace functions, which do not evaluate what they are given
#     #pragma alloc_text(PAGE, f)                 a declaration of f that says so
#     #pragma code_seg("PAGE")                    said of each function that is defined until the next one
#     L#x, "a" ## b, 10i64                        L"" #x, "a" b, 10LL
#     #pragma data_seg("PAGE")                    nothing: data stays where it is, in gcc; clang would put it beside the functions of PAGE
#     f(x, __VA_ARGS__)                           f(x __VA_OPT__(,) __VA_ARGS__): without arguments, Visual C++ leaves out the comma
#     __FUNCTION__ ": "                           "f" ": ", in a macro the file's name: to Visual C++ it is a literal
#     DECLSPEC_ALIGN(16) struct S {               struct DECLSPEC_ALIGN(16) S {
#     &((PVOID)(x))                               (PVOID *)&(x), in C: to Visual C++ a cast of a variable is a variable
#     __try {                                     the file is compiled so that handlers find their variables (NTMM_USES_TRY)
#
# Three passes: all files that the source includes are read, and what is to be changed is noted (read_file); whoever includes a file that is to be
# copied has to be copied, too (spread); copies are written, each with #line in front, so that messages and debuggers speak of the original
# (write_copy). Lines stay lines: what is changed is changed in its place.
#
# From the environment, so that no character of a name means anything:
#     NTMM_REWRITE_DIRS    include directories, one a line, in order: Q:dir for -iquote, I:dir, S:dir for what is not to be changed
#     NTMM_REWRITE_FUNCS   further trace functions of WPP, one a line
#     NTMM_DRIVER          name of the driver: its INIT section is one of its own, INIT_name
#
# Source  Visual C++ documentation: alloc_text, code_seg, #include, "Stringizing operator", "Numeric constants", "Variadic macros"; WDK documentation:
#         WPP Software Tracing, "Can I customize DoTraceMessage?", WPP_CONTROL_GUIDS.

BEGIN {
    out = ARGV[1]
    source = ARGV[2]
    here = ENVIRON["PWD"]
    is_cxx = source ~ /\.(cpp|cc|cxx|C|c\+\+)$/
    find_directories()
    count_names(ENVIRON["NTMM_REWRITE_FUNCS"])

    read_file(source, "")
    if (uses_try || is_changed[source])
        needs_copy[source] = 1
    spread()
    if (!needs_copy[source]) {
        print source
        exit 0
    }
    for (i = 1; i <= file_count; i++)
        if (needs_copy[files[i]])
            write_copy(files[i])
    print copy_of(source)
    exit 0
}

# ---- directories ----

function find_directories(    n, i, all)
{
    n = split(ENVIRON["NTMM_REWRITE_DIRS"], all, "\n")
    for (i = 1; i <= n; i++)
        if (length(all[i]) > 2) {
            dir_kind[++dir_count] = substr(all[i], 1, 1)
            dirs[dir_count] = substr(all[i], 3)
        }
}

function count_names(text,    n, i, all)
{
    n = split(text, all, "\n")
    for (i = 1; i <= n; i++)
        add_trace_function(all[i])
}

function quoted(text)
{
    gsub(/'/, "'\\''", text)
    return "'" text "'"
}

# Fills entry[dir, name] and folded[dir, lower-case name], once for each directory.
function list(dir,    command, name)
{
    if (dir in is_listed)
        return
    is_listed[dir] = 1
    command = "ls -a " quoted(dir "/") " 2> /dev/null"
    while ((command | getline name) > 0) {
        entry[dir, name] = 1
        if (!((dir, tolower(name)) in folded))
            folded[dir, tolower(name)] = name
    }
    close(command)
}

# The file of that name under dir, "" if there is none; any_case: letters match whatever their case.
function walk(dir, name, any_case,    n, i, parts, path)
{
    n = split(name, parts, "/")
    path = dir
    for (i = 1; i <= n; i++) {
        if (parts[i] == "" || parts[i] == ".")
            continue
        if (parts[i] != "..") {
            list(path)
            if (!((path, parts[i]) in entry)) {
                if (!any_case || !((path, tolower(parts[i])) in folded))
                    return ""
                parts[i] = folded[path, tolower(parts[i])]
            }
        }
        path = path == "/" ? "/" parts[i] : path "/" parts[i]
    }
    return path
}

function directory_of(path)
{
    if (path !~ /\//)
        return "."
    sub(/\/[^\/]*$/, "", path)
    return path == "" ? "/" : path
}

# Without `.` and `..`, and from the root.
function absolute(path,    n, i, parts, k, kept)
{
    if (path !~ /^\//)
        path = here "/" path
    n = split(path, parts, "/")
    k = 0
    for (i = 1; i <= n; i++) {
        if (parts[i] == "..")
            k = k > 0 ? k - 1 : 0
        else if (parts[i] != "" && parts[i] != ".")
            kept[++k] = parts[i]
    }
    path = ""
    for (i = 1; i <= k; i++)
        path = path "/" kept[i]
    return path
}

function copy_of(path) { return out "/root" absolute(path) }

# ---- includes ----

# Which file an #include means, "" if none is found. Sets found_as: "name" if the compiler finds it by that name wherever the includer lies,
# "place" if it does because of where the includer lies, "" if it does not; and found_kind.
function resolve(name, is_quoted, includer,    path, plain)
{
    plain = name
    gsub(/\\/, "/", plain)
    path = search(plain, is_quoted, includer, 0)
    if (path == "")
        path = search(plain, is_quoted, includer, 1)
    else if (plain == name)
        return path
    if (path == "" && is_quoted)
        path = search_includers(plain, includer)
    found_as = ""
    return path
}

function search(name, is_quoted, includer, any_case,    i, path)
{
    found_kind = "I"
    if (name ~ /^\//)
        return walk("/", name, any_case)
    if (is_quoted) {
        found_as = "place"
        path = walk(directory_of(includer), name, any_case)
        if (path != "")
            return path
    }
    found_as = "name"
    for (i = 1; i <= dir_count; i++)
        if (dir_kind[i] != "Q" || is_quoted) {
            path = walk(dirs[i], name, any_case)
            if (path != "") {
                found_kind = dir_kind[i]
                return path
            }
        }
    return ""
}

# Visual C++ goes on to look beside the files from which the includer was included.
function search_includers(name, includer,    path)
{
    found_kind = "I"
    for (includer = parent[includer]; includer != ""; includer = parent[includer]) {
        path = walk(directory_of(includer), name, 1)
        if (path != "")
            return path
    }
    return ""
}

# The simulator's own headers, and what comes with the system, say what they mean.
function is_ours(path) { return found_kind == "S" || path ~ /\/ntmm\/(ddk\/(.*\/)?)?[a-z_0-9]+\.h$/ }

function note_include(path, n, line,    is_quoted, name, target)
{
    is_quoted = line ~ /include[ \t]*"/
    name = line
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*$/, "", name)
    target = resolve(name, is_quoted, path)
    if (target == "") {
        note_absent(path, n, name, is_quoted)
        return
    }
    if (found_as == "")
        is_changed[path] = 1
    include_found_as[path, n] = found_as
    include_target[path, n] = target
    if (!is_ours(target)) {
        edge_count++
        edge_from[edge_count] = path
        edge_to[edge_count] = target
        read_file(target, path)
    }
}

# A header of the system in another case, WPP's file, or one that the compiler shall complain about.
function note_absent(path, n, name, is_quoted,    lower)
{
    if (tolower(name) ~ /\.tmh$/) {
        is_wpp[path, n] = 1
        is_changed[path] = 1
        return
    }
    lower = tolower(name)
    gsub(/\\/, "/", lower)
    if (is_quoted || lower == name || walk("/usr/include", name, 0) != "")
        return
    replacement[path, n] = "#include <" lower ">"
    is_changed[path] = 1
}

# ---- reading ----

function read_file(path, includer,    n, line, status)
{
    if (path in line_count)
        return
    line_count[path] = 0
    parent[path] = includer
    files[++file_count] = path
    n = 0
    while ((status = (getline line < path)) > 0) {
        sub(/\r$/, "", line)
        if (++n == 1)
            sub(/^\357\273\277/, "", line)
        text[path, n] = line
    }
    close(path)
    if (status < 0)
        return
    line_count[path] = n
    scan(path)
}

function mentions(path, word,    n)
{
    for (n = 1; n <= line_count[path]; n++)
        if (index(text[path, n], word))
            return 1
    return 0
}

function scan(path,    n, line, in_comment, is_define, names_wanted)
{
    names_wanted = mentions(path, "code_seg") || mentions(path, "__FUNCTION__")
    begin_functions()
    code = code_before = ""
    in_comment = 0
    is_define = 0
    for (n = 1; n <= line_count[path]; n++) {
        line = text[path, n]
        note_wpp(line)
        if (code !~ /^[ \t]*$/)
            code_before = code
        in_comment = split_line(line, in_comment)
        if (code ~ /^[ \t]*(#|%:)/ && !is_define) {
            n = note_directive(path, n, line)
            is_define = text[path, n] ~ /\\$/
            if (is_define || code ~ /^[ \t]*#[ \t]*define/)
                note_tokens(path, n, "__FILE__")
            continue
        }
        if (names_wanted && !is_define)
            note_functions(path, n)
        if (code ~ (is_cxx ? "(^|[^A-Za-z0-9_])(__try|_try)[ \t]*([{]|$)" : "(^|[^A-Za-z0-9_])(__try|_try|try)[ \t]*([{]|\\\\|$)"))
            uses_try = 1
        note_tokens(path, n, is_define || function_name == "" ? "__FILE__" : "\"" function_name "\"")
        is_define = is_define && line ~ /\\$/
    }
}

# Cuts a line into pieces: piece[1..pieces], piece_kind of each: c code, s text or character in quotes, x comment. `code` is the line with
# empty quotes and no comments. Returns whether a comment goes on.
function split_line(line, in_comment,    at, two, mark)
{
    pieces = 0
    code = ""
    if (in_comment) {
        at = index(line, "*/")
        if (at == 0)
            return add_piece(line, "x", 1)
        add_piece(substr(line, 1, at + 1), "x", 0)
        line = substr(line, at + 2)
    }
    while (match(line, /\/\/|\/\*|["']/)) {
        if (RSTART > 1)
            add_piece(substr(line, 1, RSTART - 1), "c", 0)
        two = substr(line, RSTART, 2)
        mark = substr(line, RSTART, 1)
        line = substr(line, RSTART)
        if (two == "//")
            return add_piece(line, "x", 0)
        if (two == "/*") {
            at = index(substr(line, 3), "*/")
            if (at == 0)
                return add_piece(line, "x", 1)
            at += 3
        } else
            at = end_of_quotes(line, mark)
        add_piece(substr(line, 1, at), two == "/*" ? "x" : "s", 0)
        line = substr(line, at + 1)
    }
    if (line != "")
        add_piece(line, "c", 0)
    return 0
}

function add_piece(part, kind, result)
{
    piece[++pieces] = part
    piece_kind[pieces] = kind
    code = code (kind == "c" ? part : kind == "s" ? substr(part, 1, 1) substr(part, 1, 1) : " ")
    return result
}

function end_of_quotes(line, mark,    at, c)
{
    for (at = 2; at <= length(line); at++) {
        c = substr(line, at, 1)
        if (c == "\\")
            at++
        else if (c == mark)
            return at
    }
    return length(line)
}

# ---- directives ----

# Returns the last line of the directive, if that was changed; else n.
function note_directive(path, n, line,    whole, last)
{
    if (line ~ /^[ \t]*#[ \t]*include[ \t]*(<[^>]*>|"[^"]*")/) {
        note_include(path, n, line)
        return n
    }
    note_branch(code)
    if (code !~ /^[ \t]*#[ \t]*pragma[ \t]+(alloc_text|(code|data|const|bss)_seg)([^A-Za-z0-9_]|$)/)
        return n
    whole = line
    for (last = n; whole ~ /\\$/ && last < line_count[path]; ) {
        sub(/\\$/, " ", whole)
        whole = whole text[path, ++last]
        replacement[path, last] = ""
    }
    sub(/\/\/.*$/, "", whole)
    gsub(/\/\*([^*]|\*[^\/])*\*\//, " ", whole)
    if (whole ~ /pragma[ \t]+alloc_text/)
        replacement[path, n] = alloc_text(whole)
    else {
        replacement[path, n] = ""
        if (whole ~ /pragma[ \t]+code_seg/)
            set_segment(whole)
    }
    is_changed[path] = 1
    return last
}

function arguments_of(pragma)
{
    sub(/^[^(]*\(/, "", pragma)
    sub(/\)[^)]*$/, "", pragma)
    gsub(/[ \t]/, "", pragma)
    return pragma
}

function section_named(name)
{
    gsub(/"/, "", name)
    if (name == "INIT" && ENVIRON["NTMM_DRIVER"] != "")
        name = "INIT_" ENVIRON["NTMM_DRIVER"]
    if (name !~ /^(PAGE|PAGELK|PAGEDATA)$/ && name ~ /^(PAGE|INIT)/ && !(name in is_section)) {
        is_section[name] = 1
        section_list = section_list " NTMM_OWN_PAGES_(\"" name "\")"
    }
    return name
}

function alloc_text(pragma,    n, i, parts, section, result)
{
    n = split(arguments_of(pragma), parts, ",")
    section = section_named(parts[1])
    result = ""
    for (i = 2; i <= n; i++)
        if (parts[i] != "")
            result = result (result == "" ? "" : " ") "NTMM_ALLOC_TEXT_(\"" section "\", " parts[i] ")"
    return result
}

# ---- functions behind a code_seg ----

function begin_functions()
{
    segment = function_name = ""
    segment_depth = branch_depth = braces = parens = 0
    begin_declaration()
}

function set_segment(pragma,    n, i, parts)
{
    n = split(arguments_of(pragma), parts, ",")
    if (parts[1] == "push")
        segment_stack[++segment_depth] = segment
    if (parts[1] == "pop" && segment_depth > 0)
        segment = segment_stack[segment_depth--]
    else if (parts[1] != "push" && parts[1] !~ /^"/)
        segment = ""
    for (i = 1; i <= n; i++)
        if (parts[i] ~ /^"/) {
            segment = parts[i] ~ /^"(PAGE|INIT)/ ? section_named(parts[i]) : ""
            break
        }
}

# Each branch of an #if begins where the first one began.
function note_branch(line)
{
    if (line ~ /^[ \t]*#[ \t]*if/) {
        branch_braces[++branch_depth] = braces
        branch_parens[branch_depth] = parens
    } else if (line ~ /^[ \t]*#[ \t]*el/ && branch_depth > 0) {
        braces = branch_braces[branch_depth]
        parens = branch_parens[branch_depth]
    } else if (line ~ /^[ \t]*#[ \t]*endif/ && branch_depth > 0)
        branch_depth--
}

function begin_declaration()
{
    starts = words = 0
    after_paren = 1
    is_initialised = is_type = has_paren = 0
}

# A declaration at file scope is words and parentheses; annotations and macros look like either. Each word behind a closing parenthesis may be where
# the function's own declaration begins, if two words follow: a type and a name.
function note_functions(path, n,    i, rest, token, column)
{
    column = 1
    for (i = 1; i <= pieces; i++) {
        rest = piece[i]
        if (piece_kind[i] == "s" && braces == 0 && parens == 0 && words == 1 && first_word == "extern")
            begin_declaration()
        if (piece_kind[i] == "c")
            while (match(rest, /[A-Za-z_][A-Za-z_0-9]*|[{}();=]/)) {
                token = substr(rest, RSTART, RLENGTH)
                note_token(path, n, token, column + length(piece[i]) - length(rest) + RSTART - 1)
                rest = substr(rest, RSTART + RLENGTH)
            }
        column += length(piece[i])
    }
}

function note_token(path, n, token, column)
{
    if (token == "{")
        open_brace(path)
    else if (token == "}") {
        if (braces > 0)
            braces--
        if (braces == 0)
            begin_declaration()
    } else if (braces == 0) {
        if (token == "(") {
            if (parens++ == 0 && starts > 0 && start_name[starts] == "")
                start_name[starts] = last_word
            has_paren = 1
            is_type = 0
        } else if (token == ")") {
            parens -= parens > 0
            after_paren = parens == 0
        } else if (token == ";" && parens == 0)
            begin_declaration()
        else if (token == "=" && parens == 0)
            is_initialised = 1
        else if (token != ";" && token != "=" && parens == 0)
            note_word(n, token, column)
    }
}

function note_word(n, token, column)
{
    if (words++ == 0)
        first_word = token
    if (after_paren) {
        start_line[++starts] = n
        start_column[starts] = column
        start_words[starts] = 0
        start_name[starts] = ""
        after_paren = 0
    }
    last_word = token
    start_words[starts]++
    is_type = is_type || token ~ /^(struct|union|enum|class)$/
}

function open_brace(path,    i)
{
    if (braces == 0 && !has_paren && (first_word == "namespace" || words == 0)) { # or extern "C"
        begin_declaration()
        return
    }
    if (braces == 0 && has_paren && !is_initialised && !is_type && first_word != "typedef") {
        for (i = starts; i > 1 && start_words[i] < 2; i--)
            ;
        function_name = start_name[i]
        if (segment != "") {
            insertion[path, start_line[i]] = insertion[path, start_line[i]] start_column[i] " NTMM_IN_SECTION_(\"" segment "\")\n"
            is_changed[path] = 1
        }
    }
    braces++
}

function insert(path, n, line,    k, i, parts, column, words_in)
{
    k = split(insertion[path, n], parts, "\n")
    for (i = k; i >= 1; i--) # the last one first, so that columns stay
        if (parts[i] != "") {
            column = parts[i] + 0
            words_in = parts[i]
            sub(/^[0-9]+ /, "", words_in)
            line = substr(line, 1, column - 1) words_in " " substr(line, column)
        }
    return line
}

# ---- tokens that only Visual C++ takes ----

function note_tokens(path, n, function_text,    i, changed, result, before, context)
{
    if (code !~ /##|L#|[0-9A-Fa-f][uU]?[iI](8|16|32|64)|__FUNCTION__|ALIGN|align|__VA_ARGS__|&[ \t]*\(/)
        return
    result = ""
    changed = 0
    context = code_before
    sub(/\\$/, "", context)
    if (piece[1] ~ /^[ \t]*__VA_ARGS__/ && takes_comma(path, n - 1))
        sub(/__VA_ARGS__/, ", &", piece[1])
    for (i = 1; i <= pieces; i++) {
        before = piece[i]
        if (piece_kind[i] == "c") {
            if (i > 1 && piece_kind[i - 1] == "s" && piece[i - 1] ~ /^"/)
                sub(/^[ \t]*##/, " ", piece[i])
            if (i < pieces && piece_kind[i + 1] == "s" && piece[i + 1] ~ /^"/ && piece[i] !~ /(^|[^A-Za-z0-9_])(L|u|U|u8)[ \t]*##[ \t]*$/)
                sub(/##[ \t]*$/, " ", piece[i])
            if (i > 1 && piece_kind[i - 1] == "s")
                sub(/^[ \t]*__FUNCTION__/, " " function_text, piece[i])
            if (i < pieces && piece_kind[i + 1] == "s")
                sub(/__FUNCTION__[ \t]*$/, function_text " ", piece[i])
            piece[i] = optional_commas(plain_numbers(wide_stringizing(aligned_type(piece[i]))))
            if (!is_cxx)
                piece[i] = addresses_of_casts(piece[i], context)
            context = context piece[i]
        } else if (piece_kind[i] == "s")
            context = context "\"\""
        if (piece[i] != before)
            changed = 1
        result = result piece[i]
    }
    if (changed) {
        replacement[path, n] = result
        is_changed[path] = 1
    }
}

function aligned_type(part,    before, alignment, word)
{
    if (!match(part, /(DECLSPEC_ALIGN[ \t]*\([^()]*\)|DECLSPEC_CACHEALIGN|__declspec[ \t]*\([ \t]*align[ \t]*\([^()]*\)[ \t]*\))[ \t]+(struct|union)/))
        return part
    before = substr(part, 1, RSTART - 1)
    alignment = substr(part, RSTART, RLENGTH)
    part = substr(part, RSTART + RLENGTH)
    word = alignment ~ /struct$/ ? "struct" : "union"
    sub(/[ \t]+(struct|union)$/, "", alignment)
    return before word " " alignment part
}

# Of an & behind something that has a value, as in `a & ((T)(b))`, nothing is said. Where it does take an address, what follows can only be a cast:
# the result of a call has none in C.
function addresses_of_casts(part, context,    done, found, type, word)
{
    word = "[A-Za-z_][A-Za-z0-9_]*"
    type = "\\([ \t]*" word "([ \t]+" word ")*[* \t]*\\)"
    done = ""
    while (match(part, "&[ \t]*(\\([ \t]*" type "[ \t]*(" word "|\\([^()]*\\))[ \t]*\\)|" type "[ \t]*" word "[ \t]*[,;)])")) {
        found = substr(part, RSTART, RLENGTH)
        done = done substr(part, 1, RSTART - 1)
        part = substr(part, RSTART + RLENGTH)
        done = done ((context done) ~ /([(,=?:{;]|(^|[^A-Za-z0-9_])return)[ \t]*$/ ? address_of_cast(found) : found)
    }
    return done part
}

# &((T)(x)) as it is, or &(T)x with what ends it.
function address_of_cast(text,    last, type, object)
{
    last = substr(text, length(text))
    sub(/^&[ \t]*/, "", text)
    if (text ~ /^\([ \t]*\(/) {
        sub(/^\([ \t]*/, "", text)
        last = ""
    }
    type = object = substr(text, 1, length(text) - 1)
    sub(/^\([ \t]*/, "", type)
    sub(/\).*$/, "", type)
    sub(/^[^)]*\)[ \t]*/, "", object)
    return "NTMM_ADDRESS_OF_CAST_(" type ", " object ")" last
}

function wide_stringizing(part,    done)
{
    done = ""
    while (match(part, /L#/)) {
        if ((RSTART == 1 || substr(part, RSTART - 1, 1) !~ /[A-Za-z0-9_]/) && substr(part, RSTART + 2, 1) != "#")
            done = done substr(part, 1, RSTART - 1) "L\"\" #"
        else
            done = done substr(part, 1, RSTART + 1)
        part = substr(part, RSTART + 2)
    }
    return done part
}

# `##` before __VA_ARGS__ would not do: its arguments would not be expanded before they are passed on.
function optional_commas(part,    done, found)
{
    done = ""
    while (match(part, /,[ \t]*__VA_ARGS__/)) {
        found = substr(part, RSTART, RLENGTH)
        done = done substr(part, 1, RSTART - 1)
        part = substr(part, RSTART + RLENGTH)
        done = done (part ~ /^([A-Za-z0-9_]|[ \t]*##)/ ? found : " __VA_OPT__(,) __VA_ARGS__")
    }
    return done part
}

# Whether the line ends in a comma and goes on: the comma is then one of the next line.
function takes_comma(path, n)
{
    if (code_before !~ /,[ \t]*\\$/ || text[path, n] !~ /,[ \t]*\\$/)
        return 0
    if (!((path, n) in replacement))
        replacement[path, n] = text[path, n]
    sub(/,[ \t]*\\$/, "", replacement[path, n])
    replacement[path, n] = replacement[path, n] " \\"
    return 1
}

function plain_numbers(part,    done, token)
{
    done = ""
    while (match(part, /[A-Za-z0-9_]+/)) {
        token = substr(part, RSTART, RLENGTH)
        done = done substr(part, 1, RSTART - 1)
        part = substr(part, RSTART + RLENGTH)
        if (token ~ /^([0-9]+|0[xX][0-9A-Fa-f]+)[uU]?[iI](8|16|32|64)$/) {
            sub(/[iI]64$/, "LL", token)
            sub(/[iI](8|16|32)$/, "", token)
        }
        done = done token
    }
    return done part
}

# ---- WPP ----

function note_wpp(line)
{
    if (line ~ /begin_wpp[ \t]+config/)
        in_wpp = 1
    if (line ~ /end_wpp/)
        in_wpp = 0
    if (in_wpp && line ~ /(^|[^A-Za-z0-9_])FUNC[ \t]+[A-Za-z_]/) {
        sub(/^.*(^|[^A-Za-z0-9_])FUNC[ \t]+/, "", line)
        sub(/[^A-Za-z0-9_].*$/, "", line)
        add_trace_function(line)
    } else if (line ~ /WPP_DEFINE_BIT[ \t]*\(/) {
        sub(/^.*WPP_DEFINE_BIT[ \t]*\([ \t]*/, "", line)
        sub(/[^A-Za-z0-9_].*$/, "", line)
        if (!(line in bit_of))
            bit_names[bit_of[line] = ++bit_count] = line
    }
}

function add_trace_function(name)
{
    if (name == "" || name in is_trace_function)
        return
    is_trace_function[name] = 1
    trace_functions[++trace_function_count] = name
}

function wpp_text(    i, result)
{
    result = "#include <ntmm_wpp.h>\n"
    for (i = 1; i <= trace_function_count; i++)
        result = result "#undef " trace_functions[i] "\n#define " trace_functions[i] "(...) NTMM_WPP_MESSAGE_(__VA_ARGS__)\n"
    for (i = 1; i <= bit_count; i++)
        result = result "#undef WPP_BIT_" bit_names[i] "\n#define WPP_BIT_" bit_names[i] " " i "\n"
    return result
}

# ---- writing ----

function spread(    again, i)
{
    for (again = 1; again; ) {
        again = 0
        for (i = 1; i <= file_count; i++)
            if (is_changed[files[i]] && !needs_copy[files[i]])
                needs_copy[files[i]] = again = 1
        for (i = 1; i <= edge_count; i++)
            if (needs_copy[edge_to[i]] && !needs_copy[edge_from[i]])
                needs_copy[edge_from[i]] = again = 1
    }
}

function line_mark(n, path)
{
    path = path == source ? path : absolute(path)
    gsub(/["\\]/, "\\\\&", path)
    return "#line " n " \"" path "\""
}

function write_copy(path,    copy, n)
{
    copy = copy_of(path)
    system("mkdir -p " quoted(directory_of(copy)))
    printf "" > copy
    if (path == source) {
        if (uses_try)
            print "#ifndef NTMM_USES_TRY\n#define NTMM_USES_TRY 1\n#endif" > copy
        print "#include <ntmm_rewritten.h>" > copy
        if (section_list != "")
            print section_list > copy
    }
    print line_mark(1, path) > copy
    for (n = 1; n <= line_count[path]; n++)
        print written_line(path, n) > copy
    close(copy)
}

function written_line(path, n,    target)
{
    if ((path, n) in is_wpp)
        return wpp_text() line_mark(n + 1, path)
    if ((path, n) in include_target) {
        target = include_target[path, n]
        if (needs_copy[target])
            return "#include \"" copy_of(target) "\""
        if (include_found_as[path, n] != "name")
            return "#include \"" absolute(target) "\""
        return text[path, n]
    }
    if ((path, n) in replacement)
        return insert(path, n, replacement[path, n])
    return insert(path, n, text[path, n])
}
