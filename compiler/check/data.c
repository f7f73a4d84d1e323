/* data name = source(...): where rows come from. */
#include "check/check.h"

#include <string.h>

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
            const char *names[8];
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
        if (settings[index].value.kind == VALUE_ERROR)
            return false;
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

static bool csv_data(struct checker *checker, const struct expression *call, struct data *data) {
    struct setting s[] = {{"file", value_none, false}};
    if (!read_settings(checker, call, s, 1))
        return false;
    if (s[0].value.kind != VALUE_TEXT) {
        check_error(checker, call->span, "csv needs the name of a file, as in csv(\"rows.csv\")");
        return false;
    }
    data->file = s[0].value.text;
    return true;
}

static const struct source_kind {
    const char *name;
    enum data_source source;
    bool (*read)(struct checker *checker, const struct expression *call, struct data *data);
} source_kinds[] = {{"spiral", DATA_SPIRAL, spiral_data}, {"csv", DATA_CSV, csv_data}};

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
    const char *names[2];
    for (size_t i = 0; i < 2; i++) {
        names[i] = source_kinds[i].name;
        if (strcmp(source_kinds[i].name, call->left->string) != 0)
            continue;
        data.source = source_kinds[i].source;
        if (!source_kinds[i].read(checker, call, &data))
            return;
        model->data = arena_grow(checker->arena, model->data, (size_t)model->data_count,
                                 (size_t)model->data_count + 1, sizeof *model->data);
        model->data[model->data_count++] = data;
        return;
    }
    const char *nearest = text_nearest(call->left->string, names, 2);
    check_error(checker, call->left->span, "unknown source of data '%s'; %s%s%s", call->left->string,
                nearest ? "did you mean '" : "there are spiral and csv", nearest ? nearest : "",
                nearest ? "'?" : "");
}

const struct data *model_data(const struct model *model, const char *name) {
    for (int i = 0; i < model->data_count; i++)
        if (strcmp(model->data[i].name, name) == 0)
            return &model->data[i];
    return NULL;
}
