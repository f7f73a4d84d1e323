/* Derivatives against central differences.
 *
 * Every model here has weights before the operator in question, so that a derivative has to pass through it.
 * Along a random direction in each weight, and along some of its elements, the difference quotient of the
 * loss has to be what differentiate() says; two zeros prove nothing and are refused.
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

static void make_experiment(struct experiment *experiment, struct bench *bench, const char *name,
                            struct node *loss) {
    struct node *roots[BENCH_WEIGHTS + 2] = {loss};
    int root_count = 1;
    *experiment = (struct experiment){.bench = bench, .name = name, .loss = loss};
    differentiate(bench->graph, loss, bench->weight_nodes, bench->weight_count, experiment->gradients);
    for (int i = 0; i < bench->weight_count; i++)
        if (experiment->gradients[i])
            roots[root_count++] = experiment->gradients[i];
    /* with an update that changes nothing: layers do as in training, and draw the noise of one update */
    struct node *same[2] = {bench->weight_nodes[0], bench->weight_nodes[0]};
    struct node *update = graph_node(bench->graph, OPERATOR_assign, same, 2, NULL, NULL);
    struct node *forward[2] = {loss, update};
    roots[root_count++] = update;
    experiment->forward = bench_interpreter(bench, plan_make(bench->graph, forward, 2, &bench->arena));
    experiment->backward =
        bench_interpreter(bench, plan_make(bench->graph, roots, root_count, &bench->arena));
}

/* The weights and columns are filled anew before this. */
static double run_backward(struct experiment *experiment) {
    struct bench *bench = experiment->bench;
    double loss = NAN;
    void *results[BENCH_WEIGHTS + 2] = {&loss};
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
    void *results[2] = {&loss};
    bench_run(experiment->bench, experiment->forward, results);
    return loss;
}

/* The difference quotient of the loss along `direction` in weight w, of fourth order: at h and at 2h on both
 * sides. */
static double quotient(struct experiment *experiment, int w, const double *direction) {
    static const double places[] = {-2, -1, 1, 2}, shares[] = {1, -8, 8, -1};
    const double h = 0x1p-15;
    struct bench *bench = experiment->bench;
    double *values = bench->weights[w], sum = 0;
    int64_t count = bench_elements(bench, bench->weight_nodes[w]);
    double *saved = bench_room(bench, bench->weight_nodes[w]);
    memcpy(saved, values, (size_t)count * sizeof *values);
    for (int place = 0; place < 4; place++) {
        for (int64_t i = 0; i < count; i++)
            values[i] = saved[i] + places[place] * h * direction[i];
        sum += shares[place] * run_forward(experiment);
    }
    memcpy(values, saved, (size_t)count * sizeof *values);
    return sum / (12 * h);
}

