#!/bin/sh
# Runs the examples of docs/*.md and README.md, so that none of them is wrong.
#
#   ```nn             a whole file: nnc has nothing to say of it
#   ```nn-part        a part of a file: only shown
#   ```nn-error       a file with a mistake; the ```text block after it is exactly what `nnc example.nn` says.
#                     A first line `# args: ...` gives further arguments
#   ```console test   commands after `$ `, run one after the other in a folder with models/ and
#                     tests/reference/, and what they print; a line `...` stands for any number of lines,
#                     and `...` in a line for the rest of a number
#   ```c FILE         put there as FILE for what comes after it; so are ```nn FILE, ```csv FILE and ```text FILE
#   ```diff FILE      an edit of it: lines with + stand in place of those with -, which it has to hold once, next to
#                     those with a blank; a line `...` is between two edits
#   ```console        commands that are only shown, as all other blocks are
#
# A page in Japanese, *.ja.md, has the code of the English one, but for its comments, between headings of the same
# levels, and it is run once. Every link to a heading leads to one.
#
# And docs/operators.md and docs/library.md have to be what docs/reference.sh makes of the sources now, which compiles
# each of their examples.
#
# One line a block.  NNC and NNRUN may name other programs than build/nnc and build/nnrun.

cd "$(dirname "$0")/.." || exit 2
root=$(pwd)
NNC=${NNC:-$root/build/nnc}
NNRUN=${NNRUN:-$root/build/nnrun}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

for program in "$NNC" "$NNRUN"; do
    [ -x "$program" ] || { echo "tests/docs.sh: there is no $program; run make"; exit 2; }
done
mkdir "$work/blocks" "$work/bin" "$work/example" "$work/console" || exit 2
ln -s "$NNC" "$work/bin/nnc" && ln -s "$NNRUN" "$work/bin/nnrun" && cp -R models "$work/console/models" &&
    mkdir "$work/console/tests" && cp -R tests/reference "$work/console/tests/reference" || exit 2
PATH=$work/bin:$PATH
export PATH

# Writes block number n of kind K as n.K, its place as n.place and its FILE as n.name; of a console block command m as
# n.m.command and what it prints as n.m.printed.
extract() {
    # shellcheck disable=SC2046 # the files are words
    awk -v folder="$work/blocks" '
        function finish() {
            if (kind == "" || kind == "-")
                return
            close(file)
            if (kind == "console" && printed) close(printed)
        }
        FNR == 1 { kind = "" }
        /^ *```/ {
            if (kind != "") { finish(); before = kind; kind = ""; next }
            info = $0
            sub(/^ *```[ ]*/, "", info)
            name = ""
            if (info ~ /^(c|nn|csv|text|diff) [a-z_]+\.[a-z]+$/) {
                kind = info ~ /^diff/ ? "diff" : "file"
                name = substr(info, index(info, " ") + 1)
            } else
                kind = info == "nn" || info == "nn-error" ? info : info == "console test" ? "console" : "-"
            if (info == "text" && before == "nn-error") kind = "text"
            if (kind == "-") next
            if (kind != "text") {
                n++
                number = sprintf("%03d", n)
                print FILENAME ":" FNR > (folder "/" number ".place")
                close(folder "/" number ".place")
            }
            if (name != "") {
                print name > (folder "/" number ".name")
                close(folder "/" number ".name")
            }
            file = folder "/" number "." kind
            printf "" > file
            commands = 0
            printed = ""
            next
        }
        kind == "" && NF { before = "" }
        kind == "console" && /^\$ / {
            if (printed) close(printed)
            command = sprintf("%s/%s.%02d", folder, number, ++commands)
            print substr($0, 3) > (command ".command")
            close(command ".command")
            printed = command ".printed"
            printf "" > printed
            next
        }
        kind == "console" && printed { print > printed }
        kind != "" && kind != "-" && kind != "console" { print > file }
    ' $(find docs README.md -name '*.md' ! -name '*.ja.md' | sort)
}

