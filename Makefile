# hearth. `make run` installs what is missing, builds, and tells a story; `make help` lists the rest.
# The build itself is in meson.build: this file only strings the everyday commands together.

PREFIX  ?= /usr/local
# What `make run` opens, and which tests `make test` runs (parts of their names; empty: all).
MODEL   ?= models/tale
TESTS   ?=
# Seconds that `make fuzz` gives each fuzz target, and which targets (empty: all of tests/fuzz).
TIME    ?= 20
TARGET  ?=
# Seconds that `make test` gives each of them when it runs everything; 0: none.
FUZZ    ?= 20

ifdef SAN
BUILD   := build-san
else
BUILD   := build
# The parsers' tests with malformed input always run sanitized, from a second build beside the first.
MALFORMED := build-san
ifeq ($(TESTS),)
FUZZED := $(filter-out 0,$(FUZZ))
endif
endif

.PHONY: all run test bench cross fuzz fuzzers install clean help packages test-packages fuzz-packages

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) product

run: $(BUILD)/build.ninja
	@ninja -C $(BUILD) hearth
	@$(BUILD)/hearth run $(MODEL)

test: $(BUILD)/with-tests $(addsuffix /with-tests,$(MALFORMED))
	@ninja -C $(BUILD) all
	$(if $(MALFORMED),@ninja -C $(MALFORMED) malformed)
	$(if $(FUZZED),@if tools/install-packages fuzz; then $(MAKE) --no-print-directory fuzzers; fi)
	@tests/run --build $(BUILD) $(addprefix --malformed ,$(MALFORMED)) $(addprefix --fuzz build-fuzz --seconds ,$(FUZZED)) $(TESTS)

bench: $(BUILD)/build.ninja
	@ninja -C $(BUILD) hearth benches
	@meson test -C $(BUILD) --benchmark --verbose --no-rebuild

fuzzers: build-fuzz/build.ninja
	@ninja -C build-fuzz fuzzers

fuzz: fuzzers
	@tests/fuzz/run-targets build-fuzz $(TIME) $(TARGET)

cross:
	@tools/cross-test build-cross

install: $(BUILD)/build.ninja
	@grep -qx 'prefix=$(PREFIX)' $(BUILD)/meson-private/hearth.pc || meson configure $(BUILD) --prefix '$(PREFIX)'
	@ninja -C $(BUILD) product
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir '$(abspath $(DESTDIR))')

clean:
	rm -rf build build-san build-fuzz build-cross

help:
	@echo 'make                     build the program build/hearth and the libraries'
	@echo 'make run [MODEL=PATH]    build, then talk with a model (the story model models/tale)'
	@echo 'make test [TESTS=NAME]   build and run every test (or those whose name holds NAME)'
	@echo 'make test FUZZ=0         every test, but no fuzzing (else 20 seconds for each parser)'
	@echo 'make test SAN=1          the same with everything under ASan and UBSan'
	@echo 'make fuzz [TIME=20] [TARGET=gguf]   fuzz every parser (or one) for TIME seconds each; findings are listed'
	@echo 'make bench               build and run the benches'
	@echo 'make cross               build the tests of base, types and kernels for 64-bit ARM, run them in an emulator'
	@echo 'make install [PREFIX=/usr/local] [DESTDIR=]   program, libraries, headers, manual page'
	@echo 'make clean               remove what was built'

# Missing Debian packages are installed before anything is built; where all are there, these two do nothing.
packages:
	@tools/install-packages build

test-packages:
	@tools/install-packages build test

fuzz-packages:
	@tools/install-packages build test fuzz

# `packages` is order-only: it always runs, but never makes a build folder look old.
build/build.ninja: | packages
	@meson setup build --prefix '$(PREFIX)' --libdir lib

build-san/build.ninja: | packages
	@meson setup build-san -Db_sanitize=address,undefined -Db_lundef=false

# libFuzzer comes with clang.
build-fuzz/build.ninja: | fuzz-packages
	@CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false

# The tests need cmocka, so that they are switched on only once somebody tests. (Order-only: this renews build.ninja.)
%/with-tests: | %/build.ninja test-packages
	@meson configure $* -Dtests=true
	@touch $@
