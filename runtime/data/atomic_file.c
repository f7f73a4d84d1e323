#define _XOPEN_SOURCE 700
#include "data/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = PATH_MAX + 64, ATTEMPTS = 100 };

static bool cannot_write(struct failure *failure, const char *path) {
    return failure_set(failure, FAILURE_MACHINE, "%s: cannot be written: %s", path, strerror(errno));
}

static bool write_bytes(int file, const char *bytes, size_t size) {
    while (size) {
        ssize_t written = write(file, bytes, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

static bool write_all(int file, const struct atomic_file_piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!write_bytes(file, pieces[i].bytes, pieces[i].size))
            return false;
    return true;
}

/* Some file systems and all pipes know no flushing; they say EINVAL, and that is no failure. */
static bool flush(int file) {
    return fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP;
}

/* close, that keeps the errno of an earlier failure. */
static bool close_after(int file, bool good) {
    int before = errno;
    bool closed = close(file) == 0;
    if (!good)
        errno = before;
    return good && closed;
}

static bool write_straight(const char *path, const struct atomic_file_piece *pieces, size_t count) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    return file >= 0 && close_after(file, write_all(file, pieces, count) && flush(file));
}

/* A new file beside `path`; its name goes to `name`.  -1 with errno on failure. */
static int open_beside(const char *path, char name[PATH_SIZE]) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int length = snprintf(name, PATH_SIZE, "%s.%ld.%d.tmp", path, (long)getpid(), attempt);
        if (length >= PATH_SIZE) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

/* The rename itself is on the disk only when the directory is.  A directory that may be written but not read
 * cannot be flushed: the file is in place all the same. */
static bool flush_directory(const char *path) {
    char directory[PATH_SIZE];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    int file = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return errno == EACCES;
    return close_after(file, flush(file));
}

static bool replace(const char *path, const struct stat *old, const struct atomic_file_piece *pieces,
                    size_t count) {
    char temporary[PATH_SIZE];
    int file = open_beside(path, temporary);
    if (file < 0)
        return false;
    bool good =
        (!old || fchmod(file, old->st_mode & 07777) == 0) && write_all(file, pieces, count) && flush(file);
    good = close_after(file, good) && rename(temporary, path) == 0;
    if (!good) {
        int reason = errno;
        unlink(temporary);
        errno = reason;
        return false;
    }
    return flush_directory(path);
}

bool atomic_file_write_pieces(const char *path, const struct atomic_file_piece *pieces, size_t count,
                              struct failure *failure) {
    struct stat old;
    bool exists = stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) {
        errno = EISDIR;
        return cannot_write(failure, path);
    }
    if (exists && !S_ISREG(old.st_mode))
        return write_straight(path, pieces, count) || cannot_write(failure, path);
    if (exists && access(path, W_OK) != 0) /* a rename would not ask */
        return cannot_write(failure, path);
    char target[PATH_MAX];
    bool resolved = exists && realpath(path, target);
    return replace(resolved ? target : path, exists ? &old : NULL, pieces, count) ||
           cannot_write(failure, path);
}

bool atomic_file_write(const char *path, const void *bytes, size_t size, struct failure *failure) {
    struct atomic_file_piece piece = {bytes, size};
    return atomic_file_write_pieces(path, &piece, 1, failure);
}

static bool cannot_read(struct failure *failure, const char *path) {
    bool machine = errno == EIO || errno == ENOMEM || errno == EMFILE || errno == ENFILE;
    return failure_set(failure, machine ? FAILURE_MACHINE : FAILURE_DATA, "%s: cannot be read: %s", path,
                       strerror(errno));
}

/* Reads `size` bytes and then the end of the file; anything else is a file that changed. */
static bool read_bytes(int file, const char *path, unsigned char *bytes, size_t size,
                       struct failure *failure) {
    size_t done = 0;
    for (;;) {
        /* One byte more than there should be: the place of the NUL. */
        size_t wanted = size + 1 - done;
        ssize_t got = read(file, bytes + done, wanted < SSIZE_MAX ? wanted : SSIZE_MAX);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cannot_read(failure, path);
        done += (size_t)got;
        if (got == 0 && done == size)
            break;
        if (got == 0 || done > size)
            return failure_set(failure, FAILURE_DATA, "%s: changed while it was read", path);
    }
    bytes[size] = '\0';
    return true;
}

bool atomic_file_read(struct arena *arena, const char *path, unsigned char **bytes, size_t *size,
                      struct failure *failure) {
    struct stat status;
    if (stat(path, &status) != 0)
        return cannot_read(failure, path);
    if (!S_ISREG(status.st_mode))
        return failure_set(failure, FAILURE_DATA, "%s: is %s, expected a file", path,
                           S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
    if ((uintmax_t)status.st_size >= SIZE_MAX)
        return failure_set(failure, FAILURE_MACHINE, "%s: is too large for this machine's memory", path);
    /* Allocated before the file is opened: an arena that is out of memory jumps away from here. */
    *size = (size_t)status.st_size;
    *bytes = arena_allocate(arena, *size + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return cannot_read(failure, path);
    bool good = read_bytes(file, path, *bytes, *size, failure);
    close(file);
    return good;
}
