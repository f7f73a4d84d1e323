/* Operators one by one: the shapes that they take and refuse, with what is said; and their values and
 * derivatives against PyTorch (tests/fixtures/operators.py), in f64 and f32, special values among them.
 */
#include "harness.h"

#include "passes/differentiate.h"
#include <float.h>

/* ---- values, element by element ---- */

struct elementwise_fixture {
    const char *name;
    enum operator_code code;
    int count;
    const double *operands[3];
    const double *expected;
};

struct function_fixture {
    const char *text;
    int count;
    const double *expected, *dx, *dk;
};

#include "fixtures/operators.h"

enum { FUNCTION_ROWS = 6, FUNCTION_COLUMNS = 4, FUNCTION_CELLS = FUNCTION_ROWS * FUNCTION_COLUMNS };

static void set_column(struct bench *bench, int i, const double *numbers, int64_t count) {
    enum element element = bench->column_nodes[i]->type.element;
    bench->columns[i] = arena_allocate_array(&bench->arena, (size_t)count, 8);
    for (int64_t e = 0; e < count; e++)
        number_set(element, bench->columns[i], e, numbers[e]);
}

/* Of zeros, maximum and minimum may give either. */
static bool is_same(double found, double expected, double tolerance, bool either_zero) {
    if (expected != expected)
        return found != found;
    if (expected == 0)
        return found == 0 && (either_zero || signbit(found) == signbit(expected));
    return found == expected || fabs(found - expected) <= tolerance * fabs(expected);
}

static void check_elementwise(const struct elementwise_fixture *fixture, enum element element) {
    struct bench bench;
    bench_start(&bench, 1);
    bench_graph(&bench);
    for (int k = 0; k < 3; k++) {
        bench_column(&bench, element, shape_of(1, (int64_t[]){BATCH}));
        set_column(&bench, k, fixture->operands[k], fixture->count);
    }
    bench.rows = fixture->count;
    struct node *y = graph_node(bench.graph, fixture->code, bench.column_nodes,
                                operators[fixture->code].arity, NULL, NULL);
    void *found = bench_room(&bench, y);
    bench_run(&bench, bench_interpreter(&bench, plan_make(bench.graph, &y, 1, &bench.arena)), &found);
    bool extreme = fixture->code == OPERATOR_maximum || fixture->code == OPERATOR_minimum;
    for (int i = 0; i < fixture->count; i++) {
        bool single = element == ELEMENT_F32;
        double expected = single ? (double)(float)fixture->expected[i] : fixture->expected[i];
        double number = number_at(element, found, i);
        bool tiny = single && fixture->expected[i] != 0 && fabs(fixture->expected[i]) < (double)FLT_MIN;
        if (tiny ? fabs(number) <= (double)FLT_MIN
                 : is_same(number, expected, single ? 5e-7 : 1e-15, extreme))
            continue;
        fail_msg("%s(%g, %g, %g) in %s is %.17g, expected %.17g", fixture->name, fixture->operands[0][i],
                 fixture->operands[1][i], fixture->operands[2][i], element_name(element), number, expected);
    }
    bench_drop(&bench);
}

static void elementwise_values(void **state) {
    (void)state;
    size_t count = sizeof elementwise_fixtures / sizeof *elementwise_fixtures;
    for (size_t i = 0; i < count; i++) {
        check_elementwise(&elementwise_fixtures[i], ELEMENT_F64);
        check_elementwise(&elementwise_fixtures[i], ELEMENT_F32);
    }
}

/* Each row of elementwise.def has its values: a new one belongs into operators.py as well. */
static void every_operator_has_values(void **state) {
    (void)state;
    size_t count = sizeof elementwise_fixtures / sizeof *elementwise_fixtures;
    for (int code = 0; code < OPERATOR_COUNT; code++) {
        bool found = operators[code].kind != KIND_ELEMENTWISE;
        for (size_t i = 0; i < count; i++)
            found = found || (int)elementwise_fixtures[i].code == code;
        if (!found)
            fail_msg("tests/fixtures/operators.py has no values for %s", operators[code].name);
    }
}

/* Constants are folded by the same maths. */
static void folded_constants(void **state) {
    (void)state;
    size_t count = sizeof elementwise_fixtures / sizeof *elementwise_fixtures;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < elementwise_fixtures[i].count; k++) {
            const struct elementwise_fixture *fixture = &elementwise_fixtures[i];
            double found = operator_fold(fixture->code, fixture->operands[0][k], fixture->operands[1][k],
                                         fixture->operands[2][k]);
            bool extreme = fixture->code == OPERATOR_maximum || fixture->code == OPERATOR_minimum;
            assert_true(is_same(found, fixture->expected[k], 1e-15, extreme));
        }
}

/* ---- functions of a matrix, with their derivatives ---- */

