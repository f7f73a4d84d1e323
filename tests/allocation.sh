#!/bin/sh
# Fails every allocation in turn: each program must end with its one message and status 3, or not need the memory.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cat >"$out/failing.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
/* The n-th allocation from the program's start fails, n = FAIL_AT; all after it too when FAIL_ON is set. */
static long count;
static int fails(void) {
    const char *at = getenv("FAIL_AT");
    count++;
    return at && (count == atol(at) || (getenv("FAIL_ON") && count > atol(at)));
}
void *malloc(size_t size) {
    static void *(*next)(size_t);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    if (!fails()) return next(size);
    errno = ENOMEM;
    return NULL;
}
void *realloc(void *old, size_t size) {
    static void *(*next)(void *, size_t);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "realloc");
    if (!fails()) return next(old, size);
    errno = ENOMEM;
    return NULL;
}
C
gcc -O1 -shared -fPIC "$out/failing.c" -o "$out/failing.so" -ldl || exit 1
passed=0 failed=0
sweep() { # sweep LIMIT COMMAND...: until a run gets through
    limit=$1
    shift
    for at in $(seq 1 "$limit"); do
        for on in "" 1; do
            FAIL_AT=$at FAIL_ON=$on LD_PRELOAD="$out/failing.so" "$@" >"$out/o" 2>"$out/e" </dev/null
            code=$?
            if [ $code = 3 ] && [ -s "$out/e" ] || [ $code = 0 ]; then passed=$((passed + 1)); else
                failed=$((failed + 1))
                echo "FAILED ($code) allocation $at: $*"
                head -n 5 "$out/e"
            fi
        done
    done
}
sed 's/epochs = 300/epochs = 3/; /expect/d' models/twolayer.nn >"$out/short.nn"
build/nnrun "$out/short.nn" --train --quiet --save "$out/w.safetensors" >/dev/null || exit 1
sweep 40 build/nnc models/twolayer.nn -o "$out/t.c"
sweep 60 build/nnrun "$out/short.nn" --train --quiet --save "$out/w2.safetensors"
sweep 60 build/nnrun "$out/short.nn" --load "$out/w.safetensors" --evaluate
sweep 60 build/nnrun tests/reference/gorgonia/gorgonia.nn --train --quiet -D epochs=2
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
