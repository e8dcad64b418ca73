// Opens /docs in headless Chromium, logs in with the Authorize button, by password and by code, and calls GET /api/books.
// docs.mjs URL CHROMIUM; user and password come in the environment. Prints test lines.
import { chromium } from "playwright-core";

const [url, executablePath] = process.argv.slice(2);
const { DOCS_USER, DOCS_PASSWORD } = process.env;
const WAIT_MS = 30_000;

function report(good, name, why) {
	console.log(`${good ? "ok" : "not ok"} ${name}`);
	if (!good && why)
		console.log(`# ${why}`);
	if (!good)
		process.exitCode = 1;
}

async function authorize(page) {
	await page.click(".btn.authorize");
	const form = page.locator(".auth-container");
	await form.locator('input[name="username"], #oauth_username').first().fill(DOCS_USER);
	await form.locator('input[name="password"], #oauth_password').first().fill(DOCS_PASSWORD);
	await form.locator("button.authorize").first().click();
	// The dialog shows Logout once the token has come.
	await form.locator("button", { hasText: "Logout" }).first().waitFor();
	await page.locator(".auth-container .btn-done, .btn-done").first().click();
}

// The other flow of the same button: a window with our login page, and back with a code.
async function authorizeByCode(page) {
	await page.click(".btn.authorize");
	const form = page.locator(".auth-container", { hasText: "/authorize" }).first();
	await form.locator('#client_id_authorizationCode, input[data-name="clientId"]').first().fill("docs");
	const opened = page.context().waitForEvent("page");
	await form.locator("button.authorize").first().click();
	const window = await opened;
	await window.fill('input[name="username"]', DOCS_USER);
	await window.fill('input[name="password"]', DOCS_PASSWORD);
	const closed = window.waitForEvent("close");
	await window.click('button[type="submit"]:not([name="cancel"])');
	await closed;
	await form.locator("button", { hasText: "Logout" }).first().waitFor();
	await page.locator(".auth-container .btn-done, .btn-done").first().click();
}

async function execute(page, path) {
	const operation = page.locator(".opblock-get", { has: page.locator(`[data-path="${path}"]`) }).first();
	await operation.waitFor();
	await operation.locator(".opblock-summary").first().click();
	const tryIt = operation.locator("button.try-out__btn");
	if (await tryIt.count() && !(await operation.locator("button.execute").count()))
		await tryIt.click();
	const answer = page.waitForResponse((r) => new URL(r.url()).pathname === path);
	await operation.locator("button.execute").click();
	const response = await answer;
	await operation.locator(".live-responses-table .response-col_status").first().waitFor();
	const shown = await operation.locator(".live-responses-table").innerText();
	return { status: response.status(), body: await response.json(), shown };
}

const browser = await chromium.launch({
	executablePath,
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
	const page = await browser.newPage();
	page.setDefaultTimeout(WAIT_MS);
	const complaints = [];
	const strangers = [];
	page.on("console", (m) => {
		if (m.type() === "error" && !/status of 401/.test(m.text()))
			complaints.push(m.text());
	});
	page.on("pageerror", (e) => complaints.push(String(e)));
	page.on("request", (r) => {
		if (!r.url().startsWith(url) && !/^(data|blob):/.test(r.url()))
			strangers.push(r.url());
	});

	await page.goto(`${url}/docs`);
	await page.locator(".btn.authorize").waitFor();
	report(true, "docs page shows Swagger UI with an Authorize button");
	await authorize(page);
	report(true, "Authorize logs in with name and password");
	const got = await execute(page, "/api/books");
	report(got.status === 200 && got.body.value.length > 0, "Execute on GET /api/books answers rows",
		JSON.stringify(got.body).slice(0, 300));
	report(got.shown.includes(got.body.value?.[0]?.title), "the rows are seen on the page", got.shown.slice(0, 300));
	report(await page.evaluate(() => localStorage.length === 0 && document.cookie === ""),
		"the page keeps no token in local storage or a cookie");
	await page.goto("about:blank"); // the address now names an operation, which would be open
	await page.goto(`${url}/docs`);
	await page.locator(".btn.authorize").waitFor();
	await authorizeByCode(page);
	report(true, "Authorize logs in with a code");
	const again = await execute(page, "/api/books");
	report(again.status === 200 && again.body.value.length > 0, "Execute works with that token too", JSON.stringify(again.body).slice(0, 300));
	report(complaints.length === 0, "the page breaks no content security rule and throws nothing", complaints.join("\n# "));
	report(strangers.length === 0, "the page asks nobody but the gateway", strangers.join(" "));
} catch (e) {
	report(false, "docs page in the browser", String(e).split("\n").slice(0, 6).join("\n# "));
} finally {
	await browser.close();
}