static void check_array(const char *what, const char *text, enum element element, const void *found,
                        const double *expected, int64_t count) {
    double scale = 1e-3, tolerance = element == ELEMENT_F64 ? 1e-12 : 1e-4;
    for (int64_t i = 0; i < count; i++)
        scale = fmax(scale, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(number_at(element, found, i) - expected[i]) <= tolerance * scale))
            fail_msg("%s: %s of element %lld in %s is %.17g, expected %.17g", text, what, (long long)i,
                     element_name(element), number_at(element, found, i), expected[i]);
}

/* sum(y * cos(y)), whose derivatives the fixture holds. */
static struct node *function_loss(struct graph *graph, struct node *y) {
    struct node *loss = graph_binary(graph, OPERATOR_multiply, y, graph_unary(graph, OPERATOR_cos, y));
    while (loss->type.shape.rank)
        loss = graph_fold(graph, OPERATOR_sum, loss, loss->type.shape.rank - 1);
    return loss;
}

/* Gains of one, biases of zero: weights that start with a number.  Others are waves, as in operators.py. */
static void start_weights(struct bench *bench) {
    bench_weights(bench);
    for (int i = 0; i < bench->weight_count; i++) {
        const struct node *initial = bench->model->weights[i].initial;
        while (operators[initial->code].kind == KIND_VIEW)
            initial = initial->inputs[0];
        bool number = initial->code == OPERATOR_constant;
        for (int64_t e = 0; e < bench_elements(bench, bench->weight_nodes[i]); e++)
            number_set(bench->weight_nodes[i]->type.element, bench->weights[i], e,
                       number ? initial->attributes.number : 0.5 * sin(0.7 * (double)e + i));
    }
}

static void check_function(const struct function_fixture *fixture, enum element element) {
    struct bench bench;
    struct node *roots[3] = {NULL}, *gradients[2] = {NULL};
    void *results[3] = {NULL};
    const double *expected[3] = {fixture->expected, fixture->dx, fixture->dk};
    static const char *const what[] = {"value", "derivative for x", "derivative for k"};
    const char *e = element_name(element);
    bench_start(&bench, 1);
    bench_model(&bench, text_format(&bench.arena,
                                    "model m {\ninput x : %s[batch, 4]\ninput k : %s[batch, 4]\n"
                                    "input t : class[batch] of 4\noutput y = %s\n}\n",
                                    e, e, fixture->text));
    bench.rows = FUNCTION_ROWS;
    set_column(&bench, 0, function_x, FUNCTION_CELLS);
    set_column(&bench, 1, function_k, FUNCTION_CELLS);
    bench.columns[2] = (void *)(uintptr_t)function_t;
    start_weights(&bench);
    roots[0] = bench.model->outputs[0].node;
    differentiate(bench.graph, function_loss(bench.graph, roots[0]), bench.column_nodes, 2, gradients);
    int count = 1;
    for (int i = 0; i < 2; i++)
        if (gradients[i]) {
            roots[count] = gradients[i];
            expected[count++] = i ? fixture->dk : fixture->dx;
        }
    for (int i = 0; i < count; i++)
        results[i] = bench_room(&bench, roots[i]);
    bench_run(&bench, bench_interpreter(&bench, plan_make(bench.graph, roots, count, &bench.arena)), results);
    for (int i = 0; i < count; i++)
        check_array(what[i], fixture->text, element, results[i], expected[i],
                    i ? FUNCTION_CELLS : fixture->count);
    bench_drop(&bench);
}

static void function_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof function_fixtures / sizeof *function_fixtures; i++) {
        check_function(&function_fixtures[i], ELEMENT_F64);
        check_function(&function_fixtures[i], ELEMENT_F32);
    }
}

/* ---- shapes ---- */

enum { B = -1 }; /* BATCH, short */

struct shape_case {
    enum operator_code code;
    struct {
        enum element element;
        int rank;
        int64_t dims[4];
    } operands[3];
    int count;
    int64_t axis;
    const char *expected; /* the result's type, or what is said */
};

#define F64(...)                                                                  \
    {                                                                             \
        ELEMENT_F64, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { \
            __VA_ARGS__                                                           \
        }                                                                         \
    }
#define F32(...)                                                                  \
    {                                                                             \
        ELEMENT_F32, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { \
            __VA_ARGS__                                                           \
        }                                                                         \
    }
#define SCALAR            \
    {                     \
        ELEMENT_F64, 0, { \
            0             \
        }                 \
    }

