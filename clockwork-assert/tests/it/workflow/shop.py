"""A shop that keeps its orders in an SQLite file: what a workflow goes through."""

import json, secrets, sqlite3, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = sys.argv[1]


def ask(sql, *values):
    with sqlite3.connect(FILE, timeout=30) as database:
        return database.execute(sql, values).fetchall()


ask("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, status TEXT, token TEXT, looks INTEGER DEFAULT 0)")


class Shop(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, value=None, **headers):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def order(self):
        rows = ask("SELECT id, item, status, token FROM orders WHERE id = ?", self.path.split("/")[2])
        return rows[0] if rows else None

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path == "/orders":
            token = secrets.token_hex(12)
            ask("INSERT INTO orders (item, status, token) VALUES (?, 'new', ?)", sent["item"], token)
            number = ask("SELECT max(id) FROM orders")[0][0]
            return self.answer(201, {"id": number, "token": token, "item": sent["item"]}, location=f"/orders/{number}")
        order = self.order()
        if self.headers.get("authorization") != f"Bearer {order[3]}":
            return self.answer(403, {"error": "wrong token", "got": self.headers.get("authorization")})
        ask("UPDATE orders SET status = 'paid' WHERE id = ?", order[0])
        # The token is repeated, as careless servers do.
        self.answer(200, {"status": "paid", "echo": order[3]})

    def do_GET(self):
        if self.path.startswith("/echo"):
            return self.answer(200, {"path": self.path})
        order = self.order()
        if order is None:
            return self.answer(404, {"error": "no such order"})
        ask("UPDATE orders SET looks = looks + 1 WHERE id = ?", order[0])
        looks = ask("SELECT looks FROM orders WHERE id = ?", order[0])[0][0]
        status = "shipped" if order[2] == "paid" and looks > 2 else order[2]
        self.answer(200, {"id": order[0], "item": order[1], "status": status})

    def do_DELETE(self):
        order = self.order()
        ask("DELETE FROM orders WHERE id = ?", self.path.split("/")[2])
        self.answer(204 if order else 404)


server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
print(server.server_address[1], flush=True)
server.serve_forever()
