-- wrk's script: every request posts another comment, so that no rule about repeats or floods speaks.
-- Arguments: the path ("PAGE" stands for the page's number), the site's key, the file of words, and
-- a number that no other run has.

local path, authorization, run
local words = {}
local number = 0

function init(args)
  path, authorization, run = args[1], "Bearer " .. args[2], tonumber(args[4])
  for word in io.open(args[3]):read("*a"):gmatch("%S+") do
    words[#words + 1] = word
  end
  math.randomseed(run)
end

local function text()
  local chosen = {}
  for place = 1, math.random(10, 90) do
    chosen[place] = words[math.random(#words)]
  end
  return table.concat(chosen, " ")
end

function request()
  number = number + 1
  local page = number % 50
  -- Each server takes the fields that it knows.
  local body = string.format(
    '{"page":"/article/%d","title":"Article %d","name":"Reader %d","author":"Reader %d",'
      .. '"email":"reader-%d-%d@example.org","ip":"2001:db8::%x:%x:%x","text":"%s."}',
    page, page, number, number, run, number, run, math.floor(number / 65536), number % 65536, text()
  )
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = authorization }
  return wrk.format("POST", (path:gsub("PAGE", page)), headers, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"failed":%d,"p50_ms":%f,"p99_ms":%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
