/* The generators of kernels/random.h against published vectors, NumPy's own numbers, and simple statistics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixtures/numpy_random.h"
#include "kernels/random.h"

#include <stdlib.h>
#include <string.h>

static uint64_t bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* The checksum of fixtures/numpy_random.py: FNV-1a over halves of words. */
static const uint64_t CHECKSUM_START = UINT64_C(0xcbf29ce484222325);

static uint64_t checksum(uint64_t sum, uint64_t word) {
    sum = (sum ^ (word & UINT32_MAX)) * UINT64_C(0x100000001b3);
    return (sum ^ word >> 32) * UINT64_C(0x100000001b3);
}

static uint64_t checksum_doubles(const double *numbers, size_t count) {
    uint64_t sum = CHECKSUM_START;
    for (size_t i = 0; i < count; i++)
        sum = checksum(sum, bits_of(numbers[i]));
    return sum;
}

/* The lines for philox4x32 with 10 rounds in Random123's tests/kat_vectors. */
static void philox_gives_the_published_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t output[4];
        nn_philox(known[i].counter, known[i].key, output);
        assert_memory_equal(output, known[i].answer, sizeof output);
    }
}

static void bits_place_seed_stream_and_index(void **state) {
    (void)state;
    uint64_t seed = UINT64_C(0x299f31d0a4093822), index = UINT64_C(0x85a308d3243f6a88);
    assert_true(nn_random_bits(seed, 0x13198a2e, index, 0x03707344) == UINT64_C(0x94fdccebd16cfe09));
    assert_true(nn_random_bits(seed, 0x13198a2e, index, 0) != nn_random_bits(seed, 0x13198a2f, index, 0));
    assert_true(nn_random_bits(seed, 0x13198a2e, index, 0) != nn_random_bits(seed + 1, 0x13198a2e, index, 0));
}

static void uniform_is_open_at_both_ends(void **state) {
    (void)state;
    /* The arithmetic of nn_uniform at its ends, which no test could find by drawing. */
    double lowest = (0.0 + 0.5) * (1.0 / 4503599627370496.0);
    double highest = ((double)(UINT64_MAX >> 12) + 0.5) * (1.0 / 4503599627370496.0);
    assert_true(lowest > 0.0 && highest < 1.0 && lowest == 1.0 - highest);
    double sum = 0, squares = 0;
    enum { DRAWS = 100000 };
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = nn_uniform(1984, 3, i);
        assert_true(u > 0.0 && u < 1.0);
        sum += u;
        squares += u * u;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(squares / DRAWS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / DRAWS));
}

static void normal_has_its_moments(void **state) {
    (void)state;
    enum { DRAWS = 100000 };
    double sums[5] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        double power = 1, x = nn_normal(7, 1, i);
        assert_true(fabs(x) < 8.3);
        for (int k = 0; k < 5; k++, power *= x)
            sums[k] += power / DRAWS;
    }
    assert_true(fabs(sums[1]) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(sums[2] - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(sums[3]) < 5 * sqrt(15.0 / DRAWS));
    assert_true(fabs(sums[4] - 3) < 5 * sqrt(96.0 / DRAWS));
}

static void integer_is_even_and_in_range(void **state) {
    (void)state;
    enum { BELOW = 7, DRAWS = 70000 };
    int counts[BELOW] = {0};
    for (uint64_t i = 0; i < DRAWS; i++)
        counts[nn_integer(5, 0, i, BELOW)]++;
    double chi_square = 0;
    for (int k = 0; k < BELOW; k++)
        chi_square += pow(counts[k] - DRAWS / BELOW, 2) / (double)(DRAWS / BELOW);
    assert_true(chi_square < 27); /* 6 degrees of freedom: one in ten thousand */
    assert_true(nn_integer(5, 0, 0, 1) == 0);
    /* Nearly half of all patterns are drawn again here. */
    uint64_t below = (UINT64_C(1) << 63) + 1;
    int redrawn = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(nn_integer(5, 0, i, below) < below);
        redrawn += nn_random_bits(5, 0, i, 0) < UINT64_MAX - below + 1;
    }
    assert_true(redrawn > 400 && redrawn < 600);
}

static void assert_permutation(const uint32_t *order, uint32_t n) {
    char seen[1000] = {0};
    for (uint32_t i = 0; i < n; i++) {
        assert_true(order[i] < n && !seen[order[i]]);
        seen[order[i]] = 1;
    }
}

