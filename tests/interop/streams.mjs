// npm ws and eventsource against the FastAPI example behind the gate. The world comes as JSON on standard input:
// {url, ada, grace: tokens, name}. Prints test lines.
import assert from "node:assert/strict";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import WebSocket from "ws";
import { EventSource } from "eventsource";

let text = "";
for await (const part of process.stdin)
	text += part;
const world = JSON.parse(text);

async function check(name, run) {
	let timer;
	try {
		await Promise.race([run(), new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("too long")), 60000); })]);
		console.log(`ok npm ${name}`);
	} catch (e) {
		console.log(`not ok npm ${name}`);
		for (const line of `${e?.stack ?? e}`.split("\n").slice(0, 8))
			console.log(`# ${line}`);
		process.exitCode = 1;
	} finally {
		clearTimeout(timer);
	}
}

function chat(token = world.ada, options = {}) {
	const headers = token ? { Authorization: `Bearer ${token}` } : {};
	return new WebSocket(world.url.replace("http", "ws") + "/chat", { headers, ...options });
}

async function opened(...more) {
	const ws = chat(...more);
	await once(ws, "open");
	return ws;
}

async function said(ws, message) {
	ws.send(message);
	const [data, isBinary] = await once(ws, "message");
	return isBinary ? data : data.toString();
}

await check("ws: text and bytes", async () => {
	const ws = await opened();
	for (let n = 0; n < 100; n++)
		assert.equal(await said(ws, `message ${n}`), `${world.name}: message ${n}`);
	for (const size of [0, 125, 126, 65535, 65536, 5000000]) {
		const data = randomBytes(size);
		assert.ok(data.equals(await said(ws, data)));
	}
	ws.close();
	await once(ws, "close");
});

await check("ws: with permessage-deflate and without", async () => {
	for (const perMessageDeflate of [true, false]) {
		const ws = await opened(world.ada, { perMessageDeflate });
		const long = "gate ".repeat(50000);
		assert.equal(await said(ws, long), `${world.name}: ${long}`);
		ws.close();
		await once(ws, "close");
	}
});

await check("ws: ping and pong", async () => {
	const ws = await opened();
	ws.ping("are you there?");
	const [data] = await once(ws, "pong");
	assert.equal(data.toString(), "are you there?");
	ws.terminate();
});

await check("ws: close codes both ways", async () => {
	let ws = await opened();
	ws.send("bye");
	let [code, reason] = await once(ws, "close");
	assert.deepEqual([code, reason.toString()], [4000, `goodbye ${world.name}`]);
	ws = await opened();
	ws.close(4321, "enough");
	[code] = await once(ws, "close");
	assert.equal(code, 4321);
});

await check("ws: a refused handshake says why", async () => {
	for (const [token, status] of [[null, 401], ["a.b.c", 401]]) {
		const ws = chat(token);
		ws.on("error", () => {});
		const [request, answer] = await once(ws, "unexpected-response");
		assert.equal(answer.statusCode, status);
		assert.match(answer.headers["www-authenticate"], /^Bearer/);
		request.destroy(); // else it stays open for another request that never comes
	}
});

await check("ws: 100 at once", async () => {
	const all = await Promise.all(Array.from({ length: 100 }, () => opened()));
	const answers = await Promise.all(all.map((ws, n) => said(ws, `${n}`)));
	answers.forEach((answer, n) => assert.equal(answer, `${world.name}: ${n}`));
	await Promise.all(all.map((ws) => { ws.close(); return once(ws, "close"); }));
});

function events(token) {
	return new EventSource(world.url + "/events", {
		fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
	});
}

function event(source, name) {
	return new Promise((done, fail) => {
		source.addEventListener(name, done, { once: true });
		source.addEventListener("error", (e) => fail(new Error(`${e.code} ${e.message}`)), { once: true });
	});
}

await check("eventsource: events as they happen", async () => {
	const source = events(world.ada);
	assert.equal(JSON.parse((await event(source, "hello")).data).you, world.name);
	for (const title of ["Persuasion", "Ada ✓"]) {
		const waiting = event(source, "book");
		const answer = await fetch(world.url + "/books", { method: "POST",
			headers: { Authorization: `Bearer ${world.grace}`, "Content-Type": "application/json" },
			body: JSON.stringify({ title, author: "Jane Austen", year: 1817 }) });
		assert.equal(answer.status, 201);
		assert.equal(JSON.parse((await waiting).data).title, title);
	}
	source.close();
});

await check("eventsource: who may not is told so", async () => {
	const source = events("a.b.c");
	const error = await new Promise((done) => source.addEventListener("error", done, { once: true }));
	assert.equal(error.code, 401);
	source.close();
});
