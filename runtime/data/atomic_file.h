/* Whole files: read at once, and written at once or not at all.
 *
 * A file is written under another name in the same directory, flushed to the disk and renamed, so that
 * whoever reads it, and whatever fails, finds either the old bytes or the new ones.
 */
#ifndef NN_ATOMIC_FILE_H
#define NN_ATOMIC_FILE_H

#include "support/failure.h"
#include <stdbool.h>
#include <stddef.h>

struct atomic_file_piece {
    const void *bytes;
    size_t size;
};

/* Writes the pieces one behind the other to `path`.  A symbolic link stays and its target is replaced; an old
 * file's permissions are kept; a device or a pipe is written straight.  On failure (FAILURE_MACHINE) the old
 * file is as it was and nothing is left beside it.  Allocates nothing. */
bool atomic_file_write_pieces(const char *path, const struct atomic_file_piece *pieces, size_t count,
                              struct failure *failure);
bool atomic_file_write(const char *path, const void *bytes, size_t size, struct failure *failure);

/* The bytes of a regular file in `arena`, with a NUL behind them.  FAILURE_DATA when the file is missing, not
 * readable, not a regular file, or changes while it is read; FAILURE_MACHINE when the disk fails. */
bool atomic_file_read(struct arena *arena, const char *path, unsigned char **bytes, size_t *size,
                      struct failure *failure);

#endif
