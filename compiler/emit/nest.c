/* One nest becomes one C function: a loop over elements, the rows inside it, and the nodes' maths inside
 * that. */
#include "emit/nest.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

bool nest_holds(const struct nest_printer *np, const struct node *node) {
    const struct placement *p = plan_placement(np->printer->plan, node);
    return p->group == np->group && p->nest == np->index;
}

const char *nest_ident(const struct nest_printer *np, const struct node *node) {
    return np->printer->idents[node->id];
}

void nest_use(struct nest_printer *np, struct node *node, bool written) {
    for (int i = 0; i < np->used_count; i++)
        if (np->used[i] == node) {
            np->written[i] = np->written[i] || written;
            return;
        }
    if (np->used_count == np->used_capacity) {
        int capacity = np->used_capacity ? 2 * np->used_capacity : 8;
        np->used = arena_grow(np->printer->arena, np->used, (size_t)np->used_count, (size_t)capacity,
                              sizeof *np->used);
        np->written = arena_grow(np->printer->arena, np->written, (size_t)np->used_count, (size_t)capacity,
                                 sizeof *np->written);
        np->used_capacity = capacity;
    }
    np->used[np->used_count] = node;
    np->written[np->used_count++] = written;
}

bool nest_is_sweep(const struct nest_printer *np, const struct node *node) {
    return plan_placement(np->printer->plan, node)->sweep;
}

/* ---- statements of an unrolled nest, less those whose value nothing reads (a slice may leave some) ---- */

struct line {
    const char *name; /* the register that it sets, when nothing else happens; NULL: it is kept */
    const char *text;
};

struct lines {
    struct line *items;
    int count, capacity;
};

static void add_line(struct nest_printer *np, struct lines *lines, const char *name, const char *text) {
    arena_reserve(np->printer->arena, lines->items, lines->count, lines->capacity);
    lines->items[lines->count++] = (struct line){name, text};
}

static void print_lines(struct nest_printer *np, struct lines *lines) {
    for (int i = lines->count - 1; i >= 0; i--) {
        bool read = !lines->items[i].name;
        for (int k = i + 1; k < lines->count && !read; k++)
            read = lines->items[k].text && mentions(lines->items[k].text, lines->items[i].name);
        if (!read)
            lines->items[i].text = NULL;
    }
    for (int i = 0; i < lines->count; i++)
        if (lines->items[i].text)
            text_print(np->out, "%s", lines->items[i].text);
}

static void print_unrolled(struct nest_printer *np) {
    struct lines lines = {0};
    struct text *out = np->out;
    for (int i = 0; i < np->nest->count; i++) {
        struct node *node = np->nest->nodes[i];
        if (plan_placement(np->printer->plan, node)->unread)
            continue;
        bool sweep = nest_is_sweep(np, node);
        bool local = !sweep && plan_placement(np->printer->plan, node)->local;
        const struct shape iteration = plan_iteration(node);
        for (int64_t e = 0; e < (sweep ? 1 : shape_inner_size(&iteration)); e++) {
            struct text text = {.arena = np->printer->arena};
            np->out = &text;
            print_origin(np->printer, node, np->indent, &text);
            add_line(np, &lines, NULL, text_string(&text));
            text = (struct text){.arena = np->printer->arena};
            if (sweep)
                nest_print_sums(np, node);
            else
                nest_print_value(np, node, e);
            add_line(np, &lines, local ? nest_register(np, node, e) : NULL, text_string(&text));
        }
    }
    np->out = out;
    print_lines(np, &lines);
}

/* ---- loops ---- */

bool nest_has_loop(const struct nest_printer *np) {
    return np->nest->kind == NEST_LOOP && np->nest->size > 1;
}

void nest_open_loop(const struct nest_printer *np, struct text *out) {
    if (nest_has_loop(np))
        text_print(out, "    for (long u = 0; u < %lld; u++) {\n", (long long)np->nest->size);
}

void nest_close_loop(const struct nest_printer *np, struct text *out) {
    if (nest_has_loop(np))
        text_print(out, "    }\n");
}

static void print_loop_body(struct nest_printer *np) {
    for (int i = 0; i < np->nest->count; i++) {
        struct node *node = np->nest->nodes[i];
        if (plan_placement(np->printer->plan, node)->unread)
            continue;
        print_origin(np->printer, node, np->indent, np->out);
        if (nest_is_sweep(np, node))
            nest_print_sums(np, node);
        else
            nest_print_value(np, node, np->nest->size == 1 ? 0 : -1);
    }
}

