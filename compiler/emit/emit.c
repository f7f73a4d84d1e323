/* The emitted file: its interface, the state, the kernels that it needs, one function a nest, and the
 * functions that call them.  `header` prints the interface alone; the C file contains the same text.
 */
#include "emit/emit.h"
#include "emit/interface.h"
#include "emit/nest.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

enum { ROWS_UNKNOWN = 1024 }; /* kept where the file names neither a batch nor data */

/* ---- plans ---- */

static const struct plan *plan_of(struct emitter *emitter, struct node **roots, int count) {
    return plan_make(&emitter->printer.model->graph, roots, count, emitter->printer.arena);
}

/* The expression that a weight's first value is computed by; NULL: it is given in numbers. */
static struct node *initial_of(const struct emitter *emitter, int weight) {
    return emitter->printer.options->loaded ? NULL : emitter->printer.model->weights[weight].initial;
}

static void make_plans(struct emitter *emitter) {
    const struct model *model = emitter->printer.model;
    struct arena *arena = emitter->printer.arena;
    struct node **roots = arena_array(
        arena, struct node *,
        (size_t)(model->weight_count + model->update_count + model->metric_count + model->output_count + 1));
    int count = 0;
    for (int i = 0; i < model->weight_count; i++)
        if (initial_of(emitter, i))
            roots[count++] = initial_of(emitter, i);
    emitter->init = (struct job){"init", plan_of(emitter, roots, count)};
    count = 0;
    for (int i = 0; i < model->output_count; i++)
        roots[count++] = model->outputs[i].node;
    emitter->predict = (struct job){"predict", plan_of(emitter, roots, count)};
    count = 0;
    if (!model->loss.node)
        return;
    roots[count++] = model->loss.node;
    for (int i = 0; i < model->metric_count; i++)
        roots[count++] = model->metrics[i].node;
    emitter->evaluate = (struct job){"evaluate", plan_of(emitter, roots, count)};
    count = 1;
    for (int i = 0; i < model->update_count; i++)
        roots[count++] = model->updates[i];
    if (model->update_count)
        emitter->train = (struct job){"train", plan_of(emitter, roots, count)};
}

static void find_noise(struct emitter *emitter) {
    const struct job *jobs[] = {&emitter->train, &emitter->predict, &emitter->evaluate};
    for (int j = 0; j < 3; j++)
        for (int id = 0; jobs[j]->plan && id < jobs[j]->plan->graph.count; id++)
            emitter->printer.noise =
                emitter->printer.noise || (jobs[j]->plan->graph.nodes[id]->code == OPERATOR_noise &&
                                           jobs[j]->plan->placements[id].group >= 0);
}

/* How many rows are kept: as many as the file ever takes at once. */
static int64_t most_rows(const struct emitter *emitter) {
    const struct model *model = emitter->printer.model;
    int64_t rows = model->training.batch;
    for (int i = 0; i < model->data_count; i++) {
        const struct data *data = &model->data[i];
        const struct emit_rows *table = strcmp(data->name, "train") == 0
                                            ? emitter->printer.options->train_rows
                                            : emitter->printer.options->test_rows;
        int64_t count = data->source == DATA_SPIRAL ? data->classes * data->points : table ? table->count : 0;
        rows = count > rows ? count : rows;
    }
    return rows ? rows : ROWS_UNKNOWN;
}

static void size_work(struct emitter *emitter) {
    const struct job *jobs[] = {&emitter->init, &emitter->train, &emitter->predict, &emitter->evaluate};
    for (int j = 0; j < 4; j++) {
        const struct plan *plan = jobs[j]->plan;
        for (int e = 0; plan && e < 3; e++) {
            if (plan->kept_planes[e] && !emitter->kept_rows)
                emitter->kept_rows = most_rows(emitter);
            int64_t tiles = (emitter->kept_rows + plan->tile - 1) / plan->tile;
            int64_t size =
                (plan->tile_planes[e] + plan->kept_planes[e] * tiles) * plan->tile + plan->once_size[e];
            emitter->work[e] = size > emitter->work[e] ? size : emitter->work[e];
        }
    }
    for (int e = 0; e < 3; e++) /* room to begin at a multiple of 64 bytes */
        if (emitter->work[e])
            emitter->work[e] += e == ELEMENT_F64 ? 8 : 16;
}

