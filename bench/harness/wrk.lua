-- Sends the requests of a file one after the other, each once, and prints what came of it as one line of JSON.
-- The file: whole HTTP requests, divided by NUL. Arguments: its path.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  requests, position = {}, 0
  local start = 1
  while true do
    local stop = text:find("\0", start, true)
    if stop == nil then break end
    requests[#requests + 1] = text:sub(start, stop - 1)
    start = stop + 1
  end
end

function request()
  position = position + 1
  if position > #requests then
    -- More was asked for than was prepared: the harness tells, and prepares more.
    wrk.thread:stop()
    return requests[#requests]
  end
  return requests[position]
end

function done(summary, latency)
  local stat = io.open("/proc/self/stat"):read("*a"):gsub("^.*%) ", "")
  local fields = {}
  for field in stat:gmatch("%S+") do fields[#fields + 1] = field end
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50":%.3f,"p99":%.3f,"ticks":%d}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, fields[12] + fields[13]))
end
