#!/bin/sh
# nnrun --jit: what it prints and saves is what the interpreter prints and saves, whatever the compiler and the
# cache are like.  MODELS: some other models than every fifth of tests/models.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'chmod -R u+rwx "$out"; rm -rf "$out"' EXIT
export XDG_CACHE_HOME="$out/cache"
cache=$out/cache/nn
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $*"
    head -n 8 "$out/o" "$out/e"
}
check() { # check WHAT COMMAND...: the command succeeds
    what=$1
    shift
    if "$@"; then ok; else bad "$what"; fi
}

# A compiler that notes each library it makes.
cat >"$out/noting" <<END
#!/bin/sh
case "\$*" in *-shared*) echo made >>"$out/notes" ;; esac
exec cc "\$@"
END
chmod +x "$out/noting"
: >"$out/notes"
made() { wc -l <"$out/notes" | tr -d ' '; }

# same WHAT MODEL OPTIONS...: with --jit the same standard output, messages, exit status and file of weights
same() {
    what=$1 model=$2
    shift 2
    CC=cc build/nnrun "$model" "$@" --save "$out/w" >"$out/wanted.o" 2>"$out/wanted.e" </dev/null
    wanted=$?
    build/nnrun "$model" "$@" --save "$out/v" --jit >"$out/o" 2>"$out/e" </dev/null
    code=$?
    if [ $code = $wanted ] && cmp -s "$out/o" "$out/wanted.o" && cmp -s "$out/e" "$out/wanted.e" &&
        { [ ! -e "$out/w" ] || cmp -s "$out/v" "$out/w"; }; then
        ok
    else
        bad "$what: status $code, interpreted $wanted"
    fi
    rm -f "$out/w" "$out/v"
}

