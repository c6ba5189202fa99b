"""CDK entry point: `cdk synth -c environment=dev`."""

import sys
from dataclasses import replace

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.application import Application
from stacks.settings import SETTINGS

app = App()
environment = app.node.try_get_context("environment") or "local"
if environment not in SETTINGS:
    sys.exit(f"there is no environment {environment!r}: name one of {', '.join(SETTINGS)} by -c environment=")
settings = SETTINGS[environment]
for named_at_synthesis in ("hub_endpoint", "permissions_boundary"):
    value = app.node.try_get_context(named_at_synthesis)
    if value:
        settings = replace(settings, **{named_at_synthesis: value})
Application(app, f"Complaints-{settings.environment}", settings=settings)
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
