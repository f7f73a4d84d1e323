# Makes docs/operators.md (page = operators, from elementwise.def, folds.def and builtin.c) and docs/library.md (page =
# library, from prelude.nn): see docs/reference.sh.
#
# Each example is compiled in the model below, and the type that the compiler finds stands behind it: so every one
# passes the checker, or there is no page.  A row or definition without a description or an example fails, but for
# those whose comment begins with "Part of".

BEGIN {
    context = "input  x     : f64[batch, 4]\ninput  y     : f64[batch, 4]\n" \
        "input  steps : f64[batch, 10, 6]            # ten steps in time\n" \
        "input  image : f64[batch, 3, 8, 8]\ninput  words : class[batch, 5] of 20\n" \
        "target t     : class[batch] of 3\nweight W     : f64[20, 8]\nscore = dense(x, 3)\n"
    split("x y steps image words t W score", known)
    for (i in known) argument[known[i]] = known[i]
    argument["a"] = "x"; argument["b"] = "y"; argument["index"] = "words"; argument["w"] = "W"
    argument["p"] = "x"; argument["condition"] = "x > 0"
}

function fail(what) {
    print "docs/reference.awk: " what > "/dev/stderr"
    failed = 1
}

# ---- text ----

# Cuts s at commas outside of brackets and quotes into parts[1..]; returns how many.
function cut(s, parts,    i, c, depth, count, quoted) {
    count = 0
    parts[1] = ""
    if (s == "") return 0
    count = 1
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (c == "\"") quoted = !quoted
        if (!quoted && c ~ /[[(]/) depth++
        if (!quoted && c ~ /[])]/) depth--
        if (!quoted && c == "," && depth == 0) parts[++count] = ""
        else parts[count] = parts[count] c
    }
    for (i = 1; i <= count; i++) gsub(/^ +| +$/, "", parts[i])
    return count
}

# In a cell of a table a bar would end it.
function cell(s) {
    gsub(/\|/, "\\|", s)
    return s
}

function capital(s) {
    return toupper(substr(s, 1, 1)) substr(s, 2)
}

# ---- examples ----

# The type of the example, or "" where it is none of a value; fails where the compiler refuses it.
function type_of(example,    file, line, type, seen, model, command) {
    file = work "/example.nn"
    model = context
    if (example ~ /^weight /) sub(/weight W[^\n]*/, example, model)
    printf "model example {\n%s", model > file
    if (example !~ /^(weight|solver) /) print "example = " example > file
    print "output score\noutput spare = sum(W)\nloss cost = cross_entropy(score, t)\n}" > file
    if (example ~ /^solver /) print "train {\n" example "\n}" > file
    close(file)
    command = nnc " --emit=graph " file " 2>" work "/messages"
    while ((command | getline line) > 0) {
        seen++
        if (line ~ /^%[0-9]+ example = /) {
            type = line
            sub(/.* : /, "", type)
        }
    }
    close(command)
    if (!seen) {
        fail("the example '" example "' is refused:")
        while ((getline line < (work "/messages")) > 0) print "    " line > "/dev/stderr"
        close(work "/messages")
    }
    return type
}

# Where none is written: the parameters without a default, by names that the model knows.
function default_example(kind, name, parameters,    parts, count, i, list, one) {
    count = cut(parameters, parts)
    list = ""
    for (i = 1; i <= count; i++) {
        if (parts[i] ~ /=/ || parts[i] == "...") continue
        one = parts[i]
        sub(/ *:.*/, "", one)
        if (kind == "solver" && one == "rate") one = "rate = 0.1"
        else if (one in argument) one = argument[one]
        else fail(name ": no example, and '" one "' is not known to the model of examples")
        list = list (list == "" ? "" : ", ") one
    }
    if (kind == "initialiser") return "weight W : [4, 8] = " name (list == "" ? "" : "(" list ")")
    return (kind == "solver" ? "solver = " : "") name "(" list ")"
}

function shown(example,    type, blanks) {
    type = type_of(example)
    blanks = sprintf("%*s", length(example) < 44 ? 44 - length(example) : 2, "")
    return "```nn-part\n" example (type == "" ? "" : blanks "# " type) "\n```\n"
}

# ---- entries: what is known of one name ----

function start_entry() {
    text = ""; example = ""
}

# A line of a comment, without its marks; the example comes last.
function add_comment(line) {
    gsub(/^ +| +$/, "", line)
    gsub(/\.  /, ". ", line)
    if (line ~ /^Example: /) example = substr(line, 10)
    else if (example != "") example = example " " line
    else if (line != "") text = text (text == "" ? "" : " ") line
}

function heading(title, below) {
    sections++
    body = body "## " title "\n\n" (below == "" ? "" : below "\n\n")
    contents = contents (sections > 1 ? "\n" : "") "- " title ":"
    entries = 0
}

