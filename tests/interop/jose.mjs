// npm jose as a resource server: finds our keys by discovery and verifies our access token.
// jose.mjs URL; the token comes in the environment. Prints test lines.
import "../peers/globals.mjs";
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";

const url = process.argv[2];
const token = process.env.TOKEN;

async function check(name, run) {
	try {
		await run();
		console.log(`ok ${name}`);
	} catch (e) {
		console.log(`not ok ${name}\n# ${e}`);
		process.exitCode = 1;
	}
}

const metadata = await (await fetch(`${url}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const rules = { issuer: metadata.issuer, audience: "api://books", typ: "at+jwt", algorithms: ["ES256"] };

await check("npm jose verifies our token through discovery", async () => {
	const { payload } = await jwtVerify(token, keys, rules);
	if (!payload.roles.includes("reader") || !payload.sub)
		throw new Error(JSON.stringify(Object.keys(payload)));
});
await check("npm jose refuses our token for another audience", async () => {
	await jwtVerify(token, keys, { ...rules, audience: "api://other" }).then(
		() => { throw new Error("accepted"); },
		(e) => { if (!(e instanceof errors.JWTClaimValidationFailed)) throw e; });
});
await check("npm jose refuses our token with one changed bit", async () => {
	const at = token.length - 20;
	const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
	await jwtVerify(changed, keys, rules).then(
		() => { throw new Error("accepted"); },
		(e) => { if (!(e instanceof errors.JWSSignatureVerificationFailed)) throw e; });
});
await check("the key id of our token is in our key set", async () => {
	const set = await (await fetch(metadata.jwks_uri)).json();
	if (!set.keys.some((k) => k.kid === decodeProtectedHeader(token).kid))
		throw new Error("not found");
});
