# Everything runs in .venv, made from constraints.txt on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8

.PHONY: demo test slow bench lint clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[sim,synth,mnist,plots,tensorboard,images,augment,spikingjelly,snntorch,nir,dev]"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps "spikingjelly>=2,<3"
	touch $@

demo: $(STAMP)
	$(BIN)/spikefold demo

test: $(STAMP)
	$(TEST)

# New random designs in every run; `make slow SEED=123` tests one of them again.
slow: $(STAMP)
	$(TEST) -m slow $(if $(SEED),--seed $(SEED))

bench: $(STAMP)
	$(BIN)/python bench/mnist.py
	$(BIN)/python bench/fashion.py
	$(BIN)/python bench/resnet18.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build
