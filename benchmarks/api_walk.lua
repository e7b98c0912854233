-- Asks for the paths in a file, one after another and over again, and prints what came of it as JSON.
--
--     wrk … -s api_walk.lua URL -- PATHS [PAUSE]     PAUSE: ms that a connection rests between two requests

local requests, at = {}, 0

function init(arguments)
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
  local pause = tonumber(arguments[2] or 0)
  if pause > 0 then
    function delay()
      return pause
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local failed = {}
  for kind, count in pairs(summary.errors) do
    failed[#failed + 1] = string.format('"%s": %d', kind, count)
  end
  io.write(string.format(
    '\n{"requests": %d, "us": %d, "bytes": %d, "failed": {%s}, "p50": %f, "p99": %f}\n', summary.requests,
    summary.duration, summary.bytes, table.concat(failed, ", "), latency:percentile(50), latency:percentile(99)
  ))
end
