"""Number formats, the same on every page and in the terminal. An unknown value is shown as `-`."""


def points(change: float | None) -> str:
    """Return a difference of probabilities in percentage points.

    >>> points(0.0316), points(-0.1), points(None)
    ('+3.2', '-10.0', '-')
    """
    return "-" if change is None else f"{100 * change:+.1f}"


def percent(share: float | None) -> str:
    """
    >>> percent(0.8049), percent(None)
    ('80.5 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def p_value(value: float) -> str:
    """
    >>> p_value(0.0234), p_value(0.00001), p_value(1.0)
    ('0.023', '< 0.001', '1.000')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def number(value: float | None, form: str = ",.0f") -> str:
    """
    >>> number(12345.6), number(0.04567, ".3f"), number(None)
    ('12,346', '0.046', '-')
    """
    return "-" if value is None else format(value, form)