/* Emitted C counts with int and long: no array of it may be longer than they can say. */
static bool fits_int(struct emitter *emitter) {
    const struct model *model = emitter->printer.model;
    int64_t most = emitter->work[0] > emitter->work[1] ? emitter->work[0] : emitter->work[1];
    struct span span = model->weight_count ? model->weights[0].span : (struct span){0};
    most = emitter->work[2] > most ? emitter->work[2] : most;
    for (int i = 0; i < model->weight_count; i++)
        if (shape_inner_size(&model->weights[i].node->type.shape) > most) {
            most = shape_inner_size(&model->weights[i].node->type.shape);
            span = model->weights[i].span;
        }
    for (int i = 0; i < model->data_count; i++)
        if (model->data[i].source == DATA_SPIRAL &&
            3 * model->data[i].classes * model->data[i].points > most) {
            most = 3 * model->data[i].classes * model->data[i].points;
            span = model->data[i].span;
        }
    if (most > INT32_MAX)
        diagnostic_error(emitter->printer.sink, span,
                         "too large for emitted C: an array of more than 2^31 numbers");
    return most <= INT32_MAX;
}

/* ---- names ---- */

/* Is it a name inside some kernel?  A type of that name would be shadowed there. */
static bool is_kernel_word(const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < kernel_text_count; i++)
        for (const char *at = strstr(kernel_texts[i].text, name); at; at = strstr(at + 1, name)) {
            bool starts = at == kernel_texts[i].text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
            if (starts && !isalnum((unsigned char)at[length]) && at[length] != '_')
                return true;
        }
    return false;
}

static void name_everything(struct emitter *emitter) {
    struct printer *printer = &emitter->printer;
    const struct model *model = printer->model;
    printer->functions = names_new(printer->arena);
    const char *prefix =
        is_kernel_word(model->name) ? text_format(printer->arena, "%s_model", model->name) : model->name;
    printer->prefix = unique_ident(printer->functions, prefix);
    struct names *fields = names_new(printer->arena), *columns = names_new(printer->arena);
    unique_ident(fields, "updates");
    unique_ident(fields, "seed");
    printer->weight_names = arena_array(printer->arena, const char *, (size_t)model->weight_count);
    for (int i = 0; i < model->weight_count; i++)
        printer->weight_names[i] = unique_ident(fields, model->weights[i].name);
    printer->column_names = arena_array(printer->arena, const char *, (size_t)model->column_count);
    for (int i = 0; i < model->column_count; i++)
        printer->column_names[i] = unique_ident(columns, model->columns[i].name);
    printer->output_names = arena_array(printer->arena, const char *, (size_t)model->output_count);
    for (int i = 0; i < model->output_count; i++)
        printer->output_names[i] = unique_ident(columns, model->outputs[i].name);
}

static bool reads(const struct plan *plan, int column) {
    for (int g = 0; g < plan->group_count; g++)
        for (int i = 0; i < plan->groups[g].input_count; i++)
            if (plan->groups[g].inputs[i]->attributes.index == column)
                return true;
    return false;
}

/* ---- the functions of the jobs ---- */

/* `nn_load`: rows of the caller into planes. */
static void print_loads(struct emitter *emitter, const struct plan *plan, const struct group *group,
                        struct text *out) {
    static const char *const loads[] = {"nn_loadf", "nn_load", "nn_loadi"}, *const wide_loads[] = {
                                                                                "nn_load_widef",
                                                                                "nn_load_wide", "nn_loadi"};
    enum { WIDE = 16 };
    for (int i = 0; i < group->input_count; i++) {
        const struct node *node = group->inputs[i];
        enum element e = node->type.element;
        long long inner = (long long)shape_inner_size(&node->type.shape);
        const char *load = (inner < WIDE ? loads : wide_loads)[e];
        text_print(out, "        %s(%s + from * %lld, %lld, rows, m, %d, %s + %lld);\n", load,
                   emitter->printer.column_names[node->attributes.index], inner, inner, plan->tile,
                   work_name(e), (long long)(plan_placement(plan, node)->offset * plan->tile));
        if (!mentions(text_string(&emitter->printer.kernels_used), load))
            text_print(&emitter->printer.kernels_used, " %s ", load);
    }
}

static const char *root_memory(struct emitter *emitter, const struct plan *plan, const struct node *node) {
    const struct placement *p = plan_placement(plan, node);
    enum element e = node->type.element;
    int64_t tile = plan->tile_planes[e] * plan->tile;
    if (p->place == PLACE_TILE)
        return text_format(emitter->printer.arena, "%s[%lld", work_name(e),
                           (long long)(p->offset * plan->tile));
    if (p->place == PLACE_KEPT)
        return text_format(emitter->printer.arena, "%s[%lld + tile * %lld", work_name(e),
                           (long long)(tile + plan->once_size[e] + p->offset * plan->tile),
                           (long long)(plan->kept_planes[e] * plan->tile));
    return text_format(emitter->printer.arena, "%s[%lld", work_name(e), (long long)(tile + p->offset));
}

