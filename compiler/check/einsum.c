/* einsum("bij,bjk->bik", a, b): one letter for each axis; letters that the result does not name are summed
 * over.  `...`, once in an operand and in the result, stands for all axes without a letter: inside they have
 * digits, 1 for the last of them.
 *
 * Two operands become a matrix product where they can: axes that both have and the result keeps lead, those
 * of one side alone become m and n, those that both have and the result drops become k.  Three are taken two
 * by two from the left.
 */
#include "check/check.h"
#include "graph/operator.h"

#include <ctype.h>
#include <string.h>

enum { LETTERS = 128, OPERANDS = 3 };

/* An operand, or the result so far: the letter of each axis. */
struct term {
    struct node *node;
    char letters[RANK_MAX + 1];
    const char *written; /* "...i" */
};

struct einsum {
    struct checker *checker;
    struct value *equation;
    int64_t sizes[LETTERS]; /* by letter; 0: not met */
    struct term terms[OPERANDS];
    int count;
    char result[RANK_MAX + 1];
};

static bool has(const char *letters, char letter) {
    return strchr(letters, letter) != NULL;
}

static void append(char *letters, char letter) {
    size_t length = strlen(letters);
    letters[length] = letter;
    letters[length + 1] = '\0';
}

/* ---- the equation ---- */

static bool wrong(struct einsum *e, const char *what) {
    check_error(e->checker, e->equation->span,
                "%s; an equation is as \"bij,bjk->bik\": a letter for each axis of each operand", what);
    return false;
}

/* An axis as the user knows it. */
static const char *axis_text(struct einsum *e, int letter) {
    return isdigit(letter) ? "an axis of '...'" : text_format(e->checker->arena, "'%c'", letter);
}

/* The letters up to the end of the operand, each at most once; `open` axes have none, and stand where the
 * dots are. */
static bool read_letters(struct einsum *e, const char **at, int open, char *letters) {
    int count = 0;
    bool dots = false;
    while (isalpha((unsigned char)**at) || strncmp(*at, "...", 3) == 0) {
        bool letter = **at != '.';
        if (letter ? memchr(letters, **at, (size_t)count) != NULL : dots)
            return wrong(
                e, text_format(e->checker->arena, "'%.*s' stands twice in one operand", letter ? 1 : 3, *at));
        if (count + (letter ? 1 : open) > RANK_MAX)
            return wrong(e, "too many axes");
        if (letter)
            letters[count++] = **at;
        for (int i = open; !letter && i > 0; i--)
            letters[count++] = (char)('0' + i);
        dots = dots || !letter;
        *at += letter ? 1 : 3;
    }
    letters[count] = '\0';
    return true;
}

/* How many axes of the operand have no letter, as far as it has dots; the text up to its end is kept. */
static int open_axes(struct einsum *e, const char *at, struct term *term) {
    size_t length = strcspn(at, ",-");
    int letters = 0;
    for (size_t i = 0; i < length; i++)
        letters += at[i] != '.';
    int open = term->node->type.shape.rank - letters;
    term->written = arena_copy(e->checker->arena, at, length);
    return strchr(term->written, '.') && open > 0 ? open : 0;
}

static bool match_sizes(struct einsum *e, const struct term *term) {
    const struct shape *shape = &term->node->type.shape;
    if ((int)strlen(term->letters) != shape->rank)
        return wrong(e, text_format(e->checker->arena, "'%s' for a value of %s", term->written,
                                    describe_type(e->checker, &term->node->type)));
    for (int i = 0; i < shape->rank; i++) {
        int64_t *size = &e->sizes[(unsigned char)term->letters[i]];
        if (*size && *size != shape->dims[i])
            return wrong(e, text_format(e->checker->arena, "%s has two sizes, in '%s' of %s and before",
                                        axis_text(e, term->letters[i]), term->written,
                                        describe_type(e->checker, &term->node->type)));
        for (int other = 0; other < LETTERS && shape->dims[i] == BATCH; other++)
            if (e->sizes[other] == BATCH && other != term->letters[i])
                return wrong(e, text_format(e->checker->arena,
                                            "%s and %s are both the batch, and there is no value for each "
                                            "pair of its rows",
                                            axis_text(e, other), axis_text(e, term->letters[i])));
        *size = shape->dims[i];
    }
    return true;
}

