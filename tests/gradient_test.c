/* Derivatives against central differences.
 *
 * Every model here has weights before the operator in question, so that a derivative has to pass through it.  Along a
 * random direction in each weight, and along some of its elements, (loss(w + h d) - loss(w - h d)) / 2h
 * has to be what differentiate() says; two zeros prove nothing and are refused.
 */
#include "harness.h"

#include "passes/differentiate.h"

static const int64_t batches[] = {1, 3, 30, 33, 300};

enum { BATCHES = sizeof batches / sizeof *batches };

/* ---- the comparison ---- */

struct experiment {
    struct bench *bench;
    const char *name;
    struct node *loss;
    struct node *gradients[BENCH_WEIGHTS]; /* NULL: the loss does not depend on the weight */
    struct interpreter *forward, *backward;
    double *slopes[BENCH_WEIGHTS]; /* the derivatives' values */
};

static void make_experiment(struct experiment *experiment, struct bench *bench, const char *name, struct node *loss) {
    struct node *roots[BENCH_WEIGHTS + 1] = {loss};
    int root_count = 1;
    *experiment = (struct experiment){.bench = bench, .name = name, .loss = loss};
    differentiate(bench->graph, loss, bench->weight_nodes, bench->weight_count, experiment->gradients);
    for (int i = 0; i < bench->weight_count; i++)
        if (experiment->gradients[i])
            roots[root_count++] = experiment->gradients[i];
    experiment->forward = bench_interpreter(bench, plan_make(bench->graph, roots, 1, &bench->arena));
    experiment->backward = bench_interpreter(bench, plan_make(bench->graph, roots, root_count, &bench->arena));
}

/* The weights and columns are filled anew before this. */
static double run_backward(struct experiment *experiment) {
    struct bench *bench = experiment->bench;
    double loss = NAN;
    void *results[BENCH_WEIGHTS + 1] = {&loss};
    int count = 1;
    for (int i = 0; i < bench->weight_count; i++) {
        experiment->slopes[i] = bench_room(bench, bench->weight_nodes[i]);
        if (experiment->gradients[i])
            results[count++] = experiment->slopes[i];
    }
    bench_run(bench, experiment->backward, results);
    return loss;
}

static double run_forward(struct experiment *experiment) {
    double loss = NAN;
    void *results[1] = {&loss};
    bench_run(experiment->bench, experiment->forward, results);
    return loss;
}

/* The difference quotient of the loss along `direction` in weight w. */
static double quotient(struct experiment *experiment, int w, const double *direction) {
    enum { SIDES = 2 };
    const double h = 0x1p-17;
    struct bench *bench = experiment->bench;
    double *values = bench->weights[w], losses[SIDES];
    int64_t count = bench_elements(bench, bench->weight_nodes[w]);
    double *saved = bench_room(bench, bench->weight_nodes[w]);
    memcpy(saved, values, (size_t)count * sizeof *values);
    for (int side = 0; side < SIDES; side++) {
        for (int64_t i = 0; i < count; i++)
            values[i] = saved[i] + (side ? h : -h) * direction[i];
        losses[side] = run_forward(experiment);
    }
    memcpy(values, saved, (size_t)count * sizeof *values);
    return (losses[1] - losses[0]) / (2 * h);
}

static void compare(struct experiment *experiment, int w, double loss, const double *direction, bool is_zero) {
    int64_t count = bench_elements(experiment->bench, experiment->bench->weight_nodes[w]);
    double expected = quotient(experiment, w, direction), found = 0;
    for (int64_t i = 0; i < count; i++)
        found += direction[i] * experiment->slopes[w][i];
    double tolerance = 2e-6 * fabs(expected) + 1e-9 * fmax(1, fabs(loss));
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s, %lld rows, weight %d: derivative %.12g, difference quotient %.12g", experiment->name,
                 (long long)experiment->bench->rows, w, found, expected);
    if (!is_zero && !(fabs(found) > 1e-7))
        fail_msg("%s, %lld rows, weight %d: both sides are zero, which proves nothing", experiment->name,
                 (long long)experiment->bench->rows, w);
}

/* One random direction and some single elements of each weight whose bit in `zeros` is not set; the others have to be
 * zero on both sides. */
