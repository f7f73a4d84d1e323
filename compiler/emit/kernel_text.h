/* The text of the kernels, cut into sections, as the build puts it into the program (see texts.awk). */
#ifndef NN_KERNEL_TEXT_H
#define NN_KERNEL_TEXT_H

struct kernel_text {
    const char *name;
    const char *needs; /* names of other sections, with blanks between */
    const char *text;
};

/* In the order of the files: a section stands after those that it needs. */
extern const struct kernel_text kernel_texts[];
extern const int kernel_text_count;

#endif
