/* data name = source(...): where rows come from. */
#include "check/check.h"

#include <string.h>

enum { SETTINGS_MAX = 8 };

/* One named argument of a data source. */
struct setting {
    const char *name;
    struct value value;
    bool given;
};

static bool read_settings(struct checker *checker, const struct expression *call, struct setting *settings,
                          int count) {
    int position = 0;
    for (const struct argument *a = call->arguments; a; a = a->next) {
        int index = position;
        if (a->name.text) {
            const char *names[SETTINGS_MAX];
            for (index = 0; index < count && strcmp(settings[index].name, a->name.text) != 0; index++)
                ;
            for (int i = 0; i < count; i++)
                names[i] = settings[i].name;
            const char *nearest = index < count ? NULL : text_nearest(a->name.text, names, (size_t)count);
            if (index == count) {
                check_error(checker, a->name.span, "%s has no setting '%s'%s%s%s", call->left->string,
                            a->name.text, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                            nearest ? "'?" : "");
                return false;
            }
        } else
            position++;
        if (index >= count || settings[index].given) {
            check_error(checker, a->value->span,
                        index >= count ? "too many arguments for %s" : "given twice: %s",
                        index >= count ? call->left->string : settings[index].name);
            return false;
        }
        settings[index].value = evaluate(checker, checker->globals, a->value);
        settings[index].given = true;
        if (settings[index].value.kind == VALUE_ERROR) {
            if (a->value->kind == EXPRESSION_NAME && strncmp(settings[index].name, "file", 4) == 0)
                diagnostic_note(checker->sink, checker->sink->last, (struct span){0},
                                "the name of a file stands in quotes: \"%s\"", a->value->string);
            return false;
        }
    }
    return true;
}

static bool spiral_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"classes", value_number(3, call->span), false},
                          {"points", value_number(100, call->span), false},
                          {"noise", value_number(0.2, call->span), false},
                          {"radius", value_text("even", call->span), false}};
    if (!read_settings(checker, call, s, 4) ||
        !to_integer(checker, &s[0].value, "the number of classes", 1, 1000, &data->classes) ||
        !to_integer(checker, &s[1].value, "the number of points for each class", 1, 10000000, &data->points))
        return false;
    if (s[2].value.kind != VALUE_NUMBER || !(s[2].value.number >= 0)) {
        check_error(checker, s[2].value.span, "noise has to be a number, 0 or more; found %s",
                    value_describe(checker, &s[2].value));
        return false;
    }
    const char *radius = s[3].value.kind == VALUE_TEXT ? s[3].value.text : "";
    data->noise = s[2].value.number;
    data->radius_random = strcmp(radius, "random") == 0;
    if (!data->radius_random && strcmp(radius, "even") != 0) {
        check_error(checker, s[3].value.span, "radius is even or random; found %s",
                    value_describe(checker, &s[3].value));
        return false;
    }
    return true;
}

/* ---- files ---- */

/* The settings that every source of files has, behind those of its own. */
#define FILE_SETTINGS                                                                              \
    {"skip", value_number(0, call->span), false}, {"first", value_text("all", call->span), false}, \
        {"from", value_none, false}, {                                                             \
        "shuffle", value_number(0, call->span), false                                              \
    }
enum { FILE_SETTING_COUNT = 4 };

static bool read_file_settings(struct checker *checker, const struct setting *s, struct data *data) {
    const struct value *first = &s[1].value;
    bool all = first->kind == VALUE_TEXT && strcmp(first->text, "all") == 0;
    if (s[2].given && s[2].value.kind != VALUE_TEXT) {
        check_error(checker, s[2].value.span, "from says in a text where the file can be had; found %s",
                    value_describe(checker, &s[2].value));
        return false;
    }
    data->from = s[2].given ? s[2].value.text : NULL;
    return to_switch(checker, &s[3].value, "shuffle", &data->shuffle) &&
           to_integer(checker, &s[0].value, "the number of rows to skip", 0, UINT32_MAX, &data->skip) &&
           (all || to_integer(checker, first, "the number of the first rows", 1, UINT32_MAX, &data->first));
}

static bool read_file(struct checker *checker, const struct expression *call, const struct setting *s,
                      struct data *data, const char *example) {
    if (s->value.kind != VALUE_TEXT) {
        check_error(checker, s->given ? s->value.span : call->span, "%s needs the name of a file, as in %s",
                    call->left->string, example);
        return false;
    }
    data->files[data->file_count++] = s->value.text;
    return true;
}

static bool csv_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"file", value_none, false}, FILE_SETTINGS};
    return read_settings(checker, call, s, 1 + FILE_SETTING_COUNT) &&
           read_file(checker, call, &s[0], data, "csv(\"rows.csv\")") &&
           read_file_settings(checker, &s[1], data);
}