static void check_weights(struct experiment *experiment, unsigned zeros) {
    enum { SINGLES = 4 };
    struct bench *bench = experiment->bench;
    double loss = run_backward(experiment);
    double again = run_forward(experiment);
    assert_memory_equal(&loss, &again, sizeof loss);
    for (int w = 0; w < bench->weight_count; w++) {
        int64_t count = bench_elements(bench, bench->weight_nodes[w]);
        double *direction = bench_random_values(bench, bench->weight_nodes[w], 0);
        compare(experiment, w, loss, direction, zeros >> w & 1);
        for (int s = 0; s < SINGLES && s < count; s++) {
            memset(direction, 0, (size_t)count * sizeof *direction);
            direction[bench_below(bench, (int)count)] = 1;
            compare(experiment, w, loss, direction, true); /* a single element may be without effect */
        }
    }
}

/* ---- element-wise operators, straight from their table ---- */

/* Operand k of the operator: a layer's output; shifted to be positive; or 0 and 1 where no derivative passes. */
enum domain { DOMAIN_REAL, DOMAIN_POSITIVE };

static struct node *operand(struct bench *bench, int k, enum domain domain, bool passes) {
    struct graph *graph = bench->graph;
    struct node *layer = bench->model->outputs[k].node;
    if (!passes)
        return graph_binary(graph, OPERATOR_less, graph_number(graph, 0, ELEMENT_F64), layer);
    if (domain == DOMAIN_REAL)
        return layer;
    return graph_binary(graph, OPERATOR_add, graph_unary(graph, OPERATOR_exp, layer),
                        graph_number(graph, 0.25, ELEMENT_F64));
}

/* Through which operands does the rule hand derivatives back?  As bits. */
static unsigned operands_that_pass(struct bench *bench, enum operator_code operator, int arity) {
    struct node *inputs[3], *d[3] = {NULL};
    unsigned passing = 0;
    for (int k = 0; k < arity; k++)
        inputs[k] = bench->model->outputs[k].node;
    struct node *y = graph_node(bench->graph, operator, inputs, arity, NULL, NULL);
    operators[operator].gradient(bench->graph, y, bench->model->columns[1].node, d);
    for (int k = 0; k < arity; k++)
        passing |= d[k] ? 1u << k : 0;
    return passing;
}

static bool is_defined_on(enum operator_code operator, enum domain domain) {
    static const double samples[] = {-1.7, -0.6, 0.3, 1.9};
    for (int i = 0; i < 64; i++) {
        double a = samples[i % 4], b = samples[i / 4 % 4], c = samples[i / 16];
        if (domain == DOMAIN_REAL && !isfinite(operator_fold(operator, a, b, c)))
            return false;
    }
    return true;
}

static const char layers[] = "model m {\n"
                             "    input x : f64[batch, 3]\n"
                             "    input k : f64[batch, 4]\n"
                             "    weight P : f64[3, 4] = zeros\n"
                             "    weight Q : f64[3, 4] = zeros\n"
                             "    weight S : f64[3, 4] = zeros\n"
                             "    output p = x @ P\n"
                             "    output q = x @ Q\n"
                             "    output s = x @ S\n"
                             "}\n";

static void check_elementwise(enum operator_code operator, int arity, enum domain domain) {
    struct bench bench;
    struct node *inputs[3];
    bench_start(&bench, 1 + (uint64_t)operator);
    bench_model(&bench, layers);
    unsigned passing = operands_that_pass(&bench, operator, arity);
    for (int k = 0; k < arity; k++)
        inputs[k] = operand(&bench, k, domain, passing == 0 || passing >> k & 1);
    struct node *y = graph_node(bench.graph, operator, inputs, arity, NULL, NULL);
    struct node *loss = graph_binary(bench.graph, OPERATOR_multiply, y, bench.column_nodes[1]);
    while (loss->type.shape.rank)
        loss = graph_fold(bench.graph, OPERATOR_sum, loss, loss->type.shape.rank - 1);
    struct experiment experiment;
    make_experiment(&experiment, &bench, operators[operator].name, loss);
    for (int i = 1; i < BATCHES; i++) {
        bench_fill(&bench, batches[i]);
        if (operator == OPERATOR_stop_gradient) { /* the one row whose rule is to differ */
            assert_null(experiment.gradients[0]);
            continue;
        }
        check_weights(&experiment, ~passing);
    }
    bench_drop(&bench);
}

static void elementwise_operators(void **state) {
    (void)state;
#define ELEMENTWISE(name, arity, ...)                                                                        \
    check_elementwise(OPERATOR_##name, arity, DOMAIN_POSITIVE);                                              \
    if (is_defined_on(OPERATOR_##name, DOMAIN_REAL))                                                         \
        check_elementwise(OPERATOR_##name, arity, DOMAIN_REAL);
#include "graph/elementwise.def"
#undef ELEMENTWISE
}
