"""Training in a container of SageMaker, and the request that starts such a job.

SageMaker passes folders below `/opt/ml` and a file of hyperparameters; if its training toolkit is in the image, also
`SM_*` variables. `python -m training.sagemaker run` emulates this on any machine.
"""
