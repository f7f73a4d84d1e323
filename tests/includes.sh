#!/bin/sh
# The direction of knowledge (docs/architecture.md): each folder includes only from the folders named here.
cd "$(dirname "$0")/.." || exit 1
failed=0 passed=0
allow() { # allow FOLDER "FOLDERS..." FILES...
    folder=$1 allowed=" $2 "
    shift 2
    for file in "$@"; do
        [ -e "$file" ] || continue
        bad=$(sed -n 's/^ *# *include "\([^"]*\)".*/\1/p' "$file" | while read -r name; do
            case $name in */*) from=${name%%/*} ;; *) from=runtime ;; esac
            case $allowed in *" $from "*) ;; *) echo "$name" ;; esac
        done)
        if [ -n "$bad" ]; then
            echo "$file: $folder must not include: $(echo $bad)"
            failed=$((failed + 1))
        else
            passed=$((passed + 1))
        fi
    done
}
for folder in support tree graph passes model plan check emit; do
    case $folder in
    support) set -- "support" ;;
    tree) set -- "support tree" ;;
    graph) set -- "support graph kernels" ;;
    passes) set -- "support graph passes" ;;
    model) set -- "support graph model" ;;
    plan) set -- "support graph kernels passes plan" ;;
    check) set -- "support tree graph passes model check" ;;
    emit) set -- "support graph kernels plan model emit" ;;
    esac
    allow "$folder" "$1" compiler/$folder/*.[ch] compiler/$folder/*.re compiler/$folder/*.y
done
allow kernels "support graph kernels" runtime/kernels/*.[ch]
allow data "support data" runtime/data/*.[ch]
allow runtime "support graph passes plan model emit kernels data runtime" runtime/*.[ch]
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
