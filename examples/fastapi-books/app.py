"""A bookshop's API. It knows who is calling and has neither a secret nor a login: the gate has those.

Books are kept in memory; covers and manuscripts are files in a folder that ends with the program.
"""

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, UploadFile, WebSocket
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from gatewarden_fastapi import CurrentPrincipal, OptionalPrincipal, Principal, require

app = FastAPI(title="Books", version="1.0")
Reader = Annotated[Principal, Depends(require("reader"))]
Admin = Annotated[Principal, Depends(require("books-admin"))]


class NewBook(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    author: str = Field(min_length=1, max_length=200)
    year: int = Field(ge=-3000, le=2100)


class Book(NewBook):
    id: int
    added_by: str


numbers = itertools.count(1)
books: dict[int, Book] = {}
listeners: set[asyncio.Queue[dict[str, str]]] = set()
files = tempfile.TemporaryDirectory(prefix="books-")

for title, author, year in (
    ("The Tale of Genji", "Murasaki Shikibu", 1010),
    ("Don Quixote", "Miguel de Cervantes", 1605),
    ("Middlemarch", "George Eliot", 1871),
):
    number = next(numbers)
    books[number] = Book(id=number, title=title, author=author, year=year, added_by="the shop")


def find(key: int) -> Book:
    if key not in books:
        raise HTTPException(404, "no such book")
    return books[key]


def called(who: Principal) -> str:
    return who.name or who.subject


def manuscript(key: int) -> Path:
    return Path(files.name) / f"{find(key).id}"


def tell(what: str, book: Book, who: Principal) -> None:
    for queue in listeners:
        with suppress(asyncio.QueueFull):  # who does not listen misses something
            queue.put_nowait({"what": what, "title": book.title, "by": called(who)})


@app.get("/healthz")
async def healthz() -> str:
    """For the gate: are we up?"""
    return "ok"


@app.get("/hello")
async def hello(who: OptionalPrincipal) -> str:
    """Everybody may ask; who has logged in is called by name."""
    return f"Hello, {called(who)}" if who else "Hello, stranger"


@app.get("/whoami")
async def whoami(who: CurrentPrincipal) -> Principal:
    return who


@app.get("/books")
async def list_books(who: Reader, author: str = "") -> list[Book]:
    return [book for book in books.values() if author.lower() in book.author.lower()]


@app.get("/books/{key}")
async def read_book(key: int, who: Reader) -> Book:
    return find(key)


@app.post("/books", status_code=201)
async def add_book(new: NewBook, who: Admin) -> Book:
    book = Book(id=next(numbers), added_by=called(who), **new.model_dump())
    books[book.id] = book
    tell("added", book, who)
    return book


@app.delete("/books/{key}", status_code=204)
async def delete_book(key: int, who: Admin) -> None:
    tell("deleted", find(key), who)
    del books[key]


@app.put("/books/{key}/manuscript")
async def upload_manuscript(key: int, request: Request, who: Admin) -> dict[str, int]:
    """The body as it comes, of any size, never whole in memory."""
    size = 0
    with manuscript(key).open("wb") as file:
        async for part in request.stream():
            size += file.write(part)
    return {"bytes": size}


@app.post("/books/{key}/manuscript")
def upload_form(key: int, file: UploadFile, who: Admin) -> dict[str, int]:
    """The same from a form: multipart/form-data."""
    with manuscript(key).open("wb") as kept:
        shutil.copyfileobj(file.file, kept)
        return {"bytes": kept.tell()}


@app.get("/books/{key}/manuscript")
async def download_manuscript(key: int, who: Reader) -> FileResponse:
    path = manuscript(key)
    if not path.exists():
        raise HTTPException(404, "no manuscript")
    return FileResponse(path, filename=f"book-{key}.txt", media_type="text/plain")


@app.get("/export")
async def export(who: Reader, lines: int = 1000) -> StreamingResponse:
    """JSON lines, made while they are sent."""

    def rows() -> Iterator[str]:
        for n, book in zip(range(lines), itertools.cycle(list(books.values())), strict=False):
            yield json.dumps({"line": n, **book.model_dump()}) + "\n"

    return StreamingResponse(rows(), media_type="application/x-ndjson")


@app.get("/events", response_class=EventSourceResponse)
async def events(who: Reader) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: what becomes of the books, while it happens."""
    queue: asyncio.Queue[dict[str, str]] = asyncio.Queue(100)
    listeners.add(queue)
    try:
        yield ServerSentEvent(event="hello", data={"you": called(who)})
        for n in itertools.count(1):
            yield ServerSentEvent(id=str(n), event="book", data=await queue.get())
    finally:
        listeners.discard(queue)


@app.websocket("/chat")
async def chat(socket: WebSocket, who: Reader) -> None:
    """Says back what it hears, with the speaker's name; bytes as they are. "bye" ends it."""
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("bytes") is not None:
            await socket.send_bytes(message["bytes"])
        elif message["text"] != "bye":
            await socket.send_text(f"{called(who)}: {message['text']}")
        else:
            await socket.close(4000, f"goodbye {called(who)}")
            break