static const struct shape_case shape_cases[] = {
    /* broadcasting */
    {OPERATOR_add, {F64(B, 3), F64(3)}, 2, 0, "f64[batch, 3]"},
    {OPERATOR_add, {F64(3), F64(B, 3)}, 2, 0, "f64[batch, 3]"},
    {OPERATOR_add, {F64(B, 1), F64(1, 3)}, 2, 0, "f64[batch, 3]"},
    {OPERATOR_add, {F64(4, 1, 2), F64(3, 1)}, 2, 0, "f64[4, 3, 2]"},
    {OPERATOR_add, {SCALAR, F64(B)}, 2, 0, "f64[batch]"},
    {OPERATOR_add, {SCALAR, SCALAR}, 2, 0, "f64"},
    {OPERATOR_add, {F64(B, 3), F64(1, B, 1)}, 2, 0, "f64[1, batch, 3]"},
    {OPERATOR_where, {F64(B, 1), F64(3), SCALAR}, 3, 0, "f64[batch, 3]"},
    {OPERATOR_add, {F64(B, 3), F64(4)}, 2, 0, "shapes [batch, 3] and [4] cannot be broadcast together"},
    {OPERATOR_add, {F64(B), F64(3)}, 2, 0, "shapes [batch] and [3] cannot be broadcast together"},
    {OPERATOR_add,
     {F64(B, 1), F64(1, B)},
     2,
     0,
     "shapes [batch, 1] and [1, batch] cannot be broadcast together"},
    {OPERATOR_add, {F64(2, 3), F64(2)}, 2, 0, "shapes [2, 3] and [2] cannot be broadcast together"},
    {OPERATOR_where, {F64(2), F64(2), F64(3)}, 3, 0, "shapes [2] and [3] cannot be broadcast together"},
    {OPERATOR_add, {F64(3), F32(3)}, 2, 0, "one side is f64 and the other f32; convert one with f64(...)"},
    {OPERATOR_multiply, {F64(1 << 24, 1), F64(1 << 24)}, 2, 0, "the result would have too many elements"},
    /* folds */
    {OPERATOR_sum, {F64(B, 3, 4)}, 1, 0, "f64[3, 4]"},
    {OPERATOR_max, {F64(B, 3, 4)}, 1, 1, "f64[batch, 4]"},
    {OPERATOR_min, {F64(5)}, 1, 0, "f64"},
    {OPERATOR_sum, {F64(B, 3)}, 1, 2, "[batch, 3] has no axis 2"},
    {OPERATOR_sum, {SCALAR}, 1, 0, "a scalar has no axis 0"},
    /* products */
    {OPERATOR_matmul, {F64(B, 3), F64(3, 4)}, 2, 0, "f64[batch, 4]"},
    {OPERATOR_matmul, {F64(4, 3), F64(3, B)}, 2, 0, "f64[4, batch]"},
    {OPERATOR_matmul, {F64(3, B), F64(B, 4)}, 2, 0, "f64[3, 4]"},
    {OPERATOR_matmul, {F64(B, 2, 3), F64(3, 4)}, 2, 0, "f64[batch, 2, 4]"},
    {OPERATOR_matmul, {F64(B, 2, 3), F64(B, 3, 4)}, 2, 0, "f64[batch, 2, 4]"},
    {OPERATOR_matmul, {F64(5, 1, 2, 3), F64(6, 3, 4)}, 2, 0, "f64[5, 6, 2, 4]"},
    {OPERATOR_matmul,
     {F64(B, 3), F64(4, 3)},
     2,
     0,
     "'@' of [batch, 3] and [4, 3]: the last dimension of the left side and the last but one of the right "
     "side differ"},
    {OPERATOR_matmul, {F64(B, 3), F64(3)}, 2, 0, "'@' needs two matrices; found [batch, 3] and [3]"},
    {OPERATOR_matmul, {SCALAR, F64(3, 3)}, 2, 0, "'@' needs two matrices; found a scalar and [3, 3]"},
    {OPERATOR_matmul, {F64(2, 3), F32(3, 4)}, 2, 0, "'@' of f64 and f32: convert one side first"},
    {OPERATOR_matmul,
     {F64(2, 2, 3), F64(5, 3, 4)},
     2,
     0,
     "'@' of [2, 2, 3] and [5, 3, 4]: the leading dimensions cannot be broadcast"},
    {OPERATOR_matmul,
     {F64(B, 3), F64(3, B)},
     2,
     0,
     "'@' of [batch, 3] and [3, batch] would have the batch on two axes, a value for each pair of rows, "
     "which nn does "
     "not do"},
    /* assignments: the value is broadcast to the variable, never the other way round */
    {OPERATOR_assign, {F64(3, 4), F64(4)}, 2, 0, "f64[3, 4]"},
    {OPERATOR_assign, {F64(3), F64(3, 3)}, 2, 0, "the new value is f64[3, 3], the variable is f64[3]"},
    {OPERATOR_assign, {F64(3), F64(B, 3)}, 2, 0, "the new value is f64[batch, 3], the variable is f64[3]"},
    {OPERATOR_assign, {F64(3), F32(3)}, 2, 0, "the new value is f32[3], the variable is f64[3]"},
};