/* The element of a root's source as C text, for its element e (a loop variable). */
static const char *flat_index(struct emitter *emitter, const struct access *access, const char *e) {
    struct text text = {.arena = emitter->printer.arena};
    int64_t below = 1;
    if (access->identity)
        return e;
    text_print(&text, "%lld", (long long)access->offset);
    for (int axis = access->rank - 1; axis >= 0; axis--) {
        if (access->strides[axis])
            text_print(&text, " + %s / %lld %% %lld * %lld", e, (long long)below,
                       (long long)access->sizes[axis], (long long)access->strides[axis]);
        below *= access->sizes[axis];
    }
    return text_format(emitter->printer.arena, "(%s)", text_string(&text));
}

/* Copies the outputs that group g computed to the caller's rows. */
static void print_stores(struct emitter *emitter, const struct plan *plan, int g, struct text *out) {
    for (int i = 0; i < plan->root_count && plan == emitter->predict.plan; i++) {
        struct node *root = plan->roots[i];
        struct shape shape = root->type.shape;
        struct access access = access_of(root, &shape);
        long long inner = (long long)shape_inner_size(&shape);
        if (shape_batch_axis(&shape) < 0 || plan_placement(plan, access.source)->group != g)
            continue;
        const char *name = emitter->printer.output_names[i];
        text_print(
            out, "        for (int r = 0; %s && r < rows; r++)\n            for (int e = 0; e < %lld; e++)\n",
            name, inner);
        text_print(out, "                %s[(from + (size_t)r) * %lld + (size_t)e] = %s + %s * %d + r];\n",
                   name, inner, root_memory(emitter, plan, access.source), flat_index(emitter, &access, "e"),
                   plan->tile);
    }
}

/* The lanes of a fold as a tree, lane i and lane i + half until one is left: the interpreter's order. */
static void print_tree(struct emitter *emitter, const struct node *node, int64_t from, int64_t to,
                       struct text *out) {
    enum element e = node->type.element;
    const char *work = work_name(e), *name = emitter->printer.idents[node->id];
    long long count = (long long)shape_inner_size(&node->type.shape);
    text_print(out, "    for (long i = 0; i < %lld; i++) { /* %s */\n        %s lanes[%d];\n", count, name,
               real_name(e), lanes_of(e));
    text_print(out, "        for (long l = 0; l < %d; l++)\n            lanes[l] = %s[%lld + i * %d + l];\n",
               lanes_of(e), work, (long long)from, lanes_of(e));
    text_print(
        out,
        "        for (long half = %d; half > 0; half /= 2)\n            for (long l = 0; l < half; l++)\n"
        "                lanes[l] = %s;\n",
        lanes_of(e) / 2,
        maths_text(&emitter->printer, node, (const char *const[]){"lanes[l]", "lanes[l + half]", ""}));
    text_print(out, "        %s[%lld + i] = lanes[0];\n    }\n", work, (long long)to);
}

/* The same for all sums. */
static void print_trees(struct emitter *emitter, const struct plan *plan, const struct group *group,
                        struct text *out) {
    for (int e = 0; e < 3; e++) {
        const struct lane_sums *sums = &group->sums[e];
        const int64_t base = plan->tile_planes[e] * plan->tile;
        if (sums->count)
            text_print(out, "    %s(%lld, %s + %lld, %s + %lld);\n",
                       use_kernel(&emitter->printer, "nn_trees", (enum element)e), (long long)sums->count,
                       work_name((enum element)e), (long long)(base + sums->lanes),
                       work_name((enum element)e), (long long)(base + sums->results));
    }
}

/* All sums but those of some kernels begin with the first tile by themselves: only without rows are they set.
 */
static bool starts_itself(const struct nest *nest, const struct node *node) {
    return nest->kind != NEST_KERNEL || is_matmul(node);
}

/* Sums over the batch start at 0 before the tiles, and their lanes are added up after them. */
static void print_sweeps(struct emitter *emitter, const struct plan *plan, const struct group *group,
                         bool start, struct text *out) {
    for (int n = 0; n < group->nest_count; n++)
        for (int i = 0; i < group->nests[n].count; i++) {
            const struct node *node = group->nests[n].nodes[i];
            const struct placement *p = plan_placement(plan, node);
            enum element e = node->type.element;
            if (!p->sweep)
                continue;
            int64_t base = plan->tile_planes[e] * plan->tile, count = shape_inner_size(&node->type.shape);
            bool lanes = p->lanes >= 0;
            if (start)
                text_print(out, "    for (int i = 0; i < %lld%s; i++)\n        %s[%lld + i] = %s;\n",
                           (long long)(lanes ? count * lanes_of(e) : count),
                           starts_itself(&group->nests[n], node) ? " && n == 0" : "", work_name(e),
                           (long long)(base + (lanes ? p->lanes : p->offset)),
                           number_text(&emitter->printer, operators[node->code].start, e));
            else if (lanes && !p->summed)
                print_tree(emitter, node, base + p->lanes, base + p->offset, out);
        }
}

