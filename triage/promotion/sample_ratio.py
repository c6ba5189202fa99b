"""Whether the arms receive what they should, asked at any time.

A Dirichlet mixture against the intended shares (Lindon and Malek, Anytime-valid inference for multinomial count data,
2022): its inverse is a p-value that may be looked at after every complaint.
"""

import math
from collections.abc import Mapping

CONCENTRATION = 100.0
"""Of the prior around the intended shares: mismatches of a few points are found soonest."""


def mismatch_p_value(counts: Mapping[str, int], intended: Mapping[str, float]) -> float:
    """The probability of counts as far off as these, at some moment, if the shares are as intended.

    intended: shares that sum to one, of every counted arm. A complaint in an arm without a share is a certain mismatch.
    """
    if any(count and not intended.get(arm) for arm, count in counts.items()):
        return 0.0
    shares = {arm: share for arm, share in intended.items() if share}
    total = sum(counts.get(arm, 0) for arm in shares)
    prior = {arm: CONCENTRATION * share for arm, share in shares.items()}
    evidence = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + total)
    for arm, share in shares.items():
        count = counts.get(arm, 0)
        evidence += math.lgamma(prior[arm] + count) - math.lgamma(prior[arm]) - count * math.log(share)
    return math.exp(-max(0.0, evidence))
