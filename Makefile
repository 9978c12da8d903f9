# Craton HSM for Linux: one entry point. `make help` lists the targets.
#
# Variables: BUILD (output folder), SANITIZE (address,undefined or thread), TEST_HOOKS=1 (a build whose self-tests and
# entropy source can be made to fail; never installed), BENCH_OPTIONS (of tests/bench/run), CC, DESTDIR, PREFIX.

PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBDIR ?= $(PREFIX)/lib
BUILD ?= build
CC := gcc
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion \
	-Werror=return-type -Werror=unused-result -Werror=format-security -Werror=switch \
	-Werror=missing-prototypes -Werror=vla -Werror=uninitialized
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIC \
	-ftrivial-auto-var-init=zero
LINK_HARDENING := -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs

ifdef SANITIZE
OPTIMISE := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINK_SANITIZE := -fsanitize=$(SANITIZE)
else
OPTIMISE := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LINK_SANITIZE :=
endif
ifdef TEST_HOOKS
OPTIMISE += -DCRATON_TEST_HOOKS=1
endif

PACKAGES := libcrypto libssl libnghttp2 libprotobuf-c zlib libmicrohttpd libseccomp sqlite3 liburing jansson libkeyutils libnl-genl-3.0 p11-kit-1
PACKAGE_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
AGENT_LIBS := -lcrypto -lsqlite3 -luring -ljansson -lkeyutils -lnl-genl-3 -lnl-3 -lz -lmicrohttpd -lseccomp -lpthread
ADMIN_LIBS := -ldevmapper -lblkid
LIBRARY_LIBS := -lcrypto -lpthread
GRPC_LIBS := -lnghttp2 -lprotobuf-c -lssl -lcrypto -luring -lmicrohttpd -lseccomp -ljansson -lpthread

CPPFLAGS += -D_GNU_SOURCE -DCRATON_VERSION='"$(VERSION)"' -DCRATON_LIBDIR='"$(LIBDIR)"' -Ilib -Iagent -Iinclude/uapi $(PACKAGE_CFLAGS)
CFLAGS ?= -g
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(OPTIMISE) $(WARNINGS) $(HARDENING) -MMD -MP

OBJ := $(BUILD)/obj
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

