/* C names: those of the model where C allows them, else made from what a value is for. */
#include "emit/printer.h"
#include "graph/operator.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* Words of C and of C++ (whose programs may include the header), names that the emitted file or its headers
 * use, and the functions of its headers: a model's own name stands beside them, outside of all functions. */
static const char reserved[] =
    " auto break case char const continue default do double else enum extern float for goto if inline int "
    "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while asm typeof linux unix bool true false nullptr alignas alignof constexpr thread_local "
    "static_assert i j k l m n r s u rows from state step seed work workf worki tile turn main batch_rows "
    "sin "
    "cos tan exp log pow sqrt fabs fma fmaf sqrtf fabsf floor ceil round abs signbit isnan isinf "
    "isfinite printf fprintf stdout stderr stdin errno memcpy memset strcmp strlen size_t int32_t "
    "uint32_t int64_t uint64_t y0 y1 yn j0 j1 jn gamma index log1p expm1 erf tanh remainder time T NAN "
    "EOF NULL to whole valid validf first last begun live e c o v at epoch sum metrics loss updates name "
    "count real order "
    "random a b cells class new delete this template operator private public protected virtual namespace "
    "using try catch throw friend explicit mutable typename export and or not xor drawn inside lanes row "
    "and_eq or_eq not_eq "
    "xor_eq bitand bitor compl alignof char8_t char16_t char32_t wchar_t concept requires consteval "
    "constinit co_await co_return co_yield decltype noexcept typeid const_cast dynamic_cast "
    "reinterpret_cast static_cast asin acos atan atan2 sinh cosh asinh acosh atanh exp2 log2 log10 logb "
    "ilogb cbrt hypot erfc lgamma tgamma fmin fmax fdim fmod remquo copysign nan nextafter nexttoward "
    "trunc rint nearbyint lrint llrint lround llround ldexp frexp modf scalbn scalbln scalb drem "
    "significand jn fpclassify isnormal isunordered isless isgreater memmove memchr strcat strncat strncmp "
    "strncpy strcpy strcoll strxfrm strchr strrchr strcspn strspn strpbrk strstr strtok strerror "
    "strdup strndup stpcpy remove rename tmpfile tmpnam fopen fclose freopen fflush setbuf setvbuf scanf "
    "fscanf sscanf sprintf snprintf vprintf vfprintf vsprintf vsnprintf vscanf vfscanf vsscanf fgetc fgets "
    "fputc fputs getc getchar gets putc putchar puts ungetc fread fwrite fgetpos fseek fsetpos ftell rewind "
    "clearerr feof ferror perror fileno popen pclose getline malloc calloc realloc free abort exit atexit "
    "atof atoi atol atoll strtod strtof strtol strtoll strtoul strtoull rand srand qsort bsearch getenv "
    "system labs llabs div ldiv lldiv ";

static bool is_reserved(const char *name) {
    size_t length = strlen(name);
    for (const char *at = strstr(reserved, name); at; at = strstr(at + 1, name))
        if (at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

static size_t hash(const char *name) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)hash;
}

static struct name_entry *find(const struct names *names, const char *name) {
    struct name_entry *entry = names->size ? names->table[hash(name) & (names->size - 1)] : NULL;
    while (entry && strcmp(entry->text, name) != 0)
        entry = entry->next;
    return entry;
}

static void link_entry(struct names *names, struct name_entry *entry) {
    struct name_entry **slot = &names->table[hash(entry->text) & (names->size - 1)];
    entry->next = *slot;
    *slot = entry;
}

struct names *names_new(struct arena *arena) {
    struct names *names = arena_new(arena, struct names);
    names->arena = arena;
    return names;
}

static void add(struct names *names, const char *text) {
    if (names->count == names->size) {
        struct names grown = {names->arena, NULL, names->size ? 4 * names->size : 64, names->count};
        grown.table = arena_array(names->arena, struct name_entry *, grown.size);
        for (size_t i = 0; i < names->size; i++)
            for (struct name_entry *entry = names->table[i], *next; entry; entry = next) {
                next = entry->next;
                link_entry(&grown, entry);
            }
        *names = grown;
    }
    struct name_entry *entry = arena_new(names->arena, struct name_entry);
    entry->text = text;
    names->count++;
    link_entry(names, entry);
}

/* Names such as h_3 and h_r are kept for the elements and rows of h; upper case is for macros. */
static bool needs_mark(const char *name) {
    if (is_reserved(name))
        return true;
    size_t length = strlen(name);
    bool lower = length < 4, digits = false;
    for (const char *p = name; *p; p++)
        lower = lower || islower((unsigned char)*p);
    const char *tail = strrchr(name, '_');
    if (tail && tail[1])
        digits = strspn(tail + 1, "0123456789") == strlen(tail + 1) || strcmp(tail, "_r") == 0 ||
                 strcmp(tail, "_t") == 0 || strcmp(tail, "_next") == 0 || strcmp(tail, "_place") == 0;
    return !lower || digits || strncmp(name, "nn_", 3) == 0 || name[0] == '_';
}

const char *unique_ident(struct names *names, const char *name) {
    struct arena *arena = names->arena;
    char *ident = text_format(arena, "%s%s", isdigit((unsigned char)name[0]) ? "v" : "", name);
    for (char *p = ident; *p; p++)
        if (!isalnum((unsigned char)*p))
            *p = '_';
    if (needs_mark(ident))
        ident =
            text_format(arena, "%s%s_", ident[0] == '_' || strncmp(ident, "nn_", 3) == 0 ? "v" : "", ident);
    const char *candidate = ident;
    struct name_entry *first = find(names, ident);
    while (find(names, candidate))
        candidate = text_format(arena, "%s_v%d", ident, ++first->copies + 1);
    add(names, candidate);
    return candidate;
}

/* h: the model's own name; grad_h: made from h's derivative rule; score_exp: an exp in the statement of
 * score. */
static const char *wanted_name(struct printer *printer, const struct node *node) {
    if (node->code == OPERATOR_weight)
        return printer->weight_names[node->attributes.index];
    if (node->code == OPERATOR_input)
        return printer->column_names[node->attributes.index];
    const char *verb = operators[node->code].name;
    if (node->name)
        return node->name;
    if (node->forward && node->forward->name)
        return text_format(printer->arena, "grad_%s_%s", node->forward->name, verb);
    if (node->home)
        return text_format(printer->arena, "%s%s_%s", node->forward ? "grad_" : "", node->home, verb);
    return verb;
}

void name_nodes(struct printer *printer) {
    const struct graph *graph = &printer->plan->graph;
    printer->names = names_new(printer->arena);
    printer->idents = arena_array(printer->arena, const char *, (size_t)graph->count);
    for (int id = 0; id < graph->count; id++) {
        const struct node *node = graph->nodes[id];
        if (node->code != OPERATOR_constant && operators[node->code].kind != KIND_VIEW)
            printer->idents[id] = unique_ident(printer->names, wanted_name(printer, node));
    }
}
