"""CDK entry point: `cdk synth -c environment=dev`."""

from dataclasses import replace

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.application import Application
from stacks.settings import SETTINGS

app = App()
settings = SETTINGS[app.node.try_get_context("environment") or "local"]
hub_endpoint = app.node.try_get_context("hub_endpoint")
if hub_endpoint:
    settings = replace(settings, hub_endpoint=hub_endpoint)
Application(app, f"Complaints-{settings.environment}", settings=settings)
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