static bool read_equation(struct einsum *e) {
    struct text text = {.arena = e->checker->arena};
    for (const char *p = e->equation->text; *p; p++)
        if (*p != ' ')
            text_print(&text, "%c", *p);
    const char *at = text_string(&text);
    int most = 0;
    for (int i = 0; i < e->count; i++) {
        int open = open_axes(e, at, &e->terms[i]);
        if (!read_letters(e, &at, open, e->terms[i].letters))
            return false;
        most = open > most ? open : most;
        if (i + 1 < e->count && *at++ != ',')
            return wrong(e,
                         text_format(e->checker->arena, "%d operands, and fewer in the equation", e->count));
        if (!match_sizes(e, &e->terms[i]))
            return false;
    }
    if (strncmp(at, "->", 2) != 0)
        return wrong(e, *at == ',' ? "more operands in the equation than given"
                                   : "expected '->' and the result");
    at += 2;
    if (!read_letters(e, &at, most, e->result))
        return false;
    if (*at)
        return wrong(e, text_format(e->checker->arena, "'%c' is no letter of an axis", *at));
    for (const char *p = e->result; *p; p++)
        if (!e->sizes[(unsigned char)*p])
            return wrong(e, text_format(e->checker->arena, "no operand has the axis '%c' of the result", *p));
    return true;
}

/* ---- terms ---- */

/* Is the letter's axis read after operands 0..done - 1? */
static bool is_needed(const struct einsum *e, char letter, int done) {
    for (int i = done; i < e->count; i++)
        if (has(e->terms[i].letters, letter))
            return true;
    return has(e->result, letter);
}

static void sum_out(struct einsum *e, struct term *term, const char *kept) {
    int batch = shape_batch_axis(&term->node->type.shape);
    for (int pass = 0; pass < 2; pass++) /* the batch last, as in sum() */
        for (int i = (int)strlen(term->letters) - 1; i >= 0; i--) {
            if (has(kept, term->letters[i]) || (i == batch) != (pass == 1))
                continue;
            term->node = graph_fold(e->checker->graph, OPERATOR_sum, term->node, i);
            memmove(term->letters + i, term->letters + i + 1, strlen(term->letters + i));
            batch -= i < batch;
        }
}

/* The term's axes in the order of `letters`, which are its own. */
static struct node *ordered(struct einsum *e, const struct term *term, const char *letters) {
    int64_t order[RANK_MAX] = {0};
    for (int i = 0; letters[i]; i++)
        order[i] = strchr(term->letters, letters[i]) - term->letters;
    return graph_transpose(e->checker->graph, term->node, order);
}

/* The term with an axis for each of `letters`: of size 1 where it has none. */
static struct node *spread(struct einsum *e, const struct term *term, const char *letters) {
    char own[RANK_MAX + 1] = "";
    struct shape shape = shape_scalar();
    for (const char *p = letters; *p; p++) {
        bool there = has(term->letters, *p);
        shape.dims[shape.rank++] = there ? e->sizes[(unsigned char)*p] : 1;
        if (there)
            append(own, *p);
    }
    return graph_reshape(e->checker->graph, ordered(e, term, own), shape);
}

/* ---- two terms ---- */

/* How the letters of two terms take part. */
struct roles {
    char lead[2 * RANK_MAX + 1], m[RANK_MAX + 1], n[RANK_MAX + 1], k[RANK_MAX + 1];
};

/* Rows of the batch cannot be merged with another axis, and stay apart only in front: there they lead. */
static void put_batch_first(const struct einsum *e, char *letters, char *lead) {
    for (char *p = letters; *p; p++) {
        char letter = *p;
        if (e->sizes[(unsigned char)letter] != BATCH || (letters != lead && !letters[1]))
            continue;
        memmove(p, p + 1, strlen(p));
        memmove(lead + 1, lead, strlen(lead) + 1);
        lead[0] = letter;
        return;
    }
}

static bool find_roles(const struct einsum *e, const struct term *a, const struct term *b, int done,
                       struct roles *roles) {
    memset(roles, 0, sizeof *roles);
    for (const char *p = a->letters; *p; p++) {
        bool shared = has(b->letters, *p), kept = is_needed(e, *p, done);
        append(!shared ? roles->m : kept ? roles->lead : roles->k, *p);
    }
    for (const char *p = b->letters; *p; p++)
        if (!has(a->letters, *p))
            append(roles->n, *p);
    put_batch_first(e, roles->lead, roles->lead);
    put_batch_first(e, roles->m, roles->lead);
    put_batch_first(e, roles->n, roles->lead);
    put_batch_first(e, roles->k, roles->lead); /* beside others in k: summed once the product is there */
    return strlen(roles->lead) + strlen(roles->m) + strlen(roles->n) + strlen(roles->k) <= RANK_MAX;
}

/* The product of the sizes; rows of the batch cannot be merged with others. */
static bool merged_size(const struct einsum *e, const char *letters, int64_t *size) {
    *size = 1;
    for (const char *p = letters; *p; p++) {
        int64_t each = e->sizes[(unsigned char)*p];
        if (each == BATCH && letters[1])
            return false;
        *size *= each;
    }
    return true;
}

