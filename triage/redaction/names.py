"""Names of people: introduced by the words before them, or known from the lists.

A capital letter alone does not make a name: without an introduction or an entry in the lists a word stays, so that the
names of firms and products stay.
"""

import re
from collections.abc import Iterator
from typing import Literal

from triage.redaction.entities import Entity, Span
from triage.redaction.lexicon import FIRM_WORDS, Lexicon, Word, adjoin, firms, load_lexicon, words_of

Strength = Literal["surely", "perhaps"]
"""How certain it is that a name follows an introduction.

surely: any word that is not ordinary is a name. perhaps: only a word with a capital, or a known first name, is one.
"""

LONGEST = 5
"""The most words in a name."""

_PARTICLES = frozenset(
    {"van", "von", "de", "der", "den", "del", "della", "la", "le", "bin", "ibn", "al", "el", "da", "di", "dos"}
)
_PLACE_WORDS = frozenset(
    {"san", "santa", "st", "saint", "fort", "los", "las", "port", "lake", "mount", "new", "el", "hurricane"}
)

_DOINGS_OF_PEOPLE = """
    said told called answered replied promised assured transferred hung explained asked wrote advised informed
    confirmed apologised apologized insisted refused emailed phoned rang texted laughed agreed admitted suggested
"""
_DOINGS = frozenset(_DOINGS_OF_PEOPLE.split())
_OFTEN_OTHERS = """
    ally carmax zelle lexus camry mercedes dodge ford sonata genesis delta avis costa chelsea amber alert blessing
    america asia antonio angeles austin boston bradford brooklyn carolina charlotte cherry chester china cleveland
    dakota dallas denver devon dollar florence forest francisco georgia german golden grant houston hunter india
    jackson jefferson jersey junior justice kent kenya king lancaster lane liberty lincoln london lloyd lloyds lourdes
    madison memphis merrill miss minor missy montana morgan nelson norm orlando oscar paris phoenix porter preston
    prince princess raleigh royal salem santana santiago savannah sky spring stafford sterling summer sunny sydney
    taylor trinity troy tyler victoria virginia warwick winter young easter desire love lee may will china brook art
    guy pat stone
"""
_FIRMS_AND_PLACES = frozenset(_OFTEN_OTHERS.split())
"""First names that more often are something else, when no introduction stands before them."""

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
    """Return the positions at which a name is expected to begin, with the strength of the expectation."""
    found: dict[int, Strength] = {match.end(): "perhaps" for match in _PERHAPS.finditer(text)}
    found |= {match.end(): "surely" for match in _SURELY.finditer(text)}
    return found


def find_names(text: str) -> Iterator[Span]:
    yield from _Search(text).spans()


