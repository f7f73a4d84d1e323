/* Functions that call a layer many times: repeat, each time with weights of its own. */
#include "check/check.h"

/* A layer or function, which a call gives a value; false and an error if it is anything else. */
static bool is_layer(struct checker *checker, const struct value *layer) {
    if (layer->kind == VALUE_CALLABLE && (!layer->declaration || layer->declaration->kind == STATEMENT_LAYER))
        return true;
    struct diagnostic *error = check_error(checker, layer->span, "expected the name of a layer, found %s",
                                           value_describe(checker, layer));
    diagnostic_note(checker->sink, error, (struct span){0},
                    "the layer is named without a call; its further arguments follow, as in "
                    "repeat(x, 3, dense, units = 8)");
    return false;
}

/* repeat(x, 3, block, heads = 4) is block(block(block(x, heads = 4), heads = 4), heads = 4). */
struct value call_repeat(struct checker *checker, struct value *arguments, struct span span) {
    enum { TIMES_MAX = 10000 };
    int64_t times;
    struct value x = arguments[0];
    if (!to_integer(checker, &arguments[1], "how many times", 0, TIMES_MAX, &times) ||
        !is_layer(checker, &arguments[2]))
        return value_error;
    for (int64_t i = 0; i < times && x.kind != VALUE_ERROR; i++)
        x = call_held(checker, &arguments[2], &x, NULL, span);
    x.span = span;
    return x;
}
