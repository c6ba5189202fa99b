"""One environment: its layers, in two stacks."""

from aws_cdk import CliCredentialsStackSynthesizer, DefaultStackSynthesizer, Environment, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.alarms import Alarms
from stacks.audit import Audit
from stacks.consumers import Consumers, Published
from stacks.data import Data
from stacks.explanations import Explanations
from stacks.feedback import Feedback
from stacks.function import Foundation
from stacks.intake import Intake
from stacks.mlops import MLOps
from stacks.orchestration import Inference, Orchestration
from stacks.packages import Packages
from stacks.promotion import Promotion
from stacks.settings import Settings
from stacks.shadows import Shadows
from stacks.trail import Trail


class Application(Construct):
    """`Stateful` holds data and is kept. `Stateless` can be destroyed and built again."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.stateful = self._stack("Stateful", settings, protected=settings.protected)
        self.stateless = self._stack("Stateless", settings, protected=False)

        if settings.permissions_boundary is not None:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(
                self.stateless, "Boundary", settings.permissions_boundary
            )
            iam.PermissionsBoundary.of(self).apply(boundary)

        data = Data(self.stateful, "Data", settings=settings)
        packages = Packages(self.stateless, "Packages", settings=settings)
        base = Foundation(data, packages, settings)
        inference = Inference(self.stateless, "Inference", base=base)
        orchestration = Orchestration(
            self.stateless, "Orchestration", data=data, inference=inference, settings=settings
        )
        intake = Intake(self.stateless, "Intake", base=base, state_machine=orchestration.state_machine)
        shadows = Shadows(self.stateless, "Shadows", base=base)
        mlops = MLOps(self.stateless, "MLOps", base=base)
        feedback = Feedback(self.stateless, "Feedback", base=base)
        promotion = Promotion(self.stateless, "Promotion", base=base)
        explanations = Explanations(self.stateless, "Explanations", base=base)
        audit = Audit(self.stateless, "Audit", base=base)
        if data.trails is not None:
            invoked = (audit.read_narrative, audit.erase, audit.hold, explanations.deliver_explanation)
            Trail(self.stateless, "Trail", data=data, store=data.trails, invoked=invoked, settings=settings)
        consumers = Consumers(self.stateless, "Consumers", data=data, settings=settings)
        alarms = Alarms(
            self.stateless,
            "Alarms",
            data=data,
            machines={
                "Executions": orchestration.state_machine,
                "Shadows": shadows.state_machine,
                "Promotions": promotion.state_machine,
                "Explanations": explanations.state_machine,
            },
            triggered=(
                *(intake.intake, intake.sweep, audit.seal, audit.keep_held),
                *(feedback.feedback, mlops.mirror, promotion.schedule_promotions),
            ),
            awaited=(inference.select_models, *inference.model_inference.values(), inference.allocate),
            busy=(intake.intake, audit.seal),
            shadows_start=shadows.start,
            settings=settings,
        )
        Published(
            self.stateless,
            "Published",
            settings=settings,
            names={
                **{table.spec.name.replace("_", "-") + "-table": table.table.table_name for table in data.tables},
                "bundles-bucket": data.bundles.bucket.bucket_name,
                "anchors-bucket": data.anchors.bucket.bucket_name,
                "evidence-bucket": data.evidence.bucket.bucket_name,
                "second-approver": "yes" if settings.second_approver else "no",
                "alarms-topic": alarms.topic.topic_arn,
                "bus": data.bus.event_bus_name,
                "retention-days": str(settings.retention_days),
                "parked-queue": data.parked.queue_url,
                "undelivered-bucket": data.undelivered.store.bucket.bucket_name,
                "undelivered-queue": data.undelivered.queue.queue_url,
                "promotion-machine": promotion.state_machine.state_machine_arn,
                "state-machine": orchestration.state_machine.state_machine_arn,
                "product-team-role": consumers.role.role_arn,
                "auditor-role": audit.auditor.role_arn,
                "privacy-officer-role": audit.privacy_officer.role_arn,
                "erase-function": audit.erase.function_name,
                "read-narrative-function": audit.read_narrative.function_name,
                "hold-function": audit.hold.function_name,
                "keep-held-function": audit.keep_held.function_name,
                "explainer-role": explanations.role.role_arn,
                "explanation-state-machine": explanations.state_machine.state_machine_arn,
                "deliver-explanation-function": explanations.deliver_explanation.function_name,
                "sweep-function": intake.sweep.function_name,
                "mirror-function": mlops.mirror.function_name,
            },
        )

    def _stack(self, construct_id: str, settings: Settings, *, protected: bool) -> Stack:
        return Stack(
            self,
            construct_id,
            stack_name=f"{self.node.id}-{construct_id}",
            env=Environment(region=settings.region),
            termination_protection=protected,
            synthesizer=CliCredentialsStackSynthesizer() if settings.cli_credentials else DefaultStackSynthesizer(),
        )
