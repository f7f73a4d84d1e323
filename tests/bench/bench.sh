#!/bin/sh
# Every case of the bench and its peers in turn; see docs/performance.md.
#
#   sh tests/bench/bench.sh [-c] [CASE ...]      -c: only compares what they compute
#
# Without a case, those of the default set; "all" is every one.  The environment: SECONDS_A_TURN (0.05), ROUNDS (9),
# THREADS (1), BENCH_MARCH (native).  A peer whose program or library is not there is left out, with a line on
# how to get it.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/bench
export BENCH_TABLE=$out/table.md
export THREADS="${THREADS:-1}"
export OMP_NUM_THREADS="$THREADS" OPENBLAS_NUM_THREADS="$THREADS" OMP_WAIT_POLICY=passive
march=${BENCH_MARCH:-native}
python=${PYTHON:-/usr/bin/python3}
only_check=
if [ "${1:-}" = -c ]; then
    only_check=-c
    shift
fi
mkdir -p "$out"
status=0

# ---- building ----

warnings="-std=c99 -Wall -Wextra"
fast="-O3 -march=$march"
[ "$THREADS" -gt 1 ] && fast="$fast -fopenmp"

say() {
    printf '%s\n' "$*"
    [ -n "$only_check" ] || printf '\n%s\n' "$*" >> "$BENCH_TABLE"
}

# lacking PEER HOW: once.
lacking() {
    case " ${told:-} " in *" $1 "*) return ;; esac
    told="${told:-} $1"
    say "left out: $1; to have it: $2"
}

has_python() { "$python" -c "import $1" 2> /dev/null; }
has_library() { printf 'int main(void){return 0;}' | cc -x c - "$@" -o "$out/probe" 2> /dev/null; }

# build NAME SOURCE FLAGS...: $out/NAME; rebuilt each time, since the compiler's output is what is measured.
build() {
    name=$1 source=$2
    shift 2
    "$@" $warnings "$source" -o "$out/$name" ${libraries:-} -lm 2> "$out/$name.messages" && return
    head -n 5 "$out/$name.messages"
    status=1
    return 1
}

# emit MODEL.nn TYPE: $out/MODEL.TYPE.nn with that type, and $out/MODEL.TYPE.c.
emit() {
    base=$(basename "$1" .nn).$2
    sed "s/f64\\[/$2[/; s/f32\\[/$2[/" "$1" > "$out/$base.nn"
    build/nnc "$out/$base.nn" -o "$out/$base.c"
}

real() { [ "$1" = f32 ] && echo "-DREAL=float -DSINGLE" || echo "-DREAL=double"; }

# ---- a case ----

# A case adds peers to its list, then runs it.
peers=
start() {
    title=$1 unit=$2 tolerance=$3 peers=
    [ "$THREADS" -gt 1 ] && title="$title, $THREADS threads"
}
peer() { # LABEL COMMAND
    peers="$peers '$1' '$2'"
}
run() {
    eval "$out/alternate $only_check -t $tolerance -s ${SECONDS_A_TURN:-0.05} -r ${ROUNDS:-9} '$title' $unit $peers" ||
        status=1
}

# ours MODEL.nn TYPE MODE ROWS BATCH SCALE DEFINES...: emitted C by three compilers, and nnrun.
ours() {
    file=$1 type=$2 mode=$3 rows=$4 batch=$5 scale=$6
    shift 6
    emit "$file" "$type" || return 1
    base=$(basename "$file" .nn).$type
    model=$(sed -n 's/^void \([A-Za-z0-9_]*\)_init(.*/\1/p' "$out/$base.c" | head -n 1)
    names=$(sed -n 's/.*strcmp(name, \("[^"]*"\)) == 0.*/\1,/p' "$out/$base.c" | grep -v '\.[mv]"' | tr -d '\n')
    defines="-I. -DNN_NO_MAIN -DEMITTED='\"$out/$base.c\"' -DMODEL=$model -DWEIGHTS='$names' $(real "$type") $*"
    worker() { # LABEL SUFFIX COMPILER...
        label=$1 suffix=$2
        shift 2
        if ! command -v "$1" > /dev/null; then
            lacking "$1" "apt-get install $1"
        elif eval "build $base.$suffix tests/bench/emitted.c $* $defines"; then
            peer "$label" "$out/$base.$suffix $mode $rows $batch $scale"
        fi
    }
    worker "emitted C, gcc -O3 -march=$march" gcc gcc $fast
    worker "emitted C, clang -O3 -march=$march" clang clang $fast
    [ "$type" = f64 ] && worker "emitted C, gcc -O2" gcc_O2 gcc -O2
    case " $* " in *-DONE_HOT*) hot="CLASSES=3 " ;; *) hot= ;; esac
    peer "nnrun" "$hot$out/interpreter $out/$base.nn $mode $rows $batch $scale"
}

