"""When the bank has to have answered a complaint: its regulatory clock, which the product picks.

The clock runs from the day of receipt and never starts again. The rules are data, in `clocks.toml`; business days are
those of the library `holidays`.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self
from zoneinfo import ZoneInfo

from triage.complaint import timestamp
from triage.contracts import Contract, Day

if TYPE_CHECKING:
    from holidays.countries.united_kingdom import UnitedKingdom

Kind = Literal["payment-services", "standard"]

FIRST_RULES: Final = date(2001, 12, 1)
"""Since when the Handbook knows complaints. An earlier day of receipt is a mistake of whoever wrote it."""

END_OF_DAY: Final = time(23, 59, 59)


class Clock(Contract):
    """What an allocation says about time. Each `…_at` is the last second in which it is not too late, in UTC.

    received_on: the day of receipt where the bank answers. summary_at: until then the complaint may be resolved without
    a final response. due_at: until then it needs the final response. extended_at: the same in exceptional
    circumstances, where the rule knows any. version: of the rules.
    """

    kind: Kind
    received_on: Day
    summary_at: str
    due_at: str
    extended_at: str | None = None
    version: str


@dataclass(frozen=True)
class Rule:
    """Either business days or weeks after the day of receipt."""

    kind: Kind
    products: tuple[str, ...]
    business_days: int | None
    extended_business_days: int | None
    weeks: int | None


@dataclass(frozen=True)
class Rules:
    version: str
    zone: ZoneInfo
    part: str
    summary_business_days: int
    rules: tuple[Rule, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises: ValueError, KeyError or TypeError if the text is no set of rules, or a product has two."""
        stated = tomllib.loads(text)
        rules = tuple(
            Rule(
                kind=one["kind"],
                products=tuple(one["products"]),
                business_days=one.get("business_days"),
                extended_business_days=one.get("extended_business_days"),
                weeks=one.get("weeks"),
            )
            for one in stated["clock"]
        )
        if endless := [rule.kind for rule in rules if rule.business_days is None and rule.weeks is None]:
            raise ValueError(f"the clock {endless[0]} names neither business days nor weeks")
        claimed = [product for rule in rules for product in rule.products]
        if len(claimed) != len(set(claimed)):
            raise ValueError("a product has several clocks; name it once")
        zone, summary = ZoneInfo(stated["time_zone"]), stated["summary_business_days"]
        return cls(stated["version"], zone, stated["part"], summary, rules)

    def clock(self, product: str | None, received_on: date) -> Clock:
        """Return the clock of a product. Where no rule names it, the shortest runs until a person names the product."""
        rule = next((rule for rule in self.rules if product in rule.products), None)
        if rule is None:
            rule = min(self.rules, key=lambda one: self._last_day(one, received_on))
        extended = rule.extended_business_days
        return Clock(
            kind=rule.kind,
            received_on=received_on.isoformat(),
            summary_at=self._end(self._after(received_on, self.summary_business_days)),
            due_at=self._end(self._last_day(rule, received_on)),
            extended_at=self._end(self._after(received_on, extended)) if extended else None,
            version=self.version,
        )

    def day_of_receipt(self, stated: str | None, *, put_at: datetime) -> date:
        """Return the day of receipt. put_at: when the system had the complaint; it cannot have been received later.

        stated: as operations state it, which counts unless it lies after `put_at` or before there were any rules.
        """
        put_on = put_at.astimezone(self.zone).date()
        day = self._day(stated)
        return day if day is not None and FIRST_RULES <= day <= put_on else put_on

    def _day(self, stated: str | None) -> date | None:
        if stated is None:
            return None
        try:
            moment = datetime.fromisoformat(stated)
            # A time without a zone, and a day without a time, are of the place where the bank answers.
            return moment.astimezone(self.zone).date() if moment.tzinfo else moment.date()
        except (ValueError, OverflowError):
            return None

    def _last_day(self, rule: Rule, received_on: date) -> date:
        if rule.business_days is not None:
            return self._after(received_on, rule.business_days)
        return received_on + timedelta(weeks=rule.weeks or 0)

    def _after(self, day: date, business_days: int) -> date:
        """Return the business day with this number after a day, which itself does not count."""
        found: date = _holidays(self.part).get_nth_working_day(day, business_days)
        return found

    def _end(self, day: date) -> str:
        return timestamp(datetime.combine(day, END_OF_DAY, self.zone))


@cache
def _holidays(part: str) -> "UnitedKingdom":
    # Imported here, because it takes a tenth of a second, and most functions only read clocks.
    from holidays.countries.united_kingdom import UnitedKingdom

    return UnitedKingdom(subdiv=part)  # type: ignore[no-untyped-call]


@cache
def load_clocks() -> Rules:
    """Return the rules that were released with this code."""
    return Rules.read((Path(__file__).parent / "clocks.toml").read_text())