# `formula`, `block`: what it is in the language; either may be "".
function entry(kind, name, parameters, formula, weights, block) {
    if (text ~ /^Part of /) return
    if (text == "" && formula == "" && block == "") fail(name " has no description")
    if (example == "") example = default_example(kind, name, parameters)
    contents = contents (entries++ ? " · " : " ") "[" name "](#" name ")"
    body = body "### " name "\n\n`" name "(" parameters ")`" (formula == "" ? "" : " = `" formula "`") "\n\n"
    if (text != "") body = body text "\n\n"
    if (weights != "") body = body "Weights: " weights ".\n\n"
    if (block != "") body = body "```nn-part\n" block "```\n\n"
    body = body shown(example) "\n"
}

# ---- the table of operators ----

# What a derivative's macros say, as an expression; `level`: how tightly what stands around it binds.
function infix(s, level,    name, parts, count, i, own, sign, list) {
    if (s ~ /^[GYABC]$/) return s == "G" || s == "Y" ? (s == "G" ? "G" : "y") : tolower(s)
    if (s !~ /^[A-Z_]+\(/) return s
    name = substr(s, 1, index(s, "(") - 1)
    count = cut(substr(s, length(name) + 2, length(s) - length(name) - 2), parts)
    if (name == "NUMBER") return parts[1]
    sign = name == "ADD" ? "+" : name == "SUBTRACT" ? "-" : name == "MULTIPLY" ? "*" : name == "DIVIDE" ? "/" : \
        name == "POWER" ? "**" : name == "EQUAL" ? "==" : name == "LESS" ? "<" : ""
    own = sign == "**" ? 4 : sign ~ /[*\/]/ ? 3 : sign ~ /[-+]/ ? 2 : 1
    if (name == "NEGATE") {
        s = "-" infix(parts[1], 3)
        return level > 2 ? "(" s ")" : s
    }
    if (sign != "") {
        s = infix(parts[1], own) " " sign " " infix(parts[2], own + (sign ~ /[-\/]/ || sign == "=="))
        return own < level ? "(" s ")" : s
    }
    list = ""
    for (i = 1; i <= count; i++) list = list (i > 1 ? ", " : "") infix(parts[i], 0)
    return (name == "SIGN_OF" ? "sign" : tolower(name)) "(" list ")"
}

function derivatives(parts, arity,    i, list) {
    list = ""
    for (i = 1; i <= arity; i++) list = list (i > 1 ? "; " : "") (parts[4 + i] == "NONE" ? "none" : "`" infix(parts[4 + i], 0) "`")
    return list
}

# One row: its cells, and the words behind it.
function elementwise(row,    parts, count, words, name, arity, written, value, sample) {
    words = ""
    if (match(row, /\) *\/\* .* \*\/ *$/)) {
        words = substr(row, RSTART)
        row = substr(row, 1, RSTART)
        gsub(/^\) *\/\* | \*\/ *$/, "", words)
    }
    sub(/^[^(]*\(/, "", row)
    sub(/\) *$/, "", row)
    count = cut(row, parts)
    name = parts[1]; arity = parts[2]
    written = parts[3] == "CALL" ? name "(" substr("a, b, c", 1, 3 * arity - 2) ")" : parts[4]
    sub(/ \?.*/, "", written)
    if (name == "power") written = "a ** b"
    if (parts[3] == "SIGN" && written ~ /nn_|^a$/) return # no sign of the language: placed by passes
    value = words
    if (written ~ / (==|!=|<|<=) /) value = "1 where it holds, else 0"
    sample = arity == 1 ? "(x)" : arity == 2 ? "(x, y)" : "(x > 0, x, y)"
    sample = parts[3] == "CALL" ? name sample : written
    if (parts[3] != "CALL") {
        sub(/a/, "x", sample)
        sub(/b/, "y", sample)
    }
    type_of(sample)
    body = body "| `" cell(written) "` | " cell(value) " | " derivatives(parts, arity) " | `" cell(sample) "` |\n"
}

FILENAME ~ /elementwise\.def$/ && FNR == 1 {
    heading("Element-wise operators", \
        "Operands are broadcast, and the result has the shape that they have together. `G` stands for the derivative of the\n" \
        "loss for the result `y`; beside it stand those of the operands in their order. `a > b` and `a >= b` are `b < a` and\n" \
        "`b <= a`. How accurate each is tells [numerics.md](numerics.md).")
    contents = contents " [the table](#element-wise-operators)"
    body = body "| operator | value | derivatives | example |\n| --- | --- | --- | --- |\n"
}

