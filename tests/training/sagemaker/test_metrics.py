import re

from training.sagemaker.contract import metric_definitions, metric_lines


def test_each_definition_finds_its_own_metric_in_the_log():
    metrics = {"accuracy": 0.8125, "macro_f1": 1.5e-07, "train_examples": 12000.0, "validation_examples": 3.0}
    log = "\n".join([*metric_lines("product", metrics), *metric_lines("issue", {"accuracy": 0.5})])
    found = {
        definition["Name"]: [float(value) for value in re.findall(definition["Regex"], log)]
        for definition in metric_definitions(["product", "issue"])
    }
    assert {name: values for name, values in found.items() if values} == {
        **{f"product:{name}": [value] for name, value in metrics.items()},
        "issue:accuracy": [0.5],
    }
