#!/bin/sh
# Both programs as a user meets them: what they print where, exit codes, files, pipes, broken disks and broken input.
cd "$(dirname "$0")/.." || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
nnrun=build/nnrun nnc=build/nnc model=models/twolayer.nn
sed 's/epochs = 300/epochs = 20/; /expect/d' $model >"$out/short.nn"

ok() {
    passed=$((passed + 1))
}
bad() {
    failed=$((failed + 1))
    echo "FAILED $*"
    head -n 8 "$out/o" "$out/e"
}
# expect STATUS OUT-PATTERN ERR-PATTERN COMMAND...: "-" for a pattern means that the stream is empty, "" anything
expect() {
    status=$1 wanted_out=$2 wanted_err=$3
    shift 3
    "$@" >"$out/o" 2>"$out/e" <"${input:-/dev/null}"
    code=$?
    [ $code = "$status" ] || { bad "status $code, expected $status: $*"; return; }
    for stream in o e; do
        wanted=$wanted_out
        [ $stream = e ] && wanted=$wanted_err
        case $wanted in
        "") ;;
        -) [ -s "$out/$stream" ] && { bad "$stream is not empty: $*"; return; } ;;
        *) grep -qe "$wanted" "$out/$stream" || { bad "no '$wanted' in $stream: $*"; return; } ;;
        esac
    done
    ok
}

# ---- help and usage ----
for program in $nnc $nnrun; do
    expect 0 "usage:" - $program --help
    expect 0 "usage:" - $program -h
    expect 0 "[0-9]" - $program --version
    expect 2 - "help" $program
    expect 2 - "no-such-option" $program --no-such-option $model
    expect 1 - "cannot read" $program "$out/missing.nn"
    expect 1 - "" $program "$out"
done
expect 2 - "stage" $nnc $model --emit=nothing
expect 2 - "" $nnc $model -D hidden
expect 2 - "no param of this name; did you mean .hidden" $nnc $model -D hiden=3
expect 2 - "no param of this name; did you mean .hidden" $nnrun $model -D hiden=3
expect 2 - "" $nnrun $model --seed many

# ---- a model at a glance ----
expect 0 "h.W : f64\[2, 10\]" "" $nnrun $model
expect 0 "h.W : f64\[2, 32\]" "" $nnrun $model -D hidden=32
expect 0 "10 updates an epoch" "" $nnrun $model --explain

# ---- training, saving, predicting ----
expect 0 "^test   entropy .* accuracy 0.9[5-9]" - $nnrun $model --train --quiet
cp "$out/o" "$out/once"
expect 0 "" - $nnrun $model --train --quiet
cmp -s "$out/o" "$out/once" && ok || bad "two runs with one seed differ"
expect 0 "" - $nnrun "$out/short.nn" --train --quiet --seed 7
cp "$out/o" "$out/seven"
expect 0 "" - $nnrun "$out/short.nn" --train --quiet --seed 8
cmp -s "$out/o" "$out/seven" && bad "the seed makes no difference" || ok
expect 0 "" "updates/s" $nnrun "$out/short.nn" --train --save "$out/w.safetensors" --log "$out/log.csv"
[ "$(wc -l <"$out/log.csv")" = 21 ] && ok || bad "the log has not a line for each epoch"
expect 0 "train  entropy" - $nnrun "$out/short.nn" --load "$out/w.safetensors" --evaluate --quiet
printf '0.3,-0.2\n0.1 , 0.4\n\n-0.5,0.5\n' >"$out/rows.csv"
expect 0 "probability" "" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict "$out/rows.csv"
[ "$(wc -l <"$out/o")" = 4 ] && ok || bad "three rows have not three answers and a heading"
cp "$out/o" "$out/three"
input="$out/rows.csv" expect 0 "" "" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict
cmp -s "$out/o" "$out/three" && ok || bad "standard input is answered otherwise than a file"
head -n 1 "$out/rows.csv" >"$out/one.csv"
expect 0 "" "" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict "$out/one.csv"
[ "$(sed -n 2p "$out/o")" = "$(sed -n 2p "$out/three")" ] && ok || bad "one row is answered otherwise than among three"
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%.3f,%.3f\n", (i % 200) / 100 - 1, (i % 77) / 50 }' >"$out/many.csv"
expect 0 "" "" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict "$out/many.csv"
[ "$(wc -l <"$out/o")" = 100001 ] && ok || bad "100000 rows have not 100000 answers"
echo 2, 2.5 >"$out/sum.csv"
input="$out/sum.csv" expect 0 "^4.5$" "" $nnrun models/add.nn --predict
expect 2 "" "'train' is taken as a model; did you mean '--train'?" $nnrun $model train
expect 2 "" "'train' is taken as a model; did you mean '--train'?" $nnrun train $model
expect 2 "" "a second model, 'models/add.nn': one at a time" $nnrun $model models/add.nn
expect 2 "" "'rows.csv' is taken as the model: name the model before '--predict FILE'" $nnrun --predict rows.csv $model
expect 1 "" "missing.csv: cannot be read" $nnrun "$out/short.nn" --train --predict "$out/missing.csv"
grep -q "epoch" "$out/e" && bad "rows that are not there are missed only after training" || ok
expect 0 "" "" $nnrun "$out/short.nn" --train --quiet --plot "$out/p.svg"
grep -q "</svg>" "$out/p.svg" && ok || bad "--plot made no picture"
expect 0 "update 10  h \[30, 10\]" "" $nnrun "$out/short.nn" --train --quiet --trace h@10
expect 2 - "did you mean 'score'" $nnrun "$out/short.nn" --train --quiet --trace scoer
expect 0 "epoch" "trace h: nothing is shown: this training makes the updates 1 to" $nnrun "$out/short.nn" --train --quiet --trace h@90000
expect 2 - "no value of this name; there are x, t, h, score, probability, entropy, accuracy, .*score.b" $nnrun "$out/short.nn" --train --quiet --trace elsewhere
expect 0 "" "" $nnrun "$out/short.nn" --train --quiet -D generator=numpy

# ---- wrong data ----
expect_predict() { # expect_predict TEXT ERR-PATTERN
    printf "$1" >"$out/wrong.csv"
    expect 1 "" "$2" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict "$out/wrong.csv"
}
expect_predict '1,2,3,4\n' "wrong.csv: found 4 columns, expected 2"
expect_predict '1,2\n3\n' "wrong.csv:2"
expect_predict '1,abc\n' "wrong.csv"
expect_predict '1,2\n3,x\n' "wrong.csv:2:3: error"
expect_predict '1,1e999\n' "wrong.csv:1:3: error"
expect_predict '1,nan\n' "wrong.csv:1:3: error"
expect_predict '' "wrong.csv"
expect 1 - "missing.csv" $nnrun "$out/short.nn" --load "$out/w.safetensors" --predict "$out/missing.csv"
expect 1 - "missing.safetensors" $nnrun "$out/short.nn" --load "$out/missing.safetensors" --evaluate
head -c 100 "$out/w.safetensors" >"$out/cut.safetensors"
expect 1 - "cut.safetensors" $nnrun "$out/short.nn" --load "$out/cut.safetensors" --evaluate
expect 1 - "w.csv: is not a file of weights (safetensors), as --save writes them, or was cut" $nnrun "$out/short.nn" --load tests/models/w.csv --evaluate
sed '/^data train/d' "$out/short.nn" >"$out/dataless.nn"
expect 1 - "has no data named 'train', such as: data train = csv(\"rows.csv\")" $nnrun "$out/dataless.nn" --train
sed '/^train/,$d' "$out/short.nn" >"$out/trainless.nn"
expect 1 - "trainless.nn has no train { ... }, such as: train { solver = adam(rate = 0.01) }" $nnrun "$out/trainless.nn" --train
echo 'train { solver = adam(rate = 0.01) }' >>"$out/trainless.nn"
expect 0 "^test" "" $nnrun "$out/trainless.nn" --train --quiet
printf '1,2,1\n3,4,2\n5,6,3\n' >"$out/from_1.csv"
sed 's/^data train.*/data train = csv("from_1.csv")/' "$out/short.nn" >"$out/from_1.nn"
expect 1 - "from_1.csv:3:5: error: found 3; .* holds classes 0 to 2, or as many names (if yours begin at 1, say 'of 4': class 0 has no rows then)" $nnrun "$out/from_1.nn" --train
sed 's/from_1/lost/' "$out/from_1.nn" >"$out/lost.nn"
printf 'x,y,t\n1,1,plum\n2,2,apple\n3,3,lemon\n4,4,aple\n' >"$out/from_1.csv"
expect 1 - "from_1.csv:5:5: error: found the name 'aple'; .* holds 3 names: plum, apple, lemon; did you mean 'apple'?" $nnrun "$out/from_1.nn" --train
expect 1 - "^      |     ^~~~$" $nnrun "$out/from_1.nn" --train
expect 1 - "from_1.csv.*.line.: 5, .column.: 5, .end_line.: 5, .end_column.: 9, " $nnc --json "$out/from_1.nn"
expect 1 - "lost.nn.*.line.: 7, .column.: 1, .*lost.csv: cannot be read" $nnrun --json "$out/lost.nn" --train
expect 1 - "lost.nn:7:1: error: .*lost.csv: cannot be read" $nnc "$out/lost.nn"
expect 1 - "h.W.*(.*short.nn:14): was it saved with other params (-D)?" $nnrun "$out/short.nn" -D hidden=11 --load "$out/w.safetensors" --evaluate

