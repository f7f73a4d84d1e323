/* At a place where no weight is zero, the loss is computed a little to both sides of each element of each
 * weight, in f64, and the quotient of the differences is compared with the derivative.
 *
 * Where they differ, the operator at fault is found: the first node, in the order of evaluation, whose own
 * derivative along a random direction in all weights is not its quotient.
 */
#include "gradients.h"
#include "graph/operator.h"
#include "interpreter.h"
#include "kernels/random.h"
#include "passes/differentiate.h"

#include <math.h>
#include <string.h>

#define GRADIENT_STREAM UINT32_C(0x80000001) /* the streams below are taken: see rows.c */

enum {
    ROWS_MOST = 16,     /* rows that a check uses */
    ELEMENTS_MOST = 200 /* elements of a weight that are looked at; all, where it has no more */
};

struct checking {
    struct run *run;
    struct graph *graph;
    struct node **weights; /* (count) those that are no state */
    double **values;       /* (count) where they lie */
    int count;
    struct batch batch;
    uint64_t drawn; /* random numbers so far */
};

/* A scalar of the graph, its derivatives for all weights, and what computes them. */
struct slopes {
    double value;
    double **gradients;             /* (count); NULL: the value does not depend on the weight */
    struct interpreter *value_only; /* for the quotients */
    void *results[2];
};

static double draw(struct checking *checking) {
    return 2 * nn_uniform(checking->run->seed, GRADIENT_STREAM, checking->drawn++) - 1;
}

static int64_t elements(const struct node *node) {
    return shape_inner_size(&node->type.shape);
}

/* ---- where the check is made ---- */

static void draw_column(struct checking *checking, const struct column *column, void *memory) {
    int64_t count = elements(column->node) * checking->batch.rows;
    for (int64_t i = 0; i < count; i++)
        if (column->node->type.element == ELEMENT_INT)
            ((int32_t *)memory)[i] =
                (int32_t)((draw(checking) + 1) / 2 * (double)(column->classes ? column->classes : 3));
        else
            ((double *)memory)[i] = draw(checking);
}

static void make_batch(struct checking *checking) {
    struct run *run = checking->run;
    const struct model *model = run->model;
    const void **columns = arena_array(run->arena, const void *, (size_t)model->column_count);
    checking->batch =
        (struct batch){.rows = ROWS_MOST, .columns = columns, .step = 1, .drawn = 1, .seed = run->seed};
    if (run->train.count) {
        run_columns(model, &run->train, 0, columns);
        if (run->train.count < ROWS_MOST)
            checking->batch.rows = run->train.count;
        return;
    }
    for (int i = 0; i < model->column_count; i++) {
        void *memory =
            arena_allocate_array(run->arena, (size_t)(elements(model->columns[i].node) * ROWS_MOST), 8);
        draw_column(checking, &model->columns[i], memory);
        columns[i] = memory;
    }
}

/* Away from zeros and symmetries, where two wrongs may look right. */
static void disturb_weights(struct checking *checking) {
    for (int w = 0; w < checking->count; w++)
        for (int64_t i = 0; i < elements(checking->weights[w]); i++)
            checking->values[w][i] += 0.1 * draw(checking);
}

/* ---- derivatives and quotients ---- */

/* With an update that changes nothing, so that layers do as in training; `roots` has room for one more. */
static struct interpreter *interpreter_for(struct checking *checking, struct node **roots, int count) {
    struct run *run = checking->run;
    struct node *same[2] = {checking->weights[0], checking->weights[0]};
    roots[count++] = graph_node(checking->graph, OPERATOR_assign, same, 2, NULL, NULL);
    return interpreter_new(plan_make(checking->graph, roots, count, run->arena), run->kernels,
                           run->weights.values, run->arena);
}

