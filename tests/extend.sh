#!/bin/sh
# docs/architecture.md says that an element-wise operator is one row: this adds that row to a copy of the sources, builds
# it, and uses it in training and in emitted C, with the page's own layer, loss and solver; these also without it.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
git ls-files --cached --others --exclude-standard compiler runtime tests models Makefile | tar -cf - -T - | tar -xf - -C "$out" || exit 1
row=$(sed -n 's/^    \(ELEMENTWISE(gaussian,.*\)$/\1/p' docs/architecture.md)
[ -n "$row" ] || { echo "docs/architecture.md has no row for gaussian"; exit 1; }
echo "$row" >>"$out/compiler/graph/elementwise.def"
cut_out() { # cut_out FROM TO: lines of the page, without their four blanks
    sed -n "/^    $1/,/^    $2/p" docs/architecture.md | sed 's/^    //'
}
{ cut_out 'layer swish' '}' && cut_out 'layer focal' '}' && cut_out 'solver signum' '}'; } >"$out/own.nn"
cut_out 'use "own.nn"' '    report' >"$out/page.nn" && echo '}' >>"$out/page.nn"
sed 's/dense(x, 8)/gaussian(dense(x, 8))/' "$out/page.nn" >"$out/model.nn"
make -C "$out" -s -j2 all build/tests/gradient_test || exit 1
"$out/build/tests/gradient_test" || exit 1
for name in page model; do
    "$out/build/nnrun" "$out/$name.nn" --train --quiet >"$out/interpreted" || exit 1
    "$out/build/nnc" "$out/$name.nn" -o "$out/$name.c" && gcc -O2 "$out/$name.c" -lm -o "$out/$name" && "$out/$name" >"$out/compiled" || exit 1
    cmp "$out/interpreted" "$out/compiled" || exit 1
    awk '{ loss[NR] = $4 } END { exit !(loss[20] < 0.9 * loss[1]) }' "$out/interpreted" ||
        { echo "the loss of $name.nn did not fall"; cat "$out/interpreted"; exit 1; }
done
echo "1 passed, 0 failed"
