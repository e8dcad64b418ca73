-- Asks Gatewarden (/auth) about each request before Apache handles it: mod_lua of Apache 2.4, and
-- the package lua-socket.
-- Only 200 lets a request through. 401, 403 and a redirect to the login go to the caller as they
-- are; whatever else comes, or does not come, is a 503.

local address, port = "127.0.0.1", 8080

local socket = require "socket"

-- What says who asks. Nothing else of a request is needed to decide about it.
local told = {
	"Accept", "Authorization", "Cookie", "DPoP", "Origin", "Sec-Fetch-Mode",
	"Sec-Fetch-Site", "traceparent", "User-Agent",
}
-- What the application learns of the caller, in whichever form the route asks for.
local identity = {
	["x-gatewarden-assertion"] = true, ["x-pomerium-jwt-assertion"] = true,
	["x-auth-request-user"] = true, ["x-auth-request-email"] = true,
	["x-auth-request-groups"] = true, ["x-auth-request-preferred-username"] = true,
	["x-forwarded-user"] = true, ["x-forwarded-email"] = true,
	["x-forwarded-groups"] = true, ["x-forwarded-preferred-username"] = true,
	["x-ms-client-principal"] = true, ["x-ms-client-principal-id"] = true,
	["x-ms-client-principal-name"] = true, ["x-ms-client-principal-idp"] = true,
}
-- What callers say of themselves, however it is spelled: `_` stands here for every sign.
local forged = {
	"^x_gatewarden", "^x_auth_request", "^x_pomerium", "^x_forwarded", "^x_ms_", "^x_original",
	"^x_rewrite", "^x_real_ip$", "^x_remote", "^x_http_method", "^x_method_override$",
	"^x_webauth", "^remote_", "^client_cert", "^forwarded$",
}

local function strip(r)
	local names = {}
	for name in pairs(r:headers_in_table()) do
		local folded = name:lower():gsub("[^a-z0-9]", "_")
		for _, pattern in ipairs(forged) do
			if folded:find(pattern) then names[#names + 1] = name end
		end
	end
	for _, name in ipairs(names) do r.headers_in[name] = nil end
end

-- What the caller shows Gatewarden stays with it: whoever has its token, or the cookie of its
-- session, is the caller.
local function keep_back(r)
	r.headers_in["Authorization"] = nil
	r.headers_in["DPoP"] = nil
	local cookies = {}
	for pair in (r.headers_in["Cookie"] or ""):gmatch("[^;]+") do
		local name = pair:match("^%s*([^=]*)"):gsub("^__Host%-", "")
		if name ~= "gatewarden" then cookies[#cookies + 1] = pair:match("^%s*(.*)$") end
	end
	r.headers_in["Cookie"] = #cookies > 0 and table.concat(cookies, "; ") or nil
end

local function question(r)
	local lines = {
		"GET /auth HTTP/1.1",
		"Host: " .. (r.headers_in["Host"] or ""),
		"X-Original-Method: " .. r.method,
		"X-Original-URI: " .. r.unparsed_uri,
		"Connection: close",
	}
	for _, name in ipairs(told) do
		local value = r.headers_in[name]
		if value then lines[#lines + 1] = name .. ": " .. value end
	end
	return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- The status and the fields of the answer, or nothing.
local function ask(r)
	local peer = socket.tcp()
	peer:settimeout(5)
	local ok = peer:connect(address, port) and peer:send(question(r))
	local line = ok and peer:receive("*l")
	local status = line and tonumber(line:match("^HTTP/1%.1 (%d%d%d)"))
	local fields = {}
	line = status and peer:receive("*l")
	while line and line ~= "" do
		local name, value = line:match("^([^:]+):%s*(.-)%s*$")
		if name then fields[name:lower()] = value end
		line = peer:receive("*l")
	end
	peer:close()
	if line == "" then return status, fields end
end

function check(r)
	strip(r)
	local status, fields = ask(r)
	if status == 200 then
		for name, value in pairs(fields) do
			if identity[name] then r.headers_in[name] = value end
		end
		keep_back(r)
		return apache2.OK
	end
	if status ~= 401 and status ~= 403 and status ~= 429 then return 503 end
	-- Where people are sent to the login, Gatewarden says where in a 401.
	if fields["location"] then
		r.err_headers_out["Location"] = fields["location"]
		return 302
	end
	if fields["www-authenticate"] then
		r.err_headers_out["WWW-Authenticate"] = fields["www-authenticate"]
	end
	if fields["retry-after"] then r.err_headers_out["Retry-After"] = fields["retry-after"] end
	return status
end