/* The value and its derivatives where the weights are. */
static struct slopes *slopes_of(struct checking *checking, struct node *value) {
    struct arena *arena = checking->run->arena;
    struct slopes *slopes = arena_new(arena, struct slopes);
    size_t room = (size_t)checking->count + 2;
    struct node **gradients = arena_array(arena, struct node *, room),
                **roots = arena_array(arena, struct node *, room);
    void **results = arena_array(arena, void *, room);
    int count = 1;
    slopes->gradients = arena_array(arena, double *, room);
    roots[0] = value;
    results[0] = slopes->results[0] = &slopes->value;
    differentiate(checking->graph, value, checking->weights, checking->count, gradients);
    for (int w = 0; w < checking->count; w++) {
        if (!gradients[w])
            continue;
        slopes->gradients[w] = arena_array(arena, double, (size_t)elements(checking->weights[w]));
        results[count] = slopes->gradients[w];
        roots[count++] = gradients[w];
    }
    struct batch batch = checking->batch;
    batch.results = results;
    interpreter_run(interpreter_for(checking, roots, count), &batch);
    roots[0] = value;
    slopes->value_only = interpreter_for(checking, roots, 1);
    return slopes;
}

static double value_now(const struct checking *checking, struct slopes *slopes) {
    struct batch batch = checking->batch;
    batch.results = slopes->results;
    interpreter_run(slopes->value_only, &batch);
    return slopes->value;
}

/* Central differences of fourth order, from h and 2h to both sides; `move` goes to that place. */
static double quotient(struct checking *checking, struct slopes *slopes, double h,
                       void (*move)(struct checking *checking, void *along, double to), void *along) {
    static const double places[] = {-2, -1, 1, 2}, shares[] = {1, -8, 8, -1};
    double value = slopes->value, sum = 0;
    for (int i = 0; i < 4; i++) {
        move(checking, along, places[i] * h);
        sum += shares[i] * value_now(checking, slopes);
    }
    move(checking, along, 0);
    slopes->value = value;
    return sum / (12 * h);
}

/* How far two slopes are apart, where 1 is the most that rounding explains. */
static double apart(const struct slopes *slopes, double derivative, double found) {
    double distance = fabs(derivative - found);
    double tolerance = 1e-5 * fmax(fabs(derivative), fabs(found)) + 1e-9 * fmax(1, fabs(slopes->value));
    return isfinite(distance) ? distance / tolerance : INFINITY;
}

struct judgement {
    double derivative, quotient, apart;
    bool kink; /* the loss bends here: no quotient tells the derivative */
};

static struct judgement judge(struct checking *checking, struct slopes *slopes, double derivative,
                              void (*move)(struct checking *, void *, double), void *along) {
    const double wide = 0x1p-13, narrow = 0x1p-17;
    struct judgement judged = {.derivative = derivative};
    judged.quotient = quotient(checking, slopes, wide, move, along);
    judged.apart = apart(slopes, derivative, judged.quotient);
    if (judged.apart <= 1)
        return judged;
    double nearer = quotient(checking, slopes, narrow, move, along);
    judged.kink = apart(slopes, judged.quotient, nearer) > 100; /* rounding is larger, too */
    if (apart(slopes, derivative, nearer) <= 1) {
        judged.quotient = nearer;
        judged.apart = apart(slopes, derivative, nearer);
        judged.kink = false;
    }
    return judged;
}

/* ---- the operator at fault ---- */

struct direction {
    double **by_weight, **start;
};

static void move_all(struct checking *checking, void *along, double to) {
    const struct direction *direction = along;
    for (int w = 0; w < checking->count; w++)
        for (int64_t i = 0; i < elements(checking->weights[w]); i++)
            checking->values[w][i] = direction->start[w][i] + to * direction->by_weight[w][i];
}

static struct direction draw_direction(struct checking *checking) {
    struct arena *arena = checking->run->arena;
    struct direction direction = {arena_array(arena, double *, (size_t)checking->count),
                                  arena_array(arena, double *, (size_t)checking->count)};
    for (int w = 0; w < checking->count; w++) {
        size_t count = (size_t)elements(checking->weights[w]);
        direction.by_weight[w] = arena_array(arena, double, count);
        direction.start[w] = arena_array(arena, double, count);
        memcpy(direction.start[w], checking->values[w], count * sizeof(double));
        for (size_t i = 0; i < count; i++)
            direction.by_weight[w][i] = draw(checking);
    }
    return direction;
}