# ---- a file of data in the place of a model ----
for program in $nnc $nnrun; do
    expect 1 - "from_1.csv:1:1: error: this is not a model: no line of it is a statement" $program "$out/from_1.csv"
    [ "$(grep -c error "$out/e")" = 1 ] && ok || bad "more than one error for one wrong file"
    expect 1 - 'data train = csv("from_1.csv"): nnrun MODEL.nn --train' $program "$out/from_1.csv"
    expect 1 - "nnrun MODEL.nn --load w.safetensors" $program "$out/w.safetensors"
done
printf '\357\273\2771,2\n' >"$out/marked.csv"
expect 1 - "^    1 | 1,2$" $nnrun "$out/marked.csv"
cp "$out/from_1.csv" "$out/rows.nn"
expect 1 - "rows.nn:2:1: error: expected a statement before '1'" $nnrun "$out/rows.nn"

# ---- progress that a file of weights cannot have ----
sed 's/"goal":"20"/"goal":"99"/' "$out/w.safetensors" >"$out/goal.safetensors"
expect 0 "epoch 99 " - $nnrun "$out/short.nn" --load "$out/goal.safetensors" --train --quiet
for key in goal epochs epoch_updates; do
    for number in -1 1e3 " 5" "" 2147483649 99999999999999999999; do
        header=$(printf '{"__metadata__":{"%s":"%s"}}' $key "$number")
        printf "\\$(printf %o ${#header})\0\0\0\0\0\0\0%s" "$header" >"$out/goal.safetensors"
        [ $key = epoch_updates ] && [ "$number" = 2147483649 ] && continue
        expect 1 - "metadata has '$number' for '$key', expected a whole number from 0 to" $nnrun "$out/short.nn" --load "$out/goal.safetensors" --train
    done
done
sed 's/"model":"twolayer"/"model":""/; s/"epochs":"20"/"epochs":"2147483640"/' "$out/w.safetensors" >"$out/goal.safetensors"
expect 1 - "2147483640 epochs are done, and 20 more are beyond the limit of 2147483648" $nnrun "$out/short.nn" --load "$out/goal.safetensors" --train

# ---- classes by name ----
mkdir "$out/named"
cat >"$out/named/m.nn" <<'NN'
data train = csv("train.csv")
model m {
    input  a : f64[batch, 1]
    input  b : f64[batch, 1]
    target t : class[batch] of 3
    score = dense(a, 3) + dense(b, 3)
    output probability = softmax(score)
    loss cost = cross_entropy(score, t)
    metric accuracy = accuracy(score, t)
}
train { solver = sgd(rate = 0.5)
        epochs = 40 }
NN
named="$nnrun $out/named/m.nn" weights="$out/named/w.safetensors"
rows='0,3,red\n3,0,green\n-3,-3,"dark, blue"\n'
printf "a,b,t\n$rows" >"$out/named/train.csv"
expect 0 "3 rows of train.csv" - $named
expect 0 "0 red, 1 green, 2 dark, blue" - $named
expect 0 "accuracy 1" - $named --train --quiet --save "$weights"
printf 'a,b,t\n-3,-3,"dark, blue"\n3,0,green\n0,3,red\n' >"$out/named/train.csv"
expect 0 "accuracy 1" - $named --load "$weights" --evaluate
expect 0 "0 red, 1 green, 2 dark, blue" - $named --load "$weights"
expect 0 "accuracy 1" - $named --load "$weights" --train --quiet --save "$weights"
printf 'a,b\n0,3\n' >"$out/named/rows.csv"
expect 0 '^probability\[red\],probability\[green\],"probability\[dark, blue\]"' - $named --load "$weights" --predict "$out/named/rows.csv"
cp "$out/o" "$out/named/answer"
# An argmax of as many as there are classes answers with the name; another with a number.
sed 's/^    output.*/    output kind = argmax(score)\n    output side = argmax(concat([a, b], axis = 1))/' "$out/named/m.nn" >"$out/named/chosen.nn"
printf '0,3\n-3,-3\n' >"$out/named/chosen.csv"
expect 0 "^kind,side" - $nnrun "$out/named/chosen.nn" --load "$weights" --predict "$out/named/chosen.csv"
printf 'kind,side\nred,1\n"dark, blue",0\n' | cmp -s - "$out/o" && ok || bad "the names of classes as answers: $(cat "$out/o")"
expect 0 '^"probability\[dark, blue\]",probability\[green\],probability\[red\]' "untrained" $named --predict "$out/named/rows.csv"
printf 'b,a\n3,0\n' >"$out/named/rows.csv"
expect 0 "" - $named --load "$weights" --predict "$out/named/rows.csv"
cmp -s "$out/o" "$out/named/answer" && ok || bad "a header in another order is answered otherwise"
# A column of several cells has the names of the header that it learnt from.
cat >"$out/named/wide.nn" <<'NN'
data train = csv("wide.csv")
data test = csv("other.csv")
model wide {
    input  size : f64[batch, 2]
    input  deep : f64[batch]
    target t : class[batch] of 2
    score = dense(size, 2) + unsqueeze(deep, 1)
    output long = size[:, 0]
    output depth = deep
    loss cost = cross_entropy(score, t)
    metric broad = mean(size[:, 1])
}
train { solver = sgd(rate = 0.5) }
NN
printf 'l,w,d,kind\n1,2,3,red\n1,2,3,green\n' >"$out/named/wide.csv"
printf 'kind,d,w,l\nred,3,2,1\n' >"$out/named/other.csv"
wide="$nnrun $out/named/wide.nn" widened="$out/named/wide.safetensors"
expect 0 "^test .*broad 2$" - $wide --train --quiet --save "$widened"
wide_rows() { # wide_rows STATUS OUT-PATTERN ERR-PATTERN ROWS
    printf "$4" >"$out/named/rows.csv"
    expect "$1" "$2" "$3" $wide --load "$widened" --predict "$out/named/rows.csv"
}
wide_rows 0 "^1,3$" - 'w,d,l\n2,3,1\n'
wide_rows 0 "^1,3$" - 'deep,w,l\n3,2,1\n'
wide_rows 0 "^1,3$" "rows.csv:1:1: warning: found 'long' where the data that was learnt from has 'l': columns are taken as they stand" 'long,width,depth\n1,2,3\n'
wide_rows 0 "^1,3$" - '1,2,3\n'
wide_rows 1 - "found 'd' as column 1 of the header, expected it as column 3, or 'l' once in the header" 'd,w,length\n3,2,1\n'
wide_rows 1 - "found 'w' as column 1 of the header, expected it as column 2, or 'l' once in the header" 'w,d,d\n2,3,1\n'
sed 's/"columns.size":"l\\nw"/"columns.size":"l\\nl"/' "$widened" >"$out/named/twice.safetensors"
expect 1 - "'columns.size' is 'l.l', expected 2 different names, one a line" $wide --load "$out/named/twice.safetensors"
# Of more columns, those are read that the header names; the others may hold anything.
wide_rows 0 "^1,3$" - 'id,w,who,l,d\n7,2,"a, b",1,3\n'
wide_rows 0 "^1,3$" - 'id,w,who,l,d\n7,2,,1,3\nx,2,9,1,3\n'
wide_rows 0 "^1,3$" - 'kind,l,w,d\npuce,1,2,3\n'
wide_rows 1 - "rows.csv: found 5 columns, expected 3: size takes 2 (.*), deep takes 1 (.*); of more columns those are read that the header names, and 'l' is not there once$" 'l,l,who,w,d\n1,1,a,2,3\n'
wide_rows 1 - "rows.csv: found 5 columns, expected 3: size takes 2 .*; cut the others off, or declare an input for each" '1,2,3,red,9\n'
wide_rows 1 - "rows.csv: found 2 columns, expected 3: size takes 2 (.*), deep takes 1 (.*)$" '1,2\n'
wide_rows 1 '^long,depth$' "rows.csv:2:3: error: found an empty cell in column 'l', expected a number" 'w,l,who,kind,d\n2,,a,red,3\n'
# Targets behind the inputs are passed over, whatever they hold.
wide_rows 0 "^1,3$" "rows.csv: found 4 columns where the inputs take 3: the last is taken for the target, and passed over$" '1,2,3,red\n'
wide_rows 0 "^1,3$" "passed over" '1,2,3,\n'
wide_rows 1 - "found 'w' as column 1 of the header, expected it as column 2, or 'l' once" 'w,length,d,what\n2,1,3,red\n'
cat >"$out/named/few.nn" <<'NN'
data train = csv("many.csv")
model few {
    input  age  : f64[batch]
    input  fare : f64[batch]
    target kind : class[batch] of 2
    score = unsqueeze(age + fare, 1) -> dense(2)
    loss cost = cross_entropy(score, kind)
    metric young = mean(age)
    metric poor = mean(fare)
}
train { solver = sgd(rate = 0.1) }
NN
printf 'id,fare,name,kind,age\n1,2,"Braund, O",red,20\n2,4,,green,40\n' >"$out/named/many.csv"
expect 0 "^train .*young 30  poor 3$" - $nnrun "$out/named/few.nn" --train --quiet
expect 0 "0 red, 1 green" - $nnrun "$out/named/few.nn"
printf 'id,fare,name,kind\n1,2,a,red\n' >"$out/named/many.csv"
expect 1 - "few.nn:1:1: error: .*many.csv: found 4 columns, expected 3: .*; of more columns those are read that the header names, and 'age' is not there$" $nnrun "$out/named/few.nn" --train
printf 'id,fare,name,kind,Age\n1,2,a,red,9\n' >"$out/named/many.csv"
expect 1 - "and 'age' is not there (did you mean 'Age'?)" $nnrun "$out/named/few.nn" --train
printf 'age,id,kind\n1,2,red\n2,3,green\n' >"$out/named/many.csv"
expect 0 "^train" "many.csv:1:5: warning: found 'id' where the model has 'fare': columns are taken as they stand" $nnrun "$out/named/few.nn" --train --quiet
printf 'Age,FARE,kind\n1,2,red\n2,3,green\n' >"$out/named/many.csv"
expect 0 "^train" - $nnrun "$out/named/few.nn" --train --quiet
printf 'Fare,Age,Kind\n1,2,red\n2,3,green\n' >"$out/named/many.csv"
expect 0 "^train" "found 'Fare' where the model has 'age'" $nnrun "$out/named/few.nn" --train --quiet
sed 's/class.batch. of 2/f64[batch, 2]/' "$out/named/few.nn" >"$out/named/hot.nn"
printf 'id,no,kind,fare,age\n1,7,red,2,20\n2,8,green,4,40\n' >"$out/named/many.csv"
expect 0 "^train .*young 30  poor 3$" - $nnrun "$out/named/hot.nn" --train --quiet
expect 2 - "a second model, 'w.st': one at a time; weights follow --load, rows --predict" $nnrun $model w.st --evaluate
printf '1,2,a,red\n' >"$out/named/many.csv"
expect 1 - "few.nn:1:1: error: .*many.csv: found 4 columns, expected 3: .*; cut the others off" $nnrun "$out/named/few.nn" --train
# Rows that are sorted by class, divided and shuffled: each row is in one part, in the same one whatever the seed.
awk 'BEGIN { for (i = 0; i < 60; i++) print i / 60 "," (i < 20 ? "red" : i < 40 ? "green" : "blue") }' >"$out/named/sorted.csv"
cat >"$out/named/sorted.nn" <<'NN'
param mixed = true
data train = csv("sorted.csv", first = 40, shuffle = mixed)
data test  = csv("sorted.csv", skip = 40, shuffle = mixed)
model sorted {
    input  x : f64[batch, 1]
    target t : class[batch] of 3
    score = dense(x, 3)
    loss cost = cross_entropy(score, t)
    metric place = sum(x)
    metric reds = sum(t == 0)
    metric blues = sum(t == 2)
}
train { solver = sgd(rate = 0.1) }
NN
sorted="$nnrun $out/named/sorted.nn"
expect 0 "train : 40 rows of sorted.csv, shuffled$" - $sorted
expect 0 "^test " - $sorted --train --quiet
awk '/^train / { for (i = 2; i < NF; i += 2) train[$i] = $(i + 1) }
     /^test / { for (i = 2; i < NF; i += 2) test[$i] = $(i + 1) }
     END { exit !(test["reds"] >= 2 && test["blues"] >= 2 && train["reds"] + test["reds"] == 20 && train["blues"] + test["blues"] == 20 &&
                  (train["place"] + test["place"] - 29.5) ^ 2 < 1e-6) }' "$out/o" && ok || bad "shuffled rows are not divided"
