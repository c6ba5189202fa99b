"""CDK entry point of `make delivery`: what GitHub Actions needs to deploy one environment of this repository."""

import sys

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.delivery import Delivery
from stacks.settings import SETTINGS

app = App()
environment = app.node.try_get_context("environment")
repository = app.node.try_get_context("repository")
if environment not in SETTINGS or SETTINGS[environment].cli_credentials:
    sys.exit(f"there is no environment {environment!r} on AWS: name dev or prod by -c environment=")
try:
    Delivery(app, "Complaints-Delivery", repository=repository or "", settings=SETTINGS[environment])
except ValueError as error:
    sys.exit(str(error))
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
