# Siltstone. `make demo` shows it at work, `make test` tests it; both first install missing packages.
#
#   make [all]      build/$(BUILD)/silt and libsilt.a          BUILD = release (default) | debug |
#   make test       unit, golden, crash and end-to-end tests           asan | tsan | cover | fuzz |
#   make unit       unit tests only; ROOMS="base os q" limits them     analyze
#   make crash      every crash point (hours); power, e2e-big: other long tests
#   make crashpoints  a sample, from outside; JOBS="eoi eod import"; all: CRASH_ALL=1 (days)
#   make blockcrash power cuts under ext4, xfs, btrfs in a User-Mode Linux; JOBS="eoi eod" (an hour)
#   make sim        the simulated system; SEEDS=from..to, SIM_SECONDS, SIM_JOBS
#   make check      tests, linters, both compilers, sanitizers CC = gcc (default) | clang-14
#   make fuzz       builds the fuzzers and runs each for FUZZ_SECONDS, if given
#   make bench      the figures of bench/                      CFLAGS_EXTRA, LDFLAGS_EXTRA
#   make install    to $(DESTDIR)$(PREFIX)                     V=1 shows the commands
#   make format     rewrite the sources with clang-format      make clean removes build/
#
# A unit test links the objects of its room and of the rooms that room may see (src/ROOMS), so one
# test program can be built while other rooms do not compile: make build/debug/test/base_str_test

BUILD  ?= release
PREFIX ?= /usr/local
V      ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(BUILD),fuzz)
CC := clang-14
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wwrite-strings -Wundef -Wformat=2 -Wcast-qual
SANITIZE := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all

# Every caller stays on the stack, so that backtraces and profiles are whole.
FLAGS_release := -O3 -g -fno-optimize-sibling-calls -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_debug   := -Og -g -Werror
FLAGS_asan    := $(SANITIZE) -Werror -fsanitize=address,undefined
FLAGS_tsan    := $(SANITIZE) -fsanitize=thread
FLAGS_cover   := -O0 -g --coverage
FLAGS_fuzz    := $(SANITIZE) -fsanitize=fuzzer-no-link,address,undefined
FLAGS_analyze := -O1 -g -Werror -fanalyzer -include tools/analyze.h $(foreach w,malloc-leak null-argument \
                 null-dereference,-Wno-analyzer-$(w)) # clang-tidy decides these with fewer false alarms
ifeq ($(FLAGS_$(BUILD)),)
$(error BUILD=$(BUILD) is not one of release debug asan tsan cover fuzz analyze)
endif

# Asked when first used, not when this file is read: `make deps` may come before.
LIBS = libuv libmicrohttpd yaml-0.1 jansson zlib libdeflate liblz4 snappy libzstd
pkg  = $(shell pkg-config $(1) $(2) || echo --missing-packages--run-make-deps)
CPPFLAGS_LIBS  = $(eval CPPFLAGS_LIBS := $$(call pkg,--cflags,$$(LIBS)))$(CPPFLAGS_LIBS)
LDLIBS_LIBS    = $(eval LDLIBS_LIBS := $$(call pkg,--libs,$$(LIBS)))$(LDLIBS_LIBS)
LDLIBS_TEST    = $(eval LDLIBS_TEST := $$(call pkg,--libs,cmocka) $$(WRAPPED))$(LDLIBS_TEST)

# Allocations of test programs pass test/support/starve.c, which can make them fail.
WRAPPED = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=posix_memalign

COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -pthread $(WARN) $(FLAGS_$(BUILD)) -Isrc -Iinclude -Itest -Ibench \
          $(CPPFLAGS_LIBS) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA)
LINK    = $(CC) -pthread $(FLAGS_$(BUILD)) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) $(LDFLAGS_EXTRA)
LDLIBS  = $(LDLIBS_LIBS) -lm -ldl

Q     := $(if $(filter 1,$(V)),,@)
O     := build/$(BUILD)$(if $(filter gcc,$(CC))$(filter fuzz,$(BUILD)),,-$(notdir $(CC)))
JOBS   = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
AGAIN  = +$(Q)$(MAKE) --no-print-directory $(JOBS)

# ---- what there is

empty :=
comma := ,
space := $(empty) $(empty)
objects = $(patsubst %.c,$(O)/obj/%.o,$(1))
EDGES  := $(shell sed -n '/^[a-z]*:[^:]*$$/!d; s/ *$$//; s/: */:/; s/  */,/g; p' src/ROOMS)
ALL_ROOMS := $(foreach e,$(EDGES),$(firstword $(subst :, ,$(e))))
ROOMS ?= $(ALL_ROOMS)
sees   = $(subst $(comma), ,$(patsubst $(1):%,%,$(filter $(1):%,$(EDGES))))
reach  = $(sort $(1) $(foreach r,$(call sees,$(1)),$(call reach,$(r))))