sed 's/cost [^ ]*//' "$out/o" | grep "^t" >"$out/named/first"
expect 0 "^test " - $sorted --train --quiet --seed 7
sed 's/cost [^ ]*//' "$out/o" | grep "^t" | cmp -s - "$out/named/first" && ok || bad "the seed moves rows from one part to the other"
expect 1 - "sorted.csv:41:[0-9]*: error: found 'blue', expected one of 'red', 'green', the classes of its rows that were learnt from; if they are sorted, 'shuffle = true'" $sorted --train -D mixed=false
sed -i '/^data test/d' "$out/named/sorted.nn"
expect 0 "" "sorted.nn:2:1: note: if the file's rows are sorted, 'shuffle = true' mixes them" $sorted --train --quiet -D mixed=false
sed -i 's/first = 40/skip = 50, first = 11/' "$out/named/sorted.nn"
expect 1 - "sorted.nn:2:1: error: .*sorted.csv: has 60 rows, expected 61 (skip = 50)" $sorted --train

# Very many names take no time that grows with their square.
sed 's/wide.csv/many.csv/; /data test/d; s/batch, 2\]/batch, 60000]/' "$out/named/wide.nn" >"$out/named/many.nn"
awk 'BEGIN { for (i = 0; i < 60000; i++) { head = head "c" i ","; row = row "0," }
             print head "d,kind"; print row "3,red"; print row "3,green" }' >"$out/named/many.csv"
many="timeout 10 $nnrun $out/named/many.nn --train --quiet"
expect 0 "^train " - $many --save "$out/named/many.safetensors"
expect 0 "^train " - $many --load "$out/named/many.safetensors"
printf 'kind,d,w,length\nred,3,2,1\n' >"$out/named/other.csv"
expect 1 - "other.csv:1:8: error: found 'w' as column 3 of the header, expected it as column 2" $wide --train
printf 't,b,a\nred,3,0\ngreen,0,3\n' >"$out/named/train.csv"
expect 0 "accuracy 1" - $named --load "$weights" --evaluate
printf 'b,a,colour\n3,0,red\n' >"$out/named/train.csv"
expect 1 - "train.csv:1:3: error: found 'a' as column 2" $named --load "$weights" --evaluate
printf '0,3,pink\n' >"$out/named/train.csv"
expect 1 - "'pink', expected one of 'red', 'green', 'dark, blue', the classes of .*w.safetensors.*m.nn:1" $named --load "$weights" --evaluate
printf '0,3,1\n' >"$out/named/train.csv"
expect 1 - "'1', expected one of 'red'" $named --load "$weights" --evaluate
printf 'a,b,t\n' >"$out/named/train.csv"
for action in --train --evaluate; do
    expect 1 - "m.nn:1:1: error: .*train.csv: has a header but no rows" $named $action
done
expect 1 - "has a header but no rows" $nnc "$out/named/m.nn" -o "$out/named/m.c"
rm "$out/named/train.csv"
expect 1 - "relative to the model" $named --train
expect 0 "rows of train.csv" - $named

cat >"$out/named/hot.nn" <<'NN'
data train = csv("train.csv")
data test = csv("test.csv")
model hot {
    input  x : f64[batch, 2]
    target t : f64[batch, 3]
    score = dense(x, 3)
    output probability = softmax(score)
    loss cost = cross_entropy(score, t)
    metric accuracy = accuracy(score, t)
}
train { solver = sgd(rate = 0.5)
        epochs = 40 }
