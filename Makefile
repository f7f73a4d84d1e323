# nn: a language for small trainable networks.
#
#   make train    installs what is missing, builds, trains models/twolayer.nn and shows the result
#   make test     installs what is missing, builds and runs all tests (QUICK=1: without the slow ones)
#   make models   trains the models of models/ in full and shows what they reach
#   make          builds build/nnc and build/nnrun
#   make bench    measures speed beside peers (BENCH=all: every case)
#   make reference  writes docs/operators.md and docs/library.md anew from the sources
#   make install  puts both and their man pages under PREFIX (default /usr/local)

VERSION = 0.1.0
CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow
override CFLAGS += -std=c11 $(WARNINGS) -ffp-contract=off
override CPPFLAGS += -Icompiler -Iruntime -I$(BUILD)/gen -D_POSIX_C_SOURCE=200809L -DNN_VERSION=\"$(VERSION)\" $(ZLIB_FLAGS)
LDLIBS = -lcjson -lm $(ZLIB_LIBS) -pthread -ldl

# gzip files can be read where zlib is there.
ifneq ($(wildcard /usr/include/zlib.h),)
ZLIB_FLAGS = -DHAVE_ZLIB
ZLIB_LIBS = -lz
endif

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
BUILD = build

COMPILER = $(patsubst compiler/%.c,$(BUILD)/compiler/%.o,$(filter-out compiler/nnc.c,$(wildcard compiler/*/*.c))) \
           $(BUILD)/gen/tree/lexer.o $(BUILD)/gen/tree/grammar.o $(BUILD)/gen/texts.o
RUNTIME = $(patsubst runtime/%.c,$(BUILD)/runtime/%.o,$(filter-out runtime/nnrun.c runtime/kernels/kernels.c,\
            $(wildcard runtime/*.c runtime/*/*.c))) $(KERNELS)

# The kernels, once for each instruction set and floating-point mode; one set is chosen when nnrun starts.
KERNEL_FLAGS = -O3 -fno-trapping-math -fno-math-errno
ifneq ($(filter x86_64%,$(MACHINE)),)
override CPPFLAGS += -DNN_X86
KERNELS = $(addprefix $(BUILD)/kernels/,baseline.o avx2.o avx2_fma.o avx512.o avx512_fma.o)
BASELINE = SSE2
else
KERNELS = $(addprefix $(BUILD)/kernels/,baseline.o baseline_fma.o)
BASELINE = $(if $(filter aarch64%,$(MACHINE)),NEON,baseline)
endif
AVX512 = -mavx512f -mavx512dq -mavx512vl -mprefer-vector-width=512
$(BUILD)/kernels/baseline.o:     KERNEL_SET = -DKERNELS=kernels_baseline '-DKERNELS_TITLE="$(BASELINE)"' -DNN_FUSED=0
$(BUILD)/kernels/baseline_fma.o: KERNEL_SET = -DKERNELS=kernels_baseline_fma '-DKERNELS_TITLE="$(BASELINE) with FMA"' -DNN_FUSED=1
$(BUILD)/kernels/avx2.o:         KERNEL_SET = -DKERNELS=kernels_avx2 '-DKERNELS_TITLE="AVX2"' -DNN_FUSED=0 -mavx2
$(BUILD)/kernels/avx2_fma.o:     KERNEL_SET = -DKERNELS=kernels_avx2_fma '-DKERNELS_TITLE="AVX2 with FMA"' -DNN_FUSED=1 -mavx2 -mfma
$(BUILD)/kernels/avx512.o:       KERNEL_SET = -DKERNELS=kernels_avx512 '-DKERNELS_TITLE="AVX-512"' -DNN_FUSED=0 -mavx2 $(AVX512)
$(BUILD)/kernels/avx512_fma.o:   KERNEL_SET = -DKERNELS=kernels_avx512_fma '-DKERNELS_TITLE="AVX-512 with FMA"' -DNN_FUSED=1 -mavx2 -mfma $(AVX512)

.DELETE_ON_ERROR:
.PHONY: all train test tests models bench bench_tools bench_check install uninstall clean format reference accuracy fuzz

all: $(BUILD)/nnc $(BUILD)/nnrun

$(BUILD)/nnc: $(BUILD)/compiler/nnc.o $(COMPILER) $(RUNTIME)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/nnrun: $(BUILD)/runtime/nnrun.o $(COMPILER) $(RUNTIME)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- what is generated ----

GENERATED = $(BUILD)/gen/tree/grammar.h

$(BUILD)/gen/tree/lexer.c: compiler/tree/lexer.re
	@mkdir -p $(@D)
	re2c -W -Werror --no-debug-info -o $@ $<

$(BUILD)/gen/tree/grammar.c $(BUILD)/gen/tree/grammar.h &: compiler/tree/grammar.y
	@mkdir -p $(@D)
	bison -Wall -Wcex -Wdangling-alias -Werror -l -o $(BUILD)/gen/tree/grammar.c --header=$(BUILD)/gen/tree/grammar.h $<

# The prelude and the kernels' text, as C strings.
TEXTS = compiler/check/prelude.nn runtime/kernels/math.h runtime/kernels/random.h runtime/kernels/matmul.h runtime/kernels/gather.h \
        runtime/kernels/convolution.h runtime/kernels/convolve.h runtime/kernels/table.h compiler/emit/load.h
$(BUILD)/gen/texts.c: compiler/texts.awk $(TEXTS)
	@mkdir -p $(@D)
	awk -f $< $(TEXTS) > $@

$(BUILD)/gen/kernels/float_names.h: runtime/kernels/float_names.awk runtime/kernels/math.h runtime/kernels/random.h runtime/kernels/matmul.h \
                                   runtime/kernels/gather.h runtime/kernels/convolve.h
	@mkdir -p $(@D)
	awk -f $^ > $@

