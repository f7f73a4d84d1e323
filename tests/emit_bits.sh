#!/bin/sh
# The same bits: what nnc prints, compiled in several ways, against nnrun.
#
# For each model of tests/models and each floating-point mode: standard output byte for byte, and all weights after
# training bit for bit (tests/emit_bits.c).  Each model is compiled in two ways, another two than the next;
# all in all sixteen with FULL=1.  Ends with 1 if anything differs.
#
#   sh tests/emit_bits.sh [MODEL.nn ...]
set -u
cd "$(dirname "$0")/.."
out=build/emit_bits
flags="-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

# ways NUMBER: one line for each way to compile the model of that number: mode, compiler, options.
ways() {
    if [ "${FULL:-0}" = 1 ]; then
        for compiler in gcc clang; do
            for options in -O0 -O3 "-O0 -march=native" "-O3 -march=native"; do
                echo "0 $compiler $options"
                echo "1 $compiler $options"
            done
        done
        return
    fi
    case $(($1 % 4)) in
    0) printf '%s\n' "0 gcc -O0" "1 gcc -O3 -march=native -fopenmp" ;;
    1) printf '%s\n' "0 clang -O2 -march=native" "1 clang -O0" ;;
    2) printf '%s\n' "0 gcc -O3 -march=native" "1 clang -O2 -march=native" ;;
    3) printf '%s\n' "0 clang -O2" "1 gcc -O2" ;;
    esac
}

# What nnrun says, and the C file.
prepare() {
    name=$(basename "$1" .nn)
    build/nnc "$1" -o "$out/$name.c" 2> "$out/$name.messages" || { cat "$out/$name.messages"; return 1; }
    build/nnrun "$1" --train --quiet --save "$out/$name.0.safetensors" > "$out/$name.0.expected" &&
        build/nnrun "$1" --train --quiet --fma --save "$out/$name.1.safetensors" > "$out/$name.1.expected"
}

# check MODEL.nn MODE COMPILER OPTIONS...
check() {
    name=$(basename "$1" .nn)
    prefix=$(sed -n 's/^model \([a-zA-Z0-9_]*\).*/\1/p' "$1")
    for suffix in _ _model; do
        grep -q "^} $prefix$suffix;" "$out/$name.c" && prefix=$prefix$suffix
    done
    mode=$2
    way="$name.$(echo "$*" | tr -c 'a-z0-9A-Z\n' _ | sed 's/.*_nn_//')"
    shift 2
    # The driver wants EMITTED as seen from tests/.
    if ! "$@" $flags -DNN_FUSED="$mode" -DMODEL="$prefix" -DEMITTED="\"../$out/$name.c\"" tests/emit_bits.c -lm \
        -o "$out/$way" 2> "$out/$way.messages"; then
        head -5 "$out/$way.messages"
    elif ! "$out/$way" "$out/$name.$mode.safetensors" > "$out/$way.found"; then
        :
    elif cmp -s "$out/$way.found" "$out/$name.$mode.expected"; then
        rm -f "$out/$way" "$out/$way.found" "$out/$way.messages"
        return 0
    else
        diff "$out/$name.$mode.expected" "$out/$way.found" | head -4
    fi
    echo "emit_bits: $name differs from nnrun: NN_FUSED=$mode, $*"
    return 1
}

if [ "${1:-}" = --check ]; then
    shift
    check "$@"
    exit
fi
mkdir -p "$out"
rm -f "$out"/*.jobs
[ $# -gt 0 ] || set -- tests/models/*.nn
status=0
number=0
for model in "$@"; do
    if prepare "$model"; then
        ways $number | sed "s|^|$model |" >> "$out/all.jobs"
    else
        echo "emit_bits: $model fails"
        status=1
    fi
    number=$((number + 1))
done
jobs=$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)
xargs -L 1 -P "$jobs" sh "$0" --check < "$out/all.jobs" || status=1
[ $status = 0 ] && echo "emit_bits: $# models, $(wc -l < "$out/all.jobs") programs, the same bits"
exit $status
