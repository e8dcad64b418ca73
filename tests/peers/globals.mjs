// What the packages below this line expect of a newer Node than Debian 12 has. Imported first.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= (await webcrypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])).constructor;
URL.parse ??= (url, base) => {
	try {
		return new URL(url, base);
	} catch {
		return null;
	}
};
URL.canParse ??= (url, base) => URL.parse(url, base) !== null;
Headers.prototype.getSetCookie ??= function () {
	return this.get("set-cookie")?.split(/, (?=[^;,]+=)/) ?? [];
};
