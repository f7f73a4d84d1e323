#!/bin/sh
# The same bits on ARM: the interpreter with its NEON kernels, and emitted C, both in both floating-point modes, against
# this machine.  Skipped where the cross compiler or the emulator is missing:
#   apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
cd "$(dirname "$0")/.." || exit 1
arm=aarch64-linux-gnu-gcc
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static)
if ! command -v $arm >/dev/null || [ -z "$emulator" ]; then
    echo "no $arm or no qemu-aarch64"
    exit 77
fi
out=build/neon
mkdir -p "$out"
status=0

# ---- the interpreter ----
sources="tests/neon.c runtime/interpreter.c runtime/instruction*.c runtime/threads.c runtime/kernels/choose.c
$(ls compiler/*/*.c) build/gen/tree/lexer.c build/gen/tree/grammar.c build/gen/texts.c"
flags="-std=c11 -Icompiler -Iruntime -Ibuild/gen -D_POSIX_C_SOURCE=200809L -DNN_VERSION=\"test\" -ffp-contract=off -w"
kernels() { # kernels COMPILER NAME FUSED OPTIONS...: one set
    compiler=$1 name=$2 fused=$3
    shift 3
    $compiler $flags -O3 -fno-trapping-math -fno-math-errno "$@" -DKERNELS="kernels_$name" -DKERNELS_TITLE="\"$name\"" \
        -DNN_FUSED="$fused" -c runtime/kernels/kernels.c -o "$out/$name.o"
}
kernels $arm baseline 0 || exit 1
kernels $arm baseline_fma 1 || exit 1
$arm $flags -O1 -static $sources "$out/baseline.o" "$out/baseline_fma.o" -o "$out/arm" -lm -pthread || exit 1
x86=
[ -e build/kernels/avx2.o ] && x86=-DNN_X86
cc $flags -O1 $x86 $sources build/kernels/*.o -o "$out/here" -lm -pthread || exit 1

# ---- emitted C ----
emitted() { # emitted MODEL.nn FUSED
    name=$(basename "$1" .nn) mode=$2 fma=
    [ "$mode" = 1 ] && fma=--fma
    prefix=$(sed -n 's/^double \([A-Za-z0-9_]*\)_train(.*/\1/p' "$out/$name.c" | head -n 1)
    build/nnrun "$1" --train --quiet $fma --save "$out/$name.safetensors" >"$out/$name.expected" &&
        $arm -std=c99 -O2 -w -static -DNN_FUSED="$mode" -DMODEL="$prefix" -DEMITTED="\"../$out/$name.c\"" tests/emit_bits.c \
            -o "$out/$name" -lm &&
        "$emulator" "$out/$name" "$out/$name.safetensors" >"$out/$name.found" &&
        cmp "$out/$name.expected" "$out/$name.found"
}

models=0
for model in ${MODELS:-$(ls tests/models/*.nn | awk 'NR % 8 == 2')}; do
    models=$((models + 1))
    build/nnc "$model" -o "$out/$(basename "$model" .nn).c" || status=1
    for mode in 0 1; do
        "$out/here" "$model" $mode >"$out/here.bits" && "$emulator" "$out/arm" "$model" $mode >"$out/arm.bits" &&
            cmp "$out/here.bits" "$out/arm.bits" || {
            echo "the interpreter: other bits: $model, mode $mode"
            status=1
        }
        emitted "$model" $mode || {
            echo "emitted C: other bits: $model, mode $mode"
            status=1
        }
    done
done
echo "neon: $models models, two modes"
exit $status
