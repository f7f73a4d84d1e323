#!/bin/sh
# Whole runs under valgrind: no invalid read or write, nothing used before it was set, nothing leaked.
cd "$(dirname "$0")/.." || exit 1
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
try() { # try STATUS COMMAND...
    expected=$1
    shift
    valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect "$@" >"$out/log" 2>&1 </dev/null
    code=$?
    if [ $code = "$expected" ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED ($code) $*"
        tail -n 30 "$out/log"
    fi
}
sed 's/epochs = 300/epochs = 3/; /expect/d' models/twolayer.nn >"$out/short.nn"
try 0 build/nnc models/twolayer.nn -o "$out/twolayer.c"
try 0 build/nnrun "$out/short.nn" --train --quiet --save "$out/w.safetensors"
try 0 build/nnrun "$out/short.nn" --load "$out/w.safetensors" --evaluate
printf 'model m {\n    output y = unknwon(1)\n}\n' >"$out/wrong.nn"
try 1 build/nnc "$out/wrong.nn"
build/nnc "$out/short.nn" -o "$out/two.c" && gcc -O1 -g "$out/two.c" -lm -o "$out/two" && try 0 "$out/two"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
