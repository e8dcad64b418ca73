// Opens the login page in headless Chromium as a person meets it: by keyboard, with labels, on a narrow
// screen, enlarged, without its style sheet; and follows it back to a client on another origin.
// login.mjs URL CHROMIUM CALLBACK; user and password come in the environment. Prints test lines.
import { chromium } from "playwright-core";

const [url, executablePath, callback] = process.argv.slice(2);
const { LOGIN_USER, LOGIN_PASSWORD } = process.env;
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const page_url = `${url}/authorize?` + new URLSearchParams({
	response_type: "code", client_id: "shop", redirect_uri: callback, state: "s", code_challenge: challenge, code_challenge_method: "S256",
});

function report(good, name, why) {
	console.log(`${good ? "ok" : "not ok"} ${name}`);
	if (!good && why)
		console.log(`# ${why}`);
	if (!good)
		process.exitCode = 1;
}

const browser = await chromium.launch({
	executablePath,
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [];

async function open(options = {}) {
	const context = await browser.newContext({ javaScriptEnabled: true, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(30_000);
	page.on("console", (m) => {
		if (m.type() === "error" && !/status of 400/.test(m.text()))
			complaints.push(m.text());
	});
	await page.goto(page_url);
	return page;
}

const focused = (page) => page.evaluate(() => document.activeElement.name || document.activeElement.textContent);
const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

try {
	const page = await open();
	const order = [await focused(page)];
	for (let i = 0; i < 3; i++) {
		await page.keyboard.press("Tab");
		order.push(await focused(page));
	}
	report(order.join() === "username,password,Log in,cancel", "the focus begins at the name and goes down the page", order.join());

	await page.getByLabel("User name").fill(LOGIN_USER);
	await page.getByLabel("Password").fill("not the password");
	await page.keyboard.press("Enter");
	await page.getByRole("alert").waitFor();
	report(/^Error: /.test(await page.title()) && await page.getByLabel("User name").inputValue() === LOGIN_USER
		&& await page.getByLabel("Password").inputValue() === "", "a wrong password is said first, and the name is kept");
	const described = await page.getByLabel("User name").evaluate((e) => document.getElementById(e.getAttribute("aria-describedby")).textContent);
	report(described === await page.getByRole("alert").textContent(), "the field that has the focus says what is wrong", described);

	await page.getByLabel("Password").fill(LOGIN_PASSWORD);
	await Promise.all([page.waitForURL(`${callback}?**`), page.keyboard.press("Enter")]);
	const back = new URL(page.url()).searchParams;
	report(back.has("code") && back.get("state") === "s" && back.get("iss") === url, "Enter logs in and leads back to the client", page.url().split("code=")[0]);

	const other = await open();
	await Promise.all([other.waitForURL(`${callback}?**`), other.getByRole("button", { name: "Cancel" }).click()]);
	report(new URL(other.url()).searchParams.get("error") === "access_denied", "Cancel leads back to the client without name and password");

	const views = { "320 pixels wide": { viewport: { width: 320, height: 640 } }, "at 400 %": { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 },
		"in the dark": { colorScheme: "dark" } };
	for (const [name, options] of Object.entries(views)) {
		const view = await open(options);
		const button = await view.getByRole("button", { name: "Log in" }).boundingBox();
		report(!await overflows(view) && button.height >= 24, `nothing is cut off ${name}`);
	}
	const large = await open({ viewport: { width: 640, height: 480 } });
	await large.evaluate(() => { document.documentElement.style.fontSize = "32px"; });
	report(!await overflows(large), "nothing is cut off with letters of twice the size");

	const plain = await open({ javaScriptEnabled: false, bypassCSP: true });
	const lines = await plain.getByLabel(/User name|Password/).evaluateAll((all) => {
		document.querySelector("style").remove();
		return all.map((e) => e.getBoundingClientRect().top);
	});
	report(lines.length === 2 && lines[0] < lines[1], "without a style sheet the fields stand one below the other", lines.join());
	report(complaints.length === 0, "the page breaks no rule of its content policy", complaints.join("\n# "));
} catch (e) {
	report(false, "the login page in the browser", String(e).split("\n").slice(0, 6).join("\n# "));
} finally {
	await browser.close();
}
