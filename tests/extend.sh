#!/bin/sh
# docs/architecture.md says that an element-wise operator is one row: this adds that row to a copy of the sources, builds
# it, and uses it in training, in prediction and in emitted C; a layer and a solver from the same page too.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
git ls-files --cached --others --exclude-standard compiler runtime tests models Makefile | tar -cf - -T - | tar -xf - -C "$out" || exit 1
row=$(sed -n 's/^    \(ELEMENTWISE(gaussian,.*\)$/\1/p' docs/architecture.md)
[ -n "$row" ] || { echo "docs/architecture.md has no row for gaussian"; exit 1; }
echo "$row" >>"$out/compiler/graph/elementwise.def"
sed -n '/^    layer swish/,/^    }/p; /^    solver rmsprop/,/^    }/p' docs/architecture.md | sed 's/^    //' >"$out/own.nn"
cat >"$out/model.nn" <<'N'
use "own.nn"
data train = spiral(classes = 3, points = 30)
model extended {
    input  x : f64[batch, 2]
    target t : class[batch] of 3
    score = gaussian(swish(dense(x, 8))) -> dense(3)
    output score
    loss entropy = cross_entropy(score, t)
}
train {
    solver = rmsprop(rate = 0.01)
    batch  = 30
    epochs = 20
    report = 1
}
N
make -C "$out" -s -j2 all build/tests/gradient_test || exit 1
"$out/build/tests/gradient_test" || exit 1
"$out/build/nnrun" "$out/model.nn" --train --quiet >"$out/interpreted" || exit 1
"$out/build/nnc" "$out/model.nn" -o "$out/model.c" && gcc -O2 "$out/model.c" -lm -o "$out/model" && "$out/model" >"$out/compiled" || exit 1
cmp "$out/interpreted" "$out/compiled" || exit 1
awk '{ loss[NR] = $4 } END { exit !(loss[20] < 0.9 * loss[1]) }' "$out/interpreted" || { echo "the loss did not fall"; cat "$out/interpreted"; exit 1; }
echo "1 passed, 0 failed"