static void check_shape(const struct shape_case *c) {
    struct bench bench;
    struct node *inputs[3];
    struct attributes attributes;
    struct shape_error error = {0};
    bench_start(&bench, 1);
    bench_graph(&bench);
    memset(&attributes, 0, sizeof attributes);
    attributes.axis = c->axis;
    for (int k = 0; k < c->count; k++)
        inputs[k] =
            bench_column(&bench, c->operands[k].element, shape_of(c->operands[k].rank, c->operands[k].dims));
    struct node *node = graph_node(bench.graph, c->code, inputs, c->count, &attributes, &error);
    assert_string_equal(node ? type_text(&bench.arena, &node->type, NULL) : error.message, c->expected);
    bench_drop(&bench);
}

static void shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shape_cases / sizeof *shape_cases; i++)
        check_shape(&shape_cases[i]);
}

/* reshape: from, to, and the message or NULL. */
static void check_reshape(struct shape from, struct shape to, const char *expected) {
    struct bench bench;
    struct attributes attributes;
    struct shape_error error = {0};
    bench_start(&bench, 1);
    bench_graph(&bench);
    memset(&attributes, 0, sizeof attributes);
    attributes.type.shape = to;
    struct node *a = bench_column(&bench, ELEMENT_F64, from);
    struct node *y = graph_node(bench.graph, OPERATOR_reshape, &a, 1, &attributes, &error);
    if (expected)
        assert_string_equal(error.message, expected);
    else {
        assert_true(shape_equal(&y->type.shape, &to));
        assert_int_equal(y->type.element, ELEMENT_F64);
    }
    bench_drop(&bench);
}

#define SHAPE(...) \
    shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static void reshapes(void **state) {
    (void)state;
    check_reshape(SHAPE(B, 12), SHAPE(B, 3, 4), NULL);
    check_reshape(SHAPE(2, B, 12), SHAPE(2, B, 3, 4), NULL);
    check_reshape(SHAPE(6), SHAPE(2, 3), NULL);
    check_reshape(SHAPE(B, 12), SHAPE(B, 3, 5),
                  "[batch, 12] cannot be reshaped to [batch, 3, 5]: the number of elements differs");
    check_reshape(SHAPE(B, 12), SHAPE(3, 4),
                  "[batch, 12] cannot be reshaped to [3, 4]: the number of elements differs");
    check_reshape(SHAPE(B, 12), SHAPE(12, B),
                  "reshaping [batch, 12] to [12, batch] would mix rows of the batch");
}

/* ---- simplifications keep the value's type, and what must stay stays ---- */

static void simplifications(void **state) {
    (void)state;
    struct bench bench;
    bench_start(&bench, 1);
    bench_graph(&bench);
    struct graph *graph = bench.graph;
    struct node *x = bench_column(&bench, ELEMENT_F64, SHAPE(B, 3)),
                *row = bench_column(&bench, ELEMENT_F64, SHAPE(1));
    struct node *zero = graph_number(graph, 0, ELEMENT_F64), *one = graph_number(graph, 1, ELEMENT_F64);
    struct node *two = graph_number(graph, 2, ELEMENT_F64);
    assert_ptr_equal(graph_binary(graph, OPERATOR_add, x, zero), x);
    assert_ptr_equal(graph_binary(graph, OPERATOR_multiply, one, x), x);
    assert_ptr_equal(graph_binary(graph, OPERATOR_divide, x, one), x);
    assert_ptr_equal(graph_binary(graph, OPERATOR_power, x, one), x);
    assert_ptr_equal(graph_binary(graph, OPERATOR_power, x, two),
                     graph_binary(graph, OPERATOR_multiply, x, x));
    assert_ptr_equal(graph_unary(graph, OPERATOR_negate, graph_unary(graph, OPERATOR_negate, x)), x);
    assert_ptr_equal(graph_swap_last(graph, graph_swap_last(graph, x)), x);
    assert_int_equal(graph_binary(graph, OPERATOR_multiply, x, zero)->code, OPERATOR_multiply); /* 0 * NaN */
    assert_int_equal(graph_binary(graph, OPERATOR_subtract, x, x)->code, OPERATOR_subtract);
    assert_int_equal(graph_binary(graph, OPERATOR_divide, x, x)->code, OPERATOR_divide);
    struct node *sum = graph_binary(graph, OPERATOR_add, row, x);
    assert_ptr_equal(graph_binary(graph, OPERATOR_add, row, x), sum); /* equal nodes are one */
    assert_int_equal(graph_binary(graph, OPERATOR_add, two, one)->code, OPERATOR_constant);
    bench_drop(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_has_values),
        cmocka_unit_test(elementwise_values),
        cmocka_unit_test(folded_constants),
        cmocka_unit_test(function_values),
        cmocka_unit_test(shapes),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(simplifications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
