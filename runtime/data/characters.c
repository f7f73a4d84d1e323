/* One pass over the bytes; a table by code point knows each character's number. */
#include "data/characters.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_LIMIT = 0x110000, LABEL_LIMIT = 1 << 16, COUNT_LIMIT = 1 << 28, NAME_SIZE = 8 };

struct reader {
    struct arena *arena;
    struct byte_file file;
    struct characters *characters;
    struct failure *failure;
    const char *from;
    bool fixed;
    size_t capacity, label_capacity;
    size_t line, column;
    uint32_t *numbers; /* (CODE_LIMIT) 1 + the number; 0: none yet */
};

/* ---- names ---- */

static void encode(uint32_t code, char name[NAME_SIZE]) {
    char *to = name;
    if (code >= 0x10000) {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else if (code >= 0x800) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else if (code >= 0x80) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else
        *to++ = (char)code;
    *to = '\0';
}

static void name_of(uint32_t code, char name[NAME_SIZE]) {
    const char *simple = code == '\n' ? "\\n" : code == '\t' ? "\\t" : code == '\r' ? "\\r" : "\\\\";
    if (code == '\n' || code == '\t' || code == '\r' || code == '\\')
        memcpy(name, simple, 3);
    else if (code < 0x20 || code == 0x7f)
        snprintf(name, NAME_SIZE, "\\x%02x", (unsigned)code);
    else
        encode(code, name);
}

/* The code point at `text`, of at most `size` bytes, and its length; 0: these are no character.  Overlong
 * forms, surrogates and what lies beyond U+10FFFF are none. */
static int decode(const unsigned char *text, size_t size, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int length = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (length == 0 || text[0] >= 0xf8 || (size_t)length > size)
        return 0;
    *code = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    return *code >= least[length] && *code < CODE_LIMIT && (*code < 0xd800 || *code > 0xdfff) ? length : 0;
}

/* The code point that a name stands for; CODE_LIMIT: none. */
static uint32_t code_of(const char *name) {
    uint32_t code = CODE_LIMIT;
    if (name[0] == '\\' && name[1] == 'x')
        return (uint32_t)strtoul(name + 2, NULL, 16) & 0x7f;
    if (name[0] == '\\')
        return name[1] == 'n' ? '\n' : name[1] == 't' ? '\t' : name[1] == 'r' ? '\r' : '\\';
    return decode((const unsigned char *)name, strlen(name), &code) ? code : CODE_LIMIT;
}

int32_t characters_number(const struct table_labels *labels, const char **text) {
    uint32_t code = 0;
    char name[NAME_SIZE];
    int length = decode((const unsigned char *)*text, strlen(*text), &code);
    if (length == 0)
        return -1;
    name_of(code, name);
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], name) == 0) {
            *text += length;
            return (int32_t)i;
        }
    return -1;
}

void characters_print(const char *name, FILE *out) {
    char bytes[NAME_SIZE];
    uint32_t code = code_of(name);
    if (code < CODE_LIMIT)
        encode(code, bytes);
    fputs(code < CODE_LIMIT ? bytes : name, out);
}

/* ---- reading ---- */

static bool fail(const struct reader *reader, const char *found, const char *expected) {
    return failure_set(reader->failure, FAILURE_DATA, "%s:%zu:%zu: found %s, expected %s", reader->file.name,
                       reader->line, reader->column, found, expected);
}

static bool add_name(struct reader *reader, uint32_t code) {
    struct table_labels *labels = &reader->characters->labels;
    char name[NAME_SIZE];
    name_of(code, name);
    if (reader->fixed)
        return fail(reader, text_format(reader->arena, "the character '%s'", name),
                    text_format(reader->arena, "one of the %zu characters of %s", labels->count,
                                reader->from ? reader->from : "the data before it"));
    if (labels->count == LABEL_LIMIT)
        return fail(reader, "yet another character", "at most 65536 different ones");
    arena_reserve(reader->arena, labels->names, labels->count, reader->label_capacity);
    labels->names[labels->count++] = arena_copy(reader->arena, name, strlen(name));
    reader->numbers[code] = (uint32_t)labels->count;
    return true;
}

static bool add_character(struct reader *reader, uint32_t code) {
    struct characters *characters = reader->characters;
    if (code == 0)
        return fail(reader, "a NUL byte", "text");
    if (characters->count == COUNT_LIMIT)
        return fail(reader, "yet another character", "at most 268435456");
    if (!reader->numbers[code] && !add_name(reader, code))
        return false;
    arena_reserve(reader->arena, characters->ids, characters->count, reader->capacity);
    characters->ids[characters->count++] = (int32_t)reader->numbers[code] - 1;
    reader->column = code == '\n' ? 1 : reader->column + 1;
    reader->line += code == '\n';
    return true;
}

/* All bytes, four at a time in sight: no character is longer. */
static bool read_all(struct reader *reader) {
    unsigned char sight[4];
    size_t held = 0;
    for (bool first = true;; first = false) {
        uint32_t code = 0;
        for (int byte; held < 4 && (byte = byte_file_next(&reader->file)) != EOF;)
            sight[held++] = (unsigned char)byte;
        if (held < 4 && !byte_file_ended(&reader->file, reader->failure))
            return false;
        if (held == 0)
            return true;
        if (first && held >= 2 && sight[0] == 0x1f && sight[1] == 0x8b)
            return fail(reader, "a file compressed with gzip", "text (this program was built without zlib)");
        int length = decode(sight, held, &code);
        if (length == 0)
            return fail(reader, text_format(reader->arena, "byte 0x%02x", sight[0]), "text in UTF-8");
        bool mark = first && code == 0xfeff; /* of UTF-8, at the start */
        if (!mark && !add_character(reader, code))
            return false;
        held -= (size_t)length;
        memmove(sight, sight + length, held);
    }
}

static void follow(struct reader *reader, const struct table_labels *known) {
    reader->fixed = true;
    reader->characters->labels = *known;
    for (size_t i = 0; i < known->count; i++) {
        uint32_t code = code_of(known->names[i]);
        if (code < CODE_LIMIT)
            reader->numbers[code] = (uint32_t)i + 1;
    }
}

static bool read(struct reader *reader, const struct table_labels *known) {
    *reader->characters = (struct characters){0};
    reader->line = reader->column = 1;
    reader->numbers = arena_array(reader->arena, uint32_t, CODE_LIMIT);
    if (known)
        follow(reader, known);
    return read_all(reader);
}

bool characters_read_file(struct arena *arena, FILE *file, const char *name, const struct table_labels *known,
                          const char *from, struct characters *characters, struct failure *failure) {
    struct reader reader = {.arena = arena, .characters = characters, .failure = failure, .from = from};
    byte_file_open_file(&reader.file, file, name);
    return read(&reader, known);
}

/* Out of memory while the file is open: close it on the way through.  The reader stands in the arena because
 * its fields must outlive the jump. */
bool characters_read(struct arena *arena, const char *path, const struct table_labels *known,
                     const char *from, struct characters *characters, struct failure *failure) {
    struct reader *reader = arena_new(arena, struct reader);
    jmp_buf *outer = arena->out_of_memory;
    jmp_buf inner;
    *reader = (struct reader){.arena = arena, .characters = characters, .failure = failure, .from = from};
    if (setjmp(inner)) {
        byte_file_close(&reader->file);
        arena->out_of_memory = outer;
        longjmp(*outer, 1);
    }
    arena->out_of_memory = &inner;
    bool good = byte_file_open(&reader->file, path, failure) && read(reader, known);
    byte_file_close(&reader->file);
    arena->out_of_memory = outer;
    return good;
}
