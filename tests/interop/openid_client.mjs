// npm openid-client (certified) against our own authorization server. The world comes as JSON on standard input:
// {url, redirect, user, password, clients: {name: secret}, key: private JWK}. Prints test lines, and at the end one
// line `secrets [...]` with what it was given, for the caller to look for.
import "../peers/globals.mjs";
import * as oidc from "openid-client";
import { importJWK } from "jose";

let text = "";
for await (const part of process.stdin)
	text += part;
const world = JSON.parse(text);
const server = new URL(world.url);
const secrets = [];

function keep(tokens) {
	for (const name of ["access_token", "refresh_token", "id_token"])
		if (tokens[name])
			secrets.push(tokens[name].split(".").at(-1));
	return tokens;
}

async function check(name, run) {
	try {
		await run();
		console.log(`ok openid-client: ${name}`);
	} catch (e) {
		console.log(`not ok openid-client: ${name}`);
		for (const line of `${e?.stack ?? e}\n${e?.cause ? JSON.stringify(e.cause) : ""}`.split("\n").slice(0, 8))
			console.log(`# ${line}`);
		process.exitCode = 1;
	}
}

function equal(got, expected, what) {
	if (JSON.stringify(got) !== JSON.stringify(expected))
		throw new Error(`${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
}

// The promise must be broken with this OAuth error or status.
async function refused(promise, ...expected) {
	let got = "nothing was refused";
	try {
		await promise;
	} catch (e) {
		got = e.error ?? e.cause?.parameters?.error ?? e.code ?? String(e);
	}
	if (!expected.includes(got))
		throw new Error(`got ${got}, expected ${expected}`);
}

async function client(name, authentication, options) {
	return await oidc.discovery(server, name, undefined, authentication ?? oidc.ClientSecretBasic(world.clients[name]),
		{ execute: [oidc.allowInsecureRequests], ...options });
}

// What a browser does on the login page, without one. -> where it is sent to in the end
async function logIn(url, fields = {}) {
	const jar = new Map();
	const ask = async (to, options = {}) => {
		const answer = await fetch(to, { redirect: "manual", ...options,
			headers: { ...options.headers, accept: "text/html", cookie: [...jar].map((c) => c.join("=")).join("; ") } });
		for (const line of answer.headers.getSetCookie()) {
			const [name, ...value] = line.split(";")[0].split("=");
			jar.set(name, value.join("="));
		}
		return answer;
	};
	const page = await ask(url);
	if (page.status >= 300 && page.status < 400)
		return new URL(page.headers.get("location"), url);
	equal(page.status, 200, "status of the login page");
	const html = await page.text();
	const unescape = (s) => s.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
	const form = new URLSearchParams();
	for (const [, name, value] of html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g))
		form.set(name, unescape(value));
	for (const [name, value] of Object.entries({ username: world.user, password: world.password, ...fields }))
		form.set(name, value);
	const action = unescape(html.match(/<form [^>]*action="([^"]*)"/)[1]);
	const answer = await ask(new URL(action, url), { method: "POST", body: form, headers: { origin: server.origin, "sec-fetch-site": "same-origin" } });
	if (answer.status !== 302 && answer.status !== 303)
		throw new Error(`the login page answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
	return new URL(answer.headers.get("location"), url);
}

async function authorize(config, more = {}) {
	const verifier = oidc.randomPKCECodeVerifier();
	const given = { state: oidc.randomState(), nonce: oidc.randomNonce() };
	const url = oidc.buildAuthorizationUrl(config, { redirect_uri: world.redirect, scope: "openid profile offline_access reader",
		code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...given, ...more });
	return { url, verifier, checks: { pkceCodeVerifier: verifier, expectedState: given.state, expectedNonce: given.nonce, idTokenExpected: true } };
}

const config = await client("shop", oidc.None());
const service = await client("service");

await check("both metadata documents", async () => {
	for (const algorithm of ["oidc", "oauth2"]) {
		const found = await client("shop", oidc.None(), { algorithm });
		const m = found.serverMetadata();
		equal(m.issuer, world.url, "issuer");
		equal(m.code_challenge_methods_supported, ["S256"], "PKCE");
		equal(m.authorization_response_iss_parameter_supported, true, "RFC 9207");
		for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint"])
			if (!m[name]?.startsWith(world.url))
				throw new Error(`${name}: ${m[name]}`);
		for (const method of ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
			if (!m.token_endpoint_auth_methods_supported.includes(method))
				throw new Error(`no ${method}`);
	}
});

let user;
await check("code with PKCE: page, code, tokens, ID token", async () => {
	const { url, checks } = await authorize(config);
	const back = await logIn(url);
	equal(back.origin + back.pathname, world.redirect, "where the browser goes");
	equal(back.searchParams.get("iss"), world.url, "iss");
	user = keep(await oidc.authorizationCodeGrant(config, back, checks));
	equal(user.claims().preferred_username ?? world.user, world.user, "name in the ID token");
	const me = await (await oidc.fetchProtectedResource(config, user.access_token, new URL("/me", server), "GET")).json();
	equal(me.roles, ["reader"], "roles");
	equal(me.subject, user.claims().sub, "subject");
	// A code counts once; used again it ends what it gave (RFC 6749 section 4.1.2).
	await refused(oidc.authorizationCodeGrant(config, back, checks), "invalid_grant");
	const after = await fetch(new URL("/me", server), { headers: { authorization: `Bearer ${user.access_token}` } });
	equal([200, 401].includes(after.status), true, "status after the code was used twice");
	const second = await authorize(config);
	user = keep(await oidc.authorizationCodeGrant(config, await logIn(second.url), second.checks));
});

await check("userinfo", async () => {
	const info = await oidc.fetchUserInfo(config, user.access_token, user.claims().sub);
	equal(info.sub, user.claims().sub, "sub");
});

await check("refresh", async () => {
	const old = user;
	user = Object.assign(keep(await oidc.refreshTokenGrant(config, user.refresh_token)), { first: old.claims().sub });
	if (user.refresh_token === old.refresh_token)
		throw new Error("the refresh token did not change");
	equal((await oidc.fetchProtectedResource(config, user.access_token, new URL("/api/books/1", server), "GET")).status, 200, "status");
});

await check("a wrong verifier, plain PKCE, none, another redirect address", async () => {
	const one = await authorize(config);
	await refused(oidc.authorizationCodeGrant(config, await logIn(one.url), { ...one.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }),
		"invalid_grant");
	for (const change of [{ code_challenge_method: "plain" }, { code_challenge: "" }, { response_type: "token" }]) {
		const { url } = await authorize(config);
		for (const [name, value] of Object.entries(change))
			url.searchParams.set(name, value);
		if (change.code_challenge === "")
			["code_challenge", "code_challenge_method"].forEach((name) => url.searchParams.delete(name));
		const back = await logIn(url);
		equal(back.searchParams.has("code"), false, `a code for ${JSON.stringify(change)}`);
		equal(["invalid_request", "unsupported_response_type"].includes(back.searchParams.get("error")), true, back.search);
	}
	// Never a redirect to an address that is not registered, to the letter.
	for (const redirect of [world.redirect + "/", world.redirect + "?a=b", world.redirect.toUpperCase(), "https://evil.example/callback"]) {
		const { url } = await authorize(config, { redirect_uri: redirect });
		const page = await fetch(url, { redirect: "manual" });
		equal([page.status >= 400 && page.status < 500, page.headers.has("location")], [true, false], `redirect to ${redirect}`);
	}
});

await check("a wrong password shows the page again, cancelling goes back", async () => {
	const { url } = await authorize(config);
	let shown = "";
	await logIn(url, { password: "not the password" }).catch((e) => { shown = String(e); });
	equal(/answers (200|400|401|403)/.test(shown), true, shown);
	equal(shown.includes("not the password"), false, "the password on the page");
	const back = await logIn((await authorize(config)).url, { cancel: "yes" });
	equal([back.searchParams.get("error"), back.searchParams.get("iss")], ["access_denied", world.url], "cancelled");
});

await check("client credentials by Basic, by form and by private_key_jwt", async () => {
	const key = { key: await importJWK(world.key, "ES256"), kid: world.key.kid };
	for (const [name, authentication] of [["service", undefined], ["service", oidc.ClientSecretPost(world.clients.service)],
		["keyed", oidc.PrivateKeyJwt(key)]]) {
		const c = await client(name, authentication);
		const tokens = keep(await oidc.clientCredentialsGrant(c, { scope: "reader" }));
		equal(tokens.refresh_token, undefined, "a refresh token");
		const me = await (await oidc.fetchProtectedResource(c, tokens.access_token, new URL("/me", server), "GET")).json();
		equal(me.roles, ["reader"], name);
	}
	await refused(oidc.clientCredentialsGrant(await client("service", oidc.ClientSecretBasic("x".repeat(43)))), "invalid_client", "OAUTH_WWW_AUTHENTICATE_CHALLENGE");
	const other = { key: (await oidc.randomDPoPKeyPair("ES256")).privateKey, kid: world.key.kid };
	await refused(oidc.clientCredentialsGrant(await client("keyed", oidc.PrivateKeyJwt(other))), "invalid_client", "OAUTH_WWW_AUTHENTICATE_CHALLENGE");
	await refused(oidc.clientCredentialsGrant(service, { scope: "books-admin" }), "invalid_scope");
});

await check("DPoP: a bound token, used with its proof and not without", async () => {
	const DPoP = oidc.getDPoPHandle(service, await oidc.randomDPoPKeyPair("ES256"));
	const tokens = keep(await oidc.clientCredentialsGrant(service, { scope: "reader" }, { DPoP }));
	equal(tokens.token_type, "dpop", "token type");
	const answer = await oidc.fetchProtectedResource(service, tokens.access_token, new URL("/api/books/1", server), "GET", undefined, undefined, { DPoP });
	equal(answer.status, 200, "with its proof");
	for (const scheme of ["Bearer", "DPoP"])
		equal((await fetch(new URL("/api/books/1", server), { headers: { authorization: `${scheme} ${tokens.access_token}` } })).status, 401, scheme);
	const other = oidc.getDPoPHandle(service, await oidc.randomDPoPKeyPair("ES256"));
	await refused(oidc.fetchProtectedResource(service, tokens.access_token, new URL("/me", server), "GET", undefined, undefined, { DPoP: other }),
		"OAUTH_WWW_AUTHENTICATE_CHALLENGE");
	const bound = keep(await oidc.authorizationCodeGrant(config, await logIn((globalThis.one = await authorize(config)).url), globalThis.one.checks, undefined,
		{ DPoP }));
	equal(bound.token_type, "dpop", "token type of the code grant");
	// A public client's refresh token is bound too (RFC 9449 section 5).
	await refused(oidc.refreshTokenGrant(config, bound.refresh_token, undefined, { DPoP: other }), "invalid_grant", "invalid_dpop_proof");
	keep(await oidc.refreshTokenGrant(config, bound.refresh_token, undefined, { DPoP }));
});

await check("introspection and revocation", async () => {
	const tokens = keep(await oidc.clientCredentialsGrant(service, { scope: "reader" }));
	const seen = await oidc.tokenIntrospection(service, tokens.access_token);
	equal([seen.active, seen.client_id, seen.iss], [true, "service", world.url], "introspection");
	equal(Object.keys(await oidc.tokenIntrospection(service, "no token at all")), ["active"], "of garbage");
	await oidc.tokenRevocation(service, tokens.access_token);
	equal(await oidc.tokenIntrospection(service, tokens.access_token), { active: false }, "after revocation");
	await refused(oidc.tokenIntrospection(config, tokens.access_token), "invalid_client", "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "unauthorized_client");
	// A refresh token ends its family.
	const { url, checks } = await authorize(config);
	const family = keep(await oidc.authorizationCodeGrant(config, await logIn(url), checks));
	await oidc.tokenRevocation(config, family.refresh_token);
	await refused(oidc.refreshTokenGrant(config, family.refresh_token), "invalid_grant");
});

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS = "urn:ietf:params:oauth:token-type:access_token";
await check("token exchange narrows, names the agent, and never widens", async () => {
	const agent = await client("assistant");
	const subject = { subject_token: user.access_token, subject_token_type: ACCESS };
	const tokens = keep(await oidc.genericGrantRequest(agent, EXCHANGE, { ...subject, scope: "reader", resource: "books" }));
	equal(tokens.issued_token_type, ACCESS, "issued_token_type");
	const claims = JSON.parse(Buffer.from(tokens.access_token.split(".")[1], "base64url"));
	const before = JSON.parse(Buffer.from(user.access_token.split(".")[1], "base64url"));
	equal([claims.act.sub, claims.sub, claims.exp <= before.exp], ["assistant", before.sub, true], "act, sub, exp");
	const status = async (path) => (await fetch(new URL(path, server), { headers: { authorization: `Bearer ${tokens.access_token}` } })).status;
	equal([await status("/api/books/1"), await status("/api/authors/1")], [200, 403], "one resource");
	const me = await (await fetch(new URL("/me", server), { headers: { authorization: `Bearer ${tokens.access_token}` } })).json();
	equal([me.subject, me.agent], [before.sub, "assistant"], "who acts for whom");
	await refused(oidc.genericGrantRequest(agent, EXCHANGE, { ...subject, scope: "books-admin" }), "invalid_scope");
	await refused(oidc.genericGrantRequest(agent, EXCHANGE, { ...subject, subject_token: subject.subject_token.slice(0, -8) + "AAAAAAAA" }),
		"invalid_grant", "invalid_request");
	await refused(oidc.genericGrantRequest(agent, EXCHANGE, { subject_token_type: ACCESS, subject_token: tokens.access_token, resource: "authors" }),
		"invalid_target", "invalid_grant", "invalid_request");
	await refused(oidc.genericGrantRequest(service, EXCHANGE, subject), "unauthorized_client");
});

console.log(`secrets ${JSON.stringify(secrets)}`);
