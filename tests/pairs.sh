#!/bin/sh
# Pairs of files: text goes in (NAME.nn), text comes out (NAME.expected).
#
#   sh tests/pairs.sh            compares, and prints a diff for each pair that differs
#   UPDATE=1 sh tests/pairs.sh   writes what comes out into the .expected files: read them before a commit
#   NNC=...                      another compiler than build/nnc
#
#   tests/syntax   nnc --emit=tree FILE: the tree, then what is said of the file
#   tests/check    nnc FILE: what is said of the file, then the exit status
#   tests/graph    NAME.graph.expected and NAME.plan.expected: nnc --emit=graph and --emit=plan
#
# A first line `# args: ...` gives further arguments.

cd "$(dirname "$0")/.." || exit 2
NNC=${NNC:-build/nnc}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

[ -x "$NNC" ] || { echo "tests/pairs.sh: there is no $NNC; run make"; exit 2; }

# compare EXPECTED: with $work/actual
compare() {
    if [ -n "$UPDATE" ]; then
        cmp -s "$work/actual" "$1" || { cp "$work/actual" "$1" && echo "updated  $1"; }
    fi
    if cmp -s "$work/actual" "$1"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED   $1"
        diff -u "$1" "$work/actual" 2>&1 | sed 1,2d
    fi
}

# The further arguments that the first line of a file gives.
arguments() {
    sed -n '1s/^# args: //p' "$1"
}

for file in tests/syntax/*.nn; do
    "$NNC" --emit=tree "$file" >"$work/out" 2>"$work/err"
    cat "$work/out" "$work/err" >"$work/actual"
    compare "${file%.nn}.expected"
done

for file in tests/check/*.nn; do
    # shellcheck disable=SC2046 # the arguments are words
    "$NNC" "$file" $(arguments "$file") >/dev/null 2>"$work/actual"
    echo "exit status $?" >>"$work/actual"
    compare "${file%.nn}.expected"
done

for file in tests/graph/*.nn; do
    for stage in graph plan; do
        # shellcheck disable=SC2046
        "$NNC" "--emit=$stage" "$file" $(arguments "$file") >"$work/actual" 2>&1
        compare "${file%.nn}.$stage.expected"
    done
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
