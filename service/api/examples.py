"""Examples of answers, for the API's description of itself. A test holds them to the shapes."""

from typing import Any

Json = dict[str, Any]

STEP: Json = {
    "step": 1,
    "target_ts": "2026-11-23T13:00:00Z",
    "mean": 50.8,
    "naive": 50.6,
    "intervals": {"80": [48.1, 53.5], "95": [46.4, 55.2]},
}
SCORE: Json = {
    "scored_steps": 4032,
    "pending_steps": 288,
    "mae": 2.31,
    "naive_mae": 2.86,
    "skill": 0.192,
    "mase": None,
    "coverage": None,
    "by_step": None,
}
SERIES: Json = {
    "name": "cpu_percent",
    "panel": "host",
    "interval": "1h",
    "horizon": 24,
    "status": "fresh",
    "reason": "made from the newest observation",
    "newest": {"ts": "2026-11-23T12:00:00Z", "value": 50.6},
    "data_age_s": 75,
    "next": STEP,
    "model": "rnn",
    "model_version": 12,
    "score_7d": SCORE,
    "last_refit": {
        "started": "2026-11-23T02:00:00Z",
        "ended": "2026-11-23T02:00:19Z",
        "outcome": "ok",
        "reason": "version 12 (rnn) promoted",
    },
    "next_refit": "2026-11-24T02:00:00Z",
    "history": None,
    "ahead": None,
}
SERIES_LIST: Json = {"series": [SERIES], "next": None}
SERIES_CSV = (
    "unique_id,panel,interval,horizon,status,ds,y,next_ds,next_yhat,model,model_version,"
    "scored_steps_7d,mae_7d,naive_mae_7d,next_refit,reason\n"
    "cpu_percent,host,1h,24,fresh,2026-11-23T12:00:00Z,50.6,2026-11-23T13:00:00Z,50.8,rnn,12,"
    "4032,2.31,2.86,2026-11-24T02:00:00Z,made from the newest observation\n"
)
OBSERVATIONS: Json = {
    "series": "cpu_percent",
    "as_of": "2026-11-23T13:01:15Z",
    "observations": [{"ts": "2026-11-23T12:00:00Z", "value": 50.6}],
}
OBSERVATIONS_CSV = "unique_id,ds,y\ncpu_percent,2026-11-23T12:00:00Z,50.6\n"
LATEST: Json = {
    "series": "cpu_percent",
    "panel": "host",
    "status": "fresh",
    "reason": "made from the newest observation",
    "until": "2026-11-23T16:00:00Z",
    "ages": {"data_s": 75, "forecast_s": 74, "model_s": 39675},
    "issued_at": "2026-11-23T13:00:01.250000Z",
    "cutoff": "2026-11-23T12:00:00Z",
    "model": "rnn",
    "model_version": 12,
    "model_trained_at": "2026-11-23T02:00:00Z",
    "steps": [STEP],
}
BULK: Json = {"forecasts": [LATEST]}
LATEST_CSV = (
    "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95,naive,step,issued_at,model,model_version,status,reason\n"
    "cpu_percent,2026-11-23T13:00:00Z,2026-11-23T12:00:00Z,50.8,48.1,53.5,46.4,55.2,50.6,1,"
    "2026-11-23T13:00:01.250000Z,rnn,12,fresh,made from the newest observation\n"
)
LEDGER: Json = {
    "series": "cpu_percent",
    "panel": "host",
    "status": "fresh",
    "reason": "made from the newest observation",
    "forecasts": [
        {
            "issued_at": "2026-11-23T13:00:01.250000Z",
            "cutoff": "2026-11-23T12:00:00Z",
            "model": "rnn",
            "model_version": 12,
            "model_trained_at": "2026-11-23T02:00:00Z",
            "steps": [STEP],
        }
    ],
    "next": "NDcxMQ",
}
LEDGER_CSV = (
    "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95,naive,step,issued_at,model,model_version,status,reason\n"
    "cpu_percent,2026-11-23T13:00:00Z,2026-11-23T12:00:00Z,50.8,48.1,53.5,46.4,55.2,50.6,1,"
    "2026-11-23T13:00:01.250000Z,rnn,12,fresh,made from the newest observation\n"
)
SCORES: Json = {
    "series": "cpu_percent",
    "windows": {
        "7d": {
            **SCORE,
            "mase": 0.81,
            "coverage": {"80": 0.797, "95": 0.948},
            "by_step": [
                {
                    "step": 1,
                    "scored": 168,
                    "mae": 1.42,
                    "naive_mae": 1.6,
                    "mase": 0.5,
                    "skill": 0.112,
                    "coverage": {"80": 0.804, "95": 0.952},
                }
            ],
        }
    },
}
SCORES_CSV = (
    "unique_id,window,step,scored,pending,mae,naive_mae,skill,mase,coverage_80,coverage_95\n"
    "cpu_percent,7d,,4032,288,2.31,2.86,0.192,0.81,0.797,0.948\n"
    "cpu_percent,7d,1,168,,1.42,1.6,0.112,0.5,0.804,0.952\n"
)
MODELS: Json = {
    "series": "cpu_percent",
    "panel": "host",
    "models": [
        {
            "version": 12,
            "kind": "rnn",
            "trained_at": "2026-11-23T02:00:00Z",
            "cutoff": "2026-11-23T01:00:00Z",
            "standing": "serving",
            "verdict": "error 0.83 of the naive's, 4.1 standard errors below it",
            "promoted_at": "2026-11-23T02:00:19Z",
            "reason": "won its refit",
        }
    ],
}
MODELS_CSV = (
    "panel,version,kind,trained_at,cutoff,standing,verdict,promoted_at,reason\n"
    "host,12,rnn,2026-11-23T02:00:00Z,2026-11-23T01:00:00Z,serving,\"error 0.83 of the naive's, 4.1 standard errors"
    ' below it",2026-11-23T02:00:19Z,won its refit\n'
)
RUN: Json = {
    "id": 4711,
    "job": "fetch",
    "panel": "host",
    "due": "2026-11-23T13:00:00Z",
    "started": "2026-11-23T13:00:00.020000Z",
    "ended": "2026-11-23T13:00:00.310000Z",
    "duration_s": 0.29,
    "outcome": "ok",
    "reason": "3 new observations",
}
RUNS: Json = {"runs": [RUN], "next": None}
RUNS_CSV = (
    "id,job,panel,due,started,ended,duration_s,outcome,reason\n"
    "4711,fetch,host,2026-11-23T13:00:00Z,2026-11-23T13:00:00.020000Z,2026-11-23T13:00:00.310000Z,0.29,ok,"
    "3 new observations\n"
)
PANELS: Json = {
    "panels": [
        {
            "name": "host",
            "source": "host",
            "interval": "1h",
            "horizon": 24,
            "levels": [80, 95],
            "series": 3,
            "statuses": {"fresh": 3},
            "model": "rnn",
            "model_version": 12,
            "next_fetch": "2026-11-23T14:00:00Z",
            "next_refit": "2026-11-24T02:00:00Z",
            "last_runs": {"fetch": RUN, "score": None, "refit": None, "forecast": None},
        }
    ]
}
PANELS_CSV = (
    "panel,source,interval,horizon,series,fresh,stale,expired,no_model,insufficient_data,source_down,model,model_version,next_fetch,next_refit\n"
    "host,host,1h,24,3,3,0,0,0,0,0,rnn,12,2026-11-23T14:00:00Z,2026-11-24T02:00:00Z\n"
)


def _oops(code: str, message: str, hint: str) -> Json:
    return {"error": {"code": code, "message": message, "hint": hint}}


OOPS = {
    401: _oops("unauthorized", "this needs the token", "send the header Authorization: Bearer TOKEN"),
    404: _oops("unknown_series", "there is no series 'cpu'", "there are cpu_percent, memory_percent"),
    421: _oops(
        "wrong_host",
        "without a token only this machine is answered, and 'example.org' is not its name",
        "ask 127.0.0.1 or localhost, or set ROLLCAST_API__TOKEN",
    ),
    422: _oops("unknown_parameter", "there is no parameter 'max-age' here", "did you mean max_age?"),
    503: _oops("database_unreachable", "the database does not answer: disk I/O error", "ask again"),
}
