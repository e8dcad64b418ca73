// oidc-provider as a company's issuer, with its own development pages for login and consent (any name, any password).
// provider.mjs: one JSON line on standard input says {port, keys, clients, roles}; prints `ready`, then serves until
// it is ended. `keys` are private JWKs: a restart with others is a rotation. `roles`: {account or client id: [roles]}.
import "./globals.mjs";
import Provider from "oidc-provider";

let text = "";
for await (const part of process.stdin)
	text += part;
const given = JSON.parse(text);
const issuer = `http://127.0.0.1:${given.port}`;
const ALGORITHM = given.keys[0].alg;

const provider = new Provider(issuer, {
	clients: given.clients.map((c) => ({ id_token_signed_response_alg: ALGORITHM, ...c })),
	jwks: { keys: given.keys },
	cookies: { keys: ["only for tests"] },
	// The ID token of the code flow carries the claims, as a gateway that asks for no userinfo needs them.
	conformIdTokenClaims: false,
	claims: { openid: ["sub"], profile: ["preferred_username", "roles"] },
	findAccount: (_, id) => ({
		accountId: id,
		claims: () => ({ sub: id, preferred_username: id, roles: given.roles[id] ?? [] }),
	}),
	extraTokenClaims: (_, token) => ({ roles: given.roles[token.accountId ?? token.clientId] ?? [] }),
	ttl: { AccessToken: 300, ClientCredentials: 300, IdToken: 300, Session: 3600, Grant: 3600, Interaction: 600 },
	features: {
		clientCredentials: { enabled: true },
		introspection: { enabled: true },
		revocation: { enabled: true },
		rpInitiatedLogout: { enabled: true },
		dPoP: { enabled: true },
		resourceIndicators: {
			enabled: true,
			defaultResource: () => undefined,
			useGrantedResource: () => true,
			getResourceServerInfo: (_, resource) => ({
				scope: "books",
				audience: resource,
				accessTokenFormat: given.opaque ? "opaque" : "jwt",
				accessTokenTTL: 300,
				jwt: { sign: { alg: ALGORITHM } },
			}),
		},
	},
});
provider.on("server_error", (_, e) => console.error(e));
provider.listen(given.port, "127.0.0.1", () => console.log("ready"));
