# The float forms of the kernels' functions: in float kernels, nn_exp means nn_expf.  A function of math.h or random.h has one where
# there is a section of its name with an f; those of matmul.h, gather.h and convolve.h are compiled for both types under two names.

/^\/\*@ / {
    name = $2
    sub(/:$/, "", name)
    known[name] = 1
    order[++count] = name
    typed[name] = FILENAME ~ /(matmul|gather|convolve)\.h$/
}

END {
    for (i = 1; i <= count; i++)
        if (order[i] != "nn_end" && (typed[order[i]] || (order[i] "f") in known))
            printf "#define %s %sf\n", order[i], order[i]
}