static void print_block_nest(struct nest_printer *np) {
    const struct nest *nest = np->nest;
    const struct blocks *blocks = nest->blocks;
    struct text *out = np->out;
    const int lanes = lanes_of(nest->element);
    for (int axis = 0; axis < blocks->rank; axis++)
        if (!blocks->written[axis] && blocks->sizes[axis] > 1)
            text_print(out, "    for (long u%d = 0; u%d < %lld; u%d++)\n", axis, axis,
                       (long long)blocks->sizes[axis], axis);
    use_kernel(np->printer, "nn_rolled", ELEMENT_F64);
    text_print(
        out,
        "        for (long r = 0; r < m; r += %d)\n            NN_ROLLED for (long l = 0; l < %d; l++) "
        "{\n",
        lanes, lanes);
    np->indent = "                ";
    for (int i = 0; i < nest->count; i++) {
        if (plan_placement(np->printer->plan, nest->nodes[i])->unread)
            continue;
        print_origin(np->printer, nest->nodes[i], np->indent, out);
        for (int64_t e = 0; e < nest_block_size(np, nest->nodes[i]); e++)
            nest_print_value(np, nest->nodes[i], e);
    }
    text_print(out, "            }\n");
}

static void print_nodes(struct nest_printer *np) {
    if (np->nest->kind == NEST_UNROLLED)
        print_unrolled(np);
    else
        print_loop_body(np);
}

/* With sums, one row is a function of its own: see nest_sums.c. */
static void print_summed_row(struct nest_printer *np) {
    np->indent = "    ";
    print_nodes(np);
}

static void print_row_nest(struct nest_printer *np) {
    const struct nest *nest = np->nest;
    const char *indent = nest_has_loop(np) ? "        " : "    ";
    const int lanes = lanes_of(nest->element);
    nest_open_loop(np, np->out);
    use_kernel(np->printer, "nn_rolled", ELEMENT_F64);
    /* Of many statements clang keeps what several vectors share on the stack; of few, several pay. */
    text_print(np->out, "%s%sfor (long r = 0; r < m; r += %d)\n", indent,
               nest_has_loop(np) ? "" : "NN_ROLLED ", lanes);
    text_print(np->out, "%s    NN_ROLLED for (long l = 0; l < %d; l++) {\n", indent, lanes);
    np->indent = text_format(np->printer->arena, "%s        ", indent);
    print_nodes(np);
    text_print(np->out, "%s    }\n", indent);
    nest_close_loop(np, np->out);
}

static void print_once_nest(struct nest_printer *np) {
    np->indent = nest_has_loop(np) ? "        " : "    ";
    nest_open_loop(np, np->out);
    print_nodes(np);
    nest_close_loop(np, np->out);
}

/* ---- functions ---- */

const char *nest_memory(struct nest_printer *np, const struct node *node) {
    struct printer *printer = np->printer;
    const struct plan *plan = printer->plan;
    const struct placement *p = plan_placement(plan, node);
    enum element e = node->type.element;
    if (node->code == OPERATOR_weight)
        return text_format(printer->arena, "s->%s", printer->weight_names[node->attributes.index]);
    if (np->one && node->code == OPERATOR_input)
        return printer->column_names[node->attributes.index];
    const char *work = work_name(e);
    int64_t tile = plan->tile_planes[e] * plan->tile, once = plan->once_size[e];
    if (p->place == PLACE_TILE)
        return text_format(printer->arena, "%s + %lld", work, (long long)(p->offset * plan->tile));
    if (p->place == PLACE_KEPT)
        return text_format(printer->arena, "%s + %lld + tile * %lld", work,
                           (long long)(tile + once + p->offset * plan->tile),
                           (long long)(plan->kept_planes[e] * plan->tile));
    return text_format(printer->arena, "%s + %lld", work,
                       (long long)(tile + (p->lanes >= 0 && nest_holds(np, node) ? p->lanes : p->offset)));
}

