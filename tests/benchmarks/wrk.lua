-- Asks the requests of a file, separated by NUL, in turn; prints one line of JSON at the end.

local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("%Z+") do
    requests[#requests + 1] = request
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"count": %d, "seconds": %.6f, "median": %.7f, "p99": %.7f, "errors": %d}',
    summary.requests,
    summary.duration / 1e6,
    latency:percentile(50) / 1e6,
    latency:percentile(99) / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
