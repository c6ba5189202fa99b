from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.prepare import (
    LABELS,
    Example,
    Prepared,
    as_served,
    examples_of,
    fingerprint,
    generated_examples,
    prepare,
    require_validated,
    split,
)
from training.recipe import CONFIGS, Recipe, TaskRecipe, load_recipe

TINY = load_recipe(CONFIGS / "tiny.toml")


def any_examples(**counts: int) -> list[Example]:
    return [
        Example(text=f"{label} number {index}", labels={"product": label})
        for label, n in counts.items()
        for index in range(n)
    ]


def test_preparing_twice_gives_the_same():
    assert prepare(TINY) == prepare(TINY)


def test_another_seed_gives_other_data():
    assert prepare(TINY).fingerprint != prepare(TINY.model_copy(update={"seed": 8})).fingerprint


def test_no_text_is_on_both_sides():
    prepared = prepare(TINY, [*any_examples(card=20, loan=20), *any_examples(card=20)])
    assert not {example.text for example in prepared.train} & {example.text for example in prepared.validation}


def test_labels_are_sorted():
    assert prepare(TINY, any_examples(loan=4, card=4)).labels == {"product": ("card", "loan")}


def test_texts_are_cleaned_as_in_serving():
    examples = [Example("  two\x00 \n words ", {"product": "card"}), Example("other", {"product": "loan"})]
    assert {example.text for example in prepare(TINY, examples).train} == {"two words", "other"}


def test_personal_data_are_redacted_before_anything_is_learnt():
    examples = [*any_examples(card=4, loan=4), Example("Write to jane.roe@example.com", {"product": "card"})]
    prepared = prepare(TINY, examples)
    texts = {example.text for example in (*prepared.train, *prepared.validation)}
    assert as_served("Write to jane.roe@example.com") in texts
    assert not any("jane.roe" in text for text in texts)


def test_empty_texts_are_left_out():
    prepared = prepare(TINY, [*any_examples(card=4, loan=4), Example(" \n", {"product": "card"})])
    assert all(example.text for example in (*prepared.train, *prepared.validation))


def test_one_label_is_nothing_to_learn():
    with pytest.raises(ValueError, match="two labels"):
        prepare(TINY, any_examples(card=30))


def test_each_label_keeps_its_share():
    _, validation = split(any_examples(card=80, loan=20), share=0.25, seed=1, tasks=["product"])
    assert Counter(example.labels["product"] for example in validation) == {"card": 20, "loan": 5}


def test_a_label_seen_once_is_trained_on():
    train, validation = split(any_examples(card=1), share=0.9, seed=1, tasks=["product"])
    assert (len(train), len(validation)) == (1, 0)


def test_the_split_does_not_depend_on_the_order_of_the_examples():
    examples = any_examples(card=30, loan=30)
    first, other = (split(read, share=0.3, seed=5, tasks=["product"]) for read in (examples, examples[::-1]))
    assert first == other


def test_auxiliary_labels_do_not_affect_the_split():
    plain = any_examples(card=80, loan=20)
    fine = [Example(example.text, {**example.labels, "sub-issue": str(number)}) for number, example in enumerate(plain)]
    parts, finer = (split(read, share=0.25, seed=1, tasks=["product"]) for read in (plain, fine))
    assert [[each.text for each in part] for part in parts] == [[each.text for each in part] for part in finer]


def test_the_fingerprint_tells_the_two_parts_apart():
    examples = any_examples(card=2)
    assert fingerprint(examples, []) != fingerprint([], examples)


@pytest.mark.parametrize("task", LABELS)
def test_every_task_reads_its_label_off_generated_complaints(task):
    examples = generated_examples(TINY.model_copy(update={"tasks": {task: TINY.tasks["product"]}}))
    assert len(examples) == TINY.examples
    assert len({example.labels[task] for example in examples}) > 1


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=40),
    share=st.floats(0.05, 0.6),
    seed=st.integers(0, 2**16),
)
def test_a_near_duplicate_group_is_never_on_both_sides(sizes, share, seed):
    examples = [
        Example(text=f"{group} copy {copy}", labels={"product": f"label {group % 3}"}, group=group)
        for group, size in enumerate(sizes)
        for copy in range(size)
    ]
    train, validation = split(examples, share=share, seed=seed, tasks=["product"])
    assert not {example.group for example in train} & {example.group for example in validation}
    assert len(train) + len(validation) == len(examples)
    assert train


def test_a_label_that_no_source_states_is_absent():
    unknown = SimpleNamespace(narrative="Text", product="card", issue="fees", vulnerable=None)
    (example,) = examples_of([unknown], tasks=["product", "vulnerable"])
    assert example.labels == {"product": "card"}


@pytest.mark.parametrize(
    ("sub_product", "sub_issue", "expected"),
    [
        ("VA mortgage", "Debt is not yours", ["card: VA mortgage", "card: fees: Debt is not yours"]),
        (None, None, ["card", "card: fees"]),
    ],
)
def test_a_finer_label_names_what_it_belongs_to(sub_product, sub_issue, expected):
    known = SimpleNamespace(
        narrative="Text", product="card", issue="fees", sub_product=sub_product, sub_issue=sub_issue, vulnerable=None
    )
    (example,) = examples_of([known], tasks=["sub-product", "sub-issue"])
    assert list(example.labels.values()) == expected


def test_labels_are_counted_over_the_training_part():
    prepared = prepare(TINY, any_examples(card=40, loan=20))
    assert prepared.counts("product") == {"card": 30, "loan": 15}


def test_generated_complaints_cannot_be_split_by_time():
    with pytest.raises(ValueError, match="have no dates"):
        prepare(TINY.model_copy(update={"validate_on": "latest"}))


def test_a_task_without_known_labels_is_refused():
    with pytest.raises(ValueError, match="no label is known for the task 'tone'"):
        examples_of([], tasks=["product", "tone"])


def looking_for(label: str) -> Recipe:
    aim = TaskRecipe(balance=0.0, target_accuracy=0.9, positive_label=label, target_recall=0.6)
    return TINY.model_copy(update={"tasks": {"product": aim}})


@pytest.mark.parametrize(
    ("recipe", "validated", "reason"),
    [
        (TINY, [], "none of the complaints to validate on has a label for product"),
        (TINY, [Example("other", {"issue": "fees"})], "has a label for product"),
        (
            looking_for("Loan"),
            any_examples(loan=2),
            "no complaint has that label, only card, loan",
        ),
        (looking_for("card"), any_examples(loan=2), "is labelled 'card', which product looks for"),
    ],
    ids=["nothing", "another-task", "no-label", "not-there"],
)
def test_data_that_cannot_be_validated_are_refused_before_training(recipe, validated, reason):
    train = tuple(Example(f"learnt {one.text}", one.labels) for one in any_examples(card=5, loan=5))
    prepared = Prepared({"product": ("card", "loan")}, train, tuple(validated), fingerprint="any")
    with pytest.raises(ValueError, match=reason):
        require_validated(prepared, recipe)


def test_what_can_be_validated_is_not_refused():
    prepared = Prepared({"product": ("card", "loan")}, (), tuple(any_examples(card=1, loan=1)), fingerprint="any")
    require_validated(prepared, looking_for("card"))