python_peers() { # CASE TYPE ROWS BATCH SCALE
    if has_python numpy; then
        for style in ${numpy_styles:-}; do
            peer "NumPy, $style" "$python tests/bench/peers.py numpy_$style $*"
        done
    else
        lacking NumPy "apt-get install python3-numpy"
    fi
    if has_python torch; then
        for style in ${torch_styles:-}; do
            peer "PyTorch, $style" "$python tests/bench/peers.py torch_$style $*"
        done
    else
        lacking PyTorch "apt-get install python3-torch"
    fi
}

# ---- the cases ----

spiral() { # TITLE MODEL TYPE ROWS BATCH RATE DEFINES...
    what=$1 model=$2 type=$3 rows=$4 batch=$5 rate=$6
    shift 6
    [ "$type" = f32 ] && close=1e-3 || close=1e-6
    start "spiral, $what, $type" updates $close
    ours "$model" "$type" train "$rows" "$batch" 1 -DINPUTS=2 -DCLASSES=3 -DOUTPUTS=3 "$@"
    build "handwritten.$type" tests/bench/handwritten.c gcc -O3 -march="$march" -fopenmp-simd $(real "$type") &&
        peer "C by hand, rows in lanes" "$out/handwritten.$type $rows $batch 1 $rate"
    build "naive.$type" tests/bench/naive.c gcc -O3 -march="$march" $(real "$type") &&
        peer "C, naive, row by row" "$out/naive.$type $rows $batch 1 $rate"
    numpy_styles="book lean" torch_styles="modules lean"
    python_peers spiral "$type" "$rows" "$batch" 1 "$rate"
    run
}

third=0.033333333333333333
case_spiral300()     { spiral "300 rows (models/gorgonia.nn)" models/gorgonia.nn f64 300 300 $third -DONE_HOT; }
case_spiral300_f32() { spiral "300 rows (models/gorgonia.nn)" models/gorgonia.nn f32 300 300 $third -DONE_HOT; }
case_spiral30()      { spiral "30 rows of 300" tests/bench/models/spiral.nn f64 300 30 1; }
case_spiral30_f32()  { spiral "30 rows of 300" tests/bench/models/spiral.nn f32 300 30 1; }

# ---- large layers ----

layers() { # TITLE CASE BATCH SCALE RATE
    start "$1, f32" ms 1e-3
    ours "tests/bench/models/$2.nn" f32 train "$3" "$3" "$4" -DINPUTS=784 -DCLASSES=10 -DOUTPUTS=10
    numpy_styles= torch_styles="eager manual"
    python_peers "$2" f32 "$3" "$3" "$4" "$5"
    run
}

one_row() { # TITLE MODEL CASE TYPE SCALE DEFINES...
    what=$1 model=$2 case=$3 type=$4 scale=$5
    shift 5
    start "$what, $type" us 1e-4
    ours "$model" "$type" predict 1 1 "$scale" "$@"
    numpy_styles= torch_styles="predict frozen"
    python_peers "$case" "$type" 1 1 "$scale" 0
}

case_mlp()       { layers "784-512-10, batch 128, training step" mlp 128 0.05 0.01; }
case_mlp_large() { layers "784-2048-2048-10, batch 256, training step" mlp_large 256 0.02 0.001; }
case_mlp_row()   { one_row "784-512-10, one row, prediction" tests/bench/models/mlp.nn mlp f32 0.05 -DINPUTS=784 -DCLASSES=10 -DOUTPUTS=10 && run; }
# The same with two threads, timed by the clock on the wall: says little where other work runs beside it.
two_threads() { # CASE
    (
        export THREADS=2 OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2
        fast="-O3 -march=$march -fopenmp"
        "$1"
        exit "$status"
    ) || status=1
}
case_mlp_2()       { two_threads case_mlp; }
case_mlp_large_2() { two_threads case_mlp_large; }
case_mlp_row_2()   { two_threads case_mlp_row; }

