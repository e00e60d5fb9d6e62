"""What scikit-learn (Debian's python3-sklearn, 1.2.1) makes of a small case:

    python3 nn/linear/testdata/golden.py >nn/linear/testdata/golden.json
"""
import json
import warnings

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")
r = np.random.RandomState(1)
labels = r.randint(0, 3, 60)
counts = r.poisson(0.4, (60, 12)) + (r.rand(60, 12) < 0.5) * (np.arange(12) % 3 == labels[:, None])
counts = counts.astype(int)


def svm(y, **o):
    x = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    m = LinearSVC(tol=1e-10, max_iter=10**6, **o).fit(x, y)
    return {"coef": m.coef_.tolist(), "intercept": m.intercept_.tolist(), "decision": m.decision_function(x).tolist()}


nb = MultinomialNB().fit(counts, labels)
print(json.dumps({
    "counts": counts.tolist(),
    "labels": labels.tolist(),
    "tfidf": TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray().tolist(),
    "naive_bayes": {"coef": nb.feature_log_prob_.tolist(), "intercept": nb.class_log_prior_.tolist()},
    "squared_hinge": svm(labels, C=0.5),
    "two_classes": svm((labels == 2).astype(int), C=8),
}))