static bool uses(const struct text *text, const char *word) {
    return mentions(text_string(text), word);
}

/* How many rows a vector holds at most, of all types that the group computes with. */
static int widest_lanes(const struct group *group) {
    for (int n = 0; n < group->nest_count; n++)
        for (int i = 0; i < group->nests[n].count; i++)
            if (group->nests[n].nodes[i]->type.element == ELEMENT_F32)
                return LANES_F32;
    for (int i = 0; i < group->input_count; i++)
        if (group->inputs[i]->type.element == ELEMENT_F32)
            return LANES_F32;
    return LANES_F64;
}

static void print_row_group(struct emitter *emitter, const struct plan *plan, int g, struct text *out) {
    const struct group *group = &plan->groups[g];
    struct text calls = {.arena = emitter->printer.arena}, loop = {.arena = emitter->printer.arena};
    if (group->nest_count == 0)
        return;
    print_group(&emitter->printer, g, false, &calls);
    print_sweeps(emitter, plan, group, true, out);
    print_loads(emitter, plan, group, &loop);
    text_print(&loop, "%s", text_string(&calls));
    print_stores(emitter, plan, g, &loop);
    int lanes = widest_lanes(group);
    text_print(out, "    for (size_t from = 0; from < n; from += %d) {\n", plan->tile);
    text_print(out, "        const int rows = n - from < %d ? (int)(n - from) : %d;\n", plan->tile,
               plan->tile);
    text_print(out, "        const int m = (rows + %d) / %d * %d; /* whole vectors */\n        (void)m;\n",
               lanes - 1, lanes, lanes);
    if (uses(&loop, "valid"))
        text_print(
            out,
            "        NN_LINE uint64_t valid[8]; /* the rows of the last vector */\n"
            "        for (int l = 0; l < 8; l++)\n            valid[l] = nn_mask(l <= (rows - 1) %% 8);\n");
    if (uses(&loop, "validf"))
        text_print(out, "        NN_LINE uint32_t validf[16];\n        for (int l = 0; l < 16; l++)\n"
                        "            validf[l] = nn_maskf(l <= (rows - 1) %% 16);\n");
    if (uses(&loop, "tile"))
        text_print(out, "        const size_t tile = from / %d;\n", plan->tile);
    text_print(out, "%s    }\n", text_string(&loop));
    print_trees(emitter, plan, group, out);
    print_sweeps(emitter, plan, group, false, out);
}

/* The calls of some groups; the nests' functions go to printer->body. */
static void print_groups(struct emitter *emitter, const struct plan *plan, int from, int end,
                         struct text *out) {
    for (int g = from; g < end; g++)
        if (plan->groups[g].rows)
            print_row_group(emitter, plan, g, out);
        else
            print_group(&emitter->printer, g, false, out);
}

static void begin_job(struct printer *printer, const struct job *job) {
    printer->plan = job->plan;
    printer->job = job->name;
    name_nodes(printer);
}

static void print_job(struct emitter *emitter, const struct job *job, struct text *out) {
    begin_job(&emitter->printer, job);
    print_groups(emitter, job->plan, 0, job->plan->group_count, out);
}

static void print_unused_columns(struct emitter *emitter, const struct plan *plan, bool targets,
                                 struct text *out) {
    const struct model *model = emitter->printer.model;
    for (int i = 0; i < model->column_count; i++)
        if ((targets || !model->columns[i].is_target) && !reads(plan, i))
            text_print(out, "    (void)%s;\n", emitter->printer.column_names[i]);
}

/* Vectors of 64 bytes are slow across two lines of the cache, wherever the caller's state lies. */
static void print_work_locals(struct emitter *emitter, const struct text *body, struct text *out) {
    for (int e = 0; e < 3; e++) {
        const char *work = work_name((enum element)e);
        if (!uses(body, work))
            continue;
        use_kernel(&emitter->printer, "nn_to_line", ELEMENT_F64);
        text_print(out, "    %s *const %s = s->%s + nn_to_line(s->%s, sizeof *s->%s);\n",
                   real_name((enum element)e), work, work, work, work);
    }
}

static void print_batch_locals(const struct text *calls, bool training, struct text *out) {
    if (uses(calls, "batch_rows"))
        text_print(out, "    const long batch_rows = (long)n;\n");
    else
        text_print(out, "    (void)n;\n");
    if (uses(calls, "step"))
        text_print(out, "    const double step = (double)%s;\n",
                   training ? "(s->updates + 1)" : "s->updates");
    if (uses(calls, "drawn"))
        text_print(out, "    const uint32_t drawn = %s; /* the update whose random numbers are drawn */\n",
                   training ? "(uint32_t)(s->updates + 1)" : "0");
}

