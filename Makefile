PY := .venv/bin/python
STAMP := .venv/.installed

# setuptools frames a warning that folders here are named like the packages: they are the packages.
QUIET := PYTHONWARNINGS='ignore:Editable installation'

.PHONY: run test test-slow lint types check samples settings clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(QUIET) $(PY) -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	touch $@

run: $(STAMP)  ## stabilise the sample clip with its gyro log and say where the result is
	mkdir -p out
	$(PY) -m stabilize run samples/clips/walk.mp4 --gyro samples/clips/walk.csv -o out/walk_stabilized.mp4 --overwrite
	@echo "The steady clip: out/walk_stabilized.mp4"

test: $(STAMP)  ## the default suite
	$(PY) -m pytest -m "not slow" -n auto

test-slow: $(STAMP)  ## what the default suite leaves out
	$(PY) -m pytest -m slow

lint: $(STAMP)
	$(PY) -m ruff check .

types: $(STAMP)
	$(PY) -m mypy

check: lint types test

samples: $(STAMP)  ## make the committed clips again, with their logs and truth
	$(PY) -m samples walk handheld shutter --out samples/clips --crf 21

clean:
	rm -rf .venv out build dist *.egg-info

settings: $(STAMP)  ## write docs/settings.md from the descriptions in stabilize/settings.py
	$(PY) -m stabilize.config > docs/settings.md
