"""The proxies of deploy/, each run with the very file that an operator copies: only its addresses are others.

    with front("nginx", gateway_port, service_port) as port: ...
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
	access_log off;
	client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
	scgi_temp_path {folder}/e;
	include {folder}/gatewarden.conf;
}}
"""
APACHE = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
DefaultRuntimeDir {folder}
Mutex file:{folder} default
ErrorLog {folder}/error.log
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule lua_module {modules}/mod_lua.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
Include {folder}/gatewarden.conf
"""
APACHE_MODULES = "/usr/lib/apache2/modules"


def nginx(folder):
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf"]


def haproxy(folder):
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def caddy(folder):
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


def apache(folder):
    user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
    (folder / "apache.conf").write_text(APACHE.format(folder=folder, modules=APACHE_MODULES, user=user))
    return ["apache2", "-DFOREGROUND", "-f", folder / "apache.conf"]


FRONTS = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy, "apache": apache}


def is_here(name):
    command = FRONTS[name](pathlib.Path(tempfile.gettempdir()) / "nowhere") if name in ("haproxy", "caddy") else [{"apache": "apache2"}.get(name, name)]
    return shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin") is not None


def fill(name, folder, addresses):
    """Copies deploy/NAME with our addresses in the place of its own."""
    for source in (DEPLOY / name).iterdir():
        text = source.read_text()
        for written, ours in addresses.items():
            text = text.replace(written, ours)
        (folder / source.name).write_text(text)
        (folder / source.name).chmod(0o644)


@contextlib.contextmanager
def front(name, gateway_port, service_port, port):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"gatewarden-{name}-"))
    folder.chmod(0o755)
    fill(name, folder, {"127.0.0.1:8080": f"127.0.0.1:{gateway_port}", "127.0.0.1:8000": f"127.0.0.1:{service_port}",
                        "127.0.0.1:8081": f"127.0.0.1:{port}", "http://:8081": f"http://:{port}", '"127.0.0.1", 8080': f'"127.0.0.1", {gateway_port}',
                        "/etc/haproxy": str(folder), "/etc/apache2": str(folder)})
    environment = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder),
                       PATH=os.environ.get("PATH", "") + ":/usr/sbin")
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(FRONTS[name](folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                                   cwd=folder)
    try:
        await_port(name, process, port, folder)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def await_port(name, process, port, folder):
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if process.poll() is not None or time.monotonic() > end:
            log = (folder / "output").read_text() + ((folder / "error.log").read_text() if (folder / "error.log").exists() else "")
            raise AssertionError(f"{name} does not start: {log[-1500:]}")
        time.sleep(0.05)
