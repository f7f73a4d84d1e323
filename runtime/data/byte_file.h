/* The bytes of a file, plain or compressed with gzip, one after the other.
 *
 * Which of the two it is shows in its first bytes.  Nothing is unpacked before it is asked for, so a small
 * file that unpacks to a huge one costs no memory by itself.  Built without HAVE_ZLIB, a compressed file's
 * bytes are given as they stand.
 */
#ifndef NN_BYTE_FILE_H
#define NN_BYTE_FILE_H

#include "support/failure.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The struct is the caller's; all zero, it is a file that can be closed. */
struct byte_file {
    const char *name; /* for messages; the caller's */

    /* Private. */
    FILE *file;
    void *gzip;
    bool owned;
};

/* byte_file_close is due in any case.  FAILURE_DATA for a file that is not there or is a directory. */
bool byte_file_open(struct byte_file *file, const char *path, struct failure *failure);
/* From an open file, which stays open and is read as it stands; `name` is for messages. */
void byte_file_open_file(struct byte_file *file, FILE *stream, const char *name);
/* The next byte, or EOF: then ask byte_file_ended whether it was the end. */
int byte_file_next(struct byte_file *file);
/* Fills `bytes` with the next `size` or as many as there are, and returns how many. */
size_t byte_file_read(struct byte_file *file, void *bytes, size_t size);
/* At the end of the bytes: was it the end of the file?  FAILURE_DATA where compressed data is damaged or cut
 * short, FAILURE_MACHINE where reading failed. */
bool byte_file_ended(const struct byte_file *file, struct failure *failure);
void byte_file_close(struct byte_file *file);

#endif
