# ddk_names.awk - names whose values can be compared, from preprocessed C, one a line:
#
#     C NAME              an enumerator
#     S TYPE              a structure or union with a typedef, for its size
#     M TYPE MEMBER       one of its members, a.b for a member of a member that has a name
#
# It reads C as far as the headers of drivers go: declarators with one name, arrays, pointers, pointers to functions, bit fields.
{ gsub(/"([^"\\]|\\.)*"/, "\"\""); text = text " " $0 }

function next_token(    m) {
    if (!match(text, /[^ \t\n]/)) return token = ""
    text = substr(text, RSTART)
    if (match(text, /^[A-Za-z_][A-Za-z0-9_]*/) || match(text, /^[0-9][A-Za-z0-9_.]*/) || match(text, /^./)) token = substr(text, 1, RLENGTH)
    text = substr(text, RLENGTH + 1)
    return token
}
function refill() { if (length(text) < 20000 && rest <= parts) while (rest <= parts && length(text) < 60000) text = text " " part[rest++] }
function advance() { refill(); return next_token() }
function skip(open, close_,    depth) { # token is open; stops behind its partner
    depth = 1
    while (depth > 0 && advance() != "") { if (token == open) depth++; else if (token == close_) depth-- }
    advance()
}
function is_name(t) { return t ~ /^[A-Za-z_]/ }
function enumerators() { # token is {
    advance()
    while (token != "}" && token != "") {
        if (is_name(token)) print "C", token
        while (token != "," && token != "}" && token != "") { if (token == "(") skip("(", ")"); else advance() }
        if (token == ",") advance()
    }
    advance()
}
# Members up to the }, kept under `prefix` in found[]. token is {.
function members(prefix,    name, inner, count, i, names, n, first) {
    advance()
    while (token != "}" && token != "") {
        name = ""; inner = 0; n = 0; first = count_of
        while (token != ";" && token != "}" && token != "") {
            if (token == "struct" || token == "union") {
                advance()
                if (is_name(token)) { name = ""; advance() }
                while (token == "__attribute__") { advance(); skip("(", ")") }
                if (token == "{") { first = count_of; members(""); inner = 1 }
            } else if (token == "enum") { advance(); if (is_name(token)) advance(); if (token == "{") enumerators()
            } else if (token == "__attribute__" || token == "_Alignas" || token == "__extension__") { advance(); if (token == "(") skip("(", ")")
            } else if (token == "[") skip("[", "]")
            else if (token == "(") {
                advance()
                while (token == "__attribute__") { advance(); skip("(", ")") }
                if (token == "*") { while (token == "*") advance(); if (is_name(token)) name = token; while (token != ")" && token != "") { if (token == "[") skip("[", "]"); else advance() } advance() }
                else { while (token != ")" && token != "") { if (token == "(") skip("(", ")"); else advance() } advance() }
            } else if (token == ":") { name = ""; advance(); while (token != ";" && token != ",") advance()
            } else if (token == ",") { if (name != "") names[++n] = name; name = ""; advance()
            } else { if (is_name(token) && token !~ /^(const|volatile)$/) name = token; advance() }
        }
        if (name != "") names[++n] = name
        if (inner) { # the members of an inner structure: under its names, or here
            count = count_of
            if (n > 0) {
                for (i = first + 1; i <= count; i++) kept[i] = found[i]
                count_of = first
                for (i = first + 1; i <= count; i++) found[++count_of] = names[1] "." kept[i]
            }
        }
        for (i = 1; i <= n; i++) found[++count_of] = names[i]
        if (token == ";") advance()
    }
    advance()
}
END {
    parts = split(text, part, ";"); text = ""; rest = 1
    for (i = 1; i < parts; i++) part[i] = part[i] ";"
    advance()
    while (token != "") {
        if (token == "enum") { advance(); if (is_name(token)) advance(); if (token == "{") enumerators(); continue }
        if (token == "typedef") {
            advance()
            while (token == "__attribute__" || token == "__extension__") { advance(); if (token == "(") skip("(", ")") }
            if (token == "enum") continue
            if (token == "struct" || token == "union") {
                advance()
                while (token == "__attribute__") { advance(); skip("(", ")") }
                if (is_name(token)) advance()
                while (token == "__attribute__") { advance(); skip("(", ")") }
                if (token != "{") continue
                count_of = 0; members("")
                while (token == "__attribute__") { advance(); skip("(", ")") }
                if (is_name(token)) { type = token; print "S", type; for (i = 1; i <= count_of; i++) print "M", type, found[i] }
            }
            continue
        }
        if (token == "{") { skip("{", "}"); continue }
        advance()
    }
}
