/* Pictures: well-formed, small, and right about classes, for ordinary and for absurd data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_LIMIT = 300 * 1024 };

/* Spiral arms told apart by their angle; context is the number of classes. */
static bool predict_spiral(void *context, size_t count, const double (*xy)[2], double *probabilities) {
    int classes = *(int *)context;
    for (size_t i = 0; i < count; i++) {
        double angle = atan2(xy[i][0], xy[i][1]) - 4 * hypot(xy[i][0], xy[i][1]), sum = 0;
        for (int k = 0; k < classes; k++)
            sum += probabilities[i * (size_t)classes + (size_t)k] = exp(3 * cos(angle - 4.0 * k));
        for (int k = 0; k < classes; k++)
            probabilities[i * (size_t)classes + (size_t)k] /= sum;
    }
    return true;
}

static bool predict_noise(void *context, size_t count, const double (*xy)[2], double *probabilities) {
    (void)context;
    (void)xy;
    for (size_t i = 0; i < count; i++) {
        probabilities[2 * i] = (double)rand() / RAND_MAX;
        probabilities[2 * i + 1] = 1 - probabilities[2 * i];
    }
    return true;
}

static bool predict_nothing(void *context, size_t count, const double (*xy)[2], double *probabilities) {
    (void)context;
    (void)xy;
    for (size_t i = 0; i < 2 * count; i++)
        probabilities[i] = (double)NAN;
    return true;
}

static bool predict_failure(void *context, size_t count, const double (*xy)[2], double *probabilities) {
    (void)context, (void)count, (void)xy, (void)probabilities;
    return false;
}

static double xy[30000][2];
static int labels[30000];
static double losses[100000];
static int three = 3;

static struct plot_regions spiral(size_t count) {
    srand(5);
    for (size_t i = 0; i < count; i++) {
        double radius = (double)(i / 3 % 100) / 100, noise = (rand() % 1000 + rand() % 1000 - 1000) / 3000.0;
        labels[i] = (int)(i % 3);
        xy[i][0] = radius * sin(4 * (labels[i] + radius) + noise);
        xy[i][1] = radius * cos(4 * (labels[i] + radius) + noise);
    }
    return (struct plot_regions){.title = "spiral",
                                 .x_name = "x1",
                                 .y_name = "x2",
                                 .classes = 3,
                                 .count = count,
                                 .xy = (const double(*)[2])xy,
                                 .labels = labels,
                                 .predict = predict_spiral,
                                 .context = &three};
}

static struct plot_curve decay(size_t count) {
    for (size_t i = 0; i < count; i++)
        losses[i] = exp(-5.0 * (double)i / (double)count) + 0.02 * (double)(rand() % 100) / 100 + 0.01;
    return (struct plot_curve){"loss", "epoch", losses, count, 1, 1};
}

