#!/bin/sh
# Builds bits.c with each compiler, optimisation level and vector width that this machine has, and compares the checksums within
# each mode. Run from the root of the repository: sh tests/accuracy/bits.sh [folder for the programs]
set -u
folder=${1:-build/bits}
mkdir -p "$folder" || exit 1
status=0
builds=0

runs_here() { # flags: does a program built with them run on this processor?
    case $1 in
    "") true ;;
    *avx512*) grep -q avx512dq /proc/cpuinfo 2>/dev/null ;;
    *) grep -q avx2 /proc/cpuinfo 2>/dev/null ;;
    esac
}

compare() { # mode, compiler, flags
    program=$folder/bits
    # shellcheck disable=SC2086
    "$2" -std=c99 -ffp-contract=off -DNN_FUSED="$1" $3 -I. tests/accuracy/bits.c -o "$program" -lm || {
        status=1
        return
    }
    "$program" >"$folder/now.$1" || status=1
    builds=$((builds + 1))
    if [ ! -f "$folder/first.$1" ]; then
        mv "$folder/now.$1" "$folder/first.$1"
    elif ! diff "$folder/first.$1" "$folder/now.$1" >"$folder/difference"; then
        echo "other bits: mode $1, $2 $3"
        cat "$folder/difference"
        status=1
    fi
}

rm -f "$folder"/first.* "$folder"/now.*
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null 2>&1 || continue
    for level in -O0 -O1 -O2 -O3; do
        for width in "" "-mavx2" "-mavx2 -mfma" "-mavx512f -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512"; do
            runs_here "$width" || continue
            for mode in 0 1; do
                compare "$mode" "$compiler" "$level $width"
            done
        done
    done
done
echo "$builds builds compared"
exit $status