/* A scalar root as a double. */
static const char *scalar_root(struct emitter *emitter, const struct plan *plan, int root) {
    struct shape shape = plan->roots[root]->type.shape;
    struct access access = access_of(plan->roots[root], &shape);
    return text_format(emitter->printer.arena, "(double)%s + %lld]",
                       root_memory(emitter, plan, access.source), (long long)access.offset);
}

static void print_init(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    const struct plan *plan = emitter->init.plan;
    struct text calls = {.arena = emitter->printer.arena};
    bool numpy = model->training.generator == GENERATOR_NUMPY;
    const char *p = emitter->printer.prefix;
    print_job(emitter, &emitter->init, &calls);
    struct text copies = {.arena = emitter->printer.arena};
    int root = 0;
    for (int i = 0; i < model->weight_count; i++) {
        const struct weight *weight = &model->weights[i];
        const char *field = emitter->printer.weight_names[i];
        long long count = (long long)shape_inner_size(&weight->node->type.shape);
        if (!initial_of(emitter, i)) {
            const void *values = emitter->printer.options->weights[i];
            bool single = weight->node->type.element == ELEMENT_F32;
            text_print(&copies, "    static const %s %s_first[%lld] = {",
                       real_name(weight->node->type.element), field, count);
            for (long long e = 0; e < count; e++)
                text_print(
                    &copies, "%s%s",
                    e % 6 ? ", "
                    : e   ? ",\n        "
                          : "\n        ",
                    number_text(&emitter->printer,
                                single ? (double)((const float *)values)[e] : ((const double *)values)[e],
                                weight->node->type.element));
            text_print(&copies, "};\n    for (int i = 0; i < %lld; i++)\n        s->%s[i] = %s_first[i];\n",
                       count, field, field);
            continue;
        }
        struct shape shape = plan->roots[root]->type.shape;
        struct access access = access_of(plan->roots[root++], &shape);
        text_print(&copies, "    for (int i = 0; i < %lld; i++)\n        s->%s[i] = %s + %s];\n", count,
                   field, root_memory(emitter, plan, access.source), flat_index(emitter, &access, "i"));
    }
    struct text *body = emitter->printer.body;
    text_print(body, "static void %s_start(%s *s, %s) {\n", p, p,
               numpy ? "struct nn_numpy *stream" : "uint64_t seed");
    if (!uses(&calls, numpy ? "stream" : "seed"))
        text_print(body, "    (void)%s;\n", numpy ? "stream" : "seed");
    text_print(&calls, "%s", text_string(&copies));
    print_work_locals(emitter, &calls, body);
    text_print(body, "%s    s->updates = %lld;\n}\n\n", text_string(&calls),
               (long long)emitter->printer.options->updates);
    text_print(out, "void %s_init(%s *s, uint64_t seed) {\n", p, p);
    if (emitter->printer.noise)
        text_print(out, "    s->seed = seed;\n");
    if (numpy) {
        use_kernel(&emitter->printer, "nn_numpy_seed", ELEMENT_F64);
        text_print(out,
                   "    struct nn_numpy stream;\n    nn_numpy_seed(&stream, (uint32_t)seed);\n    "
                   "%s_start(s, &stream);\n}\n\n",
                   p);
    } else
        text_print(out, "    %s_start(s, seed);\n}\n\n", p);
}

/* What training and evaluation do not begin with: more rows than there is room for, numbers of no class.  The
 * loop has one way out, so that compilers take many numbers at once. */
static void print_refusals(struct emitter *emitter, const struct plan *plan, struct text *out) {
    const struct model *model = emitter->printer.model;
    bool any = false;
    if (emitter->kept_rows)
        text_print(out, "    if (n > %lld)\n        return (double)NAN;\n", (long long)emitter->kept_rows);
    for (int i = 0; i < model->column_count; i++) {
        const struct column *column = &model->columns[i];
        long long inner = (long long)shape_inner_size(&column->node->type.shape);
        if (!reads(plan, i) || !column_range(column))
            continue;
        text_print(out, "%s    for (size_t i = 0; i < n%s; i++)\n", any ? "" : "    int inside = 1;\n",
                   inner == 1 ? "" : text_format(emitter->printer.arena, " * %lld", inner));
        text_print(out, "        inside &= (uint32_t)%s[i] < %lldu;\n", emitter->printer.column_names[i],
                   (long long)column_range(column));
        any = true;
    }
    if (any)
        text_print(out, "    if (!inside)\n        return (double)NAN;\n");
}