NN
named="$nnrun $out/named/hot.nn"
printf 't,u,v\nred,0,3\ngreen,3,0\nblue,-3,-3\n' >"$out/named/train.csv"
printf 'u,v,t\n3,0,green\n-3,-3,blue\n' >"$out/named/test.csv"
expect 0 "^test .*accuracy 1" - $named --train --quiet --save "$weights"
input="$out/rows.csv" expect 0 "^probability\[red\],probability\[green\],probability\[blue\]$" - $named --load "$weights" --predict
sed 's/\<t\>/kind/' "$out/named/hot.nn" >"$out/named/renamed.nn"
expect 0 "" "'classes.t' names the classes of no column" $nnrun "$out/named/renamed.nn" --load "$weights"
printf 'u,v,t\n' >"$out/named/test.csv"
expect 1 "" "hot.nn:2:1: error: .*test.csv: has a header but no rows" $named --train --quiet

# ---- labels of ctc that cannot be ----
cat >"$out/ctc.nn" <<'NN'
model m {
    input x : f64[batch, 4, 3]
    input t : int[batch, 2]
    input n : int[batch]
    input s : int[batch]
    output y = ctc(x, t, n, steps = s)
}
NN
for row in 1,2,2,4:0.9281 1,9,1,4:4.7798 0,0,0,4:9.63 1,1,2,3:2.6 1,1,2,2:inf 1,3,2,4:inf -1,1,1,4:inf 0,1,2,4:inf 1,2,3,4:inf 1,2,-1,4:inf 1,2,2,5:inf 1,2,0,0:inf; do
    echo "1,2,3,4,5,6,7,8,9,0,1,2,${row%:*}" >"$out/ctc.csv"
    expect 0 "^${row#*:}" - $nnrun "$out/ctc.nn" --predict "$out/ctc.csv"
done

# ---- training that fails ----
sed 's/rate = 1.0/rate = 1e308/; /expect/d' $model >"$out/wild.nn"
cp "$out/w.safetensors" "$out/kept.safetensors"
expect 1 "" "not finite\|infinity\|NaN\|inf" $nnrun "$out/wild.nn" --train --quiet --save "$out/kept.safetensors"
cmp -s "$out/w.safetensors" "$out/kept.safetensors" && ok || bad "a failed training overwrote older weights"
sed 's/accuracy > 0.95/accuracy > 0.999/' $model >"$out/proud.nn"
expect 1 "" "0.999" $nnrun "$out/proud.nn" --train --quiet

# ---- another solver takes nothing of the one before ----
cat >"$out/solver.nn" <<'MODEL'
data train = spiral(classes = 3, points = 50)
model solver_of {
    input  x : f64[batch, 2]
    target t : class[batch] of 3
    score = x -> batch_norm -> dense(3)
    output p = softmax(score)
    loss   l = cross_entropy(score, t)
}
train {
    solver = momentum(rate = 0.1)
    epochs = 5
    batch  = 10
}
MODEL
sed 's/momentum/adam/' "$out/solver.nn" >"$out/another.nn"
expect 0 "^train" - $nnrun "$out/solver.nn" --train --quiet --save "$out/solver.st"
expect 0 "^train" - $nnrun "$out/solver.nn" --load "$out/solver.st" --train --quiet
grep -q "^epoch 10 " "$out/o" && ok || bad "the same solver goes on"
expect 0 "^epoch 5 " "does not hold what this solver keeps: it starts afresh" $nnrun "$out/another.nn" --load "$out/solver.st" --train --quiet --save "$out/another.st"
expect 0 "^epoch 5 " "does not hold what this solver keeps: it starts afresh" $nnrun "$out/solver.nn" --load "$out/another.st" --train --quiet
# Running means do not mix the rows of a prediction: each is answered as it comes.
mkfifo "$out/pipe"
{ echo 1,2; sleep 20; } >"$out/pipe" &
writer=$!
timeout 10 $nnrun "$out/solver.nn" --load "$out/solver.st" --predict <"$out/pipe" 2>/dev/null | sed -n 2q
[ $? -eq 0 ] && kill -0 $writer 2>/dev/null && ok || bad "a row was not answered before the next"
kill $writer 2>/dev/null

# ---- the header names the classes of inputs and targets ----
printf '1,eco,ok\n2,full,worn\n' >"$out/pump.csv"
cat >"$out/pump.nn" <<'MODEL'
data train = csv("pump.csv")
model pump {
    input  x    : f64[batch, 1]
    input  mode : class[batch] of 2
    target t    : class[batch] of 2
    score = dense(concat([x, one_hot(mode, 2)], axis = 1), 2)
    output p = softmax(score)
    loss   l = cross_entropy(score, t)
}
MODEL
expect 0 "mode (input): n x 1 numbers, each from 0 to 1: eco, full$" - $nnc "$out/pump.nn" --header
expect 0 "t (target): n x 1 numbers, each from 0 to 1: ok, worn$" - $nnc "$out/pump.nn" --header

# ---- what is written and said ----
expect 2 "" "--save needs a value" $nnrun $model --train --save --quiet
expect 2 "" "is named twice as a file to write" $nnrun $model --train --save "$out/both" --plot "$out/both"
expect 0 "^train" - $nnrun "$out/solver.nn" --json --train
{ cat "$out/solver.nn"; echo 'data test = spiral(classes = 3, points = 9)'; } | sed 's/^    epochs/    stop = patience(l, 3)\n&/' >"$out/stopping.nn"
expect 0 "stop: after 3 epochs without a lower l on the rows for testing" - $nnrun "$out/stopping.nn" --explain

expect 2 - "unknown option '--epochs=3'; a param of the file is set by -D NAME=VALUE" $nnrun $model --epochs=3
# One array of JSON, whatever is said when.
printf "1,2,0\n" >"$out/three.csv"
expect 0 "probability" "untrained" $nnrun "$out/short.nn" --json --predict "$out/three.csv"
[ "$(grep -c '^\[' "$out/e")" = 1 ] && grep -q "passed over" "$out/e" && ok || bad "--json is not one array"
# Weights where a model or rows are expected.
cp "$out/w.safetensors" "$out/w.st"
expect 1 - "weights belong to a model: nnrun MODEL.nn --load w.st" $nnrun "$out/w.st" --predict
expect 1 - "w.st: holds weights (safetensors), expected rows; weights are read by --load" $nnrun "$out/short.nn" --load "$out/w.st" --predict "$out/w.st"

# ---- what works and is not what was meant ----
sed 's/rate = 1.0/rate = 900/; /expect/d; s/epochs = 300/epochs = 2/' $model >"$out/growing.nn"
expect 0 "^test" "growing.nn:23:25: warning: the loss grew, from 1.1.* in the first update to .* in the last epoch: .* too high (it is 900)" $nnrun "$out/growing.nn" --train --quiet
awk 'BEGIN { for (i = 0; i < 30; i++) print i / 30 "," 40000 + 1000 * i }' >"$out/prices.csv"
cat >"$out/prices.nn" <<'MODEL'
data train = csv("prices.csv")
model prices {
    input  x : f64[batch, 1]
    target t : f64[batch, 1]
    loss   l = mse(tanh(dense(x, 8)) -> dense(1), t)
}
train {
    solver = sgd(rate = 0.5)
    epochs = 20
}
MODEL
expect 0 "^train" "note: numbers far from 1 are hard to learn: 't' reaches 69000; divide it in the loss, as in 't / 100000', and multiply the output by as much" $nnrun "$out/prices.nn" --train --quiet
sed 's/epochs = 20/epochs = 2000/' "$out/prices.nn" >"$out/high.nn"
expect 1 "" "note: numbers far from 1 are hard to learn: 't' reaches 69000" $nnrun "$out/high.nn" --train --quiet
sed 's/sgd(rate = 0.5)/adam(rate = 0.01)/' "$out/prices.nn" >"$out/far.nn"
expect 0 "^train" "far.nn:5:5: warning: the loss stays high: [0-9.]*e+09 in the first update, [0-9.]*e+09 in the last epoch" $nnrun "$out/far.nn" --train --quiet
expect 0 "^train" "far.nn:4:5: note: numbers far from 1 are hard to learn: 't' reaches 69000" $nnrun "$out/far.nn" --train --quiet
sed 's/(1), t)/(1), t \/ 100000)/' "$out/far.nn" >"$out/near.nn"
expect 0 "^train" - $nnrun "$out/near.nn" --train --quiet
sed 's/rate = 1.0/rate = -1/; /expect/d; s/epochs = 300/epochs = 1/' $model >"$out/climbing.nn"
expect 0 "^test" "climbing.nn:23.* warning: the rate is negative: every update makes the loss larger" $nnrun "$out/climbing.nn" --train --quiet
printf 'x,y,t\n1,1,plum\n2,2,apple\n' >"$out/few.csv"
sed 's/^data train.*/data train = csv("few.csv")/; s/of 3/of 5/; s/dense(h, 3/dense(h, 5/; s/batch  = 30/batch = all/; /^data test/d' "$out/short.nn" >"$out/few.nn"
expect 0 "^train" "few.nn:11:5: warning: 't' has 5 classes, and there are names of 2: plum, apple$" $nnrun "$out/few.nn" --train --quiet
printf '1,1,0\n2,2,3\n' >"$out/few.csv"
expect 0 "^train" "few.nn:11:5: warning: 't' has 5 classes, 0 to 4, and the highest in data train is 3$" $nnrun "$out/few.nn" --train --quiet
printf '1,1,4\n2,2,3\n' >"$out/few.csv"
expect 0 "^train" - $nnrun "$out/few.nn" --train --quiet
sed 's/batch  = 30/batch  = 301/' "$out/short.nn" >"$out/broad.nn"
expect 0 "^test" "broad.nn:24.* warning: batch is 301, and data train has 300 rows: an update takes all of them" $nnrun "$out/broad.nn" --train --quiet
expect 0 "" "warning: the weights of .* are untrained: add --train, or --load FILE" $nnrun "$out/short.nn" --save "$out/first.safetensors"
expect 0 "" - $nnrun "$out/short.nn" --load "$out/w.safetensors" --save "$out/first.safetensors"