/* What the function computes, for its name: its last named value, else the first. */
static const char *function_name(struct nest_printer *np) {
    const struct node *best = np->nest->nodes[0];
    for (int i = 0; i < np->nest->count; i++)
        if (np->nest->nodes[i]->name && np->nest->nodes[i]->code != OPERATOR_assign)
            best = np->nest->nodes[i];
    const char *ending =
        best->code == OPERATOR_assign ? np->printer->idents[best->inputs[0]->id] : nest_ident(np, best);
    const char *name =
        text_format(np->printer->arena, "%s_%s_%s%s%s", np->printer->prefix, np->printer->job,
                    np->one ? "row_" : "", best->code == OPERATOR_assign ? "update_" : "", ending);
    return unique_ident(np->printer->functions, name);
}

void nest_add_parameter(struct signature *signature, const char *type, const char *name,
                        const char *argument) {
    const char *comma = signature->names.length ? ", " : "";
    text_print(&signature->parameters, "%s%s%s", comma, type, name);
    text_print(&signature->names, "%s%s", comma, name);
    text_print(&signature->arguments, "%s%s", comma, argument);
}

void nest_add_memory(struct nest_printer *np, bool lanes, struct signature *signature) {
    for (int i = 0; i < np->used_count; i++)
        if (lanes || !nest_holds(np, np->used[i]) || !nest_is_sweep(np, np->used[i]))
            nest_add_parameter(signature,
                               text_format(np->printer->arena, "%s%s *restrict ",
                                           np->written[i] ? "" : "const ",
                                           real_name(np->used[i]->type.element)),
                               nest_ident(np, np->used[i]), nest_memory(np, np->used[i]));
}

/* Is nothing summed yet?  In the first tile, and of a loop in the first round. */
static const char *first_text(const struct nest_printer *np) {
    if (!np->nest->loop)
        return "from == 0";
    const struct loop *loop = graph_loop(&np->printer->plan->graph, np->nest->loop);
    return text_format(np->printer->arena, "from == 0 && turn == %lld",
                       loop->backwards ? (long long)loop->steps - 1 : 0LL);
}

void nest_add_scalars(const struct nest_printer *np, struct signature *signature) {
    if (np->uses_batch_rows)
        nest_add_parameter(signature, "long ", "batch_rows", "batch_rows");
    if (np->uses_turn)
        nest_add_parameter(signature, "long ", "turn", "turn");
    if (np->uses_step)
        nest_add_parameter(signature, "double ", "step", "step");
}

static void add_parameters(struct nest_printer *np, struct signature *signature) {
    const struct node *first = np->nest->nodes[0];
    bool numpy = np->printer->model->training.generator == GENERATOR_NUMPY;
    bool single = np->nest->element == ELEMENT_F32;
    if (np->rows && !np->sums)
        nest_add_parameter(signature, "int ", "m", "m");
    if (np->rows && np->nest->kind == NEST_KERNEL)
        nest_add_parameter(signature, "int ", "rows", "rows");
    if (np->sums)
        nest_add_parameter(signature, single ? "const uint32_t *" : "const uint64_t *",
                           single ? "validf" : "valid", single ? "validf" : "valid");
    if (np->uses_first)
        nest_add_parameter(signature, "int ", "first", first_text(np));
    nest_add_scalars(np, signature);
    if (first->code == OPERATOR_noise) {
        nest_add_parameter(signature, "uint64_t ", "seed", "s->seed");
        nest_add_parameter(signature, "uint32_t ", "drawn", "drawn");
        if (np->rows)
            nest_add_parameter(signature, "uint64_t ", "row", "from");
    }
    if (first->code == OPERATOR_uniform || first->code == OPERATOR_normal) {
        if (numpy)
            nest_add_parameter(signature, "struct nn_numpy *", "stream", "stream");
        else
            nest_add_parameter(signature, "uint64_t ", "seed", "seed");
    }
    nest_add_memory(np, true, signature);
}

void nest_print_body(struct nest_printer *np, const char *head, const struct text *body) {
    struct text *out = np->printer->body;
    bool kernel = np->rows && np->nest->kind == NEST_KERNEL;
    text_print(out, "%s {\n", head);
    if (mentions(text_string(body), "T"))
        text_print(out, "    enum { T = %d };\n", np->printer->plan->tile);
    if (kernel && !mentions(text_string(body), "rows"))
        text_print(out, "    (void)rows;\n");
    if (kernel && !mentions(text_string(body), "m"))
        text_print(out, "    (void)m;\n");
    text_print(out, "%s}\n\n", text_string(body));
}

