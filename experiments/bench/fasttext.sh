#!/bin/sh
# fastText's supervised classifier, one thread, on text shaped like
# BenchmarkStep's "no layer" case: 30,000 words, 100 a document, 2 classes,
# dim 128. Prints fastText's own words/sec. Needs fasttext (Debian: fasttext).
#
#   sh fasttext.sh
set -eu
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
awk 'BEGIN { srand(1); for (i = 0; i < 20000; i++) { printf "__label__%d", i % 2; for (k = 0; k < 100; k++) printf " w%d", int(rand() * 30000); print "" } }' >"$dir/text"
fasttext supervised -input "$dir/text" -output "$dir/model" -dim 128 -thread 1 -epoch 5 -loss softmax -minCount 1 2>&1 | tr '\r' '\n' | grep words/sec | tail -1
