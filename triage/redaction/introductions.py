"""Words after which people are named."""

import re
from typing import Literal

Strength = Literal["surely", "perhaps"]
"""surely: whatever is no word of complaints is a name. perhaps: only with a capital, or known as a first name."""

_TITLE = r"(?:mr|mrs|ms|mx|dr|prof|professor|sir|dame|sgt|capt)\b\.?"
_NAMED = (
    r"names?(?:'s)?(?: (?:is|was|being)| ?:| ?=)|goes by|go by"
    r"|(?:cardholder|borrower|account ?holder|debtor|complainant|claimant|beneficiary|attn|attention|contact|signed) ?:"
)
_SPOKEN = (
    r"(?:sp[eo]ak(?:ing)?|spoken?|talk(?:ed|ing|s)?|met|dealt|dealing|chat(?:ted|ting)?|on the phone|call)"
    r" (?:briefly )?(?:with|to)|told by|helped by|assisted by|transferred (?:me )?to|through to"
    r"|on behalf of|the name|asked (?:me )?for"
    r"|(?:then|and|or) (?:to|with|by)|written by|signed(?: by| as)?|attn|per"
)
_ROLE = (
    r"representatives?|reps?|agents?|employees?|supervisors?|managers?|advis[eo]rs?|officers?|bankers?|tellers?"
    r"|attorneys?|lawyers?|clerks?|specialists?|operators?|associates?|handlers?|person|lady|man|gentleman|guy|woman"
    r"|someone|nurse|carer|judge"
)
_CALLED = (
    rf"(?:(?:{_ROLE}|person|people) (?:there )?called|by the name of"
    r"|(?<!company )(?<!companies )(?<!business )(?<!agency )(?<!firm )(?<!place )named)"
)
_KIN = (
    r"(?:my|our|his|her|the)(?: (?:late|ex|dear|elderly|own|oldest|youngest|younger|older|other))*[ -]"
    r"(?:husband|wife|son|daughter|mother|father|mum|mom|dad|brother|sister|partner|spouse|fianc[eé]e?|friend|girlfriend"
    r"|boyfriend|uncle|aunt|cousin|nephew|niece|grand(?:mother|father|son|daughter|ma|pa)|roommate|neighbou?r"
    r"|boss|landlord|tenant|step(?:son|daughter|father|mother))(?:-in-law)?"
)
_SELF = r"i am|i'm|im|i\N{RIGHT SINGLE QUOTATION MARK}m|this is|it is|i|we"
_GREETING = r"dear|hello|hi|hey|good (?:morning|afternoon|evening)"
_CLOSING = (
    r"sincerely(?: yours)?|faithfully|yours(?: truly)?|regards|respectfully(?: submitted| yours)?|thanks|thank you"
    r"|cheers|best wishes|many thanks|best|cordially|gratefully|signature|/s/"
)

_AFTER = r"(?!\w)[ \t]{0,2}[:,;!(\"-]{0,2}\s{0,4}(?=[^\W\d_])"
_SURELY = re.compile(rf"(?<!\w)(?:{_TITLE}\s{{1,2}}(?=[^\W\d_])|(?:{_NAMED}){_AFTER})", re.IGNORECASE)
_PERHAPS = re.compile(
    rf"(?<!\w)(?:{_SPOKEN}|{_CALLED}|{_ROLE}|{_KIN}|{_SELF}|{_GREETING}|{_CLOSING}|miss|representing){_AFTER}",
    re.IGNORECASE,
)


def introductions(text: str) -> dict[int, Strength]:
    """How strongly a name is to be expected, by the position where it would begin."""
    found: dict[int, Strength] = {match.end(): "perhaps" for match in _PERHAPS.finditer(text)}
    found |= {match.end(): "surely" for match in _SURELY.finditer(text)}
    return found
