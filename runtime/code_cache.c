/* A library in the cache is named after everything that it hangs on: the text, the compiler's version, the
 * options and the processor.  It ends with a seal, the checksum of what stands before it, because the loader
 * would run into a damaged file.  What others could have written is never loaded: the directory and the file
 * have to be the user's own, and nobody else's to write.
 *
 * $CC, or cc, is called without a shell.  It works in a fresh directory, from which the library is renamed
 * into the cache; where there is no cache to write to, it is loaded from there.  All of that directory is
 * removed, also when an interrupt comes, which ends the compiler before the program.
 *
 * A text that could not be compiled leaves an empty file `.failed`, for a day: by then a missing part of the
 * compiler may have been installed.  Of all files, those stay that were used last.  What a killed program
 * left of its work goes after an hour.
 */
#define _XOPEN_SOURCE 700 /* S_ISVTX */
#include "code_cache.h"
#include "interrupts.h"
#include "support/text.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    WORDS_MAX = 32,
    VERSION_MAX = 4096,
    FILES_KEPT = 200,
    FAILURE_SECONDS = 24 * 60 * 60,
    WORK_SECONDS = 60 * 60
};

/* ---- checksums ---- */

struct checksum {
    uint64_t a, b;
};

/* FNV-1a twice, from two starts and with another turn: enough to name files and to find damage. */
static struct checksum checksum_add(struct checksum sum, const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++) {
        sum.a = (sum.a ^ p[i]) * UINT64_C(1099511628211);
        sum.b = ((sum.b << 13 | sum.b >> 51) ^ p[i]) * UINT64_C(11400714819323198485);
    }
    return sum;
}

static struct checksum checksum_of(const void *bytes, size_t size) {
    return checksum_add((struct checksum){UINT64_C(14695981039346656037), UINT64_C(1609587929392839161)},
                        bytes, size);
}

/* ---- files ---- */

/* Is it the user's own, and nobody else's to write? */
static bool is_private(const struct stat *file) {
    return file->st_uid == geteuid() && (file->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The bytes of a regular file, or NULL. */
static char *read_private(struct arena *arena, const char *path, size_t *size) {
    struct stat file;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *bytes = NULL;
    if (descriptor < 0)
        return NULL;
    if (fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode) && is_private(&file)) {
        *size = (size_t)file.st_size;
        bytes = arena_allocate(arena, *size + 1);
        if (read(descriptor, bytes, *size) != (ssize_t)*size)
            bytes = NULL;
    }
    close(descriptor);
    return bytes;
}

static bool write_file(const char *path, int flags, const void *bytes, size_t size) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, S_IRUSR | S_IWUSR);
    if (descriptor < 0)
        return false;
    bool written = write(descriptor, bytes, size) == (ssize_t)size;
    return close(descriptor) == 0 && written;
}

/* Could others put another directory in its place? */
static bool is_in_open_place(struct arena *arena, const char *path) {
    struct stat above;
    const char *parent = arena_copy(arena, path, (size_t)(strrchr(path, '/') - path));
    return stat(parent[0] ? parent : "/", &above) != 0 ||
           ((above.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (above.st_mode & S_ISVTX) == 0);
}

/* The directory with those above it; NULL where it cannot be made, or is not private. */
static const char *make_directory(struct arena *arena, const char *path) {
    char *part = arena_copy(arena, path, strlen(path));
    struct stat directory;
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        mkdir(part, S_IRWXU);
        if (!slash)
            break;
        *slash = '/';
    }
    return lstat(path, &directory) == 0 && S_ISDIR(directory.st_mode) && is_private(&directory) &&
                   !is_in_open_place(arena, path)
               ? path
               : NULL;
}

/* NULL: nothing can be kept. */
static const char *cache_directory(struct arena *arena) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return make_directory(arena, text_format(arena, "%s/nn", cache));
    return home && home[0] == '/' ? make_directory(arena, text_format(arena, "%s/.cache/nn", home)) : NULL;
}