/* A function that the compiler makes for arguments in range, and for any. */
static void print_twice(struct nest_printer *np, const char *name, const struct signature *signature,
                        const struct text *body) {
    struct arena *arena = np->printer->arena;
    const char *parameters = text_string(&signature->parameters), *names = text_string(&signature->names);
    const char *inner = unique_ident(np->printer->functions, text_format(arena, "%s_if_inside", name));
    nest_print_body(np, text_format(arena, "NN_INLINE void %s(const int inside, %s)", inner, parameters),
                    body);
    text_print(np->printer->body,
               "NN_WORK static void %s(int inside, %s) {\n    if (inside)\n        %s(1, %s);\n"
               "    else\n        %s(0, %s);\n}\n\n",
               name, parameters, inner, names, inner, names);
}

static void print_function(struct nest_printer *np, const struct text *body, struct text *calls) {
    struct arena *arena = np->printer->arena;
    struct signature signature = {.parameters.arena = arena, .names.arena = arena, .arguments.arena = arena};
    const char *name = function_name(np);
    add_parameters(np, &signature);
    if (np->sums)
        nest_print_summed(np, name, &signature, body);
    else if (np->range)
        print_twice(np, name, &signature, body);
    else
        nest_print_body(
            np, text_format(arena, "NN_WORK static void %s(%s)", name, text_string(&signature.parameters)),
            body);
    text_print(calls, "%s%s(", np->rows || np->one ? "        " : "    ", name);
    if (np->range)
        text_print(calls, "%s, ", np->range);
    if (np->sums)
        text_print(calls, "rows, ");
    text_print(calls, "%s);\n", text_string(&signature.arguments));
}

/* Where a loop begins or ends before nest n; after the last nest n is their count. */
static void print_loop(const struct printer *printer, const struct group *of, int n, struct text *calls) {
    const int before = n ? of->nests[n - 1].loop : 0, loop = n < of->nest_count ? of->nests[n].loop : 0;
    if (loop == before)
        return;
    if (before)
        text_print(calls, "    }\n");
    if (!loop)
        return;
    const struct loop *l = graph_loop(&printer->plan->graph, loop);
    if (l->backwards)
        text_print(calls, "    for (long turn = %lld; turn >= 0; turn--) {\n", (long long)l->steps - 1);
    else
        text_print(calls, "    for (long turn = 0; turn < %lld; turn++) {\n", (long long)l->steps);
}

/* Are all of its values computed again where they are read? */
static bool is_unread(const struct plan *plan, const struct nest *nest) {
    for (int i = 0; i < nest->count; i++)
        if (!plan_placement(plan, nest->nodes[i])->unread)
            return false;
    return true;
}

static void print_body(struct nest_printer *np) {
    struct printer *printer = np->printer;
    if (np->nest->kind == NEST_KERNEL)
        nest_print_kernel(np);
    else if (np->one)
        print_once_nest(np);
    else if (np->nest->kind == NEST_BLOCKS)
        print_block_nest(np);
    else if (np->rows) {
        for (int i = 0; i < np->nest->count; i++)
            np->sums = np->sums || nest_is_sweep(np, np->nest->nodes[i]);
        if (strcmp(printer->job, "train") == 0) /* a prediction may have too few rows to be worth it */
            np->range = nest_find_range(np);
        if (np->sums)
            print_summed_row(np);
        else
            print_row_nest(np);
    } else
        print_once_nest(np);
}

/* A nest has many short texts, which nothing needs after it. */
static void print_nest(struct nest_printer np, struct text *calls) {
    struct printer *printer = np.printer;
    struct arena *lasting = printer->arena;
    if (is_unread(printer->plan, np.nest))
        return;
    printer->arena = printer->scratch;
    printer->last_line = NULL;
    struct text body = {.arena = printer->arena};
    np.out = &body;
    print_body(&np);
    print_function(&np, &body, calls);
    printer->arena = lasting;
    arena_free(printer->scratch);
}

void print_group(struct printer *printer, int group, bool one, struct text *calls) {
    const struct group *of = &printer->plan->groups[group];
    for (int n = 0; n < of->nest_count; n++) {
        print_loop(printer, of, n, calls);
        print_nest((struct nest_printer){.printer = printer,
                                         .nest = &of->nests[n],
                                         .group = group,
                                         .index = n,
                                         .rows = of->rows && !one,
                                         .one = one},
                   calls);
    }
    print_loop(printer, of, of->nest_count, calls);
}