/* The term as [lead..., rows, columns], with 1 for the leading axes that it has not. */
static struct node *as_matrices(struct einsum *e, const struct term *term, const char *lead, const char *rows,
                                const char *columns) {
    struct node *node = spread(e, term, text_format(e->checker->arena, "%s%s%s", lead, rows, columns));
    struct shape shape = node->type.shape;
    shape.rank = (int)strlen(lead);
    for (int i = shape.rank; i < RANK_MAX; i++)
        shape.dims[i] = 0;
    merged_size(e, rows, &shape.dims[shape.rank++]);
    merged_size(e, columns, &shape.dims[shape.rank++]);
    return graph_reshape(e->checker->graph, node, shape);
}

static void by_matrices(struct einsum *e, struct term *a, struct term *b, const struct roles *roles) {
    struct node *left = as_matrices(e, a, roles->lead, roles->m, roles->k);
    struct node *right = as_matrices(e, b, roles->lead, roles->k, roles->n);
    struct shape shape = shape_scalar();
    const char *letters = text_format(e->checker->arena, "%s%s%s", roles->lead, roles->m, roles->n);
    for (const char *p = letters; *p; p++)
        shape.dims[shape.rank++] = e->sizes[(unsigned char)*p];
    a->node = graph_reshape(e->checker->graph, graph_binary(e->checker->graph, OPERATOR_matmul, left, right),
                            shape);
    memcpy(a->letters, letters, strlen(letters) + 1);
}

/* Axis by axis: a product of all pairs, then the sum. */
static void by_elements(struct einsum *e, struct term *a, struct term *b, const struct roles *roles) {
    const char *all = text_format(e->checker->arena, "%s%s%s%s", roles->lead, roles->m, roles->n, roles->k);
    const char *kept = text_format(e->checker->arena, "%s%s%s", roles->lead, roles->m, roles->n);
    a->node = graph_binary(e->checker->graph, OPERATOR_multiply, spread(e, a, all), spread(e, b, all));
    memcpy(a->letters, all, strlen(all) + 1);
    sum_out(e, a, kept);
}

static bool multiply(struct einsum *e, struct term *a, struct term *b, int done, struct span span) {
    struct roles roles;
    struct term *terms[] = {a, b};
    for (int t = 0; t < 2; t++) { /* what neither the other nor the result needs is summed first */
        char kept[2 * RANK_MAX + 1] = "";
        for (const char *p = terms[t]->letters; *p; p++)
            if (has(terms[1 - t]->letters, *p) || is_needed(e, *p, done))
                append(kept, *p);
        sum_out(e, terms[t], kept);
    }
    if (!find_roles(e, a, b, done, &roles)) {
        check_error(e->checker, span, "the product would have more than %d axes", (int)RANK_MAX);
        return false;
    }
    int64_t size, all = 1;
    for (const char *p = text_format(e->checker->arena, "%s%s%s%s", roles.lead, roles.m, roles.n, roles.k);
         *p; p++)
        if (e->sizes[(unsigned char)*p] != BATCH)
            all = all > ELEMENTS_MAX ? all : all * e->sizes[(unsigned char)*p];
    if (all > ELEMENTS_MAX) {
        check_error(e->checker, span, "the product would have too many elements");
        return false;
    }
    if (roles.k[0] && merged_size(e, roles.k, &size) && strlen(roles.lead) + 2 <= RANK_MAX)
        by_matrices(e, a, b, &roles);
    else
        by_elements(e, a, b, &roles);
    return true;
}

struct value call_einsum(struct checker *checker, struct value *arguments, struct span span) {
    struct einsum e = {.checker = checker, .equation = &arguments[0]};
    if (arguments[0].kind != VALUE_TEXT) {
        check_error(checker, arguments[0].span, "expected an equation as text, found %s",
                    value_describe(checker, &arguments[0]));
        return value_error;
    }
    checker->graph->span = span;
    enum element element = ELEMENT_INT;
    for (int i = 0; i < OPERANDS && arguments[1 + i].kind != VALUE_NONE; i++) {
        struct node *node = tensor_argument(checker, &arguments[1 + i]);
        if (!node)
            return value_error;
        if (node->type.element == ELEMENT_INT)
            node = graph_convert(checker->graph, node, checker->real);
        if (e.count && node->type.element != element) {
            check_error(checker, arguments[1 + i].span, "one operand is %s and another %s; convert one",
                        element_name(element), element_name(node->type.element));
            return value_error;
        }
        element = node->type.element;
        e.terms[e.count++].node = node;
    }
    if (!read_equation(&e))
        return value_error;
    for (int i = 1; i < e.count; i++)
        if (!multiply(&e, &e.terms[0], &e.terms[i], i + 1, span))
            return value_error;
    sum_out(&e, &e.terms[0], e.result);
    return value_tensor(ordered(&e, &e.terms[0], e.result), span);
}
