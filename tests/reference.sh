#!/bin/sh
# The numbers of programs that are not this project (tests/reference/): the book's NumPy program and the article's
# Go program, replayed by nnrun.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0

check() { # check NAME COMMAND...: the command prints the worst difference and fails when it is too large
    name=$1
    shift
    if result=$("$@"); then
        passed=$((passed + 1))
        echo "ok $name: $result"
    else
        failed=$((failed + 1))
        echo "FAILED $name: $result"
    fi
}

# compare BOUND RELATIVE FILE FILE: the numbers of two files in turn; both must hold as many, and some
compare() {
    awk -v bound="$1" -v relative="$2" '
        FNR == NR { a[++n] = $1; next }
        { b = $1; m++
          d = a[m] - b; if (d < 0) d = -d
          if (relative && b != 0) d /= (b < 0 ? -b : b)
          if (d > worst) worst = d }
        END { printf "%d numbers, worst difference %g (bound %g)\n", m, worst, bound
              exit !(m > 0 && m == n && worst <= bound) }' "$3" "$4"
}
numbers() { tr -s ' ,' '\n\n' | grep -E '^-?[0-9.]+(e[-+]?[0-9]+)?$'; }

# ---- the book ----
book="build/nnrun models/twolayer.nn --train --quiet -D generator=numpy"
$book --log "$out/log.csv" >"$out/result" || failed=$((failed + 1))
awk -F, 'NR > 1 { print $3 }' "$out/log.csv" >"$out/loss"
awk -F, 'NR > 1 { print $2 }' tests/reference/book/loss_per_epoch.csv >"$out/book_loss"
check "the book's loss in each epoch" compare 1e-6 0 "$out/loss" "$out/book_loss"

# the last update's weights: those before an update that never comes, with one epoch more
trace() { # trace NAME UPDATE COMMAND...: the values of NAME before UPDATE
    value=$1 update=$2
    shift 2
    "$@" --trace "$value@$update" | awk -v head="update $update  $value" '
        index($0, head) == 1 { on = 1; next } /^(epoch|train|test|update)/ { on = 0 } on' | numbers
}
sed 's/epochs = 300/epochs = 301/' models/twolayer.nn >"$out/longer.nn"
longer="build/nnrun $out/longer.nn --train --quiet -D generator=numpy"
section() { # section NAME FILE: the numbers under that heading
    awk -v name="$1" '/^[A-Za-z]/ { on = $1 == name; next } on' "$2" | numbers
}
for pair in "h.W W1" "h.b b1" "score.W W2" "score.b b2"; do
    set -- $pair
    trace "$1" 1 $longer >"$out/ours"
    section "$2" tests/reference/book/weights_initial.txt >"$out/theirs"
    check "the book's initial $2, bit for bit" compare 0 0 "$out/ours" "$out/theirs"
    trace "$1" 3001 $longer >"$out/ours"
    section "$2" tests/reference/book/weights_final.txt >"$out/theirs"
    check "the book's final $2" compare 1e-9 1 "$out/ours" "$out/theirs"
done

# ---- the article ----
article="build/nnrun tests/reference/gorgonia/gorgonia.nn --train --quiet"
$article --log "$out/log.csv" >"$out/result" || failed=$((failed + 1))
awk -F, 'FNR == NR { if (FNR > 1) cost[$1 + 1] = $2; next } ($1 in cost) && FNR > 1 { print $3 }' \
    tests/reference/gorgonia/cost.csv "$out/log.csv" >"$out/ours"
awk -F, 'FNR > 1 { print $2 }' tests/reference/gorgonia/cost.csv >"$out/theirs"
check "the article's costs through update 10000" compare 1e-10 0 "$out/ours" "$out/theirs"
for weight in W1 b1 W2 b2; do
    # with a rate of 1 the first update takes away just the gradient
    trace $weight 1 $article -D rate=1 -D epochs=2 >"$out/before"
    trace $weight 2 $article -D rate=1 -D epochs=2 >"$out/after"
    paste "$out/before" "$out/after" | awk '{ printf "%.17g\n", $1 - $2 }' >"$out/ours"
    numbers <tests/reference/gorgonia/grad_loop0_$weight.csv >"$out/theirs"
    check "the article's first gradient of $weight" compare 1e-12 0 "$out/ours" "$out/theirs"
    trace $weight 1001 $article >"$out/ours"
    numbers <tests/reference/gorgonia/loop1000_$weight.csv >"$out/theirs"
    check "the article's $weight before update 1000" compare 1e-10 0 "$out/ours" "$out/theirs"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
