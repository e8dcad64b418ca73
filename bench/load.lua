-- What wrk sends: load.lua JOB TOKENS [EXTRA]. TOKENS is a file with one token a line; jobs are below.
-- Prints one JSON line at the end.
local job, tokens, extra, number = nil, {}, nil, 0
local ready = {}

local function get(path, token)
	return wrk.format("GET", path, token and { Host = wrk.host, Authorization = "Bearer " .. token } or { Host = wrk.host })
end

function init(args)
	job, extra = args[1], args[3]
	for line in io.lines(args[2]) do
		tokens[#tokens + 1] = line
	end
	math.randomseed(7)
	if job == "key" or job == "mix" then
		for i = 1, 2000 do
			local id = math.random(1, 999999)
			if id % 10 == 0 then id = id + 1 end
			local token = tokens[1]
			if job == "mix" and i % 10 == 0 then token = token:sub(1, -6) .. string.format("%05d", i) end
			ready[i] = get("/api/books/" .. id, token)
		end
	elseif job == "first" or job == "cycle" then
		for i, token in ipairs(tokens) do
			ready[i] = get("/me", token)
		end
	elseif job == "login" then
		ready[1] = wrk.format("POST", "/token", { Host = wrk.host, ["Content-Type"] = "application/x-www-form-urlencoded" }, extra)
	elseif job == "fresh" then
		ready[1] = wrk.format("GET", extra, { Host = wrk.host, Authorization = "Bearer " .. tokens[1], Connection = "close" })
	else
		ready[1] = get(extra or "/", job == "plain" and nil or tokens[1])
	end
end

function request()
	number = number + 1
	if job == "first" and number > #ready then
		wrk.thread:stop()
		return ready[#ready]
	end
	return ready[(number - 1) % #ready + 1]
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"status":%d,"socket":%d}\n', summary.requests, summary.duration,
		latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
