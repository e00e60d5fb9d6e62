"""A trainer with scikit-learn: TF-IDF of word n-grams and a linear classifier (Debian: apt install python3-sklearn)."""

import json
import os
import pickle
import warnings

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

warnings.simplefilter("ignore")  # of an optimiser that has not converged: that is a model too
request = json.load(open(os.environ["TNAML_REQUEST"]))
choices, seed = request["choices"], request["seed"] % 2**32


def split(name):
    lines = map(json.loads, open(os.path.join(os.environ["TNAML_DATA"], name + ".jsonl"), encoding="utf-8"))
    return zip(*((line["text"], line["label"]) for line in lines))


vectors = TfidfVectorizer(
    token_pattern=r"\S+",  # the texts are tokens already, with blanks between
    ngram_range=(1, choices["ngrams"]), min_df=choices["min_df"], sublinear_tf=choices["sublinear"],
)
weights = "balanced" if choices["balanced"] else None
if choices["loss"] == "logistic":
    classifier = LogisticRegression(C=choices["C"], class_weight=weights, random_state=seed, max_iter=200)
else:
    classifier = LinearSVC(C=choices["C"], loss=choices["loss"], class_weight=weights, random_state=seed)
model = make_pipeline(vectors, classifier)
model.fit(*split("train"))
model[0].stop_words_ = None  # a set, in another order each time: the same trial must leave the same bytes

metrics = {}
for name in "validation", "test":
    texts, labels = split(name)
    predicted = model.predict(texts)
    metrics[name + "_accuracy"] = accuracy_score(labels, predicted)
    metrics[name + "_macro_f1"] = f1_score(labels, predicted, average="macro")
pickle.dump(model, open(os.path.join(os.environ["TNAML_MODEL"], "model.pickle"), "wb"))
print(json.dumps({"status": "ok", "metrics": metrics}))
