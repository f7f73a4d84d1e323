/* A window of the last characters is the one row of a prediction.  It is filled from its start: a model that
 * looks back only does not see what lies behind. */
#include "sample.h"
#include "classes.h"
#include "data/characters.h"
#include "kernels/random.h"
#include "predict.h"

#include <math.h>

/* Draws are numbered from 0 in a stream of their own. */
#define SAMPLE_STREAM UINT32_C(0x60000000)

struct writer {
    struct run *run;
    struct predictor *predictor;
    const struct table_labels *names;
    int32_t *window; /* (length) */
    int64_t length, held;
    int64_t places; /* of the output: length, or 1 */
    enum element element;
};

static bool refuse(struct run *run, const char *lack) {
    return failure_set(run->failure, FAILURE_DATA, "--sample: %s: %s", run->model->path, lack);
}

/* The one input, or NULL. */
static const struct column *only_input(const struct model *model) {
    const struct column *input = NULL;
    for (int i = 0; i < model->column_count; i++) {
        if (model->columns[i].is_target)
            continue;
        if (input)
            return NULL;
        input = &model->columns[i];
    }
    return input;
}

static bool start(struct writer *writer, struct run *run) {
    const struct model *model = run->model;
    const struct column *input = only_input(model);
    if (!input || input->node->type.element != ELEMENT_INT || !model->output_count)
        return refuse(run, "expected one input of characters, class[batch, length], and an output");
    writer->names = classes_of_text(run);
    if (!writer->names)
        return refuse(run, "its characters are not known: add --train, or --load FILE");
    const struct type *type = &model->outputs[0].node->type;
    int64_t inner = shape_inner_size(&type->shape), count = (int64_t)writer->names->count;
    struct shape row = shape_inner(&type->shape);
    writer->length = shape_inner_size(&input->node->type.shape);
    if (row.rank < 1 || row.dims[row.rank - 1] < count || shape_batch_axis(&type->shape) < 0 ||
        type->element == ELEMENT_INT ||
        (inner != row.dims[row.rank - 1] && inner != writer->length * row.dims[row.rank - 1]))
        return refuse(run, text_format(run->arena,
                                       "expected output '%s' to give a share for each of %lld characters",
                                       model->outputs[0].name, (long long)count));
    writer->run = run;
    writer->element = type->element;
    writer->places = inner / row.dims[row.rank - 1];
    writer->predictor = predictor_new(run, model->outputs, 1, 1);
    writer->window = predictor_rows(writer->predictor)->columns[input->node->attributes.index];
    return true;
}

static void add(struct writer *writer, int32_t number) {
    if (writer->held == writer->length) {
        for (int64_t i = 1; i < writer->length; i++)
            writer->window[i - 1] = writer->window[i];
        writer->held--;
    }
    writer->window[writer->held++] = number;
}

static bool read_prompt(struct writer *writer, const char *prompt, FILE *out) {
    for (const char *at = prompt; *at;) {
        int32_t number = characters_number(writer->names, &at);
        if (number < 0)
            return failure_set(
                writer->run->failure, FAILURE_USAGE,
                "--prompt: the character at byte %zu is not one of the %zu that the model knows",
                (size_t)(at - prompt) + 1, writer->names->count);
        add(writer, number);
    }
    fputs(prompt, out);
    return true;
}

/* Draw `index` from the shares of what follows the window: the first character at which their sum passes a
 * uniform share of the whole; -1: they are no shares. */
static int32_t draw(struct writer *writer, int64_t index) {
    predictor_run(writer->predictor, 1);
    const void *shares = predictor_values(writer->predictor, 0);
    int64_t inner = shape_inner_size(&writer->run->model->outputs[0].node->type.shape) / writer->places;
    int64_t from = writer->places == 1 ? 0 : (writer->held - 1) * inner,
            count = (int64_t)writer->names->count;
    double whole = 0, sum = 0;
    for (int64_t k = 0; k < count; k++) {
        double share = run_number(writer->element, shares, from + k);
        if (!(share >= 0))
            return -1;
        whole += share;
    }
    if (!(whole > 0) || !isfinite(whole))
        return -1;
    double bound = whole * nn_uniform(writer->run->seed, SAMPLE_STREAM, (uint64_t)index);
    int32_t last = 0;
    for (int64_t k = 0; k < count; k++) {
        double share = run_number(writer->element, shares, from + k);
        sum += share;
        last = share > 0 ? (int32_t)k : last;
        if (share > 0 && sum > bound)
            break;
    }
    return last;
}

bool sample_print(struct run *run, const char *prompt, int64_t count, FILE *out) {
    struct writer writer = {0};
    const char *feed = "\n";
    if (!start(&writer, run) || !read_prompt(&writer, prompt ? prompt : "", out))
        return false;
    if (writer.held == 0) {
        int32_t number = characters_number(writer.names, &feed);
        add(&writer, number < 0 ? 0 : number);
    }
    for (int64_t i = 0; i < count && !ferror(out); i++) {
        int32_t number = draw(&writer, i);
        if (number < 0)
            return refuse(run, text_format(run->arena, "output '%s' gives no shares: numbers of 0 or more",
                                           run->model->outputs[0].name));
        characters_print(writer.names->names[number], out);
        add(&writer, number);
    }
    fputs("\n", out);
    return true;
}