# ---- models that bear the name of a function or a word of C or C++ ----
for name in fmax asin fopen putchar memmove bitor; do
    sed "s/^model twolayer/model $name/" $model >"$out/named.nn"
    $nnc "$out/named.nn" -o "$out/named.c" && ${CC:-cc} -std=c99 -fsyntax-only "$out/named.c" 2>"$out/e" && ok || bad "a model named $name"
done

# ---- a machine that fails ----
if [ -w /dev/full ]; then
    $nnrun "$out/short.nn" --train --quiet >/dev/full 2>"$out/e"
    [ $? = 3 ] && [ -s "$out/e" ] && ok || bad "a full disk is not reported by nnrun"
    $nnc $model >/dev/full 2>"$out/e"
    [ $? = 3 ] && [ -s "$out/e" ] && ok || bad "a full disk is not reported by nnc"
    expect 3 - "cannot write '/dev/full': No space" $nnrun "$out/short.nn" --train --quiet --log /dev/full
fi
mkdir "$out/limited"
for command in "$nnrun $out/short.nn --train --quiet -D hidden=400 --save" "$nnc $model -o"; do
    (ulimit -f 1 && exec $command "$out/limited/file") >/dev/null 2>"$out/e"
    code=$?
    [ $code = 3 ] && [ -z "$(ls -A "$out/limited")" ] && ok || bad "a limit of a file's size: status $code, $command"
done
# A log without room: before the first epoch nothing begins, and later the weights are saved all the same.
(ulimit -f 0 && exec $nnrun "$out/short.nn" --train --quiet --log "$out/limited/log.csv") >"$out/o" 2>"$out/e"
[ $? = 3 ] && [ ! -s "$out/o" ] && [ -z "$(ls -A "$out/limited")" ] && ok || bad "a log without room"
sed '/expect/d' $model >"$out/logged.nn"
(ulimit -f 8 && exec $nnrun "$out/logged.nn" --train --quiet --log "$out/limited/log.csv" --save "$out/limited/w") >"$out/o" 2>"$out/e"
[ $? = 3 ] && grep -q "log.csv: cannot be written to its end" "$out/e" && [ -s "$out/limited/w" ] && grep -q "^epoch 300" "$out/o" && ok ||
    bad "a log that becomes too long"
expect 3 "" "it is a directory" $nnrun "$out/short.nn" --train --quiet --save "$out"
expect 3 "" "no-such-folder" $nnrun "$out/short.nn" --train --quiet --save "$out/no-such-folder/w.safetensors"
expect 3 - "no-such-folder" $nnc $model -o "$out/no-such-folder/t.c"

# What may not be read or written, to one who is not root.
plain=
[ "$(id -u)" = 0 ] && plain="setpriv --reuid=65534 --regid=65534 --clear-groups"
if [ "$(id -u)" != 0 ] || command -v setpriv >/dev/null; then
    closed=$out/closed
    mkdir "$closed" && cp $nnrun $nnc "$out/short.nn" "$out/rows.csv" "$closed" && cp "$out/short.nn" "$closed/secret.nn"
    : >"$closed/secret" && : >"$closed/old"
    chmod 000 "$closed/secret" "$closed/secret.nn" && chmod 444 "$closed/old" && chmod 555 "$closed" && chmod 755 "$out"
    for file in new old no/new; do
        for option in --save --plot --log; do
            expect 3 - "cannot write '$closed/$file': \(Permission denied\|No such file\)" $plain "$closed/nnrun" "$closed/short.nn" --train --quiet $option "$closed/$file"
        done
        expect 3 - "$closed/$file" $plain "$closed/nnc" "$closed/short.nn" -o "$closed/$file"
    done
    expect 1 - "cannot read '$closed/secret.nn': Permission denied" $plain "$closed/nnrun" "$closed/secret.nn"
    expect 1 - "cannot read '$closed/secret.nn': Permission denied" $plain "$closed/nnc" "$closed/secret.nn"
    expect 1 - "$closed/secret: cannot be read: Permission denied" $plain "$closed/nnrun" "$closed/short.nn" --load "$closed/secret" --evaluate
    expect 1 "" "$closed/secret: cannot be read: Permission denied" $plain "$closed/nnrun" "$closed/short.nn" --predict "$closed/secret"
    expect 0 "^test" - $plain env HOME=/nonexistent XDG_CACHE_HOME= TMPDIR="$closed" "$closed/nnrun" "$closed/short.nn" --train --quiet --jit
    chmod 755 "$closed"
fi

# ---- nothing that is read is written over ----
cp "$out/short.nn" "$out/precious.nn"
expect 2 - "overwritten" $nnc "$out/precious.nn" -o "$out/precious.nn"
for option in --save --plot --log; do
    expect 2 - "overwritten" $nnrun "$out/precious.nn" --train --quiet $option "$out/precious.nn"
done
cmp -s "$out/short.nn" "$out/precious.nn" && ok || bad "a model was overwritten"

