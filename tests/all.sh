#!/bin/sh
# Everything that a normal machine can test.  One line a part; the output of a part is shown when it fails.
# QUICK=1 leaves out what takes longest (sanitizers, valgrind, fuzzing).
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0
log=build/tests/log
mkdir -p build/tests

part() { # part NAME COMMAND...
    name=$1
    shift
    start=$(date +%s)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name ($(($(date +%s) - start)) s)"
    else
        code=$?
        if [ "$code" = 77 ]; then
            skipped=$((skipped + 1))
            echo "skipped $name: $(tail -n 1 "$log")"
            return
        fi
        failed=$((failed + 1))
        echo "FAILED  $name"
        tail -n 60 "$log"
    fi
}

part "direction of includes" sh tests/includes.sh
for test in tests/*_test.c; do
    part "$(basename "$test" .c)" "build/tests/$(basename "$test" .c)"
done
for script in tests/pairs.sh tests/docs.sh tests/reference.sh tests/emit_bits.sh tests/one_row.sh tests/run.sh tests/jit.sh tests/extend.sh; do
    part "$(basename "$script" .sh)" sh "$script"
done
part "the bench's programs agree" make --no-print-directory -s bench_check
part "models, short" env SHORT=1 sh tests/gallery.sh
part "same bits of the maths" sh tests/accuracy/bits.sh build/bits
part "the same bits on ARM" sh tests/neon.sh
part "man pages" sh -c 'mandoc -Tlint -W warning docs/*.1'
if [ -z "${QUICK:-}" ]; then
    part "accuracy of the maths" make --no-print-directory -s accuracy
    part "sanitizers" sh tests/sanitize.sh
    part "valgrind" sh tests/valgrind.sh
    part "every allocation failing" sh tests/allocation.sh
    part "fuzzing, ${FUZZ_SECONDS:-20} s" make --no-print-directory -s fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-20}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