/* One number that hangs on every element of the node. */
static struct node *sum_of_squares(struct checking *checking, struct node *node) {
    struct node *sum = graph_binary(checking->graph, OPERATOR_multiply, node, node);
    while (sum->type.shape.rank)
        sum = graph_fold(checking->graph, OPERATOR_sum, sum, sum->type.shape.rank - 1);
    return sum;
}

static bool is_wrong(struct checking *checking, struct node *node) {
    struct slopes *slopes = slopes_of(checking, sum_of_squares(checking, node));
    struct direction direction = draw_direction(checking);
    double derivative = 0;
    for (int w = 0; w < checking->count; w++)
        for (int64_t i = 0; slopes->gradients[w] && i < elements(checking->weights[w]); i++)
            derivative += slopes->gradients[w][i] * direction.by_weight[w][i];
    struct judgement judged = judge(checking, slopes, derivative, move_all, &direction);
    return judged.apart > 1 && !judged.kink;
}

/* The first node below the loss whose derivative is wrong, or NULL where each is right by itself. */
static struct node *find_wrong(struct checking *checking) {
    struct graph *graph = checking->graph;
    struct node *loss = checking->run->model->loss.node;
    bool *below = arena_array(checking->run->arena, bool, (size_t)loss->id + 1);
    below[loss->id] = true;
    for (int id = loss->id; id >= 0; id--)
        for (int k = 0; below[id] && k < graph->nodes[id]->input_count; k++)
            below[graph->nodes[id]->inputs[k]->id] = true;
    for (int id = 0; id <= loss->id; id++) {
        struct node *node = graph->nodes[id];
        if (below[id] && node->input_count && node->type.element == ELEMENT_F64 && is_wrong(checking, node))
            return node;
    }
    return NULL;
}

/* ---- weights, element by element ---- */

struct weight_element {
    int weight;
    int64_t index;
    double start;
};

static void move_element(struct checking *checking, void *along, double to) {
    const struct weight_element *element = along;
    checking->values[element->weight][element->index] = element->start + to;
}

static const char *element_text(struct checking *checking, const struct node *weight, int64_t index) {
    struct text text = {.arena = checking->run->arena};
    int64_t indices[RANK_MAX];
    const struct shape *shape = &weight->type.shape;
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        indices[axis] = index % shape->dims[axis];
        index /= shape->dims[axis];
    }
    text_print(&text, "%s", weight->name);
    for (int axis = 0; axis < shape->rank; axis++)
        text_print(&text, "%s%lld%s", axis ? ", " : "[", (long long)indices[axis],
                   axis + 1 == shape->rank ? "]" : "");
    return text_string(&text);
}

/* The operator that takes the weight: by its rule the last step to the weight's derivative is made. */
static const struct node *reader_of(const struct checking *checking, const struct node *weight) {
    for (int id = weight->id; id < checking->graph->count; id++)
        for (int k = 0; k < checking->graph->nodes[id]->input_count; k++)
            if (checking->graph->nodes[id]->inputs[k] == weight)
                return checking->graph->nodes[id];
    return weight;
}

struct finding {
    struct weight_element worst;
    struct judgement judged; /* of the worst */
    int64_t looked_at, kinks;
    bool all_zero;
};

static struct finding look_at_weight(struct checking *checking, struct slopes *slopes, int w) {
    struct finding finding = {.worst = {.weight = w}, .judged.apart = -1, .all_zero = true};
    int64_t count = elements(checking->weights[w]);
    int64_t most = count < ELEMENTS_MOST ? count : ELEMENTS_MOST;
    for (int64_t i = 0; i < most; i++) {
        struct weight_element element = {.weight = w, .index = i};
        if (most < count)
            element.index = (int64_t)((draw(checking) + 1) / 2 * (double)count);
        element.start = checking->values[w][element.index];
        double derivative = slopes->gradients[w] ? slopes->gradients[w][element.index] : 0;
        struct judgement judged = judge(checking, slopes, derivative, move_element, &element);
        finding.looked_at++;
        finding.kinks += judged.kink;
        if (judged.kink)
            continue;
        finding.all_zero = finding.all_zero && fabs(derivative) <= 1e-12 && fabs(judged.quotient) <= 1e-9;
        if (judged.apart > finding.judged.apart) {
            finding.judged = judged;
            finding.worst = element;
        }
    }
    return finding;
}

