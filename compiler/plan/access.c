#include "plan/access.h"
#include "graph/operator.h"
#include "passes/lower.h"

#include <string.h>

/* Where an axis of the node at hand gets its index: start + the sum of steps[i] * (index along axis i of the
 * iteration). */
struct map {
    int64_t start, steps[RANK_MAX];
};

struct node *storage_of(struct node *node) {
    while (node->code == OPERATOR_reshape)
        node = node->inputs[0];
    return node;
}

static void through_broadcast(const struct shape *from, const struct shape *to, struct map *maps) {
    struct map inner[RANK_MAX];
    int shift = from->rank - to->rank;
    for (int i = 0; i < to->rank; i++)
        inner[i] = to->dims[i] == 1 && from->dims[i + shift] != 1 ? (struct map){0} : maps[i + shift];
    memcpy(maps, inner, (size_t)to->rank * sizeof *inner);
}

static void through_transpose(const struct node *node, struct map *maps) {
    struct map inner[RANK_MAX];
    for (int i = 0; i < node->type.shape.rank; i++)
        inner[node->attributes.order[i]] = maps[i];
    memcpy(maps, inner, (size_t)node->type.shape.rank * sizeof *inner);
}

static void through_slice(const struct node *node, struct map *maps) {
    struct map *map = &maps[node->attributes.axis];
    map->start = node->attributes.start + node->attributes.step * map->start;
    for (int i = 0; i < RANK_MAX; i++)
        map->steps[i] *= node->attributes.step;
}

/* Axes [place, k] of a window are one axis of what it looks at: place * step + k * dilation. */
static void through_window(const struct node *node, struct map *maps) {
    const struct attributes *attributes = &node->attributes;
    struct map *place = &maps[attributes->axis], *k = place + 1;
    place->start = place->start * attributes->step + k->start * attributes->dilation;
    for (int i = 0; i < RANK_MAX; i++)
        place->steps[i] = place->steps[i] * attributes->step + k->steps[i] * attributes->dilation;
    memmove(k, k + 1, (size_t)(node->type.shape.rank - attributes->axis - 2) * sizeof *k);
}

static void through_unit_reshape(const struct node *node, struct map *maps) {
    const struct shape *from = &node->type.shape, *to = &node->inputs[0]->type.shape;
    struct map inner[RANK_MAX];
    int k = 0;
    for (int i = 0; i < to->rank; i++) {
        inner[i] = (struct map){0};
        if (to->dims[i] == 1)
            continue;
        while (from->dims[k] == 1)
            k++;
        inner[i] = maps[k++];
    }
    memcpy(maps, inner, (size_t)to->rank * sizeof *inner);
}

/* Follows views down to what is in memory. */
static struct node *descend(struct node *node, struct map *maps) {
    for (;;) {
        if (node->code == OPERATOR_expand)
            through_broadcast(&node->type.shape, &node->inputs[0]->type.shape, maps);
        else if (node->code == OPERATOR_transpose)
            through_transpose(node, maps);
        else if (node->code == OPERATOR_slice)
            through_slice(node, maps);
        else if (node->code == OPERATOR_window)
            through_window(node, maps);
        else if (node->code == OPERATOR_reshape && reshape_is_unit(node))
            through_unit_reshape(node, maps);
        else
            return node;
        node = node->inputs[0];
    }
}

static void classify(struct access *access) {
    int64_t expected = 1;
    access->uniform = true;
    access->identity = access->offset == 0;
    for (int i = access->rank - 1; i >= 0; i--) {
        if (access->sizes[i] == 1)
            continue;
        access->uniform = access->uniform && access->strides[i] == 0;
        access->identity = access->identity && access->strides[i] == expected;
        expected *= access->sizes[i];
    }
}

struct access access_of(struct node *operand, const struct shape *iteration) {
    struct access access = {.rank = iteration->rank};
    struct map maps[RANK_MAX];
    for (int i = 0; i < iteration->rank; i++) {
        maps[i] = (struct map){0};
        maps[i].steps[i] = 1;
        access.sizes[i] = iteration->dims[i] == BATCH ? 1 : iteration->dims[i];
    }
    through_broadcast(iteration, &operand->type.shape, maps);
    struct node *source = descend(operand, maps);
    const struct shape *shape = &source->type.shape;
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (shape->dims[i] == BATCH)
            continue;
        access.offset += maps[i].start * stride;
        for (int k = 0; k < access.rank; k++)
            if (access.sizes[k] > 1)
                access.strides[k] += maps[i].steps[k] * stride;
        stride *= shape->dims[i];
    }
    access.rows = shape_batch_axis(shape) >= 0;
    access.source = source->code == OPERATOR_reshape ? storage_of(source) : source;
    classify(&access);
    return access;
}

int64_t access_index(const struct access *access, int64_t index) {
    int64_t result = access->offset;
    for (int i = access->rank - 1; i >= 0; i--) {
        result += index % access->sizes[i] * access->strides[i];
        index /= access->sizes[i];
    }
    return result;
}