static void compare(struct experiment *experiment, int w, double loss, const double *direction,
                    bool is_zero) {
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

/* One random direction and some single elements of each weight whose bit in `zeros` is not set; the others
 * have to be zero on both sides. */
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

/* Operand k of the operator: a layer's output; shifted to be positive; between 0 and 1, away from poles; or 0
 * and 1 where no derivative passes. */
enum domain { DOMAIN_REAL, DOMAIN_POSITIVE, DOMAIN_UNIT };

static struct node *operand(struct bench *bench, int k, enum domain domain, bool passes) {
    struct graph *graph = bench->graph;
    struct node *layer = bench->model->outputs[k].node;
    if (!passes)
        return graph_binary(graph, OPERATOR_less, graph_number(graph, 0, ELEMENT_F64), layer);
    if (domain == DOMAIN_REAL)
        return layer;
    if (domain == DOMAIN_UNIT)
        return graph_unary(graph, OPERATOR_sigmoid, layer);
    return graph_binary(graph, OPERATOR_add, graph_unary(graph, OPERATOR_exp, layer),
                        graph_number(graph, 0.25, ELEMENT_F64));
}

/* Through which operands does the rule hand derivatives back?  As bits. */
static unsigned operands_that_pass(struct bench *bench, enum operator_code code, int arity) {
    struct node *inputs[3], *d[3] = {NULL};
    unsigned passing = 0;
    for (int k = 0; k < arity; k++)
        inputs[k] = bench->model->outputs[k].node;
    struct node *y = graph_node(bench->graph, code, inputs, arity, NULL, NULL);
    operators[code].gradient(bench->graph, y, bench->model->columns[1].node, d);
    for (int k = 0; k < arity; k++)
        passing |= d[k] ? 1u << k : 0;
    return passing;
}

static bool is_defined_on(enum operator_code code, enum domain domain) {
    static const double samples[] = {-1.7, -0.6, 0, 1.9};
    for (int i = 0; i < 64; i++) {
        double a = samples[i % 4], b = samples[i / 4 % 4], c = samples[i / 16];
        if (domain == DOMAIN_REAL && !isfinite(operator_fold(code, a, b, c)))
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

/* A seed of the operator's own, whatever rows stand before it: at a step or a bend a difference quotient
 * would be wrong. */
static uint64_t seed_of(const char *name) {
    uint64_t seed = 1;
    while (*name)
        seed = 31 * seed + (unsigned char)*name++;
    return seed;
}

static void check_elementwise(enum operator_code code, int arity, enum domain domain) {
    struct bench bench;
    struct node *inputs[3];
    bench_start(&bench, seed_of(operators[code].name));
    bench_model(&bench, layers);
    unsigned passing = operands_that_pass(&bench, code, arity);
    for (int k = 0; k < arity; k++)
        inputs[k] = operand(&bench, k, domain, passing == 0 || passing >> k & 1);
    struct node *y = graph_node(bench.graph, code, inputs, arity, NULL, NULL);
    struct node *loss = graph_binary(bench.graph, OPERATOR_multiply, y, bench.column_nodes[1]);
    while (loss->type.shape.rank)
        loss = graph_fold(bench.graph, OPERATOR_sum, loss, loss->type.shape.rank - 1);
    struct experiment experiment;
    make_experiment(&experiment, &bench, operators[code].name, loss);
    for (int i = 1; i < BATCHES; i++) {
        if (!passing && batches[i] > 33) /* a step lies near one of so many */
            break;
        bench_fill(&bench, batches[i]);
        if (code == OPERATOR_stop_gradient) { /* the one row whose rule is to differ */
            assert_null(experiment.gradients[0]);
            continue;
        }
        check_weights(&experiment, ~passing);
    }
    bench_drop(&bench);
}

static void check_domains(enum operator_code code, int arity) {
    if (code == OPERATOR_exp_shifted || code == OPERATOR_log_shifted || code == OPERATOR_sigmoid_base2 ||
        code == OPERATOR_tanh_base2) /* placed after the derivatives */
        return;
    check_elementwise(code, arity, DOMAIN_UNIT);
    if (code == OPERATOR_tan || code == OPERATOR_normal_quantile) /* poles among the other numbers, or none */
        return;
    check_elementwise(code, arity, DOMAIN_POSITIVE);
    if (is_defined_on(code, DOMAIN_REAL))
        check_elementwise(code, arity, DOMAIN_REAL);
}

static void elementwise_operators(void **state) {
    (void)state;
#define ELEMENTWISE(name, arity, ...) check_domains(OPERATOR_##name, arity);
#include "graph/elementwise.def"
#undef ELEMENTWISE
}

/* ---- models as text ---- */

struct text_case {
    const char *name, *body;
    int64_t rows_min;
    unsigned zeros; /* weights, as bits, for which both sides have to be zero */
};

static void check_loss(struct bench *bench, const struct text_case *c, struct node *loss, int64_t rows_max) {
    struct experiment experiment;
    make_experiment(&experiment, bench, c->name, loss);
    for (int i = 0; i < BATCHES; i++) {
        if (batches[i] < c->rows_min || batches[i] > rows_max)
            continue;
        bench_fill(bench, batches[i]);
        check_weights(&experiment, c->zeros);
    }
}

static void start_text(struct bench *bench, const struct text_case *c) {
    bench_start(bench, 7);
    bench_model(bench, text_format(&bench->arena, "model m {\n%s}\n", c->body));
    assert_non_null(bench->model->loss.node);
}

static void check_text(const struct text_case *c, int64_t rows_max) {
    struct bench bench;
    start_text(&bench, c);
    check_loss(&bench, c, bench.model->loss.node, rows_max);
    bench_drop(&bench);
}

/* The derivative of a derivative: no model asks for one, but what a rule makes is differentiated like
 * anything else. */
static void check_derivative(const struct text_case *c, int64_t rows_max) {
    struct bench bench;
    struct node *gradients[BENCH_WEIGHTS], *loss = NULL;
    start_text(&bench, c);
    differentiate(bench.graph, bench.model->loss.node, bench.weight_nodes, bench.weight_count, gradients);
    for (int i = 0; i < bench.weight_count; i++) {
        struct node *part = graph_unary(bench.graph, OPERATOR_sin, gradients[i]);
        while (part->type.shape.rank)
            part = graph_fold(bench.graph, OPERATOR_sum, part, part->type.shape.rank - 1);
        loss = loss ? graph_binary(bench.graph, OPERATOR_add, loss, part) : part;
    }
    check_loss(&bench, c, loss, rows_max);
    bench_drop(&bench);
}

#define INPUTS                  \
    "input x : f64[batch, 3]\n" \
    "input k : f64[batch, 4]\n" \
    "target t : class[batch] of 4\n"
#define HIDDEN INPUTS "h = dense(x, 4)\n"
#define CUBE                          \
    "input x : f64[batch, 3]\n"       \
    "input k : f64[batch, 2, 3, 2]\n" \
    "h = reshape(dense(x, 12), [batch, 2, 3, 2])\n"

static const struct text_case structural[] = {
    /* reductions */
    {"sum of all", HIDDEN "loss cost = sum(h ** 3)\n", 1, 0},
    {"sum, axis 1", HIDDEN "loss cost = sum(sum(sin(h), axis = 1) ** 2)\n", 1, 0},
    {"sum over the batch", HIDDEN "loss cost = sum(sin(sum(h * k, axis = 0)))\n", 1, 0},
    {"sum over two axes", CUBE "loss cost = sum(sum(h * k, axis = [1, 3]) ** 2)\n", 1, 0},
    {"sum over a middle axis", CUBE "loss cost = sum(sin(sum(h * k, axis = 2)) ** 2)\n", 1, 0},
    {"sum, kept", CUBE "loss cost = sum(sum(h, axis = -2, keep = true) * k * h)\n", 1, 0},
    {"max, axis 1", HIDDEN "loss cost = sum(max(h, axis = 1) ** 2)\n", 1, 0},
    {"max over the batch", HIDDEN "loss cost = sum(sin(max(h, axis = 0)))\n", 1, 0},
    {"max of all", HIDDEN "loss cost = max(h * k)\n", 1, 0},
    {"min, axis 1", HIDDEN "loss cost = sum(min(h, axis = 1) ** 2)\n", 1, 0},
    {"min over the batch", HIDDEN "loss cost = sum(sin(min(h, axis = 0)))\n", 1, 0},
    {"min over a middle axis, kept", CUBE "loss cost = sum(min(h, axis = 2, keep = true) * k)\n", 1, 0},
    {"prod, axis 1", HIDDEN "loss cost = sum(prod(h, axis = 1) * k[:, 0])\n", 1, 0},
    {"prod over the batch", HIDDEN "loss cost = sum(prod(1 + h * k * 0.01, axis = 0))\n", 1, 0},
    {"prod of all, kept", HIDDEN "loss cost = sum(prod(1 + h * 0.01, keep = true) * k)\n", 1, 0},
    {"argmax over two axes",
     CUBE "loss cost = sum(where(argmax(h, axis = (1, 3), keep = true) > 1, h, h * k))\n", 1, 0},
    {"argmin over a middle axis",
     CUBE "loss cost = sum(where(argmin(h, axis = 2) > 0, h[:, :, 0], sin(h[:, :, 1])))\n", 1, 0},
    {"mean", HIDDEN "loss cost = mean(h * k)\n", 1, 0},
    {"mean, no weighting after it", HIDDEN "g = dense(h, 3)\nloss cost = mean(g)\n", 1, 0},
    {"variance", HIDDEN "loss cost = sum(variance(h, axis = 1) * k[:, 0])\n", 1, 0},
    {"variance over the batch", HIDDEN "loss cost = sum(variance(h * k, axis = 0))\n", 3, 0},
    {"batch norm",
     HIDDEN "centred = h - mean(h, axis = 0, keep = true)\n"
            "z = centred / sqrt(mean(centred ** 2, axis = 0, keep = true) + 0.01)\n"
            "loss cost = mean(tanh(z * k) * x[:, 1:2])\n",
     3, 2},
    {"logsumexp", HIDDEN "loss cost = sum(logsumexp(h * k) ** 2)\n", 1, 0},
    {"logsumexp over the batch", HIDDEN "loss cost = sum(logsumexp(h * k, axis = 0))\n", 1, 0},
    /* products */
    {"matmul",
     INPUTS "weight A : f64[3, 5] = zeros\nweight B : f64[5, 4] = zeros\n"
            "loss cost = sum(sin((x @ A) @ B) * k)\n",
     1, 0},
    {"product at the end",
     INPUTS "weight A : f64[3, 5] = zeros\nweight B : f64[5, 4] = zeros\n"
            "loss cost = sum(tanh(x @ A) @ B)\n",
     1, 0},
    {"mean of a product at the end",
     INPUTS "weight A : f64[3, 5] = zeros\nweight B : f64[5, 4] = zeros\n"
            "loss cost = mean(tanh(x @ A) @ B)\n",
     1, 0},
    {"square matmul",
     INPUTS "weight A : f64[3, 4] = zeros\nweight B : f64[4, 4] = zeros\n"
            "loss cost = sum(sin(sin(x @ A) @ B) * k)\n",
     1, 0},
    {"square of weights",
     INPUTS "weight A : f64[3, 3] = zeros\nweight B : f64[3, 3] = zeros\n"
            "loss cost = sum(sin(x @ (sin(A + B) @ (A @ B))))\n",
     1, 0},
    {"rows on the right",
     INPUTS "weight A : f64[3, 4] = zeros\nweight B : f64[2, 4] = zeros\n"
            "loss cost = sum(sin(B @ transpose(x @ A)))\n",
     1, 0},
    {"rows on the right, batched", CUBE "weight B : f64[5, 3] = zeros\nloss cost = sum(sin(B @ (h * k)))\n",
     1, 0},
    {"rows on the left, batched", CUBE "weight B : f64[2, 5] = zeros\nloss cost = sum(sin((h * k) @ B))\n", 1,
     0},
    {"batched weights", CUBE "weight B : f64[2, 2, 5] = zeros\nloss cost = sum(sin((h * k) @ B))\n", 1, 0},
    {"many results for all steps",
     CUBE "weight B : f64[2, 129] = zeros\nloss cost = sum(sin(reshape(h * k, [batch, 6, 2]) @ B))\n", 1, 0},
    {"many results on the left of all steps",
     CUBE "weight B : f64[129, 2] = zeros\nloss cost = sum(sin(B @ reshape(h * k, [batch, 2, 6])))\n", 1, 0},
    {"many results, batched", CUBE "weight B : f64[2, 2, 65] = zeros\nloss cost = sum(sin((h * k) @ B))\n", 1,
     0},
    {"many results in a scan",
     CUBE "s = scan(reshape(dense(x, 68), [batch, 4, 1, 17]), turning, broadcast_to(0.1, [batch, 2, 17]))\n"
          "loss cost = sum(s[:, -1] ** 2) + sum(h * k)\n}\n"
          "layer turning(x, s) {\nweight U : [17, 17] = zeros\nreturn sin(s @ U + x)\n",
     1, 0},
    {"rows on both sides", CUBE "loss cost = sum(sin(h @ transpose(h * k)))\n", 1, 0},
    {"rows on both sides, other way", CUBE "loss cost = sum(sin(transpose(k) @ h))\n", 1, 0},
    {"broadcast lead", CUBE "g = reshape(dense(x, 6), [batch, 1, 2, 3])\nloss cost = sum(sin(h @ g) ** 2)\n",
     1, 0},
    {"sum over the batch", HIDDEN "loss cost = sum(sin(transpose(h) @ k))\n", 1, 0},
    {"sum over the batch, both sides", HIDDEN "loss cost = sum(sin(transpose(h) @ h))\n", 1, 0},
    {"affine with a matrix", HIDDEN "weight B : f64[4, 4] = zeros\nloss cost = sum(sin(h @ B + k))\n", 1, 0},
    {"affine with itself", HIDDEN "weight B : f64[4, 4] = zeros\nloss cost = sum(sin(h + h @ B))\n", 1, 0},
    {"affine with a scalar",
     HIDDEN "weight B : f64[4, 2] = zeros\nweight c : f64[] = zeros\n"
            "loss cost = sum(sin(h @ B + c) ** 2)\n",
     1, 0},
    {"affine of weights",
     INPUTS "weight A : f64[3, 3] = zeros\nweight B : f64[3, 4] = zeros\n"
            "loss cost = sum(sin(x @ (A @ B + B)) * k)\n",
     1, 0},
    {"outer product", HIDDEN "loss cost = sum(sin(reshape(h, [batch, 4, 1]) @ reshape(k, [batch, 1, 4])))\n",
     1, 0},
    {"inner product",
     HIDDEN "loss cost = sum(sin(reshape(h, [batch, 1, 4]) @ reshape(h * k, [batch, 4, 1])))\n", 1, 0},
    /* views */
    {"reshape", HIDDEN "loss cost = sum(sin(reshape(h * k, [batch, 2, 2]))[:, 1])\n", 1, 0},
    {"flatten", CUBE "loss cost = sum(sin(flatten(h * k)) * flatten(k))\n", 1, 0},
    {"transpose", CUBE "loss cost = sum(sin(transpose(h, [0, 3, 1, 2])) * transpose(k, [0, 3, 1, 2]))\n", 1,
     0},
    {"batch not first", CUBE "loss cost = sum(sin(transpose(h * k, [2, 1, 0, 3])) ** 2)\n", 1, 0},
    {"reshape of a transpose",
     CUBE "loss cost = sum(sin(reshape(transpose(h), [batch, 4, 3])) *\n"
          "    reshape(k, [batch, 4, 3]))\n",
     1, 0},
    {"slice", CUBE "loss cost = sum(sin(h[:, :, 1:3] * k[:, :, 0:2]))\n", 1, 0},
    {"slice, step 2", HIDDEN "loss cost = sum(sin(h[:, 0::2] * k[:, 1::2]))\n", 1, 0},
    {"slice, negative step", HIDDEN "loss cost = sum(sin(h[:, ::-1] * k))\n", 1, 0},
    {"slice, negative step 2", HIDDEN "loss cost = sum(sin(h[:, 3:0:-2] * k[:, 0:2]))\n", 1, 0},
    {"slice of a weight",
     INPUTS "weight A : f64[6, 4] = zeros\nloss cost = sum(sin(x @ A[5::-2] + x @ A[1:4]) * k)\n", 1, 0},
    {"element", CUBE "loss cost = sum(sin(h[:, 1, -1] * k[:, 0, 2]))\n", 1, 0},
    {"slice of a slice of a transpose",
     CUBE "loss cost = sum(sin(transpose(h)[:, 1, ::-1][:, 0, 1:3] * 3) * k[:, 0, 1:3, 1])\n", 1, 0},
    {"slices that overlap", HIDDEN "loss cost = sum(sin(h[:, 0:3] * h[:, 1:4]) * k[:, 0:3])\n", 1, 0},
    {"broadcast column", HIDDEN "loss cost = sum(sin(h[:, 0:1] * k + h))\n", 1, 0},
    {"broadcast weight",
     HIDDEN "weight b : f64[3, 1] = zeros\nloss cost = sum(sin(reshape(h, [batch, 1, 4]) * b))\n", 1, 0},
    {"convert", HIDDEN "loss cost = sum(sin(f64(f64(h)) * k))\n", 1, 0},
    /* choosing */
    {"where", HIDDEN "loss cost = sum(where(h > k, sin(h), h ** 2))\n", 1, 0},
    {"pick", HIDDEN "loss cost = sum(sin(pick(h, t)))\n", 1, 0},
    {"pick with probabilities", HIDDEN "loss cost = sum(sin(pick(h, k)))\n", 1, 0},
    {"argmax", HIDDEN "loss cost = sum(where(argmax(h) == t, sum(h, axis = 1), sum(h * k, axis = 1)))\n", 1,
     0},
    {"stop_gradient", HIDDEN "loss cost = sum(stop_gradient(k) * h + stop_gradient(x[:, 0:1] * 2) * h)\n", 1,
     0},
};

/* Parts, axes and tables. */
#define INDEXED HIDDEN "input i : int[batch, 5]\n"
static const struct text_case arranged[] = {
    {"concat", HIDDEN "loss cost = sum(sin(concat([h, x, h * k], axis = 1)) ** 2)\n", 1, 0},
    {"concat, a middle axis", CUBE "loss cost = sum(sin(concat([h * k, h], axis = 2)[:, :, 2:5]))\n", 1, 0},
    {"concat of weights",
     INPUTS "weight A : f64[2, 2] = zeros\nweight B : f64[1, 2] = zeros\n"
            "loss cost = sum(sin(x @ concat([sin(A), A[0:1] * B], axis = 0)))\n",
     1, 0},
    {"concat with a value of all rows",
     HIDDEN "weight b : f64[2] = zeros\n"
            "loss cost = sum(sin(concat([h, broadcast_to(b, [batch, 2])], axis = 1) * 2))\n",
     1, 0},
    {"stack", HIDDEN "loss cost = sum(sin(stack([h, h * k, k], axis = 1)) ** 2)\n", 1, 0},
    {"stack, last axis", HIDDEN "loss cost = sum(sin(stack([h, h * k], axis = -1)) ** 2)\n", 1, 0},
    {"split", HIDDEN "p = split(h * k, 2, axis = 1)\nloss cost = sum(sin(p[0]) * p[1])\n", 1, 0},
    {"split, by sizes", HIDDEN "p = split(h * k, [1, 3], axis = 1)\nloss cost = sum(sin(p[0] * p[-1]))\n", 1,
     0},
    {"tile", HIDDEN "loss cost = sum(sin(tile(h, 2, axis = 1)) * concat([k, k * k], axis = 1))\n", 1, 0},
    {"repeat_interleave",
     HIDDEN "loss cost = sum(sin(repeat_interleave(h, 2, axis = 1)) * concat([k, k * k], axis = 1))\n", 1, 0},
    {"pad", HIDDEN "loss cost = sum(cos(pad(h, [1, 2], axis = 1)) * pad(k, [2, 1], axis = 1))\n", 1, 0},
    {"pad with a number", CUBE "loss cost = sum(pad(h * k, 1, axis = 2, value = 0.5) ** 3)\n", 1, 0},
    {"squeeze, unsqueeze", HIDDEN "loss cost = sum(sin(squeeze(unsqueeze(h, 1) * unsqueeze(k, 1), 1)))\n", 1,
     0},
    {"broadcast_to", HIDDEN "loss cost = sum(sin(broadcast_to(h[:, 0:1], [batch, 4]) * k))\n", 1, 0},
    {"gather by a class", INPUTS "weight A : f64[4, 3] = zeros\nloss cost = sum(sin(gather(A, t)) * x)\n", 1,
     0},
    {"gather by whole numbers",
     INDEXED "weight A : f64[3, 2] = zeros\nloss cost = sum(sin(gather(A, i) * unsqueeze(h[:, 0:1], 1)))\n",
     1, 0},
    {"gather, of a layer's weights",
     INDEXED
     "weight A : f64[4, 3] = zeros\nloss cost = sum(sin(gather(tanh(A @ transpose(A)), i[:, 0]) * h))\n",
     1, 0},
    {"gather, another axis",
     INDEXED "weight A : f64[2, 3, 4] = zeros\nloss cost = sum(sin(gather(A, i[:, 1], axis = 1) * h) ** 2)\n",
     1, 0},
    {"gather, matrices",
     INDEXED "weight A : f64[4, 2, 2] = zeros\n"
             "loss cost = sum(sin(gather(A, t) @ reshape(h, [batch, 2, 2])))\n",
     1, 0},
    {"gather in each row", INDEXED "loss cost = sum(sin(gather(h * k, i) ** 2))\n", 1, 0},
    {"gather in each row, an axis",
     CUBE "input i : int[batch, 5]\nloss cost = sum(sin(gather(h * k, i, axis = 2) ** 2))\n", 1, 0},
    {"gather in each row, by one index for all",
     HIDDEN "weight A : f64[3, 4] = zeros\nloss cost = sum(sin(gather(h, argmax(A)) * x)) + sum(A ** 2)\n", 1,
     0},
    {"gather of weights by weights",
     INPUTS "weight A : f64[4, 4] = zeros\nloss cost = sum(sin(x @ gather(A, argmax(A))[0:3]) * k)\n", 1, 0},
    {"gather, its sum alone",
     INPUTS "weight A : f64[4, 3] = zeros\nloss cost = sum(gather(A, t)) + sum(A ** 2)\n", 1, 0},
    {"one_hot", INPUTS "weight A : f64[4, 3] = zeros\nloss cost = sum(sin(one_hot(t, 4) @ A) * x)\n", 1, 0},
    {"einsum, outer", HIDDEN "loss cost = sum(sin(einsum(\"bi,bj->bij\", h, k)))\n", 1, 0},
    {"einsum, matrices in each row", CUBE "loss cost = sum(sin(einsum(\"bijk,bijl->bikl\", h, k)))\n", 1, 0},
    {"einsum, two axes summed",
     CUBE "loss cost = sum(sin(einsum(\"bijk,bjkl->bil\", h, transpose(k, [0, 2, 3, 1]))))\n", 1, 0},
    {"einsum, rows and a weight",
     CUBE "weight A : f64[2, 2, 3] = zeros\nloss cost = sum(sin(einsum(\"bijk,kil->bjl\", h * k, A)))\n", 1,
     0},
    {"einsum over the batch", HIDDEN "loss cost = sum(sin(einsum(\"bi,bj->ij\", h, k)))\n", 1, 0},
    {"einsum over the batch and an axis", CUBE "loss cost = sum(sin(einsum(\"bijk,bljk->il\", h, k)))\n", 1,
     0},
    {"einsum of three",
     HIDDEN "weight A : f64[4, 4] = zeros\n"
            "loss cost = sum(sin(einsum(\"bi,ij,bj->b\", h, A, k)))\n",
     1, 0},
    {"einsum of one", CUBE "loss cost = sum(sin(einsum(\"bijk->bk\", h * k)))\n", 1, 0},
    {"einsum over all axes but one", CUBE "loss cost = sum(sin(einsum(\"...i->i\", h * k)))\n", 1, 0},
    {"einsum over the batch and axes that stay open",
     CUBE "loss cost = sum(sin(einsum(\"...i,...j->ij\", h, k)))\n", 1, 0},
    {"einsum, open axes that stay",
     CUBE "weight A : f64[2, 3] = zeros\nloss cost = sum(sin(einsum(\"...j,jm->m...\", h * k, A)))\n", 1, 0},
};

static const struct text_case layer_cases[] = {
    {"dense", HIDDEN "loss cost = sum(dense(h, 5) ** 2)\n", 1, 0},
    {"dense, without bias", HIDDEN "loss cost = sum(sin(dense(h, 5, bias = false)) * dense(k, 5))\n", 1, 0},
    {"dense, three deep", HIDDEN "loss cost = sum(tanh(dense(sigmoid(dense(relu(h), 4)), 4)) ** 2)\n", 1, 0},
    {"dense of three axes", CUBE "loss cost = sum(sin(dense(h * k, 3)))\n", 1, 0},
    {"l1 and l2", HIDDEN "loss cost = l1(h) + l2(h * k)\n", 1, 0},
    {"layer_norm", HIDDEN "loss cost = sum(sin(layer_norm(h * k)))\n", 1, 0},
    {"layer_norm of three axes", CUBE "loss cost = sum(sin(layer_norm(transpose(h * k))))\n", 1, 0},
    {"softmax", HIDDEN "loss cost = sum(softmax(h) * k)\n", 1, 0},
    {"softmax, a middle axis", CUBE "loss cost = sum(softmax(h, axis = 2) * k)\n", 1, 0},
    {"softmax over the batch", HIDDEN "loss cost = sum(softmax(h * k, axis = 0) * k)\n", 3, 0},
    {"log_softmax", HIDDEN "loss cost = sum(log_softmax(h) * k)\n", 1, 0},
    {"log of softmax", HIDDEN "loss cost = sum(log(softmax(h)) * k)\n", 1, 0},
    {"relu", HIDDEN "loss cost = sum(relu(h) * k)\n", 1, 0},
    {"leaky_relu", HIDDEN "loss cost = sum(leaky_relu(h, slope = 0.3) * k)\n", 1, 0},
    {"prelu", HIDDEN "loss cost = sum(prelu(h) * k)\n", 1, 0},
    {"prelu, a slope each", HIDDEN "loss cost = sum(prelu(h, slopes = 4) * k)\n", 3, 0},
    {"elu", HIDDEN "loss cost = sum(elu(h, alpha = 0.7) * k)\n", 1, 0},
    {"selu", HIDDEN "loss cost = sum(selu(h) * k)\n", 1, 0},
    {"gelu", HIDDEN "loss cost = sum(gelu(h) * k)\n", 1, 0},
    {"gelu_tanh", HIDDEN "loss cost = sum(gelu_tanh(h) * k)\n", 1, 0},
    {"silu", HIDDEN "loss cost = sum(silu(h) * k)\n", 1, 0},
    {"mish", HIDDEN "loss cost = sum(mish(h) * k)\n", 1, 0},
    {"hard_sigmoid", HIDDEN "loss cost = sum(hard_sigmoid(h * 2) * k)\n", 1, 0},
    {"hard_swish", HIDDEN "loss cost = sum(hard_swish(h * 2) * k)\n", 1, 0},
    {"sparsemax", HIDDEN "loss cost = sum(sparsemax(h * 0.4) * k)\n", 3, 0},
    {"square, cube", HIDDEN "loss cost = sum(square(h) * k + cube(h))\n", 1, 0},
    {"inverse", HIDDEN "loss cost = sum(inverse(1 + h ** 2) * k)\n", 1, 0},
    {"inverse_sqrt", HIDDEN "loss cost = sum(inverse_sqrt(1 + h ** 2) * k)\n", 1, 0},
    {"clip", HIDDEN "loss cost = sum(clip(h, -0.6, 0.8) * k)\n", 1, 0},
    {"norm", HIDDEN "loss cost = sum(norm(h, axis = 1) * k[:, 0])\n", 1, 0},
    {"norm, p = 1", HIDDEN "loss cost = norm(h * k, p = 1)\n", 1, 0},
    {"norm, p = 3, over the batch", HIDDEN "loss cost = sum(norm(h * k, p = 3, axis = 0, keep = true))\n", 1,
     0},
    {"softplus", HIDDEN "loss cost = sum(softplus(h) * k)\n", 1, 0},
    {"cross_entropy, class", HIDDEN "loss cost = cross_entropy(h, t)\n", 1, 0},
    {"cross_entropy, one-hot", HIDDEN "loss cost = cross_entropy(h, k)\n", 1, 0},
    {"cross_entropy, long hand", HIDDEN "loss cost = -mean(sum(k * log(softmax(h)), axis = 1))\n", 1, 0},
    {"cross_entropy, smoothed", HIDDEN "loss cost = cross_entropy(h, t, smoothing = 0.1)\n", 1, 0},
    {"cross_entropy, weighted",
     HIDDEN "loss cost = cross_entropy(h, t, smoothing = 0.1, weights = 1 + arange(4))\n", 1, 0},
    {"binary_cross_entropy", HIDDEN "loss cost = binary_cross_entropy(h, k > 0, positive_weight = 3)\n", 1,
     0},
    {"kl_divergence", HIDDEN "loss cost = kl_divergence(log_softmax(h), softmax(k))\n", 1, 0},
    {"huber", HIDDEN "loss cost = huber(h, k, delta = 0.7)\n", 1, 0},
    {"hinge", HIDDEN "loss cost = hinge(h, sign(k))\n", 1, 0},
    {"ctc",
     INPUTS "score = reshape(dense(x, 16), [batch, 4, 4])\n"
            "loss cost = ctc(score, stack([int(maximum(t, 1)), t], axis = 1), int(t > 0) * 2)\n",
     1, 0},
    {"ctc, of some of the steps",
     INPUTS
     "score = reshape(dense(x, 16), [batch, 4, 4])\n"
     "loss cost = ctc(score, stack([int(maximum(t, 1)), t], axis = 1), 1 + (t > 0), steps = 3 + (t > 1))\n",
     1, 0},
    {"r_squared", HIDDEN "loss cost = -r_squared(h, k)\n", 3, 0},
    {"perplexity", HIDDEN "loss cost = perplexity(h, t)\n", 1, 0},
    {"weighted sum of losses",
     HIDDEN "loss cost = 0.3 * huber(h, k) + 2 * cross_entropy(h, t) + 0.1 * mean(h ** 2)\n", 1, 0},
    {"mse", HIDDEN "loss cost = mse(h, k)\n", 1, 0},
    {"mae", HIDDEN "loss cost = mae(h, k)\n", 1, 0},
    {"mae of a column", INPUTS "h = dense(x, 1)\nloss cost = mae(h[:, 0], k[:, 1])\n", 1, 0},
    {"rms_norm", HIDDEN "loss cost = sum(sin(rms_norm(h * k)))\n", 1, 0},
    {"group_norm", CUBE "loss cost = sum(sin(group_norm(h * k, 2)) * k)\n", 1, 0},
    {"group_norm of four axes", CUBE "loss cost = sum(sin(group_norm(h, 1)) * k)\n", 1, 0},
    {"embedding", HIDDEN "loss cost = sum(sin(embedding(t, 4, 5)) * sum(h, axis = 1, keep = true))\n", 1, 0},
    {"an embedding's table for the scores too",
     INPUTS "weight A : f64[4, 3] = zeros\nloss cost = cross_entropy((gather(A, t) * x) @ transpose(A), t)\n",
     1, 0},
    {"residual", HIDDEN "loss cost = sum(sin(residual(h, softplus)) * k)\n", 1, 0},
    {"positional_encoding", CUBE "loss cost = sum(sin(positional_encoding(h * k)))\n", 1, 0},
    {"position_embedding", CUBE "loss cost = sum(sin(position_embedding(h * k)))\n", 1, 0},
    {"outer, dot", HIDDEN "loss cost = sum(sin(outer(h, k))) + sum(sin(dot(h, k)))\n", 1, 0},
    /* a key's bias adds the same to every score of a query: the softmax takes it out again */
    {"multi_head_attention", CUBE "loss cost = sum(sin(multi_head_attention(h[:, 0], 2)) * k[:, 0])\n", 1,
     1u << 5},
    {"multi_head_attention, causal",
     CUBE "g = transpose(reshape(h * k, [batch, 4, 3]))\n"
          "loss cost = sum(sin(multi_head_attention(g, 2, causal = true)) ** 2)\n",
     1, 1u << 5},
    {"multi_head_attention to a memory",
     CUBE "loss cost = sum(sin(multi_head_attention(h[:, 0], 1, memory = h[:, :, 1])) * k[:, 0])\n", 1,
     1u << 5},
    {"tied weights",
     INPUTS "weight A : f64[3, 4] = zeros\nloss cost = mean(sin(sin(x @ A) @ transpose(A)))\n", 1, 0},
    {"rnn", CUBE "loss cost = sum(sin(rnn(reshape(h, [batch, 4, 3]), 3)))\n", 1, 0},
    {"rnn, initial state",
     CUBE "loss cost = sum(sin(rnn(reshape(k, [batch, 4, 3]), 2, initial = h[:, 0, 0], "
          "return_sequences = false)))\n",
     1, 0},
    {"lstm", CUBE "loss cost = sum(sin(lstm(reshape(h, [batch, 4, 3]), 3)))\n", 1, 0},
    {"lstm, two", CUBE "loss cost = sum(sin(lstm(reshape(h, [batch, 4, 3]), 3) -> lstm(2))[:, -1])\n", 1, 0},
    {"gru", CUBE "loss cost = sum(sin(gru(reshape(h, [batch, 4, 3]), 3)))\n", 1, 0},
    {"scan", CUBE "loss cost = sum(sin(scan(h * k, maximum, -0.5, axis = 2) ** 2))\n", 1, 0},
    {"repeat", HIDDEN "loss cost = sum(sin(repeat(h, 3, dense, units = 4)) * k)\n", 1, 0},
    {"dropout", HIDDEN "loss cost = sum(sin(dropout(h, 0.4)) * k)\n", 1, 0},
    {"dropout, two and a layer", HIDDEN "loss cost = sum(sin(dropout(h, 0.2) -> dense(5) -> dropout(0.6)))\n",
     3, 0},
    {"dropout, a rate that is a weight",
     HIDDEN "weight r : f64[4] = zeros\nloss cost = sum(sin(dropout(h, sigmoid(r)) * k))\n", 3, 0},
    {"dropout, one draw for a row", HIDDEN "loss cost = sum(sin(dropout(h, like = h[:, :1])) * k)\n", 30, 0},
    {"channel_dropout", CUBE "loss cost = sum(sin(channel_dropout(h * k, 0.3)) ** 2)\n", 1, 0},
    {"gaussian_noise", HIDDEN "loss cost = sum(gaussian_noise(h, 0.5) ** 3 * k)\n", 1, 0},
    {"noise with a deviation to be learnt",
     HIDDEN "loss cost = mean((h + exp(dense(x, 4)) * normal_like(h)) ** 2)\n", 1, 0},
    {"noise on a weight",
     INPUTS "weight A : f64[3, 4] = zeros\nloss cost = sum(sin(x @ (A * uniform_like(A))) * k)\n", 1, 0},
    {"batch_norm", HIDDEN "loss cost = sum(sin(batch_norm(h) * k))\n", 3, 1u << 1 | 3u << 4},
    {"penalty", HIDDEN "weight A : f64[4, 2] = zeros\nloss cost = mean((h @ A) ** 2) + 0.1 * sum(A ** 2)\n",
     1, 0},
};

/* Images. */
#define IMAGE                         \
    "input x : f64[batch, 3]\n"       \
    "input k : f64[batch, 2, 5, 6]\n" \
    "h = reshape(dense(x, 60), [batch, 2, 5, 6])\n"
#define SIGNAL                     \
    "input x : f64[batch, 3]\n"    \
    "input k : f64[batch, 2, 7]\n" \
    "h = reshape(dense(x, 14), [batch, 2, 7])\n"
static const struct text_case images[] = {
    {"window", SIGNAL "loss cost = sum(sin(window(h * k, 2, 3, 1)) ** 2)\n", 1, 0},
    {"window, apart", SIGNAL "loss cost = sum(sin(window(h * k, 2, 2, 3)) ** 2)\n", 1, 0},
    {"window, dilated and padded",
     SIGNAL "loss cost = sum(sin(window(h * k, 2, 3, 2, [1, 2], 2, 0.5) ** 2))\n", 1, 0},
    {"window of a window", IMAGE "loss cost = sum(sin(window(window(h * k, 3, 3, 2), 2, 2, 1)) ** 2)\n", 1,
     0},
    {"window of a slice", IMAGE "loss cost = sum(sin(window(transpose(h)[:, 1, ::-2], 1, 2, 1)) ** 2)\n", 1,
     0},
    {"windows side by side", SIGNAL "loss cost = sum(sin(max(window(h[:, :, 1:], 2, 2, 2), axis = 3)))\n", 1,
     0},
    {"window of a weight",
     SIGNAL
     "weight A : f64[2, 6] = zeros\nloss cost = sum(sin(sum(window(A, 1, 3, 1), axis = 2) * h[:, :, :4]))\n",
     1, 0},
    {"conv1d", SIGNAL "loss cost = sum(sin(conv1d(h * k, 3, kernel = 3)))\n", 1, 0},
    {"conv1d, stride, dilation, one side padded",
     SIGNAL
     "loss cost = sum(sin(conv1d(h * k, 3, kernel = 2, stride = 2, dilation = 3, padding = [2, 0])))\n",
     1, 0},
    {"conv1d, without bias", SIGNAL "loss cost = sum(sin(conv1d(h * k, 3, kernel = 3, bias = false)))\n", 1,
     0},
    {"conv1d, same", SIGNAL "loss cost = sum(sin(conv1d(h, 2, kernel = 4, padding = \"same\") * k))\n", 1, 0},
    {"conv1d_transposed",
     SIGNAL "loss cost = sum(sin(conv1d_transposed(h * k, 3, kernel = 3, stride = 2)))\n", 1, 0},
    {"conv2d", IMAGE "loss cost = sum(sin(conv2d(h * k, 3, kernel = 3)))\n", 1, 0},
    {"conv2d, one channel", IMAGE "loss cost = sum(sin(conv2d(h[:, 0:1] * k, 1, kernel = [2, 3]) ** 2))\n", 1,
     0},
    {"conv2d, many channels", IMAGE "loss cost = sum(sin(conv2d(h * k, 9, kernel = 2)))\n", 1, 0},
    {"conv2d, stride", IMAGE "loss cost = sum(sin(conv2d(h * k, 2, kernel = 2, stride = [2, 3])))\n", 1, 0},
    {"conv2d, dilation", IMAGE "loss cost = sum(sin(conv2d(h * k, 2, kernel = 2, dilation = [3, 2])))\n", 1,
     0},
    {"conv2d, groups", IMAGE "loss cost = sum(sin(conv2d(h * k, 6, kernel = 3, groups = 2)))\n", 1, 0},
    {"conv2d, all of it",
     IMAGE "loss cost = sum(sin(conv2d(h * k, 4, kernel = [3, 2], stride = [2, 1], padding = [1, 2, 0, 3],\n"
           "    dilation = [1, 2], groups = 2)))\n",
     1, 0},
    {"conv2d, same",
     IMAGE "loss cost = sum(sin(conv2d(h * k, 2, kernel = 4, stride = 2, padding = \"same\")))\n", 1, 0},
    {"conv2d, padding wider than the kernel",
     IMAGE "loss cost = sum(sin(conv2d(h * k, 2, kernel = 2, padding = 3) + 0.3))\n", 1, 0},
    {"conv2d of the whole image", IMAGE "loss cost = sum(sin(conv2d(h * k, 3, kernel = [5, 6])))\n", 1, 0},
    {"conv2d, its sum alone", IMAGE "loss cost = sum(conv2d(h, 3, kernel = 2))\n", 1, 0},
    {"conv2d, two",
     IMAGE "loss cost = sum(sin(conv2d(tanh(conv2d(h, 3, kernel = 2) * 0.1), 2, kernel = 3)))\n", 1, 0},
    {"conv2d of a value of all rows",
     IMAGE "weight A : f64[2, 5, 6] = zeros\n"
           "loss cost = sum(sin(conv2d(broadcast_to(A, [batch, 2, 5, 6]), 2, kernel = 3))) + sum(h)\n",
     1, 0},
    {"weights that are computed",
     IMAGE "weight A : f64[3, 2, 2, 2] = zeros\nloss cost = sum(sin(convolve(h * k, tanh(A), 1, 1)))\n", 1,
     0},
    {"weights from the batch",
     IMAGE "g = reshape(mean(h * k, axis = 0), [3, 2, 2, 5])\nloss cost = sum(sin(convolve(h, g) + k[:, 0:1, "
           "0:1, 0:1]))\n",
     3, 0},
    {"conv2d_transposed", IMAGE "loss cost = sum(sin(conv2d_transposed(h * k, 3, kernel = 3)))\n", 1, 0},
    {"conv2d_transposed, all of it",
     IMAGE "loss cost = sum(sin(conv2d_transposed(h * k, 4, kernel = [3, 4], stride = [2, 3], padding = [1, "
           "0, 2, 1],\n"
           "    output_padding = [1, 2], dilation = [2, 1], groups = 2)))\n",
     1, 0},
    {"conv2d_transposed, same",
     IMAGE
     "loss cost = sum(sin(conv2d_transposed(h * k, 2, kernel = 2, stride = 3, padding = \"same\") + 0.3))\n",
     1, 0},
    {"max_pool1d", SIGNAL "loss cost = sum(sin(max_pool1d(h, 2) * k[:, :, :3]))\n", 1, 0},
    {"max_pool1d, overlapping",
     SIGNAL "loss cost = sum(sin(max_pool1d(h, 3, stride = 1, padding = \"same\") * k))\n", 1, 0},
    {"max_pool2d", IMAGE "loss cost = sum(sin(max_pool2d(h, 2) * k[:, :, :2, :3]))\n", 1, 0},
    {"max_pool2d, overlapping, one side padded",
     IMAGE
     "loss cost = sum(sin(max_pool2d(h, [3, 2], stride = [2, 1], padding = [1, 0, 0, 1]) * k[:, :, :2]))\n",
     1, 0},
    {"max_pool2d, dilated", IMAGE "loss cost = sum(sin(max_pool2d(h, 2, stride = 1, dilation = 2) ** 2))\n",
     1, 0},
    {"average_pool1d", SIGNAL "loss cost = sum(sin(average_pool1d(h * k, 3, stride = 2, padding = 1)))\n", 1,
     0},
    {"average_pool1d, of what there is",
     SIGNAL
     "loss cost = sum(sin(average_pool1d(h * k, 3, stride = 2, padding = [1, 2], count_padding = false)))\n",
     1, 0},
    {"average_pool2d", IMAGE "loss cost = sum(sin(average_pool2d(h * k, 2)))\n", 1, 0},
    {"average_pool2d, overlapping, padded, of what there is",
     IMAGE "loss cost = sum(sin(average_pool2d(h * k, [3, 2], stride = [1, 2], padding = [1, 1, 0, 1],\n"
           "    count_padding = false)))\n",
     1, 0},
    {"global_max_pool", IMAGE "loss cost = sum(sin(global_max_pool(h) * k[:, :, 0, 0]))\n", 1, 0},
    {"global_average_pool", IMAGE "loss cost = sum(sin(global_average_pool(h * k)))\n", 1, 0},
    {"upsample_nearest", IMAGE "loss cost = sum(sin(upsample_nearest(h * k, [2, 3])) ** 2)\n", 1, 0},
    {"upsample_bilinear", IMAGE "loss cost = sum(sin(upsample_bilinear(h * k, [2, 3])) ** 2)\n", 1, 0},
    {"upsample_bilinear, corners",
     IMAGE "loss cost = sum(sin(upsample_bilinear(h * k, 2, align_corners = true)) ** 2)\n", 1, 0},
};

/* Operators that only derivatives are made of. */
static const struct text_case twice[] = {
    {"overlap", SIGNAL "loss cost = sum(sin(window(h * k, 2, 3, 2, [1, 2], 2) ** 2))\n", 1, 0},
    {"scatter", HIDDEN "loss cost = sum(sin(embedding(t, 4, 5) * sum(h * k, axis = 1, keep = true)))\n", 1,
     0},
    {"convolve_weights",
     IMAGE "loss cost = mean(sin(conv2d(h * k, 4, kernel = [3, 2], stride = [2, 1], padding = [1, 2, 0, 3],\n"
           "    dilation = [1, 2], groups = 2)))\n",
     1, 0},
    {"convolve_weights, transposed",
     IMAGE "loss cost = mean(sin(conv2d_transposed(h * k, 4, kernel = [3, 4], stride = [2, 3], padding = [1, "
           "0, 2, 1],\n"
           "    output_padding = [1, 2], dilation = [2, 1], groups = 2)))\n",
     1, 0},
};

/* Sizes on the other side of what plan.c decides by: sums inside loops, in lanes, in chains. */
#define WIDE(n)                 \
    "input x : f64[batch, 3]\n" \
    "h = tanh(dense(x, " n "))\n"
static const struct text_case wide[] = {
    {"64 terms", WIDE("64") "loss cost = sum(sin(dense(h, 3)))\n", 1, 0},
    {"65 terms", WIDE("65") "loss cost = sum(sin(dense(h, 3)))\n", 1, 0},
    {"70 results", WIDE("3") "loss cost = sum(sin(dense(h, 70)))\n", 1, 0},
    {"32 x 32 in lanes", WIDE("32") "loss cost = sum(sin(dense(h, 32)))\n", 1, 0},
    {"33 x 32 in a chain", WIDE("33") "loss cost = sum(sin(dense(h, 32)))\n", 1, 0},
    {"70 x 70", WIDE("70") "loss cost = sum(sin(dense(h, 70)))\n", 1, 0},
    {"70 x 70 at the end", WIDE("70") "loss cost = mean(dense(h, 70))\n", 1, 0},
    {"70 x 17, rows on the right",
     WIDE("70") "weight B : f64[17, 70] = zeros\nloss cost = mean(sin(B @ transpose(h)))\n", 1, 0},
    {"70 columns over the batch", WIDE("70") "loss cost = sum(sin(transpose(h) @ h))\n", 1, 0},
    {"batched, 70 terms",
     WIDE("140") "weight B : f64[70, 3] = zeros\nloss cost = sum(sin(reshape(h, [batch, 2, 70]) @ B))\n", 1,
     0},
    {"70 terms and a number",
     WIDE("70") "weight B : f64[70, 70] = zeros\nloss cost = mean(sin(h @ B + 0.5))\n", 1, 0},
    {"70 terms and known numbers",
     WIDE("70") "loss cost = sum(sin(h @ unsqueeze(arange(70) / 70, 1) + h @ reshape(arange(210) / 210, [70, "
                "3])))\n",
     1, 0},
    {"70 known numbers over the batch",
     WIDE("70") "loss cost = sum(sin(transpose(h) @ broadcast_to(arange(70) / 70, [batch, 70])))\n", 1, 0},
    {"weights only, 70 terms",
     WIDE("3") "weight A : f64[3, 70] = zeros\nweight B : f64[70, 3] = zeros\nloss cost = sum(sin(h @ (A @ "
               "B)))\n",
     1, 0},
    {"softmax of 70", WIDE("70") "loss cost = sum(softmax(h) ** 2)\n", 1, 0},
    {"layer_norm of 70", WIDE("70") "loss cost = sum(sin(layer_norm(h)))\n", 1, 0},
};

#define CHECK_ALL(cases, rows_max)                               \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) \
    check_text(&(cases)[i], (rows_max))

static void structural_operators(void **state) {
    (void)state;
    CHECK_ALL(structural, 300);
}

static void arranged_values(void **state) {
    (void)state;
    CHECK_ALL(arranged, 300);
}

static void prelude_layers(void **state) {
    (void)state;
    CHECK_ALL(layer_cases, 300);
}

static void convolutions(void **state) {
    (void)state;
    CHECK_ALL(images, 33);
}

static void derivatives_of_derivatives(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
        check_derivative(&twice[i], 33);
}

static void wide_layers(void **state) {
    (void)state;
    CHECK_ALL(wide, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementwise_operators),
        cmocka_unit_test(structural_operators),
        cmocka_unit_test(arranged_values),
        cmocka_unit_test(prelude_layers),
        cmocka_unit_test(wide_layers),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(derivatives_of_derivatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
