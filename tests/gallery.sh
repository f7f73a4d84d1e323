#!/bin/sh
# Trains the models of the gallery and holds each to its `expect`; prints a table of what they reach.
#
#   sh tests/gallery.sh [MODEL.nn...]   in full: minutes
#   SHORT=1 sh tests/gallery.sh         with the arguments of a model's line "# short: ...", seconds
#   NNRUN=...                           another program than build/nnrun
#
# A model whose data is not there is skipped with a word.  Models without `expect` are not of the gallery.
cd "$(dirname "$0")/.." || exit 2
NNRUN=${NNRUN:-build/nnrun}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
[ $# -gt 0 ] || set -- models/*.nn

printf '%-22s %-28s %-34s %-20s %s\n' model data reached expected seconds
for model in "$@"; do
    grep -q '^ *expect *=' "$model" || continue
    arguments=
    [ -n "${SHORT:-}" ] && arguments=$(sed -n 's/^# short: //p' "$model")
    start=$(date +%s)
    # shellcheck disable=SC2086 # the arguments are words
    $NNRUN "$model" --train --quiet $arguments >"$work/out" 2>"$work/err"
    code=$?
    seconds=$(($(date +%s) - start))
    data=$(sed -n 's/^data train *= *\([a-z]*\)("\{0,1\}\([^",)]*\).*/\1 \2/p' "$model" | sed 's/ .*data\// /; s/ .*=.*//')
    expected=$(sed -n 's/^ *expect *= *//p' "$model" | sed 's/ *#.*//')
    reached=$(sed -n '/^test /{s/^test *//p;q;}' "$work/out")
    [ -n "$reached" ] || reached=$(sed -n '/^train /{s/^train *//p;q;}' "$work/out")
    if [ $code = 0 ]; then
        passed=$((passed + 1))
    elif grep -q 'it is to be had from' "$work/err"; then
        skipped=$((skipped + 1))
        reached="skipped: its data is not here"
    else
        failed=$((failed + 1))
        reached="FAILED $reached"
    fi
    printf '%-22s %-28s %-34s %-20s %s\n' "$(basename "$model" .nn)" "$data" "$reached" "$expected" "$seconds"
    [ $code = 0 ] || sed 's/^/    /' "$work/err"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