# edit DIFF FILE: the file after the edits
edit() {
    awk '
        function apply(    at, i, found) {
            for (at = 0; at + old <= lines; at++) {
                for (i = 1; i <= old && line[at + i] == from[i]; i++) continue
                if (i > old) { matches++; found = at }
            }
            if (!old || matches != 1) { wrong = 1; exit 1 }
            for (i = 1; i <= lines - found - old; i++) rest[i] = line[found + old + i]
            for (i = 1; i <= new; i++) line[found + i] = to[i]
            for (i = 1; i <= lines - found - old; i++) line[found + new + i] = rest[i]
            lines += new - old
            old = new = matches = 0
        }
        FILENAME == ARGV[1] { line[++lines] = $0; next }
        /^ *\.\.\. *$/ { apply(); next }
        /^[- ]/ { from[++old] = substr($0, 2) }
        /^[+ ]/ { to[++new] = substr($0, 2) }
        /^$/ { from[++old] = to[++new] = "" }
        END {
            if (!wrong) apply()
            if (wrong) exit 1
            for (i = 1; i <= lines; i++) print line[i]
        }' "$2" "$1"
}

# translated PAGE ORIGINAL: whether both have the same code blocks, but for comments, and levels of headings in the same
# order. Prints "PAGE as ORIGINAL", with the lines of the first that differ; these are then in $work/actual and
# $work/expected.
translated() {
    awk -v page="$1" -v original="$2" -v actual="$work/actual" -v expected="$work/expected" '
        FNR == 1 { inside = 0 }
        /^ *```/ && !(inside = !inside) { next }
        /^ *```/ { info = $0 }
        inside && info ~ /```(nn|diff)/ { sub(/ *#.*/, "") }
        inside && info ~ /```c / { gsub(/ *\/\*[^*]*\*\//, "") }
        /^ *```/ || !inside && /^#+ / { place[FILENAME, ++count[FILENAME]] = FILENAME ":" FNR }
        inside { text[FILENAME, count[FILENAME]] = text[FILENAME, count[FILENAME]] $0 "\n" }
        !inside && /^#+ / { text[FILENAME, count[FILENAME]] = $1 "\n" }
        END {
            n = 1
            while (n <= count[original] && text[page, n] == text[original, n]) n++
            printf "%s", text[page, n] > actual
            printf "%s", text[original, n] > expected
            print (n <= count[page] ? place[page, n] : page) " as " (n <= count[original] ? place[original, n] : original)
            exit n <= count[original] || n <= count[page]
        }' "$1" "$2"
}

# Links to headings that are none. A heading is named by its text in small letters, as GitHub has it.
lost_links() {
    awk '
        function folder(file) { return match(file, /.*\//) ? substr(file, 1, RLENGTH) : "" }
        FNR == 1 { inside = 0 }
        /^ *```/ { inside = !inside }
        inside { next }
        /^#+ / {
            name = tolower($0)
            sub(/^#+ /, "", name)
            gsub(/[]!"#$%&()*+,.\/:;<=>?@[\\^`{|}~\047]/, "", name)
            gsub(/ /, "-", name)
            heading[FILENAME "#" name] = 1
        }
        {
            line = $0
            while (match(line, /\]\([^():]*#[^()]*\)/)) {
                to = substr(line, RSTART + 2, RLENGTH - 3)
                line = substr(line, RSTART + RLENGTH)
                target = substr(to, 1, 1) == "#" ? FILENAME to : folder(FILENAME) to
                sub(/[^\/]+\/\.\.\//, "", target)
                from[++n] = FILENAME ":" FNR ": "
                link[n] = target
            }
        }
        END { for (i = 1; i <= n; i++) if (!(link[i] in heading)) print from[i] link[i] }
    ' docs/*.md README*.md
}

# same EXPECTED ACTUAL: line by line, where a line "..." in EXPECTED stands for any lines
same() {
    awk '
        function blank(s) { return s ~ /^ *\.\.\. *$/ }
        function fits(wanted, line,    at) { # "0.29...,1" fits "0.2931,1"
            while ((at = index(wanted, "...")) > 0) {
                if (substr(line, 1, at - 1) != substr(wanted, 1, at - 1)) return 0
                line = substr(line, at)
                sub(/^[0-9]*(e[-+]?[0-9]+)?/, "", line)
                wanted = substr(wanted, at + 3)
            }
            return wanted == line
        }
        NR == FNR { expected[++m] = $0; next }
        { actual[++n] = $0 }
        END {
            # as a match of names with stars: on a mismatch the last "..." takes one line more
            i = 1; j = 1; star = 0
            while (j <= n) {
                if (i <= m && blank(expected[i])) { star = i++; mark = j }
                else if (i <= m && fits(expected[i], actual[j])) { i++; j++ }
                else if (star) { i = star + 1; j = ++mark }
                else exit 1
            }
            while (i <= m && blank(expected[i])) i++
            exit i <= m
        }' "$1" "$2"
}

result() { # result GOOD PLACE WHAT EXPECTED ACTUAL
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        printf "%s\n" "ok      $2 $3"
    else
        failed=$((failed + 1))
        printf "%s\n" "FAILED  $2 $3"
        diff -u "$4" "$5" | sed -n 3,60p
    fi
}

compile() { # compile FILE: with what it says in $work/actual
    cp "$1" "$work/example/example.nn"
    # shellcheck disable=SC2046 # the arguments are words
    (cd "$work/example" && nnc --emit=graph example.nn $(sed -n '1s/^# args: //p' example.nn)) \
        >/dev/null 2>"$work/actual"
}

run_console() { # run_console NUMBER PLACE
    for command in "$work/blocks/$1".*.command; do
        printed=${command%.command}.printed
        (cd "$work/console" && sh "$command") >"$work/actual" 2>&1 </dev/null
        same "$printed" "$work/actual"
        result $? "$2" "\$ $(cat "$command")" "$printed" "$work/actual"
    done
}

extract
: >"$work/nothing"
for place in "$work"/blocks/*.place; do
    block=${place%.place}
    where=$(cat "$place")
    if [ -f "$block.nn" ]; then
        compile "$block.nn" && cmp -s "$work/nothing" "$work/actual"
        result $? "$where" "a whole file" "$work/nothing" "$work/actual"
    elif [ -f "$block.file" ]; then
        cp "$block.file" "$work/console/$(cat "$block.name")" || exit 2
    elif [ -f "$block.diff" ]; then
        file=$work/console/$(cat "$block.name")
        edit "$block.diff" "$file" >"$work/actual"
        result $? "$where" "an edit of $(cat "$block.name")" "$block.diff" "$file"
        cp "$work/actual" "$file" || exit 2
    elif [ -f "$block.nn-error" ] && [ -f "$block.text" ]; then
        compile "$block.nn-error"
        cmp -s "$block.text" "$work/actual"
        result $? "$where" "a file with a mistake" "$block.text" "$work/actual"
    elif [ -f "$block.nn-error" ]; then
        result 1 "$where" "no \`\`\`text block after the file with a mistake" "$work/nothing" "$work/nothing"
    else
        run_console "${block##*/}" "$where"
    fi
done

for page in docs/*.ja.md README.ja.md; do
    where=$(translated "$page" "${page%.ja.md}.md")
    result $? "$where:" "code and headings" "$work/expected" "$work/actual"
done
lost_links >"$work/actual"
cmp -s "$work/nothing" "$work/actual"
result $? "docs" "links to headings" "$work/nothing" "$work/actual"

for page in operators library; do
    NNC=$NNC sh docs/reference.sh $page >"$work/page" 2>"$work/actual" && cmp -s "$work/page" docs/$page.md
    result $? "docs/$page.md" "made from the sources: make reference" docs/$page.md "$work/page"
    cat "$work/actual"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
