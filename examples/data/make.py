"""Makes the data of `embeddings.toml` and `table.toml` from scikit-learn's own copies of two UCI datasets.

Made with scikit-learn 1.9.1 and numpy 2.4.6: `python make.py` (see README.md for licences).
"""

import csv

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

# A small network learns to recognise the digits on one half; the other half becomes its 64 hidden values, the embeddings.
digits = load_digits()
pictures = digits.data / 16
seen, new, seen_labels, labels = train_test_split(pictures, digits.target, test_size=0.5, random_state=0, stratify=digits.target)
network = MLPClassifier([64], alpha=0.01, max_iter=400, random_state=0).fit(seen, seen_labels)
embeddings = np.maximum(new @ network.coefs_[0] + network.intercepts_[0], 0)
np.savez("embeddings.npz", inputs=embeddings.astype("float16"), labels=labels.astype("uint8"))

wine = load_wine()
with open("wine.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*wine.feature_names, "cultivar"])
    writer.writerows([*map(float, row), wine.target_names[target]] for row, target in zip(wine.data, wine.target))
print(embeddings.shape, wine.data.shape)
