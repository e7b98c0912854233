"""What each source does with each fault, in words: the table of docs/sources.md, and what tests hold the sources to.

A cell begins with what becomes of the fetch:

- `fails`: the last good data stay, and the series are marked with the reason, and since when;
- `never`: the fault cannot strike this source;
- anything else: the fetch is good, and what it stores is right.

What stands in quotation marks is what the fetch's record says.
"""

import re

FAILS, NEVER = "fails", "never"
FAULTS = [
    "down",
    "slow",
    "429",
    "500",
    "garbage",
    "truncated",
    "duplicated",
    "reordered",
    "time-zone change",
    "forming bar",
    "revised history",
    "expired token",
]

ROWS = {  # what the contract does, whatever the source
    "duplicated": "once: “3 twice”",
    "reordered": "sorted: by time",
    "time-zone change": "exact: the doubled hour is told apart, “1 in an hour that the clocks skip”",
    "forming bar": "waits: “1 still forming”",
    "revised history": "revised: “2 revised”; what was known before stays beside it",
}
FILE = ROWS | {
    "down": "fails: “there is no file”",
    "slow": "fails: where a network share hangs, after `fetch_timeout`, “no answer within”",
    "429": "never: a file has no status",
    "500": "never: a file has no status",
    "garbage": "left out: “1 with too few fields”, “1 without a readable time”, “1 no number”",
    "truncated": "waits: “1 left for the next fetch, in a last line without its end”",
    "expired token": "never: a file needs none",
}
WEB = ROWS | {
    "down": "fails: “refuses the connection: check that it is running, and the port”",
    "slow": "fails: after `timeout`, “did not answer within”",
    "429": "fails: “answered 429 Too Many Requests”; left alone for a while, and as long as it asks for",
    "500": "fails: “answered 500 Internal Server Error: the server is in trouble”; left alone for a while",
    "garbage": "fails: “answered with a web page instead of data”",
    "truncated": "fails: “broke off its answer”",
    "expired token": "fails: “answered 401 Unauthorized: the token may have expired”",
}

CELLS = {
    "csv": FILE,
    "host": {
        "down": "fails: “this machine cannot be read: AccessDenied”",
        "slow": "fails: “no sample of this machine since”",
        "429": "never: there is no server",
        "500": "never: there is no server",
        "garbage": "zero: for a counter that has started again",
        "truncated": "never: nothing is sent",
        "duplicated": "never: an interval has one sample",
        "reordered": "never: samples are taken in order",
        "time-zone change": "never: samples are stamped in UTC",
        "forming bar": "waits: a sample is taken at its interval's end",
        "revised history": "never: there is no history",
        "expired token": "never: it needs none",
    },
    "http": WEB,
    "mqtt": ROWS
    | {
        "down": "fails: “cannot connect: Connection refused”; it connects again by itself",
        "slow": "fails: after `keepalive`, “the connection broke”; it connects again by itself",
        "429": "never: it is not asked, it sends",
        "500": "never: it is not asked, it sends",
        "garbage": "left out: “1 no JSON”, “1 without a readable time”, “1 no number”",
        "truncated": "left out: “1 no JSON”",
        "revised history": "revised: “1 revised” in the newest stored interval; in older ones “1 too late”",
        "expired token": "fails: “the broker refuses the connection: Not authorized”; it tries again by itself",
    },
    "prometheus": WEB
    | {
        "duplicated": "once: a sample that is written twice is one",
        "time-zone change": "exact: a day ends at the panel's midnight, after 23 hours or 25",
        "forming bar": "waits: an interval is evaluated once it has ended",
    },
    "replay": FILE | {"time-zone change": "once: times count as written, “1 replaced by a later row of the same time”"},
    "sql": ROWS
    | {
        "down": "fails: “cannot connect to the database”",
        "slow": "fails: after `timeout`, “the database took longer than its timeout of”",
        "429": "fails: where connections run out, “too many connections”",
        "500": "fails: where the query does, “the query failed: ”",
        "garbage": "left out: “1 no number”",
        "truncated": "fails: “the query failed: ”",
        "expired token": "fails: “password authentication failed”",
    },
    "yfinance": ROWS
    | {
        "down": "fails: “Yahoo does not answer”",
        "slow": "fails: after 10 s, or where all of Yahoo hangs after `fetch_timeout`, “no answer within”",
        "429": "fails: “Yahoo limits the rate of requests (HTTP 429)”; left alone for a while",
        "500": "fails: “Yahoo answered with a page instead of data”; left alone for a while",
        "garbage": "fails: “Yahoo answered with a page instead of data”; left alone for a while",
        "truncated": "fails: “Yahoo answered with a page instead of data”; left alone for a while",
        "duplicated": "once: the client drops the second",
        "time-zone change": "exact: a day is its date at the exchange",
        "expired token": "renewed: by the client",
    },
}


def cells(*faults):
    """The (source, fault) that can happen, of some faults."""
    return [(source, fault) for source in CELLS for fault in faults if not CELLS[source][fault].startswith(NEVER)]


def told(source, fault):
    """What the fetch's record says."""
    return re.findall(r"“(.+?)”", CELLS[source][fault])


def overview():
    """What becomes of each fetch, in a word, as a table in Markdown."""
    words = {source: [_first_word(cell[fault]) for fault in FAULTS] for source, cell in CELLS.items()}
    return _markdown([["", *FAULTS], *([f"`{source}`", *row] for source, row in words.items())])


def table(source):
    """What a source does with each fault, as a table in Markdown."""
    return _markdown([["fault", "what happens"], *([fault, CELLS[source][fault]] for fault in FAULTS)])


def _first_word(cell):
    word = cell.partition(":")[0]
    return "–" if word == NEVER else word


def _markdown(rows):
    header, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([header, "|" + "---|" * len(rows[0]), *body])
