-- wrk's script: every request is an Akismet comment-check of another comment.
-- Arguments: as those of comments.lua.

local path, key, run
local words = {}
local number = 0

function init(args)
  path, key, run = args[1], args[2], tonumber(args[4])
  for word in io.open(args[3]):read("*a"):gmatch("%S+") do
    words[#words + 1] = word
  end
  math.randomseed(run)
end

function request()
  number = number + 1
  local chosen = {}
  for place = 1, math.random(10, 90) do
    chosen[place] = words[math.random(#words)]
  end
  local body = string.format(
    "api_key=%s&blog=https%%3A%%2F%%2Fnews.example%%2F&user_ip=2001:db8::%x:%x:%x&comment_author=Reader+%d"
      .. "&comment_author_email=check-%d-%d%%40example.org&permalink=https%%3A%%2F%%2Fnews.example%%2F%d"
      .. "&comment_content=%s.",
    key, run, math.floor(number / 65536), number % 65536, number, run, number, number % 50,
    table.concat(chosen, "+")
  )
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  return wrk.format("POST", path, headers, body)
end

function response(status, headers, body)
  if body ~= "true" and body ~= "false" then
    io.stderr:write("answered: " .. body .. "\n")
  end
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