# ---- the same bits ----
sed 's/epochs = 300/epochs = 20/; /expect/d' models/twolayer.nn >"$out/short.nn"
short=$out/short.nn
export CC="$out/noting"
same "trained" "$short" --train --quiet
check "a compiler was called" [ "$(made)" = 1 ]
same "found in the cache" "$short" --train --quiet
check "no second call for the same model" [ "$(made)" = 1 ]
same "other weights, the same code" "$short" --train --quiet --seed 7
check "no second call for another seed" [ "$(made)" = 1 ]
same "fused" "$short" --train --quiet --fma
check "another mode is other code" [ "$(made)" = 2 ]
build/nnrun "$short" --explain --jit >"$out/o" 2>"$out/e"
check "--explain says that it is compiled" grep -q "^jit: compiled" "$out/o"
for model in ${MODELS:-$(ls tests/models/*.nn | awk "NR % 5 == 1") tests/models/noise.nn tests/models/stopped.nn}; do
    same "$model" "$model" --train --quiet
done
same "traced" "$short" --train --quiet --trace h@1,5
same "evaluated" "$short" --evaluate
for option in "" --jit; do
    printf '0.1,0.2\n-0.3,0.4\n' | build/nnrun "$short" --predict $option >"$out/predicted$option" 2>"$out/e"
done
cp "$out/predicted" "$out/o"
check "predictions are the same" cmp -s "$out/predicted" "$out/predicted--jit"
# Outputs that wait for all rows, of more rows than the compiled code keeps.
cat >"$out/shares.nn" <<'END'
model shares {
    input x : f64[batch, 2]
    output share = x / sum(x, axis = 0)
}
END
awk 'BEGIN { for (i = 1; i <= 3000; i++) print i ",1" }' >"$out/rows.csv"
for option in "" --jit; do
    build/nnrun "$out/shares.nn" --predict "$out/rows.csv" $option >"$out/predicted$option" 2>"$out/e"
done
head -n 3 "$out/predicted--jit" >"$out/o"
check "predictions of many rows are the same" cmp -s "$out/predicted" "$out/predicted--jit"
check "and are numbers" sh -c '! grep -qi nan "$1"' sh "$out/predicted--jit"
sed 's/rate = 1.0/rate = 1.7e308/; s/normal(0, 0.01)/normal(0, 1e150)/' "$short" >"$out/diverging.nn"
same "the search for the first infinity" "$out/diverging.nn" --train --quiet
check "which is found" grep -q "error" "$out/e"
check "nothing but libraries stays in the cache" [ -z "$(ls "$cache" | grep -v '\.so$')" ]
check "others may not read the cache" [ "$(ls -ld "$cache" | cut -c 5-10)" = "------" ]

# ---- damaged and foreign files ----
damage() { # damage WHAT COMMAND...: runs it on each file of a fresh cache
    what=$1
    shift
    rm -rf "$cache"
    same "before $what" "$short" --train --quiet
    before=$(made)
    for file in "$cache"/*.so; do "$@" "$file"; done
    same "$what" "$short" --train --quiet
    check "$what: compiled again" [ "$(made)" = $((before + 1)) ]
    same "after $what" "$short" --train --quiet
}
cut_short() { head -c 3000 "$1" >"$out/part" && cat "$out/part" >"$1"; }
spoil() { printf 'spoiled' | dd of="$1" bs=1 seek=5000 conv=notrunc 2>"$out/e"; }
empty() { : >"$1"; }
lengthen() { echo more >>"$1"; }
damage "a file cut short" cut_short
damage "a spoiled file" spoil
damage "an empty file" empty
damage "a longer file" lengthen
damage "a file that others may write" chmod 666
damage "a link" sh -c 'mv "$1" "$1.moved" && ln -s "$1.moved" "$1"' sh

rm -rf "$cache"
mkdir -p "$cache"
chmod 777 "$cache"
before=$(made)
same "a cache that others may write" "$short" --train --quiet
same "still" "$short" --train --quiet
check "it is neither read nor written" [ "$(made)" = $((before + 2)) ]
check "and nothing is in it" [ -z "$(ls "$cache")" ]
chmod 500 "$cache"
same "a cache that cannot be written" "$short" --train --quiet
XDG_CACHE_HOME=/dev/null/none same "no place for a cache" "$short" --train --quiet
TMPDIR=/dev/null/none XDG_CACHE_HOME=/dev/null/none same "no place for files at all" "$short" --train --quiet
chmod 700 "$cache"

# ---- compilers ----
rm -rf "$cache"
CC=/nonexistent/cc same "no compiler" "$short" --train --quiet
CC=/nonexistent/cc build/nnrun "$short" --explain --jit >"$out/o" 2>"$out/e"
check "--explain says so" grep -q "^jit: interpreted" "$out/o"
CC=false same "a compiler that fails" "$short" --train --quiet
CC=echo same "one that makes nothing" "$short" --train --quiet
CC=yes same "one that never stops talking" "$short" --train --quiet
cat >"$out/junk" <<'END'
#!/bin/sh
[ "$1" = --version ] && exec echo junk 1.0
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && echo "no library" >"$2"
    shift
done
END
chmod +x "$out/junk"
CC="$out/junk" same "one that writes what is no library" "$short" --train --quiet
for hostile in "cc; touch $out/hostile" "\$(touch $out/hostile)" "\`touch $out/hostile\`" "cc | touch $out/hostile" "" "  " "-o" \
    "cc -DNN_NO_MAIN=1 -include /nonexistent"; do
    CC="$hostile" same "CC='$hostile'" "$short" --train --quiet
done
check "no shell reads CC" [ ! -e "$out/hostile" ]

# ---- what failed, and how much is kept ----
cat >"$out/failing" <<END
#!/bin/sh
[ "\$1" = --version ] && exec echo failing 1.0
echo made >>"$out/notes"
exit 1
END
chmod +x "$out/failing"
rm -rf "$cache"
before=$(made)
CC="$out/failing" same "a compiler that fails once" "$short" --train --quiet
tries=$(($(made) - before))
CC="$out/failing" same "and is known to" "$short" --train --quiet
check "it is not called again" [ "$(made)" = $((before + tries)) ]
touch -d "2 days ago" "$cache"/*.failed
CC="$out/failing" same "and after a day" "$short" --train --quiet
check "it is" [ "$(made)" = $((before + 2 * tries)) ]
rm -rf "$cache"
mkdir -m 700 "$cache"
for i in $(seq 100 350); do
    echo old >"$cache/00000000000000000000000000000$i.so"
done
for work in work.killed work.atwork work.others; do
    mkdir -m 700 "$cache/$work" && echo old >"$cache/$work/model.c" && echo old >"$cache/$work/model.so"
done
echo precious >"$cache/work.others/notes"
touch -d "2 days ago" "$cache"/*
touch "$cache/work.atwork" "$cache/00000000000000000000000000000222.so" "$cache/notes"
same "a full cache" "$short" --train --quiet
check "200 files stay" [ "$(ls "$cache" | grep -c "\.so$")" = 200 ]
check "those used last" [ -e "$cache/00000000000000000000000000000222.so" ]
check "no others are touched" [ -e "$cache/notes" ]
check "what a killed compiler left is gone" [ ! -e "$cache/work.killed" ]
check "one at work keeps its files" [ -e "$cache/work.atwork/model.c" ]
check "other files stay" [ -e "$cache/work.others/notes" ]
before=$(made)
same "found in a full cache" "$short" --train --quiet
check "the new one is among them" [ "$(made)" = "$before" ]

# ---- interrupted while the compiler runs ----
cat >"$out/slow" <<END
#!/bin/sh
[ "\$1" = --version ] && exec echo slow 1.0
echo \$\$ >"$out/slow.id"
sleep 60
END
chmod +x "$out/slow"
for signal in INT TERM HUP; do
    rm -rf "$cache" "$out/slow.id"
    CC="$out/slow" env --default-signal=$signal build/nnrun "$short" --train --jit >"$out/o" 2>"$out/e" &
    child=$!
    turns=0
    until [ -s "$out/slow.id" ] || [ $((turns += 1)) = 3000 ]; do sleep 0.02; done
    kill -s $signal $child
    wait $child 2>"$out/none"
    code=$?
    check "SIG$signal ends the program" [ $code -gt 128 ]
    check "SIG$signal: the compiler had begun" [ -s "$out/slow.id" ]
    check "SIG$signal ends the compiler" sh -c '! kill -0 "$(cat "$1")" 2>/dev/null' sh "$out/slow.id"
    check "SIG$signal leaves nothing in the cache" [ -z "$(ls "$cache")" ]
done

CC="cc -O1" same "a compiler with options" "$short" --train --quiet
if command -v clang >/dev/null; then
    CC=clang same "clang" "$short" --train --quiet
fi

echo "jit: $passed passed, $failed failed"
[ "$failed" = 0 ]
