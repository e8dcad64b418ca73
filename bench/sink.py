"""Reads requests with a length, forgets their bodies and answers 204: sink.py PORT."""
import re
import socket
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
room = bytearray(1 << 20)
while True:
    connection, _ = server.accept()
    with connection:
        head = b""
        while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
            head += more
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        left = int(length[1]) - (len(head) - head.find(b"\r\n\r\n") - 4) if length else 0
        while left > 0 and (got := connection.recv_into(room)):
            left -= got
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