case_spiral_row() {
    one_row "spiral, one row, prediction" tests/bench/models/spiral.nn spiral f64 1 -DINPUTS=2 -DCLASSES=3 -DOUTPUTS=3
    if ! has_library -ldoublefann; then
        lacking FANN "apt-get install libfann-dev"
    else
        libraries=-ldoublefann
        build fann tests/bench/fann.c gcc -O3 -march="$march" && peer "FANN" "$out/fann 1"
        libraries=
    fi
    run
}

# ---- convolutions ----

lenet() { # CASE TITLE MODE STYLES
    start "LeNet-5, batch 64, $2, f32" ms 1e-3
    ours "tests/bench/models/$1.nn" f32 "$3" 64 64 0.1 -DINPUTS=784 -DCLASSES=10 -DOUTPUTS=10
    numpy_styles= torch_styles=$4
    python_peers "$1" f32 64 64 0.1 0.01
    run
}

lenet_train="eager channels_last" lenet_predict="predict predict_channels_last"
case_lenet()         { lenet lenet "training step" train "$lenet_train"; }
case_lenet_predict() { lenet lenet prediction predict "$lenet_predict"; }
case_lenet_unpadded()         { lenet lenet_unpadded "no padding, training step" train "$lenet_train"; }
case_lenet_unpadded_predict() { lenet lenet_unpadded "no padding, prediction" predict "$lenet_predict"; }

# ---- sequences ----

sequences() { # TITLE CASE INPUTS MODE ROWS UNIT
    start "$1, f32" "$6" 1e-3
    ours "tests/bench/models/$2.nn" f32 "$4" "$5" "$5" 0.1 "-DINPUTS=$3" -DCLASSES=10 -DOUTPUTS=10
    if has_python torch; then
        peer "PyTorch, modules" "$python tests/bench/sequences.py $2 $4 $5 0.1"
    else
        lacking PyTorch "apt-get install python3-torch"
    fi
    run
}

attention="block of attention, 64 steps of 64" lstm="LSTM of 128 units, 64 steps of 32"
case_attention()     { sequences "$attention, batch 32, training step" attention 4096 train 32 ms; }
case_lstm()          { sequences "$lstm, batch 32, training step" lstm 2048 train 32 ms; }
case_attention_row() { sequences "$attention, one row, prediction" attention 4096 predict 1 us; }
case_lstm_row()      { sequences "$lstm, one row, prediction" lstm 2048 predict 1 us; }

# Products of 200 shapes in each type beside OpenBLAS's: prints a table of its own.
case_matmul() {
    if ! has_library -lopenblas; then
        lacking OpenBLAS "apt-get install libopenblas-dev"
        return
    fi
    make --no-print-directory -s $out/matmul || { status=1; return; }
    if [ -n "$only_check" ]; then
        $out/matmul 40 > /dev/null || status=1
    else
        $out/matmul > "$out/matmul.txt" || status=1
        cat "$out/matmul.txt"
        { echo; sed 's/^/    /' "$out/matmul.txt"; } >> "$BENCH_TABLE"
    fi
}

# The same network with one thing changed at a time, and two others: nothing is special to the spiral.
variant() { # MODEL DEFINES...
    which=$1
    shift
    start "$which, 300 rows, f64" updates 1e-6
    ours "tests/bench/models/$which.nn" f64 train 300 300 1 "$@"
    if has_python torch; then
        peer "PyTorch, modules" "$python tests/bench/variants.py $which 300 1"
    else
        lacking PyTorch "apt-get install python3-torch"
    fi
    run
}

spiral_shape="-DINPUTS=2 -DCLASSES=3 -DOUTPUTS=3"
case_tanh()       { variant tanh $spiral_shape; }
case_softplus()   { variant softplus $spiral_shape; }
case_gelu()       { variant gelu $spiral_shape; }
case_wide()       { variant wide $spiral_shape; }
case_layers()     { variant layers $spiral_shape; }
case_medium()     { variant medium $spiral_shape; }
case_adam()       { variant adam $spiral_shape; }
case_regression() { variant regression -DINPUTS=4 -DTARGETS=2 -DOUTPUTS=2; }

# ---- nnc itself: time and memory should grow as the model does ----

