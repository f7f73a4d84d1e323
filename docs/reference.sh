#!/bin/sh
# Prints a page of reference, made from the compiler's sources (docs/reference.awk).
#
#   sh docs/reference.sh operators|library
#   NNC=...   another compiler than build/nnc
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
case ${1:-} in
operators) set -- operators compiler/graph/elementwise.def compiler/graph/folds.def compiler/check/builtin.c ;;
library) set -- library compiler/check/prelude.nn ;;
*) echo "usage: sh docs/reference.sh operators|library" >&2; exit 2 ;;
esac
page=$1
shift
awk -v page="$page" -v nnc="${NNC:-build/nnc}" -v work="$work" -f docs/reference.awk "$@"