static void permutation_holds_each_row_once(void **state) {
    (void)state;
    uint32_t order[1000], other[1000];
    nn_permutation(1, 2, 0, 0, order);
    for (uint32_t n = 1; n <= 1000; n += n < 10 ? 1 : 90) {
        nn_permutation(1, 2, 3, n, order);
        assert_permutation(order, n);
    }
    nn_permutation(1, 2, 3, 1000, order);
    nn_permutation(1, 2, 4, 1000, other);
    assert_memory_not_equal(order, other, sizeof order);
    /* Each of the 6 orders of three rows comes up about equally often. */
    int counts[27] = {0};
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        nn_permutation(9, 0, epoch, 3, order);
        counts[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    for (int k = 0; k < 27; k++)
        assert_true(counts[k] == 0 || (counts[k] > 850 && counts[k] < 1150));
}

/* These numbers may never change: a file's seed fixes its run for good. */
static void counter_numbers_are_fixed(void **state) {
    (void)state;
    uint64_t sum = CHECKSUM_START;
    for (uint64_t i = 0; i < 1000; i++) {
        sum = checksum(sum, bits_of(nn_uniform(1984, 1, i)));
        sum = checksum(sum, nn_integer(1984, 2, i, 3 * i + 1));
    }
    uint32_t order[1000];
    nn_permutation(1984, 3, 4, 1000, order);
    for (size_t i = 0; i < 1000; i++)
        sum = checksum(sum, order[i]);
    assert_true(sum == UINT64_C(0x683ffd56f4b1d9b6));
}

static void spiral_rows_do_not_depend_on_their_order(void **state) {
    (void)state;
    enum { CLASSES = 3, POINTS = 100 };
    for (int random_radius = 0; random_radius < 2; random_radius++) {
        double rows[3 * CLASSES * POINTS], row[3];
        nn_spiral(11, 5, CLASSES, POINTS, 0.2, random_radius, rows);
        for (uint64_t i = CLASSES * POINTS; i-- > 0;) {
            nn_spiral_row(11, 5, POINTS, 0.2, random_radius, i, row);
            assert_memory_equal(row, rows + 3 * i, sizeof row);
            assert_true(row[2] == (double)(i / POINTS));
            double radius = sqrt(row[0] * row[0] + row[1] * row[1]), rate = (double)(i % POINTS) / POINTS;
            assert_true(random_radius ? radius > 0 && radius < 1 : fabs(radius - rate) < 1e-15);
        }
    }
    double exact[3]; /* without noise the arm is a formula */
    nn_spiral_row(11, 5, 10, 0.0, 0, 25, exact);
    assert_true(fabs(exact[0] - 0.5 * sin(10.0)) < 1e-15 && fabs(exact[1] - 0.5 * cos(10.0)) < 1e-15);
}

static void numpy_streams_agree(void **state) {
    (void)state;
    static double numbers[2001];
    static uint32_t order[1000];
    for (size_t s = 0; s < sizeof numpy_streams / sizeof *numpy_streams; s++) {
        struct nn_numpy stream;
        nn_numpy_seed(&stream, numpy_streams[s].seed);
        for (size_t i = 0; i < 2000; i++)
            numbers[i] = nn_numpy_sample(&stream);
        assert_true(bits_of(numbers[0]) == numpy_streams[s].first_sample);
        assert_true(checksum_doubles(numbers, 2000) == numpy_streams[s].samples);
        nn_numpy_seed(&stream, numpy_streams[s].seed);
        for (size_t i = 0; i < 2001; i++)
            numbers[i] = nn_numpy_normal(&stream);
        assert_true(bits_of(numbers[0]) == numpy_streams[s].first_normal);
        assert_true(checksum_doubles(numbers, 2001) == numpy_streams[s].normals);
        nn_numpy_seed(&stream, numpy_streams[s].seed);
        nn_numpy_permutation(&stream, 1000, order);
        uint64_t sum = CHECKSUM_START;
        for (size_t i = 0; i < 1000; i++)
            sum = checksum(sum, order[i]);
        assert_true(sum == numpy_streams[s].permutation);
    }
}

static void numpy_kinds_share_one_state(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof numpy_streams / sizeof *numpy_streams; s++) {
        struct nn_numpy stream;
        nn_numpy_seed(&stream, numpy_streams[s].seed);
        uint64_t sum = CHECKSUM_START;
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t order[200];
            sum = checksum(sum, bits_of(nn_numpy_normal(&stream)));
            sum = checksum(sum, bits_of(nn_numpy_sample(&stream)));
            sum = checksum(sum, bits_of(-3.0 + nn_rounded((0.1 - -3.0) * nn_numpy_sample(&stream))));
            nn_numpy_permutation(&stream, i, order);
            for (uint32_t j = 0; j < i; j++)
                sum = checksum(sum, order[j]);
        }
        assert_true(sum == numpy_streams[s].mixture);
    }
}

/* The data and the first weights of the book's run, from one stream. */
static void numpy_replays_the_book(void **state) {
    (void)state;
    struct nn_numpy stream;
    static double rows[900], weights[50];
    nn_numpy_seed(&stream, 1984);
    nn_numpy_spiral(&stream, 3, 100, 0.2, 0, rows);
    for (size_t i = 0; i < 3; i++)
        assert_true(bits_of(rows[3 + i]) == numpy_book_row_1[i]);
    assert_true(checksum_doubles(rows, 900) == numpy_book_spiral);
    for (size_t i = 0; i < 50; i++)
        weights[i] = 0.01 * nn_numpy_normal(&stream);
    assert_true(checksum_doubles(weights, 50) == numpy_book_weights);
    nn_numpy_seed(&stream, 7);
    nn_numpy_spiral(&stream, 5, 40, 0.3, 1, rows);
    assert_true(checksum_doubles(rows, 600) == numpy_random_radius);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(bits_place_seed_stream_and_index),
        cmocka_unit_test(uniform_is_open_at_both_ends),
        cmocka_unit_test(normal_has_its_moments),
        cmocka_unit_test(integer_is_even_and_in_range),
        cmocka_unit_test(permutation_holds_each_row_once),
        cmocka_unit_test(counter_numbers_are_fixed),
        cmocka_unit_test(spiral_rows_do_not_depend_on_their_order),
        cmocka_unit_test(numpy_streams_agree),
        cmocka_unit_test(numpy_kinds_share_one_state),
        cmocka_unit_test(numpy_replays_the_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
