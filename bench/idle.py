"""Holds N connections open, each after one answered request: idle.py PORT N PATH [TOKEN]. Says `ready`, ends with its input."""
import resource
import socket
import sys

port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
bearer = f"Authorization: Bearer {sys.argv[4]}\r\n" if len(sys.argv) > 4 else ""
resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, max(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
held = []
for number in range(count):
    # 127.0.0.x, so that no one address holds them all.
    s = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(f"127.0.0.{2 + number % 50}", 0))
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}\r\n".encode())
    s.recv(65536)
    held.append(s)
print("ready", flush=True)
sys.stdin.read()
