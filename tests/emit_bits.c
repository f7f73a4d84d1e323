/* An emitted program, and then its weights bit for bit against a file that nnrun saved.
 *
 * EMITTED is the C file, MODEL the model's name: both are set when this is compiled.  The program's own main
 * runs first and prints what it prints; the argument is the safetensors file (none: nothing is compared).
 */
#define main program
#include EMITTED
#undef main

#include <stdio.h>
#include <stdlib.h>

#define JOINED(model, name) model##name
#define NAMED(model, name) JOINED(model, name)

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 22);
    if (!file || !bytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(3);
    }
    *size = fread(bytes, 1, (1 << 22) - 1, file);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

/* One entry of the header: "name":{"dtype":"F64","shape":[..],"data_offsets":[from,to]}.  Returns what
 * follows it. */
static char *compare_entry(char *entry, const char *data, int *differences) {
    char *name = entry + 1, *end = strchr(name, '"');
    char *close = end ? strchr(end, '}') : NULL;
    char *offsets = end ? strstr(end, "data_offsets") : NULL;
    size_t count = 0;
    if (!end || !close)
        return NULL;
    *end = '\0';
    if (offsets && offsets < close) {
        char *bounds = strchr(offsets, '[') + 1;
        unsigned long from = strtoul(bounds, &bounds, 10), to = strtoul(strchr(bounds, ',') + 1, NULL, 10);
        void *weight = NAMED(MODEL, _weight)(&state, name, &count);
        size_t size = strstr(end + 1, "F64") && strstr(end + 1, "F64") < close ? 8 : 4;
        if (!weight || count * size != to - from || memcmp(weight, data + from, to - from) != 0) {
            fprintf(stderr, "weight %s differs\n", name);
            ++*differences;
        }
    }
    return strchr(close, '"');
}

static int compare_weights(const char *path) {
    size_t size;
    char *file = read_file(path, &size);
    uint64_t header;
    int differences = 0, entries = 0;
    memcpy(&header, file, sizeof header);
    const char *data = file + 8 + header;
    for (char *entry = strchr(file + 8, '"'); entry && entry < data; entries++)
        entry = compare_entry(entry, data, &differences);
    free(file);
    return differences || !entries;
}

int main(int count, char **arguments) {
    char *own_name[] = {arguments[0], NULL};
    const int code = program(1, own_name);
    return code ? code : count > 1 ? compare_weights(arguments[1]) : 0;
}
