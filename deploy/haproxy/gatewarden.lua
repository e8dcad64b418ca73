-- Asks Gatewarden (/auth) about each request before HAProxy passes it on. HAProxy 2.6 or later:
--
--   global
--   	lua-load /etc/haproxy/gatewarden.lua
--   frontend ...
--   	http-request lua.gatewarden http://127.0.0.1:8080/auth
--   	http-request deny deny_status 503 unless { var(txn.gatewarden) -m str allowed }
--
-- Only 200 lets a request through. 401, 403 and a redirect to the login go to the caller as they
-- are; whatever else comes, or does not come, is a 503. The last line above is for what goes wrong
-- in here: HAProxy goes on with the next rule when an action fails.

-- What says who asks. Nothing else of a request is needed to decide about it. (Client-Cert is the
-- proxy's own: haproxy.cfg has taken away what callers write there.)
local told = {
	"accept", "authorization", "client-cert", "cookie", "dpop", "origin", "sec-fetch-mode",
	"sec-fetch-site", "traceparent", "user-agent",
}
-- What the application learns of the caller, in whichever form the route asks for.
local identity = {
	"x-gatewarden-assertion", "x-pomerium-jwt-assertion",
	"x-auth-request-user", "x-auth-request-email", "x-auth-request-groups",
	"x-auth-request-preferred-username",
	"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups",
	"x-forwarded-preferred-username",
	"x-ms-client-principal", "x-ms-client-principal-id", "x-ms-client-principal-name",
	"x-ms-client-principal-idp",
}
-- What a caller who is refused reads.
local refusal = { "content-type", "location", "retry-after", "www-authenticate" }

local function question(txn)
	local sent = txn.http:req_get_headers()
	local headers = {
		["host"] = { txn.sf:req_fhdr("host") },
		["x-original-method"] = { txn.sf:method() },
		["x-original-uri"] = { txn.sf:pathq() },
	}
	for _, name in ipairs(told) do
		local values = {}
		for i = 0, sent[name] and #sent[name] or -1 do
			values[#values + 1] = sent[name][i]
		end
		-- A field that stands twice is sent twice: which one counts is not decided here.
		if #values > 0 then headers[name] = values end
	end
	return headers
end

local function refuse(txn, status, answer)
	local reply = txn:reply({ status = status })
	for _, name in ipairs(refusal) do
		for i = 0, answer and answer.headers[name] and #answer.headers[name] or -1 do
			reply:add_header(name, answer.headers[name][i])
		end
	end
	reply:add_header("cache-control", "no-store")
	if answer and answer.body then reply:set_body(answer.body) end
	txn:done(reply)
end

core.register_action("gatewarden", { "http-req" }, function(txn, url)
	local answer = core.httpclient():get({ url = url, headers = question(txn), timeout = 5000 })
	local status = answer and answer.status or 0
	if status == 200 then
		for _, name in ipairs(identity) do
			if answer.headers[name] then
				txn.http:req_set_header(name, answer.headers[name][0])
			end
		end
		txn:set_var("txn.gatewarden", "allowed")
	elseif status == 401 or status == 403 or status == 429 then
		-- Where people are sent to the login, Gatewarden says where in a 401.
		refuse(txn, answer.headers["location"] and 302 or status, answer)
	else
		refuse(txn, 503)
	end
end, 1)