static void print_finding(struct checking *checking, const struct finding *finding, FILE *out) {
    const struct run *run = checking->run;
    const struct node *weight = checking->weights[finding->worst.weight];
    const struct node *reader = reader_of(checking, weight);
    fprintf(out, "%s  %lld of %lld elements", weight->name, (long long)finding->looked_at,
            (long long)elements(weight));
    if (finding->kinks)
        fprintf(out, ", %lld where the loss bends", (long long)finding->kinks);
    fprintf(out, "  worst %s: derivative %.9g, difference quotient %.9g  (%s, %s)\n",
            element_text(checking, weight, finding->worst.index), finding->judged.derivative,
            finding->judged.quotient, operators[reader->code].name,
            run_place(run, reader->origin, reader->span));
}

/* Is the weight added to something, as a bias is? */
static bool is_added(const struct checking *checking, const struct node *weight) {
    const struct node *reader = reader_of(checking, weight), *before = weight;
    while (reader != before && operators[reader->code].kind == KIND_VIEW) {
        before = reader;
        reader = reader_of(checking, before);
    }
    return reader->code == OPERATOR_add;
}

static void report_zero(struct checking *checking, const struct finding *finding) {
    const struct weight *weight = NULL;
    for (int i = 0; i < checking->run->model->weight_count; i++)
        if (checking->run->model->weights[i].node == checking->weights[finding->worst.weight])
            weight = &checking->run->model->weights[i];
    struct diagnostic *error = diagnostic_error(
        checking->run->sink, weight->span,
        "the loss does not change with weight '%s': its derivative and the difference quotient are "
        "both zero, which proves nothing",
        weight->name);
    if (is_added(checking, weight->node))
        diagnostic_note(
            checking->run->sink, error, (struct span){0},
            "a normalisation that follows, such as batch_norm, takes the mean away and what is added with "
            "it; bias = false makes a layer without");
}

static void report_wrong(struct checking *checking, const struct finding *finding) {
    struct run *run = checking->run;
    const struct node *weight = checking->weights[finding->worst.weight], *wrong = find_wrong(checking);
    const struct node *maker = wrong ? wrong : reader_of(checking, weight);
    bool direct = maker->span.source && strcmp(maker->span.source->name, run->model->path) == 0;
    struct diagnostic *error =
        diagnostic_error(run->sink, direct || !maker->origin.source ? maker->span : maker->origin,
                         "the derivative of %s is wrong: for %s it is %.9g, and the loss changes by %.9g",
                         operators[maker->code].name, element_text(checking, weight, finding->worst.index),
                         finding->judged.derivative, finding->judged.quotient);
    if (!direct && maker->span.source && maker->origin.source)
        diagnostic_note(run->sink, error, maker->span, "it is computed here");
    if (!wrong)
        diagnostic_note(run->sink, error, (struct span){0},
                        "every operator's derivative is right by itself; this one reads the weight");
}

bool gradients_check(struct run *run, struct graph *graph, FILE *out) {
    const struct model *model = run->model;
    struct checking checking = {.run = run, .graph = graph};
    struct finding worst = {.judged.apart = -1};
    int errors = run->sink->error_count;
    checking.weights = arena_array(run->arena, struct node *, (size_t)model->weight_count);
    checking.values = arena_array(run->arena, double *, (size_t)model->weight_count);
    for (int i = 0; i < model->weight_count; i++) {
        if (model->weights[i].is_state || model->weights[i].is_running)
            continue;
        checking.values[checking.count] = run->weights.values[i];
        checking.weights[checking.count++] = model->weights[i].node;
    }
    make_batch(&checking);
    disturb_weights(&checking);
    struct slopes *slopes = slopes_of(&checking, model->loss.node);
    for (int w = 0; w < checking.count; w++) {
        struct finding finding = look_at_weight(&checking, slopes, w);
        print_finding(&checking, &finding, out);
        if (finding.all_zero)
            report_zero(&checking, &finding);
        if (finding.judged.apart > worst.judged.apart)
            worst = finding;
    }
    if (worst.judged.apart > 1)
        report_wrong(&checking, &worst);
    return run->sink->error_count == errors;
}