/* A fresh directory for the compiler, in the cache or else where temporary files go. */
static char *work_directory(struct arena *arena, const char *cache) {
    const char *temporary = getenv("TMPDIR");
    char *path = cache ? text_format(arena, "%s/work.XXXXXX", cache) : NULL;
    if (path && mkdtemp(path))
        return path;
    path = text_format(arena, "%s/nn.XXXXXX", temporary && temporary[0] == '/' ? temporary : "/tmp");
    return mkdtemp(path);
}

/* ---- the compiler ---- */

struct command {
    const char *words[WORDS_MAX + 1];
    int count;
};

static void add_word(struct command *command, const char *word) {
    if (command->count < WORDS_MAX)
        command->words[command->count++] = word;
}

/* The words of $CC, or cc. */
static struct command compiler(struct arena *arena) {
    const char *name = getenv("CC");
    struct command command = {0};
    char *text = arena_copy(arena, name ? name : "", name ? strlen(name) : 0), *rest;
    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
        add_word(&command, word);
    if (command.count == 0)
        add_word(&command, "cc");
    return command;
}

/* Handlers have no other place: the signal that came, and the compiler, with its helpers a group of
 * processes. */
static volatile sig_atomic_t interrupted, running;

static void end_running(int signal) {
    interrupted = signal;
    if (running)
        kill(-(pid_t)running, SIGTERM);
}

static bool prepare_command(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int output,
                            const sigset_t *mask) {
    return posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0) == 0 &&
           (output >= 0 ? posix_spawn_file_actions_adddup2(actions, output, 1)
                        : posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0)) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK) == 0 &&
           posix_spawnattr_setpgroup(attributes, 0) == 0 && posix_spawnattr_setsigmask(attributes, mask) == 0;
}

