"""A row that the books table takes."""
NEW = {"code": "BK-9000001", "title": "A new book", "author_id": 1, "year": 1920, "language": "en",
       "subject": "novel", "published": True, "price": 12.5, "cost": 8.25, "stock": 0, "added": "2026-01-02T03:04:05Z"}
