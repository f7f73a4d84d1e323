/* Recurrent layers: values and derivatives, for the weights, the sequence and the initial state, against
 * PyTorch (tests/fixtures/recurrent.py), in f64 and f32; and a scan's weights, which all its steps share.
 */
#include "harness.h"

#include "passes/differentiate.h"

struct recurrent_fixture {
    const char *text;
    int count; /* of y's elements */
    const double *y;
    int weight_count;
    const double *weights[8], *slopes[8]; /* in the order of their declaration */
    const double *inputs[3];              /* the derivatives for x, h0, c0; NULL: none */
};

#include "fixtures/recurrent.h"

static void fill(const struct node *node, void *memory, const double *numbers, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        number_set(node->type.element, memory, i, numbers[i]);
}

static void check_array(const char *text, const char *what, const struct node *node, const void *found,
                        const double *expected, int64_t count) {
    enum element element = node->type.element;
    double scale = 1e-3, tolerance = element == ELEMENT_F64 ? 1e-12 : 2e-5;
    for (int64_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(number_at(element, found, i) - expected[i]) <= tolerance * scale))
            fail_msg("%s: %s, element %lld in %s is %.17g, expected %.17g", text, what, (long long)i,
                     element_name(element), number_at(element, found, i), expected[i]);
}

/* sum(y cos(y)) */
static struct node *loss_of(struct graph *graph, struct node *y) {
    struct node *loss = graph_binary(graph, OPERATOR_multiply, y, graph_unary(graph, OPERATOR_cos, y));
    while (loss->type.shape.rank)
        loss = graph_fold(graph, OPERATOR_sum, loss, loss->type.shape.rank - 1);
    return loss;
}

/* Columns and weights with the fixture's numbers. */
static void fill_bench(struct bench *bench, const struct recurrent_fixture *fixture) {
    const double *columns[3] = {recurrent_x, recurrent_h0, recurrent_c0};
    bench->rows = RECURRENT_ROWS;
    for (int i = 0; i < 3; i++) {
        bench->columns[i] = bench_room(bench, bench->column_nodes[i]);
        fill(bench->column_nodes[i], bench->columns[i], columns[i],
             bench_elements(bench, bench->column_nodes[i]));
    }
    bench_weights(bench);
    assert_int_equal(bench->weight_count, fixture->weight_count);
    for (int i = 0; i < bench->weight_count; i++)
        fill(bench->weight_nodes[i], bench->weights[i], fixture->weights[i],
             bench_elements(bench, bench->weight_nodes[i]));
}

static void check_fixture(const struct recurrent_fixture *fixture, const char *element) {
    struct bench bench;
    struct node *of[RECURRENT_WEIGHTS + 3], *slopes[RECURRENT_WEIGHTS + 3], *roots[RECURRENT_WEIGHTS + 4];
    void *results[RECURRENT_WEIGHTS + 4];
    const double *expected[RECURRENT_WEIGHTS + 4];
    bench_start(&bench, 1);
    bench_model(&bench, text_format(&bench.arena,
                                    "model m {\ninput x : %s[batch, 5, 3]\ninput h0 : %s[batch, 4]\n"
                                    "input c0 : %s[batch, 4]\noutput y = %s\n}\n",
                                    element, element, element, fixture->text));
    fill_bench(&bench, fixture);
    for (int i = 0; i < bench.weight_count + 3; i++)
        of[i] = i < bench.weight_count ? bench.weight_nodes[i] : bench.column_nodes[i - bench.weight_count];
    roots[0] = bench.model->outputs[0].node;
    expected[0] = fixture->y;
    differentiate(bench.graph, loss_of(bench.graph, roots[0]), of, bench.weight_count + 3, slopes);
    int count = 1;
    for (int i = 0; i < bench.weight_count + 3; i++) {
        const double *slope =
            i < bench.weight_count ? fixture->slopes[i] : fixture->inputs[i - bench.weight_count];
        assert_int_equal(slopes[i] != NULL, slope != NULL);
        if (!slope)
            continue;
        expected[count] = slope;
        roots[count++] = slopes[i];
    }
    for (int i = 0; i < count; i++)
        results[i] = bench_room(&bench, roots[i]);
    bench_run(&bench, bench_interpreter(&bench, plan_make(bench.graph, roots, count, &bench.arena)), results);
    for (int i = 0; i < count; i++)
        check_array(fixture->text, i ? text_format(&bench.arena, "derivative %d", i) : "value", roots[i],
                    results[i], expected[i], i ? bench_elements(&bench, roots[i]) : fixture->count);
    bench_drop(&bench);
}

static void recurrent_layers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof recurrent_fixtures / sizeof *recurrent_fixtures; i++) {
        check_fixture(&recurrent_fixtures[i], "f64");
        check_fixture(&recurrent_fixtures[i], "f32");
    }
}

/* ---- scan itself ---- */

static const char scans[] = "layer tally(x, s) {\n"
                            "    return [s[0] + x * s[1], s[1] * 2]\n"
                            "}\n"
                            "layer inner(x, h, units) {\n"
                            "    return tanh(dense(x, units) + dense(h, units))\n"
                            "}\n"
                            "layer outer(x, h, units) {\n"
                            "    return h + scan(x, inner, h, units = units)[:, -1]\n"
                            "}\n"
                            "model m {\n"
                            "    input x : f64[batch, 4, 5, 3]\n"
                            "    output running = scan(x, maximum, -1000, axis = 2)\n"
                            "    output tallied = scan(x, tally, [0, 1])\n"
                            "    nested = scan(x, outer, x[:, 0, 0] * 0, units = 3)\n"
                            "    output nested\n"
                            "}\n";

/* Of 2 x 4 x 5 x 3: along the third axis, and along the second. */
static double at(const double *values, int b, int i, int j, int k) {
    return values[((b * 4 + i) * 5 + j) * 3 + k];
}

/* Running maxima; sums with powers of two; and one set of weights however deep the scans. */
static void scanned(void **state) {
    (void)state;
    enum { ROWS = 2 };
    struct bench bench;
    bench_start(&bench, 7);
    bench_model(&bench, scans);
    assert_int_equal(bench.weight_count, 4);
    assert_string_equal(bench.model->weights[0].name, "nested.dense1.W");
    assert_string_equal(bench.model->weights[3].name, "nested.dense2.b");
    bench_fill(&bench, ROWS);
    struct node *roots[2] = {bench.model->outputs[0].node, bench.model->outputs[1].node};
    void *results[2] = {bench_room(&bench, roots[0]), bench_room(&bench, roots[1])};
    bench_run(&bench, bench_interpreter(&bench, plan_make(bench.graph, roots, 2, &bench.arena)), results);
    for (int cell = 0; cell < ROWS * 4 * 5 * 3; cell++) {
        int k = cell % 3, j = cell / 3 % 5, i = cell / 15 % 4, b = cell / 60;
        double most = -1000, sum = 0;
        for (int t = 0; t <= j; t++)
            most = fmax(most, at(bench.columns[0], b, i, t, k));
        for (int t = 0; t <= i; t++)
            sum += at(bench.columns[0], b, t, j, k) * (1 << t);
        assert_true(at(results[0], b, i, j, k) == most);
        assert_true(fabs(at(results[1], b, i, j, k) - sum) < 1e-12);
    }
    bench_drop(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurrent_layers),
        cmocka_unit_test(scanned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