FILENAME ~ /elementwise\.def$/ && /^ELEMENTWISE\(/ { row = $0; inside = 1 }
FILENAME ~ /elementwise\.def$/ && inside && !/^ELEMENTWISE\(/ { sub(/^ +/, ""); row = row " " $0 }
FILENAME ~ /elementwise\.def$/ && inside {
    opened = gsub(/\(/, "(", row); closed = gsub(/\)/, ")", row)
    if (opened == closed) {
        elementwise(row)
        inside = 0
    }
}

# ---- folds ----

FILENAME ~ /folds\.def$/ && FNR == 1 {
    body = body "\n"
    heading("Reductions", "Along an axis, a list of axes, or all; with `keep` the axes stay, of size 1. The axes of a row are taken from the\n" \
        "last to the first, then the batch. More of them are in the [library](library.md#reductions).")
}

FILENAME ~ /folds\.def$/ && /^FOLD\(/ {
    name = $0
    sub(/^FOLD\(/, "", name)
    sub(/,.*/, "", name)
    start_entry()
    words = $0
    sub(/.*\/\* /, "", words)
    sub(/ \*\/.*/, "", words)
    add_comment(capital(words) ".")
    example = name == "sum" ? "sum(x, axis = 1)" : name == "max" ? "max(steps, axis = (1, 2))" : name "(x, axis = 0, keep = true)"
    entry("function", name, "x, axis = none, keep = false", "", "", "")
}

# ---- functions ----

FILENAME ~ /builtin\.c$/ && /^static const struct builtin builtins/ {
    table = 1
    heading("Functions", "")
}
FILENAME ~ /builtin\.c$/ && table && /^};/ { table = 0 }
FILENAME ~ /builtin\.c$/ && table && /^ +\/\* / { start_entry() }
FILENAME ~ /builtin\.c$/ && table && /^ +(\/\*| \*) / {
    line = $0
    sub(/^ +(\/\*| \*) /, "", line)
    sub(/ \*\/$/, "", line)
    add_comment(line)
}
FILENAME ~ /builtin\.c$/ && table && /^ +\{"/ {
    split($0, quoted, "\"")
    entry("function", quoted[2], quoted[4], "", "", "")
    start_entry()
}

# ---- the prelude ----

page == "library" && /^# ---- / { title = ""; titling = 1 }
page == "library" && titling {
    line = $0
    sub(/^# (---- )?/, "", line)
    titling = line !~ / ----$/
    sub(/ ----$/, "", line)
    title = title (title == "" ? "" : " ") line
    if (!titling) {
        colon = index(title, ": ")
        heading(capital(colon ? substr(title, 1, colon - 1) : title), colon ? capital(substr(title, colon + 2)) "." : "")
    }
    start_entry()
    next
}
page == "library" && /^#/ { add_comment(substr($0, 2)); next }
page == "library" && /^$/ { if (!defining) start_entry(); next }
page == "library" && /^(layer|initialiser|solver) / { signature = "" }
page == "library" && (/^(layer|initialiser|solver) / || signature != "") { # over several lines
    sub(/^ +/, "")
    signature = signature (signature == "" ? "" : " ") $0
    if ($0 !~ /[{}]$/) next
    $0 = signature
    signature = ""
    kind = $1
    name = $2
    sub(/\(.*/, "", name)
    parameters = $0
    sub(/^[^(]*\(/, "", parameters)
    sub(/\) *\{.*$/, "", parameters)
    formula = weights = block = ""
    statements = 0
    defining = 1
    if ($0 ~ /\}$/) { # on one line
        formula = $0
        sub(/^.*\{ *return +/, "", formula)
        sub(/ *\}$/, "", formula)
        defining = 0
        entry(kind, name, parameters, formula, "", "")
        start_entry()
    }
    next
}
page == "library" && defining && /^}/ {
    defining = 0
    if (statements > 1) formula = ""
    entry(kind, name, parameters, formula, weights, kind == "solver" ? block : "")
    start_entry()
    next
}
page == "library" && defining {
    line = $0
    sub(/^    /, "", line)
    sub(/  +#.*/, "", line)
    block = block line "\n"
    if (line ~ /^weight / && kind == "layer") {
        sub(/^weight +/, "", line)
        gsub(/ +/, " ", line)
        weights = weights (weights == "" ? "" : ", ") "`" line "`"
    } else {
        statements++
        formula = line
        sub(/^return +/, "", formula)
        if (line !~ /^return /) statements++
    }
}

# ---- the page ----

END {
    if (failed) exit 1
    print page == "operators" ? "# Operators and functions" : "# The library"
    print "\nThis page is made from the compiler's sources by `make reference`; do not write into it.\n"
    if (page == "operators")
        print "What the language has of itself. What is made of these, from `softmax` to `adam`, is in [library.md](library.md);\nthe rules are in [language.md](language.md).\n"
    else
        print "Layers, losses, metrics, initialisers, solvers and schedules: text in the language itself,\n[compiler/check/prelude.nn](../compiler/check/prelude.nn), and known in every file. What they are made of is in\n[operators.md](operators.md), the rules are in [language.md](language.md).\n"
    print "Examples stand in a model that says\n\n```nn-part\n" context "```\n"
    print "and behind each stands the type that it has there.\n"
    print contents "\n"
    sub(/\n+$/, "", body)
    print body
}
