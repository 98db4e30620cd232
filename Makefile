# Run it: make run. Test it: make test. Both install what they need on the way.

PYTHON ?= python3
export PYTHON
BIN := .venv/bin
# Tests run beside a PostgreSQL and Redis of their own, never the machine's.
SERVICES := $(BIN)/python -m tests.support.services
PYTEST := $(BIN)/pytest -q
# The rule stands beside the markers in pyproject.toml.
BOTH := database or postgresql
PARALLEL := --dist loadfile --no-loadscope-reorder
ON_SQLITE = $(SERVICES) --database sqlite $(PYTEST) $(PARALLEL)
ON_POSTGRESQL = $(SERVICES) --database postgresql $(PYTEST) $(PARALLEL)
GERMAN := pbxsite/locale/de/LC_MESSAGES/django
TEMPLATES = $$(git ls-files '*.html')
# A site as in production, for Django's own checks.
PRODUCTION := env SECRET_KEY=not-a-secret-but-long-and-varied-enough-for-the-checks-0123456789 \
	DATABASE_URL=sqlite://:memory: REDIS_URL=redis://127.0.0.1:1/0 \
	SITE_URL=https://pbx.example ALLOWED_HOSTS=pbx.example

.PHONY: install install-dev run test test-fast test-sqlite test-postgresql \
	test-browser test-long test-next lint fix messages check bench chaos production trace looks release flower lock
.DEFAULT_GOAL := run

install:
	@.ci/install base

install-dev:
	@.ci/install dev

# A release on a server: its packages, and its files for browsers in STATIC_ROOT, beside
# those of older releases.
release: install
	@$(BIN)/python -m compileall -q authconfig pbxsite verification
	@$(PRODUCTION) STATIC_ROOT=$${STATIC_ROOT:-/opt/pbx/static} \
		$(BIN)/python manage.py collectstatic --noinput

run: install
	@exec $(BIN)/python manage.py runsite --parent $$PPID

# Every test once, and what depends on the database on both. Some of them alone, each where
# it belongs: make test T=tests/journeys/test_looks.py, the same with ::test_…, or by
# words of their names, T="expired and not link".
ifdef T
CHOSEN := $(if $(wildcard $(firstword $(subst ::, ,$(T)))),$(T),-k "$(T)")
test: install-dev
	@$(SERVICES) --database sqlite $(PYTEST) -m "not postgresql" $(CHOSEN); one=$$?; \
	$(SERVICES) --database postgresql $(PYTEST) -m "$(BOTH)" $(CHOSEN); two=$$?; \
	case $$one$$two in 00|05|50) ;; *) exit 1;; esac  # 5: none of them belongs there
else
# Beside each other, as neither keeps two processors busy; PostgreSQL's are read at the end.
test: install-dev
	@echo "Tests on SQLite, in browsers too; beside them on PostgreSQL what depends on it"
	@log=$$(mktemp); $(ON_POSTGRESQL) -n 2 -m "($(BOTH)) and not long" >$$log 2>&1 & two=$$!; \
	trap "kill $$two; wait $$two; rm -f $$log; exit 1" INT TERM; \
	$(ON_SQLITE) -n 3 -m "not long and not postgresql"; one=$$?; \
	wait $$two; two=$$?; echo "On PostgreSQL"; cat $$log; rm -f $$log; \
	exit $$((one | two))
endif

# The quick loop while one works: all but the browsers and whole sites, on SQLite.
test-fast: install-dev
	@$(ON_SQLITE) -n 4 -m "not browser and not long and not postgresql"

test-sqlite: install-dev
	@echo "Tests on SQLite, in browsers too"
	@$(ON_SQLITE) -n 4 -m "not long and not postgresql"

test-postgresql: install-dev
	@echo "Tests that depend on the database on PostgreSQL"
	@$(ON_POSTGRESQL) -n 4 -m "($(BOTH)) and not long"

test-browser: install-dev
	@$(ON_SQLITE) -n 4 -m "browser and not long"

test-long: install-dev
	@.ci/packages long
	@echo "Long tests"
	@$(SERVICES) --database postgresql $(PYTEST) --timeout=1800 -m long

# The quick tests with tomorrow's Django: make test-next PYTHON=python3.13.
NEXT := .venv/next/bin
test-next: install-dev
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || \
		{ echo "They need Python 3.12 or newer: make test-next PYTHON=…"; exit 1; }
	@.ci/install next
	@$(NEXT)/python -m tests.support.services --database sqlite $(NEXT)/pytest -q $(PARALLEL) \
		-n 4 -m "not browser and not long and not postgresql"

lint: install-dev
	@echo "Format, lint, types, arrows, templates"
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/djade --target-version 5.2 --check $(TEMPLATES)

fix: install-dev
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet
	@$(BIN)/djade --target-version 5.2 $(TEMPLATES) || true

# The extraction's date would make each run a change.
messages: install-dev
	@$(PRODUCTION) $(BIN)/python manage.py makemessages -l de --no-location --no-wrap \
		--no-obsolete --ignore tests --ignore .venv
	@sed -i '/^"POT-Creation-Date/d' $(GERMAN).po
	@msgfmt --check-format --statistics -o $(GERMAN).mo $(GERMAN).po

check: lint
	@echo "Django's checks"
	@$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(MAKE) --no-print-directory test

# An older commit to measure beside this one: make bench BASE=COMMIT, make trace BASE=COMMIT.
OLDER = $(if $(BASE),--base $(BASE))
bench: install-dev
	@$(SERVICES) --database postgresql $(BIN)/python -m tests.harnesses.bench $(OLDER) $(PARTS)

# The files that a login touches; ARGS=-v names them, ARGS=-vv the changes of package.
trace: install-dev
	@$(SERVICES) --database sqlite $(BIN)/python -m tests.harnesses.trace $(OLDER) $(ARGS)

# Pictures of the pages, to be looked at: make looks FOLDER=/tmp/looks ARGS="-l de -s settings"
FOLDER ?= looks
looks: install-dev
	@$(SERVICES) --database sqlite $(BIN)/python -m tests.harnesses.looks $(FOLDER) $(ARGS)

production: install-dev
	@$(BIN)/python -m tests.harnesses.production

chaos: install-dev
	@$(SERVICES) --database postgresql $(BIN)/python -m tests.harnesses.chaos

# What Celery does, for operators; on this machine alone (docs/operations/monitoring.md).
FLOWER_PORT ?= 5555
flower:
	@.ci/install operators
	@exec $(BIN)/celery -A pbxsite flower --address=127.0.0.1 --port=$(FLOWER_PORT) \
		--url_prefix=flower --persistent=False

# Pins are made by uv, which nothing else needs; dev.txt holds every pin of base.txt.
UV = cd requirements && ../.venv/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --no-emit-index-url --custom-compile-command "make lock"
# A provider that the long tests log in at; it has a virtual environment of its own.
CANAILLE = ../tests/support/canaille/requirements

lock:
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/pip install -qq --disable-pip-version-check uv
	@$(UV) base.in -o base.txt
	@$(UV) server.in -c base.txt -o server.txt
	@$(UV) dev.in -c base.txt -o dev.txt
	@cp requirements/dev.txt requirements/next.txt
	@$(subst 3.11,3.12,$(UV)) dev.in --override next.in -P django -P django-allauth \
		-P django-unfold -o next.txt
	@$(UV) operators.in -o operators.txt
	@$(UV) $(CANAILLE).in -o $(CANAILLE).txt
