"""
What a language model is sure of
================================

A recurrent network reads a text character by character and says what comes next. Where it is sure
the character is green: inside words, after a line feed, in names that it has seen. Red are the
surprises, mostly the first letters of words, where a text decides where it goes. One of its units
may be read too, and a sample shows what it has learnt of the author.

The text is a part of Shakespeare's plays where ``SKNETS_DATA`` has it, else what scikit-learn says
of its data sets.
"""

import matplotlib.pyplot as plt
from sklearn import datasets

from sknets import LanguageModel
from sknets.datasets import load_tiny_shakespeare
from sknets.inspection import HiddenStatesDisplay, TextDisplay


def a_text():
    try:
        return load_tiny_shakespeare().data[0][:300_000]
    except FileNotFoundError:
        tables = (datasets.load_iris, datasets.load_wine, datasets.load_diabetes)
        more = (datasets.load_breast_cancer, datasets.load_digits, datasets.load_linnerud)
        return "\n".join(load().DESCR for load in (*tables, *more))


def main(toy=False):
    text = a_text()[: 3000 if toy else None]
    end = len(text) * 9 // 10
    model = LanguageModel(
        hidden_layer_sizes=(8 if toy else 128,),
        embedding_dim=32,
        max_iter=1 if toy else 8,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        random_state=0,
    ).fit(text[:end])
    unseen = text[end : end + 600]
    print(f"{-model.score(unseen):.2f} nats a character")
    print(model.sample(prompt="\n", max_length=300, temperature=0.7, random_state=0)[0])

    TextDisplay.from_estimator(model, unseen).ax_.set_title("How likely each character was")
    TextDisplay.from_estimator(model, unseen, unit=0).ax_.set_title("What one unit does")
    HiddenStatesDisplay.from_estimator(model, [unseen[:50]]).ax_.set_title("All units")
    return model.score(unseen)


if __name__ == "__main__":
    main()
    plt.show()
