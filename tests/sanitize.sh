#!/bin/sh
# Unit tests and whole runs under the address and undefined-behaviour sanitizers.
cd "$(dirname "$0")/.." || exit 1
build=build/sanitize
flags="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
# The kernels, whose tiles are written out, take minutes each at more than -O1.
make --no-print-directory -s -j2 BUILD=$build CFLAGS="$flags" LDFLAGS="-fsanitize=address,undefined" \
    KERNEL_FLAGS="-O1 -g0 -fno-trapping-math -fno-math-errno" all tests || exit 1
passed=0 failed=0
try() { # try STATUS COMMAND...
    expected=$1
    shift
    "$@" >$build/log 2>&1 </dev/null
    if [ $? = "$expected" ] && ! grep -qE 'runtime error|Sanitizer' $build/log; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $*"
        tail -n 30 $build/log
    fi
}
for test in $build/tests/*_test; do try 0 "$test"; done
try 0 $build/nnrun models/twolayer.nn --train --quiet --save $build/w.safetensors --plot $build/w.svg
try 0 $build/nnrun models/twolayer.nn --train --quiet -D generator=numpy --trace h@1,3000 --explain
try 0 $build/nnrun models/twolayer.nn --load $build/w.safetensors --evaluate
printf '0.25,-0.5\n' >$build/row.csv
for model in products inner inner_f32 activations; do # one row by itself
    try 0 $build/nnrun tests/models/$model.nn --predict $build/row.csv
done
try 0 $build/nnrun tests/models/stopped.nn --train --quiet --save $build/s.safetensors
try 0 $build/nnrun tests/models/stopped.nn --train --quiet --load $build/s.safetensors
try 0 $build/nnc models/gorgonia.nn -o $build/gorgonia.c
for stage in tree graph plan dot c; do try 0 $build/nnc models/twolayer.nn --emit=$stage; done
for file in tests/check/*.nn; do
    [ -e "$file" ] || continue
    $build/nnc "$file" >$build/log 2>&1
    if grep -qE 'runtime error|Sanitizer' $build/log; then
        failed=$((failed + 1))
        echo "FAILED $file"
        tail -n 30 $build/log
    else
        passed=$((passed + 1))
    fi
done
# an emitted program, sanitized as well
gcc $flags $build/gorgonia.c -lm -o $build/gorgonia && sed 's/300000/200/' $build/gorgonia.c >$build/short.c &&
    try 0 sh -c "gcc $flags $build/short.c -lm -o $build/short && $build/short"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
