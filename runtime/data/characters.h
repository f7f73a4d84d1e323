/* A plain text as numbers: each character's place in the list of the characters that occur.
 *
 * A character is one code point of UTF-8.  Characters are numbered 0, 1, 2, ... as they first appear, like
 * class names.  Their names are themselves, but a backslash is \\ and control characters are \n, \t, \r or
 * \xHH, so that a name is printable and ends in its line.  Plain or compressed with gzip.
 */
#ifndef NN_CHARACTERS_H
#define NN_CHARACTERS_H

#include "data/csv.h"
#include <stdint.h>

struct characters {
    size_t count;
    int32_t *ids; /* (count) */
    struct table_labels labels;
};

/* Reads all of `path`; the memory is the arena's.  `known`, unless NULL: the characters keep those numbers,
 * and any other is an error; `from` is where they come from, for messages.  FAILURE_DATA, with
 * FILE:LINE:COLUMN counted in characters from 1, for bytes that are not UTF-8, a NUL, more than 65536
 * different characters, and more than 2^28 in all. */
bool characters_read(struct arena *arena, const char *path, const struct table_labels *known,
                     const char *from, struct characters *characters, struct failure *failure);
bool characters_read_file(struct arena *arena, FILE *file, const char *name, const struct table_labels *known,
                          const char *from, struct characters *characters, struct failure *failure);

/* The number of the character at `*text`, which is moved behind it; -1: `labels` has it not, or it is not
 * UTF-8. */
int32_t characters_number(const struct table_labels *labels, const char **text);
/* Writes the character of that name. */
void characters_print(const char *name, FILE *out);

#endif
