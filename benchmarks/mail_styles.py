"""One complaint as the mail programs of its writer send it, below or above the answer of the bank that they quote."""

import html
import quopri
from collections.abc import Callable, Mapping

DATE = "Mon, Jan 5, 2026 at 3:15 PM"
BANK = "Acme Bank <help@bank.example>"
ESCAPED = html.escape(BANK)

Style = Callable[[str, str], str]
"""Returns the mail. The first argument is the complaint, the second the older message."""


def _paragraphs(text: str, element: str, attributes: str = "") -> str:
    lines = (html.escape(line, quote=False) or "<br>" for line in text.splitlines())
    return "".join(f"<{element}{attributes}>{line}</{element}>\n" for line in lines)


def _angled(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _as_written(new: str, old: str) -> str:
    return new


def _gmail(new: str, old: str) -> str:
    attribution = f'<div dir="ltr" class="gmail_attr">On {DATE} {ESCAPED} wrote:<br></div>'
    quote = f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{_paragraphs(old, "div")}</blockquote>'
    signature = '<div class="gmail_signature"><b>Jane Roe</b><br>12 High Street</div>'
    written = _paragraphs(new, "div")
    return f'<div dir="ltr">{written}</div><br>{signature}<div class="gmail_quote">{attribution}{quote}</div>'


def _outlook(new: str, old: str) -> str:
    head = "<head><style><!-- p.MsoNormal {margin:0in; color:#1F497D} --></style></head>"
    office = '<!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026"/></xml><![endif]-->'
    mso = ' class="MsoNormal" style="mso-margin-top-alt:auto"'
    headers = (
        f"<b>From:</b> {ESCAPED}<br><b>Sent:</b> Monday, January 5, 2026<br><b>To:</b> Jane<br><b>Subject:</b> Loan"
    )
    signature = _paragraphs("Kind regards,\nJane Roe", "p", mso)
    above = f'<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p{mso}>{headers}</p></div>'
    quote = above + _paragraphs(old, "p", mso)
    written = _paragraphs(new, "p", mso)
    return f'<html xmlns:o="urn:o">{head}<body>{office}<div>{written}{signature}{quote}</div></body></html>'


def _outlook_web(new: str, old: str) -> str:
    headers = f"<b>From:</b> {ESCAPED}<br><b>Sent:</b> Monday<br><b>To:</b> Jane"
    quote = f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{headers}</div>{_paragraphs(old, "div")}'
    return f"<html><body>{_paragraphs(new, 'div')}{quote}</body></html>"


def _apple(new: str, old: str) -> str:
    attribution = f"<div>On Jan 5, 2026, at 3:15 PM, {ESCAPED} wrote:</div>"
    quote = f'<blockquote type="cite">{attribution}{_paragraphs(old, "div")}</blockquote>'
    return f"<html><body>{_paragraphs(new, 'div')}<br>{quote}<br><div>Sent from my iPhone</div></body></html>"


def _yahoo(new: str, old: str) -> str:
    quote = f"<div>On Monday, January 5, 2026 at 03:15 PM, {ESCAPED} wrote:</div>{_paragraphs(old, 'p')}"
    return f'<div class="yahoo-style-wrap">{_paragraphs(new, "div")}</div><div class="ydp yahoo_quoted">{quote}</div>'


def _thunderbird(new: str, old: str) -> str:
    prefix = '<div class="moz-cite-prefix">On 1/5/26 15:15, Acme Bank wrote:<br></div>'
    quote = f'<blockquote type="cite"><pre wrap="">{html.escape(old)}</pre></blockquote>'
    return f'{_paragraphs(new, "p")}{prefix}{quote}<pre class="moz-signature">-- \nJane Roe</pre>'


def _forwarded(new: str, old: str) -> str:
    """The complaint is what is forwarded: the older message stands below it."""
    first = f"---------- Forwarded message ---------\nFrom: Jane Roe\nDate: {DATE}\nSubject: Loan\nTo: {BANK}\n\n{new}"
    return f"{first}\n\nFrom: {BANK}\nSent: Monday\nTo: Jane\nSubject: Loan\n\n{old}"


def _bottom(new: str, old: str) -> str:
    return f"On {DATE} {BANK}\nwrote:\n\n{_angled(old)}\n\n{new}\n\n-- \nJane Roe"


def _inline(new: str, old: str) -> str:
    answers, asked = new.splitlines(), _angled(old).splitlines()
    half = len(asked) // 2 or 1
    first, second = answers[: len(answers) // 2], answers[len(answers) // 2 :]
    lines = [f"On {DATE} {BANK} wrote:", *asked[:half], *first, *asked[half:], *second]
    return "\n".join(lines)


def _whole(new: str, old: str) -> str:
    body = quopri.encodestring(_gmail(new, old).encode()).decode()
    headers = "From: Jane Roe <jane@mail.example>\nSubject: Complaint\nMIME-Version: 1.0\n"
    part = f"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n{body}"
    plain = "Content-Type: text/plain; charset=utf-8\n\nThis mail is HTML."
    return f'{headers}Content-Type: multipart/alternative; boundary="b1"\n\n--b1\n{plain}\n--b1\n{part}\n--b1--\n'


def _plain(new: str, old: str) -> str:
    return f"{new}\n\n-- \nJane Roe\n\nOn {DATE} {BANK} wrote:\n\n{_angled(old)}"


def _german(new: str, old: str) -> str:
    return f"{new}\n\nVon: {BANK}\nGesendet: Montag, 5. Januar 2026 15:15\nAn: Jane\nBetreff: AW: Darlehen\n\n{old}"


def _spanish(new: str, old: str) -> str:
    return f"{new}\n\nEl lun, 5 ene 2026 a las 15:15, {BANK} escribió:\n\n{_angled(old)}"


STYLES: Mapping[str, Style] = {
    "plain letter": _as_written,
    "Gmail": _gmail,
    "Outlook": _outlook,
    "Outlook on the web": _outlook_web,
    "Apple Mail": _apple,
    "Yahoo": _yahoo,
    "Thunderbird": _thunderbird,
    "forwarded": _forwarded,
    "answer below": _bottom,
    "answer between": _inline,
    "whole mail, encoded": _whole,
    "plain thread, signed": _plain,
    "German headers": _german,
    "Spanish headers": _spanish,
}