# written LAYERS|LINES|NESTED COUNT: a model of that many layers, lines that mix, or layers in layers.
written() {
    awk -v kind="$1" -v n="$2" 'BEGIN {
        if (kind == "nested") {
            print "layer l0(x) {\n    return dense(x, 4)\n}"
            for (i = 1; i <= n; i++)
                printf "layer l%d(x) {\n    y = l%d(x)\n    return sigmoid(y)\n}\n", i, i - 1
        }
        print "model generated {\n    input  x : f64[batch, 4]\n    target t : f64[batch, 4]\n    h0 = dense(x, 4)"
        for (i = 1; i <= n && kind == "layers"; i++)
            printf "    h%d = sigmoid(dense(h%d, 4))\n", i, i - 1
        for (i = 1; i <= n && kind == "lines"; i++)
            printf "    h%d = sin(h%d) * x + h%d\n", i, i - 1, int((i - 1) / 2)
        last = kind == "nested" ? "l" n "(h0)" : "h" n
        print "    y = " last "\n    output y\n    loss error = mse(y, t)\n}"
        print "train {\n    solver = sgd(rate = 0.1)\n    batch = all\n}"
    }'
}

case_compiler() {
    [ -n "$only_check" ] && return
    say "nnc, from a model to C"
    printf '\n| model | processor time | memory | bytes of C |\n| --- | --- | --- | --- |\n' >> "$BENCH_TABLE"
    for size in "layers 10" "layers 100" "layers 1000" "layers 10000" "lines 100" "lines 1000" "lines 10000" \
        "nested 10" "nested 100" "nested 1000"; do
        written $size > "$out/generated.nn"
        used=$("$out/measure" 3 build/nnc "$out/generated.nn" -o "$out/generated.c") || status=1
        bytes=$(wc -c < "$out/generated.c")
        printf '  %-14s %s  %s bytes of C\n' "$size" "$used" "$bytes"
        echo "| $size | ${used% * MiB} | ${used#* s } | $bytes |" >> "$BENCH_TABLE"
    done
    rm -f "$out/generated.nn" "$out/generated.c"
}

# What a model becomes: lines of C, those of data left out, and bytes of code as a library.
case_size() {
    [ -n "$only_check" ] && return
    say "code size"
    printf '\n| model | lines of C | bytes, -O2 | bytes, -O3 -march=%s |\n| --- | --- | --- | --- |\n' "$march" >> "$BENCH_TABLE"
    for model in models/gorgonia.nn models/twolayer.nn tests/bench/models/layers.nn tests/bench/models/mlp.nn \
        models/digits.nn models/lstm.nn models/gpt.nn; do
        build/nnc "$model" -o "$out/sized.c" 2> /dev/null || continue
        lines=$(grep -cvE '^ +-?[0-9][-0-9., ef+]*$' "$out/sized.c")
        plain=$(gcc -O2 -DNN_NO_MAIN -c "$out/sized.c" -o "$out/sized.o" && size "$out/sized.o" | awk 'NR == 2 { print $1 }')
        best=$(gcc -O3 -march="$march" -DNN_NO_MAIN -c "$out/sized.c" -o "$out/sized.o" && size "$out/sized.o" | awk 'NR == 2 { print $1 }')
        printf '  %-32s %6s lines  %8s bytes  %8s bytes with -march=%s\n' "$model" "$lines" "$plain" "$best" "$march"
        echo "| $model | $lines | $plain | $best |" >> "$BENCH_TABLE"
    done
    rm -f "$out/sized.c" "$out/sized.o"
}

default="spiral300 spiral300_f32 spiral30 spiral30_f32"
variants="tanh softplus gelu wide layers medium adam regression"
all="$default $variants mlp mlp_large mlp_row mlp_2 mlp_large_2 mlp_row_2 spiral_row lenet lenet_predict lenet_unpadded lenet_unpadded_predict attention lstm attention_row lstm_row matmul compiler size"

# ---- what was asked for ----

[ $# -gt 0 ] || set -- $default
[ "$1" = all ] && set -- $all
if [ -z "$only_check" ]; then
    {
        echo "Measured by \`make bench${BENCH:+ BENCH=\"$BENCH\"}\`, $(date -u +%Y-%m-%d), $THREADS thread(s):"
        echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1), $(uname -sm), $(gcc --version | head -n 1)."
        echo "Medians of ${ROUNDS:-9} alternating turns; the ratios are medians of each round's."
    } > "$BENCH_TABLE"
    cat "$BENCH_TABLE"
fi
for case in "$@"; do
    if ! type "case_$case" > /dev/null 2>&1; then
        echo "no case '$case'; there are: $all" >&2
        exit 2
    fi
    "case_$case"
done
exit $status