/* Starts it in silence, standard output going to `output`, or nowhere where that is -1. */
static bool start_command(const struct command *command, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, outer;
    pid_t child = 0;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &outer); /* until the handler knows the child */
    if (!interrupted && posix_spawn_file_actions_init(&actions) == 0) {
        if (posix_spawnattr_init(&attributes) == 0) {
            if (!prepare_command(&actions, &attributes, output, &outer) ||
                posix_spawnp(&child, command->words[0], &actions, &attributes, (char *const *)command->words,
                             environ) != 0)
                child = 0;
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    running = (sig_atomic_t)child;
    sigprocmask(SIG_SETMASK, &outer, NULL);
    return child != 0;
}

/* Waits for what was started.  Did it end with 0? */
static bool end_command(void) {
    int status = -1;
    sigset_t all, outer;
    siginfo_t ended;
    while (waitid(P_PID, (id_t)running, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &outer); /* the handler ends no stranger of the same number */
    waitpid((pid_t)running, &status, 0);
    running = 0;
    sigprocmask(SIG_SETMASK, &outer, NULL);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What the compiler calls itself, or NULL where there is none. */
static const char *compiler_version(struct arena *arena) {
    struct command command = compiler(arena);
    char *version = arena_allocate(arena, VERSION_MAX + 1);
    size_t length = 0;
    int ends[2];
    add_word(&command, "--version");
    if (pipe(ends) != 0)
        return NULL;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    bool started = start_command(&command, ends[1]);
    close(ends[1]);
    for (ssize_t got;
         length < VERSION_MAX && (got = read(ends[0], version + length, VERSION_MAX - length)) > 0;)
        length += (size_t)got;
    close(ends[0]); /* one that says too much is ended by it */
    return started && end_command() ? version : NULL;
}

/* Options for the fastest code, then for what every compiler understands. */
static const char *const option_sets[][3] = {{"-march=native", "-fopenmp"}, {"-march=native"}, {NULL}};

static bool compile(struct arena *arena, const char *directory, bool fused, const char *const *options) {
    struct command command = compiler(arena);
    const char *const fixed[] = {
        "-std=c99", "-O3", "-w", "-shared", "-fPIC", "-DNN_NO_MAIN", fused ? "-DNN_FUSED=1" : "-DNN_FUSED=0"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add_word(&command, fixed[i]);
    for (int i = 0; options[i]; i++)
        add_word(&command, options[i]);
    add_word(&command, "-o");
    add_word(&command, text_format(arena, "%s/model.so", directory));
    add_word(&command, text_format(arena, "%s/model.c", directory));
    add_word(&command, "-lm");
    return start_command(&command, -1) && end_command();
}

/* ---- the cache ---- */

/* Lines of /proc/cpuinfo that say what -march=native may use; empty where there is no such file. */
static const char *processor(struct arena *arena) {
    static const char *const keys[] = {"vendor_id", "model name",      "flags",
                                       "Features",  "CPU implementer", "CPU part"};
    FILE *file = fopen("/proc/cpuinfo", "r");
    struct text text = {.arena = arena};
    char *line = NULL;
    size_t room = 0;
    while (file && getline(&line, &room, file) > 1) /* the first processor: up to an empty line */
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (strncmp(line, keys[k], strlen(keys[k])) == 0)
                text_print(&text, "%s", line);
    free(line);
    if (file)
        fclose(file);
    return text_string(&text);
}

static const char *entry_name(struct arena *arena, const char *text, const char *version, bool fused,
                              bool threaded) {
    const char *parts[] = {NN_VERSION,
                           version,
                           getenv("CC"),
                           processor(arena),
                           fused ? "fused" : "plain",
                           threaded ? "threads" : "one thread",
                           text};
    struct checksum sum = checksum_of("", 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i])
            sum = checksum_add(sum, parts[i], strlen(parts[i]) + 1);
    return text_format(arena, "%016llx%016llx", (unsigned long long)sum.a, (unsigned long long)sum.b);
}

static void *load_sealed(struct arena *arena, const char *path) {
    struct checksum seal;
    size_t size;
    const char *bytes = read_private(arena, path, &size);
    if (!bytes || size < sizeof seal)
        return NULL;
    memcpy(&seal, bytes + size - sizeof seal, sizeof seal);
    struct checksum found = checksum_of(bytes, size - sizeof seal);
    return found.a == seal.a && found.b == seal.b ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* The compiled library's checksum at its end, where the loader does not look. */
static bool seal(struct arena *arena, const char *path) {
    size_t size;
    const char *bytes = read_private(arena, path, &size);
    if (!bytes)
        return false;
    struct checksum sum = checksum_of(bytes, size);
    return write_file(path, O_APPEND, &sum, sizeof sum);
}

static void *make(struct arena *arena, const char *directory, const char *cached, const char *text,
                  bool fused, bool threaded) {
    const char *source = text_format(arena, "%s/model.c", directory);
    const char *library = text_format(arena, "%s/model.so", directory);
    bool made = false;
    if (write_file(source, O_CREAT | O_EXCL, text, strlen(text)))
        for (int i = threaded ? 0 : 1; i < 3 && !made && !interrupted; i++)
            made = compile(arena, directory, fused, option_sets[i]) && seal(arena, library);
    if (made && cached && rename(library, cached) == 0)
        library = cached;
    void *code = made ? load_sealed(arena, library) : NULL;
    unlink(source);
    unlink(text_format(arena, "%s/model.so", directory));
    rmdir(directory);
    return code;
}

/* ---- how much is kept ---- */

struct kept {
    const char *path;
    time_t used;
};

static int compare_used(const void *left, const void *right) {
    const struct kept *a = left, *b = right;
    return (a->used < b->used) - (a->used > b->used);
}

/* Names of 32 hexadecimal digits are the cache's own. */
static bool is_entry(const char *name) {
    size_t digits = strspn(name, "0123456789abcdef");
    return digits == 32 && (strcmp(name + digits, ".so") == 0 || strcmp(name + digits, ".failed") == 0);
}

static bool is_work(const char *name) {
    static const char start[] = "work.";
    return strncmp(name, start, sizeof start - 1) == 0 && strlen(name) == sizeof start - 1 + 6;
}

/* The directory of a compiler that has not ended as it should. */
static void drop_work(struct arena *arena, const char *path) {
    struct stat work;
    if (lstat(path, &work) != 0 || !S_ISDIR(work.st_mode) || !is_private(&work) ||
        time(NULL) - work.st_mtime < WORK_SECONDS)
        return;
    unlink(text_format(arena, "%s/model.c", path));
    unlink(text_format(arena, "%s/model.so", path));
    rmdir(path);
}

static void drop_oldest(struct arena *arena, const char *cache) {
    DIR *directory = opendir(cache);
    struct kept *files = NULL;
    int count = 0, capacity = 0;
    if (!directory)
        return;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        struct stat file;
        const char *path = text_format(arena, "%s/%s", cache, entry->d_name);
        if (is_work(entry->d_name))
            drop_work(arena, path);
        if (!is_entry(entry->d_name) || lstat(path, &file) != 0)
            continue;
        arena_reserve(arena, files, count, capacity);
        files[count++] = (struct kept){path, file.st_mtime};
    }
    closedir(directory);
    if (count > FILES_KEPT)
        qsort(files, (size_t)count, sizeof *files, compare_used);
    for (int i = FILES_KEPT; i < count; i++)
        unlink(files[i].path);
}

static bool failed_lately(const char *failed) {
    struct stat file;
    return lstat(failed, &file) == 0 && S_ISREG(file.st_mode) && is_private(&file) &&
           time(NULL) - file.st_mtime < FAILURE_SECONDS;
}

/* ---- the whole ---- */

/* `entry` is the path in the cache without its ending, or NULL. */
static void *make_entry(struct arena *arena, const char *cache, const char *entry, const char *text,
                        bool fused, bool threaded) {
    const char *cached = entry ? text_format(arena, "%s.so", entry) : NULL;
    const char *failed = entry ? text_format(arena, "%s.failed", entry) : NULL;
    if (entry && failed_lately(failed))
        return NULL;
    const char *directory = work_directory(arena, cache);
    void *code = directory ? make(arena, directory, cached, text, fused, threaded) : NULL;
    if (entry)
        unlink(failed);
    if (entry && directory && !code && !interrupted)
        write_file(failed, O_CREAT | O_EXCL, "", 0);
    if (entry)
        drop_oldest(arena, cache);
    return code;
}

static void *load(struct arena *arena, const char *text, bool fused, bool threaded) {
    const char *version = geteuid() == getuid() ? compiler_version(arena) : NULL;
    if (!version)
        return NULL;
    const char *cache = cache_directory(arena);
    const char *entry =
        cache ? text_format(arena, "%s/%s", cache, entry_name(arena, text, version, fused, threaded)) : NULL;
    const char *cached = entry ? text_format(arena, "%s.so", entry) : NULL;
    void *code = entry ? load_sealed(arena, cached) : NULL;
    if (code) {
        utimensat(AT_FDCWD, cached, NULL, AT_SYMLINK_NOFOLLOW); /* used now */
        return code;
    }
    mode_t outer = umask(S_IRWXG | S_IRWXO);
    code = make_entry(arena, cache, entry, text, fused, threaded);
    umask(outer);
    return code;
}

void *code_load(struct arena *arena, const char *text, bool fused, bool threaded) {
    struct interrupts interrupts;
    interrupted = 0;
    interrupts_catch(&interrupts, end_running);
    void *code = load(arena, text, fused, threaded);
    interrupts_release(&interrupts);
    if (interrupted)
        raise(interrupted); /* nothing is left behind: the program ends as it would have */
    return code;
}

void *code_symbol(void *code, const char *name) {
    return dlsym(code, name);
}
