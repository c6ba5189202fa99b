"""Training under SageMaker's container contract, and the request that starts such a job.

The contract is folders below `/opt/ml`, a file of hyperparameters, and `SM_*` variables where the training toolkit is
in the image; it works without the toolkit. `python -m training.sagemaker run` emulates it on any machine.
"""