class _Search:
    """Reads the words of one text once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = words_of(text)
        self._expected = introductions(text)
        self._lexicon: Lexicon = load_lexicon()

    def spans(self) -> Iterator[Span]:
        place = 0
        while place < len(self._words):
            if length := self._firm(place):
                place += length
                continue
            if end := self._reversed(place):
                yield Span(self._words[place].start, self._words[end - 1].end, Entity.NAME)
                place = end
                continue
            expected = self._expected.get(self._words[place].start)
            if (expected and self._begins(place, expected)) or self._is_known(place):
                end = self._end(place, expected)
                if expected == "surely" or not self._is_of_a_firm(place, end):
                    yield Span(self._words[place].start, self._words[end - 1].end, Entity.NAME)
                place = end
            else:
                place += 1

    def _firm(self, place: int) -> int:
        """Return the number of words of a firm's name that begins here, or 0."""
        for rest in firms().get(self._words[place].text.lower(), ()):
            following = self._words[place + 1 : place + 1 + len(rest)]
            if tuple(word.text.lower() for word in following) == rest:
                return 1 + len(rest)
        return 0

    def _begins(self, place: int, expected: Strength) -> bool:
        word, lexicon = self._words[place], self._lexicon
        if word.is_scrubbed or word.is_brand or (len(word.text) == 1 and word.text.islower()):
            return False
        if word.is_initial:
            return self._leads_to_a_name(place)
        if word.is_capitalised and expected == "surely":
            return self._may_be_last(word)
        if word.is_capitalised:
            return self._may_be_first(word)
        if expected == "surely":
            return lexicon.is_name(word.text) or not lexicon.is_ordinary(word.text)
        return lexicon.is_given(word.text)

    def _leads_to_a_name(self, place: int) -> bool:
        """Whether one to three initials begin here, followed by a word that can be a last name."""
        for initial in range(place, place + 3):
            follower = self._follows(initial)
            if follower is None or not follower.is_initial:
                return follower is not None and follower.text[0].isupper() and self._may_be_last(follower)
        return False

    def _reversed(self, place: int) -> int:
        """Return the place after a name that begins with the last one, as in "O'Brien, Kevin"; 0 without one."""
        last, lexicon = self._words[place], self._lexicon
        if place + 1 >= len(self._words) or self._gap(place + 1) not in {", ", ",", " , "}:
            return 0
        given = self._words[place + 1]
        if not (last.text[0].isupper() and given.text[0].isupper() and lexicon.is_surname(last.text)):
            return 0
        if lexicon.is_ordinary(last.text) or last.is_scrubbed or given.is_scrubbed or given.is_brand:
            return 0
        if not lexicon.is_given(given.text) and not (lexicon.may_be_given(given.text) and self._begins_a_line(place)):
            return 0
        end = place + 2
        if self._follows(end - 1) and self._words[end].is_initial and self._words[end].text != "I":
            end += 1
        return end

    def _begins_a_line(self, place: int) -> bool:
        return place == 0 or bool(re.search(r"[:(\n]\s*$", self._gap(place)))

    def _speaks(self, place: int) -> bool:
        """Whether a person's doing follows the word, as in "Grace told me"."""
        follower = self._follows(place)
        return follower is not None and follower.text.lower() in _DOINGS

    def _is_known(self, place: int) -> bool:
        """Whether a name begins here that no words introduce."""
        word, lexicon = self._words[place], self._lexicon
        if word.is_scrubbed or any(
            near.text.lower() in _PLACE_WORDS for near in self._words[max(0, place - 1) : place + 1]
        ):
            return False
        follower = self._follows(place)
        is_last = follower is not None and lexicon.is_surname(follower.text) and not lexicon.is_ordinary(follower.text)
        if word.is_initial:
            return is_last and follower is not None and follower.is_capitalised
        if word.is_all_capitals:
            return follower is not None and lexicon.is_given(word.text) and lexicon.is_surname(follower.text)
        if not word.is_capitalised:
            return lexicon.is_given(word.text) and (is_last or self._is_apposed(place))
        if lexicon.is_given(word.text):
            return follower is None or not follower.is_capitalised or self._may_be_last(follower)
        if lexicon.may_be_given(word.text) and word.text.lower() not in _FIRMS_AND_PLACES:
            if self._speaks(place):
                return True
            if follower is not None and follower.is_capitalised and not follower.is_brand:
                unknown = not lexicon.is_ordinary(follower.text) and not follower.is_scrubbed
                return unknown or (is_last and self._may_be_first(word))
        return is_last and follower is not None and follower.is_capitalised and self._may_be_first(word)

    def _is_apposed(self, place: int) -> bool:
        """Whether commas enclose the word, as in "the lady at the desk, yolanda, said"."""
        return self._gap(place).startswith(",") and self._gap(place + 1).startswith(",")

    def _may_be_first(self, word: Word) -> bool:
        return self._lexicon.may_be_given(word.text) or not self._lexicon.is_ordinary(word.text)

    def _may_be_last(self, word: Word) -> bool:
        return self._lexicon.is_surname(word.text) or self._may_be_first(word)

    def _follows(self, place: int) -> Word | None:
        if place + 1 < len(self._words) and adjoin(self._text, self._words[place], self._words[place + 1]):
            return self._words[place + 1]
        return None

    def _end(self, place: int, expected: Strength | None) -> int:
        """Return the place after the last word of the name that begins here."""
        first, end = self._words[place], place + 1
        while end - place < LONGEST and self._follows(end - 1) and self._continues(end - 1, first, expected):
            end += 1
        return end

    def _continues(self, place: int, first: Word, expected: Strength | None) -> bool:
        """Whether the next word also belongs to the name that began with `first`."""
        word, lexicon = self._words[place + 1], self._lexicon
        if word.is_scrubbed:
            return False
        if word.is_initial:
            return word.text != "I" and (self._text[word.end : word.end + 1] == "." or self._leads_to_a_name(place + 1))
        if word.text.lower() in _PARTICLES:
            follower = self._follows(place + 1)
            return follower is not None and not follower.is_scrubbed and not lexicon.is_ordinary(follower.text)
        if word.is_capitalised:
            return self._may_be_last(word)
        if word.is_all_capitals:
            return first.text.isupper() and self._may_be_last(word)
        return first.text.islower() and (
            lexicon.is_name(word.text) or (expected is not None and not lexicon.is_ordinary(word.text))
        )

    def _is_of_a_firm(self, place: int, end: int) -> bool:
        """Whether the words around it show a firm's name: "Peter Roberts & Associates", "Lustig & Wilson, P.C."."""
        before, after = self._gap(place), self._gap(end)
        if "&" in (before.strip(), after.strip()):
            return True
        return end < len(self._words) and self._words[end].text.lower() in FIRM_WORDS and len(after) <= 3

    def _gap(self, place: int) -> str:
        """Return the text between a word and the word before it."""
        if not 0 < place < len(self._words):
            return ""
        return self._text[self._words[place - 1].end : self._words[place].start]
