# Turns the prelude and the kernels' text into C constants, so that the programs carry them.
#
# A kernel file is cut into sections by its marker lines,  /*@ name: needed names */ ; what stands before the
# first marker and after nn_end belongs to the tools' own build only.

function quoted(line) {
    gsub(/\\/, "\\\\&", line)
    gsub(/"/, "\\\"", line)
    gsub(/\?\?/, "?\\?", line)
    return "\"" line "\\n\""
}

# The line as characters, one by one: a string would be longer than C compilers have to take.
function characters(line,    i, c, list) {
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        list = list (c == "\\" || c == "'" ? "'\\" : "'") c "',"
    }
    return list "'\\n',"
}

BEGIN {
    print "#include \"emit/kernel_text.h\""
    print "#include <stddef.h>"
    print "extern const char prelude_text[];"
    print "extern const size_t prelude_length;"
}

FNR == 1 {
    prelude = FILENAME ~ /prelude\.nn$/
    inside = 0
}

prelude {
    prelude_lines[++prelude_count] = characters($0)
    next
}

/^\/\*@ / {
    inside = 1
    line = $0
    sub(/^\/\*@ /, "", line)
    sub(/ *\*\/.*$/, "", line)
    colon = index(line, ":")
    name = substr(line, 1, colon - 1)
    needs = substr(line, colon + 1)
    sub(/^ */, "", needs)
    if (name == "nn_end") {
        inside = 0
        next
    }
    names[++count] = name
    need[count] = needs
    next
}

inside {
    text[count] = text[count] "\n        " quoted($0)
}

END {
    print "const char prelude_text[] = {"
    for (i = 1; i <= prelude_count; i++)
        print "    " prelude_lines[i]
    print "    0};"
    print "const size_t prelude_length = sizeof prelude_text - 1;"
    print "const struct kernel_text kernel_texts[] = {"
    for (i = 1; i <= count; i++)
        printf "    {\"%s\", \"%s\",%s},\n", names[i], need[i], text[i]
    print "};"
    print "const int kernel_text_count = sizeof kernel_texts / sizeof *kernel_texts;"
}
