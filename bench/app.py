"""The peer: the same two jobs as a careful FastAPI service does them - PyJWT checks each token against a key
set, a role is asked for, sqlite3 reads, JSON goes out. No thread pool and no response model: the faster way."""
import os
import sqlite3

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordBearer

app = FastAPI(openapi_url=None)
bearer = OAuth2PasswordBearer(tokenUrl="token")
keys = {k.key_id: k for k in jwt.PyJWKSet.from_json(open(os.environ["BENCH_JWKS"]).read()).keys}
db = sqlite3.connect(f"file:{os.environ['BENCH_DB']}?mode=ro", uri=True, check_same_thread=False)
db.row_factory = sqlite3.Row
COLUMNS = "id, code, title, author_id, year, language, subject, published, pages, price, stock, acquired, added, note"


async def reader(token: str = Depends(bearer)):
    try:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key.key, [key.algorithm_name], audience="api://books", issuer="https://bench.test/")
    except (jwt.PyJWTError, KeyError):
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from None
    if "reader" not in claims["roles"]:
        raise HTTPException(403)
    return claims


def shown(row):
    out = dict(row)
    out["published"] = bool(out["published"])
    return out


@app.get("/api/books/{key}")
async def one(key: int, who: dict = Depends(reader)):
    row = db.execute(f"SELECT {COLUMNS} FROM books WHERE id = ? AND published", (key,)).fetchone()
    if row is None:
        raise HTTPException(404)
    return JSONResponse({"value": [shown(row)]})


@app.get("/api/books")
async def several(first: int = 100, who: dict = Depends(reader)):
    rows = db.execute(f"SELECT {COLUMNS} FROM books WHERE published ORDER BY id LIMIT ?", (first,)).fetchall()
    return JSONResponse({"value": [shown(r) for r in rows]})


@app.get("/app/hello")
async def hello(who: dict = Depends(reader)):
    return JSONResponse({"message": "hello", "who": who["sub"]})