static void print_train(struct emitter *emitter, struct text *out) {
    struct text calls = {.arena = emitter->printer.arena};
    print_job(emitter, &emitter->train, &calls);
    text_print(&calls, "    s->updates++;\n    return %s;\n}\n\n",
               scalar_root(emitter, emitter->train.plan, 0));
    text_print(out, "NN_JOB ");
    print_train_signature(emitter, out);
    text_print(out, " {\n");
    if (emitter->printer.model->column_count)
        text_print(out, "    if (n == 0)\n        return (double)NAN;\n");
    print_refusals(emitter, emitter->train.plan, out);
    print_batch_locals(&calls, true, out);
    print_unused_columns(emitter, emitter->train.plan, true, out);
    print_work_locals(emitter, &calls, out);
    text_print(out, "%s", text_string(&calls));
}

/* Metric i, whose first number is metrics[at]. */
static void print_metric(struct emitter *emitter, int i, long long at, struct text *out) {
    const struct plan *plan = emitter->evaluate.plan;
    struct shape shape = plan->roots[i + 1]->type.shape;
    struct access access = access_of(plan->roots[i + 1], &shape);
    if (shape.rank == 0)
        text_print(out, "    if (metrics)\n        metrics[%lld] = %s;\n", at,
                   scalar_root(emitter, plan, i + 1));
    else
        text_print(
            out,
            "    for (long e = 0; metrics && e < %lld; e++)\n        metrics[%lld + e] = (double)%s + %s];\n",
            (long long)shape_inner_size(&shape), at, root_memory(emitter, plan, access.source),
            flat_index(emitter, &access, "e"));
}

static void print_evaluate(struct emitter *emitter, struct text *out) {
    struct text calls = {.arena = emitter->printer.arena};
    print_job(emitter, &emitter->evaluate, &calls);
    if (!emitter->printer.model->metric_count)
        text_print(&calls, "    (void)metrics;\n");
    long long at = 0;
    for (int i = 0; i < emitter->printer.model->metric_count; i++) {
        print_metric(emitter, i, at, &calls);
        at += (long long)shape_inner_size(&emitter->printer.model->metrics[i].node->type.shape);
    }
    text_print(&calls, "    return %s;\n}\n\n", scalar_root(emitter, emitter->evaluate.plan, 0));
    text_print(out, "NN_JOB ");
    print_evaluate_signature(emitter, out);
    text_print(out, " {\n");
    print_refusals(emitter, emitter->evaluate.plan, out);
    print_batch_locals(&calls, false, out);
    print_unused_columns(emitter, emitter->evaluate.plan, true, out);
    print_work_locals(emitter, &calls, out);
    text_print(out, "%s", text_string(&calls));
}

/* There is no room to keep more rows: the answer is that there is none. */
static void print_too_many_rows(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    text_print(out, "    if (n > %lld) {\n", (long long)emitter->kept_rows);
    for (int i = 0; i < model->output_count; i++) {
        const struct type *type = &model->outputs[i].node->type;
        const char *name = emitter->printer.output_names[i];
        text_print(out, "        for (size_t i = 0; %s && i < %s%lld; i++)\n            %s[i] = (%s)NAN;\n",
                   name, shape_batch_axis(&type->shape) >= 0 ? "n * " : "",
                   (long long)shape_inner_size(&type->shape), name, real_name(type->element));
    }
    text_print(out, "        return;\n    }\n");
}

/* Can one row do it with its numbers one behind the other? */
static bool suits_one_row(const struct plan *plan, const struct nest *nest) {
    if (nest->kind == NEST_BLOCKS)
        return false;
    for (int i = 0; i < nest->count; i++)
        if (!plan_suits_one_row(plan, nest->nodes[i]))
            return false;
    return true;
}

/* The group that predicts one row too, by loops over its numbers alone (lanes of rows would stay empty); -1
 * where no group can, or several have rows. */
static int one_row_group(const struct plan *plan) {
    int found = -1;
    for (int g = 0; g < plan->group_count; g++) {
        const struct group *group = &plan->groups[g];
        if (group->nest_count == 0)
            continue;
        if (found >= 0)
            return -1;
        if (!group->rows)
            continue;
        found = g;
        for (int n = 0; n < group->nest_count; n++)
            if (!suits_one_row(plan, &group->nests[n]))
                return -1;
    }
    for (int i = 0; i < plan->root_count; i++)
        if (access_of(plan->roots[i], &plan->roots[i]->type.shape).source->code == OPERATOR_input)
            return -1;
    return found;
}

/* Does one row need nothing of the groups before its own?  Loops scale weights where they read them. */
static bool is_first_for_one_row(const struct plan *plan, int group) {
    for (int g = 0; g < group; g++)
        for (int n = 0; n < plan->groups[g].nest_count; n++)
            for (int i = 0; i < plan->groups[g].nests[n].count; i++)
                if (!nest_is_scaled_weight(plan->groups[g].nests[n].nodes[i]))
                    return false;
    for (int n = 0; n < plan->groups[group].nest_count; n++)
        if (plan->groups[group].nests[n].kind == NEST_KERNEL)
            return false;
    for (int i = 0; i < plan->root_count; i++)
        if (nest_is_scaled_weight(access_of(plan->roots[i], &plan->roots[i]->type.shape).source))
            return false;
    return true;
}