# ---- objects ----

$(BUILD)/compiler/%.o: compiler/%.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/runtime/%.o: runtime/%.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c Makefile | $(GENERATED)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(KERNELS): runtime/kernels/kernels.c Makefile | $(BUILD)/gen/kernels/float_names.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(KERNEL_FLAGS) $(KERNEL_SET) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- the two commands ----

train:
	@sh .ci/install build
	@[ -x $(BUILD)/nnrun ] || echo "building build/nnc and build/nnrun (some minutes on a small machine)"
	@$(MAKE) --no-print-directory -s -j2 all
	$(BUILD)/nnrun models/twolayer.nn --train --save $(BUILD)/twolayer.safetensors --plot $(BUILD)/twolayer.svg
	@echo
	@echo "The picture is $(BUILD)/twolayer.svg, the weights are $(BUILD)/twolayer.safetensors.  Next:"
	@echo "  export PATH=\$$PWD/$(BUILD):\$$PATH"
	@echo "  echo 0.3,-0.2 | nnrun models/twolayer.nn --load $(BUILD)/twolayer.safetensors --predict"

test:
	@sh .ci/install test
	@$(MAKE) --no-print-directory -s -j2 all tests
	@sh tests/all.sh

models: all
	@sh tests/gallery.sh

# ---- tests ----

UNIT_TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/*_test.c))
tests: $(UNIT_TESTS)

$(BUILD)/tests/%_test: tests/%_test.c $(COMPILER) $(RUNTIME) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. -Itests $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(COMPILER) $(RUNTIME) -lcmocka $(LDLIBS)

# Errors of the mathematical functions against MPFR, in both floating-point modes.
accuracy:
	@mkdir -p $(BUILD)
	$(CC) -std=c11 -O2 -ffp-contract=off -I. -Iruntime -DNN_FUSED=0 tests/accuracy/accuracy.c -o $(BUILD)/accuracy_plain -lmpfr -lm
	$(CC) -std=c11 -O2 -ffp-contract=off -I. -Iruntime -DNN_FUSED=1 tests/accuracy/accuracy.c -o $(BUILD)/accuracy_fused -lmpfr -lm
	$(BUILD)/accuracy_plain
	$(BUILD)/accuracy_fused

# Fuzz targets, each run for FUZZ_SECONDS: lexer, parser, checker and plan from the corpus of all .nn files; and the
# readers of data from small files of each kind.
FUZZ_SECONDS = 20
FUZZ_FLAGS = -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined
$(BUILD)/fuzz: tests/fuzz/fuzz.c $(COMPILER)
	clang $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $< $(filter-out %/nnc.c,$(wildcard compiler/*/*.c)) \
	    $(BUILD)/gen/tree/lexer.c $(BUILD)/gen/tree/grammar.c $(BUILD)/gen/texts.c -lm

$(BUILD)/fuzz_data: tests/fuzz/data.c $(wildcard runtime/data/*.c compiler/support/*.c)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) $(FUZZ_FLAGS) -o $@ $^ $(LDLIBS)

FUZZ_RUN = -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
fuzz: $(BUILD)/fuzz $(BUILD)/fuzz_data
	@mkdir -p $(BUILD)/corpus $(BUILD)/corpus_data
	$(BUILD)/fuzz $(FUZZ_RUN) $(BUILD)/corpus tests/syntax tests/check models
	$(BUILD)/fuzz_data $(FUZZ_RUN) -max_len=4096 $(BUILD)/corpus_data tests/fuzz/data

# ---- speed ----

# Cases and peers in turn (docs/performance.md).  BENCH="spiral300 mlp" chooses cases, BENCH=all is every one.
bench_tools: $(BUILD)/nnc $(BUILD)/bench/alternate $(BUILD)/bench/measure $(BUILD)/bench/interpreter
bench: bench_tools
	@BENCH="$(BENCH)" sh tests/bench/bench.sh $(BENCH)

# Only whether the programs of a case compute the same.
bench_check: bench_tools
	@sh tests/bench/bench.sh -c $(BENCH)

$(BUILD)/bench/alternate $(BUILD)/bench/measure: $(BUILD)/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lm

$(BUILD)/bench/matmul: tests/bench/matmul.c tests/bench/worker.h $(COMPILER) $(RUNTIME) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(COMPILER) $(RUNTIME) -lopenblas $(LDLIBS)

$(BUILD)/bench/%: tests/bench/%.c tests/bench/worker.h $(COMPILER) $(RUNTIME) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(COMPILER) $(RUNTIME) $(LDLIBS)

# ---- reference ----

reference: $(BUILD)/nnc
	sh docs/reference.sh operators > $(BUILD)/operators.md && mv $(BUILD)/operators.md docs/operators.md
	sh docs/reference.sh library > $(BUILD)/library.md && mv $(BUILD)/library.md docs/library.md

# ---- style ----

SOURCES = $(wildcard compiler/*.c compiler/*/*.c compiler/*/*.h runtime/*.c runtime/*.h runtime/*/*.c runtime/*/*.h tests/*.c tests/*/*.c)
format:
	clang-format -i $(SOURCES)

# ---- installation ----

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install $(BUILD)/nnc $(BUILD)/nnrun $(DESTDIR)$(PREFIX)/bin
	install -m 644 docs/nnc.1 docs/nnrun.1 $(DESTDIR)$(PREFIX)/share/man/man1

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/nnc bin/nnrun share/man/man1/nnc.1 share/man/man1/nnrun.1)

clean:
	rm -rf $(BUILD)