/* Tags are closed in order, and nothing that XML forbids or that is no number stands anywhere. */
static void assert_well_formed(const char *svg) {
    char open[16][16];
    int depth = 0;
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    for (const char *tag = svg; (tag = strchr(tag, '<')) != NULL;) {
        const char *end = strchr(tag, '>');
        assert_non_null(end);
        size_t length = strcspn(tag + 1, " >/");
        if (tag[1] == '/') {
            assert_true(depth-- > 0);
            assert_memory_equal(open[depth], tag + 2, strlen(open[depth]));
        } else if (end[-1] != '/') {
            assert_true(depth < 16 && length < 16);
            snprintf(open[depth++], 16, "%.*s", (int)length, tag + 1);
        }
        tag = end;
    }
    assert_int_equal(depth, 0);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

/* Draws, checks, and hands the file to `look` when that is not NULL. */
static void draw(const struct plot_regions *regions, const struct plot_curve *curve,
                 void (*look)(const char *svg)) {
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct text out = {.arena = &arena};
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(plot_svg(regions, curve, &out));
    assert_well_formed(text_string(&out));
    assert_true(out.length < SIZE_LIMIT);
    if (look)
        look(text_string(&out));
    arena_free(&arena);
}

/* NN_PLOT_KEEP=name.svg keeps the picture, to look at. */
static void look_at_spiral(const char *svg) {
    assert_int_equal(occurrences(svg, "<circle"), 300 + 3 + 1);
    assert_non_null(strstr(svg, ">spiral</text>"));
    assert_non_null(strstr(svg, ">epoch</text>"));
    const char *name = getenv("NN_PLOT_KEEP");
    FILE *file = name ? fopen(name, "w") : NULL;
    if (file) {
        fputs(svg, file);
        fclose(file);
    }
}

static void a_spiral_and_its_loss(void **state) {
    (void)state;
    struct plot_regions regions = spiral(300);
    struct plot_curve curve = decay(300);
    draw(&regions, &curve, look_at_spiral);
    draw(&regions, NULL, NULL);
    draw(NULL, &curve, NULL);
}

static void look_at_crowd(const char *svg) {
    assert_true(occurrences(svg, "<circle") > 2500);
}

static void crowds_and_noise_stay_small(void **state) {
    (void)state;
    struct plot_regions regions = spiral(30000);
    struct plot_curve curve = decay(100000);
    draw(&regions, &curve, look_at_crowd);
    regions.classes = 2;
    regions.predict = predict_noise;
    draw(&regions, &curve, NULL);
}

static void look_at_title(const char *svg) {
    assert_non_null(strstr(svg, ">a &lt; b &amp; c??? ä??"));
}

static void absurd_data_is_drawn(void **state) {
    (void)state;
    struct plot_regions regions = spiral(12);
    struct plot_curve curve = decay(5);
    xy[0][0] = (double)NAN;
    xy[1][1] = (double)INFINITY;
    xy[2][0] = 1e300;
    labels[3] = -1;
    labels[4] = 3;
    regions.title = "a < b & c\x01\x80\xc3 \xc3\xa4\xed\xa0";
    losses[1] = (double)NAN;
    losses[2] = (double)-INFINITY;
    draw(&regions, &curve, look_at_title);
    for (size_t i = 0; i < 5; i++)
        losses[i] = (double)NAN;
    regions.count = 0;
    regions.title = regions.x_name = regions.y_name = NULL;
    draw(&regions, &curve, NULL);
    curve.count = 0;
    draw(&regions, &curve, NULL);
    regions = spiral(12);
    regions.count = 1; /* no extent */
    xy[0][0] = 1e20;
    draw(&regions, NULL, NULL);
    regions.classes = 2;
    regions.predict = predict_nothing;
    draw(&regions, NULL, NULL);
    int many = 100;
    regions.predict = predict_spiral;
    regions.classes = 100;
    regions.context = &many;
    draw(&regions, NULL, NULL);
    int one = 1;
    regions.classes = 1;
    regions.context = &one;
    draw(&regions, NULL, NULL);
}

static void a_failed_prediction_stops(void **state) {
    (void)state;
    struct plot_regions regions = spiral(12);
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct text out = {.arena = &arena};
    assert_int_equal(setjmp(out_of_memory), 0);
    regions.predict = predict_failure;
    assert_false(plot_svg(&regions, NULL, &out));
    assert_false(plot_terminal(&regions, 60, 24, false, &out));
    arena_free(&arena);
}

static bool predict_halves(void *context, size_t count, const double (*at)[2], double *probabilities) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        probabilities[2 * i] = at[i][0] < 0;
        probabilities[2 * i + 1] = at[i][0] >= 0;
    }
    return true;
}

static void the_terminal_shows_regions_and_points(void **state) {
    (void)state;
    static const double at[][2] = {{-1, 1}, {1, -1}, {-1, -1}};
    static const int classes[] = {0, 1, 1};
    static const char *const names[] = {"left", "ri\033ght"};
    struct plot_regions regions = {.title = "halves",
                                   .classes = 2,
                                   .names = names,
                                   .count = 3,
                                   .xy = at,
                                   .labels = classes,
                                   .predict = predict_halves};
    jmp_buf out_of_memory;
    struct arena arena = {NULL, &out_of_memory};
    struct text out = {.arena = &arena};
    assert_int_equal(setjmp(out_of_memory), 0);
    assert_true(plot_terminal(&regions, 16, 4, false, &out));
    assert_string_equal(text_string(&out), "          halves\n"
                                           "     1.16|aAaaaaaabbbbbbbb|\n"
                                           "         |aaaaaaaabbbbbbbb|\n"
                                           "         |aaaaaaaabbbbbbbb|\n"
                                           "    -1.16|aBaaaaaabbbbbbBb|\n"
                                           "          -1.16       1.16\n"
                                           "          A left   B ri?ght   (capitals are points)\n");
    struct text coloured = {.arena = &arena};
    assert_true(plot_terminal(&regions, 60, 24, true, &coloured));
    assert_true(occurrences(text_string(&coloured), "\033[0m") >= 60 * 24);
    assert_int_equal(occurrences(text_string(&coloured), "mo"), 3 + 2);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spiral_and_its_loss),
        cmocka_unit_test(crowds_and_noise_stay_small),
        cmocka_unit_test(absurd_data_is_drawn),
        cmocka_unit_test(a_failed_prediction_stops),
        cmocka_unit_test(the_terminal_shows_regions_and_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