MAIN   := $(wildcard src/cmd/main.c)
SRC    := $(filter-out src/cmd/main.c,$(wildcard src/*/*.c))
UNIT   := $(foreach r,$(ROOMS),$(wildcard test/unit/$(r)/*_test.c))
WHOLE  := $(wildcard test/golden/*_test.c test/crash/*_test.c)
SIM    := $(wildcard test/sim/*.c)
HELP   := $(filter-out %_test.c,$(wildcard test/*.c test/support/*.c))
HELP_W := $(filter-out %_test.c,$(wildcard test/golden/*.c test/crash/*.c))
BENCH  := $(wildcard bench/*.c)
HELP_B := $(wildcard bench/kit/*.c)
FUZZ   := $(wildcard test/fuzz/*.c)
E2E    := $(wildcard test/e2e/*_test.py test/crash/*_test.py)
C_ALL  := $(wildcard src/*/*.[ch] include/*.h test/*.[ch] test/*/*.[ch] test/unit/*/*.[ch] bench/*.[ch] bench/*/*.[ch])
MAN    := $(patsubst doc/man/%.scd,$(O)/man/%,$(wildcard doc/man/*.scd))

test_program = $(O)/test/$(subst /,_,$(patsubst test/%,%,$(patsubst test/unit/%,test/%,$(1:.c=))))
UNIT_PROGRAMS  := $(foreach t,$(UNIT),$(call test_program,$(t)))
WHOLE_PROGRAMS := $(foreach t,$(WHOLE),$(call test_program,$(t)))
SIM_PROGRAM    := $(if $(SIM),$(O)/test/sim_sim_test)
SILT := $(if $(MAIN),$(O)/silt)

# ---- build

.PHONY: all deps build test unit tests crash power crashpoints blockcrash sim e2e-big check lint tidy format-check clang-tidy cppcheck analyze \
        compilers sanitize demo bench bench-programs fuzz objects install format clean
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

all: $(SILT) $(O)/libsilt.a ; @:
objects: $(call objects,$(SRC) $(MAIN)) ; @:
tests: $(UNIT_PROGRAMS) $(WHOLE_PROGRAMS) $(SIM_PROGRAM) ; @:
bench-programs: $(patsubst bench/%.c,$(O)/bench/%,$(BENCH)) ; @:
ifeq ($(BUILD),fuzz)
fuzz: $(patsubst test/fuzz/%.c,$(O)/fuzz/%,$(FUZZ))
	$(Q)$(if $(FUZZ_SECONDS),tools/fuzz.sh $(FUZZ_SECONDS) $^,:)
else
fuzz:
	$(AGAIN) BUILD=fuzz fuzz
endif

# A changed compiler or flag rebuilds this folder; a removed source renews the archives.
stamp = $(shell mkdir -p $(O); echo '$(subst ','\'',$(2))' | cmp -s - $(O)/$(1) || echo '$(subst ','\'',$(2))' >$(O)/$(1))
FLAGS_NOW := $(call stamp,flags,$(CC) $(FLAGS_$(BUILD)) $(WARN) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) $(LDFLAGS_EXTRA))
FILES_NOW := $(call stamp,files,$(sort $(SRC) $(HELP) $(HELP_W) $(HELP_B)))
$(O)/flags $(O)/files: ;

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

define ARCHIVE
	@mkdir -p $(@D)
	$(Q)rm -f $@.new && ar rcsD $@.new $(filter %.o,$^) && mv $@.new $@
endef

$(O)/silt: $(call objects,$(MAIN)) $(O)/libsilt.a
	@echo "  LINK  $@"
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

$(O)/libsilt.a: $(call objects,$(SRC)) $(O)/files
	$(ARCHIVE)

$(O)/rooms/support.a: $(call objects,$(HELP)) $(O)/files
	$(ARCHIVE)

$(O)/rooms/support_whole.a: $(call objects,$(HELP_W)) $(O)/files
	$(ARCHIVE)

$(O)/rooms/support_bench.a: $(call objects,$(HELP_B)) $(O)/files
	$(ARCHIVE)

# program: $(1) the file to make, $(2) its source, $(3) its archives, $(4) more to link with
define program
$(1): $(call objects,$(2)) $(3)
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$$(Q)$$(LINK) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(4) $$(LDLIBS)
endef
define room
$(O)/rooms/$(1).a: $(call objects,$(filter src/$(1)/%,$(SRC))) $(O)/files
	$$(ARCHIVE)
endef
archives = $(patsubst %,$(O)/rooms/%.a,support $(call reach,$(1)))
room_of  = $(word 3,$(subst /, ,$(1)))

$(foreach r,$(ALL_ROOMS),$(eval $(call room,$(r))))
$(foreach t,$(UNIT),$(eval $(call program,$(call test_program,$(t)),$(t),$(call archives,$(call room_of,$(t))),$$(LDLIBS_TEST))))
$(foreach t,$(WHOLE),$(eval $(call program,$(call test_program,$(t)),$(t),$(O)/rooms/support_whole.a $(O)/rooms/support.a $(O)/libsilt.a,$$(LDLIBS_TEST))))
# The simulation has its own os/loop, serve and kernel's calls: they come first and stand for the others.
$(eval $(call program,$(SIM_PROGRAM),$(SIM),$(O)/libsilt.a))
$(foreach b,$(BENCH),$(eval $(call program,$(b:%.c=$(O)/%),$(b),$(O)/rooms/support_bench.a $(O)/libsilt.a)))
$(foreach f,$(FUZZ),$(eval $(call program,$(f:test/%.c=$(O)/%),$(f),$(O)/libsilt.a,-fsanitize=fuzzer)))

-include $(patsubst %.o,%.d,$(call objects,$(SRC) $(MAIN) $(UNIT) $(WHOLE) $(SIM) $(HELP) $(HELP_W) $(BENCH) $(HELP_B) $(FUZZ)))

# ---- test, show, install

deps:
	@tools/deps.sh

test: deps
	$(AGAIN) all tests
	$(Q)SILT=$(abspath $(SILT)) tools/runtests.sh $(UNIT_PROGRAMS) $(WHOLE_PROGRAMS) $(SIM_PROGRAM) $(E2E)

unit: $(UNIT_PROGRAMS)
	$(Q)tools/runtests.sh $(UNIT_PROGRAMS)

# Long ones: every point of the crash tests; every state that a power cut may leave; the same by an
# outside checker; ten million rows and more.
crash: $(SILT) $(O)/test/crash_steps_test
	$(Q)CRASH_ALL=1 $(O)/test/crash_steps_test
	$(Q)SILT=$(abspath $(SILT)) CRASH_ALL=1 CRASH_JOBS=$(shell nproc) python3 test/crash/points_test.py
	$(Q)SILT=$(abspath $(SILT)) CRASH_ALL=1 CRASH_JOBS=$(shell nproc) python3 test/crash/import_test.py

power: $(O)/test/crash_power_test $(O)/test/crash_import_power_test
	$(Q)for t in $^; do POWER_ALL=1 $$t || exit 1; done

sim: $(SIM_PROGRAM)
	$(Q)$(SIM_PROGRAM) $(or $(SEEDS),1..100000)

crashpoints: $(SILT)
	$(Q)SILT=$(abspath $(SILT)) test/crash/outside.sh $(JOBS)

blockcrash: $(SILT)
	$(Q)SILT=$(abspath $(SILT)) test/crash/block.sh $(JOBS)

e2e-big: $(SILT)
	$(Q)SILT=$(abspath $(SILT)) SILT_BIG=1 python3 test/e2e/volume_test.py
	$(Q)SILT=$(abspath $(SILT)) SILT_BIG=1 python3 test/e2e/memory_test.py
	$(Q)SILT=$(abspath $(SILT)) SILT_BIG=1 python3 test/e2e/plain_test.py entries

demo: deps
	$(AGAIN) all
	$(Q)SILT=$(abspath $(SILT)) ONCE=$(ONCE) tools/demo.sh

bench: all bench-programs
	$(Q)SILT=$(abspath $(SILT)) BENCH=$(abspath $(O)/bench) bench/run.sh

$(O)/man/%: doc/man/%.scd
	@mkdir -p $(@D)
	$(Q)scdoc <$< >$@

install: all $(MAN)
	install -Dm755 $(O)/silt $(DESTDIR)$(PREFIX)/bin/silt
	$(foreach h,$(wildcard include/*.h),install -Dm644 $(h) $(DESTDIR)$(PREFIX)/$(h);)
	$(foreach m,$(MAN),install -Dm644 $(m) $(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m));)

clean:
	rm -rf build

# ---- check

check:
	@tools/deps.sh --check-tools
	$(AGAIN) test
	$(AGAIN) lint
	$(AGAIN) compilers
	$(AGAIN) sanitize

lint: tidy format-check clang-tidy cppcheck analyze

tidy:
	$(Q)python3 tools/tidy_test.py
	$(Q)python3 tools/tidy.py

format-check:
	$(Q)python3 tools/format.py --check $(C_ALL)

format:
	$(Q)$(if $(C_ALL),python3 tools/format.py $(C_ALL))

# One stamp a source: only what changed since the last clean run is looked at again.
build/clang-tidy/%.ok: %.c .clang-tidy $(wildcard src/*/*.h)
	@mkdir -p $(@D)
	@echo "  TIDY  $<"
	$(Q)clang-tidy-14 --quiet $< -- -std=c11 -D_GNU_SOURCE $(WARN) -include tools/analyze.h -Isrc -Iinclude -Itest $(CPPFLAGS_LIBS) 2>$@.log \
	    || { cat $@.log >&2; exit 1; }
	@touch $@
clang-tidy: $(patsubst %.c,build/clang-tidy/%.ok,$(SRC) $(MAIN))

cppcheck:
	$(Q)[ -z "$(SRC)$(MAIN)" ] || cppcheck --quiet -j$(shell nproc) --std=c11 --inline-suppr \
	    --enable=warning,portability,performance --suppressions-list=tools/cppcheck.txt \
	    --error-exitcode=1 -D_GNU_SOURCE -Isrc -Iinclude $(SRC) $(MAIN)

analyze:
	$(AGAIN) BUILD=analyze CC=gcc objects

compilers:
	$(AGAIN) BUILD=debug CC=gcc all tests bench-programs
	$(AGAIN) BUILD=debug CC=clang-14 all tests bench-programs

sanitize:
	$(AGAIN) BUILD=asan CC=gcc unit
