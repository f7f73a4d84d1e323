#!/bin/sh
# One row of a prediction is computed with its numbers one behind the other where it can be, by emitted C (print_group
# with `one`) and by nnrun (one_row of the interpreter): it must be answered as among four, to the bit.
#
# For models of tests/models and of models: a program that asks emitted C both, and the same rows as a file for nnrun.
# What they ask with is made from the text of the header.  Ends with 1 if an answer differs, or if fewer
# models than expected were compared.
#
#   sh tests/one_row.sh [MODEL.nn ...]
set -u
cd "$(dirname "$0")/.."
out=build/one_row
flags="-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
mkdir -p "$out"

# The program for the header on standard input, and its rows as the file $2.
program() {
    awk -v header="$1" -v file="$2" '
    /^ \*   .*: n x [0-9]+ number/ || /^ \*   .*: [0-9]+ number/ {
        line = $0
        sub(/^ \*   /, "", line)
        name = line
        sub(/[ :].*/, "", name)
        each[name] = line ~ /: n x/
        sub(/^[^:]*: (n x )?/, "", line)
        size[name] = line + 0
        most[name] = match(line, /each from 0 to [0-9]+/) ? substr(line, RSTART + 15, RLENGTH - 15) + 0 : -1
    }
    /^void [A-Za-z0-9_]*_predict\(/ {
        call = $0
        sub(/^void /, "", call)
        function_name = call
        sub(/\(.*/, "", function_name)
        model = function_name
        sub(/_predict$/, "", model)
        sub(/^[^,]*, size_t n(, )?/, "", call)
        sub(/\);.*/, "", call)
        count = split(call, parameter, ", ")
    }
    END {
        printf "#include \"%s\"\n#include <string.h>\nstatic %s net;\nint main(void) {\n", header, model
        for (i = 1; i <= count; i++) {
            input = parameter[i] ~ /^const /
            type = parameter[i]
            sub(/^const /, "", type)
            sub(/ .*/, "", type)
            name = parameter[i]
            sub(/.*\*/, "", name)
            n = size[name]
            printf "    static %s v%d[4 * %d]%s;\n", type, i, n, input ? "" : sprintf(", w%d[%d]", i, n)
            if (input && most[name] >= 0)
                printf "    for (int i = 0; i < 4 * %d; i++)\n        v%d[i] = (%s)(i * 7919 %% %d);\n", n, i, type, most[name] + 1
            else if (input)
                printf "    for (int i = 0; i < 4 * %d; i++)\n        v%d[i] = (%s)(i * 7919 %% 101 - 50) / 16;\n", n, i, type
            for (k = 0; input && k < 4 * n; k++) {
                row = int(k / n)
                cell = most[name] >= 0 ? k * 7919 % (most[name] + 1) : (k * 7919 % 101 - 50) / 16
                cells[row] = cells[row] (cells[row] == "" ? "" : ",") cell
            }
            among = among ", v" i
            one = one (input ? sprintf(", v%d + row * %d", i, n) : sprintf(", w%d", i))
            if (!input)
                compare = compare sprintf("        if (memcmp(w%d, v%d + row * %d, sizeof w%d) != 0)\n            return 1;\n", i, i, each[name] ? n : 0, i)
        }
        printf "    %s_init(&net, 7);\n    %s(&net, 4%s);\n    for (int row = 0; row < 4; row++) {\n", model, function_name, among
        printf "        %s(&net, 1%s);\n%s    }\n    return 0;\n}\n", function_name, one, compare
        for (row = 0; row < 4; row++)
            print cells[row] > file
    }'
}

# nnrun: each row by itself, and all four.
ask_nnrun() {
    build/nnrun "$1" --predict "$out/rows.csv" > "$out/among" 2> "$out/messages" || return 1
    head -n 1 "$out/among" > "$out/alone"
    while read -r row; do
        echo "$row" > "$out/row.csv"
        build/nnrun "$1" --predict "$out/row.csv" 2> "$out/messages" | tail -n +2 >> "$out/alone"
    done < "$out/rows.csv"
    asked=$((asked + 1))
    cmp -s "$out/among" "$out/alone" || { echo "FAILED $1 with nnrun"; failed=$((failed + 1)); }
}

models=${*:-$(ls tests/models/*.nn models/gpt.nn models/iris.nn | grep -v _f32)}
count=0 special=0 asked=0 failed=0
for model in $models; do
    name=$(basename "$model" .nn)
    build/nnc "$model" -o "$out/$name.c" 2> "$out/messages" && build/nnc "$model" --header -o "$out/$name.h" 2>> "$out/messages" ||
        { cat "$out/messages"; failed=$((failed + 1)); continue; }
    count=$((count + 1))
    grep -q "_predict_row_" "$out/$name.c" || continue
    special=$((special + 1))
    program "$name.h" "$out/rows.csv" < "$out/$name.h" > "$out/$name.main.c"
    ask_nnrun "$model"
    case $((special % 8)) in
    0) compiler="gcc -O3 -march=native" ;;
    1) compiler="clang -O2 -march=native" ;;
    2) compiler="gcc -O0 -fsanitize=address,undefined -fno-sanitize-recover=all" ;;
    *) compiler="gcc -O0" ;;
    esac
    if $compiler $flags -DNN_NO_MAIN -I"$out" "$out/$name.c" "$out/$name.main.c" -lm -o "$out/program" 2> "$out/messages"; then
        "$out/program" 2>> "$out/messages" || { echo "FAILED $model with $compiler"; cat "$out/messages"; failed=$((failed + 1)); }
    else
        echo "FAILED to compile $model with $compiler"
        head -20 "$out/messages"
        failed=$((failed + 1))
    fi
done
if [ $# = 0 ] && [ "$special" -lt 38 -o "$asked" -lt 35 ]; then
    echo "FAILED: few models have functions for one row, or nnrun answered few"
    failed=$((failed + 1))
fi
echo "one_row: $count models, $special with functions for one row, $asked with nnrun, $failed failed"
[ "$failed" = 0 ]
