// The page /docs: Swagger UI over /openapi.json. Which operations that document holds depends on who
// asks, so it is read again with the token when the reader has logged in, and without it after logout.
"use strict";

const specification = "/openapi.json";
let bearer = null; // in memory only: a token in local storage outlives the tab and is any script's to read

function readAgain(system) {
	system.specActions.updateUrl(specification);
	system.specActions.download(specification);
}

function followLogin() {
	return {
		statePlugins: {
			auth: {
				wrapActions: {
					authorizeOauth2: (original, system) => (payload) => {
						const result = original(payload);
						bearer = payload.token.access_token;
						readAgain(system);
						return result;
					},
					logout: (original, system) => (payload) => {
						const result = original(payload);
						bearer = null;
						readAgain(system);
						return result;
					},
				},
			},
		},
	};
}

function withToken(request) {
	if (request.loadSpec && bearer !== null)
		request.headers.Authorization = `Bearer ${bearer}`;
	return request;
}

const ui = SwaggerUIBundle({
	url: specification,
	dom_id: "#docs",
	presets: [SwaggerUIBundle.presets.apis],
	plugins: [followLogin],
	layout: "BaseLayout",
	requestInterceptor: withToken,
	deepLinking: true,
	persistAuthorization: false,
	validatorUrl: null,
	displayRequestDuration: true,
	tryItOutEnabled: true,
	// To be registered as redirect address of the client whose name the reader gives.
	oauth2RedirectUrl: `${location.origin}/docs/oauth2-redirect.html`,
});
ui.initOAuth({ usePkceWithAuthorizationCodeGrant: true });
