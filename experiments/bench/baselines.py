"""The yardsticks beside scikit-learn's and fastText's on the same splits and tokens.

    go test ./experiments/yardstick -run Real -v -tasks all -splits DIR
    python3 experiments/bench/baselines.py DIR [SECONDS]

Needs Debian's python3-sklearn (1.2.1) and python3-fasttext (0.9.2), and installs nothing.
SECONDS is fastText's autotuning a task, by the clock (default 60, 0: without it). C is tuned
as ours is: on the validation split, from least to most until two values are no better.
"""
import json
import os
import sys
import tempfile
import time
import warnings

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")
GRID = [2.0 ** k for k in range(-5, 6, 2)]


def words(kind, **o):
    return kind(ngram_range=(1, 2), tokenizer=str.split, token_pattern=None, lowercase=False, **o)


def characters():
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), lowercase=False)


class NBSVM:
    """One machine a class, interpolated with naive Bayes as nn/linear does."""

    def __init__(self, C, beta):
        self.C, self.beta = C, beta

    def fit(self, x, y):
        self.machines = []
        for c in range(y.max() + 1):
            p, q = (1 + np.asarray(x[m].sum(0)).ravel() for m in (y == c, y != c))
            r = np.log(p / p.sum()) - np.log(q / q.sum())
            m = LinearSVC(C=self.C).fit(x.multiply(r).tocsr(), y == c)
            mean = (1 - self.beta) * abs(m.coef_[0]).mean()
            bias = self.beta * m.intercept_[0] + mean * np.log((y == c).sum() / (y != c).sum())
            self.machines.append((r * (self.beta * m.coef_[0] + mean), bias))
        return self

    def predict(self, x):
        return np.argmax([x @ w + b for w, b in self.machines], axis=0)


def tuned(data, vectoriser, models):
    (train, y), (validation, v), (test, t) = data
    x = vectoriser.fit_transform(train)
    validation, test = vectoriser.transform(validation), vectoriser.transform(test)
    best, worse = (-1, 0), 0
    for same_c in models:
        worse += 1
        for m in same_c:
            m.fit(x, y)
            if (a := (m.predict(validation) == v).mean()) > best[0]:
                best, worse = (a, (m.predict(test) == t).mean()), 0
        if worse == 2:
            break
    return best[1]


def fasttext(data, seconds):
    import fasttext

    with tempfile.TemporaryDirectory() as d:
        for name, (texts, labels) in zip(("train", "validation"), data):
            with open(os.path.join(d, name), "w") as f:
                f.writelines(f"__label__{k} {x}\n" for x, k in zip(texts, labels))
        m = fasttext.train_supervised(input=os.path.join(d, "train"), autotuneValidationFile=os.path.join(d, "validation"),
                                      autotuneDuration=seconds, thread=1, verbose=0)
        texts, labels = data[2]
        return np.mean([m.predict(x)[0] == (f"__label__{k}",) for x, k in zip(texts, labels)])


def main(directory, seconds=60):
    svms = [[LinearSVC(C=c)] for c in GRID]
    ours = ["naive Bayes", "NBSVM", "SVM, words", "SVM, words and characters"]
    print("| task | " + " | ".join(f"{o}: ours, theirs" for o in ours) + " | fastText, CPU | CPU s: ours, scikit-learn |")
    print("|---|" + "---:|" * (len(ours) + 2))
    files = [os.path.join(directory, f) for f in os.listdir(directory) if f.endswith(".json")]
    for file in sorted(files, key=os.path.getsize):
        task = json.load(open(file))
        data = []
        for split in ("train", "validation", "test"):
            rows = [r.split("\t", 1) for r in task["splits"][split]]
            data.append(([r[1] for r in rows], np.array([int(r[0]) for r in rows])))
        began = time.process_time()
        theirs = [
            tuned(data, words(CountVectorizer), [[MultinomialNB()]]),
            tuned(data, words(CountVectorizer, binary=True, dtype=float), [[NBSVM(c, .25), NBSVM(c, 1)] for c in GRID]),
            tuned(data, words(TfidfVectorizer), svms),
            tuned(data, FeatureUnion([("words", words(TfidfVectorizer)), ("characters", characters())]), svms),
        ]
        took = time.process_time() - began
        began = time.process_time()
        fast = f"{100 * fasttext(data, seconds):.2f} in {time.process_time() - began:.0f} s" if seconds else "–"
        results = {r["name"]: r for r in task["results"]}
        cells = [f"{100 * results[o]['test']['accuracy']:.2f}, {100 * t:.2f}" for o, t in zip(ours, theirs)]
        mine = sum(r["cpu_seconds"] for r in task["results"])
        print(f"| {task['task']} | " + " | ".join(cells) + f" | {fast} | {mine:.1f}, {took:.1f} |", flush=True)


main(sys.argv[1], *map(int, sys.argv[2:3]))