# ---- interrupted ----
sed 's/epochs = 300/epochs = 3000000\n report = 10/; /expect/d' $model >"$out/long.nn"
# Waits until a training has shown more than so many epochs: a minute at most, should it have ended.
wait_for_epochs() {
    turns=0
    while [ "$(grep -c ^epoch "$out/o")" -le "$1" ] && [ $((turns += 1)) -lt 3000 ]; do sleep 0.02; done
}
for signal in INT:130 TERM:143 HUP:129; do
    rm -f "$out/i.safetensors"
    : >"$out/o"
    env --default-signal=${signal%:*} $nnrun "$out/long.nn" --train --quiet --save "$out/i.safetensors" >"$out/o" 2>"$out/e" &
    child=$!
    wait_for_epochs 0
    kill -s ${signal%:*} $child
    wait $child 2>"$out/none"
    code=$?
    [ $code = ${signal#*:} ] && [ -s "$out/i.safetensors" ] && ok || bad "a training interrupted by SIG${signal%:*}: status $code"
done
expect 0 "train  entropy" "" $nnrun "$out/long.nn" --load "$out/i.safetensors" --evaluate
# What nohup keeps away does not end it: it goes on to later epochs, until something else ends it.
: >"$out/o"
(trap "" HUP && exec $nnrun "$out/long.nn" --train --quiet) >"$out/o" 2>"$out/e" &
child=$!
wait_for_epochs 0
kill -s HUP $child
wait_for_epochs $(($(grep -c ^epoch "$out/o") + 1))
kill -s TERM $child 2>"$out/none"
wait $child 2>"$out/none"
code=$?
[ $code = 143 ] && ok || bad "a training under nohup is interrupted by SIGHUP: status $code"

# ---- the emitted library ----
$nnc $model -o "$out/twolayer.c" && $nnc $model --header -o "$out/twolayer.h" || bad "nnc"
# A header says what its C file says, of a state whose size hangs on the rows of a file too.
for file in $model models/iris.nn models/digits.nn tests/models/full_batch.nn tests/models/kept*.nn README.own; do
    if [ "$file" = README.own ]; then
        file="$out/README.own.nn"
        sed 's|"models/data|"'"$PWD"'/models/data|' >"$file" <<'NN'
data train = csv("models/data/iris.csv")
model own {
    input  x : f64[batch, 4]
    target t : class[batch] of 3
    score = dense(x, 8) -> batch_norm() -> relu() -> dense(3)
    output score
    loss entropy = cross_entropy(score, t)
}
train {
    solver = adam(rate = 0.01)
    batch  = 20
    epochs = 1
}
NN
    fi
    [ -e "$file" ] || continue
    $nnc "$file" -o "$out/both.c" 2>/dev/null && $nnc "$file" --header -o "$out/both.h" 2>/dev/null || bad "nnc $file"
    for end in c h; do sed -n '/^#include <stddef.h>/,/^#ifdef __cplusplus\n}/p' "$out/both.$end" | sed '/^[a-z]* \*.*_weight(/q' >"$out/both.$end.text"; done
    grep -q "^typedef struct" "$out/both.h.text" && cmp -s "$out/both.c.text" "$out/both.h.text" && ok || bad "$file: the header says other things than the C file"
done
cat >"$out/user.c" <<'C'
#include "twolayer.h"
#include <stdio.h>
#include <string.h>
static twolayer a, b;
int main(void) {
    const double x[] = {0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8};
    const int32_t t[] = {0, 1, 2, 1};
    double p[12], q[3], metrics[1];
    size_t count;
    twolayer_init(&a, 5);
    for (int i = 0; i < 200; i++)
        twolayer_train(&a, 4, x, t);
    double *w = twolayer_weight(&a, "h.W", &count);
    if (!w || count != 20 || twolayer_weight(&a, "h.w", &count) || count != 0 ||
        twolayer_weight(&a, "h.W", NULL) != w || twolayer_weight(&a, "h.w", NULL))
        return 1;
    twolayer_init(&b, 6); /* another state: set from the first by name */
    static const char *const names[] = {"h.W", "h.b", "score.W", "score.b"};
    for (int i = 0; i < 4; i++) {
        const double *from = twolayer_weight(&a, names[i], &count);
        memcpy(twolayer_weight(&b, names[i], &count), from, count * sizeof *from);
    }
    twolayer_predict(&a, 4, x, p);
    for (int i = 0; i < 4; i++) { /* one row alone is answered as among four */
        twolayer_predict(&b, 1, x + 2 * i, q);
        if (memcmp(q, p + 3 * i, sizeof q) != 0)
            return 2;
    }
    static twolayer before; /* no class, or no row: nothing is done */
    const int32_t none[][4] = {{0, 1, 3, 1}, {-1, 1, 2, 1}};
    memcpy(&before, &a, sizeof a);
    metrics[0] = 7;
    const double empty = twolayer_train(&a, 0, x, t);
    if (empty == empty || memcmp(&before, &a, sizeof a) != 0)
        return 3;
    for (int i = 0; i < 2; i++) {
        double wrong = twolayer_train(&a, 4, x, none[i]), unknown = twolayer_evaluate(&a, 4, x, none[i], metrics);
        if (wrong == wrong || unknown == unknown || metrics[0] < 7 || memcmp(&before, &a, sizeof a) != 0)
            return 3;
    }
    double loss = twolayer_evaluate(&b, 4, x, t, metrics);
    printf("%.3f %.2f\n", loss, metrics[0]);
    return !(loss > 0 && loss < 1.2);
}
C
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    flags="-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
    $cc $flags -O2 -DNN_NO_MAIN -c "$out/twolayer.c" -o "$out/twolayer.o" 2>"$out/e" &&
        $cc $flags -O2 -I"$out" "$out/user.c" "$out/twolayer.o" -lm -o "$out/user" 2>"$out/e" && "$out/user" >"$out/o" && ok ||
        bad "the emitted library with $cc"
    # no allocation, no input or output, no globals that change
    nm "$out/twolayer.o" | grep -E ' [bBdDcC] | U (malloc|calloc|realloc|free|printf|fopen|fwrite|puts)' >"$out/o" &&
        bad "the library of $cc needs more than it should" || ok
done

# Trained weights in the C file: the same answers, and the solver's states and count go on.
expect 0 "" - $nnrun models/iris.nn --train --quiet --save "$out/iris.safetensors"
expect 0 "" "" $nnc models/iris.nn --load "$out/iris.safetensors" -o "$out/iris.c"
expect 0 "" "" $nnc models/iris.nn --header -o "$out/iris.h"
grep -q "0 to 2: setosa, versicolor, virginica" "$out/iris.h" && ok || bad "the header does not name the classes"
grep -q "main(" "$out/iris.c" && bad "a C file with trained weights has a program that trains anew" || ok
cat >"$out/loaded.c" <<'C'
#include "iris.h"
#include <stdio.h>
static iris net;
int main(void) {
    const double x[] = {5.1, 3.5, 1.4, 0.2, 6.0, 2.2, 5.0, 1.5};
    double p[6];
    iris_init(&net, 0);
    iris_predict(&net, 2, x, p);
    for (int i = 0; i < 6; i++)
        printf("%.17g%c", p[i], i % 3 == 2 ? '\n' : ',');
    printf("\"updates\":\"%llu\"\n", (unsigned long long)net.updates);
    size_t count;
    const double *v = iris_weight(&net, "score.W.v", &count);
    return !v || count != 48 || !(v[0] > 0);
}
C
printf '5.1,3.5,1.4,0.2\n6.0,2.2,5.0,1.5\n' >"$out/flowers.csv"
expect 0 "" "" $nnrun models/iris.nn --load "$out/iris.safetensors" --predict "$out/flowers.csv"
{ sed 1d "$out/o" && grep -ao '"updates":"[0-9]*"' "$out/iris.safetensors"; } >"$out/answers"
cc -std=c99 -ffp-contract=off -DNN_NO_MAIN -I"$out" "$out/loaded.c" "$out/iris.c" -lm -o "$out/loaded" 2>"$out/e" &&
    "$out/loaded" >"$out/o" && cmp -s "$out/o" "$out/answers" && ok || bad "a C file with trained weights"
expect 1 "" "in the file and .* in the model" $nnc models/digits.nn --load "$out/w.safetensors" -o "$out/x.c"
expect 2 "" "where the weights are: it would be overwritten" $nnc models/iris.nn --load "$out/iris.safetensors" -o "$out/iris.safetensors"
expect 2 "" "in the C file alone" $nnc models/iris.nn --load "$out/iris.safetensors" --emit=plan

# One row alone has loops of its own, where a prediction is nothing but loops: it is answered as among four.
cat >"$out/alone.nn" <<'NN'
model alone {
    input x : f32[batch, 12]
    h = x -> dense(9) -> tanh -> layer_norm -> gelu
    pooled = max_pool1d(relu(reshape(h, [batch, 3, 3])), 2, padding = [0, 1])
    output y = softmax(dense(reshape(pooled, [batch, 6]), 4))
}
NN
cat >"$out/squares.nn" <<'NN'
model squares {
    input x : f32[batch, 256]
    output y = reshape(max_pool2d(relu(tanh(reshape(x, [batch, 1, 16, 16]))), 2), [batch, 64])
}
NN
cat >"$out/rows.c" <<'C'
#include MODEL_FILE
static MODEL state;
int main(void) {
    static float x[4 * INPUTS], among[4 * OUTPUTS], alone[OUTPUTS];
    INIT(&state, 7);
    for (int i = 0; i < 4 * INPUTS; i++)
        x[i] = (float)(i * 7919 % 101 - 50) / 16;
    PREDICT(&state, 4, x, among);
    for (int row = 0; row < 4; row++) {
        PREDICT(&state, 1, x + row * INPUTS, alone);
        if (memcmp(alone, among + row * OUTPUTS, sizeof alone) != 0)
            return 1 + row;
    }
    return 0;
}
C
for lone in alone:12:4 squares:256:64; do
    name=${lone%%:*} sizes=${lone#*:}
    $nnc "$out/$name.nn" -o "$out/$name.c" 2>"$out/e" || bad "nnc $name.nn"
    for cc in "gcc -O0" "gcc -O3 -march=native" "clang -O2 -march=native"; do
        command -v ${cc%% *} >/dev/null || continue
        $cc -std=c99 -Wall -Wextra -Werror -DNN_NO_MAIN -DMODEL_FILE="\"$name.c\"" -DMODEL=$name -DINIT=${name}_init \
            -DPREDICT=${name}_predict -DINPUTS="${sizes%:*}" -DOUTPUTS="${sizes#*:}" -I"$out" "$out/rows.c" -lm \
            -o "$out/rows" 2>"$out/e" && "$out/rows" && ok || bad "one row of $name with $cc"
    done
done
grep -q "alone_predict_row_" "$out/alone.c" && ok || bad "one row has loops of its own"

# Several networks in one program.
sources="$out/twolayer.c"
for name in digits lstm vae; do
    $nnc models/$name.nn -o "$out/$name.c" 2>"$out/e" || bad "nnc: $name"
    sources="$sources $out/$name.c"
done
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    $cc -std=c99 -O1 -DNN_NO_MAIN -I"$out" "$out/user.c" $sources -lm -o "$out/user" 2>"$out/e" && "$out/user" >"$out/o" && ok ||
        bad "four networks in one program with $cc"
done

# ---- names of files that would end a comment or a line ----
mkdir -p "$out/a*/b*"
odd='m "\
#error'
printf 'x,y\n1,2\n3,4\n' >"$out/a*/b*/rows.csv"
cat >"$out/a*/$odd.nn" <<'NN'
data train = csv("b*/rows.csv")
model m {
    input  x : f64[batch]
    target y : f64[batch]
    weight w : f64 = 0
    loss cost = mse(w * x, y)
}
train {
    solver = sgd(rate = 0.1)
    epochs = 1
}
NN
expect 0 - - $nnc "$out/a*/$odd.nn" -o "$out/a*/$odd.c"
cp "$out/a*/$odd.c" "$out/odd.c"
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    expect 0 - - $cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$out/odd.c" -lm -o "$out/odd"
    expect 0 "^train  cost" - "$out/odd"
done

# ---- noise: in a prediction by the row's place, whatever is read at once, and in the emitted library ----
cat >"$out/noisy.nn" <<'NN'
model noisy {
    input  x : f64[batch, 2]
    weight w : f64[2] = normal(0, 1)
    output y = x * w + normal_like(x)
    output z = dropout(x)
}
NN
awk 'BEGIN { for (i = 0; i < 2500; i++) print i / 8 "," (0 - i) }' >"$out/places.csv"
expect 0 "y.0.,y.1.,z.0.,z.1." "untrained" $nnrun "$out/noisy.nn" --predict "$out/places.csv"
cp "$out/o" "$out/places"
expect 0 "" "" sh -c "head -n 1100 '$out/places.csv' | $nnrun '$out/noisy.nn' --predict"
head -n 1101 "$out/places" | cmp -s - "$out/o" && ok || bad "noise of a row that hangs on the rows behind it"
expect 0 "" "" $nnrun "$out/noisy.nn" --seed 1 --predict "$out/places.csv"
cmp -s "$out/places" "$out/o" && bad "another seed, the same noise" || ok
$nnc "$out/noisy.nn" -o "$out/noisy.c" 2>"$out/e" || bad "nnc: noise"
cat >"$out/places.c" <<'C'
#include "noisy.c"
#include <stdio.h>
int main(void) {
    static noisy s;
    static double x[2500 * 2], y[2500 * 2], z[2500 * 2], found[4];
    for (int i = 0; i < 2500; i++) {
        x[2 * i] = i / 8.0;
        x[2 * i + 1] = -i;
    }
    noisy_init(&s, 0);
    noisy_predict(&s, 2500, x, y, z);
    for (int i = 0; i < 2500; i++) {
        if (scanf("%lf,%lf,%lf,%lf", &found[0], &found[1], &found[2], &found[3]) != 4)
            return 1;
        for (int k = 0; k < 2; k++)
            if (found[k] != y[2 * i + k] || found[2 + k] != z[2 * i + k] || z[2 * i + k] != x[2 * i + k])
                return 1;
    }
    return 0;
}
C
cc -std=c99 -O1 -DNN_FUSED=0 "$out/places.c" -o "$out/places_user" -lm 2>"$out/e" || bad "cc: noise"
sed 1d "$out/places" | "$out/places_user" && ok || bad "the emitted library predicts with other noise"

# ---- outputs that wait for all rows: as many as the file knows of, or 1024 ----
cat >"$out/whole.nn" <<'NN'
model mixing {
    input  x : f32[batch, 2]
    share = softmax(x, axis = 0)
    output share
    output middle = mean(x, axis = 0)
    output far    = sum((x - mean(x, axis = 0)) ** 2, axis = 1)
}
NN
awk 'BEGIN { for (i = 0; i < 1024; i++) printf "%.4f,%.4f\n", sin(i), cos(3 * i) }' >"$out/whole.csv"
cat >"$out/whole_user.c" <<'C'
#include "whole.c"
#include <stdio.h>
static mixing state;
static float x[1025 * 2], share[1025 * 2], middle[2], far[1025];
int main(void) {
    int n = 0;
    mixing_init(&state, 0);
    while (n < 1025 && scanf("%f,%f", &x[2 * n], &x[2 * n + 1]) == 2)
        n++;
    mixing_predict(&state, (size_t)n, x, share, middle, far);
    for (int r = 0; r < n; r++)
        printf("%.9g,%.9g,%.9g,%.9g,%.9g\n", (double)share[2 * r], (double)share[2 * r + 1], (double)middle[0],
               (double)middle[1], (double)far[r]);
    mixing_predict(&state, 1025, x, share, NULL, far);
    return share[0] == share[0] || share[2049] == share[2049] || middle[0] != middle[0] || far[1024] == far[1024];
}
C
$nnc "$out/whole.nn" -o "$out/whole.c" && cc -std=c99 -O1 -DNN_FUSED=0 "$out/whole_user.c" -lm -o "$out/whole" &&
    "$out/whole" <"$out/whole.csv" >"$out/o" && ok || bad "outputs that wait for all rows"
$nnrun "$out/whole.nn" --predict "$out/whole.csv" 2>"$out/e" | sed 1d | cmp - "$out/o" && ok ||
    bad "outputs that wait for all rows: other numbers"

# ---- metrics that are tables ----
printf '%s\n' '1,é"t\' '2,??/' '3,é"t\' '-4,日本' '5,??/' >"$out/odd.csv"
cat >"$out/odd.nn" <<'NN'
data train = csv("odd.csv")
model odd {
    input  x : f64[batch]
    target t : class[batch] of 3
    score = stack([x - 3, 0 * x, -x], axis = 1) + dense(unsqueeze(x, 1), 3, init = zeros)
    output score
    loss   entropy = cross_entropy(score, t)
    metric table   = confusion(score, t)
    metric recall  = class_recall(score, t)
    metric either  = confusion(score, t)[:, 0:2]
}
train {
    solver = sgd(rate = 0)
}
NN
expect 0 "^  日本       0    0   1$" - $nnrun "$out/odd.nn" --train --quiet
cp "$out/o" "$out/expected"
grep -q '^  é"t\\  0.5$' "$out/o" && ok || bad "a vector's table"
grep -q "^        0  1$" "$out/o" && ok || bad "a table with an axis that is not of the classes"
$nnc "$out/odd.nn" -o "$out/odd.c" && cc -std=c99 "$out/odd.c" -lm -o "$out/odd" && "$out/odd" >"$out/o" &&
    cmp "$out/o" "$out/expected" && ok || bad "tables of the emitted program"
expect 2 "" "takes no arguments" "$out/odd" --predict

# ---- sigmoid's bounds, looked for where its inputs lie no more: nothing reads x after `a`, and `b` takes its place ----
awk 'BEGIN { for (i = 0; i < 32; i++) { printf "1000"; for (k = 1; k < 100; k++) printf ",0"
                                        for (k = 0; k < 100; k++) printf ",0.00001"; print ",0.5" } }' >"$out/frozen.csv"
cat >"$out/frozen.nn" <<'NN'
data train = csv("frozen.csv")
model frozen {
    input  x : f64[batch, 100]
    input  z : f64[batch, 100]
    target t : f64[batch]
    weight W : [100, 2] = 1
    weight w : [2] = 1
    a = x @ stop_gradient(W)
    b = z @ stop_gradient(W)
    h = sigmoid(a) * w + tanh(b) * w
    output h
    loss squared = mean((sum(h, axis = 1) - t) ** 2)
}
train {
    solver = sgd(rate = 0.01)
    batch  = 32
    epochs = 2
}
NN
expect 0 "train  squared 1.9" "" $nnrun "$out/frozen.nn" --train --quiet
cp "$out/o" "$out/expected"
$nnc "$out/frozen.nn" -o "$out/frozen.c" 2>"$out/e" && cc -std=c99 "$out/frozen.c" -lm -o "$out/frozen" && "$out/frozen" >"$out/o" &&
    cmp "$out/o" "$out/expected" && ok || bad "bounds of a sigmoid whose inputs lie there no more"

# ---- derivatives ----
expect 0 "h.W  20 of 20 elements  worst h.W\[[0-9], [0-9]\]: derivative .*(matmul, models/twolayer.nn:14)" - $nnrun $model --check-gradients
cat >"$out/halved.nn" <<'NN'
model halved {
    input  x : f32[batch, 3]
    target t : f32[batch]
    h = dense(x, 4)
    k = h * stop_gradient(h)
    y = dense(k, 1)[:, 0]
    output y
    loss cost = mse(y, t)
}
NN
expect 1 "h.W  12 of 12" "halved.nn:5:13: error: the derivative of stop_gradient is wrong: for h" $nnrun "$out/halved.nn" --check-gradients
sed 's/h \* stop_gradient(h)/1 * (h > 0)/' "$out/halved.nn" >"$out/stepped.nn"
expect 1 "y.b  1 of 1" "'h.W': its derivative and the difference quotient are both zero, which proves nothing" $nnrun "$out/stepped.nn" --check-gradients
sed 's/h \* stop_gradient(h)/relu(h)/; s/f32/f64/' "$out/halved.nn" >"$out/mended.nn"
expect 0 "h.b  4 of 4" - $nnrun "$out/mended.nn" --check-gradients
# A bias before a normalisation proves nothing; a layer without one does.
unbiased=tests/models/left_out.nn
expect 0 "c.W  12 of 12" - $nnrun $unbiased --check-gradients
expect 1 "h.dense1.b  8 of 8" "bias = false makes a layer without" $nnrun $unbiased -D biased=0.5 --check-gradients
expect 0 "param  *biased = false" - $nnrun $unbiased
expect 1 - "the first value of a weight.*found true" $nnrun $unbiased -D biased=true
expect 1 - "expected a number" $nnrun $model -D hidden=true
sed '/loss/d' "$out/mended.nn" >"$out/lossless.nn"
expect 1 - "no loss" $nnrun "$out/lossless.nn" --check-gradients
expect 2 - "another action" $nnrun $model --check-gradients --train

# ---- sources of data: parts of a file, IDX, text ----
data_model() { # data_model SOURCE COLUMNS...
    printf 'data train = %s\nmodel m {\n' "$1"
    shift
    printf '%s\n' "$@"
    printf '}\ntrain {\n solver = sgd(rate = 0.1)\n}\n'
}
printf 'x,t\n1,10\n2,20\n3,30\n4,40\n' >"$out/rows.csv"
mean='metric m = mean(t)'
data_model 'csv("rows.csv", skip = 1, first = 2)' 'input x : f64[batch]' 'target t : f64[batch]' \
    'y = dense(reshape(x, [batch, 1]), 1)' 'loss l = mse(reshape(y, [batch]), t)' "$mean" >"$out/part.nn"
expect 0 "m 25$" "" $nnrun "$out/part.nn" --evaluate
sed 's/skip = 1, first = 2/skip = 2/' "$out/part.nn" >"$out/rest.nn"
expect 0 "m 35$" "" $nnrun "$out/rest.nn" --evaluate
sed 's/first = 2/first = 4/' "$out/part.nn" >"$out/beyond.nn"
expect 1 "" "beyond.nn:1:1: error: .*rows.csv: has 4 rows, expected 5 (skip = 1)" $nnrun "$out/beyond.nn" --evaluate
sed 's/skip = 1, first = 2/skip = 4/' "$out/part.nn" >"$out/none.nn"
expect 1 "" "rows.csv: has 4 rows, expected more than 4" $nnrun "$out/none.nn" --evaluate
sed 's/rows.csv", skip = 1, first = 2/lost.csv", from = "the attic"/' "$out/part.nn" >"$out/lost.nn"
expect 1 "" "lost.csv: cannot be read: .*; it is to be had from the attic" $nnrun "$out/lost.nn" --evaluate

printf '\0\0\010\003\0\0\0\003\0\0\0\001\0\0\0\002\001\002\003\004\005\006' >"$out/images"
printf '\0\0\010\001\0\0\0\003\0\001\002' >"$out/labels"
data_model 'idx("images", "labels", skip = 1)' 'input x : f32[batch, 1, 2]' 'target t : class[batch] of 3' \
    'y = dense(reshape(x, [batch, 2]), 3)' 'loss l = cross_entropy(y, t)' 'metric m = mean(x)' >"$out/idx.nn"
expect 0 "m 4.5$" "" $nnrun "$out/idx.nn" --evaluate
# shuffled_parts MODEL SETTING TOTAL: the first row and all others, m over both of them as in the file
shuffled_parts() {
    sed "s/$2/first = 1, shuffle = true/" "$1" >"${1%.nn}-one.nn"
    sed "s/$2/skip = 1, shuffle = true/" "$1" >"${1%.nn}-others.nn"
    $nnrun "${1%.nn}-one.nn" --evaluate 2>/dev/null | sed 's/.*m //' >"$out/parts"
    $nnrun "${1%.nn}-others.nn" --evaluate 2>/dev/null | sed 's/.*m //' >>"$out/parts"
    awk -v total="$3" '{ m[NR] = $1 } END { exit !(NR == 2 && m[1] + m[2] == total) }' "$out/parts" && ok || bad "$1 shuffled: $(cat "$out/parts")"
}
sed 's/mean(x)/sum(x)/' "$out/idx.nn" >"$out/idx-sum.nn"
shuffled_parts "$out/idx-sum.nn" "skip = 1" 21
sed 's/of 3/of 2/; s/, 3)/, 2)/' "$out/idx.nn" >"$out/idx2.nn"
expect 1 "" "labels:3:1: found 2; the target 't' (.*idx2.nn:4) holds classes 0 to 1" $nnrun "$out/idx2.nn" --evaluate
printf '\0\0\010\001\0\0\0\002\0\001' >"$out/labels"
expect 1 "" "labels: holds 2 items, expected 3 as in .*images" $nnrun "$out/idx.nn" --evaluate

printf 'abcabd\nabc' >"$out/book.txt"
data_model 'text("book.txt", length = 3, stride = 2)' 'input x : class[batch, 3] of 5' 'target t : class[batch] of 5' \
    'score = dense(reshape(one_hot(x, 5), [batch, 15]), 5)' 'loss l = cross_entropy(score, t)' \
    'metric m = mean(f64(t))' >"$out/text.nn"
expect 0 "m 1.25$" "" $nnrun "$out/text.nn" --evaluate
expect 0 "data *train : 4 rows of book.txt" - $nnrun "$out/text.nn"
sed 's/mean(f64(t))/sum(f64(t))/; s/stride = 2/stride = 2, skip = 0/' "$out/text.nn" >"$out/text-sum.nn"
shuffled_parts "$out/text-sum.nn" "skip = 0" 5
sed "s/3. of 5/3] of 4/" "$out/text.nn" >"$out/text4.nn"
expect 1 "" "book.txt: holds 5 different characters, the input 'x' (.*) has 4 classes: expected class\[...\] of 5" $nnrun "$out/text4.nn" --evaluate
sed 's/length = 3/length = 4/' "$out/text.nn" >"$out/text5.nn"
expect 1 "" "a row of text is 4 characters .* the input 'x' (.*) has to be class or int, of shape \[batch, 4\]" $nnrun "$out/text5.nn" --evaluate
sed 's/length = 3/length = 10/; s/, 3/, 10/; s/15/50/' "$out/text.nn" >"$out/text10.nn"
expect 1 "" "book.txt: holds 10 characters, expected more than 10" $nnrun "$out/text10.nn" --evaluate
expect 0 "" "" $nnrun "$out/text.nn" --train --quiet --save "$out/text.safetensors"
grep -q 'classes.x":"a.nb.nc.nd.n..n"' "$out/text.safetensors" && ok || bad "characters in a weights' file"
printf 'dcbaab\n' >"$out/book.txt"
expect 0 "" - $nnrun "$out/text.nn" --evaluate --load "$out/text.safetensors"
expect 0 "m 0.5$" "" $nnrun "$out/text.nn" --evaluate --load "$out/text.safetensors"
printf 'dcbaxb\n' >"$out/book.txt"
expect 1 "" "book.txt:1:5: found the character 'x', expected one of the 5 characters of .*text.safetensors" $nnrun "$out/text.nn" --evaluate --load "$out/text.safetensors"


# ---- text that a model writes ----
sed 's/^loss/output p = softmax(score)\nloss/' "$out/text.nn" >"$out/write.nn"
expect 0 "^abc" - $nnrun "$out/write.nn" --load "$out/text.safetensors" --sample 1 --prompt abc
expect 0 "" - $nnrun "$out/write.nn" --load "$out/text.safetensors" --sample 40
cp "$out/o" "$out/once"
expect 0 "" - $nnrun "$out/write.nn" --load "$out/text.safetensors" --sample 40
cmp -s "$out/o" "$out/once" && [ "$(wc -c <"$out/o")" = 41 ] && ok || bad "two samples with one seed differ"
expect 2 - "byte 2 is not one of the 5" $nnrun "$out/write.nn" --load "$out/text.safetensors" --sample 4 --prompt ax
expect 1 - "its characters are not known" $nnrun "$out/write.nn" --sample 4
expect 1 - "expected one input of characters" $nnrun $model --sample 4
expect 2 - "needs --sample" $nnrun $model --prompt x
expect 2 - "expected a number of characters" $nnrun $model --sample 0

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