WIRE_SOURCES := $(wildcard lib/wire/*.c)
LIBRARY_SOURCES := $(wildcard lib/*.c)
AGENT_SOURCES := $(filter-out agent/main.c,$(wildcard agent/*.c))
ADMIN_SOURCES := $(wildcard agent/admin/*.c)
GRPC_SOURCES := $(filter-out agent/grpc/main.c,$(wildcard agent/grpc/*.c))
# What a generic client may ask for, and all that protobuf-c makes code of.
GRPC_SERVED := craton_hsm.proto health.proto reflection.proto reflection_v1alpha.proto
GRPC_PROTO := $(notdir $(wildcard agent/grpc/*.proto))
GRPC_GENERATED := $(BUILD)/grpc
GRPC_OBJECTS := $(patsubst %.proto,$(GRPC_GENERATED)/%.pb-c.o,$(GRPC_PROTO)) $(GRPC_GENERATED)/descriptors.o
UNIT_SOURCES := $(wildcard tests/unit/*_test.c)
API_SOURCES := $(wildcard tests/api/*_test.c)
VM_SOURCES := $(wildcard tests/vm/*_vmtest.c tests/vm/scenes/*_vmtest.c)
BENCH_SOURCES := $(wildcard tests/bench/*.c)

LIBRARY := $(BUILD)/libcraton_hsm.so
DAEMON := $(BUILD)/craton-hsm-daemon
ADMIN := $(BUILD)/craton-hsm-admin
FRONT := $(BUILD)/cratond
INTEGRITY := $(BUILD)/craton-hsm-integrity
UNIT_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SOURCES))
API_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(API_SOURCES))
VM_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(VM_SOURCES)) $(BUILD)/tests/vm/find_volume_key \
	$(BUILD)/tests/vm/seed_random
BENCH := $(patsubst tests/%.c,$(BUILD)/tests/%,$(BENCH_SOURCES))

.PHONY: all
all: $(LIBRARY) $(DAEMON) $(ADMIN) $(FRONT) $(LIBRARY).hmac $(DAEMON).hmac ## the daemon, the library, the admin program, cratond, in build/

# Objects of tests are kept for the next time, too.
.SECONDARY:
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# Only C_* leaves the library; everything else is hidden twice, by visibility and by the map.
$(OBJ)/lib/%.o: ALL_CFLAGS += -fvisibility=hidden

$(BUILD)/libwire.a: $(call objects,$(WIRE_SOURCES))
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/liblibrary.a: $(call objects,$(LIBRARY_SOURCES))
	@rm -f $@ && ar rcs $@ $^
$(BUILD)/libagent.a: $(call objects,$(AGENT_SOURCES))
	@rm -f $@ && ar rcs $@ $^

$(LIBRARY): $(call objects,$(LIBRARY_SOURCES)) $(BUILD)/libwire.a lib/libcraton_hsm.map
	@echo "  CC/LD  $@"; $(CC) -shared $(LINK_SANITIZE) $(LINK_HARDENING) -Wl,--version-script=lib/libcraton_hsm.map \
		-Wl,-soname,libcraton_hsm.so -o $@ $(filter %.o %.a,$^) $(LIBRARY_LIBS)
$(DAEMON): $(OBJ)/agent/main.o $(BUILD)/libagent.a $(BUILD)/libwire.a
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) $(LINK_HARDENING) -o $@ $^ $(AGENT_LIBS)
$(ADMIN): $(call objects,$(ADMIN_SOURCES)) $(BUILD)/libagent.a $(BUILD)/liblibrary.a $(BUILD)/libwire.a
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) $(LINK_HARDENING) -o $@ $^ $(AGENT_LIBS) $(ADMIN_LIBS)

# ---- cratond: code and descriptors from its .proto files ----

$(GRPC_GENERATED)/%.pb-c.c: agent/grpc/%.proto
	@mkdir -p $(@D)
	@echo "  PROTO  $@"; protoc-c --proto_path=agent/grpc --c_out=$(@D) $<
$(GRPC_GENERATED)/%.pb-c.h: $(GRPC_GENERATED)/%.pb-c.c ;
.PRECIOUS: $(GRPC_GENERATED)/%.pb-c.c
# Not ours to warn about.
$(GRPC_GENERATED)/%.pb-c.o: $(GRPC_GENERATED)/%.pb-c.c
	@echo "  CC/LD  $@"; $(CC) $(CPPFLAGS) -I$(GRPC_GENERATED) -std=gnu17 $(CFLAGS) $(OPTIMISE) $(HARDENING) -c -o $@ $<
$(GRPC_GENERATED)/descriptors.bin: $(addprefix agent/grpc/,$(GRPC_SERVED))
	@mkdir -p $(@D)
	@echo "  PROTO  $@"; protoc --proto_path=agent/grpc --include_imports --descriptor_set_out=$@ $(GRPC_SERVED)
$(GRPC_GENERATED)/descriptors.o: $(GRPC_GENERATED)/descriptors.bin
	cd $(@D) && ld -r -b binary -z noexecstack -o $(@F) $(<F)

# Its macros are not ours to warn about, either.
$(OBJ)/agent/grpc/%.o $(OBJ)/tests/unit/grpc_%.o: CPPFLAGS += -isystem $(GRPC_GENERATED)
$(call objects,$(GRPC_SOURCES) agent/grpc/main.c $(wildcard tests/unit/grpc_*.c)): | $(patsubst %.proto,$(GRPC_GENERATED)/%.pb-c.h,$(GRPC_PROTO))
$(BUILD)/libgrpc.a: $(call objects,$(GRPC_SOURCES)) $(GRPC_OBJECTS)
	@rm -f $@ && ar rcs $@ $^
$(FRONT): $(OBJ)/agent/grpc/main.o $(BUILD)/libgrpc.a $(BUILD)/libagent.a $(BUILD)/libwire.a
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) $(LINK_HARDENING) -o $@ $^ $(GRPC_LIBS)

# The sidecar is made by the program that checks it, so that there is one definition of what is hashed.
$(LIBRARY).hmac $(DAEMON).hmac: %.hmac: % $(INTEGRITY)
	$(INTEGRITY) write $<
$(INTEGRITY): $(OBJ)/scripts/integrity.o $(BUILD)/libwire.a
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) $(LINK_HARDENING) -o $@ $^ -lcrypto

$(BUILD)/tests/unit/%: $(OBJ)/tests/unit/%.o $(BUILD)/libagent.a $(BUILD)/liblibrary.a $(BUILD)/libwire.a
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) -o $@ $^ $(AGENT_LIBS)
$(BUILD)/tests/unit/grpc_%: $(OBJ)/tests/unit/grpc_%.o $(BUILD)/libgrpc.a $(BUILD)/libagent.a $(BUILD)/libwire.a
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) -o $@ $^ $(GRPC_LIBS)
# API tests load the library by dlopen, as an application does.
# A hostile client of the rings needs the descriptor that the agent sends.
$(BUILD)/tests/api/ring_test $(BUILD)/tests/api/many_test $(BUILD)/tests/api/window_test: $(OBJ)/lib/exchange_ring.o
$(BUILD)/tests/api/%: $(OBJ)/tests/api/%.o $(BUILD)/libwire.a
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) -o $@ $^ -ldl -lcrypto -lpthread
# These run in the virtual machine, against the kernel alone.
$(BUILD)/tests/vm/%: $(OBJ)/tests/vm/%.o
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) -o $@ $^ -lnl-genl-3 -lnl-3 -lkeyutils -lcrypto -lpthread
$(BUILD)/tests/bench/%: $(OBJ)/tests/bench/%.o
	@mkdir -p $(@D)
	@echo "  CC/LD  $@"; $(CC) -pie $(LINK_SANITIZE) -o $@ $^ -ldl -lcrypto -lpthread -lm

$(OBJ)/tests/%.o: CPPFLAGS += -Itests

.PHONY: tests tests-userspace
tests-userspace: all $(UNIT_TESTS) $(API_TESTS)
tests: tests-userspace $(VM_TESTS) $(BENCH)

$(BUILD)/protocol-doc: scripts/protocol-doc.c $(wildcard lib/wire/*.def lib/wire/*.h)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu17 $(CFLAGS) $(WARNINGS) -o $@ $<
docs/protocol.md: scripts/protocol-doc.c $(wildcard lib/wire/*.def lib/wire/*.h) | $(BUILD)/protocol-doc
	$(BUILD)/protocol-doc >$@.new && mv $@.new $@

.PHONY: docs
docs: docs/protocol.md docs/configuration.md ## the documents that are made from tables
docs/configuration.md: agent/config.def agent/config.c | $(DAEMON).hmac
	{ printf '# Configuration\n\nMade from agent/config.def by `make docs`. The file is TOML: tables, strings, integers, booleans, arrays; anything else is\nrefused with file and line. It must belong to root or to the daemon'"'"'s user and be writable by nobody else.\n\nSIGHUP reads the file again. Keys whose change is by reload are then in force, and an audit record\n`reload-configuration` names them; for the others the log says that they wait for a restart. A file that is not good changes\nnothing, and the log says why.\n\n`[daemon]` is cratond'"'"'s, which has a SIGHUP of its own ([remote access](remote-access.md)).\n\n'; \
		$(DAEMON) --print-config-table; } >$@.new && mv $@.new $@

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZ_SECONDS each
	@scripts/install-packages test
	BUILD=$(BUILD) tests/fuzz/run

.PHONY: demo
demo: ## install what is missing, build, and show the whole thing on a scratch store
	@scripts/install-packages demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(BUILD)) scripts/demo

# Tests that break the module on purpose use a build that can be broken.
.PHONY: hooks
hooks:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-hooks TEST_HOOKS=1 all

.PHONY: check
check: ## install what is missing, build, and run every test
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@$(MAKE) --no-print-directory hooks
	@tests/run --build $(BUILD)

KDIR ?= /lib/modules/$(shell uname -r)/build
.PHONY: kmod
kmod: ## the kernel module, for the kernel whose headers are in KDIR, in build/kmod
	@mkdir -p $(BUILD)/kmod && cp -rup Kbuild kmod include $(BUILD)/kmod/
	$(MAKE) -C $(KDIR) M=$(abspath $(BUILD))/kmod modules

.PHONY: check-vm check-vm-all check-vm-debug
check-vm: ## the kernel module's tests in a virtual machine with Debian 12's kernel (part of check)
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@$(MAKE) --no-print-directory hooks
	@tests/run --build $(BUILD) --filter tests/vm/
check-vm-all: ## the same with Debian 13's kernel and its backport, too; needs root
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@$(MAKE) --no-print-directory hooks
	@tests/run --build $(BUILD) $(wildcard tests/vm/*_test.sh) tests/vm/linux_6.12.sh tests/vm/linux_7.sh
check-vm-debug: ## the same with kernels that check memory, locks and leaks; builds them once, in 12 minutes
	@scripts/install-packages debug
	@$(MAKE) --no-print-directory tests
	@tests/vm/kernels fetch debug >/dev/null && tests/vm/kernels fetch uml >/dev/null
	@tests/run --build $(BUILD) tests/vm/linux_debug.sh tests/vm/linux_uml.sh tests/vm/planted.sh

.PHONY: check-trixie
check-trixie: ## the unit, API, client and cratond tests on Debian 13, with OpenSSL 3.5 and its post-quantum algorithms (part of check); needs root
	@scripts/install-packages test
	@tests/run --build $(BUILD) $(wildcard tests/trixie/*_test.sh)

# Programs of others that load the library are not built with sanitizers, so these run what we wrote ourselves.
SANITIZED := tests/(unit|api)/.*_test$$
.PHONY: check-asan check-tsan
check-asan: ## the unit and API tests under AddressSanitizer and UBSan
	@scripts/install-packages test
	@$(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined tests
	@tests/run --build build/asan --filter '$(SANITIZED)'
check-tsan: ## the unit and API tests under ThreadSanitizer
	@scripts/install-packages test
	@$(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=thread tests
	@TSAN_OPTIONS="die_after_fork=0 halt_on_error=1 $$TSAN_OPTIONS" CRATON_LOAD_SECONDS=$${CRATON_LOAD_SECONDS:-60} \
		tests/run --build build/tsan --filter '$(SANITIZED)'

.PHONY: bench bench-docs bench-scale bench-bulk bench-many bench-grpc bench-vm
bench: ## measure against SoftHSM2 (in process, and through p11-kit server), opencryptoki and raw OpenSSL; 10 minutes
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/run $(BENCH_OPTIONS)
bench-docs: ## the same, and write what was measured into docs/performance.md, with its plots
	@$(MAKE) --no-print-directory bench BENCH_OPTIONS='--document docs/performance.md $(BENCH_OPTIONS)'
bench-scale: ## measure a token with 1,000, 10,000 and 100,000 objects; half a minute
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/scale
bench-bulk: ## measure calls with 64 KiB to 16 MiB beside SoftHSM2; a minute
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/bulk
bench-many: ## measure 1,000 clients at once, and signatures beside key generation; a minute
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/many
bench-grpc: ## measure cratond beside nghttpd with the same load by h2load
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/grpc
bench-vm: ## measure the agent on the kernel module's memory and on mlock's, in a virtual machine; 5 minutes
	@scripts/install-packages test
	@$(MAKE) --no-print-directory tests
	@BUILD=$(abspath $(BUILD)) tests/bench/vm --icount --rounds 3 --seconds 0.5

.PHONY: lint format
lint: ## formatting, static analysis, house rules
	@scripts/install-packages test
	@scripts/lint
format: ## format every userspace source
	@scripts/format

.PHONY: install uninstall
# Where DKMS looks for it, and all that it needs to build it.
MODULE_SOURCE := $(PREFIX)/src/craton-hsm-$(VERSION)
MODULE_FILES := dkms.conf Kbuild $(wildcard kmod/*.c kmod/*.h) include/uapi/craton_hsm.h LICENSES/GPL-2.0-only.txt
# A name alone is looked for in p11-kit's own folder.
P11_KIT_MODULE ?= $(LIBDIR)/libcraton_hsm.so
MANDIR := $(PREFIX)/share/man
MAN := $(BUILD)/man/craton-hsm-admin.8 $(BUILD)/man/craton_hsm.toml.5 $(wildcard agent/man/*.[1-8])
COMPLETIONS := $(addprefix $(BUILD)/completion/,bash zsh fish)

$(BUILD)/man/craton-hsm-admin.8: $(ADMIN)
	@mkdir -p $(@D)
	$(ADMIN) manual >$@.new && mv $@.new $@
# The example with every key is the reference.
$(BUILD)/man/craton_hsm.toml.5: $(DAEMON)
	@mkdir -p $(@D)
	{ printf '.TH CRATON_HSM.TOML 5 "" "Craton HSM $(VERSION)" "File Formats"\n.SH NAME\ncraton_hsm.toml \\- configuration of craton\\-hsm\\-daemon(8)\n'; \
	printf '.SH DESCRIPTION\nTOML: tables, strings, integers, booleans, arrays. An unknown key or a value out of range is refused, with its line.\n'; \
	printf 'These are all keys with their defaults.\n.SH KEYS\n.nf\n'; \
	$(DAEMON) --print-config | sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"; \
	printf '.fi\n.SH SEE ALSO\n.BR craton\\-hsm\\-daemon (8)\n'; } >$@.new && mv $@.new $@
$(COMPLETIONS): $(BUILD)/completion/%: $(ADMIN)
	@mkdir -p $(@D)
	$(ADMIN) completion $* >$@.new && mv $@.new $@
.PHONY: manuals
manuals: $(MAN) $(COMPLETIONS) ## the manual pages and completions, in build/

install: all manuals ## install to DESTDIR/PREFIX; an existing configuration is kept
	install -D -m 0755 $(DAEMON) $(DESTDIR)$(PREFIX)/sbin/craton-hsm-daemon
	install -D -m 0644 $(DAEMON).hmac $(DESTDIR)$(PREFIX)/sbin/craton-hsm-daemon.hmac
	install -D -m 0755 $(ADMIN) $(DESTDIR)$(PREFIX)/sbin/craton-hsm-admin
	install -D -m 0755 $(FRONT) $(DESTDIR)$(PREFIX)/sbin/cratond
	for name in $(GRPC_SERVED); do install -D -m 0644 agent/grpc/$$name $(DESTDIR)$(PREFIX)/share/craton-hsm/proto/$$name || exit; done
	install -D -m 0755 $(INTEGRITY) $(DESTDIR)$(PREFIX)/sbin/craton-hsm-integrity
	install -D -m 0644 $(LIBRARY) $(DESTDIR)$(LIBDIR)/libcraton_hsm.so
	install -D -m 0644 $(LIBRARY).hmac $(DESTDIR)$(LIBDIR)/libcraton_hsm.so.hmac
	install -D -m 0644 kmod/60-craton-hsm.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-craton-hsm.rules
	for page in $(MAN); do install -D -m 0644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit; done
	install -D -m 0644 $(BUILD)/completion/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/craton-hsm-admin
	install -D -m 0644 $(BUILD)/completion/zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_craton-hsm-admin
	install -D -m 0644 $(BUILD)/completion/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/craton-hsm-admin.fish
	install -D -m 0644 agent/systemd/craton-hsm.service $(DESTDIR)$(PREFIX)/lib/systemd/system/craton-hsm.service
	install -D -m 0644 agent/systemd/craton-hsm.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/craton-hsm.conf
	install -D -m 0644 agent/systemd/cratond.service $(DESTDIR)$(PREFIX)/lib/systemd/system/cratond.service
	install -D -m 0644 agent/systemd/cratond.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/cratond.conf
	install -D -m 0644 agent/systemd/craton-hsm.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/craton-hsm.conf
	install -d $(DESTDIR)$(PREFIX)/share/p11-kit/modules
	sed 's|@MODULE@|$(P11_KIT_MODULE)|' agent/systemd/craton-hsm.module >$(DESTDIR)$(PREFIX)/share/p11-kit/modules/craton-hsm.module
	chmod 0644 $(DESTDIR)$(PREFIX)/share/p11-kit/modules/craton-hsm.module
	rm -rf $(DESTDIR)$(MODULE_SOURCE)
	for file in $(MODULE_FILES); do install -D -m 0644 $$file $(DESTDIR)$(MODULE_SOURCE)/$$file || exit; done
	[ -e $(DESTDIR)$(SYSCONFDIR)/modprobe.d/craton-hsm.conf ] || \
		install -D -m 0644 kmod/craton-hsm.conf $(DESTDIR)$(SYSCONFDIR)/modprobe.d/craton-hsm.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/craton-hsm/craton_hsm.toml ] || { \
		install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/craton-hsm && \
		$(DAEMON) --print-config >$(DESTDIR)$(SYSCONFDIR)/craton-hsm/craton_hsm.toml; }
uninstall: ## remove what install put there, but the configuration and the store
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/sbin/,craton-hsm-daemon craton-hsm-daemon.hmac craton-hsm-admin craton-hsm-integrity cratond)
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libcraton_hsm.so libcraton_hsm.so.hmac)
	rm -f $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-craton-hsm.rules
	for page in $(MAN); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,share/bash-completion/completions/craton-hsm-admin \
		share/zsh/vendor-completions/_craton-hsm-admin share/fish/vendor_completions.d/craton-hsm-admin.fish \
		lib/systemd/system/craton-hsm.service lib/sysusers.d/craton-hsm.conf lib/tmpfiles.d/craton-hsm.conf \
		lib/systemd/system/cratond.service lib/sysusers.d/cratond.conf \
		share/p11-kit/modules/craton-hsm.module)
	rm -rf $(DESTDIR)$(MODULE_SOURCE) $(DESTDIR)$(PREFIX)/share/craton-hsm/proto
	[ ! -d $(DESTDIR)$(PREFIX)/share/craton-hsm ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/share/craton-hsm

.PHONY: deb
# A copy of the sources, with the packaging where dpkg wants it; what comes out is in build/deb.
deb: ## Debian packages, in build/deb
	@scripts/install-packages deb
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/craton-hsm-$(VERSION)
	git ls-files -z | xargs -0 cp --parents -t $(BUILD)/deb/craton-hsm-$(VERSION)
	cp -r agent/debian $(BUILD)/deb/craton-hsm-$(VERSION)/debian
	sed 's/@VERSION@/$(VERSION)/' agent/debian/changelog.in >$(BUILD)/deb/craton-hsm-$(VERSION)/debian/changelog
	rm $(BUILD)/deb/craton-hsm-$(VERSION)/debian/changelog.in
	cd $(BUILD)/deb/craton-hsm-$(VERSION) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -b -uc -us -j2
	rm -rf $(BUILD)/deb/craton-hsm-$(VERSION)
	@ls $(BUILD)/deb/*.deb

.PHONY: clean
clean: ## remove the build folder
	rm -rf build build-hooks

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