static bool idx_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"file", value_none, false},
                          {"file2", value_none, false},
                          {"file3", value_none, false},
                          {"file4", value_none, false},
                          FILE_SETTINGS};
    if (!read_settings(checker, call, s, DATA_FILES_MAX + FILE_SETTING_COUNT))
        return false;
    for (int i = 0; i < DATA_FILES_MAX; i++)
        if ((i == 0 || s[i].given) && !read_file(checker, call, &s[i], data, "idx(\"images\", \"labels\")"))
            return false;
    return read_file_settings(checker, &s[DATA_FILES_MAX], data);
}

static bool text_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"file", value_none, false},
                          {"length", value_number(64, call->span), false},
                          {"stride", value_none, false},
                          FILE_SETTINGS};
    if (!read_settings(checker, call, s, 3 + FILE_SETTING_COUNT) ||
        !read_file(checker, call, &s[0], data, "text(\"book.txt\", length = 64)") ||
        !to_integer(checker, &s[1].value, "the length of a row in characters", 1, 1 << 20, &data->length))
        return false;
    data->stride = data->length;
    return (!s[2].given || to_integer(checker, &s[2].value, "the stride from row to row in characters", 1,
                                      1 << 20, &data->stride)) &&
           read_file_settings(checker, &s[3], data);
}

/* Behind the last row that is taken. */
static int64_t rows_end(const struct data *data) {
    return data->first ? data->skip + data->first : INT64_MAX;
}

/* Rows that were learned by heart say nothing of others. */
static void warn_shared_rows(struct checker *checker, const struct data *data, const struct data *other) {
    const int64_t from = data->skip > other->skip ? data->skip : other->skip,
                  to = rows_end(data) < rows_end(other) ? rows_end(data) : rows_end(other);
    if (!data->file_count || !other->file_count || strcmp(data->files[0], other->files[0]) != 0 ||
        data->length != other->length || (data->shuffle == other->shuffle && from >= to))
        return;
    struct diagnostic *warning = diagnostic_warning(
        checker->sink, data->span, "'%s' and '%s' have rows in common: the test then says little of new rows",
        other->name, data->name);
    diagnostic_note(
        checker->sink, warning, (struct span){0},
        data->shuffle == other->shuffle
            ? "divide the file: 'first = 100' takes the first hundred rows, 'skip = 100' all others"
            : "'shuffle' has to be in both: 'first' and 'skip' count in its order");
}

/* ---- the statement ---- */

static const struct source_kind {
    const char *name;
    enum data_source source;
    bool (*read)(struct checker *checker, const struct expression *call, struct data *data);
} source_kinds[] = {{"spiral", DATA_SPIRAL, spiral_data},
                    {"csv", DATA_CSV, csv_data},
                    {"idx", DATA_IDX, idx_data},
                    {"text", DATA_TEXT, text_data}};

enum { SOURCE_KINDS = sizeof source_kinds / sizeof *source_kinds };

void check_data(struct checker *checker, const struct statement *statement) {
    const struct expression *call = statement->value;
    struct model *model = checker->model;
    struct data data = {.name = statement->name.text, .span = statement->span};
    if (strcmp(data.name, "train") != 0 && strcmp(data.name, "test") != 0)
        diagnostic_warning(checker->sink, statement->name.span,
                           "data '%s' is never used: 'train' is what training reads, 'test' what is held out",
                           data.name);
    if (model_data(model, data.name)) {
        struct diagnostic *error =
            check_error(checker, statement->name.span, "data '%s' is defined twice", data.name);
        diagnostic_note(checker->sink, error, model_data(model, data.name)->span, "it is defined here");
        return;
    }
    if (call->kind != EXPRESSION_CALL || call->left->kind != EXPRESSION_NAME) {
        check_error(checker, call->span,
                    "expected a source of data, such as spiral(...) or csv(\"rows.csv\")");
        return;
    }
    const char *names[SOURCE_KINDS];
    for (size_t i = 0; i < SOURCE_KINDS; i++) {
        names[i] = source_kinds[i].name;
        if (strcmp(source_kinds[i].name, call->left->string) != 0)
            continue;
        data.source = source_kinds[i].source;
        if (!source_kinds[i].read(checker, call, &data))
            return;
        for (int k = 0; k < model->data_count; k++)
            warn_shared_rows(checker, &data, &model->data[k]);
        model->data = arena_grow(checker->arena, model->data, (size_t)model->data_count,
                                 (size_t)model->data_count + 1, sizeof *model->data);
        model->data[model->data_count++] = data;
        return;
    }
    const char *nearest = text_nearest(call->left->string, names, SOURCE_KINDS);
    check_error(checker, call->left->span, "unknown source of data '%s'; %s%s%s", call->left->string,
                nearest ? "did you mean '" : "there are spiral, csv, idx and text", nearest ? nearest : "",
                nearest ? "'?" : "");
}

const struct data *model_data(const struct model *model, const char *name) {
    for (int i = 0; i < model->data_count; i++)
        if (strcmp(model->data[i].name, name) == 0)
            return &model->data[i];
    return NULL;
}
