/* zlib's own reader takes plain files as well, so there is one way for both. */
#define _XOPEN_SOURCE 700
#include "data/byte_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

static bool cannot_read(struct failure *failure, const char *path) {
    bool machine = errno == EIO || errno == ENOMEM || errno == EMFILE || errno == ENFILE;
    return failure_set(failure, machine ? FAILURE_MACHINE : FAILURE_DATA, "%s: cannot be read: %s", path,
                       strerror(errno));
}

/* gzip's reader needs a descriptor of its own. */
static bool open_gzip(struct byte_file *file, struct failure *failure) {
#ifdef HAVE_ZLIB
    int copy = dup(fileno(file->file));
    if (copy < 0)
        return cannot_read(failure, file->name);
    file->gzip = gzdopen(copy, "rb");
    if (!file->gzip) {
        close(copy);
        return failure_set(failure, FAILURE_MACHINE, "%s: out of memory", file->name);
    }
#else
    (void)file;
    (void)failure;
#endif
    return true;
}

bool byte_file_open(struct byte_file *file, const char *path, struct failure *failure) {
    struct stat status;
    *file = (struct byte_file){.name = path};
    file->file = fopen(path, "rb");
    if (!file->file)
        return cannot_read(failure, path);
    file->owned = true;
    if (fstat(fileno(file->file), &status) == 0 && S_ISDIR(status.st_mode))
        return failure_set(failure, FAILURE_DATA, "%s: is a directory, expected a file", path);
    return open_gzip(file, failure);
}

void byte_file_open_file(struct byte_file *file, FILE *stream, const char *name) {
    *file = (struct byte_file){.name = name, .file = stream};
}

int byte_file_next(struct byte_file *file) {
#ifdef HAVE_ZLIB
    if (file->gzip)
        return gzgetc((gzFile)file->gzip);
#endif
    return getc_unlocked(file->file);
}

size_t byte_file_read(struct byte_file *file, void *bytes, size_t size) {
#ifdef HAVE_ZLIB
    if (file->gzip)
        return gzfread(bytes, 1, size, (gzFile)file->gzip);
#endif
    return fread(bytes, 1, size, file->file);
}

bool byte_file_ended(const struct byte_file *file, struct failure *failure) {
#ifdef HAVE_ZLIB
    if (file->gzip) {
        int code;
        const char *reason = gzerror((gzFile)file->gzip, &code);
        if (code == Z_ERRNO)
            return failure_set(failure, FAILURE_MACHINE, "%s: cannot be read: %s", file->name,
                               strerror(errno));
        if (code == Z_MEM_ERROR)
            return failure_set(failure, FAILURE_MACHINE, "%s: out of memory", file->name);
        const char *name_end = strstr(reason, ": "); /* zlib knows the file as a descriptor only */
        if (code != Z_OK && code != Z_STREAM_END)
            return failure_set(failure, FAILURE_DATA, "%s: the compressed data is damaged: %s", file->name,
                               name_end ? name_end + 2 : reason);
        return true;
    }
#endif
    if (!ferror(file->file))
        return true;
    return failure_set(failure, errno == EISDIR ? FAILURE_DATA : FAILURE_MACHINE, "%s: cannot be read: %s",
                       file->name, strerror(errno));
}

void byte_file_close(struct byte_file *file) {
#ifdef HAVE_ZLIB
    if (file->gzip)
        gzclose((gzFile)file->gzip);
#endif
    if (file->owned)
        fclose(file->file);
    file->gzip = NULL;
    file->file = NULL;
    file->owned = false;
}