/* Copies output i, whose numbers lie one behind the other, to the caller. */
static void print_output(struct emitter *emitter, int i, const char *indent, struct text *out) {
    const struct plan *plan = emitter->predict.plan;
    struct shape shape = plan->roots[i]->type.shape;
    struct access access = access_of(plan->roots[i], &shape);
    const char *name = emitter->printer.output_names[i];
    text_print(out, "%sfor (int e = 0; %s && e < %lld; e++)\n%s    %s[e] = %s + %s];\n", indent, name,
               (long long)shape_inner_size(&shape), indent, name, root_memory(emitter, plan, access.source),
               flat_index(emitter, &access, "e"));
}

/* A prediction of one row, whose numbers lie one behind the other: nothing has to be loaded. */
static void print_row_predict(struct emitter *emitter, int group, struct text *out) {
    const struct plan *plan = emitter->predict.plan;
    text_print(out, "    if (n == 1) {\n");
    print_group(&emitter->printer, group, true, out);
    for (int i = 0; i < plan->root_count; i++)
        print_output(emitter, i, "        ", out);
    text_print(out, "        return;\n    }\n");
}

/* The calls of a prediction: of any number of rows, and before them, where it can be, of one. */
static void print_predict_calls(struct emitter *emitter, struct text *out) {
    const struct plan *plan = emitter->predict.plan;
    begin_job(&emitter->printer, &emitter->predict);
    const int group = one_row_group(plan),
              before = group < 0 || is_first_for_one_row(plan, group) ? 0 : group;
    print_groups(emitter, plan, 0, before, out);
    if (group >= 0)
        print_row_predict(emitter, group, out);
    print_groups(emitter, plan, before, plan->group_count, out);
}

static void print_predict(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    const struct plan *plan = emitter->predict.plan;
    struct text calls = {.arena = emitter->printer.arena};
    for (int i = 0; i < model->column_count; i++)
        if (model->columns[i].is_target && reads(plan, i))
            diagnostic_error(emitter->printer.sink, model->columns[i].span,
                             "an output depends on the target '%s'", model->columns[i].name);
    print_predict_calls(emitter, &calls);
    for (int i = 0; i < plan->root_count; i++)
        if (!has_rows(plan->roots[i]))
            print_output(emitter, i, "    ", &calls);
    text_print(out, "NN_JOB ");
    print_predict_signature(emitter, out);
    text_print(out, " {\n");
    print_batch_locals(&calls, false, out);
    print_unused_columns(emitter, plan, false, out);
    if (keeps_rows(plan))
        print_too_many_rows(emitter, out);
    print_work_locals(emitter, &calls, out);
    text_print(out, "%s}\n\n", text_string(&calls));
}

static void print_weight_access(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    print_weight_signature(emitter, out);
    text_print(out, " {\n    size_t unasked;\n    if (!count)\n        count = &unasked;\n");
    for (int i = 0; i < model->weight_count; i++)
        text_print(
            out,
            "    if (strcmp(name, \"%s\") == 0) {\n        *count = %lld;\n        return s->%s;\n    }\n",
            model->weights[i].name, (long long)shape_inner_size(&model->weights[i].node->type.shape),
            emitter->printer.weight_names[i]);
    if (!model->weight_count)
        text_print(out, "    (void)s;\n    (void)name;\n");
    text_print(out, "    *count = 0;\n    return NULL;\n}\n");
}

/* ---- the file ---- */

static void print_title(struct emitter *emitter, struct text *out) {
    const struct model *model = emitter->printer.model;
    const char *slash = strrchr(model->path, '/'), *name = slash ? slash + 1 : model->path;
    text_print(out, "/* ");
    print_in_comment(out, emitter->printer.options->file_name, strlen(emitter->printer.options->file_name));
    text_print(out, ": the network of ");
    print_in_comment(out, name, strlen(name));
    text_print(out, ", made by nnc.  Change the model and run nnc again.\n");
    if (emitter->printer.options->header)
        text_print(out,
                   " *\n * For the C file of the same model and the same -D, compiled with -DNN_NO_MAIN: "
                   "with others the\n * state has another size.\n");
    else
        text_print(
            out,
            " *\n"
            " * A program:  cc -O2 THIS.c -lm             (trains, and prints the losses)\n"
            " * A library:  cc -O2 -DNN_NO_MAIN -c THIS.c (no allocation, no globals, no input or output)\n"
            " *\n"
            " * Inside, rows of the batch stand side by side: element e of row r lies at [e * T + r].\n"
            " * Floating-point mode: NN_FUSED 1 where the target has fused multiply-add, else 0;\n"
            " * -DNN_FUSED=0 or 1 sets it.  Within a mode the results have the same bits whatever the\n"
            " * compiler and its level.\n");
    text_print(out, " */\n");
}

