// A person in headless Chromium: logs in at the company's provider, uses a page, logs out, goes back.
// sessions.mjs MODE; the world comes as JSON on standard input: {url, provider, chromium, user, password, admin}.
// Prints test lines; with MODE `stay` also `cookie {...}`, for the caller to use while the session lives.
import "../peers/globals.mjs";
import { chromium } from "playwright-core";

const mode = process.argv[2];
let text = "";
for await (const part of process.stdin)
	text += part;
const world = JSON.parse(text);

function report(good, name, why) {
	console.log(`${good ? "ok" : "not ok"} browser: ${name}`);
	if (!good) {
		console.log(`# ${String(why).slice(0, 600).replaceAll("\n", "\n# ")}`);
		process.exitCode = 1;
	}
}

const browser = await chromium.launch({
	executablePath: world.chromium,
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true });
context.setDefaultTimeout(20_000);
const page = await context.newPage();
const complaints = [];
page.on("console", (m) => {
	// The provider's own pages are not ours to judge.
	if (m.type() === "error" && m.location().url.startsWith(world.url) && !/status of 4\d\d/.test(m.text()))
		complaints.push(`${m.location().url}: ${m.text()}`);
});

const at = () => new URL(page.url());
const atGateway = (path) => (url) => url.origin === new URL(world.url).origin && url.pathname === path;
const cookies = async () => (await context.cookies(world.url)).filter((c) => c.name === world.cookie);

// oidc-provider's own pages: a login of any name, then consent.
async function logInAtProvider(user) {
	await page.waitForURL((url) => url.origin === new URL(world.provider).origin);
	await page.fill('input[name="login"]', user);
	await page.fill('input[name="password"]', "any");
	await page.click('button[type="submit"]');
	await page.waitForLoadState();
	if (at().origin === new URL(world.provider).origin)
		await page.click('button[type="submit"]');
}

// Our own form, for an issuer of type local.
async function logInHere(user, password) {
	await page.waitForSelector('input[name="username"]');
	await page.fill('input[name="username"]', user);
	await page.fill('input[name="password"]', password);
	await page.click('button[type="submit"]:not([name="cancel"])');
}

async function logIn(user) {
	await page.goto(`${world.url}/account`);
	if (world.provider)
		await logInAtProvider(user);
	else
		await logInHere(user, world.password);
	await page.waitForURL(atGateway("/account"));
}

// From the one page of ours whose scripts may ask for anything.
async function ask(path, options) {
	if (!atGateway("/docs")(at()))
		await page.goto(`${world.url}/docs`);
	return await page.evaluate(async ([path, options]) => {
		const answer = await fetch(path, options);
		return { status: answer.status, redirected: answer.redirected, text: await answer.text() };
	}, [path, options]);
}

async function stay() {
	await logIn(world.user);
	report((await page.innerText("body")).includes(world.user), "the account page shows who one is", await page.innerText("body"));
	const [cookie] = await cookies();
	const others = (await context.cookies(world.url)).filter((c) => /gatewarden/.test(c.name) && c !== cookie && c.name !== world.cookie);
	// It says which browser a login began in, for other tabs too.
	report(others.every((c) => c.name === `${world.cookie}-login` && c.httpOnly && c.value !== cookie.value && c.expires < Date.now() / 1000 + 601),
		"besides the session's there is one for logins, for ten minutes", JSON.stringify(others.map((c) => [c.name, c.expires])));
	report(cookie.httpOnly && cookie.sameSite === "Lax" && cookie.path === "/" && cookie.secure === world.url.startsWith("https:"),
		"the cookie is for this host alone, and out of reach of scripts", JSON.stringify({ ...cookie, value: "" }));
	report(/^[A-Za-z0-9_-]{43,}$/.test(cookie.value), "it holds a random number and nothing else", `${cookie.value.length} letters`);
	report(await page.evaluate(() => document.cookie === "" && localStorage.length === 0 && sessionStorage.length === 0), "scripts see nothing");
	const me = await ask("/me");
	report(me.status === 200 && JSON.stringify(JSON.parse(me.text).roles) === JSON.stringify(["reader"]), "a call from the page has the roles", me.text);
	const book = await ask("/api/books/1");
	report(book.status === 200 && !book.text.includes('"cost"'), "data as that role sees it", book.text);
	const write = await ask("/api/books/1", { method: "DELETE" });
	report(write.status === 403, "a write from the page is decided by the roles, not by its origin", `${write.status} ${write.text}`);
	report(complaints.length === 0, "no page breaks its content policy", complaints.join("\n"));
	console.log(`cookie ${JSON.stringify(cookie)}`);
}

async function leave() {
	await logIn(world.user);
	const before = (await cookies())[0].value;
	console.log(`cookie ${JSON.stringify({ value: before })}`);
	await page.click('form[action*="logout"] button, button:has-text("Log out")');
	await page.waitForLoadState();
	if (world.provider) {
		await page.waitForURL((url) => url.origin === new URL(world.provider).origin, { timeout: 10_000 }).catch(() => {});
		report(at().origin === new URL(world.provider).origin, "logging out goes on to the provider", page.url());
		// The provider asks whether to end its own session too.
		await page.click('button[name="logout"], button[autofocus], button[type="submit"]');
		await page.waitForLoadState();
	}
	report((await cookies()).length === 0, "the cookie is gone", JSON.stringify((await cookies()).map((c) => c.name)));
	let shown = "";
	for (let i = 0; i < 4; i++) {
		await page.goBack().catch(() => {});
		await page.waitForLoadState();
		if (atGateway("/account")(at()))
			shown += await page.innerText("body");
	}
	report(!shown.includes(world.user), "the back button shows nothing of it", shown);
	await page.goto(`${world.url}/account`);
	await page.waitForSelector('input[name="password"]');
	report(true, "the page asks for a login again");
	const again = await ask("/me");
	report(again.status === 401, "and no call has a session", again.text);
	await page.goto(`${world.url}/account`);
	report(complaints.length === 0, "no page breaks its content policy while logging out", complaints.join("\n"));
	if (!world.provider) {
		await logInHere(world.user, world.password);
		await page.waitForURL(atGateway("/account"));
	} else {
		await logInAtProvider(world.user);
		await page.waitForURL(atGateway("/account"));
	}
	const now = (await cookies())[0].value;
	console.log(`cookie ${JSON.stringify({ value: now })}`);
	report(now !== before, "a new login is a new session");
}

try {
	await { stay, leave }[mode]();
} catch (e) {
	report(false, mode, `${String(e).split("\n").slice(0, 6).join("\n")}\nat ${page.url().split("?")[0]}\n${(await page.innerText("body").catch(() => "")).slice(0, 300)}`);
} finally {
	await browser.close();
}
