from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cli import options
from cli.cost.plan import Plan, Prices, workload
from cli.environments import EnvironmentName
from cli.errors import WrongUsageError
from cli.output import err, out, print_json, print_table
from cli.templates import synthesised


def cost(
    plan: Annotated[
        bool, typer.Option("--plan", help="Compute the cost from the templates and the price list.")
    ] = False,
    per_day: Annotated[
        list[int] | None, typer.Option(min=0, help="Complaints a day; may be given more than once.", show_default=False)
    ] = None,
    env: options.Environment = "prod",
    as_json: options.AsJson = False,
) -> None:
    """Say what an environment costs a month, before it is deployed. By default at 3,000 and 15,000 complaints a day."""
    if not plan:
        raise WrongUsageError("state --plan: what a deployment has cost until now is in AWS Cost Explorer")
    work, prices = workload(), Prices.load()
    volumes = per_day or work["per_day"]
    with TemporaryDirectory() as folder, err.status("Synthesising the templates"):
        templates = synthesised(_priced(env), Path(folder))
        costs = [Plan(templates, prices, work, volume).services() for volume in volumes]
        retention = Plan(templates, prices, work, 0).retention_days
    totals = [sum(found.values()) for found in costs]
    if as_json:
        print_json(
            {
                "environment": env,
                "dated": prices.dated,
                "currency": "USD",
                "per_day": volumes,
                "services": {name: [round(found[name], 2) for found in costs] for name in costs[0]},
                "total": [round(total, 2) for total in totals],
                "prices_of_other_regions": prices.of_other_regions,
                "quoted_prices": prices.quoted,
            }
        )
        return
    title = f"US dollars a month for {env}, prices of {prices.dated}"
    rows = [(name, *(f"{found[name]:,.2f}" for found in costs)) for name in costs[0]]
    rows.append(("total", *(f"{total:,.2f}" for total in totals)))
    print_table(title, ("service", *(f"at {volume:,} complaints a day" for volume in volumes)), rows)
    out.print(
        f"Storage is that after {retention} days of retention. Free tiers and tax "
        f"are left out. {len(prices.of_other_regions)} of {len(prices.of)} prices are of another region than "
        f"{prices.region}, and {len(prices.quoted)} are quoted by others: see cli/cost/prices.json.",
        soft_wrap=True,
    )


def _priced(environment: EnvironmentName) -> EnvironmentName:
    if environment == "local":
        raise WrongUsageError("the embedded AWS costs nothing: use --env dev or --env prod")
    return environment
