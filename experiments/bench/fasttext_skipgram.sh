#!/bin/bash
# fastText's skip-gram, one thread, on the first 10,000 of the unlabelled film
# reviews, tokenised as nn/embedding's BenchmarkSGNS does it, with the same
# options: dim 128, window 5, 5 negatives, one pass, words from 5 occurrences
# on; without subwords and with n-grams of 3 to 6 in 2,000,000 buckets. Prints
# fastText's own words/s, by the clock, and words a second of processor time.
# Needs fasttext (Debian: fasttext).
#
#   bash fasttext_skipgram.sh [DATA [DIR]]
#
# With DIR the vectors stay there, as fasttext-0.vec and fasttext-6.vec, for
# `starter module add` and `starter module check`.
set -euo pipefail
data=${1:-${TNAML_DATA:-../shared/data}}
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
{ zcat "$data/corpora/imdb_unsup.txt.gz" || true; } 2>/dev/null | head -10000 |
	sed 's/<[^>]*>/ /g' | tr 'A-Z' 'a-z' | tr -cs "a-z0-9'\n" ' ' >"$dir/text"
TIMEFORMAT=%U
for maxn in 0 6; do
	cpu=$({ time fasttext skipgram -input "$dir/text" -output "$dir/model" -dim 128 -ws 5 -neg 5 -epoch 1 -minCount 5 \
		-minn 3 -maxn $maxn -bucket 2000000 -lr 0.05 -t 1e-4 -thread 1 >"$dir/log" 2>&1; } 2>&1)
	words=$(tr -s ' ' '\n' <"$dir/text" | sort | uniq -c | awk '$1 >= 5 && $2 != "" { n += $1 } END { print n }')
	clock=$(tr '\r' '\n' <"$dir/log" | grep -o 'words/sec/thread: *[0-9]*' | tail -1 | tr -dc 0-9)
	if [ $# -gt 1 ]; then cp "$dir/model.vec" "$2/fasttext-$maxn.vec"; fi
	echo "maxn $maxn: $clock words/s, $(awk -v w="$words" -v t="$cpu" 'BEGIN { printf "%.0f", w / t }') words/cpu-s"
done