/* Up to so many bytes of functions a file asks for more of the compiler than its options do: beyond, that
 * takes minutes. */
enum { SMALL_TEXT = 128 << 10 };

static void print_preamble(struct text *out, bool small) {
    text_print(out, "#if defined(__clang__)\n#pragma STDC FP_CONTRACT OFF\n#elif defined(__GNUC__)\n"
                    "#pragma GCC optimize(\"fp-contract=off\")\n");
    if (small)
        text_print(out, "#if defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)\n"
                        "#pragma GCC optimize(\"O3\") /* -O2 leaves loops without vectors */\n#endif\n");
    text_print(out, "#endif\n\n#include <math.h>\n#include <string.h>\n\n");
    text_print(
        out, "/* A loop over rows stays a function of its own: inlined, its arrays are no longer known to be "
             "apart, and it\n * loses its vectors. */\n"
             "#if defined(__GNUC__)\n#define NN_ALONE __attribute__((noinline))\n"
             "#else\n#define NN_ALONE\n#endif\n\n");
    if (small)
        text_print(
            out,
            "/* Without an option for the processor, the work is compiled for AVX2 besides, and the program "
            "takes\n"
            " * what the machine has when it starts.  AVX2 alone has no fused multiply-add: the bits are the "
            "same.\n"
            " * (Of a function that other files call, clang would not define the name.) */\n"
            "#if defined(__x86_64__) && defined(__GLIBC__) && defined(__OPTIMIZE__) && !defined(__AVX2__)\n"
            "#define NN_WORK __attribute__((target_clones(\"avx2\", \"default\"))) /* is not inlined either "
            "*/\n"
            "#define NN_JOB NN_WORK\n#else\n#define NN_WORK NN_ALONE\n#define NN_JOB\n#endif\n"
            "#if defined(__clang__)\n#undef NN_JOB\n#define NN_JOB\n#endif\n\n");
    else
        text_print(out, "#define NN_WORK NN_ALONE\n#define NN_JOB\n\n");
}

void emit_c(const struct model *model, const struct emit_options *options, struct diagnostics *sink,
            struct text *out) {
    struct emitter *emitter = arena_new(out->arena, struct emitter);
    struct printer *printer = &emitter->printer;
    struct text functions = {.arena = out->arena}, program = {.arena = out->arena},
                head = {.arena = out->arena};
    const size_t start = out->length;
    printer->arena = out->arena;
    printer->scratch = arena_within(out->arena);
    printer->body = out; /* the longest part is printed where it stays */
    printer->model = model;
    printer->options = options;
    printer->sink = sink;
    printer->kernels_used.arena = printer->kernels_printed.arena = out->arena;
    name_everything(emitter);
    make_plans(emitter);
    size_work(emitter);
    find_noise(emitter);
    if (!fits_int(emitter))
        return;
    if (options->header) {
        print_title(emitter, out);
        const char *guard = text_format(out->arena, "NN_MODEL_%s_H", printer->prefix);
        text_print(out, "#ifndef %s\n#define %s\n\n", guard, guard);
        print_interface(emitter, out);
        text_print(out, "\n#endif\n");
        return;
    }
    if (!options->loadable)
        print_init(emitter, &functions);
    if (emitter->train.plan)
        print_train(emitter, &functions);
    if (emitter->evaluate.plan)
        print_evaluate(emitter, &functions);
    if (model->output_count)
        print_predict(emitter, &functions);
    print_weight_access(emitter, &functions);
    struct text library_kernels = {.arena = out->arena}, program_kernels = {.arena = out->arena};
    print_kernels(printer, &library_kernels);
    if (options->loadable)
        print_loadable(printer, emitter->train.plan, emitter->evaluate.plan, emitter->kept_rows, &functions);
    else if (!options->loaded)
        print_program(printer, &program);
    print_kernels(printer, &program_kernels);
    print_title(emitter, &head);
    print_preamble(&head, out->length - start <= SMALL_TEXT);
    print_interface(emitter, &head);
    text_print(&head, "\n/* ---- kernels ---- */\n\n%s/* ---- the network ---- */\n\n",
               text_string(&library_kernels));
    text_insert(out, start, &head);
    text_print(out, "%s", text_string(&functions));
    if (program.length)
        text_print(out, "\n#ifndef NN_NO_MAIN\n\n#include <stdio.h>\n\n%s%s#endif\n",
                   text_string(&program_kernels), text_string(&program));
}
