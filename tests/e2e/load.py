"""Callers that keep asking, each on a connection of its own: for what must hold while something else happens."""
import asyncio
import contextlib
import re
import threading
import time

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.I)


class Load:
    """`with Load(port, 64, token) as load:`. token() -> what to show with the next request; it may be changed by
    the test at any moment. answers: (when it was sent, seconds it took, status, token); status 0: the connection broke."""

    def __init__(self, port, count, token, path="/me", pause=0.0):
        self.port, self.count, self.token, self.path, self.pause = port, count, token, path, pause
        self.answers = []
        self.ending = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join(30)

    def statuses(self, since=0.0):
        return {status for sent, _, status, _ in list(self.answers) if sent >= since}

    def percentile(self, share):
        times = sorted(seconds for _, seconds, _, _ in self.answers)
        return times[min(len(times) - 1, int(len(times) * share))] if times else 0.0

    async def run(self):
        await asyncio.gather(*(self.caller() for _ in range(self.count)))

    async def caller(self):
        while not self.ending:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                with contextlib.closing(writer):
                    while not self.ending:
                        if not await self.ask(reader, writer):
                            break
                        if self.pause:
                            await asyncio.sleep(self.pause)

    async def ask(self, reader, writer):
        """False: the connection cannot be used again."""
        token, sent, status = self.token(), time.monotonic(), 0
        try:
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            length = LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
            status = int(head[9:12])
        finally:
            self.answers.append((sent, time.monotonic() - sent, status, token))
        return b"\r\nconnection: close" not in head.lower()
